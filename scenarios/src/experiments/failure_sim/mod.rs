//! What do six failures of its database do to a service with a bare pool, with a careful
//! one, and with the engine?

mod injection;
mod windows;

use std::{ops::RangeInclusive, time::Duration};

use clap::Args;
use reports::{
    experiments::failure_sim::{Data, FailureSim as Recorded, Unserved},
    run::{Arm, Callers, Load, Mix, Planned, Run},
};
use seawall::{PoolConfig, breaker::Probe, config::WhenOpen};

use crate::{
    experiment::{Experiment, NotRepeatable, Setting, WithRemarks, recorded},
    faults::{
        Kind, network,
        plan::Plan,
        process,
        schedule::{Draw, draw},
    },
    flags::{CliError, ConfigArgs, DeadlineArgs, Frame, MixArgs, PlanArgs, Size, rates},
    load::{
        arrivals::max_in_flight,
        beside::QUIET_CONNECTIONS,
        setup::{BARE, CAREFUL, SESSIONS, Setup, shipped},
    },
    stage::{Interrupted, STEADY_SPAN, Stage, Step, Stop},
};

/// What is done if there is no plan.
pub static FAULTS: [&Kind; 6] = [
    &network::REFUSED,
    &network::RESET,
    &network::BLACKHOLE,
    &network::LATENCY,
    &process::CRASH,
    &process::PAUSE,
];

/// Operations a second and arm, if the user does not say.
const RATE_PER_S: u32 = 400;

/// More rounds of our arm in a full run: with the first, 60 injections; 59 are the
/// fewest that can show a 95th percentile (`reports::claim`).
const MORE: u32 = 9;

/// Faults, one after another, for each arm.
#[derive(Debug, Clone)]
pub struct FailureSim {
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
    #[command(flatten)]
    plan: PlanArgs,
    /// Operations per second and arm [default: 400; of scripts, no more than a third of what pools can do]
    #[arg(long, value_name = "N", value_parser = rates())]
    rate: Option<u32>,
    #[command(flatten)]
    deadline: DeadlineArgs,
    #[command(flatten)]
    mix: MixArgs,
}

impl Experiment for FailureSim {
    type Recorded = Recorded;
    const ABOUT: &'static str =
        "Failures of a database: what they do with a bare pool, and with the engine";
    type Options = Options;

    fn plan(options: &Options, frame: &Frame) -> Result<WithRemarks<Self>, CliError> {
        let deadline = options.deadline.deadline();
        let (config, remarks) = options.config.read(deadline)?;
        let (write_share, mix) = options.mix.read(frame.scripts.is_some())?;
        let wanted = Wanted {
            rate_per_s: options.rate.unwrap_or(RATE_PER_S),
            fitted: options.rate.is_none(),
            write_share,
            mix,
            deadline,
            config,
            plan: options.plan.read(&FAULTS)?,
        };
        Ok((Self::new(wanted, frame), remarks))
    }

