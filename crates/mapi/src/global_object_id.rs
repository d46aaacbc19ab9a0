//! Global object ids: the name of a meeting across mailboxes (MS-OXOCAL 2.2.1.27), and its iCalendar UID
//! (MS-OXCICAL, `UID` of an event).
//!
//! It must not know calendars; days come in as numbers.

/// What every global object id begins with.
const CLASS_ID: [u8; 16] = [4, 0, 0, 0, 0x82, 0, 0xe0, 0, 0x74, 0xc5, 0xb7, 0x10, 0x1a, 0x82, 0xe0, 8];
/// What the data begins with where they are an iCalendar UID.
const UID_MARK: [u8; 12] = [b'v', b'C', b'a', b'l', b'-', b'U', b'i', b'd', 1, 0, 0, 0];
const INSTANCE_DATE: std::ops::Range<usize> = 16..20;
const DATA_OFFSET: usize = 40;

/// The date of the instance of a series that an id names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InstanceDate {
    /// Year of the Gregorian calendar.
    pub year: u16,
    /// 1 to 12.
    pub month: u8,
    /// 1 to 31.
    pub day: u8,
}

/// The clean id (without instance date) for an iCalendar UID. A UID that is itself a global object id in hexadecimal
/// gives that id; any other is wrapped. Space around it is not part of the UID.
pub fn from_uid(uid: &str) -> Vec<u8> {
    let uid = uid.trim();
    if let Some(id) = from_hex(uid).as_deref().and_then(clean) {
        return id;
    }
    let size = UID_MARK.len() + uid.len() + 1;
    let mut id = Vec::with_capacity(DATA_OFFSET + size);
    id.extend(CLASS_ID);
    // Instance date, creation time and the reserved bytes are zero.
    id.extend([0; 20]);
    id.extend((size as u32).to_le_bytes());
    id.extend(UID_MARK);
    id.extend(uid.as_bytes());
    id.push(0);
    id
}

/// The iCalendar UID of an id: the wrapped one, or the clean id in upper-case hexadecimal. `None` where `id` is not a
/// global object id.
pub fn to_uid(id: &[u8]) -> Option<String> {
    if let Some(uid) = data(id)?.strip_prefix(&UID_MARK) {
        let uid = uid.strip_suffix(&[0]).unwrap_or(uid);
        if let Ok(uid) = std::str::from_utf8(uid)
            && !uid.is_empty()
        {
            return Some(uid.to_owned());
        }
    }
    Some(clean(id)?.iter().map(|byte| format!("{byte:02X}")).collect())
}

/// The id without its instance date: the same for all instances of a series. `None` where `id` is not a global object
/// id.
pub fn clean(id: &[u8]) -> Option<Vec<u8>> {
    with_date_bytes(id, [0; 4])
}

/// The id for the instance on `date`. `None` where `id` is not a global object id.
pub fn with_instance_date(id: &[u8], date: InstanceDate) -> Option<Vec<u8>> {
    let [high, low] = date.year.to_be_bytes();
    with_date_bytes(id, [high, low, date.month, date.day])
}

/// The instance date of an id. `None` where `id` is not a global object id or names a whole series.
pub fn instance_date(id: &[u8]) -> Option<InstanceDate> {
    data(id)?;
    let [high, low, month, day]: [u8; 4] = id.get(INSTANCE_DATE)?.try_into().ok()?;
    let year = u16::from_be_bytes([high, low]);
    (year != 0 || month != 0 || day != 0).then_some(InstanceDate { year, month, day })
}

fn with_date_bytes(id: &[u8], date: [u8; 4]) -> Option<Vec<u8>> {
    data(id)?;
    let mut id = id.to_vec();
    id.get_mut(INSTANCE_DATE)?.copy_from_slice(&date);
    Some(id)
}

/// The data of a well-formed id.
fn data(id: &[u8]) -> Option<&[u8]> {
    let (head, data) = id.split_at_checked(DATA_OFFSET)?;
    let size = u32::from_le_bytes(head.last_chunk().copied()?) as usize;
    (head.starts_with(&CLASS_ID) && data.len() == size).then_some(data)
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let bytes = pairs.iter().map(|[high, low]| Some((digit(*high)? << 4 | digit(*low)?) as u8)).collect();
    if rest.is_empty() { bytes } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrapped_uid() {
        let id = from_uid("{81412D3C-2A24-4E9D-B20E-11F7BBE92799}");
        assert_eq!(id[..16], CLASS_ID);
        assert_eq!(id[16..36], [0; 20]);
        assert_eq!(id[36..40], [51, 0, 0, 0]);
        assert_eq!(&id[40..48], b"vCal-Uid");
        assert_eq!(id[48..52], [1, 0, 0, 0]);
        assert_eq!(id.last(), Some(&0));
        assert_eq!(to_uid(&id).as_deref(), Some("{81412D3C-2A24-4E9D-B20E-11F7BBE92799}"));
    }

    #[test]
    fn hexadecimal_uid() {
        let uid = concat!(
            "040000008200E00074C5B7101A82E00800000000",
            "1011121314151617",
            "0000000000000000",
            "10000000",
            "000102030405060708090A0B0C0D0E0F",
        );
        let id = from_uid(&uid.to_lowercase());
        assert_eq!(id.len(), 56);
        assert_eq!(to_uid(&id).as_deref(), Some(uid));
        let date = InstanceDate { year: 2024, month: 2, day: 29 };
        let instance = with_instance_date(&id, date).unwrap();
        assert_eq!(instance[16..20], [0x07, 0xe8, 2, 29]);
        assert_eq!(instance_date(&instance), Some(date));
        assert_eq!(instance_date(&id), None);
        assert_eq!(clean(&instance), Some(id));
        assert_eq!(to_uid(&instance).as_deref(), Some(uid));
        // A size that contradicts the length: text like any other.
        assert_eq!(to_uid(&from_uid(&uid[..110])).as_deref(), Some(&uid[..110]));
    }

    #[test]
    fn damage() {
        let id = from_uid("a");
        for cut in 0..id.len() {
            assert_eq!(to_uid(&id[..cut]), None);
        }
        assert_eq!(clean(b""), None);
    }

    proptest::proptest! {
        #[test]
        fn any_uid_comes_back(uid in "[^\0\\s]([^\0]*[^\0\\s])?") {
            proptest::prop_assert_eq!(to_uid(&from_uid(&uid)), Some(uid.trim().to_owned()));
        }
    }
}
