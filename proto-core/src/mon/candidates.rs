//! Where monitors may be found, and in which order to try them.

use crate::Rng;
use crate::auth::ConMode;
use crate::config::Config;
use crate::conn::pick;
use crate::ids::ResolveKey;
use crate::mon_host::{MonAddr, PORT_LEGACY, PORT_MSGR2};
use crate::output::{Output, Query};
use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::string::String;
use alloc::vec::Vec;
use core::cmp::Reverse;
use core::net::SocketAddr;
use linger_wire::msg::MonMap;
use linger_wire::{AddrType, EntityAddr};
use rand_core::Rng as _;
use slotmap::SlotMap;

/// Addresses answered by one look-up that are kept.
const RESOLVED_MAX: usize = 64;

/// Monitors taken from a map. Clusters have a handful; a message has room for hundreds of thousands.
const MONS_MAX: usize = 1024;

/// Rounds in which an earlier login was refused before it is given up, though most monitors did not say: two
/// minutes at Ceph's own intervals.
const REFUSED_ROUNDS_MAX: u32 = 8;

/// Addresses that are remembered as of no use; names may resolve to others again and again.
const UNFIT_MAX: usize = MONS_MAX;

/// A place to dial: those of msgr2 sort first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Candidate {
    kind: Reverse<AddrType>,
    sock: SocketAddr,
}

impl Candidate {
    fn new(kind: AddrType, sock: SocketAddr) -> Self {
        Self { kind: Reverse(kind), sock }
    }

    /// The address, as monitors have it.
    pub(super) fn addr(self) -> EntityAddr {
        EntityAddr { kind: self.kind.0, nonce: 0, sock: Some(self.sock) }
    }

    pub(super) fn sock(self) -> SocketAddr {
        self.sock
    }

    pub(super) fn is_v2(self) -> bool {
        self.kind.0 == AddrType::MSGR2
    }
}

/// The addresses of monitors: those configured, those their names resolve to, those of the monmap.
///
/// Of msgr1 they are tried only if connections without encryption are allowed, and when those of msgr2 did not
/// answer.
pub(super) struct Candidates {
    fixed: Vec<Candidate>,
    /// Names, and the protocol spoken there; none where the port says.
    names: Vec<(Option<AddrType>, Query)>,
    modes: Vec<ConMode>,
    /// Addresses of the newest monmap, and their priorities.
    from_map: BTreeMap<Candidate, u16>,
    asked: SlotMap<ResolveKey, Option<AddrType>>,
    /// Whether names were ever asked for: addresses at hand come first.
    looked_up: bool,
    /// What names resolved to in this round.
    resolved: BTreeSet<Candidate>,
    /// Tried in this round.
    tried: BTreeSet<Candidate>,
    /// Those that can not be used for a reason that stays.
    unfit: BTreeSet<Candidate>,
    /// Those that did not let an earlier login go on, since the last login.
    refused: BTreeSet<Candidate>,
    /// Rounds that ended since the first of them.
    refused_rounds: u32,
}

impl Candidates {
    pub(super) fn new(config: &Config) -> Self {
        let mut fixed = Vec::new();
        let mut names = Vec::new();
        match &config.mons {
            None => names.push((None, Query::Service { name: config.srv_name.clone() })),
            Some(hosts) => hosts.candidates().for_each(|addr| match addr {
                MonAddr::Addr { kind, sock } => fixed.push(Candidate::new(*kind, *sock)),
                MonAddr::Host { kind, host, port } => {
                    names.push((Some(*kind), Query::Host { host: String::clone(host), port: *port }));
                }
            }),
        }
        Self {
            fixed,
            names,
            modes: config.mon_modes.clone(),
            from_map: BTreeMap::new(),
            asked: SlotMap::with_key(),
            looked_up: false,
            resolved: BTreeSet::new(),
            tried: BTreeSet::new(),
            unfit: BTreeSet::new(),
            refused: BTreeSet::new(),
            refused_rounds: 0,
        }
    }

    /// Starts a full round: every address is untried, every name is looked up anew.
    fn start_round(&mut self, out: &mut VecDeque<Output>) {
        self.tried.clear();
        self.resolved.clear();
        self.asked.clear();
        self.looked_up = true;
        for (kind, query) in &self.names {
            let id = self.asked.insert(*kind).into();
            out.push_back(Output::Resolve { id, query: query.clone() });
        }
    }

