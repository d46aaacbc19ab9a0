//! Writing response messages. Each operation answers with one message an asked item, in the order asked.

use engine::Engine;
use xml::{Writer, soap};

use crate::stream::Outlet;
use crate::{Failure, MESSAGES, TYPES, header};

/// Bytes up to which an answer is kept and sent whole, so that it can be packed.
pub(crate) const WHOLE_BYTES_MAX: usize = 1 << 20;
/// Bytes of a piece of an answer that is longer, about.
pub(crate) const PIECE_BYTES: usize = 128 << 10;

/// The answer to one operation, while it is written.
pub(crate) struct Answer {
    out: Writer,
    operation: &'static str,
    style: &'static soap::EnvelopeStyle,
    message: String,
    outlet: Outlet,
    /// Whether a piece was sent.
    streams: bool,
    engine: Engine,
    /// What the request had written when the last message was.
    writes: u64,
}

impl Answer {
    /// Opens the answer to the operation of that name. What it does not keep goes to `outlet`; `engine` is that of the
    /// request.
    pub(crate) fn begin(
        operation: &'static str,
        style: &'static soap::EnvelopeStyle,
        outlet: Outlet,
        engine: Engine,
    ) -> Self {
        let mut out = Writer::with_capacity(8_192);
        out.declaration();
        soap::begin_envelope(&mut out, soap::SoapVersion::V11, style, header::write_server_version);
        out.start_named(&format!("m:{operation}Response"));
        out.namespace("m", MESSAGES);
        out.namespace("t", TYPES);
        out.start("m:ResponseMessages");
        let (message, writes) = (format!("m:{operation}ResponseMessage"), engine.writes());
        Self { out, operation, style, message, outlet, streams: false, engine, writes }
    }

    /// A success; `content` writes what the operation adds.
    pub(crate) fn success(&mut self, content: impl FnOnce(&mut Writer)) {
        self.open_success();
        content(&mut self.out);
        self.close();
    }

    /// An error; `content` writes what the operation adds even then.
    pub(crate) fn error_with(&mut self, failure: &Failure, content: impl FnOnce(&mut Writer)) {
        // Something was written for this message: whoever repeats it may do it twice.
        let unknown = (failure.invites() && self.engine.writes() > self.writes).then(Failure::unknown);
        let failure = unknown.as_ref().unwrap_or(failure);
        self.out.start_named(&self.message);
        self.out.attribute("ResponseClass", "Error");
        self.out.element("m:MessageText", &failure.text);
        self.out.element("m:ResponseCode", failure.code.name());
        self.out.element("m:DescriptiveLinkKey", "0");
        if !failure.values.is_empty() || !failure.fields.is_empty() {
            self.out.start("m:MessageXml");
            for uri in &failure.fields {
                self.out.start("t:FieldURI");
                self.out.attribute("FieldURI", uri);
                self.out.end();
            }
            for (name, value) in &failure.values {
                self.out.start("t:Value");
                self.out.attribute("Name", name);
                self.out.text(value);
                self.out.end();
            }
            self.out.end();
        }
        content(&mut self.out);
        self.close();
    }

    /// An error.
    pub(crate) fn error(&mut self, failure: &Failure) {
        self.error_with(failure, |_| {});
    }

    /// Opens a success, to be written to [`Self::out`] and closed by [`Self::close`].
    pub(crate) fn open_success(&mut self) {
        self.out.start_named(&self.message);
        self.out.attribute("ResponseClass", "Success");
        self.out.element("m:ResponseCode", "NoError");
    }

    /// Where an open success is written.
    pub(crate) const fn out(&mut self) -> &mut Writer {
        &mut self.out
    }

    /// Closes an open success.
    pub(crate) fn close(&mut self) {
        self.out.end();
        self.writes = self.engine.writes();
    }

    /// Sends what was written where it has become much, and goes on when it was taken. The operation ends here where
    /// the client is gone, so this is for operations that only read. No attribute of an open element may follow.
    pub(crate) async fn pause(&mut self) {
        if self.out.pending() < if self.streams { PIECE_BYTES } else { self.outlet.whole_bytes_max() } {
            return;
        }
        self.streams = true;
        while let Some(piece) = self.out.take_piece(PIECE_BYTES) {
            self.outlet.give(piece).await;
        }
    }

    /// Ends the envelope, sends it, and begins another of the same kind when it was taken. For an operation that hangs; it
    /// ends here where the client is gone.
    pub(crate) async fn hang(&mut self) {
        let next = Self::begin(self.operation, self.style, self.outlet.clone(), self.engine.clone());
        let envelope = std::mem::replace(self, next).finish();
        self.outlet.hang();
        self.outlet.give(envelope).await;
    }

    /// A success with `content`, or an error.
    pub(crate) fn result<T>(&mut self, result: Result<T, Failure>, content: impl FnOnce(&mut Writer, T)) {
        match result {
            Ok(value) => self.success(|out| content(out, value)),
            Err(failure) => self.error(&failure),
        }
    }

    /// The whole answer.
    pub(crate) fn finish(mut self) -> Vec<u8> {
        self.out.end();
        self.out.end();
        soap::end_envelope(&mut self.out);
        self.out.into_bytes()
    }
}
