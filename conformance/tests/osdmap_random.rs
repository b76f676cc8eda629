//! Placement by random maps, compared with `osdmaptool --test-map-pgs-dump-all`.

use anyhow::{Context, Result, ensure};
use linger_conformance::{MapKind, Rng, compare_pgs, osdmaptool_pgs, random_map, tools};
use linger_core::placement::crush::{set_weights, straw_lengths};
use linger_core::placement::mark_up_in;
use linger_testbed::{Release, Root};
use linger_wire::Decode;
use linger_wire::crush::{BucketAlg, CrushMap};
use linger_wire::osdmap::{OsdMap, WEIGHT_IN};
use std::{fs, path::Path, sync::Arc};

#[test]
fn random_maps_place_as_osdmaptool_does() -> Result<()> {
    compare_random_maps(Release::Tentacle, "random_maps_place_as_osdmaptool_does", 120, |n| MapKind {
        msr: n % 3 == 0,
        nautilus: false,
    })
}

#[test]
fn random_maps_place_as_osdmaptool_of_nautilus_does() -> Result<()> {
    compare_random_maps(Release::Nautilus, "random_maps_place_as_osdmaptool_of_nautilus_does", 60, |_| {
        MapKind { msr: false, nautilus: true }
    })
}

fn compare_random_maps(release: Release, test: &str, maps: u64, kind: fn(u64) -> MapKind) -> Result<()> {
    let (Some(maker), Some(root)) = (tools(Release::Tentacle, test)?, tools(release, test)?) else {
        return Ok(());
    };
    let seed = Rng::seed();
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("osdmap");
    let mut done = Done::default();
    for n in 0..maps {
        let mut rng = Rng::new(seed.wrapping_add(n));
        random_map(&maker, &file, &mut rng, kind(n))
            .and_then(|(map, text)| compare(&root, &file, map, &mut done).with_context(|| text))
            .with_context(|| format!("LINGER_SEED={seed}, map {n}"))?;
    }
    println!("{maps} maps: {done:?}");
    // About one map in ten has replacement weights: a hundred maps have some, whatever the seed.
    let enough = done.weighted > maps / 3 && (done.replaced > 0 || maps < 100) && done.straws > 0;
    ensure!(enough, "too few maps that mark_up_in changes");
    Ok(())
}

/// What was found equal.
#[derive(Debug, Default)]
struct Done {
    placements: usize,
    straws: usize,
    /// Maps of which CRUSH weights changed.
    weighted: u64,
    /// Maps of which replacement weights changed.
    replaced: u64,
}

fn compare(root: &Root, file: &Path, mut map: OsdMap, done: &mut Done) -> Result<()> {
    done.straws += compare_straws(&map.crush)?;
    let theirs = osdmaptool_pgs(root, file, &[])?;
    done.placements += compare_pgs(&map, &theirs)?;

    let before = map.crush.clone();
    mark_up_in(&mut map);
    if root.release() == Release::Nautilus {
        map.crush = before.clone();
        set_weights(Arc::make_mut(&mut map.crush), map.max_osd, WEIGHT_IN, |_| true);
    }
    done.weighted += u64::from(map.crush != before);
    done.replaced += u64::from(map.crush.choose_args != before.choose_args);
    let export = file.with_extension("export");
    let args = ["--mark-up-in", "--export-crush", &export.display().to_string()];
    let theirs = osdmaptool_pgs(root, file, &args)?;
    let mut crush = CrushMap::decode(&fs::read(export)?)?;
    crush.extent = map.crush.extent;
    ensure!(crush == *map.crush, "ours:   {:?}\ntheirs: {crush:?}", map.crush);
    done.placements += compare_pgs(&map, &theirs).context("--mark-up-in")?;
    Ok(())
}

/// Compares the lengths of straws that `crushtool` computed; returns how many there are.
fn compare_straws(crush: &CrushMap) -> Result<usize> {
    let mut count = 0;
    for bucket in crush.buckets.iter().flatten() {
        let BucketAlg::Straw(items) = &bucket.alg else { continue };
        let weights: Vec<_> = items.iter().map(|item| item.weight).collect();
        let theirs: Vec<_> = items.iter().map(|item| item.straw).collect();
        let ours = straw_lengths(&weights, crush.tunables.straw_calc_version);
        ensure!(ours == theirs, "straws of {weights:x?}: {ours:x?}, crushtool says {theirs:x?}");
        count += items.len();
    }
    Ok(count)
}
