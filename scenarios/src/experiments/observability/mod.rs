//! Does what the metrics say equal what happened, and what does it cost to know it?

mod callers;
mod exam;
mod price;
mod scraped;
mod witness;

use std::{ops::RangeInclusive, time::Duration};

use clap::Args;
use reports::{
    experiments::observability::{Data, MemoryOf, Observability as Recorded},
    run::{ARM_SEAWALL, Run},
};
use seawall::{
    Pool, PoolConfig,
    config::Secret,
    connect::{Connect, Tcp},
    metrics,
};

use crate::{
    environment::{Endpoint, LOAD},
    experiment::{Experiment, NotRepeatable, Setting, WithRemarks, recorded},
    faults::{
        kind,
        plan::Plan,
        schedule::{Draw, draw},
    },
    flags::{CliError, ConfigArgs, Frame, PlanArgs, Size, deadlines},
    load::setup::{Setup, shipped},
    stage::{Interrupted, Stage, Step, Stop},
};

/// Deadline in milliseconds, if the user does not say.
const DEADLINE_MS: u32 = 250;
/// Connections of the pool that is looked at: fewer than its callers.
const CONNECTIONS: u32 = 5;
/// The migration guide's retentions, in minutes, and one that is off.
const RETENTIONS: [u32; 5] = [0, 15, 30, 60, 120];
/// Queries a second in a history that is weighed.
const BUSY_PER_S: u32 = 1_000;

/// Everything counted twice, under every fault.
#[derive(Debug, Clone)]
pub struct Observability {
    setting: Setting,
    nothing_yet: Data,
}

#[derive(Debug, Clone, Args)]
#[expect(
    missing_docs,
    reason = "clap would show it as the purpose of the command"
)]
pub struct Options {
    #[command(flatten)]
    config: ConfigArgs,
    #[command(flatten)]
    plan: PlanArgs,
    /// Deadline of each wait and statement, in milliseconds
    #[arg(long, default_value_t = DEADLINE_MS, value_name = "MS", value_parser = deadlines())]
    deadline_ms: u32,
}

impl Experiment for Observability {
    type Recorded = Recorded;
    const ABOUT: &'static str =
        "Whether the metrics say what happened, event for event, and what it costs to know";
    type Options = Options;

    fn plan(options: &Options, frame: &Frame) -> Result<WithRemarks<Self>, CliError> {
        let deadline = Duration::from_millis(u64::from(options.deadline_ms));
        let (config, remarks) = options.config.read(deadline)?;
        let about = match config {
            None => "the engine as we would ship it, with few connections",
            Some(_) => "the engine with the configuration of --config",
        };
        let config = config.unwrap_or_else(|| PoolConfig {
            max_connections: CONNECTIONS,
            enable_pipelining: true,
            ..shipped(deadline)
        });
        let extent = extent(frame.size);
        let (plan, text) = match options.plan.read(kind::ALL)? {
            Some((plan, text)) => (plan, Some(text)),
            None => (Plan::of(kind::ALL), None),
        };
        let us = |duration: Duration| u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        let schedule = draw(
            frame.seed,
            &Draw {
                plan,
                arms: vec![ARM_SEAWALL.to_owned()],
                side_by_side: true,
                phase: Duration::ZERO..=Duration::from_millis(100),
                length: extent.fault,
                deadline,
            },
        );
        let planned = Self {
            setting: Setting {
                arms: vec![Setup::engine(config).arm(ARM_SEAWALL, about)],
                plan: text,
                schedule,
                scripts: frame.scripts.clone(),
            },
            nothing_yet: Data {
                callers: u32::try_from(callers::CALLERS).unwrap_or(u32::MAX),
                timed: extent.timed,
                pairs: extent.pairs,
                window_us: us(extent.window),
                busy_per_s: BUSY_PER_S,
                exams: Vec::new(),
                quantiles: Vec::new(),
                windows: Vec::new(),
                memory: Vec::new(),
            },
        };
        Ok((planned, remarks))
    }

    fn again(run: &Run, data: &Data) -> Result<Self, NotRepeatable> {
        Ok(Self {
            setting: recorded(run)?,
            nothing_yet: Data {
                exams: Vec::new(),
                quantiles: Vec::new(),
                windows: Vec::new(),
                memory: Vec::new(),
                ..data.clone()
            },
        })
    }

