//! `UpdateItem`, MS-OXWSCORE 3.1.4.9.

use engine::{ItemDraft, ItemRow, ItemView, Mailbox, Own, Precondition};
use model::{CollectionId, ItemContent, PropertyKey, Value, limits, tags};
use xml::Node;

use super::create_item::{DISPOSITIONS, Disposition, saved_folder};
use super::{Operation, occurrence};
use crate::class::{self, ItemClass};
use crate::fields::{self, Field};
use crate::id::{AnyId, FolderRef};
use crate::meeting::{self, Audience, Telling};
use crate::new_item;
use crate::patch::{Patch, Step};
use crate::path::Path;
use crate::{Answer, Context, Failure, Fault, ResponseCode, folder, item, request, respond, send};

pub(super) struct UpdateItem {
    resolution: Resolution,
    disposition: Disposition,
    /// What attendees are told; `None` where the request does not say.
    invitations: Option<Option<Telling>>,
    /// Where a copy of what is sent goes.
    folder: Option<Result<FolderRef, Failure>>,
    changes: Vec<Result<Change, Failure>>,
}

/// What happens when the item is no longer the one that the client saw.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Resolution {
    /// The change fails.
    Never,
    /// The later change wins.
    Auto,
    /// The later change wins, and no version need be named.
    Always,
}

/// The changes to one item.
#[derive(Clone, Debug)]
struct Change {
    id: AnyId,
    patch: Patch,
    /// Fields that the item's class must have.
    uris: Vec<&'static str>,
}

/// Changes to one item.
const UPDATES_MAX: usize = 1_000;

impl Operation for UpdateItem {
    const NAME: &'static str = "UpdateItem";
    const CHILDREN: &'static [&'static str] = &["SavedItemFolderId", "ItemChanges"];

    fn decode(body: Node<'_>) -> Result<Self, Fault> {
        const RESOLUTIONS: &[(&str, Resolution)] = &[
            ("NeverOverwrite", Resolution::Never),
            ("AutoResolve", Resolution::Auto),
            ("AlwaysOverwrite", Resolution::Always),
        ];
        const TELLINGS: &[(&str, Option<Telling>)] = &[
            ("SendToNone", None),
            ("SendOnlyToAll", Some(Telling { audience: Audience::All, keep: false })),
            ("SendOnlyToChanged", Some(Telling { audience: Audience::Changed, keep: false })),
            ("SendToAllAndSaveCopy", Some(Telling { audience: Audience::All, keep: true })),
            ("SendToChangedAndSaveCopy", Some(Telling { audience: Audience::Changed, keep: true })),
        ];
        let resolution = request::attribute(body, "ConflictResolution")?;
        let disposition = body.attribute("MessageDisposition").unwrap_or("SaveOnly");
        let invitations = body.attribute("SendMeetingInvitationsOrCancellations");
        let invitations = invitations
            .map(|text| request::enumeration(body, text, "CalendarItemUpdateOperationType", TELLINGS))
            .transpose()?;
        let changes = request::batch(request::required(body, "ItemChanges")?)?;
        Ok(Self {
            resolution: request::enumeration(body, resolution, "ConflictResolutionType", RESOLUTIONS)?,
            disposition: request::enumeration(body, disposition, "MessageDispositionType", DISPOSITIONS)?,
            invitations,
            folder: body.child_local("SavedItemFolderId").map(FolderRef::read_target).transpose()?,
            changes: changes.into_iter().map(Change::read).collect::<Result<_, _>>()?,
        })
    }

    async fn run(self, context: &Context<'_>, answer: &mut Answer) -> Result<(), Fault> {
        for change in &self.changes {
            let done = match change {
                Ok(change) => self.update(context, change, answer).await,
                Err(failure) => Err(failure.clone()),
            };
            if let Err(failure) = done {
                answer.error_with(&failure, |out| out.empty("m:Items"));
            }
        }
        Ok(())
    }
}

