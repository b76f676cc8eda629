//! msgr1: the first messenger protocol, for daemons that have only its port.
//!
//! All integers are little endian but for what a C sockaddr has in network order. Each side greets, the
//! client asks to connect until it is let in, and then both send tagged records.
//!
//! Greetings. The server speaks first in effect: the client needs its own address from it.
//!
//! | from | bytes | what |
//! |---|---|---|
//! | server | 9 | `ceph v027` |
//! | server | 136 | its own address, which the client compares with the one it dialled |
//! | server | 136 | the client's address as the server sees it |
//! | client | 9 | `ceph v027`, sent at once |
//! | client | 136 | its own address: IP as learnt, port 0, nonce |
//!
//! An address is a u32 0 (or type), a u32 nonce and 128 bytes of sockaddr_storage whose family is big endian.
//!
//! Connect, 33 bytes and the authorizer:
//!
//! | offset | size | field |
//! |---|---|---|
//! | 0 | 8 | features supported |
//! | 8 | 4 | host type: the client's entity type |
//! | 12 | 4 | global_seq: connections this client opened so far |
//! | 16 | 4 | connect_seq: connections in this session so far; always 0 with lossy clients |
//! | 20 | 4 | protocol version: 15 to a mon, 24 to an OSD |
//! | 24 | 4 | authorizer protocol: the auth method, 0 to a mon |
//! | 28 | 4 | authorizer length, 0 to a mon |
//! | 32 | 1 | flags: 1 lossy |
//!
//! Reply, 26 bytes and the authorizer's answer:
//!
//! | offset | size | field |
//! |---|---|---|
//! | 0 | 1 | tag, see [`ReplyTag`] |
//! | 1 | 8 | features of both, and those that the server requires |
//! | 9 | 4 | global_seq |
//! | 13 | 4 | connect_seq |
//! | 17 | 4 | protocol version |
//! | 21 | 4 | authorizer length |
//! | 25 | 1 | flags: 1 lossy |
//!
//! In READY and SEQ the features are all of the server's. After SEQ each side tells the last message that it has
//! seen in this session, a u64, the server first; that is 0 in a new one. Then the stream is open.
//!
//! The authorizers, challenges and answers are those that msgr2 has in its auth frames. A client logs in
//! to a mon by messages once it is let in: MAuth with auth method 0 and a [`MonLoginRequest`], then the
//! payloads of msgr2's AUTH_REQUEST_MORE in MAuth, and those of AUTH_REPLY_MORE and AUTH_DONE in MAuthReply.
//! The last one has no connection secret.
//!
//! [`MonLoginRequest`]: crate::cephx::MonLoginRequest
//!
//! Records, each a byte of tag and:
//!
//! | tag | name | what follows |
//! |---|---|---|
//! | 6 | CLOSE | nothing, and nothing after it |
//! | 7 | MSG | a message |
//! | 8 | ACK | u64: the last message received |
//! | 9 | KEEPALIVE | nothing |
//! | 14 | KEEPALIVE2 | u32 seconds, u32 nanoseconds |
//! | 15 | KEEPALIVE2_ACK | the same, as it was asked |
//!
//! A message is its header, front, middle, data and a footer. Header, 53 bytes:
//!
//! | offset | size | field |
//! |---|---|---|
//! | 0 | 8 | seq: grows from message to message; the first is random |
//! | 8 | 8 | tid |
//! | 16 | 2 | type |
//! | 18 | 2 | priority |
//! | 20 | 2 | version |
//! | 22 | 4, 4, 4 | lengths of front, middle and data |
//! | 34 | 2 | data_off |
//! | 36 | 1, 8 | the sender: entity type and number |
//! | 45 | 2 | compat_version |
//! | 47 | 2 | reserved |
//! | 49 | 4 | crc of what is before it |
//!
//! Footer, 21 bytes (13 without the signature to peers without MSG_AUTH, which no supported release lacks):
//!
//! | offset | size | field |
//! |---|---|---|
//! | 0 | 4, 4, 4 | crcs of front, middle and data |
//! | 12 | 8 | signature, or 0 |
//! | 20 | 1 | flags: 1 complete, 2 no crc of the data, 4 signed |
//!
//! All crcs are crc32c from 0 without final inversion, so that of nothing is 0. A signature is made over 32
//! bytes with the session key, see [`Signed`] and [`message_signature`](crate::cephx::message_signature):
//!
//! | offset | size | field |
//! |---|---|---|
//! | 0 | 4 | crc of the header |
//! | 4 | 4, 4 | crc and length of the front |
//! | 12 | 4, 4 | crc and length of the middle |
//! | 20 | 4, 4 | crc and length of the data |
//! | 28 | 4 | low half of seq |
//!
//! [`Stream`] turns received bytes into [`Received`]; [`emit_message`] and the values' own encodings are the
//! other direction.
//!
//! Facts: `msg/async/ProtocolV1.cc`, `include/msgr.h`, `msg/Message.cc`, `auth/cephx/CephxSessionHandler.cc`,
//! `mon/MonClient.cc` of Ceph; captures of Pacific 16.2.15 and Tentacle 20.2.4.

mod connect;
mod error;
mod greeting;
mod message;
mod stream;
#[cfg(test)]
mod tests;

pub use connect::{CONNECT_LOSSY, Connect, ConnectReply, ReplyTag};
pub use error::LegacyError;
pub use greeting::{ClientGreeting, ServerGreeting};
pub use message::{Message, MessageFlags, MessageHeader, Signed, emit_message};
pub use stream::{Received, Record, Stream, StreamLimits};
