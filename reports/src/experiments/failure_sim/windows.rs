//! What is claimed of an arm while nothing is wrong: that a query costs no more than with
//! the careful pool, that memory does not grow with every query, and that its metrics say
//! what happened.

use std::collections::BTreeMap;

use super::{Counted, Data, Side, Window};
use crate::{
    claim::{Claim, Decision, Noun, Source, Unit},
    run::{ARM_BARE, ARM_CAREFUL},
    stats::{
        Ratio, median, micro,
        quantile::{self, Observation, TWO_SIDED},
    },
};

/// Median, 99th percentile, and processor time of a query.
pub const OVERHEAD: [&str; 3] = ["overhead-p50", "overhead-p99", "overhead-cpu"];
/// Memory that a query leaves behind.
pub const MEMORY: &str = "memory";

/// What a pool counts is what was asked of it.
pub const METRICS: &str = "metrics";

/// Of the time that callers see, the least part that timed queries may be: getting a free
/// connection is not in it, and takes a microsecond.
const TIMED: f64 = 0.2;

/// A tail of some windows of a fifth of a second moves by as much with nothing changed.
const TAIL: f64 = 1.2;
/// A pointer and its block, in bytes: what grows by less is not told from the allocator.
const LEAK_BYTES: f64 = 64.0;

const PAIRS: Noun = Noun::new("pair of windows", "pairs of windows");
const WINDOWS: Noun = Noun::new("window", "windows");

/// One measure of a window that had an answer.
type Measure = fn(&Window) -> f64;

/// How many queries may fail in all windows of an arm before it is no matter of the machine.
const FAILED: u64 = 5;

/// Adds to the claim that nothing fails while nothing is wrong what failed in the windows, in
/// which one query at a time is asked.
pub(super) fn none_failed(data: &Data, mut claim: Claim) -> Claim {
    let failed = |arm: &str| {
        let of_arm = data.windows.iter().filter(|window| window.arm == arm);
        of_arm.map(|window| window.failed).sum::<u64>()
    };
    let ours = failed(&claim.arm);
    let excused = failed(ARM_CAREFUL) > 0 && ours <= failed(ARM_CAREFUL) + FAILED;
    if ours == 0 || claim.is(Decision::Refuted) {
        return claim;
    }
    claim.reason = Some(format!(
        "{ours} queries failed that were asked one at a time"
    ));
    claim.verdict = if ours > FAILED && !excused {
        Decision::Refuted
    } else {
        Decision::Inconclusive
    };
    claim
}

/// All of them, of one arm of the engine. Empty without windows.
pub(super) fn claims(data: &Data, arm: &str) -> Vec<Claim> {
    if data.windows.is_empty() {
        return Vec::new();
    }
    let measures: [(&str, f64, Measure); 3] = [
        ("the median of a query", 1.0, |w| w.p50_us as f64),
        ("the 99th percentile of a query", TAIL, |w| w.p99_us as f64),
        ("the processor time of a query", 1.0, |w| {
            w.cpu_us as f64 / w.queries.max(1) as f64
        }),
    ];
    let overheads = OVERHEAD.into_iter().zip(measures);
    let mut claims: Vec<Claim> = overheads
        .map(|(id, (what, most, of))| {
            let says = match most {
                1.0 => format!("{what} is no more than with {ARM_CAREFUL}"),
                _ => format!("{what} is at most {most} times that with {ARM_CAREFUL}"),
            };
            overhead(data, arm, id, says, most, of)
        })
        .collect();
    claims.push(memory(data, arm));
    claims.push(metrics(data, arm));
    claims
}

/// Event for event, in each window; and what was timed is most of what callers saw, and no
/// more.
fn metrics(data: &Data, arm: &str) -> Claim {
    let says = "what its metrics count is what was asked of it, one by one";
    let unit = Unit::count("windows");
    let mut claim = Claim::new(METRICS, arm, says, Source::Seawall, unit, WINDOWS);
    claim.band_high = Some(0.0);
    let windows = data.windows.iter().filter(|window| window.arm == arm);
    let (read, unread): (Vec<&Window>, Vec<_>) = windows.partition(|w| w.counted.is_some());
    let counted: Vec<Counted> = read.iter().filter_map(|window| window.counted).collect();
    claim.n = counted.len();
    if counted.is_empty() {
        claim.reason = Some("its metrics were not read".to_owned());
        return claim;
    }
    let wrong: Vec<String> = counted.iter().filter_map(wrong).collect();
    let not = wrong.len() as f64;
    claim.observed = Some(not);
    claim.out_of = Some(claim.n as u64);
    (claim.low, claim.high) = (Some(not), Some(not));
    (claim.verdict, claim.reason) = match wrong.first() {
        None if unread.is_empty() => (Decision::Holds, None),
        None => {
            let not = WINDOWS.of(unread.len());
            let reason = format!("in {not} queries failed, so that it is not known what to count");
            (Decision::Inconclusive, Some(reason))
        }
        Some(first) => (Decision::Refuted, Some(first.clone())),
    };
    claim
}

