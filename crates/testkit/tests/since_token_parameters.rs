//! GetListItemChangesSinceToken, parameter by parameter and option by option: a table of questions with what must come.
//! Each is asked over SOAP and over REST, and both must say the same in the same bytes.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs, reason = "a test")]

use std::collections::BTreeMap;

use testkit::{
    cases,
    lists::{Lists, method},
    question::{OPERATION, SERVICE, Stage, edit, listitems, new, seen},
    server::{BERT, SITE},
    tree::{Reach, escape},
};

/// The body of a request over REST may name the list too, as long as it is the one of the address.
#[test]
fn the_list_in_the_body_of_rest() {
    let stage = tasks("");
    let ask = |list: &str, name: &str| {
        let body = serde_json::json!({ "query": { "ListName": name, "ChangeToken": "" } }).to_string();
        stage.lists.rest("POST", &format!("web/lists/getbytitle('{list}')/{OPERATION}"), &[], &body)
    };
    let guid = &stage.words["bare"];
    for (list, name) in
        [("Tasks", "Tasks"), ("Tasks", guid), ("Tasks", "{list}"), ("Tasks", ""), ("UserInfo", "UserInfo")]
    {
        let answer = ask(list, &stage.fill(name));
        assert_eq!(answer.status, 200, "{list} {name}: {}", answer.text());
    }
    for (name, status) in [("Calendar", 400), ("Chores", 404)] {
        let answer = ask("Tasks", name);
        assert_eq!(answer.status, status, "{name}: {}", answer.text());
    }
    stage.finish();
}

/// Six tasks: 2 and 6 changed and 3 is gone since the token `{start}`.
fn tasks(settings: &str) -> Stage {
    let mut stage = Stage::new(settings);
    let bag = "<Method ID='1' Cmd='New'><Field Name='ID'>New</Field><Field Name='Title'>alpha</Field>\
               <Field Name='Body'>&lt;p&gt;text&lt;/p&gt;</Field><Field Name='AssignedTo'>1</Field>\
               <Field Name='DueDate'>2026-04-01T00:00:00Z</Field><Field Name='MetaInfo' Property='Key'>v</Field>\
               <Field Name='MetaInfo' Property='Other'>w</Field></Method>";
    stage.update(
        "Tasks",
        &[bag.to_owned(), new(&[("Title", "beta"), ("Status", "Completed")]), new(&[("Title", "gamma")])],
    );
    // What no XML can carry comes in JSON.
    let title = serde_json::json!({ "Title": "delta\u{1}\u{b}!" }).to_string();
    let made = stage.lists.rest("POST", "web/lists/getbytitle('Tasks')/items", &[], &title);
    assert_eq!(made.status, 201, "{}", made.text());
    stage.update("Tasks", &[new(&[("Title", "Epsilon beta")])]);
    let attach = stage.lists.rest(
        "POST",
        "web/lists/getbytitle('Tasks')/items(5)/AttachmentFiles/add(FileName='a%20b.txt')",
        &[("content-type", "application/octet-stream")],
        "bytes",
    );
    assert_eq!(attach.status, 200, "{}", attach.text());
    stage.views("Tasks");
    stage.server.advance(60);
    stage.mark("start", "Tasks");
    let parts: Vec<&str> = stage.words["start"].split(';').collect();
    let by_time = format!("{};-1", parts[..4].join(";"));
    let list = format!("{{{}}}", parts[2].to_uppercase());
    stage.word("bare", parts[2].to_owned());
    stage.word("list", list);
    stage.word("start by time", by_time);
    stage.mark("elsewhere", "Calendar");
    stage.server.advance(60);
    stage
        .update("Tasks", &[edit(2, &[("Title", "beta 2")]), method("Delete", Some(3), &[]), new(&[("Title", "zeta")])]);
    stage.mark("now", "Tasks");
    stage
}

#[test]
fn list_names_and_tokens() {
    let mut stage = tasks("");
    stage.run("Tasks", cases! {
        "no parameter": [] => ["rows" = "1 2 4 5 6", "List" = "true", "Changes@MoreChanges" = "-", "ids" = "",
            "data@ItemCount" = "5", "data@ListItemCollectionPositionNext" = "-", "Changes@LastChangeToken" = "{now}"];
        "by GUID": [listName = "{list}"] => ["rows" = "1 2 4 5 6"];
        "by GUID without braces, in the other case": [listName = "{bare}"] => ["rows" = "1 2 4 5 6"];
        "by title in any case": [listName = "tASKS"] => ["rows" = "1 2 4 5 6"];
        "users by name": [listName = "UserInfo"] => ["1.Title" = "Anna Arlt", "1.Name" = "anna@example.com", "List@ServerTemplate" = "112"];
        "users by title": [listName = "User Information List"] => ["1.Title" = "Anna Arlt"];
        "no such list": [listName = "Chores"] => ["fault" = "0x82000006"];
        "no such GUID": [listName = "{11111111-2222-3333-4444-555555555555}"] => ["fault" = "0x82000006"];
        "an empty token": [changeToken = ""] => ["rows" = "1 2 4 5 6", "List" = "true"];
        "a token": [changeToken = "{start}"] => ["rows" = "2 6", "ids" = "Delete 3", "List" = "false",
            "Changes@MoreChanges" = "-", "2.Title" = "beta 2", "2.owshiddenversion" = "2", "Changes@LastChangeToken" = "{now}"];
        "the token of now": [changeToken = "{now}"] => ["rows" = "", "ids" = "", "data@ItemCount" = "0", "List" = "false"];
        "a token by time": [changeToken = "{start by time}"] => ["rows" = "2 6", "ids" = "Delete 3"];
        "the token of another list": [changeToken = "{elsewhere}"] => ["ids" = "InvalidToken", "rows" = "", "List" = "false", "Changes@LastChangeToken" = "{now}"];
        "no token at all": [changeToken = "nonsense"] => ["fault" = "none"];
        "a token of another version": [changeToken = "2;3;{bare};639081075670000000;4"] => ["fault" = "none"];
        "a token with a part too many": [changeToken = "{start};1"] => ["fault" = "none"];
    });
    // The element of the answer before in place of its token, as the service's description has it.
    let token = stage.words["start"].clone();
    let ask = [
        ("listName".to_owned(), "Tasks".to_owned()),
        ("changeToken".to_owned(), format!("<Changes LastChangeToken=\"{token}\" xmlns=\"\"/>")),
    ];
    let answer = stage.soap(&ask);
    assert_eq!(seen(&Lists::read(&answer))["rows"], "2 6");
    stage.finish();
}

