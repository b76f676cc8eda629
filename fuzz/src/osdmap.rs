//! OSD maps, their steps and CRUSH maps, as a monitor could send them.

use linger_core::FEATURES;
use linger_core::placement::{Overlay, Placer, locate, pgs};
use linger_test_support::maps::{Shape, map};
use linger_wire::crush::CrushMap;
use linger_wire::osdmap::{Incremental, OsdMap};
use linger_wire::{Decode, ObjectLocator};

/// Any bytes as a full map, a step or a CRUSH map: no panic, and what decodes survives being encoded
/// and decoded again. A map is then used: stepped on, and some groups placed by it.
///
/// Input: a byte that says what, then that.
pub fn osdmap(data: &[u8]) {
    let [what, data @ ..] = data else { return };
    match what & 3 {
        0 => full(data),
        1 => step(&map(Shape::SMALL), data),
        2 => crush(data),
        _ => both(data),
    }
}

fn full(data: &[u8]) {
    let Ok(map) = OsdMap::decode(data) else { return };
    again(&map);
    place(&map);
}

/// What an old map says in a way of its own, or leaves to be understood, a decoded one says the usual
/// way: so a decoded one is the first that must stay what it is.
fn again(map: &OsdMap) {
    let decode = |raw: &[u8]| OsdMap::decode(raw).expect("our own encoding decodes");
    let raw = decode(&map.encode_for(FEATURES)).encode_for(FEATURES);
    assert!(decode(&raw).encode_for(FEATURES) == raw, "another round changes nothing");
}

fn step(map: &OsdMap, data: &[u8]) {
    let Ok(mut inc) = Incremental::decode(data) else { return };
    let raw = inc.encode_for(FEATURES);
    let second = Incremental::decode(&raw).expect("our own encoding decodes");
    assert!(second.encode_for(FEATURES) == raw, "the second encoding equals the first");
    (inc.fsid, inc.epoch) = (map.fsid, map.epoch.saturating_add(1));
    let mut map = map.clone();
    if map.apply(&inc).is_ok() {
        again(&map);
        place(&map);
    }
}

fn crush(data: &[u8]) {
    let Ok(crush) = CrushMap::decode(data) else { return };
    let map = OsdMap { crush: crush.into(), ..map(Shape::SMALL) };
    again(&map);
    place(&map);
}

/// A full map and a step on it, the first's length in front.
fn both(data: &[u8]) {
    let Some((len, data)) = data.split_first_chunk() else { return };
    let Some((map, inc)) = data.split_at_checked(u16::from_le_bytes(*len).into()) else { return };
    if let Ok(map) = OsdMap::decode(map) {
        step(&map, inc);
    }
}

/// Few groups: a map may ask for much work, and gets it up to a bound for each mapping.
fn place(map: &OsdMap) {
    let mut placer = Placer::new(map);
    for pg in pgs(map).take(3) {
        let _ = placer.place(pg);
    }
    for pool in map.pools.keys().take(1) {
        let locator = ObjectLocator { pool: *pool, key: "".into(), nspace: "ns".into(), hash: -1 };
        for overlay in [Overlay::Read, Overlay::Write, Overlay::Ignore] {
            let _ = locate(map, &locator, &"object".into(), overlay);
        }
    }
}
