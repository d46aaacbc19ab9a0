//! Lists as clients see them: the `List` element with its fields and the settings of the site. \[MS-LISTSWS 2.2.4.11\]

use engine::{ListCollection, Site, list_keys};
use model::{CollectionId, Guid, Time, Value};
use xml::Writer;

use crate::{
    Call,
    content_types::{self, ContentType},
    fields::{Field, Template, custom_fields},
    list_settings::{self, Setting},
    paths, views,
};

/// The version of SharePoint that answers look like. Clients use the token operation from 12.0.0.4326.
pub(crate) const SERVER_VERSION: &str = "14.0.7143.5000";
/// The version for clients of the REST service.
pub(crate) const LIBRARY_VERSION: &str = "15.0.4569.1000";

/// A list with its fields.
#[derive(Clone, Debug)]
pub(crate) struct List {
    /// The list as the domain has it.
    pub(crate) collection: ListCollection,
    /// What it was made from.
    pub(crate) template: &'static Template,
    /// Its fields, those of the template first.
    pub(crate) fields: Vec<Field>,
    /// Its content types, none before they were changed: see [`content_types::of_list`].
    pub(crate) content_types: Vec<ContentType>,
    /// Server-relative path of its folder, without a leading slash: `sites/team/Lists/Tasks`.
    pub(crate) root_folder: String,
    /// Server-relative path of the site, without slashes at the ends.
    pub(crate) site_folder: String,
    /// `http://host:port`.
    pub(crate) host_url: String,
    /// The id of the site, which stands for its permissions too.
    pub(crate) scope_id: Guid,
    /// What the caller may do, in bits.
    pub(crate) rights_mask: u64,
    /// The id of the caller.
    pub(crate) user_id: u32,
    /// Whether what is deleted goes to a recycle bin.
    pub(crate) recycle_bin: bool,
}

impl List {
    /// A list as `site` sees it.
    pub(crate) fn new(collection: ListCollection, call: &Call<'_>, site: &Site) -> Self {
        let site_folder = call.site_path.trim_matches('/').to_owned();
        Self::assemble(
            collection,
            site_folder,
            call.base_url.trim_end_matches('/').to_owned(),
            site.entry().guid,
            site.user_id(),
            site.has_recycle_bin(),
        )
    }

    /// Another list of the same site.
    pub(crate) fn sibling(&self, collection: ListCollection) -> Self {
        Self::assemble(
            collection,
            self.site_folder.clone(),
            self.host_url.clone(),
            self.scope_id,
            self.user_id,
            self.recycle_bin,
        )
    }

    fn assemble(
        collection: ListCollection,
        site_folder: String,
        host_url: String,
        scope_id: Guid,
        user_id: u32,
        recycle_bin: bool,
    ) -> Self {
        let rights_mask = collection.access.mask().0;
        let template = Template::by_id(collection.template()).unwrap_or(crate::fields::CUSTOM_LIST);
        let mut fields = template.list_fields();
        for custom in custom_fields(&collection.bag) {
            match fields.iter_mut().find(|field| field.name == custom.name) {
                // A field of the template keeps what it is; a client changed how it looks.
                Some(field) => {
                    field.display = custom.display;
                    field.required = custom.required;
                    field.hidden = custom.hidden;
                    field.attributes = custom.attributes;
                    field.children = custom.children;
                }
                None => fields.push(custom),
            }
        }
        let root_folder = paths::join(&site_folder, collection.folder());
        Self {
            content_types: content_types::of_bag(&collection.bag),
            collection,
            template,
            fields,
            root_folder,
            site_folder,
            host_url,
            scope_id,
            rights_mask,
            user_id,
            recycle_bin,
        }
    }

    /// Its id in the domain.
    pub(crate) const fn id(&self) -> CollectionId {
        self.collection.id()
    }

    /// Its GUID.
    pub(crate) fn guid(&self) -> Guid {
        self.collection.guid()
    }

    /// The field with this internal name.
    pub(crate) fn field(&self, name: &str) -> Option<&Field> {
        self.fields.iter().find(|field| field.name == name)
    }

