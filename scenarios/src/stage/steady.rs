//! Waits until arms under load are served, and tells an arm that is not from a machine that
//! is too busy for any.

use std::time::Duration;

use reports::{
    measure::{NotSteady, SteadyState, steady},
    run::{BreakerState, What},
};
use seawall::clock::{self, Instant};

use super::{Loaded, LoadedArm, Stop, loaded::ASKED};

/// Four windows, and a little for the last answers to come in.
pub(crate) const STEADY_SPAN: Duration = Duration::from_millis(1_030);
/// How much longer the last answers take where operations hold their sessions.
const HELD: Duration = Duration::from_millis(470);
/// Longest wait for a load to be served as it should be.
const STEADY_PATIENCE: Duration = Duration::from_secs(15);

impl Loaded<'_, '_> {
    /// Waits until every arm is served as it should be; returns since when.
    ///
    /// # Errors
    /// [`Stop::NoSteadyState`] if that takes too long.
    pub(crate) async fn until_steady(&mut self) -> Result<Instant, Stop> {
        if self.load.clients.is_some() {
            return self.until_warm().await;
        }
        let (stage, load, deadline) = (self.stage, self.load.clone(), self.deadline());
        let give_up = self.start + STEADY_PATIENCE;
        let held = if load.mix.holds > 0.0 {
            HELD
        } else {
            Duration::ZERO
        };
        let looked_at = STEADY_SPAN + held;
        let mut next = self.start + looked_at;
        // Who was served at some time: a pool without deadlines is not at every moment.
        let mut ever = vec![false; self.arms.len()];
        loop {
            self.until(next).await?;
            let now = clock::now();
            let from = now - looked_at;
            let first = self.first_at(self.us(from));
            let span = self.us(from)..self.us(now);
            let mut all = Vec::new();
            for arm in &self.arms {
                let served = steady(&load, first, &arm.since(first, deadline), span.clone());
                all.push((arm.name.as_str(), served));
            }
            for (ever, (_, served)) in ever.iter_mut().zip(&all) {
                *ever |= served.is_ok();
            }
            if all.iter().all(|(_, served)| served.is_ok()) {
                for (arm, served) in all {
                    if let Ok(served) = served {
                        let (ok_share, p99_us) = (served.ok_share, served.p99_us);
                        let what = What::SteadyState { ok_share, p99_us };
                        stage.events.arm(self.planned, arm, now, what);
                    }
                }
                return Ok(from.max(self.start));
            }
            if now >= give_up {
                self.told_apart(&all, &ever)?;
                let not: Vec<String> = all
                    .into_iter()
                    .filter_map(|(arm, served)| Some(format!("{arm}: {}", served.err()?)))
                    .collect();
                let not = not.join("; ");
                return Err(match self.unserved_alone(&not).await? {
                    Some(unserved) => unserved,
                    None => Stop::NoSteadyState(not),
                });
            }
            next = now + ASKED;
        }
    }

    /// Waits until callers of a closed loop have had some answers, for as long as an open loop
    /// is looked at; returns that moment.
    async fn until_warm(&mut self) -> Result<Instant, Stop> {
        let (start, deadline) = (self.start, self.deadline());
        self.until(start + STEADY_SPAN).await?;
        let served = |_: usize, arm: &LoadedArm| arm.since(0, deadline).outcomes.contains('o');
        self.until_all(start + STEADY_PATIENCE, served).await?;
        let unserved = self.arms.iter().enumerate();
        let unserved = unserved.filter(|(i, arm)| !served(*i, arm));
        let names: Vec<&str> = unserved.map(|(_, arm)| arm.name.as_str()).collect();
        if names.is_empty() {
            return Ok(clock::now());
        }
        Err(Stop::NoSteadyState(format!(
            "{}: no caller was answered without error",
            names.join(", ")
        )))
    }

    /// Whether it is the engine's doing that an arm is not served: the others are.
    fn told_apart(
        &self,
        all: &[(&str, Result<SteadyState, NotSteady>)],
        ever: &[bool],
    ) -> Result<(), Stop> {
        let engine = |i: &usize| self.arms[*i].client().engine().is_some();
        let served = |i: &usize| ever[*i];
        let without: Vec<usize> = (0..all.len()).filter(|i| !engine(i)).collect();
        if without.is_empty() || !without.iter().all(served) {
            return Ok(());
        }
        let not = (0..all.len()).find(|i| engine(i) && !served(i));
        let Some((arm, Some(reason))) = not.map(|i| (&self.arms[i], all[i].1.as_ref().err()))
        else {
            return Ok(());
        };
        Err(unserved(arm, reason.to_string()))
    }

    /// The same of an arm of the engine that is under load alone: one without the engine is put
    /// under the same load in its place, for as long as it takes to be served. `None` if that is
    /// not served either.
    async fn unserved_alone(&self, reason: &str) -> Result<Option<Stop>, Stop> {
        let (Some(control), [arm]) = (self.stage.arm_without_engine(), &self.arms[..]) else {
            return Ok(None);
        };
        if arm.client().engine().is_none() {
            return Ok(None);
        }
        arm.stop();
        let control = [control.to_owned()];
        let mut control = Loaded::start(self.stage, &self.load, self.planned, &control).await?;
        let served = Box::pin(control.until_steady()).await;
        control.finish(clock::now()).await?;
        match served {
            Ok(_) => Ok(Some(unserved(arm, reason.to_owned()))),
            Err(Stop::NoSteadyState(_)) => Ok(None),
            Err(stop) => Err(stop),
        }
    }
}

fn unserved(arm: &LoadedArm, reason: String) -> Stop {
    let opened = arm.breaker.iter().filter(|t| t.state == BreakerState::Open);
    Stop::Unserved {
        arm: arm.name.clone(),
        reason,
        opened: u32::try_from(opened.count()).unwrap_or(u32::MAX),
    }
}
