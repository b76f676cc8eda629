//! Commands about OSDs and their map.

use super::args::{Args, date};
use super::mon::{addrs, bare};
use super::{Refusal, Reply, pool, refuse};
use crate::servers::Servers;
use linger_core::placement::pg_to_osds;
use linger_core::{ObjectRef, PoolRef, Timestamp};
use linger_wire::errno::{EINVAL, ENOENT};
use linger_wire::osdmap::{OsdMap, map_flags};
use linger_wire::{Name, PgId};
use serde_json::{Value, json};

/// Flags of the map with their names.
const FLAGS: [(u32, &str); 7] = [
    (map_flags::FULL, "full"),
    (map_flags::PAUSERD, "pauserd"),
    (map_flags::PAUSEWR, "pausewr"),
    (map_flags::SORTBITWISE, "sortbitwise"),
    (map_flags::RECOVERY_DELETES, "recovery_deletes"),
    (map_flags::PURGED_SNAPDIRS, "purged_snapdirs"),
    (map_flags::PGLOG_HARDLIMIT, "pglog_hardlimit"),
];

pub(super) fn locate(servers: &mut Servers, _: Timestamp, args: &Args) -> Result<Reply, Refusal> {
    let (id, pool) = args.pool(servers)?;
    let name = args.need("object")?;
    let mut object = ObjectRef::new(PoolRef::Id(id), name);
    let mut full_name = name.to_owned();
    if let Some(nspace) = args.text("nspace").filter(|nspace| !nspace.is_empty()) {
        object.namespace = Name::from(nspace);
        full_name = format!("{nspace}/{name}");
    }
    let Some((raw, pg)) = servers.raw(&object).zip(servers.group(&object)) else {
        return refuse(ENOENT, format!("pool {pool} does not exist"));
    };
    let osds = pg_to_osds(servers.map(), pg);
    let (up, acting) = (osds.up.as_slice(), osds.acting.as_slice());
    let epoch = servers.map().epoch;
    let plain = format!(
        "osdmap e{epoch} pool '{pool}' ({id}) object '{full_name}' -> pg {raw} ({pg}) -> up ({}, p{}) acting \
         ({}, p{})",
        list(up),
        osds.up_primary,
        list(acting),
        osds.acting_primary
    );
    let json = json!({
        "epoch": epoch, "pool": pool, "pool_id": id, "objname": full_name, "raw_pgid": raw.to_string(),
        "pgid": pg.to_string(), "up": up, "up_primary": osds.up_primary, "acting": acting,
        "acting_primary": osds.acting_primary,
    });
    args.reply(&json, plain)
}

pub(super) fn dump(servers: &mut Servers, _: Timestamp, args: &Args) -> Result<Reply, Refusal> {
    let map = servers.map();
    let flags = flag_names(map).join(",");
    let (fsid, created, modified) = (map.fsid.to_string(), date(map.created), date(map.modified));
    let mut plain = format!(
        "epoch {}\nfsid {fsid}\ncreated {created}\nmodified {modified}\nflags {flags}\ncrush_version {}\n",
        map.epoch, map.crush_version
    );
    plain.extend(map.pools.keys().filter_map(|id| pool::line(map, *id)));
    plain += &format!("max_osd {}\n", map.max_osd);
    plain.extend(ids(map).map(|osd| line(map, osd)));
    plain.extend(map.pg_temp.iter().map(|(pg, osds)| format!("pg_temp {pg} {}\n", list(osds))));
    let blocked = &map.blocklist.entries;
    plain.extend(blocked.iter().map(|(addr, until)| format!("blocklist {addr} expires {}\n", date(*until))));
    let temp = map.pg_temp.iter().map(|(pg, osds)| json!({"pgid": pg.to_string(), "osds": osds}));
    let blocklist = blocked.iter().map(|(addr, until)| (addr.to_string(), Value::from(date(*until))));
    let json = json!({
        "epoch": map.epoch, "fsid": fsid, "created": created, "modified": modified, "flags": flags,
        "flags_num": map.flags, "flags_set": flag_names(map), "crush_version": map.crush_version,
        "pool_max": map.pool_max, "max_osd": map.max_osd,
        "pools": map.pools.keys().filter_map(|id| pool::describe(map, *id)).collect::<Vec<_>>(),
        "osds": ids(map).map(|osd| describe(map, osd)).collect::<Vec<_>>(),
        "pg_temp": temp.collect::<Vec<_>>(),
        "blocklist": Value::Object(blocklist.collect()),
    });
    args.reply(&json, plain)
}

