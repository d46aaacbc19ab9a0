//! The groups of the site, and who is in them.

use engine::{GROUPS, SiteGroup};
use serde_json::Value as Json;

use super::{
    Ask,
    entity::{Entity, Value},
    error::RestError,
    path::By,
    reply::Reply,
    users,
};

const SET: &str = "SP.ApiData.Groups";
/// The principal type of groups of a site. \[MS-CSOMSPT, SP.PrincipalType\]
const PRINCIPAL_TYPE: i32 = 8;

fn title(ask: &Ask<'_>, group: &SiteGroup) -> String {
    format!("{} {}", ask.context.site.entry().title, group.name)
}

/// A group as an entity.
pub(super) fn entity(ask: &Ask<'_>, group: &SiteGroup) -> Entity {
    let title = title(ask, group);
    let mut entity =
        Entity::new("SP.Group", format!("Web/SiteGroups/GetById({})", group.id), format!("{SET}/@Element"));
    entity.links(&["Owner", "Users"]);
    entity.plain("Id", group.id);
    entity.plain("IsHiddenInUI", false);
    entity.plain("LoginName", title.clone());
    entity.plain("Title", title.clone());
    entity.plain("PrincipalType", PRINCIPAL_TYPE);
    entity.plain("AllowMembersEditMembership", false);
    entity.plain("AllowRequestToJoinLeave", false);
    entity.plain("AutoAcceptRequestToJoinLeave", false);
    entity.plain("Description", Json::Null);
    entity.plain("OnlyAllowMembersViewMembership", true);
    entity.plain("OwnerTitle", format!("{} Owners", ask.context.site.entry().title));
    entity
}

fn named(ask: &Ask<'_>) -> Result<&'static SiteGroup, RestError> {
    let key = ask.key("sitegroups").ok_or_else(RestError::no_group)?;
    let (number, text) = (key.value.to_number(), key.value.to_text());
    let is_it = |group: &&SiteGroup| match key.by {
        By::Id => Some(group.id) == number,
        By::Title | By::Name | By::Url | By::Mail => title(ask, group).eq_ignore_ascii_case(&text),
    };
    GROUPS.iter().find(is_it).ok_or_else(RestError::no_group)
}

/// `GET web/sitegroups`.
pub(super) async fn all(ask: &Ask<'_>) -> Result<Reply, RestError> {
    ask.collection(SET, GROUPS.iter().map(|group| entity(ask, group)).collect())
}

/// `GET web/sitegroups(7)`, and by name.
pub(super) async fn one(ask: &Ask<'_>) -> Result<Reply, RestError> {
    let group = named(ask)?;
    let mut entity = entity(ask, group);
    if ask.options.shape.expands("Users") {
        entity.expand("Users", Value::Entities(members(ask, group).await?));
    }
    Ok(Reply::Entity(entity))
}

async fn members(ask: &Ask<'_>, group: &SiteGroup) -> Result<Vec<Entity>, RestError> {
    let users = ask.users(&mut ask.context.view().await?).await?;
    let members = ask.context.site.members(group.id).await?;
    Ok(members.into_iter().filter_map(|member| users::entity(&users, member)).collect())
}

/// `GET web/sitegroups(7)/users`.
pub(super) async fn users(ask: &Ask<'_>) -> Result<Reply, RestError> {
    let members = members(ask, named(ask)?).await?;
    ask.collection("SP.ApiData.Users", members)
}

/// `POST web/sitegroups(7)/users`, `{"LoginName":"…"}`.
pub(super) async fn add(ask: &Ask<'_>) -> Result<Reply, RestError> {
    let group = named(ask)?;
    let login = ask.body()?.text("LoginName")?.unwrap_or_default();
    let user = ask.user_number(&login).await?;
    ask.context.site.set_member(group.id, user, true).await?;
    let users = ask.users(&mut ask.context.view().await?).await?;
    users::entity(&users, user).map(Reply::Created).ok_or_else(RestError::no_user)
}

/// `POST web/sitegroups(7)/users/removebyid(3)`, and by login.
pub(super) async fn remove(ask: &Ask<'_>) -> Result<Reply, RestError> {
    let group = named(ask)?;
    let user = match (ask.key("removebyid"), ask.key("removebyloginname")) {
        (Some(key), _) => key.value.to_number().ok_or_else(RestError::no_user)?,
        (None, Some(key)) => ask.user_number(&key.value.to_text()).await?,
        (None, None) => return Err(RestError::no_user()),
    };
    ask.context.site.set_member(group.id, user, false).await?;
    Ok(Reply::Deleted)
}
