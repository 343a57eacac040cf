//! What a history takes when it is full, for whoever chooses how long it is kept.

use std::time::Duration;

use super::{
    Counter, History, Memory, Metrics, QueryKind, ResultLabel, Timing, history::FINE, slot::Gauges,
};

/// Fills a history of so many minutes as a pool with so many queries a second would, and says
/// what it takes. Their times are drawn from `rng`: half of them below 0.8 ms, one of a hundred
/// above 12 ms. Takes some seconds for two hours.
#[must_use]
pub fn filled_history(
    retention_minutes: u32,
    queries_per_s: u32,
    mut rng: fastrand::Rng,
) -> Memory {
    if retention_minutes == 0 {
        return Memory::default();
    }
    let metrics = Metrics::default();
    let empty = metrics.snapshot();
    let mut history = History::new(retention_minutes, &empty, empty.clone());
    let gauges = Gauges {
        active: 3,
        idle: 7,
        max: 10,
        ..Gauges::default()
    };
    let fine_ms = u64::try_from(FINE.as_millis()).unwrap_or(u64::MAX).max(1);
    let each = u64::from(queries_per_s) * fine_ms / 1_000;
    let slots = u64::from(retention_minutes) * 60_000 / fine_ms;
    for slot in 1..=slots {
        for _ in 0..each {
            // The sum of exponents is close to a normal one: the times are log-normal.
            let bell: f64 = (0..6).map(|_| rng.f64() - 0.5).sum::<f64>() * 1.7;
            let took = Duration::from_secs_f64(0.000_8 * bell.exp());
            let kind = QueryKind::ALL[rng.usize(..4)];
            metrics.time(Timing::Acquire, took / 50);
            metrics.query(kind, ResultLabel::Ok, Some(took));
            metrics.time(Timing::Hold, took);
            for counter in [
                Counter::QueriesSent,
                Counter::Acquired,
                Counter::Reused,
                Counter::Released,
            ] {
                metrics.count(counter);
            }
        }
        history.push(slot * fine_ms, &metrics.snapshot(), &gauges);
    }
    history.memory()
}
