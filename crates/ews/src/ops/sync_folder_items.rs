//! `SyncFolderItems`, MS-OXWSSYNC 3.1.4.2.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use engine::{Access, EngineError, ItemSyncChange, ItemView, Mailbox, SyncItems, SyncPage, SyncScope, Window};
use model::limits;
use xml::{Node, Writer};

use super::Operation;
use crate::id::{self, FolderRef, ItemRef};
use crate::item::{Item, Place, write_unreadable};
use crate::shape::{ItemShape, ItemWriter, Purpose};
use crate::{Answer, Context, Failure, Fault, ResponseCode, class, folder, request};

pub(super) struct SyncFolderItems {
    shape: ItemShape,
    folder: Result<FolderRef, Failure>,
    state: Result<Option<Vec<u8>>, Failure>,
    ignore: Result<Vec<ItemRef>, Failure>,
    limit: u32,
    scope: SyncScope,
    window: Result<Window, Failure>,
}

const SCOPES: &[(&str, SyncScope)] =
    &[("NormalItems", SyncScope::Normal), ("NormalAndAssociatedItems", SyncScope::NormalAndAssociated)];

/// Bytes of a state that a client may send.
const STATE_BYTES_MAX: usize = 4 << 20;

/// Reads a `SyncState`: missing and empty mean a first sync.
pub(super) fn read_state(node: Option<Node<'_>>) -> Result<Option<Vec<u8>>, Failure> {
    let text = node.map(|node| node.text()).unwrap_or_default();
    let text: Vec<u8> = text.bytes().filter(|byte| !byte.is_ascii_whitespace()).take(STATE_BYTES_MAX).collect();
    if text.is_empty() {
        return Ok(None);
    }
    STANDARD.decode(text).map(Some).map_err(|_| ResponseCode::ErrorInvalidSyncStateData.into())
}

/// Reads the ids to ignore. Their change keys are not looked at, and what is no id of an item here is nothing to ignore.
fn read_ignore(node: Option<Node<'_>>) -> Result<Result<Vec<ItemRef>, Failure>, Fault> {
    let Some(node) = node else { return Ok(Ok(Vec::new())) };
    if node.children().next().is_none() {
        return Ok(Ok(Vec::new()));
    }
    let mut ids = Vec::new();
    for child in request::batch(node)? {
        let parsed = id::parse(request::attribute(child, "Id")?);
        match parsed {
            Ok(parsed) => {
                if let mapi::entry_id::EntryId::Message { folder, item, .. } = parsed.entry {
                    let key = id::ChangeKey::Absent;
                    let occurrence = None;
                    ids.push(ItemRef { mailbox: parsed.mailbox, folder, item, key, occurrence, text: String::new() });
                }
            }
            Err(failure) => return Ok(Err(failure)),
        }
    }
    Ok(Ok(ids))
}

/// Reads the window; 0 and what is missing bound nothing. The outer error is a fault, the inner one of its numbers.
fn read_window(body: Node<'_>) -> Result<Result<Window, Failure>, Fault> {
    let number = |name: &str| match body.child_local(name) {
        Some(node) => request::integer(node, i32::MIN, i32::MAX),
        None => Ok(0),
    };
    let (days, least, most) = (number("NumberOfDays")?, number("MinimumCount")?, number("MaximumCount")?);
    Ok(match (u32::try_from(days), u32::try_from(least), u32::try_from(most)) {
        (Ok(days), Ok(newest_min), Ok(newest_max)) => Ok(Window { days, newest_min, newest_max }),
        _ => {
            let text = "The request is invalid: NumberOfDays, MaximumCount and MinimumCount cannot be negative.";
            Err(Failure::text(ResponseCode::ErrorInvalidRequest, text))
        }
    })
}

impl Operation for SyncFolderItems {
    const NAME: &'static str = "SyncFolderItems";
    // The last three are of a later schema than the published one.
    const CHILDREN: &'static [&'static str] = &["ItemShape", "SyncFolderId", "SyncState", "Ignore", "MaxChangesReturned", "SyncScope", "NumberOfDays", "MaximumCount", "MinimumCount"];

    fn decode(body: Node<'_>) -> Result<Self, Fault> {
        let maximum = request::integer(request::required(body, "MaxChangesReturned")?, 1, limits::SYNC_CHANGES_MAX as i32)?;
        let scope = body.child_local("SyncScope");
        let scope = scope.map(|scope| request::enumeration(scope, &scope.text(), "SyncFolderItemsScopeType", SCOPES));
        Ok(Self {
            shape: ItemShape::read(request::required(body, "ItemShape")?)?,
            folder: FolderRef::read_target(request::required(body, "SyncFolderId")?)?,
            state: read_state(body.child_local("SyncState")),
            ignore: read_ignore(body.child_local("Ignore"))?,
            limit: maximum.cast_unsigned(),
            scope: scope.transpose()?.unwrap_or(SyncScope::Normal),
            window: read_window(body)?,
        })
    }

    async fn run(self, context: &Context<'_>, answer: &mut Answer) -> Result<(), Fault> {
        if let Err(failure) = self.write(context, answer).await {
            answer.error_with(&failure.of_sync(), |out| {
                out.empty("m:SyncState");
                out.element("m:IncludesLastItemInRange", "true");
            });
        }
        Ok(())
    }
}

