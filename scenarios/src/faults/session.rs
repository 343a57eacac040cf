//! Faults that are done by sessions with the server: strangers that take what the
//! load needs, and settings and tables that are changed under it.

use std::time::Duration;

use reports::run::Step;
use seawall::clock::{self, Instant};

pub use super::strangers::{Sessions, SessionsError};
use super::{
    kind::{
        Act, Kind, Parameter,
        Usual::{OfDeadline, Value},
    },
    probe::{Check, LOGIN, Look, Met, PATIENCE, Probed, TELLS, ms},
    strangers::{AGAIN, Held, end_sessions, run},
};
use crate::environment::{Needs, Session};

/// Ten minutes: longer than any run waits.
const MS_MOST: u32 = 600_000;
/// Longest wait for what a fault does to begin.
const BEGINS: Duration = Duration::from_secs(15);
/// Strangers at most: a server that allows more is not one to be exhausted.
const STRANGERS_MOST: usize = 2_000;
/// Strangers that knock at once.
const KNOCKING: usize = 8;

/// What a fault that is being done has at hand.
#[derive(Debug)]
pub(crate) struct Doing<'a> {
    pub(super) kind: &'static Kind,
    pub(super) sessions: &'a Sessions,
    pub(super) step: &'a Step,
    /// A session that no fault of ours stops.
    pub(super) control: Session,
    /// Whatever is random in the fault comes from here.
    pub(super) rng: fastrand::Rng,
    /// Everything that is waited for is to be over by then.
    pub(super) by: Instant,
}

/// What keeps a fault in force, and what a session that waited for it met, if no
/// probe can see it.
pub type Done = (Held, Option<Probed>);

/// What a fault that is being undone has at hand.
#[derive(Debug)]
pub(crate) struct Undoing<'a> {
    pub(super) kind: &'static Kind,
    pub(super) sessions: &'a Sessions,
    pub(super) control: Session,
    pub(super) by: Instant,
}

impl Doing<'_> {
    async fn run(&self, what: &'static str, sql: &str) -> Result<(), SessionsError> {
        run(&self.control, self.kind, what, sql, self.by).await
    }

    async fn stranger(&self) -> Result<Session, SessionsError> {
        self.sessions.stranger(self.kind, self.by).await
    }
}

impl Undoing<'_> {
    async fn run(&self, what: &'static str, sql: &str) -> Result<(), SessionsError> {
        run(&self.control, self.kind, what, sql, self.by).await
    }
}

static EVERY_MS: Parameter = Parameter {
    name: "every_ms",
    usual: Value(250),
    least: 50,
    most: MS_MOST,
    about: "from one time to the next",
};
static SHARE_PERCENT: Parameter = Parameter {
    name: "share_percent",
    usual: Value(100),
    least: 1,
    most: 100,
    about: "of the sessions, at random",
};

/// Whether a fault is one of the tables of the load: an operation on others does not meet it.
#[must_use]
pub fn is_about_tables(kind: &Kind) -> bool {
    [
        &LOCK_STORM,
        &IDLE_IN_TRANSACTION,
        &SLOW_STATEMENTS,
        &DISK_FULL,
    ]
    .contains(&kind)
}

/// Sessions are ended with `pg_terminate_backend`.
pub static TERMINATE: Kind = Kind {
    name: "terminate",
    title: "Sessions terminated",
    about: "pg_terminate_backend, again and again",
    during: "sessions are terminated, again and again",
    gone: "sessions are left alone",
    needs: Needs::Sessions,
    parameters: &[&EVERY_MS, &SHARE_PERCENT],
    act: Act::Session {
        inject: |doing| Box::pin(terminate(doing)),
        undo: |_| Box::pin(async { Ok(()) }),
        exhausts: false,
    },
    check: None,
};

/// Ends sessions now and every so often. One more that waits for it, and is always
/// hit, sees that it works.
async fn terminate(doing: Doing<'_>) -> Result<Done, SessionsError> {
    let canary = doing.stranger().await?;
    let Doing {
        kind,
        step,
        control,
        mut rng,
        by,
        ..
    } = doing;
    let share = f64::from(SHARE_PERCENT.of(step)) / 100.0;
    let every = ms(EVERY_MS.of(step));
    let began = clock::now();
    end_sessions(&control, kind, true, || rng.f64() < share).await?;
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
    let mut held = Held::default();
    held.tasks.spawn(async move {
        let mut next = clock::now() + every;
        loop {
            clock::sleep_until(next).await;
            end_sessions(&control, kind, false, || rng.f64() < share).await?;
            next += every;
        }
    });
    Ok((held, Some(probed)))
}

