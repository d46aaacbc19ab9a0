//! A client of the list service, over SOAP and over REST.

use std::collections::{BTreeMap, BTreeSet};

use xml::Node;

use crate::{
    http::{Answer, Http},
    retry::answered,
    tree::{Reach, Tree, escape},
};

const SERVICE: &str = "http://schemas.microsoft.com/sharepoint/soap/";
const SOAP_11: &str = "http://schemas.xmlsoap.org/soap/envelope/";
const SOAP_12: &str = "http://www.w3.org/2003/05/soap-envelope";
/// Pages after which a full read is given up.
const PAGES_MAX: usize = 10_000;

/// The lists of one site over HTTP.
#[derive(Clone, Debug)]
pub struct Lists {
    http: Http,
    site: String,
}

/// The attributes of a row by name, without `ows_`.
pub type Row = BTreeMap<String, String>;

/// What an answer to GetListItemChangesSinceToken says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListPage {
    /// LastChangeToken.
    pub token: String,
    /// MoreChanges, where it is there.
    pub more: Option<String>,
    /// ListItemCollectionPositionNext, where it is there.
    pub position: Option<String>,
    /// Whether the definition of the list is there.
    pub definition: bool,
    /// ChangeType and number of each Id, in the order received.
    pub ids: Vec<(String, Option<u32>)>,
    /// The rows, in the order received.
    pub rows: Vec<Row>,
}

/// The outcome of one Method of UpdateListItems.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// `<method>,<command>`.
    pub id: String,
    /// The error code; `0x00000000` is success.
    pub code: String,
    /// Why it failed, where it did.
    pub text: Option<String>,
    /// The row, where there is one.
    pub row: Option<Row>,
}

/// What to ask GetListItemChangesSinceToken or GetListItems: elements as markup, none where they are left out.
#[derive(Clone, Copy, Debug, Default)]
pub struct ListAsk<'a> {
    /// Title or GUID.
    pub list: &'a str,
    /// What stands inside `query`.
    pub query: Option<&'a str>,
    /// What stands inside `viewFields`.
    pub fields: Option<&'a str>,
    /// Rows wanted at most.
    pub rows_max: Option<usize>,
    /// What stands inside `queryOptions`.
    pub options: Option<&'a str>,
    /// The token of the answer before.
    pub token: Option<&'a str>,
    /// What stands inside `contains`.
    pub contains: Option<&'a str>,
    /// The GUID of a view.
    pub view: Option<&'a str>,
}

impl ListAsk<'_> {
    /// The request named `operation`, in its default namespace.
    pub fn request(&self, operation: &str) -> String {
        let rows = self.rows_max.map(|rows| rows.to_string());
        let list = escape(self.list);
        let token = self.token.map(escape);
        let parameters: String = [
            ("listName", Some(list.as_str())),
            ("viewName", self.view),
            ("query", self.query),
            ("viewFields", self.fields),
            ("rowLimit", rows.as_deref()),
            ("queryOptions", self.options),
            ("changeToken", token.as_deref()),
            ("contains", self.contains),
        ]
        .iter()
        .filter_map(|(name, value)| value.map(|value| format!("<{name}>{value}</{name}>")))
        .collect();
        format!("<{operation} xmlns=\"{SERVICE}\">{parameters}</{operation}>")
    }
}

/// The attributes of a row element, without `ows_`.
pub fn row(node: Node<'_>) -> Row {
    let named = |(_, name, value): (&str, &str, &str)| {
        // The one attribute that is no field: what IncludePermissions asks for.
        let known = name.strip_prefix("ows_").or(Some(name).filter(|name| *name == "EffectivePermMask"));
        let name = known.unwrap_or_else(|| panic!("an attribute {name} of a row"));
        (name.to_owned(), value.to_owned())
    };
    node.attributes().map(named).collect()
}

/// The row's number.
pub fn number(row: &Row) -> u32 {
    row.get("ID").and_then(|id| id.parse().ok()).unwrap_or_else(|| panic!("a row without a number: {row:?}"))
}

/// Reads `listitems`, whichever protocol it came by; panics where the counts are wrong or a row comes twice.
pub fn page(listitems: Node<'_>) -> ListPage {
    assert_eq!(listitems.names(), ["Changes", "data"], "{}", listitems.to_xml());
    let changes = listitems.at("Changes");
    let data = listitems.at("data");
    let rows: Vec<_> = data.children().map(row).collect();
    assert_eq!(data.attribute("ItemCount"), Some(rows.len().to_string().as_str()));
    let numbers: BTreeSet<_> = rows.iter().map(number).collect();
    assert_eq!(numbers.len(), rows.len(), "a row comes twice: {}", listitems.to_xml());
    let id = |id: Node<'_>| (id.attribute("ChangeType").unwrap_or_default().to_owned(), id.text().trim().parse().ok());
    ListPage {
        token: changes.attribute("LastChangeToken").unwrap_or_default().to_owned(),
        more: changes.attribute("MoreChanges").map(str::to_owned),
        position: data.attribute("ListItemCollectionPositionNext").map(str::to_owned),
        definition: changes.find("List").is_some(),
        ids: changes.children().filter(|child| child.local() == "Id").map(id).collect(),
        rows,
    }
}

