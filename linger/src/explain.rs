//! What to try when the cluster or the library says no.

use crate::failure::Failure;
use crate::route;
use linger_client::config::Settings;
use linger_client::{ClusterEvent, ConnectError, Error};
use linger_core::auth::AuthError;
use linger_core::{CommandError, ConfigError, ConnFault, LossCause, MapError, OpError, WatchError};
use linger_wire::cephx::KeyType;
use linger_wire::{DecodeErrorKind, errno};

/// Why there is no connection.
pub fn connecting(error: &Error, settings: &Settings) -> Failure {
    let Error::Connect(failed) = error else { return explain(error) };
    let fault = match &failed.last {
        Some(ClusterEvent::MonFault { fault, .. }) => Some(fault),
        _ => None,
    };
    match fault {
        Some(ConnFault::Auth(why)) => Failure::new(
            format_args!("cannot log in as {}", settings.name),
            why,
            hint_of_login(why, settings),
        ),
        _ => Failure::new("cannot reach the cluster", reached(failed), hint_of_connecting(failed, settings)),
    }
}

fn hint_of_login(why: &AuthError, settings: &Settings) -> String {
    match why {
        AuthError::ModesRefused { .. } | AuthError::NoMode => {
            "allow one of those modes in ms_mon_client_mode and ms_client_mode".to_owned()
        }
        AuthError::MethodsRefused { .. } => "set auth_client_required to what the cluster allows".to_owned(),
        AuthError::KeyType { .. } => {
            format!("make a key that linger knows: 'ceph auth get-or-create' {}", settings.name)
        }
        AuthError::Refused { key_type: Some(KeyType::Aes), .. } => format!(
            "compare {} with 'ceph auth get {}', and its type with auth_allowed_ciphers in 'ceph mon dump', which \
             clusters have since Tentacle",
            key_source(settings),
            settings.name
        ),
        _ => format!("compare {} with 'ceph auth get {}'", key_source(settings), settings.name),
    }
}

/// Why an OSD can not be talked to, although the monitors can. Other events are no fault of an OSD.
pub fn osd(event: &ClusterEvent) -> Failure {
    let ClusterEvent::OsdFault { osd, addr, fault, .. } = event else {
        return Failure::new("cannot go on", event, "try again with -v");
    };
    if let ConnFault::Auth(why) = fault {
        return Failure::new(format_args!("cannot log in at osd.{osd}"), why, hint_of_osd_login(why));
    }
    let hint = match (addr, fault) {
        (Some(addr), ConnFault::Unreachable) => route::missing(*addr),
        (None, ConnFault::Unreachable) => Some(NO_ADDRESS.to_owned()),
        (_, ConnFault::OnlyV1) => Some(NO_SECURE_ADDRESS.to_owned()),
        (_, fault) => hint_of_features(fault),
    };
    let hint = hint.unwrap_or_else(|| "check the network, and that the OSD runs: 'ceph osd tree'".to_owned());
    Failure::new(format_args!("cannot reach osd.{osd}"), event, hint)
}

const NO_ADDRESS: &str = "it has no address that linger can dial: see 'ceph osd dump'";
const NO_SECURE_ADDRESS: &str = "let it bind to msgr2 (ms_bind_msgr2), or allow crc in ms_client_mode";

fn hint_of_osd_login(why: &AuthError) -> &'static str {
    match why {
        AuthError::ModesRefused { .. } | AuthError::NoMode => "allow one of those modes in ms_client_mode",
        AuthError::Refused { .. } => {
            "the client has no caps for OSDs, or the clocks of that OSD and the monitors differ: see 'ceph auth \
             get', 'ceph time-sync-status'"
        }
        _ => "see the OSD's log, and whether its clock is right",
    }
}

/// What the two sides lack of each other, by the names that Ceph has for it.
fn hint_of_features(fault: &ConnFault) -> Option<String> {
    let (ConnFault::ClientLacks(lacking) | ConnFault::PeerLacks(lacking)) = fault else { return None };
    let bits: Vec<_> = (0..64).filter(|bit| lacking.0 >> bit & 1 == 1).map(|bit| bit.to_string()).collect();
    let bits = format!("bits {} of ceph_features.h", bits.join(", "));
    Some(match fault {
        ConnFault::ClientLacks(_) => {
            format!("{bits}: see require_min_compat_client in 'ceph osd dump'; the cluster may be too new")
        }
        _ => format!("{bits}: clusters from Nautilus to Tentacle are supported"),
    })
}

/// The connection is gone while something else was expected.
pub fn closed() -> Failure {
    Failure::new("cannot go on", "the client was closed", "try again with -v")
}

/// Where the key that was used comes from.
fn key_source(settings: &Settings) -> String {
    match &settings.keyring_path {
        Some(path) => path.display().to_string(),
        None => "the key".to_owned(),
    }
}

fn reached(error: &ConnectError) -> String {
    let within = error.within.map(|within| format!(" within {within:?}")).unwrap_or_default();
    match &error.last {
        Some(last) => {
            format!("{last}{}", if within.is_empty() { within } else { format!(", no better{within}") })
        }
        None => format!("no monitor answered{within}"),
    }
}