static EVICT: Parameter = Parameter {
    name: "evict",
    usual: Value(1),
    least: 0,
    most: 1,
    about: "1: the load's own sessions are ended as well",
};

/// Strangers take every connection that the server allows.
pub static MAX_CONNECTIONS: Kind = Kind {
    name: "max-connections",
    title: "No connection left",
    about: "strangers hold every connection",
    during: "strangers hold every connection",
    gone: "the strangers are gone",
    needs: Needs::Sessions,
    parameters: &[&EVICT],
    act: Act::Session {
        inject: |doing| Box::pin(exhaust(doing)),
        undo: |_| Box::pin(async { Ok(()) }),
        exhausts: true,
    },
    check: Some(|_, _| statement("SELECT 1".to_owned(), PATIENCE, &[Met::Full])),
};

/// Takes every connection, and each that becomes free, for as long as it is held.
async fn exhaust(doing: Doing<'_>) -> Result<Done, SessionsError> {
    let Doing {
        kind,
        sessions,
        step,
        control,
        ..
    } = doing;
    let (sessions, evict) = (sessions.clone(), EVICT.of(step) == 1);
    let mut held = Held::default();
    held.tasks.spawn(async move {
        let mut strangers = Vec::new();
        loop {
            if evict {
                end_sessions(&control, kind, false, || true).await?;
            }
            let by = clock::now() + BEGINS;
            let knocking = (0..KNOCKING).map(|_| sessions.stranger(kind, by));
            let knocked = futures_util::future::join_all(knocking).await;
            let before = strangers.len();
            strangers.extend(knocked.into_iter().filter_map(Result::ok));
            if strangers.len() > STRANGERS_MOST {
                return Err(SessionsError::TooMany {
                    kind,
                    most: STRANGERS_MOST,
                });
            }
            if strangers.len() == before {
                clock::sleep(AGAIN).await;
            }
        }
    });
    Ok((held, None))
}

static SESSIONS: Parameter = Parameter {
    name: "sessions",
    usual: Value(8),
    least: 2,
    most: 64,
    about: "that take turns",
};
static HOLD_MS: Parameter = Parameter {
    name: "hold_ms",
    usual: OfDeadline(25),
    least: 1,
    most: 60_000,
    about: "how long each holds the lock",
};

/// Strangers take turns with an exclusive lock on the load's tables.
pub static LOCK_STORM: Kind = Kind {
    name: "lock-storm",
    title: "Lock storm",
    about: "strangers take turns with an exclusive lock",
    during: "strangers take turns with an exclusive lock",
    gone: "the locks are free",
    needs: Needs::Sessions,
    parameters: &[&SESSIONS, &HOLD_MS],
    act: Act::Session {
        inject: |doing| Box::pin(take_turns(doing)),
        undo: |_| Box::pin(async { Ok(()) }),
        exhausts: false,
    },
    check: Some(|step, workload| {
        // Half of what it takes until all of them have had their turn.
        let queue = ms(HOLD_MS.of(step)) * SESSIONS.of(step);
        let limit = queue.clamp(TELLS, PATIENCE);
        statement(workload.touch_both(), limit, &[Met::Locked])
    }),
};

