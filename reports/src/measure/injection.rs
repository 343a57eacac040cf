//! From an injection to its measures.

use crate::run::{BreakerState, Injection, Load, Outcome};

use super::{
    Back, Baseline, Recovery, WINDOW_US,
    baseline::baseline,
    recovery::{first_lasting, held_down, recovered_at_us, recovery},
    series::{Series, p99},
};

/// How many operations had which outcome.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    by_outcome: [u64; Outcome::ALL.len()],
}

impl Counts {
    /// How many had this outcome.
    #[must_use]
    pub fn of(&self, outcome: Outcome) -> u64 {
        self.by_outcome[outcome as usize]
    }

    /// How many there were.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.by_outcome.iter().sum()
    }
}

/// What one fault did to one arm. Times are from the injection on, unless they
/// say otherwise.
#[derive(Debug, Clone, PartialEq)]
pub struct Measured {
    /// The steady state before. `None` if there was none worth the name; then
    /// what is compared with it is `None` too.
    pub baseline: Option<Baseline>,
    /// TTD: until the breaker opened; zero if that was before the probe saw the
    /// fault. `None` without a breaker, or if it never opened.
    pub detect_us: Option<u64>,
    /// TTFF: until failing operations failed fast, and did so for two seconds
    /// while the fault lasted. `None` if that was not reached.
    pub fail_fast_us: Option<u64>,
    /// TTR: from when the fault was gone until the state before it was back.
    pub recovery: Option<Recovery>,
    /// The same, from when the server took sessions again.
    pub client_recovery: Option<Recovery>,
    /// Not recovered, and goodput still down in each of the last two seconds'
    /// windows: the fault is gone and the outage stays.
    pub metastable: bool,
    /// Integral of `max(0, G0 - g) / G0`, in seconds, from the injection until
    /// the horizon (or the end of the load, if earlier).
    pub outage_equivalent_s: Option<f64>,
    /// Good operations of those scheduled, 0..=1, over the same time. What was
    /// not sent was scheduled, and counts.
    pub availability: Option<f64>,
    /// Attempts made towards the server (statements handed to a connection, and
    /// connections tried) per operation that the arm was given: all but those
    /// not sent. Over the whole injection. One is a client that does nothing on
    /// its own; a client that rejects is below it.
    pub amplification: Option<f64>,
    /// The part of that time, in seconds, in which the arm was not available.
    pub unavailable_s: Option<f64>,
    /// Of operations that came while the circuit was open and were rejected: 99th
    /// percentile of the time from the call to the rejection. One that came before
    /// and was rejected when it opened is not in it: it had waited for the server.
    /// Neither is the load generator's own delay: where no answer is waited for,
    /// it is all that a latency would show.
    pub rejected_p99_us: Option<u64>,
    /// How long the load generator itself stood still at most, if that was a window or
    /// more: a process that was stopped, a machine that had no time for it. What was
    /// measured then says nothing of the arm.
    pub stalled_us: Option<u64>,
    /// Outcomes of all operations.
    pub counts: Counts,
}

/// Measures an injection, availability and outage until `horizon_us` after the fault was
/// gone. `injection` may still be under way: its columns then
/// end before the first operation that is not settled, and times that have not
/// come yet are set to the present.
#[must_use]
pub fn measure(load: &Load, horizon_us: u64, injection: &Injection) -> Measured {
    measure_back(load, horizon_us, injection, Back::All)
}

