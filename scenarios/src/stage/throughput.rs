//! Says once a second what becomes of a load, and notes how long its operations took.

use std::time::Duration;

use reports::run::{ArmThroughput, What};
use seawall::clock::Instant;

use super::{Loaded, events::micros};

/// How often it is said.
const EACH: Duration = Duration::from_secs(1);

impl Loaded<'_, '_> {
    /// Says it if it is time for that.
    pub(super) fn tell_throughput_each_second(&mut self, now: Instant) {
        if now >= self.counted + EACH {
            self.tell_throughput(now);
        }
    }

    /// Says what has become of the load since that was last said.
    pub(super) fn tell_throughput(&mut self, now: Instant) {
        let over = (self.counted, now);
        let over_us = micros(now, self.counted);
        self.counted = now;
        for arm in &mut self.arms {
            arm.load.swap_interval(&mut arm.interval);
            self.stage.latencies.note(&arm.name, over, &arm.interval);
            arm.interval.clear();
        }
        let arms = self.arms.iter_mut().map(|arm| {
            let counts = arm.load.counts();
            let before = std::mem::replace(&mut arm.counted, counts);
            ArmThroughput {
                arm: arm.name.clone(),
                ok: counts.ok - before.ok,
                not_ok: counts.not_ok - before.not_ok,
                in_flight: counts.in_flight(),
            }
        });
        let arms = arms.collect();
        let what = What::Throughput { over_us, arms };
        self.stage.events.all(self.planned, now, what);
    }
}
