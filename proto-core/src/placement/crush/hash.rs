//! rjenkins1, the hash of all of CRUSH.
//!
//! Facts: `crush/hash.c` of Ceph.

const SEED: u32 = 1_315_423_911;
const X: u32 = 231_232;
const Y: u32 = 1232;

/// Bob Jenkins' 96-bit mix (1996, public domain).
#[inline(always)]
pub(in crate::placement) fn mix(a: &mut u32, b: &mut u32, c: &mut u32) {
    macro_rules! row {
        ($x:ident, $y:ident, $z:ident, $op:tt $by:literal) => {
            *$x = $x.wrapping_sub(*$y).wrapping_sub(*$z) ^ (*$z $op $by);
        };
    }
    row!(a, b, c, >> 13);
    row!(b, c, a, << 8);
    row!(c, a, b, >> 13);
    row!(a, b, c, >> 12);
    row!(b, c, a, << 16);
    row!(c, a, b, >> 5);
    row!(a, b, c, >> 3);
    row!(b, c, a, << 10);
    row!(c, a, b, >> 15);
}

/// The hash of two numbers; negative ids go in as their two's complement.
#[must_use]
pub fn hash2(mut a: u32, mut b: u32) -> u32 {
    let (mut x, mut y) = (X, Y);
    let mut h = SEED ^ a ^ b;
    mix(&mut a, &mut b, &mut h);
    mix(&mut x, &mut a, &mut h);
    mix(&mut b, &mut y, &mut h);
    h
}

/// The hash of three numbers.
#[must_use]
pub fn hash3(mut a: u32, mut b: u32, mut c: u32) -> u32 {
    let (mut x, mut y) = (X, Y);
    let mut h = SEED ^ a ^ b ^ c;
    mix(&mut a, &mut b, &mut h);
    mix(&mut c, &mut x, &mut h);
    mix(&mut y, &mut a, &mut h);
    mix(&mut b, &mut x, &mut h);
    mix(&mut y, &mut c, &mut h);
    h
}

/// The hash of four numbers.
#[must_use]
pub fn hash4(mut a: u32, mut b: u32, mut c: u32, mut d: u32) -> u32 {
    let (mut x, mut y) = (X, Y);
    let mut h = SEED ^ a ^ b ^ c ^ d;
    mix(&mut a, &mut b, &mut h);
    mix(&mut c, &mut d, &mut h);
    mix(&mut a, &mut x, &mut h);
    mix(&mut y, &mut b, &mut h);
    mix(&mut c, &mut x, &mut h);
    mix(&mut y, &mut d, &mut h);
    h
}
