//! The page that says which line of the required behaviour is held by which test: `tests/behaviour.txt` becomes
//! `docs/behaviour.md`.
//!
//! Lines of the file: `## TITLE` opens a section; `- WORDS` a line of behaviour, `- @TRANSCRIPT` one in the words of a
//! transcript, which holds it; below it, indented, what holds it: a transcript (`ews/items/pages`), a test
//! (`testkit/tests/seed_000::name`, by its path in `crates/`), a check of a real client (`clients/x.py: words`), or
//! `not offered: WHY`. What begins with `#` and a space is a remark.

use std::{collections::BTreeSet, fmt::Write as _, fs, path::Path};

use crate::workspace;

const SOURCE: &str = "tests/behaviour.txt";
const PAGE: &str = "docs/behaviour.md";
/// The list that sections and lines are counted by; it stands beside the workspace and may be missing.
const REQUIRED: &str = "../shared/facts/behaviour.md";
/// Where the transcripts are.
const TRANSCRIPTS: &str = "tests/transcripts";
/// Folders of transcripts that tests of their own read.
const PRINTED: &str = "seed_";

struct Section {
    title: String,
    lines: Vec<Line>,
}

struct Line {
    words: String,
    /// Each as it is shown.
    held: Vec<String>,
    not_offered: Option<String>,
}

/// Writes the page.
pub(crate) fn run() -> Result<(), String> {
    let mut faults = Vec::new();
    let page = page(&read(&mut faults));
    if !faults.is_empty() {
        return Err(format!("{SOURCE}:\n  {}", faults.join("\n  ")));
    }
    fs::write(workspace().join(PAGE), page).map_err(|error| format!("{PAGE}: {error}"))
}

/// Adds a fault where the page is not what the file makes, names what there is not, or has fewer lines than are
/// required.
pub(crate) fn check(faults: &mut Vec<String>) {
    let sections = read(faults);
    if fs::read_to_string(workspace().join(PAGE)).ok().as_deref() != Some(page(&sections).as_str()) {
        faults.push(format!("{PAGE} is not what {SOURCE} makes: cargo xtask behaviour"));
    }
    match fs::read_to_string(workspace().join(REQUIRED)) {
        Ok(required) => check_counts(&sections, &required_lines(&required), faults),
        Err(_) => println!("skipped: the count of lines in {SOURCE} against {REQUIRED}, which is missing"),
    }
}

fn read(faults: &mut Vec<String>) -> Vec<Section> {
    let text = fs::read_to_string(workspace().join(SOURCE)).unwrap_or_default();
    let mut named = BTreeSet::new();
    let sections = parse(&text, &mut |name| holds(name, &mut named), faults);
    for transcript in transcripts() {
        if !named.contains(&transcript) {
            faults.push(format!("{SOURCE} does not name the transcript {transcript}"));
        }
    }
    sections
}

/// What something that holds a line is shown as, and its words where it is a transcript.
type Holds<'h> = dyn FnMut(&str) -> Result<(String, Option<String>), String> + 'h;

fn parse(text: &str, holds: &mut Holds<'_>, faults: &mut Vec<String>) -> Vec<Section> {
    let mut sections: Vec<Section> = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let mut fault = |what: String| faults.push(format!("{SOURCE}, line {}: {what}", index + 1));
        let last = sections.last_mut();
        if line.trim().is_empty() || line.starts_with("# ") {
        } else if let Some(title) = line.strip_prefix("## ") {
            sections.push(Section { title: title.to_owned(), lines: Vec::new() });
        } else if let (Some(words), Some(section)) = (line.strip_prefix("- "), last) {
            let mut new = Line { words: words.to_owned(), held: Vec::new(), not_offered: None };
            if let Some(name) = words.strip_prefix('@') {
                match holds(name) {
                    Ok((shown, Some(words))) => (new.words, new.held) = (words, vec![shown]),
                    Ok((_, None)) => fault(format!("{name} has no words")),
                    Err(what) => fault(what),
                }
            }
            section.lines.push(new);
        } else if let (Some(name), Some(line)) =
            (line.strip_prefix("  "), sections.last_mut().and_then(|section| section.lines.last_mut()))
        {
            if let Some(why) = name.strip_prefix("not offered: ") {
                line.not_offered = Some(why.to_owned());
            } else {
                match holds(name.trim()) {
                    Ok((shown, _)) => line.held.push(shown),
                    Err(what) => fault(what),
                }
            }
        } else {
            fault("no such line".into());
        }
    }
    for line in sections.iter().flat_map(|section| &section.lines) {
        if line.held.is_empty() && line.not_offered.is_none() {
            faults.push(format!("{SOURCE}: nothing holds: {}", line.words));
        }
    }
    sections
}

/// Finds what a name means.
fn holds(name: &str, transcripts: &mut BTreeSet<String>) -> Result<(String, Option<String>), String> {
    if let Some((script, words)) = name.split_once(": ") {
        let text = fs::read_to_string(workspace().join(script)).map_err(|error| format!("{script}: {error}"))?;
        let there = text.contains(words);
        return if there { Ok((link(script, name), None)) } else { Err(format!("{script} has no {words:?}")) };
    }
    if let Some((file, test)) = name.split_once("::") {
        let path = format!("crates/{file}.rs");
        let text = fs::read_to_string(workspace().join(&path)).map_err(|error| format!("{path}: {error}"))?;
        return if has_test(&text, test) {
            Ok((link(&path, name), None))
        } else {
            Err(format!("{path} has no test {test}"))
        };
    }
    let path = format!("{TRANSCRIPTS}/{name}.txt");
    let text = fs::read_to_string(workspace().join(&path)).map_err(|error| format!("{path}: {error}"))?;
    transcripts.insert(name.to_owned());
    let words = text.lines().take_while(|line| !line.is_empty()).collect::<Vec<_>>().join(" ");
    Ok((link(&path, name), Some(words)))
}

