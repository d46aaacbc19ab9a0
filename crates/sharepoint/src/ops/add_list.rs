//! `AddList` and `DeleteList`. \[MS-LISTSWS 3.1.4.3, 3.1.4.12\]

use engine::EngineError;
use model::{Bag, Value};

use crate::{
    code::{Code, Failure},
    context::Context,
    fields::Template,
    list_settings::Changes,
    ops::{Answer, Request},
    schema::{Detail, List, write_list},
    update,
};

/// Makes a list from a template.
pub(super) fn run(request: Request<'_>) -> Answer<'_> {
    Box::pin(async move {
        let title = request.text("listName").unwrap_or_default();
        let description = request.text("description").unwrap_or_default();
        let unknown = || Failure::coded(Code::NO_TEMPLATE, "Invalid list template.");
        let template = match request.text("templateID").map(|text| text.parse::<i64>()) {
            Some(Ok(number)) if number < 0 => {
                return Err(Failure::uncoded("Value was either too large or too small for an Int32."));
            }
            Some(Ok(number)) => i32::try_from(number).map_err(|_| unknown())?,
            Some(Err(_)) | None => return Err(unknown()),
        };
        let described = Some(description).filter(|text| !text.is_empty()).map(Value::text);
        let settings = vec![(engine::list_keys::LIST_DESCRIPTION, described)];
        let list = create(request.context, &title, template, settings).await?;
        request.out.start("AddListResult");
        write_list(request.out, &list, Detail::Full, None);
        request.out.end();
        Ok(None)
    })
}

/// Makes a list. Its folder has its title, for lists below `Lists`.
///
/// # Errors
/// [`Failure::Coded`] for an unknown template, a title that is taken or not valid, and a second list where there may be
/// one only.
pub(crate) async fn create(
    context: &Context<'_>,
    title: &str,
    template: i32,
    settings: Changes,
) -> Result<List, Failure> {
    let Some(template) = Template::by_id(template) else {
        return Err(Failure::coded(Code::NO_TEMPLATE, "Invalid list template."));
    };
    if template.unique {
        return Err(Failure::coded(Code::TEMPLATE_EXISTS, "There is a list of this template already."));
    }
    let title = title.trim();
    if title.is_empty() {
        return Err(Failure::bad_value("The title of the list is empty."));
    }
    let folder = free_folder(context, title, template.is_library()).await?;
    let mut bag = Bag::new();
    settings.into_iter().for_each(|(key, value)| bag.put(key, value));
    match context.site.create_list(title, template.id, &folder, bag).await {
        Ok(made) => Ok(context.wrap(made)),
        Err(EngineError::NameTaken) => Err(Failure::coded(
            Code::TITLE_TAKEN,
            "A list, survey, discussion board, or document library with the specified title already exists in this \
             Web site. Please choose another title.",
        )),
        Err(other) => Err(other.into()),
    }
}

/// A folder that no other list has: the title without what paths do not take, with a number where it is taken.
async fn free_folder(context: &Context<'_>, title: &str, library: bool) -> Result<String, Failure> {
    const ATTEMPTS_MAX: usize = 1_000;
    let plain: String = title.chars().filter(|c| update::leaf(&c.to_string()).is_ok() || *c == ' ').collect();
    let name = update::leaf(plain.trim_matches([' ', '.'])).unwrap_or_else(|_| "List".to_owned());
    let base = if library { name } else { format!("Lists/{name}") };
    let lists = context.view().await?.lists().await?;
    let taken = |folder: &str| lists.iter().any(|list| list.folder().eq_ignore_ascii_case(folder));
    let numbered = (1..ATTEMPTS_MAX).map(|number| format!("{base}{number}"));
    std::iter::once(base.clone())
        .chain(numbered)
        .find(|folder| !taken(folder))
        .ok_or_else(|| Failure::uncoded("There are too many lists of this title."))
}

/// Deletes a list with its items.
pub(super) fn delete(request: Request<'_>) -> Answer<'_> {
    Box::pin(async move {
        let mut view = request.view().await?;
        let list = request.context.list(&mut view, &request.text("listName").unwrap_or_default()).await?;
        drop(view);
        request.context.site.drop_list(list.id()).await?;
        Ok(None)
    })
}
