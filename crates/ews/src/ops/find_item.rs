//! `FindItem`, MS-OXWSSRCH 3.1.4.2.

use engine::{Access, DELETED_FROM, Folder, Found, ItemView, Query, SyncScope, View};
use model::{Comparison, Guid, Operand, Order, Predicate, Value, limits};
use xml::{Node, Writer};

use super::Operation;
use super::calendar_view::{self, CalendarView};
use super::contacts_view;
use crate::context::Views;
use crate::group::GroupBy;
use crate::id::FolderRef;
use crate::item::{Item, Place, write_unreadable};
use crate::query_string::QueryString;
use crate::restriction::{self, Subject};
use crate::shape::{ItemShape, ItemWriter, Purpose};
use crate::{Answer, Context, Failure, Fault, ResponseCode, folder, request, search};

pub(super) struct FindItem {
    shape: ItemShape,
    page: Page,
    /// What is wrong with the question; every folder then fails with it.
    query: Result<Query, Failure>,
    /// The query string, as it came; it may speak of today.
    words: Option<String>,
    group: Result<Option<GroupBy>, Failure>,
    /// Whether the items in Recoverable Items that were deleted from the folders are asked for.
    soft_deleted: bool,
    folders: Vec<Result<FolderRef, Failure>>,
}

/// Which part of the hits is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Page {
    /// All.
    All,
    /// From an offset on, counted from the start or from the end.
    Indexed {
        /// Hits to pass over.
        offset: usize,
        /// Whether they are counted from the end.
        from_end: bool,
        /// Hits to return at most.
        max: usize,
    },
    /// From a fraction of all on.
    Fractional {
        /// Numerator.
        numerator: usize,
        /// Denominator, not 0.
        denominator: usize,
        /// Hits to return at most.
        max: usize,
    },
    /// What lies between two times, by its start.
    Calendar(CalendarView),
    /// The first so many.
    First(usize),
}

/// Hits in one answer.
const ENTRIES_MAX: usize = limits::BATCH_IDS_MAX;

impl Page {
    /// Reads the page element of a Find request, whose name ends in `kind` (`ItemView` or `FolderView`). The outer
    /// error is a fault, the inner one of its numbers.
    pub(super) fn read(body: Node<'_>, kind: &str) -> Result<Result<Self, Failure>, Fault> {
        let max = |node: Node<'_>| {
            let max = request::integer_attribute(node, "MaxEntriesReturned", i32::MIN, i32::MAX)?;
            Ok::<_, Fault>(max.map_or(Some(ENTRIES_MAX), |max| usize::try_from(max).ok().filter(|max| *max > 0)))
        };
        let number = |node: Node<'_>, name: &str| {
            request::attribute(node, name)?;
            let number = request::integer_attribute(node, name, i32::MIN, i32::MAX)?;
            Ok::<_, Fault>(number.and_then(|number| usize::try_from(number).ok()))
        };
        if let Some(node) = body.child_local(&format!("IndexedPage{kind}")) {
            const BASES: &[(&str, bool)] = &[("Beginning", false), ("End", true)];
            let base = request::attribute(node, "BasePoint")?;
            let from_end = request::enumeration(node, base, "IndexBasePointType", BASES)?;
            return Ok(match (number(node, "Offset")?, max(node)?) {
                (Some(offset), Some(max)) => Ok(Self::Indexed { offset, from_end, max: max.min(ENTRIES_MAX) }),
                _ => Err(ResponseCode::ErrorInvalidIndexedPagingParameters.into()),
            });
        }
        if let Some(node) = body.child_local(&format!("FractionalPage{kind}")) {
            return Ok(match (number(node, "Numerator")?, number(node, "Denominator")?, max(node)?) {
                (Some(numerator), Some(denominator), Some(max)) if denominator > 0 && numerator <= denominator => {
                    Ok(Self::Fractional { numerator, denominator, max: max.min(ENTRIES_MAX) })
                }
                _ => Err(ResponseCode::ErrorInvalidFractionalPagingParameters.into()),
            });
        }
        Ok(Ok(Self::All))
    }

    /// The first hit and the number of hits, out of `total`.
    pub(super) fn range(self, total: usize) -> (usize, usize) {
        match self {
            Self::All | Self::Calendar(_) => (0, ENTRIES_MAX),
            Self::First(max) => (0, max),
            Self::Indexed { offset, from_end: false, max } => (offset.min(total), max),
            Self::Indexed { offset, from_end: true, max } => {
                let end = total.saturating_sub(offset);
                let start = end.saturating_sub(max);
                (start, end - start)
            }
            Self::Fractional { numerator, denominator, max } => {
                let start = (total as u128 * numerator as u128 / denominator as u128) as usize;
                (start.min(total), max)
            }
        }
    }

    /// Whether the number of all hits has to be known to find the first one.
    const fn needs_total(self) -> bool {
        matches!(self, Self::Fractional { .. } | Self::Indexed { from_end: true, .. })
    }

    /// Writes the attributes of the answer, `returned` hits from `start` on.
    pub(super) fn write(self, out: &mut Writer, start: usize, returned: usize, total: usize) {
        let end = start + returned;
        let last = match self {
            Self::Indexed { offset, from_end: true, .. } => {
                out.attribute_display("IndexedPagingOffset", offset + returned);
                start == 0
            }
            Self::Indexed { .. } => {
                out.attribute_display("IndexedPagingOffset", end);
                end >= total
            }
            Self::Fractional { .. } => {
                out.attribute_display("NumeratorOffset", end);
                out.attribute_display("AbsoluteDenominator", total);
                end >= total
            }
            Self::All | Self::Calendar(_) | Self::First(_) => end >= total,
        };
        out.attribute_display("TotalItemsInView", total);
        out.attribute("IncludesLastItemInRange", if last { "true" } else { "false" });
    }
}

