//! Licences of what we depend on, on every platform, held against the list in `deny.toml` (which cargo-deny reads too).

use std::{collections::BTreeSet, fs, process::Command};

use crate::workspace;

/// Adds a fault for every package whose licence asks for one that is not in the list.
pub(crate) fn check(faults: &mut Vec<String>) {
    let Ok(text) = fs::read_to_string(workspace().join("deny.toml")) else {
        return faults.push("deny.toml cannot be read".into());
    };
    let allowed = allowed(&text);
    let output = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(["tree", "--workspace", "--locked", "--target", "all", "--edges", "all", "--prefix", "none"])
        .args(["--format", "{p} licence: {l}"])
        .current_dir(workspace())
        .output();
    let listed = match output {
        Ok(output) if output.status.success() => String::from_utf8_lossy(&output.stdout).into_owned(),
        Ok(output) => return faults.push(format!("cargo tree: {}", String::from_utf8_lossy(&output.stderr).trim())),
        Err(error) => return faults.push(format!("cargo tree: {error}")),
    };
    for line in listed.lines().map(|line| line.trim_end_matches(" (*)")).collect::<BTreeSet<_>>() {
        if let Some((package, expression)) = line.split_once(" licence: ")
            && !permits(expression, &allowed)
        {
            faults.push(format!("{package} has a licence that deny.toml does not allow: {expression:?}"));
        }
    }
}

/// The quoted names of the line `allow = [...]`.
fn allowed(deny: &str) -> Vec<&str> {
    let line = deny.lines().find(|line| line.starts_with("allow = [")).unwrap_or_default();
    line.split('"').skip(1).step_by(2).collect()
}

/// Whether an SPDX expression can be met by the allowed licences. The old form `MIT/Apache-2.0` means either.
fn permits(expression: &str, allowed: &[&str]) -> bool {
    let spaced = expression.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
    let mut words = spaced.split_whitespace().peekable();
    let met = either(&mut words, allowed);
    met && words.next().is_none()
}

type Words<'b> = std::iter::Peekable<std::str::SplitWhitespace<'b>>;

fn either(words: &mut Words<'_>, allowed: &[&str]) -> bool {
    let mut met = both(words, allowed);
    while words.next_if_eq(&"OR").is_some() {
        met |= both(words, allowed);
    }
    met
}

fn both(words: &mut Words<'_>, allowed: &[&str]) -> bool {
    let mut met = one(words, allowed);
    while words.next_if_eq(&"AND").is_some() {
        met &= one(words, allowed);
    }
    met
}

fn one(words: &mut Words<'_>, allowed: &[&str]) -> bool {
    let Some(first) = words.next() else { return false };
    if first == "(" {
        let met = either(words, allowed);
        return words.next() == Some(")") && met;
    }
    if words.next_if_eq(&"WITH").is_some() {
        let exception = words.next().unwrap_or_default();
        return allowed.contains(&format!("{first} WITH {exception}").as_str());
    }
    allowed.contains(&first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions() {
        let allowed = allowed("[licences]\nallow = [\"MIT\", \"Zlib\", \"Apache-2.0 WITH LLVM-exception\"]\n");
        for (expression, met) in [
            ("MIT", true),
            ("GPL-3.0", false),
            ("", false),
            ("GPL-3.0 OR MIT", true),
            ("GPL-3.0/MIT", true),
            ("GPL-3.0 AND MIT", false),
            ("(GPL-3.0 OR MIT) AND Zlib", true),
            ("GPL-3.0 OR MIT AND Zlib", true),
            ("MIT AND (GPL-3.0 OR LGPL-2.1)", false),
            ("Apache-2.0 WITH LLVM-exception", true),
            ("Apache-2.0", false),
            ("(MIT", false),
            ("MIT Zlib", false),
        ] {
            assert_eq!(permits(expression, &allowed), met, "{expression}");
        }
    }
}
