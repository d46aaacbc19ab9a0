//! Query strings: the words of Advanced Query Syntax that clients write, as conditions.
//!
//! A query is words that must all occur (a word matches where one in the item begins with it, whatever the case),
//! "phrases", `name:value` and `name:"phrase"`, joined by `AND`, `OR`, `NOT` or `-`, with parentheses. Names: subject,
//! body, from, to, cc, participants, category, kind, importance, has, hasattachment, isread, isflagged, size, received,
//! sent. Times and sizes take `<`, `<=`, `>`, `>=` and `a..b`; times are dates or words such as today or "last week", in
//! UTC. Another name is refused, not passed over.

use engine::{ItemView, View};
use model::{Bag, Comparison, ContainmentMode, Operand, Predicate, PropertyKey, Row, Time, Value, limits, names, tags};

use crate::fields::body;
use crate::{Failure, ResponseCode};

/// Characters of a query.
const QUERY_CHARS_MAX: usize = 4_096;
/// Parentheses inside one another.
const DEPTH_MAX: usize = 32;

/// A query that was read.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct QueryString {
    predicate: Predicate,
}

/// A piece of a query.
#[derive(Clone, Debug, PartialEq)]
enum Token {
    Open,
    Close,
    Minus,
    /// A name before a colon, lower case.
    Name(String),
    Word(String),
    Phrase(String),
}

impl QueryString {
    /// Reads a query; `now` is what days are counted from.
    ///
    /// # Errors
    /// `ErrorUnsupportedQueryFilter` that says what is not understood; `ErrorQueryFilterTooLong`.
    pub(crate) fn read(text: &str, now: Time) -> Result<Self, Failure> {
        if text.chars().count() > QUERY_CHARS_MAX {
            return Err(ResponseCode::ErrorQueryFilterTooLong.into());
        }
        let mut reader = Reader { tokens: tokens(text)?, at: 0, depth: 0, nodes: 0, now };
        let predicate = reader.either()?;
        match reader.peek() {
            None => Ok(Self { predicate }),
            Some(token) => Err(refused(&format!("{token:?} is not expected"))),
        }
    }

    /// A condition over what lies beside an item that holds wherever the whole query may hold.
    pub(crate) fn light(&self) -> Predicate {
        relaxed(&self.predicate, true)
    }

    /// Whether the query asks about bodies.
    pub(crate) fn needs_bodies(&self) -> bool {
        self.light() != self.predicate
    }

    /// Whether an item fits. Loads its body where the query asks about bodies.
    ///
    /// # Errors
    /// When the store fails.
    pub(crate) async fn fits(&self, view: &mut View, row: ItemView<'_>) -> Result<bool, Failure> {
        if !self.needs_bodies() {
            return Ok(self.predicate.holds(&row));
        }
        let heavy = view.heavy(row.row().item).await?;
        Ok(self.predicate.holds(&Whole { row, heavy }))
    }
}

/// An item with its body.
struct Whole<'a> {
    row: ItemView<'a>,
    heavy: Bag,
}

impl Row for Whole<'_> {
    fn value(&self, key: &PropertyKey) -> Option<Value> {
        let stored = |key: &PropertyKey| self.heavy.get(key).cloned().or_else(|| self.row.value(key));
        if *key == tags::BODY { body::text_of(&stored).map(Value::Text) } else { stored(key) }
    }
}

/// The condition with every question about a body answered by `maybe`, which turns over inside a negation.
fn relaxed(predicate: &Predicate, maybe: bool) -> Predicate {
    match predicate {
        Predicate::And(all) => Predicate::And(all.iter().map(|one| relaxed(one, maybe)).collect()),
        Predicate::Or(any) => Predicate::Or(any.iter().map(|one| relaxed(one, maybe)).collect()),
        Predicate::Not(one) => Predicate::Not(Box::new(relaxed(one, !maybe))),
        Predicate::Contains { key, .. } if *key == tags::BODY => {
            if maybe {
                Predicate::True
            } else {
                Predicate::Or(Vec::new())
            }
        }
        Predicate::True
        | Predicate::Exists(_)
        | Predicate::Compare { .. }
        | Predicate::Contains { .. }
        | Predicate::Excludes { .. } => predicate.clone(),
    }
}

fn refused(what: &str) -> Failure {
    Failure::text(ResponseCode::ErrorUnsupportedQueryFilter, format!("The query string is not supported: {what}."))
}

