//! One script, through Ceph's own client and through linger, on the mini-cluster and on a real Tentacle: what
//! a client sees is the same, line by line, but for ids.

mod ceph;
mod linger;
mod script;
mod site;

use anyhow::{Result, ensure};
use linger_testbed::need_ceph;
use site::Site;

/// A client that a script drives; all its calls wait.
trait Actor {
    /// Its global ids, by which it is known in what others see.
    fn ids(&self) -> Result<Vec<u64>>;
    fn write(&self, pool: &str, object: &str, data: &str) -> Told<()>;
    fn read(&self, pool: &str, object: &str) -> Told<String>;
    fn stat(&self, pool: &str, object: &str) -> Told<u64>;
    fn remove(&self, pool: &str, object: &str) -> Told<()>;
    /// Watches and answers each notify with `reply` after some milliseconds; gives the watch's number.
    fn watch(&self, object: &str, reply: &str, delay_ms: u64) -> Told<u64>;
    fn unwatch(&self, watch: u64) -> Told<()>;
    fn notify(&self, object: &str, payload: &str, seconds: u64) -> Told<Heard>;
    /// The next thing that any of its watches saw, but for news that only this client has.
    fn event(&self) -> Result<Seen>;
}

/// What came of a call, or the errno.
type Told<T> = Result<Result<T, i32>>;

/// What a notify gave.
struct Heard {
    timed_out: bool,
    /// Clients with their answers.
    acks: Vec<(u64, String)>,
    missed: Vec<u64>,
}

/// What a watch saw.
enum Seen {
    Notify { watch: u64, from: u64, payload: String },
    Lost { watch: u64, why: String },
    Nothing,
}

/// Compares a script's lines on both kinds of cluster.
fn compare(run: fn(&Site) -> Result<Vec<String>>) -> Result<()> {
    let mini = run(&Site::mini()?)?;
    let real = run(&Site::real()?)?;
    for (n, (mini, real)) in mini.iter().zip(&real).enumerate() {
        ensure!(mini == real, "line {n}:\n  Ceph: {real}\n  mini-cluster: {mini}");
    }
    ensure!(mini.len() == real.len() && mini.len() > 20, "{} lines, and {}", mini.len(), real.len());
    println!("{}", real.join("\n"));
    Ok(())
}

#[test]
fn ceph_sees_the_same() -> Result<()> {
    need_ceph!(Ok(()));
    compare(|site| {
        let actors = [site.ceph()?, site.ceph()?, site.ceph()?];
        let mut lines = script::play(site, &actors.each_ref().map(|actor| actor as &dyn Actor))?;
        lines.extend(script::tool(site)?);
        Ok(lines)
    })
}

#[test]
fn linger_sees_the_same() -> Result<()> {
    need_ceph!(Ok(()));
    compare(|site| {
        let actors = [site.linger()?, site.linger()?, site.linger()?];
        let mut lines = script::play(site, &actors.each_ref().map(|actor| actor as &dyn Actor))?;
        lines.extend(script::refusals(&site.reader()?)?);
        Ok(lines)
    })
}
