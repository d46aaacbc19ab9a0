//! Which path leads where. Paths are matched in any case.

use std::borrow::Cow;

use crate::answer::Protocol;

/// Segments of a path before `_vti_bin` or `_api`, or of a file, that are tried as the path of a site.
pub(crate) const SITE_SEGMENTS_MAX: usize = 16;
/// Bytes of a path and query.
pub(crate) const PATH_BYTES_MAX: usize = 8_192;

/// Where sites live: under these there is no site but a known one.
const MANAGED: &[&str] = &["sites", "teams", "personal"];

/// What a path asks for. Slices are of the path and query as they came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Route<'a> {
    /// Whether the program lives, which needs no login.
    Health,
    /// Whether it may be given requests, which needs no login either.
    Ready,
    /// The page at the root.
    Status,
    /// Exchange Web Services.
    Ews,
    /// A SOAP service of the site that `before` leads to.
    Soap { before: &'a str },
    /// REST of the site that `before` leads to; `rest` is the path behind `_api/` with the query.
    Rest { before: &'a str, rest: &'a str },
    /// A file.
    File { path: &'a str },
    /// Nothing of ours.
    Nowhere,
}

impl<'a> Route<'a> {
    /// Reads a path and query.
    pub(crate) fn read(path_and_query: &'a str) -> Self {
        if path_and_query.len() > PATH_BYTES_MAX {
            return Self::Nowhere;
        }
        let path = path_and_query.split('?').next().unwrap_or_default();
        match path {
            "/healthz" => return Self::Health,
            "/readyz" => return Self::Ready,
            "/" | "" => return Self::Status,
            _ if path.eq_ignore_ascii_case("/ews/exchange.asmx") => return Self::Ews,
            _ => {}
        }
        if let Some((before, after)) = split_at(path, "/_vti_bin/") {
            let behind = path_and_query.get(path.len() - after.len()..).unwrap_or_default();
            if let Some(rest) = strip_prefix(behind, "client.svc") {
                return Self::Rest { before, rest: rest.strip_prefix('/').unwrap_or(rest) };
            }
            if after.len() > 5 && after.get(after.len() - 5..).is_some_and(|end| end.eq_ignore_ascii_case(".asmx")) {
                return Self::Soap { before };
            }
            return Self::Nowhere;
        }
        if let Some((before, after)) = split_at(path, "/_api/") {
            return Self::Rest { before, rest: path_and_query.get(path.len() - after.len()..).unwrap_or_default() };
        }
        if let Some(before) = path.len().checked_sub(5).and_then(|at| path.split_at_checked(at))
            && before.1.eq_ignore_ascii_case("/_api")
        {
            return Self::Rest { before: before.0, rest: path_and_query.get(path.len()..).unwrap_or_default() };
        }
        if path.starts_with('/') { Self::File { path } } else { Self::Nowhere }
    }

    /// The protocol spoken there.
    pub(crate) fn protocol(&self) -> Protocol {
        match self {
            Self::Ews => Protocol::Ews,
            Self::Soap { .. } => Protocol::ListSoap,
            Self::Rest { .. } => Protocol::ListRest,
            Self::Health | Self::Ready | Self::Status | Self::File { .. } | Self::Nowhere => Protocol::Plain,
        }
    }
}

/// The paths of sites that a path may lie in, longest first; the last is the root site, which is empty. Below a managed
/// path the root site is none of them.
pub(crate) fn site_candidates(path: &str) -> Vec<&str> {
    let path = path.trim_end_matches('/');
    let first = path.trim_start_matches('/').split('/').next().unwrap_or_default();
    let managed = MANAGED.iter().any(|name| first.eq_ignore_ascii_case(name));
    let ends = path.match_indices('/').map(|(at, _)| at).filter(|at| *at > 0).chain([path.len()]);
    let mut candidates: Vec<&str> =
        ends.take(SITE_SEGMENTS_MAX).filter_map(|end| path.get(..end)).filter(|part| !part.is_empty()).collect();
    candidates.reverse();
    if !managed {
        candidates.push("");
    }
    candidates
}

/// A path without its percent-encoding. What does not decode to UTF-8 stays as it is.
pub(crate) fn decode(path: &str) -> Cow<'_, str> {
    if !path.contains('%') {
        return Cow::Borrowed(path);
    }
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let encoded = after.split_at_checked(2).filter(|_| *first == b'%').and_then(|(digits, after)| {
            let digits = std::str::from_utf8(digits).ok()?;
            Some((u8::from_str_radix(digits, 16).ok().filter(|_| !digits.starts_with('+'))?, after))
        });
        let (byte, after) = encoded.unwrap_or((*first, after));
        bytes.push(byte);
        rest = after;
    }
    String::from_utf8(bytes).map_or(Cow::Borrowed(path), Cow::Owned)
}

