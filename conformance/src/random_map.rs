//! Random maps that `crushtool` and `osdmaptool` make.

use crate::{Rng, crush_text};
use anyhow::{Context, Result, ensure};
use linger_testbed::Root;
use linger_wire::crush::{Bucket, BucketAlg, CrushMap, RuleType};
use linger_wire::osdmap::{
    AFFINITY_DEFAULT, ITEM_NONE, OsdMap, Pool, PoolType, WEIGHT_IN, osd_state, pool_flags,
};
use linger_wire::{Decode, Encode, Features, Name, PgId};
use std::{fs, path::Path, process::Command, sync::Arc};

/// Which maps [`random_map`] makes.
#[derive(Debug, Clone, Copy)]
pub struct MapKind {
    /// With MSR rules and a regular hierarchy.
    pub msr: bool,
    /// Only with what Nautilus knows, and encoded for it.
    pub nautilus: bool,
}

/// Features of Nautilus: all but those of Octopus, Reef, Squid and Tentacle by which layouts differ.
const NAUTILUS: Features = Features(!(1 << 16 | 1 << 31 | 1 << 38 | 1 << 50));

/// Makes a map, of which `crushtool` and `osdmaptool` of Tentacle make the frame. All that they can not set is changed afterwards,
/// so Ceph also reads what we encode. Returns it with its CRUSH map as text; it is also in `file`.
///
/// # Errors
/// A tool fails, or we do not read what it writes.
pub fn random_map(root: &Root, file: &Path, rng: &mut Rng, kind: MapKind) -> Result<(OsdMap, String)> {
    let (text, crush) = (file.with_extension("text"), file.with_extension("crush"));
    let hierarchy = crush_text(rng, kind.msr);
    fs::write(&text, &hierarchy.text)?;
    let compile = ["--enable-unsafe-tunables", "-c"];
    run(root.command("crushtool").args(compile).arg(&text).arg("-o").arg(&crush))?;
    let osds = hierarchy.devices.last().map_or(1, |last| last + 1);
    let create = ["--createsimple", &osds.to_string(), "--with-default-pool", "--clobber", "--pg-bits", "2"];
    run(root.command("osdmaptool").args(create).arg(file))?;
    run(root.command("osdmaptool").arg(file).arg("--import-crush").arg(&crush))?;

    let mut map = decode_as_written(file)?;
    change_crush(Arc::make_mut(&mut map.crush), rng);
    change(&mut map, rng);
    let bytes = if kind.nautilus {
        limit_to_nautilus(&mut map);
        map.encode_for(NAUTILUS)
    } else {
        map.to_bytes()
    };
    fs::write(file, &bytes)?;
    let decoded = OsdMap::decode(&bytes)?;
    ensure!(kind.nautilus || decoded == map, "our map decodes differently");
    Ok((decoded, hierarchy.text))
}

/// Reads a map that `osdmaptool` of Nautilus or Tentacle wrote.
///
/// # Errors
/// It does not decode, or re-encodes differently.
pub fn decode_as_written(file: &Path) -> Result<OsdMap> {
    let bytes = fs::read(file)?;
    let map = OsdMap::decode(&bytes).with_context(|| file.display().to_string())?;
    let same = [Features(u64::MAX), NAUTILUS].iter().any(|features| map.encode_for(*features) == bytes);
    ensure!(same, "the tool's map re-encodes differently");
    Ok(map)
}

/// Takes away what Nautilus does not know, and positions without an OSD, with which its `osdmaptool` counts beyond the
/// end of a list: all pools are replicated, as their rules must be then.
fn limit_to_nautilus(map: &mut OsdMap) {
    map.pg_upmap_primaries.clear();
    for pool in map.pools.values_mut() {
        pool.kind = PoolType::REPLICATED;
        pool.flags &= !pool_flags::EC_OPTIMIZATIONS;
        pool.nonprimary_shards = 0;
    }
    let rules = Arc::make_mut(&mut map.crush).rules.iter_mut().flatten();
    rules.for_each(|rule| rule.rule_type = RuleType::REPLICATED);
}

/// Makes what `crushtool` can not: sums in trees, uniform buckets without weight, replacement weights for all pools.
fn change_crush(crush: &mut CrushMap, rng: &mut Rng) {
    for bucket in crush.buckets.iter_mut().flatten() {
        sum_up(bucket);
        if let BucketAlg::Uniform { item_weight, .. } = &mut bucket.alg
            && rng.one_in(3)
        {
            (*item_weight, bucket.weight) = (0, 0);
        }
    }
    if let Some(args) = crush.choose_args.remove(&0) {
        crush.choose_args.insert(rng.pick(&[1, 2, CrushMap::CHOOSE_ARGS_DEFAULT]), args);
    }
}

