//! Who knows what happened without asking the metrics: counts of connections where they are
//! made, and of what callers were told.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use seawall::{
    Error,
    connect::{Connect, Connecting, Tcp},
    metrics::{OutcomeLabel, QueryKind, ResultLabel},
};

/// Makes connections, and counts how often it was asked to.
#[derive(Debug, Clone, Default)]
pub(super) struct CountingTcp(Arc<AtomicU64>);

impl CountingTcp {
    pub(super) fn asked(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Connect for CountingTcp {
    fn connect(&self, config: &tokio_postgres::Config) -> Connecting<'_> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Connect::connect(&Tcp, config)
    }
}

/// What callers were told.
#[derive(Debug, Clone, Default)]
pub(super) struct Tally(Arc<Mutex<BTreeMap<String, u64>>>);

/// The names under which it counts.
pub(super) fn result(label: ResultLabel) -> String {
    format!("queries: {}", label.name())
}

pub(super) fn kind(kind: QueryKind) -> String {
    format!("statements: {}", kind.name())
}

pub(super) fn outcome(label: OutcomeLabel) -> String {
    format!("in pipelines: {}", label.name())
}

pub(super) const BORROWED: &str = "connections borrowed by hand";

impl Tally {
    pub(super) fn add(&self, what: String) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *all.entry(what).or_insert(0) += 1;
    }

    /// A query that a caller waited for; `None` if it went away.
    pub(super) fn query<T>(&self, of: QueryKind, told: Option<&Result<T, Error>>) {
        self.add(kind(of));
        self.add(result(match told {
            None => ResultLabel::GivenUp,
            Some(Ok(_)) => ResultLabel::Ok,
            Some(Err(error)) => ResultLabel::Failed(error.class()),
        }));
    }

    pub(super) fn of(&self, what: &str) -> u64 {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.get(what).copied().unwrap_or(0)
    }
}
