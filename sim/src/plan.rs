//! What a seed stands for.

use crate::bounds;
use crate::dice::Dice;
use crate::faults::{Fault, Kind};
use linger_core::{Limits, Timestamp};
use linger_mini_cluster::{Auth, ConMode, KeyType, PoolSpec, Settings};
use std::net::SocketAddr;
use std::time::Duration;

/// How large a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Profile {
    /// Up to 4 clients, 32 watches, 3 OSDs; 10 minutes.
    Small,
    /// 200 clients, 5,000 watches, 9 OSDs; a day.
    Large,
}

/// The world that a seed makes.
#[derive(Debug, Clone)]
pub struct Plan {
    pub(crate) seed: u64,
    pub(crate) clients: usize,
    pub(crate) objects: usize,
    /// Watches of one client at a time.
    pub(crate) watches: usize,
    /// Users have as many watches as they may, from their first deed on.
    pub(crate) full: bool,
    /// Leases that users ask for, in seconds.
    pub(crate) leases: &'static [u64],
    /// A user does something about this often.
    pub(crate) act_every: Duration,
    pub(crate) latency: Duration,
    pub(crate) jitter: Duration,
    pub(crate) window: usize,
    pub(crate) cuts: bool,
    /// Adapters call this late at most.
    pub(crate) late: Duration,
    /// Users may be slow to take events and to answer.
    pub(crate) slow_users: bool,
    /// Users watch and notify and do nothing else, and nothing that breaks is a reason to lose a watch.
    pub(crate) steady: bool,
    /// What clients keep at most.
    pub(crate) limits: Limits,
    /// How many seconds clients' wall clocks are ahead of the cluster's.
    pub(crate) skew: i64,
    pub(crate) settings: Settings,
    /// What breaks.
    pub faults: Vec<Fault>,
    /// When the last fault ends.
    pub(crate) calm: Timestamp,
    /// When all must be well.
    pub(crate) check: Timestamp,
    pub(crate) end: Timestamp,
}

/// Between calm and check: the longest lease and the longest waits between attempts.
pub(crate) const SETTLE: Duration = Duration::from_secs(120);
/// Between check and end: the longest timeout of a watch that nobody pings.
const LINGER: Duration = Duration::from_secs(80);

impl Plan {
    /// Draws everything from the seed.
    #[must_use]
    pub fn new(seed: u64, profile: Profile) -> Self {
        let mut dice = Dice::new(seed, 0);
        let small = profile == Profile::Small;
        let (mons, osds) = if small { (1 + dice.index(3), 1 + dice.index(3)) } else { (3, 9) };
        let whole = Duration::from_secs(if small { 600 } else { 86_400 });
        let end = Timestamp::from_micros(START).saturating_add(whole);
        let before = |span: Duration| Timestamp::from_micros(end.as_micros() - span.as_micros() as u64);
        let (check, calm) = (before(LINGER), before(LINGER + SETTLE));
        let ms = Duration::from_millis;
        let latency = dice.pick(&[Duration::from_micros(100), ms(1), ms(10), ms(80)]);
        let jitter = dice.pick(&[Duration::ZERO, latency, latency * 5]);
        let far = latency + jitter > ms(20);
        let mut plan = Self {
            seed,
            clients: if small { 1 + dice.index(4) } else { 200 },
            objects: if small { 1 + dice.index(6) } else { 1000 },
            watches: if small { 1 + dice.index(8) } else { 25 },
            full: !small,
            leases: if small { &[3, 5, 10, 30, 30, 60] } else { &[10, 30, 30, 30, 60, 60] },
            act_every: if small { dice.pick(&[ms(2_000), ms(5_000), ms(15_000)]) } else { ms(600_000) },
            latency,
            jitter,
            // A login within ten seconds has to be possible.
            window: dice.pick(&[64 << 10, 64 << 10, 4 << 10, if far { 4 << 10 } else { 300 }]),
            cuts: dice.one_in(2),
            late: dice.pick(&[Duration::ZERO, Duration::from_micros(300), ms(4)]),
            slow_users: dice.one_in(3),
            steady: false,
            limits: if small { bounds::draw(&mut Dice::new(seed, 6)) } else { Limits::default() },
            skew: 0,
            settings: settings(seed, &mut dice, mons, osds),
            faults: Vec::new(),
            calm,
            check,
            end,
        };
        plan.faults = Self::faults(&mut dice, &plan, small);
        plan
    }

