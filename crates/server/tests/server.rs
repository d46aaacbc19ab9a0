//! The server over HTTP, in this process: login, routes, limits, and bad input.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test may fail")]

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    sync::Arc,
    time::Duration,
};

use base64::Engine as _;
use engine::{Engine, NewAccount, NewSite};
use highwater::{Config, Running, Server, password, stores, system};

const WAIT: Duration = Duration::from_secs(20);

struct Started {
    running: Running,
    engine: Engine,
    agent: ureq::Agent,
}

fn config() -> Config {
    Config { listen: SocketAddr::from(([127, 0, 0, 1], 0)), drain_lead_seconds: 0, ..Config::default() }
}

fn start(config: &Config) -> Started {
    let random = system::SystemRandom;
    let store = stores::open("memory:", stores::Missing::Make, &random).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let engine = runtime.block_on(async {
        let (clock, random) = (Arc::new(system::SystemClock), Arc::new(random));
        let engine = Engine::open(store, clock, random.clone(), config.engine()).await.unwrap();
        let password_hash = password::hash("sécret", &*random).unwrap();
        let new = NewAccount { address: "anna@contoso.com".into(), display_name: "Anna".into(), password_hash };
        engine.directory().add_account(new).await.unwrap();
        let owner = Some("anna@contoso.com".into());
        let new = NewSite { path: "/sites/team".into(), title: "Team".into(), owner };
        engine.directory().add_site(new).await.unwrap();
        engine
    });
    let running = Server::start(config, &engine).unwrap();
    let agent = ureq::Agent::config_builder().http_status_as_error(false).timeout_global(Some(WAIT)).build().into();
    Started { running, engine, agent }
}

impl Started {
    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.running.address())
    }

    fn get(&self, path: &str, credentials: Option<&str>) -> (u16, String) {
        let mut request = self.agent.get(self.url(path));
        if let Some(credentials) = credentials {
            request = request.header("Authorization", basic(credentials));
        }
        let mut response = request.call().unwrap();
        (response.status().as_u16(), response.body_mut().read_to_string().unwrap())
    }

    fn post(&self, path: &str, credentials: Option<&str>, body: &str) -> http::Response<ureq::Body> {
        let mut request = self.agent.post(self.url(path)).header("Content-Type", "text/xml; charset=utf-8");
        if let Some(credentials) = credentials {
            request = request.header("Authorization", basic(credentials));
        }
        request.send(body).unwrap()
    }

    /// What the server answers to these bytes, up to the end of the first answer or of the connection.
    fn raw(&self, bytes: &[u8]) -> String {
        let mut stream = TcpStream::connect(self.running.address()).unwrap();
        stream.set_read_timeout(Some(WAIT)).unwrap();
        stream.write_all(bytes).unwrap();
        let mut answer = String::new();
        let mut buffer = [0; 4_096];
        // A reset after the answer is as good an end as any.
        while let Ok(length @ 1..) = stream.read(&mut buffer) {
            answer.push_str(&String::from_utf8_lossy(&buffer[..length]));
            let whole = answer.split_once("\r\n\r\n").is_some_and(|(head, body)| {
                let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
                length.is_some_and(|length| length.parse() == Ok(body.len()))
            });
            if whole {
                break;
            }
        }
        answer
    }
}

fn basic(credentials: &str) -> String {
    format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(credentials))
}

const ANNA: &str = "anna@contoso.com:sécret";

#[test]
fn login_comes_before_anything_else() {
    let server = start(&config());
    assert_eq!(server.get("/healthz", None), (200, "ok\n".to_owned()));
    for path in ["/", "/EWS/Exchange.asmx", "/sites/team/_vti_bin/Lists.asmx", "/_api/web", "/nowhere", "/healthz/x"] {
        let response = server.agent.get(server.url(path)).call().unwrap();
        assert_eq!(response.status(), 401, "{path}");
        assert_eq!(response.headers()["www-authenticate"], "Basic realm=\"Highwater\", charset=\"UTF-8\"");
    }
    let response = server.post("/EWS/Exchange.asmx", None, &"x".repeat(100_000));
    assert_eq!(response.status(), 401);
    for user in ["anna@contoso.com", "anna", "CONTOSO\\anna", "contoso.com\\Anna", "ANNA@CONTOSO.COM"] {
        assert_eq!(server.get("/", Some(&format!("{user}:sécret"))).0, 200, "{user}");
        assert_eq!(server.get("/", Some(&format!("{user}:secret"))).0, 401, "{user}");
    }
    for credentials in ["nobody:sécret", "anna", ":", "anna@fabrikam.com:sécret"] {
        assert_eq!(server.get("/", Some(credentials)).0, 401, "{credentials}");
    }
    assert!(server.running.shutdown());
}

