//! The monitors: they share all they know, so this is what each of them answers.
//!
//! Facts: `mon/Monitor.cc`, `mon/Session.h` and `mon/OSDMonitor.cc` (subscriptions), `mon/AuthMonitor.cc`.

use crate::conns::{ConnId, Conns};
use crate::keys::{Ask, Keys};
use crate::maps::Maps;
use crate::settings::Settings;
use crate::who::Who;
use bytes::Bytes;
use linger_core::UnixTime;
use linger_wire::frame::AuthMethod;
use linger_wire::msg::{
    AuthReply, AuthRequest, ConfigValues, GetVersionReply, MapMessage, MonInfo, MonMap, Msg, Subscribe,
    SubscribeItem,
};
use linger_wire::{AddrType, AddrVec, EntityAddr, Features, Fsid, Name};

/// The release that the monitors say they are: Pacific.
const RELEASE: u8 = 16;

pub(crate) fn mon_addr(settings: &Settings, rank: usize) -> EntityAddr {
    EntityAddr { kind: AddrType::MSGR2, nonce: 0, sock: settings.mons.get(rank).copied() }
}

pub(crate) fn mon_map(settings: &Settings, fsid: Fsid) -> MonMap {
    let info = |rank: usize| {
        let name = Name::from(mon_name(rank).as_str());
        let addrs = AddrVec(vec![mon_addr(settings, rank)]);
        (name.clone(), MonInfo { name, addrs, priority: 0, weight: 0 })
    };
    let ranks = 0..settings.mons.len();
    MonMap {
        fsid,
        epoch: 1,
        mons: ranks.clone().map(info).collect(),
        ranks: ranks.map(|rank| mon_name(rank).as_str().into()).collect(),
        min_release: RELEASE,
        ..MonMap::default()
    }
}

/// a, b, c...
fn mon_name(rank: usize) -> String {
    match u8::try_from(rank) {
        Ok(rank @ 0..26) => char::from(b'a' + rank).to_string(),
        _ => format!("m{rank}"),
    }
}

/// What monitors work with.
pub(crate) struct Cx<'a> {
    pub unix: UnixTime,
    pub mon_map: &'a MonMap,
    pub maps: &'a mut Maps,
    pub conns: &'a mut Conns,
    pub keys: &'a mut Keys,
}

/// A client says something to a monitor.
pub(crate) fn on_message(id: ConnId, msg: Msg, cx: &mut Cx<'_>) {
    match msg {
        Msg::MonGetMap => cx.conns.send(id, 0, cx.mon_map),
        Msg::Subscribe(Subscribe { what, .. }) => {
            for (name, item) in what {
                subscribe(id, name, item, cx);
            }
        }
        Msg::GetVersion(query) => {
            let (newest, oldest) = match query.what.as_bytes() {
                b"osdmap" => (cx.maps.epoch().into(), cx.maps.oldest().into()),
                b"monmap" => (1, 1),
                _ => (0, 0),
            };
            cx.conns.send(id, 0, &GetVersionReply { handle: query.handle, newest, oldest });
        }
        Msg::Auth(request) => renew(id, &request, cx),
        _ => {}
    }
}

fn subscribe(id: ConnId, name: Name, item: SubscribeItem, cx: &mut Cx<'_>) {
    match name.as_bytes() {
        b"monmap" if item.start <= 1 => cx.conns.send(id, 0, cx.mon_map),
        b"config" => cx.conns.send(id, 0, &ConfigValues::default()),
        b"osdmap" => {
            if let Some(conn) = cx.conns.get_mut(id) {
                conn.subs.insert(name, item);
            }
            publish_to(id, cx.maps, cx.conns);
        }
        _ => {}
    }
}

/// Sends all subscribers what is new to them.
pub(crate) fn publish(maps: &mut Maps, conns: &mut Conns) {
    let subscribed =
        conns.iter().filter(|(_, conn)| matches!(conn.who, Who::Mon(_)) && !conn.subs.is_empty());
    let subscribed: Vec<ConnId> = subscribed.map(|(id, _)| id).collect();
    subscribed.into_iter().for_each(|id| publish_to(id, maps, conns));
}

fn publish_to(id: ConnId, maps: &mut Maps, conns: &mut Conns) {
    let osdmap = Name::from("osdmap");
    let wanted = conns.get(id).and_then(|conn| Some((*conn.subs.get(&osdmap)?, conn.features())));
    let Some((item, features)) = wanted else { return };
    let newest = maps.epoch();
    let mut messages = maps.messages(u32::try_from(item.start).unwrap_or(u32::MAX), newest, features);
    let onetime = item.flags & SubscribeItem::ONETIME != 0;
    if onetime && features.has(Features::INCSUBOSDMAP) {
        only_first(&mut messages);
    }
    let Some(conn) = conns.get_mut(id).filter(|_| !messages.is_empty()) else { return };
    messages.iter().for_each(|message| conn.send(0, message));
    if onetime {
        conn.subs.remove(&osdmap);
    } else {
        conn.subs.insert(osdmap, SubscribeItem { start: u64::from(newest) + 1, ..item });
    }
}

/// Who asks once gets a full map, where that is the first, and one message of what follows: the rest it has to
/// ask for.
fn only_first(messages: &mut Vec<MapMessage>) {
    let full = messages.first().is_some_and(|message| !message.fulls.is_empty());
    messages.truncate(1 + usize::from(full));
}

/// More tickets, or new ones for old.
fn renew(id: ConnId, request: &AuthRequest, cx: &mut Cx<'_>) {
    let Some(conn) = cx.conns.get_mut(id) else { return };
    let Some((challenge, login)) = &conn.login else { return };
    let global_id = conn.client.as_ref().map_or(0, |client| client.id);
    let answer = match request.protocol == AuthMethod::CEPHX.0 {
        true => {
            let (name, challenge, payload) = (&login.name, *challenge, &request.payload);
            cx.keys.answer(cx.unix, &Ask { name, challenge, global_id, secure: false, payload })
        }
        false => Ok((Bytes::new(), None)),
    };
    let (result, payload) = match answer {
        Ok((payload, _)) => (0, payload),
        Err(errno) => (-errno, Bytes::new()),
    };
    let message = Name::default();
    conn.send(0, &AuthReply { protocol: request.protocol, result, global_id, payload, message });
}

#[cfg(test)]
mod tests {
    use super::*;
    use linger_core::FEATURES;
    use std::net::SocketAddr;

    #[test]
    fn who_asks_once_gets_a_full_map_and_one_message_more_at_most() {
        let addr = |n: u16| SocketAddr::from(([127, 0, 0, 1], 7000 + n));
        let settings = Settings::new(vec![addr(0)], vec![addr(1)]);
        let first = crate::maps::first(&settings, Fsid([7; 16]), &[1]);
        let oldest = first.epoch;
        let mut maps = Maps::new(first, u32::MAX);
        (0..100).for_each(|_| maps.commit(|_| {}));
        let newest = maps.epoch();
        for (start, last) in
            [(0, vec![newest]), (oldest, vec![oldest, oldest + 40]), (oldest + 7, vec![oldest + 46])]
        {
            let mut messages = maps.messages(start, newest, FEATURES);
            assert_eq!(messages.last().map(MapMessage::last), Some(newest), "from {start}");
            only_first(&mut messages);
            assert_eq!(messages.iter().map(MapMessage::last).collect::<Vec<_>>(), last, "from {start}");
            assert!(messages.iter().all(|message| message.newest == newest));
        }
    }
}