fn tokens(text: &str) -> Result<Vec<Token>, Failure> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let tail = rest.get(first.len_utf8()..).unwrap_or_default();
        rest = match first {
            '(' => {
                tokens.push(Token::Open);
                tail
            }
            ')' => {
                tokens.push(Token::Close);
                tail
            }
            '-' => {
                tokens.push(Token::Minus);
                tail
            }
            '"' => {
                let Some((phrase, tail)) = tail.split_once('"') else { return Err(refused("a quote is not closed")) };
                tokens.push(Token::Phrase(phrase.trim().to_owned()));
                tail
            }
            _ => {
                let ends = |c: char| c.is_whitespace() || matches!(c, '(' | ')' | '"' | ':');
                let (word, tail) = rest.split_at_checked(rest.find(ends).unwrap_or(rest.len())).unwrap_or((rest, ""));
                match tail.strip_prefix(':') {
                    Some(tail) => {
                        tokens.push(Token::Name(word.to_lowercase()));
                        tail
                    }
                    None => {
                        tokens.push(Token::Word(word.to_owned()));
                        tail
                    }
                }
            }
        }
        .trim_start();
    }
    Ok(tokens)
}

struct Reader {
    tokens: Vec<Token>,
    at: usize,
    depth: usize,
    nodes: usize,
    now: Time,
}

impl Reader {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at)
    }

    fn next(&mut self) -> Option<Token> {
        let token = self.tokens.get(self.at).cloned();
        self.at += 1;
        token
    }

    fn is_word(&self, word: &str) -> bool {
        matches!(self.peek(), Some(Token::Word(have)) if have == word)
    }

    fn either(&mut self) -> Result<Predicate, Failure> {
        let mut any = vec![self.all()?];
        while self.is_word("OR") {
            self.at += 1;
            any.push(self.all()?);
        }
        Ok(if any.len() == 1 { any.pop().unwrap_or(Predicate::True) } else { Predicate::Or(any) })
    }

    fn all(&mut self) -> Result<Predicate, Failure> {
        let mut all = Vec::new();
        loop {
            match self.peek() {
                None | Some(Token::Close) => break,
                Some(_) if self.is_word("OR") => break,
                Some(_) if self.is_word("AND") => self.at += 1,
                Some(_) => all.push(self.one()?),
            }
        }
        Ok(Predicate::And(all))
    }

    fn one(&mut self) -> Result<Predicate, Failure> {
        self.nodes += 1;
        self.depth += 1;
        if self.nodes > limits::PREDICATE_NODES_MAX || self.depth > DEPTH_MAX {
            return Err(ResponseCode::ErrorRestrictionTooComplex.into());
        }
        let negated = self.is_word("NOT");
        let predicate = match self.next() {
            Some(Token::Word(_)) if negated => Predicate::Not(Box::new(self.one()?)),
            Some(Token::Minus) => Predicate::Not(Box::new(self.one()?)),
            Some(Token::Open) => {
                let inside = self.either()?;
                match self.next() {
                    Some(Token::Close) => inside,
                    Some(_) | None => return Err(refused("a parenthesis is not closed")),
                }
            }
            Some(Token::Word(word)) => anywhere(&word, ContainmentMode::PrefixOnWords),
            Some(Token::Phrase(phrase)) => anywhere(&phrase, ContainmentMode::ExactPhrase),
            Some(Token::Name(name)) => self.named(&name)?,
            Some(Token::Close) | None => return Err(refused("it ends too early")),
        };
        self.depth -= 1;
        Ok(predicate)
    }

    fn named(&mut self, name: &str) -> Result<Predicate, Failure> {
        let (text, mode) = match self.next() {
            Some(Token::Word(word)) => (word, ContainmentMode::PrefixOnWords),
            Some(Token::Phrase(phrase)) => (phrase, ContainmentMode::ExactPhrase),
            Some(Token::Open | Token::Close | Token::Minus | Token::Name(_)) | None => {
                return Err(refused(&format!("{name} has no value")));
            }
        };
        let texts = |keys: &[PropertyKey]| Ok(in_any(keys, &text, mode));
        match name {
            "subject" => texts(&[tags::SUBJECT]),
            "body" | "content" => texts(&[tags::BODY]),
            "from" => texts(SENDER),
            "to" => texts(&[tags::DISPLAY_TO]),
            "cc" => texts(&[tags::DISPLAY_CC]),
            "participants" => texts(&[SENDER, &[tags::DISPLAY_TO, tags::DISPLAY_CC]].concat()),
            "category" | "categories" | "keywords" => texts(&[names::KEYWORDS]),
            "kind" => kind(&text),
            "importance" => match text.to_lowercase().as_str() {
                "low" => Ok(number(tags::IMPORTANCE, Comparison::Equal, 0)),
                "normal" | "medium" => Ok(Predicate::Or(vec![
                    number(tags::IMPORTANCE, Comparison::Equal, 1),
                    Predicate::Not(Box::new(Predicate::Exists(tags::IMPORTANCE))),
                ])),
                "high" => Ok(number(tags::IMPORTANCE, Comparison::Equal, 2)),
                other => Err(refused(&format!("importance is not {other}"))),
            },
            "has" => match text.to_lowercase().as_str() {
                "attachment" | "attachments" => Ok(truth(tags::HAS_ATTACHMENTS)),
                "flag" => Ok(number(tags::FLAG_STATUS, Comparison::Greater, 0)),
                other => Err(refused(&format!("has {other}"))),
            },
            "hasattachment" | "hasattachments" => switched(&text, truth(tags::HAS_ATTACHMENTS)),
            "isread" | "read" => switched(&text, truth(tags::READ)),
            "isflagged" => switched(&text, number(tags::FLAG_STATUS, Comparison::Greater, 0)),
            "size" => size(&text),
            "received" => when(tags::MESSAGE_DELIVERY_TIME, &text, self.now),
            "sent" => when(tags::CLIENT_SUBMIT_TIME, &text, self.now),
            other => Err(refused(&format!("there is no property {other}"))),
        }
    }
}