#[test]
fn paths_lead_to_the_adapters() {
    let server = start(&config());
    let page = server.get("/", Some(ANNA));
    assert!(page.1.contains("/EWS/Exchange.asmx") && page.1.contains(&server.url("")), "{page:?}");
    assert_eq!(server.get("/ews/EXCHANGE.asmx", Some(ANNA)).0, 200);
    assert_eq!(
        server
            .agent
            .delete(server.url("/ews/exchange.asmx"))
            .header("Authorization", basic(ANNA))
            .call()
            .unwrap()
            .status(),
        405
    );
    let mut fault = server.post("/ews/exchange.asmx", Some(ANNA), "<nonsense");
    assert_eq!(fault.status(), 500);
    assert!(fault.body_mut().read_to_string().unwrap().contains("Fault"));
    let wsdl = server.get("/SITES/team/_vti_bin/lists.asmx?WSDL", Some(ANNA));
    assert!(wsdl.0 == 200 && wsdl.1.contains("definitions"), "{wsdl:?}");
    for path in ["/sites/team/_api/web", "/sites/team/_vti_bin/client.svc/web", "/SITES/TEAM/_API/Web"] {
        let answer = server.get(path, Some(ANNA));
        assert!(answer.0 == 200 && answer.1.contains("Team"), "{path}: {answer:?}");
    }
    for path in ["/sites/none/_api/web", "/sites/none/_vti_bin/lists.asmx", "/_vti_bin/x"] {
        assert_eq!(server.get(path, Some(ANNA)).0, 404, "{path}");
    }
}

#[test]
fn forwarded_headers_are_believed_only_from_a_proxy() {
    for (trust_forwarded, url) in [(true, "https://mail.example.com/"), (false, "http://inner:1/")] {
        let server = start(&Config { trust_forwarded, ..config() });
        let answer = server.raw(
            format!(
                "GET / HTTP/1.1\r\nHost: inner:1\r\nX-Forwarded-Proto: https\r\n\
                 X-Forwarded-Host: mail.example.com, x\r\nAuthorization: {}\r\n\r\n",
                basic(ANNA)
            )
            .as_bytes(),
        );
        assert!(answer.contains(&format!("{url}EWS")), "{answer}");
    }
}

#[test]
fn a_request_is_bounded() {
    let config = Config { body_bytes_max: 1 << 20, body_idle_seconds: 1, header_seconds: 1, ..config() };
    let server = start(&config);
    let head = format!("POST /ews/exchange.asmx HTTP/1.1\r\nHost: x\r\nAuthorization: {}\r\n", basic(ANNA));
    let cases = [
        ("a large body is refused before it comes", format!("{head}Content-Length: 209715200\r\n\r\n"), "413"),
        (
            "so is one with 100-continue",
            format!("{head}Expect: 100-continue\r\nContent-Length: 209715200\r\n\r\n"),
            "413",
        ),
        (
            "a chunked one while it comes",
            format!("{head}Transfer-Encoding: chunked\r\n\r\n200000\r\n{}\r\n0\r\n\r\n", "x".repeat(0x20_0000)),
            "413",
        ),
        ("a body that stops is not waited for", format!("{head}Content-Length: 100\r\n\r\nabc"), "408"),
        ("large headers are refused", format!("{head}X: {}\r\n\r\n", "x".repeat(200_000)), "431"),
        ("a head that stops is not waited for", head.clone(), ""),
        ("nor is the start of HTTP/2", "PRI * HT".to_owned(), ""),
        ("garbage is refused", "\u{1}\u{2}\u{3} garbage\r\n\r\n".to_owned(), "400"),
    ];
    for (what, bytes, status) in cases {
        let answer = server.raw(bytes.as_bytes());
        let line = answer.lines().next().unwrap_or_default();
        assert_eq!(line.split(' ').nth(1).unwrap_or_default(), status, "{what}: {answer}");
    }
    assert!(
        server.raw(format!("{head}Content-Length: 209715200\r\n\r\n").as_bytes()).contains("ErrorMessageSizeExceeded")
    );
    assert_eq!(server.get("/healthz", None).0, 200);
    assert!(server.running.shutdown());
}

