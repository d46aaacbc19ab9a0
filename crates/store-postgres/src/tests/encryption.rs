//! TLS to the database, by the modes that libpq has.

use std::{
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt, chown},
    path::Path,
    process::Command,
};

use super::*;

/// Runs openssl in a folder; `None` where there is none.
fn openssl(folder: &Path, arguments: &str) -> Option<()> {
    let run = Command::new("openssl").args(arguments.split(' ')).current_dir(folder).output();
    let Ok(done) = run else {
        println!("skipped: TLS to the database: there is no openssl");
        return None;
    };
    assert!(done.status.success(), "{arguments}: {}", String::from_utf8_lossy(&done.stderr));
    Some(())
}

/// Two authorities, and certificates by the first for this host and for another one.
fn certificates(folder: &Path) -> Option<()> {
    for authority in ["ours", "others"] {
        openssl(
            folder,
            &format!(
                "req -x509 -newkey rsa:2048 -nodes -keyout {authority}.key -out {authority}.crt -subj /CN={authority} -days 2"
            ),
        )?;
    }
    for (name, subject) in [("here", "IP:127.0.0.1"), ("elsewhere", "DNS:elsewhere.example")] {
        fs::write(folder.join("names"), format!("subjectAltName={subject}\n")).unwrap();
        openssl(folder, &format!("req -newkey rsa:2048 -nodes -keyout {name}.key -out {name}.csr -subj /CN={name}"))?;
        openssl(
            folder,
            &format!(
                "x509 -req -in {name}.csr -CA ours.crt -CAkey ours.key -CAcreateserial -days 2 -extfile names -out {name}.crt"
            ),
        )?;
    }
    Some(())
}

/// Has the server show a certificate.
fn show(cluster: &Postgres, folder: &Path, name: &str) {
    let data = cluster.sql("SHOW data_directory").unwrap();
    let data = Path::new(data.trim());
    let owner = fs::metadata(data).unwrap();
    for ending in ["crt", "key"] {
        let file = data.join(format!("server.{ending}"));
        fs::copy(folder.join(format!("{name}.{ending}")), &file).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
        chown(&file, Some(owner.uid()), Some(owner.gid())).unwrap();
    }
    cluster.sql("ALTER SYSTEM SET ssl = on").unwrap();
    cluster.restart().unwrap();
}

/// Whether a session is encrypted; the reason where there is none.
fn encrypted(url: &str) -> Result<bool, String> {
    let short = Options { open_patience: Duration::from_millis(500), ..options() };
    let store = PostgresStore::open(url, short).map_err(|error| error.to_string())?;
    let session = block_on(store.readers.take(store.patience)).unwrap();
    let rows = block_on(session.rows("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()", &[])).unwrap();
    Ok(rows[0].get(0))
}

#[test]
fn modes_of_encryption() {
    let Some(_) = cluster("TLS to the database") else { return };
    let folder = tempfile::tempdir().unwrap();
    let Some(()) = certificates(folder.path()) else { return };
    let options = cluster::Options { fsync: false, ..cluster::Options::default() };
    let cluster = Postgres::start(options).unwrap();
    let base = cluster.fresh_url();
    let url = |mode: &str, roots: &str| {
        let roots = if roots.is_empty() {
            String::new()
        } else {
            format!("&sslrootcert={}", folder.path().join(format!("{roots}.crt")).display())
        };
        format!("{base}&sslmode={mode}{roots}")
    };
    let refused = |mode: &str, roots: &str| {
        let refused = encrypted(&url(mode, roots));
        assert!(refused.is_err(), "{mode} {roots}: {refused:?}");
    };
    let is = |mode: &str, roots: &str, expected: bool| {
        assert_eq!(encrypted(&url(mode, roots)), Ok(expected), "{mode} {roots}");
    };
    is("prefer", "", false);
    refused("require", "");
    show(&cluster, folder.path(), "here");
    assert_eq!(encrypted(&base), Ok(true));
    is("disable", "", false);
    is("prefer", "", true);
    is("require", "", true);
    is("require", "ours", true);
    is("verify-ca", "ours", true);
    is("verify-full", "ours", true);
    for mode in ["require", "verify-ca", "verify-full"] {
        refused(mode, "others");
    }
    refused("verify-full", "");
    show(&cluster, folder.path(), "elsewhere");
    is("require", "", true);
    is("verify-ca", "ours", true);
    refused("verify-full", "ours");
}
