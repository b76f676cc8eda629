//! What an adapter does: sockets, time, outputs.

use crate::agenda::Item;
use crate::net::{Link, LinkId, Packet};
use crate::node::Armed;
use crate::world::World;
use bytes::{Buf, Bytes};
use linger_core::{CloseReason, ConnId, Output, Timestamp};
use linger_mini_cluster::{Output as Deed, Who};
use std::net::SocketAddr;
use std::time::Duration;

/// Outputs of one client at one moment; more is an endless loop.
const OUTPUTS_MAX: u32 = 100_000;
/// Deadlines of one client at one moment.
const WAKES_MAX: u32 = 200;

impl World {
    // The client's side.

    /// Does what a client says until it waits.
    pub(crate) fn drain(&mut self, n: usize) {
        for _ in 0..OUTPUTS_MAX {
            let node = &mut self.nodes[n];
            match node.client.poll_output() {
                Output::Connect { conn, addr } => self.dial(n, conn, addr),
                Output::Write(conn) => self.pump(n, conn),
                Output::Disconnect { conn, why } => {
                    self.trace.line(self.now, format_args!("client {n} drops {conn:?}: {why}"));
                    self.hang_up(n, conn);
                }
                Output::Event(event) => self.on_event(n, event),
                Output::Wait(deadline) => {
                    node.deadline = deadline.map(|deadline| deadline.at);
                    if let Output::Wait(again) = node.client.poll_output()
                        && again == deadline
                    {
                        self.check_bounds(n);
                        self.check_outboxes(n);
                        return self.arm(n);
                    }
                    return self.violate(format!("client {n} has something to say after it waited"));
                }
                other => self.violate(format!("client {n} wants {other:?}")),
            }
        }
        self.violate(format!("client {n} never waits"));
    }

    /// Sees to it that a client is woken at its deadline, or a little later, as real timers do.
    fn arm(&mut self, n: usize) {
        let node = &mut self.nodes[n];
        let Some(deadline) = node.deadline else { return };
        if node.armed.is_some_and(|armed| armed.deadline <= deadline) {
            return;
        }
        let late = node.timer_dice.span(Duration::ZERO, self.plan.late);
        let wakes = deadline.max(self.now).saturating_add(late);
        // An item for an earlier moment is there already, if it was armed for a later deadline.
        let wakes = node.armed.map_or(wakes, |armed| armed.wakes.min(wakes));
        if node.armed.is_none_or(|armed| wakes < armed.wakes) {
            self.agenda.at(wakes, Item::Deadline(n));
        }
        node.armed = Some(Armed { deadline, wakes });
    }

    pub(crate) fn on_deadline(&mut self, n: usize) {
        let node = &mut self.nodes[n];
        // One that was armed earlier, for another deadline or another process, is of no use any more.
        if node.armed.is_none_or(|armed| armed.wakes != self.now) {
            return;
        }
        node.armed = None;
        if node.frozen.is_some() {
            return;
        }
        if node.deadline.is_none_or(|at| at > self.now) {
            return self.arm(n);
        }
        let (at, times) = node.wakes;
        node.wakes = if at == self.now { (at, times + 1) } else { (self.now, 0) };
        if times > WAKES_MAX {
            return self.violate(format!("client {n} is woken without end"));
        }
        node.client.handle_timeout(self.now);
        self.drain(n);
    }

    fn dial(&mut self, n: usize, conn: ConnId, addr: SocketAddr) {
        let settings = &self.plan.settings;
        let mon = settings.mons.iter().position(|mon| *mon == addr).map(Who::Mon);
        let who =
            mon.or_else(|| settings.osds.iter().position(|osd| *osd == addr).map(|osd| Who::Osd(osd as i32)));
        let Some(who) = who else {
            return self.violate(format!("client {n} dials {addr}, where nobody is"));
        };
        self.trace.line(self.now, format_args!("client {n} dials {who} as {conn:?}"));
        let link = self.net.open(n, conn, who);
        self.nodes[n].links.insert(conn, link);
        let at = self.net.arrival(self.now);
        self.agenda.at(at, Item::Knock(link));
    }

