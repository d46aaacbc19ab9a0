//! House rules that the compiler does not check.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::{behaviour, licences, workspace};

/// What one crate may import of ours.
struct Edges {
    /// The folder in `crates/`.
    name: &'static str,
    /// By everything.
    imports: &'static [&'static str],
    /// By its tests alone.
    in_tests: &'static [&'static str],
}

/// Every edge between our crates (`ARCHITECTURE.md`, "Crates"): what is not here must not be, and what is here is used.
const EDGES: &[Edges] = &[
    Edges { name: "xml", imports: &[], in_tests: &[] },
    Edges { name: "model", imports: &[], in_tests: &[] },
    Edges { name: "mapi", imports: &["model"], in_tests: &[] },
    Edges { name: "content", imports: &["mapi", "model"], in_tests: &[] },
    Edges { name: "store", imports: &["model"], in_tests: &[] },
    Edges { name: "store-sqlite", imports: &["model", "store"], in_tests: &[] },
    Edges { name: "blobs", imports: &["model", "store"], in_tests: &["cluster"] },
    Edges { name: "cluster", imports: &[], in_tests: &[] },
    Edges { name: "store-postgres", imports: &["blobs", "model", "store"], in_tests: &["cluster"] },
    Edges { name: "engine", imports: &["model", "store"], in_tests: &[] },
    Edges { name: "ews", imports: &["content", "engine", "mapi", "model", "xml"], in_tests: &["store"] },
    Edges { name: "sharepoint", imports: &["content", "engine", "mapi", "model", "store", "xml"], in_tests: &[] },
    Edges {
        name: "server",
        imports: &["content", "engine", "ews", "model", "sharepoint", "store", "store-postgres", "store-sqlite", "xml"],
        in_tests: &["cluster", "testkit"],
    },
    Edges { name: "testkit", imports: &["cluster", "engine", "model", "server", "store", "xml"], in_tests: &[] },
    Edges {
        name: "fuzzing",
        imports: &["content", "engine", "ews", "mapi", "model", "store", "xml"],
        in_tests: &["testkit"],
    },
    Edges { name: "simulate", imports: &["model"], in_tests: &[] },
    Edges {
        name: "bench",
        imports: &[
            "cluster",
            "engine",
            "ews",
            "model",
            "sharepoint",
            "simulate",
            "store",
            "store-postgres",
            "store-sqlite",
        ],
        in_tests: &[],
    },
];

/// Packages whose name is not that of their folder.
const PACKAGES: &[(&str, &str)] = &[("highwater", "server")];

/// Packages whose library has another name.
const LIBRARIES: &[(&str, &str)] = &[("md-5", "md5")];

/// Words that source files of a crate must not have: they belong to a layer that it does not know.
const FOREIGN_WORDS: &[(&str, &[&str])] = &[
    ("engine", &["FieldURI", "CAML", "SELECT ", "hyper::"]),
    ("store", &["FieldURI", "CAML", "SELECT "]),
    ("ews", &["SELECT ", "std::net", "TcpStream"]),
    ("sharepoint", &["SELECT ", "std::net", "TcpStream"]),
    ("server", &["SELECT "]),
];

/// Crates that may be named only by these; everybody else goes through the port.
const HOMES: &[(&str, &str)] = &[("rusqlite", "store-sqlite"), ("tokio-postgres", "store-postgres")];

/// Lines of a source file beyond which it must be split.
const FILE_LINES_MAX: usize = 700;

/// Checks everything and says all that is wrong.
pub(crate) fn run() -> Result<(), String> {
    let mut faults = Vec::new();
    check_edges(&mut faults);
    licences::check(&mut faults);
    behaviour::check(&mut faults);
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
    let mut seen = Vec::new();
    for entry in fs::read_dir(workspace().join("crates")).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let Ok(manifest) = fs::read_to_string(entry.path().join("Cargo.toml")) else { continue };
        let Some(edges) = EDGES.iter().find(|edges| edges.name == name) else {
            faults.push(format!("crates/{name} is not in the table of edges"));
            continue;
        };
        seen.push(edges.name);
        let sources = sources(&entry.path());
        for section in [Section::All, Section::Tests] {
            check_section(edges, section, &manifest, faults);
            for package in dependencies(&manifest, section) {
                let written =
                    LIBRARIES.iter().find(|(name, _)| *name == package).map_or(package, |(_, library)| library);
                let written = written.replace('-', "_");
                if !sources.contains(&format!("{written}::")) && !sources.contains(&format!("use {written}")) {
                    faults.push(format!("crates/{name} does not use {package}, which its manifest names"));
                }
            }
        }
        for (_, words) in FOREIGN_WORDS.iter().filter(|(crate_name, _)| *crate_name == name) {
            for word in words.iter().filter(|word| sources.contains(**word)) {
                faults.push(format!("crates/{name} has the word {word:?}, which is not of its layer"));
            }
        }
    }
    for edges in EDGES.iter().filter(|edges| !seen.contains(&edges.name)) {
        faults.push(format!("the table of edges has {}, which there is not", edges.name));
    }
}