    /// The field with this id.
    pub(crate) fn field_by_id(&self, id: Guid) -> Option<&Field> {
        self.fields.iter().find(|field| field.id == id)
    }

    /// The content type of items that say nothing.
    pub(crate) fn content_type_id(&self) -> String {
        self.content_type(self.template.content_type)
    }

    /// The content type of its folders.
    pub(crate) fn folder_content_type_id(&self) -> String {
        self.content_type("0x0120")
    }

    fn content_type(&self, parent: &str) -> String {
        let guid = self.guid().to_string().replace('-', "").to_uppercase();
        format!("{parent}00{guid}")
    }

    /// The URL of the site: `http://host:port/sites/team`.
    pub(crate) fn web_url(&self) -> String {
        if self.site_folder.is_empty() {
            self.host_url.clone()
        } else {
            paths::absolute(&self.host_url, &self.site_folder)
        }
    }

    fn time(&self, key: &model::PropertyKey) -> Time {
        self.collection.bag.get(key).and_then(Value::as_time).unwrap_or_default()
    }

    /// When the list itself was made.
    pub(crate) fn created(&self) -> Time {
        self.time(&list_keys::LIST_CREATED)
    }

    /// When the list itself was last changed.
    pub(crate) fn modified(&self) -> Time {
        self.time(&list_keys::LIST_MODIFIED)
    }

    /// Its description.
    pub(crate) fn description(&self) -> &str {
        self.collection.bag.text(&list_keys::LIST_DESCRIPTION).unwrap_or_default()
    }

    /// Whether it is kept from users.
    pub(crate) fn is_hidden(&self) -> bool {
        list_settings::HIDDEN.is_on(self)
    }
}

/// Names and bits of what one may do. \[MS-WSSFO2 2.2.2.14\]
const PERMISSIONS: &[(&str, u64)] = &[
    ("ViewListItems", 0x1),
    ("AddListItems", 0x2),
    ("EditListItems", 0x4),
    ("DeleteListItems", 0x8),
    ("ApproveItems", 0x10),
    ("OpenItems", 0x20),
    ("ViewVersions", 0x40),
    ("DeleteVersions", 0x80),
    ("CancelCheckout", 0x100),
    ("ManagePersonalViews", 0x200),
    ("ManageLists", 0x800),
    ("ViewFormPages", 0x1000),
    ("Open", 0x1_0000),
    ("ViewPages", 0x2_0000),
    ("AddAndCustomizePages", 0x4_0000),
    ("ApplyThemeAndBorder", 0x8_0000),
    ("ApplyStyleSheets", 0x10_0000),
    ("ViewUsageData", 0x20_0000),
    ("CreateSSCSite", 0x40_0000),
    ("ManageSubwebs", 0x80_0000),
    ("CreateGroups", 0x100_0000),
    ("ManagePermissions", 0x200_0000),
    ("BrowseDirectories", 0x400_0000),
    ("BrowseUserInfo", 0x800_0000),
    ("AddDelPrivateWebParts", 0x1000_0000),
    ("UpdatePersonalWebParts", 0x2000_0000),
    ("ManageWeb", 0x4000_0000),
    ("UseClientIntegration", 0x10_0000_0000),
    ("UseRemoteAPIs", 0x20_0000_0000),
    ("ManageAlerts", 0x40_0000_0000),
    ("CreateAlerts", 0x80_0000_0000),
    ("EditMyUserInfo", 0x100_0000_0000),
    ("EnumeratePermissions", 0x4000_0000_0000_0000),
];
const FULL_MASK: u64 = 0x7fff_ffff_ffff_ffff;

/// What a right allows, in names: `FullMask`, or names with commas between.
pub(crate) fn rights_text(mask: u64) -> String {
    if mask == FULL_MASK {
        return "FullMask".to_owned();
    }
    let names: Vec<&str> = PERMISSIONS.iter().filter(|(_, bit)| mask & bit != 0).map(|(name, _)| *name).collect();
    if names.is_empty() { "EmptyMask".to_owned() } else { names.join(", ") }
}

