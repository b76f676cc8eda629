//! Ceph's own encodings of messages and of what is inside them.

use anyhow::{Context, Result, bail, ensure};
use bytes::{Bytes, BytesMut};
use linger_conformance::{Sample, corpus, samples};
use linger_wire::msg::{MapMessage, Message, MonMap, Msg, Redirect, Watcher, WatcherList};
use linger_wire::osdmap::{Incremental, OsdMap};
use linger_wire::{
    AddrVec, Decode, DecodeErrorKind, Encode, EntityAddr, HObject, ObjectLocator, ReqId, SpgId,
};

/// What linger makes of a sample.
enum Verdict {
    /// It is written, so it must come out the same.
    Same,
    /// It is read only: linger writes a newer layout.
    Read,
}

fn check<T: Decode + Encode>(test: &str, name: &str, verdict: fn(&Sample) -> Verdict) -> Result<()> {
    // What Nautilus' ceph-dencoder can not make is compared as a part of other types at least.
    let alone = !["spg_t", "watch_item_t"].contains(&name);
    let found = if alone { samples(name, test)? } else { corpus(name) };
    let Some(samples) = found else { return Ok(()) };
    let mut same = 0;
    for sample in &samples {
        let place = sample.path.display();
        let value = T::decode(&sample.bytes).with_context(|| place.to_string())?;
        let again = value.to_bytes();
        match verdict(sample) {
            Verdict::Same => {
                ensure!(again == sample.bytes, "{place}: {again:02x?} is not {:02x?}", sample.bytes);
                same += 1;
            }
            Verdict::Read => ensure!(again != sample.bytes, "{place} is written after all"),
        }
        // What is written is read again, also where the layout differs.
        ensure!(T::decode(&again)?.to_bytes() == again, "{place}");
    }
    println!("{name}: {} decoded, {same} equal again", samples.len());
    ensure!(same > 0, "no {name} that linger writes");
    Ok(())
}

/// | type | written where | read only |
/// |---|---|---|
/// | `entity_addr_t` | idents of connections | 11.2.0: the layout before `MSG_ADDR2` |
/// | `entity_addrvec_t` | idents of connections | |
/// | `hobject_t` | backoff and its ack | |
/// | `object_locator_t` | requests; redirects by a test server | |
/// | `osd_reqid_t` | requests | |
/// | `spg_t` | requests, backoffs | |
/// | `request_redirect_t` | replies of a test server | |
/// | `watch_item_t`, `obj_list_watch_response_t` | watchers by a test server | |
#[test]
fn every_part_of_a_message_decodes_and_reencodes() -> Result<()> {
    let test = "every_part_of_a_message_decodes_and_reencodes";
    let all = |_: &Sample| Verdict::Same;
    check::<AddrVec>(test, "entity_addrvec_t", all)?;
    check::<HObject>(test, "hobject_t", all)?;
    check::<ObjectLocator>(test, "object_locator_t", all)?;
    check::<ReqId>(test, "osd_reqid_t", all)?;
    check::<SpgId>(test, "spg_t", all)?;
    check::<Redirect>(test, "request_redirect_t", all)?;
    check::<WatcherList>(test, "obj_list_watch_response_t", all)?;
    check::<EntityAddr>(test, "entity_addr_t", |sample| match sample.bytes.first() {
        Some(0) => Verdict::Read,
        _ => Verdict::Same,
    })?;
    check::<Watcher>(test, "watch_item_t", all)
}

/// A message as `Message::encode` of Ceph dumps it (`msg/Message.cc`): the header of the first
/// messenger, its footer as it was before signatures, then the three segments.
struct Dump {
    code: u16,
    version: u16,
    compat: u16,
    front: Bytes,
    data: Bytes,
}

impl Dump {
    const FOOTER: usize = 53;
    const SEGMENTS: usize = Self::FOOTER + 13;

    fn read(bytes: &[u8]) -> Result<Self> {
        let u16_at = |at: usize| -> Result<u16> {
            let field = bytes.get(at..at + 2).context("a whole header")?;
            Ok(u16::from_le_bytes(field.try_into()?))
        };
        let u32_at = |at: usize| -> Result<u32> {
            let field = bytes.get(at..at + 4).context("a whole header")?;
            Ok(u32::from_le_bytes(field.try_into()?))
        };
        let mut rest = bytes.get(Self::SEGMENTS..).context("header and footer")?;
        let mut segments = Vec::new();
        for n in 0..3 {
            let segment = Bytes::decode(rest)?;
            ensure!(
                segment.len() == u32_at(22 + 4 * n)? as usize,
                "segment {n} is not as long as the header says"
            );
            rest = &rest[4 + segment.len()..];
            segments.push(segment);
        }
        ensure!(rest.is_empty() && segments[1].is_empty(), "nothing but front and data");
        let [front, _, data] = &segments[..] else { bail!("three segments") };
        let (front, data) = (front.clone(), data.clone());
        Ok(Self { code: u16_at(16)?, version: u16_at(20)?, compat: u16_at(45)?, front, data })
    }

    fn decode(&self) -> Result<Msg, linger_wire::DecodeError> {
        Msg::decode(self.code, self.version, self.compat, &self.front, &self.data)
    }
}

