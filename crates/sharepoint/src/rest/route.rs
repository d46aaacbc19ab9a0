//! The resources below `_api`: one line each.

use futures_util::future::BoxFuture;
use http::{HeaderMap, Method};

use super::{
    Ask, approval, attachments, content_types, context_info, error::RestError, files, form_values, groups, items,
    list_changes, list_fields, lists, path::Step, recycle_bin, render_list_data, reply::Reply, role_assignments,
    since_token, users, views, web,
};

/// What a request does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verb {
    Get,
    Post,
    /// MERGE, PATCH and PUT: what is not named stays.
    Merge,
    Delete,
}

/// An operation.
pub(super) type Handler = for<'a> fn(&'a Ask<'a>) -> BoxFuture<'a, Result<Reply, RestError>>;

struct Route {
    verb: Verb,
    /// Names in lower case; parentheses where the step names one of several.
    path: &'static str,
    run: Handler,
}

macro_rules! routes {
    ($($verb:ident $path:literal => $run:path;)*) => {
        &[$(Route { verb: Verb::$verb, path: $path, run: |ask| Box::pin($run(ask)) },)*]
    };
}

static ROUTES: &[Route] = routes! {
    Post "contextinfo" => context_info::issue;
    Get "site" => web::site;
    Get "site/recyclebin" => recycle_bin::all;
    Get "site/recyclebin()" => recycle_bin::one;
    Post "site/recyclebin()/deleteobject" => recycle_bin::delete;
    Post "site/recyclebin()/restore" => recycle_bin::restore;
    Post "site/recyclebin/deleteall" => recycle_bin::delete_all;
    Post "site/recyclebin/deletebyids" => recycle_bin::delete_named;
    Post "site/recyclebin/restoreall" => recycle_bin::restore_all;
    Post "site/recyclebin/restorebyids" => recycle_bin::restore_named;
    Get "web" => web::one;
    Get "web/availablecontenttypes" => content_types::of_site;
    Get "web/contenttypes" => content_types::of_site;
    Get "web/contenttypes()" => content_types::one_of_site;
    Get "web/currentuser" => users::current;
    Post "web/ensureuser" => users::ensure;
    Post "web/ensureuser()" => users::ensure;
    Get "web/recyclebin" => recycle_bin::all;
    Get "web/recyclebin()" => recycle_bin::one;
    Post "web/recyclebin()/deleteobject" => recycle_bin::delete;
    Post "web/recyclebin()/restore" => recycle_bin::restore;
    Post "web/recyclebin/deleteall" => recycle_bin::delete_all;
    Post "web/recyclebin/deletebyids" => recycle_bin::delete_named;
    Post "web/recyclebin/restoreall" => recycle_bin::restore_all;
    Post "web/recyclebin/restorebyids" => recycle_bin::restore_named;
    Get "web/files()" => files::file;
    Delete "web/files()" => files::delete;
    Get "web/files()/$value" => files::content;
    Merge "web/files()/$value" => files::replace;
    Get "web/files()/listitemallfields" => files::item;
    Merge "web/files()/listitemallfields" => files::change_item;
    Post "web/files()/moveto()" => files::move_to;
    Get "web/files()/openbinarystream" => files::content;
    Post "web/files()/recycle" => files::recycle;
    Get "web/folders()" => files::folder;
    Delete "web/folders()" => files::delete_folder;
    Get "web/folders()/listitemallfields" => files::item;
    Merge "web/folders()/listitemallfields" => files::change_item;
    Post "web/folders()/moveto()" => files::move_to;
    Post "web/folders()/recycle" => files::recycle;
    Get "web/folders()/files" => files::files;
    Post "web/folders()/files/add()" => files::add;
    Post "web/folders()/files/addusingpath()" => files::add;
    Get "web/folders()/files()" => files::file;
    Delete "web/folders()/files()" => files::delete;
    Get "web/folders()/files()/$value" => files::content;
    Merge "web/folders()/files()/$value" => files::replace;
    Get "web/folders()/files()/listitemallfields" => files::item;
    Merge "web/folders()/files()/listitemallfields" => files::change_item;
    Post "web/folders()/files()/recycle" => files::recycle;
    Get "web/folders()/folders" => files::folders;
    Post "web/folders()/folders" => files::add_folder;
    Post "web/folders()/folders/add()" => files::add_folder;
    Post "web/folders()/folders/addusingpath()" => files::add_folder;
    Get "web/regionalsettings/timezone" => web::time_zone;
    Get "web/siteusers" => users::all;
    Get "web/siteusers()" => users::one;
    Get "web/webs" => web::webs;
    Get "web/lists" => lists::all;
    Post "web/lists" => lists::create;
    Get "web/lists()" => lists::one;
    Merge "web/lists()" => lists::change;
    Delete "web/lists()" => lists::delete;
    Get "web/lists()/contenttypes" => content_types::of_list;
    Get "web/lists()/contenttypes()" => content_types::one_of_list;
    Get "web/lists()/defaultview" => views::one;
    Merge "web/lists()/defaultview" => views::change;
    Get "web/lists()/defaultview/viewfields" => views::fields;
    Post "web/lists()/defaultview/viewfields/addviewfield" => views::add_field;
    Post "web/lists()/defaultview/viewfields/addviewfield()" => views::add_field;
    Post "web/lists()/defaultview/viewfields/moveviewfieldto" => views::move_field;
    Post "web/lists()/defaultview/viewfields/removeallviewfields" => views::remove_all_fields;
    Post "web/lists()/defaultview/viewfields/removeviewfield" => views::remove_field;
    Post "web/lists()/defaultview/viewfields/removeviewfield()" => views::remove_field;
    Get "web/lists()/fields" => list_fields::all;
    Post "web/lists()/fields" => list_fields::add;
    Post "web/lists()/fields/add" => list_fields::add;
    Post "web/lists()/fields/addfield" => list_fields::add;
    Post "web/lists()/fields/createfieldasxml" => list_fields::add;
    Get "web/lists()/fields()" => list_fields::one;
    Merge "web/lists()/fields()" => list_fields::change;
    Delete "web/lists()/fields()" => list_fields::delete;
    Post "web/lists()/getchanges" => list_changes::run;
    Post "web/lists()/getitems" => items::by_caml;
    Post "web/lists()/getlistitemchangessincetoken" => since_token::run;
    Get "web/lists()/items" => items::page;
    Get "web/lists()/items/$count" => items::count;
    Post "web/lists()/items" => items::create;
    Get "web/lists()/items()" => items::one;
    Get "web/lists()/items()/parentlist" => lists::one;
    Merge "web/lists()/items()" => items::change;
    Delete "web/lists()/items()" => items::delete;
    Get "web/lists()/items()/attachmentfiles" => attachments::all;
    Get "web/lists()/items()/attachmentfiles()" => attachments::one;
    Delete "web/lists()/items()/attachmentfiles()" => attachments::delete;
    Get "web/lists()/items()/attachmentfiles()/$value" => attachments::content;
    Merge "web/lists()/items()/attachmentfiles()/$value" => attachments::replace;
    Post "web/lists()/items()/attachmentfiles/add()" => attachments::add;
    Post "web/lists()/items()/attachmentfiles/addusingpath()" => attachments::add;
    Post "web/lists()/items()/file/approve" => approval::approve;
    Post "web/lists()/items()/file/approve()" => approval::approve;
    Post "web/lists()/items()/file/deny" => approval::deny;
    Post "web/lists()/items()/file/deny()" => approval::deny;
    Get "web/lists()/items()/fieldvaluesastext" => items::as_text;
    Post "web/lists()/items()/recycle" => items::recycle;
    Post "web/lists()/items()/validateupdatelistitem" => form_values::change;
    Post "web/lists()/addvalidateupdateitemusingpath" => form_values::create;
    Post "web/lists()/renderlistdata" => render_list_data::text;
    Post "web/lists()/renderlistdata()" => render_list_data::text;
    Post "web/lists()/renderlistdataasstream" => render_list_data::stream;
    Post "web/lists()/recycle" => lists::recycle;
    Get "web/lists()/rootfolder" => lists::folder;
    Get "web/lists()/rootfolder/files" => files::files;
    Post "web/lists()/rootfolder/files/add()" => files::add;
    Post "web/lists()/rootfolder/files/addusingpath()" => files::add;
    Get "web/lists()/rootfolder/files()" => files::file;
    Delete "web/lists()/rootfolder/files()" => files::delete;
    Get "web/lists()/rootfolder/files()/$value" => files::content;
    Merge "web/lists()/rootfolder/files()/$value" => files::replace;
    Get "web/lists()/rootfolder/files()/listitemallfields" => files::item;
    Merge "web/lists()/rootfolder/files()/listitemallfields" => files::change_item;
    Post "web/lists()/rootfolder/files()/recycle" => files::recycle;
    Get "web/lists()/rootfolder/folders" => files::folders;
    Post "web/lists()/rootfolder/folders" => files::add_folder;
    Post "web/lists()/rootfolder/folders/add()" => files::add_folder;
    Post "web/lists()/rootfolder/folders/addusingpath()" => files::add_folder;
    Get "web/lists()/views" => views::all;
    Post "web/lists()/views" => views::create;
    Post "web/lists()/views/add" => views::create;
    Get "web/lists()/views()" => views::one;
    Merge "web/lists()/views()" => views::change;
    Delete "web/lists()/views()" => views::delete;
    Get "web/lists()/views()/viewfields" => views::fields;
    Post "web/lists()/views()/viewfields/addviewfield" => views::add_field;
    Post "web/lists()/views()/viewfields/addviewfield()" => views::add_field;
    Post "web/lists()/views()/viewfields/moveviewfieldto" => views::move_field;
    Post "web/lists()/views()/viewfields/removeallviewfields" => views::remove_all_fields;
    Post "web/lists()/views()/viewfields/removeviewfield" => views::remove_field;
    Post "web/lists()/views()/viewfields/removeviewfield()" => views::remove_field;
    Post "web/breakroleinheritance" => role_assignments::break_inheritance;
    Post "web/breakroleinheritance()" => role_assignments::break_inheritance;
    Get "web/getusereffectivepermissions()" => role_assignments::effective;
    Post "web/resetroleinheritance" => role_assignments::reset_inheritance;
    Get "web/roleassignments" => role_assignments::all;
    Get "web/roleassignments()" => role_assignments::one;
    Delete "web/roleassignments()" => role_assignments::delete;
    Get "web/roleassignments()/roledefinitionbindings" => role_assignments::bindings;
    Post "web/roleassignments/addroleassignment()" => role_assignments::add;
    Post "web/roleassignments/removeroleassignment()" => role_assignments::remove;
    Post "web/lists()/breakroleinheritance" => role_assignments::break_inheritance;
    Post "web/lists()/breakroleinheritance()" => role_assignments::break_inheritance;
    Get "web/lists()/getusereffectivepermissions()" => role_assignments::effective;
    Post "web/lists()/resetroleinheritance" => role_assignments::reset_inheritance;
    Get "web/lists()/roleassignments" => role_assignments::all;
    Get "web/lists()/roleassignments()" => role_assignments::one;
    Delete "web/lists()/roleassignments()" => role_assignments::delete;
    Get "web/lists()/roleassignments()/roledefinitionbindings" => role_assignments::bindings;
    Post "web/lists()/roleassignments/addroleassignment()" => role_assignments::add;
    Post "web/lists()/roleassignments/removeroleassignment()" => role_assignments::remove;
    Post "web/lists()/items()/breakroleinheritance" => role_assignments::break_inheritance;
    Post "web/lists()/items()/breakroleinheritance()" => role_assignments::break_inheritance;
    Get "web/lists()/items()/getusereffectivepermissions()" => role_assignments::effective;
    Post "web/lists()/items()/resetroleinheritance" => role_assignments::reset_inheritance;
    Get "web/lists()/items()/roleassignments" => role_assignments::all;
    Get "web/lists()/items()/roleassignments()" => role_assignments::one;
    Delete "web/lists()/items()/roleassignments()" => role_assignments::delete;
    Get "web/lists()/items()/roleassignments()/roledefinitionbindings" => role_assignments::bindings;
    Post "web/lists()/items()/roleassignments/addroleassignment()" => role_assignments::add;
    Post "web/lists()/items()/roleassignments/removeroleassignment()" => role_assignments::remove;
    Get "web/roledefinitions" => role_assignments::definitions;
    Get "web/roledefinitions()" => role_assignments::definition;
    Get "web/sitegroups" => groups::all;
    Get "web/sitegroups()" => groups::one;
    Get "web/sitegroups()/users" => groups::users;
    Post "web/sitegroups()/users" => groups::add;
    Post "web/sitegroups()/users/removebyid()" => groups::remove;
    Post "web/sitegroups()/users/removebyloginname()" => groups::remove;
};

