//! Passwords: hashing, checking, making and asking for them. None of it is ever logged.

use argon2::{
    Algorithm, Argon2, Params, PasswordHash, PasswordHasher, PasswordVerifier, Version,
    password_hash::{Output, ParamsString, Salt, SaltString},
};
use model::Random;

/// The password cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PasswordError {
    /// An empty one.
    #[error("the password is empty")]
    Empty,
    /// More bytes than [`PASSWORD_BYTES_MAX`].
    #[error("the password is longer than {PASSWORD_BYTES_MAX} bytes")]
    TooLong,
    /// The two given differ.
    #[error("the two passwords differ: nothing was changed")]
    Differ,
    /// It cannot be read.
    #[error("cannot read the password: {0}")]
    Unreadable(#[from] std::io::Error),
    /// The hash function refused it.
    #[error("cannot hash the password: {0}")]
    Unhashable(String),
}

/// Bytes of a password.
pub const PASSWORD_BYTES_MAX: usize = 1_024;

/// Syllables of a generated password, in groups of four: 6.1 bits each, 73 in all.
const SYLLABLES: usize = 12;

/// Hashes a password with Argon2id, in PHC form. Takes tens of milliseconds and 19 MiB.
///
/// # Errors
/// When it is empty or too long.
pub fn hash(password: &str, random: &dyn Random) -> Result<String, PasswordError> {
    if password.is_empty() {
        return Err(PasswordError::Empty);
    }
    if password.len() > PASSWORD_BYTES_MAX {
        return Err(PasswordError::TooLong);
    }
    let unhashable = |error: argon2::password_hash::Error| PasswordError::Unhashable(error.to_string());
    let mut bytes = [0; Salt::RECOMMENDED_LENGTH];
    random.fill(&mut bytes);
    let salt = SaltString::encode_b64(&bytes).map_err(unhashable)?;
    Ok(Argon2::default().hash_password(password.as_bytes(), &salt).map_err(unhashable)?.to_string())
}

/// A hash of no password: to verify one against it takes as long as against any other, and fails. Costs nothing itself.
///
/// # Errors
/// When the hash function refuses its parts.
pub fn hash_of_nobody(random: &dyn Random) -> Result<String, PasswordError> {
    let unhashable = |error: argon2::password_hash::Error| PasswordError::Unhashable(error.to_string());
    let (mut salt, mut output) = ([0; Salt::RECOMMENDED_LENGTH], [0; Params::DEFAULT_OUTPUT_LEN]);
    random.fill(&mut salt);
    random.fill(&mut output);
    let salt = SaltString::encode_b64(&salt).map_err(unhashable)?;
    let hash = PasswordHash {
        algorithm: Algorithm::default().ident(),
        version: Some(Version::default().into()),
        params: ParamsString::try_from(&Params::default()).map_err(unhashable)?,
        salt: Some(salt.as_salt()),
        hash: Some(Output::new(&output).map_err(unhashable)?),
    };
    Ok(hash.to_string())
}

/// Whether the password is the one that was hashed. Takes as long as [`hash`].
pub fn verify(password: &str, hashed: &str) -> bool {
    let Ok(hashed) = PasswordHash::new(hashed) else { return false };
    Argon2::default().verify_password(password.as_bytes(), &hashed).is_ok()
}

/// A strong password that can be read out and typed: `tanebuko-rilomafe-dokusate`.
pub fn generate(random: &dyn Random) -> String {
    const CONSONANTS: &[u8] = b"bdfghjklmnprstvz";
    const VOWELS: &[u8] = b"aeiou";
    let mut password = String::new();
    for syllable in 0..SYLLABLES {
        if syllable > 0 && syllable % 4 == 0 {
            password.push('-');
        }
        for letters in [CONSONANTS, VOWELS] {
            let at = (random.number() % letters.len() as u64) as usize;
            password.extend(letters.get(at).map(|letter| char::from(*letter)));
        }
    }
    password
}

/// Asks for a new password on the terminal, twice, without showing it. `None` where there is no terminal.
///
/// # Errors
/// When the two differ, or reading fails.
pub fn ask() -> Result<Option<String>, PasswordError> {
    let terminal = console::Term::stderr();
    if !terminal.is_term() || !std::io::IsTerminal::is_terminal(&std::io::stdin()) {
        return Ok(None);
    }
    let read = |prompt: &str| {
        terminal.write_str(prompt)?;
        terminal.read_secure_line()
    };
    let password = read("Password (empty: make one): ")?;
    if password.is_empty() {
        return Ok(None);
    }
    if read("Once more: ")? == password { Ok(Some(password)) } else { Err(PasswordError::Differ) }
}

/// The first line of standard input.
///
/// # Errors
/// When reading fails.
pub fn from_stdin() -> Result<String, PasswordError> {
    let mut line = String::new();
    let bounded = std::io::Read::take(std::io::stdin().lock(), PASSWORD_BYTES_MAX as u64 + 2);
    std::io::BufRead::read_line(&mut std::io::BufReader::new(bounded), &mut line)?;
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashed_and_verified() {
        let random = model::SeededRandom::new(1);
        let hashed = hash("correct horse", &random).unwrap();
        assert!(hashed.starts_with("$argon2id$"));
        assert!(verify("correct horse", &hashed));
        assert!(!verify("correct hors", &hashed));
        assert!(!verify("correct horse", "nonsense"));
        assert!(matches!(hash("", &random), Err(PasswordError::Empty)));
        assert!(matches!(hash(&"x".repeat(PASSWORD_BYTES_MAX + 1), &random), Err(PasswordError::TooLong)));
    }

    /// Who is unknown must not be told from who is known by the time it takes.
    #[test]
    fn nobody_costs_what_anybody_costs() {
        let random = model::SeededRandom::new(1);
        let (nobody, somebody) = (hash_of_nobody(&random).unwrap(), hash("x", &random).unwrap());
        let (nobody, somebody) = (PasswordHash::new(&nobody).unwrap(), PasswordHash::new(&somebody).unwrap());
        let cost = |hash: &PasswordHash<'_>| format!("{} {:?} {}", hash.algorithm, hash.version, hash.params);
        assert_eq!(cost(&nobody), cost(&somebody));
        let lengths = |hash: &PasswordHash<'_>| (hash.salt.unwrap().as_str().len(), hash.hash.unwrap().len());
        assert_eq!(lengths(&nobody), lengths(&somebody));
        assert!(!verify("", &nobody.to_string()));
    }

    #[test]
    fn generated() {
        let random = model::SeededRandom::new(2);
        let (one, two) = (generate(&random), generate(&random));
        assert_ne!(one, two);
        assert_eq!(one.len(), 26);
        assert!(one.chars().all(|c| c.is_ascii_lowercase() || c == '-'));
    }
}
