//! `UpdateListItems`. \[MS-LISTSWS 3.1.4.31\]

mod new_rows;

use engine::{EngineError, Removal, View};
use model::{ItemFlags, ItemId, limits};
use xml::{Node, Writer};

use crate::{
    code::{Code, Failure},
    context::Context,
    fields::{Field, truth},
    moderation,
    names::Names,
    ops::{Answer, Request},
    paths,
    rows::{AttachmentStyle, Item, Properties, Row, RowStyle, write_row},
    schema::List,
    update::{self, Edit, FieldWrite},
    value::Reading,
};

/// Methods of one batch.
const METHODS_MAX: usize = limits::BATCH_IDS_MAX;
/// Values of one method.
const VALUES_MAX: usize = 5_000;

/// What a method may do.
const COMMANDS: &[&str] = &["New", "Update", "Delete", "Move", "Moderate"];

/// What became of a method.
enum Outcome {
    /// Done; the row as it is now, none for a deletion.
    Done(Option<Item>),
    /// Refused; the row as it is, where there is one.
    Refused { failure: Failure, row: Option<Item>, sent_version: Option<i32> },
}

/// Adds, changes, deletes and moves rows; each method stands and fails alone. New rows that follow each other share a
/// commit where none of them fails. What is deleted goes to the recycle bin
/// where the site has one, as `RecycleBinEnabled` tells clients.
pub(super) fn run(request: Request<'_>) -> Answer<'_> {
    Box::pin(async move {
        let context = request.context;
        let name = request.text("listName").unwrap_or_default();
        if name.is_empty() {
            return Err(Failure::uncoded("Cannot access a closed Stream."));
        }
        let mut view = request.view().await?;
        let list = context.list(&mut view, &name).await?;
        drop(view);
        let batch = crate::caml::payload(request.parameter("updates"), "Batch")
            .ok_or_else(|| Failure::uncoded("The parameter updates has no Batch."))?;
        if truth(batch.attribute("LockSchema"))
            && let Some(version) = batch.attribute("ListVersion").and_then(|text| text.trim().parse::<i64>().ok())
            && version != i64::from(list.collection.version())
        {
            return Err(Failure::coded(Code::SCHEMA_LOCKED, "The schema of the list has changed."));
        }
        let stop = batch.attribute("OnError").is_some_and(|text| text.eq_ignore_ascii_case("Return"));
        let folder = match batch.attribute("RootFolder").filter(|folder| !folder.is_empty()) {
            None => String::new(),
            Some(url) => {
                let inside = paths::inside_site(&list.host_url, &list.site_folder, url);
                paths::below(&inside, list.collection.folder())
                    .ok_or_else(|| Failure::uncoded("RootFolder does not lie in the list."))?
                    .to_owned()
            }
        };
        if !folder.is_empty() && !is_folder(&mut request.view().await?, &list, &folder).await? {
            return Err(Failure::uncoded("RootFolder does not exist."));
        }
        let methods: Vec<Node<'_>> = batch.children().filter(|node| node.local() == "Method").collect();
        if methods.len() > METHODS_MAX {
            return Err(Failure::uncoded("The batch has too many methods."));
        }
        let style = RowStyle {
            date_in_utc: truth(batch.attribute("DateInUtc")),
            declare_namespace: true,
            recurrence_v3: true,
            properties: if truth(batch.attribute("Properties")) { Properties::All } else { Properties::None },
            expand_user: false,
            permissions: false,
            attachments: AttachmentStyle::Flag,
        };
        request.out.start("UpdateListItemsResult");
        request.out.start("Results");
        let (mut stopped, mut rest) = (false, methods.as_slice());
        while let Some(method) = rest.first() {
            // New rows that follow each other are added together.
            let is_new = |method: &&Node<'_>| command(**method) == "New";
            let news: Vec<Node<'_>> = rest.iter().take_while(is_new).take(new_rows::AT_ONCE_MAX).copied().collect();
            let outcomes = if stopped {
                let text = "The operation was cancelled because an earlier one failed.";
                let failure = Failure::coded(Code::CANCELLED, text);
                vec![Outcome::Refused { failure, row: None, sent_version: None }]
            } else if news.len() > 1 {
                new_rows::add(context, &list, &news, &folder, stop).await?
            } else {
                vec![perform(context, &list, *method, command(*method), &folder).await?]
            };
            stopped |= stop && outcomes.iter().any(|outcome| matches!(outcome, Outcome::Refused { .. }));
            let names = names_of(context, &list, &outcomes).await?;
            let behind = rest.get(outcomes.len().max(1)..).unwrap_or_default();
            for (method, outcome) in rest.iter().zip(outcomes) {
                let sent = method.attribute("Cmd").unwrap_or_default();
                let id = format!("{},{sent}", method.attribute("ID").unwrap_or_default());
                write_result(context, request.out, &list, &id, outcome, &style, &names).await?;
            }
            rest = behind;
        }
        request.out.end();
        request.out.end();
        Ok(None)
    })
}

/// What a method does, in the spelling of [`COMMANDS`].
fn command(method: Node<'_>) -> &str {
    let sent = method.attribute("Cmd").unwrap_or_default();
    COMMANDS.iter().find(|known| known.eq_ignore_ascii_case(sent)).copied().unwrap_or(sent)
}

fn writes(method: Node<'_>) -> Vec<FieldWrite> {
    let fields = method.children().filter(|node| node.local() == "Field").take(VALUES_MAX + 1);
    fields
        .map(|node| FieldWrite {
            name: node.attribute("Name").unwrap_or_default().to_owned(),
            property: node.attribute("Property").map(str::to_owned),
            // Markup that was not escaped counts as the text it is.
            text: if node.children().next().is_none() { node.text().into_owned() } else { inner_markup(node) },
        })
        .collect()
}

/// What stands inside an element, text and markup, without the declarations that stand on the element.
fn inner_markup(node: Node<'_>) -> String {
    let whole = node.to_xml();
    let mut quote = None;
    let start = whole.bytes().position(|byte| {
        match (quote, byte) {
            (None, b'>') => return true,
            (None, b'"' | b'\'') => quote = Some(byte),
            (Some(open), byte) if open == byte => quote = None,
            (None | Some(_), _) => {}
        }
        false
    });
    let inner = start.and_then(|start| whole.get(start + 1..whole.rfind("</")?));
    inner.unwrap_or_default().to_owned()
}

/// # Errors
/// Only where the store fails so that the rest of the batch makes no sense.
async fn perform(
    context: &Context<'_>,
    list: &List,
    method: Node<'_>,
    command: &str,
    folder: &str,
) -> Result<Outcome, Failure> {
    let writes = writes(method);
    if writes.len() > VALUES_MAX {
        let failure = Failure::bad_value("The method has too many fields.");
        return Ok(Outcome::Refused { failure, row: None, sent_version: None });
    }
    let mut view = context.view().await?;
    let names = update::names_for(&mut view, list, &writes).await?;
    let reading = Reading { names: &names, now: context.now() };
    let plain = |name: &str| writes.iter().find(|write| write.name == name).map(|write| write.text.trim());
    let number = plain("ID").and_then(|text| text.split(";#").next()).and_then(|text| text.parse::<u32>().ok());
    let sent_version = plain("owshiddenversion").and_then(|text| text.parse::<i32>().ok());
    let existing = match (command, number) {
        ("New", _) => None,
        // Files go by their URL too.
        (_, None) => match plain("FileRef").filter(|url| !url.is_empty()) {
            Some(url) => row_at(&mut view, list, url).await?,
            None => None,
        },
        (_, Some(number)) => {
            let id = ItemId::in_list(list.id(), number);
            view.items(&[id]).await?.pop().flatten().map(Item::from)
        }
    };
    drop(view);
    let no_item = || {
        Failure::coded(
            Code::NO_ITEM,
            "Item does not exist.\nThe page you selected contains an item that does not exist. It may have been \
             deleted by another user.",
        )
    };
    let written = context.adapter.engine.writes();
    let done = match (command, &existing) {
        ("New", _) => match Edit::read(list, &writes, &reading) {
            Ok(edit) => update::create(context, list, &edit, folder, &reading).await.map(Some),
            Err(failure) => Err(failure),
        },
        ("Update" | "Delete" | "Move" | "Moderate", None) => Err(no_item()),
        ("Update", Some(item)) => match Edit::read(list, &writes, &reading) {
            Ok(edit) => update::change(context, list, item.id.number(), &edit).await.map(Some),
            Err(failure) => Err(failure),
        },
        ("Delete", Some(item)) => {
            let removed = update::remove(context, list, item.id.number(), sent_version, Removal::Recycle).await;
            removed.map(|_| None)
        }
        ("Move", Some(item)) => {
            let url = plain("MoveNewUrl").unwrap_or_default();
            move_row(context, list, item, url, sent_version).await.map(Some)
        }
        ("Moderate", Some(item)) => match moderation::method(list, &writes, &reading) {
            Ok(edit) => update::change(context, list, item.id.number(), &edit).await.map(Some),
            Err(failure) => Err(failure),
        },
        _ => Err(Failure::bad_value(format!("There is no method {command}."))),
    };
    match done {
        Ok(row) => Ok(Outcome::Done(row)),
        Err(failure) => {
            let failure = context.judge(failure, written);
            // The row as it is now, for the client to see what it conflicts with.
            let row = match existing {
                Some(item) if !failure.is_busy() => {
                    context.view().await?.items(&[item.id]).await?.pop().flatten().map(Item::from)
                }
                Some(_) | None => None,
            };
            Ok(Outcome::Refused { failure, row, sent_version })
        }
    }
}

/// The file or folder of a list at a URL.
async fn row_at(view: &mut View, list: &List, url: &str) -> Result<Option<Item>, Failure> {
    let url = url.rsplit(";#").next().unwrap_or(url);
    let inside = paths::inside_site(&list.host_url, &list.site_folder, url);
    match paths::below(&inside, list.collection.folder()) {
        Some(path) => Ok(view.row_at(list.id(), path).await?.map(Item::from)),
        None => Ok(None),
    }
}

/// Moves a file or folder to another place of the site.
pub(crate) async fn move_row(
    context: &Context<'_>,
    list: &List,
    item: &Item,
    url: &str,
    version: Option<i32>,
) -> Result<Item, Failure> {
    if url.is_empty() {
        return Err(Failure::bad_value("MoveNewUrl is missing."));
    }
    let inside = paths::inside_site(&list.host_url, &list.site_folder, url);
    let lists = context.view().await?.lists().await?;
    let target = lists
        .into_iter()
        .filter(|other| paths::below(&inside, other.folder()).is_some_and(|rest| !rest.is_empty()))
        .max_by_key(|other| other.folder().len())
        .ok_or_else(|| Failure::bad_value("There is no library at MoveNewUrl."))?;
    let path = paths::below(&inside, target.folder()).unwrap_or_default().to_owned();
    let (directory, name) = paths::split(&path);
    update::leaf(name)?;
    let mut view = context.view().await?;
    let target = context.wrap(target);
    if !directory.is_empty() && !is_folder(&mut view, &target, directory).await? {
        return Err(Failure::bad_value("There is no folder for MoveNewUrl."));
    }
    drop(view);
    let row = Row::new(list, item)?;
    if !(row.is_file() || row.is_folder()) || !target.template.is_library() {
        return Err(Failure::bad_value("Only files and folders of libraries can be moved."));
    }
    if target.id() == list.id() {
        let rename = |draft: &mut engine::RowDraft| {
            if draft.path.is_some() {
                draft.path = Some(path.clone());
            }
        };
        return Ok(Item::from(context.site.update_row(item.id, version, &rename).await?));
    }
    if version.is_some_and(|version| version != row.version()) {
        return Err(Failure::Engine(EngineError::Stale { item: item.id, current: item.seq }));
    }
    Ok(Item::from(context.site.move_row(item.id, target.id(), &path).await?))
}

/// Whether there is a folder at a path inside a list.
async fn is_folder(view: &mut View, list: &List, path: &str) -> Result<bool, Failure> {
    Ok(view.row_at(list.id(), path).await?.is_some_and(|row| row.flags.has(ItemFlags::FOLDER)))
}

async fn write_result(
    context: &Context<'_>,
    out: &mut Writer,
    list: &List,
    id: &str,
    outcome: Outcome,
    style: &RowStyle,
    names: &Names,
) -> Result<(), Failure> {
    out.start("Result");
    out.attribute("ID", id);
    let row = match outcome {
        Outcome::Done(row) => {
            out.display("ErrorCode", Code::SUCCESS);
            if row.is_some() {
                out.empty("ID");
            }
            row
        }
        Outcome::Refused { failure, row, sent_version } => {
            let (code, text) = failure.explain();
            let code = code.unwrap_or(Code::BAD_VALUE);
            if code == Code::CONFLICT {
                out.attribute("List", &list.guid().braced());
                out.attribute_display("Version", sent_version.unwrap_or_default().wrapping_add(1));
            }
            out.display("ErrorCode", code);
            out.element("ErrorText", &text);
            row
        }
    };
    if let Some(item) = row {
        if is_of(&item, list) {
            let fields: Vec<&Field> = list.fields.iter().collect();
            write_row(out, &Row::new(list, &item)?, &fields, style, names);
        } else {
            let list = other_list(context, &item).await?;
            let fields: Vec<&Field> = list.fields.iter().collect();
            let mut view = context.view().await?;
            let names = Names::of_rows(&mut view, &list, std::slice::from_ref(&item), &fields).await?;
            write_row(out, &Row::new(&list, &item)?, &fields, style, &names);
        }
    }
    out.end();
    Ok(())
}

fn is_of(item: &Item, list: &List) -> bool {
    item.id.0 >> 32 == list.id().0
}

/// The names that the rows of some results show.
async fn names_of(context: &Context<'_>, list: &List, outcomes: &[Outcome]) -> Result<Names, Failure> {
    let mut items: Vec<Item> = Vec::new();
    for outcome in outcomes {
        let (Outcome::Done(row) | Outcome::Refused { row, .. }) = outcome;
        items.extend(row.iter().filter(|item| is_of(item, list)).cloned());
    }
    if items.is_empty() {
        return Ok(Names::default());
    }
    let fields: Vec<&Field> = list.fields.iter().collect();
    Ok(Names::of_rows(&mut context.view().await?, list, &items, &fields).await?)
}

/// The list of a row that was moved.
async fn other_list(context: &Context<'_>, item: &Item) -> Result<List, Failure> {
    let collection = context.view().await?.list(model::CollectionId(item.id.0 >> 32)).await?;
    Ok(context.wrap(collection))
}
