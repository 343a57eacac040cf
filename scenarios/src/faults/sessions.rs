//! Faults that are done by sessions with the server: strangers that take what the
//! load needs, and settings and tables that are changed under it.
//!
//! Each is undone by [`Sessions::undo`], which may be called whether or not the
//! fault was done: it ends the strangers by the name that their sessions carry, and
//! puts back what was changed if it was.

use std::time::Duration;

use reports::record::{Fault, Step};
use seawall::clock::{self, Instant};
use tokio::task::JoinSet;

use super::probe::{Met, Probed};
use crate::{
    environment::{Endpoint, EnvironmentError, LOAD, Session},
    load::workload::Workload,
};

/// Longest wait for a session of ours, and for what it does.
const PATIENCE: Duration = Duration::from_secs(15);
/// A control session must be had also where the fault is that there is none.
const AGAIN: Duration = Duration::from_millis(50);
/// Strangers at most: a server that allows more is not one to be exhausted.
const STRANGERS_MOST: usize = 2_000;
/// Strangers that knock at once.
const KNOCKING: usize = 8;

/// What did not work.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SessionsError {
    /// No session with the server.
    #[error("{kind}: no session to do it with")]
    Session {
        /// The fault.
        kind: Fault,
        /// What was met.
        #[source]
        source: EnvironmentError,
    },
    /// A statement failed.
    #[error("{kind}: {what}")]
    Statement {
        /// The fault.
        kind: Fault,
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
        kind: Fault,
        /// What was being done.
        what: &'static str,
    },
    /// The server allows more connections than we open.
    #[error("{kind}: the server allows more than {STRANGERS_MOST} connections")]
    TooMany {
        /// The fault.
        kind: Fault,
    },
    /// A task of the fault panicked.
    #[error("{kind}: a task of it panicked")]
    Panicked {
        /// The fault.
        kind: Fault,
    },
}

/// What keeps a fault in force. Dropped, its sockets are closed; what the server
/// makes of that, and when, is its own affair: [`Sessions::undo`] sees to it.
#[derive(Debug, Default)]
pub struct Held {
    sessions: Vec<Session>,
    tasks: JoinSet<Result<(), SessionsError>>,
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

    /// Does a fault, and returns what keeps it in force, and what a session that
    /// waited for it met if no probe can. Whatever is random in it comes from `rng`.
    ///
    /// Not cancel safe: what was begun stays until [`undo`](Self::undo).
    ///
    /// # Errors
    /// Names the fault, and what did not work.
    pub async fn inject(
        &self,
        step: &Step,
        rng: fastrand::Rng,
    ) -> Result<(Held, Option<Probed>), SessionsError> {
        let by = clock::now() + PATIENCE;
        let control = self.control(step.kind, by).await?;
        let mut held = Held::default();
        let mut met = None;
        match step.kind {
            Fault::Terminate => {
                met = Some(self.terminate(step, control, rng, &mut held).await?);
            }
            Fault::MaxConnections => {
                let strangers = self.clone().exhaust(control, step.parameter("evict") == 1);
                held.tasks.spawn(strangers);
            }
            Fault::LockStorm => self.lock_storm(step, by, &mut held).await?,
            Fault::IdleInTransaction => {
                let session = self.stranger(step.kind, by).await?;
                let sql = format!(
                    "BEGIN; LOCK TABLE {} IN EXCLUSIVE MODE",
                    self.workload.ledger()
                );
                run(&session, step.kind, "locking", &sql, by).await?;
                held.sessions.push(session);
            }
            Fault::SlowStatements => {
                let sql = self.workload.slow(step.parameter("delay_ms"));
                run(&control, step.kind, "making statements slow", &sql, by).await?;
            }
            Fault::ReadOnly => {
                let sql = "ALTER SYSTEM SET default_transaction_read_only = on";
                run(&control, step.kind, "setting the parameter", sql, by).await?;
                run(&control, step.kind, "reloading", RELOAD, by).await?;
            }
            Fault::DiskFull => {
                let sql = self.workload.fill();
                run(&control, step.kind, "filling the disk", &sql, by).await?;
            }
            // Done elsewhere.
            _ => {}
        }
        Ok((held, met))
    }

    /// Undoes a fault, however far it was done. Waits for a server that is not
    /// there yet.
    ///
    /// # Errors
    /// Names the fault, and what did not work; also what went wrong with it while
    /// it was in force.
    pub async fn undo(&self, step: &Step, held: Option<Held>) -> Result<(), SessionsError> {
        let by = clock::now() + PATIENCE;
        let kind = step.kind;
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
        match kind {
            Fault::SlowStatements => {
                let sql = self.workload.not_slow();
                run(&control, kind, "making statements fast", sql.as_str(), by).await?;
            }
            Fault::ReadOnly => {
                let sql = "ALTER SYSTEM RESET default_transaction_read_only";
                run(&control, kind, "resetting the parameter", sql, by).await?;
                run(&control, kind, "reloading", RELOAD, by).await?;
            }
            Fault::DiskFull => {
                run(
                    &control,
                    kind,
                    "freeing the disk",
                    &self.workload.free(),
                    by,
                )
                .await?;
            }
            _ => {}
        }
        went_wrong
    }

