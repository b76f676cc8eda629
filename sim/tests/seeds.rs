//! A few seeds in each test run, and those that found something once.

use linger_sim::{Plan, Profile, Trace, run};

fn holds(seeds: impl IntoIterator<Item = u64>) {
    for seed in seeds {
        if let Err(violation) = run(&Plan::new(seed, Profile::Small), &mut Trace::Off) {
            panic!("seed {seed} {violation}: cargo xtask sim --seeds {seed} --trace");
        }
    }
}

#[test]
fn the_first_seeds() {
    holds(0..12);
}

#[test]
fn one_seed_makes_one_run() {
    let sum = |seed| {
        let mut trace = Trace::Sum(0);
        run(&Plan::new(seed, Profile::Small), &mut trace).unwrap();
        trace.sum()
    };
    assert_eq!(sum(3), sum(3));
    assert_ne!(sum(3), sum(4));
}

/// What an OSD delivered again, to a watch that the client counted as lost, was new to the client.
///
/// The seed finds the mutant `delivered-again`, which is that bug.
#[test]
fn a_notify_delivered_twice() {
    holds([0]);
}

/// A RECONNECT, or a second WATCH, over the connection that the OSD has the watch bound to already does not
/// start its timer anew: the client counted the watch as live for longer than the OSD did.
///
/// The seed finds the mutant `lease-from-reconnect`, which is that bug.
#[test]
fn a_lease_that_outlived_the_osds_timer() {
    holds([153]);
}

/// A notify that took the place of a smaller one exceeded the budget of all watches.
///
/// The seed finds the mutant `over-budget`, which is that bug.
#[test]
fn a_budget_that_was_exceeded() {
    holds([127]);
}

/// A WATCH or RECONNECT that a backoff's end sent again had been taken the first time already: the OSD's timer ran
/// from then, the client's lease from the second time.
#[test]
fn a_lease_that_counted_from_the_second_attempt() {
    holds([109_250, 206_845]);
}

/// Tickets of an hour are renewed in time for a week: OSDs let the clients in whenever connections break, and no
/// watch is lost.
#[test]
fn a_week_of_renewals() {
    week(0);
}

/// What a ticket is good for is a span, not a date: a client whose wall clock is a day fast or slow fares no worse.
#[test]
fn a_week_with_a_clock_that_is_a_day_fast() {
    week(86_400);
}

#[test]
fn a_week_with_a_clock_that_is_a_day_slow() {
    week(-86_400);
}

fn week(skew: i64) {
    match run(&Plan::week(1, skew), &mut Trace::Off) {
        Err(violation) => panic!("{violation}"),
        Ok(stats) => {
            assert!(
                stats.simulated.as_secs() >= 7 * 86_400 && stats.watches > 0 && stats.outcomes > 100,
                "{stats:?}"
            );
        }
    }
}
