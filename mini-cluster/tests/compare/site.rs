//! Where a script is played: a mini-cluster, or a real cluster.

use super::ceph::Ceph;
use super::linger::Linger;
use anyhow::{Context, Result, ensure};
use linger_mini_cluster::{Auth, AuthName, CryptoKey, KeyType, MiniCluster, User};
use linger_testbed::{Cluster, Rados, Release, Root};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::process::Output;
use tempfile::TempDir;

/// The pool that scripts use.
pub const POOL: &str = "compare";
/// A user that may only read.
const READER: &str = "client.reader";

pub struct Site {
    conf: PathBuf,
    root: Root,
    /// For commands to monitors.
    admin: Rados,
    reader_key: String,
    _kind: Kind,
}

/// What is dropped with a site.
enum Kind {
    Mini { _cluster: Box<MiniCluster>, _dir: TempDir },
    Real { _cluster: Box<Cluster> },
}

impl Site {
    pub fn mini() -> Result<Self> {
        let key = CryptoKey::new(KeyType::Aes256k, Default::default(), &[7; 32])?;
        let reader_key = key.to_base64();
        let name = AuthName::client("reader");
        let reader = User { name, key, osd_caps: "allow r".into(), mon_caps: "allow r".into() };
        let builder = MiniCluster::builder().auth(Auth::Cephx(KeyType::Aes256k)).users(vec![reader]);
        let cluster = builder.start()?;
        let dir = tempfile::tempdir()?;
        let conf = cluster.write_conf(dir.path())?;
        let root = Root::fetch(Release::Tentacle)?;
        let admin = Rados::of(&root, &conf)?;
        admin.mon_command(&json!({"prefix": "osd pool create", "pool": POOL, "pg_num": 8}))?;
        let kind = Kind::Mini { _cluster: Box::new(cluster), _dir: dir };
        Ok(Self { conf, root, admin, reader_key, _kind: kind })
    }

    pub fn real() -> Result<Self> {
        let cluster = Cluster::builder().release(Release::Tentacle).osds(3).boot()?;
        cluster.pool(POOL, linger_testbed::PoolKind::Replicated, 8)?;
        let admin = cluster.rados()?;
        let caps = ["mon", "allow r", "osd", "allow r"];
        let made = admin
            .mon_command(&json!({"prefix": "auth get-or-create", "entity": READER, "caps": caps}))
            .context("a user")?;
        let reader_key = made[0]["key"].as_str().context("a key")?.to_owned();
        let (conf, root) = (cluster.conf().to_owned(), cluster.root().context("a release")?.clone());
        Ok(Self { conf, root, admin, reader_key, _kind: Kind::Real { _cluster: Box::new(cluster) } })
    }

    /// A client of Ceph's.
    pub fn ceph(&self) -> Result<Ceph> {
        Ok(Ceph::new(Rados::of(&self.root, &self.conf)?))
    }

    /// A client of linger's.
    pub fn linger(&self) -> Result<Linger> {
        Linger::connect(|builder| builder.conf(self.conf.display().to_string()))
    }

    /// A client of linger's that may only read.
    pub fn reader(&self) -> Result<Linger> {
        let (conf, key) = (self.conf.display().to_string(), self.reader_key.clone());
        Linger::connect(|builder| builder.conf(conf).name(READER).key(key))
    }

    /// What monitors answer to a command, in JSON.
    pub fn command(&self, command: &Value) -> Result<Value> {
        self.admin.mon_command(command)
    }

    /// `rados` on the pool.
    pub fn rados(&self, args: &[&str]) -> Result<Output> {
        let mut command = self.root.command("timeout");
        command.args(["30", "rados", "-p", POOL]).args(args).env("CEPH_CONF", &self.conf);
        Ok(command.output()?)
    }

    /// Lists an object's watchers as `rados` prints them.
    pub fn watchers(&self, object: &str) -> Result<Vec<String>> {
        let output = self.rados(&["listwatchers", object])?;
        ensure!(output.status.success(), "{output:?}");
        Ok(String::from_utf8(output.stdout)?.lines().map(str::to_owned).collect())
    }
}
