//! What connecting to a cluster takes, from settings or in code.

use crate::config::{self, Settings};
use crate::error::Error;
use linger_core::auth::{self, Credentials};
use linger_core::{Config, ConfigError};
use std::time::Duration;

/// What Ceph gives connecting (`client_mount_timeout`).
const CONNECT_WITHIN: Duration = Duration::from_secs(300);

/// What connecting to a cluster takes.
#[derive(Debug, Clone)]
pub struct ConnectOptions {
    /// The core's configuration.
    pub config: Config,
    /// How long connecting may take; `None` is for ever. Default 300 s.
    pub connect_within: Option<Duration>,
    /// After how long a call on an object fails, unless its pool handle says otherwise; `None` is
    /// never, the default.
    pub call_within: Option<Duration>,
}

impl ConnectOptions {
    /// Sets how long connecting may take.
    #[must_use]
    pub fn connect_within(self, within: Duration) -> Self {
        Self { connect_within: Some(within), ..self }
    }
}

impl From<Config> for ConnectOptions {
    fn from(config: Config) -> Self {
        Self { config, connect_within: Some(CONNECT_WITHIN), call_within: None }
    }
}

impl TryFrom<&Settings> for ConnectOptions {
    type Error = Error;

    fn try_from(settings: &Settings) -> Result<Self, Error> {
        Ok(Self {
            config: settings.try_into()?,
            connect_within: settings.client_mount_timeout,
            call_within: settings.rados_osd_op_timeout,
        })
    }
}

impl TryFrom<Settings> for ConnectOptions {
    type Error = Error;

    fn try_from(settings: Settings) -> Result<Self, Error> {
        Self::try_from(&settings)
    }
}

impl TryFrom<&Settings> for Config {
    type Error = ConfigError;

    /// What the settings ask for, as far as linger has it.
    ///
    /// # Errors
    /// None today: the core checks its configuration when it starts.
    fn try_from(settings: &Settings) -> Result<Self, ConfigError> {
        let credentials = Credentials { name: settings.name.clone(), key: settings.key.clone() };
        let mut config = Self::new(credentials, settings.mon_host.clone());
        config.auth = settings.auth_client_required.iter().filter_map(method).collect();
        config.mon_modes = modes(&settings.ms_mon_client_mode);
        config.modes = modes(&settings.ms_client_mode);
        config.sign_messages = settings.cephx_sign_messages;
        config.fsid = settings.fsid;
        config.srv_name = srv_name(&settings.mon_dns_srv_name);
        Ok(config)
    }
}

fn method(method: &config::AuthMethod) -> Option<auth::AuthMethod> {
    match method {
        config::AuthMethod::Cephx => Some(auth::AuthMethod::Cephx),
        config::AuthMethod::None => Some(auth::AuthMethod::None),
    }
}

fn modes(modes: &[config::ConMode]) -> Vec<auth::ConMode> {
    let mode = |mode: &config::ConMode| match mode {
        config::ConMode::Crc => auth::ConMode::Crc,
        config::ConMode::Secure => auth::ConMode::Secure,
    };
    modes.iter().map(mode).collect()
}

/// `ceph-mon` is the record `_ceph-mon._tcp`, `ceph-mon_example.com` is `_ceph-mon._tcp.example.com`
/// (`mon/MonMap.cc`, `init_with_dns_srv`).
fn srv_name(option: &str) -> String {
    match option.split_once('_') {
        Some((service, domain)) => format!("_{service}._tcp.{domain}"),
        None => format!("_{option}._tcp"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Settings;

    fn settings(option: &str, value: &str) -> Settings {
        let builder = Settings::builder().id("x").key("AQAIHOBmAAAAABAAAAECAwQFBgcICQoLDA0ODw==");
        builder.mon_host("10.0.0.1").option(option, value).build().unwrap()
    }

    #[test]
    fn settings_become_options() {
        let options = ConnectOptions::try_from(settings("client_mount_timeout", "7")).unwrap();
        assert_eq!(options.connect_within, Some(Duration::from_secs(7)));
        assert_eq!(options.config.credentials.name.to_string(), "client.x");
        assert!(options.config.credentials.key.is_some());
        assert_eq!(options.config.modes, [auth::ConMode::Crc, auth::ConMode::Secure]);
        assert_eq!(options.config.mon_modes, [auth::ConMode::Secure, auth::ConMode::Crc]);
        assert_eq!(options.config.srv_name, "_ceph-mon._tcp");
        let options = ConnectOptions::try_from(settings("rados_osd_op_timeout", "2")).unwrap();
        assert_eq!(options.call_within, Some(Duration::from_secs(2)));
        assert_eq!(options.connect_within, Some(CONNECT_WITHIN), "the default of both");
    }

    #[test]
    fn a_service_may_name_its_domain() {
        let options = ConnectOptions::try_from(settings("mon_dns_srv_name", "mons_example.com")).unwrap();
        assert_eq!(options.config.srv_name, "_mons._tcp.example.com");
    }

    #[test]
    fn lists_of_modes_keep_their_order() {
        use auth::ConMode::{Crc, Secure};
        for (list, expected) in [
            ("secure", vec![Secure]),
            ("secure crc", vec![Secure, Crc]),
            ("crc,secure", vec![Crc, Secure]),
            ("crc", vec![Crc]),
        ] {
            let config = ConnectOptions::try_from(settings("ms_client_mode", list)).unwrap().config;
            assert_eq!((config.modes, config.mon_modes), (expected.clone(), vec![Secure, Crc]), "{list}");
            let config = ConnectOptions::try_from(settings("ms_mon_client_mode", list)).unwrap().config;
            assert_eq!((config.modes, config.mon_modes), (vec![Crc, Secure], expected), "{list}");
        }
    }
}