#[test]
fn views_fields_and_limits() {
    let mut stage = tasks("");
    stage.run("Tasks", cases! {
        "fields of the default view and mandatory ones": [] => ["1.LinkTitle" = "alpha", "1.Title" = "alpha", "1.Status" = "Not Started",
            "1.Body" = "-", "1.AssignedTo" = "*", "1.owshiddenversion" = "1", "1.MetaInfo_Key" = "-"];
        "an empty outer element": [viewFields = ""] => ["1.Body" = "-", "1.LinkTitle" = "alpha"];
        "an empty inner element: all fields": [viewFields = "<ViewFields/>"] => ["1.Body" = "<p>text</p>", "1.PermMask" = "0x7fffffffffffffff", "1.ContentTypeId" = "*"];
        "fields by name, unknown ones without effect": [viewFields = "<ViewFields><FieldRef Name='Body'/><FieldRef Name='Nonsense'/></ViewFields>"]
            => ["1.Body" = "<p>text</p>", "1.LinkTitle" = "-", "1.Nonsense" = "-", "1.ID" = "1"];
        "fields by id": [viewFields = "<ViewFields><FieldRef ID='{7662cd2c-f069-4dba-9e35-082cf976e170}'/></ViewFields>"] => ["1.Body" = "<p>text</p>"];
        "the namespace of the service": [viewFields = "<v:ViewFields xmlns:v='http://schemas.microsoft.com/sharepoint/soap/'><v:FieldRef Name='Body'/></v:ViewFields>"] => ["1.Body" = "<p>text</p>"];
        "twice around": [viewFields = "<ViewFields><ViewFields><FieldRef Name='Body'/></ViewFields></ViewFields>"] => ["1.Body" = "<p>text</p>"];
        "the whole property bag": [viewFields = "<ViewFields Properties='TRUE'><FieldRef Name='MetaInfo'/></ViewFields>"]
            => ["1.MetaInfo_Key" = "v", "1.MetaInfo_Other" = "w", "2.MetaInfo_Key" = "-", "1.MetaInfo" = "*"];
        "the bag as one text": [viewFields = "<ViewFields><FieldRef Name='MetaInfo'/></ViewFields>"] => ["1.MetaInfo_Key" = "-", "2.MetaInfo" = "2;#"];
        "one entry of the bag": [viewFields = "<ViewFields><FieldRef Name='MetaInfo' Property='Key'/></ViewFields>"] => ["1.MetaInfo_Key" = "v", "1.MetaInfo_Other" = "-"];
        "a view: its condition and its limit": [viewName = "{view Active Tasks}"] => ["rows" = "1 4 5 6", "1.LinkTitle" = "alpha"];
        "a view by GUID without braces is one too": [viewName = "{view My Tasks}"] => ["rows" = "1"];
        "a query goes before the view's": [viewName = "{view Active Tasks}", query = "<Query><OrderBy><FieldRef Name='ID' Ascending='FALSE'/></OrderBy></Query>"]
            => ["rows" = "6 5 4 2 1"];
        "a limit goes before the view's": [viewName = "{view Active Tasks}", rowLimit = "2"] => ["rows" = "1 4", "data@ListItemCollectionPositionNext" = "*"];
        "with fields the view counts for nothing": [viewName = "{view Active Tasks}", viewFields = "<ViewFields><FieldRef Name='Body'/></ViewFields>"]
            => ["rows" = "1 2 4 5 6", "1.Body" = "<p>text</p>"];
        "with fields not even the GUID of no view": [viewName = "{11111111-2222-3333-4444-555555555555}", viewFields = "<ViewFields/>"] => ["rows" = "1 2 4 5 6"];
        "the GUID of no view": [viewName = "{11111111-2222-3333-4444-555555555555}"] => ["fault" = "0x82000005"];
        "no GUID": [viewName = "Active Tasks"] => ["rows" = "1 2 4 5 6"];
        "an empty view name": [viewName = ""] => ["rows" = "1 2 4 5 6"];
        "a view and a token": [viewName = "{view Active Tasks}", changeToken = "{start}"] => ["rows" = "6", "ids" = "Delete 2, Delete 3"];
        "a limit of none": [rowLimit = "0"] => ["rows" = "1 2 4 5 6", "data@ListItemCollectionPositionNext" = "-"];
        "an empty limit": [rowLimit = ""] => ["rows" = "1 2 4 5 6"];
        "a limit": [rowLimit = "3"] => ["rows" = "1 2 4", "data@ItemCount" = "3", "data@ListItemCollectionPositionNext" = "*", "Changes@MoreChanges" = "-"];
        "a limit that is just enough": [rowLimit = "5"] => ["rows" = "1 2 4 5 6", "data@ListItemCollectionPositionNext" = "-"];
        "a limit and a token: removals do not count": [rowLimit = "1", changeToken = "{start}"] => ["rows" = "2", "Changes@MoreChanges" = "TRUE", "data@ListItemCollectionPositionNext" = "-"];
        "a limit of none and a token": [rowLimit = "0", changeToken = "{start}"] => ["rows" = "2 6", "Changes@MoreChanges" = "-"];
        "no number": [rowLimit = "many"] => ["fault" = "none"];
        "a negative number": [rowLimit = "-1"] => ["fault" = "none"];
    });
    stage.finish();
}

