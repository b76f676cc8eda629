//! The cluster on TCP, from a thread of its own.

mod builder;
mod folder;
mod serve;

pub use builder::Builder;

use crate::servers::Servers;
use crate::settings::Auth;
use crate::who::Who;
use folder::Folder;
use linger_core::Timestamp;
use linger_core::auth::ConMode;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::Duration;
use std::{fs, thread};

/// Something to be done with the servers, now.
type Job = Box<dyn FnOnce(&mut Servers, Timestamp) + Send>;

/// A running cluster on TCP; dropping it ends it.
///
/// ```
/// use linger_mini_cluster::MiniCluster;
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let dir = std::env::temp_dir().join(format!("mini-cluster-{}", std::process::id()));
/// # let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
/// # runtime.block_on(async {
/// let cluster = MiniCluster::start().await?;
/// let conf = cluster.write_conf(&dir)?.display().to_string();
/// let client = linger_tokio::connect(linger_tokio::config::Settings::builder().conf(conf).build()?).await?;
/// # client.pool("rbd").write_full("greeting", "hello").await?;
/// # std::fs::remove_dir_all(&dir)?;
/// # Ok(())
/// # })
/// # }
/// ```
///
/// Any Ceph client works with such a `ceph.conf`: `rados -c`, `ceph -c`, `linger -c`, or a library.
///
/// # Faults
///
/// [`MiniCluster::with`] gives the [`Servers`] to break:
///
/// | what happens | how |
/// |---|---|
/// | an OSD or a monitor dies, and comes back | [`kill`](Servers::kill), [`restart`](Servers::restart) |
/// | the monitors notice that: by themselves, or when you say so | [`down_after`](Builder::down_after), [`mark_down`](Servers::mark_down) |
/// | an OSD hangs, and goes on | [`pause`](Servers::pause), [`resume`](Servers::resume) |
/// | an object moves: to the OSDs of your choice, by an OSD's weight | [`place`](Servers::place), [`set_in`](Servers::set_in) |
/// | a new interval with the same primary | [`new_interval`](Servers::new_interval) |
/// | requests are lost, or late | [`lose_requests`](Servers::lose_requests), [`delay_requests`](Servers::delay_requests) |
/// | a connection is lost | [`sessions`](Servers::sessions), [`reset`](Servers::reset) |
/// | a pool gets more or fewer placement groups | [`set_pg_num`](Servers::set_pg_num) |
/// | a pool is made, removed, made to fail | [`create_pool`](Servers::create_pool), [`remove_pool`](Servers::remove_pool), [`set_pool_flags`](Servers::set_pool_flags) |
/// | reads and writes pause, the cluster is full | [`set_flags`](Servers::set_flags) |
/// | a client is locked out, and let in again | [`blocklist`](Servers::blocklist), [`unblocklist`](Servers::unblocklist) |
/// | maps reach OSDs late, groups take their time to peer, tickets expire soon | [`tune`](Builder::tune) |
/// | a client has to skip epochs of the map | [`trim`](Servers::trim) |
///
/// What really happened is in the [`journal`](Servers::journal), to compare a client with.
#[derive(Debug)]
pub struct MiniCluster {
    jobs: tokio::sync::mpsc::UnboundedSender<Job>,
    thread: Option<JoinHandle<()>>,
    mon: SocketAddr,
    auth: Auth,
    modes: Vec<ConMode>,
    key: String,
    fsid: String,
    failure: Option<tokio::sync::oneshot::Receiver<io::Error>>,
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

    fn run(
        servers: Servers,
        mon: SocketAddr,
        listeners: Vec<(Who, TcpListener)>,
        folder: Option<Folder>,
    ) -> io::Result<Self> {
        let (failed, failure) = tokio::sync::oneshot::channel();
        let (jobs, queue) = tokio::sync::mpsc::unbounded_channel();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (auth, modes) = (servers.settings().auth, servers.settings().modes.clone());
        let key = servers.admin().key.to_base64();
        let fsid = servers.fsid().to_string();
        let name = "mini-cluster".to_owned();
        let thread = thread::Builder::new().name(name).spawn(move || {
            if let Err(error) = runtime.block_on(serve::serve(servers, listeners, queue, folder)) {
                // Nobody may want to know.
                let _ = failed.send(error);
            }
        })?;
        Ok(Self { jobs, thread: Some(thread), mon, auth, modes, key, fsid, failure: Some(failure) })
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

    /// Waits until the cluster can not be kept in its [folder](Builder::dir) any more, and why: all its daemons
    /// are gone then. Never comes without a folder. Needs no runtime.
    pub async fn failure(&mut self) -> io::Error {
        if let Some(failure) = self.failure.as_mut()
            && let Ok(error) = failure.await
        {
            self.failure = None;
            return error;
        }
        std::future::pending().await
    }

    /// What stands in its ceph.conf; `keyring` is where the key is.
    ///
    /// # Errors
    /// No ceph.conf can name that path.
    pub fn conf(&self, keyring: &Path) -> io::Result<String> {
        let keyring = value(keyring)?;
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
        Ok(format!(
            "[global]\n\
             fsid = {}\n\
             mon_host = [v2:{}]\n\
             keyring = {keyring}\n\
             auth_cluster_required = {method}\n\
             auth_service_required = {method}\n\
             auth_client_required = {method}\n\
             {modes}",
            self.fsid, self.mon,
        ))
    }

    /// Writes `ceph.conf` and the keyring of `client.admin` into a folder, which is made if need be, and
    /// returns the path of the former: all that a Ceph client needs.
    ///
    /// # Errors
    /// They can not be written, or (`InvalidInput`) the folder has a `,`, `;`, `$` or control character in its path:
    /// in a ceph.conf those do not stand for themselves.
    pub fn write_conf(&self, dir: &Path) -> io::Result<PathBuf> {
        fs::create_dir_all(dir)?;
        let dir = dir.canonicalize()?;
        let keyring = dir.join("keyring");
        let text = self.conf(&keyring)?;
        fs::write(&keyring, format!("[client.admin]\n\tkey = {}\n", self.key))?;
        let conf = dir.join("ceph.conf");
        fs::write(&conf, text)?;
        Ok(conf)
    }
}

/// A path as the value of an option that is a list of files: Pacific's and Tentacle's programs find such a keyring.
fn value(path: &Path) -> io::Result<String> {
    let refused = |why: &str| {
        let text = format!("no ceph.conf can name {path:?}: {why}");
        io::Error::new(io::ErrorKind::InvalidInput, text)
    };
    let text = path.to_str().ok_or_else(|| refused("it is not UTF-8"))?;
    if text.contains([',', ';']) {
        return Err(refused("',' and ';' separate files"));
    }
    if text.contains('$') {
        return Err(refused("'$' begins a variable"));
    }
    if text.contains(char::is_control) || text.trim() != text {
        return Err(refused("it has control characters, or blanks around it"));
    }
    let mut value = String::new();
    for c in text.chars() {
        if matches!(c, '#' | '\\' | '"' | '\'') {
            value.push('\\');
        }
        value.push(c);
    }
    Ok(value)
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
