//! Keys: `key`, `keyfile` and keyrings.
//!
//! Facts: `auth/KeyRing.cc`. `key` is stronger than `keyfile`, and that is stronger than `keyring`.

use super::conf_file::{ConfFile, ParseError};
use super::error::{ConfigError, KeyMissing, Origin, Warning, bad, unreadable};
use super::search::{self, Found};
use super::sources::Sources;
use linger_wire::cephx::{AuthName, CryptoKey};
use std::fs;
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// Where Ceph looks for a client's keyring.
pub(crate) const KEYRING_DEFAULT: &str = "/etc/ceph/$cluster.$name.keyring,/etc/ceph/$cluster.keyring,\
                                          /etc/ceph/keyring,/etc/ceph/keyring.bin";

/// A key, and the keyring it is from, if it is from one.
pub(crate) struct FoundKey {
    pub key: CryptoKey,
    pub keyring: Option<PathBuf>,
}

/// Why there is no key, and whether the user named the place where it should be.
pub(crate) struct Missing {
    pub why: KeyMissing,
    pub named: bool,
}

/// Finds the key of the client.
pub(crate) fn find(
    sources: &Sources,
    name: &AuthName,
    warnings: &mut Vec<Warning>,
) -> Result<Result<FoundKey, Missing>, ConfigError> {
    if let Some((text, origin)) = sources.value("key") {
        let key = parse_key(&text, "key", &origin)?;
        if let Some(file) = search::file_of(&origin) {
            warn_if_open(file, warnings);
        }
        return Ok(Ok(FoundKey { key, keyring: None }));
    }
    if let Some((file, _)) = sources.value("keyfile") {
        let file = PathBuf::from(file.as_str());
        let text = Zeroizing::new(fs::read_to_string(&file).map_err(unreadable(&file))?);
        let key = parse_key(&text, "keyfile", &Origin::File { path: file.clone(), line: 1 })?;
        warn_if_open(&file, warnings);
        return Ok(Ok(FoundKey { key, keyring: None }));
    }
    let (paths, named) = match sources.value("keyring") {
        Some((list, origin)) => {
            (search::files(&list), matches!(origin, Origin::Environment(_) | Origin::Explicit))
        }
        None => (Vec::new(), false),
    };
    match search::first(paths)? {
        Found::Nothing { searched, denied } => {
            let why = KeyMissing::NoKeyring { name: name.to_string(), searched, denied };
            Ok(Err(Missing { why, named }))
        }
        Found::File { path, text } => {
            warn_if_open(&path, warnings);
            Ok(match entry(&path, &text, name)? {
                Ok(key) => Ok(FoundKey { key, keyring: Some(path) }),
                Err(why) => Err(Missing { why, named }),
            })
        }
    }
}

fn warn_if_open(file: &Path, warnings: &mut Vec<Warning>) {
    if search::readable_by_all(file) {
        warnings.push(Warning::ReadableByAll { file: file.to_owned() });
    }
}

/// Finds the key of `name` in the text of a keyring. Caps, and whatever else stands there, are skipped.
fn entry(path: &Path, text: &str, name: &AuthName) -> Result<Result<CryptoKey, KeyMissing>, ConfigError> {
    let name = name.to_string();
    let file = ConfFile::parse(text).map_err(|ParseError { line, kind }| ConfigError::Syntax {
        file: path.to_owned(),
        line,
        kind,
    })?;
    if let Some(value) = file.lookup(&[&name], "key").filter(|value| !value.text.is_empty()) {
        let origin = Origin::File { path: path.to_owned(), line: value.line };
        return parse_key(&value.text, "key", &origin).map(Ok);
    }
    let has_key = |section: &&str| file.lookup(&[section], "key").is_some();
    let others = file.sections().filter(has_key).map(str::to_owned).collect();
    Ok(Err(KeyMissing::NoEntry { name, file: path.to_owned(), others }))
}

fn parse_key(text: &str, option: &str, origin: &Origin) -> Result<CryptoKey, ConfigError> {
    text.trim().parse::<CryptoKey>().map_err(|e| bad(option, origin, e.to_string()))
}
