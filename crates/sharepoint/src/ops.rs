//! The SOAP operations: one line each. Dispatch and the service descriptions come from this table.

mod add_discussion_board_item;
pub(crate) mod add_list;
mod add_list_from_feature;
mod attachments;
mod content_types;
mod edit_content_type;
mod get_list;
mod get_list_item_changes_since_token;
mod get_list_items;
mod site_data;
mod sites;
mod update_list;
pub(crate) mod update_list_items;
mod views;

use engine::View;
use futures_util::future::BoxFuture;
use xml::{Node, Writer};

use crate::{code::Failure, context::Context, row_stream::RowStream};

/// The pages below `_vti_bin`.
pub(crate) static SERVICES: &[&str] = &["Lists.asmx", "Sites.asmx", "SiteData.asmx", "Views.asmx"];

/// What a parameter holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Type {
    /// Text.
    Text,
    /// Bytes.
    Base64,
    /// Markup.
    Xml,
    /// Nothing: an answer without a result.
    Nothing,
}

/// A request for an operation.
pub(crate) struct Request<'a> {
    /// The site.
    pub(crate) context: &'a Context<'a>,
    /// The element of the operation, where the client sent one.
    pub(crate) node: Option<Node<'a>>,
    /// Where the answer goes: inside the response element.
    pub(crate) out: &'a mut Writer,
}

/// What an operation gives back: rows that are still to be written where the answer stands, if there are any. What is
/// open then is closed behind them.
pub(crate) type Answer<'a> = BoxFuture<'a, Result<Option<RowStream>, Failure>>;

/// One operation.
pub(crate) struct Operation {
    /// The page it belongs to.
    pub(crate) service: &'static str,
    /// Its name.
    pub(crate) name: &'static str,
    /// Its parameters in the order of the schema.
    pub(crate) parameters: &'static [(&'static str, Type)],
    /// What the result element holds.
    pub(crate) result: Type,
    /// What it does.
    pub(crate) run: for<'a> fn(Request<'a>) -> Answer<'a>,
}

use Type::{Base64, Text, Xml};

