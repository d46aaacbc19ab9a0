//! Addresses of object stores.

use std::{fmt, fs, path::PathBuf, str::FromStr, sync::Arc};

use object_store::{
    BackoffConfig, ClientConfigKey, ClientOptions, ObjectStore, RetryConfig,
    aws::{AmazonS3Builder, AmazonS3ConfigKey},
    azure::{AzureConfigKey, MicrosoftAzureBuilder},
    gcp::{GoogleCloudStorageBuilder, GoogleConfigKey},
    local::LocalFileSystem,
    path::Path,
};

use crate::{OpenError, REPEATS_MAX, Settings};

/// What an address leads to.
pub(crate) struct Place {
    pub(crate) objects: Arc<dyn ObjectStore>,
    pub(crate) prefix: Path,
    pub(crate) folder: Option<PathBuf>,
    pub(crate) shown: String,
}

/// The address of an object store: `s3://bucket/prefix`, `az://container/prefix` (or `azure://`), `gs://bucket/prefix` or
/// `file:///folder`. Parameters behind `?` are those of the store's client (for S3 `endpoint`, `region`, `access_key_id`,
/// `secret_access_key`, …); what is not there comes from the environment variables that the tools of the store read
/// (`AWS_…`, `AZURE_…`, `GOOGLE_…`). An endpoint of `http://` is taken as it is.
///
/// It is shown without its parameters, which may be secrets.
#[derive(Clone, PartialEq, Eq)]
pub struct Address {
    scheme: String,
    /// The bucket or container; empty for a folder.
    bucket: String,
    /// What follows it, without a slash before it.
    path: String,
    parameters: Vec<(String, String)>,
    /// What is shown of it.
    shown: String,
}

impl fmt::Display for Address {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.shown)
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.shown)
    }
}

impl FromStr for Address {
    type Err = OpenError;

    /// Reads an address, and looks whether a client can be made of it.
    fn from_str(text: &str) -> Result<Self, OpenError> {
        let address = Self::parse(text)?;
        if address.scheme != FOLDER {
            open(&address, &Settings::default())?;
        }
        Ok(address)
    }
}

/// The scheme of folders.
const FOLDER: &str = "file";

/// See [`crate::Blobs::open`].
pub(crate) fn open(address: &Address, settings: &Settings) -> Result<Place, OpenError> {
    let (objects, folder) = match address.scheme.as_str() {
        "s3" => (address.s3(settings)?, None),
        "az" | "azure" => (address.azure(settings)?, None),
        "gs" => (address.google(settings)?, None),
        FOLDER => {
            let (objects, folder) = address.folder()?;
            (objects, Some(folder))
        }
        other => {
            return Err(address.wrong(format!(
                "{other}:// is not known; write s3://bucket/prefix, az://container/prefix, gs://bucket/prefix or \
                 file:///folder"
            )));
        }
    };
    let prefix = if folder.is_some() { "" } else { address.path.as_str() };
    let prefix = Path::parse(prefix).map_err(|error| address.wrong(error.to_string()))?;
    Ok(Place { objects, prefix, folder, shown: address.shown.clone() })
}

impl Address {
    fn parse(text: &str) -> Result<Self, OpenError> {
        let (place, parameters) = text.split_once('?').unwrap_or((text, ""));
        let Some((scheme, rest)) = place.split_once("://") else {
            return Err(OpenError::Address {
                shown: place.to_owned(),
                reason: "this is not an address; write s3://bucket/prefix or file:///folder".into(),
            });
        };
        // A name and a password before an @ are not ours to show.
        let (bucket, path) = rest.split_once('/').unwrap_or((rest, ""));
        let shown = format!("{scheme}://{}/{path}", bucket.rsplit('@').next().unwrap_or_default());
        let mut address = Self {
            scheme: scheme.to_owned(),
            bucket: bucket.to_owned(),
            path: String::new(),
            parameters: Vec::new(),
            shown: shown.trim_end_matches('/').to_owned(),
        };
        address.path = decode(path).ok_or_else(|| address.wrong("a % in it is followed by no two digits".into()))?;
        for parameter in parameters.split('&').filter(|parameter| !parameter.is_empty()) {
            let (name, value) = parameter.split_once('=').unwrap_or((parameter, "true"));
            let Some(value) = decode(value) else {
                return Err(address.wrong(format!("a % in the parameter {name} is followed by no two digits")));
            };
            address.parameters.push((name.to_owned(), value));
        }
        if address.bucket.contains('@') {
            return Err(address.wrong("keys are given as parameters or in the environment, not before an @".into()));
        }
        Ok(address)
    }

