//! Runs seeds: `linger-sim --seeds A..B`.

use clap::Parser;
use linger_sim::{Plan, Profile, Stats, Trace, Violation, run, shrink};
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// Runs that a failing seed gets to lose faults.
const SHRINK_RUNS: u32 = 300;
/// Each of so many seeds is run twice, and must be the same both times.
const TWICE: u64 = 50;

/// Simulates clients and a cluster, from seeds.
#[derive(Debug, Parser)]
struct Options {
    /// Seeds: one, or a range such as 0..1000
    #[arg(long, value_parser = seeds, default_value = "0..1000")]
    seeds: (u64, u64),
    /// Stop after so many minutes
    #[arg(long)]
    minutes: Option<f64>,
    /// The large profile: 200 clients, a day
    #[arg(long)]
    large: bool,
    /// Print all that happens: of a failing seed, with the faults that are left
    #[arg(long)]
    trace: bool,
    /// Do not leave out faults of a failing seed, as if it were large
    #[arg(long)]
    no_shrink: bool,
    /// Go on after a failing seed
    #[arg(long)]
    keep_going: bool,
    /// Seeds that run at a time; as many as there are cores if not given
    #[arg(long, alias = "threads")]
    jobs: Option<usize>,
}

fn seeds(text: &str) -> Result<(u64, u64), String> {
    let number = |text: &str| text.parse::<u64>().map_err(|error| format!("{text}: {error}"));
    match text.split_once("..") {
        Some((from, to)) => Ok((number(from)?, number(to)?)),
        None => number(text).map(|seed| (seed, seed + 1)),
    }
}

/// What all threads found.
#[derive(Default)]
struct Tally {
    seeds: u64,
    failed: Vec<u64>,
    stats: Stats,
}

fn main() -> ExitCode {
    let options = Options::parse();
    let start = Instant::now();
    let end = options.minutes.map(|minutes| start + Duration::from_secs_f64(minutes * 60.0));
    let jobs = options.jobs.unwrap_or_else(|| thread::available_parallelism().map_or(1, usize::from));
    let (next, stop) = (AtomicU64::new(options.seeds.0), AtomicBool::new(false));
    let tally = Mutex::new(Tally::default());
    thread::scope(|scope| {
        for _ in 0..jobs.max(1) {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) && end.is_none_or(|end| Instant::now() < end) {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= options.seeds.1 {
                        return;
                    }
                    let result = one(seed, &options);
                    let Ok(mut tally) = tally.lock() else { return };
                    tally.seeds += 1;
                    match result {
                        Ok(stats) => add(&mut tally.stats, stats),
                        Err(violation) => {
                            tally.failed.push(seed);
                            println!("SEED {seed} {violation}");
                            // Those that are under way go on: the lowest seed that fails is the same each time.
                            stop.fetch_or(!options.keep_going, Ordering::Relaxed);
                        }
                    }
                }
            });
        }
    });
    let Ok(tally) = tally.into_inner() else { return ExitCode::FAILURE };
    report(&tally, start.elapsed());
    if tally.failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn one(seed: u64, options: &Options) -> Result<Stats, Violation> {
    let profile = if options.large { Profile::Large } else { Profile::Small };
    let plan = Plan::new(seed, profile);
    let result = match seed.is_multiple_of(TWICE) && !options.large {
        true => twice(&plan),
        false => run(&plan, &mut if options.large { Trace::Hours(0) } else { Trace::Off }),
    };
    let violation = match result {
        Err(violation) => violation,
        Ok(_) if options.trace => return run(&plan, &mut Trace::Print),
        Ok(stats) => return Ok(stats),
    };
    // One run of the large profile takes too long for hundreds of them.
    let runs = if options.no_shrink || options.large { 0 } else { SHRINK_RUNS };
    let (small, last) = shrink(plan, violation.clone(), runs);
    if options.trace {
        // It fails as before.
        let _ = run(&small, &mut Trace::Print);
    }
    if runs == 0 {
        return Err(violation);
    }
    println!("seed {seed} fails with {} faults, {last}:", small.faults.len());
    small.faults.iter().for_each(|fault| println!("  {fault:?}"));
    Err(violation)
}

/// Runs a plan twice: the same bytes have to travel.
fn twice(plan: &Plan) -> Result<Stats, Violation> {
    let (mut first, mut second) = (Trace::Sum(0), Trace::Sum(0));
    let stats = run(plan, &mut first)?;
    run(plan, &mut second)?;
    match first.sum() == second.sum() {
        true => Ok(stats),
        false => Err(Violation {
            at: linger_core::Timestamp::default(),
            what: "the same seed gave other bytes".to_owned(),
        }),
    }
}

fn add(sum: &mut Stats, stats: Stats) {
    sum.simulated += stats.simulated;
    sum.steps += stats.steps;
    sum.watches += stats.watches;
    sum.notifies += stats.notifies;
    sum.outcomes += stats.outcomes;
    sum.delivered += stats.delivered;
    sum.faults += stats.faults;
}

fn report(tally: &Tally, took: Duration) {
    let Tally { seeds, failed, stats } = tally;
    let secs = took.as_secs_f64();
    println!(
        "{seeds} seeds in {secs:.1} s ({:.1} a second), {:.0} simulated hours, {} faults, {} watches, {} notifies ({} \
         with an OSD's outcome), {} deliveries, {} events",
        *seeds as f64 / secs.max(0.001),
        stats.simulated.as_secs_f64() / 3600.0,
        stats.faults,
        stats.watches,
        stats.notifies,
        stats.outcomes,
        stats.delivered,
        stats.steps,
    );
    if !failed.is_empty() {
        println!("failed: {failed:?}");
    }
}
