//! What each kind of operation does, and what its failure means.

use std::sync::atomic::Ordering;

use reports::run::{Kind, Outcome};
use seawall::{Error, pipeline::Strategy};
use tokio_postgres::{Row, error::SqlState, types::ToSql};

use super::{
    client::{Client, outcome},
    import,
    proof::{Asked, Found},
    session::Borrowed,
};

/// One operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Operation {
    /// Index in its load, and its sequence number in the ledger.
    pub seq: i64,
    /// What it does.
    pub kind: Kind,
    /// The number of its caller, from 0.
    pub caller: u32,
}

/// Why an operation was not done.
struct NotDone {
    error: Error,
    /// Whether what failed would have changed something by itself.
    in_doubt: bool,
}

/// Nothing is changed by what failed.
fn harmless(error: Error) -> NotDone {
    NotDone {
        error,
        in_doubt: false,
    }
}

fn in_doubt(error: Error) -> NotDone {
    NotDone {
        error,
        in_doubt: true,
    }
}

impl Client {
    /// Does one operation and says what became of it. Waits as long as the pool
    /// under test does; for a bare one that may be for ever. Calls `sent` before a
    /// statement can be handed to a connection.
    ///
    /// Cancel safe: dropped after `sent`, it may or may not have happened.
    pub async fn run(&self, operation: Operation, sent: impl FnOnce()) -> Outcome {
        let Operation { seq, kind, caller } = operation;
        let done = match kind {
            Kind::Read => self.read(seq).await.map_err(harmless),
            Kind::Write => self.write(seq, sent).await.map_err(in_doubt),
            Kind::Transaction => self.transaction(seq, sent).await,
            Kind::Rollback => self.not_committed(seq, sent).await.map_err(harmless),
            Kind::Savepoint => self.savepoint(seq, sent).await,
            Kind::HotRow => self.hot_row(seq, sent).await,
            Kind::Mistake => return self.mistake().await,
            Kind::Hold => return self.hold().await,
            Kind::Script(_) => return self.script(seq, caller.into(), sent).await,
        };
        match done {
            Ok(()) => Outcome::Ok,
            Err(NotDone { error, in_doubt }) => outcome(&error, in_doubt),
        }
    }

    async fn read(&self, seq: i64) -> Result<(), Error> {
        let asked = self.proofs.ask(seq);
        // Two statements that a cache could take for each other, in turns: only what is in
        // the rows tells them apart.
        let (sql, found): (_, fn(&Row) -> Found) = match seq % 2 {
            0 => (&self.workload.read, Found::of),
            _ => (&self.workload.read_reversed, Found::reversed),
        };
        let rows = self.query(sql, &[&asked.first, &asked.last()]).await?;
        let found: Vec<Found> = rows.iter().map(found).collect();
        self.proofs.check(&asked, &found);
        Ok(())
    }

    /// What is wrong with an answer is counted, and no matter of the operation's outcome.
    fn check(&self, asked: &Asked, rows: &[Row]) {
        let found: Vec<Found> = rows.iter().map(Found::of).collect();
        self.proofs.check(asked, &found);
    }

    async fn write(&self, seq: i64, sent: impl FnOnce()) -> Result<(), Error> {
        let (run, number) = (self.workload.run, self.number());
        let params: [&(dyn ToSql + Sync); 3] = [&run, &number, &seq];
        let written = self.execute(sent, &self.workload.write, &params).await?;
        self.one_row(written);
        Ok(())
    }

    /// What writes one row says so.
    fn one_row(&self, affected: u64) {
        if affected != 1 {
            self.proofs.count_wrong();
        }
    }

    /// Writes to the ledger within a transaction.
    async fn note(&self, session: &mut Borrowed, number: i32, seq: i64) -> Result<(), Error> {
        self.note_by(session, &self.workload.write, number, seq)
            .await
    }

    async fn note_by(
        &self,
        session: &mut Borrowed,
        sql: &str,
        number: i32,
        seq: i64,
    ) -> Result<(), Error> {
        let params: [&(dyn ToSql + Sync); 3] = [&self.workload.run, &number, &seq];
        let written = session.execute(self, sql, &params).await?;
        self.one_row(written);
        Ok(())
    }

    async fn transaction(&self, seq: i64, sent: impl FnOnce()) -> Result<(), NotDone> {
        let (id, version) = (self.proofs.written_by(seq), seq + 1);
        let changed = async {
            let mut session = self.borrow(sent).await?;
            session.begin(self).await?;
            self.proofs.sent(id, version);
            let proof = self.proofs.of(id, version);
            let update = &self.workload.update;
            session
                .execute(self, update, &[&id, &version, &proof])
                .await?;
            let asked = self.proofs.ask_own(id, version);
            let rows = session
                .query(self, &self.workload.read, &[&id, &id])
                .await?;
            self.check(&asked, &rows);
            self.note(&mut session, self.number(), seq).await?;
            Ok(session)
        };
        let mut session = changed.await.map_err(harmless)?;
        session.end(self, "COMMIT").await.map_err(in_doubt)?;
        self.proofs.acked(id, version);
        Ok(())
    }

    async fn not_committed(&self, seq: i64, sent: impl FnOnce()) -> Result<(), Error> {
        let mut session = self.borrow(sent).await?;
        session.begin(self).await?;
        self.note(&mut session, self.number(), seq).await?;
        if self.left_open.fetch_xor(true, Ordering::Relaxed) {
            // The caller returned early, and has forgotten about it.
            return Ok(());
        }
        session.end(self, "ROLLBACK").await
    }

