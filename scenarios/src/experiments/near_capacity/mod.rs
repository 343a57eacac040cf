//! A service runs close to what its pool of connections can do, and its database fails for
//! a moment. Does it come back by itself, after how long, and with how many attempts?

mod arms;
mod asked;
mod trial;

use std::{ops::RangeInclusive, time::Duration};

use clap::Args;
use reports::{
    experiments::near_capacity::{Capacity, Condition, Data, NearCapacity as Recorded, Unserved},
    run::{ARM_SEAWALL, Planned, Run, What},
};
use seawall::clock;

use crate::{
    experiment::{Experiment, NotRepeatable, Setting, WithRemarks, recorded},
    faults::{
        Kind, network,
        plan::Plan,
        process,
        schedule::{Draw, draw},
    },
    flags::{CliError, ConfigArgs, Frame, Size, deadlines},
    load::workload::HOLD,
    stage::{Interrupted, Stage, Step, Stop},
};

/// Attempts are counted until so long after the fault, and the load goes on for that long in
/// any case.
const COUNTED: Duration = Duration::from_secs(3);
/// Deadline in milliseconds, if the user does not say: the fault lasts for several of them.
const DEADLINE_MS: u32 = 250;

/// Part of what callers in a closed loop get of scripts that arrivals can be given: these keep
/// the runner's processors busy beside the server's, where an operation that only holds its
/// session leaves both idle.
const OPEN_SHARE: f64 = 0.6;

/// Load close to the capacity, and a fault.
#[derive(Debug, Clone)]
pub struct NearCapacity {
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
    /// Load, as shares of what a pool can do [default: 0.8,0.95]
    #[arg(long, value_name = "SHARE,...")]
    utilisation: Option<String>,
    /// How often callers try again, at once, when a try fails [default: 0,2,5]
    #[arg(long, value_name = "N,...")]
    retries: Option<String>,
    /// What happens to the database for about a second [default: pause; latency on a server that is not ours]
    #[arg(long, value_name = "KIND", value_parser = FAULTS.map(|kind| kind.name))]
    fault: Option<String>,
    /// How often each condition is carried out
    #[arg(long, default_value_t = 1, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000))]
    repeats: u32,
    /// Deadline of an operation, and of each wait and statement of a pool that has deadlines, in milliseconds
    #[arg(long, default_value_t = DEADLINE_MS, value_name = "MS", value_parser = deadlines())]
    deadline_ms: u32,
    /// How long a caller waits for one try before it hangs up, in milliseconds [default: twice the deadline]
    #[arg(long, value_name = "MS", value_parser = deadlines())]
    patience_ms: Option<u32>,
}

/// What can happen to the database. Under each of them callers get no answer, or none in
/// time, and afterwards the server is as it was.
static FAULTS: [&Kind; 6] = [
    &process::PAUSE,
    &network::LATENCY,
    &network::BLACKHOLE,
    &network::REFUSED,
    &network::RESET,
    &process::CRASH,
];

impl Experiment for NearCapacity {
    type Recorded = Recorded;
    const ABOUT: &'static str =
        "Load close to what a pool can do, callers that retry at once, and a fault: who comes back";
    type Options = Options;

    fn plan(options: &Options, frame: &Frame) -> Result<WithRemarks<Self>, CliError> {
        let deadline = Duration::from_millis(u64::from(options.deadline_ms));
        let (config, remarks) = options.config.read(deadline)?;
        let conditions = asked::conditions(
            options.utilisation.as_deref(),
            options.retries.as_deref(),
            frame.size,
        )?;
        let usual = if frame.own_server { 0 } else { 1 };
        let named = options.fault.as_deref().and_then(Kind::named);
        let patience = options.patience_ms.map(u64::from);
        let patience = patience.map_or(2 * deadline, Duration::from_millis);
        let arms = arms::arms(config, deadline);
        let times = times(frame.size);
        let us = |duration: Duration| u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        let planned = Self {
            setting: Setting {
                plan: None,
                scripts: frame.scripts.clone(),
                schedule: schedule(
                    frame.seed,
                    &conditions,
                    &arms::groups(&arms, frame.size),
                    &Draw {
                        plan: Plan {
                            repeats: options.repeats,
                            ..Plan::of(&[named.unwrap_or(FAULTS[usual])])
                        },
                        arms: Vec::new(),
                        side_by_side: true,
                        phase: times.phase,
                        length: times.length,
                        deadline,
                    },
                ),
                arms,
            },
            nothing_yet: Data {
                conditions,
                deadline_us: us(deadline),
                patience_us: us(patience),
                hold_us: us(HOLD),
                calibration_us: us(times.calibration),
                horizon_us: us(times.horizon),
                others_us: us(times.others),
                counted_us: us(COUNTED),
                capacity: None,
                trials: Vec::new(),
                unserved: Vec::new(),
            },
        };
        Ok((planned, remarks))
    }

