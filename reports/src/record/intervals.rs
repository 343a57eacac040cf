//! `latency.hlog`: how long operations took, second by second, as it happens.
//!
//! It is an interval log as `HdrHistogram` defines it: a line for each arm and second, with a
//! compressed histogram of microseconds, which any tool of that family reads, merges and
//! draws. What was answered without error has the name of its arm as its tag; what ended
//! otherwise has the same with `.not-ok` behind it. An operation stands in the second in which
//! it ended, and each in one. Memory does not grow with the number of operations.
//!
//! Lines are appended whole. A run that is killed leaves all of them, but for the end of one
//! that was being written, which a reader leaves out.

use std::{collections::BTreeMap, fs, io, path::Path, time::Duration};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use hdrhistogram::{
    Histogram,
    serialization::{
        Deserializer, V2DeflateSerializer,
        interval_log::{IntervalLogIterator, IntervalLogWriterBuilder, LogEntry, Tag},
    },
};

use super::RecordError;
use crate::run::Outcome;

/// The name of the file, beside `record.json`.
pub const INTERVALS: &str = "latency.hlog";
/// Significant digits that are kept of a latency.
const DIGITS: u8 = 3;
/// What stands behind the name of an arm for operations that were not ok.
const NOT_OK: &str = ".not-ok";

/// How long the operations took that ended in a time, in microseconds.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Interval {
    ok: Option<Histogram<u64>>,
    not_ok: Option<Histogram<u64>>,
}

impl Interval {
    /// Adds an operation that ended.
    pub fn record(&mut self, outcome: Outcome, latency_us: u64) {
        if let Some(histogram) = self.histogram(outcome == Outcome::Ok) {
            // It grows with what is recorded, so that only a lack of memory could be an error.
            let _grown = histogram.record(latency_us);
        }
    }

    /// The histogram that it needs for the first operation.
    fn histogram(&mut self, ok: bool) -> Option<&mut Histogram<u64>> {
        let histogram = if ok { &mut self.ok } else { &mut self.not_ok };
        if histogram.is_none() {
            *histogram = Histogram::new(DIGITS).ok();
        }
        histogram.as_mut()
    }

    /// Forgets all operations, and keeps the memory.
    pub fn clear(&mut self) {
        let both = [&mut self.ok, &mut self.not_ok].into_iter();
        both.flatten().for_each(Histogram::reset);
    }

    /// Operations that were answered without error. `None` if there are none.
    #[must_use]
    pub fn ok(&self) -> Option<&Histogram<u64>> {
        self.ok.as_ref().filter(|histogram| !histogram.is_empty())
    }

    /// Operations that ended otherwise; one that was never sent took no time. `None` if there
    /// are none.
    #[must_use]
    pub fn not_ok(&self) -> Option<&Histogram<u64>> {
        self.not_ok
            .as_ref()
            .filter(|histogram| !histogram.is_empty())
    }
}

/// What the file begins with. `started_s` is when the run began, in seconds of the wall clock:
/// a label.
#[must_use]
pub fn header(started_s: i64) -> String {
    format!(
        "#[Histogram log format version 1.3]\n\
         #Latencies in microseconds, by arm. What was not answered without error has the tag of \
         its arm with {NOT_OK} behind it.\n\
         #[StartTime: {started_s}.000 (seconds since epoch)]\n\
         \"StartTimestamp\",\"Interval_Length\",\"Interval_Max\",\"Interval_Compressed_Histogram\"\n"
    )
}

/// The lines of an interval of an arm. `start` is when it began, after the start of the run.
///
/// # Errors
/// If a histogram cannot be written, which is a bug.
pub fn lines(
    arm: &str,
    start: Duration,
    length: Duration,
    interval: &Interval,
) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    let mut serializer = V2DeflateSerializer::new();
    let mut log = IntervalLogWriterBuilder::new().begin_log_with(&mut text, &mut serializer)?;
    // These would end a tag.
    let name = arm.replace([',', ' ', '\r', '\n', '\t'], "-");
    let not_ok = format!("{name}{NOT_OK}");
    for (tag, histogram) in [(name, interval.ok()), (not_ok, interval.not_ok())] {
        let Some(histogram) = histogram else {
            continue;
        };
        log.write_histogram(histogram, start, length, Tag::new(&tag))
            .map_err(|error| io::Error::other(error.to_string()))?;
    }
    Ok(text)
}

/// All intervals of a run together.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Intervals {
    /// By arm, as the file names it.
    pub arms: BTreeMap<String, Interval>,
    /// The end of the last of them, after the start of the run.
    pub until: Duration,
    /// Whether the file ends in the middle of a line, which is left out.
    pub cut: bool,
}

impl Intervals {
    /// Reads an interval log that [`lines`] has written, up to its last whole line.
    ///
    /// # Errors
    /// If the file cannot be read, or a whole line is not an interval.
    pub fn load(path: &Path) -> Result<Self, RecordError> {
        let io = |source| RecordError::Io {
            path: path.display().to_string(),
            source,
        };
        let text = fs::read(path).map_err(io)?;
        Self::read(&text).map_err(|reason| io(io::Error::new(io::ErrorKind::InvalidData, reason)))
    }

