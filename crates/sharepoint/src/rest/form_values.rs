//! Values as forms hold them: `ValidateUpdateListItem` and `AddValidateUpdateItemUsingPath`.
//! \[MS-CSOMSPT 3.2.5.87.2.1 and 3.2.5.79.2.1.19\]
//!
//! Every value is checked, and the answer says of each what is wrong with it; where one is, nothing is written. With
//! `bNewDocumentUpdate` the change belongs to the upload before it: version, time and editor stay, and those who
//! synchronise are told of a SystemUpdate.

use serde_json::{Value as Json, json};

use super::{Ask, body::Body, entity::Value, error::RestError, item_json, items, reply::Reply};
use crate::{
    code::Failure,
    fields::FieldType,
    paths,
    rows::Row,
    schema::List,
    update::{self, Edit, FieldWrite},
    value::{self, Reading},
};

/// Values in one request.
const VALUES_MAX: usize = 5_000;
/// People in one value.
const PEOPLE_MAX: usize = 1_000;

/// A value of a form, as it came and as it is written.
struct FormValue {
    name: String,
    given: String,
    write: FieldWrite,
}

/// The values of a body.
///
/// # Errors
/// Status 400 for what is no array of names with values.
fn form_values(list: &List, body: &Body) -> Result<Vec<FormValue>, RestError> {
    let bad = || RestError::bad_query("The parameter formValues is not an array of field names and values.");
    let all = match body.get("formValues") {
        Some(Json::Array(all)) => all,
        Some(Json::Object(inside)) => inside.get("results").and_then(Json::as_array).ok_or_else(bad)?,
        Some(Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_)) | None => return Err(bad()),
    };
    if all.len() > VALUES_MAX {
        return Err(RestError::bad_query("The parameter formValues has too many members."));
    }
    let one = |json: &Json| {
        let part = |name: &str| json.get(name).or_else(|| json.get(name.to_lowercase()));
        let name = part("FieldName").and_then(Json::as_str).ok_or_else(bad)?.to_owned();
        let given = match part("FieldValue") {
            Some(Json::String(text)) => text.clone(),
            None | Some(Json::Null) => String::new(),
            Some(other @ (Json::Bool(_) | Json::Number(_) | Json::Array(_) | Json::Object(_))) => other.to_string(),
        };
        let field = item_json::find_field(list, &name).map(|(field, _)| field);
        let text = match field.map(|field| field.kind) {
            Some(kind @ (FieldType::User | FieldType::UserMulti)) => {
                people(&given, kind == FieldType::UserMulti).unwrap_or_else(|| given.clone())
            }
            Some(FieldType::DateTime) => time(&given).unwrap_or_else(|| given.clone()),
            Some(_) | None => given.clone(),
        };
        let own = field.map_or_else(|| name.clone(), |field| field.name.to_string());
        Ok(FormValue { name, given, write: FieldWrite { name: own, property: None, text } })
    };
    all.iter().map(one).collect()
}

/// The people that a picker names, `[{"Key":"i:0#.f|membership|ann@example.org"}]`, as values are written elsewhere.
fn people(text: &str, multiple: bool) -> Option<String> {
    let Ok(Json::Array(all)) = serde_json::from_str::<Json>(text) else { return None };
    let logins: Option<Vec<&str>> =
        all.iter().take(PEOPLE_MAX).map(|one| one.get("Key")?.as_str()?.rsplit(['|', '\\']).next()).collect();
    let logins = logins?;
    if multiple {
        return Some(logins.iter().map(|login| format!("-1;#{login}")).collect::<Vec<_>>().join(";#"));
    }
    Some(logins.first().map(|login| (*login).to_owned()).unwrap_or_default())
}