    async fn savepoint(&self, seq: i64, sent: impl FnOnce()) -> Result<(), NotDone> {
        let changed = async {
            let mut session = self.borrow(sent).await?;
            session.begin(self).await?;
            self.note(&mut session, self.number(), seq).await?;
            session.control(self, "SAVEPOINT before").await?;
            let again = &self.workload.again;
            let refused = session.execute(self, again, &[&self.number()]).await;
            refused_as_it_must(refused)?;
            session
                .control(self, "ROLLBACK TO SAVEPOINT before")
                .await?;
            Ok(session)
        };
        let mut session = changed.await.map_err(harmless)?;
        session.end(self, "COMMIT").await.map_err(in_doubt)
    }

    async fn hot_row(&self, seq: i64, sent: impl FnOnce()) -> Result<(), NotDone> {
        let changed = async {
            let mut session = self.borrow(sent).await?;
            session.begin(self).await?;
            let count_up = &self.workload.count_up;
            let counted = session.execute(self, count_up, &[&self.number()]).await?;
            self.one_row(counted);
            self.note(&mut session, self.number(), seq).await?;
            Ok(session)
        };
        let mut session = changed.await.map_err(harmless)?;
        session.end(self, "COMMIT").await.map_err(in_doubt)
    }

    async fn mistake(&self) -> Outcome {
        let (again, number) = (&self.workload.again, self.number());
        let refused = self.execute(|| {}, again, &[&number]).await;
        told(refused_as_it_must(refused))
    }

    /// Holds a session, and does nothing else.
    async fn hold(&self) -> Outcome {
        self.echo(&self.workload.holding_query).await
    }

    /// A burst's part: holds a session for some milliseconds.
    pub(super) async fn slow(&self) -> Outcome {
        self.echo(&self.workload.slow_query).await
    }

    /// A flood's part: holds a session for longer.
    pub(super) async fn slower(&self) -> Outcome {
        self.echo(&self.workload.slower_query).await
    }

    /// Asks for a number that no other caller asks for.
    async fn echo(&self, sql: &str) -> Outcome {
        let asked = self.echoes.fetch_add(1, Ordering::Relaxed);
        let answer = self.query(sql, &[&asked]).await;
        if let Ok(rows) = &answer {
            let found: Vec<Option<i64>> = rows.iter().map(|row| row.try_get(0).ok()).collect();
            if found != [Some(asked)] {
                self.proofs.count_wrong();
            }
        }
        told(answer)
    }

    /// A write that takes a while, under another number.
    pub(super) async fn slow_write(&self, number: i32, seq: i64) -> Outcome {
        let params: [&(dyn ToSql + Sync); 3] = [&self.workload.run, &number, &seq];
        match self
            .execute(|| {}, &self.workload.slow_write, &params)
            .await
        {
            Ok(written) => {
                self.one_row(written);
                Outcome::Ok
            }
            Err(error) => outcome(&error, true),
        }
    }

    /// A query that outlasts whoever asks it.
    pub(super) async fn outlasting(&self) -> Result<(), Error> {
        self.query(&self.workload.outlasting_query, &[])
            .await
            .map(drop)
    }

    /// The same, in a transaction that has written under another number.
    pub(super) async fn outlasting_in_transaction(
        &self,
        number: i32,
        seq: i64,
    ) -> Result<(), Error> {
        let mut session = self.borrow(|| {}).await?;
        session.begin(self).await?;
        self.note(&mut session, number, seq).await?;
        session
            .query(self, &self.workload.outlasting_query, &[])
            .await?;
        session.end(self, "ROLLBACK").await
    }

    /// Reads some rows in one batch of a pipeline, checks them, and returns how many queries
    /// that were. `None` if there is no pipeline, or not all of them were answered.
    pub async fn read_batch(&self, strategy: Strategy) -> Option<u64> {
        let pipeline = self.engine()?.pipeline().strategy(strategy);
        let mut pipeline = pipeline.batch_size(10).start().ok()?;
        let mut all = Vec::new();
        for seq in 0..10 {
            let asked = self.proofs.ask(seq);
            let keys = (asked.first, asked.last());
            let params: [&(dyn ToSql + Sync); 2] = [&keys.0, &keys.1];
            pipeline.add(&self.workload.read, &params).await.ok()?;
            all.push(asked);
        }
        let results = pipeline.flush().await;
        let answers = || results.iter().filter(|result| result.success());
        for (asked, result) in all.iter().zip(&results) {
            if let Some(rows) = result.rows() {
                self.check(asked, rows);
            }
        }
        (answers().count() == all.len()).then_some(all.len() as u64)
    }

    /// Brings rows in within one transaction, under another number.
    pub(super) async fn import(&self, number: i32, seqs: std::ops::Range<i64>) -> Outcome {
        let changed = async {
            let mut session = self.borrow(|| {}).await?;
            session.begin(self).await?;
            for seq in seqs {
                let sql = import::statement(&self.workload, seq);
                self.note_by(&mut session, sql, number, seq).await?;
            }
            Ok(session)
        };
        match changed.await {
            Err(error) => outcome(&error, false),
            Ok(mut session) => match session.end(self, "COMMIT").await {
                Ok(()) => Outcome::Ok,
                Err(error) => outcome(&error, true),
            },
        }
    }
}

fn told<T>(done: Result<T, Error>) -> Outcome {
    match done {
        Ok(_) => Outcome::Ok,
        Err(error) => outcome(&error, false),
    }
}

/// A key that is there already has to be refused.
fn refused_as_it_must(done: Result<u64, Error>) -> Result<(), Error> {
    match done {
        Err(error) if error.sqlstate() == Some(&SqlState::UNIQUE_VIOLATION) => Ok(()),
        Err(error) => Err(error),
        // Nobody says that of a statement that was answered: it counts as failed.
        Ok(_) => Err(Error::AnswersMissing),
    }
}
