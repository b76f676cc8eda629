//! A folder that keeps a cluster over restarts.

use anyhow::{Context, Result, bail, ensure};
use linger_mini_cluster::{Auth, Builder, KeyType, MiniCluster};
use linger_tokio::config::Settings;
use linger_tokio::{Cluster, ObjectRef, WatchEvent, WatchOptions};
use linger_wire::{AddrType, EntityAddr};
use std::io::ErrorKind;
use std::net::TcpListener;
use std::path::Path;
use std::time::Duration;
use tokio::time::timeout;

const PATIENCE: Duration = Duration::from_secs(20);

async fn connect(mini: &MiniCluster) -> Result<Cluster> {
    let settings =
        Settings::builder().mon_host(format!("v2:{}", mini.mon())).key(mini.admin_key()).build()?;
    Ok(timeout(PATIENCE, linger_tokio::connect(settings)).await??)
}

/// Starts a cluster on ports that a later one can take again.
fn start_at(dir: &Path) -> Result<(MiniCluster, u16)> {
    for _ in 0..20 {
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        match MiniCluster::builder().port(port).dir(dir).start() {
            Ok(mini) => return Ok((mini, port)),
            Err(error) if error.kind() == ErrorKind::AddrInUse => {}
            Err(error) => return Err(error.into()),
        }
    }
    bail!("no free ports");
}

/// A watch of a client that lives on goes on, and so does everything else.
#[tokio::test]
async fn a_cluster_goes_on_after_a_restart() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let (mini, port) = start_at(dir.path())?;
    let cluster = connect(&mini).await?;
    let pool = cluster.pool("rbd");
    pool.write_full("greeting", "content").await?;
    pool.write_full("gone", "").await?;
    pool.remove("gone").await?;
    let mut watch = pool.watch("greeting", WatchOptions::default()).await?;
    let live = timeout(PATIENCE, watch.next()).await?;
    ensure!(matches!(&live, Some(WatchEvent::Live(live)) if live.generation == 0), "{live:?}");
    let number = mini.with(|servers, now| servers.create_pool(now, "extra", 4));
    let (fsid, epoch) = mini.with(|servers, _| (servers.fsid(), servers.map().epoch));
    let key = mini.admin_key().to_owned();
    let id = cluster.global_id();
    // Its time is over while nothing runs.
    let sock = "127.0.0.9:0".parse()?;
    let stranger = EntityAddr { kind: AddrType::ANY, nonce: 7, sock: Some(sock) };
    mini.with(move |servers, now| servers.blocklist(now, stranger, Duration::from_millis(1500)));
    drop(mini);

    let mini = MiniCluster::builder().port(port).dir(dir.path()).start()?;
    ensure!(mini.admin_key() == key);
    let (same, newer) = mini.with(|servers, _| (servers.fsid(), servers.map().epoch));
    ensure!(same == fsid && newer > epoch, "{same} {newer}");
    let event = timeout(PATIENCE, watch.next()).await?;
    ensure!(matches!(&event, Some(WatchEvent::Live(live)) if !live.may_have_missed), "{event:?}");
    let locked_out = || mini.with(|servers, _| !servers.map().blocklist.entries.is_empty());
    timeout(PATIENCE, async {
        while locked_out() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
    .await?;
    ensure!(pool.read("greeting", 0, 0).await?.data.as_ref() == b"content");
    ensure!(pool.stat("gone").await.is_err());
    let other = connect(&mini).await?;
    ensure!(other.global_id() > id, "numbers of clients are not given again");
    let notify = other.pool("rbd").notify("greeting", "hello", PATIENCE).await?;
    let Some(WatchEvent::Notification(heard)) = timeout(PATIENCE, watch.next()).await? else {
        bail!("no notification");
    };
    heard.ack("seen")?;
    let outcome = format!("{:?}", notify.await?);
    ensure!(outcome.contains("Done") && outcome.contains("seen"), "{outcome}");
    let found = mini.with(|servers, _| servers.map().pool_id(&"extra".into()));
    ensure!(found == Some(number));
    timeout(PATIENCE, watch.unwatch()).await??;
    Ok(())
}

/// A cluster with an object, in a folder.
fn made(dir: &Path) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mini = MiniCluster::builder().osds(2).dir(dir).start()?;
    runtime.block_on(async {
        connect(&mini).await?.pool("rbd").write_full("greeting", "content").await?;
        anyhow::Ok(())
    })
}

fn refused(builder: Builder) -> Result<std::io::Error> {
    builder.start().err().context("it started")
}