#[test]
fn queries_and_contains() {
    let mut stage = tasks("");
    stage.run("Tasks", cases! {
        "a condition": [query = "<Query><Where><Contains><FieldRef Name='Title'/><Value Type='Text'>BETA</Value></Contains></Where></Query>"] => ["rows" = "2 5"];
        "an order": [query = "<Query><OrderBy><FieldRef Name='Title' Ascending='FALSE'/></OrderBy></Query>"] => ["rows" = "6 5 4 2 1"];
        "an empty query is none": [query = ""] => ["rows" = "1 2 4 5 6"];
        "an empty inner one too": [query = "<Query/>"] => ["rows" = "1 2 4 5 6"];
        "a condition that no field has": [query = "<Query><Where><IsNull><FieldRef Name='Nonsense'/></IsNull></Where></Query>"] => ["fault" = "0x82000007"];
        "contains": [contains = "<Contains><FieldRef Name='Title'/><Value Type='Text'>beta</Value></Contains>"] => ["rows" = "2 5"];
        "contains without effect beside a query": [contains = "<Contains><FieldRef Name='Title'/><Value Type='Text'>beta</Value></Contains>",
            query = "<Query><OrderBy><FieldRef Name='ID' Ascending='FALSE'/></OrderBy></Query>"] => ["rows" = "6 5 4 2 1"];
        "contains beside an empty query": [contains = "<Contains><FieldRef Name='Title'/><Value Type='Text'>beta</Value></Contains>", query = "<Query/>"] => ["rows" = "2 5"];
        "an empty contains is none": [contains = ""] => ["rows" = "1 2 4 5 6"];
        "contains and a token: never for removals": [contains = "<Contains><FieldRef Name='Title'/><Value Type='Text'>beta</Value></Contains>", changeToken = "{start}"]
            => ["rows" = "2", "ids" = "Delete 3"];
        "a query and a token: what changed and does not fit is gone": [query = "<Query><Where><Eq><FieldRef Name='Title'/><Value Type='Text'>zeta</Value></Eq></Where></Query>", changeToken = "{start}"]
            => ["rows" = "6", "ids" = "Delete 2, Delete 3"];
    });
    stage.finish();
}

