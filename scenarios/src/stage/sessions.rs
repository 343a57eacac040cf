//! Counts the sessions of the load as the server does, several times a second.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use reports::run::SessionCount;
use seawall::clock::{self, Instant};
use tokio::task::{AbortHandle, JoinHandle};

use super::micros;
use crate::environment::{Endpoint, LOAD, Session};

/// From one count to the next.
const EVERY: Duration = Duration::from_millis(100);
/// Longest wait for one. A server that is down is asked again.
const PATIENCE: Duration = Duration::from_millis(500);

/// A query that has run for this long is one that nobody waits for: callers give it up long
/// before.
const ORPHANED: &str = "120 ms";

type Counts = BTreeMap<String, Vec<SessionCount>>;

/// Counts until it is dropped.
#[derive(Debug)]
pub(super) struct SessionCounts {
    task: AbortHandle,
    counts: Arc<Mutex<Counts>>,
}

impl SessionCounts {
    /// Counts the sessions with these names. `start` is zero of the load's clock.
    /// `given_up` is the query that callers give up.
    pub(super) fn start(
        direct: &Endpoint,
        names: Vec<String>,
        given_up: &str,
        start: Instant,
    ) -> Self {
        let counts: Counts = names.into_iter().map(|name| (name, Vec::new())).collect();
        let counts = Arc::new(Mutex::new(counts));
        let task: JoinHandle<()> = tokio::spawn(count(
            direct.clone(),
            counts.clone(),
            given_up.to_owned(),
            start,
        ));
        Self {
            task: task.abort_handle(),
            counts,
        }
    }

    /// What was counted of one name.
    pub(super) fn of(&self, name: &str) -> Vec<SessionCount> {
        let counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        counts.get(name).cloned().unwrap_or_default()
    }
}

impl Drop for SessionCounts {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn count(direct: Endpoint, counts: Arc<Mutex<Counts>>, given_up: String, start: Instant) {
    let mut session: Option<Session> = None;
    let mut at = start;
    loop {
        clock::sleep_until(at).await;
        let deadline = clock::now() + PATIENCE;
        if session.is_none() {
            session = direct.session(deadline).await.ok();
        }
        let asked = match &session {
            Some(session) => clock::timeout_at(deadline, ask(session, &given_up))
                .await
                .ok(),
            None => None,
        };
        match asked {
            Some(Ok(found)) => {
                let at_us = micros(clock::now(), start);
                let mut counts = counts.lock().unwrap_or_else(PoisonError::into_inner);
                for (name, seen) in counts.iter_mut() {
                    let [sessions, orphans] = found.get(name).copied().unwrap_or_default();
                    seen.push(SessionCount {
                        at_us,
                        sessions,
                        orphans,
                    });
                }
            }
            // It may be down: that is what is looked into here.
            _ => session = None,
        }
        at = clock::now().max(at + EVERY);
    }
}

/// Of each name: its sessions, and those that run what was given up.
async fn ask(
    session: &Session,
    given_up: &str,
) -> Result<BTreeMap<String, [u32; 2]>, tokio_postgres::Error> {
    let sql = format!(
        "SELECT application_name, count(*), count(*) FILTER (WHERE state = 'active' \
         AND query = $2 AND clock_timestamp() - query_start > '{ORPHANED}') \
         FROM pg_stat_activity WHERE starts_with(application_name, $1) GROUP BY 1"
    );
    let rows = session.client.query(&sql, &[&LOAD, &given_up]).await?;
    let count = |row: &tokio_postgres::Row, i: usize| {
        u32::try_from(row.get::<_, i64>(i)).unwrap_or(u32::MAX)
    };
    let counts = rows
        .iter()
        .map(|row| (row.get(0), [count(row, 1), count(row, 2)]));
    Ok(counts.collect())
}
