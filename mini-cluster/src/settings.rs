//! What a cluster shall be like.

use linger_core::auth::ConMode;
use linger_wire::cephx::{AuthName, CryptoKey, KeyType};
use std::net::SocketAddr;
use std::time::Duration;

/// How clients prove who they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Auth {
    /// Not at all.
    None,
    /// By keys of this type; so are all session keys.
    Cephx(KeyType),
}

/// Somebody who may log in.
#[derive(Debug, Clone)]
pub struct User {
    /// Who.
    pub name: AuthName,
    /// The key.
    pub key: CryptoKey,
    /// What the user may do at OSDs, as Ceph writes it: `allow *`, `allow rw`, `allow r`. Restrictions to
    /// pools or objects are not understood and ignored.
    pub osd_caps: String,
    /// What the user may ask of monitors; counts for commands only.
    pub mon_caps: String,
}

/// A pool.
#[derive(Debug, Clone)]
pub struct PoolSpec {
    /// Its name.
    pub name: String,
    /// Its placement groups, 1 to 1024.
    pub pg_num: u32,
}

impl PoolSpec {
    /// A pool of eight placement groups.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), pg_num: 8 }
    }
}

/// What a cluster shall be like.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where monitors listen, one for each.
    pub mons: Vec<SocketAddr>,
    /// Where OSDs listen, one for each.
    pub osds: Vec<SocketAddr>,
    /// The pools, from number 1 on. Each has a copy on up to three OSDs.
    pub pools: Vec<PoolSpec>,
    /// How clients log in.
    pub auth: Auth,
    /// How connections may be protected; a client gets the first of its own list that is in here, and is
    /// refused if there is none. As in Ceph, secure connections need keys: with [`Auth::None`] only
    /// [`ConMode::Crc`] counts.
    pub modes: Vec<ConMode>,
    /// Who may log in besides `client.admin`.
    pub users: Vec<User>,
    /// How long tickets for OSDs and monitors are good (`auth_service_ticket_ttl`).
    pub ticket_ttl: Duration,
    /// How long the ticket is good that gets other tickets (`auth_mon_ticket_ttl`).
    pub login_ttl: Duration,
    /// When the monitors notice that an OSD is dead; never by themselves if `None`.
    pub down_after: Option<Duration>,
    /// An OSD gets a new map within this; drawn anew for each.
    pub map_delay: Duration,
    /// A placement group serves again within this after a new interval began; drawn anew for each.
    pub peering: Duration,
    /// Whether clients are told to hold back meanwhile (`osd_backoff_on_peering`), or just wait.
    pub backoff_on_peering: bool,
    /// Seconds until a watch without pings is dropped, if the watcher did not say
    /// (`osd_client_watch_timeout`).
    pub watch_timeout: u32,
    /// Seconds that a notify waits for acks, if the notifier did not say (`osd_default_notify_timeout`).
    pub notify_timeout: u32,
    /// How many epochs of the map are kept; at least 1.
    pub epochs: u32,
}

impl Settings {
    /// A cluster with these addresses, Ceph's own timeouts, cephx, both modes, and the pools `rbd`
    /// and `test`.
    #[must_use]
    pub fn new(mons: Vec<SocketAddr>, osds: Vec<SocketAddr>) -> Self {
        Self {
            mons,
            osds,
            pools: vec![PoolSpec::new("rbd"), PoolSpec::new("test")],
            auth: Auth::Cephx(KeyType::Aes),
            modes: vec![ConMode::Crc, ConMode::Secure],
            users: Vec::new(),
            ticket_ttl: Duration::from_secs(3600),
            login_ttl: Duration::from_secs(3 * 86_400),
            down_after: Some(Duration::from_secs(1)),
            map_delay: Duration::ZERO,
            peering: Duration::ZERO,
            backoff_on_peering: false,
            watch_timeout: 30,
            notify_timeout: 30,
            epochs: 500,
        }
    }
}
