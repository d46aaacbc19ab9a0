//! Choosing the rows of an answer without a token: conditions, folders, orders and pages.
//!
//! Where an index of the list leads to the rows, [`indexed`] reads them; otherwise the list is read. Both give the same
//! rows in the same order, with the same pages.

mod indexed;

use std::cmp::Ordering;
use std::collections::BTreeMap;

use engine::{SyncScope, View};
use model::{ItemId, Predicate, Seq, Time, Value, limits};

use crate::moderation::ModerationView;
use crate::{
    caml::{Condition, FieldRef, Moment, OrderKey, SortCell, id_bounds, sort_cells},
    code::Failure,
    fields::Field,
    list_settings, paths,
    query_options::{Instance, QueryOptions, Scope},
    rows::{Item, Row},
    schema::List,
    views::{self, ListView},
};

/// Rows of a list that is sorted by something other than the id.
const SORT_ROWS_MAX: usize = 2_000_000;

/// Which rows belong to an answer.
#[derive(Clone, Debug, Default)]
pub(crate) struct Filter {
    /// They satisfy this.
    pub(crate) condition: Option<Condition>,
    /// They lie in this folder, a path inside the list. `None` for a folder elsewhere: no row does.
    pub(crate) folder: Option<String>,
    /// How deep below the folder they may lie.
    pub(crate) scope: Scope,
    /// Of which instance of a meeting, in a list that has these.
    pub(crate) instance: Option<Instance>,
    /// Which rows as to their approval.
    pub(crate) moderation: Option<ModerationView>,
}

impl Filter {
    /// The filter of a query with its options; `view` is the one that the client names.
    pub(crate) fn new(
        list: &List,
        condition: Option<Condition>,
        options: &QueryOptions,
        view: Option<&ListView>,
    ) -> Self {
        let scope = options.scope.or(view.and_then(|view| view.scope)).unwrap_or(options.scope_default);
        let instance = list_settings::MULTIPLE_DATA_LIST.is_on(list).then_some(options.instance);
        let moderation = options.moderation.filter(|_| list_settings::ENABLE_MODERATION.is_on(list));
        Self { instance, moderation, ..Self::in_folder(list, condition, options.folder.as_deref(), scope) }
    }

    /// The filter of a condition in a folder, given by its URL, and below.
    pub(crate) fn in_folder(list: &List, condition: Option<Condition>, url: Option<&str>, scope: Scope) -> Self {
        let folder = match url {
            None => Some(String::new()),
            Some(url) => {
                let inside = paths::inside_site(&list.host_url, &list.site_folder, url);
                paths::below(&inside, list.collection.folder()).map(str::to_owned)
            }
        };
        Self { condition, folder, scope, ..Self::default() }
    }

    /// Whether every row belongs to the answer.
    fn takes_all(&self) -> bool {
        let root = self.folder.as_deref() == Some("");
        self.condition.is_none()
            && root
            && self.scope == Scope::RecursiveAll
            && self.instance.is_none()
            && self.moderation.is_none()
    }

    /// The lowest and the highest number that a row of the answer may have.
    fn numbers(&self, list: &List, moment: &Moment<'_>) -> (u32, u32) {
        self.condition.as_ref().map_or((1, u32::MAX), |condition| id_bounds(condition, list, moment))
    }

    /// Whether a row belongs to the answer.
    pub(crate) fn takes(&self, row: &Row<'_>, moment: &Moment<'_>) -> bool {
        let Some(folder) = &self.folder else { return false };
        let directory = row.directory();
        let here = directory.len() == folder.len() && directory.eq_ignore_ascii_case(folder);
        let placed = match self.scope {
            Scope::Folder => here,
            Scope::FilesOnly => here && !row.is_folder(),
            Scope::Recursive => !row.is_folder() && (here || paths::below(&directory, folder).is_some()),
            Scope::RecursiveAll => here || paths::below(&directory, folder).is_some(),
        };
        let of_instance = self.instance.is_none_or(|instance| {
            let own = row.stored("InstanceID");
            instance.takes(own.as_ref().and_then(Value::as_i64))
        });
        let as_asked = self.moderation.is_none_or(|view| view.takes(row, moment.user_id));
        placed
            && of_instance
            && as_asked
            && self.condition.as_ref().is_none_or(|condition| condition.holds(row, moment))
    }
}