impl Operation for FindItem {
    const NAME: &'static str = "FindItem";
    const CHILDREN: &'static [&'static str] = &["ItemShape", "IndexedPageItemView", "FractionalPageItemView", "SeekToConditionPageItemView", "CalendarView", "ContactsView", "GroupBy", "DistinguishedGroupBy", "Restriction", "SortOrder", "ParentFolderIds", "QueryString"];

    fn decode(body: Node<'_>) -> Result<Self, Fault> {
        const TRAVERSALS: &[(&str, SyncScope)] = &[
            ("Shallow", SyncScope::Normal),
            ("Associated", SyncScope::Associated),
            ("SoftDeleted", SyncScope::Normal),
        ];
        let traversal = request::attribute(body, "Traversal")?;
        let scope = request::enumeration(body, traversal, "ItemQueryTraversalType", TRAVERSALS)?;
        let (page, query) = match read_query(body, scope)? {
            Ok((page, query)) => (page, Ok(query)),
            Err(failure) => (Page::All, Err(failure)),
        };
        Ok(Self {
            shape: ItemShape::read(request::required(body, "ItemShape")?)?,
            page,
            query,
            words: body.child_local("QueryString").map(|words| words.text().into_owned()),
            group: GroupBy::read(body)?,
            soft_deleted: traversal == "SoftDeleted",
            folders: FolderRef::read_batch(request::required(body, "ParentFolderIds")?)?,
        })
    }

    async fn run(self, context: &Context<'_>, answer: &mut Answer) -> Result<(), Fault> {
        let mut views = Views::default();
        let mut writer = ItemWriter::new(&self.shape, Purpose::Find, &context.header);
        for folder in &self.folders {
            let ready = self.query.as_ref().map_err(Clone::clone);
            let ready = ready.and_then(|query| self.shape.check(Purpose::Find).map(|()| query));
            let ready = ready.and_then(|query| folder.as_ref().map(|folder| (query, folder)).map_err(Clone::clone));
            let ready = ready.and_then(|ready| Ok((ready, self.group.as_ref().map_err(Clone::clone)?)));
            let done = match ready {
                Ok(((query, folder), group)) if group.is_some() || self.words.is_some() => {
                    let (words, group) = (self.words.as_deref(), group.as_ref());
                    let whole = Whole { page: self.page, query, words, group, soft_deleted: self.soft_deleted };
                    whole.find(context, &mut views, &mut writer, folder, answer).await
                }
                Ok(((query, folder), _)) => {
                    let ask = (self.page, query, self.soft_deleted);
                    find(context, &mut views, &mut writer, ask, folder, answer).await
                }
                Err(failure) => Err(failure),
            };
            if let Err(failure) = done {
                answer.error(&failure);
            }
            answer.pause().await;
        }
        Ok(())
    }
}

