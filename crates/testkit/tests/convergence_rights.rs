//! A client of GetListItemChangesSinceToken ends with what it may see, while rows and folders are opened and closed to it
//! and rows wait for approval.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs, reason = "a test")]

use std::collections::BTreeMap;

use testkit::{
    chance::Chance,
    lists::{ListAsk, Lists, Row, method, number},
    mirror::{ListMirror, assert_equal},
    server::{ANNA, BERT, STORES, StoreKind, TestServer},
};

const TURNS: u64 = 120;
const PAGES_MAX: usize = 1_000;
const READ: u32 = 1_073_741_826;
const CONTRIBUTE: u32 = 1_073_741_827;
const FIELDS: &str = "<ViewFields xmlns=''><FieldRef Name='Title'/><FieldRef Name='FileRef'/><FieldRef Name='PermMask'/>\
                      <FieldRef Name='_ModerationStatus'/></ViewFields>";
const OPTIONS: &str = "<QueryOptions xmlns=''><DateInUtc>TRUE</DateInUtc><ViewAttributes Scope='RecursiveAll'/>\
                       </QueryOptions>";
const COMPARED: &[&str] = &["Title", "FileRef", "owshiddenversion", "_ModerationStatus"];

/// The owner, who makes, changes, opens and closes rows.
struct Owner {
    lists: Lists,
    chance: Chance,
    list: String,
    bert: u32,
}

fn ask(list: &str) -> ListAsk<'_> {
    ListAsk { list, fields: Some(FIELDS), options: Some(OPTIONS), ..ListAsk::default() }
}

impl Owner {
    fn rest(&self, row: u32, call: &str) {
        let path = format!("web/lists/getbytitle('{}')/items({row})/{call}", self.list);
        let answer = self.lists.rest("POST", &path, &[], "");
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
    }

    fn done(&self, methods: &str) {
        assert_eq!(self.lists.update(&self.list, methods)[0].code, "0x00000000", "{methods}");
    }

    fn write(&self) {
        let rows = self.lists.read_rows(&ask(&self.list));
        // What has something in it is opened and closed more often.
        let folders = rows.iter().filter(|(_, row)| !row["FileRef"].ends_with(".txt")).map(|(number, _)| *number);
        let folders: Vec<u32> = folders.collect();
        let numbers: Vec<u32> = rows.keys().copied().collect();
        let word = self.chance.word();
        let folder = self.chance.pick(&folders).filter(|_| self.chance.one_in(3));
        let Some(row) = folder.or_else(|| self.chance.pick(&numbers)).copied() else { return self.make(&word) };
        match self.chance.below(16) {
            0..=2 => self.make(&word),
            3 => self.done(&method("Update", Some(row), &[("Title", &word)])),
            4 => self.done(&method("Delete", Some(row), &[])),
            5 | 6 => self.rest(row, "breakroleinheritance(copyRoleAssignments=false,clearSubscopes=false)"),
            7 => self.rest(row, "breakroleinheritance(copyRoleAssignments=true,clearSubscopes=true)"),
            8 => self.rest(row, "resetroleinheritance()"),
            9 => {
                let role = if self.chance.one_in(2) { READ } else { CONTRIBUTE };
                self.rest(row, "breakroleinheritance(copyRoleAssignments=false,clearSubscopes=false)");
                let call = format!("roleassignments/addroleassignment(principalid={},roledefid={role})", self.bert);
                self.rest(row, &call);
            }
            10..=14 => self.done(&method("Moderate", Some(row), &[("_ModerationStatus", "0")])),
            _ => self.done(&method("Moderate", Some(row), &[("_ModerationStatus", "1")])),
        }
    }

