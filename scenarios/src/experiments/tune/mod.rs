//! Which configuration is to be shipped? Everything that is needed for it on one server,
//! within a given time.
//!
//! - `pool_size`: windows of pools of different sizes, and the better half of them again
//! - `batch_size`: a few rounds of all batch sizes, and more of the better half on a fresh seed
//! - `breaker`: outages under breaker settings, and fresh ones for the best
//! - `shares`: how the time is split (pure)
//!
//! It is made of two other experiments and adds to them what they share: time. Each part
//! records after every step, and stops at its deadline with what it has; what it does not need
//! is left to those behind it. The clock runs from when the command was planned, so that the
//! start of the server is in it.

mod batch_size;
mod breaker;
mod pool_size;
mod shares;

use std::time::Duration;

use clap::Args;
use reports::{
    experiments::{
        batch_sweep,
        tune::{Batch, Candidate, Data, Part, Pool, Spent, Tune as Recorded, Unmeasured},
    },
    run::{Callers, Load, Mix, Run, What},
};
use seawall::{
    PoolConfig,
    clock::{self, Instant},
};

use self::shares::{Shares, kept_for_end};
use super::{
    batch_sweep::{built_in, class_of, make_tables},
    breaker_sweep::BreakerSweep,
};
use crate::{
    environment::Endpoint,
    experiment::{Experiment, NotRepeatable, Setting, WithRemarks, recorded},
    flags::{CliError, DeadlineArgs, Frame, Size, budget},
    load::{
        scripts::Scripts,
        setup::{Setup, shipped},
        workload::Workload,
    },
    stage::{NotPrepared, Stage, Step, Stop, micros},
};

/// Numbers of connections that a pool may have.
const CONNECTIONS: [u32; 9] = [2, 4, 6, 8, 12, 16, 24, 32, 48];
/// More callers than any pool has connections, so that a larger pool is better only where the
/// server can use it.
const CALLERS: u32 = 64;
/// How long a pool has the server to itself.
const WINDOW: Duration = Duration::from_millis(300);
/// Up to this budget the grids are small.
const SMALL_GRIDS: Duration = Duration::from_secs(6 * 60);
/// What the outages of a small grid take, and those of a large one, with some time to spare.
const FEW_OUTAGES: Duration = Duration::from_secs(55);
const MANY_OUTAGES: Duration = Duration::from_secs(240);
/// Apart from the seed by this, a second run has nothing of the first.
const FRESH: u64 = 0x9e37_79b9_7f4a_7c15;

/// Everything that is needed for a configuration.
#[derive(Debug, Clone)]
pub struct Tune {
    /// When the command was planned: the budget is counted from here.
    began: Instant,
    /// Whether the rate of the outages is fitted to what scripts cost, once that can be
    /// measured.
    fitted: bool,
    setting: Setting,
    nothing_yet: Data,
}

#[derive(Debug, Clone, Args)]
#[expect(
    missing_docs,
    reason = "clap would show it as the purpose of the command"
)]
pub struct Options {
    /// What all of it may take, in seconds (90s), minutes (10m) or hours (1h); below 3m little is told [default: 10m; 3m with --quick, 30m with --full]
    #[arg(long, value_name = "TIME", value_parser = budget)]
    budget: Option<Duration>,
    #[command(flatten)]
    deadline: DeadlineArgs,
}

impl Experiment for Tune {
    type Recorded = Recorded;
    const ABOUT: &'static str =
        "Which configuration to ship: pool size, batch size and circuit breaker, within a budget";
    type Options = Options;

    fn plan(options: &Options, frame: &Frame) -> Result<WithRemarks<Self>, CliError> {
        let minutes = match frame.size {
            Size::Quick => 3,
            Size::Default => 10,
            Size::Full => 30,
        };
        let budget = options.budget;
        let budget = budget.unwrap_or(Duration::from_secs(60 * minutes));
        let planned = Self::new(budget, options.deadline.deadline(), frame);
        let unmeasured = planned.nothing_yet.batch.unmeasured.iter();
        let remarks =
            unmeasured.map(|of| format!("no batches are measured of {}: {}", of.script, of.reason));
        let remarks = remarks.collect();
        Ok((planned, remarks))
    }

    fn again(run: &Run, data: &Data) -> Result<Self, NotRepeatable> {
        let mut setting = recorded(run)?;
        // Who the fresh outages are for is found out again.
        for fresh in setting.schedule.iter_mut().skip(data.breaker.outages + 1) {
            fresh.arms.clear();
        }
        let mut nothing_yet = Data {
            took_us: None,
            spent: Vec::new(),
            ..data.clone()
        };
        // What a run has not come to, it has not fitted either.
        let fitted = setting.scripts.is_some() && data.breaker.stretches.is_empty();
        nothing_yet.breaker.stretches.clear();
        nothing_yet.pool.most = None;
        nothing_yet.pool.rounds.clear();
        nothing_yet.pool.dropped.clear();
        nothing_yet.batch = batch(setting.scripts.as_ref());
        let classes = |batch: &Batch| {
            let classes = batch.coarse.classes.iter();
            let each = classes.map(|of| (of.name.clone(), of.statements.clone()));
            each.collect::<Vec<_>>()
        };
        if classes(&nothing_yet.batch) != classes(&data.batch) {
            return Err(NotRepeatable {
                reason: "its classes are not those of this version".to_owned(),
                allowed: "a run of this version",
            });
        }
        Ok(Self {
            began: clock::now(),
            fitted,
            setting,
            nothing_yet,
        })
    }

