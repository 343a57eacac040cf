//! [`Metrics`]: what a pool counts and times.
//!
//! Each thread counts into a shard of its own, so that counting is a short lock that nobody
//! else wants; a [`Snapshot`] adds the shards up. What one query adds is added under one lock,
//! so that in a snapshot results and times of queries are of the same queries.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use super::{
    Counter, Examples, Histogram, OutcomeLabel, Quantiles, QueryKind, ResultLabel, Sample, Source,
    label::{SQLSTATE_CLASSES, sqlstate_class},
};
use crate::{
    clock::Instant,
    error::{Error, ErrorClass},
    shard::{SHARDS, shard},
};

/// What is timed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Timing {
    /// From asking for a connection to having one; successes only.
    Acquire,
    /// Waiting in line for a connection or for the circuit, by those who had to; however it
    /// ended.
    Wait,
    /// Making a connection; successes only.
    Connect,
    /// Asking an idle connection whether the server is there; however it ended.
    Recycle,
    /// From handing a connection to a caller until it is given back or given up.
    Hold,
    /// From handing a query to a connection to what came of it, whatever that was: of a
    /// pipeline each one, until its answer, or that to its transaction.
    Query,
}

impl Timing {
    /// All timings.
    pub const ALL: &[Self] = &[
        Self::Acquire,
        Self::Wait,
        Self::Connect,
        Self::Recycle,
        Self::Hold,
        Self::Query,
    ];

    /// Its name in an exposition, in seconds.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Acquire => "acquire_duration_seconds",
            Self::Wait => "wait_duration_seconds",
            Self::Connect => "connect_duration_seconds",
            Self::Recycle => "recycle_duration_seconds",
            Self::Hold => "hold_duration_seconds",
            Self::Query => "query_duration_seconds",
        }
    }

    /// What it times, in words, without a full stop.
    #[must_use]
    pub fn help(self) -> &'static str {
        match self {
            Self::Acquire => "From asking for a connection to having one",
            Self::Wait => {
                "Waiting in line for a connection or for the circuit, by those who had to"
            }
            Self::Connect => "Making a connection",
            Self::Recycle => "Asking an idle connection whether the server is there",
            Self::Hold => "From handing a connection to a caller until it is given back",
            Self::Query => "From handing a query to a connection to what came of it",
        }
    }

    /// The name in short, as a history has it.
    pub(crate) fn short(self) -> &'static str {
        let name = self.name();
        name.strip_suffix("_duration_seconds").unwrap_or(name)
    }
}

/// Histograms: those of the timings, that of queries once for each kind, and the sizes of
/// batches.
pub(super) const SERIES: usize = Timing::ALL.len() + QueryKind::ALL.len();
const BATCHES: usize = SERIES - 1;

fn series(timing: Timing, kind: QueryKind) -> usize {
    match timing {
        Timing::Query => timing as usize + kind as usize,
        _ => timing as usize,
    }
}

/// The states of a circuit, in the order that their changes are counted in.
pub const STATES: [&str; 3] = ["closed", "half_open", "open"];

/// What one thread has counted.
#[derive(Debug)]
struct Shard {
    counters: [AtomicU64; Counter::ALL.len()],
    recorded: Mutex<Recorded>,
}

/// What is recorded under one lock.
#[derive(Debug, Default)]
struct Recorded {
    results: [u64; ResultLabel::COUNT],
    kinds: [u64; QueryKind::ALL.len()],
    outcomes: [u64; OutcomeLabel::ALL.len()],
    series: [Histogram; SERIES],
}

/// The counters and histograms of one pool.
#[derive(Debug)]
pub struct Metrics {
    shards: [OnceLock<Box<Shard>>; SHARDS],
    errors: [AtomicU64; ErrorClass::ALL.len()],
    sqlstates: [AtomicU64; SQLSTATE_CLASSES.len()],
    transitions: [AtomicU64; STATES.len()],
    examples: Examples,
    sources: Mutex<Vec<Arc<dyn Source>>>,
}

/// All values of one moment. Results and times of queries are of the same queries; the
/// others are read one after another, and each is exact.
#[derive(Debug, Clone)]
pub struct Snapshot {
    pub(super) counters: [u64; Counter::ALL.len()],
    pub(super) errors: [u64; ErrorClass::ALL.len()],
    pub(super) sqlstates: [u64; SQLSTATE_CLASSES.len()],
    pub(super) transitions: [u64; STATES.len()],
    pub(super) results: [u64; ResultLabel::COUNT],
    pub(super) kinds: [u64; QueryKind::ALL.len()],
    pub(super) outcomes: [u64; OutcomeLabel::ALL.len()],
    pub(super) series: [Histogram; SERIES],
}

