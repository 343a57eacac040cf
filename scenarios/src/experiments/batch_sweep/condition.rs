//! One condition after another, in random order, and in each of
//! them round after round, with every way in random order. In the end, every row that
//! was written is looked for.
//!
//! What the server counts is asked before the rounds, one way at a time. That is also
//! the warm-up, and it says how long a batch takes: so a size that would take too long
//! is left out before it is tried.

use std::time::Duration;

use reports::{
    experiments::batch_sweep::{Class, Condition, Data, How, LeftOut, Mode, Round, Size},
    run::What,
};
use seawall::clock::{self, Instant};

use super::{
    BatchError, Queries, Until, Way, afresh,
    link::Link,
    look::look,
    plan::{self, FEWEST_WAITING, Plan, Wanted, condition_name},
    prime, round_trip, truth,
};
use crate::{
    load::scripts::Weighted,
    stage::{Interrupted, Stage, Step, Stop},
};

/// Queries that an automatic size may have waiting: twice what its own window holds,
/// which is the rate times a round trip and some milliseconds (`seawall::pipeline`),
/// and no fewer than keep it going, unless those would take too long.
const LEAST_WAITING: usize = 64;
const MOST_WAITING: usize = 10_000;
const WAITING: Duration = Duration::from_millis(10);
/// Slices and round trips that an automatic size is given to find itself: it doubles
/// every 20 ms or two round trips at best (`seawall::pipeline`), and a thousand is six
/// times from where it begins.
const LEARNING: u32 = 4;

/// How a plan is carried out beside what is in it.
pub(crate) struct Course<'a> {
    /// The order of conditions and of slices is drawn from it.
    pub(crate) seed: u64,
    /// No condition goes on after this moment, whatever rounds it has.
    pub(crate) until: Option<Instant>,
    /// Writes the record after each condition.
    pub(crate) save: &'a (dyn Fn(&Stage<'_>, &Data) + Sync),
}

/// Carries the whole of it out. What was measured is in the record, also where this is
/// an error.
pub(crate) async fn carry_out(
    stage: &Stage<'_>,
    plan: &Plan,
    data: &mut Data,
    course: &Course<'_>,
) -> Result<(), Stop> {
    let plan = &as_it_writes(stage, plan);
    data.classes.clone_from(&plan.classes);
    let mut rng = fastrand::Rng::with_seed(course.seed);
    let mut order: Vec<usize> = (0..plan.conditions.len()).collect();
    rng.shuffle(&mut order);
    let end = clock::now() + plan.budget;
    let mut carried_out = Vec::new();
    for (done, index) in order.iter().enumerate() {
        if course.until.is_some_and(|until| clock::now() >= until) {
            break;
        }
        let wanted = &plan.conditions[*index];
        let left = u32::try_from(order.len() - done).unwrap_or(u32::MAX);
        let share = end.saturating_duration_since(clock::now()) / left;
        let mut measured = Measured {
            stage,
            plan,
            wanted,
            index: *index,
            rng: rng.fork(),
            condition: empty(plan, wanted),
            ways: Vec::new(),
        };
        let subject = condition_name(measured.class(), wanted);
        stage.step(Step {
            unit: "condition",
            done,
            of: order.len(),
            subject: &subject,
            left: Some(end.saturating_duration_since(clock::now())),
        });
        let through = tokio::select! {
            biased;
            () = stage.interrupt.raised() => Err(Interrupted.into()),
            () = at(course.until) => Ok(()),
            through = measured.through(share) => through,
        };
        for (way, _) in &measured.ways {
            if let Some(reason) = &way.first_error {
                let reason = format!("{}: {reason}", plan::name(way.how));
                let what = What::QueryFailed { reason };
                stage.events.of(&subject, clock::now(), what);
            }
        }
        let condition = measured.condition;
        stage.events.of(&subject, clock::now(), What::LoadEnded);
        if !condition.rounds.is_empty() {
            carried_out.push((*index, condition));
            // As it is reported, not as it was measured.
            carried_out.sort_by_key(|(index, _)| *index);
            data.conditions = carried_out.iter().map(|(_, c)| c.clone()).collect();
            (course.save)(stage, data);
        }
        through?;
    }
    Ok(())
}

/// Waits until a moment, or for ever if there is none.
async fn at(moment: Option<Instant>) {
    match moment {
        Some(moment) => clock::sleep_until(moment).await,
        None => std::future::pending().await,
    }
}