    fn setting(&self) -> Setting {
        self.setting.clone()
    }

    fn nothing_yet(&self) -> Data {
        self.nothing_yet.clone()
    }

    async fn run(&self, stage: &mut Stage<'_>, data: &mut Data) -> Result<(), Stop> {
        let Some((_, Setup::Engine(config))) = self.setting.arms.first() else {
            let reason = "the arm is not one of the engine".to_owned();
            return Err(Stop::NoSteadyState(reason));
        };
        data.memory = RETENTIONS.iter().map(|minutes| memory(*minutes)).collect();
        let possible = stage.possible(0..stage.run.schedule.len());
        let exams: Vec<Option<usize>> = [None]
            .into_iter()
            .chain(possible.into_iter().map(Some))
            .collect();
        // Behind them, times and the price.
        let of = exams.len() + 2;
        let step = |stage: &Stage<'_>, done, subject: &str| {
            stage.step(Step {
                unit: "part",
                done,
                of,
                subject,
                left: None,
            });
        };
        for (done, planned) in exams.iter().copied().enumerate() {
            let fault = planned.and_then(|i| self.setting.schedule.get(i));
            let subject = match fault {
                Some(fault) => format!("callers, under {}", fault.name),
                None => "callers, without a fault".to_owned(),
            };
            step(stage, done, &subject);
            data.exams
                .push(exam::carry_out(stage, config, planned).await?);
            stage.save(data);
            if stage.interrupt.is_raised() {
                return Err(Interrupted.into());
            }
        }
        step(stage, of - 2, "times, one by one");
        data.quantiles = exam::quantiles(stage, config, data.timed).await?;
        stage.save(data);
        step(stage, of - 1, "the price of observing");
        let length = Duration::from_micros(data.window_us);
        let mut windows = Vec::new();
        let measured = price::measure(stage, config, data.pairs, length, |window| {
            windows.push(window);
        });
        let measured = measured.await;
        data.windows = windows;
        measured
    }
}

struct Extent {
    fault: RangeInclusive<Duration>,
    timed: u32,
    pairs: u32,
    window: Duration,
}

fn extent(size: Size) -> Extent {
    let ms = Duration::from_millis;
    match size {
        Size::Quick => Extent {
            fault: ms(600)..=ms(800),
            timed: 1_000,
            pairs: 6,
            window: ms(300),
        },
        Size::Default => Extent {
            fault: ms(1_000)..=ms(2_000),
            timed: 4_000,
            pairs: 30,
            window: ms(500),
        },
        Size::Full => Extent {
            fault: ms(2_000)..=ms(6_000),
            timed: 20_000,
            pairs: 150,
            window: ms(1_000),
        },
    }
}

/// What a history of so many minutes takes when it is full.
fn memory(minutes: u32) -> MemoryOf {
    let filled = metrics::filled_history(minutes, BUSY_PER_S, fastrand::Rng::with_seed(7));
    MemoryOf {
        retention_minutes: minutes,
        slots: filled.slots as u64,
        bytes: filled.bytes as u64,
        bytes_most: filled.bytes_most as u64,
    }
}

/// What the sessions of a pool are called on the server. By the first part a fault knows its
/// victims.
fn session_name(name: &str) -> String {
    format!("{LOAD}-{name}")
}

/// A pool of ours.
fn pool_through(
    stage: &Stage<'_>,
    config: PoolConfig,
    to: &Endpoint,
    name: &str,
) -> Result<Pool, Stop> {
    pool_with(stage, config, to, name, Tcp)
}

fn pool_with(
    stage: &Stage<'_>,
    config: PoolConfig,
    to: &Endpoint,
    name: &str,
    connect: impl Connect + 'static,
) -> Result<Pool, Stop> {
    let config = PoolConfig {
        name: session_name(name),
        host: to.host.clone(),
        port: to.port,
        database: to.database.clone(),
        user: to.user.clone(),
        password: to.password.clone(),
        connection_string: Secret::default(),
        ..config
    };
    let rng = fastrand::Rng::with_seed(stage.run.seed);
    Pool::with_connect(config, connect, rng).map_err(|source| Stop::Config {
        arm: ARM_SEAWALL.to_owned(),
        source,
    })
}