/// A time as forms write it, `3/4/2026 5:06 PM`, as values are written elsewhere.
fn time(text: &str) -> Option<String> {
    let mut words = text.split_whitespace();
    let mut date = words.next()?.split('/');
    let (month, day, year) = (date.next()?, date.next()?, date.next()?);
    let clock = words.next().unwrap_or("0:00");
    let (hour, rest) = clock.split_once(':')?;
    let hour: u32 = hour.parse().ok().filter(|hour| *hour < 24)?;
    let hour = match words.next().map(str::to_ascii_uppercase).as_deref() {
        Some("PM") if hour < 12 => hour + 12,
        Some("AM") if hour == 12 => 0,
        Some("AM" | "PM") | None => hour,
        Some(_) => return None,
    };
    let rest = if rest.contains(':') { rest.to_owned() } else { format!("{rest}:00") };
    let iso = format!("{year}-{month:0>2}-{day:0>2}T{hour:02}:{rest}Z");
    value::time(&iso).map(|_| iso)
}

/// What became of a value.
fn outcome(value: &FormValue, error: Option<&Failure>, item: u32) -> Json {
    let message = error.map(|failure| failure.explain().1);
    json!({
        "ErrorMessage": message,
        "FieldName": value.name,
        "FieldValue": value.given,
        "HasException": error.is_some(),
        "ItemId": item,
    })
}

fn outcomes(name: &str, values: Vec<Json>) -> Reply {
    Reply::Property(name.to_owned(), Value::Many("SP.ListItemFormUpdateValue", values))
}

/// The change that values make, or what is wrong with them.
fn edit(
    list: &List,
    values: &[FormValue],
    reading: &Reading<'_>,
    item: u32,
) -> Result<Result<Edit, Vec<Json>>, Failure> {
    let errors: Vec<Option<Failure>> =
        values.iter().map(|value| Edit::read(list, std::slice::from_ref(&value.write), reading).err()).collect();
    if errors.iter().any(Option::is_some) {
        let told = values.iter().zip(&errors).map(|(value, error)| outcome(value, error.as_ref(), item));
        return Ok(Err(told.collect()));
    }
    let writes: Vec<FieldWrite> = values.iter().map(|value| value.write.clone()).collect();
    Edit::read(list, &writes, reading).map(Ok)
}

fn flag(body: &Body, name: &str) -> Result<bool, RestError> {
    match body.get(name) {
        Some(Json::Bool(flag)) => Ok(*flag),
        Some(Json::Null) | None => Ok(false),
        Some(Json::Number(_) | Json::String(_) | Json::Array(_) | Json::Object(_)) => {
            Err(RestError::bad_query(format!("The parameter {name} is not true or false.")))
        }
    }
}

/// `POST items(3)/ValidateUpdateListItem`, `{"formValues":[{"FieldName","FieldValue"}],"bNewDocumentUpdate"}`.
pub(super) async fn change(ask: &Ask<'_>) -> Result<Reply, RestError> {
    let mut view = ask.context.view().await?;
    let list = ask.list(&mut view).await?;
    let item = items::find(ask, &mut view, &list).await?;
    let version = items::expected_version(ask, &list, &item)?;
    let body = ask.body()?;
    let values = form_values(&list, &body)?;
    let system = flag(&body, "bNewDocumentUpdate")?;
    let writes: Vec<FieldWrite> = values.iter().map(|value| value.write.clone()).collect();
    let names = update::names_for(&mut view, &list, &writes).await.map_err(|failure| ask.failed(failure))?;
    drop(view);
    let reading = Reading { names: &names, now: ask.context.now() };
    let number = item.id.number();
    let name = "ValidateUpdateListItem";
    let mut edit = match edit(&list, &values, &reading, number).map_err(|failure| ask.failed(failure))? {
        Ok(edit) => edit,
        Err(told) => return Ok(outcomes(name, told)),
    };
    edit.version = version.or(edit.version);
    edit.system = system;
    update::change(&ask.context, &list, number, &edit).await.map_err(|failure| ask.failed(failure))?;
    Ok(outcomes(name, values.iter().map(|value| outcome(value, None, number)).collect()))
}

