//! Answers follow the published schemas: every class of item and folder, every shape, every field, every template.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs, reason = "a test")]

use std::fs;

use testkit::{
    ews::{self, Ews, ItemAsk, distinguished, folder_id, item_id, responses, sync_items_request},
    lists::{ListAsk, Lists, method},
    schema::{Checker, shared},
    server::{ANNA, TestServer},
    stream::{APPOINTMENT, MEETING, Stream},
    tree::{Reach, escape},
};

/// Fields asked for by one request.
const FIELDS_AT_ONCE: usize = 40;
/// Item classes, and the element by which each is returned.
const CLASSES: [(&str, &str); 19] = [
    ("IPM.Note", "Message"),
    ("ipm.note.SMIME", "Message"),
    ("REPORT.IPM.Note.NDR", "Message"),
    ("IPM.StickyNote", "Message"),
    ("IPM.Document.txt", "Message"),
    ("IPM.Appointment", "CalendarItem"),
    ("IPM.Appointment.Custom", "CalendarItem"),
    ("IPM.Contact", "Contact"),
    ("IPM.DistList", "DistributionList"),
    ("IPM.Task", "Task"),
    ("IPM.Post", "PostItem"),
    ("IPM.Schedule.Meeting.Request", "MeetingRequest"),
    ("IPM.Schedule.Meeting.Resp.Pos", "MeetingResponse"),
    ("IPM.Schedule.Meeting.Resp.Tent", "MeetingResponse"),
    ("IPM.Schedule.Meeting.Resp.Neg", "MeetingResponse"),
    ("IPM.Schedule.Meeting.Canceled", "MeetingCancellation"),
    ("IPM.Schedule.Meeting.Notification.Forward", "MeetingMessage"),
    ("IPM.Activity", "Item"),
    ("IPM.Something", "Item"),
];

/// An item of this class with something in every corner that the class may show.
fn item(class: &str) -> String {
    let inner = Stream::message("IPM.Note", "Inside").recipients_follow().attachments_follow();
    Stream::message(class, "A subject & <more>")
        .number(0x0017, 2)
        .number(0x0036, 1)
        .time(0x0039, 1_600_000_000)
        .time(0x0e06, 1_600_000_005)
        .text(0x0042, "Dan")
        .text(0x0064, "SMTP")
        .text(0x0065, "dan@example.com")
        .text(0x0c1a, "Dan")
        .text(0x0c1e, "SMTP")
        .text(0x0c1f, "dan@example.com")
        .text(0x1000, "A body")
        .text(0x1035, "<id@example.com>")
        .text(0x3a06, "Given")
        .text(0x3a11, "Surname")
        .text(0x3a16, "Company")
        .text(0x3a08, "+1 23")
        .named_number(MEETING, 0x0026, 1)
        .named_number(APPOINTMENT, 0x8205, 2)
        .named_number(APPOINTMENT, 0x8218, 3)
        .named_text(APPOINTMENT, 0x8208, "Somewhere")
        .named_time(APPOINTMENT, 0x820d, 1_700_000_000)
        .named_time(APPOINTMENT, 0x820e, 1_700_003_600)
        .recipients_follow()
        .recipient(0, "Bob", "bob@example.com")
        .attachments_follow()
        .file(0, "a.txt", b"content")
        .embedded(1, "Inside", &inner)
        .data()
}

/// The values of an enumeration of the published types, none where the schema is missing.
fn enumeration(name: &str) -> Vec<String> {
    let Ok(types) = fs::read_to_string(shared("schemas/ews/types.xsd")) else { return vec![] };
    let start = types.find(&format!("<xs:simpleType name=\"{name}\"")).unwrap();
    let end = start + types[start..].find("</xs:simpleType>").unwrap();
    let values = types[start..end].split("<xs:enumeration value=\"").skip(1);
    values.map(|value| value.split('"').next().unwrap().to_owned()).collect()
}

fn with_fields(fields: &[String]) -> String {
    let fields: String = fields.iter().map(|field| format!("<t:FieldURI FieldURI=\"{field}\"/>")).collect();
    format!("<t:BaseShape>IdOnly</t:BaseShape><t:AdditionalProperties>{fields}</t:AdditionalProperties>")
}

fn shapes() -> [String; 3] {
    ["IdOnly", "Default", "AllProperties"].map(|shape| format!("<t:BaseShape>{shape}</t:BaseShape>"))
}

