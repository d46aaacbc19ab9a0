//! Answers checked against the published schemas, which stand beside the workspace and are no part of it.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::tree::{Reach, Tree};

/// Documents checked by one run of the validator.
const BATCH_DOCUMENTS_MAX: usize = 500;

/// The folder that stands beside the workspace and holds what the project does not contain; it may be missing.
pub fn shared(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared").join(path)
}

/// Collects answers and checks them all at once.
#[derive(Debug)]
pub struct Checker {
    folder: tempfile::TempDir,
    /// Schema files, each with the documents to check against it.
    ews_payloads: Vec<PathBuf>,
    ews_headers: Vec<PathBuf>,
    list_payloads: Vec<PathBuf>,
    view_payloads: Vec<PathBuf>,
    documents: usize,
}

impl Default for Checker {
    fn default() -> Self {
        Self::new()
    }
}

impl Checker {
    /// Nothing collected yet.
    pub fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (ews_payloads, ews_headers) = (vec![], vec![]);
        Self { folder, ews_payloads, ews_headers, list_payloads: vec![], view_payloads: vec![], documents: 0 }
    }

    fn keep(&mut self, xml: &str) -> PathBuf {
        self.documents += 1;
        let path = self.folder.path().join(format!("{}.xml", self.documents));
        fs::write(&path, xml).expect("a temporary file");
        path
    }

    /// Takes an EWS answer: its header blocks and what its body holds. The content of a fault's detail is checked for
    /// its names only.
    pub fn ews(&mut self, answer: &Tree) {
        if let Some(header) = answer.root().find("Header") {
            for block in header.children() {
                let path = self.keep(&block.to_xml());
                self.ews_headers.push(path);
            }
        }
        if let Some(fault) = answer.fault() {
            assert_eq!(fault.names(), ["faultcode", "faultstring", "detail"], "{answer:?}");
            assert!(fault.find("detail/ResponseCode").is_some(), "{answer:?}");
        } else {
            let path = self.keep(&answer.payload().to_xml());
            self.ews_payloads.push(path);
        }
    }

    /// Takes a list service's answer: what its body holds.
    pub fn lists(&mut self, answer: &Tree) {
        if answer.fault().is_none() {
            let path = self.keep(&answer.payload().to_xml());
            self.list_payloads.push(path);
        }
    }

    /// Takes the view service's answer: what its body holds.
    pub fn views(&mut self, answer: &Tree) {
        if answer.fault().is_none() {
            let path = self.keep(&answer.payload().to_xml());
            self.view_payloads.push(path);
        }
    }

    /// Checks everything taken; says so on a line of its own where that is impossible.
    ///
    /// # Panics
    /// When a document does not follow its schema, with all that is wrong.
    pub fn finish(self) {
        let mut faults = String::new();
        let messages = shared("schemas/ews/messages.xsd");
        let types = shared("schemas/ews/types.xsd");
        faults += &validate(&messages, &self.ews_payloads);
        faults += &validate(&types, &self.ews_headers);
        if !self.list_payloads.is_empty() {
            match lists_schema(self.folder.path()) {
                Some(lists) => faults += &validate(&lists, &self.list_payloads),
                None => println!("skipped: list answers against their schema, which is missing"),
            }
        }
        if !self.view_payloads.is_empty() {
            match views_schema(self.folder.path()) {
                Some(views) => faults += &validate(&views, &self.view_payloads),
                None => println!("skipped: view answers against their schema, which is missing"),
            }
        }
        assert!(faults.is_empty(), "against the published schema:\n{faults}");
    }
}

/// Runs the validator; returns what it found, each with the document.
fn validate(schema: &Path, documents: &[PathBuf]) -> String {
    if documents.is_empty() {
        return String::new();
    }
    if !schema.exists() {
        println!("skipped: {} answers against {}, which is missing", documents.len(), schema.display());
        return String::new();
    }
    let mut faults = String::new();
    for batch in documents.chunks(BATCH_DOCUMENTS_MAX) {
        let run =
            Command::new("xmllint").args(["--noout", "--nonet", "--huge", "--schema"]).arg(schema).args(batch).output();
        let Ok(output) = run else {
            println!("skipped: {} answers against {}, since xmllint is missing", batch.len(), schema.display());
            return faults;
        };
        if output.status.success() {
            continue;
        }
        let said = String::from_utf8_lossy(&output.stderr);
        faults.extend(said.lines().filter(|line| !line.ends_with(" validates")).map(|line| format!("{line}\n")));
        for document in batch {
            if said.contains(&format!("{} fails", document.display())) {
                faults += &fs::read_to_string(document).unwrap_or_default();
                faults.push('\n');
            }
        }
    }
    faults
}