impl Lists {
    /// A client of the site at `site`, such as `/sites/team`.
    pub fn new(http: Http, site: &str) -> Self {
        Self { http, site: site.to_owned() }
    }

    /// The connection.
    pub const fn http(&self) -> &Http {
        &self.http
    }

    /// The path of the service.
    pub fn path(&self) -> String {
        format!("{}/_vti_bin/Lists.asmx", self.site)
    }

    /// Posts a SOAP 1.1 envelope as it is.
    pub fn post(&self, operation: &str, envelope: &str) -> Answer {
        let action = format!("\"{SERVICE}{operation}\"");
        let headers = [("content-type", "text/xml; charset=utf-8"), ("soapaction", action.as_str())];
        self.http.send("POST", &self.path(), &headers, envelope)
    }

    /// Reads an answer, which is either 200 or 500 with a fault.
    pub fn read(answer: &Answer) -> Tree {
        let tree = Tree::parse(answer.text());
        let expected = if tree.fault().is_some() { 500 } else { 200 };
        assert_eq!(answer.status, expected, "{tree:?}");
        tree
    }

    /// Sends a request in a SOAP 1.1 envelope.
    pub fn call(&self, operation: &str, request: &str) -> Tree {
        let envelope =
            format!("<soap:Envelope xmlns:soap=\"{SOAP_11}\"><soap:Body>{request}</soap:Body></soap:Envelope>");
        Self::read(&self.post(operation, &envelope))
    }

    /// Sends a request in a SOAP 1.2 envelope.
    pub fn call_12(&self, operation: &str, request: &str) -> Tree {
        let envelope = format!("<s:Envelope xmlns:s=\"{SOAP_12}\"><s:Body>{request}</s:Body></s:Envelope>");
        let kind = format!("application/soap+xml; charset=utf-8; action=\"{SERVICE}{operation}\"");
        let answer = self.http.send("POST", &self.path(), &[("content-type", &kind)], envelope);
        let answered = answer.header("content-type").unwrap_or_default();
        assert!(answered.starts_with("application/soap+xml"), "{answered}: {}", answer.text());
        Self::read(&answer)
    }

    /// Makes a list and returns its GUID in braces.
    pub fn add(&self, title: &str, template: u32) -> String {
        let answer = self.call(
            "AddList",
            &format!(
                "<AddList xmlns=\"{SERVICE}\"><listName>{}</listName><description/><templateID>{template}</templateID>\
                 </AddList>",
                escape(title)
            ),
        );
        assert!(answer.fault().is_none(), "{answer:?}");
        answer.payload().at("AddListResult/List").attribute("ID").unwrap_or_default().to_owned()
    }

    /// The GUID, in braces, of the list with this title, which is made where there is none.
    pub fn ensure(&self, title: &str, template: u32) -> String {
        let answer = self.definition(title);
        if answer.fault().is_some() {
            return self.add(title, template);
        }
        answer.payload().at("GetListResult/List").attribute("ID").unwrap_or_default().to_owned()
    }

    /// GetList.
    pub fn definition(&self, list: &str) -> Tree {
        let request = format!("<GetList xmlns=\"{SERVICE}\"><listName>{}</listName></GetList>", escape(list));
        self.call("GetList", &request)
    }

    /// GetListItemChangesSinceToken over SOAP.
    pub fn changes(&self, ask: &ListAsk<'_>) -> ListPage {
        let answer = self.call("GetListItemChangesSinceToken", &ask.request("GetListItemChangesSinceToken"));
        assert!(answer.fault().is_none(), "{answer:?}");
        page(answer.payload().at("GetListItemChangesSinceTokenResult/listitems"))
    }

    /// The same question over REST.
    pub fn changes_over_rest(&self, ask: &ListAsk<'_>) -> ListPage {
        let mut query = serde_json::Map::new();
        for (name, value) in [
            ("Query", ask.query.map(str::to_owned)),
            ("ViewFields", ask.fields.map(str::to_owned)),
            ("RowLimit", ask.rows_max.map(|rows| rows.to_string())),
            ("QueryOptions", ask.options.map(str::to_owned)),
            ("ChangeToken", ask.token.map(str::to_owned)),
            ("Contains", ask.contains.map(str::to_owned)),
            ("ViewName", ask.view.map(str::to_owned)),
        ] {
            if let Some(value) = value {
                query.insert(name.to_owned(), value.into());
            }
        }
        let path = format!("web/lists/getbytitle('{}')/GetListItemChangesSinceToken", ask.list.replace(' ', "%20"));
        let answer = self.rest("POST", &path, &[], &serde_json::json!({ "query": query }).to_string());
        assert_eq!(answer.status, 200, "{}", answer.text());
        page(Tree::parse(answer.text()).root().at("listitems"))
    }

