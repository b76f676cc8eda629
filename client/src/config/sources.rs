//! All places a value may come from, and which of them wins.
//!
//! Observed with Ceph 16: the command line, then `CEPH_ARGS`, `CEPH_KEYRING`, the file, the defaults.

use super::args::Args;
use super::conf_file::{ConfFile, normalize};
use super::environment::Environment;
use super::error::Origin;
use super::expand::{Variables, expand};
use super::keyring::KEYRING_DEFAULT;
use linger_wire::cephx::AuthName;
use std::path::PathBuf;
use zeroize::Zeroizing;

/// Everything that is set, before expansion.
pub(crate) struct Sources {
    pub name: AuthName,
    pub cluster: String,
    /// What the program sets, normalised, in order.
    pub explicit: Vec<(String, Zeroizing<String>)>,
    pub args: Args,
    pub environment: Option<Environment>,
    /// The configuration file and its path.
    pub file: Option<(PathBuf, ConfFile)>,
}

/// The defaults of the options that are read here, as of Ceph 16 (`common/options.cc`). They are those
/// of Nautilus to Tentacle too.
pub(crate) fn default(option: &str) -> Option<&'static str> {
    Some(match option {
        "auth_client_required" => "cephx, none",
        "cephx_sign_messages" => "true",
        "client_mount_timeout" => "300",
        "keyring" => KEYRING_DEFAULT,
        "mon_dns_srv_name" => "ceph-mon",
        "ms_client_mode" => "crc secure",
        "ms_mon_client_mode" => "secure crc",
        "rados_mon_op_timeout" | "rados_osd_op_timeout" => "0",
        "mon_host" | "key" | "keyfile" | "fsid" | "auth_supported" => "",
        _ => return None,
    })
}

impl Sources {
    /// The value of an option and its origin; an empty one is none. Files are searched by default only
    /// for those who gave an environment.
    pub(crate) fn value(&self, option: &str) -> Option<(Zeroizing<String>, Origin)> {
        let (raw, origin) = self.raw(option)?;
        if raw.is_empty() || (self.environment.is_none() && option == "keyring" && origin == Origin::Default)
        {
            return None;
        }
        // A key holds no variables, and its text should be in as few places as can be.
        let value = if option == "key" { raw } else { expand(&raw, self).into() };
        Some((value, origin))
    }

    /// The value of an option as written.
    fn raw(&self, option: &str) -> Option<(Zeroizing<String>, Origin)> {
        let option = &*normalize(option);
        let last = |list: &[(String, Zeroizing<String>)]| {
            list.iter().rev().find(|(name, _)| name == option).map(|(_, value)| value.clone())
        };
        let keyring = || self.environment.as_ref()?.ceph_keyring.clone().filter(|_| option == "keyring");
        last(&self.explicit)
            .map(|value| (value, Origin::Explicit))
            .or_else(|| Some((last(&self.args.options)?, Origin::Environment("CEPH_ARGS"))))
            .or_else(|| Some((keyring()?.into(), Origin::Environment("CEPH_KEYRING"))))
            .or_else(|| self.in_file(option))
            .or_else(|| Some((default(option)?.to_owned().into(), Origin::Default)))
    }

    fn in_file(&self, option: &str) -> Option<(Zeroizing<String>, Origin)> {
        let (path, file) = self.file.as_ref()?;
        let name = self.name.to_string();
        let found = file.lookup(&[&name, self.name.kind.name(), "global"], option)?;
        Some((found.text.clone().into(), Origin::File { path: path.clone(), line: found.line }))
    }
}

impl Variables for Sources {
    fn meta(&self, name: &str) -> Option<String> {
        let environment = self.environment.as_ref();
        match name {
            "cluster" => Some(self.cluster.clone()),
            "type" => Some(self.name.kind.name().to_owned()),
            "id" | "num" => Some(self.name.id.to_string_lossy().into_owned()),
            "name" => Some(self.name.to_string()),
            "pid" => environment?.pid.map(|pid| pid.to_string()),
            "home" => environment?.home.clone(),
            "host" if self.raw("host").is_none() => environment?.host.clone(),
            _ => None,
        }
    }

    fn option(&self, name: &str) -> Option<String> {
        self.raw(name).map(|(value, _)| value.to_string())
    }
}
