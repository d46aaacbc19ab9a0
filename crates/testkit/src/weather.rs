//! Transcripts in bad weather: every request is sent again and again, and each time another call of the store fails, until
//! none is left to fail. What the client is told must be true: it is told to repeat only what left nothing behind, and what
//! was told as done is done, as the rest of the transcript shows.

use std::sync::Arc;

use store::{
    faulty::{CommitFault, Faulty, ReadFault},
    memory::MemoryStore,
};

use crate::{
    scenario::{self, Answered, Exchange, START, Stage},
    schema::Checker,
    server::{ANNA, BERT, PASSWORD, SITE, TestServer},
};

/// Where this is set in the environment, every call of the store fails once, not only one in [`STRIDE`].
const EVERY_CALL: &str = "HIGHWATER_EVERY_CALL";
/// One read in so many fails once.
const STRIDE: u64 = 13;
/// Calls of the store that one request may make at most; a transcript whose requests never come to an end fails.
const CALLS_MAX: u64 = 2_000;
/// How often a transcript is begun anew at most.
const RUNS_MAX: usize = 2_000;

/// What fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weather {
    /// Reads, because the store is out of reach.
    Reads,
    /// Commits, because the store is out of reach.
    Commits,
    /// Commits that are lost, and nobody knows.
    Lost,
    /// Commits that are written, and nobody knows.
    Unacknowledged,
}

/// What an answer says of the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Said {
    /// All of it may be repeated.
    Repeat,
    /// Parts of it are done, others may be repeated.
    Parts,
    /// Nobody knows whether it was done.
    Unknown,
    /// Whatever it says in good weather.
    Done,
}

/// Runs every transcript of `tests/transcripts/<folder>` in this weather. Costs a request for each call that a request makes.
///
/// # Panics
/// With all that is not as it must be.
pub fn run_folder(folder: &str, weather: Weather) {
    scenario::run_each(folder, |text, checker| run(text, checker, weather));
}

/// Runs one transcript in this weather.
///
/// # Errors
/// The first answer that is not true, with its line.
pub fn run(text: &str, checker: &mut Checker, weather: Weather) -> Result<(), String> {
    let exchanges = scenario::exchanges(text)?;
    let mut from = (0, 0);
    for _ in 0..RUNS_MAX {
        match run_from(&exchanges, from, checker, weather)? {
            Some(next) => from = next,
            None => return Ok(()),
        }
    }
    Err("is begun anew too often".into())
}

/// Runs exchanges, in bad weather from that exchange and its call on. Where the state is no longer the one in which a
/// request can be repeated, gives the exchange and the call to go on with on a fresh server.
fn run_from(
    exchanges: &[Exchange<'_>],
    from: (usize, u64),
    checker: &mut Checker,
    weather: Weather,
) -> Result<Option<(usize, u64)>, String> {
    let store = Arc::new(Faulty::new(MemoryStore::new(1)));
    let mut stage = Stage::new(TestServer::over(store.clone(), START.parse().expect("a time")));
    meet(&stage.server);
    for (index, exchange) in exchanges.iter().enumerate() {
        let mut call = match index.cmp(&from.0) {
            std::cmp::Ordering::Less => CALLS_MAX,
            std::cmp::Ordering::Equal => from.1,
            std::cmp::Ordering::Greater => 0,
        };
        loop {
            call += u64::from(weather == Weather::Reads) * skipped(index, call);
            let (injected, committed) = (store.injected(), store.committed());
            match weather {
                Weather::Reads => store.fail_read(call, ReadFault::TryAgain),
                Weather::Commits => store.fail_commit(call, CommitFault::TryAgain),
                Weather::Lost => store.fail_commit(call, CommitFault::Lost),
                Weather::Unacknowledged => store.fail_commit(call, CommitFault::Unacknowledged),
            }
            let kept = stage.kept.clone();
            let answer = stage.ask(exchange, checker);
            store.heal();
            let answer = answer?;
            if store.injected() == injected {
                stage.hold(exchange, answer.as_ref())?;
                break;
            }
            let wrote = store.committed() - committed;
            let failed = call;
            let told = |why: &str| {
                let shown = answer.as_ref().map(Answered::shown).unwrap_or_default();
                format!("{weather:?} at call {failed}, {wrote} commits written: {why}\n{} {shown}", exchange.title())
            };
            call += 1;
            if call > CALLS_MAX {
                return Err(told("there is no end of calls"));
            }
            match answer.as_ref().map_or(Said::Done, said) {
                Said::Repeat if wrote > 0 => return Err(told("it may not be repeated")),
                Said::Repeat if answer.as_ref().is_some_and(lacks_pause) => return Err(told("it does not say when")),
                Said::Repeat => {}
                Said::Unknown if matches!(weather, Weather::Reads | Weather::Commits) && wrote == 0 => {
                    return Err(told("it may be repeated"));
                }
                Said::Unknown if wrote == 0 => {}
                Said::Parts | Said::Unknown => return Ok(Some((index, call))),
                Said::Done => {
                    // What waits because of the fault comes later, as far as the transcript can see.
                    stage.server.deliver();
                    stage.hold(exchange, answer.as_ref()).map_err(|fault| told(&fault))?;
                    if wrote > 0 {
                        return Ok(Some((index, call)));
                    }
                    stage.kept = kept;
                }
            }
        }
    }
    Ok(None)
}

/// How many calls are let through before the next one fails: none, where all are asked for, otherwise in a pattern that
/// tries every call of requests that are alike in one transcript or another.
fn skipped(index: usize, call: u64) -> u64 {
    if std::env::var_os(EVERY_CALL).is_some() {
        return 0;
    }
    (STRIDE - (call + index as u64) % STRIDE) % STRIDE
}

/// What is made when somebody comes for the first time is made before, so that every write is the request's own.
fn meet(server: &TestServer) {
    for who in [ANNA, BERT] {
        let http = server.http().login(who, PASSWORD);
        let body = "<m:GetFolder><m:FolderShape><t:BaseShape>IdOnly</t:BaseShape></m:FolderShape><m:FolderIds>\
            <t:DistinguishedFolderId Id=\"inbox\"/></m:FolderIds></m:GetFolder>";
        assert_eq!(server.ews(who).post(&crate::ews::envelope(body)).status, 200);
        for site in ["", SITE] {
            assert_eq!(http.send("GET", &format!("{site}/_api/web"), &[], Vec::new()).status, 200);
        }
    }
}

fn said(answer: &Answered) -> Said {
    let body = String::from_utf8_lossy(&answer.answer.body);
    let has = |words: &[&str]| words.iter().any(|word| body.contains(word));
    let repeat = answer.answer.status == 503
        || has(&["ErrorServerBusy", "ErrorInternalServerTransientError", "0x800700aa", "HTTP/1.1 503"]);
    let parts = has(&["ResponseClass=\"Success\"", "0x00000000", "HTTP/1.1 20"]);
    if repeat {
        return if parts { Said::Parts } else { Said::Repeat };
    }
    if has(&["It is not known whether"]) { Said::Unknown } else { Said::Done }
}

/// Whether an answer as a whole says that it may be repeated, but not when.
fn lacks_pause(answer: &Answered) -> bool {
    let pause = answer.answer.header("retry-after").is_some();
    answer.answer.status == 503 && !pause
        || answer.answer.status == 500 && !String::from_utf8_lossy(&answer.answer.body).contains("BackOffMilliseconds")
}