    /// UpdateListItems with what stands inside `Batch`.
    pub fn update(&self, list: &str, methods: &str) -> Vec<Outcome> {
        let answer = self.call("UpdateListItems", &update_request(list, methods));
        assert!(answer.fault().is_none(), "{answer:?}");
        outcomes(&answer)
    }

    /// As [`Self::update`]; the words of the [`Verdict`](crate::retry::Verdict) where a client comes again.
    pub fn try_update(&self, list: &str, methods: &str) -> Result<Vec<Outcome>, String> {
        let action = format!("\"{SERVICE}UpdateListItems\"");
        let headers = [("content-type", "text/xml; charset=utf-8"), ("soapaction", action.as_str())];
        let body = format!(
            "<soap:Envelope xmlns:soap=\"{SOAP_11}\"><soap:Body>{}</soap:Body></soap:Envelope>",
            update_request(list, methods)
        );
        let answer = Self::read(&answered(self.http.try_send("POST", &self.path(), &headers, body))?);
        assert!(answer.fault().is_none(), "{answer:?}");
        Ok(outcomes(&answer))
    }

    /// Adds a row with these fields and returns it.
    pub fn create(&self, list: &str, fields: &[(&str, &str)]) -> Row {
        let outcomes = self.update(list, &method("New", None, fields));
        assert_eq!(outcomes[0].code, "0x00000000", "{outcomes:?}");
        outcomes[0].row.clone().expect("the new row")
    }

    /// GetListItems, all pages.
    pub fn read_rows(&self, ask: &ListAsk<'_>) -> BTreeMap<u32, Row> {
        let mut rows = BTreeMap::new();
        let mut options = ask.options.map(str::to_owned);
        for _ in 0..PAGES_MAX {
            let asked = ListAsk { options: options.as_deref(), rows_max: Some(ask.rows_max.unwrap_or(50)), ..*ask };
            let answer = self.call("GetListItems", &asked.request("GetListItems"));
            assert!(answer.fault().is_none(), "{answer:?}");
            let data = answer.payload().at("GetListItemsResult/listitems/data");
            for one in data.children().map(row) {
                let number = number(&one);
                assert!(rows.insert(number, one).is_none(), "row {number} is listed twice");
            }
            let Some(position) = data.attribute("ListItemCollectionPositionNext") else { return rows };
            options = Some(with_position(ask.options, position));
        }
        panic!("GetListItems does not come to an end");
    }

    /// Sends a REST request below `_api/`; `path` is encoded already.
    pub fn rest(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let mut all = vec![("accept", "application/json;odata=nometadata"), ("content-type", "application/json")];
        all.extend(headers);
        self.http.send(method, &format!("{}/_api/{path}", self.site), &all, body)
    }
}

/// The options with a bookmark put into them.
pub fn with_position(options: Option<&str>, position: &str) -> String {
    let paging = format!("<Paging ListItemCollectionPositionNext=\"{}\"/></QueryOptions>", escape(position));
    match options {
        Some(options) if options.contains("</QueryOptions>") => options.replace("</QueryOptions>", &paging),
        _ => format!("<QueryOptions xmlns=\"\">{paging}"),
    }
}

fn update_request(list: &str, methods: &str) -> String {
    format!(
        "<UpdateListItems xmlns=\"{SERVICE}\"><listName>{}</listName><updates>\
         <Batch OnError=\"Continue\" DateInUtc=\"TRUE\" xmlns=\"\">{methods}</Batch></updates></UpdateListItems>",
        escape(list)
    )
}

/// A Method element.
pub fn method(command: &str, number: Option<u32>, fields: &[(&str, &str)]) -> String {
    let number = number.map(|number| number.to_string()).unwrap_or_else(|| "New".to_owned());
    let fields: String =
        fields.iter().map(|(name, value)| format!("<Field Name=\"{name}\">{}</Field>", escape(value))).collect();
    format!("<Method ID=\"1\" Cmd=\"{command}\"><Field Name=\"ID\">{number}</Field>{fields}</Method>")
}

/// The outcomes in an answer to UpdateListItems.
pub fn outcomes(answer: &Tree) -> Vec<Outcome> {
    let results = answer.payload().at("UpdateListItemsResult/Results");
    let outcome = |result: Node<'_>| Outcome {
        id: result.attribute("ID").unwrap_or_default().to_owned(),
        code: result.value("ErrorCode").unwrap_or_default(),
        text: result.value("ErrorText"),
        row: result.find("row").map(row),
    };
    results.children().map(outcome).collect()
}
