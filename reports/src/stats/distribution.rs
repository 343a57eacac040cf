//! The normal and the chi-squared distribution.
//!
//! Both are the regularised incomplete gamma function: its series for small arguments, its
//! continued fraction for great ones, each summed until it no longer changes (Press and
//! others, *Numerical Recipes*, 3rd ed., section 6.2). A tail is never computed as one less
//! the rest, so that its digits hold however small it is. The gamma function itself is only
//! asked for at multiples of one half, where it is a product.

use std::f64::consts::PI;

/// P(Z <= z) of the standard normal distribution.
#[must_use]
pub fn normal_at_most(z: f64) -> f64 {
    normal_at_least(-z)
}

/// P(Z >= z) of the standard normal distribution.
#[must_use]
pub fn normal_at_least(z: f64) -> f64 {
    let tail = chi_squared_at_least(z * z, 1) / 2.0;
    if z < 0.0 { 1.0 - tail } else { tail }
}

/// The value that a standard normal variable is at most with probability `p`; infinite at 0
/// and 1.
///
/// Wichura's rational approximations, good to 1 in 10^16 (*Algorithm AS 241: The percentage
/// points of the normal distribution*, Applied Statistics 37, 1988).
#[must_use]
pub fn normal_quantile(p: f64) -> f64 {
    if p <= 0.0 || p >= 1.0 {
        return if p <= 0.0 {
            f64::NEG_INFINITY
        } else {
            f64::INFINITY
        };
    }
    let q = p - 0.5;
    if q.abs() <= 0.425 {
        let r = 0.180_625 - q * q;
        return q * ratio(r, &CENTRE);
    }
    let r = (-p.min(1.0 - p).ln()).sqrt();
    let z = if r <= 5.0 {
        ratio(r - 1.6, &FLANK)
    } else {
        ratio(r - 5.0, &TAIL)
    };
    z.copysign(q)
}

/// P(X >= x) of the chi-squared distribution with so many degrees of freedom, at least one.
#[must_use]
pub fn chi_squared_at_least(x: f64, degrees: usize) -> f64 {
    let (shape, x) = (degrees.max(1) as f64 / 2.0, x / 2.0);
    if x <= 0.0 {
        return 1.0;
    }
    if x.is_infinite() {
        return 0.0;
    }
    // x^shape e^-x / gamma(shape)
    let front = (shape * x.ln() - x - ln_gamma_of_half(degrees.max(1))).exp();
    if x < shape + 1.0 {
        1.0 - front * series(shape, x)
    } else {
        front * fraction(shape, x)
    }
}

/// The sum of x^k / (a (a + 1) ... (a + k)).
fn series(a: f64, x: f64) -> f64 {
    let (mut sum, mut term, mut at) = (1.0 / a, 1.0 / a, a);
    while term > sum * f64::EPSILON / 4.0 {
        at += 1.0;
        term *= x / at;
        sum += term;
    }
    sum
}

/// 1 / (x + 1 - a - 1 (1 - a) / (x + 3 - a - 2 (2 - a) / ...)), by Lentz's method.
fn fraction(a: f64, x: f64) -> f64 {
    /// More than it takes for any argument that gets here.
    const MOST_TERMS: u32 = 10_000;
    let mut b = x + 1.0 - a;
    let mut c = f64::MAX;
    let mut d = 1.0 / b;
    let mut value = d;
    for term in 1..MOST_TERMS {
        let k = f64::from(term);
        let numerator = -k * (k - a);
        b += 2.0;
        d = 1.0 / (numerator * d + b);
        c = b + numerator / c;
        value *= d * c;
        if (d * c - 1.0).abs() < f64::EPSILON {
            break;
        }
    }
    value
}

/// The logarithm of gamma(n / 2): products from gamma(1/2), the root of pi, or gamma(1) on.
fn ln_gamma_of_half(n: usize) -> f64 {
    let (first, start) = match n % 2 {
        0 => (2, 0.0),
        _ => (1, PI.sqrt().ln()),
    };
    let steps = (first..n).step_by(2).map(|at| (at as f64 / 2.0).ln());
    start + steps.sum::<f64>()
}

/// A numerator and a denominator, from the constant on.
type Rational = ([f64; 8], [f64; 8]);