#[rustfmt::skip]
pub(crate) static OPERATIONS: &[Operation] = &[
    Operation { service: "Lists.asmx", name: "GetList", parameters: &[("listName", Text)], result: Xml, run: get_list::run },
    Operation { service: "Lists.asmx", name: "GetListCollection", parameters: &[], result: Xml, run: get_list::collection },
    Operation { service: "Lists.asmx", name: "GetListAndView", parameters: &[("listName", Text), ("viewName", Text)], result: Xml, run: get_list::and_view },
    Operation { service: "Lists.asmx", name: "GetListItems", parameters: &[("listName", Text), ("viewName", Text), ("query", Xml), ("viewFields", Xml), ("rowLimit", Text), ("queryOptions", Xml), ("webID", Text)], result: Xml, run: get_list_items::run },
    Operation { service: "Lists.asmx", name: "GetListItemChanges", parameters: &[("listName", Text), ("viewFields", Xml), ("since", Text), ("contains", Xml)], result: Xml, run: get_list_items::changes },
    Operation { service: "Lists.asmx", name: "GetListItemChangesSinceToken", parameters: &[("listName", Text), ("viewName", Text), ("query", Xml), ("viewFields", Xml), ("rowLimit", Text), ("queryOptions", Xml), ("changeToken", Text), ("contains", Xml)], result: Xml, run: get_list_item_changes_since_token::run },
    Operation { service: "Lists.asmx", name: "UpdateListItems", parameters: &[("listName", Text), ("updates", Xml)], result: Xml, run: update_list_items::run },
    Operation { service: "Lists.asmx", name: "AddList", parameters: &[("listName", Text), ("description", Text), ("templateID", Text)], result: Xml, run: add_list::run },
    Operation { service: "Lists.asmx", name: "AddListFromFeature", parameters: &[("listName", Text), ("description", Text), ("featureID", Text), ("templateID", Text)], result: Xml, run: add_list_from_feature::run },
    Operation { service: "Lists.asmx", name: "UpdateList", parameters: &[("listName", Text), ("listProperties", Xml), ("newFields", Xml), ("updateFields", Xml), ("deleteFields", Xml), ("listVersion", Text)], result: Xml, run: update_list::run },
    Operation { service: "Lists.asmx", name: "DeleteList", parameters: &[("listName", Text)], result: Type::Nothing, run: add_list::delete },
    Operation { service: "Lists.asmx", name: "AddDiscussionBoardItem", parameters: &[("listName", Text), ("message", Base64)], result: Xml, run: add_discussion_board_item::run },
    Operation { service: "Lists.asmx", name: "AddAttachment", parameters: &[("listName", Text), ("listItemID", Text), ("fileName", Text), ("attachment", Base64)], result: Text, run: attachments::add },
    Operation { service: "Lists.asmx", name: "GetAttachmentCollection", parameters: &[("listName", Text), ("listItemID", Text)], result: Xml, run: attachments::all },
    Operation { service: "Lists.asmx", name: "DeleteAttachment", parameters: &[("listName", Text), ("listItemID", Text), ("url", Text)], result: Type::Nothing, run: attachments::delete },
    Operation { service: "Lists.asmx", name: "GetListContentTypes", parameters: &[("listName", Text), ("contentTypeId", Text)], result: Xml, run: content_types::all },
    Operation { service: "Lists.asmx", name: "GetListContentType", parameters: &[("listName", Text), ("contentTypeId", Text)], result: Xml, run: content_types::one },
    Operation { service: "Lists.asmx", name: "CreateContentType", parameters: &[("listName", Text), ("displayName", Text), ("parentType", Text), ("fields", Xml), ("contentTypeProperties", Xml), ("addToView", Text)], result: Text, run: edit_content_type::create },
    Operation { service: "Lists.asmx", name: "UpdateContentType", parameters: &[("listName", Text), ("contentTypeId", Text), ("contentTypeProperties", Xml), ("newFields", Xml), ("updateFields", Xml), ("deleteFields", Xml), ("addToView", Text)], result: Xml, run: edit_content_type::update },
    Operation { service: "Lists.asmx", name: "DeleteContentType", parameters: &[("listName", Text), ("contentTypeId", Text)], result: Xml, run: content_types::delete },
    Operation { service: "Lists.asmx", name: "ApplyContentTypeToList", parameters: &[("webUrl", Text), ("contentTypeId", Text), ("listName", Text)], result: Xml, run: content_types::apply },
    Operation { service: "Sites.asmx", name: "GetSite", parameters: &[("SiteUrl", Text)], result: Text, run: sites::run },
    Operation { service: "SiteData.asmx", name: "GetListCollection", parameters: &[], result: Text, run: site_data::collection },
    Operation { service: "Views.asmx", name: "GetViewCollection", parameters: &[("listName", Text)], result: Xml, run: views::collection },
    Operation { service: "Views.asmx", name: "AddView", parameters: &[("listName", Text), ("viewName", Text), ("viewFields", Xml), ("query", Xml), ("rowLimit", Xml), ("type", Text), ("makeViewDefault", Text)], result: Xml, run: views::add },
    Operation { service: "Views.asmx", name: "UpdateView", parameters: &[("listName", Text), ("viewName", Text), ("viewProperties", Xml), ("query", Xml), ("viewFields", Xml), ("aggregations", Xml), ("formats", Xml), ("rowLimit", Xml)], result: Xml, run: views::update },
    Operation { service: "Views.asmx", name: "DeleteView", parameters: &[("listName", Text), ("viewName", Text)], result: Type::Nothing, run: views::delete },
    Operation { service: "Views.asmx", name: "GetView", parameters: &[("listName", Text), ("viewName", Text)], result: Xml, run: views::run },
];

/// The operation of a page with this name.
pub(crate) fn find(service: &str, name: &str) -> Option<&'static Operation> {
    OPERATIONS.iter().find(|operation| operation.service == service && operation.name == name)
}

impl<'a> Request<'a> {
    /// A parameter, by name in any case and whatever its namespace.
    pub(crate) fn parameter(&self, name: &str) -> Option<Node<'a>> {
        self.node?.children().find(|node| node.local().eq_ignore_ascii_case(name))
    }

    /// The text of a parameter, trimmed; `None` where it is not there.
    pub(crate) fn text(&self, name: &str) -> Option<String> {
        self.parameter(name).map(|node| node.text().trim().to_owned())
    }

    /// The site as it is now.
    pub(crate) async fn view(&self) -> Result<View, Failure> {
        Ok(self.context.view().await?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sound() {
        for operation in OPERATIONS {
            assert!(SERVICES.contains(&operation.service), "{}", operation.name);
            assert!(std::ptr::eq(find(operation.service, operation.name).unwrap(), operation), "{}", operation.name);
        }
    }
}