    /// A week of two clients with a watch or two each, and tickets of an hour: connections break, monitors and OSDs
    /// restart, the services' keys change, and no watch may be lost. The clients' wall clocks are ahead of the
    /// cluster's by so many seconds.
    #[must_use]
    pub fn week(seed: u64, skew: i64) -> Self {
        let mut plan = Self::new(seed, Profile::Small);
        let mut dice = Dice::new(seed, 4);
        let secs = Duration::from_secs;
        plan.end = Timestamp::from_micros(START).saturating_add(secs(7 * 86_400));
        plan.check = Timestamp::from_micros(plan.end.as_micros() - LINGER.as_micros() as u64);
        plan.calm = Timestamp::from_micros(plan.check.as_micros() - SETTLE.as_micros() as u64);
        (plan.clients, plan.objects, plan.watches) = (2, 2, 1 + dice.index(2));
        (plan.act_every, plan.window) = (secs(1200), 64 << 10);
        (plan.steady, plan.slow_users, plan.skew) = (true, false, skew);
        (plan.leases, plan.limits) = (&[30, 60], Limits::default());
        plan.settings.mons = (1..=3).map(|n| SocketAddr::from(([10, 1, 0, n], 6800))).collect();
        plan.settings.auth = Auth::Cephx(dice.pick(&[KeyType::Aes, KeyType::Aes256k]));
        plan.settings.ticket_ttl = secs(3600);
        plan.settings.login_ttl = secs(12 * 3600);
        plan.settings.down_after = Some(secs(2));
        plan.settings.peering = Duration::from_millis(300);
        plan.faults = Vec::new();
        let kinds = [(Kind::Reset, 900, 0), (Kind::KillMon, 5 * 3600, 30), (Kind::KillOsd, 9 * 3600, 1)];
        for (kind, mean, lasts) in kinds {
            let mut at = Timestamp::from_micros(START).saturating_add(secs(60));
            while at < plan.calm {
                plan.faults.push(Fault { at, kind, lasts: secs(lasts), which: dice.below(1 << 16) as u32 });
                at = at.saturating_add(dice.about(secs(mean)));
            }
        }
        plan.faults.sort_by_key(|fault| fault.at);
        plan
    }

    /// Each kind is on or off in a seed, and more or less frequent.
    fn faults(dice: &mut Dice, plan: &Self, small: bool) -> Vec<Fault> {
        let mut faults = Vec::new();
        if dice.one_in(20) {
            return faults;
        }
        for kind in Kind::ALL {
            if !dice.one_in(3) {
                continue;
            }
            let mean = Duration::from_secs(dice.pick(&[15, 40, 120])) * if small { 1 } else { 60 };
            let mut at = Timestamp::from_micros(START).saturating_add(Duration::from_secs(2));
            loop {
                at = at.saturating_add(dice.about(mean));
                if at >= plan.calm {
                    break;
                }
                let lasts = match dice.index(4) {
                    0 => dice.span(Duration::ZERO, Duration::from_millis(200)),
                    1 | 2 => dice.span(Duration::from_millis(200), Duration::from_secs(12)),
                    _ => dice.span(Duration::from_secs(5), Duration::from_secs(90)),
                };
                let which = dice.below(1 << 16) as u32;
                faults.push(Fault { at, kind, lasts, which });
            }
        }
        faults.sort_by_key(|fault| fault.at);
        faults
    }
}

/// When a run starts, in microseconds of its clock.
pub(crate) const START: u64 = 1_000_000_000;

fn settings(seed: u64, dice: &mut Dice, mons: usize, osds: usize) -> Settings {
    let addr = |net: u8, n: usize| SocketAddr::from(([10, 1, net, n as u8 + 1], 6800));
    let mut settings =
        Settings::new((0..mons).map(|n| addr(0, n)).collect(), (0..osds).map(|n| addr(1, n)).collect());
    let secs = Duration::from_secs;
    settings.pools = vec![
        PoolSpec { name: "one".into(), pg_num: dice.pick(&[1, 2, 8, 12]) },
        PoolSpec { name: "two".into(), pg_num: 4 },
    ];
    // Without keys there is nothing to seal with.
    settings.modes = vec![ConMode::Crc];
    settings.auth =
        dice.pick(&[Auth::None, Auth::None, Auth::Cephx(KeyType::Aes), Auth::Cephx(KeyType::Aes256k)]);
    if settings.auth != Auth::None {
        settings.modes = modes(&mut Dice::new(seed, 5));
    }
    settings.ticket_ttl = dice.pick(&[secs(3600), secs(120), secs(40)]);
    settings.login_ttl = dice.pick(&[secs(259_200), secs(200)]);
    settings.down_after = dice.pick(&[Some(Duration::ZERO), Some(secs(2)), Some(secs(20))]);
    settings.map_delay = dice.pick(&[Duration::ZERO, Duration::from_millis(20), secs(2)]);
    settings.peering = dice.pick(&[Duration::ZERO, Duration::from_millis(300), secs(5)]);
    settings.backoff_on_peering = dice.one_in(2);
    settings.epochs = dice.pick(&[500, 500, 3]);
    settings
}

/// Where both are allowed, clients choose as they do by default: crc for OSDs, secure for monitors.
fn modes(dice: &mut Dice) -> Vec<ConMode> {
    match dice.index(6) {
        0 => vec![ConMode::Secure],
        1 => vec![ConMode::Crc, ConMode::Secure],
        _ => vec![ConMode::Crc],
    }
}