/// What gzip makes of these bytes.
fn packed(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn packed_bodies_are_unpacked_within_bounds() {
    let server = start(&Config { body_bytes_max: 1 << 20, ..config() });
    let request = "<s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\"><s:Body>\
        <GetListCollection xmlns=\"http://schemas.microsoft.com/sharepoint/soap/\"/></s:Body></s:Envelope>";
    let post = |encoding: &str, body: &[u8]| {
        let request = server.agent.post(server.url("/sites/team/_vti_bin/Lists.asmx"));
        let request = request.header("Content-Type", "text/xml; charset=utf-8").header("Content-Encoding", encoding);
        let mut response = request.header("Authorization", basic(ANNA)).send(body).unwrap();
        let accepted = response.headers().get("accept-encoding").map(|value| value.to_str().unwrap().to_owned());
        (response.status().as_u16(), response.body_mut().read_to_string().unwrap(), accepted)
    };
    let plain = request.as_bytes();
    let (one, two) = plain.split_at(40);
    let members = [packed(one), packed(two)].concat();
    for (encoding, body) in [("gzip", &packed(plain)), ("X-GZip", &packed(plain)), ("gzip", &members)] {
        let answer = post(encoding, body);
        assert!(answer.0 == 200 && answer.1.contains("Announcements"), "{answer:?}");
    }
    assert_eq!(post("identity", plain).0, 200);
    let whole = packed(plain);
    let padded = |bytes: usize| packed(format!("{request}{}", " ".repeat(bytes - request.len())).as_bytes());
    assert_eq!(post("gzip", &padded(1 << 20)).0, 200);
    let mut damaged = whole.clone();
    damaged[20] ^= 0xff;
    for (what, encoding, body, status) in [
        ("a bomb", "gzip", &padded((1 << 20) + 1), 413),
        ("a larger bomb", "gzip", &packed(&vec![b' '; 50 << 20]), 413),
        ("no gzip", "gzip", &plain.to_vec(), 400),
        ("nothing", "gzip", &Vec::new(), 400),
        ("a part", "gzip", &whole[..whole.len() / 2].to_vec(), 400),
        ("damage", "gzip", &damaged, 400),
        ("something behind it", "gzip", &[&whole[..], b"xxxxxxxxxxxxxxxxxxxxxxx"].concat(), 400),
        ("another encoding", "br", &whole, 415),
        ("two encodings", "gzip, gzip", &whole, 415),
    ] {
        let answer = post(encoding, body);
        assert_eq!(answer.0, status, "{what}: {}", answer.1);
        assert!(answer.1.contains("faultstring"), "{what}: {}", answer.1);
        assert_eq!(answer.2.as_deref(), (status == 415).then_some("gzip"), "{what}");
    }
    assert_eq!(server.get("/healthz", None).0, 200);
}

#[test]
fn answers_are_packed_for_those_who_offer_it() {
    let server = start(&config());
    let get = |offered: &str| {
        let request = server.agent.get(server.url("/sites/team/_vti_bin/Lists.asmx?WSDL"));
        let request = request.header("Authorization", basic(ANNA)).header("Accept-Encoding", offered);
        let mut response = request.call().unwrap();
        let encoding = response.headers().get("content-encoding").map(|value| value.to_str().unwrap().to_owned());
        (encoding, response.body_mut().read_to_vec().unwrap())
    };
    let (encoding, plain) = get("identity");
    assert!(encoding.is_none() && plain.starts_with(b"<?xml"));
    let (encoding, answer) = get("gzip, deflate");
    assert_eq!(encoding.as_deref(), Some("gzip"));
    assert!(answer.len() < plain.len() / 4, "{} of {}", answer.len(), plain.len());
    let mut unpacked = Vec::new();
    flate2::read::GzDecoder::new(&answer[..]).read_to_end(&mut unpacked).unwrap();
    assert!(unpacked == plain);
}

#[test]
fn the_id_of_a_request_comes_back_where_it_is_wanted() {
    let server = start(&config());
    let id = "{C3E4A1B0-7A1F-4B35-9D0B-2B9C1F5F2D11}";
    let long = "x".repeat(200);
    for (id, wanted, credentials, echoed) in [
        (id, "true", ANNA, Some(id)),
        (id, "True", ANNA, Some(id)),
        (id, "true", "anna:wrong", Some(id)),
        (id, "false", ANNA, None),
        (id, "", ANNA, None),
        (&long, "true", ANNA, None),
    ] {
        let request = server.agent.get(server.url("/EWS/Exchange.asmx")).header("Authorization", basic(credentials));
        let request = request.header("client-request-id", id).header("return-client-request-id", wanted);
        let response = request.call().unwrap();
        let returned = response.headers().get("client-request-id").map(|value| value.to_str().unwrap());
        assert_eq!(returned, echoed, "{wanted}");
    }
}

#[test]
fn bad_input_does_not_take_it_down() {
    let server = start(&config());
    for body in ["", "\0", "<", "<a/>", "]]>", "<s:Envelope/>", &"<a>".repeat(10_000), "{\"query\":"] {
        for path in [
            "/ews/exchange.asmx",
            "/_vti_bin/lists.asmx",
            "/_api/web/lists",
            "/sites/team/_api/web/lists/getbytitle('x')/GetListItemChangesSinceToken",
        ] {
            let status = server.post(path, Some(ANNA), body).status().as_u16();
            assert!((400..=500).contains(&status), "{path} {body:.20}: {status}");
        }
    }
    assert_eq!(server.get("/", Some(ANNA)).0, 200);
}

#[test]
fn too_many_requests_are_told_to_come_again() {
    let config = Config { requests_max: 1, requests_waiting_max: 0, ..config() };
    let server = start(&config);
    let mut slow = TcpStream::connect(server.running.address()).unwrap();
    let head = format!("POST /ews/exchange.asmx HTTP/1.1\r\nHost: x\r\nAuthorization: {}\r\n", basic(ANNA));
    slow.write_all(format!("{head}Expect: 100-continue\r\nContent-Length: 10\r\n\r\n").as_bytes()).unwrap();
    // The server asks for the body, so the request is in.
    slow.read_exact(&mut [0; 25]).unwrap();
    let response = server.post("/ews/exchange.asmx", Some(ANNA), "<a/>");
    assert_eq!(response.status(), 503);
    assert_eq!(response.headers()["retry-after"], "5");
    assert_eq!(server.get("/healthz", None).0, 200);
    slow.write_all(b"<a>more</a").unwrap();
    let mut answer = [0; 12];
    slow.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"HTTP/1.1 500");
}