fn zeros<const N: usize>() -> [AtomicU64; N] {
    std::array::from_fn(|_| AtomicU64::new(0))
}

impl Default for Metrics {
    fn default() -> Self {
        Self {
            shards: std::array::from_fn(|_| OnceLock::new()),
            errors: zeros(),
            sqlstates: zeros(),
            transitions: zeros(),
            examples: Examples::default(),
            sources: Mutex::default(),
        }
    }
}

impl Metrics {
    fn shard(&self, i: usize) -> &Shard {
        self.shards[i].get_or_init(|| {
            Box::new(Shard {
                counters: zeros(),
                recorded: Mutex::default(),
            })
        })
    }

    fn recorded(&self) -> MutexGuard<'_, Recorded> {
        let shard = self.shard(shard());
        shard
            .recorded
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn count(&self, counter: Counter) {
        self.add(counter, 1);
    }

    pub(crate) fn add(&self, counter: Counter, n: u64) {
        let shard = shard();
        let counter = &self.shard(shard).counters[counter as usize];
        if shard + 1 < SHARDS {
            // Nobody else writes here.
            counter.store(counter.load(Ordering::Relaxed) + n, Ordering::Relaxed);
        } else {
            counter.fetch_add(n, Ordering::Relaxed);
        }
    }

    /// Counts an operation that failed.
    pub(crate) fn error(&self, error: &Error, now: Instant) {
        let class = error.class();
        if planted!(FailuresNotCounted) {
            return;
        }
        self.errors[class as usize].fetch_add(1, Ordering::Relaxed);
        if let Some(state) = error.sqlstate() {
            self.sqlstates[sqlstate_class(state.code())].fetch_add(1, Ordering::Relaxed);
        }
        self.examples.keep(error, now);
    }

    pub(crate) fn time(&self, timing: Timing, took: Duration) {
        self.time_each(timing, QueryKind::Other, took, 1);
    }

    /// Counts what took so long for each of `n`.
    pub(crate) fn time_each(&self, timing: Timing, kind: QueryKind, took: Duration, n: usize) {
        let mut recorded = self.recorded();
        recorded.series[series(timing, kind)].record_n(micros(took), n as u64);
    }

    /// Counts a query that is over, with the time that it took if it was sent. The pool does so
    /// with its own; a service that runs some beside it may add them.
    pub fn query(&self, kind: QueryKind, result: ResultLabel, took: Option<Duration>) {
        let mut recorded = self.recorded();
        let counted = planted!(FailuresNotCounted, 1 => u64::from(!result.is_error()));
        recorded.results[result.index()] += counted;
        recorded.kinds[kind as usize] += counted;
        if let Some(took) = took {
            recorded.series[series(Timing::Query, kind)].record_n(micros(took), 1);
        }
    }

    /// Counts queries of a pipeline that went away before they were answered.
    pub(crate) fn given_up(&self, n: u64) {
        let mut recorded = self.recorded();
        recorded.results[ResultLabel::GivenUp.index()] += n;
        recorded.kinds[QueryKind::Other as usize] += n;
    }

    /// Counts a query of a pipeline by what became of it. It is timed elsewhere, each time that
    /// it is sent.
    pub(crate) fn pipelined(&self, kind: QueryKind, result: ResultLabel, outcome: OutcomeLabel) {
        let mut recorded = self.recorded();
        recorded.results[result.index()] += 1;
        recorded.kinds[kind as usize] += 1;
        recorded.outcomes[outcome as usize] += 1;
    }

    pub(crate) fn batch(&self, queries: usize) {
        self.recorded().series[BATCHES].record_n(queries as u64, 1);
    }

    /// Counts a change of the circuit to a state, by its place in [`STATES`].
    pub(crate) fn transition(&self, to: usize) {
        self.transitions[to].fetch_add(1, Ordering::Relaxed);
    }

    /// Has what another part of the service counts shown with these metrics.
    pub fn add_source(&self, source: Arc<dyn Source>) {
        let sources = self.sources.lock();
        sources.unwrap_or_else(PoisonError::into_inner).push(source);
    }

    /// What others have added.
    #[must_use]
    pub fn samples(&self) -> Vec<Sample> {
        let sources = self.sources.lock();
        let sources = sources.unwrap_or_else(PoisonError::into_inner).clone();
        sources.iter().flat_map(|source| source.samples()).collect()
    }

    /// The last errors of each class.
    pub(crate) fn examples(&self) -> &Examples {
        &self.examples
    }