impl UpdateItem {
    async fn update(&self, context: &Context<'_>, change: &Change, answer: &mut Answer) -> Result<(), Failure> {
        let id = change.id.item();
        let expected = match self.resolution {
            Resolution::Always => Precondition::Any,
            Resolution::Never | Resolution::Auto if !id.key.is_version() => {
                return Err(ResponseCode::ErrorChangeKeyRequiredForWriteOperations.into());
            }
            Resolution::Auto => Precondition::Any,
            Resolution::Never => id.key.precondition(),
        };
        let mailbox = context.mailbox(&id.mailbox).await?;
        let mut view = mailbox.begin().await?;
        let before = view.item(id.item).await?;
        let class = class::of_item(ItemView::new(&before)?.bag().text(&tags::MESSAGE_CLASS).unwrap_or_default());
        change.check(class)?;
        if self.disposition != Disposition::Save && respond::is_message(class) {
            drop(view);
            let copy = self.send(context, &mailbox, change, expected).await?;
            let view = copy.as_ref().map(ItemView::new).transpose()?;
            answer.success(|out| {
                out.scope("m:Items", |out| {
                    view.into_iter().for_each(|view| item::write_id_only(out, mailbox.guid(), view));
                });
                out.scope("m:ConflictResults", |out| out.element("t:Count", "0"));
            });
            return Ok(());
        }
        let mut telling = None;
        if class.element == "t:CalendarItem" {
            telling = self.invitations.ok_or(ResponseCode::ErrorSendMeetingInvitationsOrCancellationsRequired)?;
        }
        let attended = telling.is_some() && !view.recipients(id.item).await?.is_empty();
        drop(view);
        if let Some(meant) = occurrence::meant(&mailbox, &change.id).await? {
            if attended {
                return Err(meeting::not_of_one_occurrence());
            }
            let seq = occurrence::change(&mailbox, &change.id, expected, &meant, &change.patch).await?;
            answer.success(|out| {
                out.scope("m:Items", |out| occurrence::write_id_only(out, &mailbox, &change.id, meant.day, seq));
                out.scope("m:ConflictResults", |out| out.element("t:Count", "0"));
            });
            return Ok(());
        }
        if let Some(telling) = telling
            && let Some(row) = tell(context, &mailbox, change, expected, telling).await?
        {
            return succeed(answer, &mailbox, &row);
        }
        let updated = match (change.patch.only_read(), expected) {
            (Some(read), Precondition::Any) => mailbox.set_read(id.item, read).await,
            (Some(_) | None, Precondition::Any | Precondition::At(_)) => {
                let now = context.engine().clock().now();
                let apply = |draft: &mut ItemDraft| {
                    let size = size_of(draft);
                    change.patch.apply(draft);
                    new_item::follow(class, &change.patch, draft, now);
                    let by = size_of(draft) - size;
                    resize(&mut draft.bag, by);
                };
                mailbox.update_item(id.item, expected, &apply).await
            }
        };
        succeed(answer, &mailbox, &updated?)
    }

    /// Changes a message and sends it: the stored one goes, and what is kept is another one.
    async fn send(
        &self,
        context: &Context<'_>,
        mailbox: &Mailbox,
        change: &Change,
        expected: Precondition,
    ) -> Result<Option<ItemRow>, Failure> {
        let keep = match self.disposition {
            Disposition::Save | Disposition::Send => None,
            Disposition::SendAndSave => Some(self.keep(context, mailbox).await?),
        };
        for _ in 0..limits::CONFLICT_RETRIES_MAX {
            let mut view = mailbox.begin().await?;
            let row = view.item(change.id.item().item).await?;
            if matches!(expected, Precondition::At(seq) if seq != row.seq) {
                return Err(ResponseCode::ErrorIrresolvableConflict.into());
            }
            let content = view.content(&row).await?;
            drop(view);
            let outgoing = send::prepare(context, changed(change, content)).await?;
            let own = vec![Own::Delete { row }];
            match send::send(mailbox, outgoing, keep, own).await {
                Err(failure) if failure.code == ResponseCode::ErrorIrresolvableConflict => {}
                done => return done,
            }
        }
        Err(ResponseCode::ErrorInternalServerTransientError.into())
    }

