//! What do six failures of its database do to a service with a bare pool, and
//! with the engine?

use std::{collections::BTreeMap, ops::RangeInclusive, time::Duration};

use reports::{
    Record,
    record::{Arm, Fault, Planned, Settings},
};
use seawall::{PoolConfig, breaker::Probe};

use crate::{
    faults::{
        plan::Plan,
        schedule::{Draw, draw},
    },
    load::client::Setup,
    runner::Scenario,
};

/// What is done if there is no plan.
pub const FAULTS: [Fault; 6] = [
    Fault::Refused,
    Fault::Reset,
    Fault::Blackhole,
    Fault::Latency,
    Fault::Crash,
    Fault::Pause,
];

/// Operations a second and arm, if the user does not say.
pub const RATE_PER_S: u32 = 400;

/// More rounds of our arm in a full run: with the first, 60 injections; 59 are the
/// fewest that can show a 95th percentile (`reports::claim`).
const MORE: u32 = 9;

/// How long a run may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Size {
    /// About 45 s: both arms side by side, each fault once.
    Quick,
    /// About 3 minutes: one arm at a time, interleaved.
    Default,
    /// As long as the guide's own time-outs need, with the guide's own arm; and so many
    /// faults of ours that the 95th percentile can be judged. About half an hour.
    Full,
}

impl Size {
    /// The size of an earlier run.
    ///
    /// # Errors
    /// What its record says instead, and what would do.
    pub fn of(record: &Record) -> Result<Self, (String, &'static str)> {
        let name = &record.settings.size;
        [Self::Quick, Self::Default, Self::Full]
            .into_iter()
            .find(|size| size.name() == name)
            .ok_or_else(|| (format!("settings.size: {name}"), "quick, default or full"))
    }

    /// As in a record.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Quick => "quick",
            Self::Default => "default",
            Self::Full => "full",
        }
    }
}

/// What the user may set.
#[derive(Debug, Clone)]
pub struct Options {
    /// How long.
    pub size: Size,
    /// Everything random comes from it.
    pub seed: u64,
    /// Operations a second and arm.
    pub rate_per_s: u32,
    /// D.
    pub deadline: Duration,
    /// The configuration of the `seawall` arm, if not the shipped one.
    pub config: Option<PoolConfig>,
    /// The server cannot be killed or paused: then each fault of the network is
    /// done twice, since five recoveries cannot show a median.
    pub only_network_faults: bool,
    /// The user's own plan, and its text.
    pub plan: Option<(Plan, String)>,
}

/// The scenario.
#[must_use]
pub fn scenario(options: &Options) -> Scenario {
    let arms = arms(options);
    let times = times(options.size);
    let plan = options.plan.as_ref().map_or_else(
        || Plan {
            repeats: if options.only_network_faults { 2 } else { 1 },
            ..Plan::of(&FAULTS)
        },
        |(plan, _)| plan.clone(),
    );
    let steady = plan.steady;
    let us = |duration: Duration| u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
    Scenario {
        command: "failure-sim".to_owned(),
        seed: options.seed,
        settings: Settings {
            size: options.size.name().to_owned(),
            rate_per_s: options.rate_per_s,
            deadline_us: us(options.deadline),
            max_in_flight: max_in_flight(options.rate_per_s, options.deadline),
            write_share: 0.2,
            horizon_us: us(times.horizon),
            patience_us: us(times.patience),
            steady_ok_share: steady.ok_share.unwrap_or(0.99),
            // Half the deadline: closer to it a fault cannot be told from the load.
            steady_p99_us: us(steady.p99.unwrap_or(options.deadline / 2)),
        },
        plan: options.plan.as_ref().map(|(_, text)| text.clone()),
        schedule: schedule(options, plan, times, &arms),
        arms,
        steady_patience: Duration::from_secs(15),
        sweep: None,
        batches: None,
    }
}

fn schedule(options: &Options, plan: Plan, times: Times, arms: &[(Arm, Setup)]) -> Vec<Planned> {
    let names = |of: &[(Arm, Setup)]| of.iter().map(|(arm, _)| arm.name.clone()).collect();
    let all = Draw {
        plan,
        arms: names(arms),
        // One arm after another does not fit into 45 s: recovery alone is
        // confirmed over 2 s, for each of 12 injections.
        side_by_side: options.size == Size::Quick,
        phase: times.phase,
        length: times.length,
        deadline: options.deadline,
    };
    let mut schedule = draw(options.seed, &all);
    if options.size == Size::Full && options.plan.is_none() {
        // Ours alone, and short: the others need minutes for each.
        let more = Draw {
            plan: Plan {
                repeats: MORE,
                ..all.plan.clone()
            },
            arms: names(&arms[arms.len().saturating_sub(1)..]),
            length: Duration::from_millis(1_000)..=Duration::from_millis(4_000),
            ..all
        };
        // Another seed, or the first round would be that of all arms again.
        schedule.extend(draw(!options.seed, &more));
    }
    schedule
}

