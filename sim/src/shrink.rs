//! Fewer faults that still break the same promise.

use crate::plan::Plan;
use crate::trace::Trace;
use crate::world::{Violation, run};

/// Leaves faults out, as many as can be within so many runs, while a promise is still broken.
#[must_use]
pub fn shrink(plan: Plan, violation: Violation, runs: u32) -> (Plan, Violation) {
    shrink_by(plan, violation, runs, |plan| run(plan, &mut Trace::Off).err())
}

fn shrink_by(
    plan: Plan,
    violation: Violation,
    runs: u32,
    mut run: impl FnMut(&Plan) -> Option<Violation>,
) -> (Plan, Violation) {
    let (mut best, mut left) = ((plan, violation), runs);
    let mut size = best.0.faults.len().div_ceil(2);
    while size > 0 && left > 0 {
        let mut from = 0;
        let mut smaller = false;
        while from < best.0.faults.len() && left > 0 {
            let mut plan = best.0.clone();
            plan.faults.drain(from..(from + size).min(plan.faults.len()));
            left -= 1;
            match run(&plan) {
                Some(violation) if shape(&violation) == shape(&best.1) => {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::faults::{Fault, Kind};
    use crate::plan::Profile;
    use linger_core::Timestamp;
    use std::time::Duration;

    fn violation(what: &str) -> Violation {
        Violation { at: Timestamp::default(), what: what.to_owned() }
    }

    /// Two of forty faults together break a promise, in other numbers each time; a third one breaks another.
    fn broken(plan: &Plan) -> Option<Violation> {
        let has = |which| plan.faults.iter().any(|fault| fault.which == which);
        match (has(7) && has(31), has(20)) {
            (true, _) => Some(violation(&format!("watch {} is deaf", plan.faults.len()))),
            (false, true) => Some(violation("a ticket is left")),
            _ => None,
        }
    }

    fn forty() -> Plan {
        let fault =
            |which| Fault { at: Timestamp::default(), kind: Kind::Reset, lasts: Duration::ZERO, which };
        Plan { faults: (0..40).map(fault).collect(), ..Plan::new(0, Profile::Small) }
    }

    #[test]
    fn what_does_not_matter_is_left_out() {
        let (plan, last) = shrink_by(forty(), violation("watch 40 is deaf"), 300, broken);
        let which: Vec<u32> = plan.faults.iter().map(|fault| fault.which).collect();
        assert_eq!((which, last.what.as_str()), (vec![7, 31], "watch 2 is deaf"));
    }

    #[test]
    fn it_ends_after_so_many_runs() {
        let mut runs = 0;
        let (plan, _) = shrink_by(forty(), violation("watch 40 is deaf"), 5, |plan| {
            runs += 1;
            broken(plan)
        });
        assert_eq!(runs, 5);
        assert!(plan.faults.len() > 2 && broken(&plan).is_some());
    }
}
