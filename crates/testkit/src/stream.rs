//! A writer of transfer streams for UploadItems: the smallest thing that a peer might send, written from the published
//! format and not from the server's own encoder.

use base64::{Engine as _, engine::general_purpose::STANDARD};

/// 100 ns units between 1601 and 1970.
const FILETIME_OF_1970: u64 = 116_444_736_000_000_000;
/// The property set of appointments, as it lies in a stream.
pub const APPOINTMENT: [u8; 16] = [2, 0x20, 6, 0, 0, 0, 0, 0, 0xc0, 0, 0, 0, 0, 0, 0, 0x46];
/// The property set of meetings, as it lies in a stream.
pub const MEETING: [u8; 16] = [0x90, 0xda, 0xd8, 0x6e, 0x0b, 0x45, 0x1b, 0x10, 0x98, 0xda, 0, 0xaa, 0, 0x3f, 0x13, 5];
/// The property set of what all items have, as it lies in a stream.
pub const COMMON: [u8; 16] = [8, 0x20, 6, 0, 0, 0, 0, 0, 0xc0, 0, 0, 0, 0, 0, 0, 0x46];
/// The property set of contacts, as it lies in a stream.
pub const ADDRESS: [u8; 16] = [4, 0x20, 6, 0, 0, 0, 0, 0, 0xc0, 0, 0, 0, 0, 0, 0, 0x46];
/// The property set of tasks, as it lies in a stream.
pub const TASK: [u8; 16] = [3, 0x20, 6, 0, 0, 0, 0, 0, 0xc0, 0, 0, 0, 0, 0, 0, 0x46];
/// The property set of sticky notes, as it lies in a stream.
pub const NOTE: [u8; 16] = [0x0e, 0x20, 6, 0, 0, 0, 0, 0, 0xc0, 0, 0, 0, 0, 0, 0, 0x46];
/// The property set of the journal, as it lies in a stream.
pub const LOG: [u8; 16] = [0x0a, 0x20, 6, 0, 0, 0, 0, 0, 0xc0, 0, 0, 0, 0, 0, 0, 0x46];
/// The property set of names that anybody may use, as it lies in a stream.
pub const PUBLIC_STRINGS: [u8; 16] = [0x29, 3, 2, 0, 0, 0, 0, 0, 0xc0, 0, 0, 0, 0, 0, 0, 0x46];

/// A stream under construction: properties in the order of the calls.
#[derive(Clone, Debug, Default)]
pub struct Stream {
    bytes: Vec<u8>,
    named: u16,
}

impl Stream {
    /// A message of this class and subject, read.
    pub fn message(class: &str, subject: &str) -> Self {
        Self::default().text(0x001a, class).text(0x0037, subject).number(0x0e07, 1)
    }

    fn head(mut self, kind: u16, tag: u16) -> Self {
        self.bytes.extend(kind.to_le_bytes());
        self.bytes.extend(tag.to_le_bytes());
        self
    }

    fn named_head(mut self, kind: u16, set: [u8; 16], lid: u32) -> Self {
        self.named += 1;
        let local = 0x8000 + self.named;
        self = self.head(kind, local);
        self.bytes.extend(set);
        self.bytes.push(0);
        self.bytes.extend(lid.to_le_bytes());
        self
    }

    fn called_head(mut self, kind: u16, set: [u8; 16], name: &str) -> Self {
        self.named += 1;
        let local = 0x8000 + self.named;
        self = self.head(kind, local);
        self.bytes.extend(set);
        self.bytes.push(1);
        self.bytes.extend(wide(name));
        self
    }

    fn put(mut self, value: &[u8]) -> Self {
        self.bytes.extend(value);
        self
    }

    fn sized(self, value: &[u8]) -> Self {
        let length = u32::try_from(value.len()).unwrap();
        self.put(&length.to_le_bytes()).put(value)
    }

    /// A string.
    #[must_use]
    pub fn text(self, tag: u16, value: &str) -> Self {
        self.head(0x84b0, tag).sized(&wide(value))
    }

