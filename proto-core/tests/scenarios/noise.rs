//! Anything, at any time: nothing may panic, and the same seed gives the same outputs.

use crate::support::{Pieces, Sim, Who, config, millis, object, secs};
use bytes::Bytes;
use linger_core::{Call, CloseReason, ConnId, Timestamp, WatchEvent, WatchOptions};
use linger_wire::frame::Control;
use linger_wire::osdmap::osd_state;
use rand_chacha::ChaCha8Rng;
use rand_core::{Rng as _, SeedableRng};

struct Noise {
    sim: Sim,
    rng: ChaCha8Rng,
    conns: Vec<ConnId>,
    watches: Vec<linger_core::WatchId>,
}

impl Noise {
    fn new(seed: u64) -> Self {
        let mut sim = Sim::with_pieces(config(2), Pieces::Random(seed));
        sim.settle();
        Self { sim, rng: ChaCha8Rng::seed_from_u64(seed), conns: Vec::new(), watches: Vec::new() }
    }

    fn pick(&mut self, of: u64) -> u64 {
        self.rng.next_u64() % of.max(1)
    }

    fn name(&mut self) -> linger_core::ObjectRef {
        object(&format!("o{}", self.pick(4)))
    }

    /// Some connection, alive or long gone.
    fn conn(&mut self) -> Option<ConnId> {
        self.conns.extend(self.sim.peers.keys());
        let n = self.pick(self.conns.len() as u64) as usize;
        self.conns.get(n).copied()
    }

    fn step(&mut self) {
        match self.pick(18) {
            0 | 1 => {
                let name = self.name();
                self.watches.extend(self.sim.client.watch(self.sim.now, name, WatchOptions::default()));
            }
            2 => {
                let name = self.name();
                let _ = self.sim.client.notify(self.sim.now, name, Bytes::from_static(b"x"), secs(3));
            }
            3 => {
                let name = self.name();
                let _ = self.sim.client.call(self.sim.now, name, Call::Stat, None);
            }
            4 => {
                let n = self.pick(self.watches.len() as u64) as usize;
                if let Some(watch) = self.watches.get(n) {
                    let _ = self.sim.client.unwatch(self.sim.now, *watch);
                }
            }
            5 => self.garbage(),
            6 => {
                if let Some(conn) = self.conn() {
                    self.sim.peers.remove(&conn);
                    self.sim.client.handle_closed(self.sim.now, conn, CloseReason::Closed);
                }
            }
            7 => self.move_object(),
            8 => self.flip_osd(),
            9 => self.hold(),
            10 => self.answer_late(),
            11 => self.speak(),
            12 => self.ack_some(),
            14 => {
                let n = self.pick(self.watches.len() as u64) as usize;
                if let Some(watch) = self.watches.get(n) {
                    let _ = self.sim.client.flush(self.sim.now, *watch, 1);
                    let _ = self.sim.client.unwatch_within(self.sim.now, *watch, secs(2));
                }
            }
            15 if self.pick(4) == 0 => {
                self.sim.global_id += 1;
                self.sim.client.renew_identity(self.sim.now).unwrap();
            }
            13 => {
                let back = Timestamp::from_micros(self.pick(1 << 20));
                self.sim.client.handle_timeout(back);
            }
            _ => {
                let span = millis(self.pick(9000));
                self.sim.run(span);
            }
        }
        self.sim.settle();
    }

    fn garbage(&mut self) {
        let Some(conn) = self.conn() else { return };
        let mut bytes = vec![0; 1 + self.pick(100) as usize];
        self.rng.fill_bytes(&mut bytes);
        self.sim.client.handle_bytes(self.sim.now, conn, &bytes);
    }

    fn move_object(&mut self) {
        let (name, osd) = (self.name(), self.pick(3) as i32);
        self.sim.move_to(&name, &[osd, (osd + 1) % 3]);
    }

    fn flip_osd(&mut self) {
        let osd = self.pick(3) as i32;
        self.sim.update(|inc| _ = inc.new_state.insert(osd, osd_state::UP));
    }

    fn hold(&mut self) {
        let kinds = ["watch", "reconnect", "ping", "unwatch", "notify", "ack", "stat"];
        self.sim.hold = kinds.into_iter().filter(|_| self.rng.next_u32().is_multiple_of(3)).collect();
    }

    fn answer_late(&mut self) {
        let n = self.pick(self.sim.held.len() as u64) as usize;
        let Some(request) = self.sim.held.remove(n) else { return };
        let result = [0, -2, -5, -11, -107, -108, -110, i32::MIN, i32::MAX][self.pick(9) as usize];
        self.sim.reply(&request, result);
    }

    fn speak(&mut self) {
        let (osd, cookie, id) = (self.pick(3) as i32, 1 + self.pick(12), self.pick(5));
        if !self.sim.has_session(Who::Osd(osd)) {
            return;
        }
        match self.pick(4) {
            0 => self.sim.notify(osd, cookie, id, b"x"),
            1 => self.sim.disconnect(osd, cookie),
            2 => self.sim.complete_raw(osd, cookie, id, Bytes::from_static(&[0; 8])),
            _ => self.sim.peer(Who::Osd(osd)).control(&Control::SessionReset { full: true }),
        }
    }

    fn ack_some(&mut self) {
        while let Some((_, event)) = self.sim.news.pop_front() {
            let WatchEvent::Notify(notify) = event else { continue };
            match self.pick(3) {
                0 => _ = self.sim.client.ack(self.sim.now, notify.token, Bytes::new()),
                1 => _ = self.sim.client.decline(self.sim.now, notify.token),
                _ => {}
            }
        }
    }
}

fn run(seed: u64) -> Noise {
    let mut noise = Noise::new(seed);
    (0..150).for_each(|_| noise.step());
    noise
}

#[test]
fn nothing_panics_and_everything_recovers() {
    for seed in 0..40 {
        let mut noise = run(seed);
        let sim = &mut noise.sim;
        // Peace again: each watch that is left becomes live, or has ended.
        sim.hold.clear();
        sim.client.renew_identity(sim.now).unwrap();
        for osd in 0..3 {
            if !sim.map.is_up(osd) {
                sim.update(|inc| _ = inc.new_state.insert(osd, osd_state::UP));
            }
        }
        for request in sim.held.drain(..).collect::<Vec<_>>() {
            sim.reply(&request, 0);
        }
        sim.run(secs(120));
        sim.news.clear();
        sim.seen.clear();
        sim.run(secs(10));
        assert!(sim.news.is_empty(), "seed {seed}: {:?}", sim.news);
        let pinged: std::collections::BTreeSet<u64> = sim
            .seen
            .iter()
            .filter(|request| request.kind == "ping")
            .map(crate::support::Request::cookie)
            .collect();
        assert_eq!(pinged.len(), sim.client.watches(), "seed {seed}");
        sim.client.close(sim.now, secs(5));
        sim.run(secs(6));
        assert!(sim.peers.is_empty() && sim.deadline.is_none(), "seed {seed}");
    }
}

#[test]
fn the_same_seed_gives_the_same_outputs() {
    for seed in 100..104 {
        assert_eq!(run(seed).sim.log, run(seed).sim.log, "seed {seed}");
    }
}