    /// Takes what a name resolved to; an answer to an older round does nothing.
    pub(super) fn on_resolved(&mut self, id: ResolveKey, addrs: &[SocketAddr]) -> bool {
        let Some(kind) = self.asked.remove(id) else { return false };
        let kinds = |port| match (kind, port) {
            (Some(kind), _) => [Some(kind), None],
            (None, PORT_MSGR2) => [Some(AddrType::MSGR2), None],
            (None, PORT_LEGACY) => [Some(AddrType::LEGACY), None],
            (None, _) => [Some(AddrType::MSGR2), Some(AddrType::LEGACY)],
        };
        for addr in addrs.iter().take(RESOLVED_MAX) {
            let found = kinds(addr.port()).into_iter().flatten().map(|kind| Candidate::new(kind, *addr));
            self.resolved.extend(found);
        }
        true
    }

    /// Takes the addresses of a monmap; of more than [`MONS_MAX`] monitors the first ones by name.
    pub(super) fn on_monmap(&mut self, map: &MonMap) {
        let usable = |info: &linger_wire::msg::MonInfo| {
            let addr = pick(&info.addrs, &self.modes).ok()?;
            Some((Candidate::new(addr.kind, addr.sock?), info.priority))
        };
        self.from_map = map.mons.values().filter_map(usable).take(MONS_MAX).collect();
    }

    /// Up to `count` untried addresses; a new round starts when none is left. They are of one protocol: while
    /// an address of msgr2 is to be dialled or `v2_dialled` none of msgr1 is. Those that are unfit come when no
    /// other is left: another cluster's monitor must not win each time.
    pub(super) fn next(
        &mut self,
        count: usize,
        v2_dialled: bool,
        rng: &mut Rng,
        out: &mut VecDeque<Output>,
    ) -> Vec<Candidate> {
        let mut batch = self.untried();
        if batch.is_empty() {
            self.start_round(out);
            batch = self.untried();
        }
        if v2_dialled || batch.iter().any(|candidate| candidate.is_v2()) {
            batch.retain(|candidate| candidate.is_v2());
        }
        if batch.iter().any(|addr| !self.is_unfit(addr)) {
            batch.retain(|addr| !self.is_unfit(addr));
        }
        shuffle(&mut batch, rng);
        // Lower priorities are tried first; addresses that no map knows count as the lowest.
        batch.sort_by_key(|addr| self.priority(addr));
        batch.truncate(count);
        self.tried.extend(&batch);
        batch
    }

    /// Notes whether a monitor can be used; if not, then for a reason that stays.
    pub(super) fn set_fit(&mut self, candidate: Candidate, is_fit: bool) {
        if is_fit {
            self.unfit.remove(&candidate);
        } else if self.unfit.len() < UNFIT_MAX {
            self.unfit.insert(candidate);
        }
    }

    /// Whether no address is left that may be of use, and no name that may have one.
    pub(super) fn are_all_unfit(&self) -> bool {
        let names_are_known = self.names.is_empty() || self.looked_up && self.asked.is_empty();
        // Asked again and again: without any mark there is nothing to compare.
        if self.unfit.is_empty() || !names_are_known {
            return false;
        }
        let all = self.all();
        !all.is_empty() && all.iter().all(|addr| self.is_unfit(addr))
    }

    /// Whether an address was of no use. What a monitor says at one of its ports is meant for both: the other is
    /// most often closed, and one of msgr1 shall be no way around what is refused over msgr2.
    fn is_unfit(&self, addr: &Candidate) -> bool {
        let same = |a: &Candidate| a == addr || a.kind != addr.kind && a.sock.ip() == addr.sock.ip();
        self.unfit.iter().any(same)
    }

    /// Notes that a monitor did not let an earlier login go on.
    pub(super) fn on_refused(&mut self, candidate: Candidate) {
        self.refused.insert(candidate);
    }

    /// Starts anew to note who refuses the login at hand.
    pub(super) fn forget_refusals(&mut self) {
        (self.refused, self.refused_rounds) = (BTreeSet::new(), 0);
    }

