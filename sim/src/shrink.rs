//! Fewer faults that still break the same promise.

use crate::plan::Plan;
use crate::trace::Trace;
use crate::world::{Violation, run};

/// Leaves faults out, as many as can be within so many runs, while a promise is still broken.
#[must_use]
pub fn shrink(plan: Plan, violation: Violation, runs: u32) -> (Plan, Violation) {
    let (mut best, mut left) = ((plan, violation), runs);
    let mut size = best.0.faults.len().div_ceil(2);
    while size > 0 && left > 0 {
        let mut from = 0;
        let mut smaller = false;
        while from < best.0.faults.len() && left > 0 {
            let mut plan = best.0.clone();
            plan.faults.drain(from..(from + size).min(plan.faults.len()));
            left -= 1;
            match run(&plan, &mut Trace::Off) {
                Err(violation) if shape(&violation) == shape(&best.1) => {
                    best = (plan, violation);
                    smaller = true;
                }
                _ => from += size,
            }
        }
        if size > 1 || !smaller {
            size /= 2;
        }
    }
    best
}

/// What kind of promise was broken: the words without the numbers.
fn shape(violation: &Violation) -> String {
    violation.what.chars().filter(char::is_ascii_alphabetic).take(30).collect()
}
