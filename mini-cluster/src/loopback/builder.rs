//! How a cluster on TCP shall be, and starting it.

use super::MiniCluster;
use super::folder::{Folder, Found};
use crate::servers::Servers;
use crate::settings::{Auth, PoolSpec, Settings, User};
use crate::who::Who;
use linger_core::auth::ConMode;
use linger_core::{Timestamp, UnixTime};
use linger_wire::cephx::KeyType;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, TcpListener};
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

/// How a cluster on TCP shall be.
#[derive(Debug, Clone)]
pub struct Builder {
    ip: IpAddr,
    port: u16,
    osds: u16,
    auth: Auth,
    modes: Vec<ConMode>,
    pools: Vec<PoolSpec>,
    users: Vec<User>,
    down_after: Option<Duration>,
    dir: Option<PathBuf>,
    tune: Option<fn(&mut Settings)>,
    seed: Option<[u8; 32]>,
}

impl Default for Builder {
    /// A monitor and three OSDs on free ports of 127.0.0.1, cephx with AES keys, crc and
    /// secure mode, pools `rbd` and `test`.
    fn default() -> Self {
        Self {
            ip: Ipv4Addr::LOCALHOST.into(),
            port: 0,
            osds: 3,
            auth: Auth::Cephx(KeyType::Aes),
            modes: vec![ConMode::Crc, ConMode::Secure],
            pools: vec![PoolSpec::new("rbd"), PoolSpec::new("test")],
            users: Vec::new(),
            down_after: Some(Duration::from_secs(1)),
            dir: None,
            tune: None,
            seed: None,
        }
    }
}

impl Builder {
    /// The monitor's port; OSDs take those after it. 0 stands for any free ones.
    #[must_use]
    pub fn port(self, port: u16) -> Self {
        Self { port, ..self }
    }

    /// The number of OSDs, 1 to 100.
    #[must_use]
    pub fn osds(self, osds: u16) -> Self {
        Self { osds: osds.clamp(1, 100), ..self }
    }

    /// How clients log in.
    #[must_use]
    pub fn auth(self, auth: Auth) -> Self {
        Self { auth, ..self }
    }

    /// How connections may be protected: both by default, so that each client has what it prefers.
    #[must_use]
    pub fn modes(self, modes: Vec<ConMode>) -> Self {
        Self { modes, ..self }
    }

    /// The pools, from number 1 on.
    #[must_use]
    pub fn pools(self, pools: Vec<PoolSpec>) -> Self {
        Self { pools, ..self }
    }

    /// Who may log in besides `client.admin`.
    #[must_use]
    pub fn users(self, users: Vec<User>) -> Self {
        Self { users, ..self }
    }

    /// When the monitor notices that an OSD is dead; never by itself if `None`.
    #[must_use]
    pub fn down_after(self, down_after: Option<Duration>) -> Self {
        Self { down_after, ..self }
    }

    /// Changes what has no method here; called last. The addresses have to stay as they are.
    #[must_use]
    pub fn tune(self, change: fn(&mut Settings)) -> Self {
        Self { tune: Some(change), ..self }
    }

    /// Keeps the cluster in a folder, and goes on with the one that is there: its id, keys, pools, map, and
    /// objects with their registered watches. The number of OSDs and the way to log in have to be as they
    /// were; [`pools`](Self::pools) and [`seed`](Self::seed) are for a new one only. What a write gave is not
    /// kept: one that is sent again after a restart is done again.
    ///
    /// No other process can use the folder meanwhile. A crash of this one loses nothing that a client was told
    /// of; one of the machine may.
    #[must_use]
    pub fn dir(self, dir: impl Into<PathBuf>) -> Self {
        Self { dir: Some(dir.into()), ..self }
    }

    /// Makes the same keys, ids and nonces each time.
    #[must_use]
    pub fn seed(self, seed: [u8; 32]) -> Self {
        Self { seed: Some(seed), ..self }
    }

    /// Starts the cluster.
    ///
    /// # Errors
    /// A port is taken, the folder is in use, damaged, or of another kind of cluster, no connection could ever be made (secure ones need keys), or the system has no entropy or no thread left.
    pub fn start(self) -> io::Result<MiniCluster> {
        let usable = |mode: &ConMode| *mode == ConMode::Crc || self.auth != Auth::None;
        if !self.modes.iter().any(usable) {
            let why = "secure connections need keys: choose another mode, or cephx";
            return Err(io::Error::new(ErrorKind::InvalidInput, why));
        }
        let mut seed = [0; 32];
        match self.seed {
            Some(fixed) => seed = fixed,
            None => getrandom::fill(&mut seed).map_err(io::Error::other)?,
        }
        let port = |n: u16| match self.port {
            0 => Some(0),
            port => port.checked_add(n),
        };
        let bind = |n: u16| {
            let port = port(n).ok_or_else(|| io::Error::new(ErrorKind::InvalidInput, "no port left"))?;
            let listener = TcpListener::bind((self.ip, port))?;
            listener.set_nonblocking(true)?;
            Ok((listener.local_addr()?, listener))
        };
        let (mon, mon_listener) = bind(0)?;
        let (osds, osd_listeners): (Vec<_>, Vec<_>) =
            (1..=self.osds).map(bind).collect::<io::Result<Vec<_>>>()?.into_iter().unzip();
        let osd_listeners = (0..).map(Who::Osd).zip(osd_listeners);
        let listeners = std::iter::once((Who::Mon(0), mon_listener)).chain(osd_listeners).collect();
        let mut settings = Settings::new(vec![mon], osds);
        settings.auth = self.auth;
        settings.modes = self.modes;
        settings.pools = self.pools;
        settings.users = self.users;
        settings.down_after = self.down_after;
        if let Some(change) = self.tune {
            change(&mut settings);
        }
        let unix = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let (now, unix) = (Timestamp::default(), UnixTime(unix));
        let Some((folder, found)) = self.dir.map(|dir| Folder::open(&dir)).transpose()? else {
            return MiniCluster::run(Servers::new(now, unix, settings, seed), mon, listeners, None);
        };
        let mut servers = match found {
            Some(found) => again(now, unix, settings, seed, found)?,
            None => Servers::new(now, unix, settings, seed),
        };
        servers.keep_changes();
        MiniCluster::run(servers, mon, listeners, Some(folder))
    }
}

/// Goes on with a cluster that was kept, if it is of the same kind.
fn again(
    now: Timestamp,
    unix: UnixTime,
    settings: Settings,
    seed: [u8; 32],
    found: Found,
) -> io::Result<Servers> {
    let Found { cluster, objects } = found;
    let osds = settings.osds.len();
    if usize::try_from(cluster.map.max_osd) != Ok(osds) {
        let why = format!("the folder has a cluster of {} OSDs, not of {osds}", cluster.map.max_osd);
        return Err(io::Error::new(ErrorKind::InvalidInput, why));
    }
    if matches!(settings.auth, Auth::Cephx(kind) if kind != cluster.keys.admin.key_type()) {
        let why = format!("the folder has a cluster with keys of type {:?}", cluster.keys.admin.key_type());
        return Err(io::Error::new(ErrorKind::InvalidInput, why));
    }
    Ok(Servers::again(now, unix, settings, seed, cluster, objects))
}