/// The plan, with what was found of the user's scripts that do not look as if they wrote.
fn as_it_writes(stage: &Stage<'_>, plan: &Plan) -> Plan {
    let scripts = stage.workload.scripts();
    let script = |class: &Class| scripts.and_then(|all| all.named(&class.name));
    let writes = |class: &Class| script(class).is_some_and(Weighted::writes);
    let classes = plan.classes.iter().enumerate();
    let writing = classes.filter(|(_, class)| !class.writes && writes(class));
    let writing: Vec<usize> = writing.map(|(index, _)| index).collect();
    plan.clone().with_writing(&writing)
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
        ledger: None,
    }
}

/// A condition that is being measured.
struct Measured<'a> {
    stage: &'a Stage<'a>,
    plan: &'a Plan,
    wanted: &'a Wanted,
    /// Index into the plan's conditions.
    index: usize,
    rng: fastrand::Rng,
    condition: Condition,
    /// The ways that are measured, and how long a query took with each.
    ways: Vec<(Way, Duration)>,
}

impl Measured<'_> {
    fn class(&self) -> &Class {
        &self.plan.classes[self.wanted.class]
    }

    /// All of it, within `share` if that is enough for all rounds that are needed. What
    /// of the user's takes much longer has fewer: see [`Plan::another`].
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
        if !of_guide && class.writes {
            stage.put_back().await?;
        }
        if of_guide && class.writes {
            let sql = afresh(schema);
            stage.workload.beside(direct, "emptying", &sql).await?;
        }
        let searched = of_guide.then_some(schema);
        let commit = wanted.synchronous_commit;
        let rng = self.rng.fork();
        let mut link = Link::connect(&proxied, searched, commit, rng).await?;
        let names = (stage.workload.run, self.index);
        let scripts = stage.workload.scripts();
        let mut queries = Queries::new(class, scripts, names, self.rng.fork());
        let longest = self.plan.longest(class, Size::Fixed(1));
        prime(&mut link, &mut queries, &wanted.ways, longest).await?;
        self.count(&mut link, &mut queries, rtt).await?;
        let rest = share.saturating_sub(clock::now() - began);
        let cycle = queries.cycle();
        let shortest = |(way, one): &(Way, Duration)| {
            let fewest = plan::fewest(way.how, cycle);
            one.saturating_mul(u32::try_from(fewest).unwrap_or(u32::MAX))
        };
        let batches: Vec<Duration> = self.ways.iter().map(shortest).collect();
        let slice = self.plan.slice_in(rest, &batches);
        let counted = clock::now();
        loop {
            let (rounds, now) = (self.condition.rounds.len(), clock::now());
            let (spent, in_rounds) = (now - began, now - counted);
            if !self.plan.another(class, rounds, spent, in_rounds, share) {
                break;
            }
            let round = self.round(&mut link, &mut queries, slice).await?;
            self.condition.rounds.push(round);
        }
        look(direct, schema, &mut queries).await?;
        self.condition.ledger = queries.ledger();
        Ok(())
    }

    /// What the server counts, each way; leaves out what would take too long.
    async fn count(
        &mut self,
        link: &mut Link,
        queries: &mut Queries<'_>,
        rtt: Duration,
    ) -> Result<(), BatchError> {
        let at_most = self.plan.counting(self.wanted.ways.len());
        for how in &self.wanted.ways {
            if let Some(reason) = self.too_long(*how, queries.cycle()) {
                self.condition.left_out.push(LeftOut { how: *how, reason });
                continue;
            }
            let mut way = if is_auto(*how) {
                self.learnt(link, queries, *how, rtt).await?
            } else {
                Way::new(&link.pool, queries, *how, LEAST_WAITING)?
            };
            let (counted, slice) = truth(link, queries, &mut way, at_most).await?;
            let queries = u32::try_from(slice.queries.max(1)).unwrap_or(u32::MAX);
            let one = Duration::from_micros(slice.took_us) / queries;
            self.ways.push((way, one));
            self.condition.truth.push(counted);
        }
        Ok(())
    }

    /// Why a size is not tried, if its batch would take too long: a query of a smaller
    /// batch takes no less time than one of a larger, and one of its own about as long
    /// as a batch of one.
    fn too_long(&self, how: How, cycle: u64) -> Option<String> {
        let How::Pipelined { mode, size } = how else {
            return None;
        };
        let one = self.fastest(mode).or_else(|| self.at_a_time())?;
        let longest = self.plan.longest(self.class(), size);
        plan::too_long(how, cycle, one, longest)
    }

    /// What a query takes one at a time.
    fn at_a_time(&self) -> Option<Duration> {
        let mut ways = self.ways.iter();
        let sequential = ways.find(|(way, _)| way.how == How::Sequential);
        sequential.map(|(_, one)| *one)
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
        link: &mut Link,
        queries: &mut Queries<'_>,
        how: How,
        rtt: Duration,
    ) -> Result<Way, BatchError> {
        let longest = self.plan.longest_batch;
        let time = Until::time(LEARNING * (self.plan.slice + rtt));
        let best = match how {
            How::Pipelined { mode, .. } => self.fastest(mode),
            How::Bare | How::Sequential => None,
        };
        let waiting = room(best.unwrap_or(WAITING), rtt, longest);
        let mut way = Way::new(&link.pool, queries, how, waiting)?;
        let slice = way.run(link, queries, time).await?;
        let n = u32::try_from(slice.queries.max(1)).unwrap_or(u32::MAX);
        let own = room(Duration::from_micros(slice.took_us) / n, rtt, longest);
        if 2 * own < waiting {
            way = Way::new(&link.pool, queries, how, own)?;
            way.run(link, queries, time).await?;
        }
        Ok(way)
    }

    /// Every way once in random order, the bare client twice, with one of ours beside each.
    async fn round(
        &mut self,
        link: &mut Link,
        queries: &mut Queries<'_>,
        slice: Duration,
    ) -> Result<Round, BatchError> {
        let ways: Vec<How> = self.ways.iter().map(|(way, _)| way.how).collect();
        let order = order(&ways, &mut self.rng);
        let mut slices = Vec::with_capacity(order.len());
        for i in order {
            let (way, _) = &mut self.ways[i];
            slices.push(way.run(link, queries, Until::time(slice)).await?);
        }
        Ok(Round { slices })
    }
}