#[test]
fn options_of_values() {
    let mut stage = tasks("");
    stage.run("Tasks", cases! {
        "no options: UTC, users expanded, attachments with versions": [viewFields = "<ViewFields/>"] => ["1.Created" = "2026-03-04T05:06:07Z",
            "1.AssignedTo" = "1;#Anna Arlt,#anna@example.com,#anna@example.com,#anna@example.com,#Anna Arlt", "1.Attachments" = "0", "5.Attachments" = "*"];
        "an empty element is no options": [queryOptions = ""] => ["1.AssignedTo" = "1;#Anna Arlt,#anna@example.com,#anna@example.com,#anna@example.com,#Anna Arlt"];
        "empty inner options too": [queryOptions = "<QueryOptions/>"] => ["1.AssignedTo" = "1;#Anna Arlt,#anna@example.com,#anna@example.com,#anna@example.com,#Anna Arlt"];
        "options without these: UTC, names, a flag": [queryOptions = "<QueryOptions><OptimizeLookups>TRUE</OptimizeLookups></QueryOptions>"]
            => ["1.Modified" = "2026-03-04T05:06:07Z", "1.AssignedTo" = "1;#Anna Arlt", "5.Attachments" = "1", "1.Attachments" = "0"];
        "UTC": [queryOptions = "<QueryOptions><DateInUtc>TRUE</DateInUtc></QueryOptions>"] => ["1.DueDate" = "2026-04-01T00:00:00Z", "1.Created_x0020_Date" = "1;#2026-03-04T05:06:07Z"];
        "local time": [queryOptions = "<QueryOptions><DateInUtc>False</DateInUtc></QueryOptions>"] => ["1.DueDate" = "2026-04-01 00:00:00", "1.Created_x0020_Date" = "1;#2026-03-04 05:06:07"];
        "an option without a value": [queryOptions = "<QueryOptions><DateInUtc/></QueryOptions>"] => ["1.DueDate" = "2026-04-01T00:00:00Z"];
        "users expanded": [queryOptions = "<QueryOptions><ExpandUserField>TRUE</ExpandUserField></QueryOptions>"]
            => ["1.AssignedTo" = "1;#Anna Arlt,#anna@example.com,#anna@example.com,#anna@example.com,#Anna Arlt"];
        "users not expanded": [queryOptions = "<QueryOptions><ExpandUserField>FALSE</ExpandUserField></QueryOptions>"] => ["1.AssignedTo" = "1;#Anna Arlt"];
        "URLs of attachments": [queryOptions = "<QueryOptions><IncludeAttachmentUrls>TRUE</IncludeAttachmentUrls></QueryOptions>"]
            => ["5.Attachments" = ";#{base}/sites/team/Lists/Tasks/Attachments/5/a%20b.txt;#", "1.Attachments" = "0"];
        "versions alone": [queryOptions = "<QueryOptions><IncludeAttachmentVersion>TRUE</IncludeAttachmentVersion></QueryOptions>"] => ["5.Attachments" = "1"];
        "no mandatory columns": [queryOptions = "<QueryOptions><IncludeMandatoryColumns>FALSE</IncludeMandatoryColumns></QueryOptions>",
            viewFields = "<ViewFields><FieldRef Name='Status'/></ViewFields>"] => ["2.Status" = "Completed", "2.Title" = "-", "2.ID" = "2", "2.owshiddenversion" = "2"];
        "mandatory columns": [queryOptions = "<QueryOptions><IncludeMandatoryColumns>TRUE</IncludeMandatoryColumns></QueryOptions>",
            viewFields = "<ViewFields><FieldRef Name='Status'/></ViewFields>"] => ["2.Status" = "Completed", "2.Title" = "beta 2", "2.owshiddenversion" = "2"];
        "control characters go, asked or not": [queryOptions = "<QueryOptions><RemoveInvalidXmlCharacters>TRUE</RemoveInvalidXmlCharacters></QueryOptions>"] => ["rows" = "1 2 4 5 6"];
        "fragments of changes": [queryOptions = "<QueryOptions><IncludeFragmentChanges>TRUE</IncludeFragmentChanges></QueryOptions>"] => ["rows" = "1 2 4 5 6"];
        "lookups": [queryOptions = "<QueryOptions><OptimizeLookups>FALSE</OptimizeLookups></QueryOptions>"] => ["1.AssignedTo" = "1;#Anna Arlt"];
        "extra rows with a token, which count for nothing": [changeToken = "{start}", rowLimit = "1",
            queryOptions = "<QueryOptions><ExtraIds>1,5,4711</ExtraIds><ViewAttributes Scope='RecursiveAll'/></QueryOptions>"]
            => ["rows" = "1 2 5", "Changes@MoreChanges" = "TRUE", "ids" = "Delete 3"];
        "extra rows leave the token where it is": [changeToken = "{now}", queryOptions = "<QueryOptions><ExtraIds>1</ExtraIds></QueryOptions>"]
            => ["rows" = "1", "Changes@LastChangeToken" = "{now}"];
        "extra rows without a token": [queryOptions = "<QueryOptions><ExtraIds>1</ExtraIds></QueryOptions>", query = "<Query><Where><Eq><FieldRef Name='ID'/><Value Type='Counter'>2</Value></Eq></Where></Query>"]
            => ["rows" = "2"];
    });
    // Control characters went when the value was read.
    let answer = stage.soap(&[("listName".to_owned(), "Tasks".to_owned())]);
    let title = seen(&Lists::read(&answer))["4.Title"].clone();
    assert_eq!(title, "delta!", "{}", escape(&title));
    // An attachment's version is its id and a number.
    let answer = stage.soap(&[("listName".to_owned(), "Tasks".to_owned())]);
    let seen = seen(&Lists::read(&answer));
    let parts: Vec<&str> = seen["5.Attachments"].split(";#").collect();
    let url = format!("{}{SITE}/Lists/Tasks/Attachments/5/a%20b.txt", stage.words["base"]);
    assert_eq!((parts.len(), parts[0], parts[1], parts[3]), (4, "", url.as_str(), ""));
    let (guid, version) = parts[2].split_once(',').unwrap();
    assert!(guid.starts_with('{') && guid.ends_with('}') && guid.len() == 38 && version == "1", "{}", parts[2]);
    stage.finish();
}

/// What a calculated field is made from comes with it, unless no mandatory columns are wanted.
#[test]
fn inputs_of_calculated_fields() {
    let mut stage = tasks("");
    let request = format!(
        "<UpdateList xmlns=\"{SERVICE}\"><listName>Tasks</listName><newFields><Fields><Method ID='1'>\
         <Field Type='Calculated' Name='Sum' DisplayName='Sum' ResultType='Text'><Formula>=Status</Formula>\
         <FieldRefs><FieldRef Name='Status'/></FieldRefs></Field></Method></Fields></newFields></UpdateList>"
    );
    assert!(stage.lists.call("UpdateList", &request).fault().is_none());
    stage.run("Tasks", cases! {
        "with mandatory columns": [viewFields = "<ViewFields><FieldRef Name='Sum'/></ViewFields>"] => ["2.Status" = "Completed", "2.Title" = "beta 2"];
        "without": [viewFields = "<ViewFields><FieldRef Name='Sum'/></ViewFields>", queryOptions = "<QueryOptions><IncludeMandatoryColumns>FALSE</IncludeMandatoryColumns></QueryOptions>"]
            => ["2.Status" = "-", "2.Title" = "-"];
    });
    stage.finish();
}