pub(super) fn stat(servers: &mut Servers, _: Timestamp, args: &Args) -> Result<Reply, Refusal> {
    let map = servers.map();
    let all = ids(map).count();
    let up = ids(map).filter(|osd| map.is_up(*osd)).count();
    let inside = ids(map).filter(|osd| map.weight(*osd).unwrap_or(0) > 0).count();
    let epoch = map.epoch;
    let json = json!({"epoch": epoch, "num_osds": all, "num_up_osds": up, "num_in_osds": inside});
    args.reply(&json, format!("{all} osds: {up} up, {inside} in; epoch: e{epoch}"))
}

pub(super) fn ls(servers: &mut Servers, _: Timestamp, args: &Args) -> Result<Reply, Refusal> {
    let all: Vec<i32> = ids(servers.map()).collect();
    args.reply(&json!(all), all.iter().map(|osd| format!("{osd}\n")).collect::<String>())
}

pub(super) fn max(servers: &mut Servers, _: Timestamp, args: &Args) -> Result<Reply, Refusal> {
    let OsdMap { max_osd, epoch, .. } = *servers.map();
    let json = json!({"epoch": epoch, "max_osd": max_osd});
    args.reply(&json, format!("max_osd = {max_osd} in epoch {epoch}\n"))
}

pub(super) fn getmap(servers: &mut Servers, _: Timestamp, args: &Args) -> Result<Reply, Refusal> {
    let map = servers.map();
    let text = format!("got osdmap epoch {}", map.epoch);
    Ok(Reply { text, output: map.encode_for(args.features) })
}

pub(super) fn down(servers: &mut Servers, now: Timestamp, args: &Args) -> Result<Reply, Refusal> {
    each(servers, args, |servers, osd| match servers.map().is_up(osd) {
        true => {
            servers.mark_down(now, osd);
            format!("marked down osd.{osd}. ")
        }
        false => format!("osd.{osd} is already down. "),
    })
}

pub(super) fn out(servers: &mut Servers, now: Timestamp, args: &Args) -> Result<Reply, Refusal> {
    set_in(servers, now, args, false)
}

pub(super) fn bring_in(servers: &mut Servers, now: Timestamp, args: &Args) -> Result<Reply, Refusal> {
    set_in(servers, now, args, true)
}

fn set_in(servers: &mut Servers, now: Timestamp, args: &Args, wanted: bool) -> Result<Reply, Refusal> {
    let side = if wanted { "in" } else { "out" };
    each(servers, args, |servers, osd| {
        let is_in = servers.map().weight(osd).unwrap_or(0) > 0;
        if is_in == wanted {
            return format!("osd.{osd} is already {side}. ");
        }
        servers.set_in(now, osd, wanted);
        format!("marked {side} osd.{osd}. ")
    })
}

/// Does something to each OSD that is named; one that is not there is told so.
fn each(
    servers: &mut Servers,
    args: &Args,
    mut act: impl FnMut(&mut Servers, i32) -> String,
) -> Result<Reply, Refusal> {
    let mut text = String::new();
    for word in args.words("ids") {
        let Some(osd) = id(&word) else { return refuse(EINVAL, format!("{word} is no OSD")) };
        match servers.map().exists(osd) {
            true => text += &act(servers, osd),
            false => text += &format!("osd.{osd} does not exist. "),
        }
    }
    Ok(Reply::said(text))
}