    /// A round is over: whether the earlier login is of no use any more.
    ///
    /// Refusals prove nothing of who sends them, and an address may be another cluster's by now. But a cluster
    /// serves only while most of its monitors do. If the map at hand is too old to count by, time tells.
    pub(super) fn are_refusals_final(&mut self) -> bool {
        if self.refused.is_empty() {
            return false;
        }
        self.refused_rounds = self.refused_rounds.saturating_add(1);
        // Most monitors have an address of either protocol: each counts once.
        let v2 = self.from_map.keys().any(|addr| addr.is_v2());
        let known: Vec<_> = self.from_map.keys().filter(|addr| addr.is_v2() == v2).collect();
        let refused = known.iter().filter(|addr| self.refused.contains(addr)).count();
        let most = known.is_empty() || refused > known.len() / 2;
        most || self.refused_rounds >= REFUSED_ROUNDS_MAX
    }

    /// Whether this round has addresses left.
    pub(super) fn any_untried(&self) -> bool {
        !self.untried().is_empty()
    }

    fn priority(&self, addr: &Candidate) -> u16 {
        self.from_map.get(addr).copied().unwrap_or(0)
    }

    /// All addresses that may be dialled.
    fn all(&self) -> BTreeSet<Candidate> {
        let all = self.fixed.iter().chain(&self.resolved).chain(self.from_map.keys());
        all.filter(|candidate| self.may_dial(candidate)).copied().collect()
    }

    fn may_dial(&self, candidate: &Candidate) -> bool {
        candidate.is_v2() || self.modes.contains(&ConMode::Crc)
    }

    fn untried(&self) -> Vec<Candidate> {
        self.all().difference(&self.tried).copied().collect()
    }
}