    fn setting(&self) -> Setting {
        self.setting.clone()
    }

    fn nothing_yet(&self) -> Data {
        self.nothing_yet.clone()
    }

    /// Makes the tables of the guide's classes.
    async fn prepare(&self, direct: &Endpoint, workload: &Workload) -> Result<(), NotPrepared> {
        make_tables(&self.nothing_yet.batch.coarse.classes, direct, workload).await
    }

    async fn run(&self, stage: &mut Stage<'_>, data: &mut Data) -> Result<(), Stop> {
        let budget = Duration::from_micros(data.budget_us);
        let end = self.began + budget.saturating_sub(Duration::from_micros(data.kept_us));
        let shares = Shares {
            batches: !data.batch.coarse.classes.is_empty(),
            budget,
            outages: match size_of_grids(budget) {
                Size::Quick => FEW_OUTAGES,
                _ => MANY_OUTAGES,
            },
        };
        let of = Part::ALL.len();
        for (done, part) in Part::ALL.into_iter().enumerate() {
            let now = clock::now();
            let left = end.saturating_duration_since(now);
            let share = shares.of(part, left);
            if share.is_zero() {
                continue;
            }
            stage.step(Step {
                unit: "part",
                done,
                of,
                subject: part.name(),
                left: Some(left),
            });
            let until = now + share;
            let carried_out = match part {
                Part::PoolSize => pool_size::carry_out(stage, data, until).await,
                Part::BatchSizes => batch_size::coarse(stage, data, until).await,
                Part::BatchSizesAgain => batch_size::refined(stage, data, until).await,
                Part::Breaker => breaker::carry_out(stage, data, until, self.fitted).await,
            };
            let ended = clock::now();
            stage.events.of(part.name(), ended, What::LoadEnded);
            data.spent.push(Spent {
                part,
                share_us: micros(until, now),
                took_us: micros(ended, now),
            });
            stage.save(data);
            carried_out?;
        }
        data.took_us = Some(micros(clock::now(), self.began));
        stage.save(data);
        Ok(())
    }
}

impl Tune {
    fn new(budget: Duration, deadline: Duration, frame: &Frame) -> Self {
        let us = |duration: Duration| u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        let grid = Frame {
            size: size_of_grids(budget),
            ..frame.clone()
        };
        let of_breaker = BreakerSweep::usual(deadline, &grid);
        let Setting {
            mut arms, schedule, ..
        } = of_breaker.setting();
        let mut candidates = Vec::new();
        for connections in CONNECTIONS {
            let arm = format!("{connections} connections");
            let config = PoolConfig {
                max_connections: connections,
                ..shipped(deadline)
            };
            let about = "the engine as we would ship it, with so many connections";
            arms.push(Setup::engine(config).arm(&arm, about));
            candidates.push(Candidate { arm, connections });
        }
        let own = frame.scripts.is_some();
        let load = Load {
            rate_per_s: 1,
            clients: Some(CALLERS),
            deadline_us: us(deadline),
            max_in_flight: CALLERS,
            write_share: if own { 0.0 } else { 0.2 },
            mix: Mix::default(),
            callers: Callers::default(),
            steady_ok_share: 0.99,
            steady_p99_us: us(deadline / 2),
        };
        Self {
            began: clock::now(),
            fitted: own,
            setting: Setting {
                arms,
                plan: None,
                schedule,
                scripts: frame.scripts.clone(),
            },
            nothing_yet: Data {
                budget_us: us(budget),
                kept_us: us(kept_for_end(budget)),
                took_us: None,
                spent: Vec::new(),
                pool: Box::new(Pool {
                    load,
                    length_us: us(WINDOW),
                    candidates,
                    most: None,
                    rounds: Vec::new(),
                    dropped: Vec::new(),
                }),
                batch: batch(frame.scripts.as_ref()),
                breaker: Box::new(of_breaker.nothing_yet()),
            },
        }
    }
}

/// How large the grids of batch sizes and of breaker settings are.
fn size_of_grids(budget: Duration) -> Size {
    if budget <= SMALL_GRIDS {
        Size::Quick
    } else {
        Size::Default
    }
}

/// The classes that batches are made of: the guide's, or those of the user's scripts of which
/// any can be made, with the reason why not of the others.
fn batch(scripts: Option<&Scripts>) -> Batch {
    let mut classes = Vec::new();
    let mut unmeasured = Vec::new();
    for of in scripts.iter().flat_map(|scripts| scripts.all()) {
        match class_of(of) {
            Ok(class) => classes.push(class),
            Err(error) => unmeasured.push(Unmeasured {
                script: of.script.name().to_owned(),
                reason: error.to_string(),
            }),
        }
    }
    if scripts.is_none() {
        classes = built_in();
    }
    Batch {
        unmeasured,
        coarse: batch_sweep::Data {
            classes,
            conditions: Vec::new(),
        },
        refined: None,
    }
}

#[cfg(test)]
mod tests;
