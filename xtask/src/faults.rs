//! `cargo xtask faults`: the fault tests of a fleet, for longer than every change has time for.

use crate::test::cargo_command;

/// Minutes where nothing else is said.
const MINUTES: u64 = 15;
/// How long the tests go on, for them to read: seconds.
pub(crate) const SECONDS: &str = "HIGHWATER_FAULTS_SECONDS";
/// What happens.
const SEED: &str = "HIGHWATER_FAULTS_SEED";

/// Runs them.
pub(crate) fn run(options: &[&str]) -> Result<(), String> {
    let (mut minutes, mut seed) = (MINUTES, None);
    for pair in options.chunks(2) {
        let number = pair.get(1).and_then(|number| number.parse::<u64>().ok());
        match (pair.first().copied(), number) {
            (Some("--minutes"), Some(number)) => minutes = number,
            (Some("--seed"), Some(number)) => seed = Some(number),
            _ => return Err(format!("{} is not --minutes N or --seed N", pair.join(" "))),
        }
    }
    let mut command =
        cargo_command(&["test", "--package", "highwater", "--locked", "--test", "fleet_faults", "--", "--nocapture"]);
    command.env(SECONDS, (minutes * 60).to_string());
    if let Some(seed) = seed {
        command.env(SEED, seed.to_string());
    }
    let status = command.status().map_err(|error| format!("cargo: {error}"))?;
    if status.success() { Ok(()) } else { Err("something was lost, or somebody was told a lie: see above".to_owned()) }
}
