//! Mail while the server is killed: what it accepted is delivered after the next start, to everybody, once.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test may fail")]
#![cfg(unix)]

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader, Write},
    process::{Child, Command, Stdio},
    sync::mpsc::{Sender, channel},
    thread,
    time::{Duration, Instant},
};

use base64::Engine as _;

const PROGRAM: &str = env!("CARGO_BIN_EXE_highwater");
const ACCOUNTS: [&str; 3] = ["anna@example.com", "bert@example.com", "cara@example.com"];
/// Starts that are killed, each after messages of its own number.
const KILLS: u64 = 6;

struct Serving {
    child: Child,
    url: String,
}

impl Serving {
    fn start(data: &str) -> Self {
        let mut child = Command::new(PROGRAM)
            .env("RUST_LOG", "error")
            .args(["serve", "--data", data, "--listen", "127.0.0.1:0"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let url = lines.find_map(|line| line.unwrap().strip_prefix("listening on ").map(str::to_owned));
        Self { child, url: url.expect("the server says where it listens") }
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The answer to one operation; `None` where the server is gone.
fn call(url: &str, who: &str, operation: &str) -> Option<String> {
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .timeout_global(Some(Duration::from_secs(20)))
        .build()
        .into();
    let basic = base64::engine::general_purpose::STANDARD.encode(format!("{who}:{who}-password"));
    let envelope = format!(
        "<s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\" \
         xmlns:t=\"http://schemas.microsoft.com/exchange/services/2006/types\" \
         xmlns=\"http://schemas.microsoft.com/exchange/services/2006/messages\"><s:Body>{operation}</s:Body></s:Envelope>"
    );
    let request = agent.post(format!("{url}/EWS/Exchange.asmx")).header("Authorization", format!("Basic {basic}"));
    let mut response = request.header("Content-Type", "text/xml; charset=utf-8").send(envelope).ok()?;
    response.body_mut().read_to_string().ok()
}

/// Sends messages to the two others until the server is gone; the subjects of those that it accepted, which `news` gets
/// at once as well.
fn send_until_gone(url: &str, round: u64, news: &Sender<()>) -> Vec<String> {
    let to: String = ACCOUNTS[1..]
        .iter()
        .map(|one| format!("<t:Mailbox><t:EmailAddress>{one}</t:EmailAddress></t:Mailbox>"))
        .collect();
    let mut accepted = Vec::new();
    for number in 0.. {
        let subject = format!("{round}-{number}");
        let answer = call(
            url,
            ACCOUNTS[0],
            &format!(
                "<CreateItem MessageDisposition=\"SendAndSaveCopy\"><Items><t:Message><t:Subject>{subject}</t:Subject>\
                 <t:ToRecipients>{to}</t:ToRecipients></t:Message></Items></CreateItem>"
            ),
        );
        let Some(answer) = answer else { break };
        assert!(answer.contains("NoError"), "{answer}");
        accepted.push(subject);
        let _ = news.send(());
    }
    accepted
}

/// How often each subject lies in a folder.
fn subjects(url: &str, who: &str, folder: &str) -> BTreeMap<String, usize> {
    let answer = call(
        url,
        who,
        &format!(
            "<FindItem Traversal=\"Shallow\"><ItemShape><t:BaseShape>IdOnly</t:BaseShape><t:AdditionalProperties>\
             <t:FieldURI FieldURI=\"item:Subject\"/></t:AdditionalProperties></ItemShape><ParentFolderIds>\
             <t:DistinguishedFolderId Id=\"{folder}\"/></ParentFolderIds></FindItem>"
        ),
    );
    let answer = answer.unwrap();
    let mut found = BTreeMap::new();
    for piece in answer.split("<t:Subject>").skip(1) {
        *found.entry(piece.split('<').next().unwrap().to_owned()).or_default() += 1;
    }
    found
}

#[test]
fn what_was_accepted_arrives_once_after_a_kill() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data").display().to_string();
    for account in ACCOUNTS {
        let mut child = Command::new(PROGRAM)
            .args(["account", "add", account, "--data", &data, "--password-stdin"])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        writeln!(child.stdin.take().unwrap(), "{account}-password").unwrap();
        assert!(child.wait().unwrap().success());
    }
    let mut accepted = Vec::new();
    for round in 0..KILLS {
        let mut server = Serving::start(&data);
        let url = server.url.clone();
        let (news, accepts) = channel();
        let sender = thread::spawn(move || send_until_gone(&url, round, &news));
        for _ in 0..=2 * round {
            accepts.recv_timeout(Duration::from_secs(20)).unwrap();
        }
        // In the midst of the next one: at another place in each round.
        let _ = accepts.recv_timeout(Duration::from_millis(3 * round));
        server.child.kill().unwrap();
        server.child.wait().unwrap();
        accepted.extend(sender.join().unwrap());
    }
    assert!(accepted.len() > KILLS as usize, "{accepted:?}");
    let server = Serving::start(&data);
    let until = Instant::now() + Duration::from_secs(20);
    while !subjects(&server.url, ACCOUNTS[0], "outbox").is_empty() && Instant::now() < until {
        thread::yield_now();
    }
    assert!(subjects(&server.url, ACCOUNTS[0], "outbox").is_empty());
    let sent = subjects(&server.url, ACCOUNTS[0], "sentitems");
    assert!(sent.values().all(|count| *count == 1), "{sent:?}");
    for subject in &accepted {
        assert!(sent.contains_key(subject), "{subject} was accepted");
    }
    // What was cut off in its answer may be there as well; but then it is everywhere.
    for who in &ACCOUNTS[1..] {
        assert_eq!(subjects(&server.url, who, "inbox"), sent, "{who}");
    }
}
