//! A database of its own for each arm, where scripts of the user's write: all arms use the
//! user's tables, and one that is stuck in a transaction would keep rows locked that the
//! others need. What one has written is also nothing that another meets.

use std::{collections::BTreeMap, time::Duration};

use seawall::clock;
use tokio::sync::Mutex;

use super::{Stage, Stop};
use crate::environment::Endpoint;

/// A copy that took no longer is made again for each load.
const QUICK: Duration = Duration::from_millis(500);
/// Most bytes that all copies may take together.
const MOST_BYTES: i64 = 8 << 30;

/// The databases of the arms, by name.
#[derive(Debug, Default)]
pub(super) struct Apart {
    /// Whether arms have one each. `None` until that was found out.
    each: Mutex<Option<bool>>,
    arms: Mutex<BTreeMap<String, Own>>,
}

#[derive(Debug, Clone)]
struct Own {
    number: usize,
    endpoint: Endpoint,
    took: Duration,
}

impl Stage<'_> {
    /// The database of an arm, as it was before anything was written, if it can be made so
    /// in a moment.
    ///
    /// # Errors
    /// If it cannot be made.
    pub(super) async fn fresh(&self, arm: &str) -> Result<Endpoint, Stop> {
        self.database(arm, true).await
    }

    /// The database of an arm, as it is.
    ///
    /// # Errors
    /// If it is not there yet, and cannot be made.
    pub(super) async fn database_of(&self, arm: &str) -> Result<Endpoint, Stop> {
        self.database(arm, false).await
    }

    async fn database(&self, arm: &str, fresh: bool) -> Result<Endpoint, Stop> {
        if !self.each_has_its_own().await? {
            return Ok(self.environment.endpoint().clone());
        }
        let mut arms = self.apart.arms.lock().await;
        let known = arms.get(arm).cloned();
        let number = match known {
            Some(own) if !fresh || own.took > QUICK => return Ok(own.endpoint),
            Some(own) => own.number,
            None => arms.len() + 1,
        };
        let began = clock::now();
        let endpoint = self.environment.copy(number).await?;
        let took = clock::now() - began;
        self.workload.create(&endpoint).await?;
        let own = Own {
            number,
            endpoint: endpoint.clone(),
            took,
        };
        arms.insert(arm.to_owned(), own);
        Ok(endpoint)
    }

    async fn each_has_its_own(&self) -> Result<bool, Stop> {
        let writes = |of: &crate::load::scripts::Weighted| of.writes();
        let scripts = self.workload.scripts();
        let write = scripts.is_some_and(|scripts| scripts.all().iter().any(writes));
        if !write || !self.environment.has_own_database() {
            return Ok(false);
        }
        let mut each = self.apart.each.lock().await;
        if let Some(each) = *each {
            return Ok(each);
        }
        let size = "SELECT pg_database_size(current_database())";
        let direct = self.environment.endpoint();
        let bytes = self.workload.count(direct, "measuring", size).await?;
        let arms = self.setups.len().max(1);
        let all = i64::try_from(bytes)
            .unwrap_or(i64::MAX)
            .saturating_mul(i64::try_from(arms).unwrap_or(i64::MAX));
        let fits = all <= MOST_BYTES;
        if !fits {
            tracing::warn!(
                "{arms} arms share one database, since each has {bytes} bytes: what one keeps \
                 locked the others wait for"
            );
        }
        *each = Some(fits);
        Ok(fits)
    }
}