impl Verb {
    /// What a request does, by its method and the header that stands for it. `None` for a method that nothing takes.
    pub(super) fn of(method: &Method, headers: &HeaderMap) -> Option<Self> {
        let instead = headers.get("x-http-method").or_else(|| headers.get("x-http-method-override"));
        let name = match instead.and_then(|value| value.to_str().ok()) {
            Some(instead) if *method == Method::POST && !instead.trim().is_empty() => instead.trim(),
            Some(_) | None => method.as_str(),
        };
        Some(match name.to_ascii_uppercase().as_str() {
            "GET" | "HEAD" => Self::Get,
            "POST" => Self::Post,
            "MERGE" | "PATCH" | "PUT" => Self::Merge,
            "DELETE" => Self::Delete,
            _ => return None,
        })
    }
}

/// A path as routes have it.
pub(super) fn pattern(steps: &[Step]) -> String {
    let mut pattern = String::new();
    for step in steps {
        // A folder in a folder is a folder.
        if step.name == "folders" && step.key.is_some() && pattern.ends_with("folders()") {
            continue;
        }
        if !pattern.is_empty() {
            pattern.push('/');
        }
        pattern.push_str(&step.name);
        if step.key.is_some() {
            pattern.push_str("()");
        }
    }
    pattern
}

/// What a path is for a verb.
pub(super) enum Found {
    /// This.
    Handler(Handler),
    /// It takes other verbs.
    OtherVerb,
    /// Nothing has this path.
    Nothing,
}

/// Finds the operation of a path.
pub(super) fn find(pattern: &str, verb: Verb) -> Found {
    let mut found = Found::Nothing;
    for route in ROUTES.iter().filter(|route| route.path == pattern) {
        if route.verb == verb {
            return Found::Handler(route.run);
        }
        found = Found::OtherVerb;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_route_stands_twice() {
        let mut seen = std::collections::BTreeSet::new();
        for route in ROUTES {
            assert!(seen.insert((route.path, format!("{:?}", route.verb))), "{}", route.path);
        }
    }

    #[test]
    fn verbs() {
        let mut headers = HeaderMap::new();
        assert_eq!(Verb::of(&Method::PATCH, &headers), Some(Verb::Merge));
        assert_eq!(Verb::of(&Method::OPTIONS, &headers), None);
        headers.insert("X-HTTP-Method", "MERGE".parse().unwrap());
        assert_eq!(Verb::of(&Method::POST, &headers), Some(Verb::Merge));
        assert_eq!(Verb::of(&Method::GET, &headers), Some(Verb::Get));
    }
}
