//! The history as comma-separated values (RFC 4180). Pure.

use std::fmt::Write as _;

use crate::metrics::Point;

/// Writes a line for each step, with a column for each metric; an empty field where nothing is
/// known.
pub(super) fn write(pool: &str, metrics: &[&str], columns: &[Vec<Point>]) -> String {
    let mut out = String::from("time,unix_ms,pool");
    for metric in metrics {
        out.push(',');
        out.push_str(&field(metric));
    }
    out.push_str("\r\n");
    let pool = field(pool);
    let steps = columns.first().map_or(&[][..], Vec::as_slice);
    for (i, step) in steps.iter().enumerate() {
        let _ = write!(out, "{},{},{pool}", time(step.unix_ms), step.unix_ms);
        for column in columns {
            out.push(',');
            if let Some(value) = column.get(i).and_then(|point| point.value) {
                let _ = write!(out, "{value}");
            }
        }
        out.push_str("\r\n");
    }
    out
}

/// A text as a field: quoted where it has to be, and never a formula, which a spreadsheet would
/// work out.
fn field(text: &str) -> String {
    let formula = text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']);
    let text = if formula {
        format!("'{text}")
    } else {
        text.to_owned()
    };
    if text.contains(['"', ',', '\n', '\r', '\'', ';']) || text.trim() != text {
        return format!("\"{}\"", text.replace('"', "\"\""));
    }
    text
}

/// A moment as ISO 8601 has it, in UTC.
fn time(unix_ms: u64) -> String {
    let (days, ms) = (unix_ms / 86_400_000, unix_ms % 86_400_000);
    // Howard Hinnant's `civil_from_days`, from 1970 on; years begin in March.
    let z = days + 719_468;
    let (era, of_era) = (z / 146_097, z % 146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year + era * 400 + u64::from(month <= 2);
    let (s, ms) = (ms / 1_000, ms % 1_000);
    let (h, min, s) = (s / 3_600, s / 60 % 60, s % 60);
    format!("{year:04}-{month:02}-{day:02}T{h:02}:{min:02}:{s:02}.{ms:03}Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_written_as_people_read_it() {
        for (ms, says) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_399_999, "2000-02-28T23:59:59.999Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (1_735_689_600_250, "2025-01-01T00:00:00.250Z"),
            (1_798_761_599_000, "2026-12-31T23:59:59.000Z"),
        ] {
            assert_eq!(time(ms), says);
        }
    }

    #[test]
    fn no_name_is_a_formula_or_breaks_out_of_its_field() {
        for (name, field_is) in [
            ("orders", "orders"),
            ("a,b", "\"a,b\""),
            ("say \"hi\"\n", "\"say \"\"hi\"\"\n\""),
            ("=HYPERLINK(\"x\")", "\"'=HYPERLINK(\"\"x\"\")\""),
            ("+1", "\"'+1\""),
            ("-1", "\"'-1\""),
            ("@SUM", "\"'@SUM\""),
            ("\t=1", "\"'\t=1\""),
            ("größe", "größe"),
        ] {
            assert_eq!(field(name), field_is, "{name}");
        }
    }

    #[test]
    fn where_nothing_is_known_the_field_is_empty() {
        let points = |values: [Option<f64>; 2]| {
            let points = values.into_iter().zip([1_000, 2_000]);
            points
                .map(|(value, unix_ms)| Point { unix_ms, value })
                .collect::<Vec<_>>()
        };
        let metrics = ["a", "b"];
        let columns = [points([Some(1.5), None]), points([None, Some(0.0)])];
        assert_eq!(
            write("p", &metrics, &columns),
            "time,unix_ms,pool,a,b\r\n\
             1970-01-01T00:00:01.000Z,1000,p,1.5,\r\n\
             1970-01-01T00:00:02.000Z,2000,p,,0\r\n"
        );
    }
}
