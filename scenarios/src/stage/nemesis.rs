//! Does the faults of an entry of the plan and undoes them, each at its own time,
//! with probes beside it that say when it is in effect and when it is gone.
//!
//! Invariants: a fault that cannot be seen is an error, never a measurement; what
//! was done is undone by [`undo`], however far it was done.

use std::{
    panic::AssertUnwindSafe,
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use futures_util::{
    FutureExt as _, StreamExt as _, future::try_join_all, stream::FuturesUnordered,
};
use reports::run::{Planned, Step, What};
use seawall::clock::{self, Instant};

use super::{Interrupted, Stage, Stop};
use crate::environment::chain;
use crate::faults::{
    Kind,
    kind::Act,
    probe::{Check, Met, Probed, probe},
    strangers::Held,
};

/// Longest wait for a fault to be in effect, or gone.
const EFFECT: Duration = Duration::from_secs(20);
/// A probe begins this long after the one before, answered or not.
const PROBE_EVERY: Duration = Duration::from_millis(20);
/// Probes under way at once, at most: each costs the server a process, and a
/// hundred a second kept one that was just coming back from coming back.
const PROBES: usize = 6;

/// When a fault was what.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seen {
    pub(super) kind: &'static Kind,
    pub(super) requested: Instant,
    pub(super) effective: Instant,
    pub(super) gone: Instant,
    /// The server did what it was asked again.
    pub(super) ready: Instant,
}

/// An entry of the plan that is being carried out.
pub(super) struct Nemesis<'a> {
    stage: &'a Stage<'a>,
    planned: usize,
    plan: &'a Planned,
    /// From here on the steps' phases count.
    zero: Instant,
    /// Faults of the server in force: what they do may hide what the network does.
    hiding: AtomicUsize,
}

impl<'a> Nemesis<'a> {
    /// An entry of the stage's schedule, whose steps begin to count at `zero`.
    pub(super) fn new(stage: &'a Stage<'a>, planned: usize, zero: Instant) -> Self {
        Self {
            stage,
            planned,
            plan: &stage.run.schedule[planned],
            zero,
            hiding: AtomicUsize::new(0),
        }
    }

    /// Carries all of it out. Not cancel safe: [`undo`] is owed then, and after an
    /// error.
    pub(super) async fn carry_out(&self) -> Result<Vec<Seen>, Stop> {
        let steps = self.plan.faults.iter().enumerate();
        try_join_all(steps.map(|(i, step)| self.one(i, step))).await
    }

    async fn one(&self, index: usize, step: &Step) -> Result<Seen, Stop> {
        let kind = known(step)?;
        let fault = || kind.name.to_owned();
        clock::sleep_until(self.zero + Duration::from_micros(step.phase_us)).await;
        let requested = clock::now();
        self.tell(requested, What::FaultRequested { fault: fault() });
        let (held, met) = self.inject(index, kind, step).await?;
        let hides = !kind.is_of_network();
        self.hiding.fetch_add(usize::from(hides), Ordering::Relaxed);
        let effective = met.began.max(requested);
        self.tell(effective, What::FaultEffective { fault: fault() });
        self.note(&met);

        clock::sleep_until(effective + Duration::from_micros(step.length_us)).await;
        self.tell(clock::now(), What::FaultRollback { fault: fault() });
        self.hiding.fetch_sub(usize::from(hides), Ordering::Relaxed);
        let (gone, ready) = self.roll_back(index, kind, step, held).await?;
        self.tell(gone.ended, What::FaultCleared { fault: fault() });
        self.note(&gone);
        Ok(Seen {
            kind,
            requested,
            effective,
            gone: gone.ended,
            ready: ready.ended,
        })
    }

    fn tell(&self, at: Instant, what: What) {
        self.stage.events.all(Some(self.planned), at, what);
    }

    fn note(&self, probed: &Probed) {
        let took_us = u64::try_from(probed.took().as_micros()).unwrap_or(u64::MAX);
        let met = probed.met.name().to_owned();
        self.tell(probed.ended, What::Probe { met, took_us });
    }