fn read_query(body: Node<'_>, scope: SyncScope) -> Result<Result<(Page, Query), Failure>, Fault> {
    let refused = |text: &'static str| Ok(Err(Failure::text(ResponseCode::ErrorUnsupportedQueryFilter, text)));
    if body.child_local("SeekToConditionPageItemView").is_some() {
        return refused("Seeking to a condition is not available on this server.");
    }
    let subject = if scope == SyncScope::Associated { Subject::Associated } else { Subject::Items };
    let predicate = match body.child_local("Restriction") {
        Some(node) => restriction::read(node, subject)?,
        None => Ok(Predicate::True),
    };
    let sort = match body.child_local("SortOrder") {
        Some(node) => restriction::read_sort(node)?,
        None => Ok(Vec::new()),
    };
    let mut page = Page::read(body, "ItemView")?;
    let (mut predicate, mut sort) = match (predicate, sort) {
        (Ok(predicate), Ok(sort)) => (predicate, sort),
        (Err(failure), _) | (_, Err(failure)) => return Ok(Err(failure)),
    };
    if let Some(view) = body.child_local("CalendarView") {
        page = Ok(Page::Calendar(CalendarView::read(view, ENTRIES_MAX)?));
        sort.clear();
    }
    if let Some(view) = body.child_local("ContactsView") {
        let (max, names) = contacts_view::read(view, ENTRIES_MAX)?;
        page = Ok(Page::First(max));
        predicate = Predicate::And(vec![predicate, names]);
        if sort.is_empty() {
            sort.push(contacts_view::ORDER);
        }
    }
    Ok(page.map(|page| (page, Query { predicate, sort, offset: 0, limit: 0, scope })))
}

async fn find(
    context: &Context<'_>,
    views: &mut Views,
    writer: &mut ItemWriter<'_>,
    (page, query, soft_deleted): (Page, &Query, bool),
    folder: &FolderRef,
    answer: &mut Answer,
) -> Result<(), Failure> {
    let (mailbox, view) = views.get(context, &folder.mailbox).await?;
    let guid = mailbox.guid();
    let (folder, query) = opened(view, folder, query, soft_deleted).await?;
    if let Page::Calendar(calendar) = page {
        return find_in_calendar(view, writer, (guid, page, calendar), (&folder, &query), answer).await;
    }
    // The order of birth is that of the domain, newest first; the other direction is the same read from the end.
    let birth = restriction::order_of_birth(&query.sort);
    let sort = if birth.is_some() { Vec::new() } else { query.sort.clone() };
    let mut query = Query { sort, ..query };
    let total = if page.needs_total() || birth == Some(Order::Ascending) {
        find_in(view, &folder, &query).await?.total
    } else {
        usize::MAX
    };
    let (start, limit) = page.range(total);
    let backwards = birth == Some(Order::Ascending);
    if backwards {
        let end = total.saturating_sub(start);
        query.offset = end.saturating_sub(limit);
        query.limit = end - query.offset;
    } else {
        (query.offset, query.limit) = (start, limit);
    }
    let mut found = find_in(view, &folder, &query).await?;
    if backwards {
        found.rows.reverse();
    }
    let access = view.access().await?;
    answer.success(|out| {
        out.start("m:RootFolder");
        page.write(out, start.min(found.total), found.rows.len(), found.total);
        write_items(out, writer, (guid, &access), &found, 0..found.rows.len());
        out.end();
    });
    Ok(())
}