const SENDER: &[PropertyKey] = &[
    tags::SENT_REPRESENTING_NAME,
    tags::SENT_REPRESENTING_EMAIL_ADDRESS,
    tags::SENT_REPRESENTING_SMTP_ADDRESS,
    tags::SENDER_NAME,
    tags::SENDER_EMAIL_ADDRESS,
];

fn anywhere(text: &str, mode: ContainmentMode) -> Predicate {
    let others = [tags::SUBJECT, tags::BODY, tags::DISPLAY_TO, tags::DISPLAY_CC, names::KEYWORDS];
    in_any(&[&others, SENDER].concat(), text, mode)
}

fn in_any(keys: &[PropertyKey], text: &str, mode: ContainmentMode) -> Predicate {
    let text = text.trim_end_matches('*').to_owned();
    let contains =
        |key: &PropertyKey| Predicate::Contains { key: key.clone(), text: text.clone(), mode, ignore_case: true };
    Predicate::Or(keys.iter().map(contains).collect())
}

fn compare(key: PropertyKey, how: Comparison, value: Value) -> Predicate {
    Predicate::Compare { left: Operand::Key(key), how, right: Operand::Constant(value), ignore_case: true }
}

fn number(key: PropertyKey, how: Comparison, number: i32) -> Predicate {
    compare(key, how, Value::I32(number))
}

fn truth(key: PropertyKey) -> Predicate {
    compare(key, Comparison::Equal, Value::Bool(true))
}

fn switched(text: &str, on: Predicate) -> Result<Predicate, Failure> {
    match text.to_lowercase().as_str() {
        "yes" | "true" | "1" => Ok(on),
        "no" | "false" | "0" => Ok(Predicate::Not(Box::new(on))),
        other => Err(refused(&format!("{other} is neither yes nor no"))),
    }
}

/// Items by what they are, from their message class.
fn kind(text: &str) -> Result<Predicate, Failure> {
    let classes: &[&str] = match text.to_lowercase().as_str() {
        "email" | "mail" => &["IPM.Note"],
        "meetings" | "meeting" => &["IPM.Appointment", "IPM.Schedule.Meeting"],
        "calendar" => &["IPM.Appointment"],
        "contacts" | "contact" => &["IPM.Contact", "IPM.DistList"],
        "tasks" | "task" => &["IPM.Task"],
        "notes" | "note" => &["IPM.StickyNote"],
        "journals" | "journal" => &["IPM.Activity"],
        "posts" | "post" => &["IPM.Post"],
        "docs" => &["IPM.Document"],
        "voicemail" => &["IPM.Note.Microsoft.Voicemail"],
        other => return Err(refused(&format!("there is no kind {other}"))),
    };
    let of = |class: &&str| {
        let contains =
            |text: String, mode| Predicate::Contains { key: tags::MESSAGE_CLASS, text, mode, ignore_case: true };
        [contains((*class).to_owned(), ContainmentMode::Full), contains(format!("{class}."), ContainmentMode::Prefixed)]
    };
    Ok(Predicate::Or(classes.iter().flat_map(of).collect()))
}

/// Splits what stands before a value: how it is compared.
fn comparison(text: &str) -> (Option<Comparison>, &str) {
    let signs = [
        (">=", Comparison::GreaterOrEqual),
        ("<=", Comparison::LessOrEqual),
        (">", Comparison::Greater),
        ("<", Comparison::Less),
        ("=", Comparison::Equal),
    ];
    let found = signs.iter().find_map(|(sign, how)| Some((Some(*how), text.strip_prefix(sign)?.trim_start())));
    found.unwrap_or((None, text))
}