/// `POST lists(…)/AddValidateUpdateItemUsingPath`: makes an item, or a folder, from the values of a form.
pub(super) async fn create(ask: &Ask<'_>) -> Result<Reply, RestError> {
    let mut view = ask.context.view().await?;
    let list = ask.list(&mut view).await?;
    let body = ask.body()?;
    let values = form_values(&list, &body)?;
    // A new item has no version to keep: what the flag asks for is so anyway.
    flag(&body, "bNewDocumentUpdate")?;
    let info = body.get("listItemCreateInfo");
    let part = |name: &str| info.and_then(|info| info.get(name)).filter(|part| !part.is_null());
    let mut writes: Vec<FieldWrite> = values.iter().map(|value| value.write.clone()).collect();
    let named = |name: &str, text: &str| FieldWrite { name: name.to_owned(), property: None, text: text.to_owned() };
    if part("UnderlyingObjectType").and_then(Json::as_i64) == Some(1) {
        writes.push(named("FSObjType", "1"));
        let leaf = part("LeafName").and_then(|leaf| leaf.as_str().or_else(|| leaf.get("DecodedUrl")?.as_str()));
        writes.push(named("BaseName", leaf.unwrap_or_default()));
    }
    let url = part("FolderPath").and_then(|path| path.get("DecodedUrl")).and_then(Json::as_str).unwrap_or_default();
    let folder = match url {
        "" => String::new(),
        url => {
            let inside = paths::inside_site(&list.host_url, &list.site_folder, url);
            let missing = || RestError::bad_value("The folder does not lie in the list.");
            paths::below(&inside, list.collection.folder()).ok_or_else(missing)?.to_owned()
        }
    };
    let is_folder = |row: &store::ItemRow| row.flags.has(model::ItemFlags::FOLDER);
    if !folder.is_empty() && !view.row_at(list.id(), &folder).await?.as_ref().is_some_and(is_folder) {
        return Err(RestError::bad_value("The folder does not exist."));
    }
    let names = update::names_for(&mut view, &list, &writes).await.map_err(|failure| ask.failed(failure))?;
    drop(view);
    let reading = Reading { names: &names, now: ask.context.now() };
    let name = "AddValidateUpdateItemUsingPath";
    if let Err(told) = edit(&list, &values, &reading, 0).map_err(|failure| ask.failed(failure))? {
        return Ok(outcomes(name, told));
    }
    let whole = Edit::read(&list, &writes, &reading).map_err(|failure| ask.failed(failure))?;
    let made = update::create(&ask.context, &list, &whole, &folder, &reading).await;
    let item = made.map_err(|failure| ask.failed(failure))?;
    let number = Row::new(&list, &item)?.number();
    let mut told: Vec<Json> = values.iter().map(|value| outcome(value, None, number)).collect();
    let id = FormValue { name: "Id".to_owned(), given: number.to_string(), write: named("ID", "") };
    told.push(outcome(&id, None, number));
    Ok(outcomes(name, told))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_have_their_own_times_and_people() {
        for (text, expected) in [
            ("3/4/2026 5:06 PM", Some("2026-03-04T17:06:00Z")),
            ("03/14/2026 12:00 AM", Some("2026-03-14T00:00:00Z")),
            ("3/4/2026", Some("2026-03-04T00:00:00Z")),
            ("3/4/2026 17:06:07", Some("2026-03-04T17:06:07Z")),
            ("13/4/2026", None),
            ("2026-03-04T05:06:07Z", None),
            ("3/4/2026 5 PM", None),
        ] {
            assert_eq!(time(text).as_deref(), expected, "{text}");
        }
        let two = r#"[{"Key":"i:0#.f|membership|a@b"},{"Key":"c@d"}]"#;
        assert_eq!(people(two, true).as_deref(), Some("-1;#a@b;#-1;#c@d"));
        assert_eq!(people(two, false).as_deref(), Some("a@b"));
        assert_eq!(people("[]", false).as_deref(), Some(""));
        assert_eq!(people("a@b", false), None);
    }
}
