//! The lengths of the straws of a straw bucket.
//!
//! Facts: `crush/builder.c` of Ceph, which computes with 64-bit floating point numbers.

use alloc::vec;
use alloc::vec::Vec;

/// One straw length (16.16) for each weight (16.16), in the order of the weights.
///
/// `version` is [`Tunables::straw_calc_version`](linger_wire::crush::Tunables::straw_calc_version): 0 has flaws with
/// equal weights and with weights of 0 that old maps still depend on; all others are equal. A weight of 0 has a straw of
/// length 0, the smallest other weight one of length 1.0.
///
/// ```
/// use linger_core::placement::crush::straw_lengths;
/// assert_eq!(straw_lengths(&[0x20000, 0, 0x10000], 1), [0x18000, 0, 0x10000]);
/// ```
#[must_use]
pub fn straw_lengths(weights: &[u32], version: u8) -> Vec<u32> {
    let mut ascending: Vec<_> =
        weights.iter().copied().enumerate().filter(|(_, weight)| *weight > 0).collect();
    ascending.sort_by_key(|(_, weight)| *weight);
    let mut lengths = vec![0; weights.len()];
    // Items that are not passed yet; the old version counts those without weight among them for ever.
    let mut left = if version == 0 { weights.len() } else { ascending.len() } as u32;
    let (mut straw, mut below, mut passed) = (1.0, 0.0, 0.0);
    for (n, &(index, weight)) in ascending.iter().enumerate() {
        if let Some(length) = lengths.get_mut(index) {
            *length = fixed(straw);
        }
        let Some(&(_, next)) = ascending.get(n + 1) else { break };
        if version == 0 && next == weight {
            continue;
        }
        below += (f64::from(weight) - passed) * f64::from(left);
        let gone =
            if version == 0 { ascending.iter().skip(n + 1).take_while(|i| i.1 == next).count() } else { 1 };
        left = left.saturating_sub(gone as u32);
        // Ceph multiplies 32-bit integers here.
        let above = f64::from(left.wrapping_mul(next - weight));
        let share = below / (below + above);
        straw *= libm::pow(1.0 / share, 1.0 / f64::from(left));
        passed = f64::from(weight);
    }
    lengths
}

/// 16.16 fixed point; too long a straw loses its upper bits, as in Ceph.
fn fixed(straw: f64) -> u32 {
    (straw * 65536.0) as i64 as u32
}
