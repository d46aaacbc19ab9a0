//! `UpdateList`. \[MS-LISTSWS 3.1.4.30\]

use model::Bag;
use xml::{Node, Writer};

use crate::{
    code::{Code, Failure},
    fields::{CUSTOM_FIELDS_MAX, Field},
    list_draft::ListDraft,
    list_settings,
    ops::{Answer, Request},
    schema::{Detail, List, write_field, write_list},
};

/// What a method did: the field, or why not.
struct Done {
    id: String,
    result: Result<Option<Field>, Failure>,
}

/// Changes the properties and fields of a list.
pub(super) fn run(request: Request<'_>) -> Answer<'_> {
    Box::pin(async move {
        let context = request.context;
        let mut view = request.view().await?;
        let list = context.list(&mut view, &request.text("listName").unwrap_or_default()).await?;
        drop(view);
        let version = request.text("listVersion");
        let versioned = check_version(&list, version.as_deref())?;
        let properties = match crate::caml::payload(request.parameter("listProperties"), "List") {
            Some(node) => list_settings::of_attributes(&list, node)?,
            None => Vec::new(),
        };
        let mut draft = ListDraft::new(list);
        if versioned {
            draft.guard();
        }
        let new_id = || context.adapter.engine.random().guid();
        let added = each(request.parameter("newFields"), |field, method| {
            // No attribute: no view. Empty, or anything that is no GUID: the default view.
            let view = method.attribute("AddToView").map(|text| text.trim().parse().ok());
            draft.add(field, view, new_id()).map(Some)
        })?;
        let updated = each(request.parameter("updateFields"), |field, _| draft.change(field).map(Some))?;
        let deleted = each(request.parameter("deleteFields"), |field, _| {
            draft.remove(field.attribute("Name").unwrap_or_default()).map(|()| None)
        })?;
        let set = |bag: &mut Bag| properties.iter().for_each(|(key, value)| bag.put(key.clone(), value.clone()));
        let list = draft.write(context, &set).await?;
        let out = request.out;
        out.start("UpdateListResult");
        out.start("Results");
        write_methods(out, "NewFields", &added, &list);
        write_methods(out, "UpdateFields", &updated, &list);
        write_methods(out, "DeleteFields", &deleted, &list);
        let inner = list_attributes(&list);
        out.raw(&inner);
        out.end();
        out.end();
        Ok(None)
    })
}

/// The list under the name that it has in this answer.
fn list_attributes(list: &List) -> String {
    let mut writer = Writer::new();
    write_list(&mut writer, list, Detail::Attributes, None);
    let text = String::from_utf8(writer.into_bytes()).unwrap_or_default();
    text.replacen("<List ", "<ListProperties ", 1)
}

/// Whether the client means a version of the list; it must be this one.
fn check_version(list: &List, text: Option<&str>) -> Result<bool, Failure> {
    let Some(text) = text.filter(|text| !text.is_empty()) else { return Ok(false) };
    let version = text.parse::<u32>().map_err(|_| Failure::uncoded("The parameter listVersion is not valid."))?;
    if i64::from(version) == i64::from(list.collection.version()) {
        Ok(true)
    } else {
        Err(Failure::coded(Code::CONFLICT, "The list has been changed by another user."))
    }
}

fn each(
    parameter: Option<Node<'_>>,
    mut run: impl FnMut(Node<'_>, Node<'_>) -> Result<Option<Field>, Failure>,
) -> Result<Vec<Done>, Failure> {
    let Some(fields) = crate::caml::payload(parameter, "Fields") else { return Ok(Vec::new()) };
    let mut done = Vec::new();
    for method in fields.children().filter(|node| node.local() == "Method") {
        if done.len() >= CUSTOM_FIELDS_MAX {
            return Err(Failure::uncoded("The request has too many methods."));
        }
        let result = match method.child_local("Field") {
            Some(field) => run(field, method),
            None => Err(Failure::bad_value("The method has no Field.")),
        };
        done.push(Done { id: method.attribute("ID").unwrap_or_default().to_owned(), result });
    }
    Ok(done)
}

fn write_methods(out: &mut Writer, name: &'static str, methods: &[Done], list: &List) {
    out.start(name);
    for method in methods {
        out.start("Method");
        out.attribute("ID", &method.id);
        match &method.result {
            Ok(field) => {
                out.display("ErrorCode", Code::SUCCESS);
                if let Some(field) = field {
                    write_field(out, list.field(&field.name).unwrap_or(field), Some(list));
                }
            }
            Err(failure) => {
                let (code, text) = failure.explain();
                out.display("ErrorCode", code.unwrap_or(Code::BAD_VALUE));
                out.element("ErrorText", &text);
            }
        }
        out.end();
    }
    out.end();
}
