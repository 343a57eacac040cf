//! What arms under load that met an entry of the schedule have in common in a record.

use reports::{
    measure::{self, RecoveryWatch},
    run::{Attempts, Injection, Operations},
};
use seawall::clock::Instant;

use super::{Loaded, LoadedArm, Moments};

impl Loaded<'_, '_> {
    /// Watches for the recovery of an arm, against what it did before the fault.
    pub(crate) fn watch(
        &self,
        arm: &LoadedArm,
        steady: Instant,
        moments: &Moments,
    ) -> RecoveryWatch {
        let times = measure::Moments {
            steady_us: self.us(steady),
            requested_us: self.us(moments.requested),
            cleared_us: self.us(moments.cleared),
        };
        let first = self.first_at(times.steady_us);
        let before = arm.since(first, self.deadline());
        RecoveryWatch::new(&self.load, times, first, &before)
    }

    /// The injection of an entry of the schedule, with its moments and of no arm yet.
    pub(crate) fn injection(
        &self,
        planned: usize,
        steady: Instant,
        moments: &Moments,
        ended: Instant,
    ) -> Injection {
        let us = |at: Instant| self.us(at);
        Injection {
            planned,
            fault: self.stage.run.schedule[planned].name.clone(),
            arm: String::new(),
            started_us: self.started_us(),
            steady_us: us(steady),
            requested_us: us(moments.requested),
            injected_us: us(moments.injected),
            cleared_us: us(moments.cleared),
            ready_us: us(moments.ready),
            ended_us: us(ended),
            spans: moments.spans(us),
            not_steady_after: None,
            operations: Operations::default(),
            breaker: Vec::new(),
            attempts: Attempts::default(),
            attempts_down: None,
            sessions: Vec::new(),
            beside: None,
            ledger: None,
        }
    }
}