/// Writes some of the found items.
fn write_items(
    out: &mut Writer,
    writer: &mut ItemWriter<'_>,
    (mailbox, access): (Guid, &Access),
    found: &Found,
    places: impl IntoIterator<Item = usize>,
) {
    out.scope("t:Items", |out| {
        for row in places.into_iter().filter_map(|at| found.rows.get(at)) {
            match ItemView::new(row) {
                Ok(view) => writer.write(out, &Item::of_row(mailbox, view).seen_by(access)),
                Err(_) => {
                    write_unreadable(out, Place { mailbox, folder: row.collection, item: row.item, seq: row.seq });
                }
            }
        }
    });
}

/// A question that is answered from all its hits at once: what is asked in words, and what is grouped.
struct Whole<'a> {
    page: Page,
    query: &'a Query,
    words: Option<&'a str>,
    group: Option<&'a GroupBy>,
    soft_deleted: bool,
}

impl Whole<'_> {
    /// Costs all hits; with words about bodies, the bodies of all that may be hits.
    async fn find(
        &self,
        context: &Context<'_>,
        views: &mut Views,
        writer: &mut ItemWriter<'_>,
        folder: &FolderRef,
        answer: &mut Answer,
    ) -> Result<(), Failure> {
        if matches!(self.page, Page::Calendar(_)) {
            let text = "The query filter is not supported: a calendar view has neither groups nor a query string.";
            return Err(Failure::text(ResponseCode::ErrorUnsupportedQueryFilter, text));
        }
        let now = context.engine().clock().now();
        let words = self.words.map(|words| QueryString::read(words, now)).transpose()?;
        let (mailbox, view) = views.get(context, &folder.mailbox).await?;
        let guid = mailbox.guid();
        let (folder, query) = opened(view, folder, self.query, self.soft_deleted).await?;
        let mut query = Query { limit: ENTRIES_MAX, ..query };
        if let Some(words) = &words {
            query.predicate = Predicate::And(vec![query.predicate, words.light()]);
        }
        let mut found = find_in(view, &folder, &query).await?;
        if found.total > ENTRIES_MAX {
            return Err(ResponseCode::ErrorExceededFindCountLimit.into());
        }
        if let Some(words) = words.filter(QueryString::needs_bodies) {
            let mut fitting = Vec::new();
            for row in found.rows {
                if let Ok(item) = ItemView::new(&row)
                    && words.fits(view, item).await?
                {
                    fitting.push(row);
                }
            }
            found.rows = fitting;
        }
        let access = view.access().await?;
        let total = found.rows.len();
        let (start, limit) = self.page.range(total);
        let shown = start..start.saturating_add(limit).min(total);
        answer.success(|out| {
            out.start("m:RootFolder");
            self.page.write(out, start, shown.len(), total);
            match self.group {
                None => write_items(out, writer, (guid, &access), &found, shown),
                Some(group) => out.scope("t:Groups", |out| {
                    let views: Vec<_> = found.rows.iter().map(|row| ItemView::new(row).ok()).collect();
                    let mut before = 0;
                    for (name, members) in group.groups(&views) {
                        // Groups lie one after another, and the page may begin or end inside one.
                        let place = |offset: usize| offset.saturating_sub(before).min(members.len());
                        let inside = members.get(place(shown.start)..place(shown.end)).unwrap_or_default();
                        before += members.len();
                        if !inside.is_empty() {
                            out.scope("t:GroupedItems", |out| {
                                out.element("t:GroupIndex", &name);
                                write_items(out, writer, (guid, &access), &found, inside.iter().copied());
                            });
                        }
                    }
                }),
            }
            out.end();
        });
        Ok(())
    }
}

