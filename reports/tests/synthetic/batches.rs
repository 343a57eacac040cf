//! A sweep of batch sizes that looks like one: what a batch costs is a round trip, so
//! much a statement, and a disk flush where a commit waits for one.

use std::collections::BTreeMap;

use reports::{
    Record,
    experiments::batch_sweep::{
        Class, Condition, Data, How, LeftOut, Mode, Round, Size, Slice, Truth,
    },
    run::{Arm, Ledger},
};

use super::record;

/// The fixed sizes.
pub(crate) const SIZES: [u32; 8] = [1, 5, 20, 50, 100, 200, 500, 1_000];
/// Round-trip times that are added, in microseconds.
const RTTS_US: [u64; 3] = [0, 1_000, 10_000];
/// What a round trip takes when none is added.
const LOOPBACK_US: f64 = 90.0;
const FLUSH_US: f64 = 1_400.0;
const QUERIES: u64 = 2_000;
/// What one at a time costs through the engine, in times of a bare client.
const OURS: f64 = 1.1;

/// Where a slice was taken: its class, the round-trip time, and the commit.
pub(crate) struct Spot<'a> {
    pub(crate) class: &'a Class,
    pub(crate) rtt_us: u64,
    pub(crate) commit: bool,
    pub(crate) mode: Mode,
}

impl Spot<'_> {
    fn round_trip_us(&self) -> f64 {
        self.rtt_us as f64 + LOOPBACK_US
    }

    fn flush_us(&self) -> f64 {
        if self.commit { FLUSH_US } else { 0.0 }
    }

    /// What the server does for a query, beside taking it.
    fn work_us(&self) -> f64 {
        if self.class.name == "joins" {
            60.0
        } else {
            0.0
        }
    }

    /// What one at a time takes for a query, with a bare client.
    fn one_us(&self) -> f64 {
        self.round_trip_us() + 60.0 + self.work_us() + self.flush_us()
    }

    /// What a batch takes.
    fn batch_us(&self, batch: f64) -> f64 {
        let statement = match self.mode {
            Mode::Autocommit => 50.0 + self.flush_us(),
            // More of them at once do not stay in the caches.
            Mode::OneTransaction | Mode::Reads => 12.0 + batch / 400.0,
        };
        let end = match self.mode {
            Mode::OneTransaction => self.flush_us(),
            Mode::Autocommit | Mode::Reads => 0.0,
        };
        self.round_trip_us() + batch * (statement + self.work_us()) + end
    }
}

/// How many times as fast a batch is, as the costs above have it.
pub(crate) fn usual(spot: &Spot<'_>, batch: f64) -> f64 {
    spot.one_us() * batch / spot.batch_us(batch)
}

pub(crate) fn class(name: &str, writes: bool, guide_batch: Option<u32>) -> Class {
    Class {
        name: name.to_owned(),
        about: format!("made-up {name}"),
        statements: vec!["SELECT $1".to_owned()],
        writes,
        transaction: false,
        guide_batch,
    }
}

/// The guide's four.
pub(crate) fn guide_classes() -> Vec<Class> {
    vec![
        class("small-events", true, Some(500)),
        class("user-data", true, Some(200)),
        class("joins", false, Some(50)),
        class("updates", true, Some(20)),
    ]
}

