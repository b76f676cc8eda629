//! Multi-step-retry rules: a device that is out makes all steps above it choose anew.
//!
//! Facts: `crush/mapper.c` of Ceph.

use super::Buffers;
use super::choose::{Exhausted, Node, Walk};
use alloc::vec::Vec;
use core::ops::Range;
use linger_wire::crush::{ITEM_NONE, Rule, RuleType, Step, StepOp};

/// A place whose item is still to be chosen.
const UNDEFINED: i32 = ITEM_NONE - 1;

/// The most steps between `TAKE` and `EMIT`. Ceph has no such bound; a rule has one for each type.
const STEPS_MAX: usize = 64;

impl<'a> Walk<'a> {
    pub fn run_msr(
        &mut self,
        rule: &Rule,
        result_max: usize,
        buffers: &mut Buffers,
    ) -> Result<(), Exhausted> {
        let t = &self.map.tunables;
        let (mut descents, mut collision_tries) = (t.msr_descents, t.msr_collision_tries);
        let mut steps = rule.steps.as_slice();
        while let Some((step, rest)) = steps.split_first() {
            match step.op {
                StepOp::SET_MSR_DESCENTS => descents = step.arg1 as u32,
                StepOp::SET_MSR_COLLISION_TRIES => collision_tries = step.arg1 as u32,
                _ => break,
            }
            steps = rest;
        }
        let Buffers { result, chosen: unmapped, leaves: used, .. } = buffers;
        result.resize(result_max, ITEM_NONE);
        let mut run = Run {
            walk: self,
            steps: &[],
            collision_tries,
            pass: 0,
            used,
            unmapped,
            output: Output { places: result, in_order: rule.rule_type == RuleType::MSR_FIRSTN, emitted: 0 },
        };
        let ended = run.blocks(steps, descents);
        let emitted = run.output.emitted;
        match ended {
            Ok(Validity::Malformed) => result.clear(),
            _ if rule.rule_type == RuleType::MSR_FIRSTN => result.truncate(emitted),
            _ => {}
        }
        ended.map(|_| ())
    }
}

enum Validity {
    Sound,
    /// The rule is not a sequence of blocks: it maps to nothing at all.
    Malformed,
}

/// The result under construction.
struct Output<'b> {
    places: &'b mut [i32],
    /// In order of success; otherwise each item at its place.
    in_order: bool,
    emitted: usize,
}

impl Output<'_> {
    fn emit(&mut self, place: usize, item: i32) {
        let place = if self.in_order { self.emitted } else { place };
        if let Some(slot) = self.places.get_mut(place) {
            *slot = item;
            self.emitted += 1;
        }
    }
}

/// The evaluation of one rule.
struct Run<'w, 'a, 'b> {
    walk: &'w mut Walk<'a>,
    /// The choosing steps of the current block.
    steps: &'b [Step],
    collision_tries: u32,
    /// The number of the current pass over the block.
    pass: u32,
    /// For each step a row of places: the items chosen so far, packed to the front of each stride.
    used: &'b mut Vec<i32>,
    /// In the same shape, at the start of each stride: an item below which nothing was found.
    unmapped: &'b mut Vec<i32>,
    output: Output<'b>,
}