/// Every class of item in a folder of its own.
fn items(ews: &Ews) -> (String, Vec<String>) {
    let folder = ews.create_folder(&distinguished("inbox"), "classes").unwrap();
    let data = CLASSES.map(|(class, _)| item(class));
    let ids = ews.upload(&folder, false, &data).into_iter().map(Result::unwrap).collect();
    (folder, ids)
}

#[test]
fn items_of_every_class_in_every_shape() {
    let server = TestServer::memory();
    let ews = server.ews(ANNA);
    let mut checker = Checker::new();
    let (folder, ids) = items(&ews);
    let all: String = ids.iter().map(|id| item_id(id)).collect();
    let folder = folder_id(&folder);
    let mut fields = enumeration("UnindexedFieldURIType");
    fields.retain(|field| !field.starts_with("folder:"));
    let mut asked: Vec<_> = shapes().into_iter().collect();
    asked.push("<t:BaseShape>AllProperties</t:BaseShape><t:IncludeMimeContent>true</t:IncludeMimeContent>".to_owned());
    asked.push("<t:BaseShape>Default</t:BaseShape><t:BodyType>HTML</t:BodyType>".to_owned());
    asked.extend(fields.chunks(FIELDS_AT_ONCE).map(with_fields));
    for shape in &asked {
        let request = format!("<m:GetItem><m:ItemShape>{shape}</m:ItemShape><m:ItemIds>{all}</m:ItemIds></m:GetItem>");
        let answer = ews.call(&request);
        checker.ews(&answer);
        assert!(answer.fault().is_none(), "{shape}: {answer:?}");
        for (response, (class, element)) in responses(&answer).iter().zip(CLASSES) {
            let code = response.value("ResponseCode").unwrap();
            // Not everything has a form in MIME.
            if shape.contains("MimeContent") && code == "ErrorUnsupportedMimeConversion" {
                continue;
            }
            assert_eq!(code, "NoError", "{class} {shape}");
            assert_eq!(response.at("Items").names(), [element], "{class}");
        }
    }
    for shape in shapes() {
        for version in ["Exchange2007_SP1", "Exchange2010_SP2", "Exchange2013_SP1", "Exchange2016"] {
            let ask = ItemAsk { folder: &folder, state: None, ignore: &[], changes_max: 100, associated: false };
            let request = ews::envelope(&sync_items_request(&ask, &shape)).replace("Exchange2013_SP1", version);
            let answer = ews.send(&request);
            checker.ews(&answer);
            assert_eq!(responses(&answer)[0].at("Changes").names().len(), CLASSES.len());
        }
        let answer = ews.attempt(&format!(
            "<m:FindItem Traversal=\"Shallow\"><m:ItemShape>{shape}</m:ItemShape><m:ParentFolderIds>{folder}\
             </m:ParentFolderIds></m:FindItem>"
        ));
        let answer = answer.unwrap();
        checker.ews(&answer);
        assert_eq!(responses(&answer)[0].at("RootFolder/Items").names().len(), CLASSES.len());
    }
    // One field at a time: what Find and Sync cannot return is refused by its name, all else comes.
    for field in &fields {
        let ask = ItemAsk { folder: &folder, state: None, ignore: &[], changes_max: 100, associated: false };
        let answer = ews.call(&sync_items_request(&ask, &with_fields(std::slice::from_ref(field))));
        checker.ews(&answer);
        let code = ews::code(&answer);
        assert!(matches!(code.as_str(), "NoError" | "ErrorInvalidPropertyForOperation"), "{field}: {code}");
    }
    checker.finish();
}

