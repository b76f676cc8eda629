//! Words of a Ceph command line, as `CEPH_ARGS` has them.
//!
//! Facts: `common/ceph_argparse.cc`, `common/config.cc` (`parse_argv`), and what Ceph 16 does with them.

use super::conf_file::normalize;
use super::error::ConfigError;
use linger_wire::cephx::AuthName;
use zeroize::Zeroizing;

/// What a list of words sets. Of an option given twice the last value counts.
#[derive(Debug, Clone, Default)]
pub(crate) struct Args {
    /// `-c`, `--conf`: a list of files, the first that can be opened counts.
    pub conf: Option<String>,
    /// `--cluster`.
    pub cluster: Option<String>,
    /// `-n`, `--name`, `--id` and `--user`.
    pub name: Option<NameArg>,
    /// All other options, normalised, in order.
    pub options: Vec<(String, Zeroizing<String>)>,
}

/// How a name was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum NameArg {
    Full(String),
    Id(String),
}

impl NameArg {
    /// The name that is meant: an id alone is one of a client.
    pub(crate) fn resolve(&self) -> Result<AuthName, String> {
        match self {
            Self::Full(name) => name.parse().map_err(|e| format!("'{name}' is {e}")),
            Self::Id(id) if id.is_empty() => Err("the id is empty".to_owned()),
            Self::Id(id) => Ok(AuthName::client(id)),
        }
    }
}

/// Options which Ceph knows as flags, and which are thus not followed by a value.
const FLAGS: &[&str] =
    &["no_mon_config", "mon_config", "log_early", "foreground", "show_args", "show_config", "version"];

impl Args {
    /// Takes the options out of `words`. Words that are none are skipped; `--` ends the options.
    ///
    /// An option that is not known takes the next word as its value, unless that is an option itself.
    pub(crate) fn parse(words: impl IntoIterator<Item = String>) -> Result<Self, ConfigError> {
        let mut args = Self::default();
        let mut words = words.into_iter().peekable();
        while let Some(word) = words.next() {
            if word == "--" {
                break;
            }
            let (option, mut value) = match word.split_once('=') {
                Some((option, value)) if word.starts_with("--") => (option, Some(value.to_owned())),
                _ => (word.as_str(), None),
            };
            let Some(name) = long_name(option) else { continue };
            let named_here = KNOWN.contains(&name.as_str());
            if value.is_none() && named_here {
                value = words.next();
                if value.is_none() {
                    return Err(ConfigError::ArgumentWithoutValue { option: word });
                }
            } else if value.is_none() && !FLAGS.contains(&name.as_str()) {
                value = words.next_if(|next| !next.starts_with('-'));
            }
            args.set(name, value.unwrap_or_else(|| "true".to_owned()));
        }
        Ok(args)
    }

    /// Splits at blanks only: there are no quotes in `CEPH_ARGS`.
    pub(crate) fn parse_text(text: &str) -> Result<Self, ConfigError> {
        Self::parse(text.split_whitespace().map(str::to_owned))
    }

    fn set(&mut self, name: String, value: String) {
        match name.as_str() {
            "conf" => self.conf = Some(value),
            "cluster" => self.cluster = Some(value),
            "name" => self.name = Some(NameArg::Full(value)),
            "id" | "user" => self.name = Some(NameArg::Id(value)),
            _ => self.options.push((name, value.into())),
        }
    }
}

/// Options that always take the next word.
const KNOWN: &[&str] = &[
    "auth_client_required",
    "auth_supported",
    "cephx_sign_messages",
    "client_mount_timeout",
    "cluster",
    "conf",
    "fsid",
    "host",
    "id",
    "key",
    "keyfile",
    "keyring",
    "mon_dns_srv_name",
    "mon_host",
    "ms_client_mode",
    "ms_mon_client_mode",
    "name",
    "rados_mon_op_timeout",
    "rados_osd_op_timeout",
    "user",
];

/// The name of an option that is written short or long; `None` for a word that is none.
fn long_name(word: &str) -> Option<String> {
    let name = match word {
        "-c" => "conf",
        "-n" => "name",
        "-m" => "mon_host",
        "-k" => "keyring",
        "-K" => "keyfile",
        _ => word.strip_prefix("--").filter(|name| !name.is_empty())?,
    };
    Some(normalize(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn option(text: &str, name: &str) -> Option<Zeroizing<String>> {
        let args = Args::parse_text(text).unwrap();
        args.options.into_iter().rev().find(|(option, _)| option == name).map(|(_, value)| value)
    }

    #[test]
    fn mon_host_in_all_spellings() {
        for text in [
            "--mon-host 2.2.2.2",
            "--mon_host 2.2.2.2",
            "--mon-host=2.2.2.2",
            "-m 2.2.2.2",
            "--nope 5 --mon-host 2.2.2.2",
            "--nope --mon-host 2.2.2.2",
            "--no-mon-config --mon-host 2.2.2.2",
            "-f word -x --mon-host 2.2.2.2",
            "--mon_host 2.2.2.2 -- --mon-host 8.8.8.8",
            "--mon-host 7.7.7.7 --mon-host 2.2.2.2",
            "--no-mon-config 9 \t --mon-host  2.2.2.2 ",
        ] {
            assert_eq!(option(text, "mon_host").as_deref().map(String::as_str), Some("2.2.2.2"), "{text}");
        }
    }

    #[test]
    fn values() {
        assert_eq!(option("--keyring '/a b'", "keyring").as_deref().map(String::as_str), Some("'/a"));
        assert_eq!(option("--key a==", "key").as_deref().map(String::as_str), Some("a=="));
        assert_eq!(option("--key=a==", "key").as_deref().map(String::as_str), Some("a=="));
        assert_eq!(option("--key -", "key").as_deref().map(String::as_str), Some("-"));
        assert_eq!(option("--some-flag", "some_flag").as_deref().map(String::as_str), Some("true"));
        assert_eq!(option("mon_host=1", "mon_host"), None);
    }

    #[test]
    fn early_options() {
        let args = Args::parse_text("-c a.conf --cluster c --name client.a --id b").unwrap();
        assert_eq!((args.conf.as_deref(), args.cluster.as_deref()), (Some("a.conf"), Some("c")));
        assert_eq!(args.name, Some(NameArg::Id("b".into())));
        assert!(args.options.is_empty());
        let args = Args::parse_text("--id b -n osd.3").unwrap();
        assert_eq!(args.name.unwrap().resolve().unwrap().to_string(), "osd.3");
    }

    #[test]
    fn a_missing_value_is_an_error() {
        let error = Args::parse_text("--id b --mon-host").unwrap_err();
        assert!(matches!(error, ConfigError::ArgumentWithoutValue { option } if option == "--mon-host"));
    }
}