/// The same, where a recovery may be another one.
#[must_use]
pub fn measure_back(load: &Load, horizon_us: u64, injection: &Injection, back: Back) -> Measured {
    let series = Series::new(load, injection);
    let baseline = baseline(
        &series,
        injection.steady_us,
        injection.requested_us,
        load.rate_per_s,
    );
    let recovered = baseline
        .as_ref()
        .map(|baseline| recovered_at_us(&series, back, baseline, injection.cleared_us));
    let recovery_since =
        |since_us| recovered.map(|found| recovery(found, series.seen_us, since_us));
    let horizon_us = injection
        .cleared_us
        .saturating_add(horizon_us)
        .min(series.seen_us);
    let counts = counts(&series);
    let availability = series.good_share(&series.between(injection.injected_us, horizon_us));
    Measured {
        baseline,
        detect_us: detect_us(injection),
        fail_fast_us: fail_fast_us(&series, injection),
        recovery: recovery_since(injection.cleared_us),
        client_recovery: recovery_since(injection.ready_us),
        metastable: recovered == Some(None)
            && baseline.is_some_and(|baseline| held_down(&series, &baseline, injection.cleared_us)),
        outage_equivalent_s: baseline
            .and_then(|baseline| outage_s(&series, &baseline, injection.injected_us, horizon_us)),
        availability,
        unavailable_s: availability.map(|share| {
            let watched_us = horizon_us.saturating_sub(injection.injected_us);
            (1.0 - share) * watched_us as f64 / 1e6
        }),
        amplification: amplification(injection, &counts),
        rejected_p99_us: rejected_p99_us(&series, injection),
        stalled_us: stalled_us(&series, injection),
        counts,
    }
}

fn detect_us(injection: &Injection) -> Option<u64> {
    let opened_us = injection.opened_us()?;
    Some(opened_us.saturating_sub(injection.injected_us))
}

fn stalled_us(series: &Series, injection: &Injection) -> Option<u64> {
    let from_steady = series.between(injection.steady_us, injection.ended_us);
    stall_us(injection.operations.lags_us.get(from_steady)?)
}

/// For how long the load generator stood still, in us: its longest own delay of an operation,
/// if that is a window or more. `None` if times are those of the server.
pub(crate) fn stall_us(lags_us: &[u64]) -> Option<u64> {
    let longest = lags_us.iter().copied().max();
    longest.filter(|lag| *lag >= WINDOW_US)
}

fn rejected_p99_us(series: &Series, injection: &Injection) -> Option<u64> {
    let ends = injection.breaker.iter().skip(1).map(|next| next.at_us);
    let states = injection.breaker.iter().zip(ends.chain([u64::MAX]));
    let mut answers: Vec<u64> = states
        .filter(|(transition, _)| transition.state == BreakerState::Open)
        .flat_map(|(transition, end_us)| series.between(transition.at_us, end_us))
        .filter(|i| series.outcomes[*i] == Outcome::Rejected)
        .map(|i| {
            let lag_us = injection.operations.lags_us.get(i).copied().unwrap_or(0);
            series.latencies_us[i].saturating_sub(lag_us)
        })
        .collect();
    p99(&mut answers)
}

fn fail_fast_us(series: &Series, injection: &Injection) -> Option<u64> {
    let until_us = injection.cleared_us.min(series.seen_us);
    first_lasting(injection.injected_us, until_us, |start| {
        series
            .window(start)
            .is_some_and(|window| series.fails_fast(&window))
    })
    .map(|start| start - injection.injected_us)
}

/// The last window may be shorter than the others; it weighs as much as it lasts.
fn outage_s(series: &Series, baseline: &Baseline, from_us: u64, until_us: u64) -> Option<f64> {
    if until_us <= from_us {
        return None;
    }
    let windows = (0..)
        .map(|i| from_us + i * WINDOW_US)
        .take_while(|start| *start < until_us);
    let outage = windows.map(|start| {
        let end = until_us.min(start + WINDOW_US);
        let share = series.good_share(&series.between(start, end));
        let missing = share.map_or(0.0, |share| 1.0 - share / baseline.good_share);
        missing.max(0.0) * (end - start) as f64 / 1e6
    });
    Some(outage.sum())
}

fn amplification(injection: &Injection, counts: &Counts) -> Option<f64> {
    let given = counts.total() - counts.of(Outcome::NotSent);
    let attempts = injection.attempts.statements + injection.attempts.connects;
    (given > 0).then(|| attempts as f64 / given as f64)
}

fn counts(series: &Series) -> Counts {
    let mut counts = Counts::default();
    for outcome in &series.outcomes {
        counts.by_outcome[*outcome as usize] += 1;
    }
    counts
}