async fn find_in_calendar(
    view: &mut View,
    writer: &mut ItemWriter<'_>,
    (guid, page, calendar): (Guid, Page, CalendarView),
    (folder, query): (&Folder, &Query),
    answer: &mut Answer,
) -> Result<(), Failure> {
    let found = find_in(view, folder, &calendar_view::query(calendar, query, ENTRIES_MAX)).await?;
    let (entries, total) = calendar.entries(view, &found).await?;
    let access = view.access().await?;
    answer.success(|out| {
        out.start("m:RootFolder");
        page.write(out, 0, entries.len(), total);
        out.scope("t:Items", |out| {
            for (at, occurrence) in entries {
                if let Some(Ok(view)) = found.rows.get(at).map(ItemView::new) {
                    let mut item = Item::of_row(guid, view).seen_by(&access);
                    item.occurrence = occurrence;
                    writer.write(out, &item);
                }
            }
        });
        out.end();
    });
    Ok(())
}

/// The folder to look into, with what to look for there: what was deleted from a folder lies in Recoverable Items.
async fn opened(
    view: &mut View,
    folder: &FolderRef,
    query: &Query,
    soft_deleted: bool,
) -> Result<(Folder, Query), Failure> {
    let folder = folder::open_folder(view, &folder.target).await?;
    if !soft_deleted {
        return Ok((folder, query.clone()));
    }
    let from_there = Predicate::Compare {
        left: Operand::Key(DELETED_FROM),
        how: Comparison::Equal,
        right: Operand::Constant(Value::I64(folder.id().to_i64())),
        ignore_case: false,
    };
    let predicate = Predicate::And(vec![query.predicate.clone(), from_there]);
    let bin = view.distinguished("recoverableitemsdeletions").await?;
    Ok((view.folder(bin).await?, Query { predicate, ..query.clone() }))
}

async fn find_in(view: &mut View, folder: &Folder, query: &Query) -> Result<Found, Failure> {
    if folder.is_search() { search::find(view, folder, query).await } else { Ok(view.find(folder.id(), query).await?) }
}

#[cfg(test)]
mod tests {
    use model::{Value, tags};

    use crate::testing::{Answered, World};

    fn find(world: &World, traversal: &str, middle: &str) -> Answered {
        world.call(&format!(
            "<FindItem Traversal=\"{traversal}\"><ItemShape><t:BaseShape>IdOnly</t:BaseShape><t:AdditionalProperties>\
             <t:FieldURI FieldURI=\"item:Subject\"/></t:AdditionalProperties></ItemShape>{middle}<ParentFolderIds>\
             <t:DistinguishedFolderId Id=\"inbox\"/></ParentFolderIds></FindItem>"
        ))
    }

    fn world() -> World {
        let world = World::new();
        for subject in ["c", "a", "e", "b", "d"] {
            world.message("inbox", subject);
        }
        world
    }

    const BY_SUBJECT: &str =
        "<SortOrder><t:FieldOrder Order=\"Ascending\"><t:FieldURI FieldURI=\"item:Subject\"/></t:FieldOrder></SortOrder>";

    fn by_number(order: &str) -> String {
        format!(
            "<SortOrder><t:FieldOrder Order=\"{order}\"><t:ExtendedFieldURI PropertyTag=\"0x0E23\" PropertyType=\"Integer\"/>\
             </t:FieldOrder></SortOrder>"
        )
    }

    fn indexed(max: usize, offset: usize, base: &str) -> String {
        format!("<IndexedPageItemView MaxEntriesReturned=\"{max}\" Offset=\"{offset}\" BasePoint=\"{base}\"/>")
    }

