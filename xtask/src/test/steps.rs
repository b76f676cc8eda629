//! The steps, in order, and how long they may take.

use super::checks;
use super::command::{Packages, build_tests, check, counted, tests};
use super::embedding::{self, BARE, EMBASSY, HOSTED, embassy};
use super::setup::{has_toolchain, set_up};
use super::suite::{CLUSTER, others, tentacle};
use super::tally::Tally;
use crate::tree::{cargo, rustup};
use anyhow::Result;
use linger_testbed::{Cluster, Release, available};
use std::env;

/// One step.
pub(super) struct Step {
    pub(super) name: &'static str,
    pub(super) about: &'static str,
    /// The slot whose budget it uses.
    pub(super) slot: &'static str,
    pub(super) run: fn() -> Result<Tally>,
}

/// A share of the time that all of it may take.
pub(super) struct Slot {
    pub(super) name: &'static str,
    pub(super) minutes: u64,
}

const BUILD: &str = "build";
const STATIC: &str = "static and unit";
const PLACEMENT: &str = "corpus and placement";
const PACIFIC: &str = "Pacific";
const TENTACLE: &str = "Tentacle";
const OTHERS: &str = "other releases";
const SIMULATOR: &str = "simulator";
const EMBEDDING: &str = "embedding";

/// The budget. Slots without steps are kept for what is to come; they add up to 37 minutes of the 40.
pub(super) const SLOTS: &[Slot] = &[
    Slot { name: BUILD, minutes: 10 },
    Slot { name: STATIC, minutes: 3 },
    Slot { name: PLACEMENT, minutes: 3 },
    Slot { name: PACIFIC, minutes: 6 },
    Slot { name: TENTACLE, minutes: 6 },
    Slot { name: OTHERS, minutes: 3 },
    Slot { name: SIMULATOR, minutes: 3 },
    Slot { name: EMBEDDING, minutes: 3 },
];

/// All steps.
pub(super) const STEPS: &[Step] = &[
    Step { name: "setup", about: "rustfmt, clippy, Ceph's packages", slot: BUILD, run: set_up },
    Step { name: "fmt", about: "formatting", slot: STATIC, run: fmt },
    Step {
        name: "tidy",
        about: "file sizes, module map, licences, no C, mutants",
        slot: STATIC,
        run: checks::tidy,
    },
    Step { name: "build", about: "everything, as the tests use it", slot: BUILD, run: build },
    Step { name: "clippy", about: "lints, with benches and fuzzers", slot: BUILD, run: clippy },
    Step { name: "no_std", about: "wire and core without std", slot: BUILD, run: no_std },
    Step { name: "msrv", about: "the oldest supported compiler", slot: BUILD, run: msrv },
    Step { name: "doc", about: "documentation, without warnings", slot: BUILD, run: doc },
    Step { name: "deny", about: "advisories and bans, by cargo-deny", slot: STATIC, run: deny },
    Step {
        name: "doctest",
        about: "examples in the documentation and the README",
        slot: STATIC,
        run: doctest,
    },
    Step { name: "unit", about: "tests that need nothing else", slot: STATIC, run: unit },
    Step { name: "fuzz", about: "the fuzzers' corpus, on stable", slot: STATIC, run: fuzz },
    Step {
        name: "ceph",
        about: "equal to Ceph's encodings and placements, and its clients",
        slot: PLACEMENT,
        run: ceph,
    },
    Step { name: "pacific", about: "real Pacific clusters", slot: PACIFIC, run: pacific },
    Step { name: "tentacle", about: "real Tentacle clusters", slot: TENTACLE, run: tentacle },
    Step { name: "others", about: "Nautilus and Reef, in short, in secure mode", slot: OTHERS, run: others },
    Step { name: "chaos", about: "faults on Pacific clusters", slot: PACIFIC, run: chaos },
    Step { name: "sim", about: "the first seeds of the simulator", slot: SIMULATOR, run: sim },
    Step { name: "embed", about: "loops of one's own, and embassy, on Pacific", slot: EMBEDDING, run: embed },
    Step { name: "bare", about: "a program without std", slot: EMBEDDING, run: embedding::bare },
    Step { name: "ticks", about: "embassy's tick rates", slot: EMBEDDING, run: embedding::ticks },
];

/// Packages whose tests compare with Ceph's tools.
const CEPH: &[&str] = &["linger-conformance", "linger-mini-cluster"];
/// Packages whose tests break clusters, each its own.
const CHAOS: &[&str] = &["linger-chaos"];
/// Seeds that the simulator runs, from the first on each time: new ones are for `cargo xtask sim`.
const SIM_SEEDS: &str = "0..100000";
/// How long it has, on all cores.
const SIM_MINUTES: &str = "3";
const FUZZ: &str = "fuzz/Cargo.toml";

