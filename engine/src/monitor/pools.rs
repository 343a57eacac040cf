//! [`Pools`]: the pools that a server shows.

use std::{
    sync::{Arc, Mutex, PoisonError, Weak},
    time::Duration,
};

use crate::status::Watched;

/// A pool, and how it is called among the others.
#[derive(Clone)]
pub(super) struct Shown {
    /// Its name; with a number behind it if there was one of that name before.
    pub(super) id: Arc<str>,
    pub(super) pool: Arc<dyn Watched>,
    zero_ms: u64,
}

/// Where a second of a history ends, so that a slot that ends in it is at its middle.
const PHASE_PERCENT: u64 = 60;

impl Shown {
    /// The last moment up to `at_ms` at which a step ends. Steps lie on one grid for each pool,
    /// so that whoever asks again gets the same steps, and every slot of the history, which
    /// ends some time after a full second of the pool's life, lies in a step of its own.
    pub(super) fn step_end(&self, at_ms: u64, step_ms: u64) -> u64 {
        let first = self.zero_ms + step_ms.min(1_000) * PHASE_PERCENT / 100;
        let after = at_ms.saturating_sub(first);
        first + after - after % step_ms.max(1)
    }
}

struct Seen {
    id: Arc<str>,
    pool: Weak<dyn Watched>,
    zero_ms: u64,
}

/// The pools of a server. Those that are gone drop out.
#[derive(Default)]
pub(super) struct Pools(Mutex<Vec<Seen>>);

impl Pools {
    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Seen>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a pool, if it is not there yet.
    pub(super) fn add(&self, pool: Weak<dyn Watched>) {
        let Some(alive) = pool.upgrade() else {
            return;
        };
        let status = alive.comprehensive_status();
        let up = Duration::try_from_secs_f64(status.uptime_s).unwrap_or_default();
        let up_ms = u64::try_from(up.as_millis()).unwrap_or(u64::MAX);
        let zero_ms = status.unix_ms.saturating_sub(up_ms);
        let mut all = self.lock();
        all.retain(|seen| seen.pool.strong_count() > 0);
        if all.iter().any(|seen| Weak::ptr_eq(&seen.pool, &pool)) {
            return;
        }
        let free = |id: &String| all.iter().all(|seen| *seen.id != **id);
        let name = alive.name();
        let numbered = (2..).map(|n| format!("{name}#{n}"));
        let id = std::iter::once(name.to_owned()).chain(numbered).find(free);
        let id = id.unwrap_or_default().into();
        all.push(Seen { id, pool, zero_ms });
    }

    pub(super) fn remove(&self, pool: &Weak<dyn Watched>) {
        self.lock().retain(|seen| !Weak::ptr_eq(&seen.pool, pool));
    }

    /// Those that there are.
    pub(super) fn all(&self) -> Vec<Shown> {
        let mut alive = Vec::new();
        self.lock().retain(|seen| {
            let pool = seen.pool.upgrade();
            let is_alive = pool.is_some();
            alive.extend(pool.map(|pool| Shown {
                id: seen.id.clone(),
                pool,
                zero_ms: seen.zero_ms,
            }));
            is_alive
        });
        alive
    }
}