    #[test]
    fn orders_and_pages() {
        let world = world();
        for (middle, subjects, last, next) in [
            (String::new(), "d b e a c", "true", ""),
            (BY_SUBJECT.to_owned(), "a b c d e", "true", ""),
            (by_number("Ascending"), "c a e b d", "true", ""),
            (by_number("Descending"), "d b e a c", "true", ""),
            (indexed(2, 1, "Beginning") + &by_number("Ascending"), "a e", "false", "3"),
            (indexed(2, 0, "Beginning") + BY_SUBJECT, "a b", "false", "2"),
            (indexed(2, 4, "Beginning") + BY_SUBJECT, "e", "true", "5"),
            (indexed(2, 9, "Beginning") + BY_SUBJECT, "", "true", "5"),
            (indexed(2, 0, "End") + BY_SUBJECT, "d e", "false", "2"),
            (indexed(2, 4, "End") + BY_SUBJECT, "a", "true", "5"),
            (
                format!("<FractionalPageItemView MaxEntriesReturned=\"2\" Numerator=\"1\" Denominator=\"2\"/>{BY_SUBJECT}"),
                "c d",
                "false",
                "",
            ),
        ] {
            let answer = find(&world, "Shallow", &middle).success();
            assert_eq!(answer.texts("Subject").join(" "), subjects, "{middle}");
            assert_eq!(answer.attributes("RootFolder", "IncludesLastItemInRange"), [last], "{middle}");
            assert_eq!(answer.attributes("RootFolder", "TotalItemsInView"), ["5"], "{middle}");
            assert_eq!(answer.attributes("RootFolder", "IndexedPagingOffset"), [next], "{middle}");
        }
    }

    #[test]
    fn conditions_and_associated_items() {
        let world = world();
        let content = model::ItemContent {
            bag: [(tags::SUBJECT, Value::text("hidden"))].into_iter().collect(),
            ..model::ItemContent::default()
        };
        world.content("inbox", content, model::ItemFlags::ASSOCIATED);
        let condition = "<Restriction><t:IsGreaterThan><t:FieldURI FieldURI=\"item:Subject\"/><t:FieldURIOrConstant>\
            <t:Constant Value=\"c\"/></t:FieldURIOrConstant></t:IsGreaterThan></Restriction>";
        let answer = find(&world, "Shallow", &format!("{condition}{BY_SUBJECT}")).success();
        assert_eq!(answer.texts("Subject"), ["d", "e"]);
        assert_eq!(find(&world, "Associated", "").success().texts("Subject"), ["hidden"]);
    }

    fn group(order: &str, by: &str, aggregate: &str, on: &str) -> String {
        format!(
            "<GroupBy Order=\"{order}\"><t:FieldURI FieldURI=\"{by}\"/><t:AggregateOn Aggregate=\"{aggregate}\"><t:FieldURI FieldURI=\"{on}\"/>\
             </t:AggregateOn></GroupBy>"
        )
    }

    #[test]
    fn groups_stand_in_the_order_of_their_values() {
        let world = World::new();
        for (subject, topic, day) in [("1", "x", 1), ("2", "y", 2), ("3", "x", 5), ("4", "z", 3), ("5", "y", 4), ("6", "", 6)] {
            let time = format!("2024-01-0{day}T00:00:00Z").parse().unwrap();
            let mut properties = vec![
                (tags::SUBJECT, Value::text(subject)),
                (tags::MESSAGE_DELIVERY_TIME, Value::Time(time)),
            ];
            if !topic.is_empty() {
                properties.push((tags::CONVERSATION_TOPIC, Value::text(topic)));
            }
            world.item("inbox", &properties);
        }
        let received = |order, aggregate| group(order, "message:ConversationTopic", aggregate, "item:DateTimeReceived");
        let standard = "<DistinguishedGroupBy Order=\"Descending\"><t:StandardGroupBy>ConversationTopic</t:StandardGroupBy></DistinguishedGroupBy>";
        for (middle, groups, subjects) in [
            (received("Ascending", "Minimum"), "x y z ", "3 1 5 2 4 6"),
            (received("Descending", "Minimum"), " z y x", "6 4 5 2 3 1"),
            (received("Ascending", "Maximum"), "z y x ", "4 5 2 3 1 6"),
            (received("Descending", "Maximum") + BY_SUBJECT, " x y z", "6 1 3 2 5 4"),
            (standard.to_owned(), " x y z", "6 3 1 5 2 4"),
            (indexed(2, 2, "Beginning") + &received("Ascending", "Minimum"), "y", "5 2"),
            (indexed(3, 1, "Beginning") + &received("Ascending", "Minimum"), "x y", "1 5 2"),
        ] {
            let answer = find(&world, "Shallow", &middle).success();
            assert_eq!(answer.children("RootFolder"), ["Groups"], "{middle}");
            assert_eq!(answer.texts("GroupIndex").join(" "), groups, "{middle}");
            assert_eq!(answer.texts("Subject").join(" "), subjects, "{middle}");
            assert_eq!(answer.attributes("RootFolder", "TotalItemsInView"), ["6"], "{middle}");
        }
    }

