//! One message of any type, of any bytes.

use bytes::{Bytes, BytesMut};
use linger_wire::msg::{Kind, Message, Msg, OpRequest, OpRequestRef};

/// The types that are decoded, so that few inputs are spent on others.
const CODES: [u8; 14] = [2, 4, 5, 15, 16, 17, 18, 19, 20, 41, 42, 43, 44, 61];

/// Any bytes: no panic; what decodes can be written, and then says the same again.
///
/// Input: an index of a type, its version, its compat version, the front's length in 16 bits, the
/// front, and the data.
pub fn msg_decode(data: &[u8]) {
    let [code, version, compat, low, high, rest @ ..] = data else { return };
    let code = CODES[usize::from(*code) % CODES.len()];
    let len = usize::from(u16::from_le_bytes([*low, *high])).min(rest.len());
    let (front, data) = rest.split_at(len);
    let (front, data) = (Bytes::copy_from_slice(front), Bytes::copy_from_slice(data));
    match Msg::decode(code.into(), (*version).into(), (*compat).into(), &front, &data) {
        Ok(message) => say_again(&message),
        Err(error) => assert!(error.offset <= front.len(), "{error}"),
    }
}

fn say_again(message: &Msg) {
    let Some((kind, front, data)) = written(message) else { return };
    let again =
        Msg::decode(kind.code, kind.version, kind.compat, &front, &data).expect("what is written is read");
    // Of a request not all is written, so compare what is.
    assert_eq!(written(&again), Some((kind, front, data)), "{message:?}");
    if !matches!(message, Msg::OpRequest(_)) {
        assert!(again == *message, "{again:?} was {message:?}");
    }
}

fn written(message: &Msg) -> Option<(Kind, Bytes, Bytes)> {
    Some(match message {
        Msg::MonMap(m) => segments(m),
        Msg::Subscribe(m) => segments(m),
        Msg::SubscribeAck(m) => segments(m),
        Msg::Auth(m) => segments(m),
        Msg::AuthReply(m) => segments(m),
        Msg::GetVersion(m) => segments(m),
        Msg::GetVersionReply(m) => segments(m),
        Msg::OsdMap(m) => segments(m),
        Msg::OpRequest(m) => segments(&request(m)),
        Msg::OpReply(m) => segments(m),
        Msg::WatchNotify(m) => segments(m),
        Msg::PoolOp(m) => segments(m),
        Msg::PoolOpReply(m) => segments(m),
        Msg::MonCommand(m) => segments(m),
        Msg::MonCommandAck(m) => segments(m),
        Msg::Backoff(m) => segments(m),
        Msg::Config(m) => segments(m),
        _ => return None,
    })
}

fn segments<M: Message>(message: &M) -> (Kind, Bytes, Bytes) {
    let mut front = BytesMut::new();
    message.encode_front(&mut front);
    (M::KIND, front.freeze(), message.data())
}

fn request(request: &OpRequest) -> OpRequestRef<'_> {
    OpRequestRef {
        pgid: request.pgid,
        hash: request.hash,
        epoch: request.epoch,
        flags: request.flags,
        mtime: request.mtime,
        locator: &request.locator,
        pool: request.locator.pool,
        oid: &request.oid,
        ops: &request.ops,
        retry_attempt: request.retry_attempt,
        features: request.features,
    }
}
