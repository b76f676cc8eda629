use super::*;
use crate::frame::{Chunks, Role};
use crate::{AddrType, Decode, Encode, EntityAddr, EntityName, EntityType, Features, UTime};
use alloc::vec;
use alloc::vec::Vec;
use bytes::{Buf, BufMut, Bytes, BytesMut};
use proptest::prelude::*;

fn addr(text: &str, nonce: u32) -> EntityAddr {
    EntityAddr { kind: AddrType::LEGACY, nonce, sock: Some(text.parse().unwrap()) }
}

fn header(seq: u64) -> MessageHeader {
    MessageHeader {
        seq,
        tid: 7,
        kind: 42,
        priority: 63,
        version: 8,
        data_off: 0,
        source: EntityName::client(4100),
        compat_version: 3,
    }
}

fn message(seq: u64, front: &[u8], data: &[u8], signature: Option<u64>) -> Vec<u8> {
    let mut out = Chunks::new();
    let put = |out: &mut BytesMut| out.put_slice(front);
    emit_message(&header(seq), put, Bytes::copy_from_slice(data), |_| signature, &mut out);
    out.copy_to_bytes(out.remaining()).to_vec()
}

fn connect(authorizer_len: u32) -> Connect {
    Connect {
        features: Features::MSG_AUTH,
        host_type: EntityType::CLIENT,
        global_seq: 1,
        connect_seq: 0,
        protocol_version: Connect::OSD_PROTOCOL,
        authorizer_protocol: 2,
        authorizer_len,
        flags: CONNECT_LOSSY,
    }
}

fn reply(tag: ReplyTag, authorizer_len: u32) -> ConnectReply {
    ConnectReply {
        tag,
        features: Features::MSG_AUTH,
        global_seq: 2,
        connect_seq: 1,
        protocol_version: Connect::OSD_PROTOCOL,
        authorizer_len,
        flags: CONNECT_LOSSY,
    }
}

/// A greeting, as the first thing of either side.
fn greeting(at: Role) -> Vec<u8> {
    let own = addr("10.0.0.1:6801", 77);
    match at {
        Role::Client => ServerGreeting { own, peer: addr("10.0.0.2:40000", 0) }.to_bytes(),
        Role::Server => ClientGreeting { own }.to_bytes(),
    }
    .to_vec()
}

/// A stream at a client that is let in.
fn open(limits: StreamLimits) -> Stream {
    let mut stream = Stream::new(Role::Client, limits);
    stream.push(&greeting(Role::Client));
    stream.pull().unwrap().unwrap();
    stream.open();
    stream
}

/// What the only record in `raw` is; each part of it alone is nothing yet.
fn only(mut new: impl FnMut() -> Stream, raw: &[u8]) -> Result<Received, LegacyError> {
    let mut stream = new();
    stream.push(raw);
    let received = stream.pull()?.expect("a whole one");
    assert_eq!(stream.pull(), Ok(None));
    for cut in 0..raw.len() {
        let mut stream = new();
        stream.push(&raw[..cut]);
        assert_eq!(stream.pull(), Ok(None), "{cut} bytes");
        stream.push(&raw[cut..]);
        assert_eq!(stream.pull(), Ok(Some(received.clone())), "after {cut} bytes");
    }
    Ok(received)
}

#[test]
fn greetings() {
    let own = addr("10.0.0.1:6801", 77);
    let peer = addr("[fd00::2]:40000", 5);
    let raw = ServerGreeting { own, peer }.to_bytes();
    assert_eq!(raw.len(), 9 + 2 * 136);
    assert_eq!(&raw[..9], b"ceph v027");
    // type 0, nonce 77, family 2 and port in network order, the address.
    assert_eq!(&raw[9..25], [0, 0, 0, 0, 77, 0, 0, 0, 0, 2, 0x1a, 0x91, 10, 0, 0, 1]);
    let at = |role| move || Stream::new(role, StreamLimits::default());
    let received = only(at(Role::Client), &raw).unwrap();
    assert_eq!(received, Received::ServerGreeting(ServerGreeting { own, peer }));

    let blank = EntityAddr::default();
    for own in [own, peer, blank] {
        let raw = ClientGreeting { own }.to_bytes();
        let mut in_parts = BytesMut::from(ClientGreeting::BANNER);
        ClientGreeting { own }.encode_addr(&mut in_parts);
        assert_eq!(in_parts, raw);
        assert_eq!(only(at(Role::Server), &raw), Ok(Received::ClientGreeting(ClientGreeting { own })));
        for len in 0..raw.len() {
            assert!(ClientGreeting::decode(&raw[..len]).is_err(), "{len} bytes");
        }
    }
}

