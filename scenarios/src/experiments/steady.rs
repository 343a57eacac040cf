//! What does each client do while nothing is wrong, and what does that cost the pool and
//! the server?

use std::{collections::BTreeMap, time::Duration};

use clap::Args;
use reports::{
    experiments::steady::{Data, ServerCounts, Steady as Recorded, Stretch},
    run::{Callers, Load, Mix, Run},
};
use seawall::{clock, metrics::Counter};

use crate::{
    environment::{LOAD, chain},
    experiment::{Experiment, NotRepeatable, Setting, WithRemarks, recorded},
    flags::{CliError, ConfigArgs, DeadlineArgs, Frame, Size, rates},
    load::{
        arrivals::max_in_flight,
        client::Client,
        setup::{BARE, Setup, shipped},
    },
    stage::{Finished, Interrupted, Loaded, STEADY_SPAN, Stage, Step, Stop},
};

/// Operations a second and arm, if the user does not say.
const RATE_PER_S: u32 = 400;
/// Longest wait for the server's counters.
const PATIENCE: Duration = Duration::from_secs(10);
/// How soon it is asked again whether the sessions of the load are gone.
const AGAIN: Duration = Duration::from_millis(50);

/// Load without any fault, one arm at a time.
#[derive(Debug, Clone)]
pub struct Steady {
    /// Whether the rate is fitted to what scripts cost, once that can be measured.
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
    #[command(flatten)]
    config: ConfigArgs,
    /// Operations per second and arm [default: 400; of scripts, no more than a third of what pools can do]
    #[arg(long, value_name = "N", value_parser = rates())]
    rate: Option<u32>,
    /// A closed loop of so many callers, each of which asks again as soon as it is answered, instead of a rate
    #[arg(long, value_name = "N", conflicts_with = "rate", value_parser = clap::value_parser!(u32).range(1..=1_000))]
    clients: Option<u32>,
    #[command(flatten)]
    deadline: DeadlineArgs,
}

impl Experiment for Steady {
    type Recorded = Recorded;
    const ABOUT: &'static str =
        "What each client does while nothing is wrong: throughput, latency, and what it costs";
    type Options = Options;

    fn plan(options: &Options, frame: &Frame) -> Result<WithRemarks<Self>, CliError> {
        let deadline = options.deadline.deadline();
        let (config, remarks) = options.config.read(deadline)?;
        let about = match config {
            None => "the engine as we would ship it",
            Some(_) => "the engine with the configuration of --config",
        };
        let config = config.unwrap_or_else(|| shipped(deadline));
        let max_connections = config.max_connections;
        let us = |duration: Duration| u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        let (length, rounds) = extent(frame.size);
        let rate_per_s = options.rate.unwrap_or(RATE_PER_S);
        let planned = Self {
            fitted: options.rate.is_none(),
            setting: Setting {
                scripts: frame.scripts.clone(),
                arms: vec![
                    Setup::Bare { max_connections }.arm("bare", BARE),
                    Setup::engine(config).arm("seawall", about),
                ],
                ..Setting::default()
            },
            nothing_yet: Data {
                load: Load {
                    rate_per_s,
                    clients: options.clients,
                    deadline_us: us(deadline),
                    max_in_flight: max_in_flight(rate_per_s, deadline),
                    write_share: if frame.scripts.is_some() { 0.0 } else { 0.2 },
                    mix: Mix::default(),
                    callers: Callers::default(),
                    steady_ok_share: 0.99,
                    steady_p99_us: us(deadline / 2),
                },
                length_us: us(length),
                rounds,
                stretches: Vec::new(),
            },
        };
        Ok((planned, remarks))
    }

