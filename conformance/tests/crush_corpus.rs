//! Ceph's own encodings of CRUSH maps.

use anyhow::{Context, Result, ensure};
use linger_conformance::samples;
use linger_wire::{Decode, Encode, crush::CrushMap};

#[test]
fn every_crush_map_decodes_and_reencodes() -> Result<()> {
    let samples = samples("CrushWrapper", "every_crush_map_decodes_and_reencodes")?;
    for sample in samples.iter().flatten() {
        let map = CrushMap::decode(&sample.bytes).with_context(|| sample.path.display().to_string())?;
        ensure!(map.to_bytes() == sample.bytes, "{}: {map:#?}", sample.path.display());
        println!("{} {}: up to {:?}", sample.release, sample.path.display(), map.extent);
    }
    Ok(())
}
