//! What is in the tables after a load, against what its callers were told.

use std::time::Duration;

use reports::run::{self, Beside, Import, Ledger, What};
use seawall::clock;

use super::{Finished, Stage, loaded::transitions, marked};
use crate::{
    environment::chain,
    load::{
        arrivals::Arrivals,
        beside::{self, Told},
        ledger::Checker,
        workload::WorkloadError,
    },
};

/// Longest wait for what callers have given up to end.
const ENDING: Duration = Duration::from_secs(2);
/// From one look to the next.
const LOOKED_AGAIN: Duration = Duration::from_millis(50);

/// What was found of an arm's load.
#[derive(Debug)]
pub(crate) struct Found {
    /// Its operations. `None` if the tables could not be read: no claim about them can
    /// hold then.
    pub(crate) ledger: Option<Ledger>,
    /// What ran beside them.
    pub(crate) beside: Option<Beside>,
}

impl Stage<'_> {
    /// Compares what an arm has written and read with the tables, on a fresh direct session.
    pub(crate) async fn check(
        &self,
        planned: Option<usize>,
        load: &run::Load,
        finished: &Finished,
    ) -> Found {
        let (what, ledger) = match self.operations(load, finished).await {
            Ok(ledger) => (What::LedgerChecked { ledger }, Some(ledger)),
            Err(error) => {
                let reason = chain(&error);
                (What::LedgerUnread { reason }, None)
            }
        };
        self.events.arm(planned, &finished.name, clock::now(), what);
        let mut beside = None;
        if let Some(done) = &finished.beside {
            beside = Some(self.beside(planned, finished, load, done).await);
        }
        Found { ledger, beside }
    }

    async fn operations(
        &self,
        load: &run::Load,
        finished: &Finished,
    ) -> Result<Ledger, WorkloadError> {
        let direct = self.environment.endpoint();
        let arrivals = Arrivals::of(load);
        let mut checker = Checker::new(&finished.operations, arrivals);
        let (workload, proofs) = (&self.workload, finished.pool.proofs());
        self.until_idle(&finished.pool.session_name()).await;
        if let Some(scripts) = self.workload.scripts() {
            // Of operations of ours there is none.
            let told = finished.pool.told().writes();
            return marked::ledger(scripts, &told, &finished.database).await;
        }
        workload
            .read_all(direct, finished.client, proofs, &mut checker)
            .await?;
        let mut ledger = checker.finish();
        ledger += proofs.counted();
        // Nobody can say whose they are: each arm that was under load meanwhile may be it.
        ledger.unexpected += self.strays().await?.saturating_sub(finished.strays_before);
        if let Some(done) = &finished.beside {
            ledger.unexpected += self.rows_of(done.never_committed).await?;
        }
        Ok(ledger)
    }

    async fn beside(
        &self,
        planned: Option<usize>,
        finished: &Finished,
        load: &run::Load,
        done: &beside::Done,
    ) -> Beside {
        let mut imports = Vec::new();
        for told in &done.imports {
            let ledger = self.import(load, told).await;
            let ledger = ledger.map_err(|error| {
                let reason = chain(&error);
                let what = What::LedgerUnread { reason };
                self.events.arm(planned, &finished.name, clock::now(), what);
            });
            imports.push(Import {
                strategy: told.strategy.to_owned(),
                batch: told.batch,
                outcomes: told.outcomes.clone(),
                ledger: ledger.ok(),
            });
        }
        Beside {
            calls: done.calls.clone(),
            imports,
            quiet_breaker: transitions(&done.quiet, finished.start),
        }
    }

    async fn import(&self, load: &run::Load, told: &Told) -> Result<Ledger, WorkloadError> {
        let operations = beside::Beside::operations(told);
        let mut checker = Checker::new(&operations, Arrivals::of(load));
        let direct = self.environment.endpoint();
        self.workload
            .read_ledger(direct, told.client, &mut checker)
            .await?;
        let mut ledger = checker.finish();
        ledger.unexpected += told.contradicted;
        Ok(ledger)
    }

    async fn rows_of(&self, client: i32) -> Result<u64, WorkloadError> {
        let Self { workload, .. } = self;
        let ledger = workload.ledger();
        let sql = format!(
            "SELECT count(*) FROM {ledger} WHERE run = {} AND client = {client}",
            workload.run
        );
        let direct = self.environment.endpoint();
        workload.count(direct, "reading", &sql).await
    }

    /// Waits, for a bounded time, until nothing is under way on the sessions with this name: what
    /// callers have given up may still be committed.
    async fn until_idle(&self, name: &str) {
        let sql = format!(
            "SELECT count(*) FROM pg_stat_activity WHERE application_name = '{name}' \
             AND state NOT IN ('idle', 'disabled')"
        );
        let by = clock::now() + ENDING;
        let direct = self.environment.endpoint();
        while !matches!(
            self.workload.count(direct, "waiting for", &sql).await,
            Ok(0)
        ) && clock::now() < by
        {
            clock::sleep(LOOKED_AGAIN).await;
        }
    }
}
