//! Tunables: which generation of the algorithm a map asks for.

/// Numbers that steer the evaluation. All clients of a cluster must use the same.
///
/// [`Default`] is what a new cluster has (the profile "jewel", with MSR).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tunables {
    /// Retries in the same bucket after a collision.
    pub choose_local_tries: u32,
    /// Retries in the same bucket by permutation, after the local ones.
    pub choose_local_fallback_tries: u32,
    /// Retries from the top; one less than the number of tries.
    pub choose_total_tries: u32,
    /// Not 0: the descent to a device is tried once, failures retry the whole choice.
    pub chooseleaf_descend_once: u32,
    /// Not 0: the descent to a device depends on the try, shifted right by this less one.
    pub chooseleaf_vary_r: u8,
    /// How straw lengths were computed; of no meaning for evaluation.
    pub straw_calc_version: u8,
    /// Bit set of bucket algorithms that editors may use; of no meaning for evaluation.
    pub allowed_bucket_algs: u32,
    /// Not 0: the descent to a device does not depend on the place in the result.
    pub chooseleaf_stable: u8,
    /// Passes over the hierarchy by an MSR rule.
    pub msr_descents: u32,
    /// Tries per pass and place of an MSR rule.
    pub msr_collision_tries: u32,
}

impl Tunables {
    /// What a map means that says nothing (the profile "legacy").
    pub const LEGACY: Self = Self {
        choose_local_tries: 2,
        choose_local_fallback_tries: 5,
        choose_total_tries: 19,
        chooseleaf_descend_once: 0,
        chooseleaf_vary_r: 0,
        straw_calc_version: 0,
        // uniform, list and straw
        allowed_bucket_algs: 1 << 1 | 1 << 2 | 1 << 4,
        chooseleaf_stable: 0,
        msr_descents: 100,
        msr_collision_tries: 100,
    };
}

impl Default for Tunables {
    fn default() -> Self {
        Self {
            choose_local_tries: 0,
            choose_local_fallback_tries: 0,
            choose_total_tries: 50,
            chooseleaf_descend_once: 1,
            chooseleaf_vary_r: 1,
            straw_calc_version: 1,
            allowed_bucket_algs: 0x36,
            chooseleaf_stable: 1,
            ..Self::LEGACY
        }
    }
}