#[test]
fn a_damaged_file_is_named() -> Result<()> {
    let dir = tempfile::tempdir()?;
    made(dir.path())?;
    for name in ["cluster", "objects/0"] {
        let file = dir.path().join(name);
        let good = std::fs::read(&file)?;
        let mut bad = vec![Vec::new(), good[..good.len() - 1].to_vec(), b"something else\n".to_vec()];
        for at in [0, good.len() / 2, good.len() - 1] {
            let mut flipped = good.clone();
            flipped[at] ^= 1;
            bad.push(flipped);
        }
        for content in bad {
            std::fs::write(&file, &content)?;
            let error = refused(MiniCluster::builder().osds(2).dir(dir.path()))?;
            let text = error.to_string();
            ensure!(error.kind() == ErrorKind::InvalidData, "{text}");
            ensure!(text.contains(name) && text.contains("is damaged: "), "{text}");
        }
        std::fs::write(&file, good)?;
    }
    let mini = MiniCluster::builder().osds(2).dir(dir.path()).start()?;
    let content = mini.with(|servers, _| servers.content(&ObjectRef::new("rbd", "greeting")));
    ensure!(content.as_deref() == Some(b"content".as_slice()));
    Ok(())
}

#[test]
fn a_folder_is_for_one_cluster_of_one_kind() -> Result<()> {
    let dir = tempfile::tempdir()?;
    made(dir.path())?;
    let error = refused(MiniCluster::builder().osds(3).dir(dir.path()))?;
    ensure!(error.kind() == ErrorKind::InvalidInput && error.to_string().contains("2 OSDs"), "{error}");
    let other_keys = Auth::Cephx(KeyType::Aes256k);
    let error = refused(MiniCluster::builder().osds(2).auth(other_keys).dir(dir.path()))?;
    ensure!(error.kind() == ErrorKind::InvalidInput && error.to_string().contains("keys"), "{error}");
    let _mini = MiniCluster::builder().osds(2).dir(dir.path()).start()?;
    let error = refused(MiniCluster::builder().osds(2).dir(dir.path()))?;
    ensure!(error.kind() == ErrorKind::ResourceBusy, "{error}");
    Ok(())
}

/// What can not be kept is not told to clients as done.
#[tokio::test]
async fn a_folder_that_fails_ends_the_cluster() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let mut mini = MiniCluster::builder().dir(dir.path()).start()?;
    let cluster = connect(&mini).await?;
    std::fs::remove_dir_all(dir.path())?;
    let pool = cluster.pool("rbd");
    let answered = timeout(Duration::from_millis(300), pool.write_full("greeting", "content")).await;
    ensure!(!matches!(answered, Ok(Ok(_))), "{answered:?}");
    let error = timeout(PATIENCE, mini.failure()).await?;
    ensure!(error.kind() == ErrorKind::NotFound, "{error}");
    Ok(())
}

/// What is removed may have had the newest version of all.
#[tokio::test]
async fn versions_are_never_given_again() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let mut last = 0;
    for _ in 0..3 {
        let mini = MiniCluster::builder().osds(1).dir(dir.path()).start()?;
        let pool = connect(&mini).await?.pool("rbd");
        let version = pool.write_full("brief", "content").await?;
        ensure!(version > last, "{version} after {last}");
        last = version;
        pool.remove("brief").await?;
    }
    Ok(())
}

/// Where Ceph's programs of Pacific and Tentacle find the keyring, linger does, too.
#[test]
fn a_folder_s_name_stands_in_ceph_conf_as_it_is_or_is_refused() -> Result<()> {
    let (dir, mini) = (tempfile::tempdir()?, MiniCluster::builder().osds(1).start()?);
    for name in ["a b", "a=b", "a#b", "#", "a\\b", "\\#", "'a'", "\"a", "aéb", "[a]"] {
        let conf = mini.write_conf(&dir.path().join(name))?;
        let settings = Settings::builder().conf(conf.display().to_string()).build()?;
        let keyring = settings.keyring_path.context("no keyring")?;
        ensure!(keyring == conf.canonicalize()?.with_file_name("keyring"), "{}", keyring.display());
    }
    for name in ["a;b", "a,b", "$id", "a$b", "a\nb", "a\tb"] {
        let error = mini.write_conf(&dir.path().join(name)).err().context("it was written")?;
        ensure!(error.kind() == ErrorKind::InvalidInput, "{error:?}");
        ensure!(!error.to_string().contains('\n') && error.to_string().contains("ceph.conf"), "{error}");
    }
    for (keyring, fine) in [("keyring", true), (" keyring", false), ("keyring ", false)] {
        ensure!(mini.conf(Path::new(keyring)).is_ok() == fine, "{keyring:?}");
    }
    Ok(())
}

#[cfg(unix)]
#[test]
fn a_folder_s_name_that_is_no_text_is_refused() -> Result<()> {
    use std::os::unix::ffi::OsStrExt;
    let (dir, mini) = (tempfile::tempdir()?, MiniCluster::builder().osds(1).start()?);
    let error = mini.write_conf(&dir.path().join(std::ffi::OsStr::from_bytes(b"a\xffb")));
    ensure!(error.is_err_and(|error| error.kind() == ErrorKind::InvalidInput));
    Ok(())
}
