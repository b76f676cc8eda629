//! What a client is told at its start.

use crate::auth::{AuthMethod, ConMode, Credentials};
use crate::error::ConfigError;
use crate::mon_host::MonHost;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;
use linger_wire::crypto::{CryptoProvider, default_provider};
use linger_wire::{AddrType, Fsid};

/// With less than this rounds of hunting would shrink, and end before anything was dialled.
const HUNT_BACKOFF_MIN: u32 = 100;

/// How to reach a cluster, as whom, and within which bounds.
#[derive(Debug, Clone)]
pub struct Config {
    /// Who logs in.
    pub credentials: Credentials,
    /// Accepted ways to log in, the preferred one first.
    pub auth: Vec<AuthMethod>,
    /// Accepted ways to protect connections to monitors, the preferred one first (`ms_mon_client_mode`;
    /// default secure, crc). The monitor takes the first that it allows, too.
    pub mon_modes: Vec<ConMode>,
    /// Accepted ways to protect connections to OSDs, the preferred one first (`ms_client_mode`;
    /// default crc, secure). Without [`ConMode::Crc`] nothing is ever sent in the clear, and daemons that speak
    /// only msgr1 are not dialled: so it is with monitors, too.
    pub modes: Vec<ConMode>,
    /// Sign messages to OSDs over msgr1, and refuse those from them that are not (`cephx_sign_messages`,
    /// default true). OSDs that are set otherwise can not be spoken to.
    pub sign_messages: bool,
    /// The cipher of secure connections; the default is the fastest that was built in.
    pub crypto: &'static dyn CryptoProvider,
    /// The monitors to start from. None: the DNS SRV records of [`Config::srv_name`], for which the loop is
    /// asked ([`Query::Service`](crate::Query::Service)); linger's own adapters do not look them up.
    pub mons: Option<MonHost>,
    /// The service asked of DNS when no monitor is given (default `_ceph-mon._tcp`).
    pub srv_name: String,
    /// The cluster's id where it is known; another one is refused.
    pub fsid: Option<Fsid>,
    /// Follow the OSD map by subscription (default), or ask for maps only when one is needed:
    /// fewer messages for very many idle clients, later news of a moved object: when an OSD says so or does not
    /// answer.
    pub follow_map: bool,
    /// Spans of time.
    pub timing: Timing,
    /// Bounds on memory.
    pub limits: Limits,
}

impl Config {
    /// A configuration with every default.
    #[must_use]
    pub fn new(credentials: Credentials, mons: Option<MonHost>) -> Self {
        Self {
            credentials,
            auth: [AuthMethod::Cephx, AuthMethod::None].into(),
            mon_modes: [ConMode::Secure, ConMode::Crc].into(),
            modes: [ConMode::Crc, ConMode::Secure].into(),
            sign_messages: true,
            crypto: default_provider(),
            mons,
            srv_name: "_ceph-mon._tcp".into(),
            fsid: None,
            follow_map: true,
            timing: Timing::default(),
            limits: Limits::default(),
        }
    }

