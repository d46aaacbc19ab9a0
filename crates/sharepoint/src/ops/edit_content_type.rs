//! `CreateContentType` and `UpdateContentType`. \[MS-LISTSWS 3.1.4.9, 3.1.4.27\]

use xml::{Node, Writer};

use super::content_types::{list, named, no_type, store};
use crate::{
    caml::payload,
    code::{Code, Failure},
    content_types::{self, ContentType},
    fields::{CUSTOM_FIELDS_MAX, Field},
    list_draft::ListDraft,
    ops::{Answer, Request},
    schema::List,
};

/// Properties of a content type that this server has no use for.
const REFUSED: &[&str] = &["DocumentTemplate", "NewDocumentControl", "RequireClientRenderingOnNew"];

/// Makes a content type in a list, under one of the list or of the site, with the fields of that one and more. What is
/// wrong with a field leaves it out.
pub(super) fn create(request: Request<'_>) -> Answer<'_> {
    Box::pin(async move {
        let context = request.context;
        let list = list(&request).await?;
        let mut types = content_types::of_list(&list);
        let parent = request.text("parentType").and_then(|text| content_types::parse_id(&text)).ok_or_else(no_type)?;
        let parent = types.iter().cloned().chain(content_types::of_site()).find(|own| own.id == parent);
        let parent = parent.ok_or_else(no_type)?;
        // The name as it was sent: spaces at its ends are wrong.
        let name = request.parameter("displayName").map(|node| node.text().into_owned()).unwrap_or_default();
        check_name(&types, &name, None)?;
        let mut made = parent.below(context.adapter.engine.random().guid(), &name, &list)?;
        if let Some(properties) = payload(request.parameter("contentTypeProperties"), "ContentType") {
            set_properties(&types, &mut made, properties)?;
        }
        let missing = parent.missing(&list);
        let added = each(request.parameter("fields"), |node| made.put(&list, node, false))?;
        let id = made.id.clone();
        types.push(made);
        let mut draft = ListDraft::new(list);
        missing.into_iter().try_for_each(|field| draft.add_known(field))?;
        show(&request, &mut draft, &added);
        store(context, draft, types).await?;
        request.out.element("CreateContentTypeResult", &id);
        Ok(None)
    })
}

/// Changes a content type of a list: its properties and its fields, each of which stands and fails alone.
pub(super) fn update(request: Request<'_>) -> Answer<'_> {
    Box::pin(async move {
        let context = request.context;
        let list = list(&request).await?;
        let mut own = named(&request, &list)?;
        let mut types = content_types::of_list(&list);
        if let Some(properties) = payload(request.parameter("contentTypeProperties"), "ContentType") {
            set_properties(&types, &mut own, properties)?;
        }
        let mut done = each(request.parameter("deleteFields"), |node| own.take(&list, node))?;
        let added = each(request.parameter("newFields"), |node| own.put(&list, node, false))?;
        let updated = each(request.parameter("updateFields"), |node| own.put(&list, node, true))?;
        own.version = own.version.saturating_add(1);
        for other in types.iter_mut().filter(|other| other.id == own.id) {
            *other = own.clone();
        }
        let mut draft = ListDraft::new(list);
        show(&request, &mut draft, &added);
        let list = store(context, draft, types).await?;
        done.extend(added);
        done.extend(updated);
        write_results(request.out, &list, &own, &done);
        Ok(None)
    })
}

/// What a method did: the field, or why not.
struct Done {
    id: String,
    result: Result<Field, Failure>,
}

fn each(
    parameter: Option<Node<'_>>,
    mut run: impl FnMut(Node<'_>) -> Result<Field, Failure>,
) -> Result<Vec<Done>, Failure> {
    let Some(fields) = payload(parameter, "Fields") else { return Ok(Vec::new()) };
    let mut done = Vec::new();
    for method in fields.children().filter(|node| node.local() == "Method") {
        if done.len() >= CUSTOM_FIELDS_MAX {
            return Err(Failure::uncoded("The request has too many methods."));
        }
        let result = match method.child_local("Field") {
            Some(field) => run(field),
            None => Err(Failure::bad_value("The method has no Field.")),
        };
        done.push(Done { id: method.attribute("ID").unwrap_or_default().to_owned(), result });
    }
    Ok(done)
}

/// Whether a type may have a name among others. `own` is the id of the type that has it already.
fn check_name(types: &[ContentType], name: &str, own: Option<&str>) -> Result<(), Failure> {
    content_types::check_name(name)?;
    if types.iter().any(|other| Some(other.id.as_str()) != own && other.is_named(name)) {
        let text = "A content type of this name exists in the list already.";
        return Err(Failure::coded(Code::TYPE_NAME_TAKEN, text));
    }
    Ok(())
}

fn set_properties(types: &[ContentType], own: &mut ContentType, node: Node<'_>) -> Result<(), Failure> {
    if let Some(name) = REFUSED.iter().find(|name| node.attribute(name).is_some_and(|text| !text.is_empty())) {
        return Err(Failure::uncoded(format!("This server keeps no {name} of content types.")));
    }
    if let Some(title) = node.attribute("Title") {
        check_name(types, title, Some(&own.id))?;
        title.clone_into(&mut own.name);
    }
    if let Some(text) = node.attribute("Description") {
        own.description = content_types::check_text(text)?;
    }
    if let Some(text) = node.attribute("Group") {
        own.group = content_types::check_text(text)?;
    }
    Ok(())
}

/// Shows new fields in the default view, where the client says so.
fn show(request: &Request<'_>, draft: &mut ListDraft, added: &[Done]) {
    if request.text("addToView").as_deref() == Some("TRUE") {
        added.iter().filter_map(|done| done.result.as_ref().ok()).for_each(|field| draft.show(field));
    }
}

fn write_results(out: &mut Writer, list: &List, own: &ContentType, done: &[Done]) {
    let fields = own.fields(list);
    out.start("UpdateContentTypeResult");
    out.start("Results");
    for Done { id, result } in done {
        out.start("Method");
        out.attribute("ID", id);
        match result {
            Ok(field) => {
                out.display("ErrorCode", Code::SUCCESS);
                let field = fields.iter().find(|now| now.name == field.name).unwrap_or(field);
                out.start("FieldRef");
                out.attribute("ID", &field.id.braced());
                out.attribute("Name", &field.name);
                out.attribute("DisplayName", &field.display);
                for (name, truth) in
                    [("Hidden", field.hidden), ("ReadOnly", field.read_only), ("Required", field.required)]
                {
                    if truth {
                        out.attribute(name, "TRUE");
                    }
                }
                out.end();
            }
            Err(failure) => {
                let (code, text) = failure.explain();
                out.display("ErrorCode", code.unwrap_or(Code::BAD_VALUE));
                out.element("ErrorText", &text);
            }
        }
        out.end();
    }
    out.start("ListProperties");
    out.attribute("Description", &own.description);
    out.attribute("Group", &own.group);
    out.attribute("ID", &own.id);
    out.attribute("Name", &own.name);
    out.attribute_display("Version", own.version);
    out.end();
    out.end();
    out.end();
}