fn split_at<'a>(path: &'a str, marker: &str) -> Option<(&'a str, &'a str)> {
    let at = path.as_bytes().windows(marker.len()).position(|window| window.eq_ignore_ascii_case(marker.as_bytes()))?;
    Some((path.get(..at)?, path.get(at + marker.len()..)?))
}

fn strip_prefix<'a>(text: &'a str, prefix: &str) -> Option<&'a str> {
    let (head, rest) = text.split_at_checked(prefix.len())?;
    let ends = rest.is_empty() || rest.starts_with(['/', '?']);
    (head.eq_ignore_ascii_case(prefix) && ends).then_some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_lead_somewhere() {
        for (path, route) in [
            ("/healthz", Route::Health),
            ("/readyz?x", Route::Ready),
            ("/", Route::Status),
            ("/EWS/Exchange.asmx", Route::Ews),
            ("/ews/exchange.asmx?x=1", Route::Ews),
            ("/_vti_bin/Lists.asmx?WSDL", Route::Soap { before: "" }),
            ("/sites/Team/_VTI_BIN/lists.ASMX", Route::Soap { before: "/sites/Team" }),
            ("/_vti_bin/other", Route::Nowhere),
            ("/_vti_bin/.asmx", Route::Nowhere),
            ("/sites/a/_api/web/lists?$top=1", Route::Rest { before: "/sites/a", rest: "web/lists?$top=1" }),
            ("/_API/contextinfo", Route::Rest { before: "", rest: "contextinfo" }),
            ("/_api", Route::Rest { before: "", rest: "" }),
            ("/sites/a/_api?x", Route::Rest { before: "/sites/a", rest: "?x" }),
            ("/sites/a/_vti_bin/client.svc/web", Route::Rest { before: "/sites/a", rest: "web" }),
            ("/_vti_bin/Client.svc", Route::Rest { before: "", rest: "" }),
            ("/_vti_bin/Client.svcx", Route::Nowhere),
            ("/sites/a/Documents/x.txt", Route::File { path: "/sites/a/Documents/x.txt" }),
            ("*", Route::Nowhere),
        ] {
            assert_eq!(Route::read(path), route, "{path}");
        }
        assert_eq!(Route::read(&format!("/{}", "a".repeat(PATH_BYTES_MAX))), Route::Nowhere);
    }

    #[test]
    fn candidates_are_longest_first() {
        assert_eq!(site_candidates(""), [""]);
        assert_eq!(site_candidates("/hr/docs/"), ["/hr/docs", "/hr", ""]);
        assert_eq!(site_candidates("/sites/team/Lists"), ["/sites/team/Lists", "/sites/team", "/sites"]);
        assert_eq!(site_candidates(&"/a".repeat(100)).len(), SITE_SEGMENTS_MAX + 1);
    }

    #[test]
    fn decoding() {
        for (path, decoded) in [
            ("/a%20b", "/a b"),
            ("/%C3%A9", "/é"),
            ("/%ff", "/%ff"),
            ("/100%", "/100%"),
            ("/%zz%4", "/%zz%4"),
            ("/%+1", "/%+1"),
        ] {
            assert_eq!(decode(path), decoded);
        }
    }
}
