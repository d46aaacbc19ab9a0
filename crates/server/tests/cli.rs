//! The program as a whole: commands beside a running server, and its end.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test may fail")]
#![cfg(unix)]

use std::{
    io::{BufRead, BufReader, Read, Write},
    path::Path,
    process::{Child, Command, Output, Stdio},
    time::Duration,
};

use base64::Engine as _;

const PROGRAM: &str = env!("CARGO_BIN_EXE_highwater");

fn run(arguments: &[&str], input: &str) -> Output {
    let mut child = Command::new(PROGRAM)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

fn done(arguments: &[&str], input: &str) -> String {
    let output = run(arguments, input);
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn failed(arguments: &[&str]) -> (i32, String) {
    let output = run(arguments, "");
    (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
}

/// A server of its own, told to stop when this goes.
struct Serving {
    child: Child,
    url: String,
    printed: Vec<String>,
}

impl Serving {
    fn start(arguments: &[&str]) -> Self {
        Self::spawn(Command::new(PROGRAM).args(arguments))
    }

    fn spawn(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut printed = Vec::new();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let url = loop {
            let line = lines.next().expect("the server says where it listens").unwrap();
            if let Some(url) = line.strip_prefix("listening on ") {
                break url.to_owned();
            }
            printed.push(line);
        };
        Self { child, url, printed }
    }

    fn stop(mut self, signal: &str) -> i32 {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args([signal, &id]).status().unwrap().success());
        self.child.wait().unwrap().code().unwrap_or(-1)
    }

    fn get(&self, path: &str, credentials: &str) -> (u16, String) {
        let agent: ureq::Agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(Duration::from_secs(20)))
            .build()
            .into();
        let basic = base64::engine::general_purpose::STANDARD.encode(credentials);
        let request = agent.get(format!("{}{path}", self.url)).header("Authorization", format!("Basic {basic}"));
        let mut response = request.call().unwrap();
        (response.status().as_u16(), response.body_mut().read_to_string().unwrap())
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.child.kill();
    }
}

#[test]
fn accounts_and_sites_beside_a_running_server() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data").display().to_string();
    let server = Serving::start(&["serve", "--data", &data, "--listen", "127.0.0.1:0"]);
    assert_eq!(server.get("/", "anna@example.com:first").0, 401);
    let added = done(&["account", "add", "Anna@example.com", "--data", &data, "--password-stdin"], "first\n");
    assert_eq!(added, "added anna@example.com\n");
    assert_eq!(server.get("/", "anna@example.com:first").0, 200);
    done(&["account", "passwd", "anna@example.com", "--data", &data, "--password-stdin"], "second\n");
    assert_eq!(server.get("/", "anna@example.com:first").0, 401);
    assert_eq!(server.get("/", "anna@example.com:second").0, 200);
    let made = done(&["account", "add", "bob@example.com", "--name", "Bob", "--data", &data], "");
    let password = made.lines().find_map(|line| line.strip_prefix("password: ")).unwrap();
    assert_eq!(server.get("/", &format!("bob:{password}")).0, 200);
    assert!(done(&["account", "list", "--data", &data], "").contains("bob@example.com\tBob\t"));

    assert_eq!(server.get("/sites/x/_api/web", "anna:second").0, 404);
    let add = ["site", "add", "/sites/x", "--data", &data, "--title", "Xyz", "--owner", "anna@example.com"];
    done(&add, "");
    let answer = server.get("/sites/x/_api/web", "anna:second");
    assert!(answer.0 == 200 && answer.1.contains("Xyz"), "{answer:?}");
    assert!(done(&["site", "list", "--data", &data], "").contains("/sites/x\tXyz\tanna@example.com\t"));
    done(&["site", "remove", "/sites/x", "--data", &data], "");
    assert_eq!(server.get("/sites/x/_api/web", "anna:second").0, 404);
    let acts = |right: &str| done(&["account", right, "Bob@example.com", "--data", &data], "");
    assert!(acts("grant-impersonation").contains("bob@example.com may act as any other account"));
    assert!(done(&["account", "list", "--data", &data], "").contains("\tmay act as others\n"));
    assert!(acts("revoke-impersonation").contains("bob@example.com may act as itself alone"));
    assert!(!done(&["account", "list", "--data", &data], "").contains("may act as others"));
    done(&["account", "remove", "bob@example.com", "--data", &data], "");
    assert_eq!(server.get("/", &format!("bob:{password}")).0, 401);

    let token = "1;3;eee4c6d5-f88a-42c4-8ce1-685122984870;634397182229400000;3710";
    for token in [token, "nonsense"] {
        assert!(!done(&["token", "explain", token, "--data", &data], "").is_empty());
    }

    let long = "x".repeat(400);
    for (arguments, complaint) in [
        (vec!["account", "add", "anna@example.com", "--data", &data, "--password-stdin"], "exists already"),
        (vec!["account", "passwd", "x@example.com", "--data", &data], "there is no account x@example.com"),
        (vec!["account", "grant-impersonation", "x@example.com", "--data", &data], "there is no account x@example.com"),
        (vec!["account", "add", "nonsense", "--data", &data], "an account needs an address"),
        (vec!["site", "add", "sites", "--data", &data, "--owner", "anna@example.com"], "a site needs a path"),
        (vec!["site", "remove", "/sites/x", "--data", &data], "there is no site /sites/x"),
        (vec!["site", "remove", "/", "--data", &data], "the root site is always there"),
        (vec!["site", "add", "/", "--data", &data, "--owner", "anna@example.com"], "the root site is always there"),
        (vec!["import", "anna@example.com", "--data", &data, "--folder", "/", "/tmp"], "--folder needs the name"),
        (vec!["import", "anna@example.com", "--data", &data, "--folder", &long, "/tmp"], "is too long"),
        (vec!["account", "list", "--data", "/nonexistent/data"], "there is no data in"),
        (vec!["serve", "--data", &data, "--listen", server.url.trim_start_matches("http://")], "cannot listen on"),
    ] {
        let (code, message) = failed(&arguments);
        assert!(code == 1 && message.contains(complaint), "{arguments:?}: {code} {message}");
    }
    assert_eq!(failed(&["serve"]).0, 2);
    assert!(failed(&["serve", "--data", &data, "--listen", "8080"]).1.contains("such as 127.0.0.1:8080"));
    assert_eq!(server.stop("-TERM"), 0);
}