    /// Does the fault, and returns what keeps it in force and the first probe that
    /// met it.
    async fn inject(
        &self,
        index: usize,
        kind: &'static Kind,
        step: &Step,
    ) -> Result<(Held, Probed), Stop> {
        let stage = self.stage;
        let doing = async {
            match &kind.act {
                Act::Network(_) => {
                    let done = stage.toxics.inject(&name(index, step), kind, step).await;
                    done.map(|()| Default::default()).map_err(Stop::from)
                }
                Act::Session { .. } => {
                    let rng = self.generator(index);
                    let done = stage.sessions.inject(kind, step, rng).await;
                    done.map_err(Stop::from)
                }
                Act::Process { inject, .. } => {
                    let done = inject(&stage.environment).await;
                    done.map(|()| Default::default()).map_err(Stop::from)
                }
            }
        };
        let network = kind.is_of_network();
        let asking = async {
            let Some(check) = kind.check.map(|check| check(step, &stage.workload)) else {
                return Ok(None);
            };
            let hidden = || network && self.hiding.load(Ordering::Relaxed) > 0;
            let met = self.first(&check, clock::now(), |met| {
                check.in_effect.contains(&met) || (hidden() && met != Met::Ready)
            });
            met.await.map(Some).map_err(|met| Stop::NotEffective {
                kind,
                met,
                within: EFFECT,
            })
        };
        let ((held, met), probed) = tokio::try_join!(doing, asking)?;
        let probed = probed.or(met).ok_or(Stop::NotEffective {
            kind,
            met: "nothing",
            within: EFFECT,
        })?;
        Ok((held, probed))
    }

    /// Takes the fault back, and returns the first probe that saw it gone, and the
    /// first that met a server that does what it is asked.
    async fn roll_back(
        &self,
        index: usize,
        kind: &'static Kind,
        step: &Step,
        held: Held,
    ) -> Result<(Probed, Probed), Stop> {
        let check = kind.check.map(|check| check(step, &self.stage.workload));
        let check = check.unwrap_or_else(Check::session);
        // While another fault of the entry stands, this one cannot be seen to be gone.
        let length_us = self.plan.phase_us() + self.plan.length_us();
        let from = clock::now().max(self.zero + Duration::from_micros(length_us));
        let process = kind.is_of_process();
        let asking = async {
            let gone = |met| met == Met::Ready || (process && met == Met::Starting);
            let gone = self.first(&check, from, gone).await?;
            if gone.met == Met::Ready {
                return Ok((gone, gone));
            }
            let ready = self.first(&check, from, |met| met == Met::Ready).await?;
            Ok((gone, ready))
        };
        // A failed undoing says more than what is met after it, so it ends the wait.
        let undone = async {
            let undone = undo_one(self.stage, index, kind, step, Some(held)).await;
            undone.map_err(Err)
        };
        let asked = async { asking.await.map_err(Ok) };
        match tokio::try_join!(undone, asked) {
            Ok(((), probed)) => Ok(probed),
            Err(Err(stop)) => Err(stop),
            Err(Ok(met)) => Err(Stop::NotCleared {
                kind,
                met,
                within: EFFECT,
                log: self.stage.environment.log_tail().await,
            }),
        }
    }

