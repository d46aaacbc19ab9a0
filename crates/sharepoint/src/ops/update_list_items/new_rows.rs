//! New rows that follow each other in a batch. They are written in one commit, which costs one sync of the disk; where
//! that does not go, each is written alone, so that each fails alone.

use engine::{EngineError, RowDraft, View};
use store::StoreError;
use xml::Node;

use super::{Outcome, VALUES_MAX, writes};
use crate::{
    code::Failure,
    context::Context,
    rows::Item,
    schema::List,
    update::{self, Edit},
    value::Reading,
};

/// Rows written in one commit.
pub(super) const AT_ONCE_MAX: usize = 100;
/// Bytes of fields, about, in one commit.
const AT_ONCE_BYTES_MAX: usize = 4 << 20;

/// Adds the rows of some methods, all `New`. One outcome each; none for those behind the first that failed, where that
/// is to stop the batch.
///
/// # Errors
/// Only where the store fails so that the rest of the batch makes no sense.
pub(super) async fn add(
    context: &Context<'_>,
    list: &List,
    methods: &[Node<'_>],
    folder: &str,
    stop: bool,
) -> Result<Vec<Outcome>, Failure> {
    let mut adding = Adding { context, list, stop, group: Vec::new(), bytes: 0, done: Vec::new() };
    let mut drafts = Vec::with_capacity(methods.len());
    let mut view = context.view().await?;
    for method in methods {
        let read = read(context, &mut view, list, *method, folder).await?;
        let failed = read.is_err();
        drafts.push(read);
        if stop && failed {
            break;
        }
    }
    drop(view);
    for draft in drafts {
        adding.push(draft).await;
        if adding.has_stopped() {
            break;
        }
    }
    adding.write().await;
    let outcome = |(result, sent_version)| match result {
        Ok(item) => Outcome::Done(Some(item)),
        Err(failure) => Outcome::Refused { failure, row: None, sent_version },
    };
    Ok(adding.done.into_iter().map(outcome).collect())
}

/// A row to be added, and the version that the client sent along.
type Draft = Result<(RowDraft, Option<i32>), (Failure, Option<i32>)>;

/// Reads a method.
async fn read(
    context: &Context<'_>,
    view: &mut View,
    list: &List,
    method: Node<'_>,
    folder: &str,
) -> Result<Draft, Failure> {
    let writes = writes(method);
    if writes.len() > VALUES_MAX {
        return Ok(Err((Failure::bad_value("The method has too many fields."), None)));
    }
    let version = writes.iter().find(|write| write.name == "owshiddenversion");
    let version = version.and_then(|write| write.text.trim().parse().ok());
    let names = update::names_for(view, list, &writes).await?;
    let reading = Reading { names: &names, now: context.now() };
    let draft =
        Edit::read(list, &writes, &reading).and_then(|edit| update::draft(context, list, &edit, folder, &reading));
    Ok(match draft {
        Ok(draft) => Ok((draft, version)),
        Err(failure) => Err((failure, version)),
    })
}

/// Rows on their way.
struct Adding<'a> {
    context: &'a Context<'a>,
    list: &'a List,
    stop: bool,
    /// Rows that wait for their commit.
    group: Vec<(RowDraft, Option<i32>)>,
    /// About how many bytes they are.
    bytes: usize,
    done: Vec<(Result<Item, Failure>, Option<i32>)>,
}

impl Adding<'_> {
    fn has_stopped(&self) -> bool {
        self.stop && self.done.last().is_some_and(|(result, _)| result.is_err())
    }

    async fn push(&mut self, draft: Draft) {
        match draft {
            // Folders have paths, which may be taken.
            Ok((draft, version)) if draft.path.is_none() => {
                let bytes = draft.bag.iter().map(|(_, value)| value.size()).sum::<usize>();
                if self.bytes.saturating_add(bytes) > AT_ONCE_BYTES_MAX {
                    self.write().await;
                }
                if !self.has_stopped() {
                    self.bytes = self.bytes.saturating_add(bytes);
                    self.group.push((draft, version));
                }
            }
            other => {
                self.write().await;
                if self.has_stopped() {
                    return;
                }
                match other {
                    Ok((draft, version)) => self.write_one(draft, version).await,
                    Err((failure, version)) => self.done.push((Err(failure), version)),
                }
            }
        }
    }

    /// Writes the rows that wait.
    async fn write(&mut self) {
        let group = std::mem::take(&mut self.group);
        self.bytes = 0;
        if group.len() > 1 {
            let drafts = group.iter().map(|(draft, _)| draft.clone()).collect();
            let written = self.context.adapter.engine.writes();
            match self.context.site.create_rows(self.list.id(), drafts).await {
                Ok(rows) => {
                    let rows = rows.into_iter().zip(group);
                    self.done.extend(rows.map(|(row, (_, version))| (Ok(Item::from(row)), version)));
                    return;
                }
                Err(error) => {
                    let failure = self.context.judge(error.into(), written);
                    // They may be there.
                    if matches!(failure, Failure::Engine(EngineError::Store(StoreError::OutcomeUnknown(_)))) {
                        self.done.extend(group.into_iter().map(|(_, version)| (Err(failure.clone()), version)));
                        return;
                    }
                }
            }
        }
        for (draft, version) in group {
            if self.has_stopped() {
                return;
            }
            self.write_one(draft, version).await;
        }
    }

    async fn write_one(&mut self, draft: RowDraft, version: Option<i32>) {
        let written = self.context.adapter.engine.writes();
        let result = self.context.site.create_row(self.list.id(), draft).await;
        let result = result.map(Item::from).map_err(|error| self.context.judge(error.into(), written));
        self.done.push((result, version));
    }
}