    /// Refuses what can never work.
    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        if self.auth.is_empty() {
            return Err(ConfigError::NoAuthMethod);
        }
        if self.credentials.key.is_none() && !self.auth.contains(&AuthMethod::None) {
            return Err(ConfigError::NoKey);
        }
        let keys = self.credentials.key.is_some() && self.auth.contains(&AuthMethod::Cephx);
        let usable = |modes: &[ConMode]| modes.iter().any(|mode| keys || *mode == ConMode::Crc);
        if !usable(&self.mon_modes) || !usable(&self.modes) {
            return Err(ConfigError::NoMode);
        }
        let v1 = self.mon_modes.contains(&ConMode::Crc);
        let found = |mons: &MonHost| mons.candidates().any(|addr| v1 || addr.kind() == AddrType::MSGR2);
        if self.mons.as_ref().is_some_and(|mons| !found(mons)) {
            return Err(ConfigError::NoV2Monitor);
        }
        let (timing, limits) = (&self.timing, &self.limits);
        let zero = [
            ("handshake", timing.handshake.is_zero()),
            ("hunt", timing.hunt.is_zero()),
            ("hunt_parallel", timing.hunt_parallel == 0),
            ("hunt_max_multiple", timing.hunt_max_multiple == 0),
            ("keepalive", timing.keepalive.is_zero()),
            ("keepalive_timeout", timing.keepalive_timeout.is_zero()),
            ("redial_min", timing.redial_min.is_zero()),
            ("redial_max", timing.redial_max.is_zero()),
            ("unanswered", timing.unanswered.is_zero()),
            ("reregister_min", timing.reregister_min.is_zero()),
            ("reregister_max", timing.reregister_max.is_zero()),
            ("idle", timing.idle.is_zero()),
            ("ops_in_flight", limits.ops_in_flight == 0),
            ("outbox_bytes", limits.outbox_bytes == 0),
            ("handshake_bytes", limits.handshake_bytes == 0),
        ];
        if let Some((what, _)) = zero.iter().find(|(_, is_zero)| *is_zero) {
            return Err(ConfigError::Zero(what));
        }
        if timing.hunt_backoff_percent < HUNT_BACKOFF_MIN {
            return Err(ConfigError::TooSmall { what: "hunt_backoff_percent", min: HUNT_BACKOFF_MIN });
        }
        Ok(())
    }
}

/// Spans of time, with Ceph's own defaults where it has one.
#[derive(Debug, Clone)]
pub struct Timing {
    /// From dialling to the end of the handshake (`ms_connection_ready_timeout`, 10 s).
    pub handshake: Duration,
    /// One round of dialling monitors (`mon_client_hunt_interval`, 3 s).
    pub hunt: Duration,
    /// Monitors dialled at once (`mon_client_hunt_parallel`, 3).
    pub hunt_parallel: usize,
    /// Growth of the round after a failed one (`mon_client_hunt_interval_backoff`, 1.5, in percent; at least 100).
    pub hunt_backoff_percent: u32,
    /// The longest round, as a multiple (`mon_client_hunt_interval_max_multiple`, 10).
    pub hunt_max_multiple: u32,
    /// Between keepalives on a connection that is in use (`mon_client_ping_interval`, 10 s).
    pub keepalive: Duration,
    /// A connection with a keepalive unanswered for this long is dead (15 s).
    pub keepalive_timeout: Duration,
    /// First wait before an OSD is dialled again (`ms_initial_backoff`, 0.2 s); doubles each time.
    pub redial_min: Duration,
    /// Longest wait before an OSD is dialled again (`ms_max_backoff`, 15 s).
    pub redial_max: Duration,
    /// A client that does not follow the map asks for a newer one if a request is unanswered for so long
    /// (`objecter_timeout`, 10 s).
    pub unanswered: Duration,
    /// First wait before a lost watch is registered again (0.1 s); doubles each time.
    pub reregister_min: Duration,
    /// Longest wait before a lost watch is registered again (10 s).
    pub reregister_max: Duration,
    /// What a notify waits beyond its timeout for the OSD's word on it (5 s).
    pub notify_grace: Duration,
    /// An OSD's connection that nothing needs is closed after this (60 s).
    pub idle: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            handshake: Duration::from_secs(10),
            hunt: Duration::from_secs(3),
            hunt_parallel: 3,
            hunt_backoff_percent: 150,
            hunt_max_multiple: 10,
            keepalive: Duration::from_secs(10),
            keepalive_timeout: Duration::from_secs(15),
            redial_min: Duration::from_millis(200),
            redial_max: Duration::from_secs(15),
            unanswered: Duration::from_secs(10),
            reregister_min: Duration::from_millis(100),
            reregister_max: Duration::from_secs(10),
            notify_grace: Duration::from_secs(5),
            idle: Duration::from_secs(60),
        }
    }
}