    /// Probes until one meets what is wanted: a new one every [`PROBE_EVERY`],
    /// whether the last was answered or not, so that one that hangs hides nothing.
    ///
    /// # Errors
    /// What the last one met, if none did within [`EFFECT`] from `from` on.
    async fn first(
        &self,
        check: &Check,
        from: Instant,
        wanted: impl Fn(Met) -> bool,
    ) -> Result<Probed, &'static str> {
        let direct = self.stage.environment.endpoint();
        let endpoint = if check.through_proxy {
            direct.through(self.stage.toxics.port())
        } else {
            direct.clone()
        };
        let give_up = from + EFFECT;
        let mut next = clock::now();
        let mut under_way = FuturesUnordered::new();
        let mut last = "nothing";
        loop {
            tokio::select! {
                biased;
                Some(probed) = under_way.next() => {
                    let probed: Probed = probed;
                    if wanted(probed.met) {
                        return Ok(probed);
                    }
                    last = probed.met.name();
                }
                () = clock::sleep_until(next), if under_way.len() < PROBES => {
                    if clock::now() >= give_up {
                        return Err(last);
                    }
                    under_way.push(probe(&endpoint, &check.look, check.patience));
                    next = clock::now() + PROBE_EVERY;
                }
            }
        }
    }

    fn generator(&self, index: usize) -> fastrand::Rng {
        let number = (self.planned as u64) << 16 | index as u64;
        // An odd constant spreads neighbours apart: the fractional digits of the
        // golden ratio (Knuth, TAOCP 3, section 6.4).
        let mixed = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        fastrand::Rng::with_seed(self.stage.run.seed ^ mixed)
    }
}

impl Stage<'_> {
    /// Does an entry of the schedule and undoes it, also if that fails half-way. Nobody is
    /// under load by it.
    ///
    /// # Errors
    /// If a fault could not be done or undone, or was not seen, or the user wants to stop.
    pub(crate) async fn fault(&self, planned: usize) -> Result<(), Stop> {
        let nemesis = Nemesis::new(self, planned, clock::now());
        let carried_out = async {
            tokio::select! {
                biased;
                () = self.interrupt.raised() => Err(Interrupted.into()),
                seen = nemesis.carry_out() => seen.map(drop),
            }
        };
        // A panic of ours must not leave the fault in somebody's server.
        let carried_out = AssertUnwindSafe(carried_out).catch_unwind().await;
        let carried_out = carried_out.unwrap_or(Err(Stop::Panicked));
        if carried_out.is_err() {
            // The error that led here says better what is wrong.
            self.take_back(planned).await;
        }
        carried_out
    }

    /// Undoes an entry of the schedule, however far it was done. What fails is logged.
    pub(crate) async fn take_back(&self, planned: usize) {
        if let Err(error) = undo(self, planned).await {
            tracing::warn!(error = chain(&error), "taking a fault back");
        }
    }
}

/// Takes all faults of an entry of the schedule back, however far they were done.
///
/// # Errors
/// The first that could not be taken back; the others were tried.
async fn undo(stage: &Stage<'_>, planned: usize) -> Result<(), Stop> {
    let mut undone = Ok(());
    let mut steps = Vec::new();
    for (index, step) in stage.run.schedule[planned].faults.iter().enumerate() {
        match known(step) {
            Ok(kind) => steps.push((index, kind, step)),
            // It was not done either.
            Err(stop) => undone = undone.and(Err(stop)),
        }
    }
    // A session's fault is undone on a server that is there again, so the server's
    // own come first.
    steps.sort_by_key(|(_, kind, _)| !kind.is_of_process());
    for (index, kind, step) in steps {
        undone = undone.and(undo_one(stage, index, kind, step, None).await);
    }
    undone
}

/// Takes a fault back. Where it was not done, nothing changes.
async fn undo_one(
    stage: &Stage<'_>,
    index: usize,
    kind: &'static Kind,
    step: &Step,
    held: Option<Held>,
) -> Result<(), Stop> {
    match &kind.act {
        Act::Network(_) => {
            let undone = stage.toxics.rollback(&name(index, step), kind).await;
            undone.map_err(Stop::from)
        }
        Act::Session { .. } => stage.sessions.undo(kind, held).await.map_err(Stop::from),
        Act::Process { undo, .. } => undo(&stage.environment).await.map_err(Stop::from),
    }
}

/// The kind of a step of the schedule.
fn known(step: &Step) -> Result<&'static Kind, Stop> {
    Kind::named(&step.kind).ok_or_else(|| Stop::UnknownFault(step.kind.clone()))
}

/// What a fault is called in the proxy.
fn name(index: usize, step: &Step) -> String {
    format!("{}-{index}", step.kind)
}