    /// Words are looked for in bodies, too, which lie apart where they are large.
    #[test]
    fn words_find_items() {
        let world = World::new();
        let text = |subject: &str, body: String| {
            world.item("inbox", &[(tags::SUBJECT, Value::text(subject)), (tags::BODY, Value::Text(body))]);
        };
        text("Budget", "figures".into());
        text("Minutes", format!("{} budget", "long ".repeat(3_000)));
        let html = Value::binary(b"<p>A <b>bud</b>get</p>".to_vec());
        world.item("inbox", &[(tags::SUBJECT, Value::text("Page")), (tags::HTML, html)]);
        text("Other", "nothing".into());
        for (words, subjects) in [
            ("budget", "Page Minutes Budget"),
            ("subject:budget", "Budget"),
            ("body:budget", "Page Minutes"),
            ("-body:budget", "Other Budget"),
            ("budget -figures", "Page Minutes"),
            ("", "Other Page Minutes Budget"),
        ] {
            let answer = find(&world, "Shallow", &format!("<QueryString>{words}</QueryString>")).success();
            assert_eq!(answer.texts("Subject").join(" "), subjects, "{words}");
        }
        let page = indexed(1, 1, "Beginning") + BY_SUBJECT + "<QueryString>budget</QueryString>";
        let page = find(&world, "Shallow", &page).success();
        assert_eq!((page.texts("Subject"), page.attributes("RootFolder", "TotalItemsInView")), (vec!["Minutes".into()], vec!["3".into()]));
    }

    /// What was softly deleted is found from where it was, under the id that it has now.
    #[test]
    fn deleted_items_are_found_from_where_they_were() {
        let world = World::new();
        let folder = "<CreateFolder><ParentFolderId><t:DistinguishedFolderId Id=\"inbox\"/></ParentFolderId><Folders><t:Folder>\
            <t:DisplayName>Inside</t:DisplayName></t:Folder></Folders></CreateFolder>";
        let inside = world.call(folder).success().attributes("FolderId", "Id").remove(0);
        let (one, _) = world.message("inbox", "one");
        let (moved, _) = world.message("inbox", "moved");
        world.message("inbox", "kept");
        let (other, _) = world.message("drafts", "other");
        let delete = |mode: &str, id: &str| {
            world.call(&format!("<DeleteItem DeleteType=\"{mode}\"><ItemIds><t:ItemId Id=\"{id}\"/></ItemIds></DeleteItem>")).success();
        };
        world
            .call(&format!(
                "<MoveItem><ToFolderId><t:FolderId Id=\"{inside}\"/></ToFolderId><ItemIds><t:ItemId Id=\"{moved}\"/></ItemIds></MoveItem>"
            ))
            .success();
        delete("SoftDelete", &one);
        delete("SoftDelete", &other);
        let found = find(&world, "SoftDeleted", "").success();
        assert_eq!((found.texts("Subject"), found.attributes("ItemId", "Id") == [one]), (vec!["one".into()], false));
        // With a folder go its items, and no folder is kept.
        world
            .call(&format!("<DeleteFolder DeleteType=\"SoftDelete\"><FolderIds><t:FolderId Id=\"{inside}\"/></FolderIds></DeleteFolder>"))
            .success();
        let get = format!(
            "<GetFolder><FolderShape><t:BaseShape>IdOnly</t:BaseShape></FolderShape><FolderIds><t:FolderId Id=\"{inside}\"/></FolderIds></GetFolder>"
        );
        assert_eq!(world.call(&get).codes(), ["ErrorFolderNotFound"]);
        let bin = "<FindItem Traversal=\"Shallow\"><ItemShape><t:BaseShape>Default</t:BaseShape></ItemShape><ParentFolderIds>\
            <t:DistinguishedFolderId Id=\"recoverableitemsdeletions\"/></ParentFolderIds></FindItem>";
        assert_eq!(world.call(bin).success().texts("Subject"), ["moved", "other", "one"]);
        assert_eq!(find(&world, "SoftDeleted", "").success().texts("Subject"), ["one"]);
        let empty = "<EmptyFolder DeleteType=\"SoftDelete\" DeleteSubFolders=\"true\"><FolderIds><t:DistinguishedFolderId Id=\"inbox\"/></FolderIds></EmptyFolder>";
        world.call(empty).success();
        assert_eq!(find(&world, "SoftDeleted", BY_SUBJECT).success().texts("Subject"), ["kept", "one"]);
    }

