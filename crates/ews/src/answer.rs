//! Writing response messages. Each operation answers with one message an asked item, in the order asked.

use xml::{Writer, soap};

use crate::{Failure, MESSAGES, ResponseCode, TYPES, header};

/// Bytes of an answer after which items of a batch are left out.
const ANSWER_BYTES_MAX: usize = 256 << 20;

/// The answer to one operation, while it is written.
pub(crate) struct Answer {
    out: Writer,
    message: String,
}

impl Answer {
    /// Opens the answer to the operation of that name.
    pub(crate) fn begin(operation: &str) -> Self {
        let mut out = Writer::with_capacity(8_192);
        out.declaration();
        soap::begin_envelope(&mut out, soap::SoapVersion::V11, &crate::STYLE, header::write_server_version);
        out.start_named(&format!("m:{operation}Response"));
        out.namespace("m", MESSAGES);
        out.namespace("t", TYPES);
        out.start("m:ResponseMessages");
        Self { out, message: format!("m:{operation}ResponseMessage") }
    }

    /// A success; `content` writes what the operation adds.
    pub(crate) fn success(&mut self, content: impl FnOnce(&mut Writer)) {
        self.out.start_named(&self.message);
        self.out.attribute("ResponseClass", "Success");
        self.out.element("m:ResponseCode", "NoError");
        content(&mut self.out);
        self.out.end();
    }

    /// An error; `content` writes what the operation adds even then.
    pub(crate) fn error_with(&mut self, failure: &Failure, content: impl FnOnce(&mut Writer)) {
        self.failed("Error", failure, content);
    }

    fn failed(&mut self, class: &str, failure: &Failure, content: impl FnOnce(&mut Writer)) {
        self.out.start_named(&self.message);
        self.out.attribute("ResponseClass", class);
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
        self.out.end();
    }

    /// An error.
    pub(crate) fn error(&mut self, failure: &Failure) {
        self.error_with(failure, |_| {});
    }

    /// Whether the answer has grown so far that no more items are loaded for it.
    pub(crate) fn is_full(&self) -> bool {
        self.out.len() >= ANSWER_BYTES_MAX
    }

    /// Says that an item was left out since the answer is full; the client asks for it again.
    pub(crate) fn stopped(&mut self, content: impl FnOnce(&mut Writer)) {
        let failure = Failure::new(ResponseCode::ErrorBatchProcessingStopped);
        self.failed("Warning", &failure, content);
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
