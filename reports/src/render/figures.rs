//! How numbers are written for people: three digits at most, and the unit.

use crate::claim::{Claim, Unit};

/// Seconds, to the 10 ms that a measured time is fine to: `0.21 s`, `12.3 s`.
pub(super) fn seconds(value: f64) -> String {
    if value == 0.0 {
        "0 s".to_owned()
    } else if value < 0.01 {
        format!("{:.1} ms", value * 1e3)
    } else if value < 10.0 {
        format!("{value:.2} s")
    } else {
        format!("{value:.1} s")
    }
}

/// A latency, which is known to a microsecond: `0.21 ms`, `3.4 ms`, `120 ms`, `1.20 s`.
pub(super) fn latency(value_s: f64) -> String {
    let ms = value_s * 1e3;
    match ms {
        ..0.995 => format!("{ms:.2} ms"),
        ..99.5 => format!("{ms:.1} ms"),
        ..999.5 => format!("{ms:.0} ms"),
        _ => format!("{value_s:.2} s"),
    }
}

/// A ratio 0..=1 in percent: `97.3 %`. All but exactly one stays below 100.
pub(super) fn percent(ratio: f64) -> String {
    let tenths = (ratio * 1000.0).floor();
    if ratio >= 1.0 {
        "100 %".to_owned()
    } else {
        format!("{:.1} %", tenths / 10.0)
    }
}

/// Times of something else: `1.23x`, `12.3x`, `123x`.
pub(super) fn times(value: f64) -> String {
    let digits = match value {
        ..9.995 => 2,
        ..99.95 => 1,
        _ => 0,
    };
    format!("{value:.digits$}x")
}

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
        Unit::Count(many) => format!("{value} {many}"),
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

/// A latency, for an axis: `10 µs`, `1 ms`, `10 s`.
pub(super) fn decade_us(us: f64) -> String {
    if us < 999.0 {
        format!("{us:.0} µs")
    } else if us < 999e3 {
        format!("{:.0} ms", us / 1e3)
    } else {
        format!("{:.0} s", us / 1e6)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_as_people_write_them() {
        assert_eq!(
            [0.0, 0.0008, 0.21, 9.876, 12.34].map(seconds),
            ["0 s", "0.8 ms", "0.21 s", "9.88 s", "12.3 s"]
        );
        assert_eq!(
            [0.0, 0.5, 0.9999, 1.0].map(percent),
            ["0.0 %", "50.0 %", "99.9 %", "100 %"]
        );
        assert_eq!(
            [10.0, 1e3, 1e5, 1e6].map(decade_us),
            ["10 µs", "1 ms", "100 ms", "1 s"]
        );
        assert_eq!(
            [0.000_21, 0.0034, 0.0222, 0.12, 0.9996, 1.2].map(latency),
            ["0.21 ms", "3.4 ms", "22.2 ms", "120 ms", "1.00 s", "1.20 s"]
        );
        assert_eq!(
            [0.98, 9.994, 9.996, 52.14, 99.96, 314.2].map(times),
            ["0.98x", "9.99x", "10.0x", "52.1x", "100x", "314x"]
        );
    }
}