    fn again(run: &Run, data: &Data) -> Result<Self, NotRepeatable> {
        Ok(Self {
            fitted: false,
            setting: recorded(run)?,
            nothing_yet: Data {
                stretches: Vec::new(),
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
        let mut rng = fastrand::Rng::with_seed(stage.run.seed);
        let mut turns: Vec<String> = self
            .setting
            .arms
            .iter()
            .map(|(a, _)| a.name.clone())
            .collect();
        if self.fitted {
            let one = turns.get(..1).unwrap_or_default();
            stage.fit(&mut data.load, one).await?;
        }
        let each = STEADY_SPAN + Duration::from_micros(data.length_us);
        let of = turns.len() * data.rounds as usize;
        for _ in 0..data.rounds {
            rng.shuffle(&mut turns);
            for arm in &turns {
                let done = data.stretches.len();
                let left = u32::try_from(of - done).unwrap_or(u32::MAX);
                stage.step(Step {
                    unit: "turn",
                    done,
                    of,
                    subject: arm,
                    left: Some(each * left),
                });
                let stretch = stretch(stage, data, arm).await?;
                data.stretches.push(stretch);
                stage.save(data);
                if stage.interrupt.is_raised() {
                    return Err(Interrupted.into());
                }
            }
        }
        Ok(())
    }
}

/// How long a stretch is, and how often each arm has one.
fn extent(size: Size) -> (Duration, u32) {
    let s = Duration::from_secs;
    match size {
        Size::Quick => (s(6), 2),
        Size::Default => (s(20), 3),
        Size::Full => (s(60), 10),
    }
}

/// One arm's turn.
async fn stretch(stage: &Stage<'_>, data: &Data, arm: &str) -> Result<Stretch, Stop> {
    let before = counted_by_server(stage).await;
    let names = [arm.to_owned()];
    let mut loaded = Loaded::start(stage, &data.load, None, &names).await?;
    let steady = loaded.until_steady().await?;
    let end = steady + Duration::from_micros(data.length_us);
    let measured = loaded.until(end).await;
    let pool = loaded.arms().first().map(|arm| counted(arm.client()));
    let sessions = ask(stage).await.map(|counts| counts.sessions);
    let (started_us, steady_us) = (loaded.started_us(), loaded.us(steady));
    let finished = loaded.finish(clock::now()).await?.pop();
    measured?;
    let finished =
        finished.ok_or_else(|| Stop::NoSteadyState(format!("{arm} was not under load")))?;
    let ledger = stage.check(None, &data.load, &finished).await.ledger;
    let Finished {
        name,
        operations,
        attempts,
        pool: used,
        ..
    } = finished;
    // Its sessions end with it, and hand their counts over.
    drop(used);
    let after = counted_by_server(stage).await;
    let server = before.zip(after).zip(sessions);
    Ok(Stretch {
        arm: name,
        started_us,
        steady_us,
        operations,
        attempts,
        pool: pool.unwrap_or_default(),
        server: server.map(|((before, after), sessions)| between(before, after, sessions)),
        ledger,
    })
}

/// What the pool itself counted so far.
fn counted(client: &Client) -> BTreeMap<String, u64> {
    let Some(pool) = client.engine() else {
        return BTreeMap::new();
    };
    let counters = Counter::ALL.iter();
    counters
        .map(|counter| (counter.name().to_owned(), pool.metrics().counter(*counter)))
        .collect()
}

/// What the server has counted, once the sessions of the load are gone: a session hands
/// its counts over late, but at its end. `None` if it could not be asked.
async fn counted_by_server(stage: &Stage<'_>) -> Option<ServerCounts> {
    let deadline = clock::now() + PATIENCE;
    loop {
        let counts = ask(stage).await?;
        if counts.sessions == 0 || clock::now() >= deadline {
            return Some(counts);
        }
        clock::sleep(AGAIN).await;
    }
}

/// What the server shows just now. `None` if it could not be asked.
async fn ask(stage: &Stage<'_>) -> Option<ServerCounts> {
    let sql = "SELECT xact_commit, xact_rollback, blks_hit, blks_read, \
               (SELECT count(*) FROM pg_stat_activity WHERE starts_with(application_name, $1)) \
               FROM pg_stat_database WHERE datname = current_database()";
    let deadline = clock::now() + PATIENCE;
    let asked = async {
        let session = stage.environment.endpoint().session(deadline).await;
        let session = session.map_err(|error| chain(&error))?;
        let row = session.client.query_one(sql, &[&LOAD]).await;
        let row = row.map_err(|error| chain(&error))?;
        let count = |i: usize| u64::try_from(row.get::<_, i64>(i)).unwrap_or(0);
        Ok::<_, String>(ServerCounts {
            commits: count(0),
            rollbacks: count(1),
            blocks_hit: count(2),
            blocks_read: count(3),
            sessions: count(4),
        })
    };
    let asked = clock::timeout_at(deadline, asked).await;
    let asked = asked.unwrap_or_else(|_| Err("no answer in time".to_owned()));
    match asked {
        Ok(counts) => Some(counts),
        Err(reason) => {
            tracing::warn!(reason, "asking for the server's counters");
            None
        }
    }
}

fn between(before: ServerCounts, after: ServerCounts, sessions: u64) -> ServerCounts {
    ServerCounts {
        commits: after.commits.saturating_sub(before.commits),
        rollbacks: after.rollbacks.saturating_sub(before.rollbacks),
        blocks_hit: after.blocks_hit.saturating_sub(before.blocks_hit),
        blocks_read: after.blocks_read.saturating_sub(before.blocks_read),
        sessions,
    }
}