    /// A 32-bit number.
    #[must_use]
    pub fn number(self, tag: u16, value: i32) -> Self {
        self.head(3, tag).put(&value.to_le_bytes())
    }

    /// A Boolean.
    #[must_use]
    pub fn flag(self, tag: u16, value: bool) -> Self {
        self.head(11, tag).put(&[u8::from(value), 0])
    }

    /// A time, in seconds since 1970.
    #[must_use]
    pub fn time(self, tag: u16, seconds: u64) -> Self {
        self.head(0x40, tag).put(&filetime(seconds))
    }

    /// Bytes.
    #[must_use]
    pub fn binary(self, tag: u16, value: &[u8]) -> Self {
        self.head(0x102, tag).sized(value)
    }

    /// A string of a property set.
    #[must_use]
    pub fn named_text(self, set: [u8; 16], lid: u32, value: &str) -> Self {
        self.named_head(0x84b0, set, lid).sized(&wide(value))
    }

    /// A 32-bit number of a property set.
    #[must_use]
    pub fn named_number(self, set: [u8; 16], lid: u32, value: i32) -> Self {
        self.named_head(3, set, lid).put(&value.to_le_bytes())
    }

    /// A time of a property set, in seconds since 1970.
    #[must_use]
    pub fn named_time(self, set: [u8; 16], lid: u32, seconds: u64) -> Self {
        self.named_head(0x40, set, lid).put(&filetime(seconds))
    }

    /// Bytes of a property set.
    #[must_use]
    pub fn named_binary(self, set: [u8; 16], lid: u32, value: &[u8]) -> Self {
        self.named_head(0x102, set, lid).sized(value)
    }

    /// A string of a property set, by a name.
    #[must_use]
    pub fn called_text(self, set: [u8; 16], name: &str, value: &str) -> Self {
        self.called_head(0x84b0, set, name).sized(&wide(value))
    }

    /// Several strings of a property set, by a name.
    #[must_use]
    pub fn called_texts(self, set: [u8; 16], name: &str, values: &[&str]) -> Self {
        let count = u32::try_from(values.len()).unwrap();
        let stream = self.called_head(0x101f, set, name).put(&count.to_le_bytes());
        values.iter().fold(stream, |stream, value| stream.sized(&wide(value)))
    }

    /// A Boolean of a property set.
    #[must_use]
    pub fn named_flag(self, set: [u8; 16], lid: u32, value: bool) -> Self {
        self.named_head(11, set, lid).put(&[u8::from(value), 0])
    }

    /// Several binaries of a property set.
    #[must_use]
    pub fn named_binaries(self, set: [u8; 16], lid: u32, values: &[&[u8]]) -> Self {
        let count = u32::try_from(values.len()).unwrap();
        let stream = self.named_head(0x1102, set, lid).put(&count.to_le_bytes());
        values.iter().fold(stream, |stream, value| stream.sized(value))
    }

    /// "The recipients are the following", before the first [`Self::recipient`].
    #[must_use]
    pub fn recipients_follow(self) -> Self {
        self.number(0x4016, 0x0e12_000d)
    }

    /// A recipient in `To`.
    #[must_use]
    pub fn recipient(self, row: i32, name: &str, address: &str) -> Self {
        self.put(&0x4003_0003_u32.to_le_bytes())
            .number(0x3000, row)
            .number(0x0c15, 1)
            .text(0x3001, name)
            .text(0x3002, "SMTP")
            .text(0x3003, address)
            .put(&0x4004_0003_u32.to_le_bytes())
    }

    /// "The attachments are the following", before the first attachment; also where there is none.
    #[must_use]
    pub fn attachments_follow(self) -> Self {
        self.number(0x4016, 0x0e13_000d)
    }

    /// A file.
    #[must_use]
    pub fn file(self, number: i32, name: &str, content: &[u8]) -> Self {
        self.put(&0x4000_0003_u32.to_le_bytes())
            .number(0x0e21, number)
            .number(0x3705, 1)
            .text(0x3001, name)
            .text(0x3707, name)
            .binary(0x3701, content)
            .put(&0x400e_0003_u32.to_le_bytes())
    }

