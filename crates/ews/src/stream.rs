//! Answers that are sent while they are made. The operation runs inside the body: whenever the connection asks for a piece
//! it goes on, until it has written one. An answer that stays small is sent whole.

use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::Frame;

use crate::Fault;

/// Where an operation puts a piece for the connection to take.
#[derive(Clone)]
pub(crate) struct Outlet {
    slot: Arc<Mutex<Option<Bytes>>>,
    /// Whether the operation waits for things to happen.
    hangs: Arc<AtomicBool>,
    /// Bytes up to which an answer is sent whole.
    whole_bytes_max: usize,
    /// What is performed, once it is known.
    operation: Arc<OnceLock<&'static str>>,
}

impl Outlet {
    /// One for an answer that is sent whole up to so many bytes.
    pub(crate) fn new(whole_bytes_max: usize) -> Self {
        Self { slot: Arc::default(), hangs: Arc::default(), whole_bytes_max, operation: Arc::default() }
    }

    /// Notes the operation that is performed.
    pub(crate) fn note_operation(&self, name: &'static str) {
        let _ = self.operation.set(name);
    }

    /// The operation that is performed, where the request was read.
    pub(crate) fn operation(&self) -> Option<&'static str> {
        self.operation.get().copied()
    }

    /// Bytes up to which an answer is sent whole.
    pub(crate) const fn whole_bytes_max(&self) -> usize {
        self.whole_bytes_max
    }

    /// Says that the operation waits for things to happen between its pieces.
    pub(crate) fn hang(&self) {
        self.hangs.store(true, Ordering::Relaxed);
    }

    /// Whether that was said.
    pub(crate) fn hangs(&self) -> bool {
        self.hangs.load(Ordering::Relaxed)
    }

    /// Puts a piece down and goes on when it was taken. Only inside a [`Running`]: nobody else takes it.
    pub(crate) async fn give(&self, piece: Vec<u8>) {
        *self.slot() = Some(piece.into());
        std::future::poll_fn(|_| if self.slot().is_none() { Poll::Ready(()) } else { Poll::Pending }).await;
    }

    fn slot(&self) -> std::sync::MutexGuard<'_, Option<Bytes>> {
        self.slot.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An operation that is being performed.
type Performance = Pin<Box<dyn Future<Output = Result<Vec<u8>, Fault>> + Send>>;

/// The answer to an operation that is not finished.
pub(crate) struct Running {
    /// None when it is finished.
    performance: Option<Performance>,
    outlet: Outlet,
    /// The piece that was made before the head was sent.
    first: Option<Bytes>,
}

/// What came of an operation until its answer had to be begun.
pub(crate) enum Begun {
    /// All of it.
    Whole(Result<Vec<u8>, Fault>),
    /// A part; the rest comes as the body is read.
    Streaming(Running),
}

/// Performs an operation, to the end or until it has written more than is kept.
pub(crate) async fn begin(mut performance: Performance, outlet: Outlet) -> Begun {
    let whole = std::future::poll_fn(|context| match performance.as_mut().poll(context) {
        Poll::Ready(whole) => Poll::Ready(Ok(whole)),
        Poll::Pending => outlet.slot().take().map_or(Poll::Pending, |first| Poll::Ready(Err(first))),
    });
    match whole.await {
        Ok(whole) => Begun::Whole(whole),
        Err(first) => Begun::Streaming(Running { performance: Some(performance), outlet, first: Some(first) }),
    }
}

impl http_body::Body for Running {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        if let Some(first) = self.first.take() {
            return Poll::Ready(Some(Ok(Frame::data(first))));
        }
        let Some(performance) = &mut self.performance else { return Poll::Ready(None) };
        match performance.as_mut().poll(context) {
            Poll::Pending => {
                let piece = self.outlet.slot().take();
                piece.map_or(Poll::Pending, |piece| Poll::Ready(Some(Ok(Frame::data(piece)))))
            }
            Poll::Ready(Ok(rest)) => {
                self.performance = None;
                Poll::Ready(Some(Ok(Frame::data(rest.into()))))
            }
            // The head is out: cutting the connection is all that says that this is not the whole answer.
            Poll::Ready(Err(fault)) => {
                tracing::error!("an answer broke off: {fault:?}");
                self.performance = None;
                Poll::Ready(Some(Err(io::Error::other("the answer broke off"))))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use http_body::Body as _;
    use http_body_util::BodyExt as _;
    use mapi::fasttransfer;
    use model::{Attachment, AttachmentContent, Bag, ItemContent, ItemFlags, Value, tags};
    use store::faulty::ReadFault;

    use crate::testing::{World, block_on};

    const PIECE_BYTES_MAX: usize = 300 << 10;

    fn noise(bytes: usize) -> bytes::Bytes {
        (0..bytes).map(|at| (at.wrapping_mul(2_654_435_761) >> 11) as u8).collect::<Vec<u8>>().into()
    }

    fn file(bytes: usize) -> Attachment {
        let bag =
            Bag::from_iter([(tags::ATTACH_METHOD, Value::I32(1)), (tags::ATTACH_LONG_FILENAME, Value::text("a.bin"))]);
        Attachment { bag, content: AttachmentContent::File(noise(bytes)) }
    }

    /// A large file, and another one in a message inside.
    fn large() -> ItemContent {
        let bag = |subject: &str| {
            Bag::from_iter([(tags::MESSAGE_CLASS, Value::text("IPM.Note")), (tags::SUBJECT, Value::text(subject))])
        };
        let inner = ItemContent { bag: bag("Inner"), attachments: vec![file(1_500_001)], ..ItemContent::default() };
        let embedded = Attachment {
            bag: Bag::from_iter([(tags::ATTACH_METHOD, Value::I32(5))]),
            content: AttachmentContent::Item(Box::new(inner)),
        };
        let attachments = vec![file(2_000_000), embedded, file(7)];
        ItemContent { bag: bag("Outer"), attachments, mime: Some(noise(3_000_001)), ..ItemContent::default() }
    }

    /// The status and the pieces of an answer; none where it broke off.
    fn pieces(world: &World, operation: &str) -> (u16, Option<Vec<bytes::Bytes>>) {
        let envelope = format!(
            "<s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\" xmlns:t=\"{}\" xmlns=\"{}\">\
             <s:Body>{operation}</s:Body></s:Envelope>",
            crate::TYPES,
            crate::MESSAGES
        );
        let request = http::Request::post("/").body(bytes::Bytes::from(envelope)).unwrap();
        let response = block_on(world.ews.handle(&world.caller, request));
        let status = response.status().as_u16();
        let mut body = response.into_body();
        let is_whole = body.size_hint().exact().is_some();
        let mut pieces = Vec::new();
        loop {
            match block_on(body.frame()) {
                Some(Ok(frame)) => pieces.push(frame.into_data().unwrap()),
                Some(Err(_)) => return (status, None),
                None => break,
            }
        }
        assert!(is_whole == (pieces.len() == 1) || !is_whole, "{}", pieces.len());
        (status, Some(pieces))
    }

    fn export(ids: &[&str]) -> String {
        let ids: String = ids.iter().map(|id| format!("<t:ItemId Id=\"{id}\"/>")).collect();
        format!("<ExportItems><ItemIds>{ids}</ItemIds></ExportItems>")
    }

    fn elements<'x>(xml: &'x str, name: &str) -> Vec<&'x str> {
        let (open, close) = (format!("<{name}"), format!("</{name}>"));
        let inside = |piece: &'x str| piece.split_once('>').and_then(|(_, rest)| rest.split_once(&close));
        xml.split(&open).skip(1).filter_map(inside).map(|(text, _)| text).collect()
    }

