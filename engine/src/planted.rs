//! Planted defects: ways in which the engine can be made wrong on purpose, to see whether the
//! scenarios find it.
//!
//! Compiled with the feature `planted-defects` only, which is for the project's own tests and
//! refused in a release build. A process has one defect at most, named by the environment
//! variable [`VARIABLE`]; without it the engine is as it should be.
//!
//! A defect stands at the place where the right behaviour is decided:
//! - `planted!(Name)` is true with the defect, and false else;
//! - `planted!(Name, one in 20)` is true with the defect, once in so many times;
//! - `planted!(Name => wrong)` does something more with the defect;
//! - `planted!(Name, right => wrong)` and `planted!(Name, one in 20, right => wrong)` are the
//!   one or the other.

use std::{
    any::Any,
    collections::HashMap,
    sync::{
        Mutex, OnceLock, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio_postgres::Row;

use crate::clock;

#[cfg(not(debug_assertions))]
compile_error!("the feature `planted-defects` makes the engine wrong: not for a release build");

/// The environment variable that names the defect.
pub const VARIABLE: &str = "SEAWALL_PLANTED_DEFECT";

macro_rules! planted {
    ($defect:ident) => {
        $crate::planted::is($crate::planted::Defect::$defect)
    };
    ($defect:ident => $wrong:expr) => {
        if planted!($defect) {
            $wrong;
        }
    };
    ($defect:ident, one in $n:literal) => {
        $crate::planted::is_one_in($crate::planted::Defect::$defect, $n)
    };
    ($defect:ident, one in $n:literal, $right:expr => $wrong:expr) => {
        if planted!($defect, one in $n) { $wrong } else { $right }
    };
    ($defect:ident, $right:expr => $wrong:expr) => {
        if planted!($defect) { $wrong } else { $right }
    };
}

macro_rules! defects {
    ($($(#[doc = $about:literal])+ $defect:ident => $name:literal,)+) => {
        /// A way in which the engine can be made wrong.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Defect {
            $($(#[doc = $about])+ $defect,)+
        }

        impl Defect {
            /// All defects.
            pub const ALL: &[Self] = &[$(Self::$defect),+];

            /// Its name in the environment variable.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$defect => $name,)+
                }
            }

            /// What is wrong with the engine, in a sentence.
            #[must_use]
            pub fn about(self) -> &'static str {
                match self {
                    $(Self::$defect => concat!($($about),+).trim_ascii(),)+
                }
            }
        }
    };
}

defects! {
    // The pool.
    /// When a host is found dead, the connections from before stay in the pool.
    NoEviction => "no-eviction",
    /// A statement is waited for without an end, here and on the server.
    NoStatementTimeout => "no-statement-timeout",
    /// A connection is waited for ten times as long as `acquire_timeout` says.
    AcquireTimeoutNotKept => "acquire-timeout-not-kept",
    /// Who waits for a connection goes on waiting when the circuit opens.
    WaitersNotRefused => "waiters-not-refused",
    /// A caller that is refused because the circuit is open learns it 50 ms later.
    SlowRefusals => "slow-refusals",
    /// The pool opens up to five connections more than `max_connections`.
    MaxConnectionsNotKept => "max-connections-not-kept",
    /// After an outage all connections are made at once.
    ConnectsWithoutRamp => "connects-without-ramp",
    /// Every connection is closed after its first use.
    ConnectionsUsedOnce => "connections-used-once",
    /// One in 50 failed acquires takes a slot of the pool away for good.
    SlotsLeak => "slots-leak",
    /// A connection that was given up in the middle of something is forgotten, with its slot:
    /// its statement and its transaction go on.
    AbandonedSlotsLeak => "abandoned-slots-leak",
    /// A statement that was given up is not cancelled on the server.
    AbandonedNotCancelled => "abandoned-not-cancelled",
    /// A cancel goes to another session than the one whose statement was given up.
    CancelsAnotherSession => "cancels-another-session",
    /// A connection inside of an open transaction goes back to the pool as it is.
    OpenTransactionLent => "open-transaction-lent",
    /// A transaction that was given up is committed instead of rolled back.
    GivenUpIsCommitted => "given-up-is-committed",
    /// A read that had no answer is said to have found no rows.
    FailedReadsAreEmpty => "failed-reads-are-empty",
    /// A write whose connection was lost is said to have changed one row.
    LostWritesAreOk => "lost-writes-are-ok",
    /// A write that was not answered, in time or at all, is run once more.
    DoubtfulWritesRunAgain => "doubtful-writes-run-again",
    /// One in 20 reads is given the rows of an earlier one with the same text.
    StaleRows => "stale-rows",
    /// One in 50 statements is taken for another that begins with the same word and has as
    /// many parameters.
    StatementsMixedUp => "statements-mixed-up",
    /// Every statement is prepared anew each time.
    PreparesEveryTime => "prepares-every-time",
    /// Every query costs 0.2 ms more of the processor.
    QueriesBurn200us => "queries-burn-200us",
    /// Every query costs 1.5 ms more of the processor.
    QueriesBurn1500us => "queries-burn-1500us",
    /// Every query leaves 256 bytes behind in memory.
    QueriesLeakMemory => "queries-leak-memory",

    // The breaker.
    /// The circuit opens after ten times as many failures in a row, and a rate of failures is
    /// looked at from ten times as many calls on, as the settings say.
    ThresholdTimesTen => "threshold-times-ten",
    /// The circuit never opens.
    NeverOpens => "never-opens",
    /// The circuit opens without a failure, once in 2000 calls.
    OpensByItself => "opens-by-itself",
    /// A violated constraint (SQLSTATE class 23) counts as a failure of the server.
    ViolationsAreFailures => "violations-are-failures",
    /// The circuit, once open, never closes again.
    NeverCloses => "never-closes",
    /// In half-open everybody is let through at once.
    HalfOpenAdmitsAll => "half-open-admits-all",

    // The probe.
    /// The circuit closes 0.45 s later than the probe was answered.
    ClosesLate => "closes-late",
    /// The probe closes the circuit without asking the server.
    ProbeAsksNothing => "probe-asks-nothing",
    /// The probe tries again without a wait.
    ProbeWithoutWaits => "probe-without-waits",
    /// The probe takes a server of any role for the right one.
    ProbeIgnoresRole => "probe-ignores-role",

    // The pipeline.
    /// A query whose connection was lost is said to be done.
    PipelineLostIsOk => "pipeline-lost-is-ok",
    /// A query whose connection was lost is said to have changed nothing, also where it may
    /// have.
    PipelineLostIsNotSent => "pipeline-lost-is-not-sent",
    /// A query that may have been done when its connection was lost is sent again.
    PipelineRepeatsDoubtful => "pipeline-repeats-doubtful",
    /// The last query of each batch is not sent, and said to be done.
    PipelineDropsLast => "pipeline-drops-last",
    /// A batch of the transactional strategy is committed without the queries that fail.
    PipelineTransactionsInPart => "pipeline-transactions-in-part",
    /// A batch of the sequential strategy goes on behind a query that fails.
    PipelineGoesOnAfterFailure => "pipeline-goes-on-after-failure",
    /// A query that was rolled back is said to be done.
    PipelineRolledBackIsOk => "pipeline-rolled-back-is-ok",
    /// One in ten committed batches is said to be rolled back.
    PipelineCommittedIsRolledBack => "pipeline-committed-is-rolled-back",
    /// The queries of a batch that is one transaction get each other's answers.
    PipelineMixesAnswers => "pipeline-mixes-answers",
    /// Queries that do not depend on each other are sent one at a time.
    PipelineOneByOne => "pipeline-one-by-one",
    /// An answer to a query of a pipeline is waited for without an end.
    PipelineNoTimeout => "pipeline-no-timeout",

    // Metrics.
    /// Every query is counted twice.
    QueriesCountedTwice => "queries-counted-twice",
    /// A batch of a pipeline is counted as one query.
    BatchesCountedAsOne => "batches-counted-as-one",
    /// No failure is counted.
    FailuresNotCounted => "failures-not-counted",
    /// Every duration is noted as a tenth of what it was.
    TimesTooShort => "times-too-short",
    /// An open circuit is shown as closed.
    OpenShownAsClosed => "open-shown-as-closed",
}

/// The environment names a defect that there is none of.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{VARIABLE}: no defect is called {name}; there are {}", names())]
#[non_exhaustive]
pub struct UnknownDefect {
    /// What it names.
    pub name: String,
}

fn names() -> String {
    let names: Vec<&str> = Defect::ALL.iter().map(|defect| defect.name()).collect();
    names.join(", ")
}

/// The defect that the environment asks for, if it asks for one. It is read once.
///
/// # Errors
/// If there is no such defect: the engine has none then.
pub fn chosen() -> Result<Option<Defect>, UnknownDefect> {
    static CHOSEN: OnceLock<Result<Option<Defect>, UnknownDefect>> = OnceLock::new();
    let read = || {
        let name = std::env::var_os(VARIABLE).unwrap_or_default();
        named(&name.to_string_lossy())
    };
    CHOSEN.get_or_init(read).clone()
}

/// The defect of that name; none for an empty name.
fn named(name: &str) -> Result<Option<Defect>, UnknownDefect> {
    let mut all = Defect::ALL.iter().copied();
    match all.find(|defect| defect.name() == name) {
        None if !name.is_empty() => Err(UnknownDefect {
            name: name.to_owned(),
        }),
        found => Ok(found),
    }
}

/// Whether the engine is to have this defect.
pub(crate) fn is(defect: Defect) -> bool {
    static CHOSEN: OnceLock<Option<Defect>> = OnceLock::new();
    let chosen = || chosen().ok().flatten();
    *CHOSEN.get_or_init(chosen) == Some(defect)
}

/// Whether the engine is to have this defect now: once in `n` times.
pub(crate) fn is_one_in(defect: Defect, n: u64) -> bool {
    static TIMES: AtomicU64 = AtomicU64::new(1);
    is(defect) && TIMES.fetch_add(1, Ordering::Relaxed).is_multiple_of(n)
}

/// Keeps the processor busy.
pub(crate) fn burn(micros: u64, times: usize) {
    let until = clock::now() + Duration::from_micros(micros) * u32::try_from(times).unwrap_or(1);
    while clock::now() < until {
        std::hint::spin_loop();
    }
}

/// Takes memory that is never given back.
pub(crate) fn leak(bytes: usize) {
    std::hint::black_box(Vec::leak(vec![1_u8; bytes]));
}

/// What this was called with the last time; itself the first time.
pub(crate) fn previous<T: Clone + Send + 'static>(own: T) -> T {
    static LAST: Mutex<Option<Box<dyn Any + Send>>> = Mutex::new(None);
    let mut last = LAST.lock().unwrap_or_else(PoisonError::into_inner);
    let previous = last.replace(Box::new(own.clone()));
    let previous = previous.and_then(|previous| previous.downcast().ok());
    previous.map_or(own, |previous| *previous)
}

/// Another statement that was asked for before, which begins with the same word and has as
/// many parameters; the statement itself if there is none. One without parameters is left
/// alone, since it may set up or tear down tables.
pub(crate) fn another(sql: &str) -> &str {
    static SEEN: Mutex<Vec<&'static str>> = Mutex::new(Vec::new());
    let mut seen = SEEN.lock().unwrap_or_else(PoisonError::into_inner);
    let kind = |sql: &str| {
        let word = sql.split_whitespace().next().map(str::to_owned);
        (word, sql.matches('$').count())
    };
    let wanted = kind(sql);
    if wanted.1 == 0 {
        return sql;
    }
    if !seen.contains(&sql) {
        seen.push(String::leak(sql.to_owned()));
    }
    let mut others = seen.iter().copied().filter(|other| *other != sql);
    others.find(|other| kind(other) == wanted).unwrap_or(sql)
}

static ROWS: Mutex<Option<HashMap<String, Vec<Row>>>> = Mutex::new(None);

/// Whether rows of a read are to be kept, for a later one with the same text.
pub(crate) fn wants_rows(sql: &str) -> bool {
    let kept = ROWS.lock().unwrap_or_else(PoisonError::into_inner);
    let known = kept.as_ref().is_some_and(|kept| kept.contains_key(sql));
    sql.starts_with("SELECT") && !known
}

/// Keeps the rows of a read. Returns those that were kept before.
pub(crate) fn keep_rows(sql: &str, rows: Vec<Row>) -> Option<Vec<Row>> {
    let mut kept = ROWS.lock().unwrap_or_else(PoisonError::into_inner);
    kept.get_or_insert_default().insert(sql.to_owned(), rows)
}

/// The answer to a read with the rows of an earlier one in it.
pub(crate) fn stale(sql: &str, (rows, affected): (Vec<Row>, u64)) -> (Vec<Row>, u64) {
    let rows = match sql.starts_with("SELECT") {
        true => keep_rows(sql, rows).unwrap_or_default(),
        false => rows,
    };
    (rows, affected)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_defect_is_found_by_its_name_and_says_what_it_is() {
        for defect in Defect::ALL.iter().copied() {
            assert_eq!(named(defect.name()), Ok(Some(defect)));
            let variant = defect.name().replace('-', "");
            assert_eq!(variant, format!("{defect:?}").to_lowercase());
            assert!(defect.about().ends_with('.'), "{}", defect.about());
            assert!(!defect.about().contains("  "), "{}", defect.about());
        }
        assert_eq!(named(""), Ok(None));
        let unknown = named("no-such").expect_err("there is none").to_string();
        assert!(unknown.contains("no-eviction, "), "{unknown}");
    }

    #[test]
    fn another_statement_is_one_of_the_same_kind() {
        assert_eq!(
            another("SELECT a FROM t WHERE b = $1"),
            "SELECT a FROM t WHERE b = $1"
        );
        assert_eq!(
            another("SELECT b FROM t WHERE a = $1"),
            "SELECT a FROM t WHERE b = $1"
        );
        assert_eq!(
            another("INSERT INTO t VALUES ($1)"),
            "INSERT INTO t VALUES ($1)"
        );
        assert_eq!(another("DROP TABLE t"), "DROP TABLE t");
    }

    #[test]
    fn the_previous_one_is_that_of_the_call_before() {
        assert_eq!([1, 2, 3].map(previous), [1, 1, 2]);
    }
}