/// Fisher and Yates' shuffle.
fn shuffle(list: &mut [Candidate], rng: &mut Rng) {
    for n in (1..list.len()).rev() {
        let pick = (u64::from(rng.next_u32()) * (n as u64 + 1)) >> 32;
        list.swap(n, pick as usize);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::{AuthName, Credentials};
    use alloc::string::ToString;
    use linger_wire::AddrVec;
    use linger_wire::msg::MonInfo;
    use rand_core::SeedableRng;

    fn candidates(hosts: &str, modes: &[ConMode]) -> Candidates {
        let name: AuthName = "client.admin".parse().unwrap();
        let mut config = Config::new(Credentials { name, key: None }, Some(hosts.parse().unwrap()));
        config.mon_modes = modes.to_vec();
        Candidates::new(&config)
    }

    /// The next ones, in order of their names.
    fn next(candidates: &mut Candidates, count: usize, v2_dialled: bool) -> (Vec<String>, VecDeque<Output>) {
        let (mut out, mut rng) = (VecDeque::new(), Rng::from_seed([7; 32]));
        let batch = candidates.next(count, v2_dialled, &mut rng, &mut out);
        let mut names: Vec<_> = batch.iter().map(|candidate| candidate.addr().to_string()).collect();
        names.sort();
        (names, out)
    }

    const BOTH: &[ConMode] = &[ConMode::Secure, ConMode::Crc];

    #[test]
    fn a_round_tries_each_address_once_and_then_asks_names_anew() {
        let mut candidates = candidates("v2:127.0.0.1:3300,v2:127.0.0.2:3300,v2:mon.example:3300", BOTH);
        let (first, out) = next(&mut candidates, 1, false);
        assert!(out.is_empty(), "addresses at hand come first");
        let (second, _) = next(&mut candidates, 3, true);
        let mut both = [first, second].concat();
        both.sort();
        assert_eq!(both, ["v2:127.0.0.1:3300/0", "v2:127.0.0.2:3300/0"]);
        let (_, mut out) = next(&mut candidates, 3, true);
        let Some(Output::Resolve { id, query }) = out.pop_front() else { panic!("no question") };
        assert_eq!(query, Query::Host { host: "mon.example".into(), port: 3300 });
        let addr = |n: u8| SocketAddr::from(([127, 0, 0, n], 3300));
        assert!(candidates.on_resolved(id.key(), &[addr(3)]));
        assert!(!candidates.on_resolved(id.key(), &[addr(4)]), "one answer a question");
        assert_eq!(next(&mut candidates, 3, false).0, ["v2:127.0.0.3:3300/0"]);
    }

    #[test]
    fn v1_is_tried_when_no_v2_is_left_or_under_way() {
        let mut candidates = candidates("127.0.0.1,v1:127.0.0.2", BOTH);
        assert_eq!(next(&mut candidates, 3, false).0, ["v2:127.0.0.1:3300/0"]);
        assert_eq!(next(&mut candidates, 3, true).0, [""; 0]);
        assert!(candidates.any_untried());
        assert_eq!(next(&mut candidates, 3, false).0, ["v1:127.0.0.1:6789/0", "v1:127.0.0.2:6789/0"]);
        assert_eq!(next(&mut candidates, 3, false).0, ["v2:127.0.0.1:3300/0"], "the next round");
    }

    #[test]
    fn v1_is_never_tried_where_only_secure_will_do() {
        let mut candidates = candidates("127.0.0.1,v1:127.0.0.2", &[ConMode::Secure]);
        assert_eq!(next(&mut candidates, 3, false).0, ["v2:127.0.0.1:3300/0"]);
        assert!(!candidates.any_untried());
        candidates.on_monmap(&map(&[&[(AddrType::LEGACY, 9)]]));
        assert!(!candidates.any_untried());
    }

    #[test]
    fn the_map_gives_each_monitor_s_best_address() {
        let mut candidates = candidates("v2:127.0.0.9", BOTH);
        candidates
            .on_monmap(&map(&[&[(AddrType::LEGACY, 1), (AddrType::MSGR2, 2)], &[(AddrType::LEGACY, 3)]]));
        assert_eq!(next(&mut candidates, 3, false).0, ["v2:127.0.0.1:2/0", "v2:127.0.0.9:3300/0"]);
        assert_eq!(next(&mut candidates, 3, false).0, ["v1:127.0.0.1:3/0"]);
    }

    #[test]
    fn lower_priorities_go_first() {
        let mut candidates = candidates("v2:127.0.0.1:2", BOTH);
        let mut mons = map(&[&[(AddrType::MSGR2, 1)], &[(AddrType::MSGR2, 2)], &[(AddrType::MSGR2, 3)]]);
        let mut priorities = [3, 2, 1].into_iter();
        mons.mons.values_mut().for_each(|mon| mon.priority = priorities.next().unwrap());
        candidates.on_monmap(&mons);
        for port in [3, 2, 1] {
            assert_eq!(next(&mut candidates, 1, false).0, [alloc::format!("v2:127.0.0.1:{port}/0")]);
        }
    }

    #[test]
    fn those_of_no_use_are_tried_last() {
        let mut candidates = candidates("v2:127.0.0.1:2,v2:127.0.0.2:2,v2:127.0.0.3:2", BOTH);
        let unfit = Candidate::new(AddrType::MSGR2, ([127, 0, 0, 2], 2).into());
        candidates.set_fit(unfit, false);
        for _ in 0..2 {
            assert_eq!(next(&mut candidates, 3, false).0, ["v2:127.0.0.1:2/0", "v2:127.0.0.3:2/0"]);
            assert_eq!(next(&mut candidates, 3, false).0, ["v2:127.0.0.2:2/0"]);
        }
        candidates.set_fit(unfit, true);
        assert_eq!(next(&mut candidates, 3, false).0.len(), 3);
    }

    #[test]
    fn a_monitor_of_no_use_is_so_at_both_of_its_ports() {
        let mut candidates = candidates("127.0.0.1,127.0.0.2", BOTH);
        candidates.set_fit(Candidate::new(AddrType::MSGR2, ([127, 0, 0, 1], 3300).into()), false);
        for addr in
            ["v2:127.0.0.2:3300/0", "v2:127.0.0.1:3300/0", "v1:127.0.0.2:6789/0", "v1:127.0.0.1:6789/0"]
        {
            assert_eq!(next(&mut candidates, 3, false).0, [addr]);
        }
    }

    #[test]
    fn all_are_of_no_use_when_names_were_asked_and_each_monitor_refused_at_one_of_its_ports() {
        let mut candidates = candidates("127.0.0.1,v2:127.0.0.1:2,v2:mon.example:3300", BOTH);
        let addr = |host, port| Candidate::new(AddrType::MSGR2, ([127, 0, 0, host], port).into());
        assert!(!candidates.are_all_unfit());
        candidates.set_fit(addr(1, 3300), false);
        candidates.set_fit(addr(1, 2), false);
        assert!(!candidates.are_all_unfit(), "a name is left");
        let mut asked = None;
        while asked.is_none() {
            asked = next(&mut candidates, 3, false).1.pop_front();
        }
        let Some(Output::Resolve { id, .. }) = asked else { panic!("no question") };
        assert!(!candidates.are_all_unfit(), "a name is asked for");
        candidates.on_resolved(id.key(), &[addr(2, 3300).sock]);
        assert!(!candidates.are_all_unfit());
        candidates.set_fit(addr(2, 3300), false);
        assert!(candidates.are_all_unfit());
        candidates.set_fit(addr(1, 2), true);
        assert!(!candidates.are_all_unfit(), "another monitor of that host");
    }

    #[test]
    fn refusals_count_by_monitor_not_by_address() {
        let mut candidates = candidates("127.0.0.1", BOTH);
        let mons = [1, 2, 3].map(|port| [(AddrType::MSGR2, port), (AddrType::LEGACY, 10 + port)]);
        candidates.on_monmap(&map(&[&mons[0], &mons[1], &mons[2]]));
        let addr = |port| Candidate::new(AddrType::MSGR2, ([127, 0, 0, 1], port).into());
        candidates.on_refused(addr(1));
        assert!(!candidates.are_refusals_final());
        candidates.on_refused(addr(3));
        assert!(candidates.are_refusals_final());
        candidates.forget_refusals();
        assert!(!candidates.are_refusals_final());
    }

    #[test]
    fn no_more_than_the_bound_are_remembered_as_of_no_use() {
        let mut candidates = candidates("v2:127.0.0.1:1", BOTH);
        for port in (1..).take(UNFIT_MAX + 1) {
            candidates.set_fit(Candidate::new(AddrType::MSGR2, ([127, 0, 0, 1], port).into()), false);
            assert_eq!(candidates.unfit.len(), UNFIT_MAX.min(usize::from(port)));
        }
    }

    #[test]
    fn a_map_gives_no_more_monitors_than_the_bound() {
        let addrs: Vec<_> = (1..).map(|port| [(AddrType::MSGR2, port)]).take(MONS_MAX + 1).collect();
        let mons: Vec<_> = addrs.iter().map(|addrs| &addrs[..]).collect();
        for (count, taken) in [(MONS_MAX, MONS_MAX), (MONS_MAX + 1, MONS_MAX)] {
            let mut candidates = candidates("v2:127.0.0.1:1", BOTH);
            candidates.on_monmap(&map(&mons[..count]));
            assert_eq!(candidates.from_map.len(), taken);
        }
    }

    fn map(mons: &[&[(AddrType, u16)]]) -> MonMap {
        let mut map = MonMap { epoch: 1, ..MonMap::default() };
        for (n, addrs) in mons.iter().enumerate() {
            let addr = |&(kind, port): &(AddrType, u16)| EntityAddr {
                kind,
                nonce: 0,
                sock: Some(SocketAddr::from(([127, 0, 0, 1], port))),
            };
            let addrs = AddrVec(addrs.iter().map(addr).collect());
            map.mons.insert(n.to_string().into(), MonInfo { addrs, ..MonInfo::default() });
        }
        map
    }

    #[test]
    fn the_port_of_a_service_record_says_the_protocol() {
        let mut candidates = candidates("v2:127.0.0.9", BOTH);
        candidates.fixed.clear();
        candidates.names = [(None, Query::Service { name: "_ceph-mon._tcp".into() })].into();
        let (_, mut out) = next(&mut candidates, 3, false);
        let Some(Output::Resolve { id, .. }) = out.pop_front() else { panic!("no question") };
        let addr = |port| SocketAddr::from(([127, 0, 0, 1], port));
        assert!(candidates.on_resolved(id.key(), &[addr(3300), addr(6789), addr(7)]));
        assert_eq!(next(&mut candidates, 3, false).0, ["v2:127.0.0.1:3300/0", "v2:127.0.0.1:7/0"]);
        assert_eq!(next(&mut candidates, 3, false).0, ["v1:127.0.0.1:6789/0", "v1:127.0.0.1:7/0"]);
    }
}
