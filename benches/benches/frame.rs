//! Frames: bytes to frames, frames to bytes, and what the size of a read costs.
#![allow(missing_docs, reason = "criterion's macros make public functions")]

use bytes::{Buf, BufMut, Bytes, BytesMut};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use linger_wire::Encode;
use linger_wire::frame::{
    Assembler, Banner, Chunks, Control, FrameLimits, MessageHeader, Received, emit_control, emit_message,
};
use std::hint::black_box;

/// A front as long as that of an object operation.
const FRONT: [u8; 200] = [7; 200];

/// From a notify acknowledgement to a large read.
const DATA: [usize; 5] = [0, 128, 4 << 10, 64 << 10, 1 << 20];

fn put_message(data: &Bytes, out: &mut Chunks) {
    let header = MessageHeader { seq: 1, tid: 1, ..MessageHeader::new(42, 8, 3) };
    emit_message(&header, |front| front.put_slice(&FRONT), data.clone(), out);
}

fn wire(data: usize) -> Bytes {
    let mut out = Chunks::new();
    put_message(&Bytes::from(vec![3; data]), &mut out);
    out.copy_to_bytes(out.remaining())
}

/// An assembler past the banner.
fn open() -> Assembler {
    let mut assembler = Assembler::new(FrameLimits::default());
    assembler.push(&Banner::OURS.to_bytes());
    assert!(matches!(assembler.pull(), Ok(Some(Received::Banner(_)))));
    assembler
}

/// Takes out all frames and returns how many there were.
fn drain(assembler: &mut Assembler) -> usize {
    std::iter::from_fn(|| assembler.pull().expect("a valid stream")).map(black_box).count()
}

fn decode(c: &mut Criterion) {
    let mut group = c.benchmark_group("frame/decode");
    for data in DATA {
        let raw = wire(data);
        group.throughput(Throughput::Bytes(raw.len() as u64));
        group.bench_function(BenchmarkId::from_parameter(data), |b| {
            let mut assembler = open();
            b.iter(|| {
                // As sockets are read: in pieces of at most 64 KiB.
                let frames: usize = raw
                    .chunks(64 << 10)
                    .map(|piece| {
                        assembler.push(piece);
                        drain(&mut assembler)
                    })
                    .sum();
                assert_eq!(frames, 1);
            });
        });
    }
    group.finish();
}

fn encode(c: &mut Criterion) {
    let mut group = c.benchmark_group("frame/encode");
    for data in DATA {
        group.throughput(Throughput::Bytes(wire(data).len() as u64));
        let data = Bytes::from(vec![3; data]);
        group.bench_function(BenchmarkId::from_parameter(data.len()), |b| {
            let mut out = Chunks::new();
            b.iter(|| {
                put_message(&data, &mut out);
                out.advance(black_box(out.remaining()));
            });
        });
    }
    group.bench_function("keepalive", |b| {
        let control = Control::Keepalive2(linger_wire::UTime { sec: 1, nsec: 2 });
        let mut out = Chunks::new();
        b.iter(|| {
            emit_control(&control, &mut out);
            out.advance(black_box(out.remaining()));
        });
    });
    group.finish();
}

/// A thousand small messages, read in pieces of different sizes.
fn ingest(c: &mut Criterion) {
    let mut raw = BytesMut::new();
    (0..1000).for_each(|_| raw.extend_from_slice(&wire(128)));
    let mut group = c.benchmark_group("frame/ingest");
    group.throughput(Throughput::Elements(1000));
    for piece in [16, 256, 4 << 10, 64 << 10] {
        group.bench_function(BenchmarkId::from_parameter(piece), |b| {
            let mut assembler = open();
            b.iter(|| {
                let mut frames = 0;
                for piece in raw.chunks(piece) {
                    assembler.push(piece);
                    frames += drain(&mut assembler);
                }
                assert_eq!(frames, 1000);
            });
        });
    }
    group.finish();
}

criterion_group!(benches, decode, encode, ingest);
criterion_main!(benches);