/// Rows whose rights are not those of the list tell them where that is asked for: here a list whose rows only their
/// makers write, as somebody sees it who made one of them.
#[test]
fn permissions_of_rows() {
    let mut stage = tasks("");
    let bert = stage.server.lists(BERT);
    bert.create("Tasks", &[("Title", "of Bert")]);
    let request = format!(
        "<UpdateList xmlns=\"{SERVICE}\"><listName>Tasks</listName><listProperties><List WriteSecurity=\"2\"/></listProperties>\
         </UpdateList>"
    );
    assert!(stage.lists.call("UpdateList", &request).fault().is_none());
    stage.run("Tasks", cases! {
        "all the same to the owner": [viewFields = "<ViewFields><FieldRef Name='PermMask'/></ViewFields>"]
            => ["@EffectivePermMask" = "FullMask", "1.EffectivePermMask" = "-", "1.PermMask" = "0x7fffffffffffffff"];
    });
    stage.lists = bert;
    stage.run("Tasks", cases! {
        "no options: with permissions": [viewFields = "<ViewFields><FieldRef Name='PermMask'/></ViewFields>"]
            => ["1.EffectivePermMask" = "*", "7.EffectivePermMask" = "-", "1.PermMask" = "*"];
        "asked for": [queryOptions = "<QueryOptions><IncludePermissions>TRUE</IncludePermissions></QueryOptions>"]
            => ["1.EffectivePermMask" = "*", "7.EffectivePermMask" = "-"];
        "not asked for": [queryOptions = "<QueryOptions><IncludePermissions>FALSE</IncludePermissions></QueryOptions>"]
            => ["1.EffectivePermMask" = "-", "7.EffectivePermMask" = "-"];
        "options that say nothing of it": [queryOptions = "<QueryOptions><DateInUtc>TRUE</DateInUtc></QueryOptions>"]
            => ["1.EffectivePermMask" = "-"];
    });
    let ask = [("listName".to_owned(), "Tasks".to_owned())];
    let answer = seen(&Lists::read(&stage.soap(&ask)));
    let (list, row) = (&answer["@EffectivePermMask"], &answer["1.EffectivePermMask"]);
    assert!(list.contains("EditListItems") && list.contains("ViewListItems"), "{list}");
    assert!(
        !row.contains("EditListItems") && !row.contains("DeleteListItems") && row.contains("ViewListItems"),
        "{row}"
    );
    stage.finish();
}

#[test]
fn attributes_of_the_answer() {
    let mut stage = tasks("");
    stage.run("Tasks", cases! {
        "as it comes": [changeToken = "{now}"] => ["@MinTimeBetweenSyncs" = "0", "@RecommendedTimeBetweenSyncs" = "180",
            "@MaxBulkDocumentSyncSize" = "500", "@MaxRecommendedEmbeddedFileSize" = "500", "@AlternateUrls" = "{base}/sites/team/",
            "@EffectivePermMask" = "FullMask"];
    });
    stage.finish();
    let mut stage = tasks(
        "list_sync_min_minutes = 5\nlist_sync_recommended_minutes = 30\nlist_sync_documents_mb = 20\n\
         list_sync_embedded_file_mb = 7\nalternate_urls = [\"http://in/\", \"https://def/\", \"https://ex/\"]\n",
    );
    stage.run("Tasks", cases! {
        "as it is set": [changeToken = "{now}"] => ["@MinTimeBetweenSyncs" = "5", "@RecommendedTimeBetweenSyncs" = "30",
            "@MaxBulkDocumentSyncSize" = "20", "@MaxRecommendedEmbeddedFileSize" = "7", "@AlternateUrls" = "http://in/,https://def/,https://ex/"];
    });
    stage.finish();
}

/// A field that the list gets, the view too.
fn add_field(stage: &Stage, list: &str) {
    let request = format!(
        "<UpdateList xmlns=\"{SERVICE}\"><listName>{list}</listName><newFields><Fields><Method ID='1' AddToView=''>\
         <Field Type='Text' Name='Extra' DisplayName='Extra'/></Method></Fields></newFields></UpdateList>"
    );
    assert!(stage.lists.call("UpdateList", &request).fault().is_none());
}

#[test]
fn a_changed_definition() {
    let mut stage = tasks("");
    add_field(&stage, "Tasks");
    stage.mark("later", "Tasks");
    stage.run("Tasks", cases! {
        "the definition again, with what changed": [changeToken = "{start}"] => ["List" = "true", "List@Version" = "1", "rows" = "2 6", "ids" = "Delete 3"];
        "with a token from behind all rows": [changeToken = "{now}"] => ["List" = "true", "rows" = "", "ids" = ""];
        "not with a later one": [changeToken = "{later}"] => ["List" = "false", "rows" = ""];
    });
    stage.finish();
    let mut stage = tasks("list_schema_change_sends_all = true\nlist_changes_max = 1\n");
    add_field(&stage, "Tasks");
    stage.mark("later", "Tasks");
    stage.run("Tasks", cases! {
        "all rows, as it is set": [changeToken = "{start}"] => ["List" = "true", "rows" = "1 2 4 5 6", "ids" = "Delete 3", "Changes@MoreChanges" = "-", "Changes@LastChangeToken" = "{later}"];
        "all rows that fit": [changeToken = "{now}", contains = "<Contains><FieldRef Name='Title'/><Value Type='Text'>beta</Value></Contains>"] => ["List" = "true", "rows" = "2 5"];
        "only once": [changeToken = "{later}"] => ["List" = "false", "rows" = ""];
    });
    stage.finish();
}

