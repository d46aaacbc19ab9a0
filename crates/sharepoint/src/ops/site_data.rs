//! `SiteData.asmx GetListCollection`: lists in brief. \[MS-SITEDATS 3.1.4.5\]

use crate::{
    ops::{Answer, Request},
    views,
};

/// The lists of the site; the result is a number, and the lists stand beside it.
pub(super) fn collection(request: Request<'_>) -> Answer<'_> {
    Box::pin(async move {
        let lists = request.view().await?.lists().await?;
        let out = request.out;
        out.element("GetListCollectionResult", "0");
        out.start("vLists");
        for list in lists {
            let list = request.context.wrap(list);
            let default_url = views::views(&list).into_iter().next().map(|view| view.url(&list)).unwrap_or_default();
            let flag = |truth: bool| if truth { "true" } else { "false" };
            out.start("_sList");
            out.element("InternalName", &list.guid().braced());
            out.element("Title", list.collection.title());
            out.element("Description", list.description());
            out.element("BaseType", if list.template.is_library() { "DocumentLibrary" } else { "GenericList" });
            out.display("BaseTemplate", list.template.id);
            out.element("DefaultViewUrl", &default_url);
            out.display("LastModified", list.modified());
            out.empty("PermId");
            out.element("InheritedSecurity", flag(true));
            out.element("AllowAnonymousAccess", flag(false));
            out.element("AnonymousViewListItems", flag(false));
            out.display("ReadSecurity", 1);
            out.end();
        }
        out.end();
        Ok(None)
    })
}