fn ratio(x: f64, (above, below): &Rational) -> f64 {
    let at = |terms: &[f64; 8]| terms.iter().rev().fold(0.0, |sum, term| sum * x + term);
    at(above) / at(below)
}

/// Where `p` is 0.075 to 0.925: of `0.425^2 - (p - 1/2)^2`.
const CENTRE: Rational = (
    [
        3.387_132_872_796_366_5,
        133.141_667_891_784_38,
        1_971.590_950_306_551_3,
        13_731.693_765_509_46,
        45_921.953_931_549_87,
        67_265.770_927_008_7,
        33_430.575_583_588_13,
        2_509.080_928_730_122_7,
    ],
    [
        1.0,
        42.313_330_701_600_91,
        687.187_007_492_057_9,
        5_394.196_021_424_751,
        21_213.794_301_586_597,
        39_307.895_800_092_71,
        28_729.085_735_721_943,
        5_226.495_278_852_545,
    ],
);

/// Beyond, down to e^-25: of `sqrt(-ln p) - 1.6`.
const FLANK: Rational = (
    [
        1.423_437_110_749_683_5,
        4.630_337_846_156_546,
        5.769_497_221_460_691,
        3.647_848_324_763_204_5,
        1.270_458_252_452_368_4,
        0.241_780_725_177_450_6,
        0.022_723_844_989_269_184,
        7.745_450_142_783_414e-4,
    ],
    [
        1.0,
        2.053_191_626_637_759,
        1.676_384_830_183_803_8,
        0.689_767_334_985_1,
        0.148_103_976_427_480_08,
        0.015_198_666_563_616_457,
        5.475_938_084_995_345e-4,
        1.050_750_071_644_416_9e-9,
    ],
);

/// Farther out: of `sqrt(-ln p) - 5`.
const TAIL: Rational = (
    [
        6.657_904_643_501_103,
        5.463_784_911_164_114,
        1.784_826_539_917_291_3,
        0.296_560_571_828_504_87,
        0.026_532_189_526_576_124,
        0.001_242_660_947_388_078_4,
        2.711_555_568_743_487_6e-5,
        2.010_334_399_292_288_1e-7,
    ],
    [
        1.0,
        0.599_832_206_555_887_9,
        0.136_929_880_922_735_8,
        0.014_875_361_290_850_615,
        7.868_691_311_456_133e-4,
        1.846_318_317_510_054_7e-5,
        1.421_511_758_316_446e-7,
        2.044_263_103_389_939_8e-15,
    ],
);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::reference::{cases, count, near, number};
    use proptest::prelude::*;

    const FOUND: &str = include_str!("../../tests/data/distribution.json");

    #[test]
    fn as_scipy_finds() {
        for case in cases(FOUND, "normal") {
            let z = number(&case["z"]);
            for (found, expected) in [
                (normal_at_most(z), &case["at_most"]),
                (normal_at_least(z), &case["at_least"]),
            ] {
                assert!(near(found, number(expected), 1e-12), "{found}: {case}");
            }
        }
        for case in cases(FOUND, "quantile") {
            let found = normal_quantile(number(&case["p"]));
            assert!(
                (found - number(&case["z"])).abs() < 1e-13 * (1.0 + found.abs()),
                "{found}: {case}"
            );
        }
        for case in cases(FOUND, "chi_squared") {
            let found = chi_squared_at_least(number(&case["x"]), count(&case["degrees"]));
            assert!(
                near(found, number(&case["at_least"]), 1e-11),
                "{found}: {case}"
            );
        }
    }

    #[test]
    fn at_the_ends() {
        assert_eq!(normal_quantile(0.0), f64::NEG_INFINITY);
        assert_eq!(normal_quantile(1.0), f64::INFINITY);
        assert_eq!(normal_at_least(f64::INFINITY), 0.0);
        assert_eq!(normal_at_most(f64::INFINITY), 1.0);
        assert_eq!(chi_squared_at_least(0.0, 3), 1.0);
        assert_eq!(normal_at_most(0.0), 0.5);
    }

    proptest! {
        #[test]
        fn a_quantile_is_the_inverse(p in 1e-12_f64..1.0) {
            let again = normal_at_most(normal_quantile(p));
            prop_assert!(near(again, p, 1e-11), "{again} {p}");
        }
    }
}