#[test]
fn caps_of_changed_rows() {
    for (settings, first) in [("", 40), ("list_changes_max = 100\n", 100), ("list_changes_max = 7\n", 7)] {
        let mut stage = Stage::new(settings);
        stage.mark("start", "Tasks");
        let methods: Vec<String> = (0..105).map(|_| new(&[("Title", "t")])).collect();
        stage.update("Tasks", &methods);
        let mut token = stage.words["start"].clone();
        let mut sizes = Vec::new();
        loop {
            stage.word("token", token);
            let ask =
                [("listName".to_owned(), "Tasks".to_owned()), ("changeToken".to_owned(), stage.words["token"].clone())];
            let answer = seen(&Lists::read(&stage.soap(&ask)));
            sizes.push(answer["data@ItemCount"].parse::<usize>().unwrap());
            token = answer["Changes@LastChangeToken"].clone();
            if !answer.contains_key("Changes@MoreChanges") {
                break;
            }
        }
        assert_eq!((sizes[0], sizes.iter().sum::<usize>(), sizes.len()), (first, 105, 105_usize.div_ceil(first)));
        stage.finish();
    }
}

#[test]
fn pages_without_a_token() {
    let mut stage = tasks("");
    let ask = |options: &str, limit: &str, stage: &Stage| {
        let ask = [
            ("listName".to_owned(), "Tasks".to_owned()),
            ("query".to_owned(), "<Query><OrderBy><FieldRef Name='Title'/></OrderBy></Query>".to_owned()),
            ("rowLimit".to_owned(), limit.to_owned()),
            ("queryOptions".to_owned(), options.to_owned()),
        ];
        let answer = stage.soap(&ask);
        assert_eq!(listitems(answer.text()), listitems(stage.rest(&ask).text()));
        seen(&Lists::read(&answer))
    };
    let paging = |answer: &BTreeMap<String, String>| {
        let position = escape(&answer["data@ListItemCollectionPositionNext"]);
        format!("<QueryOptions><Paging ListItemCollectionPositionNext=\"{position}\"/></QueryOptions>")
    };
    let first = ask("", "2", &stage);
    assert_eq!(first["rows"], "1 2");
    // What changes meanwhile follows by the token, which is that of the first page on every page.
    stage.server.advance(60);
    stage.update("Tasks", &[edit(1, &[("Title", "omega")])]);
    let second = ask(&paging(&first), "2", &stage);
    assert_eq!(
        (second["rows"].as_str(), &second["Changes@LastChangeToken"]),
        ("4 5", &first["Changes@LastChangeToken"])
    );
    assert_eq!(second["List"], "true");
    let third = ask(&paging(&second), "", &stage);
    assert_eq!(third["rows"], "1 6", "a changed row may come twice, never not at all");
    assert!(!third.contains_key("data@ListItemCollectionPositionNext"));
    assert_eq!(third["Changes@LastChangeToken"], first["Changes@LastChangeToken"]);
    stage.word("first", third["Changes@LastChangeToken"].clone());
    // Over REST the element may come alone.
    let rest_alone = |options: &str| {
        let ask = [
            ("listName".to_owned(), "Tasks".to_owned()),
            ("rowLimit".to_owned(), "2".to_owned()),
            ("queryOptions".to_owned(), options.to_owned()),
        ];
        stage.rest(&ask)
    };
    let alone = rest_alone("<Paging ListItemCollectionPositionNext=\"Paged=TRUE&amp;p_ID=2\" />");
    assert!(alone.text().contains("ows_ID=\"4\"") && !alone.text().contains("ows_ID=\"2\""), "{}", alone.text());
    stage.run("Tasks", cases! {
        "what changed meanwhile": [changeToken = "{first}"] => ["rows" = "1", "1.Title" = "omega"];
        "an empty position is the start": [rowLimit = "2", queryOptions = "<QueryOptions><Paging ListItemCollectionPositionNext=''/></QueryOptions>"] => ["rows" = "1 2"];
        "so is a bare one": [rowLimit = "2", queryOptions = "<QueryOptions><Paging ListItemCollectionPositionNext='Paged=TRUE'/></QueryOptions>"] => ["rows" = "1 2"];
        "a position": [rowLimit = "2", queryOptions = "<QueryOptions><Paging ListItemCollectionPositionNext='Paged=TRUE&amp;p_ID=2'/></QueryOptions>"] => ["rows" = "4 5"];
        "a position behind the end": [rowLimit = "2", queryOptions = "<QueryOptions><Paging ListItemCollectionPositionNext='Paged=TRUE&amp;p_ID=99'/></QueryOptions>"] => ["rows" = "", "data@ItemCount" = "0"];
        "no position": [queryOptions = "<QueryOptions><Paging ListItemCollectionPositionNext='Paged=TRUE&amp;p_ID=x'/></QueryOptions>"] => ["fault" = "none"];
    });
    stage.finish();
}

