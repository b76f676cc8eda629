//! The cipher and the checksum of frames, against the fastest crates and OpenSSL.
//!
//! `cargo bench -p linger-benches --bench crypto --features rivals`; at the end comes a table.
#![allow(missing_docs, reason = "criterion's macros make public functions")]

use aws_lc_rs::aead as aws;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group};
use graviola::aead::AesGcm;
use linger_wire::crypto::{Aead, CryptoProvider, Ring, RustCrypto};
use serde_json::Value;
use std::hint::black_box;
use std::process::Command;
use std::{env, fs};

/// From a ping to a large read.
const SIZES: [usize; 3] = [256, 4 << 10, 64 << 10];

const NONCE: [u8; 12] = [7; 12];

/// AES-128-GCM, one buffer in place, a tag beside it.
fn seal(c: &mut Criterion) {
    let mut group = c.benchmark_group("crypto/seal");
    let providers: [&dyn CryptoProvider; 2] = [&RustCrypto, &Ring];
    for size in SIZES {
        let mut data = vec![3; size];
        group.throughput(Throughput::Bytes(size as u64));
        for provider in providers {
            let cipher: Box<dyn Aead> = provider.aes_128_gcm(&[1; 16]);
            group.bench_function(BenchmarkId::new(provider.name(), size), |b| {
                b.iter(|| black_box(cipher.seal(&NONCE, &mut data)));
            });
        }
        let cipher = AesGcm::new(&[1; 16]);
        group.bench_function(BenchmarkId::new("graviola", size), |b| {
            let mut tag = [0; 16];
            b.iter(|| cipher.encrypt(&NONCE, &[], black_box(&mut data), &mut tag));
        });
        let key = aws::UnboundKey::new(&aws::AES_128_GCM, &[1; 16]).expect("a key of the right length");
        let cipher = aws::LessSafeKey::new(key);
        group.bench_function(BenchmarkId::new("aws-lc-rs", size), |b| {
            b.iter(|| {
                let nonce = aws::Nonce::assume_unique_for_key(NONCE);
                cipher
                    .seal_in_place_separate_tag(nonce, aws::Aad::empty(), black_box(&mut data))
                    .expect("room")
            });
        });
    }
    group.finish();
}

/// CRC-32C, as segments of frames have it.
fn checksum(c: &mut Criterion) {
    static TABLE: crc::Crc<u32> = crc::Crc::<u32>::new(&crc::CRC_32_ISCSI);
    let mut group = c.benchmark_group("crypto/crc32c");
    for size in SIZES {
        let data = vec![3; size];
        group.throughput(Throughput::Bytes(size as u64));
        group.bench_function(BenchmarkId::new("crc32c", size), |b| {
            b.iter(|| crc32c::crc32c_append(!0, black_box(&data)));
        });
        group.bench_function(BenchmarkId::new("crc-fast", size), |b| {
            b.iter(|| crc_fast::checksum(crc_fast::CrcAlgorithm::Crc32Iscsi, black_box(&data)));
        });
        group.bench_function(BenchmarkId::new("crc (tables)", size), |b| {
            b.iter(|| TABLE.checksum(black_box(&data)));
        });
    }
    group.finish();
}

criterion_group!(benches, seal, checksum);

fn main() {
    benches();
    Criterion::default().configure_from_args().final_summary();
    table("crypto/seal", &["RustCrypto", "ring", "graviola", "aws-lc-rs"], openssl);
    table("crypto/crc32c", &["crc32c", "crc-fast", "crc (tables)"], |_| None);
}

/// Nanoseconds of each rival side by side, and how they compare with the first, which is the default.
fn table(group: &str, rivals: &[&str], other: impl Fn(usize) -> Option<f64>) {
    println!("\n{group}, ns (ratio to {})", rivals[0]);
    for size in SIZES {
        let Some(first) = measured(group, rivals[0], size) else { continue };
        print!("{size:>6} bytes");
        for rival in rivals {
            if let Some(ns) = measured(group, rival, size) {
                print!("  {rival} {ns:.0} ({:.2})", ns / first);
            }
        }
        if let Some(ns) = other(size) {
            print!("  OpenSSL {ns:.0} ({:.2})", ns / first);
        }
        println!();
    }
}

/// What criterion has just estimated.
fn measured(group: &str, name: &str, size: usize) -> Option<f64> {
    let target = env::var("CARGO_TARGET_DIR")
        .unwrap_or_else(|_| concat!(env!("CARGO_MANIFEST_DIR"), "/../target").to_owned());
    let path = format!("{target}/criterion/{}/{name}/{size}/new/estimates.json", group.replace('/', "_"));
    let estimates: Value = serde_json::from_str(&fs::read_to_string(path).ok()?).ok()?;
    estimates["median"]["point_estimate"].as_f64()
}

/// What `openssl speed` says, where it is installed.
fn openssl(size: usize) -> Option<f64> {
    let bytes = size.to_string();
    let args = ["speed", "-seconds", "1", "-bytes", &bytes, "-evp", "aes-128-gcm"];
    let output = Command::new("openssl").args(args).output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let rate: f64 = text.split_whitespace().last()?.strip_suffix('k')?.parse().ok()?;
    Some(size as f64 / rate * 1e6)
}
