//! What is printed at the end: times beside their budgets, and counts.

use super::steps::{SLOTS, Slot, Step};
use super::tally::Tally;
use std::time::Duration;

/// All of it, from a clean checkout on two cores.
const BUDGET: Duration = Duration::from_mins(40);

/// A step that was run.
pub(super) struct Row {
    pub(super) step: &'static Step,
    pub(super) took: Duration,
    pub(super) tally: Tally,
}

/// Prints all, the counts alone on the last line, and gives them.
pub(super) fn print(rows: &[Row], took: Duration) -> Tally {
    println!("\n{:<8} {:>8} {:>7} {:>7} {:>8}", "step", "time", "passed", "failed", "skipped");
    let mut all = Tally::default();
    for Row { step, took, tally } in rows {
        let (passed, failed, skipped) = (tally.passed, tally.failed, tally.skipped.len());
        println!("{:<8} {:>7.1}s {passed:>7} {failed:>7} {skipped:>8}", step.name, took.as_secs_f64());
        all.add(tally);
    }
    println!("\n{:<22} {:>8} {:>8}", "slot", "time", "budget");
    for slot in SLOTS {
        print_slot(slot, rows);
    }
    print_time("in all", Some(took), BUDGET);
    println!();
    all.skipped.iter().for_each(|name| println!("skipped: {name}"));
    println!("{} passed, {} failed, {} skipped", all.passed, all.failed, all.skipped.len());
    all
}

fn print_slot(slot: &Slot, rows: &[Row]) {
    let mut rows = rows.iter().filter(|row| row.step.slot == slot.name).peekable();
    let took = rows.peek().is_some().then(|| rows.map(|row| row.took).sum());
    print_time(slot.name, took, Duration::from_mins(slot.minutes));
}

fn print_time(name: &str, took: Option<Duration>, budget: Duration) {
    let minutes = |time: Duration| format!("{:.1} min", time.as_secs_f64() / 60.0);
    // By what is printed: seeds that are to run for three minutes take a tenth of a second more.
    let tenths = |time: Duration| (time.as_secs_f64() / 6.0).round() as u64;
    let over = if took.is_some_and(|took| tenths(took) > tenths(budget)) { "  OVER" } else { "" };
    println!("{name:<22} {:>8} {:>8}{over}", took.map_or("-".to_owned(), minutes), minutes(budget));
}