    /// Where what is sent is kept.
    async fn keep(&self, context: &Context<'_>, mailbox: &Mailbox) -> Result<CollectionId, Failure> {
        let Some(folder) = &self.folder else {
            return Ok(mailbox.begin().await?.distinguished("sentitems").await?);
        };
        let folder = folder.as_ref().map_err(Clone::clone)?;
        let (target, folder) = folder::open_for_items(context, folder).await.map_err(saved_folder)?;
        if target.guid() == mailbox.guid() { Ok(folder) } else { Err(ResponseCode::ErrorCrossMailboxMoveCopy.into()) }
    }
}

/// Answers with the id of what was changed.
fn succeed(answer: &mut Answer, mailbox: &Mailbox, row: &ItemRow) -> Result<(), Failure> {
    let after = ItemView::new(row)?;
    answer.success(|out| {
        out.scope("m:Items", |out| item::write_id_only(out, mailbox.guid(), after));
        out.scope("m:ConflictResults", |out| out.element("t:Count", "0"));
    });
    Ok(())
}

/// Changes a meeting and tells its attendees. `None` where there are none, before and after; nothing was written then.
async fn tell(
    context: &Context<'_>,
    mailbox: &Mailbox,
    change: &Change,
    expected: Precondition,
    telling: Telling,
) -> Result<Option<ItemRow>, Failure> {
    for _ in 0..limits::CONFLICT_RETRIES_MAX {
        let mut view = mailbox.begin().await?;
        let row = view.item(change.id.item().item).await?;
        if matches!(expected, Precondition::At(seq) if seq != row.seq) {
            return Err(ResponseCode::ErrorIrresolvableConflict.into());
        }
        let before = view.content(&row).await?;
        let keep = if telling.keep { Some(view.distinguished("sentitems").await?) } else { None };
        drop(view);
        let class = class::of_item(before.bag.text(&tags::MESSAGE_CLASS).unwrap_or_default());
        let ItemContent { bag, recipients, attachments, mime: _ } = before.clone();
        let mut draft = ItemDraft { bag, recipients, flags: row.flags };
        change.patch.apply(&mut draft);
        new_item::follow(class, &change.patch, &mut draft, context.engine().clock().now());
        let ItemDraft { bag, recipients, flags } = draft;
        let mut after = ItemContent { bag, recipients, attachments, mime: None };
        if meeting::attendees(&before).is_empty() && meeting::attendees(&after).is_empty() {
            return Ok(None);
        }
        meeting::check_organizer(context, &before.bag)?;
        let messages = meeting::update(context, &before, &mut after, telling.audience).await?;
        after.bag.remove(&tags::MESSAGE_SIZE);
        let mut own = vec![Own::Replace { row, content: after, flags }];
        let sendings = send::post(messages, keep, &mut own);
        match mailbox.act(own, sendings).await {
            Err(engine::EngineError::Stale { .. }) => {}
            done => return Ok(done?.into_iter().next().flatten()),
        }
    }
    Err(ResponseCode::ErrorInternalServerTransientError.into())
}

/// What a change makes of an item.
fn changed(change: &Change, content: ItemContent) -> ItemContent {
    let keeps = !change.patch.steps.iter().any(|step| new_item::rewrites(step, &content.bag));
    let ItemContent { bag, recipients, attachments, mime } = content;
    let mut draft = ItemDraft { bag, recipients, flags: model::ItemFlags::READ };
    change.patch.apply(&mut draft);
    ItemContent { bag: draft.bag, recipients: draft.recipients, attachments, mime: mime.filter(|_| keeps) }
}

/// Bytes of the properties and recipients of an item, but for what the server counts and stamps itself.
fn size_of(draft: &ItemDraft) -> i64 {
    let bags = std::iter::once(&draft.bag).chain(&draft.recipients);
    let size: usize = bags.flat_map(model::Bag::iter).map(|(_, value)| value.size()).sum();
    i64::try_from(size).unwrap_or(i64::MAX)
}

/// Keeps the size of an item in step with a change of so many bytes.
fn resize(bag: &mut model::Bag, by: i64) {
    if let Some(size) = bag.get(&tags::MESSAGE_SIZE).and_then(Value::as_i64).filter(|_| by != 0) {
        let size = i32::try_from(size.saturating_add(by).max(0)).unwrap_or(i32::MAX);
        bag.set(tags::MESSAGE_SIZE, Value::I32(size));
    }
}

