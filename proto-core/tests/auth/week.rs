//! A week of tickets by a scripted clock, while the services' keys rotate and monitors fail.

use crate::server::Server;
use crate::{BOTH, KINDS, at, rng};
use linger_core::auth::{ConMode, KeyType, TicketStore};
use linger_wire::{EntityType, UTime};
use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};

/// What a cluster gives: tickets live as long as the keys that they are sealed with (`auth_service_ticket_ttl`).
const LIFE: u64 = 3600;
const WEEK: u64 = 7 * 24 * 3600;
/// A client connects somewhere about so often.
const CONNECT: u64 = 600;
/// The longest time without a monitor: less than what is left of a ticket when its renewal is due.
const OUTAGE_MAX: u64 = LIFE / 4 - 60;

/// What monitors do about renewals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Monitors {
    Good,
    /// Some refuse, some go away with the question, some are away for minutes.
    Failing,
}

struct Week {
    server: Server,
    store: TicketStore,
    rng: ChaCha8Rng,
    monitors: Monitors,
    /// When another monitor lets the client in, after the last one went away.
    login_at: Option<u64>,
    renewals: u64,
    logins: u64,
}

impl Week {
    fn new(kind: KeyType, monitors: Monitors, seed: u64) -> Self {
        let mut server = Server::new(kind);
        server.validity = UTime { sec: LIFE as u32, nsec: 0 };
        let store = server.store(at(0));
        let rng = ChaCha8Rng::seed_from_u64(seed);
        Self { server, store, rng, monitors, login_at: None, renewals: 0, logins: 1 }
    }

    fn run(&mut self) {
        let (mut now, mut connect, mut rotation) = (0, CONNECT, LIFE);
        while now < WEEK {
            // While a monitor is away with the question none is due.
            let due = self.store.next_due().map(|due| due.as_micros().div_ceil(1_000_000));
            assert_eq!(due.is_none(), self.login_at.is_some());
            let next = due.into_iter().chain(self.login_at).min().unwrap_or(WEEK);
            now = next.min(connect).min(rotation).max(now);
            if now == rotation {
                self.server.rotate();
                rotation += LIFE;
            }
            if now == connect {
                self.connect(now);
                connect += CONNECT / 2 + u64::from(self.rng.next_u32()) % CONNECT;
            }
            if self.login_at.is_some_and(|login| login <= now) {
                self.log_in(now);
            } else if due.is_some_and(|due| due <= now) {
                self.renew(now);
            }
        }
    }

    /// An OSD must take what the client has, at any time.
    fn connect(&mut self, now: u64) {
        assert!(self.store.have(EntityType::OSD, at(now)), "no ticket after {now} s");
        let mut shake = self.store.authorizer(EntityType::OSD, BOTH, &mut rng()).unwrap();
        self.server.secret = vec![6; 64];
        let done = self.server.serve(&mut shake, ConMode::Secure.number(), |_| ());
        self.server.secret.clear();
        assert!(done.is_ok(), "{done:?} after {now} s");
    }

    fn renew(&mut self, now: u64) {
        let Some(request) = self.store.renewal(at(now), &mut self.rng) else { return };
        self.renewals += 1;
        match (self.monitors, self.rng.next_u32() % 4) {
            (Monitors::Good, _) | (_, 0) => {
                let reply = self.server.answer(&request);
                self.store.on_renewal_reply(at(now), 0, &reply).unwrap();
            }
            (_, 1) => _ = self.store.on_renewal_reply(at(now), -13, &[]).unwrap_err(),
            // No answer: another monitor, at once or after a while.
            (_, kind) => {
                let wait = if kind == 2 { 10 } else { u64::from(self.rng.next_u32()) % OUTAGE_MAX };
                self.login_at = Some(now + wait);
            }
        }
    }

    fn log_in(&mut self, now: u64) {
        let login = self.server.log_in(at(now), ConMode::Secure, self.store.resume());
        assert_eq!(login.global_id, self.store.global_id());
        self.store.adopt(login.grant);
        self.login_at = None;
        self.logins += 1;
    }
}

#[test]
fn renewals_are_few_and_no_door_is_ever_closed() {
    for kind in KINDS {
        let mut week = Week::new(kind, Monitors::Good, 1);
        week.run();
        // One at three quarters of each life, which brings all tickets.
        let expected = WEEK / (LIFE * 3 / 4);
        assert!((expected..=expected + 1).contains(&week.renewals), "{kind}: {} renewals", week.renewals);
        assert_eq!(week.logins, 1);
    }
}

#[test]
fn failing_monitors_cost_renewals_but_close_no_door() {
    for kind in KINDS {
        for seed in 0..8 {
            let mut week = Week::new(kind, Monitors::Failing, seed);
            week.run();
            assert!(week.logins > 20 && week.renewals < 2000, "{} {}", week.logins, week.renewals);
            assert_eq!(week.store.global_id(), 4100);
        }
    }
}
