//! The rows of an answer, written a page at a time, so that an answer of any size takes the memory of a page.

use engine::View;
use model::{ItemId, limits};
use xml::Writer;

use crate::{
    code::Failure,
    fields::Field,
    listing::{Bookmark, Listing},
    names::Names,
    rows::{Item, Row, RowStyle, write_row},
    schema::List,
};

/// Rows written between two looks at the reader.
const CHUNK_ROWS: usize = 256;

/// Which rows are still to be written.
enum Rest {
    /// These.
    Items(Vec<Item>),
    /// The rows with these ids, from an index on.
    Ids(Vec<ItemId>, usize),
    /// All rows of the list behind this one, by number.
    All(Option<ItemId>),
}

/// Rows that are still to be written inside an open `rs:data`. They are all of one moment.
pub(crate) struct RowStream {
    view: View,
    list: List,
    /// Indexes of the list's fields.
    fields: Vec<usize>,
    style: RowStyle,
    rest: Rest,
}

impl RowStream {
    /// Opens `rs:data` for the rows of a listing; `view` is the one that the listing was read from.
    pub(crate) fn begin(
        writer: &mut Writer,
        view: View,
        list: List,
        fields: Vec<usize>,
        style: RowStyle,
        listing: Listing,
    ) -> Self {
        let (count, rest) = match (listing.all, listing.ids.is_empty()) {
            (true, _) => (list.collection.row.items, Rest::All(None)),
            (false, true) => (listing.items.len() as u64, Rest::Items(listing.items)),
            (false, false) => (listing.ids.len() as u64, Rest::Ids(listing.ids, 0)),
        };
        begin_data(writer, count, listing.next.as_ref());
        Self { view, list, fields, style, rest }
    }

    /// Writes some rows. False when there are no more; `rs:data` stays open.
    ///
    /// # Errors
    /// When the store fails or a row is damaged; the answer cannot be completed then.
    pub(crate) async fn write_some(&mut self, writer: &mut Writer) -> Result<bool, Failure> {
        let (items, more) = match &mut self.rest {
            Rest::Items(items) => (std::mem::take(items), false),
            Rest::Ids(ids, at) => {
                let chunk: Vec<ItemId> = ids.iter().skip(*at).take(CHUNK_ROWS).copied().collect();
                *at += chunk.len();
                let more = *at < ids.len();
                (self.view.items(&chunk).await?.into_iter().flatten().map(Item::from).collect(), more)
            }
            Rest::All(after) => {
                let page = self.view.rows(self.list.id(), *after, CHUNK_ROWS.min(limits::PAGE_ROWS_MAX)).await?;
                *after = page.rows.last().map(|row| row.item);
                (page.rows.into_iter().map(Item::from).collect::<Vec<_>>(), page.more)
            }
        };
        let fields: Vec<&Field> = self.fields.iter().filter_map(|at| self.list.fields.get(*at)).collect();
        let names = Names::of_rows(&mut self.view, &self.list, &items, &fields).await?;
        for item in &items {
            write_row(writer, &Row::new(&self.list, item)?, &fields, &self.style, &names);
        }
        Ok(more)
    }

    /// Writes all rows, and closes what is open down to `depth`.
    ///
    /// # Errors
    /// As [`Self::write_some`].
    pub(crate) async fn write_all(mut self, writer: &mut Writer, depth: usize) -> Result<(), Failure> {
        while self.write_some(writer).await? {}
        close(writer, depth);
        Ok(())
    }
}

/// Closes the open elements down to `depth`.
pub(crate) fn close(writer: &mut Writer, depth: usize) {
    while writer.depth() > depth {
        writer.end();
    }
}

/// Opens `rs:data`.
pub(crate) fn begin_data(writer: &mut Writer, count: u64, next: Option<&Bookmark>) {
    writer.start("rs:data");
    writer.attribute_display("ItemCount", count);
    if let Some(next) = next {
        writer.attribute_display("ListItemCollectionPositionNext", next);
    }
}

/// The indexes of fields inside their list.
pub(crate) fn indexes(list: &List, fields: &[&Field]) -> Vec<usize> {
    let at = |field: &&Field| list.fields.iter().position(|own| std::ptr::eq(own, *field));
    fields.iter().filter_map(at).collect()
}