    /// Gives the socket what it takes.
    pub(crate) fn pump(&mut self, n: usize, conn: ConnId) {
        let Some(id) = self.nodes[n].links.get(&conn).copied() else { return };
        let Some(link) = self.net.links.get_mut(&id).filter(|link| link.answered) else { return };
        let room = self.net.window.saturating_sub(link.in_flight);
        let mut outbox = self.nodes[n].client.outbox(conn);
        let waiting = outbox.remaining();
        let len = waiting.min(room);
        link.full = waiting > len;
        if len == 0 {
            return;
        }
        let bytes = outbox.copy_to_bytes(len);
        link.in_flight += len;
        self.trace.bytes(&bytes);
        let at = self.net.arrival(self.now);
        if let Some(link) = self.net.links.get_mut(&id) {
            let at = link.to_server.push(at, Packet::Bytes(bytes));
            self.agenda.at(at, Item::ToServer(id));
        }
    }

    /// The client closes a connection.
    pub(crate) fn hang_up(&mut self, n: usize, conn: ConnId) {
        let Some(id) = self.nodes[n].links.remove(&conn) else { return };
        let at = self.net.arrival(self.now);
        let Some(link) = self.net.links.get_mut(&id) else { return };
        link.open = false;
        if link.server.is_none() {
            return self.net.remove(id);
        }
        let at = link.to_server.push(at, Packet::Fin);
        self.agenda.at(at, Item::ToServer(id));
    }

    pub(crate) fn on_answered(&mut self, id: LinkId) {
        let Some(link) = self.net.links.get_mut(&id) else { return };
        if !link.open || !link.knocked || link.answered {
            return;
        }
        let (n, conn, who) = (link.node, link.conn, link.who);
        if self.net.is_parted(n, who) || self.nodes[n].frozen.is_some() {
            return;
        }
        let Some(link) = self.net.links.get_mut(&id) else { return };
        link.answered = true;
        self.trace.line(self.now, format_args!("client {n}'s {conn:?} is up: {:?}", link.server));
        if link.server.is_none() {
            self.nodes[n].links.remove(&conn);
            self.net.remove(id);
            self.nodes[n].client.handle_closed(self.now, conn, CloseReason::Unreachable);
        } else {
            self.nodes[n].client.handle_connected(self.now, conn);
        }
        self.drain(n);
        // The server may have been quicker to speak.
        self.reach_client(id);
    }

    pub(crate) fn reach_client(&mut self, id: LinkId) {
        while let Some(link) = self.net.links.get_mut(&id) {
            let (n, conn, who) = (link.node, link.conn, link.who);
            if !link.open || !link.answered || self.nodes[n].frozen.is_some() || self.net.is_parted(n, who) {
                return;
            }
            let Some(link) = self.net.links.get_mut(&id) else { return };
            match link.to_client.pop(self.now) {
                None => return,
                Some(Packet::Bytes(bytes)) => {
                    self.trace.bytes(&bytes);
                    self.hand_over(n, conn, bytes);
                }
                Some(Packet::Fin) => {
                    self.trace.line(self.now, format_args!("client {n} lost {conn:?} to {who}"));
                    self.nodes[n].links.remove(&conn);
                    self.net.remove(id);
                    self.nodes[n].client.handle_closed(self.now, conn, CloseReason::Closed);
                    self.drain(n);
                }
            }
        }
    }

    fn hand_over(&mut self, n: usize, conn: ConnId, mut bytes: Bytes) {
        while self.net.cuts && bytes.len() > 1 && self.net.dice.one_in(2) {
            let piece = bytes.split_to(1 + self.net.dice.index(bytes.len() - 1));
            self.nodes[n].client.handle_bytes(self.now, conn, &piece);
            if self.net.dice.one_in(2) {
                self.drain(n);
            }
        }
        self.nodes[n].client.handle_bytes(self.now, conn, &bytes);
        self.drain(n);
    }

    // The server's side.

    pub(crate) fn knock(&mut self, id: LinkId) {
        let Some(link) = self.net.links.get(&id) else { return };
        let (n, who) = (link.node, link.who);
        if self.net.is_parted(n, who) || self.net.dark.contains(&who) || link.knocked {
            return;
        }
        self.trace.line(self.now, format_args!("{who} hears of client {n}'s link {id}"));
        let port = 1024 + (id % 60_000) as u16;
        let peer = SocketAddr::from(([10, 2, (n >> 8) as u8, n as u8], port));
        let server = self.servers.accept(self.now, who, peer);
        let at = self.net.arrival(self.now);
        if let Some(link) = self.net.links.get_mut(&id) {
            link.server = server;
            link.knocked = true;
            self.net.by_server.extend(server.map(|server| (server, id)));
            self.agenda.at(at, Item::Answered(id));
        }
        self.after_servers();
    }

