//! What clients of both protocols take for a reason to come again, and what they know then.

use std::fmt;

use crate::http::Answer;

/// How an answer stands to what was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is an answer, good or bad.
    Answered,
    /// Nothing was done, and the same request may be sent again. Why, in few words.
    NotDone(String),
    /// It is not known what was done. Why, in few words.
    Unknown(String),
}

impl fmt::Display for Verdict {
    /// As `not done: 503`.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Answered => formatter.write_str("answered"),
            Self::NotDone(why) => write!(formatter, "not done: {why}"),
            Self::Unknown(why) => write!(formatter, "unknown: {why}"),
        }
    }
}

/// What came of a write by a frank client, see [`crate::ews::Ews::frank`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Came<T> {
    /// It was acknowledged.
    Done(T),
    /// It was not done.
    NotDone(String),
    /// It was done or not.
    Unknown(String),
}

impl<T> Came<T> {
    /// Reads the outcome of a call; panics at an error that no client repeats after.
    pub fn of(outcome: Result<T, String>) -> Self {
        match outcome {
            Ok(value) => Self::Done(value),
            Err(why) if why.starts_with("not done: ") => Self::NotDone(why),
            Err(why) if why.starts_with("unknown: ") => Self::Unknown(why),
            Err(code) => panic!("a write that nothing is wrong with is refused: {code}"),
        }
    }
}

/// Codes of EWS that say that nothing was done and the request may come again.
const EWS_NOT_DONE: &[&str] = &["ErrorServerBusy", "ErrorInternalServerTransientError"];
/// The code of EWS for what may have been done.
const EWS_UNKNOWN: &str = "ErrorInternalServerError";
/// Codes of the list service: ERROR_BUSY, and E_FAIL.
const LIST_NOT_DONE: &str = "0x800700aa";
const LIST_UNKNOWN: &str = "0x80004005";

/// Judges what came of a request, by the status and by the codes that stand in it. A request of several parts is judged
/// as a whole: one part that is to be repeated is enough.
pub fn judge(answer: &Result<Answer, String>) -> Verdict {
    let answer = match answer {
        Ok(answer) => answer,
        // Somebody who cannot connect has sent nothing.
        Err(error) if error.contains("refused") => return Verdict::NotDone("no connection".to_owned()),
        Err(_) => return Verdict::Unknown("the connection broke".to_owned()),
    };
    match answer.status {
        503 => return Verdict::NotDone("503".to_owned()),
        // Said by what stands between, which has sent the request on.
        502 | 504 => return Verdict::Unknown(answer.status.to_string()),
        _ => {}
    }
    let Ok(text) = std::str::from_utf8(&answer.body) else { return Verdict::Answered };
    let coded = |code: &str| text.contains(&format!("ResponseCode>{code}<"));
    if let Some(code) = EWS_NOT_DONE.iter().find(|code| coded(code)) {
        return Verdict::NotDone((*code).to_owned());
    }
    if coded(EWS_UNKNOWN) {
        return Verdict::Unknown(EWS_UNKNOWN.to_owned());
    }
    for code in [LIST_NOT_DONE, LIST_UNKNOWN] {
        if text.contains(&format!(">{code}<")) {
            let verdict = if code == LIST_NOT_DONE { Verdict::NotDone } else { Verdict::Unknown };
            return verdict(code.to_owned());
        }
    }
    Verdict::Answered
}

/// The answer, or the words of the verdict where it is none.
pub fn answered(answer: Result<Answer, String>) -> Result<Answer, String> {
    match judge(&answer) {
        Verdict::Answered => answer,
        verdict @ (Verdict::NotDone(_) | Verdict::Unknown(_)) => Err(verdict.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verdicts() {
        let said = |status, body: &str| judge(&Ok(Answer { status, headers: vec![], body: body.as_bytes().to_vec() }));
        assert_eq!(said(200, "<m:ResponseCode>NoError</m:ResponseCode>"), Verdict::Answered);
        assert_eq!(said(404, "nothing"), Verdict::Answered);
        assert_eq!(said(503, ""), Verdict::NotDone("503".into()));
        assert_eq!(said(504, ""), Verdict::Unknown("504".into()));
        let busy = "<m:ResponseCode>ErrorServerBusy</m:ResponseCode>";
        assert_eq!(said(200, busy), Verdict::NotDone("ErrorServerBusy".into()));
        let unknown = "<e:ResponseCode>ErrorInternalServerError</e:ResponseCode>";
        assert_eq!(said(500, unknown), Verdict::Unknown("ErrorInternalServerError".into()));
        assert_eq!(said(200, "<ErrorCode>0x800700aa</ErrorCode>"), Verdict::NotDone("0x800700aa".into()));
        assert_eq!(said(200, "<ErrorCode>0x80004005</ErrorCode>"), Verdict::Unknown("0x80004005".into()));
        assert_eq!(judge(&Err("Connection refused".into())), Verdict::NotDone("no connection".into()));
        assert_eq!(judge(&Err("timeout: global".into())), Verdict::Unknown("the connection broke".into()));
    }
}