/// Where a page ended. Clients send it back as it is: `Paged=TRUE&p_Title=tabc&p_ID=10&p_Since=99,13300000000000`.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Bookmark {
    /// The number of the last row. 0 before the first.
    pub(crate) number: u32,
    /// The position of the list when its first page was read, and when that was: every page of a listing returns the
    /// same token, which a store that was put back meanwhile then tells as one of a lost timeline.
    pub(crate) since: Option<(Seq, Time)>,
    /// What the last row was sorted by, by field.
    pub(crate) keys: BTreeMap<String, String>,
}

impl Bookmark {
    /// Reads a bookmark.
    ///
    /// # Errors
    /// [`Failure::Uncoded`] where it is none.
    pub(crate) fn parse(text: &str) -> Result<Self, Failure> {
        let mut bookmark = Self::default();
        for part in text.trim().trim_start_matches('?').split('&').take(64) {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            let value = paths::decode(&value.replace('+', " "));
            let bad = || Failure::uncoded("The paging position is not valid.");
            match name.strip_prefix("p_") {
                Some("ID") => bookmark.number = value.trim().parse().map_err(|_| bad())?,
                Some("Since") => {
                    let (position, at) = value.split_once(',').ok_or_else(bad)?;
                    let number = |text: &str| text.trim().parse::<i64>().map_err(|_| bad());
                    let position = u64::try_from(number(position)?).map_err(|_| bad())?;
                    bookmark.since = Some((Seq(position), Time(number(at)?)));
                }
                Some(field) => {
                    bookmark.keys.insert(field.to_owned(), value);
                }
                None => {}
            }
        }
        Ok(bookmark)
    }

    /// The bookmark of a row in an order.
    pub(crate) fn of(order: &[OrderKey], cells: &[SortCell], number: u32) -> Self {
        let keys = order.iter().zip(cells).filter(|(key, _)| key.field.name() != "ID");
        let keys = keys.map(|(key, cell)| (key.field.name().to_owned(), cell_text(cell))).collect();
        Self { number, since: None, keys }
    }

    /// The cells of the row, where the bookmark has them.
    pub(crate) fn cells(&self, order: &[OrderKey]) -> Option<Vec<SortCell>> {
        order
            .iter()
            .map(|key| {
                // The number of the row is told by that name anyway.
                if key.field.name() == "ID" {
                    return Some(SortCell::Number(f64::from(self.number)));
                }
                let text = self.keys.get(key.field.name())?;
                match text.split_at_checked(1) {
                    Some(("n", number)) => number.parse().ok().map(SortCell::Number),
                    Some(("t", text)) => Some(SortCell::Text(text.to_owned())),
                    _ if text.is_empty() => Some(SortCell::Null),
                    _ => None,
                }
            })
            .collect()
    }
}

impl std::fmt::Display for Bookmark {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Paged=TRUE")?;
        for (field, value) in &self.keys {
            let mut encoded = String::new();
            paths::encode_into(&mut encoded, value);
            write!(f, "&p_{field}={}", encoded.replace('&', "%26").replace('=', "%3D").replace('+', "%2B"))?;
        }
        write!(f, "&p_ID={}", self.number)?;
        match self.since {
            Some((position, at)) => write!(f, "&p_Since={position},{}", at.0),
            None => Ok(()),
        }
    }
}

/// More rows than these are not kept in memory, only their ids.
const IN_MEMORY_ROWS_MAX: usize = limits::PAGE_ROWS_MAX;

/// A page of rows.
#[derive(Clone, Debug, Default)]
pub(crate) struct Listing {
    /// In the order asked. Empty where `ids` or `all` stands for them.
    pub(crate) items: Vec<Item>,
    /// The rows' ids in the order asked, where there are too many to keep.
    pub(crate) ids: Vec<ItemId>,
    /// All rows of the list, by number.
    pub(crate) all: bool,
    /// Ids are kept in place of rows.
    pub(crate) keep_ids: bool,
    /// Where the next page starts, if there is one.
    pub(crate) next: Option<Bookmark>,
}

impl Listing {
    fn len(&self) -> usize {
        self.items.len() + self.ids.len()
    }

    fn last(&self) -> Option<ItemId> {
        self.ids.last().copied().or_else(|| self.items.last().map(|item| item.id))
    }
}

