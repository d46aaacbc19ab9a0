//! Where the database is: a URL as libpq reads it (PostgreSQL, 34.1.1.2 and 34.1.2), and how much of the server's
//! certificate is believed.

use std::{sync::Arc, time::Duration};

use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
    client::{
        WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, UnixTime, pem::PemObject},
};
use tokio_postgres::{
    Config,
    config::{SslMode, TargetSessionAttrs},
};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::OpenError;

/// How long one host is given to take a connection, where the URL does not say it (`connect_timeout`).
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// After how long of silence the system asks whether the other end is there, where the URL does not say it.
const KEEPALIVE: Duration = Duration::from_secs(10);
/// How often it asks, and how often in vain.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(3);
const KEEPALIVE_RETRIES: u32 = 3;
/// How long sent bytes may go without being acknowledged, where the URL does not say it.
const UNACKNOWLEDGED: Duration = Duration::from_secs(15);

/// A database, ready to be connected to.
#[derive(Clone)]
pub(crate) struct Address {
    pub(crate) config: Config,
    pub(crate) tls: MakeRustlsConnect,
}

/// How the other end shows who it is: libpq's `sslmode`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trust {
    /// Whoever answers: `disable`, `prefer`, and `require` without roots.
    Anybody,
    /// A certificate by one of the roots: `verify-ca`, and `require` with `sslrootcert`.
    Authority,
    /// As well as that, for the host of the URL: `verify-full`.
    Host,
}

/// Reads a URL. Reads the files of roots that it names.
///
/// # Errors
/// [`OpenError::Address`], without the URL: it may have a password in it.
pub(crate) fn parse(url: &str) -> Result<Address, OpenError> {
    if !(url.starts_with("postgres://") || url.starts_with("postgresql://")) {
        return Err(wrong("it does not begin with postgres://"));
    }
    let (base, query) = url.split_once('?').unwrap_or((url, ""));
    let (mut kept, mut mode, mut roots, mut says_target) = (Vec::new(), None, None, false);
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        match key {
            "sslmode" => mode = Some(decoded(value)?),
            "sslrootcert" => roots = Some(decoded(value)?),
            _ => {
                says_target |= key == "target_session_attrs";
                kept.push(pair);
            }
        }
    }
    let text = if kept.is_empty() { base.to_owned() } else { format!("{base}?{}", kept.join("&")) };
    let mut config: Config = text.parse().map_err(|error| wrong(&crate::failure::describe(&error)))?;
    let (ssl_mode, trust) = match (mode.as_deref(), &roots) {
        (Some("disable"), _) => (SslMode::Disable, Trust::Anybody),
        (None | Some("allow" | "prefer"), _) => (SslMode::Prefer, Trust::Anybody),
        (Some("require"), None) => (SslMode::Require, Trust::Anybody),
        (Some("require" | "verify-ca"), _) => (SslMode::Require, Trust::Authority),
        (Some("verify-full"), _) => (SslMode::Require, Trust::Host),
        (Some(other), _) => return Err(wrong(&format!("sslmode {other:?} is not known"))),
    };
    config.ssl_mode(ssl_mode);
    settle(&mut config, says_target)?;
    Ok(Address { config, tls: MakeRustlsConnect::new(tls(trust, roots.as_deref())?) })
}

/// Gives what the URL leaves open.
fn settle(config: &mut Config, says_target: bool) -> Result<(), OpenError> {
    let default = Config::new();
    if config.get_application_name().is_none() {
        config.application_name("highwater");
    }
    if config.get_connect_timeout().is_none() {
        config.connect_timeout(CONNECT_TIMEOUT);
    }
    if config.get_tcp_user_timeout().is_none() {
        config.tcp_user_timeout(UNACKNOWLEDGED);
    }
    if config.get_keepalives_idle() == default.get_keepalives_idle() {
        config.keepalives_idle(KEEPALIVE);
    }
    if config.get_keepalives_interval().is_none() {
        config.keepalives_interval(KEEPALIVE_INTERVAL);
    }
    if config.get_keepalives_retries().is_none() {
        config.keepalives_retries(KEEPALIVE_RETRIES);
    }
    if !says_target {
        config.target_session_attrs(TargetSessionAttrs::ReadWrite);
    } else if config.get_target_session_attrs() == TargetSessionAttrs::ReadOnly {
        return Err(wrong("a store writes: target_session_attrs must be read-write"));
    }
    Ok(())
}

fn wrong(what: &str) -> OpenError {
    OpenError::Address(what.to_owned())
}