fn size(text: &str) -> Result<Predicate, Failure> {
    let bytes = |text: &str| {
        let text = text.to_lowercase();
        let digits = text.trim_end_matches(char::is_alphabetic);
        let factor = match text.get(digits.len()..) {
            Some("" | "b") => 1,
            Some("k" | "kb") => 1 << 10,
            Some("m" | "mb") => 1 << 20,
            Some("g" | "gb") => 1 << 30,
            Some(_) | None => return None,
        };
        digits.parse::<i64>().ok()?.checked_mul(factor)
    };
    let number = |text: &str| bytes(text.trim()).ok_or_else(|| refused(&format!("{text} is no size")));
    let compare = |how, bytes| compare(tags::MESSAGE_SIZE, how, Value::I64(bytes));
    if let Some((from, to)) = text.split_once("..") {
        let (from, to) = (number(from)?, number(to)?);
        return Ok(Predicate::And(vec![
            compare(Comparison::GreaterOrEqual, from),
            compare(Comparison::LessOrEqual, to),
        ]));
    }
    let (how, text) = comparison(text);
    Ok(compare(how.unwrap_or(Comparison::Equal), number(text)?))
}

/// A time within a span, or beside it.
fn when(key: PropertyKey, text: &str, now: Time) -> Result<Predicate, Failure> {
    let read = |text: &str| span(text.trim(), now).ok_or_else(|| refused(&format!("{text} is no date")));
    let compare = |how, time| compare(key.clone(), how, Value::Time(time));
    let (how, (start, end)) = match text.split_once("..") {
        Some((from, to)) => (None, (read(from)?.0, read(to)?.1)),
        None => {
            let (how, text) = comparison(text);
            (how, read(text)?)
        }
    };
    Ok(match how {
        Some(Comparison::Less) => compare(Comparison::Less, start),
        Some(Comparison::LessOrEqual) => compare(Comparison::Less, end),
        Some(Comparison::Greater) => compare(Comparison::GreaterOrEqual, end),
        Some(Comparison::GreaterOrEqual) => compare(Comparison::GreaterOrEqual, start),
        Some(Comparison::Equal | Comparison::NotEqual) | None => {
            Predicate::And(vec![compare(Comparison::GreaterOrEqual, start), compare(Comparison::Less, end)])
        }
    })
}