    #[test]
    fn what_cannot_be_found_is_refused() {
        let world = world();
        for (middle, code) in [
            (indexed(0, 0, "Beginning"), "ErrorInvalidIndexedPagingParameters"),
            (indexed(1, 0, "Middle"), "ErrorSchemaValidation"),
            (
                "<FractionalPageItemView Numerator=\"2\" Denominator=\"1\"/>".into(),
                "ErrorInvalidFractionalPagingParameters",
            ),
            (BY_SUBJECT.replace("item:Subject", "item:Body"), "ErrorUnsupportedPathForSortGroup"),
            (group("Ascending", "item:Body", "Maximum", "item:Size"), "ErrorUnsupportedPathForSortGroup"),
            (group("Ascending", "item:Size", "Maximum", "item:Body"), "ErrorUnsupportedPathForSortGroup"),
            (group("Upwards", "item:Size", "Maximum", "item:Size"), "ErrorSchemaValidation"),
            (group("Ascending", "item:Size", "Most", "item:Size"), "ErrorSchemaValidation"),
            (
                group("Ascending", "item:Size", "Maximum", "item:Size")
                    .replace("</GroupBy>", "<t:MaxItemsPerGroup>1</t:MaxItemsPerGroup></GroupBy>"),
                "ErrorUnsupportedQueryFilter",
            ),
            ("<QueryString>color:red</QueryString>".into(), "ErrorUnsupportedQueryFilter"),
        ] {
            assert_eq!(find(&world, "Shallow", &middle).codes(), [code], "{middle}");
        }
        assert_eq!(find(&world, "Deep", "").status, 500);
    }

    #[test]
    fn a_calendar_view_shows_what_overlaps() {
        let world = World::new();
        for (subject, start, end) in [
            ("before", "2024-01-01T10:00:00Z", "2024-01-01T11:00:00Z"),
            ("into", "2024-01-01T23:00:00Z", "2024-01-02T01:00:00Z"),
            ("inside", "2024-01-02T10:00:00Z", "2024-01-02T11:00:00Z"),
            ("after", "2024-01-03T00:00:00Z", "2024-01-03T01:00:00Z"),
        ] {
            world.item(
                "calendar",
                &[
                    (tags::MESSAGE_CLASS, Value::text("IPM.Appointment")),
                    (tags::SUBJECT, Value::text(subject)),
                    (model::lids::START_WHOLE, Value::Time(start.parse().unwrap())),
                    (model::lids::END_WHOLE, Value::Time(end.parse().unwrap())),
                ],
            );
        }
        let answer = world.call(
            "<FindItem Traversal=\"Shallow\"><ItemShape><t:BaseShape>Default</t:BaseShape></ItemShape>\
             <CalendarView StartDate=\"2024-01-02T00:00:00Z\" EndDate=\"2024-01-03T00:00:00Z\"/><ParentFolderIds>\
             <t:DistinguishedFolderId Id=\"calendar\"/></ParentFolderIds></FindItem>",
        );
        assert_eq!(answer.success().texts("Subject"), ["into", "inside"]);
    }
}