/// A library with files in folders; `{start}` is before a file moves into `A` and another out of it.
fn library() -> Stage {
    let mut stage = Stage::new("");
    stage.lists.add("Library", 101);
    let folder = |root: &str, name: &str| {
        let request = format!(
            "<UpdateListItems xmlns=\"{SERVICE}\"><listName>Library</listName><updates><Batch RootFolder=\"{root}\">{}</Batch></updates></UpdateListItems>",
            new(&[("FSObjType", "1"), ("BaseName", name)])
        );
        let answer = stage.lists.call("UpdateListItems", &request);
        assert_eq!(answer.root().all("ErrorCode")[0].text(), "0x00000000", "{answer:?}");
    };
    stage.put("Library/root.txt", "1");
    folder("", "A");
    folder("/sites/team/Library/A", "B");
    stage.put("Library/A/one.txt", "11");
    stage.put("Library/A/B/deep.txt", "111");
    stage.put("Library/A/away.txt", "1111");
    stage.mark("start", "Library");
    let go = |from: &str, to: &str| {
        let destination = format!("{}{SITE}/{to}", stage.lists.http().base());
        let answer = stage.lists.http().send("MOVE", &format!("{SITE}/{from}"), &[("destination", &destination)], "");
        assert!(answer.status < 300, "{from}: {}", answer.status);
    };
    go("Library/root.txt", "Library/A/came.txt");
    go("Library/A/away.txt", "Library/went.txt");
    stage
}

#[test]
fn folders_scopes_and_their_order() {
    let mut stage = library();
    stage.run("Library", cases! {
        "no options: everything": [] => ["rows" = "1 2 3 4 5 6", "2.FSObjType" = "2;#1", "4.FSObjType" = "4;#0", "5.FileRef" = "5;#sites/team/Library/A/B/deep.txt"];
        "options without a scope: what lies in the root": [queryOptions = "<QueryOptions><DateInUtc>TRUE</DateInUtc></QueryOptions>"] => ["rows" = "2 6"];
        "an empty scope": [queryOptions = "<QueryOptions><ViewAttributes Scope=''/></QueryOptions>"] => ["rows" = "2 6"];
        "files of the folder": [queryOptions = "<QueryOptions><ViewAttributes Scope='FilesOnly'/></QueryOptions>"] => ["rows" = "6"];
        "all files": [queryOptions = "<QueryOptions><ViewAttributes Scope='Recursive'/></QueryOptions>"] => ["rows" = "1 4 5 6"];
        "everything": [queryOptions = "<QueryOptions><ViewAttributes Scope='RecursiveAll'/></QueryOptions>"] => ["rows" = "1 2 3 4 5 6"];
        "a folder, server-relative": [queryOptions = "<QueryOptions><Folder>/sites/team/Library/A</Folder></QueryOptions>"] => ["rows" = "1 3 4"];
        "a folder, server-relative without the slash": [queryOptions = "<QueryOptions><Folder>sites/team/Library/A</Folder></QueryOptions>"] => ["rows" = "1 3 4"];
        "a folder, relative to the web, in any case": [queryOptions = "<QueryOptions><Folder>library/a/</Folder></QueryOptions>"] => ["rows" = "1 3 4"];
        "a folder, absolute": [queryOptions = "<QueryOptions><Folder>{base}/sites/team/Library/A/B</Folder></QueryOptions>"] => ["rows" = "5"];
        "a folder, empty": [queryOptions = "<QueryOptions><Folder></Folder><ViewAttributes Scope='RecursiveAll'/></QueryOptions>"] => ["rows" = "1 2 3 4 5 6"];
        "a folder elsewhere": [queryOptions = "<QueryOptions><Folder>Shared Documents/Test1</Folder></QueryOptions>"] => ["rows" = ""];
        "files below a folder": [queryOptions = "<QueryOptions><Folder>Library/A</Folder><ViewAttributes Scope='Recursive'/></QueryOptions>"] => ["rows" = "1 4 5"];
        "everything below a folder": [queryOptions = "<QueryOptions><Folder>Library/A</Folder><ViewAttributes Scope='RecursiveAll'/></QueryOptions>"] => ["rows" = "1 3 4 5"];
        "files of a folder": [queryOptions = "<QueryOptions><Folder>Library/A</Folder><ViewAttributes Scope='FilesOnly'/></QueryOptions>"] => ["rows" = "1 4"];
        "moved in and out of the folder": [changeToken = "{start}", queryOptions = "<QueryOptions><Folder>Library/A</Folder></QueryOptions>"]
            => ["rows" = "1", "1.FileLeafRef" = "1;#came.txt", "ids" = "Rename 1, Delete 6"];
        "a folder that one synchronizes, whether it changed or not": [changeToken = "{start}",
            queryOptions = "<QueryOptions><Folder>Library/A</Folder><ExtraIds>2</ExtraIds></QueryOptions>"] => ["rows" = "1 2", "2.FileLeafRef" = "2;#A"];
        "by number": [queryOptions = "<QueryOptions><OptimizeFor>ItemIds</OptimizeFor><ViewAttributes Scope='RecursiveAll'/></QueryOptions>"] => ["rows" = "1 2 3 4 5 6"];
        "by folder and name": [queryOptions = "<QueryOptions><OptimizeFor>FolderUrls</OptimizeFor><ViewAttributes Scope='RecursiveAll'/></QueryOptions>"] => ["rows" = "2 6 3 1 4 5"];
        "by folder and name, a query goes before": [queryOptions = "<QueryOptions><OptimizeFor>FolderUrls</OptimizeFor><ViewAttributes Scope='RecursiveAll'/></QueryOptions>",
            query = "<Query><OrderBy><FieldRef Name='ID' Ascending='FALSE'/></OrderBy></Query>"] => ["rows" = "6 5 4 3 2 1"];
    });
    stage.finish();
}