    fn again(run: &Run, data: &Data) -> Result<Self, NotRepeatable> {
        Ok(Self {
            setting: recorded(run)?,
            nothing_yet: Data {
                capacity: None,
                trials: Vec::new(),
                unserved: Vec::new(),
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
        let possible = stage.possible(0..stage.run.schedule.len());
        let schedule = &stage.run.schedule;
        let together = schedule.iter().map(|entry| &entry.arms);
        let together = together.max_by_key(|arms| arms.len()).cloned();
        let subject = "the capacity of a pool";
        stage.events.of(subject, clock::now(), What::LoadStarted);
        let length = Duration::from_micros(data.calibration_us);
        let together = together.unwrap_or_default();
        let capacity = stage.capacity(&together, length).await?;
        let scripts = self.setting.scripts.is_some();
        data.capacity = Some(Capacity {
            pools: capacity.pools,
            connections: capacity.connections,
            operations: capacity.operations,
            took_us: capacity.took_us,
            open_share: if scripts { OPEN_SHARE } else { 1.0 },
        });
        stage.save(data);
        for (done, planned) in possible.iter().copied().enumerate() {
            let name = &stage.run.schedule[planned].name;
            let condition = data.conditions.iter().position(|c| c.name == *name);
            let Some(condition) = condition else {
                let reason = format!("{name}: there is no such condition");
                return Err(Stop::NoSteadyState(reason));
            };
            stage.step(Step {
                unit: "trial",
                done,
                of: possible.len(),
                subject: &format!("{name}: {}", schedule[planned].arms.join(", ")),
                left: None,
            });
            match trial::carry_out(stage, data, planned, condition).await {
                Ok(trials) => data.trials.extend(trials),
                // What it says of others than ours is a result.
                Err(Stop::NoSteadyState(reason))
                    if schedule[planned].arms.iter().all(|arm| arm != ARM_SEAWALL) =>
                {
                    let condition = name.clone();
                    data.unserved.push(Unserved { condition, reason });
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

struct Times {
    calibration: Duration,
    phase: RangeInclusive<Duration>,
    length: RangeInclusive<Duration>,
    /// For an arm of the engine, of which is claimed that it is back by then.
    horizon: Duration,
    /// For the others.
    others: Duration,
}

fn times(size: Size) -> Times {
    let ms = Duration::from_millis;
    match size {
        Size::Quick => Times {
            calibration: ms(1_500),
            phase: ms(300)..=ms(600),
            length: ms(1_000)..=ms(1_200),
            horizon: ms(12_000),
            others: ms(7_000),
        },
        Size::Default => Times {
            calibration: ms(3_000),
            phase: ms(1_000)..=ms(1_500),
            length: ms(1_000)..=ms(1_500),
            horizon: ms(20_000),
            others: ms(12_000),
        },
        Size::Full => Times {
            calibration: ms(10_000),
            phase: ms(2_000)..=ms(4_000),
            length: ms(1_000)..=ms(5_000),
            horizon: ms(60_000),
            others: ms(60_000),
        },
    }
}

/// The conditions, round by round. All arms of a condition meet the same fault in a round,
/// the groups of them in random order.
fn schedule(
    seed: u64,
    conditions: &[Condition],
    groups: &[Vec<String>],
    from: &Draw,
) -> Vec<Planned> {
    let mut rng = fastrand::Rng::with_seed(seed);
    let drawn: Vec<Vec<Planned>> = conditions.iter().map(|_| draw(rng.u64(..), from)).collect();
    let mut schedule = Vec::new();
    for round in 0..from.plan.repeats as usize {
        for (condition, rounds) in conditions.iter().zip(&drawn) {
            let mut turns: Vec<&Vec<String>> = groups.iter().collect();
            rng.shuffle(&mut turns);
            let Some(entry) = rounds.get(round) else {
                continue;
            };
            schedule.extend(turns.into_iter().map(|arms| Planned {
                name: condition.name.clone(),
                arms: arms.clone(),
                ..entry.clone()
            }));
        }
    }
    schedule
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use reports::run::Step;

    use super::*;

    /// Plans what was typed behind the command.
    fn typed(flags: &[&str], size: Size, own_server: bool) -> NearCapacity {
        use clap::Parser as _;
        #[derive(clap::Parser)]
        struct Typed {
            #[command(flatten)]
            options: Options,
        }
        let frame = Frame {
            seed: 7,
            size,
            own_server,
            scripts: None,
        };
        let typed = Typed::try_parse_from(["near-capacity"].iter().chain(flags));
        let Typed { options } = typed.expect("known flags");
        let (planned, _) = NearCapacity::plan(&options, &frame).expect("a plan");
        planned
    }

    #[test]
    fn all_arms_of_a_condition_meet_the_same_fault() {
        let planned = typed(&["--repeats", "2"], Size::Default, true);
        let Setting { arms, schedule, .. } = planned.setting();
        let names: BTreeSet<&str> = arms.iter().map(|(arm, _)| &*arm.name).collect();
        let conditions = &planned.nothing_yet.conditions;
        // Six conditions, twice, the careful pool by itself.
        assert_eq!(schedule.len(), 6 * 2 * 2);
        let mut faults: BTreeSet<(u64, u64)> = BTreeSet::new();
        for pair in schedule.chunks(2) {
            let of = |p: &Planned| (p.name.clone(), p.faults.clone());
            assert_eq!(of(&pair[0]), of(&pair[1]));
            assert!(conditions.iter().any(|c| c.name == pair[0].name));
            let under_load: Vec<&str> = pair.iter().flat_map(|p| &p.arms).map(|a| &**a).collect();
            assert_eq!(under_load.len(), arms.len());
            assert_eq!(under_load.into_iter().collect::<BTreeSet<_>>(), names);
            assert!(pair.iter().any(|p| p.arms == ["careful"]));
            let Step {
                phase_us,
                length_us,
                ..
            } = pair[0].faults[0];
            faults.insert((phase_us, length_us));
        }
        assert_eq!(faults.len(), 12, "each its own");
    }

    #[test]
    fn a_full_run_has_one_arm_at_a_time_and_so_have_arms_that_do_not_fit() {
        let full = typed(&[], Size::Full, true).setting().schedule;
        assert!(full.iter().all(|entry| entry.arms.len() == 1));

        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("pool.toml");
        std::fs::write(&path, "max_connections = 50").expect("written");
        let config = path.to_str().expect("UTF-8");
        let planned = typed(&["--config", config], Size::Quick, true).setting();
        assert!(planned.schedule.iter().all(|entry| entry.arms.len() == 1));
        let most = |(_, setup): &(_, crate::load::setup::Setup)| setup.max_connections();
        assert!(planned.arms.iter().all(|arm| most(arm) == 50));
    }

    #[test]
    fn what_is_shipped_is_an_arm_once() {
        let arms = typed(&[], Size::Quick, true).setting().arms;
        let configs: Vec<String> = arms.iter().map(|(_, setup)| format!("{setup:?}")).collect();
        let once: BTreeSet<&String> = configs.iter().collect();
        assert_eq!(once.len(), configs.len());
    }

    #[test]
    fn the_fault_is_the_one_that_was_named_or_one_that_can_be_done_here() {
        let fault = |flags: &[&str], own_server: bool| {
            let schedule = typed(flags, Size::Quick, own_server).setting().schedule;
            schedule[0].faults[0].kind.clone()
        };
        assert_eq!(fault(&[], true), "pause");
        assert_eq!(fault(&[], false), "latency");
        assert_eq!(fault(&["--fault", "blackhole"], true), "blackhole");
    }

    #[test]
    fn callers_are_as_patient_as_the_pools_may_take_unless_the_user_says_otherwise() {
        let of = |flags: &[&str]| {
            let data = typed(flags, Size::Quick, true).nothing_yet;
            (data.deadline_us, data.patience_us)
        };
        assert_eq!(of(&[]), (250_000, 500_000));
        assert_eq!(of(&["--deadline-ms", "300"]), (300_000, 600_000));
        assert_eq!(of(&["--patience-ms", "300"]), (250_000, 300_000));
    }

    #[test]
    fn a_record_alone_is_enough_to_do_its_run_again() {
        for size in Size::ALL {
            let planned = typed(&["--utilisation", "0.5"], *size, true);
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
                ..crate::stage::tests::run("near-capacity")
            };
            let again = NearCapacity::again(&run, &planned.nothing_yet()).expect("repeatable");
            assert_eq!(format!("{again:?}"), format!("{planned:?}"));
        }
    }
}