impl<'a, 'b> Run<'_, 'a, 'b> {
    /// Runs the blocks `TAKE, CHOOSE_MSR.., EMIT`, each for the places after those of the last.
    fn blocks(&mut self, mut steps: &'b [Step], descents: u32) -> Result<Validity, Exhausted> {
        let places = self.output.places.len();
        let mut start = 0;
        while !steps.is_empty() {
            let Some((take, chooses, rest)) = split_block(steps) else {
                return Ok(Validity::Malformed);
            };
            let Some(total) = total_places(chooses, places) else {
                return Ok(Validity::Malformed);
            };
            let end = places.min(start + total);
            if take >= 0 {
                if !chooses.is_empty() {
                    return Ok(Validity::Malformed);
                }
                self.output.emit(start, take);
            } else if let (Some(root), false) = (self.walk.node(take), chooses.is_empty()) {
                self.block(root, chooses, total, start..end, descents)?;
            }
            start = end;
            steps = rest;
        }
        Ok(Validity::Sound)
    }

    /// Runs one block until its places are filled or the passes are used up.
    fn block(
        &mut self,
        root: Node<'a>,
        chooses: &'b [Step],
        total: usize,
        places: Range<usize>,
        descents: u32,
    ) -> Result<(), Exhausted> {
        self.steps = chooses;
        let cells = chooses.len() * self.output.places.len();
        for list in [&mut *self.used, &mut *self.unmapped] {
            list.clear();
            list.resize(cells, UNDEFINED);
        }
        let full = self.output.emitted + places.len();
        for pass in 0..descents {
            if self.output.emitted >= full {
                break;
            }
            self.walk.pay(places.len())?;
            self.pass = pass;
            self.choose(0, root, total, places.clone())?;
        }
        Ok(())
    }

    /// Runs the steps from number `level` on below `node`, for a range of places that stands for
    /// `total` places, of which those beyond the result are cut off. Returns how many were filled.
    fn choose(
        &mut self,
        level: usize,
        node: Node<'a>,
        total: usize,
        places: Range<usize>,
    ) -> Result<usize, Exhausted> {
        let Some(step) = self.steps.get(level) else {
            return Ok(0);
        };
        let strides = strides_of(step, self.output.places.len());
        let stride_len = total.checked_div(strides).unwrap_or(0).max(1);
        let mut filled = 0;
        for (index, start) in places.clone().step_by(stride_len).enumerate() {
            let stride = start..places.end.min(start + stride_len);
            let last = self.row(self.steps.len() - 1);
            if self.used[last][stride.clone()].iter().all(|&item| item != UNDEFINED) {
                continue;
            }
            let Some(item) = self.candidate(level, node, index, &places, &stride)? else {
                continue;
            };
            if item >= 0 {
                filled += self.place_device(level, stride_len, stride, item);
            } else if let Some(below) = self.walk.node(item) {
                if level + 1 >= self.steps.len() {
                    continue;
                }
                let found = self.choose(level + 1, below, stride_len, stride.clone())?;
                let newly_used = self.push_used(level, stride.clone(), item);
                // Until the end of this call other strides keep off such an item too.
                if newly_used && found == 0 {
                    let row = self.row(level);
                    self.unmapped[row][start] = item;
                }
                filled += found;
            }
        }
        self.release_unmapped(level, places, stride_len);
        Ok(filled)
    }

    /// Takes a device into the result unless it is out; returns how many places that filled.
    fn place_device(&mut self, level: usize, stride_len: usize, stride: Range<usize>, item: i32) -> usize {
        // A device can not be shared by places, nor be followed by further steps.
        let at_end = stride_len == 1 && level + 1 == self.steps.len();
        if !at_end || self.walk.is_out(item) {
            return 0;
        }
        self.push_used(level, stride.clone(), item);
        self.output.emit(stride.start, item);
        1
    }

    /// Finds an item for a stride which no other stride of `places` uses.
    fn candidate(
        &mut self,
        level: usize,
        node: Node<'a>,
        index: usize,
        places: &Range<usize>,
        stride: &Range<usize>,
    ) -> Result<Option<i32>, Exhausted> {
        let item_type = self.steps.get(level).map_or(0, |step| step.arg2);
        let base = self.pass.wrapping_mul(self.output.places.len() as u32).wrapping_add(index as u32) << 16;
        for local_try in 0..self.collision_tries {
            let r = base.wrapping_add(local_try);
            let Some(item) = self.descend(node, item_type, r, index)? else {
                continue;
            };
            let row = self.row(level);
            let user = self.used[row][places.clone()].iter().position(|&used| used == item);
            if user.is_none_or(|user| stride.contains(&(places.start + user))) {
                return Ok(Some(item));
            }
        }
        Ok(None)
    }

    /// Goes down from a bucket to an item of a type.
    fn descend(
        &mut self,
        mut node: Node<'a>,
        item_type: i32,
        r: u32,
        position: usize,
    ) -> Result<Option<i32>, Exhausted> {
        loop {
            match self.walk.choose(node, r, position)? {
                Some(device @ 0..) => return Ok((item_type == 0).then_some(device)),
                Some(item) => match self.walk.node(item) {
                    Some(below) if i32::from(below.bucket.bucket_type) == item_type => return Ok(Some(item)),
                    Some(below) => node = below,
                    None => return Ok(None),
                },
                None => return Ok(None),
            }
        }
    }

    /// Remembers an item for a stride; false if it is there already.
    fn push_used(&mut self, level: usize, stride: Range<usize>, item: i32) -> bool {
        let row = self.row(level);
        for slot in &mut self.used[row][stride] {
            if *slot == item {
                return false;
            }
            if *slot == UNDEFINED {
                *slot = item;
                return true;
            }
        }
        false
    }

    /// Forgets the items below which nothing was found.
    fn release_unmapped(&mut self, level: usize, places: Range<usize>, stride_len: usize) {
        let row = self.row(level);
        for start in places.clone().step_by(stride_len) {
            let item = core::mem::replace(&mut self.unmapped[row.clone()][start], UNDEFINED);
            let stride = start..places.end.min(start + stride_len);
            if item != UNDEFINED
                && let Some(slot) = self.used[row.clone()][stride].iter_mut().rfind(|slot| **slot == item)
            {
                *slot = UNDEFINED;
            }
        }
    }

    /// The cells of a step in `used` and `unmapped`.
    fn row(&self, level: usize) -> Range<usize> {
        let places = self.output.places.len();
        level * places..(level + 1) * places
    }
}

/// Splits off a block: the item taken, the choosing steps, and the steps after its `EMIT`.
fn split_block(steps: &[Step]) -> Option<(i32, &[Step], &[Step])> {
    let (take, steps) = steps.split_first().filter(|(step, _)| step.op == StepOp::TAKE)?;
    let (chooses, rest) = steps.split_at(steps.iter().position(|step| step.op != StepOp::CHOOSE_MSR)?);
    let (_, rest) = rest.split_first().filter(|(step, _)| step.op == StepOp::EMIT)?;
    (chooses.len() <= STEPS_MAX).then_some((take.arg1, chooses, rest))
}

/// How many strides a step divides its places into: 0 stands for one for each place.
fn strides_of(step: &Step, places: usize) -> usize {
    if step.arg1 == 0 { places } else { usize::try_from(step.arg1).unwrap_or(0) }
}

/// The product of the strides of all steps; none if that is nothing sensible.
fn total_places(chooses: &[Step], places: usize) -> Option<usize> {
    let mut total = 1usize;
    for step in chooses {
        total = total.checked_mul(strides_of(step, places)).filter(|&total| total > 0 && total <= 1 << 31)?;
    }
    Some(total)
}
