//! Rules: the programs that walk the hierarchy.

use crate::primitives::codec;
use alloc::vec::Vec;

/// A rule: steps run in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// An old second number, by which pools named rules before Luminous. Since then it equals the
    /// rule's own number.
    pub ruleset: u8,
    /// What it is for, and by which family of steps it is evaluated.
    pub rule_type: RuleType,
    /// The smallest pool size it was meant for; unused since Quincy.
    pub min_size: u8,
    /// The largest pool size it was meant for; unused since Quincy.
    pub max_size: u8,
    /// The steps; at most 2³² - 1.
    pub steps: Vec<Step>,
}

/// What a rule is for (`crush_rule_type`). Other numbers are kept as they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RuleType(pub u8);

impl RuleType {
    /// For replicated pools.
    pub const REPLICATED: Self = Self(1);
    /// For erasure-coded pools.
    pub const ERASURE: Self = Self(3);
    /// Multi-step retry, results in order of success (replicated pools).
    pub const MSR_FIRSTN: Self = Self(4);
    /// Multi-step retry, results at fixed places (erasure-coded pools).
    pub const MSR_INDEP: Self = Self(5);

    /// Whether the rule is evaluated as a multi-step-retry rule.
    #[must_use]
    pub fn is_msr(self) -> bool {
        matches!(self, Self::MSR_FIRSTN | Self::MSR_INDEP)
    }
}

/// One step of a rule. What the arguments mean depends on the operation; unused ones are 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// What to do.
    pub op: StepOp,
    /// An item to take, a number of items to choose, or the value to set.
    pub arg1: i32,
    /// The bucket type to choose.
    pub arg2: i32,
}

codec!(Step { op, arg1, arg2 });

/// The operation of a [`Step`] (`crush_opcodes`). Unknown ones are kept, and do nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StepOp(pub u32);

impl StepOp {
    /// Starts from the item `arg1`.
    pub const TAKE: Self = Self(1);
    /// Chooses `arg1` items of type `arg2`; failed ones leave no gap.
    pub const CHOOSE_FIRSTN: Self = Self(2);
    /// Chooses `arg1` items of type `arg2`; failed ones leave a gap.
    pub const CHOOSE_INDEP: Self = Self(3);
    /// Appends the chosen items to the result.
    pub const EMIT: Self = Self(4);
    /// As [`Self::CHOOSE_FIRSTN`], going on to one device below each item.
    pub const CHOOSELEAF_FIRSTN: Self = Self(6);
    /// As [`Self::CHOOSE_INDEP`], going on to one device below each item.
    pub const CHOOSELEAF_INDEP: Self = Self(7);
    /// Overrides `choose_total_tries` if positive; it then counts tries, not retries.
    pub const SET_CHOOSE_TRIES: Self = Self(8);
    /// Sets the tries of the descent to a device, if positive.
    pub const SET_CHOOSELEAF_TRIES: Self = Self(9);
    /// Overrides `choose_local_tries` unless negative.
    pub const SET_CHOOSE_LOCAL_TRIES: Self = Self(10);
    /// Overrides `choose_local_fallback_tries` unless negative.
    pub const SET_CHOOSE_LOCAL_FALLBACK_TRIES: Self = Self(11);
    /// Overrides `chooseleaf_vary_r` unless negative.
    pub const SET_CHOOSELEAF_VARY_R: Self = Self(12);
    /// Overrides `chooseleaf_stable` unless negative.
    pub const SET_CHOOSELEAF_STABLE: Self = Self(13);
    /// Overrides `msr_descents`, at the head of an MSR rule.
    pub const SET_MSR_DESCENTS: Self = Self(14);
    /// Overrides `msr_collision_tries`, at the head of an MSR rule.
    pub const SET_MSR_COLLISION_TRIES: Self = Self(15);
    /// Chooses `arg1` items of type `arg2` with retries across steps.
    pub const CHOOSE_MSR: Self = Self(16);
}