/// Bounds on what a client keeps. No peer can make it keep more.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Watches at a time (2^20), those included that are ending or whose last events are not taken yet: beyond
    /// it a command is refused.
    pub watches: usize,
    /// Calls and notifies in flight (1024): beyond it a command is refused as busy. Unwatches never are, for
    /// closing always wins; no more of them can be under way than there are `watches`.
    pub ops_in_flight: usize,
    /// Bytes of encoded frames that wait for one socket (256 KiB) before no more are encoded.
    pub outbox_bytes: usize,
    /// Largest front segment taken from a peer (16 MiB); maps and notify payloads are fronts. An OSD map that
    /// grew by incrementals is kept up to three times this, encoded; then the newest full one takes its place,
    /// and watches are reconnected if epochs lie between.
    pub front_bytes: usize,
    /// Largest data segment taken from a peer (64 MiB); what is read and acks are data.
    pub data_bytes: usize,
    /// Largest frame taken before a peer has logged in (64 KiB).
    pub handshake_bytes: usize,
    /// Largest payload of a notify and of an ack (1 MiB).
    pub payload_bytes: usize,
    /// Largest content of a write (64 MiB).
    pub write_bytes: usize,
    /// Longest object name (2048 bytes, `osd_max_object_name_len`). An OSD that tells of a longer one, in a
    /// backoff or a redirect, is faulty: so it must not be below what the cluster's other clients use.
    pub name_bytes: usize,
    /// Longest namespace (256 bytes, `osd_max_object_namespace_len`); the same holds for it.
    pub namespace_bytes: usize,
    /// Notifies kept for one watch until they are taken (1024), unless the watch says otherwise.
    pub notifies_per_watch: usize,
    /// Bytes of payloads kept for all watches until they are taken (64 MiB).
    pub notify_bytes: usize,
    /// Backoffs one OSD may have in force on a connection (4096).
    pub backoffs: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            watches: 1 << 20,
            ops_in_flight: 1024,
            outbox_bytes: 256 << 10,
            front_bytes: 16 << 20,
            data_bytes: 64 << 20,
            handshake_bytes: 64 << 10,
            payload_bytes: 1 << 20,
            write_bytes: 64 << 20,
            name_bytes: 2048,
            namespace_bytes: 256,
            notifies_per_watch: 1024,
            notify_bytes: 64 << 20,
            backoffs: 4096,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::AuthName;

    fn checked(change: impl FnOnce(&mut Timing)) -> Result<(), ConfigError> {
        let credentials = Credentials { name: AuthName::client("admin"), key: None };
        let mut config = Config::new(credentials, Some("v2:127.0.0.1:3300".parse().unwrap()));
        change(&mut config.timing);
        config.check()
    }

    #[test]
    fn rounds_of_hunting_never_shrink() {
        assert_eq!(checked(|timing| timing.hunt_backoff_percent = 100), Ok(()));
        let refused = Err(ConfigError::TooSmall { what: "hunt_backoff_percent", min: 100 });
        assert_eq!(checked(|timing| timing.hunt_backoff_percent = 99), refused);
        assert_eq!(checked(|timing| timing.hunt_max_multiple = 1), Ok(()));
        assert_eq!(
            checked(|timing| timing.hunt_max_multiple = 0),
            Err(ConfigError::Zero("hunt_max_multiple"))
        );
    }

    #[test]
    fn attempts_have_waits_between_them() {
        let least = Duration::from_nanos(1);
        assert_eq!(checked(|timing| (timing.redial_max, timing.reregister_max) = (least, least)), Ok(()));
        let refused = checked(|timing| timing.redial_max = Duration::ZERO);
        assert_eq!(refused, Err(ConfigError::Zero("redial_max")));
        let refused = checked(|timing| timing.reregister_max = Duration::ZERO);
        assert_eq!(refused, Err(ConfigError::Zero("reregister_max")));
        assert_eq!(checked(|timing| timing.notify_grace = Duration::ZERO), Ok(()), "none is meant");
    }
}
