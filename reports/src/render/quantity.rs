//! The numbers of a claim, as text.

use crate::{
    claim::{Claim, Unit},
    numbers::{percent, seconds, times},
};

/// A number in a claim's unit. What is claimed of milliseconds is said in them; a
/// difference says its sign.
fn in_unit(value: f64, claim: &Claim) -> String {
    match &claim.unit {
        // Adding zero makes a negative zero positive.
        Unit::Seconds if claim.difference => {
            format!("{:+.2} s", (value * 100.0).round() / 100.0 + 0.0)
        }
        Unit::Seconds if claim.band_high.is_some_and(|band| band < 0.1) => {
            let ms = value * 1e3;
            let digits = if ms < 0.1 { 3 } else { 1 };
            format!("{ms:.digits$} ms")
        }
        Unit::Seconds => seconds(value),
        Unit::Times => times(value),
        Unit::Ratio => percent(value),
        Unit::Count(many) => format!("{} {many}", (value * 100.0).round() / 100.0),
    }
}

/// What a claim's quantity was observed to be: `0.21 s`, `> 3.00 s`, `0 of 9 writes`, `-`.
pub(super) fn observed(claim: &Claim) -> String {
    if let (Some(value), Some(all), Unit::Count(many)) = (claim.observed, claim.out_of, &claim.unit)
    {
        return format!("{value} of {all} {many}");
    }
    match (claim.observed, claim.at_least) {
        (Some(value), _) => in_unit(value, claim),
        (None, Some(bound)) => format!("> {}", in_unit(bound, claim)),
        (None, None) => "-".to_owned(),
    }
}

/// The greatest that was observed, as far as it is known.
pub(super) fn greatest(claim: &Claim) -> String {
    match claim.high {
        Some(high) => in_unit(high, claim),
        None => observed(claim),
    }
}

/// A claim's interval: `[0.09 s, 0.47 s]`. `None` where nothing is bounded, or it
/// is no wider than what was observed.
pub(super) fn interval(claim: &Claim) -> Option<String> {
    let bound = |value: Option<f64>| match value {
        None => "unbounded".to_owned(),
        Some(value) => in_unit(value, claim),
    };
    let wide = claim.low != claim.high;
    wide.then(|| format!("[{}, {}]", bound(claim.low), bound(claim.high)))
}

/// `6 injections, 2 censored`.
pub(super) fn sample(claim: &Claim) -> String {
    let censored = match claim.censored {
        0 => String::new(),
        n => format!(", {n} censored"),
    };
    format!("{}{censored}", claim.counts.of(claim.n))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::claim::{Noun, Source};

    fn claim(unit: Unit) -> Claim {
        let counts = Noun::new("pair", "pairs");
        Claim::new("x", "seawall", "", Source::Seawall, unit, counts)
    }

    #[test]
    fn a_count_says_of_how_many() {
        let mut lost = claim(Unit::count("writes"));
        assert_eq!(observed(&lost), "-");
        (lost.observed, lost.low) = (Some(2.0), Some(2.0));
        assert_eq!(observed(&lost), "2 writes");
        lost.out_of = Some(90);
        assert_eq!(observed(&lost), "2 of 90 writes");
        assert_eq!(interval(&lost).unwrap(), "[2 writes, unbounded]");
        (lost.n, lost.censored) = (1, 1);
        assert_eq!(sample(&lost), "1 pair, 1 censored");
    }

    #[test]
    fn a_difference_has_a_sign_and_a_time_has_none() {
        let mut time = claim(Unit::Seconds);
        (time.observed, time.low, time.high) = (Some(0.25), Some(0.0), Some(1.5));
        assert_eq!(observed(&time), "0.25 s");
        assert_eq!(interval(&time).unwrap(), "[0 s, 1.50 s]");
        time.band_high = Some(0.01);
        assert_eq!(observed(&time), "250.0 ms");
        time.difference = true;
        assert_eq!(observed(&time), "+0.25 s");
        assert_eq!(interval(&time).unwrap(), "[+0.00 s, +1.50 s]");
        (time.observed, time.at_least) = (None, Some(3.0));
        assert_eq!(observed(&time), "> +3.00 s");
    }

    #[test]
    fn times_and_parts_have_their_own_signs() {
        let said = [Unit::Times, Unit::Ratio].map(|unit| {
            let mut claim = claim(unit);
            claim.observed = Some(0.5);
            observed(&claim)
        });
        assert_eq!(said, ["0.50x", "50.0 %"]);
    }
}