    pub(crate) fn reach_server(&mut self, id: LinkId) {
        while let Some(link) = self.net.links.get_mut(&id) {
            let (n, conn, who) = (link.node, link.conn, link.who);
            // What a stopped process does not read fills the socket.
            if self.net.is_parted(n, who) || self.servers.is_paused(who) {
                return;
            }
            let Some(link) = self.net.links.get_mut(&id) else { return };
            let (server, open, full) = (link.server, link.open, link.full);
            let Some(packet) = link.to_server.pop(self.now) else { return };
            match (packet, server) {
                (Packet::Bytes(bytes), Some(server)) => {
                    link.in_flight -= bytes.len();
                    self.servers.receive(self.now, server, &bytes);
                    self.after_servers();
                    if open && full {
                        self.pump(n, conn);
                        self.drain(n);
                    }
                }
                (Packet::Fin, Some(server)) => {
                    self.servers.closed(self.now, server);
                    self.net.remove(id);
                    self.after_servers();
                }
                // Nobody knows the connection: say so, if there is anybody at all.
                (_, None) if open && !self.net.dark.contains(&who) && !link.mute => {
                    let at = self.net.arrival(self.now);
                    if let Some(link) = self.net.links.get_mut(&id) {
                        let at = link.to_client.push(at, Packet::Fin);
                        self.agenda.at(at, Item::ToClient(id));
                    }
                }
                (_, None) if !open => self.net.remove(id),
                (_, None) => {}
            }
        }
    }

    /// Does what the servers say, and takes their journal.
    pub(crate) fn after_servers(&mut self) {
        while let Some(deed) = self.servers.poll() {
            match deed {
                Deed::Write(server) => self.send(server, false),
                Deed::Close(server) => {
                    self.send(server, true);
                    self.servers.closed(self.now, server);
                }
                _ => {}
            }
        }
        self.read_journal();
        if let Some(at) = self.servers.deadline()
            && self.servers_armed.is_none_or(|armed| armed > at || armed <= self.now)
        {
            self.servers_armed = Some(at);
            self.agenda.at(at.max(self.now), Item::Servers);
        }
    }

    fn send(&mut self, server: linger_mini_cluster::ConnId, last: bool) {
        let bytes = self.servers.take(server);
        let Some(id) = self.net.by_server.get(&server).copied() else { return };
        let at = self.net.arrival(self.now);
        let Some(link) = self.net.links.get_mut(&id) else { return };
        // What a dead machine had to say is lost with it.
        let dark = self.net.dark.contains(&link.who);
        let mut at_last = None;
        if !bytes.is_empty() && !dark {
            at_last = Some(link.to_client.push(at, Packet::Bytes(bytes)));
        }
        if last {
            link.server = None;
            self.net.by_server.remove(&server);
            if !dark {
                at_last = Some(link.to_client.push(at, Packet::Fin));
            }
        }
        if let Some(at) = at_last {
            self.agenda.at(at, Item::ToClient(id));
        }
    }

    /// Looks again at links on which something may wait.
    pub(crate) fn wake_links(&mut self, which: impl Fn(&Link) -> bool) {
        let ids: Vec<LinkId> =
            self.net.links.iter().filter(|(_, link)| which(link)).map(|(id, _)| *id).collect();
        for id in ids {
            let at = self.now;
            let Some(link) = self.net.links.get(&id) else { continue };
            if !link.answered {
                let item = if link.knocked { Item::Answered(id) } else { Item::Knock(id) };
                self.agenda.at(at, item);
            }
            for (next, item) in
                [(link.to_client.next(), Item::ToClient(id)), (link.to_server.next(), Item::ToServer(id))]
            {
                if let Some(next) = next {
                    self.agenda.at(next.max(at), item);
                }
            }
        }
    }

    // Machines.

    pub(crate) fn freeze(&mut self, n: usize, until: Timestamp) {
        let node = &mut self.nodes[n];
        node.frozen = Some(node.frozen.map_or(until, |frozen| frozen.max(until)));
    }

    /// The machine wakes up: sockets first, then time.
    pub(crate) fn thaw(&mut self, n: usize) {
        let node = &mut self.nodes[n];
        if node.frozen.is_none_or(|until| until > self.now) {
            return;
        }
        node.frozen = None;
        node.last_thaw = self.now;
        let ids: Vec<LinkId> = node.links.values().copied().collect();
        for id in ids {
            match self.net.links.get(&id) {
                // Whatever the answer is, it may have come meanwhile.
                Some(link) if !link.answered => self.on_answered(id),
                Some(_) => self.reach_client(id),
                None => {}
            }
        }
        self.nodes[n].client.handle_timeout(self.now);
        self.drain(n);
        self.arm(n);
    }
}