#[test]
fn series_of_a_calendar() {
    const WEEKLY: &str = "<recurrence><rule><firstDayOfWeek>su</firstDayOfWeek><repeat><weekly mo='TRUE' weekFrequency='1'/></repeat><repeatInstances>5</repeatInstances></rule></recurrence>";
    const WEEKDAYS: &str = "<recurrence><rule><firstDayOfWeek>su</firstDayOfWeek><repeat><daily weekday='TRUE'/></repeat><repeatInstances>5</repeatInstances></rule></recurrence>";
    let mut stage = Stage::new("");
    let (one, two) = ("{11111111-1111-1111-1111-111111111111}", "{22222222-2222-2222-2222-222222222222}");
    let series = |uid: &str, data: &str| {
        new(&[
            ("Title", "series"),
            ("UID", uid),
            ("EventType", "1"),
            ("fRecurrence", "1"),
            ("EventDate", "2026-03-02T10:00:00Z"),
            ("EndDate", "2026-04-02T11:00:00Z"),
            ("RecurrenceData", data),
        ])
    };
    let exception = |uid: &str, master: &str, day: &str| {
        let date = format!("2026-03-{day}T12:00:00Z");
        new(&[
            ("Title", "exception"),
            ("UID", uid),
            ("EventType", "4"),
            ("MasterSeriesItemID", master),
            ("RecurrenceID", &date),
            ("EventDate", &date),
            ("EndDate", &date),
        ])
    };
    stage.mark("start", "Calendar");
    stage.update(
        "Calendar",
        &[
            series(two, WEEKLY),
            exception(two, "1", "16"),
            exception(two, "1", "09"),
            new(&[
                ("Title", "single"),
                ("UID", one),
                ("EventDate", "2026-03-05T10:00:00Z"),
                ("EndDate", "2026-03-05T11:00:00Z"),
            ]),
            series("{00000000-0000-0000-0000-000000000001}", WEEKDAYS),
        ],
    );
    stage.word("weekly", WEEKLY);
    stage.word("weekdays", WEEKDAYS);
    stage.run("Calendar", cases! {
        "the series before its exceptions": [viewFields = "<ViewFields><FieldRef Name='RecurrenceData'/></ViewFields>", queryOptions = "<QueryOptions><RecurrenceOrderBy>TRUE</RecurrenceOrderBy></QueryOptions>"] => ["rows" = "5 4 1 3 2"];
        "ahead of any other order": [viewFields = "<ViewFields><FieldRef Name='RecurrenceData'/></ViewFields>", queryOptions = "<QueryOptions><RecurrenceOrderBy>TRUE</RecurrenceOrderBy></QueryOptions>",
            query = "<Query><OrderBy><FieldRef Name='ID' Ascending='FALSE'/></OrderBy></Query>"] => ["rows" = "5 4 1 3 2"];
        "to a token as well": [viewFields = "<ViewFields><FieldRef Name='RecurrenceData'/></ViewFields>", changeToken = "{start}", queryOptions = "<QueryOptions><RecurrenceOrderBy>TRUE</RecurrenceOrderBy></QueryOptions>"] => ["rows" = "5 4 1 3 2"];
        "not asked for": [viewFields = "<ViewFields><FieldRef Name='RecurrenceData'/></ViewFields>", queryOptions = "<QueryOptions><RecurrenceOrderBy>FALSE</RecurrenceOrderBy></QueryOptions>"] => ["rows" = "1 2 3 4 5"];
        "asked for with the field of that type, which brings what it is made of": [viewFields = "<ViewFields><FieldRef Name='fRecurrence'/></ViewFields>",
            queryOptions = "<QueryOptions><RecurrenceOrderBy>TRUE</RecurrenceOrderBy></QueryOptions>"] => ["rows" = "5 4 1 3 2", "5.UID" = "*"];
        "asked for without a field of it": [viewFields = "<ViewFields><FieldRef Name='Title'/></ViewFields>",
            queryOptions = "<QueryOptions><RecurrenceOrderBy>TRUE</RecurrenceOrderBy></QueryOptions>"] => ["rows" = "1 2 3 4 5"];
        "no options: the order, and patterns as they are": [viewFields = "<ViewFields><FieldRef Name='RecurrenceData'/></ViewFields>"] => ["rows" = "5 4 1 3 2", "1.RecurrenceData" = "{weekly}", "5.RecurrenceData" = "{weekdays}"];
        "newer patterns as they are": [viewFields = "<ViewFields><FieldRef Name='RecurrenceData'/></ViewFields>", queryOptions = "<QueryOptions><RecurrencePatternXMLVersion>v3</RecurrencePatternXMLVersion></QueryOptions>"]
            => ["1.RecurrenceData" = "{weekly}", "5.RecurrenceData" = "{weekdays}"];
        "newer patterns for older clients": [viewFields = "<ViewFields><FieldRef Name='RecurrenceData'/></ViewFields>", queryOptions = "<QueryOptions><DateInUtc>TRUE</DateInUtc></QueryOptions>"]
            => ["1.RecurrenceData" = "{weekly}", "5.RecurrenceData" = "<V3RecurrencePattern>{weekdays}</V3RecurrencePattern>"];
    });
    stage.finish();
}
