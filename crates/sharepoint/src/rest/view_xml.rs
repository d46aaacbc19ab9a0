//! `ViewXml`: a `View` in a text, by which clients choose rows. \[MS-WSSCAML 2.3.2.17\]

use super::error::RestError;
use crate::{
    caml::{self, Query, ViewFields, XML_LIMITS},
    code::Failure,
    listing::{self, RowLimit},
    query_options::Scope,
};

/// What a `View` says; what it does not say is left to whoever asked.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct ViewXml {
    /// Which rows in which order.
    pub(super) query: Option<Query>,
    /// Which fields.
    pub(super) fields: ViewFields,
    /// How many rows.
    pub(super) limit: RowLimit,
    /// How deep.
    pub(super) scope: Option<Scope>,
}

impl ViewXml {
    /// Reads the markup; an empty text says nothing.
    ///
    /// # Errors
    /// Status 400 for what cannot be read; `failed` for what CAML does not have.
    pub(super) fn parse(markup: &str, failed: &dyn Fn(Failure) -> RestError) -> Result<Self, RestError> {
        if markup.trim().is_empty() {
            return Ok(Self::default());
        }
        let document = xml::Document::parse_fragment(markup, &XML_LIMITS)
            .map_err(|error| RestError::bad_query(format!("The ViewXml cannot be read: {error}.")))?;
        let root = document.root();
        let view = root.child_local("View").unwrap_or(root);
        let query = view.child_local("Query").map(Query::parse).transpose().map_err(failed)?;
        let fields = view.child_local("ViewFields");
        let (fields, _) = caml::view_fields(fields).map_err(failed)?;
        let limit = view.child_local("RowLimit").map(|node| node.text().into_owned());
        let limit = listing::row_limit(limit.as_deref()).map_err(failed)?;
        let scope = view.attribute("Scope").filter(|text| !text.trim().is_empty()).map(Scope::parse);
        Ok(Self { query, fields, limit, scope })
    }

    /// This, with what `other` says in its place.
    pub(super) fn overridden(self, other: Self) -> Self {
        Self {
            query: other.query.or(self.query),
            fields: if other.fields == ViewFields::Missing { self.fields } else { other.fields },
            limit: if other.limit == RowLimit::Missing { self.limit } else { other.limit },
            scope: other.scope.or(self.scope),
        }
    }
}
