//! A machine with a client on it, and the client's user.

use crate::dice::Dice;
use crate::model::RecordId;
use crate::net::LinkId;
use crate::plan::Plan;
use bytes::Bytes;
use linger_core::auth::{AuthMethod, AuthName, Credentials};
use linger_core::{
    AckToken, CallId, Client, Config, ConnId, NotifyId, Reregister, Timestamp, UnixTime, WatchId,
    WatchOptions, WhenFull,
};
use linger_mini_cluster::{Auth, Servers, Settings};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

/// The wall-clock time at the epoch of the simulated clock, in seconds.
pub(crate) const UNIX_EPOCH: u64 = 1_700_000_000;

/// A watch as its user has it.
#[derive(Debug)]
pub(crate) struct UserWatch {
    pub id: WatchId,
    pub object: usize,
    pub record: RecordId,
    /// How long the user takes to look at events.
    pub slow: Duration,
    /// The user wants it no more.
    pub leaving: bool,
}

/// A notify under way.
#[derive(Debug)]
pub(crate) struct Ticket {
    pub object: usize,
    pub payload: Bytes,
    pub begun: Timestamp,
    pub deadline: Timestamp,
}

/// A call under way.
#[derive(Debug)]
pub(crate) struct PendingCall {
    pub deadline: Option<Timestamp>,
}

/// A notify that a user answers later.
#[derive(Debug)]
pub(crate) struct Held {
    pub token: AckToken,
    pub record: RecordId,
    pub reply: Option<Bytes>,
}

/// A timer of a client, which is set.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Armed {
    /// What it is for.
    pub deadline: Timestamp,
    /// When it goes off: then, or a little later.
    pub wakes: Timestamp,
}

/// A client at work.
pub(crate) struct Node {
    pub client: Client,
    /// Tells this process from those before it on the machine.
    pub life: u64,
    pub links: BTreeMap<ConnId, LinkId>,
    pub deadline: Option<Timestamp>,
    /// When the client is going to be woken.
    pub armed: Option<Armed>,
    pub frozen: Option<Timestamp>,
    pub last_thaw: Timestamp,
    pub watches: BTreeMap<WatchId, UserWatch>,
    pub tickets: BTreeMap<NotifyId, Ticket>,
    pub calls: BTreeMap<CallId, PendingCall>,
    pub held: VecDeque<Held>,
    /// `close` was called.
    pub closing: bool,
    /// Deadlines in a row at one point in time.
    pub wakes: (Timestamp, u32),
    pub dice: Dice,
    /// How late timers are: apart, so that one deadline more does not change what the user does.
    pub timer_dice: Dice,
    /// The numbers that the client has had.
    pub numbers: BTreeSet<u64>,
    /// A watch said that the cluster locked the client out.
    pub locked_out: bool,
    /// The user asked for another identity: what is under way is sent anew by it.
    pub renewed: bool,
    /// A command was refused because too much was in flight.
    pub refused: bool,
}

impl Node {
    pub fn new(now: Timestamp, life: u64, mut dice: Dice, servers: &Servers, plan: &Plan) -> Self {
        let config = Config { limits: plan.limits.clone(), ..config(servers) };
        let epoch = Duration::from_secs(UNIX_EPOCH.saturating_add_signed(plan.skew));
        let unix = UnixTime(epoch + now.saturating_since(Timestamp::default()));
        let client = Client::new(now, unix, config, dice.seed()).expect("a good configuration");
        Self {
            client,
            life,
            links: BTreeMap::new(),
            deadline: None,
            armed: None,
            frozen: None,
            last_thaw: now,
            watches: BTreeMap::new(),
            tickets: BTreeMap::new(),
            calls: BTreeMap::new(),
            held: VecDeque::new(),
            closing: false,
            wakes: (now, 0),
            timer_dice: dice.fork(),
            dice,
            numbers: BTreeSet::new(),
            locked_out: false,
            renewed: false,
            refused: false,
        }
    }

    /// Notifies and calls that have no outcome yet.
    pub fn in_flight(&self) -> usize {
        self.tickets.len() + self.calls.len()
    }

    /// Asks for another identity.
    pub fn renew(&mut self, now: Timestamp) {
        // Unless it is closing.
        self.renewed |= self.client.renew_identity(now).is_ok();
    }

    /// Watches that the user wants.
    pub fn wanted(&self) -> impl Iterator<Item = &UserWatch> {
        self.watches.values().filter(|watch| !watch.leaving)
    }

    /// How a user might watch.
    pub fn options(&mut self, slow_users: bool, leases: &[u64]) -> WatchOptions {
        let dice = &mut self.dice;
        WatchOptions {
            timeout: Duration::from_secs(dice.pick(leases)),
            reregister: if dice.one_in(4) { Reregister::Manual } else { Reregister::Automatic },
            queue: if slow_users { dice.pick(&[None, Some(1), Some(4)]) } else { None },
            when_full: dice.pick(&[
                WhenFull::KeepOldest,
                WhenFull::KeepNewest,
                WhenFull::Coalesce,
                WhenFull::Close,
            ]),
            register_within: dice.pick(&[None, Some(Duration::from_secs(60))]),
            ..WatchOptions::default()
        }
    }
}

fn config(servers: &Servers) -> Config {
    let settings: &Settings = servers.settings();
    let mons: Vec<String> = settings.mons.iter().map(|addr| format!("v2:{addr}")).collect();
    let mons = mons.join(",").parse().expect("good addresses");
    let key = match settings.auth {
        Auth::None => None,
        Auth::Cephx(_) => Some(servers.admin().key.clone()),
    };
    let credentials = Credentials { name: AuthName::client("admin"), key };
    let mut config = Config::new(credentials, Some(mons));
    config.auth = match settings.auth {
        Auth::None => vec![AuthMethod::None],
        Auth::Cephx(_) => vec![AuthMethod::Cephx],
    };
    config
}