impl SyncFolderItems {
    async fn write(&self, context: &Context<'_>, answer: &mut Answer) -> Result<(), Failure> {
        self.shape.check(Purpose::Sync)?;
        let folder_ref = self.folder.as_ref().map_err(Clone::clone)?;
        let (mailbox, folder) = folder::open_for_items(context, folder_ref).await?;
        let state = self.state.as_ref().map_err(Clone::clone)?;
        let ignore = self.ignore.as_ref().map_err(Clone::clone)?;
        let ignore: Vec<_> = ignore.iter().map(|id| id.item).collect();
        let ask = SyncItems {
            folder,
            state: state.as_deref(),
            ignore: &ignore,
            limit: self.limit,
            scope: self.scope,
            bag: true,
        };
        let window = self.window.clone()?;
        let page = match mailbox.sync_items_within(ask, window).await {
            Err(error) if error.is_damage() => one_by_one(&mailbox, ask, window).await?,
            other => other?,
        };
        let guid = mailbox.guid();
        let place = |item, seq| Place { mailbox: guid, folder, item, seq };
        let access = mailbox.access().await?;
        let mut writer = ItemWriter::new(&self.shape, Purpose::Sync, &context.header);
        answer.success(|out| {
            out.scope("m:SyncState", |out| out.base64(&page.state));
            out.element("m:IncludesLastItemInRange", if page.last { "true" } else { "false" });
            out.scope("m:Changes", |out| {
                for change in &page.changes {
                    match change {
                        ItemSyncChange::Create(row) => write_item(out, "t:Create", (&mut writer, &access), place(row.item, row.seq), ItemView::new(row)),
                        ItemSyncChange::Update(row) => write_item(out, "t:Update", (&mut writer, &access), place(row.item, row.seq), ItemView::new(row)),
                        ItemSyncChange::Delete(item) => out.scope("t:Delete", |out| {
                            let id = id::item_id(guid, folder, *item);
                            id::write(out, "t:ItemId", &id, Some(&id::bare_change_key(class::of_item("IPM.Note").object_type)));
                        }),
                        ItemSyncChange::ReadFlag { item, seq, read } => out.scope("t:ReadFlagChange", |out| {
                            let key = id::change_key(class::of_item("IPM.Note").object_type, guid, *seq);
                            id::write(out, "t:ItemId", &id::item_id(guid, folder, *item), Some(&key));
                            out.element("t:IsRead", if *read { "true" } else { "false" });
                        }),
                    }
                }
            });
        });
        Ok(())
    }
}