async fn take_turns(doing: Doing<'_>) -> Result<Done, SessionsError> {
    let kind = doing.kind;
    let hold_s = f64::from(HOLD_MS.of(doing.step)) / 1e3;
    let workload = doing.sessions.workload();
    let sql = format!(
        "BEGIN; LOCK TABLE {}, {} IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep({hold_s}); COMMIT",
        workload.accounts(),
        workload.ledger()
    );
    let mut held = Held::default();
    for _ in 0..SESSIONS.of(doing.step) {
        let session = doing.stranger().await?;
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
    Ok((held, None))
}

/// A stranger's open transaction holds a lock on what the load writes to.
pub static IDLE_IN_TRANSACTION: Kind = Kind {
    name: "idle-in-transaction",
    title: "Idle in transaction",
    about: "an open transaction blocks every write",
    during: "an idle transaction blocks every write",
    gone: "the transaction is gone",
    needs: Needs::Sessions,
    parameters: &[],
    act: Act::Session {
        inject: |doing| {
            Box::pin(async move {
                let session = doing.stranger().await?;
                let ledger = doing.sessions.workload().ledger();
                let sql = format!("BEGIN; LOCK TABLE {ledger} IN EXCLUSIVE MODE");
                run(&session, doing.kind, "locking", &sql, doing.by).await?;
                let mut held = Held::default();
                held.sessions.push(session);
                Ok((held, None))
            })
        },
        undo: |_| Box::pin(async { Ok(()) }),
        exhausts: false,
    },
    check: Some(|_, workload| statement(workload.touch_ledger(), PATIENCE, &[Met::Locked])),
};

static DELAY_MS: Parameter = Parameter {
    name: "delay_ms",
    usual: OfDeadline(150),
    least: 20,
    most: 60_000,
    about: "how much longer each statement takes",
};

/// Every statement of the load takes long on the server.
pub static SLOW_STATEMENTS: Kind = Kind {
    name: "slow-statements",
    title: "Slow statements",
    about: "every statement takes long",
    during: "every statement takes long on the server",
    gone: "statements are fast",
    needs: Needs::Sessions,
    parameters: &[&DELAY_MS],
    act: Act::Session {
        inject: |doing| {
            Box::pin(async move {
                let sql = doing.sessions.workload().slow(DELAY_MS.of(doing.step));
                doing.run("making statements slow", &sql).await?;
                Ok(Done::default())
            })
        },
        undo: |undoing| {
            Box::pin(async move {
                let sql = undoing.sessions.workload().not_slow();
                undoing.run("making statements fast", &sql).await
            })
        },
        exhausts: false,
    },
    check: Some(|step, workload| {
        let limit = ms(DELAY_MS.of(step)).mul_f64(0.8);
        statement(workload.read_one(), limit, &[Met::Slow])
    }),
};

const RELOAD: &str = "SELECT pg_reload_conf()";

/// The server takes no writes (`default_transaction_read_only`).
pub static READ_ONLY: Kind = Kind {
    name: "read-only",
    title: "Read-only server",
    about: "the server takes no writes",
    during: "the server takes no writes",
    gone: "the server takes writes",
    needs: Needs::OwnParameters,
    parameters: &[],
    act: Act::Session {
        inject: |doing| {
            Box::pin(async move {
                let sql = "ALTER SYSTEM SET default_transaction_read_only = on";
                doing.run("setting the parameter", sql).await?;
                doing.run("reloading", RELOAD).await?;
                Ok(Done::default())
            })
        },
        undo: |undoing| {
            Box::pin(async move {
                let sql = "ALTER SYSTEM RESET default_transaction_read_only";
                undoing.run("resetting the parameter", sql).await?;
                undoing.run("reloading", RELOAD).await
            })
        },
        exhausts: false,
    },
    check: Some(|_, workload| statement(workload.touch_ledger(), PATIENCE, &[Met::ReadOnly])),
};

/// The disk that the load writes to is full.
pub static DISK_FULL: Kind = Kind {
    name: "disk-full",
    title: "Disk full",
    about: "no space left for what the load writes",
    during: "there is no space left for writes",
    gone: "there is space",
    needs: Needs::SmallDisk,
    parameters: &[],
    act: Act::Session {
        inject: |doing| {
            Box::pin(async move {
                let sql = doing.sessions.workload().fill();
                doing.run("filling the disk", &sql).await?;
                Ok(Done::default())
            })
        },
        undo: |undoing| {
            Box::pin(async move {
                let sql = undoing.sessions.workload().free();
                undoing.run("freeing the disk", &sql).await
            })
        },
        exhausts: false,
    },
    check: Some(|_, workload| statement(workload.grow(), PATIENCE, &[Met::NoSpace])),
};

/// Runs a statement on the server itself, which ends it after `limit`.
fn statement(sql: String, limit: Duration, in_effect: &'static [Met]) -> Check {
    Check {
        through_proxy: false,
        look: Look::Statement(sql, limit),
        patience: limit + LOGIN + PATIENCE,
        in_effect,
    }
}

#[cfg(test)]
mod tests {
    use super::{super::kind::tests::usual, *};
    use crate::load::workload::Workload;

    #[test]
    fn a_probe_waits_for_half_of_a_queue_of_locks_at_least() {
        for (sessions, hold, limit_ms) in [(8, 125, 300), (8, 12, 96), (2, 1, 20)] {
            let mut step = usual(&LOCK_STORM);
            step.parameters.insert("sessions".to_owned(), sessions);
            step.parameters.insert("hold_ms".to_owned(), hold);
            let check = LOCK_STORM.check.expect("seen")(&step, &Workload::new(1));
            let limit = ms(limit_ms);
            assert!(matches!(check.look, Look::Statement(_, at) if at == limit));
        }
    }
}