/// The order of a round. What is compared most closely, the bare client and ours, follow
/// each other, now this one first and now that one.
fn order(ways: &[How], rng: &mut fastrand::Rng) -> Vec<usize> {
    let of = |how: How| ways.iter().position(|way| *way == how);
    let alone: Vec<usize> = [How::Bare, How::Sequential]
        .into_iter()
        .filter_map(of)
        .collect();
    let batches = (0..ways.len()).filter(|i| !alone.contains(i));
    let mut turns: Vec<Vec<usize>> = batches.map(|i| vec![i]).collect();
    for _ in 0..2 {
        let mut pair = alone.clone();
        rng.shuffle(&mut pair);
        turns.push(pair);
    }
    rng.shuffle(&mut turns);
    turns.concat()
}

/// How many queries an automatic size may have waiting where one takes so long. Those
/// that keep it going are to be done within `longest`.
fn room(one: Duration, rtt: Duration, longest: Duration) -> usize {
    let within = |time: Duration| {
        let n = time.as_nanos() / one.as_nanos().max(1);
        usize::try_from(n).unwrap_or(MOST_WAITING)
    };
    let least = within(longest).clamp(FEWEST_WAITING, LEAST_WAITING);
    within(2 * (rtt + WAITING)).clamp(least, MOST_WAITING)
}

fn is_auto(how: How) -> bool {
    let auto = Size::Auto;
    matches!(how, How::Pipelined { size, .. } if size == auto)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slow_queries_have_fewer_waiting() {
        let (us, ms) = (Duration::from_micros, Duration::from_millis);
        let (none, longest) = (Duration::ZERO, ms(150));
        for (one, rtt, expected) in [
            (Duration::ZERO, none, MOST_WAITING),
            (us(1), ms(2), MOST_WAITING),
            (us(20), none, 1_000),
            (us(20), ms(2), 1_200),
            // As many as keep it going.
            (ms(1), none, LEAST_WAITING),
            (ms(2), ms(2), LEAST_WAITING),
            // As many as are soon done.
            (ms(15), none, 10),
            (ms(100), ms(2), FEWEST_WAITING),
            (ms(1_000), none, FEWEST_WAITING),
        ] {
            assert_eq!(room(one, rtt, longest), expected, "{one:?}, {rtt:?}");
        }
    }
    #[test]
    fn beside_each_slice_of_the_bare_client_is_one_of_ours() {
        let batch = |n| How::Pipelined {
            mode: Mode::Reads,
            size: Size::Fixed(n),
        };
        let ways = [How::Bare, How::Sequential, batch(1), batch(10), batch(50)];
        let mut rng = fastrand::Rng::with_seed(1);
        let mut firsts = [0, 0];
        for _ in 0..100 {
            let order = order(&ways, &mut rng);
            let times = [0, 1, 2, 3, 4].map(|i| order.iter().filter(|way| **way == i).count());
            assert_eq!(times, [2, 2, 1, 1, 1]);
            let mut rest = order.as_slice();
            while let [first, tail @ ..] = rest {
                rest = tail;
                if *first < 2 {
                    assert_eq!(tail.first(), Some(&(1 - first)), "{order:?}");
                    firsts[*first] += 1;
                    rest = &tail[1..];
                }
            }
        }
        assert!(firsts.iter().all(|n| *n > 50), "{firsts:?}");
    }
}