    fn shards(&self) -> impl Iterator<Item = &Shard> {
        self.shards
            .iter()
            .filter_map(OnceLock::get)
            .map(|shard| &**shard)
    }

    /// The value of a counter.
    #[must_use]
    pub fn counter(&self, counter: Counter) -> u64 {
        let one = |shard: &Shard| shard.counters[counter as usize].load(Ordering::Relaxed);
        self.shards().map(one).sum()
    }

    /// Failed operations of a class: queries, borrowing, and what the pool does for itself.
    #[must_use]
    pub fn errors(&self, class: ErrorClass) -> u64 {
        self.errors[class as usize].load(Ordering::Relaxed)
    }

    /// Queries that this became of.
    #[must_use]
    pub fn results(&self, result: ResultLabel) -> u64 {
        self.sum(|recorded| recorded.results[result.index()])
    }

    /// Queries of pipelines that this became of.
    #[must_use]
    pub fn outcomes(&self, outcome: OutcomeLabel) -> u64 {
        self.sum(|recorded| recorded.outcomes[outcome as usize])
    }

    fn sum(&self, of: impl Fn(&Recorded) -> u64) -> u64 {
        let lock = |shard: &Shard| {
            let recorded = shard.recorded.lock();
            of(&recorded.unwrap_or_else(PoisonError::into_inner))
        };
        self.shards().map(lock).sum()
    }

    /// Microseconds of what is timed.
    #[must_use]
    pub fn quantiles_us(&self, timing: Timing) -> Quantiles {
        self.snapshot().histogram(timing).quantiles()
    }

    /// Reads all values.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        let mut all = Snapshot {
            counters: [0; Counter::ALL.len()],
            errors: load(&self.errors),
            sqlstates: load(&self.sqlstates),
            transitions: load(&self.transitions),
            results: [0; ResultLabel::COUNT],
            kinds: [0; QueryKind::ALL.len()],
            outcomes: [0; OutcomeLabel::ALL.len()],
            series: std::array::from_fn(|_| Histogram::default()),
        };
        for shard in self.shards() {
            add(&mut all.counters, &load(&shard.counters));
            let recorded = shard.recorded.lock();
            let recorded = recorded.unwrap_or_else(PoisonError::into_inner);
            add(&mut all.results, &recorded.results);
            add(&mut all.kinds, &recorded.kinds);
            add(&mut all.outcomes, &recorded.outcomes);
            for (all, one) in all.series.iter_mut().zip(&recorded.series) {
                all.add(one);
            }
        }
        all
    }
}

fn micros(took: Duration) -> u64 {
    let noted = planted!(TimesTooShort, took => took / 10);
    u64::try_from(noted.as_micros()).unwrap_or(u64::MAX)
}

fn load<const N: usize>(from: &[AtomicU64; N]) -> [u64; N] {
    std::array::from_fn(|i| from[i].load(Ordering::Relaxed))
}

fn add<const N: usize>(to: &mut [u64; N], more: &[u64; N]) {
    to.iter_mut().zip(more).for_each(|(to, more)| *to += more);
}

impl Snapshot {
    /// The most bytes that one takes.
    pub(super) const BYTES_MOST: usize = size_of::<Self>() + SERIES * 30_000;

    /// How many bytes it takes.
    pub(super) fn bytes(&self) -> usize {
        let series = self.series.iter().map(Histogram::bytes);
        size_of::<Self>() + series.sum::<usize>() - size_of_val(&self.series)
    }

    /// The value of a counter.
    #[must_use]
    pub fn counter(&self, counter: Counter) -> u64 {
        self.counters[counter as usize]
    }

    /// Failed operations of a class.
    #[must_use]
    pub fn errors(&self, class: ErrorClass) -> u64 {
        self.errors[class as usize]
    }

    /// Failed operations by the class of the SQLSTATE that the server gave, those that there
    /// were.
    pub fn sqlstates(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let all = SQLSTATE_CLASSES.iter().copied().zip(self.sqlstates);
        all.filter(|(_, n)| *n > 0)
    }

    /// Queries that this became of.
    #[must_use]
    pub fn results(&self, result: ResultLabel) -> u64 {
        self.results[result.index()]
    }

    /// Queries that are over.
    #[must_use]
    pub fn queries(&self) -> u64 {
        self.results.iter().sum()
    }

    /// Queries that failed.
    #[must_use]
    pub fn query_errors(&self) -> u64 {
        let errors = ResultLabel::all().filter(|label| label.is_error());
        errors.map(|label| self.results(label)).sum()
    }

    /// Queries of a kind that are over.
    #[must_use]
    pub fn kinds(&self, kind: QueryKind) -> u64 {
        self.kinds[kind as usize]
    }

