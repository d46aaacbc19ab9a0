//! `Sites.asmx GetSite`. \[MS-SITESS 3.1.4.7\]

use xml::Writer;

use crate::ops::{Answer, Request};

/// What the site is, as text that holds markup.
pub(super) fn run(request: Request<'_>) -> Answer<'_> {
    Box::pin(async move {
        let entry = request.context.site.entry();
        let mut inner = Writer::new();
        inner.start("Site");
        inner.attribute("Url", &request.context.web_url());
        inner.attribute("ID", &entry.guid.braced());
        inner.attribute("Title", &entry.title);
        inner.attribute_display("UserCodeEnabled", "false");
        inner.end();
        let text = String::from_utf8(inner.into_bytes()).unwrap_or_default();
        request.out.element("GetSiteResult", &text);
        Ok(None)
    })
}
