//! The seam to the protocol adapters: which of them gets a request, and what it is told beside it.

use std::time::Duration;

use bytes::Bytes;
use engine::{Caller, Engine};
use ews::Ews;
use http::{Request, Response};
use sharepoint::SharePoint;

use crate::Config;

/// A body of an answer, as the adapters give it.
pub(crate) type Body = http_body_util::combinators::UnsyncBoxBody<Bytes, std::io::Error>;

/// The adapters over one engine.
pub(crate) struct Adapters {
    ews: Ews,
    sharepoint: SharePoint,
}

/// What of a site is asked for. Paths are as they came, undecoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SiteSurface<'a> {
    /// A SOAP service under `_vti_bin`.
    Soap,
    /// REST: path and query behind `_api/`.
    Rest(&'a str),
    /// A file: its server-relative path.
    File(&'a str),
}

impl Adapters {
    pub(crate) fn new(config: &Config, engine: &Engine) -> Self {
        let number = |setting: u64| u32::try_from(setting).unwrap_or(u32::MAX);
        let settings = sharepoint::Settings {
            alternate_urls: config.alternate_urls.clone(),
            list_schema_change_sends_all: config.list_schema_change_sends_all,
            min_time_between_syncs_minutes: number(config.list_sync_min_minutes),
            recommended_time_between_syncs_minutes: number(config.list_sync_recommended_minutes),
            max_bulk_document_sync_mb: number(config.list_sync_documents_mb),
            max_recommended_embedded_file_mb: number(config.list_sync_embedded_file_mb),
        };
        let bytes = |setting: u64| usize::try_from(setting).unwrap_or(usize::MAX);
        let ews = ews::Settings {
            upload_bytes_max: bytes(config.upload_item_bytes_max),
            keep_alive: Duration::from_secs(config.hanging_keep_alive_seconds),
        };
        Self {
            ews: Ews { engine: engine.clone(), settings: ews },
            sharepoint: SharePoint { engine: engine.clone(), settings },
        }
    }

    pub(crate) async fn ews(&self, caller: &Caller, request: Request<Bytes>) -> Response<Body> {
        Box::pin(self.ews.handle(caller, request)).await
    }

    pub(crate) async fn site(
        &self,
        call: sharepoint::Call<'_>,
        surface: SiteSurface<'_>,
        request: Request<Bytes>,
    ) -> Response<Body> {
        match surface {
            SiteSurface::Soap => Box::pin(self.sharepoint.soap(call, request)).await,
            SiteSurface::Rest(path) => Box::pin(self.sharepoint.rest(call, path, request)).await,
            SiteSurface::File(path) => Box::pin(self.sharepoint.file(call, path, request)).await,
        }
    }
}