    /// Queries of pipelines that this became of.
    #[must_use]
    pub fn outcomes(&self, outcome: OutcomeLabel) -> u64 {
        self.outcomes[outcome as usize]
    }

    /// Changes of the circuit to a state, by its place in [`STATES`].
    #[must_use]
    pub fn transitions(&self, to: usize) -> u64 {
        self.transitions[to]
    }

    /// Microseconds of what is timed.
    #[must_use]
    pub fn histogram(&self, timing: Timing) -> Histogram {
        let (first, n) = match timing {
            Timing::Query => (timing as usize, QueryKind::ALL.len()),
            _ => (timing as usize, 1),
        };
        let mut all = Histogram::default();
        self.series[first..first + n]
            .iter()
            .for_each(|one| all.add(one));
        all
    }

    /// Microseconds of queries of a kind.
    #[must_use]
    pub fn queries_of(&self, kind: QueryKind) -> &Histogram {
        &self.series[series(Timing::Query, kind)]
    }

    /// Queries in each batch of a pipeline.
    #[must_use]
    pub fn batch_sizes(&self) -> &Histogram {
        &self.series[BATCHES]
    }

    /// All that is counted, in an order of its own.
    pub(super) fn numbers(&self) -> impl Iterator<Item = u64> {
        let plain = self.counters.iter().chain(&self.errors);
        let plain = plain.chain(&self.sqlstates).chain(&self.transitions);
        let of_queries = self.results.iter().chain(&self.kinds).chain(&self.outcomes);
        plain.chain(of_queries).copied()
    }

    /// The same, to be changed.
    pub(super) fn numbers_mut(&mut self) -> impl Iterator<Item = &mut u64> {
        let plain = self.counters.iter_mut().chain(&mut self.errors);
        let plain = plain
            .chain(&mut self.sqlstates)
            .chain(&mut self.transitions);
        let of_queries = self.results.iter_mut().chain(&mut self.kinds);
        plain.chain(of_queries.chain(&mut self.outcomes))
    }

    /// What was counted and recorded since it was as `before`.
    #[must_use]
    pub fn since(&self, before: &Self) -> Self {
        Self {
            counters: less(&self.counters, &before.counters),
            errors: less(&self.errors, &before.errors),
            sqlstates: less(&self.sqlstates, &before.sqlstates),
            transitions: less(&self.transitions, &before.transitions),
            results: less(&self.results, &before.results),
            kinds: less(&self.kinds, &before.kinds),
            outcomes: less(&self.outcomes, &before.outcomes),
            series: std::array::from_fn(|i| self.series[i].since(&before.series[i])),
        }
    }
}

fn less<const N: usize>(now: &[u64; N], before: &[u64; N]) -> [u64; N] {
    std::array::from_fn(|i| now[i].saturating_sub(before[i]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_counter_has_a_place_and_a_name_of_its_own() {
        let metrics = Metrics::default();
        for (i, counter) in Counter::ALL.iter().copied().enumerate() {
            assert_eq!(counter as usize, i);
            metrics.add(counter, i as u64 + 1);
        }
        for (i, class) in ErrorClass::ALL.iter().copied().enumerate() {
            assert_eq!(class as usize, i);
        }
        let snapshot = metrics.snapshot();
        for (i, counter) in Counter::ALL.iter().copied().enumerate() {
            assert_eq!(snapshot.counter(counter), i as u64 + 1);
            let same = Counter::ALL.iter().filter(|c| c.name() == counter.name());
            assert_eq!(same.count(), 1);
        }
        for (i, timing) in Timing::ALL.iter().copied().enumerate() {
            assert_eq!(timing as usize, i);
        }
        assert_eq!(series(Timing::Query, QueryKind::Other), BATCHES - 1);
    }

    #[test]
    fn nothing_is_lost_between_threads_and_a_query_is_whole() {
        let metrics = Metrics::default();
        let look = || {
            let now = metrics.snapshot();
            assert_eq!(now.queries(), now.histogram(Timing::Query).count());
            assert_eq!(now.queries(), now.kinds(QueryKind::Select));
        };
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for us in 1..=1_000 {
                        let took = Some(Duration::from_micros(us));
                        metrics.query(QueryKind::Select, ResultLabel::Ok, took);
                        metrics.count(Counter::QueriesSent);
                    }
                });
            }
            for _ in 0..50 {
                look();
            }
        });
        look();
        let q = metrics.quantiles_us(Timing::Query);
        assert_eq!((q.count, q.sum, q.max), (8_000, 8 * 500_500, 1_000));
        assert_eq!(metrics.counter(Counter::QueriesSent), 8_000);
    }
}
