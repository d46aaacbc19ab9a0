//! The S3 server that tests of large parts use: moto's, in a virtual environment where `crates/cluster` looks for it.

use std::process::Command;

use crate::clients::virtual_environment;

/// The folder under `target`.
const ENVIRONMENT: &str = "object-server-venv";
/// What is installed: of moto only what S3 needs, a quarter of the whole.
const PACKAGES: &[&str] = &["moto[s3]", "flask", "flask-cors"];

/// Installs it where it is not there. Says whether it is there in the end.
pub(crate) fn install() -> bool {
    let Some(python) = virtual_environment(ENVIRONMENT) else { return false };
    let works = || {
        let import = Command::new(&python).args(["-c", "import moto.server, moto.s3, flask_cors"]).status();
        import.is_ok_and(|status| status.success())
    };
    if python.with_file_name("moto_server").is_file() && works() {
        return true;
    }
    println!("installing {}", PACKAGES.join(" "));
    let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"];
    let _ = Command::new(&python).args(pip).args(PACKAGES).status();
    works()
}
