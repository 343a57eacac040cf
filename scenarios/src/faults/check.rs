//! How each fault is seen: where a probe looks, at what, and what it meets then.
//! Pure.

use std::time::Duration;

use reports::record::{Fault, Step, Stream};

use super::{
    kind::{self, Place},
    probe::{Look, Met},
};
use crate::load::workload::Workload;

/// No answer for this long is no answer; a healthy server takes a few milliseconds.
const PATIENCE: Duration = Duration::from_millis(300);
/// How much slower than this a healthy link must not be for a slow one to be told
/// from it.
const SLOW: Duration = Duration::from_millis(250);
/// Less than this cannot be told from a healthy server under load.
const TELLS: Duration = Duration::from_millis(20);
/// What a session of a probe may take to begin, beside what it asks.
const LOGIN: Duration = Duration::from_millis(200);
/// Most that a probe moves.
const BYTES_MOST: u64 = 8_000_000;

/// How a fault is looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// Through the proxy, or directly at the server.
    pub through_proxy: bool,
    /// At what.
    pub look: Look,
    /// How long a probe waits.
    pub patience: Duration,
    /// What it meets while the fault is in effect. When it is gone, it meets
    /// [`Met::Ready`].
    pub in_effect: &'static [Met],
}

impl Check {
    /// Whether a session can be had and answers, for a fault that no probe sees.
    #[must_use]
    pub fn session() -> Self {
        let (look, patience, in_effect) = sql("SELECT 1".to_owned(), &[]);
        Self {
            through_proxy: false,
            look,
            patience,
            in_effect,
        }
    }
}

/// How to see a fault. `workload` is what it is done to.
///
/// `None` for [`Fault::Terminate`], which is seen by a session that waits for it.
#[must_use]
pub fn check(step: &Step, workload: &Workload) -> Option<Check> {
    let start = |patience, in_effect| Some((Look::Start, patience, in_effect));
    let (look, patience, in_effect): (Look, Duration, &'static [Met]) = match step.kind {
        Fault::Refused => start(PATIENCE, &[Met::Refused][..]),
        Fault::Reset => {
            let after = ms(step.parameter("after_ms"));
            start(PATIENCE + after, &[Met::Reset])
        }
        Fault::ResetIdle => start(PATIENCE, &[Met::Reset]),
        Fault::Blackhole | Fault::Pause | Fault::PausePostmaster => {
            start(PATIENCE, &[Met::NoAnswer])
        }
        // It closes after a silence that may be shorter than a probe's patience.
        Fault::Timeout => start(PATIENCE, &[Met::NoAnswer, Met::Reset]),
        Fault::Latency => {
            let jitter_ms = step.parameter("jitter_ms");
            let least_ms = step.parameter("latency_ms").saturating_sub(jitter_ms);
            start(ms(least_ms).max(TELLS), &[Met::NoAnswer])
        }
        Fault::SlowClose => Some((
            Look::End,
            ms(step.parameter("delay_ms")).mul_f64(0.8),
            &[Met::NoAnswer][..],
        )),
        Fault::Bandwidth => Some(bandwidth(step)),
        Fault::Slicer => Some(slicer(step)),
        Fault::LimitData => {
            let bytes = u64::from(step.parameter("limit_bytes"));
            let moves = bulk(step.stream, bytes, Duration::from_secs(5));
            Some((moves, Duration::from_secs(5), &[Met::Reset][..]))
        }
        // Behind Docker's port the kernel still accepts for a moment.
        Fault::Crash => start(PATIENCE, &[Met::Refused, Met::Reset]),
        Fault::FastRestart | Fault::ImmediateRestart => {
            start(PATIENCE, &[Met::Refused, Met::Reset, Met::Starting])
        }
        Fault::Disconnect => start(PATIENCE, &[Met::Refused, Met::Reset, Met::NoAnswer]),
        Fault::Terminate => None,
        Fault::MaxConnections => Some(sql("SELECT 1".to_owned(), &[Met::Full])),
        Fault::LockStorm => {
            // Half of what it takes until all of them have had their turn.
            let queue = ms(step.parameter("hold_ms")) * step.parameter("sessions");
            let limit = queue.clamp(TELLS, PATIENCE);
            let look = Look::Statement(workload.touch_both(), limit);
            Some((look, limit + LOGIN + PATIENCE, &[Met::Locked][..]))
        }
        Fault::IdleInTransaction => Some(sql(workload.touch_ledger(), &[Met::Locked])),
        Fault::ReadOnly => Some(sql(workload.touch_ledger(), &[Met::ReadOnly])),
        Fault::DiskFull => Some(sql(workload.grow(), &[Met::NoSpace])),
        Fault::SlowStatements => {
            let limit = ms(step.parameter("delay_ms")).mul_f64(0.8);
            let look = Look::Statement(workload.read_one(), limit);
            Some((look, limit + LOGIN + PATIENCE, &[Met::Slow][..]))
        }
    }?;
    Some(Check {
        through_proxy: kind::place(step.kind) == Place::Network,
        look,
        patience,
        in_effect,
    })
}

fn sql(sql: String, in_effect: &'static [Met]) -> (Look, Duration, &'static [Met]) {
    let limit = PATIENCE;
    (
        Look::Statement(sql, limit),
        limit + LOGIN + PATIENCE,
        in_effect,
    )
}