/// Takes the schemas out of the published service description and puts them into `folder`. One thing is loosened:
/// `Changes` may hold several `Id`, as all servers send them.
fn lists_schema(folder: &Path) -> Option<PathBuf> {
    let description = fs::read_to_string(shared("schemas/sharepoint/MS-LISTSWS.wsdl")).ok()?;
    let mut rest = description.as_str();
    for name in ["data", "types", "knowledge", "lists", "row"] {
        let open = rest.find("<xs:schema").into_iter().chain(rest.find("<s:schema")).min()?;
        let end = if rest[open..].starts_with("<xs") { "</xs:schema>" } else { "</s:schema>" };
        let close = rest.find(end)? + end.len();
        let mut schema = rest[open..close].to_owned();
        rest = &rest[close..];
        if name == "data" {
            schema = schema.replace("id=\"listsws\"", "schemaLocation=\"lists.xsd\"");
        }
        if name == "lists" {
            schema = schema
                .replace("id=\"xssk\"", "schemaLocation=\"knowledge.xsd\"")
                .replace(
                    "id=\"DataSchema\"/>",
                    "schemaLocation=\"data.xsd\"/><s:import namespace=\"#RowsetSchema\" schemaLocation=\"row.xsd\"/>\
                     <s:include schemaLocation=\"types.xsd\"/>",
                )
                .replace(
                    "type=\"tns:ListItemChangeDefinition\" minOccurs=\"0\"/>",
                    "type=\"tns:ListItemChangeDefinition\" minOccurs=\"0\" maxOccurs=\"unbounded\"/>",
                );
        }
        fs::write(folder.join(format!("{name}.xsd")), schema).ok()?;
    }
    Some(folder.join("lists.xsd"))
}

/// Takes the schema out of the published description of the view service and puts it into `folder`.
fn views_schema(folder: &Path) -> Option<PathBuf> {
    let description = fs::read_to_string(shared("schemas/sharepoint/MS-VIEWSS.wsdl")).ok()?;
    let open = description.find("<s:schema")?;
    let close = description.find("</s:schema>")? + "</s:schema>".len();
    let names = "<s:schema xmlns:s=\"http://www.w3.org/2001/XMLSchema\" \
                 xmlns:tns=\"http://schemas.microsoft.com/sharepoint/soap/\" \
                 xmlns:core=\"http://schemas.microsoft.com/sharepoint/soap/\"";
    let schema = description[open..close].replacen("<s:schema", names, 1);
    // A space has slipped into the names of some types.
    let caml = fs::read_to_string(shared("schemas/sharepoint/MS-WSSCAML.xsd")).ok()?;
    let caml = caml.replace("xs:int \"", "xs:int\"").replace("xs:string \"", "xs:string\"");
    fs::write(folder.join("MS-WSSCAML.xsd"), caml).ok()?;
    fs::write(folder.join("views.xsd"), schema).ok()?;
    Some(folder.join("views.xsd"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(inside: &str) -> Tree {
        Tree::parse(&format!(
            "<s:Envelope xmlns:s='http://schemas.xmlsoap.org/soap/envelope/'><s:Body>\
             <GetListItemChangesSinceTokenResponse xmlns='http://schemas.microsoft.com/sharepoint/soap/'>\
             <GetListItemChangesSinceTokenResult><listitems xmlns:rs='urn:schemas-microsoft-com:rowset' \
             xmlns:z='#RowsetSchema'>\n{inside}</listitems></GetListItemChangesSinceTokenResult>\
             </GetListItemChangesSinceTokenResponse></s:Body></s:Envelope>",
        ))
    }

    #[test]
    fn list_answers_are_checked() {
        let id = "<Id ChangeType='Delete' UniqueId='{00000000-0000-0000-0000-000000000000}'>3</Id>";
        let rows = "<rs:data ItemCount='1'><z:row ows_ID='1'/></rs:data>";
        let mut checker = Checker::new();
        checker.lists(&answer(&format!("<Changes LastChangeToken='x'>{id}{id}</Changes>{rows}")));
        checker.finish();
        if !shared("schemas").exists() || Command::new("xmllint").arg("--version").output().is_err() {
            println!("skipped: what the validator refuses");
            return;
        }
        let mut checker = Checker::new();
        checker.lists(&answer(&format!("{rows}<Changes LastChangeToken='x'/>")));
        assert!(std::panic::catch_unwind(|| checker.finish()).is_err());
    }
}
