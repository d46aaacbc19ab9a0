//! Packing answers with gzip for clients that offer to unpack them. An answer that is made while it is sent stays plain:
//! packing would hold its pieces back.

use std::io::Write as _;

use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};
use futures_util::FutureExt as _;
use http::{HeaderMap, HeaderValue, Response, header};
use http_body::Body as _;
use http_body_util::BodyExt as _;

use crate::{adapters::Body, answer};

/// Bytes of an answer below which packing gains nothing.
const WORTH_BYTES: u64 = 2_048;
/// Types of answers that are text, by their beginning.
const TEXTS: &[&str] =
    &["text/xml", "application/soap+xml", "application/xml", "application/json", "application/atom+xml"];

/// Whether a client says that it unpacks gzip.
pub(crate) fn is_offered(headers: &HeaderMap) -> bool {
    let values = headers.get_all(header::ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|offer| {
        let mut parts = offer.split(';').map(str::trim);
        let is_gzip = parts.next().is_some_and(|name| name.eq_ignore_ascii_case("gzip"));
        let refused = |part: &str| {
            let weight = part.strip_prefix("q=").or_else(|| part.strip_prefix("Q="));
            weight.is_some_and(|weight| weight.parse::<f32>().is_ok_and(|weight| weight <= 0.0))
        };
        is_gzip && !parts.any(refused)
    })
}

/// Packs an answer where that is worth it.
pub(crate) fn packed(response: Response<Body>) -> Response<Body> {
    let is_text =
        response.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).is_some_and(|kind| {
            TEXTS.iter().any(|text| kind.get(..text.len()).is_some_and(|start| start.eq_ignore_ascii_case(text)))
        });
    let is_large = response.body().size_hint().exact().is_some_and(|bytes| bytes >= WORTH_BYTES);
    // Packing a part of something would not be that part.
    let is_taken =
        [header::CONTENT_ENCODING, header::CONTENT_RANGE].iter().any(|name| response.headers().contains_key(name));
    if !is_text || !is_large || is_taken {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    // A body of known size is made already, so nothing is waited for.
    let Some(Ok(collected)) = body.collect().now_or_never() else {
        return answer::refusal(answer::Protocol::Plain, answer::Refusal::Failed);
    };
    let plain = collected.to_bytes();
    let bytes = match gzip(&plain) {
        Ok(packed) => {
            parts.headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
            parts.headers.append(header::VARY, HeaderValue::from_static("Accept-Encoding"));
            parts.headers.remove(header::CONTENT_LENGTH);
            Bytes::from(packed)
        }
        Err(_) => plain,
    };
    Response::from_parts(parts, answer::body(bytes))
}

fn gzip(plain: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(plain.len() / 8), Compression::fast());
    encoder.write_all(plain)?;
    encoder.finish()
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use http::StatusCode;

    use super::*;

    #[test]
    fn offers() {
        for (value, offered) in [
            ("gzip, deflate", true),
            ("deflate, GZIP;q=0.5", true),
            ("gzip;q=0", false),
            ("gzip; q=0.000", false),
            ("identity", false),
            ("", false),
            ("*", false),
        ] {
            let headers = HeaderMap::from_iter([(header::ACCEPT_ENCODING, HeaderValue::from_static(value))]);
            assert_eq!(is_offered(&headers), offered, "{value}");
        }
        assert!(!is_offered(&HeaderMap::new()));
    }

    #[test]
    fn what_is_packed() {
        let text = "a long answer ".repeat(1_000);
        for (kind, text, is_packed) in [
            ("text/xml; charset=utf-8", text.as_str(), true),
            ("Application/JSON", &text, true),
            ("image/png", &text, false),
            ("text/xml", "short", false),
        ] {
            let response = packed(answer::typed(StatusCode::OK, kind, text.to_owned()));
            assert_eq!(response.headers().contains_key(header::CONTENT_ENCODING), is_packed, "{kind}");
            let bytes = response.into_body().collect().now_or_never().unwrap().unwrap().to_bytes();
            let mut read = String::new();
            match is_packed {
                true => flate2::read::GzDecoder::new(&bytes[..]).read_to_string(&mut read).map(drop).unwrap(),
                false => read.push_str(std::str::from_utf8(&bytes).unwrap()),
            }
            assert_eq!(read, text);
        }
    }
}