#[test]
fn silent_clients_do_not_delay_the_end() {
    let server = start(&config());
    let connect = |bytes: &str| {
        let mut stream = TcpStream::connect(server.running.address()).unwrap();
        stream.write_all(bytes.as_bytes()).unwrap();
        stream
    };
    let request = "GET /healthz HTTP/1.1\r\nHost: x\r\n";
    let mut idle = connect(&format!("{request}\r\n"));
    idle.read_exact(&mut [0; 12]).unwrap();
    let mut begun = connect(&format!("{request}\r\n"));
    begun.read_exact(&mut [0; 12]).unwrap();
    begun.write_all(request.as_bytes()).unwrap();
    let _silent = [connect(""), connect(request), connect("PRI * HT")];
    let started = std::time::Instant::now();
    assert!(server.running.shutdown());
    assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
}

#[test]
fn changed_accounts_count_at_once() {
    let server = start(&config());
    assert_eq!(server.get("/", Some(ANNA)).0, 200);
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let hash = password::hash("other", &system::SystemRandom).unwrap();
    runtime.block_on(server.engine.directory().set_password("anna@contoso.com", &hash)).unwrap();
    assert_eq!(server.get("/", Some(ANNA)).0, 401);
    assert_eq!(server.get("/", Some("anna:other")).0, 200);
    runtime.block_on(server.engine.directory().remove_account("anna@contoso.com")).unwrap();
    assert_eq!(server.get("/", Some("anna:other")).0, 401);
}
