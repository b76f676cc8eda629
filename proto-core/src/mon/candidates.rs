//! Where monitors may be found, and in which order to try them.

use crate::Rng;
use crate::ids::ResolveKey;
use crate::mon_host::{MonAddr, MonHost};
use crate::output::{Output, Query};
use alloc::collections::{BTreeSet, VecDeque};
use alloc::string::String;
use alloc::vec::Vec;
use core::net::SocketAddr;
use linger_wire::AddrType;
use linger_wire::msg::MonMap;
use rand_core::Rng as _;
use slotmap::SlotMap;

/// Addresses answered by one look-up that are kept.
const RESOLVED_MAX: usize = 64;

/// The addresses of monitors: those configured, those their names resolve to, those of the monmap.
pub(super) struct Candidates {
    fixed: Vec<SocketAddr>,
    names: Vec<Query>,
    /// Addresses of the newest monmap, by priority.
    from_map: Vec<(u16, SocketAddr)>,
    asked: SlotMap<ResolveKey, ()>,
    /// What names resolved to in this round.
    resolved: BTreeSet<SocketAddr>,
    /// Tried in this round.
    tried: BTreeSet<SocketAddr>,
}

impl Candidates {
    pub(super) fn new(hosts: Option<&MonHost>, srv_name: &str) -> Self {
        let mut fixed = Vec::new();
        let mut names = Vec::new();
        match hosts {
            None => names.push(Query::Service { name: srv_name.into() }),
            Some(hosts) => hosts.v2_candidates().for_each(|addr| match addr {
                MonAddr::Addr { sock, .. } => fixed.push(*sock),
                MonAddr::Host { host, port, .. } => {
                    names.push(Query::Host { host: String::clone(host), port: *port });
                }
            }),
        }
        Self {
            fixed,
            names,
            from_map: Vec::new(),
            asked: SlotMap::with_key(),
            resolved: BTreeSet::new(),
            tried: BTreeSet::new(),
        }
    }

    /// Starts a full round: every address is untried, every name is looked up anew.
    fn start_round(&mut self, out: &mut VecDeque<Output>) {
        self.tried.clear();
        self.resolved.clear();
        self.asked.clear();
        for query in &self.names {
            let id = self.asked.insert(()).into();
            out.push_back(Output::Resolve { id, query: query.clone() });
        }
    }

    /// Takes what a name resolved to; an answer to an older round does nothing.
    pub(super) fn on_resolved(&mut self, id: ResolveKey, addrs: &[SocketAddr]) -> bool {
        let asked = self.asked.remove(id).is_some();
        if asked {
            self.resolved.extend(addrs.iter().copied().take(RESOLVED_MAX));
        }
        asked
    }

    pub(super) fn on_monmap(&mut self, map: &MonMap) {
        let v2 = |info: &linger_wire::msg::MonInfo| {
            info.addrs.find(AddrType::MSGR2).and_then(|addr| addr.sock).map(|sock| (info.priority, sock))
        };
        self.from_map = map.mons.values().filter_map(v2).collect();
    }

    /// Up to `count` untried addresses; a new round starts when none is left.
    pub(super) fn next(
        &mut self,
        count: usize,
        rng: &mut Rng,
        out: &mut VecDeque<Output>,
    ) -> Vec<SocketAddr> {
        let mut batch = self.untried();
        if batch.is_empty() {
            self.start_round(out);
            batch = self.untried();
        }
        shuffle(&mut batch, rng);
        // Lower priorities are tried first; addresses that no map knows count as the lowest.
        batch.sort_by_key(|addr| self.priority(addr));
        batch.truncate(count);
        self.tried.extend(&batch);
        batch
    }

    /// Whether this round has addresses left.
    pub(super) fn any_untried(&self) -> bool {
        !self.untried().is_empty()
    }

    fn priority(&self, addr: &SocketAddr) -> u16 {
        self.from_map.iter().find(|(_, known)| known == addr).map_or(0, |(priority, _)| *priority)
    }

    fn untried(&self) -> Vec<SocketAddr> {
        let from_map = self.from_map.iter().map(|(_, addr)| addr);
        let all: BTreeSet<_> = self.fixed.iter().chain(&self.resolved).chain(from_map).copied().collect();
        all.difference(&self.tried).copied().collect()
    }
}

/// Fisher and Yates' shuffle.
fn shuffle(list: &mut [SocketAddr], rng: &mut Rng) {
    for n in (1..list.len()).rev() {
        let pick = (u64::from(rng.next_u32()) * (n as u64 + 1)) >> 32;
        list.swap(n, pick as usize);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand_core::SeedableRng;

    fn addr(n: u8) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, n], 3300))
    }

    #[test]
    fn a_round_tries_each_address_once_and_then_asks_names_anew() {
        let hosts: MonHost = "v2:127.0.0.1:3300,v2:127.0.0.2:3300,v2:mon.example:3300".parse().unwrap();
        let (mut out, mut rng) = (VecDeque::new(), Rng::from_seed([7; 32]));
        let mut candidates = Candidates::new(Some(&hosts), "");
        let first = candidates.next(1, &mut rng, &mut out);
        assert!(out.is_empty(), "addresses at hand come first");
        let second = candidates.next(3, &mut rng, &mut out);
        let mut both = [first, second].concat();
        both.sort();
        assert_eq!(both, [addr(1), addr(2)]);
        candidates.next(3, &mut rng, &mut out);
        let Some(Output::Resolve { id, query }) = out.pop_front() else { panic!("no question") };
        assert_eq!(query, Query::Host { host: "mon.example".into(), port: 3300 });
        assert!(candidates.on_resolved(id.key(), &[addr(3)]));
        assert!(!candidates.on_resolved(id.key(), &[addr(4)]), "one answer a question");
        assert_eq!(candidates.next(3, &mut rng, &mut out), [addr(3)]);
    }
}
