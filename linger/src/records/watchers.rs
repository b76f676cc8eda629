//! The result of `ls`.

use linger_wire::EntityAddr;
use linger_wire::msg::Watcher;
use serde::Serialize;
use std::fmt;

/// Who watches an object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Watchers {
    /// In order of client and cookie.
    pub watchers: Vec<WatcherLine>,
}

/// One watcher.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WatcherLine {
    /// The client, as `client.N`.
    pub client: String,
    /// The watch among the client's.
    pub cookie: u64,
    /// Where the client is, as `rados listwatchers` shows it: `127.0.0.1:0/3311`.
    pub addr: String,
    /// Seconds without a ping until the OSD drops it.
    pub timeout_s: u32,
}

impl Watchers {
    /// Shows these watchers.
    pub fn new(mut watchers: Vec<Watcher>) -> Self {
        watchers.sort_by_key(|watcher| (watcher.name, watcher.cookie));
        let line = |watcher: Watcher| WatcherLine {
            client: watcher.name.to_string(),
            cookie: watcher.cookie,
            addr: legacy(&watcher.addr),
            timeout_s: watcher.timeout,
        };
        Self { watchers: watchers.into_iter().map(line).collect() }
    }
}

/// An address without its protocol.
fn legacy(addr: &EntityAddr) -> String {
    match addr.sock {
        Some(sock) => format!("{sock}/{}", addr.nonce),
        None => format!("-/{}", addr.nonce),
    }
}

impl fmt::Display for Watchers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, WatcherLine { client, cookie, addr, timeout_s }) in self.watchers.iter().enumerate() {
            let end = if n > 0 { "\n" } else { "" };
            write!(f, "{end}{client} cookie {cookie} addr {addr} timeout {timeout_s} s")?;
        }
        Ok(())
    }
}