    /// Adds a file or folder, in a folder or at the top.
    fn make(&self, word: &str) {
        let folders: Vec<String> = self
            .lists
            .read_rows(&ask(&self.list))
            .values()
            .map(|row| row["FileRef"].split_once(";#").unwrap().1.to_owned())
            .filter(|path| !path.ends_with(".txt"))
            .collect();
        let place = match self.chance.pick(&folders) {
            Some(folder) if self.chance.one_in(2) => folder.clone(),
            _ => format!("sites/team/{}", self.list),
        };
        if self.chance.one_in(3) {
            let fields = [("FSObjType", "1"), ("BaseName", word)];
            self.done(&method("New", None, &fields));
            return;
        }
        let url = format!("/{place}/{word}.txt");
        let answer = self.lists.http().send("PUT", &url, &[("content-type", "text/plain")], word);
        assert!((200..300).contains(&answer.status), "{url}: {}", answer.status);
    }
}

fn turn(lists: &Lists, list: &str, mirror: &mut ListMirror, rows_max: Option<usize>) -> bool {
    let token = mirror.token.clone();
    let page = lists.changes(&ListAsk { rows_max, token: token.as_deref(), ..ask(list) });
    mirror.apply(page)
}

fn check(lists: &Lists, list: &str, mirror: &mut ListMirror) {
    let more = (0..PAGES_MAX).find(|_| !turn(lists, list, mirror, Some(7)));
    assert!(more.is_some(), "the drain does not come to an end");
    let compared = |rows: &BTreeMap<u32, Row>| {
        let one = |row: &Row| COMPARED.iter().map(|name| row.get(*name).cloned()).collect::<Vec<_>>();
        rows.iter().map(|(number, row)| (*number, one(row))).collect::<BTreeMap<_, _>>()
    };
    assert_equal(&compared(&mirror.rows), &compared(&lists.read_rows(&ask(list))), list);
}

fn history(kind: StoreKind, seed: u64) {
    let server = TestServer::start(kind);
    let (anna, bert) = (server.lists(ANNA), server.lists(BERT));
    let list = format!("Files{seed}");
    anna.add(&list, 101);
    let me = bert.rest("GET", "web/currentuser", &[], "");
    let me: serde_json::Value = serde_json::from_str(me.text()).unwrap();
    let number_of_bert = u32::try_from(me["Id"].as_u64().unwrap()).unwrap();
    let path = format!("web/lists/getbytitle('{list}')");
    let turned_on = anna.rest("MERGE", &path, &[], r#"{"EnableModeration":true}"#);
    assert_eq!(turned_on.status, 204, "{}", turned_on.text());
    let owner = Owner { lists: anna.clone(), chance: Chance::new(seed), list: list.clone(), bert: number_of_bert };
    (0..8).for_each(|_| owner.write());
    let chance = Chance::new(seed ^ 0x1234);
    let mut readers = [(&anna, ListMirror::default()), (&bert, ListMirror::default())];
    let mut seen = [0; 2];
    for _ in 0..kind.share(TURNS) {
        (0..chance.below(4)).for_each(|_| owner.write());
        for (lists, mirror) in &mut readers {
            if chance.one_in(5) {
                check(lists, &list, mirror);
                seen[usize::from(std::ptr::eq(*lists, &bert))] += mirror.rows.len();
            } else if mirror.token.is_some() {
                turn(lists, &list, mirror, Some(1 + chance.below(4)));
            }
        }
    }
    for (lists, mirror) in &mut readers {
        check(lists, &list, mirror);
    }
    assert!(seen[1] > 0 && seen[0] > seen[1], "{seen:?}");
    assert!(readers[0].1.rows.values().all(|row| number(row) > 0));
}

#[test]
fn who_may_not_see_everything_converges_in_memory() {
    (0..3).for_each(|seed| history(STORES[0], seed));
}

#[test]
fn who_may_not_see_everything_converges_on_sqlite() {
    history(STORES[1], 9);
}

#[test]
fn who_may_not_see_everything_converges_over_three_nodes() {
    if StoreKind::Fleet.is_there("who_may_not_see_everything_converges") {
        history(StoreKind::Fleet, 10);
    }
}
