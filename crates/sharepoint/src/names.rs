//! The names that users and looked-up rows are shown with.

use std::collections::{BTreeMap, BTreeSet};

use engine::{EngineError, View, list_keys};
use model::{CollectionId, ItemId, PropertyKey, Value, limits};

use crate::{
    fields::Field,
    rows::{Item, Row},
    schema::List,
};

/// Rows of a list that are read where all names of it are needed.
const NAMES_MAX: usize = 20_000;

/// A user of the site.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Person {
    /// The name shown.
    pub(crate) title: String,
    /// The login.
    pub(crate) login: String,
    /// The mail address.
    pub(crate) mail: String,
    /// The SIP address.
    pub(crate) sip: String,
}

/// Names by id.
#[derive(Clone, Debug, Default)]
pub(crate) struct Names {
    people: BTreeMap<u32, Person>,
    /// Who is in which group, as (group, user).
    groups: Vec<(u32, u32)>,
    /// By internal name of the lookup field, then by id.
    lookups: BTreeMap<String, BTreeMap<u32, String>>,
}

impl Names {
    /// The names that `items` need in `fields`. Costs as many reads as there are ids.
    ///
    /// # Errors
    /// When the store fails.
    pub(crate) async fn of_rows(
        view: &mut View,
        list: &List,
        items: &[Item],
        fields: &[&Field],
    ) -> Result<Self, EngineError> {
        let mut names = Self::default();
        let mut people = BTreeSet::new();
        for field in fields {
            if field.kind.is_user() {
                collect(list, items, field, &mut people)?;
            } else if field.kind.is_lookup() {
                let mut ids = BTreeSet::new();
                collect(list, items, field, &mut ids)?;
                names.load_lookup(view, list, field, Some(&ids)).await?;
            }
        }
        names.load_people(view, Some(&people)).await?;
        Ok(names)
    }

    /// All names that `fields` may need, for conditions and orders by name.
    ///
    /// # Errors
    /// When the store fails; [`EngineError::TooLarge`] above [`NAMES_MAX`] names.
    pub(crate) async fn all(view: &mut View, list: &List, fields: &[&Field]) -> Result<Self, EngineError> {
        let mut names = Self::default();
        for field in fields {
            if field.kind.is_user() && names.people.is_empty() {
                names.load_people(view, None).await?;
            } else if field.kind.is_lookup() {
                names.load_lookup(view, list, field, None).await?;
            }
        }
        Ok(names)
    }

    /// The users that somebody names by id or by login. Costs a read each; a login that nobody has costs reading all
    /// users, since it may be a name shown.
    ///
    /// # Errors
    /// When the store fails; [`EngineError::TooLarge`] above [`NAMES_MAX`] users.
    pub(crate) async fn of_users(
        view: &mut View,
        mut ids: BTreeSet<u32>,
        logins: &[&str],
    ) -> Result<Self, EngineError> {
        let mut names = Self::default();
        for login in logins {
            let Some(id) = view.user_by_login(account(login)).await? else {
                names.load_people(view, None).await?;
                return Ok(names);
            };
            ids.insert(id);
        }
        names.load_people(view, Some(&ids)).await?;
        Ok(names)
    }

    /// A user.
    pub(crate) fn person_by_id(&self, id: u32) -> Option<&Person> {
        self.people.get(&id)
    }

    /// The id of the user with this login, mail address or name shown, in any case.
    pub(crate) fn person_id(&self, text: &str) -> Option<u32> {
        let same = |other: &str| other.eq_ignore_ascii_case(text);
        let account = account(text);
        let by =
            |test: &dyn Fn(&Person) -> bool| self.people.iter().find(|(_, person)| test(person)).map(|(id, _)| *id);
        by(&|person| same(&person.login) || person.login.eq_ignore_ascii_case(account))
            .or_else(|| by(&|person| same(&person.mail)))
            .or_else(|| by(&|person| same(&person.title)))
    }

    /// Whether a user is in a group.
    pub(crate) fn is_member(&self, group: u32, user: u32) -> bool {
        self.groups.contains(&(group, user))
    }

    /// What follows `;#` for a user.
    pub(crate) fn person(&self, id: u32, expand: bool) -> String {
        let Some(person) = self.people.get(&id) else { return String::new() };
        if !expand {
            return person.title.clone();
        }
        let part = |text: &str| text.replace(',', ",,");
        format!(
            "{},#{},#{},#{},#{}",
            part(&person.title),
            part(&person.login),
            part(&person.mail),
            part(&person.sip),
            part(&person.title)
        )
    }

    /// What follows `;#` for a row looked up.
    pub(crate) fn lookup(&self, field: &Field, id: u32) -> String {
        self.lookups.get(&*field.name).and_then(|names| names.get(&id)).cloned().unwrap_or_default()
    }

