//! `highwater demo`: a server with example data, to try things out.

use std::net::SocketAddr;

use super::{CliError, Data, block_on, open, say, serve};
use crate::{
    Config, Server,
    demo::{self, Filled, LIST, SITE},
    stores::Missing,
};

/// What `demo` takes.
#[derive(Debug, clap::Args)]
#[command(after_help = "Everything is kept in a temporary directory, which is removed when the server ends (Ctrl-C).

Example:
  highwater demo --listen 127.0.0.1:9000")]
pub(super) struct Demo {
    /// Where to listen.
    #[arg(long, value_name = "ADDR:PORT", value_parser = super::address, default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
}

impl Demo {
    pub(super) fn run(self) -> Result<(), CliError> {
        let config = Config { listen: self.listen, ..Config::default() };
        let dir = tempfile::Builder::new().prefix("highwater-demo-").tempdir();
        let dir = dir.map_err(CliError::io("cannot make a temporary directory"))?;
        let data = Data { data: dir.path().display().to_string(), blobs: None };
        let engine = block_on(open(&data, Missing::Make, &config))??;
        let running = Server::start(&config, &engine)?;
        // From here on a signal waits for its turn, so that the directory is removed in any case.
        let signals = serve::hear_signals(&running)?;
        let filled = block_on(Box::pin(demo::fill(&engine)))??;
        say(welcome(&format!("http://{}", running.address()), &filled))?;
        let done = serve::until_told(running, signals);
        drop(engine);
        dir.close().map_err(CliError::io(format!("cannot remove {}", data.data)))?;
        done
    }
}

/// What a visitor needs: addresses, passwords, and requests to paste.
fn welcome(url: &str, filled: &Filled) -> String {
    let mut text = format!(
        "A demonstration of Highwater with {} messages and {} rows of lists.\n\n\
         Exchange Web Services  {url}/EWS/Exchange.asmx\n\
         SharePoint site        {url}{SITE}  (for SOAP clients {url}{SITE}/_vti_bin/Lists.asmx)\n\
         SharePoint REST        {url}{SITE}/_api/web\n\n",
        filled.messages, filled.rows
    );
    for login in &filled.logins {
        text.push_str(&format!("user {}  password {}\n", login.address, login.password));
    }
    let Some(login) = filled.logins.first() else { return text };
    let curl = format!("curl -s -u '{}:{}'", login.address, login.password);
    text.push_str(&format!(
        "\nThe messages of the Inbox, as changes since nothing:\n\n{curl} {SYNC} {url}/EWS/Exchange.asmx\n"
    ));
    text.push_str(&format!(
        "\nThe rows of {LIST}, as changes since nothing:\n\n{curl} {LIST_SOAP} {url}{SITE}/_vti_bin/Lists.asmx\n"
    ));
    text.push_str(&format!(
        "\nThe same over REST:\n\n{curl} {LIST_REST} \
         \"{url}{SITE}/_api/web/lists/getbytitle('{LIST}')/GetListItemChangesSinceToken\"\n"
    ));
    text
}

const SYNC: &str = concat!(
    "-H 'Content-Type: text/xml; charset=utf-8' --data '",
    r#"<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/" "#,
    r#"xmlns:t="http://schemas.microsoft.com/exchange/services/2006/types" "#,
    r#"xmlns:m="http://schemas.microsoft.com/exchange/services/2006/messages">"#,
    r#"<s:Body><m:SyncFolderItems><m:ItemShape><t:BaseShape>Default</t:BaseShape></m:ItemShape>"#,
    r#"<m:SyncFolderId><t:DistinguishedFolderId Id="inbox"/></m:SyncFolderId>"#,
    "<m:MaxChangesReturned>10</m:MaxChangesReturned></m:SyncFolderItems></s:Body></s:Envelope>'"
);

const LIST_SOAP: &str = concat!(
    "-H 'Content-Type: text/xml; charset=utf-8' ",
    "-H 'SOAPAction: http://schemas.microsoft.com/sharepoint/soap/GetListItemChangesSinceToken' --data '",
    r#"<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body>"#,
    r#"<GetListItemChangesSinceToken xmlns="http://schemas.microsoft.com/sharepoint/soap/">"#,
    "<listName>Tasks</listName></GetListItemChangesSinceToken></s:Body></s:Envelope>'"
);

const LIST_REST: &str = concat!(
    "-H 'Content-Type: application/json' ",
    r#"--data '{"query":{"__metadata":{"type":"SP.ChangeLogItemQuery"},"ViewName":"","ChangeToken":null}}'"#
);