/// Sets the inner weights of a tree. Those of a shadow tree are what crushtool found in memory, and choosing by them
/// takes Ceph beyond the end of the bucket.
fn sum_up(bucket: &mut Bucket) {
    let BucketAlg::Tree { items, node_weights } = &mut bucket.alg else { return };
    let nodes = node_weights.len();
    for node in (2 * items.len() + 1..nodes).step_by(2) {
        node_weights[node] = 0;
    }
    let mut half = 1;
    while 2 * half < nodes {
        for node in (2 * half..nodes).step_by(4 * half) {
            node_weights[node] = node_weights[node - half] + node_weights[node + half];
        }
        half *= 2;
    }
}

/// Makes a map that uses every override there is.
fn change(map: &mut OsdMap, rng: &mut Rng) {
    for osd in 0..map.max_osd as usize {
        map.osd_state[osd] = match rng.within(0..10) {
            0 => 0,
            1 | 2 => osd_state::EXISTS,
            _ => osd_state::EXISTS | osd_state::UP,
        };
        map.osd_weight[osd] = match rng.within(0..8) {
            0 => 0,
            1 | 2 => rng.within(1..WEIGHT_IN.into()) as u32,
            _ => WEIGHT_IN,
        };
    }
    if rng.one_in(2) {
        let affinity = |rng: &mut Rng| match rng.within(0..3) {
            0 => 0,
            1 => rng.within(0..AFFINITY_DEFAULT.into()) as u32,
            _ => AFFINITY_DEFAULT,
        };
        map.primary_affinity = (0..map.max_osd).map(|_| affinity(rng)).collect();
    }
    let rules = map.crush.rules.len() as i64;
    for id in 1..=rng.within(2..5) {
        let pool = random_pool(rng, rules);
        for seed in 0..pool.pg_num {
            override_pg(map, &pool, PgId { pool: id, seed }, rng);
        }
        map.pool_names.insert(id, Name::from(format!("pool{id}")));
        map.pool_max = id as i32;
        map.pools.insert(id, pool);
    }
}

fn random_pool(rng: &mut Rng, rules: i64) -> Pool {
    let (size, pg_num) = (rng.within(1..7) as u8, rng.within(1..70) as u32);
    let rule = rng.within(0..rules + 1) as u8;
    let mut pool = match rng.one_in(2) {
        true => Pool::replicated(size, pg_num, rule),
        false => Pool::erasure(size, 1, pg_num, rule),
    };
    pool.pgp_num = rng.within(1..i64::from(pg_num) + 1) as u32;
    if rng.one_in(4) {
        pool.flags &= !pool_flags::HASHPSPOOL;
    }
    if pool.kind == PoolType::ERASURE && rng.one_in(2) {
        pool.flags |= pool_flags::EC_OPTIMIZATIONS;
        // The first shard can always be primary.
        pool.nonprimary_shards = u128::from(rng.bits()) & ((1 << size) - 1) & !1;
    }
    pool
}

/// Sets some overrides of a group, most of them to OSDs that exist.
fn override_pg(map: &mut OsdMap, pool: &Pool, pg: PgId, rng: &mut Rng) {
    let max = i64::from(map.max_osd);
    let osd = |rng: &mut Rng| match rng.within(0..12) {
        0 => ITEM_NONE,
        _ => rng.within(0..max) as i32,
    };
    let some = |rng: &mut Rng, n: u8| (0..n).map(|_| osd(rng)).collect::<Vec<_>>();
    if rng.one_in(6) {
        let osds = some(rng, pool.size);
        map.pg_temp.insert(pg, osds);
    }
    if rng.one_in(8) {
        map.primary_temp.insert(pg, rng.within(0..max) as i32);
    }
    if rng.one_in(6) {
        let osds = some(rng, pool.size);
        map.pg_upmap.insert(pg, osds);
    }
    if rng.one_in(3) {
        let items = (0..rng.within(1..5)).map(|_| (osd(rng), osd(rng))).collect();
        map.pg_upmap_items.insert(pg, items);
    }
    if rng.one_in(4) {
        map.pg_upmap_primaries.insert(pg, rng.within(0..max) as i32);
    }
}

/// Runs a tool to its end.
///
/// # Errors
/// It fails; what it wrote to its standard error is told.
pub fn run(command: &mut Command) -> Result<()> {
    let output = command.output()?;
    let text = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{command:?}: {}: {text}", output.status);
    Ok(())
}
