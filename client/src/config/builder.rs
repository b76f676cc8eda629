//! Puts all sources of settings together.

use super::args::{Args, NameArg};
use super::conf_file::{ConfFile, ParseError, normalize};
use super::environment::Environment;
use super::error::{ConfigError, Origin, Warning, bad};
use super::expand::expand;
use super::search::{self, CONF_DEFAULT, Found};
use super::settings::Settings;
use super::sources::Sources;
use linger_wire::cephx::AuthName;
use std::fmt;
use std::io;
use zeroize::Zeroizing;

/// Collects what the program sets; [`build`](Self::build) adds the rest.
///
/// What is set here is stronger than `CEPH_ARGS`, and that is stronger than the configuration file.
#[derive(Clone, Default)]
pub struct Builder {
    environment: Option<Environment>,
    conf: Option<String>,
    cluster: Option<String>,
    name: Option<NameArg>,
    options: Vec<(String, Zeroizing<String>)>,
}

impl Builder {
    /// Also reads what Ceph's programs read: `CEPH_CONF`, `CEPH_ARGS`, `CEPH_KEYRING`, and the
    /// configuration file and the keyring in the usual places.
    #[must_use]
    pub fn environment(mut self, environment: Environment) -> Self {
        self.environment = Some(environment);
        self
    }

    /// Reads this configuration file, or the first that exists of a list separated by commas.
    #[must_use]
    pub fn conf(mut self, files: impl Into<String>) -> Self {
        self.conf = Some(files.into());
        self
    }

    /// Sets the name of the cluster on this machine, which names files: `/etc/ceph/NAME.conf`.
    #[must_use]
    pub fn cluster(mut self, cluster: impl Into<String>) -> Self {
        self.cluster = Some(cluster.into());
        self
    }

    /// Authenticates as `client.ID`. The last of this and [`name`](Self::name) counts.
    #[must_use]
    pub fn id(mut self, id: impl Into<String>) -> Self {
        self.name = Some(NameArg::Id(id.into()));
        self
    }

    /// Authenticates as `TYPE.ID`.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(NameArg::Full(name.into()));
        self
    }

    /// Sets where the monitors are, in any form that `mon_host` has.
    #[must_use]
    pub fn mon_host(self, mon_host: impl Into<String>) -> Self {
        self.option("mon_host", mon_host)
    }

    /// Sets the keyring, or a list of files of which the first that can be opened counts.
    #[must_use]
    pub fn keyring(self, files: impl Into<String>) -> Self {
        self.option("keyring", files)
    }

    /// Sets the key itself, in base64.
    #[must_use]
    pub fn key(self, key: impl Into<String>) -> Self {
        self.option("key", key)
    }

    /// Sets any option by its name, with blanks, dashes or underscores.
    #[must_use]
    pub fn option(mut self, name: &str, value: impl Into<String>) -> Self {
        self.options.push((normalize(name), Zeroizing::new(value.into())));
        self
    }

    /// Reads all sources and checks all values.
    ///
    /// # Errors
    /// A file that was asked for and cannot be read, a file that does not parse, a value that its
    /// option cannot have, a key that is needed and not found.
    pub fn build(self) -> Result<Settings, ConfigError> {
        let text = self.environment.as_ref().and_then(|environment| environment.ceph_args.as_deref());
        let args = Args::parse_text(text.unwrap_or_default())?;
        let (name, origin) = match (&self.name, &args.name) {
            (Some(name), _) => (Some(name), Origin::Explicit),
            (None, name) => (name.as_ref(), Origin::Environment("CEPH_ARGS")),
        };
        let name = name.map(NameArg::resolve).transpose().map_err(|why| bad("name", &origin, why))?;
        let conf = self.conf.or_else(|| args.conf.clone());
        let cluster = self.cluster.or_else(|| args.cluster.clone());
        let mut sources = Sources {
            name: name.unwrap_or_else(|| AuthName::client("admin")),
            cluster: cluster.clone().unwrap_or_else(|| "ceph".to_owned()),
            explicit: self.options,
            args,
            environment: self.environment,
            file: None,
        };
        let mut warnings = Vec::new();
        read_file(&mut sources, conf.as_deref(), cluster.is_some(), &mut warnings)?;
        Settings::read(&sources, warnings)
    }
}

/// Reads the configuration file, which must exist if it was `named`; that then names the cluster too.
fn read_file(
    sources: &mut Sources,
    named: Option<&str>,
    has_cluster: bool,
    warnings: &mut Vec<Warning>,
) -> Result<(), ConfigError> {
    let environment = sources.environment.as_ref();
    let usual = || environment.map(|environment| environment.ceph_conf.as_deref().unwrap_or(CONF_DEFAULT));
    let Some(list) = named.or_else(usual) else { return Ok(()) };
    let list = expand(list, sources);
    let mut paths = search::files(&list);
    paths.retain(|path| !path.starts_with("$home"));
    match search::first(paths)? {
        Found::File { path, text } => {
            let file = ConfFile::parse(&text).map_err(|ParseError { line, kind }| ConfigError::Syntax {
                file: path.clone(),
                line,
                kind,
            })?;
            if let Some(cluster) = search::cluster_of(&path).filter(|_| named.is_some() && !has_cluster) {
                sources.cluster = cluster.to_owned();
            }
            sources.file = Some((path, file));
        }
        Found::Nothing { denied: Some(file), .. } => {
            return Err(ConfigError::Read { file, source: io::ErrorKind::PermissionDenied.into() });
        }
        Found::Nothing { searched, .. } if named.is_some() => {
            return Err(ConfigError::ConfNotFound { searched, source: io::ErrorKind::NotFound.into() });
        }
        Found::Nothing { searched, .. } => warnings.push(Warning::NoConf { searched }),
    }
    Ok(())
}

impl fmt::Debug for Builder {
    /// Shows the names of options only: a value may be a key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let options: Vec<_> = self.options.iter().map(|(name, _)| name).collect();
        f.debug_struct("Builder")
            .field("conf", &self.conf)
            .field("cluster", &self.cluster)
            .field("name", &self.name)
            .field("options", &options)
            .finish_non_exhaustive()
    }
}