/// Every class at every round-trip time, the writing ones with either commit.
/// `speedup` says how fast a batch truly is; each slice differs from that by `noise`,
/// as a standard deviation of the logarithm.
pub(crate) fn batches(
    classes: Vec<Class>,
    rounds: usize,
    seed: u64,
    noise: f64,
    speedup: impl Fn(&Spot<'_>, f64) -> f64,
) -> Record {
    let mut rng = fastrand::Rng::with_seed(seed);
    let mut record = record(seed, 0, &[]);
    record.run.command = "batch-sweep".to_owned();
    record.run.arguments = ["--quick", "--seed", &seed.to_string(), "--env", "local"]
        .map(str::to_owned)
        .to_vec();
    let own = classes.iter().filter(|class| class.guide_batch.is_none());
    for class in own {
        record
            .run
            .arguments
            .extend(["-f".to_owned(), class.name.clone()]);
    }
    record.run.arms = vec![Arm {
        name: "seawall".to_owned(),
        about: "the engine's pipeline".to_owned(),
        config: BTreeMap::new(),
    }];
    let mut conditions = Vec::new();
    for class in &classes {
        for rtt_us in RTTS_US {
            for commit in [false, true] {
                if class.writes || !commit {
                    let at = (class, rtt_us, commit);
                    conditions.push(condition(at, rounds, noise, &mut rng, &speedup));
                }
            }
        }
    }
    record.data = Data {
        classes,
        conditions,
    }
    .into();
    record
}

/// What was recorded of its batches.
#[cfg(test)]
pub(crate) fn swept_batches(record: &mut Record) -> &mut Data {
    match &mut record.data {
        reports::Data::BatchSweep(data) => data,
        other => panic!("{}", other.command()),
    }
}

/// As a machine would have it: four classes, eight rounds, five percent of noise.
pub(crate) fn usual_batches() -> Record {
    batches(guide_classes(), 8, 7, 0.05, usual)
}

fn condition(
    (class, rtt_us, commit): (&Class, u64, bool),
    rounds: usize,
    noise: f64,
    rng: &mut fastrand::Rng,
    speedup: &impl Fn(&Spot<'_>, f64) -> f64,
) -> Condition {
    let modes = if class.writes {
        vec![Mode::Autocommit, Mode::OneTransaction]
    } else {
        vec![Mode::Reads]
    };
    let spot = |mode| Spot {
        class,
        rtt_us,
        commit,
        mode,
    };
    let mut ways = vec![How::Bare, How::Sequential];
    for mode in &modes {
        let sizes = SIZES.map(Size::Fixed).into_iter().chain([Size::Auto]);
        ways.extend(sizes.map(|size| How::Pipelined { mode: *mode, size }));
    }
    ways.extend([How::Sequential, How::Bare]);
    let rounds = (0..rounds).map(|_| {
        let slices = ways.iter().map(|how| {
            let (mode, batch) = batch(*how, rtt_us);
            let spot = spot(mode);
            let times = match how {
                How::Bare => 1.0,
                How::Sequential => 1.0 / OURS,
                How::Pipelined { .. } => speedup(&spot, batch),
            };
            let took_us = spot.one_us() / times * (noise * normal(rng)).exp();
            slice(*how, took_us, (spot.batch_us(batch), batch))
        });
        Round {
            slices: slices.collect(),
        }
    });
    Condition {
        class: class.name.clone(),
        rtt_us,
        measured_rtt_us: whole(spot(modes[0]).round_trip_us()),
        synchronous_commit: commit,
        rounds: rounds.collect(),
        truth: ways[..ways.len() - 2]
            .iter()
            .map(|how| truth(*how, batch(*how, rtt_us).1, class.writes, commit))
            .collect(),
        ledger: class.guide_batch.map(|_| ledger(class.writes)),
        left_out: vec![LeftOut {
            how: How::Pipelined {
                mode: modes[0],
                size: Size::Fixed(5_000),
            },
            reason: "the connection takes no more than 4096 requests at once".to_owned(),
        }],
    }
}

/// All well.
fn ledger(writes: bool) -> Ledger {
    if writes {
        Ledger {
            sent: 1_000,
            acked: 1_000,
            committed: 1_000,
            ..Ledger::default()
        }
    } else {
        Ledger {
            reads: 1_000,
            ..Ledger::default()
        }
    }
}

/// The mode, and the mean batch: the pipeline's own is larger where a round trip is.
fn batch(how: How, rtt_us: u64) -> (Mode, f64) {
    match how {
        How::Bare | How::Sequential => (Mode::Autocommit, 1.0),
        How::Pipelined { mode, size } => match size {
            Size::Fixed(size) => (mode, f64::from(size)),
            Size::Auto => (mode, 30.0 + rtt_us as f64 / 40.0),
        },
    }
}

fn slice(how: How, query_us: f64, (batch_us, batch): (f64, f64)) -> Slice {
    Slice {
        how,
        queries: QUERIES,
        failed: 0,
        took_us: whole(query_us * QUERIES as f64),
        p50_us: whole(batch_us * 0.7),
        p99_us: whole(batch_us * 1.3),
        mean_batch: batch,
    }
}

fn truth(how: How, batch: f64, writes: bool, commit: bool) -> Truth {
    let batches = whole((QUERIES as f64 / batch).ceil());
    let (syncs, commits) = match how {
        How::Bare | How::Sequential => (QUERIES, QUERIES),
        How::Pipelined {
            mode: Mode::Autocommit,
            ..
        } => (QUERIES, QUERIES),
        How::Pipelined { .. } => (batches, batches),
    };
    Truth {
        how,
        queries: QUERIES,
        syncs,
        commits: Some(commits),
        wal_bytes: Some(if writes { QUERIES * 180 } else { 0 }),
        fsyncs: Some(match (writes, commit) {
            (true, true) => commits,
            (true, false) => 3,
            (false, _) => 0,
        }),
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "what is made up here lies well within"
)]
fn whole(value: f64) -> u64 {
    value.max(1.0) as u64
}

/// Box and Muller's.
fn normal(rng: &mut fastrand::Rng) -> f64 {
    let radius = (-2.0 * (1.0 - rng.f64()).ln()).sqrt();
    radius * (std::f64::consts::TAU * rng.f64()).cos()
}
