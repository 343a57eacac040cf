//! A sweep of batch sizes: one condition after another, in random order, and in each of
//! them round after round, with every way once in random order.
//!
//! What the server counts is asked before the rounds, one way at a time. That is also
//! the warm-up, and it says how long a batch takes: so a size that would take too long
//! is left out before it is tried.

use std::time::Duration;

use engine::{Pool, clock};
use reports::record::{BatchSweep, Class, Condition, Ended, How, LeftOut, Mode, Round, Size, What};

use super::{Interrupted, Stage, Stop};
use crate::{
    environment::Endpoint,
    load::{
        batch::{
            BatchError, Queries, Until, Way, empty_events,
            plan::{Plan, Wanted, condition_name},
            pool, prime, round_trip, synchronous_commit, tables, truth, try_all,
        },
        workload::{Workload, WorkloadError},
    },
};

/// Most rounds of a condition: more say nothing new.
const MOST_ROUNDS: usize = 30;
/// The guide's size may take so many times as long as others.
const OF_GUIDE: u32 = 3;
/// Queries that an automatic size may have waiting: twice what its own window holds,
/// which is the rate times one and a quarter round trips and 2 ms (`engine::pipeline`),
/// and no fewer than keep it going.
const LEAST_WAITING: usize = 64;
const MOST_WAITING: usize = 10_000;
const WAITING: Duration = Duration::from_millis(10);
/// Slices and round trips that an automatic size is given to find itself: it doubles
/// every 20 ms or two round trips at best (`engine::pipeline`), and a thousand is six
/// times from where it begins.
const LEARNING: u32 = 4;

/// What a record has of a sweep before anything was measured.
pub(super) fn nothing_yet(plan: &Plan) -> BatchSweep {
    BatchSweep {
        classes: plan.classes.clone(),
        conditions: Vec::new(),
    }
}

/// Makes the tables of the guide's classes, or tries the user's statements.
///
/// # Errors
/// If the server does not take them.
pub(super) async fn prepare(
    plan: &Plan,
    direct: &Endpoint,
    workload: &Workload,
) -> Result<(), WorkloadError> {
    if plan.classes.iter().any(|class| class.guide_batch.is_some()) {
        let sql = tables(workload.schema());
        workload.beside(direct, "making", &sql).await?;
    }
    try_all(&plan.classes, direct).await
}

/// Carries the whole of it out. What was measured is in the record, also where this is
/// an error.
pub(super) async fn carry_out(stage: &mut Stage<'_>, plan: &Plan) -> Result<(), Stop> {
    stage.save()?;
    let mut rng = fastrand::Rng::with_seed(stage.scenario.seed);
    let mut order: Vec<usize> = (0..plan.conditions.len()).collect();
    rng.shuffle(&mut order);
    let end = clock::now() + plan.budget;
    let mut carried_out = Vec::new();
    for (done, index) in order.iter().enumerate() {
        let wanted = &plan.conditions[*index];
        let left = u32::try_from(order.len() - done).unwrap_or(u32::MAX);
        let share = end.saturating_duration_since(clock::now()) / left;
        let mut measured = Measured {
            stage,
            plan,
            wanted,
            rng: rng.fork(),
            condition: empty(plan, wanted),
            ways: Vec::new(),
        };
        let subject = condition_name(measured.class(), wanted);
        let began = clock::now();
        stage.events.of(&subject, began, What::LoadStarted);
        let through = tokio::select! {
            biased;
            () = stage.interrupt.raised() => Err(Interrupted.into()),
            through = measured.through(share) => through,
        };
        let condition = measured.condition;
        stage.events.of(&subject, clock::now(), What::LoadEnded);
        if !condition.rounds.is_empty() {
            carried_out.push((*index, condition));
            // As it is reported, not as it was measured.
            carried_out.sort_by_key(|(index, _)| *index);
            if let Some(batches) = &mut stage.record.batches {
                batches.conditions = carried_out.iter().map(|(_, c)| c.clone()).collect();
            }
            stage.save()?;
        }
        through?;
    }
    stage.record.ended = Ended::Complete;
    Ok(())
}

fn empty(plan: &Plan, wanted: &Wanted) -> Condition {
    let us = |duration: Duration| u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
    Condition {
        class: plan.classes[wanted.class].name.clone(),
        rtt_us: us(wanted.rtt),
        measured_rtt_us: 0,
        synchronous_commit: wanted.synchronous_commit,
        rounds: Vec::new(),
        truth: Vec::new(),
        left_out: Vec::new(),
    }
}

/// A condition that is being measured.
struct Measured<'a> {
    stage: &'a Stage<'a>,
    plan: &'a Plan,
    wanted: &'a Wanted,
    rng: fastrand::Rng,
    condition: Condition,
    /// The ways that are measured, and how long a query took with each.
    ways: Vec<(Way, Duration)>,
}