impl Change {
    fn read(node: Node<'_>) -> Result<Result<Self, Failure>, Fault> {
        let Some(id) = node.children().next().filter(|child| child.local() != "Updates") else {
            return Err(Fault::schema(node, node.local(), "it has incomplete content."));
        };
        let id = match AnyId::read(id)? {
            Ok(id) => id,
            Err(failure) => return Ok(Err(failure)),
        };
        let mut change = Self { id, patch: Patch::default(), uris: Vec::new() };
        for (number, update) in request::required(node, "Updates")?.children().enumerate() {
            if number == UPDATES_MAX {
                return Err(Fault::schema(update, update.local(), "it has more entries than one request may hold."));
            }
            if let Err(failure) = change.read_update(update)? {
                return Ok(Err(failure));
            }
        }
        Ok(Ok(change))
    }

    fn read_update(&mut self, update: Node<'_>) -> Result<Result<(), Failure>, Fault> {
        let path_node = request::only(update)?;
        let path = match Path::read(path_node)? {
            Ok(path) => path,
            Err(failure) => return Ok(Err(failure)),
        };
        let steps = match update.local() {
            "SetItemField" => set(update, &path, false)?,
            "AppendToItemField" => set(update, &path, true)?.and_then(|steps| append(steps, &path)),
            "DeleteItemField" => delete(&path),
            other => return Err(Fault::schema(update, other, "This element is not expected here.")),
        };
        Ok(steps.map(|steps| {
            if let Path::Field(uri) = &path
                && let Some(field) = fields::find(uri)
            {
                self.uris.push(field.uri);
            }
            self.patch.extend(steps);
        }))
    }

    /// Whether an item of that kind can be changed so.
    fn check(&self, class: &ItemClass) -> Result<(), Failure> {
        if let Some(uri) = self.uris.iter().find(|uri| class.field(uri).is_none()) {
            return Err(Failure::field(ResponseCode::ErrorInvalidPropertyRequest, uri));
        }
        let other_class = |step: &Step| {
            matches!(step, Step::Put(key, Value::Text(text))
                if *key == tags::MESSAGE_CLASS && class::of_item(text).element != class.element)
        };
        if self.patch.steps.iter().any(other_class) {
            return Err(ResponseCode::ErrorObjectTypeChanged.into());
        }
        Ok(())
    }
}