#[test]
fn a_demo_shows_itself_and_leaves_nothing() {
    let temporary = tempfile::tempdir().unwrap();
    let command = ["demo", "--listen", "127.0.0.1:0"];
    let server = Serving::spawn(Command::new(PROGRAM).args(command).env("TMPDIR", temporary.path()));
    assert_eq!(temporary.path().read_dir().unwrap().count(), 1);
    let printed = server.printed.join("\n");
    let curls: Vec<&String> = server.printed.iter().filter(|line| line.starts_with("curl ")).collect();
    assert_eq!(curls.len(), 3, "{printed}");
    let have_curl = Command::new("curl").arg("--version").output().is_ok();
    if !have_curl {
        println!("skipped: there is no curl");
    }
    for (curl, part) in
        curls.into_iter().zip(["SyncFolderItemsResponse", "GetListItemChangesSinceTokenResult", "z:row"])
    {
        if have_curl {
            let output = Command::new("sh").args(["-c", curl]).output().unwrap();
            let answer = String::from_utf8_lossy(&output.stdout).into_owned();
            assert!(answer.contains(part), "{curl}\n{answer}");
        }
    }
    assert_eq!(server.stop("-INT"), 0);
    assert_eq!(temporary.path().read_dir().unwrap().count(), 0);
}

#[test]
fn a_reader_that_goes_away_is_no_panic() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data").display().to_string();
    done(&["account", "add", "anna@example.com", "--data", &data, "--password-stdin"], "x\n");
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let output = Command::new(PROGRAM).args(["account", "list", "--data", &data]).stdout(writer).output().unwrap();
    assert_eq!((output.status.code(), String::from_utf8_lossy(&output.stderr).as_ref()), (Some(1), ""));
}

