//! [`Span`]: of which time, and in what steps, a history is asked for. Pure.

use std::collections::HashMap;

use crate::monitor::pools::Shown;

/// Most points that are answered with.
const POINTS: u64 = 11_000;
/// Most points if the step is not said: some for each pixel of a chart.
const SOME: u64 = 300;
/// The longest span, in minutes: the longest retention.
const MINUTES: u64 = 10_080;
/// The span that is not said, in minutes.
const HOUR: u64 = 60;
const STEPS_MS: std::ops::RangeInclusive<u64> = 250..=86_400_000;
/// Steps that people can read, in seconds.
const LEGIBLE_S: [u64; 14] = [
    1, 2, 5, 10, 15, 20, 30, 60, 120, 300, 600, 1_200, 1_800, 3_600,
];
const KEYS: [&str; 6] = ["pool", "minutes", "from", "to", "step_ms", "format"];

/// Of which time, in milliseconds since 1970. Empty if `from_ms` is not before `to_ms`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) from_ms: u64,
    pub(super) to_ms: u64,
    pub(super) step_ms: u64,
}

impl Span {
    /// Reads what is asked for: `minutes` up to now, or `from` and `to`.
    ///
    /// # Errors
    /// What is wrong: the field, the value, and what is allowed.
    pub(super) fn read(asked: &HashMap<String, String>, of: &Shown) -> Result<Self, String> {
        if let Some(key) = asked.keys().find(|key| !KEYS.contains(&key.as_str())) {
            return Err(format!(
                "{key}: no such field, allowed: {}",
                KEYS.join(", ")
            ));
        }
        let now_ms = of.pool.unix_ms();
        let minutes = number(asked, "minutes", 1..=MINUTES)?;
        let from = number(asked, "from", 0..=u64::MAX / 2)?;
        let to = number(asked, "to", 0..=u64::MAX / 2)?;
        let step = number(asked, "step_ms", STEPS_MS)?;
        if let (Some(minutes), true) = (minutes, from.is_some() || to.is_some()) {
            return Err(format!("minutes: {minutes}, allowed: without from and to"));
        }
        let about = to.unwrap_or(now_ms);
        let length = match from {
            Some(from) => about.saturating_sub(from),
            None => minutes.unwrap_or(HOUR) * 60_000,
        };
        let step_ms = step.unwrap_or_else(|| legible(length));
        let span = match (from, to) {
            (Some(from_ms), Some(to_ms)) if from_ms >= to_ms => {
                return Err(format!("from: {from_ms}, allowed: less than to ({to_ms})"));
            }
            (Some(from_ms), Some(to_ms)) => Self {
                from_ms,
                to_ms,
                step_ms,
            },
            // Full steps only, so that who asks for what is new gets it once it is known.
            (Some(from_ms), None) => {
                let end = of.step_end(now_ms, step_ms.min(1_000));
                let to_ms = from_ms + end.saturating_sub(from_ms) / step_ms * step_ms;
                Self {
                    from_ms,
                    to_ms,
                    step_ms,
                }
            }
            (None, _) => {
                let to_ms = of.step_end(to.unwrap_or(now_ms), step_ms);
                // Not from before there was a pool: it would be another grid.
                let first = of.step_end(0, step_ms);
                let steps = (length / step_ms).min(to_ms.saturating_sub(first) / step_ms);
                let from_ms = to_ms - steps * step_ms;
                Self {
                    from_ms,
                    to_ms,
                    step_ms,
                }
            }
        };
        if span.points() > POINTS {
            let least = span.to_ms.saturating_sub(span.from_ms).div_ceil(POINTS);
            return Err(format!(
                "step_ms: {step_ms}, allowed: {least} or more for so long a time ({POINTS} points)"
            ));
        }
        Ok(span)
    }

    pub(super) fn points(&self) -> u64 {
        self.to_ms
            .saturating_sub(self.from_ms)
            .div_ceil(self.step_ms)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.from_ms >= self.to_ms
    }
}

/// A step that makes some points of a time.
fn legible(length_ms: u64) -> u64 {
    let step = LEGIBLE_S.iter().map(|s| s * 1_000);
    let mut fitting = step.filter(|step| length_ms.div_ceil(*step) <= SOME);
    fitting
        .next()
        .unwrap_or_else(|| length_ms.div_ceil(SOME))
        .min(*STEPS_MS.end())
}

fn number(
    asked: &HashMap<String, String>,
    key: &str,
    allowed: std::ops::RangeInclusive<u64>,
) -> Result<Option<u64>, String> {
    let Some(text) = asked.get(key) else {
        return Ok(None);
    };
    let number = text.parse::<u64>().ok().filter(|n| allowed.contains(n));
    number.map(Some).ok_or_else(|| {
        let shown: String = text.chars().take(40).collect();
        let (least, most) = (allowed.start(), allowed.end());
        let what = match key {
            "from" | "to" => "milliseconds since 1970".to_owned(),
            _ => format!("an integer in {least}..={most}"),
        };
        format!("{key}: {shown:?}, allowed: {what}")
    })
}