/// The order of a query; calendars put the series together where that is asked. Where nothing else says so, rows may be
/// asked for by folder and name.
pub(crate) fn effective_order(
    list: &List,
    order: &[OrderKey],
    recurrence_order: bool,
    folder_order: bool,
) -> Vec<OrderKey> {
    let key = |name: &str| OrderKey { field: FieldRef::named(name), ascending: true };
    let mut keys = Vec::new();
    if recurrence_order && list.field("RecurrenceData").is_some() {
        keys.extend([key("UID"), key("EventType"), key("EventDate")]);
    }
    keys.extend(order.iter().cloned());
    if keys.is_empty() && folder_order {
        keys.extend([key("FileDirRef"), key("FileLeafRef")]);
    }
    keys
}

/// The order of two rows by their cells, then by number.
pub(crate) fn order_rows(order: &[OrderKey], left: &(Vec<SortCell>, u32), right: &(Vec<SortCell>, u32)) -> Ordering {
    for ((key, left), right) in order.iter().zip(&left.0).zip(&right.0) {
        let by_key = left.order(right);
        let by_key = if key.ascending { by_key } else { by_key.reverse() };
        if by_key.is_ne() {
            return by_key;
        }
    }
    left.1.cmp(&right.1)
}

/// Reads a page of any size: beyond [`IN_MEMORY_ROWS_MAX`] rows only what tells them.
///
/// # Errors
/// As [`page`].
pub(crate) async fn large_page(
    view: &mut View,
    list: &List,
    filter: &Filter,
    order: &[OrderKey],
    after: Option<&Bookmark>,
    limit: Option<usize>,
    moment: &Moment<'_>,
) -> Result<Listing, Failure> {
    if limit.is_some_and(|limit| limit <= IN_MEMORY_ROWS_MAX) {
        return page(view, list, filter, order, after, limit, moment).await;
    }
    let by_number = order.first().is_none_or(|key| key.ascending && is_id(list, key));
    if by_number
        && limit.is_none()
        && !list.collection.access.hides_rows()
        && filter.takes_all()
        && after.is_none_or(|bookmark| bookmark.number == 0)
    {
        return Ok(Listing { all: true, ..Listing::default() });
    }
    let listing = Listing { keep_ids: true, ..Listing::default() };
    read(view, list, filter, order, after, limit, moment, listing).await
}

fn is_id(list: &List, key: &OrderKey) -> bool {
    key.field.find(list).is_some_and(|field| field.name == "ID")
}

/// Reads a page of a list. By ascending or descending id it costs about what it reads; in any other order the list is
/// read once.
///
/// # Errors
/// When the store fails; [`Failure::Uncoded`] past the bounds.
pub(crate) async fn page(
    view: &mut View,
    list: &List,
    filter: &Filter,
    order: &[OrderKey],
    after: Option<&Bookmark>,
    limit: Option<usize>,
    moment: &Moment<'_>,
) -> Result<Listing, Failure> {
    read(view, list, filter, order, after, limit, moment, Listing::default()).await
}

#[expect(clippy::too_many_arguments, reason = "all of it is the question")]
async fn read(
    view: &mut View,
    list: &List,
    filter: &Filter,
    order: &[OrderKey],
    after: Option<&Bookmark>,
    limit: Option<usize>,
    moment: &Moment<'_>,
    listing: Listing,
) -> Result<Listing, Failure> {
    let limit = limit.unwrap_or(usize::MAX);
    let question = indexed::Question { list, filter, order, after, limit, moment };
    if let Some(found) = indexed::read(view, &question, &listing).await? {
        return Ok(found);
    }
    match order.first() {
        None => ascending(view, list, filter, after, limit, moment, listing).await,
        Some(key) if is_id(list, key) => {
            if key.ascending {
                ascending(view, list, filter, after, limit, moment, listing).await
            } else {
                descending(view, list, filter, after, limit, moment, listing).await
            }
        }
        Some(_) => sorted(view, list, filter, order, after, limit, moment, listing).await,
    }
}

