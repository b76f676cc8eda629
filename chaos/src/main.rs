//! `cargo xtask chaos` runs this.

use anyhow::{Result, ensure};
use clap::Parser;
use linger_chaos::{Arena, Fault, Intervals, Mix, Row, Soak, measure_intervals};
use std::time::Duration;

/// Faults on real clusters, with watchers of linger and of librados side by side.
#[derive(Parser)]
#[command(name = "cargo xtask chaos")]
struct Options {
    /// Run a random mix of faults for so many minutes; LINGER_SEED repeats one.
    #[arg(long, value_name = "M", conflicts_with_all = ["faults", "intervals"])]
    minutes: Option<u64>,
    /// Run these named faults, or all.
    #[arg(value_name = "FAULT")]
    faults: Vec<Fault>,
    /// Run each fault so often.
    #[arg(long, value_name = "N", default_value_t = 1)]
    times: u32,
    /// Measure how soon watches are back after so many new intervals with the same primary.
    #[arg(long, value_name = "N", conflicts_with = "faults")]
    intervals: Option<usize>,
    /// Let daemons restart for so many minutes while tickets and keys live for --lifetime seconds.
    #[arg(long, value_name = "M", conflicts_with_all = ["faults", "intervals", "minutes"])]
    soak: Option<u64>,
    /// What a soak's tickets and keys live for, in seconds.
    #[arg(long, value_name = "S", default_value_t = 30, requires = "soak")]
    lifetime: u64,
    /// Name the faults.
    #[arg(long)]
    list: bool,
}

fn main() -> Result<()> {
    let options = Options::parse();
    if options.list {
        Fault::ALL.iter().for_each(|fault| println!("{:<20} {}", fault.to_string(), fault.about()));
        return Ok(());
    }
    if let Some(changes) = options.intervals {
        return intervals(changes);
    }
    if let Some(minutes) = options.soak {
        let (time, lifetime) = (Duration::from_secs(minutes * 60), Duration::from_secs(options.lifetime));
        let row = Soak { time, lifetime }.run()?;
        println!("{}\n{}", Row::HEAD, row.markdown());
        return row.check();
    }
    if let Some(minutes) = options.minutes {
        let row = Mix::new(Duration::from_secs(minutes * 60))?.run()?;
        println!("{}\n{}", Row::HEAD, row.markdown());
        return row.check();
    }
    let faults = if options.faults.is_empty() { Fault::ALL.to_vec() } else { options.faults };
    let mut rows = Vec::new();
    for fault in faults.into_iter().flat_map(|fault| std::iter::repeat_n(fault, options.times as usize)) {
        let arena = Arena::open(fault.cluster())?;
        fault.strike(&arena, fault.hold())?;
        rows.push(arena.close(&fault.to_string())?);
    }
    println!("{}", Row::HEAD);
    rows.iter().for_each(|row| println!("{}", row.markdown()));
    rows.iter().try_for_each(Row::check)
}

fn intervals(changes: usize) -> Result<()> {
    let found = measure_intervals(changes)?;
    println!("| from active to | min | median | p90 | max |\n|---|---|---|---|---|");
    let row = |name: &str, times: &[Duration]| {
        let [min, median, p90, max] = Intervals::quantiles(times).map(|time| time.as_secs_f64() * 1e3);
        println!("| {name} | {min:.1} ms | {median:.1} ms | {p90:.1} ms | {max:.1} ms |");
    };
    row("linger: RECONNECT answered", &found.linger_live);
    row("linger: notify received", &found.linger);
    row("librados: notify received, or watching again", &found.librados);
    println!("librados lost its watch in {} of {changes} changes", found.librados_lost);
    let p90 = |times: &[Duration]| Intervals::quantiles(times)[2];
    ensure!(p90(&found.linger) <= p90(&found.librados), "librados is back sooner");
    Ok(())
}