#[test]
fn the_first_word_of_an_address_is_no_marker() {
    let mut raw = greeting(Role::Server);
    raw[9..13].copy_from_slice(&1_u32.to_le_bytes());
    let greeting = ClientGreeting::decode(&raw).unwrap();
    assert_eq!(greeting.own, addr("10.0.0.1:6801", 77));
}

#[test]
fn other_protocols_are_named() {
    let pull = |bytes: &[u8]| {
        let mut stream = Stream::new(Role::Client, StreamLimits::default());
        stream.push(bytes);
        stream.pull()
    };
    assert_eq!(pull(b"ceph v2\n\x10\0"), Err(LegacyError::Msgr2));
    assert_eq!(pull(b"ceph v2"), Ok(None));
    assert_eq!(pull(b"ceph v0"), Ok(None));
    assert_eq!(pull(b"ceph v026"), Err(LegacyError::NotCeph));
    assert_eq!(pull(b"SSH-2.0"), Err(LegacyError::NotCeph));
}

#[test]
fn connects_and_replies() {
    let greeted = |role| {
        move || {
            let mut stream = Stream::new(role, StreamLimits::default());
            stream.push(&greeting(role));
            stream.pull().unwrap().unwrap();
            stream
        }
    };
    for blob in [&b""[..], b"authorizer"] {
        let (request, answer) = (connect(blob.len() as u32), reply(ReplyTag::READY, blob.len() as u32));
        assert_eq!((request.to_bytes().len(), answer.to_bytes().len()), (Connect::LEN, ConnectReply::LEN));
        let received = only(greeted(Role::Server), &[&request.to_bytes(), blob].concat());
        assert_eq!(received, Ok(Received::Connect(request, Bytes::copy_from_slice(blob))));
        let received = only(greeted(Role::Client), &[&answer.to_bytes(), blob].concat());
        assert_eq!(received, Ok(Received::Reply(answer, Bytes::copy_from_slice(blob))));
    }
    let mut stream = greeted(Role::Client)();
    stream.push(&reply(ReplyTag::READY, 4097).to_bytes());
    let error = LegacyError::TooLong { part: "authorizer", len: 4097, max: 4096 };
    assert_eq!(stream.pull(), Err(error));
    stream.push(b"more");
    stream.open();
    assert_eq!(stream.pull(), Err(error), "an error stays");

    let expecting = || {
        let mut stream = greeted(Role::Client)();
        stream.expect_seq();
        stream
    };
    assert_eq!(only(expecting, &5_u64.to_le_bytes()), Ok(Received::Seq(5)));
}

#[test]
fn records() {
    let stamp = UTime { sec: 5, nsec: 6 };
    for record in [
        Record::Close,
        Record::Keepalive,
        Record::Ack(9),
        Record::Keepalive2(stamp),
        Record::Keepalive2Ack(stamp),
    ] {
        let raw = record.to_bytes();
        assert_eq!(only(|| open(StreamLimits::default()), &raw), Ok(Received::Record(record)));
    }
    for tag in (0..=5).chain(10..14).chain(16..=255) {
        let mut stream = open(StreamLimits::default());
        stream.push(&[tag]);
        assert_eq!(stream.pull(), Err(LegacyError::UnknownTag(tag)));
    }
}

