//! `POST …/GetListItemChangesSinceToken`: the question in JSON, the answer in XML as SOAP gives it.

use xml::{Document, Writer};

use super::{Ask, error::RestError, reply::Reply};
use crate::{
    caml::XML_LIMITS,
    changes::{ChangesAsk, ChangesParameters, begin_changes},
    row_stream,
};

const CONTENT_TYPE: &str = "text/xml; charset=utf-8";

/// What changed in a list since a token.
pub(super) async fn run(ask: &Ask<'_>) -> Result<Reply, RestError> {
    let mut view = ask.context.view().await?;
    let list = ask.list(&mut view).await?;
    let body = ask.body()?.without("query")?;
    if let Some(name) = body.text("ListName")?.filter(|name| !name.trim().is_empty()) {
        let named = ask.context.list(&mut view, &name).await.map_err(|_| RestError::no_list(&name, &list.web_url()))?;
        if named.id() != list.id() {
            return Err(RestError::bad_query(format!("ListName names another list than the address: '{name}'.")));
        }
    }
    drop(view);
    let [query, view_fields, options, contains] = ["Query", "ViewFields", "QueryOptions", "Contains"];
    let (query_xml, fields_xml) = (body.text(query)?, body.text(view_fields)?);
    let (options_xml, contains_xml) = (body.text(options)?, body.text(contains)?);
    let query = fragment(query, query_xml.as_deref())?;
    let view_fields = fragment(view_fields, fields_xml.as_deref())?;
    let options = fragment(options, options_xml.as_deref())?;
    let contains = fragment(contains, contains_xml.as_deref())?;
    let (view_name, row_limit) = (body.text("ViewName")?, body.text("RowLimit")?);
    let token = body.text("ChangeToken")?;
    let parameters = ChangesParameters {
        view_name: view_name.as_deref(),
        query: query.as_ref().map(Document::root),
        view_fields: view_fields.as_ref().map(Document::root),
        row_limit: row_limit.as_deref(),
        query_options: options.as_ref().map(Document::root),
        change_token: token.as_deref(),
        contains: contains.as_ref().map(Document::root),
    };
    let question = ChangesAsk::read(&parameters).map_err(|failure| ask.failed(failure))?;
    let mut writer = Writer::new();
    writer.declaration();
    writer.start("GetListItemChangesSinceTokenResult");
    let rows = begin_changes(&ask.context, &list.guid().to_string(), &question, &mut writer).await;
    let mut rows = rows.map_err(|failure| ask.failed(failure))?;
    if rows.write_some(&mut writer).await.map_err(|failure| ask.failed(failure))? {
        return Ok(Reply::Stream(CONTENT_TYPE, rows.stream(writer)));
    }
    row_stream::close(&mut writer, 0);
    Ok(Reply::Raw(CONTENT_TYPE, writer.into_bytes()))
}

/// Markup that stands in a text.
fn fragment<'t>(name: &str, text: Option<&'t str>) -> Result<Option<Document<'t>>, RestError> {
    let Some(text) = text.map(str::trim).filter(|text| !text.is_empty()) else { return Ok(None) };
    let document = Document::parse_fragment(text, &XML_LIMITS)
        .map_err(|error| RestError::bad_query(format!("The markup in {name} cannot be read: {error}.")))?;
    Ok(Some(document))
}
