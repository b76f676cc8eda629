//! Running the steps of a rule, other than an MSR rule.
//!
//! Facts: `crush/mapper.c` of Ceph.

use super::Buffers;
use super::choose::{Exhausted, Node, Walk};
use super::firstn::Firstn;
use super::indep::Indep;
use alloc::vec::Vec;
use linger_wire::crush::{Rule, Step, StepOp, Tunables};

/// Tunables as the rule's steps so far have set them.
struct Settings {
    tries: u32,
    leaf_tries: Option<u32>,
    leaf_once: bool,
    local_tries: u32,
    local_fallback_tries: u32,
    vary_r: u32,
    stable: bool,
}

impl Settings {
    fn new(t: &Tunables) -> Self {
        Self {
            // The tunable counts retries, the steps count tries.
            tries: t.choose_total_tries.wrapping_add(1),
            leaf_tries: None,
            leaf_once: t.chooseleaf_descend_once != 0,
            local_tries: t.choose_local_tries,
            local_fallback_tries: t.choose_local_fallback_tries,
            vary_r: t.chooseleaf_vary_r.into(),
            stable: t.chooseleaf_stable != 0,
        }
    }

    /// Applies a `SET_` step; others change nothing.
    fn set(&mut self, step: &Step) {
        let Ok(value) = u32::try_from(step.arg1) else {
            return;
        };
        match step.op {
            StepOp::SET_CHOOSE_TRIES if value > 0 => self.tries = value,
            StepOp::SET_CHOOSELEAF_TRIES if value > 0 => self.leaf_tries = Some(value),
            StepOp::SET_CHOOSE_LOCAL_TRIES => self.local_tries = value,
            StepOp::SET_CHOOSE_LOCAL_FALLBACK_TRIES => self.local_fallback_tries = value,
            StepOp::SET_CHOOSELEAF_VARY_R => self.vary_r = value,
            StepOp::SET_CHOOSELEAF_STABLE => self.stable = value != 0,
            _ => {}
        }
    }

    fn firstn(&self, step: &Step, numrep: u32) -> Firstn {
        let leaf_tries = self.leaf_tries.unwrap_or(if self.leaf_once { 1 } else { self.tries });
        Firstn {
            numrep,
            item_type: step.arg2,
            tries: self.tries,
            leaf_tries: (step.op == StepOp::CHOOSELEAF_FIRSTN).then_some(leaf_tries),
            local_tries: self.local_tries,
            local_fallback_tries: self.local_fallback_tries,
            vary_r: self.vary_r,
            stable: self.stable,
        }
    }

    fn indep(&self, step: &Step, numrep: u32) -> Indep {
        let leaf_tries = self.leaf_tries.unwrap_or(1);
        Indep {
            numrep,
            item_type: step.arg2,
            tries: self.tries,
            leaf_tries: (step.op == StepOp::CHOOSELEAF_INDEP).then_some(leaf_tries),
            parent_r: 0,
        }
    }
}

impl<'a> Walk<'a> {
    pub fn run(&mut self, rule: &Rule, result_max: usize, buffers: &mut Buffers) -> Result<(), Exhausted> {
        let mut settings = Settings::new(&self.map.tunables);
        buffers.working.clear();
        for step in &rule.steps {
            match step.op {
                StepOp::TAKE => {
                    let item = step.arg1;
                    if (0..self.map.max_devices).contains(&item) || self.map.bucket(item).is_some() {
                        buffers.working.clear();
                        buffers.working.push(item);
                    }
                }
                StepOp::CHOOSE_FIRSTN
                | StepOp::CHOOSE_INDEP
                | StepOp::CHOOSELEAF_FIRSTN
                | StepOp::CHOOSELEAF_INDEP => self.run_choose(step, &settings, result_max, buffers)?,
                StepOp::EMIT => {
                    let room = result_max.saturating_sub(buffers.result.len());
                    buffers.result.extend(buffers.working.drain(..).take(room));
                }
                _ => settings.set(step),
            }
        }
        Ok(())
    }

    /// Replaces the working list by what the step chooses below each of its items.
    fn run_choose(
        &mut self,
        step: &Step,
        settings: &Settings,
        result_max: usize,
        buffers: &mut Buffers,
    ) -> Result<(), Exhausted> {
        let Buffers { working, chosen, leaves, .. } = buffers;
        chosen.clear();
        leaves.clear();
        // An argument of 0 or less counts from the size of the result.
        let numrep = match u32::try_from(step.arg1) {
            Ok(numrep @ 1..) => numrep,
            _ => u32::try_from(result_max as i64 + i64::from(step.arg1)).unwrap_or(0),
        };
        if numrep == 0 {
            working.clear();
            return Ok(());
        }
        for &id in working.iter() {
            // Devices are passed over: there is nothing to choose below them.
            let Some(root) = self.node(id) else {
                continue;
            };
            let room = result_max.saturating_sub(chosen.len());
            if matches!(step.op, StepOp::CHOOSE_FIRSTN | StepOp::CHOOSELEAF_FIRSTN) {
                self.firstn(root, &settings.firstn(step, numrep), room, chosen, leaves)?;
            } else {
                let places = room.min(numrep as usize);
                self.run_indep(root, &settings.indep(step, numrep), places, chosen, leaves)?;
            }
        }
        let to_leaves = matches!(step.op, StepOp::CHOOSELEAF_FIRSTN | StepOp::CHOOSELEAF_INDEP);
        core::mem::swap(working, if to_leaves { leaves } else { chosen });
        Ok(())
    }

    /// Appends `places` places to the lists and fills them.
    fn run_indep(
        &mut self,
        root: Node<'a>,
        step: &Indep,
        places: usize,
        chosen: &mut Vec<i32>,
        leaves: &mut Vec<i32>,
    ) -> Result<(), Exhausted> {
        let (base, leaf_base) = (chosen.len(), leaves.len());
        chosen.resize(base + places, 0);
        if step.leaf_tries.is_some() {
            leaves.resize(leaf_base + places, 0);
        }
        self.indep(root, step, 0, &mut chosen[base..], &mut leaves[leaf_base..])
    }
}