async fn ascending(
    view: &mut View,
    list: &List,
    filter: &Filter,
    after: Option<&Bookmark>,
    limit: usize,
    moment: &Moment<'_>,
    mut listing: Listing,
) -> Result<Listing, Failure> {
    let (lowest, highest) = filter.numbers(list, moment);
    let from = after.map_or(0, |bookmark| bookmark.number).max(lowest.saturating_sub(1));
    let mut from = Some(ItemId::in_list(list.id(), from));
    let mut rows_max = 0;
    loop {
        let room = limit.saturating_sub(listing.len()).saturating_add(1);
        // Where few rows are taken, more are read at a time.
        rows_max = room.max(2 * rows_max).min(limits::PAGE_ROWS_MAX);
        let page = view.rows(list.id(), from, rows_max).await?;
        from = page.rows.last().map(|row| row.item);
        let more = page.more && from.is_some_and(|last| last.number() < highest);
        for row in page.rows {
            if take(&mut listing, list, filter, Item::from(row), limit, moment)? {
                return Ok(listing);
            }
        }
        if !more {
            return Ok(listing);
        }
    }
}

async fn descending(
    view: &mut View,
    list: &List,
    filter: &Filter,
    after: Option<&Bookmark>,
    limit: usize,
    moment: &Moment<'_>,
    mut listing: Listing,
) -> Result<Listing, Failure> {
    let mut below = match after.filter(|bookmark| bookmark.number > 0) {
        Some(bookmark) => bookmark.number,
        None => {
            let newest = engine::Query {
                predicate: Predicate::True,
                sort: Vec::new(),
                offset: 0,
                limit: 1,
                scope: SyncScope::NormalAndAssociated,
            };
            let found = view.find(list.id(), &newest).await?;
            found.rows.first().map_or(0, |row| row.item.number()).saturating_add(1)
        }
    };
    let (first, highest) = filter.numbers(list, moment);
    below = below.min(highest.saturating_add(1));
    let mut rows_max = 0;
    while below > first {
        let room = limit.saturating_sub(listing.len()).saturating_add(1);
        rows_max = room.max(2 * rows_max).min(limits::PAGE_ROWS_MAX);
        let lowest = below.saturating_sub(rows_max as u32).max(first);
        let ids: Vec<ItemId> = (lowest..below).rev().map(|number| ItemId::in_list(list.id(), number)).collect();
        below = lowest;
        for row in view.items(&ids).await?.into_iter().flatten() {
            if take(&mut listing, list, filter, Item::from(row), limit, moment)? {
                return Ok(listing);
            }
        }
    }
    Ok(listing)
}

/// Adds a row that the filter takes; true when it is one more than the limit, which then marks the next page.
fn take(
    listing: &mut Listing,
    list: &List,
    filter: &Filter,
    item: Item,
    limit: usize,
    moment: &Moment<'_>,
) -> Result<bool, Failure> {
    if !filter.takes(&Row::new(list, &item)?, moment) {
        return Ok(false);
    }
    if listing.len() >= limit {
        let number = listing.last().map_or(0, ItemId::number);
        listing.next = Some(Bookmark { number, ..Bookmark::default() });
        return Ok(true);
    }
    if listing.keep_ids {
        listing.ids.push(item.id);
    } else {
        listing.items.push(item);
    }
    Ok(false)
}

#[expect(clippy::too_many_arguments, reason = "all of it is the question")]
async fn sorted(
    view: &mut View,
    list: &List,
    filter: &Filter,
    order: &[OrderKey],
    after: Option<&Bookmark>,
    limit: usize,
    moment: &Moment<'_>,
    listing: Listing,
) -> Result<Listing, Failure> {
    let mut keyed: Vec<(Vec<SortCell>, u32)> = Vec::new();
    let mut from = None;
    loop {
        let page = view.rows(list.id(), from, limits::PAGE_ROWS_MAX).await?;
        from = page.rows.last().map(|row| row.item);
        let more = page.more;
        for row in page.rows {
            let item = Item::from(row);
            let row = Row::new(list, &item)?;
            if filter.takes(&row, moment) {
                keyed.push((sort_cells(&row, order, moment.names), row.number()));
            }
        }
        if !more {
            break;
        }
        if keyed.len() > SORT_ROWS_MAX {
            return Err(Failure::uncoded("The list is too large to be sorted."));
        }
    }
    sorted_page(view, list, order, after, limit, keyed, listing).await
}

