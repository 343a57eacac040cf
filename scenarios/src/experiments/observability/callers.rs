//! Callers that do all that can be done with a pool, and note what they were told.

use std::{ops::ControlFlow, sync::Arc, time::Duration};

use seawall::{
    Error, Pool,
    clock::{self, Instant},
    metrics::{QueryKind, ResultLabel},
    pipeline::{Outcome, Strategy},
};
use tokio::task::JoinSet;

use super::witness::{self, Tally};
use crate::{
    load::{
        scripts::{Drawn, Scripts},
        text::take,
    },
    script::{Step, parameters},
};

/// Callers at once: more than the pool has connections.
pub(super) const CALLERS: u64 = 8;
/// From one call of a caller to its next.
const PAUSE: Duration = Duration::from_millis(2);
/// How long a caller that gives up waits.
const HURRY: Duration = Duration::from_millis(4);

/// A statement, and its kind.
type Asked = (String, QueryKind);

/// The statements, on a table of the load. None of them changes a row: what is written is
/// not the matter here.
#[derive(Debug, Clone)]
pub(super) struct Statements {
    reads: Asked,
    writes: [Asked; 3],
    mistakes: [Asked; 3],
    long: Asked,
    /// The user's own, run in the place of reads.
    scripts: Option<Scripts>,
}

impl Statements {
    pub(super) fn on(table: &str, scripts: Option<&Scripts>) -> Self {
        let of = |sql: &str, kind| (sql.replace("TABLE", table), kind);
        Self {
            reads: of("SELECT count(*) FROM TABLE WHERE false", QueryKind::Select),
            writes: [
                of(
                    "INSERT INTO TABLE SELECT * FROM TABLE WHERE false",
                    QueryKind::Insert,
                ),
                of("update TABLE SET run = run WHERE false", QueryKind::Update),
                of(
                    "/* none */ DELETE FROM TABLE WHERE false",
                    QueryKind::Delete,
                ),
            ],
            mistakes: [
                of("SELECT 1 / 0", QueryKind::Select),
                of("SELECT * FROM nowhere_at_all", QueryKind::Select),
                of(
                    "DO $$ BEGIN RAISE unique_violation; END $$",
                    QueryKind::Other,
                ),
            ],
            long: of("SELECT pg_sleep(0.05)", QueryKind::Select),
            scripts: scripts.cloned(),
        }
    }
}

/// Callers that go on until they are told to end.
pub(super) struct Callers {
    pool: Pool,
    tally: Tally,
    statements: Arc<Statements>,
    tasks: JoinSet<()>,
    end: tokio::sync::watch::Sender<bool>,
}

impl Callers {
    pub(super) fn start(pool: &Pool, tally: &Tally, statements: &Statements, seed: u64) -> Self {
        let (end, _) = tokio::sync::watch::channel(false);
        let mut callers = Self {
            pool: pool.clone(),
            tally: tally.clone(),
            statements: Arc::new(statements.clone()),
            tasks: JoinSet::new(),
            end,
        };
        for i in 0..CALLERS {
            let number = i32::try_from(i).unwrap_or(i32::MAX);
            let rng = fastrand::Rng::with_seed(seed ^ i.wrapping_mul(0x9e37_79b9_7f4a_7c15));
            let caller = Caller {
                pool: callers.pool.clone(),
                tally: callers.tally.clone(),
                statements: callers.statements.clone(),
                rng,
                number,
                runs: 0,
            };
            callers.tasks.spawn(caller.run(callers.end.subscribe()));
        }
        callers
    }

    /// Lets each finish its call. Returns whether all of them did in time.
    pub(super) async fn end(mut self, patience: Duration) -> bool {
        self.end.send_replace(true);
        let all = async {
            let mut well = true;
            while let Some(ended) = self.tasks.join_next().await {
                well &= ended.is_ok();
            }
            well
        };
        clock::timeout_at(clock::now() + patience, all)
            .await
            .unwrap_or(false)
    }
}

struct Caller {
    pool: Pool,
    tally: Tally,
    statements: Arc<Statements>,
    rng: fastrand::Rng,
    /// Its own, from 0.
    number: i32,
    /// Scripts that it has run.
    runs: i64,
}

impl Caller {
    async fn run(mut self, end: tokio::sync::watch::Receiver<bool>) {
        while !*end.borrow() {
            match self.rng.u32(..100) {
                0..40 if self.statements.scripts.is_some() => self.script().await,
                0..40 => self.one(None).await,
                40..55 => self.write().await,
                55..65 => self.mistake().await,
                65..75 => self.in_a_hurry().await,
                75..88 => self.transaction().await,
                _ => self.pipeline().await,
            }
            clock::sleep(PAUSE).await;
        }
    }

    async fn one(&self, of: Option<&Asked>) {
        let (sql, kind) = of.unwrap_or(&self.statements.reads);
        let told = self.pool.query(sql, &[]).await;
        self.tally.query(*kind, Some(&told));
    }

    async fn write(&mut self) {
        let (sql, kind) = &self.statements.writes[self.rng.usize(..3)];
        let told = self.pool.execute(sql, &[]).await;
        self.tally.query(*kind, Some(&told));
    }

    async fn mistake(&mut self) {
        let i = self.rng.usize(..3);
        self.one(Some(&self.statements.mistakes[i])).await;
    }