/// The dumps of a type, or none with a note that the test is skipped.
fn dumps(test: &str, name: &str) -> Result<Option<Vec<(Sample, Dump)>>> {
    // ceph-dencoder makes no messages.
    let Some(samples) = corpus(name) else {
        linger_testbed::skip(test, &"there is no corpus");
        return Ok(None);
    };
    let dump = |sample: Sample| {
        let dump = Dump::read(&sample.bytes).with_context(|| sample.path.display().to_string())?;
        Ok((sample, dump))
    };
    samples.into_iter().map(dump).collect::<Result<_>>().map(Some)
}

/// Front and data as linger writes them.
fn written(message: &impl Message) -> (Bytes, Bytes) {
    let mut front = BytesMut::new();
    message.encode_front(&mut front);
    (front.freeze(), message.data())
}

/// | message | in the corpus | written |
/// |---|---|---|
/// | `MAuth`, `MAuthReply`, `MMonGetVersion` | 1 | 1, the same |
/// | `MMonGetVersionReply` | 2 | 2, the same |
/// | `MWatchNotify` | 3 | 3, the same |
/// | `MMonSubscribe` | 2 | 3: a host name more |
/// | `MOSDMap` | 3 | 4: a count of removed snapshots more |
/// | `MOSDOpReply` | 7 | 8: a trace of 24 bytes more |
/// | `MMonMap` | 1 | 1, but the map inside is too old, see below |
/// | `MOSDOp` | 7 | 8, too old, see below |
///
/// What a newer version has more is zero here, so the rest must be the same to the byte.
#[test]
fn every_message_decodes_and_reencodes() -> Result<()> {
    let test = "every_message_decodes_and_reencodes";
    let types = [
        ("MAuth", 0),
        ("MAuthReply", 0),
        ("MMonGetVersion", 0),
        ("MMonGetVersionReply", 0),
        ("MWatchNotify", 0),
        ("MMonSubscribe", 4),
        ("MOSDMap", 4),
        ("MOSDOpReply", 24),
    ];
    for (name, more) in types {
        let Some(dumps) = dumps(test, name)? else { return Ok(()) };
        for (sample, dump) in &dumps {
            let place = sample.path.display();
            let (front, data) = match dump.decode().with_context(|| place.to_string())? {
                Msg::Auth(m) => written(&m),
                Msg::AuthReply(m) => written(&m),
                Msg::GetVersion(m) => written(&m),
                Msg::GetVersionReply(m) => written(&m),
                Msg::WatchNotify(m) => written(&m),
                Msg::Subscribe(m) => written(&m),
                Msg::OsdMap(m) => written(&m),
                Msg::OpReply(m) => written(&m),
                other => bail!("{place}: {other:?}"),
            };
            let mut expected = dump.front.to_vec();
            expected.resize(expected.len() + more, 0);
            ensure!(front == expected, "{place}: {front:02x?} is not {expected:02x?}");
            ensure!(data == dump.data, "{place}: the data differ");
        }
        println!("{name}: {} decoded and equal again", dumps.len());
    }
    Ok(())
}

#[test]
fn messages_before_luminous_are_refused_by_their_version() -> Result<()> {
    let test = "messages_before_luminous_are_refused_by_their_version";
    for (name, what, version, oldest) in [("MOSDOp", "MOSDOp", 7, 8), ("MMonMap", "MonMap", 5, 6)] {
        let Some(dumps) = dumps(test, name)? else { return Ok(()) };
        for (sample, dump) in &dumps {
            let place = sample.path.display();
            let error = dump.decode().err().with_context(|| format!("{place} decodes"))?;
            let kind = DecodeErrorKind::TooOld { version, oldest };
            ensure!((error.what, error.kind) == (what, kind), "{place}: {error}");
        }
    }
    Ok(())
}

#[test]
fn the_maps_in_the_messages_decode() -> Result<()> {
    let Some(dumps) = dumps("the_maps_in_the_messages_decode", "MOSDMap")? else { return Ok(()) };
    let (mut fulls, mut incrementals) = (0, 0);
    for (sample, dump) in &dumps {
        let message = MapMessage::decode_version(&dump.front, dump.version)?;
        for (epoch, map) in &message.fulls {
            let map = OsdMap::decode(map).with_context(|| sample.path.display().to_string())?;
            ensure!(map.epoch == *epoch && map.fsid == message.fsid, "{}", sample.path.display());
            fulls += 1;
        }
        for (epoch, map) in &message.incrementals {
            let map = Incremental::decode(map).with_context(|| sample.path.display().to_string())?;
            ensure!(map.epoch == *epoch && map.fsid == message.fsid, "{}", sample.path.display());
            incrementals += 1;
        }
        ensure!(message.last() <= message.newest, "{}", sample.path.display());
    }
    println!("{fulls} full maps, {incrementals} incrementals");
    ensure!(fulls + incrementals > 0, "no map in {} messages", dumps.len());
    Ok(())
}

/// Linger writes version 7, the corpus has 7 and 9. All are read; of version 7 whatever is kept is
/// written in the same place, which a second decoding shows.
#[test]
fn every_monitor_map_decodes() -> Result<()> {
    let Some(samples) = samples("MonMap", "every_monitor_map_decodes")? else { return Ok(()) };
    for sample in &samples {
        let place = sample.path.display();
        // MMonMap holds the map as a blob.
        let front = Bytes::from(sample.bytes.clone()).to_bytes();
        let map = MonMap::decode(&front).with_context(|| place.to_string())?;
        let (again, _) = written(&map);
        ensure!(MonMap::decode(&again)? == map, "{place}");
        ensure!(map.ranks.iter().all(|name| map.mons.contains_key(name)), "{place}: {map:?}");
    }
    Ok(())
}
