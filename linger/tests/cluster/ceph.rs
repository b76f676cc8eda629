//! Ceph's own `rados` as watcher and notifier.

use crate::tool::{PATIENCE, Running, ceph};
use anyhow::{Context, Result, ensure};
use linger_testbed::{Object, shared};
use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

/// `rados watch`, which acks every notify with the notify's own payload.
pub fn rados_watch(object: &Object) -> Result<Running> {
    let before = shared().list_watchers(object)?.len();
    let mut command = shared().command("rados");
    command.args(object.rados_args()).args(["watch", &object.name]).stdin(Stdio::piped());
    let watch = Running::start(command)?;
    let start = Instant::now();
    while shared().list_watchers(object)?.len() == before {
        ensure!(start.elapsed() < PATIENCE, "rados does not watch");
        thread::sleep(Duration::from_millis(20));
    }
    Ok(watch)
}

/// What `rados notify` printed: stdout, then stderr.
pub fn rados_notify(object: &Object, message: &str) -> Result<String> {
    let mut args = object.rados_args();
    args.extend(["notify".to_owned(), object.name.clone(), message.to_owned()]);
    let output = ceph("rados", args)?;
    let text = [output.stdout, output.stderr].concat();
    String::from_utf8(text).context("not UTF-8")
}

/// The bytes in a hex dump of Ceph, which has lines like `00000000  68 69  |hi|`.
pub fn dumped(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    for line in text.lines() {
        let Some((numbers, _)) = line.split_once('|') else { continue };
        let words = numbers.split_whitespace().skip(1);
        bytes.extend(words.filter_map(|word| u8::from_str_radix(word, 16).ok()));
    }
    bytes
}

/// The payload of `rados notify`: a u32 length stands in front.
pub fn with_length(message: &str) -> Vec<u8> {
    let mut bytes = u32::try_from(message.len()).unwrap_or_default().to_le_bytes().to_vec();
    bytes.extend(message.as_bytes());
    bytes
}

/// Bytes as in `payload_hex`.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
