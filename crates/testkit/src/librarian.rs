//! Somebody who changes two libraries of a site at random: files and folders are made, changed, renamed, moved, deleted and
//! brought back.

use crate::{
    chance::Chance,
    lists::{ListAsk, Lists, Row, method},
};

/// What of a file is asked for.
pub const FILE_FIELDS: &str =
    "<ViewFields xmlns=''><FieldRef Name='FileRef'/><FieldRef Name='FSObjType'/></ViewFields>";
/// Everything, however deep.
pub const RECURSIVE: &str = "<QueryOptions xmlns=''><DateInUtc>TRUE</DateInUtc><ViewAttributes Scope='RecursiveAll'/>\
                             </QueryOptions>";

/// What lies in the recycle bin and was in this folder: id, name and type.
pub fn bin(lists: &Lists, folder: &str) -> Vec<(String, String, i64)> {
    let answer = lists.rest("GET", "web/recyclebin", &[], "");
    let json: serde_json::Value = serde_json::from_str(answer.text()).unwrap();
    let entries = json["value"].as_array().unwrap().iter();
    let text = |json: &serde_json::Value| json.as_str().unwrap().to_owned();
    let own = entries.filter(|entry| entry["DirName"].as_str().unwrap().starts_with(folder));
    own.map(|entry| (text(&entry["Id"]), text(&entry["LeafName"]), entry["ItemType"].as_i64().unwrap())).collect()
}

/// Brings an entry back; the status of the answer.
pub fn restore(lists: &Lists, entry: &str) -> u16 {
    lists.rest("POST", &format!("web/recyclebin('{entry}')/restore()"), &[], "").status
}

/// Somebody who changes the files and folders of two libraries.
#[derive(Debug)]
pub struct Librarian {
    lists: Lists,
    chance: Chance,
    libraries: [String; 2],
}

impl Librarian {
    /// One that changes these two, which are there.
    pub fn new(lists: &Lists, seed: u64, libraries: [String; 2]) -> Self {
        Self { lists: lists.clone(), chance: Chance::new(seed), libraries }
    }

    /// Number, path below the site, and whether it is a folder, of what lies in a library now.
    pub fn content(&self, library: &str) -> Vec<(u32, String, bool)> {
        let ask = ListAsk { list: library, fields: Some(FILE_FIELDS), options: Some(RECURSIVE), ..ListAsk::default() };
        let path = |value: &str| value.split_once(";#").unwrap().1.strip_prefix("sites/team/").unwrap().to_owned();
        let row = |(number, row): (u32, Row)| (number, path(&row["FileRef"]), row["FSObjType"].ends_with("#1"));
        self.lists.read_rows(&ask).into_iter().map(row).collect()
    }

    fn outcome(&self, library: &str, methods: &str) -> String {
        self.lists.update(library, methods)[0].code.clone()
    }

    fn put(&self, path: &str, content: &str) {
        let url = format!("/sites/team/{path}");
        let answer = self.lists.http().send("PUT", &url, &[("content-type", "text/plain")], content);
        assert!((200..300).contains(&answer.status), "{url}: {} {}", answer.status, answer.text());
    }

    /// Changes something.
    pub fn write(&self) {
        let from = self.chance.below(2);
        let (library, other) = (&self.libraries[from], &self.libraries[1 - from]);
        let word = self.chance.word();
        let content = self.content(library);
        let folders: Vec<_> = content.iter().filter(|(_, _, folder)| *folder).collect();
        let files: Vec<_> = content.iter().filter(|(_, _, folder)| !folder).collect();
        let place = match self.chance.pick(&folders) {
            Some((_, path, _)) if self.chance.one_in(2) => path,
            _ => library,
        };
        let choice = self.chance.below(10);
        if choice == 9 {
            // What is in the way may stand there.
            let entries = bin(&self.lists, &format!("sites/team/{library}"));
            if let Some((entry, name, _)) = self.chance.pick(&entries) {
                assert!([200, 409].contains(&restore(&self.lists, entry)), "{name}");
            }
            return;
        }
        match (choice, self.chance.pick(&files)) {
            (0..=2, _) | (_, None) => self.put(&format!("{place}/{word}.txt"), &word),
            (3, Some((_, path, _))) => self.put(path, &word),
            (4, Some((number, _, _))) => {
                let fields = [("BaseName", word.as_str())];
                assert_eq!(self.outcome(library, &method("Update", Some(*number), &fields)), "0x00000000");
            }
            (5, Some((number, path, _))) => {
                let base = self.lists.http().base();
                let (old, new) = (format!("{base}/sites/team/{path}"), format!("{base}/sites/team/{other}/{word}.txt"));
                let fields = [("FileRef", old.as_str()), ("MoveNewUrl", &new)];
                assert_eq!(self.outcome(library, &method("Move", Some(*number), &fields)), "0x00000000");
            }
            (6, Some((number, path, _))) => {
                let url = format!("{}/sites/team/{path}", self.lists.http().base());
                let fields = [("FileRef", url.as_str())];
                assert_eq!(self.outcome(library, &method("Delete", Some(*number), &fields)), "0x00000000");
            }
            (7, Some(_)) => {
                let fields = [("FSObjType", "1"), ("BaseName", word.as_str())];
                assert_eq!(self.outcome(library, &method("New", None, &fields)), "0x00000000");
            }
            (_, Some(_)) => {
                // What lies in a folder goes with it.
                if let Some((number, path, _)) = self.chance.pick(&folders) {
                    let url = format!("{}/sites/team/{path}", self.lists.http().base());
                    let fields = [("FileRef", url.as_str())];
                    assert_eq!(self.outcome(library, &method("Delete", Some(*number), &fields)), "0x00000000");
                }
            }
        }
    }
}
