//! Writes the first inputs of the target `osdmap`, and those of `frame_decode` in secure mode, by this
//! project's own encoder.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use linger_core::FEATURES;
use linger_fuzz::ends_without_cipher;
use linger_test_support::maps::{Shape, map, next};
use linger_wire::crush::{Bucket, BucketAlg, CrushMap, ListItem, StrawItem};
use linger_wire::frame::{AuthDone, Banner, Chunks, ConMode, Control, Emitter, MessageHeader};
use linger_wire::osdmap::{Incremental, OsdMap, Pool, WEIGHT_IN};
use linger_wire::{AddrType, Encode, EntityAddr, Features, PgId, UTime};
use std::{fs, path::Path};

fn changes(map: &OsdMap) -> Vec<(&'static str, Incremental)> {
    let pg = PgId { pool: 1, seed: 3 };
    let addr = EntityAddr { kind: AddrType::ANY, nonce: 5, sock: Some(([192, 0, 2, 1], 0).into()) };
    vec![
        ("nothing", next(map)),
        ("weight", Incremental { new_weight: [(1, WEIGHT_IN / 2)].into(), ..next(map) }),
        ("state", Incremental { new_state: [(2, 2)].into(), ..next(map) }),
        ("temp", Incremental { new_pg_temp: [(pg, vec![2, 1])].into(), ..next(map) }),
        ("primary-temp", Incremental { new_primary_temp: [(pg, 2)].into(), ..next(map) }),
        ("affinity", Incremental { new_primary_affinity: [(0, 0x8000)].into(), ..next(map) }),
        ("upmap", Incremental { new_pg_upmap: [(pg, vec![2, 0, 1])].into(), ..next(map) }),
        ("upmap-items", Incremental { new_pg_upmap_items: [(pg, vec![(1, 2)])].into(), ..next(map) }),
        ("upmap-primary", Incremental { new_pg_upmap_primary: [(pg, 2)].into(), ..next(map) }),
        ("pool", Incremental { new_pools: [(1, Pool::replicated(2, 16, 0))].into(), ..next(map) }),
        ("old-pool", Incremental { old_pools: [2].into(), ..next(map) }),
        ("max-osd", Incremental { new_max_osd: Some(2), ..next(map) }),
        ("crush", Incremental { crush: Some(map.crush.clone()), ..next(map) }),
        ("blocklist", Incremental { new_blocklist: [(addr, UTime::default())].into(), ..next(map) }),
        ("full", Incremental { full_map: Some(Box::new(map.clone())), ..next(map) }),
    ]
}

fn buckets() -> Vec<(&'static str, BucketAlg)> {
    let items = vec![0, 1, 2];
    let list = |item| ListItem { item, weight: 0x10000, sum: 0x10000 * (item as u32 + 1) };
    let straw = |item| StrawItem { item, weight: 0x10000, straw: 0x10000 };
    vec![
        ("uniform", BucketAlg::Uniform { items: items.clone(), item_weight: 0x10000 }),
        ("list", BucketAlg::List(items.iter().copied().map(list).collect())),
        ("tree", BucketAlg::Tree { items: items.clone(), node_weights: vec![0x10000; 7] }),
        ("straw", BucketAlg::Straw(items.iter().copied().map(straw).collect())),
    ]
}

/// A stream of sealed frames, as `frame_decode` takes it.
fn sealed(emit: impl FnOnce(&mut Emitter, &mut Chunks)) -> Vec<u8> {
    let (mut emitter, mut out) = (Emitter::new(), Chunks::new());
    emitter.set_secure(ends_without_cipher().0);
    // Flags: secure mode, right checksums; and two pieces.
    out.tail().put_slice(&[8 | 2, 2, 63, 200]);
    Banner::OURS.encode(out.tail());
    emit(&mut emitter, &mut out);
    out.copy_to_bytes(out.remaining()).to_vec()
}

fn secure_seeds(corpus: &Path) {
    let long = AuthDone { global_id: 4100, con_mode: ConMode::SECURE, payload: Bytes::from(vec![7; 90]) };
    let controls = [
        ("wait", Control::Wait),
        ("signature", Control::AuthSignature([3; 32])),
        ("long", Control::AuthDone(long)),
        ("missing", Control::IdentMissingFeatures(Features(5))),
    ];
    for (name, control) in controls {
        let seed = sealed(|emitter, out| emitter.control(&control, out).expect("nonces are left"));
        fs::write(corpus.join(format!("secure-{name}")), seed).expect("a writable folder");
    }
    for (name, front, data) in [("ping", 0, 0), ("front", 29, 0), ("data", 5, 100)] {
        let header = MessageHeader::new(42, 8, 3);
        let seed = sealed(|emitter, out| {
            for _ in 0..2 {
                let put = |out: &mut BytesMut| out.put_bytes(1, front);
                emitter.message(&header, put, Bytes::from(vec![2; data]), out).expect("nonces are left");
            }
        });
        fs::write(corpus.join(format!("secure-{name}")), seed).expect("a writable folder");
    }
}

fn main() {
    secure_seeds(&Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus/frame_decode"));
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus/osdmap");
    let write = |name: String, what: u8, parts: &[&[u8]]| {
        let mut seed = vec![what];
        parts.iter().for_each(|part| seed.extend_from_slice(part));
        fs::write(corpus.join(name), seed).expect("a writable folder");
    };
    let map = map(Shape::SMALL);
    let raw = map.encode_for(FEATURES);
    write("full".into(), 0, &[&raw]);
    let old = Features(FEATURES.0 & !Features::SERVER_NAUTILUS.0);
    write("full-old".into(), 0, &[&map.encode_for(old)]);
    for (name, inc) in changes(&map) {
        let inc = inc.encode_for(FEATURES);
        write(format!("step-{name}"), 1, &[&inc]);
        write(format!("both-{name}"), 3, &[&(raw.len() as u16).to_le_bytes(), &raw, &inc]);
    }
    for (name, alg) in buckets() {
        let root = Bucket { bucket_type: 3, hash: 0, weight: 0x30000, alg };
        let crush = CrushMap { buckets: vec![Some(root)], ..(*map.crush).clone() };
        let mut out = BytesMut::new();
        crush.encode(&mut out);
        write(format!("crush-{name}"), 2, &[&out]);
    }
}
