//! The rows of an answer, written a page at a time, so that an answer of any size takes the memory of a page.

use bytes::Bytes;
use engine::View;
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use model::{ItemId, limits};
use xml::Writer;

use crate::{
    Body,
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
    /// What a second `rs:data` holds.
    second: Option<Listing>,
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
        let rest = begin_rows(writer, &list, listing);
        Self { view, list, fields, style, rest, second: None }
    }

    /// The same with a second `rs:data` behind the first.
    pub(crate) fn with_second(self, listing: Listing) -> Self {
        Self { second: Some(listing), ..self }
    }

    /// Writes some rows. False when there are no more; `rs:data` stays open.
    ///
    /// # Errors
    /// When the store fails or a row is damaged; the answer cannot be completed then.
    pub(crate) async fn write_some(&mut self, writer: &mut Writer) -> Result<bool, Failure> {
        let more = self.write_chunk(writer).await?;
        match self.second.take() {
            Some(second) if !more => {
                writer.end();
                self.rest = begin_rows(writer, &self.list, second);
                self.write_chunk(writer).await
            }
            second => {
                self.second = second;
                Ok(more)
            }
        }
    }

    async fn write_chunk(&mut self, writer: &mut Writer) -> Result<bool, Failure> {
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

    /// The body of an answer with more rows than are kept in memory. Where the store fails on the way the connection is cut,
    /// so that the client never takes half an answer for a whole one.
    pub(crate) fn stream(self, writer: Writer) -> Body {
        let frames = futures_util::stream::unfold(Some((self, writer)), async |state| {
            let (mut rows, mut writer) = state?;
            let frame = |writer: &mut Writer| Ok(Frame::data(Bytes::from(writer.take())));
            if writer.is_empty() {
                match rows.write_some(&mut writer).await {
                    Ok(true) => {}
                    Ok(false) => {
                        close(&mut writer, 0);
                        return Some((frame(&mut writer), None));
                    }
                    Err(error) => {
                        tracing::error!(%error, "an answer broke off");
                        return Some((Err(std::io::Error::other("the answer cannot be completed")), None));
                    }
                }
            }
            Some((frame(&mut writer), Some((rows, writer))))
        });
        StreamBody::new(frames).boxed_unsync()
    }
}

/// Opens `rs:data`; what is still to be written in it.
fn begin_rows(writer: &mut Writer, list: &List, listing: Listing) -> Rest {
    let (count, rest) = match (listing.all, listing.ids.is_empty()) {
        (true, _) => (list.collection.row.items, Rest::All(None)),
        (false, true) => (listing.items.len() as u64, Rest::Items(listing.items)),
        (false, false) => (listing.ids.len() as u64, Rest::Ids(listing.ids, 0)),
    };
    begin_data(writer, count, listing.next.as_ref());
    rest
}

/// Closes the open elements down to `depth`.
pub(crate) fn close(writer: &mut Writer, depth: usize) {
    while writer.depth() > depth {
        writer.end();
    }
}

/// Opens `rs:data`.
fn begin_data(writer: &mut Writer, count: u64, next: Option<&Bookmark>) {
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