fn check_section(edges: &Edges, section: Section, manifest: &str, faults: &mut Vec<String>) {
    let (allowed, what) = match section {
        Section::All => (edges.imports, ""),
        Section::Tests => (edges.in_tests, " in tests"),
    };
    let used: Vec<&str> = dependencies(manifest, section).map(folder_of).collect();
    for one in &used {
        if EDGES.iter().any(|edges| edges.name == *one) && !allowed.contains(one) {
            faults.push(format!("{} must not import {one}{what}", edges.name));
        }
        for (library, home) in HOMES.iter().filter(|(library, home)| library == one && *home != edges.name) {
            faults.push(format!("{} must not import {library}: its home is {home}", edges.name));
        }
    }
    for one in allowed.iter().filter(|one| !used.contains(one)) {
        faults.push(format!("{} does not import {one}{what}, though the table of edges says so", edges.name));
    }
}

/// Which dependencies of a manifest.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Section {
    /// Those of everything, builds and targets included.
    All,
    /// Those of tests alone.
    Tests,
}

/// Names on the left of every line of the dependency sections.
fn dependencies(manifest: &str, section: Section) -> impl Iterator<Item = &str> {
    let mut inside = None;
    manifest.lines().filter_map(move |line| {
        if line.starts_with('[') {
            inside = match (line.contains("dev-dependencies"), line.contains("dependencies")) {
                (true, _) => Some(Section::Tests),
                (false, true) => Some(Section::All),
                (false, false) => None,
            };
            return None;
        }
        let name = line.split(['.', ' ', '=']).next()?;
        (inside == Some(section) && !name.is_empty() && !name.starts_with('#')).then_some(name)
    })
}

fn folder_of(package: &str) -> &str {
    PACKAGES.iter().find(|(name, _)| *name == package).map_or(package, |(_, folder)| folder)
}

/// The text of all source files of a crate.
fn sources(folder: &Path) -> String {
    let mut files = Vec::new();
    list(folder, &mut files);
    files.retain(|file| file.extension().is_some_and(|ending| ending == "rs"));
    files.iter().filter_map(|file| fs::read_to_string(file).ok()).collect()
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
    // A file of tests beside its module is opened by the module.
    let is_tests = file.file_name().is_some_and(|name| name == "tests.rs");
    let is_source = is_rust && file.components().any(|part| part.as_os_str() == "src");
    if is_source && !is_tests && !text.starts_with("//!") {
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
        let manifest = "[package]\nname = \"x\"\n[dependencies]\nmodel.workspace = true\n\n[dev-dependencies]\nstore = 1\n\
            [target.'cfg(unix)'.dependencies]\nxml = { path = \"../xml\" }\n";
        assert_eq!(dependencies(manifest, Section::All).collect::<Vec<_>>(), ["model", "xml"]);
        assert_eq!(dependencies(manifest, Section::Tests).collect::<Vec<_>>(), ["store"]);
    }

    #[test]
    fn edges_that_are_wrong() {
        let edges = Edges { name: "ews", imports: &["model", "xml"], in_tests: &["store"] };
        let manifest = "[dependencies]\nmodel = 1\nstore = 1\nrusqlite = 1\n[dev-dependencies]\nhighwater = 1\n";
        let mut faults = Vec::new();
        check_section(&edges, Section::All, manifest, &mut faults);
        check_section(&edges, Section::Tests, manifest, &mut faults);
        assert_eq!(
            faults,
            [
                "ews must not import store",
                "ews must not import rusqlite: its home is store-sqlite",
                "ews does not import xml, though the table of edges says so",
                "ews must not import server in tests",
                "ews does not import store in tests, though the table of edges says so",
            ]
        );
    }
}