#[test]
fn messages() {
    for (front, data, signature) in
        [(&b"front"[..], &b"data"[..], Some(0x1234)), (b"", b"", None), (b"", &[7; 5000], Some(0))]
    {
        let raw = message(9, front, data, signature);
        assert_eq!(raw.len(), 1 + 53 + front.len() + data.len() + 21);
        let received = only(|| open(StreamLimits::default()), &raw).unwrap();
        let Received::Message(received) = received else { panic!("{received:?}") };
        assert_eq!(received.header, header(9));
        assert_eq!((&received.front[..], &received.middle[..], &received.data[..]), (front, &b""[..], data));
        assert_eq!(received.flags.has(MessageFlags::SIGNED), signature.is_some());
        assert_eq!(received.signature, signature.unwrap_or(0));
        // The header's crc, those of the parts with their lengths, and seq.
        let word = |n: usize| received.signed.0.as_chunks::<4>().0[n];
        assert_eq!(word(0), raw[50..54]);
        assert_eq!(word(2), (front.len() as u32).to_le_bytes());
        assert_eq!((word(3), word(4)), ([0; 4], [0; 4]));
        assert_eq!((word(6), word(7)), ((data.len() as u32).to_le_bytes(), 9_u32.to_le_bytes()));
    }
}

#[test]
fn a_changed_byte_of_a_message_is_noticed_but_in_signature_and_flags() {
    let raw = message(9, b"front", b"data", Some(0x1234));
    let signature = raw.len() - 9;
    for at in 1..signature {
        let mut bad = raw.clone();
        bad[at] ^= 0x10;
        let mut stream = open(StreamLimits { front: 5, middle: 0, data: 4, authorizer: 0 });
        stream.push(&bad);
        assert!(matches!(stream.pull(), Err(LegacyError::Crc { .. })), "byte {at}");
    }
    for at in signature..raw.len() {
        let mut other = raw.clone();
        other[at] ^= 0x10;
        let mut stream = open(StreamLimits::default());
        stream.push(&other);
        assert!(stream.pull().unwrap().is_some());
    }
}

#[test]
fn an_unfinished_message_is_an_error_and_an_unchecked_one_is_none() {
    let mut raw = message(9, b"", b"data", None);
    let last = raw.len() - 1;
    raw[last] = 0;
    let mut stream = open(StreamLimits::default());
    stream.push(&raw);
    assert_eq!(stream.pull(), Err(LegacyError::Aborted));

    raw[last] = MessageFlags::COMPLETE.0 | MessageFlags::NO_CRC.0;
    raw[last - 12..last - 8].fill(0);
    let mut stream = open(StreamLimits::default());
    stream.push(&raw);
    assert!(stream.pull().unwrap().is_some());
}

#[test]
fn lengths_are_bounded_before_anything_is_kept() {
    let raw = message(9, &[1; 100], &[2; 100], None);
    for (limits, part) in [
        (StreamLimits { front: 99, ..StreamLimits::default() }, "front"),
        (StreamLimits { data: 99, ..StreamLimits::default() }, "data"),
    ] {
        let mut stream = open(limits);
        stream.push(&raw[..54]);
        assert_eq!(stream.pull(), Err(LegacyError::TooLong { part, len: 100, max: 99 }));
    }
    let mut stream = open(StreamLimits { front: 99, ..StreamLimits::default() });
    stream.set_limits(StreamLimits::default());
    stream.push(&raw);
    assert!(stream.pull().unwrap().is_some());
}

proptest! {
    #[test]
    fn pieces_make_no_difference(
        parts in prop::collection::vec((any::<Vec<u8>>(), any::<Vec<u8>>(), any::<Option<u64>>()), 1..5),
        pieces in prop::collection::vec(1usize..200, 1..20),
    ) {
        let mut raw = vec![];
        for (n, (front, data, signature)) in parts.iter().enumerate() {
            raw.extend(message(n as u64 + 1, front, data, *signature));
            raw.extend(Record::Ack(n as u64).to_bytes());
        }
        let mut whole = open(StreamLimits::default());
        whole.push(&raw);
        let mut cut = open(StreamLimits::default());
        let (mut rest, mut pieces) = (&raw[..], pieces.iter().cycle());
        let mut received = vec![];
        while !rest.is_empty() {
            let (piece, after) = rest.split_at((*pieces.next().unwrap()).min(rest.len()));
            cut.push(piece);
            rest = after;
            while let Some(one) = cut.pull().unwrap() {
                received.push(one);
            }
        }
        prop_assert_eq!(received.len(), 2 * parts.len());
        for one in received {
            prop_assert_eq!(whole.pull(), Ok(Some(one)));
        }
        prop_assert_eq!(whole.pull(), Ok(None));
    }
}
