//! Commands about clients that are locked out.

use super::args::{Args, date};
use super::{Refusal, Reply, refuse};
use crate::servers::Servers;
use linger_core::Timestamp;
use linger_wire::errno::EINVAL;
use serde_json::{Value, json};
use std::time::Duration;

/// How long a client is locked out if nothing is said (`mon_osd_blocklist_default_expire`).
const FOR_LONG: f64 = 3600.0;

pub(super) fn list(servers: &mut Servers, _: Timestamp, args: &Args) -> Result<Reply, Refusal> {
    let entries = &servers.map().blocklist.entries;
    let lines = entries.iter().map(|(addr, until)| (addr.to_string(), date(*until)));
    let plain: String = lines.clone().map(|(addr, until)| format!("{addr} {until}\n")).collect();
    let json: Vec<Value> = lines.map(|(addr, until)| json!({"addr": addr, "until": until})).collect();
    let text = format!("listed {} entries", entries.len());
    Ok(Reply { text, output: args.show(&json.into(), plain)? })
}

pub(super) fn change(servers: &mut Servers, now: Timestamp, args: &Args) -> Result<Reply, Refusal> {
    let addr = args.addr()?;
    let is_there = servers.map().blocklist.entries.contains_key(&addr);
    match args.text("blocklistop") {
        Some("add") => {
            let seconds = args.number("expire").unwrap_or(FOR_LONG);
            let Ok(for_long) = Duration::try_from_secs_f64(seconds) else {
                return refuse(EINVAL, format!("{seconds} is no span of time"));
            };
            servers.blocklist(now, addr, for_long);
            let until = servers.map().blocklist.entries.get(&addr).copied().unwrap_or_default();
            Ok(Reply::said(format!("blocklisting {addr} until {} ({seconds} sec)", date(until))))
        }
        Some("rm") if !is_there => Ok(Reply::said(format!("{addr} isn't blocklisted"))),
        Some("rm") => {
            servers.unblocklist(now, &[addr]);
            Ok(Reply::said(format!("un-blocklisting {addr}")))
        }
        _ => refuse(EINVAL, "add or rm?"),
    }
}

pub(super) fn clear(servers: &mut Servers, now: Timestamp, _: &Args) -> Result<Reply, Refusal> {
    servers.clear_blocklist(now);
    Ok(Reply::said("removed all blocklist entries"))
}