/// What a date means, from its first moment to that after its last: a word, a year, a month, a day (also as
/// month/day/year), or a whole date and time.
fn span(text: &str, now: Time) -> Option<(Time, Time)> {
    let days = |days: i64| Time(now.0.div_euclid(Time::DAY).saturating_add(days) * Time::DAY);
    let civil = now.civil();
    let month = |year: i64, month: i64| {
        let at = year * 12 + month - 1;
        Time::from_date(at.div_euclid(12), at.rem_euclid(12) as u8 + 1, 1)
    };
    let (year, this) = (civil.year, i64::from(civil.month));
    // 1601-01-01 was a Monday; weeks begin with Sunday.
    let week = -(now.0.div_euclid(Time::DAY).saturating_add(1).rem_euclid(7));
    Some(match text.to_lowercase().as_str() {
        "today" => (days(0), days(1)),
        "yesterday" => (days(-1), days(0)),
        "tomorrow" => (days(1), days(2)),
        "this week" | "thisweek" => (days(week), days(week + 7)),
        "last week" | "lastweek" => (days(week - 7), days(week)),
        "this month" | "thismonth" => (month(year, this), month(year, this + 1)),
        "last month" | "lastmonth" => (month(year, this - 1), month(year, this)),
        "this year" | "thisyear" => (month(year, 1), month(year + 1, 1)),
        "last year" | "lastyear" => (month(year - 1, 1), month(year, 1)),
        other => {
            let american: Vec<&str> = other.split('/').collect();
            let parts: Vec<&str> = match american.as_slice() {
                [month, day, year] => vec![year, month, day],
                _ => other.split('-').collect(),
            };
            let numbers: Option<Vec<i64>> = parts.iter().map(|part| part.parse().ok()).collect();
            match numbers.as_deref() {
                Some([year]) if (1_601..=9_998).contains(year) => (month(*year, 1), month(year + 1, 1)),
                Some([year, of]) if (1..=12).contains(of) => (month(*year, *of), month(*year, of + 1)),
                Some([year, of, day]) if (1..=12).contains(of) && (1..=31).contains(day) => {
                    let start = Time::from_date(*year, *of as u8, *day as u8);
                    (start, Time(start.0.saturating_add(Time::DAY)))
                }
                Some(_) | None => {
                    let time: Time = text.to_uppercase().parse().ok()?;
                    (time, Time(time.0.saturating_add(Time::SECOND)))
                }
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Sample(Bag);

    impl Row for Sample {
        fn value(&self, key: &PropertyKey) -> Option<Value> {
            self.0.get(key).cloned()
        }
    }

    fn sample() -> Sample {
        let time = |text: &str| Value::Time(text.parse().unwrap());
        Sample(
            [
                (tags::SUBJECT, Value::text("Budget for the third quarter")),
                (tags::BODY, Value::text("Dear all, numbers are attached.")),
                (tags::SENT_REPRESENTING_NAME, Value::text("Ann Berg")),
                (tags::SENT_REPRESENTING_EMAIL_ADDRESS, Value::text("ann@example.com")),
                (tags::DISPLAY_TO, Value::text("Bob; Carol")),
                (tags::MESSAGE_CLASS, Value::text("IPM.Note.SMIME")),
                (tags::MESSAGE_SIZE, Value::I32(3_000)),
                (tags::HAS_ATTACHMENTS, Value::Bool(true)),
                (tags::READ, Value::Bool(false)),
                (tags::MESSAGE_DELIVERY_TIME, time("2024-05-04T10:00:00Z")),
                (names::KEYWORDS, Value::Texts(vec!["Red".into(), "Deep Blue".into()])),
            ]
            .into_iter()
            .collect(),
        )
    }

    #[test]
    fn queries_find_what_they_say() {
        let now = "2024-05-06T07:08:09Z".parse().unwrap();
        for (query, fits) in [
            ("", true),
            ("budget", true),
            ("BUDG quart", true),
            ("udget", false),
            ("\"third quarter\"", true),
            ("\"third quart\"", false),
            ("budget nothing", false),
            ("budget OR nothing", true),
            ("budget AND NOT nothing", true),
            ("-budget", false),
            ("NOT (budget nothing)", true),
            ("(nothing OR budget) attached", true),
            ("subject:budget", true),
            ("subject:\"the third\"", true),
            ("subject:attached", false),
            ("body:attached", true),
            ("NOT body:attached", false),
            ("from:ann", true),
            ("from:berg from:example", true),
            ("to:carol", true),
            ("cc:carol", false),
            ("participants:bob", true),
            ("category:\"deep blue\"", true),
            ("kind:email", true),
            ("kind:tasks", false),
            ("has:attachment isread:no", true),
            ("hasattachment:false", false),
            ("importance:normal", true),
            ("importance:high", false),
            ("isflagged:no", true),
            ("size:>2k", true),
            ("size:1kb..2kb", false),
            ("received:2024", true),
            ("received:2024-05", true),
            ("received:2024-05-04", true),
            ("received:5/4/2024", true),
            ("received:5/5/2024", false),
            ("received:<2024-05-04", false),
            ("received:<=2024-05-04", true),
            ("received:>2024-05-04", false),
            ("received:>=2024-05-04", true),
            ("received:2024-05-01..2024-05-04", true),
            ("received:2024-04-01..2024-05-03", false),
            ("received:today", false),
            ("received:\"last week\"", true),
            ("received:\"this week\"", false),
            ("received:\"this month\"", true),
            ("received:\"last year\"", false),
        ] {
            let read = QueryString::read(query, now).unwrap();
            assert_eq!(read.predicate.holds(&sample()), fits, "{query}");
            // What is asked without the body lets pass whatever may fit.
            assert!(!fits || read.light().holds(&sample()), "{query}");
        }
        assert!(QueryString::read("body:x", now).unwrap().needs_bodies());
        assert!(!QueryString::read("subject:x kind:mail", now).unwrap().needs_bodies());
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        let now = Time(0);
        for query in [
            "color:red",
            "(a",
            "a)",
            "\"a",
            "subject:",
            "received:soon",
            "kind:x",
            "isread:maybe",
            "size:big",
            "NOT",
            "-",
        ] {
            assert_eq!(
                QueryString::read(query, now).unwrap_err().code,
                ResponseCode::ErrorUnsupportedQueryFilter,
                "{query}"
            );
        }
        let long = QueryString::read(&"a".repeat(5_000), now).unwrap_err();
        assert_eq!(long.code, ResponseCode::ErrorQueryFilterTooLong);
        let deep = QueryString::read(&"(".repeat(100), now).unwrap_err();
        assert_eq!(deep.code, ResponseCode::ErrorRestrictionTooComplex);
    }
}
