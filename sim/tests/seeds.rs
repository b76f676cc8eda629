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
#[test]
fn a_notify_delivered_twice() {
    holds([433]);
}

/// A RECONNECT, or a second WATCH, over the connection that the OSD has the watch bound to already does not
/// start its timer anew: the client counted the watch as live for longer than the OSD did.
#[test]
fn leases_that_outlived_the_osds_timer() {
    holds([6, 82, 100, 138, 141, 153, 296]);
}
