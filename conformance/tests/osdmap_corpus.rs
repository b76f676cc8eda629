//! Ceph's own encodings of maps, incrementals and pools.

use anyhow::{Context, Result};
use linger_conformance::{Sample, compare_pgs, corpus, osdmaptool_pgs, samples, tools};
use linger_core::placement::mark_up_in;
use linger_testbed::Release;
use linger_wire::osdmap::{Incremental, OsdMap, Pool};
use linger_wire::{Decode, Features};

/// The releases whose layouts are only read here: Kraken, and a development version of Octopus.
const ONLY_READ: [&str; 2] = ["11.2.0-280", "15.0.0-539"];

#[test]
fn every_osdmap_decodes_and_reencodes() -> Result<()> {
    check("every_osdmap_decodes_and_reencodes", "OSDMap", |bytes, features| {
        OsdMap::decode(bytes).map(|map| map.encode_for(features).to_vec())
    })
}

#[test]
fn every_incremental_decodes_and_reencodes() -> Result<()> {
    check("every_incremental_decodes_and_reencodes", "OSDMap::Incremental", |bytes, features| {
        Incremental::decode(bytes).map(|inc| inc.encode_for(features).to_vec())
    })
}

#[test]
fn every_pool_decodes_and_reencodes() -> Result<()> {
    check("every_pool_decodes_and_reencodes", "pg_pool_t", |bytes, features| {
        let pool = Pool::decode(bytes)?;
        let mut out = bytes::BytesMut::new();
        pool.encode_for(features, &mut out);
        Ok(out.to_vec())
    })
}

/// Checks all samples of a type: each decodes, and re-encodes to the same bytes for a peer of some release.
fn check(
    test: &str,
    type_name: &str,
    reencode: impl Fn(&[u8], Features) -> Result<Vec<u8>, linger_wire::DecodeError>,
) -> Result<()> {
    let Some(samples) = samples(type_name, test)? else {
        return Ok(());
    };
    let written = |sample: &Sample| !ONLY_READ.iter().any(|release| sample.release.starts_with(release));
    assert!(samples.iter().any(written), "{type_name}: nothing to compare");
    for sample in &samples {
        let place = sample.path.display();
        let encodings = releases()
            .map(|features| reencode(&sample.bytes, features).unwrap_or_else(|e| panic!("{place}: {e}")));
        let same = encodings.contains(&sample.bytes);
        assert!(same || !written(sample), "{place} re-encodes differently for every release");
    }
    Ok(())
}

/// The features of a peer of each release of which layouts differ: Nautilus, Octopus, Reef, Squid, Tentacle.
fn releases() -> [Features; 5] {
    let without = |features: &[u64]| Features(!features.iter().fold(0, |all, bit| all | 1 << bit));
    const OCTOPUS: u64 = 16;
    const REEF: u64 = 31;
    const CRUSH_MSR: u64 = 38;
    const TENTACLE: u64 = 50;
    [
        without(&[TENTACLE, CRUSH_MSR, REEF, OCTOPUS]),
        without(&[TENTACLE, CRUSH_MSR, REEF]),
        without(&[TENTACLE, CRUSH_MSR]),
        without(&[TENTACLE]),
        without(&[]),
    ]
}

#[test]
fn the_corpus_maps_place_as_osdmaptool_does() -> Result<()> {
    let test = "the_corpus_maps_place_as_osdmaptool_does";
    // Those that ceph-dencoder makes have no placement group.
    let Some(samples) = corpus("OSDMap") else {
        linger_testbed::skip(test, &"there is no corpus");
        return Ok(());
    };
    let Some(root) = tools(Release::Tentacle, test)? else {
        return Ok(());
    };
    let mut groups = 0;
    for sample in &samples {
        let mut map = OsdMap::decode(&sample.bytes)?;
        for args in [&[][..], &["--mark-up-in"]] {
            let theirs = osdmaptool_pgs(&root, &sample.path, args)?;
            groups +=
                compare_pgs(&map, &theirs).with_context(|| format!("{} {args:?}", sample.path.display()))?;
            mark_up_in(&mut map);
        }
    }
    println!("{groups} placements of {} maps are equal", samples.len());
    Ok(())
}
