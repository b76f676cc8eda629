//! Pools and the names of objects in them.

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use crate::{Cluster, root::run};

/// How a pool keeps its objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PoolKind {
    /// Copies: as many as there are OSDs, up to three.
    Replicated,
    /// Two data parts and one coding part, on three OSDs.
    Erasure,
}

/// A pool that exists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pool {
    /// Its name.
    pub name: String,
    /// Its number.
    pub id: i64,
}

impl Pool {
    /// An object in it, in no namespace and placed by its own name.
    pub fn object(&self, name: impl Into<String>) -> Object {
        Object { pool: self.name.clone(), namespace: String::new(), key: String::new(), name: name.into() }
    }
}

/// The full name of an object.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Object {
    /// The pool's name.
    pub pool: String,
    /// The namespace; empty for the default one.
    pub namespace: String,
    /// The locator key; empty to place the object by its name.
    pub key: String,
    /// The object's name.
    pub name: String,
}

impl Object {
    /// The same in a namespace.
    pub fn namespace(mut self, namespace: impl Into<String>) -> Self {
        self.namespace = namespace.into();
        self
    }

    /// The same with a locator key.
    pub fn key(mut self, key: impl Into<String>) -> Self {
        self.key = key.into();
        self
    }

    /// `rados` options that lead to it: `-p POOL`, `-N NAMESPACE`, `--object-locator KEY`.
    pub fn rados_args(&self) -> Vec<String> {
        let mut args = vec!["-p".to_owned(), self.pool.clone()];
        if !self.namespace.is_empty() {
            args.extend(["-N".to_owned(), self.namespace.clone()]);
        }
        if !self.key.is_empty() {
            args.extend(["--object-locator".to_owned(), self.key.clone()]);
        }
        args
    }
}

/// One line of `rados listwatchers`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Watcher {
    /// Address with nonce, as printed: `127.0.0.1:0/123`.
    pub addr: String,
    /// The client's global id.
    pub client: u64,
    /// The watch's cookie.
    pub cookie: u64,
}

impl Cluster {
    /// The pool of this name; made if there is none, and then waited for until its placement groups are active.
    ///
    /// # Errors
    /// The mons refuse it.
    pub fn pool(&self, name: &str, kind: PoolKind, pg_num: u32) -> Result<Pool> {
        if let Some(pool) = self.find_pool(name)? {
            return Ok(pool);
        }
        let mut create =
            json!({"prefix": "osd pool create", "pool": name, "pg_num": pg_num, "pgp_num": pg_num});
        if kind == PoolKind::Erasure {
            let profile = ["k=2", "m=1", "crush-failure-domain=osd"];
            let set = json!({"prefix": "osd erasure-code-profile set", "name": "linger", "profile": profile});
            self.mon_command(&set)?;
            create["pool_type"] = "erasure".into();
            create["erasure_code_profile"] = "linger".into();
        }
        self.mon_command(&create)?;
        self.wait_active()?;
        self.find_pool(name)?.with_context(|| format!("pool {name} was made but is not in the map"))
    }

    /// Removes a pool.
    ///
    /// # Errors
    /// The mons refuse it.
    pub fn remove_pool(&self, name: &str) -> Result<()> {
        let flag = "yes_i_really_really_mean_it";
        self.mon_command(&json!({"prefix": "osd pool delete", "pool": name, "pool2": name, flag: true}))?;
        Ok(())
    }

    /// Who watches an object, by Ceph's own `rados listwatchers`, in order of client and cookie.
    ///
    /// # Errors
    /// There is no such object.
    pub fn list_watchers(&self, object: &Object) -> Result<Vec<Watcher>> {
        let text = run(self.command("rados").args(object.rados_args()).args(["listwatchers", &object.name]))?;
        let mut watchers = text.lines().map(parse_watcher).collect::<Result<Vec<_>>>()?;
        watchers.sort_by_key(|w| (w.client, w.cookie));
        Ok(watchers)
    }

    fn find_pool(&self, name: &str) -> Result<Option<Pool>> {
        let pools = self.mon_command(&json!({"prefix": "osd lspools", "format": "json"}))?;
        let Value::Array(pools) = pools else { bail!("osd lspools gave {pools}") };
        let found = pools.iter().find(|p| p["poolname"] == name);
        found
            .map(|p| Ok(Pool { name: name.to_owned(), id: p["poolnum"].as_i64().context("no poolnum")? }))
            .transpose()
    }
}

/// `watcher=127.0.0.1:0/123 client.4123 cookie=1`
fn parse_watcher(line: &str) -> Result<Watcher> {
    let bad = || format!("not a watcher: {line}");
    let mut words = line.split_whitespace();
    let mut field = |prefix: &str| words.next().and_then(|w| w.strip_prefix(prefix)).with_context(bad);
    let addr = field("watcher=")?.to_owned();
    let client = field("client.")?.parse()?;
    Ok(Watcher { addr, client, cookie: field("cookie=")?.parse()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_watcher_line() {
        let watcher = parse_watcher("watcher=127.0.0.1:0/3311 client.4123 cookie=94").unwrap();
        assert_eq!(watcher, Watcher { addr: "127.0.0.1:0/3311".into(), client: 4123, cookie: 94 });
        assert!(parse_watcher("watcher=127.0.0.1:0/3311").is_err());
    }
}
