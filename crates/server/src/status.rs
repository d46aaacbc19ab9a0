//! The small pages for people.

use std::fmt::Write as _;

use engine::Caller;
use http::{Response, StatusCode};

use crate::{adapters::Body, answer};

/// The page at the root: what this is, and where to point a client.
pub(crate) fn page(base_url: &str, caller: &Caller) -> Response<Body> {
    let mut page = String::from(HEAD);
    let _ = write!(page, "<p>You are logged in as {}.</p>\n<table>\n", escape(&caller.address));
    for (what, path) in ADDRESSES {
        let _ = writeln!(page, "<tr><td>{what}</td><td><code>{}{path}</code></td></tr>", escape(base_url));
    }
    page.push_str("</table>\n</body>\n</html>\n");
    answer::typed(StatusCode::OK, "text/html; charset=utf-8", page)
}

/// What a browser sees at the address of Exchange Web Services. Clients ask for it to see whether a login works.
pub(crate) fn ews_page() -> Response<Body> {
    answer::typed(StatusCode::OK, "text/html; charset=utf-8", EWS)
}

const ADDRESSES: &[(&str, &str)] = &[
    ("Exchange Web Services", "/EWS/Exchange.asmx"),
    ("SharePoint lists, SOAP", "/_vti_bin/Lists.asmx"),
    ("SharePoint lists, REST", "/_api/web"),
    ("Health: alive", "/healthz"),
    ("Health: ready for requests", "/readyz"),
];

const HEAD: &str = "<!DOCTYPE html>
<html lang=\"en\">
<head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\"><title>Highwater</title></head>
<body>
<h1>Highwater</h1>
<p>A server for Exchange Web Services and SharePoint list synchronization. Sites have their own addresses: put the path
of the site, such as <code>/sites/team</code>, before that of the service.</p>
";

const EWS: &str = "<!DOCTYPE html>
<html lang=\"en\">
<head><meta charset=\"utf-8\"><title>Exchange Web Services</title></head>
<body><p>You have reached Exchange Web Services of Highwater. Point a client at this address.</p></body>
</html>
";

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
