//! Sessions with the server that do a fault and undo it.
//!
//! A fault is undone by [`Sessions::undo`], which may be called whether or not it was
//! done: it ends the strangers by the name that their sessions carry, and puts back
//! what was changed if it was.

use std::time::Duration;

use reports::run::Step;
use seawall::clock::{self, Instant};
use tokio::task::JoinSet;

use super::{
    kind::{Act, Kind},
    session::{Doing, Done, Undoing},
};
use crate::{
    environment::{Endpoint, EnvironmentError, LOAD, Session},
    load::workload::Workload,
};

/// Longest wait for a session of ours, and for what it does.
const PATIENCE: Duration = Duration::from_secs(15);
/// A control session must be had also where the fault is that there is none.
pub(super) const AGAIN: Duration = Duration::from_millis(50);

/// What did not work.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SessionsError {
    /// No session with the server.
    #[error("{kind}: no session to do it with")]
    Session {
        /// The fault.
        kind: &'static Kind,
        /// What was met.
        #[source]
        source: EnvironmentError,
    },
    /// A statement failed.
    #[error("{kind}: {what}")]
    Statement {
        /// The fault.
        kind: &'static Kind,
        /// What was being done.
        what: &'static str,
        /// What the server said.
        #[source]
        source: tokio_postgres::Error,
    },
    /// It took too long.
    #[error("{kind}: {what} took more than 15 s")]
    Timeout {
        /// The fault.
        kind: &'static Kind,
        /// What was being done.
        what: &'static str,
    },
    /// The server allows more connections than we open.
    #[error("{kind}: the server allows more than {most} connections")]
    TooMany {
        /// The fault.
        kind: &'static Kind,
        /// So many are opened at most.
        most: usize,
    },
    /// A task of the fault panicked.
    #[error("{kind}: a task of it panicked")]
    Panicked {
        /// The fault.
        kind: &'static Kind,
    },
}

/// What keeps a fault in force. Dropped, its sockets are closed; what the server
/// makes of that, and when, is its own affair: [`Sessions::undo`] sees to it.
#[derive(Debug, Default)]
pub struct Held {
    pub(super) sessions: Vec<Session>,
    pub(super) tasks: JoinSet<Result<(), SessionsError>>,
}

/// Does faults to a server.
#[derive(Debug, Clone)]
pub struct Sessions {
    endpoint: Endpoint,
    workload: Workload,
}

impl Sessions {
    /// Does them to that server, and the tables of that workload.
    #[must_use]
    pub fn new(endpoint: &Endpoint, workload: &Workload) -> Self {
        Self {
            endpoint: endpoint.clone(),
            workload: workload.clone(),
        }
    }

    pub(super) fn workload(&self) -> &Workload {
        &self.workload
    }

    /// Does a fault, and returns what keeps it in force, and what a session that
    /// waited for it met if no probe can. Whatever is random in it comes from `rng`.
    /// A fault that sessions do not do is left to whoever does it.
    ///
    /// Not cancel safe: what was begun stays until [`undo`](Self::undo).
    ///
    /// # Errors
    /// Names the fault, and what did not work.
    pub async fn inject(
        &self,
        kind: &'static Kind,
        step: &Step,
        rng: fastrand::Rng,
    ) -> Result<Done, SessionsError> {
        let Act::Session { inject, .. } = &kind.act else {
            return Ok(Done::default());
        };
        let by = clock::now() + PATIENCE;
        let doing = Doing {
            kind,
            sessions: self,
            step,
            control: self.control(kind, by).await?,
            rng,
            by,
        };
        inject(doing).await
    }

    /// Undoes a fault, however far it was done. Waits for a server that is not
    /// there yet.
    ///
    /// # Errors
    /// Names the fault, and what did not work; also what went wrong with it while
    /// it was in force.
    pub async fn undo(&self, kind: &'static Kind, held: Option<Held>) -> Result<(), SessionsError> {
        let Act::Session { undo, .. } = &kind.act else {
            return Ok(());
        };
        let by = clock::now() + PATIENCE;
        let mut went_wrong = Ok(());
        if let Some(mut held) = held {
            while let Some(ended) = held.tasks.try_join_next() {
                let ended = ended.unwrap_or(Err(SessionsError::Panicked { kind }));
                went_wrong = went_wrong.and(ended);
            }
            held.tasks.shutdown().await;
        }
        let control = self.control(kind, by).await?;
        let strangers = format!(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = '{}'",
            name(kind)
        );
        run(&control, kind, "ending strangers", &strangers, by).await?;
        let undoing = Undoing {
            kind,
            sessions: self,
            control,
            by,
        };
        undo(undoing).await?;
        went_wrong
    }

    /// A session that no fault of ours stops: it may write, and waits for no lock
    /// for long.
    async fn control(&self, kind: &'static Kind, by: Instant) -> Result<Session, SessionsError> {
        let mut config = self.endpoint.config("seawall-control");
        config.options(
            "-c default_transaction_read_only=off -c lock_timeout=10s -c statement_timeout=15s",
        );
        loop {
            match Session::open_by(&config, by).await {
                Ok(session) => return Ok(session),
                Err(source) if clock::now() + AGAIN >= by => {
                    return Err(SessionsError::Session { kind, source });
                }
                Err(_) => clock::sleep(AGAIN).await,
            }
        }
    }

    /// A session that is called after the fault that it belongs to.
    pub(super) async fn stranger(
        &self,
        kind: &'static Kind,
        by: Instant,
    ) -> Result<Session, SessionsError> {
        Session::open_by(&self.endpoint.config(&name(kind)), by)
            .await
            .map_err(|source| SessionsError::Session { kind, source })
    }
}

/// What the sessions of a fault are called on the server.
fn name(kind: &Kind) -> String {
    format!("seawall-{kind}")
}

pub(super) async fn run(
    session: &Session,
    kind: &'static Kind,
    what: &'static str,
    sql: &str,
    by: Instant,
) -> Result<(), SessionsError> {
    match clock::timeout_at(by, session.client.batch_execute(sql)).await {
        Ok(done) => done.map_err(|source| SessionsError::Statement { kind, what, source }),
        Err(clock::Elapsed) => Err(SessionsError::Timeout { kind, what }),
    }
}

/// Ends those of the load's sessions that `hit` says, and if `strangers` all that do
/// the fault.
pub(super) async fn end_sessions(
    control: &Session,
    kind: &'static Kind,
    strangers: bool,
    mut hit: impl FnMut() -> bool,
) -> Result<(), SessionsError> {
    let what = "ending sessions";
    let statement = |source| SessionsError::Statement { kind, what, source };
    let also = strangers.then(|| name(kind));
    let work = async {
        // Each client of the load has a number behind its name.
        let sql = "SELECT pid, application_name FROM pg_stat_activity \
                   WHERE starts_with(application_name, $1) OR application_name = $2 ORDER BY pid";
        let rows = control.client.query(sql, &[&LOAD, &also]).await;
        let rows = rows.map_err(statement)?;
        let pids: Vec<i32> = rows
            .iter()
            .filter(|row| !row.get::<_, &str>(1).starts_with(LOAD) || hit())
            .map(|row| row.get(0))
            .collect();
        let sql = "SELECT pg_terminate_backend(pid) FROM unnest($1::int[]) AS pid";
        let ended = control.client.execute(sql, &[&pids]).await;
        ended.map(drop).map_err(statement)
    };
    clock::timeout_at(clock::now() + PATIENCE, work)
        .await
        .unwrap_or(Err(SessionsError::Timeout { kind, what }))
}
