//! Commands about pools.

use super::args::Args;
use super::{Refusal, Reply, refuse};
use crate::servers::Servers;
use linger_core::Timestamp;
use linger_wire::Name;
use linger_wire::errno::{EINVAL, ENOENT, EPERM, ERANGE};
use linger_wire::osdmap::{OsdMap, Pool, pool_flags};
use serde_json::{Value, json};

/// Placement groups of a new pool if nothing is said.
pub(super) const PG_NUM: u32 = 8;

pub(super) fn numbers(servers: &mut Servers, _: Timestamp, args: &Args) -> Result<Reply, Refusal> {
    let names = servers.map().pool_names.iter().map(|(id, name)| (*id, name.to_string_lossy()));
    let plain: String = names.clone().map(|(id, name)| format!("{id} {name}\n")).collect();
    let json: Vec<Value> = names.map(|(id, name)| json!({"poolnum": id, "poolname": name})).collect();
    args.reply(&json.into(), plain)
}

pub(super) fn list(servers: &mut Servers, _: Timestamp, args: &Args) -> Result<Reply, Refusal> {
    let map = servers.map();
    if args.text("detail").is_some() {
        let json: Vec<Value> = map.pools.keys().filter_map(|id| describe(map, *id)).collect();
        let plain: String = map.pools.keys().filter_map(|id| line(map, *id)).collect();
        return args.reply(&json.into(), plain);
    }
    let names = map.pool_names.values().map(|name| name.to_string_lossy().into_owned());
    let names: Vec<String> = names.collect();
    args.reply(&json!(names), names.iter().map(|name| format!("{name}\n")).collect::<String>())
}

pub(super) fn get(servers: &mut Servers, _: Timestamp, args: &Args) -> Result<Reply, Refusal> {
    let (id, name) = named(servers, args)?;
    let Some(pool) = servers.map().pool(id) else { return refuse(ENOENT, "") };
    let var = args.need("var")?;
    let value = match var {
        "size" => pool.size.into(),
        "min_size" => pool.min_size.into(),
        "pg_num" => pool.pg_num,
        "pgp_num" => pool.pgp_num,
        _ => return refuse(EINVAL, format!("{var} is not known here")),
    };
    args.reply(&json!({"pool": name, "pool_id": id, var: value}), format!("{var}: {value}\n"))
}

pub(super) fn set(servers: &mut Servers, now: Timestamp, args: &Args) -> Result<Reply, Refusal> {
    let (id, _) = named(servers, args)?;
    let (var, val) = (args.need("var")?, args.need("val")?);
    match (var, val.parse::<u32>(), val) {
        ("pg_num", Ok(pg_num @ 1..=1024), _) => servers.set_pg_num(now, id, pg_num),
        // It follows pg_num here.
        ("pgp_num", Ok(pgp_num), _) if servers.map().pool(id).is_some_and(|pool| pool.pg_num == pgp_num) => {}
        ("pg_num" | "pgp_num", _, _) => return refuse(ERANGE, format!("no {var} of {val} here")),
        ("eio", _, "true" | "1" | "false" | "0") => {
            let flags = servers.map().pool(id).map_or(0, |pool| pool.flags);
            let on = matches!(val, "true" | "1");
            let flags = if on { flags | pool_flags::EIO } else { flags & !pool_flags::EIO };
            servers.set_pool_flags(now, id, flags);
        }
        _ => return refuse(EINVAL, format!("{var} can not be set to {val} here")),
    }
    Ok(Reply::said(format!("set pool {id} {var} to {val}")))
}

pub(super) fn create(servers: &mut Servers, now: Timestamp, args: &Args) -> Result<Reply, Refusal> {
    let name = args.need("pool")?;
    if servers.map().pool_id(&Name::from(name)).is_some() {
        return Ok(Reply::said(format!("pool '{name}' already exists")));
    }
    let pg_num = args.number("pg_num").map_or(PG_NUM, |number| number as u32);
    if !(1..=1024).contains(&pg_num) {
        return refuse(ERANGE, format!("1 to 1024 placement groups, not {pg_num}"));
    }
    servers.create_pool(now, name, pg_num);
    Ok(Reply::said(format!("pool '{name}' created")))
}

pub(super) fn remove(servers: &mut Servers, now: Timestamp, args: &Args) -> Result<Reply, Refusal> {
    let Ok((id, name)) = args.pool(servers) else {
        return Ok(Reply::said(format!("pool '{}' does not exist", args.text("pool").unwrap_or_default())));
    };
    if args.text("pool2") != Some(&name) || !args.flag("yes_i_really_really_mean_it") {
        let text = "all its objects go: name the pool twice, then --yes-i-really-really-mean-it";
        return refuse(EPERM, text);
    }
    servers.remove_pool(now, id);
    Ok(Reply::said(format!("pool '{name}' removed")))
}

/// The pool that is meant, refused as `osd pool` does.
fn named(servers: &Servers, args: &Args) -> Result<(i64, String), Refusal> {
    let unknown = || format!("unrecognized pool '{}'", args.text("pool").unwrap_or_default());
    args.pool(servers).or_else(|_| refuse(ENOENT, unknown()))
}

/// A pool as `osd dump` prints it.
pub(super) fn line(map: &OsdMap, id: i64) -> Option<String> {
    let (name, pool) = parts(map, id)?;
    let Pool { size, min_size, crush_rule, pg_num, pgp_num, last_change, .. } = pool;
    let flags = flag_names(pool).join(",");
    Some(format!(
        "pool {id} '{name}' replicated size {size} min_size {min_size} crush_rule {crush_rule} object_hash \
         rjenkins pg_num {pg_num} pgp_num {pgp_num} autoscale_mode off last_change {last_change} flags {flags} \
         stripe_width 0\n"
    ))
}

/// A pool as `osd dump` has it in JSON, as far as anything here knows of it.
pub(super) fn describe(map: &OsdMap, id: i64) -> Option<Value> {
    let (name, pool) = parts(map, id)?;
    Some(json!({
        "pool": id, "pool_name": name, "flags": pool.flags, "flags_names": flag_names(pool).join(","),
        "type": pool.kind.0, "size": pool.size, "min_size": pool.min_size, "crush_rule": pool.crush_rule,
        "object_hash": pool.object_hash, "pg_autoscale_mode": "off", "pg_num": pool.pg_num,
        "pg_placement_num": pool.pgp_num, "pg_num_target": pool.pg_num_target,
        "pg_placement_num_target": pool.pgp_num_target, "last_change": pool.last_change.to_string(),
        "tiers": [], "tier_of": pool.tier_of, "read_tier": pool.read_tier, "write_tier": pool.write_tier,
    }))
}

fn parts(map: &OsdMap, id: i64) -> Option<(String, &Pool)> {
    Some((map.pool_names.get(&id)?.to_string_lossy().into_owned(), map.pool(id)?))
}

fn flag_names(pool: &Pool) -> Vec<&'static str> {
    let known =
        [(pool_flags::HASHPSPOOL, "hashpspool"), (pool_flags::FULL, "full"), (pool_flags::EIO, "eio")];
    known.into_iter().filter(|(flag, _)| pool.flags & flag != 0).map(|(_, name)| name).collect()
}