/// The page of an order out of all rows that belong to it.
async fn sorted_page(
    view: &mut View,
    list: &List,
    order: &[OrderKey],
    after: Option<&Bookmark>,
    limit: usize,
    mut keyed: Vec<(Vec<SortCell>, u32)>,
    listing: Listing,
) -> Result<Listing, Failure> {
    keyed.sort_by(|left, right| order_rows(order, left, right));
    let start = match after {
        None => 0,
        Some(bookmark) if bookmark.number == 0 => 0,
        Some(bookmark) => match bookmark.cells(order) {
            // The row itself may have moved since: its old place counts.
            Some(cells) => {
                let mark = (cells, bookmark.number);
                keyed.partition_point(|row| order_rows(order, row, &mark).is_le())
            }
            None => keyed.iter().position(|row| row.1 == bookmark.number).map_or(0, |at| at + 1),
        },
    };
    let rest = keyed.get(start..).unwrap_or_default();
    let taken = rest.get(..limit.min(rest.len())).unwrap_or_default();
    let next = (taken.len() < rest.len()).then(|| taken.last()).flatten();
    let next = next.map(|(cells, number)| Bookmark::of(order, cells, *number));
    let ids: Vec<ItemId> = taken.iter().map(|(_, number)| ItemId::in_list(list.id(), *number)).collect();
    if listing.keep_ids {
        return Ok(Listing { ids, next, ..listing });
    }
    let items = view.items(&ids).await?.into_iter().flatten().map(Item::from).collect();
    Ok(Listing { items, next, ..listing })
}

fn cell_text(cell: &SortCell) -> String {
    match cell {
        SortCell::Null => String::new(),
        SortCell::Number(number) => format!("n{number}"),
        SortCell::Text(text) => format!("t{text}"),
    }
}

/// Fields that rows carry whatever was asked.
const CORE_FIELDS: &[&str] = &[
    "MetaInfo",
    "_ModerationStatus",
    "_Level",
    "ID",
    "owshiddenversion",
    "UniqueId",
    "FSObjType",
    "Created_x0020_Date",
    "Created",
    "Modified",
    "FileLeafRef",
    "FileRef",
    "ServerRedirected",
];

/// The fields of an answer's rows, each once, those asked for first.
pub(crate) fn row_fields<'l>(
    list: &'l List,
    asked: &crate::caml::ViewFields,
    view: &ListView,
    mandatory: bool,
) -> Vec<&'l Field> {
    let mut fields = asked_fields(list, asked, view, mandatory);
    fields.extend(CORE_FIELDS.iter().filter_map(|name| list.field(name)));
    let mut seen = std::collections::BTreeSet::new();
    fields.retain(|field| seen.insert(&field.name));
    fields
}

/// The fields that are asked for, or those of the view; with what belongs to them where that is wanted. One may come twice.
pub(crate) fn asked_fields<'l>(
    list: &'l List,
    asked: &crate::caml::ViewFields,
    view: &ListView,
    mandatory: bool,
) -> Vec<&'l Field> {
    use crate::caml::ViewFields;
    let mut fields: Vec<&Field> = match asked {
        ViewFields::All => list.fields.iter().collect(),
        ViewFields::Some(names) => names.iter().filter_map(|name| crate::caml::find_field(list, name)).collect(),
        ViewFields::Missing => view.fields.iter().filter_map(|name| list.field(name)).collect(),
    };
    if mandatory {
        let needed: Vec<String> = fields.iter().flat_map(|field| field.needs()).collect();
        fields.extend(needed.iter().filter_map(|name| list.field(name)));
        fields.extend(list.fields.iter().filter(|field| field.required));
        fields.extend(list.field("Title"));
    }
    fields
}

/// The default view of a list.
pub(crate) fn default_view(list: &List) -> Option<ListView> {
    views::views(list).into_iter().next()
}

/// How many rows a client wants.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum RowLimit {
    /// It did not say.
    #[default]
    Missing,
    /// All: it said 0.
    All,
    /// So many at most.
    Rows(usize),
}

impl RowLimit {
    /// The rows at most, `default` where the client did not say; `None` for no limit.
    pub(crate) const fn or(self, default: Option<usize>) -> Option<usize> {
        match self {
            Self::Missing => default,
            Self::All => None,
            Self::Rows(rows) => Some(rows),
        }
    }
}

/// Reads a limit of rows.
///
/// # Errors
/// [`Failure::Uncoded`] for what is no number.
pub(crate) fn row_limit(text: Option<&str>) -> Result<RowLimit, Failure> {
    match text.map(str::trim) {
        None | Some("") => Ok(RowLimit::Missing),
        Some(text) => match text.parse::<u32>() {
            Ok(0) => Ok(RowLimit::All),
            Ok(limit) => Ok(RowLimit::Rows(limit as usize)),
            Err(_) => Err(Failure::uncoded("The row limit is not a number.")),
        },
    }
}
