//! Commands about monitors.

use super::args::{Args, date};
use super::{Refusal, Reply};
use crate::servers::Servers;
use linger_core::Timestamp;
use linger_wire::{AddrType, AddrVec, EntityAddr};
use serde_json::{Value, json};

pub(super) fn fsid(servers: &mut Servers, _: Timestamp, args: &Args) -> Result<Reply, Refusal> {
    let fsid = servers.fsid().to_string();
    args.reply(&json!({"fsid": fsid}), fsid)
}

pub(super) fn dump(servers: &mut Servers, _: Timestamp, args: &Args) -> Result<Reply, Refusal> {
    let map = servers.mon_map();
    let (fsid, created) = (map.fsid.to_string(), date(map.created));
    let mut plain = format!(
        "epoch {}\nfsid {fsid}\nlast_changed {created}\ncreated {created}\nmin_mon_release {}\n",
        map.epoch, map.min_release
    );
    let mut mons = Vec::new();
    for (rank, name) in map.ranks.iter().enumerate() {
        let Some(mon) = map.mons.get(name) else { continue };
        let name = name.to_string_lossy();
        plain += &format!("{rank}: {} mon.{name}\n", mon.addrs);
        let addr = mon.addrs.0.first().map(bare);
        mons.push(json!({
            "rank": rank, "name": name, "public_addrs": addrs(&mon.addrs), "addr": addr,
            "public_addr": addr, "priority": mon.priority, "weight": mon.weight,
        }));
    }
    let json = json!({
        "epoch": map.epoch, "fsid": fsid, "modified": created, "created": created,
        "min_mon_release": map.min_release, "mons": mons, "quorum": servers.quorum(),
    });
    let text = format!("dumped monmap epoch {}", map.epoch);
    Ok(Reply { text, output: args.show(&json, plain)? })
}

pub(super) fn stat(servers: &mut Servers, _: Timestamp, args: &Args) -> Result<Reply, Refusal> {
    let (map, quorum) = (servers.mon_map(), servers.quorum());
    let name = |rank: &usize| map.ranks.get(*rank).map(|name| name.to_string_lossy().into_owned());
    let names: Vec<String> = quorum.iter().filter_map(name).collect();
    let each = map.mons.iter().map(|(name, mon)| format!("{}={}", name.to_string_lossy(), mon.addrs));
    let each: Vec<String> = each.collect();
    let plain = format!(
        "e{}: {} mons at {{{}}}, quorum {} {}",
        map.epoch,
        map.mons.len(),
        each.join(","),
        quorum.iter().map(ToString::to_string).collect::<Vec<_>>().join(","),
        names.join(","),
    );
    let json = json!({
        "epoch": map.epoch, "num_mons": map.mons.len(), "leader": names.first(),
        "quorum": quorum.iter().zip(&names).map(|(rank, name)| json!({"rank": rank, "name": name}))
            .collect::<Vec<_>>(),
    });
    args.reply(&json, plain)
}

/// Addresses as Ceph's JSON has them.
pub(super) fn addrs(all: &AddrVec) -> Value {
    let each = all.0.iter().map(|addr| {
        let kind = match addr.kind {
            AddrType::MSGR2 => "v2",
            AddrType::LEGACY => "v1",
            _ => "any",
        };
        let sock = addr.sock.map(|sock| sock.to_string());
        json!({"type": kind, "addr": sock, "nonce": addr.nonce})
    });
    json!({"addrvec": each.collect::<Vec<_>>()})
}

/// An address without its protocol.
pub(super) fn bare(addr: &EntityAddr) -> String {
    EntityAddr { kind: AddrType::ANY, ..*addr }.to_string()
}