fn ms(ms: u32) -> Duration {
    Duration::from_millis(u64::from(ms))
}

/// Moves what a link of that rate needs [`SLOW`] for, if it may be that much.
fn bandwidth(step: &Step) -> (Look, Duration, &'static [Met]) {
    let bytes_per_s = u64::from(step.parameter("rate_kb_per_s")) * 1_000;
    if bytes_per_s == 0 {
        return (Look::Start, PATIENCE, &[Met::NoAnswer]);
    }
    let bytes = (bytes_per_s * 3 / 10).clamp(1, BYTES_MOST);
    let micros = bytes * 1_000_000 / bytes_per_s;
    let patience = Duration::from_micros(micros).mul_f64(0.8);
    (
        bulk(step.stream, bytes, patience),
        patience,
        &[Met::NoAnswer],
    )
}

/// Moves so many pieces that their pauses take [`SLOW`] and a little.
fn slicer(step: &Step) -> (Look, Duration, &'static [Met]) {
    let pause = u64::from(step.parameter("delay_us")).max(1);
    let pieces = SLOW.as_micros().div_ceil(u128::from(pause)) + 1;
    let pieces = u64::try_from(pieces).unwrap_or(u64::MAX);
    let most = step.parameter("size_bytes") + step.parameter("variation_bytes");
    let bytes = pieces.saturating_mul(u64::from(most)).min(BYTES_MOST);
    (bulk(step.stream, bytes, SLOW), SLOW, &[Met::NoAnswer])
}

/// A statement that moves `bytes` in a direction.
fn bulk(stream: Option<Stream>, bytes: u64, limit: Duration) -> Look {
    let sql = match stream {
        Some(Stream::Upstream) => {
            let padding = "x".repeat(usize::try_from(bytes).unwrap_or(usize::MAX));
            format!("SELECT length('{padding}')")
        }
        _ => format!("SELECT repeat('x', {bytes})"),
    };
    // Over by itself even if nobody waits: a few seconds are more than any takes.
    Look::Statement(sql, limit.max(Duration::from_secs(2)))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn step(kind: Fault, stream: Option<Stream>) -> Step {
        let parameters = kind::parameters(kind).iter();
        Step {
            kind,
            phase_us: 0,
            length_us: 0,
            stream,
            toxicity: None,
            parameters: parameters
                .map(|p| (p.name.to_owned(), p.usual.value(500)))
                .collect::<BTreeMap<_, _>>(),
        }
    }

    #[test]
    fn every_fault_but_one_is_seen_and_none_by_what_a_healthy_server_shows() {
        let workload = Workload::new(1);
        for kind in Fault::ALL {
            let check = check(&step(kind, kind::stream(kind)), &workload);
            let Some(check) = check else {
                assert_eq!(kind, Fault::Terminate);
                continue;
            };
            assert!(!check.in_effect.is_empty() && !check.in_effect.contains(&Met::Ready));
            assert!(check.patience <= Duration::from_secs(6), "{kind}");
            let network = kind::place(kind) == Place::Network;
            assert_eq!(check.through_proxy, network, "{kind}");
        }
    }

    /// Once a latency of few milliseconds was never gone: a healthy server took longer.
    #[test]
    fn no_more_is_asked_of_a_probe_than_a_healthy_server_gives() {
        let workload = Workload::new(1);
        for (latency, jitter, patience_ms) in [(750, 0, 750), (25, 20, 20), (20, 0, 20)] {
            let mut step = step(Fault::Latency, None);
            step.parameters.insert("latency_ms".to_owned(), latency);
            step.parameters.insert("jitter_ms".to_owned(), jitter);
            let check = check(&step, &workload).expect("seen");
            assert_eq!(check.patience, Duration::from_millis(patience_ms));
        }
        for (sessions, hold, limit_ms) in [(8, 125, 300), (8, 12, 96), (2, 1, 20)] {
            let mut step = step(Fault::LockStorm, None);
            step.parameters.insert("sessions".to_owned(), sessions);
            step.parameters.insert("hold_ms".to_owned(), hold);
            let check = check(&step, &workload).expect("seen");
            let limit = Duration::from_millis(limit_ms);
            assert!(matches!(check.look, Look::Statement(_, at) if at == limit));
        }
    }

    #[test]
    fn a_slow_link_is_given_so_much_to_move_that_it_shows() {
        let workload = Workload::new(1);
        for (rate, bytes, patience_ms) in
            [(1, 300, 240), (100, 30_000, 240), (100_000, 8_000_000, 64)]
        {
            let mut step = step(Fault::Bandwidth, Some(Stream::Downstream));
            step.parameters.insert("rate_kb_per_s".to_owned(), rate);
            let check = check(&step, &workload).expect("seen");
            let sql = format!("SELECT repeat('x', {bytes})");
            assert!(matches!(&check.look, Look::Statement(text, _) if *text == sql));
            assert_eq!(check.patience, Duration::from_millis(patience_ms));
        }
        let up = check(&step(Fault::Slicer, Some(Stream::Upstream)), &workload).expect("seen");
        // 13 pauses of 20 ms and one piece more.
        let sql = format!("SELECT length('{}')", "x".repeat(14 * 16));
        assert!(matches!(&up.look, Look::Statement(text, _) if *text == sql));
    }
}
