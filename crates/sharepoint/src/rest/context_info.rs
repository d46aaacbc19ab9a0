//! `POST contextinfo`: the form digest, and where the site is.

use serde_json::Value as Json;
use sha2::{Digest, Sha512};

use super::{
    Ask,
    entity::{Entity, Value},
    error::RestError,
    reply::Reply,
};
use crate::schema::LIBRARY_VERSION;

/// Seconds for which clients keep a digest.
const DIGEST_SECONDS: i32 = 1_800;

/// `POST contextinfo`.
///
/// The digest protects sessions that a browser carries along by itself. Callers who name themselves in each request,
/// which are all so far, need none, so it is given out and never asked for.
pub(super) async fn issue(ask: &Ask<'_>) -> Result<Reply, RestError> {
    let mut info = Entity::new("SP.ContextWebInformation", String::new(), "SP.ContextWebInformation");
    let now = ask.context.now();
    let random = ask.context.adapter.engine.random().guid();
    let caller = &ask.context.call.caller.address;
    let digest = Sha512::new().chain_update(random.0).chain_update(caller.as_bytes()).finalize();
    let hex: String = digest.iter().map(|byte| format!("{byte:02X}")).collect();
    info.plain("FormDigestTimeoutSeconds", DIGEST_SECONDS);
    info.plain("FormDigestValue", format!("0x{hex},{}", date(now)));
    info.plain("LibraryVersion", LIBRARY_VERSION);
    info.plain("SiteFullUrl", ask.context.web_url());
    let versions = ["14.0.0.0", "15.0.0.0"].map(Json::from).to_vec();
    info.value("SupportedSchemaVersions", Value::Many("Edm.String", versions));
    info.plain("WebFullUrl", ask.context.web_url());
    Ok(Reply::Function("GetContextWebInformation", info))
}

/// `04 Mar 2026 05:06:07 -0000`.
fn date(time: model::Time) -> String {
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let civil = time.civil();
    let month = MONTHS.get(usize::from(civil.month).saturating_sub(1)).copied().unwrap_or("Jan");
    format!(
        "{:02} {month} {:04} {:02}:{:02}:{:02} -0000",
        civil.day, civil.year, civil.hour, civil.minute, civil.second
    )
}