    /// A session that no fault of ours stops: it may write, and waits for no lock
    /// for long.
    async fn control(&self, kind: Fault, by: Instant) -> Result<Session, SessionsError> {
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

    async fn stranger(&self, kind: Fault, by: Instant) -> Result<Session, SessionsError> {
        Session::open_by(&self.endpoint.config(&name(kind)), by)
            .await
            .map_err(|source| SessionsError::Session { kind, source })
    }

    /// Ends sessions now and every so often. One more that waits for it, and is
    /// always hit, sees that it works.
    async fn terminate(
        &self,
        step: &Step,
        control: Session,
        mut rng: fastrand::Rng,
        held: &mut Held,
    ) -> Result<Probed, SessionsError> {
        let kind = step.kind;
        let by = clock::now() + PATIENCE;
        let canary = self.stranger(kind, by).await?;
        let share = f64::from(step.parameter("share_percent")) / 100.0;
        let every = Duration::from_millis(u64::from(step.parameter("every_ms")));
        let began = clock::now();
        let also = name(kind);
        terminate(&control, kind, Some(also.as_str()), || rng.f64() < share).await?;
        clock::timeout_at(by, canary.ended())
            .await
            .map_err(|_| SessionsError::Timeout {
                kind,
                what: "ending a session",
            })?;
        let probed = Probed {
            began,
            ended: clock::now(),
            met: Met::Terminated,
        };
        held.tasks.spawn(async move {
            let mut next = clock::now() + every;
            loop {
                clock::sleep_until(next).await;
                terminate(&control, kind, None, || rng.f64() < share).await?;
                next += every;
            }
        });
        Ok(probed)
    }

    /// Takes every connection, and each that becomes free. Ends when it is dropped.
    async fn exhaust(self, control: Session, evict: bool) -> Result<(), SessionsError> {
        let kind = Fault::MaxConnections;
        let config = self.endpoint.config(&name(kind));
        let mut strangers = Vec::new();
        loop {
            if evict {
                terminate(&control, kind, None, || true).await?;
            }
            let by = clock::now() + PATIENCE;
            let knocking = (0..KNOCKING).map(|_| Session::open_by(&config, by));
            let knocked = futures_util::future::join_all(knocking).await;
            let before = strangers.len();
            strangers.extend(knocked.into_iter().filter_map(Result::ok));
            if strangers.len() > STRANGERS_MOST {
                return Err(SessionsError::TooMany { kind });
            }
            if strangers.len() == before {
                clock::sleep(AGAIN).await;
            }
        }
    }

    async fn lock_storm(
        &self,
        step: &Step,
        by: Instant,
        held: &mut Held,
    ) -> Result<(), SessionsError> {
        let kind = step.kind;
        let hold_s = f64::from(step.parameter("hold_ms")) / 1e3;
        let sql = format!(
            "BEGIN; LOCK TABLE {}, {} IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep({hold_s}); COMMIT",
            self.workload.accounts(),
            self.workload.ledger()
        );
        for _ in 0..step.parameter("sessions") {
            let session = self.stranger(kind, by).await?;
            let sql = sql.clone();
            held.tasks.spawn(async move {
                loop {
                    let done = session.client.batch_execute(&sql).await;
                    done.map_err(|source| SessionsError::Statement {
                        kind,
                        what: "holding a lock",
                        source,
                    })?;
                }
            });
        }
        Ok(())
    }
}

const RELOAD: &str = "SELECT pg_reload_conf()";

/// What the sessions of a fault are called on the server.
fn name(kind: Fault) -> String {
    format!("seawall-{kind}")
}

async fn run(
    session: &Session,
    kind: Fault,
    what: &'static str,
    sql: &str,
    by: Instant,
) -> Result<(), SessionsError> {
    match clock::timeout_at(by, session.client.batch_execute(sql)).await {
        Ok(done) => done.map_err(|source| SessionsError::Statement { kind, what, source }),
        Err(clock::Elapsed) => Err(SessionsError::Timeout { kind, what }),
    }
}

/// Ends those of the load's sessions that `hit` says, and all that are called `also`.
async fn terminate(
    control: &Session,
    kind: Fault,
    also: Option<&str>,
    mut hit: impl FnMut() -> bool,
) -> Result<(), SessionsError> {
    let what = "ending sessions";
    let statement = |source| SessionsError::Statement { kind, what, source };
    let work = async {
        let sql = "SELECT pid, application_name FROM pg_stat_activity \
                   WHERE application_name = ANY ($1) ORDER BY pid";
        let names = [LOAD, also.unwrap_or(LOAD)];
        let rows = control.client.query(sql, &[&&names[..]]).await;
        let rows = rows.map_err(statement)?;
        let pids: Vec<i32> = rows
            .iter()
            .filter(|row| row.get::<_, &str>(1) != LOAD || hit())
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
