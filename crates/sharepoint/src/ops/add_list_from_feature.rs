//! `AddListFromFeature`. \[MS-LISTSWS 3.1.4.4\]

use engine::list_keys::LIST_DESCRIPTION;
use model::{Guid, Value};

use super::add_list::create;
use crate::{
    code::{Code, Failure},
    fields::Template,
    ops::{Answer, Request},
    schema::{Detail, write_list},
};

/// Makes a list from a template, which must be one of the feature that is named. Without a feature the template says it.
pub(super) fn run(request: Request<'_>) -> Answer<'_> {
    Box::pin(async move {
        let title = request.text("listName").unwrap_or_default();
        let unknown = || Failure::uncoded("Parameter templateID is missing or invalid.");
        let number = request.text("templateID").and_then(|text| text.parse::<i32>().ok()).ok_or_else(unknown)?;
        let template = Template::by_id(number).ok_or_else(unknown)?;
        let feature = match request.text("featureID").filter(|text| !text.is_empty()) {
            None => Guid::NIL,
            Some(text) => text.parse::<Guid>().map_err(|_| Failure::uncoded("The parameter featureID is no GUID."))?,
        };
        if feature != Guid::NIL && template.feature.parse() != Ok(feature) {
            return Err(Failure::coded(Code::NOT_OF_FEATURE, "The list template does not belong to the feature."));
        }
        let described = request.text("description").filter(|text| !text.is_empty()).map(Value::text);
        let list = create(request.context, &title, template.id, vec![(LIST_DESCRIPTION, described)]).await?;
        request.out.start("AddListFromFeatureResult");
        write_list(request.out, &list, Detail::Full, None);
        request.out.end();
        Ok(None)
    })
}
