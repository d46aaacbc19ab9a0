//! Statements that are sent together, so that they cost one round trip.

use futures_util::future::{OptionFuture, join_all, join3};
use tokio_postgres::{Row, types::ToSql};

use crate::{failure::Failure, session::Session};

/// Statements of one flight: as many as are certainly polled, and so sent, in their order ([`join_all`]).
const STATEMENTS_MAX: usize = 30;

const BEGIN: &str = "BEGIN ISOLATION LEVEL READ COMMITTED";
const COMMIT: &str = "COMMIT";

/// A parameter of a statement.
pub(crate) type Parameter<'a> = Box<dyn ToSql + Sync + Send + 'a>;

/// See the module.
#[derive(Default)]
pub(crate) struct Flight<'a> {
    statements: Vec<(&'static str, Vec<Parameter<'a>>)>,
}

/// A transaction that did not come to its end.
#[derive(Debug)]
pub(crate) struct Unfinished {
    /// Why.
    pub(crate) failure: Failure,
    /// Whether it may have been committed all the same: COMMIT was sent, and its outcome is not known.
    pub(crate) in_doubt: bool,
}

impl<'a> Flight<'a> {
    /// Adds a statement.
    pub(crate) fn add(&mut self, sql: &'static str, parameters: Vec<Parameter<'a>>) {
        self.statements.push((sql, parameters));
    }

    /// Begins a transaction and runs the statements: the rows of each.
    pub(crate) async fn begin(self, session: &Session) -> Result<Vec<Vec<Row>>, Failure> {
        self.send(session, Some(BEGIN), None).await.map_err(|unfinished| unfinished.failure)
    }

    /// Runs the statements inside the open transaction: the rows of each.
    pub(crate) async fn run(self, session: &Session) -> Result<Vec<Vec<Row>>, Failure> {
        self.send(session, None, None).await.map_err(|unfinished| unfinished.failure)
    }

    /// Runs the statements and commits. After an answer that is an error the database has rolled back.
    pub(crate) async fn commit(self, session: &Session) -> Result<Vec<Vec<Row>>, Unfinished> {
        self.send(session, None, Some(COMMIT)).await
    }

    /// Runs one statement as a transaction of its own.
    pub(crate) async fn by_itself(self, session: &Session) -> Result<Vec<Row>, Unfinished> {
        match batch(session, &self.statements, None, None).await {
            Ok(rows) => Ok(rows.into_iter().next().unwrap_or_default()),
            Err((failure, was_sent)) => {
                let in_doubt = was_sent && matches!(failure, Failure::Lost(_));
                Err(Unfinished { failure, in_doubt })
            }
        }
    }

    /// The parameters of this statement, where it is the only one.
    pub(crate) fn only(mut self, sql: &str) -> Option<Vec<Parameter<'a>>> {
        let (found, parameters) = self.statements.pop()?;
        (self.statements.is_empty() && found == sql).then_some(parameters)
    }

    async fn send(
        mut self,
        session: &Session,
        first: Option<&str>,
        last: Option<&str>,
    ) -> Result<Vec<Vec<Row>>, Unfinished> {
        let not_sent = |failure| Unfinished { failure, in_doubt: false };
        let mut rows = Vec::with_capacity(self.statements.len());
        let mut first = first;
        while self.statements.len() > STATEMENTS_MAX {
            let rest = self.statements.split_off(STATEMENTS_MAX);
            rows.extend(
                batch(session, &self.statements, first.take(), None).await.map_err(|(failure, _)| not_sent(failure))?,
            );
            self.statements = rest;
        }
        match batch(session, &self.statements, first, last).await {
            Ok(more) => rows.extend(more),
            Err((failure, was_sent)) => {
                // An answer to one of the statements says that COMMIT rolled back; no answer says nothing.
                let in_doubt = was_sent && last.is_some() && matches!(failure, Failure::Lost(_));
                return Err(Unfinished { failure, in_doubt });
            }
        }
        Ok(rows)
    }
}

/// Sends some statements. An error says also whether anything was sent.
async fn batch(
    session: &Session,
    statements: &[(&'static str, Vec<Parameter<'_>>)],
    first: Option<&str>,
    last: Option<&str>,
) -> Result<Vec<Vec<Row>>, (Failure, bool)> {
    let client = session.client();
    let mut prepared = Vec::with_capacity(statements.len());
    for (sql, parameters) in statements {
        let statement = session.prepared(sql).await.map_err(|failure| (failure, false))?;
        let parameters: Vec<&(dyn ToSql + Sync)> =
            parameters.iter().map(|parameter| &**parameter as &(dyn ToSql + Sync)).collect();
        prepared.push((statement, parameters));
    }
    // Each is sent when it is polled for the first time, in this order.
    let opening = OptionFuture::from(first.map(|sql| client.batch_execute(sql)));
    let queries = join_all(prepared.iter().map(|(statement, parameters)| client.query(statement, parameters)));
    let closing = OptionFuture::from(last.map(|sql| client.batch_execute(sql)));
    let (opened, results, closed) = join3(opening, queries, closing).await;
    let sent = |error: tokio_postgres::Error| (Failure::from(error), true);
    opened.transpose().map_err(sent)?;
    let rows = results.into_iter().collect::<Result<Vec<_>, _>>().map_err(sent)?;
    closed.transpose().map_err(sent)?;
    Ok(rows)
}