    /// An attachment with these properties, and with a message inside where there is one.
    #[must_use]
    pub fn attachment(self, number: i32, properties: &Self, message: Option<&Self>) -> Self {
        let stream = self.put(&0x4000_0003_u32.to_le_bytes()).number(0x0e21, number).put(&properties.bytes);
        let stream = match message {
            Some(message) => {
                stream.put(&0x4001_0003_u32.to_le_bytes()).put(&message.bytes).put(&0x4002_0003_u32.to_le_bytes())
            }
            None => stream,
        };
        stream.put(&0x400e_0003_u32.to_le_bytes())
    }

    /// A message inside.
    #[must_use]
    pub fn embedded(self, number: i32, name: &str, message: &Self) -> Self {
        self.put(&0x4000_0003_u32.to_le_bytes())
            .number(0x0e21, number)
            .number(0x3705, 5)
            .text(0x3001, name)
            .put(&0x4001_0003_u32.to_le_bytes())
            .put(&message.bytes)
            .put(&0x4002_0003_u32.to_le_bytes())
            .put(&0x400e_0003_u32.to_le_bytes())
    }

    /// The payload: the records around the stream.
    pub fn payload(&self) -> Vec<u8> {
        const INTERFACE: [u8; 16] = [7, 3, 2, 0, 0, 0, 0, 0, 0xc0, 0, 0, 0, 0, 0, 0, 0x46];
        let records: [(u32, &[&[u8]]); 4] = [
            (1, &[&0_u32.to_le_bytes(), &1_u32.to_le_bytes()]),
            (3, &[&1_u32.to_le_bytes(), &INTERFACE, &0x8000_2400_u32.to_le_bytes()]),
            (4, &[&[1, 0x0f, 0, 0x80, 0, 0]]),
            (2, &[&self.bytes]),
        ];
        let mut payload = Vec::new();
        for (operation, parts) in records {
            let length: usize = parts.iter().map(|part| part.len()).sum();
            payload.extend(operation.to_le_bytes());
            payload.extend(u32::try_from(length).unwrap().to_le_bytes());
            parts.iter().for_each(|part| payload.extend(*part));
        }
        payload
    }

    /// The payload in base64, as it stands in `Data`.
    pub fn data(&self) -> String {
        STANDARD.encode(self.payload())
    }
}

fn wide(text: &str) -> Vec<u8> {
    text.encode_utf16().chain([0]).flat_map(u16::to_le_bytes).collect()
}

fn filetime(seconds: u64) -> [u8; 8] {
    (FILETIME_OF_1970 + seconds * 10_000_000).to_le_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The worked example of the format's description.
    #[test]
    fn a_small_message_is_as_published() {
        let stream = Stream::default()
            .number(0x0017, 1)
            .text(0x001a, "IPM.Note")
            .text(0x0037, "Hi")
            .number(0x0e07, 1)
            .text(0x1000, "Hello")
            .recipients_follow()
            .recipient(0, "Bob", "bob@example.com")
            .attachments_follow();
        let expected = "AQAAAAgAAAAAAAAAAQAAAAMAAAAYAAAAAQAAAAcDAgAAAAAAwAAAAAAAAEYAJACABAAAAAYAAAABDwCAAAACAAAA\
                        vgAAAAMAFwABAAAAsIQaABIAAABJAFAATQAuAE4AbwB0AGUAAACwhDcABgAAAEgAaQAAAAMABw4BAAAAsIQAEAwAAABI\
                        AGUAbABsAG8AAAADABZADQASDgMAA0ADAAAwAAAAAAMAFQwBAAAAsIQBMAgAAABCAG8AYgAAALCEAjAKAAAAUwBNAFQA\
                        UAAAALCEAzAgAAAAYgBvAGIAQABlAHgAYQBtAHAAbABlAC4AYwBvAG0AAAADAARAAwAWQA0AEw4=";
        assert_eq!(stream.data(), expected);
    }
}
