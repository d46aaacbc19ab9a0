//! House rules that the compiler does not check.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use crate::workspace;

/// Every allowed edge between our crates (`ARCHITECTURE.md`, "Crates"), tests included.
const EDGES: &[(&str, &[&str])] = &[
    ("xml", &[]),
    ("model", &[]),
    ("mapi", &["model"]),
    ("content", &["mapi", "model"]),
    ("store", &["model"]),
    ("store-sqlite", &["model", "store"]),
    ("engine", &["content", "mapi", "model", "store"]),
    ("ews", &["content", "engine", "mapi", "model", "store", "xml"]),
    ("sharepoint", &["content", "engine", "mapi", "model", "store", "xml"]),
    ("server", &["content", "engine", "ews", "mapi", "model", "sharepoint", "store", "store-sqlite", "testkit", "xml"]),
    ("testkit", &["engine", "highwater", "model", "store", "store-sqlite", "xml"]),
];

/// Crates that may be named only by these; everybody else goes through the port.
const HOMES: &[(&str, &str)] = &[("rusqlite", "store-sqlite"), ("tokio-postgres", "store-postgres")];

/// Lines of a source file beyond which it must be split.
const FILE_LINES_MAX: usize = 1_200;

/// Checks everything and says all that is wrong.
pub(crate) fn run() -> Result<(), String> {
    let mut faults = Vec::new();
    check_edges(&mut faults);
    let mut files = Vec::new();
    list(&workspace(), &mut files);
    for file in &files {
        check_file(file, &mut faults);
    }
    if faults.is_empty() {
        println!("tidy: {} files, {} crates", files.len(), EDGES.len());
        return Ok(());
    }
    Err(format!("tidy:\n  {}", faults.join("\n  ")))
}

fn check_edges(faults: &mut Vec<String>) {
    let plan: BTreeMap<_, _> = EDGES.iter().copied().collect();
    for entry in fs::read_dir(workspace().join("crates")).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let Ok(manifest) = fs::read_to_string(entry.path().join("Cargo.toml")) else { continue };
        let Some(allowed) = plan.get(name.as_str()) else {
            faults.push(format!("crates/{name} is not in the table of edges"));
            continue;
        };
        for used in dependencies(&manifest) {
            if (plan.contains_key(used) || used == "highwater") && !allowed.contains(&used) {
                faults.push(format!("{name} must not import {used}"));
            }
            for (library, home) in HOMES {
                if used == *library && name != *home {
                    faults.push(format!("{name} must not import {used}: its home is {home}"));
                }
            }
        }
    }
}

/// Names on the left of every line of the dependency sections.
fn dependencies(manifest: &str) -> impl Iterator<Item = &str> {
    let mut inside = false;
    manifest.lines().filter_map(move |line| {
        if line.starts_with('[') {
            inside = line.contains("dependencies");
            return None;
        }
        line.split(['.', ' ', '=']).next().filter(|name| inside && !name.is_empty() && !name.starts_with('#'))
    })
}

fn check_file(file: &Path, faults: &mut Vec<String>) {
    let shown = file.strip_prefix(workspace()).unwrap_or(file).display().to_string();
    let Ok(text) = fs::read_to_string(file) else { return };
    let is_rust = file.extension().is_some_and(|ending| ending == "rs");
    if text.contains('\r') {
        faults.push(format!("{shown}: carriage return"));
    }
    if text.lines().any(|line| line.ends_with([' ', '\t'])) {
        faults.push(format!("{shown}: space at the end of a line"));
    }
    if !text.is_empty() && !text.ends_with('\n') {
        faults.push(format!("{shown}: no newline at the end"));
    }
    let lines = text.lines().count();
    if is_rust && lines > FILE_LINES_MAX {
        faults.push(format!("{shown}: {lines} lines; split it by meaning"));
    }
    if is_rust && file.components().any(|part| part.as_os_str() == "src") && !text.starts_with("//!") {
        faults.push(format!("{shown}: opens without saying what it is for"));
    }
    for word in ["util", "common", "helper", "manager", "misc"] {
        if is_rust && file.file_stem().is_some_and(|stem| stem.to_string_lossy().contains(word)) {
            faults.push(format!("{shown}: a name that says nothing"));
        }
    }
}

fn list(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        let name = entry.file_name();
        if name == "target" || name == ".git" || name == "node_modules" || name == "golden" {
            continue;
        }
        if path.is_dir() {
            list(&path, files);
        } else if path
            .extension()
            .is_some_and(|ending| ["rs", "toml", "md", "py", "sh"].iter().any(|one| ending == *one))
        {
            files.push(path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dependencies_of_all_sections() {
        let manifest =
            "[package]\nname = \"x\"\n[dependencies]\nmodel.workspace = true\n\n[dev-dependencies]\nstore = 1\n";
        assert_eq!(dependencies(manifest).collect::<Vec<_>>(), ["model", "store"]);
    }
}