    async fn in_a_hurry(&mut self) {
        let (sql, kind) = &self.statements.long;
        let until = clock::now() + HURRY;
        let told = clock::timeout_at(until, self.pool.query(sql, &[])).await;
        self.tally.query(*kind, told.as_ref().ok());
    }

    /// Some statements on one connection; now and then its caller goes away in the middle.
    async fn transaction(&mut self) {
        let borrowed = self.pool.acquire().await;
        let Ok(mut connection) = borrowed else {
            return;
        };
        self.tally.add(witness::BORROWED.to_owned());
        let leaves = self.rng.u32(..10) == 0;
        let begin = ("BEGIN".to_owned(), QueryKind::Other);
        let commit = ("COMMIT".to_owned(), QueryKind::Other);
        for (sql, kind) in [
            &begin,
            &self.statements.reads,
            &self.statements.writes[0],
            &commit,
        ] {
            let told = connection.execute(sql, &[]).await;
            self.tally.query(*kind, Some(&told));
            if told.is_err() || (leaves && sql == "BEGIN") {
                return;
            }
        }
    }

    /// A run of a script of the user's, on one connection. One that fails takes its transaction
    /// with it.
    async fn script(&mut self) {
        let statements = self.statements.clone();
        let Some(scripts) = &statements.scripts else {
            return;
        };
        self.runs += 1;
        let Drawn { of, mut rng, .. } = scripts.drawn(self.number, self.runs);
        let mut run = scripts.run(&of.script, self.number.into());
        let borrowed = self.pool.acquire().await;
        let Ok(mut connection) = borrowed else {
            return;
        };
        self.tally.add(witness::BORROWED.to_owned());
        // What cannot go on with its values ends here: that was tried before.
        while let Ok(Some(step)) = run.next(&mut rng) {
            let Step::Statement { statement, got, .. } = step else {
                continue;
            };
            let values = run.parameters(statement);
            let told = if statement.parameters_allowed {
                connection.query(&statement.sql, &parameters(&values)).await
            } else {
                let text = statement.literal(&|name| run.value(name).cloned());
                connection.query(&text, &[]).await
            };
            self.tally.query(kind_of(&statement.sql), Some(&told));
            let rows = match told {
                Ok(rows) => rows,
                Err(_) => return,
            };
            if take(&mut run, got, &rows).is_err() {
                return;
            }
        }
    }

    async fn pipeline(&mut self) {
        let strategies = [
            Strategy::BestEffort,
            Strategy::Transactional,
            Strategy::Sequential,
        ];
        let strategy = strategies[self.rng.usize(..strategies.len())];
        let builder = self.pool.pipeline().strategy(strategy);
        let Ok(mut pipeline) = builder.batch_size(5).start() else {
            return;
        };
        let mut kinds = Vec::new();
        for _ in 0..self.rng.u32(1..12) {
            let (sql, kind) = match self.rng.u32(..20) {
                0 => &self.statements.mistakes[0],
                1..8 => &self.statements.writes[0],
                _ => &self.statements.reads,
            };
            if let ControlFlow::Break(()) = added(pipeline.add(sql, &[]).await) {
                break;
            }
            kinds.push(*kind);
        }
        for result in pipeline.close().await {
            let kind = usize::try_from(result.index())
                .ok()
                .and_then(|i| kinds.get(i));
            self.tally
                .add(witness::kind(kind.copied().unwrap_or(QueryKind::Other)));
            self.tally.add(witness::outcome(result.outcome().label()));
            self.tally.add(witness::result(match result.outcome() {
                Outcome::Ok => ResultLabel::Ok,
                Outcome::RolledBack { .. } => ResultLabel::RolledBack,
                Outcome::Skipped { .. } => ResultLabel::Skipped,
                Outcome::Failed(error) | Outcome::NotSent(error) | Outcome::Unknown(error) => {
                    ResultLabel::Failed(error.class())
                }
            }));
        }
    }
}

/// What a statement is by its first word.
fn kind_of(sql: &str) -> QueryKind {
    let first = sql.split_whitespace().next().unwrap_or_default();
    match &*first.to_ascii_uppercase() {
        "SELECT" => QueryKind::Select,
        "INSERT" => QueryKind::Insert,
        "UPDATE" => QueryKind::Update,
        "DELETE" => QueryKind::Delete,
        _ => QueryKind::Other,
    }
}

/// Who cannot add one adds no more.
fn added(added: Result<(), Error>) -> ControlFlow<()> {
    match added {
        Ok(()) => ControlFlow::Continue(()),
        Err(_) => ControlFlow::Break(()),
    }
}

/// The time that callers take to end at most: the deadlines of the longest call, and some.
pub(super) fn patience(deadline: Duration) -> Duration {
    20 * deadline + Duration::from_secs(5)
}

/// Waits until a query is served, so that what comes after the fault is counted as well.
pub(super) async fn served_again(pool: &Pool, tally: &Tally, by: Instant) -> bool {
    loop {
        let told = pool.query("SELECT 1", &[]).await;
        tally.query(QueryKind::Select, Some(&told));
        if told.is_ok() {
            return true;
        }
        if clock::now() >= by {
            return false;
        }
        clock::sleep(Duration::from_millis(20)).await;
    }
}
