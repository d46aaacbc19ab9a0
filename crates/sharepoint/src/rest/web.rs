//! The site: `web` and `site`.

use engine::View;
use serde_json::{Value as Json, json};

use super::{
    Ask,
    entity::{Entity, Value},
    error::RestError,
    lists,
    reply::Reply,
    users,
};

/// The path of the site below `_api/`.
const PATH: &str = "Web";

/// `GET web`.
pub(super) async fn one(ask: &Ask<'_>) -> Result<Reply, RestError> {
    let mut view = ask.context.view().await?;
    let mut web = entity(ask, &mut view).await?;
    if ask.options.shape.expands("Lists") {
        let lists = lists::entities(ask, &mut view, &ask.options.shape.below("Lists")).await?;
        web.expand("Lists", Value::Entities(lists));
    }
    if ask.options.shape.expands("CurrentUser") {
        let user = users::entity(&ask.users(&mut view).await?, ask.context.site.user_id());
        web.expand("CurrentUser", user.map_or(Value::Plain(Json::Null), |user| Value::Entity(Box::new(user))));
    }
    match web.lacks(&ask.options.shape) {
        None => Ok(Reply::Entity(web)),
        Some(name) => Err(RestError::no_property(name, &web.kind)),
    }
}

async fn entity(ask: &Ask<'_>, view: &mut View) -> Result<Entity, RestError> {
    let entry = ask.context.site.entry();
    let mut web = Entity::new("SP.Web", PATH, "SP.ApiData.Webs/@Element");
    let modified = view.lists().await?.iter().map(lists::modified).max().unwrap_or(entry.created);
    web.links(&[
        "AllProperties",
        "AvailableContentTypes",
        "AvailableFields",
        "ContentTypes",
        "CurrentUser",
        "Fields",
        "Folders",
        "Lists",
        "RecycleBin",
        "RoleAssignments",
        "RoleDefinitions",
        "RootFolder",
        "SiteGroups",
        "SiteUserInfoList",
        "SiteUsers",
        "Webs",
    ]);
    web.plain("AllowRssFeeds", false);
    web.plain("AppInstanceId", model::Guid::NIL.to_string());
    web.plain("Configuration", 0);
    web.plain("Created", entry.created.to_string());
    web.plain("CustomMasterUrl", "");
    web.plain("Description", "");
    web.plain("DocumentLibraryCalloutOfficeWebAppPreviewersDisabled", false);
    web.on_demand("EffectiveBasePermissions", permissions(ask.context.site.mask().0));
    web.plain("EnableMinimalDownload", false);
    web.on_demand("HasUniqueRoleAssignments", Value::Plain(Json::Bool(true)));
    web.plain("Id", entry.guid.to_string());
    web.plain("Language", 1033);
    web.plain("LastItemModifiedDate", modified.to_string());
    web.plain("MasterUrl", "");
    web.plain("QuickLaunchEnabled", true);
    web.plain("RecycleBinEnabled", ask.context.site.has_recycle_bin());
    web.plain("ServerRelativeUrl", server_relative_url(ask));
    web.plain("SyndicationEnabled", false);
    web.plain("Title", entry.title.clone());
    web.plain("TreeViewEnabled", false);
    web.plain("UIVersion", 15);
    web.plain("UIVersionConfigurationEnabled", false);
    web.plain("Url", ask.context.web_url());
    web.plain("WebTemplate", "STS");
    Ok(web)
}

/// `GET web/effectivebasepermissions` and of lists: the bits in two halves, written as texts.
pub(super) fn permissions(mask: u64) -> Value {
    let half = |bits: u64| Value::Plain(Json::String((bits & 0xffff_ffff).to_string()));
    Value::Complex("SP.BasePermissions", vec![("High", half(mask >> 32)), ("Low", half(mask))])
}

fn server_relative_url(ask: &Ask<'_>) -> String {
    let path = ask.context.call.site_path.trim_end_matches('/');
    if path.is_empty() { "/".to_owned() } else { path.to_owned() }
}

/// `GET site`.
pub(super) async fn site(ask: &Ask<'_>) -> Result<Reply, RestError> {
    let entry = ask.context.site.entry();
    let mut site = Entity::new("SP.Site", "Site", "SP.ApiData.Sites/@Element");
    site.links(&["Owner", "RecycleBin", "RootWeb"]);
    site.plain("CompatibilityLevel", 15);
    site.plain("Id", entry.guid.to_string());
    site.plain("PrimaryUri", format!("{}/", ask.context.web_url()));
    site.plain("ReadOnly", false);
    site.plain("RequiredDesignerVersion", "15.0.0.0");
    site.plain("ServerRelativeUrl", server_relative_url(ask));
    site.plain("UIVersionConfigurationEnabled", false);
    site.plain("Url", ask.context.web_url());
    Ok(Reply::Entity(site))
}

/// `GET web/webs`: sites have no sites below them.
pub(super) async fn webs(_: &Ask<'_>) -> Result<Reply, RestError> {
    Ok(Reply::Entities { set: "SP.ApiData.Webs".to_owned(), entities: Vec::new(), next: None })
}

/// `GET web/regionalsettings/timezone` and what else is fixed: everything is in UTC.
pub(super) async fn time_zone(_: &Ask<'_>) -> Result<Reply, RestError> {
    let mut zone = Entity::new("SP.TimeZone", "Web/RegionalSettings/TimeZone", "SP.ApiData.TimeZones/@Element");
    zone.plain("Description", "(UTC) Coordinated Universal Time");
    zone.plain("Id", 93);
    let bias = vec![
        ("Bias", Value::Plain(json!(0))),
        ("DaylightBias", Value::Plain(json!(0))),
        ("StandardBias", Value::Plain(json!(0))),
    ];
    zone.value("Information", Value::Complex("SP.TimeZoneInformation", bias));
    Ok(Reply::Entity(zone))
}