#[test]
fn import_says_what_it_did() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data").display().to_string();
    let mail = dir.path().join("mail");
    write(&mail.join("a.eml"), "Subject: one\r\n\r\nbody\r\n");
    write(&mail.join("b.eml"), "");
    write(&mail.join("box"), "From a\nSubject: two\n\nx\n\nFrom b\nSubject: three\n\ny\n");
    write(&mail.join("Maildir/cur/1:2,S"), "Subject: four\n\nz\n");
    std::fs::create_dir_all(mail.join("Maildir/new")).unwrap();
    done(&["account", "add", "anna@example.com", "--data", &data, "--password-stdin"], "x\n");
    let mail = mail.display().to_string();
    let output = run(&["import", "anna@example.com", "--data", &data, "--folder", "Inbox/Old", &mail], "");
    assert_eq!(output.status.code(), Some(3));
    let (said, complained) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(said.contains("imported 4 into Inbox/Old of anna@example.com, refused 1"), "{said}");
    assert!(complained.contains("b.eml: the file is empty"), "{complained}");
    let single = format!("{mail}/a.eml");
    let said = done(&["import", "anna@example.com", "--data", &data, &single], "");
    assert!(said.contains("imported 1 into Inbox"), "{said}");
    assert_eq!(failed(&["import", "nobody@example.com", "--data", &data, &single]).0, 1);
    assert_eq!(failed(&["import", "anna@example.com", "--data", &data, "/nonexistent"]).0, 1);
}

fn write(path: &Path, text: &str) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

#[test]
fn settings_come_from_a_file() {
    let dir = tempfile::tempdir().unwrap();
    let (data, config) = (dir.path().join("data"), dir.path().join("c.toml"));
    write(&config, "listen = \"127.0.0.1:0\"\n");
    let (data, config) = (data.display().to_string(), config.display().to_string());
    let server = Serving::start(&["serve", "--data", &data, "--config", &config]);
    assert_eq!(server.get("/healthz", ":").0, 200);
    assert_eq!(server.stop("-INT"), 0);
    write(Path::new(&config), "lisen = 1\n");
    let (code, message) = failed(&["serve", "--data", &data, "--config", &config]);
    assert!(code == 1 && message.contains("unknown field `lisen`"), "{message}");
}

#[test]
fn a_request_under_way_finishes_before_the_end() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data").display().to_string();
    done(&["account", "add", "anna@example.com", "--data", &data, "--password-stdin"], "x\n");
    let server = Serving::start(&["serve", "--data", &data, "--listen", "127.0.0.1:0"]);
    let basic = base64::engine::general_purpose::STANDARD.encode("anna:x");
    let mut stream = std::net::TcpStream::connect(server.url.trim_start_matches("http://")).unwrap();
    let head = format!("POST /ews/exchange.asmx HTTP/1.1\r\nHost: x\r\nAuthorization: Basic {basic}\r\n");
    stream.write_all(format!("{head}Expect: 100-continue\r\nContent-Length: 4\r\n\r\n").as_bytes()).unwrap();
    stream.read_exact(&mut [0; 25]).unwrap();
    let id = server.child.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
    stream.write_all(b"<a/>").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 500"), "{answer}");
    let mut server = server;
    assert_eq!(server.child.wait().unwrap().code(), Some(0));
}

#[test]
fn a_second_signal_ends_it_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let (data, config) = (dir.path().join("data").display().to_string(), dir.path().join("c.toml"));
    write(&config, "listen = \"127.0.0.1:0\"\ndrain_lead_seconds = 600\n");
    let mut server = Serving::start(&["serve", "--data", &data, "--config", &config.display().to_string()]);
    let id = server.child.id().to_string();
    let told = || assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
    let started = std::time::Instant::now();
    told();
    while server.get("/readyz", ":").0 == 200 {
        assert!(started.elapsed().as_secs() < 20);
    }
    told();
    assert_eq!(server.child.wait().unwrap().code(), Some(1));
    assert!(started.elapsed().as_secs() < 20);
}

#[test]
fn the_store_command_says_what_engines_need_and_what_is_wrong() {
    for (engine, has) in [
        ("citus", "create_distributed_table('item', 'root_id', colocate_with => 'root');"),
        ("yugabyte", "PRIMARY KEY((root_id) HASH, item_id ASC)"),
        ("cockroach", "PRIMARY KEY(root_id, item_id)"),
    ] {
        let plan = done(&["store", "plan", "--for", engine], "");
        assert!(plan.contains(has), "{engine}: {plan}");
    }
    let (code, complaint) = failed(&["store", "restored", "--data", "postgres://u:secret@127.0.0.1:1/d"]);
    assert_eq!(code, 1);
    assert!(complaint.contains("cannot open the data in the database") && !complaint.contains("secret"), "{complaint}");
}