/// The field of a path as the element of the update has it.
fn field_of(path: &str, element: Node<'_>) -> Option<&'static Field> {
    class::of_element(element.local()).and_then(|class| class.field(path)).or_else(|| fields::find(path))
}

fn set(update: Node<'_>, path: &Path, append: bool) -> Result<Result<Vec<Step>, Failure>, Fault> {
    let Some(element) = update.children().nth(1) else {
        return Err(Fault::schema(update, update.local(), "it has incomplete content."));
    };
    let mut properties = element.children();
    let (Some(property), None) = (properties.next(), properties.next()) else {
        return Ok(Err(ResponseCode::ErrorIncorrectUpdatePropertyCount.into()));
    };
    let mismatch = || Ok(Err(ResponseCode::ErrorUpdatePropertyMismatch.into()));
    match path {
        Path::Field(uri) => {
            if new_item::is_passed_over(property.local()) {
                return Ok(Ok(Vec::new()));
            }
            let code = if append { ResponseCode::ErrorInvalidPropertyAppend } else { ResponseCode::ErrorInvalidPropertySet };
            let Some(field) = field_of(uri, element).filter(|field| field.able.update()) else {
                return Ok(Err(Failure::field(code, uri)));
            };
            if field.element.strip_prefix("t:") != Some(property.local()) {
                return mismatch();
            }
            Ok(field.read(property))
        }
        Path::Indexed { .. } => Ok(fields::contact::read_indexed(property)),
        Path::Extended(field) => {
            if property.local() != "ExtendedProperty" {
                return mismatch();
            }
            let named = Path::read(request::required(property, "ExtendedFieldURI")?)?;
            if !matches!(named, Ok(Path::Extended(named)) if named.key == field.key) {
                return mismatch();
            }
            new_item::read_extended(property)
        }
    }
}

/// The same changes, after what is there.
fn append(steps: Vec<Step>, path: &Path) -> Result<Vec<Step>, Failure> {
    let more = |step| match step {
        Step::Body { html, text, .. } => Ok(Step::Body { html, text, append: true }),
        Step::Recipients { kind, list, .. } => Ok(Step::Recipients { kind, list, append: true }),
        Step::Put(key, Value::Texts(list)) => Ok(Step::AppendTexts(key, list)),
        Step::Put(..)
        | Step::Remove(_)
        | Step::Bits { .. }
        | Step::Read(_)
        | Step::Associated(_)
        | Step::Subject(_)
        | Step::AppendTexts(..) => Err(Failure::field(ResponseCode::ErrorInvalidPropertyAppend, path.name())),
    };
    steps.into_iter().map(more).collect()
}

fn delete(path: &Path) -> Result<Vec<Step>, Failure> {
    let refused = || Failure::field(ResponseCode::ErrorInvalidPropertyDelete, path.name());
    match path {
        // No item has it, so that deleting it changes nothing; exchangelib 5.6.0 does with every item it saves.
        Path::Field(uri) if fields::find(uri).is_none() && fields::is_known(uri) => Ok(Vec::new()),
        Path::Field(uri) => {
            Ok(fields::find(uri).filter(|field| field.able.delete()).ok_or_else(refused)?.clear())
        }
        Path::Indexed { uri, index } => {
            Ok(vec![Step::Remove(fields::contact::indexed(uri, index).ok_or_else(refused)?)])
        }
        Path::Extended(field) => {
            let kept = |key: &PropertyKey| {
                new_item::is_computed(key) || [tags::READ, tags::MESSAGE_FLAGS, tags::MESSAGE_CLASS].contains(key)
            };
            if kept(&field.key) { Err(refused()) } else { Ok(vec![Step::Remove(field.key.clone())]) }
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::{Answered, World};

    fn update(world: &World, resolution: &str, id: &str, updates: &str) -> Answered {
        world.call(&format!(
            "<UpdateItem ConflictResolution=\"{resolution}\" MessageDisposition=\"SaveOnly\" \
             SendMeetingInvitationsOrCancellations=\"SendToNone\"><ItemChanges><t:ItemChange>{id}\
             <t:Updates>{updates}</t:Updates></t:ItemChange></ItemChanges></UpdateItem>"
        ))
    }

    fn set(path: &str, property: &str) -> String {
        format!("<t:SetItemField>{path}<t:Message>{property}</t:Message></t:SetItemField>")
    }

    fn field(uri: &str) -> String {
        format!("<t:FieldURI FieldURI=\"{uri}\"/>")
    }

    fn keyless(id: &str) -> String {
        format!("<t:ItemId Id=\"{id}\"/>")
    }

    fn keyed((id, key): &(String, String)) -> String {
        format!("<t:ItemId Id=\"{id}\" ChangeKey=\"{key}\"/>")
    }

    fn get(world: &World, id: &str) -> Answered {
        world
            .call(&format!(
                "<GetItem><ItemShape><t:BaseShape>AllProperties</t:BaseShape><t:AdditionalProperties>\
                 <t:ExtendedFieldURI PropertyTag=\"4240\" PropertyType=\"Integer\"/></t:AdditionalProperties></ItemShape><ItemIds>\
                 <t:ItemId Id=\"{id}\"/></ItemIds></GetItem>"
            ))
            .success()
    }

    fn subject(text: &str) -> String {
        set(&field("item:Subject"), &format!("<t:Subject>{text}</t:Subject>"))
    }

    #[test]
    fn fields_are_set_appended_and_deleted() {
        let world = World::new();
        let (id, _) = world.message("inbox", "a");
        let tag = "<t:ExtendedFieldURI PropertyTag=\"4240\" PropertyType=\"Integer\"/>";
        let steps = [
            subject("b"),
            set(tag, &format!("<t:ExtendedProperty>{tag}<t:Value>2</t:Value></t:ExtendedProperty>")),
            set(&field("item:Body"), "<t:Body BodyType=\"Text\">one</t:Body>"),
            set(&field("item:Body"), "<t:Body BodyType=\"Text\"> two</t:Body>").replace("SetItemField", "AppendToItemField"),
            set(&field("item:Categories"), "<t:Categories><t:String>x</t:String></t:Categories>"),
            set(&field("message:IsRead"), "<t:IsRead>1</t:IsRead>"),
            set(&field("message:ToRecipients"), "<t:ToRecipients><t:Mailbox><t:EmailAddress>b@example.com</t:EmailAddress></t:Mailbox></t:ToRecipients>"),
        ];
        update(&world, "AlwaysOverwrite", &keyless(&id), &steps.concat()).success();
        let got = get(&world, &id);
        assert_eq!((got.text("Subject"), got.text("Value")), ("b".into(), "2".into()));
        assert_eq!((got.texts("Body")[1].as_str(), got.text("Preview")), ("one two", "one two".into()));
        assert_eq!((got.text("String"), got.text("IsRead"), got.text("DisplayTo")), ("x".into(), "true".into(), "b@example.com".into()));
        let gone = ["item:Categories", "item:Subject", "message:ToRecipients"]
            .map(|uri| format!("<t:DeleteItemField>{}</t:DeleteItemField>", field(uri)));
        update(&world, "AlwaysOverwrite", &keyless(&id), &gone.concat()).success();
        let got = get(&world, &id);
        assert!(got.texts("String").is_empty() && got.texts("Subject").is_empty() && got.texts("ToRecipients").is_empty());
    }

    #[test]
    fn the_size_follows_what_is_stored() {
        let world = World::new();
        let (id, _) = world.message("inbox", "a");
        let size = || get(&world, &id).text("Size").parse::<usize>().unwrap();
        let empty = size();
        let body = |length| set(&field("item:Body"), &format!("<t:Body BodyType=\"Text\">{}</t:Body>", "x".repeat(length)));
        update(&world, "AlwaysOverwrite", &keyless(&id), &body(10_000)).success();
        assert!((empty + 10_000..empty + 11_000).contains(&size()), "{empty} {}", size());
        update(&world, "AlwaysOverwrite", &keyless(&id), &body(0)).success();
        assert!(size() < empty + 100, "{empty} {}", size());
    }

    /// What clients save along with everything else.
    #[test]
    fn appointments_are_saved_whole() {
        let world = World::new();
        let (id, _) = world.item("calendar", &[(model::tags::MESSAGE_CLASS, model::Value::text("IPM.Appointment"))]);
        let steps = [
            set(&field("calendar:UID"), "<t:UID>mine</t:UID>"),
            set(&field("item:Culture"), "<t:Culture>da-DK</t:Culture>"),
            set(&field("calendar:StartTimeZone"), "<t:StartTimeZone Id=\"Romance Standard Time\"/>"),
            set(&field("calendar:Start"), "<t:Start>2024-01-01T10:00:00+01:00</t:Start>"),
            set(&field("calendar:End"), "<t:End>2024-01-01T11:00:00+01:00</t:End>"),
            set(&field("calendar:RequiredAttendees"), "<t:RequiredAttendees><t:Attendee><t:Mailbox><t:EmailAddress>b@example.com\
                 </t:EmailAddress></t:Mailbox></t:Attendee></t:RequiredAttendees>"),
        ];
        let steps = steps.concat().replace("t:Message>", "t:CalendarItem>");
        let gone = format!("<t:DeleteItemField>{}</t:DeleteItemField>", field("calendar:Recurrence"));
        update(&world, "AlwaysOverwrite", &keyless(&id), &(steps + &gone)).success();
        let got = get(&world, &id);
        assert_eq!((got.text("UID"), got.text("Culture")), ("mine".into(), "da-DK".into()));
        assert_eq!((got.text("Start"), got.text("Duration")), ("2024-01-01T09:00:00Z".into(), "PT1H".into()));
        assert_eq!((got.text("IsMeeting"), got.text("MyResponseType")), ("true".into(), "Organizer".into()));
    }

    #[test]
    fn versions_decide_as_asked() {
        let world = World::new();
        let first = world.message("inbox", "a");
        let done = update(&world, "NeverOverwrite", &keyed(&first), &subject("b")).success();
        assert_eq!(done.text("Count"), "0");
        let stale = update(&world, "NeverOverwrite", &keyed(&first), &subject("c")).valid();
        assert_eq!(stale.codes(), ["ErrorIrresolvableConflict"]);
        update(&world, "AutoResolve", &keyed(&first), &subject("d")).success();
        for resolution in ["NeverOverwrite", "AutoResolve"] {
            let none = update(&world, resolution, &keyless(&first.0), &subject("e")).valid();
            assert_eq!(none.codes(), ["ErrorChangeKeyRequiredForWriteOperations"]);
        }
        let bad = keyed(&(first.0.clone(), "x".into()));
        assert_eq!(update(&world, "AlwaysOverwrite", &bad, &subject("e")).valid().codes(), ["ErrorInvalidChangeKey"]);
        assert_eq!(get(&world, &first.0).text("Subject"), "d");
    }

    #[test]
    fn the_read_flag_alone_is_a_read_flag_change() {
        let world = World::new();
        let (id, _) = world.message("inbox", "a");
        let sync = |state: &str| {
            world
                .call(&format!(
                    "<SyncFolderItems><ItemShape><t:BaseShape>IdOnly</t:BaseShape></ItemShape><SyncFolderId>\
                     <t:DistinguishedFolderId Id=\"inbox\"/></SyncFolderId><SyncState>{state}</SyncState>\
                     <MaxChangesReturned>9</MaxChangesReturned></SyncFolderItems>"
                ))
                .success()
        };
        let state = sync("").text("SyncState");
        update(&world, "AlwaysOverwrite", &keyless(&id), &set(&field("message:IsRead"), "<t:IsRead>true</t:IsRead>")).success();
        assert_eq!(sync(&state).children("Changes"), ["ReadFlagChange"]);
        update(&world, "AlwaysOverwrite", &keyless(&id), &subject("z")).success();
        assert_eq!(sync(&state).children("Changes"), ["Update"]);
    }

    #[test]
    fn wrong_changes_are_refused() {
        let world = World::new();
        let (id, _) = world.message("inbox", "a");
        let (contact, _) = world.item("contacts", &[(model::tags::MESSAGE_CLASS, model::Value::text("IPM.Contact"))]);
        for (id, updates, code) in [
            (&id, set(&field("item:Size"), "<t:Size>1</t:Size>"), "ErrorInvalidPropertySet"),
            (&id, set(&field("item:Culture"), "<t:Culture>xx</t:Culture>"), "ErrorInvalidValueForProperty"),
            (&id, set(&field("item:Subject"), "<t:Importance>High</t:Importance>"), "ErrorUpdatePropertyMismatch"),
            (&id, set(&field("item:Subject"), "<t:Subject/><t:Subject/>"), "ErrorIncorrectUpdatePropertyCount"),
            (&id, subject("x").replace("SetItemField", "AppendToItemField"), "ErrorInvalidPropertyAppend"),
            (&id, format!("<t:DeleteItemField>{}</t:DeleteItemField>", field("message:IsRead")), "ErrorInvalidPropertyDelete"),
            (&id, set(&field("item:ItemClass"), "<t:ItemClass>IPM.Contact</t:ItemClass>"), "ErrorObjectTypeChanged"),
            (&contact, set(&field("message:IsRead"), "<t:IsRead>true</t:IsRead>"), "ErrorInvalidPropertyRequest"),
        ] {
            let answer = update(&world, "AlwaysOverwrite", &keyless(id), &updates).valid();
            assert_eq!(answer.codes(), [code], "{updates}");
        }
        assert_eq!(get(&world, &id).text("Subject"), "a");
        assert_eq!(update(&world, "Sometimes", &keyless(&id), &subject("x")).codes(), ["ErrorSchemaValidation"]);
    }
}