/// How much of a list is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Detail {
    /// The attributes alone.
    Attributes,
    /// With fields and settings.
    Full,
}

/// What an attribute of the `List` element says, as [`write_list`] writes it.
pub(crate) fn list_attribute(list: &List, name: &str) -> Option<String> {
    let mut writer = Writer::new();
    write_list(&mut writer, list, Detail::Attributes, None);
    let document = xml::Document::parse(&writer.into_bytes(), &xml::Limits::DEFAULT).ok()?.into_owned();
    document.root().attribute(name).map(str::to_owned)
}

/// Writes a `List` element. `namespace` is declared as the default where it is given.
pub(crate) fn write_list(writer: &mut Writer, list: &List, detail: Detail, namespace: Option<&str>) {
    let flag = |truth: bool| if truth { "True" } else { "False" };
    let setting = |writer: &mut Writer, setting: &Setting| writer.attribute(setting.name, &setting.text(list));
    let guid = list.guid().braced();
    let default_view = views::views(list).into_iter().next();
    let default_url = default_view.as_ref().map(|view| view.url(list)).unwrap_or_default();
    let library = list.template.is_library();
    let site = format!("/{}", list.site_folder);
    writer.start("List");
    if let Some(namespace) = namespace {
        writer.namespace("", namespace);
    }
    let template_url = if library { format!("/{}/Forms/template.doc", list.root_folder) } else { String::new() };
    writer.attribute("DocTemplateUrl", &template_url);
    writer.attribute("DefaultViewUrl", &default_url);
    writer.attribute("MobileDefaultViewUrl", "");
    writer.attribute("ID", &guid);
    writer.attribute("Title", list.collection.title());
    writer.attribute("Description", list.description());
    writer.attribute_display("ImageUrl", format_args!("/_layouts/images/{}", list.template.image));
    writer.attribute("Name", &guid);
    writer.attribute_display("BaseType", list.template.base_type);
    writer.attribute("FeatureId", list.template.feature);
    writer.attribute_display("ServerTemplate", list.template.id);
    writer.attribute("Created", &compact_time(list.created()));
    writer.attribute("Modified", &compact_time(list.modified()));
    writer.attribute("LastDeleted", &compact_time(list.modified()));
    writer.attribute_display("Version", list.collection.version());
    setting(writer, &list_settings::DIRECTION);
    for name in ["ThumbnailSize", "WebImageWidth", "WebImageHeight"] {
        writer.attribute(name, "");
    }
    writer.attribute("Flags", if library { "545263624" } else { "536875008" });
    writer.attribute_display("ItemCount", list.collection.row.items);
    writer.attribute("AnonymousPermMask", "0");
    writer.attribute_display("RootFolder", format_args!("/{}", list.root_folder));
    setting(writer, &list_settings::READ_SECURITY);
    setting(writer, &list_settings::WRITE_SECURITY);
    writer.attribute_display(
        "Author",
        list.collection.bag.get(&list_keys::LIST_AUTHOR).and_then(Value::as_i64).unwrap_or(1),
    );
    for name in ["EventSinkAssembly", "EventSinkClass", "EventSinkData", "EmailInsertsFolder", "EmailAlias"] {
        writer.attribute(name, "");
    }
    writer.attribute("WebFullUrl", &site);
    writer.attribute("WebId", &list.scope_id.to_string());
    writer.attribute("SendToLocation", "");
    writer.attribute("ScopeId", &list.scope_id.to_string());
    writer.attribute("MajorVersionLimit", "0");
    writer.attribute("MajorWithMinorVersionsLimit", "0");
    writer.attribute("WorkFlowId", "");
    let unique = list.collection.has_own_roles() || list.collection.has_unique_items();
    writer.attribute("HasUniqueScopes", flag(unique));
    writer.attribute("NoThrottleListOperations", "False");
    writer.attribute("HasRelatedLists", if detail == Detail::Full { "False" } else { "" });
    writer.attribute("AllowDeletion", flag(!list.template.unique));
    setting(writer, &list_settings::ALLOW_MULTI_RESPONSES);
    setting(writer, &list_settings::ENABLE_ATTACHMENTS);
    setting(writer, &list_settings::ENABLE_MODERATION);
    setting(writer, &list_settings::ENABLE_VERSIONING);
    writer.attribute("HasExternalDataSource", "False");
    setting(writer, &list_settings::HIDDEN);
    setting(writer, &list_settings::MULTIPLE_DATA_LIST);
    setting(writer, &list_settings::ORDERED);
    setting(writer, &list_settings::SHOW_USER);
    writer.attribute("EnablePeopleSelector", "False");
    writer.attribute("EnableResourceSelector", "False");
    writer.attribute("EnableMinorVersion", "False");
    writer.attribute("RequireCheckout", "False");
    writer.attribute("ThrottleListOperations", "False");
    setting(writer, &list_settings::EXCLUDE_FROM_OFFLINE);
    setting(writer, &list_settings::ENABLE_FOLDER_CREATION);
    writer.attribute("IrmEnabled", "False");
    writer.attribute("IsApplicationList", "False");
    writer.attribute("PreserveEmptyValues", "False");
    writer.attribute("StrictTypeCoercion", "False");
    setting(writer, &list_settings::ENFORCE_DATA_VALIDATION);
    writer.attribute("MaxItemsPerThrottledOperation", "5000");
    if list.template.base_type == 5 {
        writer.attribute("EnableAssignedToEmail", "False");
    }
    if detail == Detail::Full {
        writer.start("Fields");
        for field in &list.fields {
            write_field(writer, field, Some(list));
        }
        writer.end();
        write_settings(writer, &site, list.recycle_bin);
    }
    writer.end();
}