    #[test]
    fn large_answers_are_sent_while_they_are_made() {
        let world = World::new();
        let expected = large();
        let (id, _) = world.content("inbox", expected.clone(), ItemFlags::default());
        let (small, _) = world.message("inbox", "Small");
        let mut answers = Vec::new();
        let attachment = |path: &[u32]| {
            let mapi::entry_id::EntryId::Message { mailbox, folder, item } = crate::id::parse(&id).unwrap().entry
            else {
                panic!("no item")
            };
            let id = crate::id::attachment_id(mailbox, folder, item, path);
            format!("<GetAttachment><AttachmentIds><t:AttachmentId Id=\"{id}\"/></AttachmentIds></GetAttachment>")
        };
        for operation in [
            export(&[&small, &id, "AAMkAD==", &small]),
            attachment(&[0]),
            attachment(&[1, 0]),
            format!(
                "<GetItem><ItemShape><t:BaseShape>IdOnly</t:BaseShape><t:IncludeMimeContent>true</t:IncludeMimeContent>\
                 </ItemShape><ItemIds><t:ItemId Id=\"{id}\"/></ItemIds></GetItem>"
            ),
        ] {
            let (status, pieces) = pieces(&world, &operation);
            let pieces = pieces.unwrap();
            assert_eq!(status, 200);
            assert!(pieces.len() > 8, "{} pieces", pieces.len());
            // The first holds what is kept of an answer that could still be a small one.
            let largest = pieces.iter().skip(1).map(bytes::Bytes::len).max().unwrap();
            assert!(largest <= PIECE_BYTES_MAX && pieces[0].len() <= (1 << 20) + PIECE_BYTES_MAX, "{largest}");
            answers.push(String::from_utf8(pieces.concat()).unwrap());
            world.keep(answers.last().unwrap());
        }
        let codes = elements(&answers[0], "m:ResponseCode");
        assert_eq!(codes, ["NoError", "NoError", "ErrorInvalidIdMalformed", "NoError"]);
        let data: Vec<_> = elements(&answers[0], "m:Data").iter().map(|data| STANDARD.decode(data).unwrap()).collect();
        let decoded = fasttransfer::decode(&data[1]).unwrap().content;
        assert!(decoded.attachments == expected.attachments);
        assert!(data[0] == data[2]);
        let content = |answer: &str, name: &str| STANDARD.decode(elements(answer, name)[0]).unwrap();
        assert!(content(&answers[1], "t:Content") == noise(2_000_000));
        assert!(content(&answers[2], "t:Content") == noise(1_500_001));
        assert!(content(&answers[3], "t:MimeContent") == noise(3_000_001));
    }

    /// What fails before the answer was begun is an error of the item or a fault; later it breaks off. Never is a part
    /// taken for the whole.
    #[test]
    fn what_fails_on_the_way_breaks_the_answer_off() {
        let (world, store) = World::faulty();
        let (id, _) = world.content("inbox", large(), ItemFlags::default());
        let whole = pieces(&world, &export(&[&id])).1.unwrap().concat();
        let (mut of_item, mut faults, mut broken) = (0, 0, 0);
        for skip in 0..90 {
            store.fail_read(skip, ReadFault::Corrupt);
            let (status, answer) = pieces(&world, &export(&[&id]));
            store.heal();
            match answer.map(|pieces| pieces.concat()) {
                Some(answer) if answer == whole => {}
                Some(answer) if status == 200 => {
                    assert!(String::from_utf8(answer).unwrap().contains("ErrorCorruptData"));
                    of_item += 1;
                }
                Some(_) => faults += 1,
                None => broken += 1,
            }
        }
        assert!(of_item >= 5 && faults >= 1 && broken >= 10, "{of_item} {faults} {broken}");
    }
}