    fn again(run: &Run, data: &Data) -> Result<Self, NotRepeatable> {
        Ok(Self {
            fitted: false,
            setting: recorded(run)?,
            nothing_yet: Data {
                injections: Vec::new(),
                unserved: Vec::new(),
                windows: Vec::new(),
                window_answers: Vec::new(),
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
        if self.fitted {
            // As many as are under load at once.
            let most = stage.run.schedule.iter().map(|planned| &planned.arms);
            let most = most.max_by_key(|arms| arms.len()).cloned();
            stage.fit(&mut data.load, &most.unwrap_or_default()).await?;
        }
        let possible = stage.possible(0..stage.run.schedule.len());
        let injections = self.planned_for(&possible);
        windows::carry_out(stage, data, injections).await?;
        stage.save(data);
        for (done, planned) in possible.iter().copied().enumerate() {
            stage.step(Step {
                unit: "injection",
                done,
                of: possible.len(),
                subject: &self.setting.schedule[planned].name,
                left: Some(self.planned_for(&possible[done..])),
            });
            match injection::carry_out(stage, data, planned).await {
                Ok(injections) => data.injections.extend(injections),
                Err(Stop::Unserved {
                    arm,
                    reason,
                    opened,
                }) => {
                    // It says all there is to say of the arm.
                    let unserved = Unserved {
                        arm,
                        reason,
                        opened,
                    };
                    data.unserved.push(unserved);
                    return Ok(());
                }
                Err(stop) => return Err(stop),
            }
            stage.save(data);
            if stage.interrupt.is_raised() {
                return Err(Interrupted.into());
            }
        }
        Ok(())
    }
}

/// What the user may set.
#[derive(Debug, Clone)]
struct Wanted {
    rate_per_s: u32,
    /// Whether the rate is fitted to what scripts cost.
    fitted: bool,
    write_share: f64,
    mix: Mix,
    deadline: Duration,
    /// The configuration of the `seawall` arm, if not the shipped one.
    config: Option<PoolConfig>,
    /// The user's own plan, and its text.
    plan: Option<(Plan, String)>,
}

impl FailureSim {
    /// How long these entries of the schedule take by the plan, if each arm is back before the
    /// horizon.
    fn planned_for(&self, entries: &[usize]) -> Duration {
        let horizon_us = self.nothing_yet.horizon_us;
        let each = entries.iter().filter_map(|i| {
            let entry = self.setting.schedule.get(*i)?;
            let us = entry.phase_us() + entry.length_us() + horizon_us;
            Some(STEADY_SPAN + Duration::from_micros(us))
        });
        each.sum()
    }

    fn new(wanted: Wanted, frame: &Frame) -> Self {
        let arms = arms(&wanted, frame.size);
        let times = times(frame.size);
        let plan = wanted.plan.as_ref().map_or_else(
            || Plan {
                // A server that cannot be killed or paused leaves four faults, and five
                // recoveries cannot show a median.
                repeats: if frame.own_server { 1 } else { 2 },
                ..Plan::of(&FAULTS)
            },
            |(plan, _)| plan.clone(),
        );
        let steady = plan.steady;
        let us = |duration: Duration| u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        let nothing_yet = Data {
            load: Load {
                rate_per_s: wanted.rate_per_s,
                clients: None,
                deadline_us: us(wanted.deadline),
                max_in_flight: max_in_flight(wanted.rate_per_s, wanted.deadline),
                write_share: wanted.write_share,
                mix: wanted.mix,
                callers: Callers::default(),
                steady_ok_share: steady.ok_share.unwrap_or(0.99),
                // Half the deadline: closer to it a fault cannot be told from the load.
                steady_p99_us: us(steady.p99.unwrap_or(wanted.deadline / 2)),
            },
            horizon_us: us(times.horizon),
            patience_us: us(times.patience),
            injections: Vec::new(),
            unserved: Vec::new(),
            rounds: times.rounds,
            windows: Vec::new(),
            window_answers: Vec::new(),
        };
        Self {
            fitted: wanted.fitted,
            setting: Setting {
                scripts: frame.scripts.clone(),
                plan: wanted.plan.as_ref().map(|(_, text)| text.clone()),
                schedule: schedule(&wanted, frame, plan, times, &arms),
                arms,
            },
            nothing_yet,
        }
    }
}

fn schedule(
    wanted: &Wanted,
    frame: &Frame,
    plan: Plan,
    times: Times,
    arms: &[(Arm, Setup)],
) -> Vec<Planned> {
    let names = |of: &[(Arm, Setup)]| of.iter().map(|(arm, _)| arm.name.clone()).collect();
    let all = Draw {
        plan,
        arms: names(arms),
        // One arm after another does not fit into 45 s: recovery alone is
        // confirmed over 2 s, for each of 18 injections.
        side_by_side: frame.size == Size::Quick && fit_together(arms),
        phase: times.phase,
        length: times.length,
        deadline: wanted.deadline,
    };
    let mut schedule = draw(frame.seed, &all);
    if frame.size == Size::Full && wanted.plan.is_none() {
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
        schedule.extend(draw(!frame.seed, &more));
    }
    schedule
}

/// Whether all arms may have all their connections at once, each with its second pool.
fn fit_together(arms: &[(Arm, Setup)]) -> bool {
    let of_arm = |setup: &Setup| {
        let max = setup.max_connections();
        max.saturating_add(max.min(QUIET_CONNECTIONS))
    };
    let all = arms.iter().map(|(_, setup)| of_arm(setup));
    all.fold(0, u32::saturating_add) <= SESSIONS
}

struct Times {
    phase: RangeInclusive<Duration>,
    length: RangeInclusive<Duration>,
    horizon: Duration,
    patience: Duration,
    /// Rounds of windows without faults.
    rounds: u32,
}

fn times(size: Size) -> Times {
    let ms = Duration::from_millis;
    match size {
        Size::Quick => Times {
            phase: ms(100)..=ms(400),
            length: ms(1_000)..=ms(1_500),
            horizon: ms(2_500),
            patience: ms(5_000),
            rounds: 12,
        },
        // Long enough for failing fast to show: that takes 2 s of it.
        Size::Default => Times {
            phase: ms(500)..=ms(1_000),
            length: ms(2_500)..=ms(4_000),
            horizon: ms(4_000),
            patience: ms(10_000),
            rounds: 20,
        },
        // The guide's breaker stays open for 60 s, whenever the server is back.
        Size::Full => Times {
            phase: ms(1_000)..=ms(4_000),
            length: ms(3_000)..=ms(30_000),
            horizon: ms(10_000),
            patience: ms(75_000),
            rounds: 60,
        },
    }
}

fn arms(wanted: &Wanted, size: Size) -> Vec<(Arm, Setup)> {
    let timeouts = PoolConfig {
        // Its imports are batches.
        enable_pipelining: true,
        ..shipped(wanted.deadline)
    };
    let seawall = wanted.config.clone().unwrap_or_else(|| timeouts.clone());
    let max_connections = seawall.max_connections;
    let guide = PoolConfig {
        max_connections,
        circuit_breaker_probe: Probe::Passive,
        circuit_breaker_when_open: WhenOpen::Refuse,
        ..timeouts
    };
    let mut arms = vec![Setup::Bare { max_connections }.arm("bare", BARE)];
    let careful = Setup::Careful {
        max_connections,
        deadline: wanted.deadline,
    };
    arms.push(careful.arm("careful", CAREFUL));
    if size == Size::Full {
        let about = "the engine as the guide configures it: half-open after the recovery timeout";
        arms.push(Setup::engine(guide).arm("guide", about));
    }
    let about = match wanted.config {
        None => {
            "the engine as we would ship it: deadlines, eviction, breaker with an active probe, \
             callers that wait for it within their deadline"
        }
        Some(_) => "the engine with the configuration of --config",
    };
    if size == Size::Full {
        arms.push(other(&seawall));
    }
    arms.push(Setup::engine(seawall).arm("seawall", about));
    arms
}

/// Ours, with the other thing to do with callers while the circuit is open.
fn other(seawall: &PoolConfig) -> (Arm, Setup) {
    let (name, about, when_open) = match seawall.circuit_breaker_when_open {
        WhenOpen::Refuse => (
            "waits",
            "the engine with callers that wait for an open circuit to close, within their deadline",
            WhenOpen::Wait,
        ),
        WhenOpen::Wait => (
            "refuses",
            "the engine with callers that are refused while the circuit is open",
            WhenOpen::Refuse,
        ),
    };
    let config = PoolConfig {
        circuit_breaker_when_open: when_open,
        ..seawall.clone()
    };
    Setup::engine(config).arm(name, about)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn planned(seed: u64, size: Size) -> FailureSim {
        let wanted = Wanted {
            rate_per_s: RATE_PER_S,
            fitted: true,
            write_share: 0.1,
            mix: Mix::default(),
            deadline: Duration::from_millis(500),
            config: None,
            plan: None,
        };
        let frame = Frame {
            seed,
            size,
            own_server: true,
            scripts: None,
        };
        FailureSim::new(wanted, &frame)
    }

    #[test]
    fn the_same_seed_draws_the_same_schedule() {
        let schedule = |seed| {
            let setting = planned(seed, Size::Quick).setting();
            serde_json::to_string(&setting.schedule).expect("JSON")
        };
        assert_eq!(schedule(7), schedule(7));
        assert_ne!(schedule(7), schedule(8));
    }

    /// Plans what was typed behind the command.
    fn typed(flags: &[&str]) -> WithRemarks<FailureSim> {
        use clap::Parser as _;
        #[derive(clap::Parser)]
        struct Typed {
            #[command(flatten)]
            options: Options,
        }
        let frame = Frame {
            seed: 7,
            size: Size::Quick,
            own_server: true,
            scripts: None,
        };
        let typed = Typed::parse_from(["failure-sim"].iter().chain(flags));
        FailureSim::plan(&typed.options, &frame).expect("a plan")
    }

    #[test]
    fn a_configuration_is_read_over_the_deadlines_of_the_run() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("pool.toml");
        let text = "max_connections = 20\nhost = \"db\"\nenable_monitoring = true\n\
                    adaptive_sizing = true";
        std::fs::write(&path, text).expect("written");
        let config = path.to_str().expect("UTF-8");
        let (planned, remarks) = typed(&["--deadline-ms", "300", "--config", config]);
        let Some((arm, Setup::Engine(config))) = planned.setting.arms.last() else {
            panic!("no engine");
        };
        assert_eq!(arm.name, "seawall");
        assert_eq!(config.max_connections, 20);
        assert_eq!(config.statement_timeout.as_millis(), 300);
        assert_eq!(config.acquire_timeout.as_millis(), 300);
        let connections: Vec<u32> = planned
            .setting
            .arms
            .iter()
            .map(|(_, setup)| setup.max_connections())
            .collect();
        assert_eq!(connections, [20; 3], "no arm has more than another");
        for part in [
            "host is ignored",
            "enable_monitoring is ignored",
            "adaptive_sizing has no effect",
        ] {
            assert!(remarks.iter().any(|r| r.contains(part)), "{remarks:?}");
        }
    }

    /// A server takes a hundred sessions, if nobody says otherwise.
    #[test]
    fn arms_that_do_not_fit_on_a_server_together_take_turns() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("pool.toml");
        for (max, entries) in [(20, 6), (21, 18)] {
            std::fs::write(&path, format!("max_connections = {max}")).expect("written");
            let config = path.to_str().expect("UTF-8");
            let (planned, _) = typed(&["--config", config]);
            assert_eq!(planned.setting.schedule.len(), entries, "{max}");
        }
    }

    #[test]
    fn a_record_alone_is_enough_to_do_its_run_again() {
        for size in Size::ALL {
            let planned = planned(7, *size);
            let Setting {
                arms,
                plan,
                schedule,
                ..
            } = planned.setting();
            let run = Run {
                arms: arms.iter().map(|(arm, _)| arm.clone()).collect(),
                plan,
                schedule,
                ..crate::stage::tests::run("failure-sim")
            };
            let again = FailureSim::again(&run, &planned.nothing_yet()).expect("repeatable");
            // What was measured is in the record.
            let planned = FailureSim {
                fitted: false,
                ..planned
            };
            assert_eq!(format!("{again:?}"), format!("{planned:?}"));
        }
    }
}
