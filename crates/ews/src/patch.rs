//! Changes to an item, read from a request before anything is loaded, applied to whatever is stored then.

use engine::ItemDraft;
use model::{Bag, ItemFlags, PropertyKey, Value, tags};

/// One change.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Step {
    /// Sets a property.
    Put(PropertyKey, Value),
    /// Removes a property.
    Remove(PropertyKey),
    /// Sets or clears bits of `PidTagMessageFlags`.
    Bits {
        /// The bits.
        mask: i32,
        /// Whether to set them.
        on: bool,
    },
    /// Sets or clears the read flag.
    Read(bool),
    /// Sets or clears the association.
    Associated(bool),
    /// Sets the subject and what derives from it.
    Subject(String),
    /// Sets the body, or appends to it.
    Body {
        /// Whether the text is HTML.
        html: bool,
        /// The text.
        text: String,
        /// Whether it goes after what is there.
        append: bool,
    },
    /// Sets the recipients of one type, or appends to them.
    Recipients {
        /// PidTagRecipientType.
        kind: i32,
        /// The rows.
        list: Vec<Bag>,
        /// Whether they go after what is there.
        append: bool,
    },
    /// Appends texts to a list.
    AppendTexts(PropertyKey, Vec<String>),
}

/// Changes in order.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Patch {
    /// The changes.
    pub(crate) steps: Vec<Step>,
}

impl Patch {
    /// Adds changes.
    pub(crate) fn extend(&mut self, steps: impl IntoIterator<Item = Step>) {
        self.steps.extend(steps);
    }

    /// The read flag, where that is all that changes.
    pub(crate) fn only_read(&self) -> Option<bool> {
        match self.steps.as_slice() {
            [Step::Read(read)] => Some(*read),
            _ => None,
        }
    }

    /// Whether a property is set or removed.
    pub(crate) fn touches(&self, key: &PropertyKey) -> bool {
        self.steps.iter().any(|step| matches!(step, Step::Put(have, _) | Step::Remove(have) if have == key))
    }

    /// Applies all changes.
    pub(crate) fn apply(&self, draft: &mut ItemDraft) {
        for step in &self.steps {
            step.apply(draft);
        }
        if self.steps.iter().any(|step| matches!(step, Step::Recipients { .. })) {
            set_display_lists(&mut draft.bag, &draft.recipients);
        }
        if self.touches(&tags::SENSITIVITY) {
            let private = draft.bag.get(&tags::SENSITIVITY).and_then(Value::as_i64) == Some(PRIVATE);
            draft.bag.set(model::lids::PRIVATE, Value::Bool(private));
        }
    }
}

impl Step {
    fn apply(&self, draft: &mut ItemDraft) {
        match self {
            Self::Put(key, value) => draft.bag.set(key.clone(), value.clone()),
            Self::Remove(key) => {
                draft.bag.remove(key);
            }
            Self::Bits { mask, on } => {
                let bits = draft.bag.get(&tags::MESSAGE_FLAGS).and_then(Value::as_i64).unwrap_or_default() as i32;
                let bits = if *on { bits | mask } else { bits & !mask };
                draft.bag.set(tags::MESSAGE_FLAGS, Value::I32(bits));
            }
            Self::Read(read) => draft.flags = draft.flags.set(ItemFlags::READ, *read),
            Self::Associated(on) => draft.flags = draft.flags.set(ItemFlags::ASSOCIATED, *on),
            Self::Subject(subject) => {
                let (prefix, normalized) = mapi::conversation::subject_prefix(subject);
                draft.bag.set(tags::SUBJECT, Value::text(subject.clone()));
                draft.bag.set(tags::SUBJECT_PREFIX, Value::text(prefix));
                draft.bag.set(tags::NORMALIZED_SUBJECT, Value::text(normalized));
            }
            Self::Body { html, text, append } => set_body(&mut draft.bag, *html, text, *append),
            Self::Recipients { kind, list, append } => {
                let kind = i64::from(*kind);
                if !*append {
                    draft.recipients.retain(|row| row.get(&tags::RECIPIENT_TYPE).and_then(Value::as_i64) != Some(kind));
                }
                draft.recipients.extend(list.iter().cloned());
            }
            Self::AppendTexts(key, more) => {
                let mut list = match draft.bag.remove(key) {
                    Some(Value::Texts(list)) => list,
                    _ => Vec::new(),
                };
                list.extend(more.iter().cloned());
                draft.bag.set(key.clone(), Value::Texts(list));
            }
        }
    }
}

/// PidTagSensitivity of what is private.
const PRIVATE: i64 = 2;
/// PidTagInternetCodepage of UTF-8.
const CODEPAGE_UTF8: i32 = 65_001;

/// Sets the body and what follows from it, or appends to it.
pub(crate) fn set_body(bag: &mut Bag, html: bool, text: &str, append: bool) {
    let stored_html = bag
        .get(&tags::HTML)
        .and_then(Value::as_binary)
        .map(|bytes| content::html::decode(bytes, bag.get(&tags::INTERNET_CODEPAGE).and_then(Value::as_i64)));
    bag.remove(&tags::RTF_COMPRESSED);
    let as_html = html || append && stored_html.is_some();
    if as_html {
        let addition = if html { text.to_owned() } else { content::text::to_html(text) };
        let whole = if append { format!("{}{addition}", stored_html.unwrap_or_default()) } else { addition };
        bag.set(tags::BODY, Value::text(content::html::to_text(&whole)));
        bag.set(tags::HTML, Value::binary(whole.into_bytes()));
        bag.set(tags::INTERNET_CODEPAGE, Value::I32(CODEPAGE_UTF8));
        bag.set(tags::NATIVE_BODY, Value::I32(3));
    } else {
        let before = if append { bag.text(&tags::BODY).unwrap_or_default().to_owned() } else { String::new() };
        bag.remove(&tags::HTML);
        bag.set(tags::BODY, Value::text(format!("{before}{text}")));
        bag.set(tags::NATIVE_BODY, Value::I32(1));
    }
    set_preview(bag);
}

/// Sets the preview from the text of the body.
pub(crate) fn set_preview(bag: &mut Bag) {
    let preview: String = bag
        .text(&tags::BODY)
        .unwrap_or_default()
        .split_whitespace()
        .flat_map(|word| word.chars().chain([' ']))
        .take(PREVIEW_CHARS_MAX)
        .collect();
    bag.set(tags::PREVIEW, Value::text(preview.trim_end()));
}

/// Characters of a preview.
const PREVIEW_CHARS_MAX: usize = 255;

/// Sets the lists of names that stand for the recipients.
pub(crate) fn set_display_lists(bag: &mut Bag, recipients: &[Bag]) {
    for (kind, key) in [(1, tags::DISPLAY_TO), (2, tags::DISPLAY_CC), (3, tags::DISPLAY_BCC)] {
        let names: Vec<&str> = recipients
            .iter()
            .filter(|row| row.get(&tags::RECIPIENT_TYPE).and_then(Value::as_i64) == Some(kind))
            .filter_map(|row| row.text(&tags::DISPLAY_NAME))
            .collect();
        let names = names.join("; ");
        bag.set(key, Value::text(names));
    }
}

/// Sets or clears bits of `PidTagMessageFlags` where there are any at all.
pub(crate) fn set_message_flag(bag: &mut Bag, mask: i32, on: bool) {
    if let Some(Value::I32(bits)) = bag.get(&tags::MESSAGE_FLAGS) {
        let bits = if on { bits | mask } else { bits & !mask };
        bag.set(tags::MESSAGE_FLAGS, Value::I32(bits));
    }
}