fn link(path: &str, shown: &str) -> String {
    format!("[`{shown}`](../{path})")
}

/// Whether a source file has this test: a function below an attribute that makes it one.
fn has_test(text: &str, test: &str) -> bool {
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let head = format!("fn {test}(");
    let is_head = |line: &str| line.strip_prefix("async ").unwrap_or(line).starts_with(&head);
    lines.iter().enumerate().filter(|(_, line)| is_head(line)).any(|(index, _)| {
        let above = lines.iter().take(index).rev().take_while(|line| line.starts_with("#[") || line.starts_with("//"));
        above.into_iter().any(|line| line.starts_with("#[test]") || line.starts_with("#[tokio::test"))
    })
}

/// The names of all transcripts.
fn transcripts() -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for protocol in ["ews", "sharepoint"] {
        let folder = Path::new(TRANSCRIPTS).join(protocol);
        for section in names(&folder).into_iter().filter(|name| !name.starts_with(PRINTED)) {
            let files = names(&folder.join(&section));
            let files = files.iter().filter_map(|file| file.strip_suffix(".txt"));
            found.extend(files.map(|file| format!("{protocol}/{section}/{file}")));
        }
    }
    found
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(workspace().join(folder)).into_iter().flatten().flatten();
    entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}

/// Sections of the required list, each with its number of lines: boxes, else rows of its table, else its entries.
fn required_lines(text: &str) -> Vec<usize> {
    let mut counts = Vec::new();
    for section in
        text.split("\n## ").skip(1).filter(|section| section.starts_with(|first: char| first.is_ascii_digit()))
    {
        let count = |beginning: &str| section.lines().filter(|line| line.starts_with(beginning)).count();
        let rows = count("| ").saturating_sub(1);
        counts.push([count("- [ ]"), rows, count("- ")].into_iter().find(|count| *count > 0).unwrap_or(0));
    }
    counts
}

fn check_counts(sections: &[Section], required: &[usize], faults: &mut Vec<String>) {
    if sections.len() < required.len() {
        faults.push(format!("{SOURCE} has {} sections, of {}", sections.len(), required.len()));
    }
    for (section, required) in sections.iter().zip(required) {
        if section.lines.len() < *required {
            faults.push(format!("{SOURCE}: {} has {} lines, of {required}", section.title, section.lines.len()));
        }
    }
}

fn page(sections: &[Section]) -> String {
    let mut page = format!(
        "# What is required, and what holds it\n\nMade by `cargo xtask behaviour` from `{SOURCE}`; `cargo xtask tidy` checks that \
         it is current and that everything named here exists.\nA transcript is a file of `{TRANSCRIPTS}`, run over HTTP against a \
         server of its own, each answer held against the published schemas.\n\n| Section | Lines | Not offered |\n| --- | --- | --- |\n"
    );
    for section in sections {
        let absent = section.lines.iter().filter(|line| line.not_offered.is_some()).count();
        let absent = if absent == 0 { String::new() } else { absent.to_string() };
        let _ = writeln!(page, "| {} | {} | {absent} |", section.title, section.lines.len());
    }
    for section in sections {
        let _ = write!(page, "\n## {}\n\n", section.title);
        for line in &section.lines {
            let _ = writeln!(page, "- {}", line.words);
            if let Some(why) = &line.not_offered {
                let _ = writeln!(page, "  - Not offered: {why}");
            }
            for held in &line.held {
                let _ = writeln!(page, "  - {held}");
            }
        }
    }
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_need_something_that_holds_them() {
        let mut known = |name: &str| match name {
            "ews/a/b" => Ok(("B".to_owned(), Some("Words of b.".to_owned()))),
            "x::y" => Ok(("Y".to_owned(), None)),
            other => Err(format!("no {other}")),
        };
        let mut faults = Vec::new();
        let text = "## One\n# A remark\n- Words.\n  x::y\n- @ews/a/b\n  x::y\n- Bare.\n- Gone.\n  not offered: why\n\
            ## Two\n- @x::y\n- @nothing\n  nothing\noops\n";
        let sections = parse(text, &mut known, &mut faults);
        let shown = page(&sections);
        assert!(shown.contains("| One | 4 | 1 |"), "{shown}");
        assert!(shown.contains("- Words of b.\n  - B\n  - Y\n"), "{shown}");
        assert!(shown.contains("- Gone.\n  - Not offered: why\n"), "{shown}");
        assert_eq!(faults.len(), 7, "{faults:?}");
        assert!(faults[0].contains("x::y has no words") && faults[3].contains("no such line"), "{faults:?}");
        assert!(faults[4].contains("nothing holds: Bare."), "{faults:?}");
        faults.clear();
        check_counts(&sections, &[4, 3, 1], &mut faults);
        assert_eq!(faults.len(), 2, "{faults:?}");
    }

    #[test]
    fn tests_are_found_by_their_attribute() {
        let text = "#[test]\n/// Words.\nfn one() {}\nfn two() {}\n    #[tokio::test]\n    async fn three() {}\n// #[test]\n\nfn four() {}\n";
        let found = ["one", "two", "three", "four"].map(|name| has_test(text, name));
        assert_eq!(found, [true, false, true, false]);
    }

    #[test]
    fn required_lines_are_counted() {
        let text = "# T\n\n## 1. A\n- [ ] a\n- [ ] b\n\n## 2. B\n\n| C | D |\n|---|---|\n| 1 | 2 |\n\n## 3. C\n- **x**: y\n\n## Notes\n- z\n";
        assert_eq!(required_lines(text), [2, 1, 1]);
    }
}