pub(super) fn set(servers: &mut Servers, now: Timestamp, args: &Args) -> Result<Reply, Refusal> {
    let (mask, names) = flag(args)?;
    servers.set_flags(now, servers.map().flags | mask);
    Ok(Reply::said(format!("{names} is set")))
}

pub(super) fn unset(servers: &mut Servers, now: Timestamp, args: &Args) -> Result<Reply, Refusal> {
    let (mask, names) = flag(args)?;
    servers.set_flags(now, servers.map().flags & !mask);
    Ok(Reply::said(format!("{names} is unset")))
}

fn flag(args: &Args) -> Result<(u32, &'static str), Refusal> {
    match args.need("key")? {
        "pause" => Ok((map_flags::PAUSERD | map_flags::PAUSEWR, "pauserd,pausewr")),
        "full" => Ok((map_flags::FULL, "full")),
        other => refuse(EINVAL, format!("{other} means nothing here")),
    }
}

pub(super) fn pg_temp(servers: &mut Servers, now: Timestamp, args: &Args) -> Result<Reply, Refusal> {
    let text = args.need("pgid")?;
    let Some(pg) = group(text) else { return refuse(EINVAL, format!("invalid pgid '{text}'")) };
    if servers.map().pool(pg.pool).is_none_or(|pool| pg.seed >= pool.pg_num) {
        return refuse(ENOENT, format!("pgid '{pg}' does not exist"));
    }
    let mut osds = Vec::new();
    for word in args.words("id") {
        match id(&word).filter(|osd| servers.map().exists(*osd)) {
            Some(osd) => osds.push(osd),
            None => return refuse(EINVAL, format!("osd.{word} does not exist")),
        }
    }
    servers.place(now, pg, &osds);
    Ok(Reply::said(format!("set {pg} pg_temp mapping to {}", list(&osds))))
}

fn id(word: &str) -> Option<i32> {
    word.strip_prefix("osd.").unwrap_or(word).parse().ok()
}

fn group(text: &str) -> Option<PgId> {
    let (pool, seed) = text.split_once('.')?;
    Some(PgId { pool: pool.parse().ok()?, seed: u32::from_str_radix(seed, 16).ok()? })
}

fn ids(map: &OsdMap) -> impl Iterator<Item = i32> {
    (0..map.max_osd).filter(|osd| map.exists(*osd))
}

fn flag_names(map: &OsdMap) -> Vec<&'static str> {
    FLAGS.into_iter().filter(|(flag, _)| map.has_flag(*flag)).map(|(_, name)| name).collect()
}

fn list(osds: &[i32]) -> String {
    let osds: Vec<String> = osds.iter().map(ToString::to_string).collect();
    format!("[{}]", osds.join(","))
}

/// An OSD as `osd dump` prints it.
fn line(map: &OsdMap, osd: i32) -> String {
    let (up, inside) = (map.is_up(osd), map.weight(osd).unwrap_or(0) > 0);
    let addrs = map.addrs(osd).map(ToString::to_string).unwrap_or_default();
    format!(
        "osd.{osd} {:<4} {:<3} weight {} {addrs} exists{}\n",
        if up { "up" } else { "down" },
        if inside { "in" } else { "out" },
        u8::from(inside),
        if up { ",up" } else { "" },
    )
}

/// An OSD as `osd dump` has it in JSON, as far as anything here knows of it.
fn describe(map: &OsdMap, osd: i32) -> Value {
    let (up, inside) = (map.is_up(osd), map.weight(osd).unwrap_or(0) > 0);
    let all = map.addrs(osd).cloned().unwrap_or_default();
    let state: &[&str] = if up { &["exists", "up"] } else { &["exists"] };
    json!({
        "osd": osd, "up": u8::from(up), "in": u8::from(inside), "weight": u8::from(inside),
        "public_addrs": addrs(&all), "public_addr": all.0.first().map(bare), "state": state,
    })
}
