//! The pools of arms, and the numbers that their rows are told apart by.

use std::sync::{PoisonError, atomic::Ordering};

use reports::run::{ARM_BARE, ARM_CAREFUL};

use super::{Stage, Stop};
use crate::{
    environment::Endpoint,
    load::{beside, client::Client, setup::Setup, workload::WorkloadError},
};

impl Stage<'_> {
    /// A pool of an arm that goes to the server itself, with rows of its own.
    ///
    /// # Errors
    /// If there is no such arm, its configuration is not valid, or its rows cannot be made.
    pub(crate) async fn direct(&self, arm: &str) -> Result<Client, Stop> {
        let Some(setup) = self.setups.get(arm) else {
            return Err(Stop::NoSteadyState(format!("{arm}: there is no such arm")));
        };
        let direct = self.environment.endpoint();
        self.client_with_rows(arm, setup, direct, direct).await
    }

    /// A pool of an arm that goes through the proxy, as those under load do, with rows of its
    /// own.
    ///
    /// # Errors
    /// If there is no such arm, its configuration is not valid, or its rows cannot be made.
    pub(crate) async fn proxied(&self, arm: &str) -> Result<Client, Stop> {
        self.in_the_place_of(arm, arm).await
    }

    /// A pool as another arm has it, in the place of an arm: on its database, through the proxy.
    ///
    /// # Errors
    /// As [`proxied`](Self::proxied).
    pub(super) async fn in_the_place_of(&self, arm: &str, other: &str) -> Result<Client, Stop> {
        let Some(setup) = self.setups.get(other) else {
            return Err(Stop::NoSteadyState(format!(
                "{other}: there is no such arm"
            )));
        };
        let database = self.database_of(arm).await?;
        let proxied = database.through(self.toxics.port());
        self.client_with_rows(other, setup, &database, &proxied)
            .await
    }

    /// The arm without the engine that others are compared with.
    pub(super) fn arm_without_engine(&self) -> Option<&'static str> {
        [ARM_CAREFUL, ARM_BARE]
            .into_iter()
            .find(|name| self.setups.contains_key(*name))
    }

    /// A pool of an arm, with rows in a database under a number that no other has.
    pub(super) async fn client_with_rows(
        &self,
        name: &str,
        setup: &Setup,
        database: &Endpoint,
        endpoint: &Endpoint,
    ) -> Result<Client, Stop> {
        let number = self
            .next_client
            .fetch_add(beside::NUMBERS, Ordering::Relaxed);
        self.know([number]);
        let client = self.client(name, setup, endpoint, number)?;
        let rows = client.proofs().initial();
        self.workload.add_client(database, number, rows).await?;
        Ok(client)
    }

    /// Notes numbers that rows of the ledger may have, because somebody looks at them.
    pub(super) fn know(&self, numbers: impl IntoIterator<Item = i32>) {
        let mut known = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        known.extend(numbers);
    }

    /// A pool of an arm.
    pub(super) fn client(
        &self,
        name: &str,
        setup: &Setup,
        endpoint: &Endpoint,
        number: i32,
    ) -> Result<Client, Stop> {
        let seed = self.run.seed ^ (u64::from(number.unsigned_abs()) << 32);
        let rng = fastrand::Rng::with_seed(seed);
        Client::new(setup, endpoint, &self.workload, number, rng).map_err(|source| Stop::Config {
            arm: name.to_owned(),
            source,
        })
    }

    /// Counts rows of a run or a client that there is not: nobody else looks at them.
    ///
    /// # Errors
    /// If the ledger cannot be read.
    pub(super) async fn strays(&self) -> Result<u64, WorkloadError> {
        let Self { workload, .. } = self;
        let known: Vec<String> = {
            let known = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
            known.iter().map(i32::to_string).collect()
        };
        let sql = format!(
            "SELECT count(*) FROM {} WHERE run <> {} OR client <> ALL ('{{{}}}'::int[])",
            workload.ledger(),
            workload.run,
            known.join(",")
        );
        let direct = self.environment.endpoint();
        workload.count(direct, "reading", &sql).await
    }
}