/// The settings of the site: everything is in UTC.
fn write_settings(writer: &mut Writer, site: &str, recycle_bin: bool) {
    writer.start("RegionalSettings");
    for (name, value) in [
        ("Language", "1033"),
        ("Locale", "1033"),
        ("AdvanceHijri", "0"),
        ("CalendarType", "1"),
        ("Time24", "True"),
        ("TimeZone", "0"),
        ("SortOrder", "1033"),
        ("Presence", "True"),
    ] {
        writer.element(name, value);
    }
    writer.end();
    writer.start("ServerSettings");
    writer.element("ServerVersion", SERVER_VERSION);
    writer.element("RecycleBinEnabled", if recycle_bin { "True" } else { "False" });
    writer.element("ServerRelativeUrl", site);
    writer.end();
}

/// Writes a `Field` element. Without a list it is the stored form.
pub(crate) fn write_field(writer: &mut Writer, field: &Field, list: Option<&List>) {
    writer.start("Field");
    writer.attribute("ID", &braced_lower(field.id));
    writer.attribute("Type", field.kind.wire());
    writer.attribute("Name", &field.name);
    writer.attribute("DisplayName", &field.display);
    writer.attribute("StaticName", &field.name);
    match list {
        Some(list) if field.custom => writer.attribute("SourceID", &braced_lower(list.guid())),
        Some(_) => writer.attribute("SourceID", "http://schemas.microsoft.com/sharepoint/v3"),
        None => {}
    }
    for (name, truth) in [
        ("Required", field.required),
        ("ReadOnly", field.read_only),
        ("Hidden", field.hidden),
        ("FromBaseType", field.base),
    ] {
        if truth {
            writer.attribute(name, "TRUE");
        }
    }
    for (name, value) in &field.attributes {
        writer.attribute(name, value);
    }
    writer.raw(&field.children);
    writer.end();
}

/// A field as it is kept with the list.
pub(crate) fn field_xml(field: &Field) -> String {
    let mut writer = Writer::new();
    write_field(&mut writer, field, None);
    String::from_utf8(writer.into_bytes()).unwrap_or_default()
}

fn braced_lower(guid: Guid) -> String {
    format!("{{{guid}}}")
}

/// `20070831 21:34:59`.
fn compact_time(time: Time) -> String {
    crate::rows::time_text(time, false).replace('-', "")
}
