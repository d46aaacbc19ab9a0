//! Requests kept as files in `tests/transcripts/<protocol>/<scenario>/`.
//!
//! A file is what a client sends. What differs from run to run stands in it as `{{name}}`.

use std::{fs, path::Path};

use crate::tree::escape;

/// Reads `tests/transcripts/<path>` and puts the values in, escaped for XML.
///
/// # Panics
/// When the file is missing, or a name is left without a value.
pub fn request(path: &str, values: &[(&str, &str)]) -> String {
    let mut text = raw(path);
    for (name, value) in values {
        text = text.replace(&format!("{{{{{name}}}}}"), &escape(value));
    }
    assert!(!text.contains("{{"), "{path}: a name without a value: {text}");
    text
}

/// Reads `tests/transcripts/<path>` as it is.
pub fn raw(path: &str) -> String {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/transcripts").join(path);
    fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

/// The fenced block of a printed document that begins with `beginning` and holds `holding`, without spaces at the ends
/// of lines; none where the document is missing.
pub fn printed(document: &str, beginning: &str, holding: &str) -> Option<String> {
    let text = fs::read_to_string(crate::schema::shared(document)).ok()?;
    let mut blocks = text.split("```").skip(1).step_by(2).filter_map(|block| block.split_once('\n'));
    let block = blocks.find(|(_, block)| block.trim().starts_with(beginning) && block.contains(holding));
    let (_, block) = block.unwrap_or_else(|| panic!("{document} prints no {beginning}"));
    Some(block.trim().lines().map(str::trim_end).collect::<Vec<_>>().join("\n"))
}

/// Says whether a kept request, with the printed values put in, equals the printed text; prints a notice where the
/// document is missing.
pub fn assert_as_printed(path: &str, values: &[(&str, &str)], document: &str, holding: &str) {
    match printed(document, "<?xml", holding) {
        Some(printed) => assert_eq!(request(path, values).trim(), printed, "{path} against {document}"),
        None => println!("skipped: {path} against {document}, which is missing"),
    }
}