    /// The ids of which the text that a field shows passes a test. Costs all names that were read.
    pub(crate) fn ids_with(&self, field: &Field, test: impl Fn(&str) -> bool) -> Vec<u32> {
        let chosen = |(id, text): (&u32, &String)| test(text).then_some(*id);
        if field.kind.is_user() {
            return self.people.iter().filter_map(|(id, person)| chosen((id, &person.title))).collect();
        }
        self.lookups.get(&*field.name).into_iter().flatten().filter_map(chosen).collect()
    }

    /// The texts that a field shows for a value of ids.
    pub(crate) fn texts(&self, field: &Field, value: &Value) -> Vec<String> {
        let show = |id: u32| if field.kind.is_user() { self.person(id, false) } else { self.lookup(field, id) };
        ids(value).into_iter().map(show).collect()
    }

    async fn load_people(&mut self, view: &mut View, wanted: Option<&BTreeSet<u32>>) -> Result<(), EngineError> {
        if wanted.is_some_and(BTreeSet::is_empty) {
            return Ok(());
        }
        let Some(users) = view.list_by_title("User Information List").await? else { return Ok(()) };
        self.groups = users.group_members();
        for item in load(view, users.id(), wanted).await? {
            let bag = model::BagRef::new(&item.bag)?;
            let text = |name: &str| bag.text(&PropertyKey::field(name)).unwrap_or_default().to_owned();
            let login = bag.text(&list_keys::USER_LOGIN).unwrap_or_default().to_owned();
            let person = Person { title: text("Title"), login, mail: text("EMail"), sip: text("SipAddress") };
            self.people.insert(item.id.number(), person);
        }
        Ok(())
    }

    async fn load_lookup(
        &mut self,
        view: &mut View,
        list: &List,
        field: &Field,
        wanted: Option<&BTreeSet<u32>>,
    ) -> Result<(), EngineError> {
        if wanted.is_some_and(BTreeSet::is_empty) {
            return Ok(());
        }
        let Some(target) = target_list(view, list, field).await? else { return Ok(()) };
        let show = field.attribute("ShowField").unwrap_or("Title");
        let shown = target.field(show).cloned();
        let mut names = BTreeMap::new();
        for item in load(view, target.id(), wanted).await? {
            let row = Row::new(&target, &item)?;
            let value = match &shown {
                Some(field) => row.value(field),
                None => row.stored(show.to_owned()),
            };
            let text = value.map(|value| crate::rows::plain_text(&value, false)).unwrap_or_default();
            names.insert(row.number(), text);
        }
        self.lookups.insert(field.name.to_string(), names);
        Ok(())
    }
}

/// The login inside a claim (`i:0#.f|membership|ann@example.org`) or behind a domain.
fn account(text: &str) -> &str {
    text.rsplit(['|', '\\']).next().unwrap_or(text).trim()
}

/// The list that a lookup field looks into.
async fn target_list(view: &mut View, list: &List, field: &Field) -> Result<Option<List>, EngineError> {
    let Some(name) = field.attribute("List") else { return Ok(None) };
    if name.eq_ignore_ascii_case("self") {
        return Ok(Some(list.clone()));
    }
    let found = match name.parse() {
        Ok(guid) => view.list_by_guid(guid).await?,
        Err(_) => view.list_by_title(name).await?,
    };
    Ok(found.map(|collection| list.sibling(collection)))
}

async fn load(view: &mut View, list: CollectionId, wanted: Option<&BTreeSet<u32>>) -> Result<Vec<Item>, EngineError> {
    if let Some(wanted) = wanted {
        let ids: Vec<ItemId> = wanted.iter().map(|number| ItemId::in_list(list, *number)).collect();
        return Ok(view.items(&ids).await?.into_iter().flatten().map(Item::from).collect());
    }
    let (mut items, mut after) = (Vec::new(), None);
    loop {
        let page = view.rows(list, after, limits::PAGE_ROWS_MAX).await?;
        after = page.rows.last().map(|row| row.item);
        items.extend(page.rows.into_iter().map(Item::from));
        if !page.more {
            return Ok(items);
        }
        if items.len() > NAMES_MAX {
            return Err(EngineError::TooLarge("names of a lookup"));
        }
    }
}

fn collect(list: &List, items: &[Item], field: &Field, into: &mut BTreeSet<u32>) -> Result<(), EngineError> {
    for item in items {
        let view = Row::new(list, item)?;
        if let Some(value) = view.value(field) {
            into.extend(ids(&value));
        }
    }
    Ok(())
}

/// The ids that a value of a lookup or user field holds.
pub(crate) fn ids(value: &Value) -> Vec<u32> {
    #[expect(clippy::wildcard_enum_match_arm, reason = "lookups hold whole numbers, one or several")]
    match value {
        Value::I32(id) => u32::try_from(*id).into_iter().collect(),
        Value::I32s(ids) => ids.iter().filter_map(|id| u32::try_from(*id).ok()).collect(),
        _ => Vec::new(),
    }
}
