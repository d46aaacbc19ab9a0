//! What every operation has at hand: the site as the caller may use it.

use engine::{EngineError, Site, View};
use model::{Guid, Time};
use store::StoreError;

use crate::{Call, SharePoint, code::Failure, schema::List};

/// A request on its way.
pub(crate) struct Context<'a> {
    /// The adapter.
    pub(crate) adapter: &'a SharePoint,
    /// Where and by whom.
    pub(crate) call: Call<'a>,
    /// The site, opened for the caller.
    pub(crate) site: Site,
}

impl<'a> Context<'a> {
    /// Opens the site of a call.
    ///
    /// # Errors
    /// [`EngineError::NoSite`]; when the store fails.
    pub(crate) async fn open(adapter: &'a SharePoint, call: Call<'a>) -> Result<Self, EngineError> {
        let path = if call.site_path.is_empty() { "/" } else { call.site_path };
        let site = adapter.engine.open_site(call.caller, path).await?;
        Ok(Self { adapter, call, site })
    }

    /// What to tell of a failure: where it could be repeated by itself, but something has been written since the request
    /// had made `writes` of its writes, nobody knows any more.
    pub(crate) fn judge(&self, failure: Failure, writes: u64) -> Failure {
        judge(self.adapter, failure, writes)
    }

    /// The site as it is now.
    ///
    /// # Errors
    /// When the store fails.
    pub(crate) async fn view(&self) -> Result<View, EngineError> {
        self.site.begin().await
    }

    /// The time now.
    pub(crate) fn now(&self) -> Time {
        self.adapter.engine.clock().now()
    }

    /// The list that a client names by GUID or by title.
    ///
    /// # Errors
    /// [`Failure::Coded`] where there is none.
    pub(crate) async fn list(&self, view: &mut View, name: &str) -> Result<List, Failure> {
        let name = name.trim();
        if name.is_empty() {
            return Err(Failure::no_list());
        }
        if let Ok(guid) = name.parse::<Guid>()
            && let Some(found) = view.list_by_guid(guid).await?
        {
            return Ok(self.wrap(found));
        }
        match view.list_by_title(full_title(name)).await? {
            Some(found) => Ok(self.wrap(found)),
            None => Err(Failure::no_list()),
        }
    }

    /// A list of the domain as this caller sees it.
    pub(crate) fn wrap(&self, collection: engine::ListCollection) -> List {
        List::new(collection, &self.call, &self.site)
    }

    /// `http://host:port/sites/team`.
    pub(crate) fn web_url(&self) -> String {
        format!("{}{}", self.call.base_url.trim_end_matches('/'), self.call.site_path.trim_end_matches('/'))
    }
}

/// See [`Context::judge`].
pub(crate) fn judge(adapter: &SharePoint, failure: Failure, writes: u64) -> Failure {
    if failure.is_busy() && adapter.engine.writes() > writes {
        let told = StoreError::OutcomeUnknown("what followed a write failed".to_owned());
        return Failure::Engine(EngineError::Store(told));
    }
    failure
}

/// The title that a client means: the list of users has a short name too.
pub(crate) fn full_title(name: &str) -> &str {
    let name = name.trim();
    if name.eq_ignore_ascii_case("UserInfo") { "User Information List" } else { name }
}
