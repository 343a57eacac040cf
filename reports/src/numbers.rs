//! How numbers are written for people: three digits at most, and the unit.

/// Seconds, to the 10 ms that a measured time is fine to: `0.21 s`, `12.3 s`.
pub(crate) fn seconds(value: f64) -> String {
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
pub(crate) fn latency(value_s: f64) -> String {
    let ms = value_s * 1e3;
    match ms {
        ..0.995 => format!("{ms:.2} ms"),
        ..99.5 => format!("{ms:.1} ms"),
        ..999.5 => format!("{ms:.0} ms"),
        _ => format!("{value_s:.2} s"),
    }
}

/// A count, in groups of three: `60 000`.
pub(crate) fn thousands(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

/// A ratio 0..=1 in percent: `97.3 %`. All but exactly one stays below 100.
pub(crate) fn percent(ratio: f64) -> String {
    let tenths = (ratio * 1000.0).floor();
    if ratio >= 1.0 {
        "100 %".to_owned()
    } else {
        format!("{:.1} %", tenths / 10.0)
    }
}

/// Times of something else: `1.23x`, `12.3x`, `123x`.
pub(crate) fn times(value: f64) -> String {
    let digits = match value {
        ..9.995 => 2,
        ..99.95 => 1,
        _ => 0,
    };
    format!("{value:.digits$}x")
}

/// A latency, for an axis: `10 µs`, `1 ms`, `10 s`.
pub(crate) fn decade_us(us: f64) -> String {
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