/// A value without its percent signs.
fn decoded(value: &str) -> Result<String, OpenError> {
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(if byte == b'%' {
            let mut digit = || rest.next().and_then(|digit| char::from(digit).to_digit(16));
            let (high, low) = (digit(), digit());
            let value = high.zip(low).map(|(high, low)| (high << 4 | low) as u8);
            value.ok_or_else(|| wrong("a % without two digits"))?
        } else {
            byte
        });
    }
    String::from_utf8(bytes).map_err(|_| wrong("a parameter that is not UTF-8"))
}

fn tls(trust: Trust, roots: Option<&str>) -> Result<ClientConfig, OpenError> {
    let provider = Arc::new(ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| wrong(&error.to_string()))?;
    let verifier = match trust {
        Trust::Anybody => None,
        Trust::Authority | Trust::Host => {
            let roots = Arc::new(root_store(roots)?);
            let verifier = WebPkiServerVerifier::builder_with_provider(roots, Arc::clone(&provider)).build();
            Some(verifier.map_err(|error| wrong(&format!("sslrootcert: {error}")))?)
        }
    };
    Ok(match (trust, verifier) {
        (Trust::Host, Some(verifier)) => builder.with_webpki_verifier(verifier),
        (Trust::Anybody | Trust::Authority | Trust::Host, inner) => {
            let verifier = Arc::new(Lenient { inner, provider });
            builder.dangerous().with_custom_certificate_verifier(verifier)
        }
    }
    .with_no_client_auth())
}

/// The roots in a file, or those of the system.
fn root_store(file: Option<&str>) -> Result<RootCertStore, OpenError> {
    let mut store = RootCertStore::empty();
    match file {
        None | Some("system") => {
            let found = rustls_native_certs::load_native_certs();
            store.add_parsable_certificates(found.certs);
        }
        Some(path) => {
            let certificates = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
            let certificates = certificates.map_err(|error| wrong(&format!("sslrootcert {path}: {error}")))?;
            store.add_parsable_certificates(certificates);
        }
    }
    if store.is_empty() {
        return Err(wrong("there is no root certificate to verify the server by; give sslrootcert"));
    }
    Ok(store)
}

/// Asks less of a certificate than browsers do, as libpq below `verify-full`. The handshake is checked all the same.
#[derive(Debug)]
struct Lenient {
    /// Checks all but the name; `None` takes any certificate.
    inner: Option<Arc<WebPkiServerVerifier>>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Lenient {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let Some(inner) = &self.inner else { return Ok(ServerCertVerified::assertion()) };
        match inner.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now) {
            Err(rustls::Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) => Ok(ServerCertVerified::assertion()),
            result => result,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signature, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_as_libpq_reads_them() {
        let read = |url: &str| parse(url).map(|address| address.config);
        let config = read("postgres://u:p%40@h1:1,h2:2/d?sslmode=disable&options=-c%20search_path%3Dx").unwrap();
        assert_eq!((config.get_user(), config.get_password()), (Some("u"), Some(&b"p@"[..])));
        assert_eq!((config.get_hosts().len(), config.get_ports()), (2, &[1, 2][..]));
        assert_eq!((config.get_dbname(), config.get_options()), (Some("d"), Some("-c search_path=x")));
        assert_eq!(config.get_ssl_mode(), SslMode::Disable);
        assert_eq!(config.get_target_session_attrs(), TargetSessionAttrs::ReadWrite);
        assert_eq!(config.get_connect_timeout(), Some(&CONNECT_TIMEOUT));
        let config = read("postgresql://h/d?connect_timeout=9&target_session_attrs=any").unwrap();
        assert_eq!(config.get_connect_timeout(), Some(&Duration::from_secs(9)));
        assert_eq!(config.get_target_session_attrs(), TargetSessionAttrs::Any);
        assert_eq!(config.get_ssl_mode(), SslMode::Prefer);
        for (url, says) in [
            ("mysql://h/d", "begin with"),
            ("postgres://u:secret@h/d?sslmode=maybe", "\"maybe\""),
            ("postgres://u:secret@h/d?sslrootcert=/no/such&sslmode=verify-full", "/no/such"),
            ("postgres://u:secret@h/d?sslcert=x", "sslcert"),
            ("postgres://u:secret@h/d?sslmode=%4", "two digits"),
            ("postgres://u:secret@h/d?target_session_attrs=read-only", "read-write"),
        ] {
            let error = read(url).map(|_| ()).unwrap_err().to_string();
            assert!(error.contains(says) && !error.contains("secret"), "{url}: {error}");
        }
    }
}