/// A page whose items are read each for itself, since one of them cannot be. It must not keep the client from the rest
/// of the folder for ever, so its row stays without properties.
async fn one_by_one(mailbox: &Mailbox, ask: SyncItems<'_>, window: Window) -> Result<SyncPage, Failure> {
    let mut page = mailbox.sync_items_within(SyncItems { bag: false, ..ask }, window).await?;
    let mut view = mailbox.begin().await?;
    for change in &mut page.changes {
        if let ItemSyncChange::Create(row) | ItemSyncChange::Update(row) = change {
            match view.item(row.item).await {
                Ok(full) => *row = full,
                // An item that has gone since is a Delete of the next page.
                Err(EngineError::NoItem(_)) => {}
                Err(error) if error.is_damage() => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
    Ok(page)
}

/// Writes an item, or its place where it could not be read.
fn write_item(
    out: &mut Writer,
    element: &'static str,
    (writer, access): (&mut ItemWriter<'_>, &Access),
    place: Place,
    view: Result<ItemView<'_>, EngineError>,
) {
    out.scope(element, |out| match view {
        Ok(view) if !view.row().bag.is_empty() => {
            writer.write(out, &Item::of_row(place.mailbox, view).seen_by(access));
        },
        Ok(_) | Err(_) => write_unreadable(out, place),
    });
}

#[cfg(test)]
mod tests {
    use store::faulty::ReadFault;

    use crate::testing::{Answered, World, block_on};

    fn sync(world: &World, folder: &str, state: &str, rest: &str) -> Answered {
        world.call(&format!(
            "<SyncFolderItems><ItemShape><t:BaseShape>Default</t:BaseShape></ItemShape><SyncFolderId>\
             <t:DistinguishedFolderId Id=\"{folder}\"/></SyncFolderId><SyncState>{state}</SyncState>{rest}</SyncFolderItems>"
        ))
    }

    const TEN: &str = "<MaxChangesReturned>10</MaxChangesReturned>";

    #[test]
    fn creates_then_what_changed() {
        let world = World::new();
        let (first, _) = world.message("inbox", "a");
        world.message("inbox", "b");
        let one = sync(&world, "inbox", "", "<MaxChangesReturned>1</MaxChangesReturned>").success();
        assert_eq!((one.text("IncludesLastItemInRange"), one.text("Subject")), ("false".into(), "b".into()));
        let two = sync(&world, "inbox", &one.text("SyncState"), TEN).success();
        assert_eq!((two.text("IncludesLastItemInRange"), two.text("Subject")), ("true".into(), "a".into()));
        assert_eq!(two.children("Changes"), ["Create"]);
        let item = crate::id::parse(&first).unwrap();
        let mapi::entry_id::EntryId::Message { item, .. } = item.entry else { panic!() };
        block_on(world.mailbox().set_read(item, true)).unwrap();
        let three = sync(&world, "inbox", &two.text("SyncState"), TEN).success();
        assert_eq!(three.children("Changes"), ["ReadFlagChange"]);
        assert_eq!(three.attributes("ItemId", "Id"), std::slice::from_ref(&first));
        let ignored = format!("<Ignore><t:ItemId Id=\"{first}\"/></Ignore>{TEN}");
        let ignored = sync(&world, "inbox", &two.text("SyncState"), &ignored).success();
        assert!(ignored.children("Changes").is_empty());
        let four = sync(&world, "inbox", &three.text("SyncState"), TEN).success();
        assert!(four.children("Changes").is_empty());
    }

    /// A window bounds what a client hears of: the newest received, from the first call on.
    #[test]
    fn a_window_is_of_the_newest_items() {
        let world = World::new();
        let received = |subject: &str, day: &str| {
            let time = model::Value::Time(format!("2024-0{day}T00:00:00Z").parse().unwrap());
            let subject = (model::tags::SUBJECT, model::Value::text(subject));
            world.item("inbox", &[subject, (model::tags::MESSAGE_DELIVERY_TIME, time)]).0
        };
        // It is the 6th of May.
        let old = received("old", "1-01");
        let new = received("new", "5-01");
        received("newer", "5-05");
        received("newest", "5-06");
        for (window, subjects) in [
            ("", "newest newer new old"),
            ("<NumberOfDays>0</NumberOfDays>", "newest newer new old"),
            ("<NumberOfDays>2</NumberOfDays>", "newest newer"),
            ("<NumberOfDays>7</NumberOfDays><MaximumCount>2</MaximumCount>", "newest newer"),
            ("<MaximumCount>1</MaximumCount>", "newest"),
            ("<NumberOfDays>2</NumberOfDays><MinimumCount>3</MinimumCount>", "newest newer new"),
            ("<NumberOfDays>1</NumberOfDays><MaximumCount>3</MaximumCount><MinimumCount>2</MinimumCount>", "newest newer"),
        ] {
            let page = sync(&world, "inbox", "", &format!("{TEN}{window}")).success();
            assert_eq!(page.texts("Subject").join(" "), subjects, "{window}");
        }
        let days = format!("{TEN}<NumberOfDays>7</NumberOfDays>");
        let first = sync(&world, "inbox", "", &days).success();
        // What lies outside changes and goes unheard of, what lies inside does not.
        for (id, subject) in [(&old, "old again"), (&new, "new again")] {
            let rename = |draft: &mut engine::ItemDraft| {
                draft.bag.set(model::tags::SUBJECT, model::Value::text(subject));
            };
            let mapi::entry_id::EntryId::Message { item, .. } = crate::id::parse(id).unwrap().entry else { panic!() };
            block_on(world.mailbox().update_item(item, engine::Precondition::Any, &rename)).unwrap();
        }
        received("just come, and old", "1-02");
        received("just come", "5-06");
        let second = sync(&world, "inbox", &first.text("SyncState"), &days).success();
        assert_eq!(second.texts("Subject"), ["just come", "new again"]);
        for id in [&old, &new] {
            world.call(&format!("<DeleteItem DeleteType=\"HardDelete\"><ItemIds><t:ItemId Id=\"{id}\"/></ItemIds></DeleteItem>")).success();
        }
        // A call that names no window goes on in that of its state.
        for window in [TEN, &days] {
            let third = sync(&world, "inbox", &second.text("SyncState"), window).success();
            assert_eq!((third.children("Changes"), third.attributes("ItemId", "Id")), (vec!["Delete".into()], vec![new.clone()]));
        }
        let other = days.replace('7', "8");
        assert_eq!(sync(&world, "inbox", &second.text("SyncState"), &other).codes(), ["ErrorInvalidSyncStateData"]);
        let whole = sync(&world, "inbox", "", TEN).success().text("SyncState");
        assert_eq!(sync(&world, "inbox", &whole, &days).codes(), ["ErrorInvalidSyncStateData"]);
        assert_eq!(sync(&world, "inbox", "", &days.replace('7', "-7")).codes(), ["ErrorInvalidRequest"]);
        assert_eq!(sync(&world, "inbox", "", &days.replace('7', "a")).codes(), ["ErrorSchemaValidation"]);
    }

    /// An item that cannot be read comes with its id alone, and the folder drains.
    #[test]
    fn a_damaged_item_does_not_block_the_folder() {
        let (world, store) = World::faulty();
        let ids: Vec<String> = ["a", "b", "c"].iter().map(|subject| world.message("inbox", subject).0).collect();
        world.damage(&*store, &ids[1]);
        let page = sync(&world, "inbox", "", TEN).success();
        assert_eq!(page.texts("Subject"), ["c", "a"]);
        let mut found = page.attributes("ItemId", "Id");
        found.sort();
        let mut all = ids.clone();
        all.sort();
        assert_eq!(found, all);
        assert!(sync(&world, "inbox", &page.text("SyncState"), TEN).success().children("Changes").is_empty());
    }

    /// Wherever the store finds damage while a page is read, the page is whole or an error.
    #[test]
    fn a_page_is_whole_or_an_error() {
        let (world, store) = World::faulty();
        for subject in ["a", "b", "c"] {
            world.message("inbox", subject);
        }
        let mut whole = 0;
        for skip in 0..12 {
            for again in 0..3 {
                store.fail_read(skip, ReadFault::Corrupt);
                store.fail_read(skip + 4 + again, ReadFault::Corrupt);
                let page = sync(&world, "inbox", "", TEN).valid();
                store.heal();
                if page.codes() == ["NoError"] {
                    assert_eq!(page.attributes("ItemId", "Id").len(), 3, "{}", page.xml);
                    whole += 1;
                } else {
                    assert_eq!((page.codes(), page.text("SyncState")), (vec!["ErrorCorruptData".into()], String::new()));
                }
            }
        }
        assert!(whole > 0 && store.injected() > 0);
    }

    #[test]
    fn the_printed_request_answers_as_printed() {
        let world = World::new();
        let answer = world.send(
            "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<soap:Envelope xmlns:soap=\"http://schemas.xmlsoap.org/soap/envelope/\" \
             xmlns:t=\"https://schemas.microsoft.com/exchange/services/2006/types\">\n<soap:Body>\n\
             <SyncFolderItems xmlns=\"https://schemas.microsoft.com/exchange/services/2006/messages\">\n<ItemShape>\
             <t:BaseShape>Default</t:BaseShape></ItemShape><SyncFolderId><t:DistinguishedFolderId Id=\"sentitems\"/></SyncFolderId>\
             <SyncState>H4sIAAA==</SyncState><MaxChangesReturned>100</MaxChangesReturned></SyncFolderItems></soap:Body></soap:Envelope>",
        );
        assert_eq!(answer.status, 200);
        assert!(
            answer.xml.contains(
                "<m:SyncFolderItemsResponseMessage ResponseClass=\"Error\"><m:MessageText>Synchronization state data is \
                 corrupt or otherwise invalid.</m:MessageText><m:ResponseCode>ErrorInvalidSyncStateData</m:ResponseCode>\
                 <m:DescriptiveLinkKey>0</m:DescriptiveLinkKey><m:SyncState/>\
                 <m:IncludesLastItemInRange>true</m:IncludesLastItemInRange></m:SyncFolderItemsResponseMessage>"
            ),
            "{}",
            answer.xml
        );
        answer.valid();
    }

    #[test]
    fn bounds_are_those_of_the_schema() {
        let world = World::new();
        for wrong in ["0", "-1", "513", "x", ""] {
            let answer = sync(&world, "inbox", "", &format!("<MaxChangesReturned>{wrong}</MaxChangesReturned>"));
            assert_eq!((answer.status, answer.codes()), (500, vec!["ErrorSchemaValidation".to_owned()]), "{wrong}");
        }
        assert_eq!(sync(&world, "archiveinbox", "", TEN).valid().codes(), ["ErrorSyncFolderNotFound"]);
        let mime = world.call(
            "<SyncFolderItems><ItemShape><t:BaseShape>IdOnly</t:BaseShape><t:IncludeMimeContent>true</t:IncludeMimeContent>\
             </ItemShape><SyncFolderId><t:DistinguishedFolderId Id=\"inbox\"/></SyncFolderId>\
             <MaxChangesReturned>1</MaxChangesReturned></SyncFolderItems>",
        );
        assert_eq!(mime.valid().codes(), ["ErrorInvalidPropertyForOperation"]);
    }
}
