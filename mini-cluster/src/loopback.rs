//! The cluster on TCP, from a thread of its own.

mod serve;

use crate::servers::Servers;
use crate::settings::{Auth, PoolSpec, Settings};
use crate::who::Who;
use linger_core::auth::ConMode;
use linger_core::{Timestamp, UnixTime};
use linger_wire::cephx::KeyType;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime};
use std::{fs, thread};

/// How a cluster on TCP shall be.
#[derive(Debug, Clone)]
pub struct Builder {
    ip: IpAddr,
    port: u16,
    osds: u16,
    auth: Auth,
    modes: Vec<ConMode>,
    pools: Vec<PoolSpec>,
    down_after: Option<Duration>,
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
            down_after: Some(Duration::from_secs(1)),
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

    /// When the monitor notices that an OSD is dead; never by itself if `None`.
    #[must_use]
    pub fn down_after(self, down_after: Option<Duration>) -> Self {
        Self { down_after, ..self }
    }

    /// Makes the same keys, ids and nonces each time.
    #[must_use]
    pub fn seed(self, seed: [u8; 32]) -> Self {
        Self { seed: Some(seed), ..self }
    }

    /// Starts the cluster.
    ///
    /// # Errors
    /// A port is taken, no connection could ever be made (secure ones need keys), or the system has no entropy or no thread left.
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
        settings.down_after = self.down_after;
        let unix = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let servers = Servers::new(Timestamp::default(), UnixTime(unix), settings, seed);
        MiniCluster::run(servers, mon, listeners)
    }
}

/// Something to be done with the servers, now.
type Job = Box<dyn FnOnce(&mut Servers, Timestamp) + Send>;

/// A running cluster on TCP; dropping it ends it.
///
/// ```
/// # async fn example() -> std::io::Result<()> {
/// use linger_mini_cluster::MiniCluster;
/// let cluster = MiniCluster::start().await?;
/// let conf = cluster.write_conf(&std::env::temp_dir().join("mini"))?;
/// // Any Ceph client works with it: `rados -c CONF`, `linger -c CONF`, or a library.
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct MiniCluster {
    jobs: tokio::sync::mpsc::UnboundedSender<Job>,
    thread: Option<JoinHandle<()>>,
    mon: SocketAddr,
    auth: Auth,
    modes: Vec<ConMode>,
    key: String,
    fsid: String,
}

impl MiniCluster {
    /// Starts a cluster as [`Builder::default`] has it. Needs no runtime.
    ///
    /// # Errors
    /// As [`Builder::start`].
    pub async fn start() -> io::Result<Self> {
        Builder::default().start()
    }

    /// A cluster with other settings.
    #[must_use]
    pub fn builder() -> Builder {
        Builder::default()
    }

    fn run(servers: Servers, mon: SocketAddr, listeners: Vec<(Who, TcpListener)>) -> io::Result<Self> {
        let (jobs, queue) = tokio::sync::mpsc::unbounded_channel();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (auth, modes) = (servers.settings().auth, servers.settings().modes.clone());
        let key = servers.admin().key.to_base64();
        let fsid = servers.fsid().to_string();
        let name = "mini-cluster".to_owned();
        let thread = thread::Builder::new().name(name).spawn(move || {
            runtime.block_on(serve::serve(servers, listeners, queue));
        })?;
        Ok(Self { jobs, thread: Some(thread), mon, auth, modes, key, fsid })
    }

    /// The monitor's address.
    #[must_use]
    pub fn mon(&self) -> SocketAddr {
        self.mon
    }

    /// The key of `client.admin`, as it stands in a keyring.
    #[must_use]
    pub fn admin_key(&self) -> &str {
        &self.key
    }

    /// Does something with the servers, such as a fault, and waits for what it gives. The time of the
    /// servers' clock comes with them.
    ///
    /// ```
    /// # let cluster = linger_mini_cluster::MiniCluster::builder().start()?;
    /// use linger_mini_cluster::Who;
    /// cluster.with(|servers, now| servers.kill(now, Who::Osd(0)));
    /// let epoch = cluster.with(|servers, _| servers.map().epoch);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Panics
    /// If the job panics.
    pub fn with<R: Send + 'static>(
        &self,
        job: impl FnOnce(&mut Servers, Timestamp) -> R + Send + 'static,
    ) -> R {
        let (answer, result) = mpsc::channel();
        let job = move |servers: &mut Servers, now| {
            // The caller waits for it.
            let _ = answer.send(job(servers, now));
        };
        assert!(self.jobs.send(Box::new(job)).is_ok(), "the cluster's thread is gone");
        result.recv().expect("the cluster's thread answers")
    }

    /// What stands in its ceph.conf; `keyring` is where the key is.
    #[must_use]
    pub fn conf(&self, keyring: &Path) -> String {
        let method = match self.auth {
            Auth::None => "none",
            Auth::Cephx(_) => "cephx",
        };
        // With both, clients do as they are told elsewhere, or by default.
        let modes = match self.modes[..] {
            [ConMode::Secure] => "ms_client_mode = secure\nms_mon_client_mode = secure\n",
            [ConMode::Crc] => "ms_client_mode = crc\nms_mon_client_mode = crc\n",
            _ => "",
        };
        format!(
            "[global]\n\
             fsid = {}\n\
             mon_host = [v2:{}]\n\
             keyring = {}\n\
             auth_cluster_required = {method}\n\
             auth_service_required = {method}\n\
             auth_client_required = {method}\n\
             {modes}",
            self.fsid,
            self.mon,
            keyring.display(),
        )
    }

    /// Writes `ceph.conf` and the keyring of `client.admin` into a folder, which is made if need be, and
    /// returns the path of the former: all that a Ceph client needs.
    ///
    /// # Errors
    /// They can not be written.
    pub fn write_conf(&self, dir: &Path) -> io::Result<PathBuf> {
        fs::create_dir_all(dir)?;
        let dir = dir.canonicalize()?;
        let keyring = dir.join("keyring");
        fs::write(&keyring, format!("[client.admin]\n\tkey = {}\n", self.key))?;
        let conf = dir.join("ceph.conf");
        fs::write(&conf, self.conf(&keyring))?;
        Ok(conf)
    }
}

impl Drop for MiniCluster {
    fn drop(&mut self) {
        // The thread ends when nobody can give it a job any more.
        let (closed, _) = tokio::sync::mpsc::unbounded_channel();
        drop(std::mem::replace(&mut self.jobs, closed));
        if let Some(thread) = self.thread.take() {
            // A panic there was printed already.
            let _ = thread.join();
        }
    }
}

/// The servers' clock: time since it was made.
#[derive(Debug, Clone, Copy)]
struct Clock(std::time::Instant);

impl Clock {
    fn now(self) -> Timestamp {
        Timestamp::default().saturating_add(self.0.elapsed())
    }

    /// How long until then, rounded up to what timers can do.
    fn until(self, at: Timestamp) -> Duration {
        at.saturating_since(self.now())
    }
}
