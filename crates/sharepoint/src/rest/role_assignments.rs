//! Who has which role: of the site, of a list, of an item. \[MS-CSOMSPT 3.2.5.117 to 3.2.5.119\]

use engine::{EVERYONE, GROUPS, ROLES, Role, RoleScope, role};
use serde_json::Value as Json;

use super::{
    Ask,
    entity::{Entity, Value},
    error::RestError,
    groups, item_json, items,
    path::{By, Literal},
    reply::Reply,
    users::{self, User},
    web,
};

const SET: &str = "SP.ApiData.RoleAssignments";

impl Ask<'_> {
    /// The scope that the path names, and its path below `_api/`.
    async fn role_scope(&self) -> Result<(RoleScope, String), RestError> {
        if self.key("lists").is_none() {
            return Ok((RoleScope::Site, "Web".to_owned()));
        }
        let mut view = self.context.view().await?;
        let list = self.list(&mut view).await?;
        if self.key("items").is_none() {
            return Ok((RoleScope::List(list.id()), item_json::list_path(&list)));
        }
        let item = items::find(self, &mut view, &list).await?;
        Ok((RoleScope::Row(item.id), item_json::item_path(&list, item.id.number())))
    }

    fn number(&self, step: &str, name: &str, place: usize) -> Result<u32, RestError> {
        let number = self.argument(step, name, place).and_then(Literal::to_number);
        number.ok_or_else(|| RestError::bad_query(format!("The parameter {name} is missing or not a number.")))
    }

    /// A flag among the arguments.
    fn flag(&self, step: &str, name: &str, place: usize, default: bool) -> Result<bool, RestError> {
        match self.argument(step, name, place) {
            None => Ok(default),
            Some(Literal::Truth(flag)) => Ok(*flag),
            Some(Literal::Null | Literal::Text(_) | Literal::Number(_) | Literal::Guid(_) | Literal::Time(_)) => {
                Err(RestError::bad_query(format!("The parameter {name} is not true or false.")))
            }
        }
    }
}

fn definition_entity(role: &Role) -> Entity {
    let path = format!("Web/RoleDefinitions({})", role.id);
    let mut entity = Entity::new("SP.RoleDefinition", path, "SP.ApiData.RoleDefinitions/@Element");
    entity.value("BasePermissions", web::permissions(role.mask.0));
    entity.plain("Description", role.description);
    entity.plain("Hidden", role.kind == 1);
    entity.plain("Id", role.id);
    entity.plain("Name", role.name);
    let order = ROLES.iter().position(|own| own.id == role.id).unwrap_or_default() as u32;
    entity.plain("Order", (order + 1) << 5);
    entity.plain("RoleTypeKind", role.kind);
    entity
}

/// `GET web/roledefinitions`.
pub(super) async fn definitions(ask: &Ask<'_>) -> Result<Reply, RestError> {
    ask.collection("SP.ApiData.RoleDefinitions", ROLES.iter().map(definition_entity).collect())
}

/// `GET web/roledefinitions(1073741829)`, and by name.
pub(super) async fn definition(ask: &Ask<'_>) -> Result<Reply, RestError> {
    let missing = || RestError::no_resource("roledefinitions");
    let key = ask.key("roledefinitions").ok_or_else(missing)?;
    let found = match (key.by, key.value.to_number()) {
        (By::Id, Some(id)) => role(id),
        (By::Id | By::Title | By::Name | By::Url | By::Mail, _) => {
            let name = key.value.to_text();
            ROLES.iter().find(|role| role.name.eq_ignore_ascii_case(&name))
        }
    };
    found.map(definition_entity).map(Reply::Entity).ok_or_else(missing)
}

/// A user, a group, or everybody.
fn member(ask: &Ask<'_>, users: &[User], principal: u32) -> Option<Entity> {
    if let Some(group) = GROUPS.iter().find(|group| group.id == principal) {
        return Some(groups::entity(ask, group));
    }
    if principal == EVERYONE {
        let mut entity = Entity::new("SP.User", format!("Web/GetUserById({EVERYONE})"), "SP.ApiData.Users/@Element");
        entity.plain("Id", EVERYONE);
        entity.plain("IsHiddenInUI", false);
        entity.plain("LoginName", "c:0(.s|true");
        entity.plain("Title", "Everyone");
        entity.plain("PrincipalType", 4);
        entity.plain("Email", "");
        return Some(entity);
    }
    users::entity(users, principal)
}