/// What is wrong with what was counted, if anything is.
fn wrong(counted: &Counted) -> Option<String> {
    let exact = [
        ("queries", counted.queries),
        ("errors", counted.errors),
        ("times of queries", counted.timed),
        ("queries of a pipeline", counted.piped),
    ];
    let differs = exact.iter().find(|(_, side)| side.metrics != side.known);
    if let Some((what, Side { metrics, known })) = differs {
        return Some(format!(
            "{metrics} {what} were counted, and there were {known}"
        ));
    }
    let Side { metrics, known } = counted.took_us;
    let part = metrics as f64 / known.max(1) as f64;
    (known > 0 && !(TIMED..=1.0).contains(&part)).then(|| {
        format!("all queries took {metrics} us together by its metrics, {known} us for callers")
    })
}

fn overhead(data: &Data, arm: &str, id: &str, says: String, most: f64, of: Measure) -> Claim {
    let mut claim = Claim::new(id, arm, says, Source::Seawall, Unit::Times, PAIRS);
    claim.band_high = Some(most);
    let ratios = ratios(data, arm, of);
    let ratio = Ratio::of(&ratios);
    claim.n = ratios.len();
    claim.observed = ratio.median;
    claim.decide(ratio.interval());
    let spread = spread(data, of);
    if claim.is(Decision::Refuted) && claim.low.is_none_or(|low| low <= most * spread) {
        claim.verdict = Decision::Inconclusive;
        claim.reason = Some(format!(
            "the machine alone makes a query cost up to {spread:.1} times as much in one window as \
             in another"
        ));
    } else if claim.is(Decision::Inconclusive) {
        claim.reason = Some(if ratios.is_empty() {
            format!("{arm} and {ARM_CAREFUL} had no windows side by side")
        } else {
            "the interval reaches across the limit; a larger run (without --quick, or --full) has \
             more windows"
                .to_owned()
        });
    }
    claim
}

/// How many times the measure of one window a measure of another is, at most, of a client that
/// does the same in all of them: the system runs it and the server on one processor, or on two.
fn spread(data: &Data, of: Measure) -> f64 {
    let same = data
        .windows
        .iter()
        .filter(|w| w.arm == ARM_BARE && w.queries > 0);
    let (least, most) = same
        .map(of)
        .fold((f64::INFINITY, 0.0_f64), |(least, most), x| {
            (least.min(x), most.max(x))
        });
    if least > 0.0 && least < most {
        most / least
    } else {
        1.0
    }
}

/// Of each round, the measure of the arm by that of the careful one. A window in which
/// nothing was answered has no measure.
fn ratios(data: &Data, arm: &str, of: Measure) -> Vec<f64> {
    let mut rounds: BTreeMap<u32, [Option<f64>; 2]> = BTreeMap::new();
    for window in data.windows.iter().filter(|w| w.queries > 0) {
        let round = rounds.entry(window.round).or_default();
        if window.arm == arm {
            round[0] = Some(of(window));
        } else if window.arm == ARM_CAREFUL {
            round[1] = Some(of(window));
        }
    }
    let pairs = rounds.into_values().filter_map(|[ours, other]| {
        let (ours, other) = (ours?, other?);
        (ours > 0.0 && other > 0.0).then(|| ours / other)
    });
    pairs.collect()
}

/// Each window ends with the memory of the whole runner, in which nothing but its own arm
/// was busy: what it grew by since the window before is the arm's.
fn memory(data: &Data, arm: &str) -> Claim {
    let says = format!("a query leaves at most {LEAK_BYTES} bytes behind");
    let unit = Unit::count("bytes");
    let mut claim = Claim::new(MEMORY, arm, says, Source::Seawall, unit, WINDOWS);
    claim.band_high = Some(LEAK_BYTES);
    let pairs = data.windows.windows(2).filter_map(|pair| match pair {
        [before, window] if window.arm == arm => Some((before, window)),
        _ => None,
    });
    let grown: Vec<f64> = pairs
        .filter(|(before, window)| before.resident_bytes > 0 && window.resident_bytes > 0)
        .map(|(before, window)| {
            let queries = (window.queries + window.failed).max(1) as f64;
            (window.resident_bytes as f64 - before.resident_bytes as f64) / queries
        })
        .collect();
    claim.n = grown.len();
    claim.observed = median(grown.iter().copied()).map(micro);
    let sample: Vec<Observation> = grown.into_iter().map(Observation::Exact).collect();
    claim.decide(quantile::interval(&sample, 0.5, TWO_SIDED));
    if claim.is(Decision::Inconclusive) {
        claim.reason = Some(if claim.n == 0 {
            "memory is not known here".to_owned()
        } else {
            "the interval reaches across the limit; a larger run (without --quick, or --full) has \
             more windows"
                .to_owned()
        });
    }
    claim
}
