//! A command's arguments, and the form its answer shall have.

use super::{Refusal, Reply, refuse};
use crate::servers::Servers;
use bytes::Bytes;
use linger_wire::errno::{EINVAL, ENOENT};
use linger_wire::{AddrType, EntityAddr, Features, Name, UTime};
use serde_json::{Map, Value};
use std::net::{IpAddr, SocketAddr};

/// A command's fields, and what its sender can read.
pub(super) struct Args {
    pub fields: Map<String, Value>,
    pub features: Features,
}

impl Args {
    pub fn text(&self, name: &str) -> Option<&str> {
        self.fields.get(name)?.as_str()
    }

    pub fn need(&self, name: &str) -> Result<&str, Refusal> {
        match self.text(name) {
            Some(text) if !text.is_empty() => Ok(text),
            _ => refuse(EINVAL, format!("no {name} is given")),
        }
    }

    /// A number, which some clients send as text.
    pub fn number(&self, name: &str) -> Option<f64> {
        let value = self.fields.get(name)?;
        value.as_f64().or_else(|| value.as_str()?.trim().parse().ok())
    }

    /// A list of words, or a single one.
    pub fn words(&self, name: &str) -> Vec<String> {
        let word = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        match self.fields.get(name) {
            Some(Value::Array(words)) => words.iter().map(word).collect(),
            Some(value) => vec![word(value)],
            None => Vec::new(),
        }
    }

    /// Whether the user said so, as newer or as older clients put it.
    pub fn flag(&self, name: &str) -> bool {
        match self.fields.get(name) {
            Some(Value::Bool(flag)) => *flag,
            Some(Value::String(word)) => word.starts_with("--") || word == "true",
            _ => false,
        }
    }

    /// A pool of the map.
    pub fn pool(&self, servers: &Servers) -> Result<(i64, String), Refusal> {
        let name = self.text("pool").unwrap_or_default();
        match servers.map().pool_id(&Name::from(name)) {
            Some(id) => Ok((id, name.to_owned())),
            None => refuse(ENOENT, format!("pool {name} does not exist")),
        }
    }

    /// An address as Ceph's tools print it; of no certain protocol, as the blocklist has them.
    pub fn addr(&self) -> Result<EntityAddr, Refusal> {
        let text = self.need("addr")?;
        let (sock, nonce) = text.split_once('/').unwrap_or((text, "0"));
        let sock = ["any:", "v2:", "v1:"].iter().find_map(|kind| sock.strip_prefix(kind)).unwrap_or(sock);
        let sock = sock.parse().or_else(|_| sock.parse().map(|ip: IpAddr| SocketAddr::new(ip, 0)));
        match (sock, nonce.parse()) {
            (Ok(sock), Ok(nonce)) => Ok(EntityAddr { kind: AddrType::ANY, nonce, sock: Some(sock) }),
            _ => refuse(EINVAL, format!("{text} is no address")),
        }
    }

    /// The answer in the form that was asked for.
    pub fn show(&self, json: &Value, plain: impl Into<String>) -> Result<Bytes, Refusal> {
        match self.text("format").unwrap_or("plain") {
            "json" => Ok(json.to_string().into()),
            "json-pretty" => Ok(format!("{json:#}\n").into()),
            "plain" => Ok(plain.into().into()),
            other => refuse(EINVAL, format!("no format {other} here: plain, json or json-pretty")),
        }
    }

    /// [`Args::show`] as a whole reply.
    pub fn reply(&self, json: &Value, plain: impl Into<String>) -> Result<Reply, Refusal> {
        Ok(Reply { output: self.show(json, plain)?, ..Reply::default() })
    }
}

/// A time as Ceph prints it.
pub(super) fn date(time: UTime) -> String {
    let (sec, nsec) = (i64::from(time.sec), i32::try_from(time.nsec.min(999_999_999)).unwrap_or(0));
    // Every 32-bit second is one of jiff's.
    let time = jiff::Timestamp::new(sec, nsec).unwrap_or_default();
    time.strftime("%Y-%m-%dT%H:%M:%S.%6f+0000").to_string()
}