#[test]
fn folders_of_every_kind() {
    let server = TestServer::memory();
    let ews = server.ews(ANNA);
    let mut checker = Checker::new();
    for (class, element) in [
        ("IPF.Note", "Folder"),
        ("IPF.Appointment", "CalendarFolder"),
        ("IPF.Contact", "ContactsFolder"),
        ("IPF.Contact.Custom", "ContactsFolder"),
        ("IPF.Task", "TasksFolder"),
        ("IPF.StickyNote", "Folder"),
        ("IPF.Journal", "Folder"),
        ("IPF.Unknown", "Folder"),
    ] {
        let answer = ews.attempt(&format!(
            "<m:CreateFolder><m:ParentFolderId>{}</m:ParentFolderId><m:Folders><t:Folder><t:FolderClass>{class}\
             </t:FolderClass><t:DisplayName>{class}</t:DisplayName></t:Folder></m:Folders></m:CreateFolder>",
            distinguished("msgfolderroot")
        ));
        let answer = answer.unwrap_or_else(|code| panic!("{class}: {code}"));
        checker.ews(&answer);
        assert_eq!(responses(&answer)[0].at("Folders").names(), [element], "{class}");
    }
    let mut fields = enumeration("UnindexedFieldURIType");
    fields.retain(|field| field.starts_with("folder:"));
    let mut asked: Vec<_> = shapes().into_iter().collect();
    asked.push(with_fields(&fields));
    for shape in &asked {
        for version in ["Exchange2007_SP1", "Exchange2010_SP2", "Exchange2013_SP1", "Exchange2016"] {
            for request in [
                format!("<m:SyncFolderHierarchy><m:FolderShape>{shape}</m:FolderShape></m:SyncFolderHierarchy>"),
                format!(
                    "<m:FindFolder Traversal=\"Deep\"><m:FolderShape>{shape}</m:FolderShape><m:ParentFolderIds>{}\
                     </m:ParentFolderIds></m:FindFolder>",
                    distinguished("root")
                ),
            ] {
                let answer = ews.send(&ews::envelope(&request).replace("Exchange2013_SP1", version));
                checker.ews(&answer);
                assert_eq!(ews::code(&answer), "NoError", "{shape} {answer:?}");
            }
        }
    }
    // Every name that a folder may have by its purpose: each is there, or its own error says that it is not.
    let names = enumeration("DistinguishedFolderIdNameType");
    let ids: String = names.iter().map(|name| distinguished(name)).collect();
    if !names.is_empty() {
        let answer = ews.call(&format!(
            "<m:GetFolder><m:FolderShape><t:BaseShape>AllProperties</t:BaseShape></m:FolderShape><m:FolderIds>{ids}\
             </m:FolderIds></m:GetFolder>"
        ));
        checker.ews(&answer);
        assert_eq!(responses(&answer).len(), names.len());
        for (response, name) in responses(&answer).iter().zip(&names) {
            let code = response.value("ResponseCode").unwrap();
            assert!(matches!(code.as_str(), "NoError" | "ErrorFolderNotFound"), "{name}: {code}");
        }
    }
    for name in [
        "inbox",
        "calendar",
        "contacts",
        "tasks",
        "sentitems",
        "deleteditems",
        "drafts",
        "notes",
        "journal",
        "junkemail",
        "outbox",
        "searchfolders",
        "msgfolderroot",
        "root",
    ] {
        ews.folder(&distinguished(name));
    }
    checker.finish();
}