fn hint_of_connecting(error: &ConnectError, settings: &Settings) -> String {
    if settings.mon_host.is_none() {
        let conf = match &settings.conf_file {
            Some(file) => format!("{} has no mon_host", file.display()),
            None => "there is no configuration file".to_owned(),
        };
        return format!("{conf}: name one with -c/--conf, or the monitors with -m/--mon-host");
    }
    if let Some(ClusterEvent::MonFault { fault, addr, .. }) = &error.last {
        let route = addr.filter(|_| matches!(fault, ConnFault::Unreachable)).and_then(route::missing);
        if let Some(hint) = route.or_else(|| hint_of_features(fault)) {
            return hint;
        }
    }
    match &error.last {
        Some(ClusterEvent::MonFault { fault, .. }) => match fault {
            ConnFault::Unreachable | ConnFault::HandshakeTimeout | ConnFault::KeepaliveTimeout => {
                "check mon_host, the network, and that monitors run"
            }
            ConnFault::WrongCluster { .. } => "check fsid and mon_host",
            ConnFault::ProtocolVersion { .. } => "clusters from Nautilus to Tentacle are supported",
            _ => "check that mon_host names ports of monitors: 3300 for v2 and 6789 for v1 as a rule",
        },
        Some(ClusterEvent::MapFault { error, .. }) => hint_of_map(error),
        Some(ClusterEvent::ResolveFault { .. }) => "check mon_host and the name service",
        _ => "check mon_host, the network, and that monitors run",
    }
    .to_owned()
}

fn hint_of_map(error: &MapError) -> &'static str {
    match error {
        MapError::Decode(error) => match error.kind {
            DecodeErrorKind::TooNew { .. } => "the cluster is newer than this linger: try a newer one",
            DecodeErrorKind::TooOld { .. } => "clusters from Nautilus on are supported",
            _ => "look at the map with 'ceph osd getmap' and 'linger osdmap'",
        },
        _ => "look at the map with 'ceph osd getmap' and 'linger osdmap'",
    }
}

/// Why the library did not do what it was asked for.
pub fn explain(error: &Error) -> Failure {
    match error {
        Error::Op { what, object, error } => {
            Failure::new(format_args!("cannot {what} {object}"), error, hint_of_op(error))
        }
        Error::Watch { object, error } => {
            Failure::new(format_args!("cannot watch {object}"), error, hint_of_watch(error))
        }
        Error::Command { what, object, error } => {
            Failure::new(format_args!("cannot {what} {object}"), error, hint_of_command(error))
        }
        Error::Config(error) => {
            Failure::new("no client can start with this configuration", error, hint_of_config(error))
        }
        Error::Settings(error) => Failure::settings(error),
        Error::Connect(_) => Failure::new("cannot reach the cluster", error, "try again with -v"),
        _ => Failure::new("cannot go on", error, "try again with -v"),
    }
}

fn hint_of_op(error: &OpError) -> &'static str {
    match error {
        OpError::NoPool => POOLS,
        OpError::Errno(errno::ENOENT) => "create it first, as 'linger watch --create' does",
        OpError::Errno(errno::EPERM | errno::EACCES) => CAPS,
        OpError::Errno(errno::EBLOCKLISTED) => BLOCKLIST,
        OpError::DeadlinePassed => HEALTH,
        _ => "try again with -v",
    }
}

/// What to try after a watch was lost for good.
fn hint_of_watch(error: &WatchError) -> &'static str {
    match error.cause {
        LossCause::ObjectGone => "create it with --create",
        LossCause::PoolGone => POOLS,
        LossCause::Denied => CAPS,
        LossCause::Blocklisted => BLOCKLIST,
        LossCause::Held => HEALTH,
        _ => "try again with -v",
    }
}

pub const POOLS: &str = "'ceph osd pool ls' lists the pools";
const CAPS: &str = "a watch needs osd caps 'allow rw' in its pool, a notify 'allow r': see 'ceph auth get', or log in \
                    as another with -n/--name";
const BLOCKLIST: &str = "see 'ceph osd blocklist ls'; a new client gets a new address";
pub const HEALTH: &str = "see 'ceph health': the object's OSDs may be down or full";

fn hint_of_command(error: &CommandError) -> &'static str {
    match error {
        CommandError::TooLong { .. } => "make it shorter",
        CommandError::NoName => "give it a name",
        CommandError::BadTimeout => "give another --timeout",
        _ => "try again",
    }
}

fn hint_of_config(error: &ConfigError) -> &'static str {
    match error {
        ConfigError::NoAuthMethod => "set auth_client_required to cephx",
        ConfigError::NoKey => "name a keyring with -k/--keyring",
        ConfigError::NoMode => {
            "secure mode needs a key; or allow crc in ms_client_mode and ms_mon_client_mode"
        }
        ConfigError::NoV2Monitor => {
            "name msgr2 addresses with -m/--mon-host: v2:HOST:3300; or allow crc in ms_mon_client_mode"
        }
        _ => "correct the configuration",
    }
}
