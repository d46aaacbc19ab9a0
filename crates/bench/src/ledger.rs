//! A list that is asked by value: its rows have one of some codes, and an amount that no other has.

use crate::{
    World,
    world::{BATCH, between},
};

const LEDGER: &str = "Ledger";
/// The template of lists without fields of their own.
const CUSTOM: u32 = 100;
impl World {
    /// Makes the list, with or without indexes on its two fields.
    pub fn create_ledger(&self, indexed: bool) {
        let parameters = format!("<listName>{LEDGER}</listName><description/><templateID>{CUSTOM}</templateID>");
        self.lists("AddList", &parameters);
        let fields = [("Code", "Text"), ("Amount", "Number")].map(|(name, kind)| {
            format!("<Method ID=\"1\"><Field Name=\"{name}\" DisplayName=\"{name}\" Type=\"{kind}\"/></Method>")
        });
        self.change_ledger("newFields", &fields.concat());
        if indexed {
            self.index_ledger(true);
        }
    }

    /// Switches the indexes on or off, and waits until they are built or removed.
    pub fn index_ledger(&self, on: bool) {
        let on = if on { "TRUE" } else { "FALSE" };
        let fields = ["Code", "Amount"]
            .map(|name| format!("<Method ID=\"1\"><Field Name=\"{name}\" Indexed=\"{on}\"/></Method>"));
        self.change_ledger("updateFields", &fields.concat());
        self.settle_indexes();
    }

    fn change_ledger(&self, parameter: &str, methods: &str) {
        let part = |name: &str| {
            let fields = if name == parameter { format!("<Fields>{methods}</Fields>") } else { String::new() };
            format!("<{name}>{fields}</{name}>")
        };
        let parts = ["listProperties", "newFields", "updateFields", "deleteFields"].map(part).concat();
        let answer = self.lists("UpdateList", &format!("<listName>{LEDGER}</listName>{parts}<listVersion/>"));
        assert_eq!(answer.matches("0x00000000").count(), methods.matches("<Method").count(), "{answer:.2000}");
    }

    /// Adds rows, the first with the number `from`, in requests of 100. The rows of one of the `codes` lie that far apart.
    pub fn add_to_ledger(&self, from: usize, count: usize, codes: usize) {
        for first in (from..from + count).step_by(BATCH) {
            let rows = first..(first + BATCH).min(from + count);
            let wanted = rows.len();
            let methods: String = rows
                .map(|number| {
                    let code = number % codes;
                    format!(
                        "<Method ID=\"{number}\" Cmd=\"New\"><Field Name=\"Title\">Entry {number}</Field>\
                         <Field Name=\"Code\">C{code}</Field><Field Name=\"Amount\">{number}</Field></Method>"
                    )
                })
                .collect();
            let batch = format!("<listName>{LEDGER}</listName><updates><Batch xmlns=\"\">{methods}</Batch></updates>");
            let answer = self.lists("UpdateListItems", &batch);
            assert_eq!(answer.matches("0x00000000").count(), wanted, "{answer:.2000}");
        }
    }

    /// Rows of the list, at most 100 a page; answers how many this page has, and the position of the next.
    pub fn ask_ledger(&self, query: &str, position: Option<&str>) -> (usize, Option<String>) {
        let paging = position.map(|position| format!("<Paging ListItemCollectionPositionNext=\"{position}\"/>"));
        let answer = self.lists(
            "GetListItems",
            &format!(
                "<listName>{LEDGER}</listName><query><Query xmlns=\"\">{query}</Query></query>\
                 <viewFields><ViewFields xmlns=\"\"><FieldRef Name=\"Code\"/><FieldRef Name=\"Amount\"/></ViewFields>\
                 </viewFields><rowLimit>100</rowLimit><queryOptions><QueryOptions xmlns=\"\">{}</QueryOptions></queryOptions>",
                paging.unwrap_or_default()
            ),
        );
        let next = between(&answer, "ListItemCollectionPositionNext=\"", "\"").map(str::to_owned);
        (answer.matches("<z:row ").count(), next)
    }
}

/// A condition on a field of the list.
pub fn condition(how: &str, field: &str, kind: &str, value: &str) -> String {
    format!("<{how}><FieldRef Name=\"{field}\"/><Value Type=\"{kind}\">{value}</Value></{how}>")
}