/// Every operation, done and refused.
#[test]
fn operations_done_and_refused() {
    let server = TestServer::memory();
    let ews = server.ews(ANNA);
    let mut checker = Checker::new();
    let inbox = ews.folder(&distinguished("inbox"));
    let id = ews.create_message(&distinguished("inbox"), "x");
    let spare = ews.create_message(&distinguished("inbox"), "y");
    let folder = ews.create_folder(&distinguished("inbox"), "x").unwrap();
    let shape = "<m:ItemShape><t:BaseShape>Default</t:BaseShape></m:ItemShape>";
    let folder_shape = "<m:FolderShape><t:BaseShape>Default</t:BaseShape></m:FolderShape>";
    let data = item("IPM.Note");
    let requests = |item: &str, folder: &str| {
        let (item, folder) = (item_id(item), folder_id(folder));
        let message = "<t:Message><t:Subject>x</t:Subject></t:Message>";
        [
            format!("<m:GetItem>{shape}<m:ItemIds>{item}</m:ItemIds></m:GetItem>"),
            format!("<m:GetFolder>{folder_shape}<m:FolderIds>{folder}</m:FolderIds></m:GetFolder>"),
            format!(
                "<m:FindItem Traversal=\"Shallow\">{shape}<m:ParentFolderIds>{folder}</m:ParentFolderIds></m:FindItem>"
            ),
            format!(
                "<m:FindFolder Traversal=\"Shallow\">{folder_shape}<m:ParentFolderIds>{folder}</m:ParentFolderIds>\
                 </m:FindFolder>"
            ),
            format!(
                "<m:CreateItem MessageDisposition=\"SaveOnly\"><m:SavedItemFolderId>{folder}</m:SavedItemFolderId>\
                 <m:Items>{message}</m:Items></m:CreateItem>"
            ),
            format!(
                "<m:CreateFolder><m:ParentFolderId>{folder}</m:ParentFolderId><m:Folders><t:Folder><t:DisplayName>z\
                 </t:DisplayName></t:Folder></m:Folders></m:CreateFolder>"
            ),
            format!(
                "<m:UpdateItem ConflictResolution=\"AlwaysOverwrite\" MessageDisposition=\"SaveOnly\"><m:ItemChanges>\
                 <t:ItemChange>{item}<t:Updates><t:SetItemField><t:FieldURI FieldURI=\"item:Subject\"/>{message}\
                 </t:SetItemField></t:Updates></t:ItemChange></m:ItemChanges></m:UpdateItem>"
            ),
            format!(
                "<m:UpdateFolder><m:FolderChanges><t:FolderChange>{folder}<t:Updates><t:SetFolderField><t:FieldURI \
                 FieldURI=\"folder:DisplayName\"/><t:Folder><t:DisplayName>renamed</t:DisplayName></t:Folder>\
                 </t:SetFolderField></t:Updates></t:FolderChange></m:FolderChanges></m:UpdateFolder>"
            ),
            format!("<m:ExportItems><m:ItemIds>{item}</m:ItemIds></m:ExportItems>"),
            format!(
                "<m:UploadItems><m:Items><t:Item CreateAction=\"Update\"><t:ParentFolderId Id=\"{inbox}\"/>{item}<t:Data>\
                 {data}</t:Data></t:Item></m:Items></m:UploadItems>"
            ),
            format!("<m:CopyItem><m:ToFolderId>{folder}</m:ToFolderId><m:ItemIds>{item}</m:ItemIds></m:CopyItem>"),
            format!("<m:MoveItem><m:ToFolderId>{folder}</m:ToFolderId><m:ItemIds>{item}</m:ItemIds></m:MoveItem>"),
            format!(
                "<m:MoveFolder><m:ToFolderId>{}</m:ToFolderId><m:FolderIds>{folder}</m:FolderIds></m:MoveFolder>",
                distinguished("msgfolderroot")
            ),
            format!(
                "<m:SyncFolderItems>{shape}<m:SyncFolderId>{folder}</m:SyncFolderId><m:MaxChangesReturned>5\
                 </m:MaxChangesReturned></m:SyncFolderItems>"
            ),
            format!(
                "<m:SyncFolderHierarchy>{folder_shape}<m:SyncFolderId>{folder}</m:SyncFolderId></m:SyncFolderHierarchy>"
            ),
            format!("<m:DeleteFolder DeleteType=\"HardDelete\"><m:FolderIds>{folder}</m:FolderIds></m:DeleteFolder>"),
        ]
    };
    for request in requests(&id, &folder) {
        let answer = ews.call(&request);
        checker.ews(&answer);
        assert_eq!(ews::code(&answer), "NoError", "{request:.60}: {answer:?}");
    }
    // What was moved and deleted is there no more.
    for (item, folder) in [(&id, &folder), (&"AAMk".to_owned(), &"AAMk".to_owned()), (&String::new(), &String::new())] {
        for request in requests(item, folder) {
            let answer = ews.call(&request);
            checker.ews(&answer);
            assert_ne!(ews::code(&answer), "NoError", "{request:.60} {item}: {answer:?}");
        }
    }
    for mode in ["HardDelete", "SoftDelete", "MoveToDeletedItems"] {
        let copy = ews.transfer("CopyItem", &spare, &distinguished("drafts")).unwrap();
        for expected in ["NoError", "ErrorItemNotFound"] {
            let request =
                format!("<m:DeleteItem DeleteType=\"{mode}\"><m:ItemIds>{}</m:ItemIds></m:DeleteItem>", item_id(&copy));
            let answer = ews.call(&request);
            checker.ews(&answer);
            assert_eq!(ews::code(&answer), expected, "{mode}");
        }
    }
    checker.finish();
}