async fn entities(ask: &Ask<'_>) -> Result<Vec<(u32, Entity)>, RestError> {
    let (scope, path) = ask.role_scope().await?;
    let state = ask.context.site.roles(scope).await?;
    let users = ask.users(&mut ask.context.view().await?).await?;
    let mut found: Vec<(u32, Vec<&Role>)> = Vec::new();
    for (principal, id) in state.assignments.0 {
        let Some(role) = role(id) else { continue };
        match found.iter_mut().find(|(own, _)| *own == principal) {
            Some((_, roles)) => roles.push(role),
            None => found.push((principal, vec![role])),
        }
    }
    let shape = &ask.options.shape;
    let to_entity = |(principal, roles): (u32, Vec<&Role>)| {
        let path = format!("{path}/RoleAssignments({principal})");
        let mut entity = Entity::new("SP.RoleAssignment", path, format!("{SET}/@Element"));
        entity.links(&["Member", "RoleDefinitionBindings"]);
        entity.plain("PrincipalId", principal);
        if shape.expands("Member") {
            let member = member(ask, &users, principal);
            entity.expand("Member", member.map_or(Value::Plain(Json::Null), |one| Value::Entity(Box::new(one))));
        }
        if shape.expands("RoleDefinitionBindings") {
            let roles = roles.into_iter().map(definition_entity).collect();
            entity.expand("RoleDefinitionBindings", Value::Entities(roles));
        }
        (principal, entity)
    };
    Ok(found.into_iter().map(to_entity).collect())
}

fn principal(ask: &Ask<'_>) -> Result<u32, RestError> {
    let key = ask.key("roleassignments").ok_or_else(RestError::no_user)?;
    key.value.to_number().ok_or_else(RestError::no_user)
}

/// `GET …/roleassignments`: those that hold, its own or inherited.
pub(super) async fn all(ask: &Ask<'_>) -> Result<Reply, RestError> {
    let entities = entities(ask).await?.into_iter().map(|(_, entity)| entity).collect();
    ask.collection(SET, entities)
}

/// `GET …/roleassignments(3)`: by principal.
pub(super) async fn one(ask: &Ask<'_>) -> Result<Reply, RestError> {
    let wanted = principal(ask)?;
    let found = entities(ask).await?.into_iter().find(|(own, _)| *own == wanted);
    found.map(|(_, entity)| Reply::Entity(entity)).ok_or_else(RestError::no_user)
}

/// `GET …/roleassignments(3)/roledefinitionbindings`.
pub(super) async fn bindings(ask: &Ask<'_>) -> Result<Reply, RestError> {
    let wanted = principal(ask)?;
    let (scope, _) = ask.role_scope().await?;
    let state = ask.context.site.roles(scope).await?;
    let own = state.assignments.0.iter().filter(|(own, _)| *own == wanted);
    let roles: Vec<Entity> = own.filter_map(|(_, id)| role(*id)).map(definition_entity).collect();
    if roles.is_empty() {
        return Err(RestError::no_user());
    }
    ask.collection("SP.ApiData.RoleDefinitions", roles)
}

/// `DELETE …/roleassignments(3)`: all roles of a principal.
pub(super) async fn delete(ask: &Ask<'_>) -> Result<Reply, RestError> {
    let (scope, _) = ask.role_scope().await?;
    ask.context.site.remove_role(scope, principal(ask)?, None).await?;
    Ok(Reply::Deleted)
}

/// `POST …/roleassignments/addroleassignment(principalid=3,roledefid=1073741826)`.
pub(super) async fn add(ask: &Ask<'_>) -> Result<Reply, RestError> {
    let (scope, _) = ask.role_scope().await?;
    let step = "addroleassignment";
    let (principal, id) = (ask.number(step, "principalid", 0)?, ask.number(step, "roledefid", 1)?);
    ask.context.site.add_role(scope, principal, id).await?;
    Ok(Reply::Deleted)
}

/// `POST …/roleassignments/removeroleassignment(principalid=3,roledefid=1073741826)`.
pub(super) async fn remove(ask: &Ask<'_>) -> Result<Reply, RestError> {
    let (scope, _) = ask.role_scope().await?;
    let step = "removeroleassignment";
    let (principal, id) = (ask.number(step, "principalid", 0)?, ask.number(step, "roledefid", 1)?);
    ask.context.site.remove_role(scope, principal, Some(id)).await?;
    Ok(Reply::Deleted)
}

/// `POST …/breakroleinheritance(copyRoleAssignments=true,clearSubscopes=true)`.
pub(super) async fn break_inheritance(ask: &Ask<'_>) -> Result<Reply, RestError> {
    let (scope, _) = ask.role_scope().await?;
    let step = "breakroleinheritance";
    let (copy, clear) = (ask.flag(step, "copyroleassignments", 0, true)?, ask.flag(step, "clearsubscopes", 1, false)?);
    ask.context.site.break_inheritance(scope, copy, clear).await?;
    Ok(Reply::Deleted)
}

/// `POST …/resetroleinheritance`.
pub(super) async fn reset_inheritance(ask: &Ask<'_>) -> Result<Reply, RestError> {
    let (scope, _) = ask.role_scope().await?;
    ask.context.site.reset_inheritance(scope).await?;
    Ok(Reply::Deleted)
}

/// `GET …/getusereffectivepermissions(@user)?@user='…'`.
pub(super) async fn effective(ask: &Ask<'_>) -> Result<Reply, RestError> {
    let (scope, _) = ask.role_scope().await?;
    let login = ask.argument("getusereffectivepermissions", "username", 0).map(Literal::to_text);
    let user = ask.user_number(&login.unwrap_or_default()).await?;
    let mask = ask.context.site.mask_of(scope, user).await?;
    Ok(Reply::Property("GetUserEffectivePermissions".to_owned(), web::permissions(mask.0)))
}