/// The scenario of an earlier run: its faults, phases and lengths, its load and its
/// arms. `config` is the configuration of the `seawall` arm, if it had one of its
/// own: a record shows only what tells the arms apart.
///
/// # Errors
/// Why not, and what would do.
pub fn replay(
    record: &Record,
    config: Option<PoolConfig>,
) -> Result<Scenario, (String, &'static str)> {
    let settings = &record.settings;
    let size = Size::of(record)?;
    let mut scenario = scenario(&Options {
        size,
        seed: record.seed,
        rate_per_s: settings.rate_per_s,
        deadline: Duration::from_micros(settings.deadline_us),
        config,
        only_network_faults: false,
        plan: None,
    });
    let arms: Vec<&Arm> = scenario.arms.iter().map(|(arm, _)| arm).collect();
    if record.command != scenario.command || !record.arms.iter().eq(arms) {
        let reason = "its arms are not those of this version and --config".to_owned();
        return Err((reason, "the same --config as then"));
    }
    scenario.settings = settings.clone();
    scenario.plan.clone_from(&record.plan);
    scenario.schedule.clone_from(&record.schedule);
    Ok(scenario)
}

/// Two and a half deadlines' worth of arrivals, so that whatever can still be in
/// time is sent, and a queue that is beyond hope is bounded.
pub(super) fn max_in_flight(rate_per_s: u32, deadline: Duration) -> u32 {
    let arrivals = 2.5 * f64::from(rate_per_s) * deadline.as_secs_f64();
    (64_u32..20_000)
        .find(|n| f64::from(*n) >= arrivals)
        .unwrap_or(20_000)
}

struct Times {
    phase: RangeInclusive<Duration>,
    length: RangeInclusive<Duration>,
    horizon: Duration,
    patience: Duration,
}

fn times(size: Size) -> Times {
    let ms = Duration::from_millis;
    match size {
        Size::Quick => Times {
            phase: ms(100)..=ms(400),
            length: ms(1_000)..=ms(1_500),
            horizon: ms(2_500),
            patience: ms(5_000),
        },
        // Long enough for failing fast to show: that takes 2 s of it.
        Size::Default => Times {
            phase: ms(500)..=ms(1_500),
            length: ms(3_000)..=ms(6_000),
            horizon: ms(4_000),
            patience: ms(10_000),
        },
        // The guide's breaker stays open for 60 s, whenever the server is back.
        Size::Full => Times {
            phase: ms(1_000)..=ms(4_000),
            length: ms(3_000)..=ms(30_000),
            horizon: ms(10_000),
            patience: ms(75_000),
        },
    }
}

fn arms(options: &Options) -> Vec<(Arm, Setup)> {
    let timeouts = PoolConfig {
        acquire_timeout: options.deadline,
        statement_timeout: options.deadline,
        ..PoolConfig::default()
    };
    let guide = PoolConfig {
        max_connections: 20,
        circuit_breaker_probe: Probe::Passive,
        ..timeouts.clone()
    };
    let seawall = options.config.clone().unwrap_or(timeouts);
    let mut arms = vec![(
        Arm {
            name: "bare".to_owned(),
            about: "deadpool-postgres with its defaults, no deadlines: what most services run"
                .to_owned(),
            config: BTreeMap::from([("timeouts".to_owned(), "none".to_owned())]),
        },
        Setup::Bare,
    )];
    if options.size == Size::Full {
        let about = "the engine as the guide configures it: half-open after the recovery timeout";
        arms.push(engine_arm("guide", about, guide));
    }
    let about = match options.config {
        None => "the engine as we would ship it: deadlines, eviction, breaker with an active probe",
        Some(_) => "the engine with the configuration of --config",
    };
    arms.push(engine_arm("seawall", about, seawall));
    arms
}

pub(super) fn engine_arm(name: &str, about: &str, config: PoolConfig) -> (Arm, Setup) {
    let shown = [
        ("max_connections", config.max_connections.to_string()),
        (
            "circuit_breaker_failure_threshold",
            config.circuit_breaker_failure_threshold.to_string(),
        ),
        (
            "circuit_breaker_recovery_timeout",
            config
                .circuit_breaker_recovery_timeout
                .as_secs_f64()
                .to_string(),
        ),
        (
            "circuit_breaker_error_rate",
            config.circuit_breaker_error_rate.to_string(),
        ),
        (
            "circuit_breaker_probe",
            match config.circuit_breaker_probe {
                Probe::Active => "active",
                Probe::Passive => "passive",
            }
            .to_owned(),
        ),
        (
            "acquire_timeout_ms",
            config.acquire_timeout.as_millis().to_string(),
        ),
        (
            "statement_timeout_ms",
            config.statement_timeout.as_millis().to_string(),
        ),
    ];
    let arm = Arm {
        name: name.to_owned(),
        about: about.to_owned(),
        config: shown
            .into_iter()
            .map(|(key, value)| (key.to_owned(), value))
            .collect(),
    };
    (arm, Setup::Engine(Box::new(config)))
}