fn fmt() -> Result<Tally> {
    check(&mut cargo(&["fmt", "--all", "--check"]))?;
    check(&mut cargo(&["fmt", "--manifest-path", FUZZ, "--check"]))?;
    check(&mut cargo(&["fmt", "--all", "--manifest-path", EMBASSY, "--check"]))
}

fn build() -> Result<Tally> {
    check(&mut build_tests())?;
    check(&mut cargo(&["test", "--manifest-path", FUZZ, "--no-run"]))?;
    check(&mut embassy("test", &["-p", "linger-embassy-host"], &["--no-run"]))?;
    check(&mut crate::sim::build())
}

fn clippy() -> Result<Tally> {
    check(&mut cargo(&["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]))?;
    check(&mut cargo(&["clippy", "--manifest-path", FUZZ, "--lib", "--tests", "--", "-D", "warnings"]))?;
    check(&mut embassy("clippy", HOSTED, &["--all-targets", "--", "-D", "warnings"]))?;
    check(&mut embassy("clippy", BARE, &["--", "-D", "warnings"]))
}

fn no_std() -> Result<Tally> {
    check(&mut cargo(&["check", "-p", "linger-wire", "-p", "linger-core", "--no-default-features"]))
}

fn msrv() -> Result<Tally> {
    let version = env!("CARGO_PKG_RUST_VERSION");
    let Some(toolchain) = has_toolchain(version)? else {
        return Ok(Tally::skip(&format!("msrv: there is no toolchain {version}")));
    };
    check(&mut rustup(&["run", &toolchain, "cargo", "check", "--workspace", "--lib", "--bins"]))
}

fn doc() -> Result<Tally> {
    check(cargo(&["doc", "--workspace", "--no-deps"]).env("RUSTDOCFLAGS", "-D warnings"))?;
    check(embassy("doc", &["-p", "linger-embassy"], &["--no-deps"]).env("RUSTDOCFLAGS", "-D warnings"))
}

/// cargo-deny takes longer to build than all of this, so it is used where it is. Licences are checked without it.
fn deny() -> Result<Tally> {
    if cargo(&["deny", "--version"]).output().is_ok_and(|output| output.status.success()) {
        check(&mut cargo(&["deny", "check"]))
    } else {
        Ok(Tally::skip("deny: cargo-deny is not installed"))
    }
}

fn doctest() -> Result<Tally> {
    let mut tally = counted(&mut cargo(&["test", "--workspace", "--doc", "--no-fail-fast"]))?;
    tally.add(&counted(&mut embassy("test", &["-p", "linger-embassy"], &["--doc"]))?);
    Ok(tally)
}

fn unit() -> Result<Tally> {
    tests(Packages::AllBut(&[CEPH, CLUSTER, CHAOS, embedding::PACKAGES].concat()), &[])
}

fn fuzz() -> Result<Tally> {
    counted(&mut cargo(&["test", "--manifest-path", FUZZ, "--no-fail-fast"]))
}

/// As many seeds as there is time for; a failing one is printed.
fn sim() -> Result<Tally> {
    check(crate::sim::command().args(["--seeds", SIM_SEEDS, "--minutes", SIM_MINUTES]))
}

fn ceph() -> Result<Tally> {
    tests(Packages::Only(CEPH), &[])
}

/// They wait for leases more than they compute, so more of them run at a time than there are cores.
fn chaos() -> Result<Tally> {
    tests(Packages::Only(CHAOS), &[("NEXTEST_TEST_THREADS", "4")])
}

fn pacific() -> Result<Tally> {
    on_cluster(|envs| tests(Packages::Only(CLUSTER), envs))
}

fn embed() -> Result<Tally> {
    on_cluster(embedding::on_a_cluster)
}

/// One Pacific cluster for all tests that do not stop daemons, as each test is a process of its own.
fn on_cluster(run: impl FnOnce(&[(&str, &str)]) -> Result<Tally>) -> Result<Tally> {
    if env::var_os("LINGER_TEST_CONF").is_some() {
        return run(&[]);
    }
    if let Err(why) = available() {
        println!("no cluster here: {why}");
        return run(&[]);
    }
    let cluster = Cluster::builder().release(Release::Pacific).boot()?;
    let conf = cluster.conf().display().to_string();
    run(&[("LINGER_TEST_CONF", &conf), ("LINGER_RELEASE", Release::Pacific.name())])
}