    fn wrong(&self, reason: String) -> OpenError {
        OpenError::Address { shown: self.shown.clone(), reason }
    }

    fn bucket(&self, what: &str) -> Result<&str, OpenError> {
        if self.bucket.is_empty() {
            return Err(self.wrong(format!("the {what} is missing: write {}://{what}/prefix", self.scheme)));
        }
        Ok(&self.bucket)
    }

    fn s3(&self, settings: &Settings) -> Result<Arc<dyn ObjectStore>, OpenError> {
        let mut builder = AmazonS3Builder::from_env()
            .with_bucket_name(self.bucket("bucket")?)
            .with_retry(retry(settings))
            .with_client_options(client(settings));
        for (name, value) in &self.parameters {
            let key: AmazonS3ConfigKey = name.parse().map_err(|_| self.unknown(name, "endpoint, region, …"))?;
            if matches!(key, AmazonS3ConfigKey::Bucket) {
                return Err(self.unknown(name, "endpoint, region, …"));
            }
            builder = builder.with_config(key, value);
        }
        let endpoint = builder.get_config_value(&AmazonS3ConfigKey::Endpoint).unwrap_or_default();
        if endpoint.starts_with("http://") {
            builder = builder.with_allow_http(true);
        }
        builder.build().map(|store| Arc::new(store) as _).map_err(|error| self.wrong(error.to_string()))
    }

    fn azure(&self, settings: &Settings) -> Result<Arc<dyn ObjectStore>, OpenError> {
        let mut builder = MicrosoftAzureBuilder::from_env()
            .with_container_name(self.bucket("container")?)
            .with_retry(retry(settings))
            .with_client_options(client(settings));
        for (name, value) in &self.parameters {
            let key: AzureConfigKey = name.parse().map_err(|_| self.unknown(name, "account_name, access_key, …"))?;
            builder = builder.with_config(key, value);
        }
        let endpoint = builder.get_config_value(&AzureConfigKey::Endpoint).unwrap_or_default();
        if endpoint.starts_with("http://") {
            builder = builder.with_allow_http(true);
        }
        builder.build().map(|store| Arc::new(store) as _).map_err(|error| {
            self.wrong(format!("{error}; give account_name and access_key as parameters, or AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY"))
        })
    }

    fn google(&self, settings: &Settings) -> Result<Arc<dyn ObjectStore>, OpenError> {
        let mut builder = GoogleCloudStorageBuilder::from_env()
            .with_bucket_name(self.bucket("bucket")?)
            .with_retry(retry(settings))
            .with_client_options(client(settings));
        for (name, value) in &self.parameters {
            let key: GoogleConfigKey = name.parse().map_err(|_| self.unknown(name, "service_account, …"))?;
            builder = builder.with_config(key, value);
        }
        builder.build().map(|store| Arc::new(store) as _).map_err(|error| self.wrong(error.to_string()))
    }

    fn folder(&self) -> Result<(Arc<dyn ObjectStore>, PathBuf), OpenError> {
        if !self.bucket.is_empty() || self.path.is_empty() {
            return Err(self.wrong("a folder is written with three slashes and its whole path: file:///folder".into()));
        }
        if let Some((name, _)) = self.parameters.first() {
            return Err(self.unknown(name, "a folder has none"));
        }
        let folder = PathBuf::from(format!("/{}", self.path));
        let failed = |error| OpenError::Folder { folder: folder.display().to_string(), error };
        fs::create_dir_all(&folder).map_err(failed)?;
        let folder = fs::canonicalize(&folder).map_err(failed)?;
        let objects = LocalFileSystem::new_with_prefix(&folder).map_err(|error| self.wrong(error.to_string()))?;
        Ok((Arc::new(objects), folder))
    }

    fn unknown(&self, name: &str, known: &str) -> OpenError {
        self.wrong(format!("the parameter {name} is not known here ({known})"))
    }
}

fn retry(settings: &Settings) -> RetryConfig {
    RetryConfig { backoff: BackoffConfig::default(), max_retries: REPEATS_MAX, retry_timeout: settings.read_patience }
}

fn client(settings: &Settings) -> ClientOptions {
    ClientOptions::new()
        .with_timeout(settings.request)
        .with_connect_timeout(settings.request.min(std::time::Duration::from_secs(5)))
        .with_config(ClientConfigKey::UserAgent, concat!("highwater/", env!("CARGO_PKG_VERSION")))
}

/// Text with `%41` as `A`.
fn decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let (high, low) = (char::from(rest.next()?).to_digit(16)?, char::from(rest.next()?).to_digit(16)?);
        bytes.push((high << 4 | low) as u8);
    }
    String::from_utf8(bytes).ok()
}