/// Every operation of the list service on lists of every template.
#[test]
fn lists_of_every_template() {
    const SERVICE: &str = "http://schemas.microsoft.com/sharepoint/soap/";
    const ALL: Option<&str> = Some("<ViewFields xmlns=''/>");
    let server = TestServer::memory();
    let lists = server.lists(ANNA);
    let mut checker = Checker::new();
    let call = |checker: &mut Checker, operation: &str, inside: &str| {
        let answer = lists.call(operation, &format!("<{operation} xmlns=\"{SERVICE}\">{inside}</{operation}>"));
        checker.lists(&answer);
        answer
    };
    for template in [100, 101, 104, 105, 106, 107] {
        let title = format!("A list of {template}");
        let named = format!("<listName>{title}</listName>");
        let added = call(
            &mut checker,
            "AddList",
            &format!("{named}<description>d</description><templateID>{template}</templateID>"),
        );
        assert!(added.fault().is_none(), "{added:?}");
        fill(&lists, &title, template);
        call(&mut checker, "GetList", &named);
        call(&mut checker, "GetListAndView", &format!("{named}<viewName/>"));
        for (fields, operation) in [None, ALL]
            .into_iter()
            .flat_map(|fields| [(fields, "GetListItems"), (fields, "GetListItemChangesSinceToken")])
        {
            let ask = ListAsk { list: &title, fields, ..ListAsk::default() };
            let answer = lists.call(operation, &ask.request(operation));
            checker.lists(&answer);
            assert!(answer.fault().is_none(), "{answer:?}");
            // Every attribute of a row is a field of the list.
            let definition = lists.definition(&title);
            let known: Vec<_> =
                definition.payload().all("Field").iter().filter_map(|field| field.attribute("Name")).collect();
            let rows = answer.payload().all("row");
            assert!(!rows.is_empty(), "{operation} {template}");
            for (_, name, _) in rows.iter().flat_map(|row| row.attributes()) {
                let name = name.strip_prefix("ows_").unwrap();
                assert!(known.contains(&name), "{name} is no field of {template}");
            }
        }
        let batch = format!(
            "{named}<updates><Batch xmlns='' OnError='Continue'>{}{}{}</Batch></updates>",
            method(
                "New",
                None,
                &[
                    (if template == 101 { "BaseName" } else { "Title" }, "x"),
                    ("FSObjType", if template == 101 { "1" } else { "0" })
                ]
            ),
            method("Update", Some(9_999), &[("Title", "x")]),
            method("Delete", Some(1), &[]),
        );
        let answer = call(&mut checker, "UpdateListItems", &batch);
        assert!(answer.fault().is_none(), "{answer:?}");
        let ask = ListAsk { list: &title, ..ListAsk::default() };
        let first = lists.changes(&ask).token;
        let fields = "<newFields><Fields xmlns=''><Method ID='1'><Field Type='Text' DisplayName='A new one'/></Method></Fields></newFields>";
        let answer = call(&mut checker, "UpdateList", &format!("{named}<listProperties/>{fields}"));
        assert!(answer.fault().is_none(), "{answer:?}");
        let ask = ListAsk { token: Some(&first), ..ask };
        let operation = "GetListItemChangesSinceToken";
        let answer = lists.call(operation, &ask.request(operation));
        checker.lists(&answer);
        let changes = answer.payload().at("GetListItemChangesSinceTokenResult/listitems/Changes");
        assert!(changes.find("List").is_some(), "the definition comes again after it has changed: {answer:?}");
        let foreign = first.replacen("1;3;", "1;3;0", 1);
        let answer = lists.call(operation, &ListAsk { token: Some(&foreign), ..ask }.request(operation));
        checker.lists(&answer);
        call(&mut checker, "GetListCollection", "");
        let answer = call(&mut checker, "DeleteList", &named);
        assert!(answer.fault().is_none(), "{answer:?}");
        assert!(call(&mut checker, "GetList", &named).fault().is_some());
    }
    call(&mut checker, "GetList", "<listName>UserInfo</listName>");
    checker.finish();
}

/// Two rows, or a file and a folder.
fn fill(lists: &Lists, title: &str, template: u32) {
    if template == 101 {
        let path = format!("/sites/team/{}/a.txt", title.replace(' ', "%20"));
        let answer = lists.http().send("PUT", &path, &[], "content");
        assert!((200..300).contains(&answer.status), "{}: {}", answer.status, answer.text());
        return;
    }
    let fields: &[(&str, &str)] = match template {
        104 => &[("Title", "a"), ("Body", "<p>b</p>"), ("Expires", "2030-01-02T00:00:00Z")],
        105 => &[("Title", "a"), ("FirstName", "b"), ("Email", "c@example.com")],
        106 => &[("Title", "a"), ("EventDate", "2030-01-02T10:00:00Z"), ("EndDate", "2030-01-02T11:00:00Z")],
        107 => &[
            ("Title", "a"),
            ("Status", "In Progress"),
            ("PercentComplete", "0.5"),
            ("DueDate", "2030-01-02T00:00:00Z"),
        ],
        _ => &[("Title", "a & <b>")],
    };
    lists.create(title, fields);
    lists.create(title, &[("Title", &escape("second"))]);
}
