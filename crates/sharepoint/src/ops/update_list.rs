//! `UpdateList`. \[MS-LISTSWS 3.1.4.30\]

use engine::{EngineError, list_keys};
use model::{Bag, Guid, PropertyKey, Value, limits};
use xml::{Node, Writer};

use crate::{
    code::{Code, Failure},
    fields::{CUSTOM_FIELDS_MAX, FIELD_NAME_CHARS_MAX, Field, bag_keys},
    ops::{Answer, Request},
    schema::{Detail, List, field_xml, write_field, write_list},
};

/// What a method did: the field, or why not.
struct Done {
    id: String,
    result: Result<Option<Field>, Failure>,
}

/// The list while it is being changed.
struct Draft {
    list: List,
    custom: Vec<Field>,
    view_fields: Vec<String>,
}

/// Changes the properties and fields of a list.
pub(super) fn run(request: Request<'_>) -> Answer<'_> {
    Box::pin(async move {
        let context = request.context;
        let mut view = request.view().await?;
        let list = context.list(&mut view, &request.text("listName").unwrap_or_default()).await?;
        drop(view);
        check_version(&list, request.text("listVersion").as_deref())?;
        let mut draft = Draft {
            custom: crate::fields::custom_fields(&list.collection.bag),
            view_fields: match list.collection.bag.get(&bag_keys::VIEW_FIELDS) {
                Some(Value::Texts(names)) => names.clone(),
                Some(_) | None => Vec::new(),
            },
            list,
        };
        let new_id = || context.adapter.engine.random().guid();
        let added = each(request.parameter("newFields"), |field, method| draft.add(field, method, new_id()))?;
        let updated = each(request.parameter("updateFields"), |field, _| draft.change(field))?;
        let deleted = each(request.parameter("deleteFields"), |field, _| draft.remove(field))?;
        let properties = properties(crate::caml::payload(request.parameter("listProperties"), "List"));
        let custom: Vec<String> = draft.custom.iter().map(field_xml).collect();
        if custom.iter().map(String::len).sum::<usize>() > limits::BAG_BYTES_MAX {
            return Err(Failure::uncoded("The fields of the list are too large."));
        }
        let view_fields = &draft.view_fields;
        let id = draft.list.id();
        let changed = context
            .site
            .update_list(id, &|bag: &mut Bag| {
                for (key, value) in &properties {
                    bag.set(key.clone(), value.clone());
                }
                put_texts(bag, bag_keys::FIELDS, custom.clone());
                put_texts(bag, bag_keys::VIEW_FIELDS, view_fields.clone());
            })
            .await
            .map_err(|error| {
                if error == EngineError::NameTaken {
                    return Failure::coded(Code::TITLE_TAKEN, "A list with this title already exists in this site.");
                }
                error.into()
            })?;
        let list = context.wrap(changed);
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

fn put_texts(bag: &mut Bag, key: PropertyKey, texts: Vec<String>) {
    bag.put(key, (!texts.is_empty()).then_some(Value::Texts(texts)));
}

/// The list under the name that it has in this answer.
fn list_attributes(list: &List) -> String {
    let mut writer = Writer::new();
    write_list(&mut writer, list, Detail::Attributes, None);
    let text = String::from_utf8(writer.into_bytes()).unwrap_or_default();
    text.replacen("<List ", "<ListProperties ", 1)
}

/// Nothing, or the version of the list that the client means.
fn check_version(list: &List, text: Option<&str>) -> Result<(), Failure> {
    let Some(text) = text.filter(|text| !text.is_empty()) else { return Ok(()) };
    let version = text.parse::<u32>().map_err(|_| Failure::uncoded("The parameter listVersion is not valid."))?;
    if i64::from(version) == i64::from(list.collection.version()) {
        Ok(())
    } else {
        Err(Failure::coded(Code::CONFLICT, "The list has been changed by another user."))
    }
}

fn properties(list: Option<Node<'_>>) -> Vec<(PropertyKey, Value)> {
    let Some(list) = list else { return Vec::new() };
    let mut properties = Vec::new();
    if let Some(title) = list.attribute("Title").filter(|title| !title.trim().is_empty()) {
        properties.push((list_keys::LIST_TITLE, Value::text(title)));
    }
    if let Some(description) = list.attribute("Description") {
        properties.push((list_keys::LIST_DESCRIPTION, Value::text(description)));
    }
    properties
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

impl Draft {
    fn find(&self, name: &str) -> Option<&Field> {
        self.custom.iter().find(|field| field.name == name).or_else(|| self.list.field(name))
    }

    fn add(&mut self, node: Node<'_>, method: Node<'_>, id: Guid) -> Result<Option<Field>, Failure> {
        if self.custom.len() >= CUSTOM_FIELDS_MAX {
            return Err(Failure::bad_value("The list has too many fields."));
        }
        let mut field =
            Field::from_node(node, id).ok_or_else(|| Failure::bad_value("The Field has no usable name or type."))?;
        field.name = free_name(&field.name, |name| self.find(name).is_some()).into();
        if self.list.field_by_id(field.id).is_some() || self.custom.iter().any(|other| other.id == field.id) {
            field.id = id;
        }
        // No attribute: no view. Empty, or anything that is no GUID: the default view.
        if method.attribute("AddToView").is_some() {
            self.view_fields.push(field.name.to_string());
        }
        self.custom.push(field.clone());
        Ok(Some(field))
    }

    fn change(&mut self, node: Node<'_>) -> Result<Option<Field>, Failure> {
        let name = node.attribute("Name").unwrap_or_default();
        let old = self.find(name).cloned().ok_or_else(|| no_field(name))?;
        let mut field = old.clone();
        if let Some(new) = Field::from_node(node, old.id) {
            field = Field { name: old.name.clone(), id: old.id, compute: old.compute, base: old.base, ..new };
            if !old.custom {
                field.kind = old.kind;
                field.read_only = old.read_only;
            }
        } else if let Some(display) = node.attribute("DisplayName") {
            field.display = display.to_owned().into();
        }
        self.custom.retain(|other| other.name != old.name);
        self.custom.push(field.clone());
        Ok(Some(field))
    }

    fn remove(&mut self, node: Node<'_>) -> Result<Option<Field>, Failure> {
        let name = node.attribute("Name").unwrap_or_default();
        let own = self.list.template.list_fields().iter().any(|field| field.name == name);
        let found = self.custom.iter().position(|field| field.name == name);
        match (own, found) {
            (true, _) => Err(Failure::bad_value(format!("The field {name} cannot be deleted."))),
            (false, None) => Err(no_field(name)),
            (false, Some(at)) => {
                self.custom.remove(at);
                self.view_fields.retain(|other| other != name);
                Ok(None)
            }
        }
    }
}

fn no_field(name: &str) -> Failure {
    Failure::coded(Code::NO_FIELD, format!("The list has no field {name}."))
}

/// The name, with a digit at its end where it is taken.
fn free_name(name: &str, taken: impl Fn(&str) -> bool) -> String {
    let numbered = (0..CUSTOM_FIELDS_MAX).map(|number| {
        let digits = number.to_string();
        let kept: String = name.chars().take(FIELD_NAME_CHARS_MAX - digits.len()).collect();
        kept + &digits
    });
    std::iter::once(name.to_owned()).chain(numbered).find(|name| !taken(name)).unwrap_or_else(|| name.to_owned())
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