    fn read(text: &[u8]) -> Result<Self, String> {
        let whole = text.iter().rposition(|byte| *byte == b'\n');
        let whole = whole.map_or(0, |end| end + 1);
        let mut all = Self {
            cut: whole < text.len(),
            ..Self::default()
        };
        // The names of the columns are no interval, and the library knows no such line.
        let lines = text[..whole].split_inclusive(|byte| *byte == b'\n');
        let lines = lines.filter(|line| !line.starts_with(b"\""));
        let text: Vec<u8> = lines.flatten().copied().collect();
        for entry in IntervalLogIterator::new(&text) {
            let entry = entry.map_err(|error| format!("no interval log: {error:?}"))?;
            let LogEntry::Interval(interval) = entry else {
                continue;
            };
            let encoded = STANDARD.decode(interval.encoded_histogram());
            let encoded = encoded.map_err(|error| error.to_string())?;
            let histogram: Histogram<u64> = Deserializer::new()
                .deserialize(&mut &encoded[..])
                .map_err(|error| error.to_string())?;
            let tag = interval.tag();
            let tag = tag.as_ref().map_or("", |tag| tag.as_str());
            let (arm, ok) = match tag.strip_suffix(NOT_OK) {
                Some(arm) => (arm, false),
                None => (tag, true),
            };
            let merged = all.arms.entry(arm.to_owned()).or_default();
            if let Some(merged) = merged.histogram(ok) {
                merged.add(histogram).map_err(|error| error.to_string())?;
            }
            let end = interval.start_timestamp() + interval.duration();
            all.until = all.until.max(end);
        }
        Ok(all)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const S: Duration = Duration::from_secs(1);

    /// A log of seconds, each with the operations that ended in it, and all of them together.
    fn written(seconds: &[Vec<(usize, u64)>]) -> (Vec<u8>, Interval) {
        let (mut all, mut now) = (Interval::default(), Interval::default());
        let mut text = header(1_700_000_000).into_bytes();
        for (i, operations) in (0_u32..).zip(seconds) {
            for (outcome, us) in operations {
                let outcome = Outcome::ALL[*outcome];
                now.record(outcome, *us);
                all.record(outcome, *us);
            }
            text.extend(lines("10 connections", S * i, S, &now).expect("written"));
            now.clear();
        }
        (text, all)
    }

    fn same(one: Option<&Histogram<u64>>, other: Option<&Histogram<u64>>) -> bool {
        match (one, other) {
            (Some(one), Some(other)) => one == other,
            (one, other) => one.is_none() && other.is_none(),
        }
    }

    proptest! {
        #[test]
        fn all_intervals_together_are_all_operations(
            seconds in prop::collection::vec(
                prop::collection::vec((0..Outcome::ALL.len(), 0..4_000_000_000_u64), 0..40),
                0..8,
            )
        ) {
            let (text, all) = written(&seconds);
            let read = Intervals::read(&text).expect("a log");
            let merged = read.arms.get("10-connections").cloned().unwrap_or_default();
            prop_assert!(same(merged.ok(), all.ok()));
            prop_assert!(same(merged.not_ok(), all.not_ok()));
            prop_assert!(!read.cut);
            // To three digits, whatever the histogram's own idea of them is.
            for ok in [true, false] {
                let of = |(outcome, _): &&(usize, u64)| (Outcome::ALL[*outcome] == Outcome::Ok) == ok;
                let told = seconds.iter().flatten().filter(of).map(|(_, us)| *us);
                let mut told: Vec<u64> = told.collect();
                told.sort_unstable();
                let histogram = if ok { merged.ok() } else { merged.not_ok() };
                let found = histogram.into_iter().flat_map(|h| h.iter_recorded());
                let found = found.flat_map(|value| {
                    let n = usize::try_from(value.count_at_value()).expect("a few");
                    std::iter::repeat_n(value.value_iterated_to(), n)
                });
                let found: Vec<u64> = found.collect();
                prop_assert_eq!(found.len(), told.len());
                for (found, told) in found.into_iter().zip(told) {
                    prop_assert!(found.abs_diff(told) * 1_000 <= told, "{} of {}", found, told);
                }
            }
        }

        #[test]
        fn a_log_that_is_cut_anywhere_is_read_up_to_its_last_whole_line(cut in 0.0..1.0_f64) {
            let seconds = vec![vec![(0, 120), (1, 7)], vec![(0, 5_000)], vec![(0, 80), (0, 90)]];
            let (text, _) = written(&seconds);
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a part")]
            let at = (text.len() as f64 * cut) as usize;
            let read = Intervals::read(&text[..at]).expect("what is left of it");
            let kept = text[..at].iter().rposition(|byte| *byte == b'\n').map_or(0, |n| n + 1);
            prop_assert_eq!(read.cut, kept < at);
            let whole = Intervals::read(&text[..kept]).expect("whole lines");
            prop_assert_eq!(read.arms, whole.arms);
        }
    }

    #[test]
    fn a_second_is_known_by_its_line() {
        let (text, _) = written(&[vec![(0, 120), (1, 7)], vec![(0, 5_000)]]);
        let read = Intervals::read(&text).expect("a log");
        let arm = &read.arms["10-connections"];
        assert_eq!((read.until, arm.ok().map(Histogram::len)), (S * 2, Some(2)));
        assert_eq!(arm.not_ok().map(Histogram::len), Some(1));
        let text = String::from_utf8(text).expect("text");
        let lines: Vec<&str> = text
            .lines()
            .filter(|line| line.starts_with("Tag="))
            .collect();
        assert!(
            lines[0].starts_with("Tag=10-connections,0.000,1.000,120.000,"),
            "{text}"
        );
        assert!(
            lines[1].starts_with("Tag=10-connections.not-ok,0.000,1.000,7.000,"),
            "{text}"
        );
        assert!(
            lines[2].starts_with("Tag=10-connections,1.000,1.000,5003.000,"),
            "{text} {lines:#?}"
        );
        // A whole line that is not one is no crash.
        let broken = text.replace("Tag=10-connections,1.000", "Tag=10-connections,x");
        Intervals::read(broken.as_bytes()).expect_err("no interval");
        let dir = Path::new("/there/is/no/such");
        assert!(matches!(Intervals::load(dir), Err(RecordError::Io { .. })));
    }
}
