//! Users of the site.

use engine::{View, list_keys};
use model::{BagRef, PropertyKey, limits};
use serde_json::Value as Json;

use super::{
    Ask,
    entity::{Entity, Value},
    error::RestError,
    path::By,
    reply::Reply,
};

/// Users that are read.
const USERS_MAX: usize = 20_000;

/// A user of the site.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct User {
    pub(super) number: u32,
    pub(super) title: String,
    login: String,
    pub(super) mail: String,
    admin: bool,
}

impl Ask<'_> {
    /// All users of the site in order of id.
    pub(super) async fn users(&self, view: &mut View) -> Result<Vec<User>, RestError> {
        let list = self.context.site.user_list().await?;
        let (mut users, mut after) = (Vec::new(), None);
        loop {
            let page = view.rows(list.id(), after, limits::PAGE_ROWS_MAX).await?;
            after = page.rows.last().map(|row| row.item);
            for row in &page.rows {
                let bag = BagRef::new(&row.bag).map_err(engine::EngineError::from)?;
                let text = |key: &PropertyKey| bag.text(key).unwrap_or_default().to_owned();
                users.push(User {
                    number: row.item.number(),
                    title: text(&PropertyKey::field("Title")),
                    login: text(&list_keys::USER_LOGIN),
                    mail: text(&PropertyKey::field("EMail")),
                    admin: bag.get(&PropertyKey::field("IsSiteAdmin")).and_then(|flag| flag.as_bool()) == Some(true),
                });
            }
            if !page.more || users.len() > USERS_MAX {
                return Ok(users);
            }
        }
    }
}

impl Ask<'_> {
    /// The id of the account with this login, claim or mail address, which becomes a user where it is none.
    pub(super) async fn user_number(&self, login: &str) -> Result<u32, RestError> {
        let users = self.users(&mut self.context.view().await?).await?;
        match find(&users, login) {
            Some(user) => Ok(user.number),
            None => Ok(self.context.site.ensure_account(account_of(login)).await?),
        }
    }
}

/// The account in a login or claim: `i:0#.f|membership|ann@example.org`.
fn account_of(name: &str) -> &str {
    name.rsplit(['|', '\\']).next().unwrap_or(name).trim()
}

/// The user with this id as an entity.
pub(super) fn entity(users: &[User], number: u32) -> Option<Entity> {
    users.iter().find(|user| user.number == number).map(to_entity)
}

fn to_entity(user: &User) -> Entity {
    let mut entity = Entity::new("SP.User", format!("Web/GetUserById({})", user.number), "SP.ApiData.Users/@Element");
    entity.links(&["Groups"]);
    entity.plain("Id", user.number);
    entity.plain("IsHiddenInUI", false);
    entity.plain("LoginName", user.login.clone());
    entity.plain("Title", user.title.clone());
    entity.plain("PrincipalType", 1);
    entity.plain("Email", user.mail.clone());
    entity.plain("IsShareByEmailGuestUser", false);
    entity.plain("IsSiteAdmin", user.admin);
    let id = vec![
        ("NameId", Value::Plain(Json::String(user.login.clone()))),
        ("NameIdIssuer", Value::Plain(Json::from("urn:office:idp:activedirectory"))),
    ];
    entity.value("UserId", Value::Complex("SP.UserIdInfo", id));
    entity
}

/// `GET web/currentuser`.
pub(super) async fn current(ask: &Ask<'_>) -> Result<Reply, RestError> {
    let mut view = ask.context.view().await?;
    let users = ask.users(&mut view).await?;
    entity(&users, ask.context.site.user_id()).map(Reply::Entity).ok_or_else(RestError::no_user)
}

/// `GET web/siteusers`.
pub(super) async fn all(ask: &Ask<'_>) -> Result<Reply, RestError> {
    let mut view = ask.context.view().await?;
    let entities = ask.users(&mut view).await?.iter().map(to_entity).collect();
    ask.collection("SP.ApiData.Users", entities)
}

/// `GET web/siteusers(1)`, and by login or mail address.
pub(super) async fn one(ask: &Ask<'_>) -> Result<Reply, RestError> {
    named(ask, "siteusers").await
}

/// `POST web/ensureuser('login')`: any account of the server becomes a user.
pub(super) async fn ensure(ask: &Ask<'_>) -> Result<Reply, RestError> {
    let login = match ask.key("ensureuser") {
        Some(key) => key.value.to_text(),
        None => ask.body()?.text("logonName")?.unwrap_or_default(),
    };
    let number = ask.user_number(&login).await?;
    let users = ask.users(&mut ask.context.view().await?).await?;
    entity(&users, number).map(Reply::Entity).ok_or_else(RestError::no_user)
}

async fn named(ask: &Ask<'_>, step: &str) -> Result<Reply, RestError> {
    let mut view = ask.context.view().await?;
    let users = ask.users(&mut view).await?;
    let key = ask.key(step).ok_or_else(RestError::no_user)?;
    let found = match (key.by, key.value.to_number()) {
        (By::Id, Some(number)) => users.iter().find(|user| user.number == number),
        (By::Id | By::Title | By::Name | By::Url | By::Mail, _) => find(&users, &key.value.to_text()),
    };
    found.map(|user| Reply::Entity(to_entity(user))).ok_or_else(RestError::no_user)
}

/// The user with this login, claim or mail address.
fn find<'u>(users: &'u [User], name: &str) -> Option<&'u User> {
    let account = account_of(name);
    let is = |text: &str| !account.is_empty() && text.eq_ignore_ascii_case(account);
    users.iter().find(|user| is(&user.login) || is(&user.mail))
}