impl Measured<'_> {
    fn class(&self) -> &Class {
        &self.plan.classes[self.wanted.class]
    }

    /// All of it, within `share` if that is enough for all rounds that are needed.
    async fn through(&mut self, share: Duration) -> Result<(), Stop> {
        let (began, wanted) = (clock::now(), self.wanted);
        let stage = self.stage;
        let direct = stage.environment.endpoint();
        stage.toxics.lengthen(wanted.rtt).await?;
        let proxied = direct.through(stage.toxics.port());
        let rtt = round_trip(&proxied).await?;
        self.condition.measured_rtt_us = u64::try_from(rtt.as_micros()).unwrap_or(u64::MAX);
        let class = &self.plan.classes[wanted.class];
        let schema = stage.workload.schema();
        let of_guide = class.guide_batch.is_some();
        if of_guide {
            let sql = empty_events(schema);
            stage.workload.beside(direct, "emptying", &sql).await?;
        }
        let schema = of_guide.then_some(schema);
        let commit = wanted.synchronous_commit;
        let pool = pool(&proxied, schema, commit, self.rng.fork())?;
        synchronous_commit(&pool, commit).await?;
        let mut queries = Queries::new(class, self.rng.fork());
        prime(&pool, &mut queries, &wanted.ways).await?;
        self.count(&pool, &mut queries, rtt).await?;
        let rest = share.saturating_sub(clock::now() - began);
        let batch = |(way, one): &(Way, Duration)| *one * in_a_batch(way.how);
        let batches: Vec<Duration> = self.ways.iter().map(batch).collect();
        let slice = self.plan.slice_in(rest, &batches);
        loop {
            let rounds = self.condition.rounds.len();
            let so_far = clock::now() - began;
            // Another one may take as long as those before, with what came before them.
            let late = so_far + so_far / u32::try_from(rounds.max(1)).unwrap_or(1) > share;
            if rounds >= self.plan.rounds as usize && (late || rounds >= MOST_ROUNDS) {
                return Ok(());
            }
            let round = self.round(&pool, &mut queries, slice).await?;
            self.condition.rounds.push(round);
        }
    }

    /// What the server counts, each way; leaves out what would take too long.
    async fn count(
        &mut self,
        pool: &Pool,
        queries: &mut Queries<'_>,
        rtt: Duration,
    ) -> Result<(), BatchError> {
        for how in &self.wanted.ways {
            if let Some(reason) = self.too_long(*how) {
                self.condition.left_out.push(LeftOut { how: *how, reason });
                continue;
            }
            let mut way = if is_auto(*how) {
                self.learnt(pool, queries, *how, rtt).await?
            } else {
                Way::new(pool, queries, *how, LEAST_WAITING)?
            };
            let (counted, slice) = truth(pool, queries, &mut way).await?;
            let queries = u32::try_from(slice.queries.max(1)).unwrap_or(u32::MAX);
            let one = Duration::from_micros(slice.took_us) / queries;
            self.ways.push((way, one));
            self.condition.truth.push(counted);
        }
        Ok(())
    }

    /// Why a size is not tried, if its batch would take too long: a query of a smaller
    /// batch takes no less time than one of a larger.
    fn too_long(&self, how: How) -> Option<String> {
        let How::Pipelined { mode, size } = how else {
            return None;
        };
        let Size::Fixed(n) = size else { return None };
        let one = self.fastest(mode)?;
        // What the guide recommends is what is asked about.
        let of_guide = self.class().guide_batch == Some(n);
        let longest = self.plan.longest_batch * if of_guide { OF_GUIDE } else { 1 };
        let batch = one * n;
        (batch > longest).then(|| {
            format!(
                "a batch of {n} takes about {:.1} s here, and every slice is of whole batches: \
                 more than {:.2} s would make the run too long",
                batch.as_secs_f64(),
                longest.as_secs_f64()
            )
        })
    }

    /// What a query takes in the best size of a mode so far.
    fn fastest(&self, mode: Mode) -> Option<Duration> {
        let of_mode = |how| matches!(how, How::Pipelined { mode: m, .. } if m == mode);
        let of_mode = self.ways.iter().filter(|(way, _)| of_mode(way.how));
        of_mode.map(|(_, one)| *one).min()
    }

    /// An automatic size that has found itself. How many queries it may have waiting
    /// follows from the best fixed size; where it is much slower than that, from itself.
    async fn learnt(
        &self,
        pool: &Pool,
        queries: &mut Queries<'_>,
        how: How,
        rtt: Duration,
    ) -> Result<Way, BatchError> {
        let time = Until::Time(LEARNING * (self.plan.slice + rtt));
        let best = match how {
            How::Pipelined { mode, .. } => self.fastest(mode),
            How::Sequential => None,
        };
        let waiting = room(best.unwrap_or(WAITING), rtt);
        let mut way = Way::new(pool, queries, how, waiting)?;
        let slice = way.run(pool, queries, time).await?;
        let n = u32::try_from(slice.queries.max(1)).unwrap_or(u32::MAX);
        let own = room(Duration::from_micros(slice.took_us) / n, rtt);
        if 2 * own < waiting {
            way = Way::new(pool, queries, how, own)?;
            way.run(pool, queries, time).await?;
        }
        Ok(way)
    }

    /// Every way once, one at a time twice.
    async fn round(
        &mut self,
        pool: &Pool,
        queries: &mut Queries<'_>,
        slice: Duration,
    ) -> Result<Round, BatchError> {
        let mut order: Vec<usize> = (0..self.ways.len()).collect();
        let again = |i: &usize| self.ways[*i].0.how == How::Sequential;
        let again: Vec<usize> = order.iter().copied().filter(again).collect();
        order.extend(again);
        self.rng.shuffle(&mut order);
        let mut slices = Vec::with_capacity(order.len());
        for i in order {
            let (way, _) = &mut self.ways[i];
            slices.push(way.run(pool, queries, Until::Time(slice)).await?);
        }
        Ok(Round { slices })
    }
}

/// How many queries an automatic size may have waiting where one takes so long.
fn room(one: Duration, rtt: Duration) -> usize {
    let n = (2 * (rtt + WAITING)).as_nanos() / one.as_nanos().max(1);
    let n = usize::try_from(n).unwrap_or(MOST_WAITING);
    n.clamp(LEAST_WAITING, MOST_WAITING)
}

fn is_auto(how: How) -> bool {
    let auto = Size::Auto;
    matches!(how, How::Pipelined { size, .. } if size == auto)
}

fn in_a_batch(how: How) -> u32 {
    match how {
        How::Pipelined {
            size: Size::Fixed(n),
            ..
        } => n,
        _ => 1,
    }
}
