//! URLs and paths: of the site, of lists and of what lies in them.

use std::fmt::Write as _;

/// An absolute URL from `http://host` and a path without a leading slash, which is percent-encoded.
pub(crate) fn absolute(host_url: &str, path: &str) -> String {
    let mut url = format!("{host_url}/");
    encode_into(&mut url, path);
    url
}

/// Percent-encodes a path, slashes kept.
pub(crate) fn encode_into(url: &mut String, path: &str) {
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/!$'()*,;=:@".contains(&byte) {
            url.push(char::from(byte));
        } else {
            let _ = write!(url, "%{byte:02X}");
        }
    }
}

/// Decodes percent escapes; what is no escape stays, what is not UTF-8 becomes U+FFFD.
pub(crate) fn decode(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut plain = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let digit = |offset: usize| bytes.get(at + offset).and_then(|byte| char::from(*byte).to_digit(16));
        if let (b'%', Some(high), Some(low)) = (byte, digit(1), digit(2)) {
            plain.push((high << 4 | low) as u8);
            at += 3;
        } else {
            plain.push(*byte);
            at += 1;
        }
    }
    String::from_utf8_lossy(&plain).into_owned()
}

/// The path inside the site (without slashes at the ends) of an absolute, server-relative or site-relative URL.
///
/// `base_url` is `http://host:port`, `site_path` is empty or `/sites/team`.
pub(crate) fn inside_site(base_url: &str, site_path: &str, url: &str) -> String {
    let url = url.trim();
    let absolute = strip_prefix_any_case(url, base_url)
        .or_else(|| url.split_once("://").map(|(_, rest)| rest.find('/').and_then(|at| rest.get(at..)).unwrap_or("")));
    let path = decode(absolute.unwrap_or(url));
    let path = path.trim_matches('/');
    let site = site_path.trim_matches('/');
    let inside = if site.is_empty() { Some(path) } else { below(path, site) };
    inside.unwrap_or(path).to_owned()
}

/// What remains of `path` below the folder `folder`, in any case: "" for the folder itself. `None` where it lies
/// elsewhere.
pub(crate) fn below<'a>(path: &'a str, folder: &str) -> Option<&'a str> {
    if folder.is_empty() {
        return Some(path);
    }
    let rest = strip_prefix_any_case(path, folder)?;
    if rest.is_empty() { Some(rest) } else { rest.strip_prefix('/') }
}

/// The directory and the last part of a path: `("a", "b.txt")` for `a/b.txt`.
pub(crate) fn split(path: &str) -> (&str, &str) {
    path.rsplit_once('/').unwrap_or(("", path))
}

/// A directory and a name as a path.
pub(crate) fn join(directory: &str, name: &str) -> String {
    match (directory.is_empty(), name.is_empty()) {
        (true, _) => name.to_owned(),
        (_, true) => directory.to_owned(),
        _ => format!("{directory}/{name}"),
    }
}

fn strip_prefix_any_case<'a>(text: &'a str, prefix: &str) -> Option<&'a str> {
    let head = text.get(..prefix.len())?;
    if head.eq_ignore_ascii_case(prefix) || head.to_lowercase() == prefix.to_lowercase() {
        text.get(prefix.len()..)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_become_paths_inside_the_site() {
        for (site, url, expected) in [
            ("/sites/team", "http://h:1/sites/team/Documents/a%20b", "Documents/a b"),
            ("/sites/team", "/sites/Team/Documents", "Documents"),
            ("/sites/team", "Documents/x/", "Documents/x"),
            ("", "http://other/Documents", "Documents"),
            ("", "/Lists/T", "Lists/T"),
            ("/sites/team", "", ""),
        ] {
            assert_eq!(inside_site("http://h:1", site, url), expected, "{url}");
        }
        assert_eq!(below("Docs/a", "docs"), Some("a"));
        assert_eq!(below("Docs2/a", "docs"), None);
        assert_eq!(absolute("http://h", "a b/é"), "http://h/a%20b/%C3%A9");
    }
}
