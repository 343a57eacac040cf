//! Which settings of the circuit breaker are to be shipped?
//!
//! A grid of failure threshold, recovery timeout, error rate and probe; the guide's
//! three weeks are always in it. What a cell costs shows over outages of random
//! phase and length, and the guide's own timeouts last up to two minutes, so all of
//! its times are divided by one factor unless `--full`. The engine's deadlines and
//! probe intervals are not: where those show, the divided times say too much.
//!
//! Lengths are even over a span as long as the longest timeout, so that where in a
//! timeout the server comes back is even as well, whatever the timeout.

mod alarms;
mod stretch;

pub(crate) use self::stretch::{Course, carry_out};

use std::{ops::RangeInclusive, time::Duration};

use clap::Args;
use reports::{
    experiments::breaker_sweep::{BreakerSweep as Recorded, Cell, Data, ProbeMode},
    run::{Callers, Load, Mix, Planned, Run},
};
use seawall::{PoolConfig, breaker::Probe, config::WhenOpen};

use crate::{
    experiment::{Experiment, NotRepeatable, Setting, WithRemarks, recorded},
    faults::{
        Kind, network,
        plan::{Plan, SteadyState, Wish},
        process,
        schedule::{Draw, draw},
    },
    flags::{CliError, DeadlineArgs, Frame, Size, rates},
    load::{arrivals::max_in_flight, setup::Setup},
    stage::{Stage, Stop},
};

/// Operations a second for each cell, if the user does not say.
const RATE_PER_S: u32 = 40;

/// The guide's weeks: failures, seconds, and the error rate of all three.
const WEEKS: [(u32, u64); 3] = [(3, 120), (5, 60), (8, 45)];
const WEEK_RATE: f64 = 0.5;
/// Connections of a cell: what forty operations a second need, and few enough that
/// two dozen cells and their probes fit into a server's usual hundred.
const CONNECTIONS: u32 = 2;
/// Of the stall among the false alarms.
const STALL_MS: u32 = 200;
/// Apart from the seed by this, fresh outages have nothing of the others.
const FRESH: u64 = 0x9e37_79b9_7f4a_7c15;

/// A grid of breaker settings under the same outages.
#[derive(Debug, Clone)]
pub struct BreakerSweep {
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
    /// Operations per second and cell [default: 40; of scripts, no more than a third of what pools can do]
    #[arg(long, value_name = "N", value_parser = rates())]
    rate: Option<u32>,
    #[command(flatten)]
    deadline: DeadlineArgs,
}

impl Experiment for BreakerSweep {
    type Recorded = Recorded;
    const ABOUT: &'static str =
        "Which settings of the circuit breaker to ship: a grid of them under real outages";
    type Options = Options;

    fn plan(options: &Options, frame: &Frame) -> Result<WithRemarks<Self>, CliError> {
        let rate = options.rate.unwrap_or(RATE_PER_S);
        let planned = Self::new(rate, options.deadline.deadline(), frame);
        let fitted = options.rate.is_none();
        Ok((Self { fitted, ..planned }, Vec::new()))
    }

    fn again(run: &Run, data: &Data) -> Result<Self, NotRepeatable> {
        let mut setting = recorded(run)?;
        // Who the fresh outages are for is found out again.
        for fresh in setting.schedule.iter_mut().skip(data.outages + 1) {
            fresh.arms.clear();
        }
        Ok(Self {
            fitted: false,
            setting,
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
        if self.fitted {
            let all: Vec<String> = data.cells.iter().map(|cell| cell.arm.clone()).collect();
            stage.fit(&mut data.load, &all).await?;
        }
        let course = Course {
            until: None,
            save: &|stage, data| stage.save(data),
        };
        carry_out(stage, data, &course).await
    }
}

impl BreakerSweep {
    /// A grid with the usual load, of a size and drawn from a seed.
    pub(crate) fn usual(deadline: Duration, frame: &Frame) -> Self {
        Self::new(RATE_PER_S, deadline, frame)
    }

    fn new(rate_per_s: u32, deadline: Duration, frame: &Frame) -> Self {
        let extent = extent(frame.size);
        let cells = cells(frame.size);
        let arms = cells.iter().map(|cell| {
            let about = match cell.week {
                Some(week) => format!("the guide's week {week}, {} probe", cell.probe.name()),
                None => format!("{} probe", cell.probe.name()),
            };
            let config = config(cell, extent.scale, deadline);
            Setup::engine(config).arm(&cell.arm, &about)
        });
        let longest = WEEKS.map(|(_, s)| s).into_iter().max().unwrap_or(0);
        let longest = Duration::from_secs(longest) / extent.scale;
        let (schedule, outages) = schedule(frame, deadline, &extent, longest, &cells);
        let us = |duration: Duration| u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        let setting = Setting {
            arms: arms.collect(),
            plan: None,
            schedule,
            scripts: frame.scripts.clone(),
        };
        let nothing_yet = Data {
            load: Load {
                rate_per_s,
                clients: None,
                deadline_us: us(deadline),
                max_in_flight: max_in_flight(rate_per_s, deadline),
                write_share: if frame.scripts.is_some() { 0.0 } else { 0.1 },
                mix: Mix::default(),
                callers: Callers::default(),
                steady_ok_share: 0.99,
                steady_p99_us: us(deadline / 2),
            },
            // A caller that fails in half-open costs another timeout.
            patience_us: us(longest * 5 / 4 + 2 * deadline + Duration::from_secs(1)),
            scale: extent.scale,
            settled_us: us(extent.settled),
            cells,
            outages,
            stretches: Vec::new(),
        };
        Self {
            fitted: false,
            setting,
            nothing_yet,
        }
    }
}

/// How long a sweep of a size takes, and what is in it.
struct Extent {
    /// What the guide's times are divided by.
    scale: u32,
    /// Steady load before an outage.
    phase: RangeInclusive<Duration>,
    /// The shortest outage.
    shortest: Duration,
    /// For so long a cell must be served to be back.
    settled: Duration,
    faults: Vec<&'static Kind>,
    /// How often each of them is done.
    repeats: u32,
    /// How often again, to confirm.
    fresh: u32,
}

fn extent(size: Size) -> Extent {
    let ms = Duration::from_millis;
    match size {
        // The guide's 120 s become two.
        Size::Quick => Extent {
            scale: 60,
            phase: ms(100)..=ms(300),
            shortest: ms(300),
            settled: ms(400),
            faults: vec![&network::REFUSED, &network::RESET],
            repeats: 3,
            fresh: 3,
        },
        Size::Default => Extent {
            scale: 40,
            phase: ms(200)..=ms(600),
            shortest: ms(300),
            settled: ms(500),
            faults: vec![&network::REFUSED, &network::RESET, &process::CRASH],
            repeats: 7,
            fresh: 3,
        },
        // A blackhole takes deadlines to be noticed, which are not divided.
        Size::Full => Extent {
            scale: 1,
            phase: ms(1_000)..=ms(4_000),
            shortest: ms(5_000),
            settled: ms(2_000),
            faults: vec![
                &network::REFUSED,
                &network::RESET,
                &process::CRASH,
                &network::BLACKHOLE,
            ],
            repeats: 2,
            fresh: 2,
        },
    }
}

/// The grid, the guide's weeks first.
fn cells(size: Size) -> Vec<Cell> {
    let (half, probes) = (WEEK_RATE, [ProbeMode::Passive, ProbeMode::Active]);
    let mut wanted: Vec<(u32, u64, f64, ProbeMode)> = Vec::new();
    for probe in probes {
        wanted.extend(WEEKS.map(|(n, s)| (n, s, half, probe)));
    }
    if size == Size::Quick {
        let active = ProbeMode::Active;
        wanted.extend([(3, 60, half, active), (8, 60, half, active)]);
        wanted.extend([0.25, 0.75].map(|rate| (5, 60, rate, active)));
    } else {
        for probe in probes {
            for (n, _) in WEEKS {
                wanted.extend(WEEKS.map(|(_, s)| (n, s, half, probe)));
            }
            wanted.extend([0.25, 0.75].map(|rate| (5, 60, rate, probe)));
        }
    }
    let mut cells: Vec<Cell> = Vec::new();
    for (failure_threshold, timeout_s, error_rate, probe) in wanted {
        let week = WEEKS
            .iter()
            .zip(1_u8..)
            .find(|(week, _)| **week == (failure_threshold, timeout_s) && error_rate == half);
        let rate = if error_rate == half {
            String::new()
        } else {
            format!("/{error_rate}")
        };
        let arm = format!("{failure_threshold}/{timeout_s}s{rate}-{}", probe.name());
        if cells.iter().all(|cell| cell.arm != arm) {
            cells.push(Cell {
                arm,
                failure_threshold,
                recovery_timeout_us: timeout_s * 1_000_000,
                error_rate,
                probe,
                week: week.map(|(_, number)| number),
            });
        }
    }
    cells
}

/// What a cell is run with.
fn config(cell: &Cell, scale: u32, deadline: Duration) -> PoolConfig {
    PoolConfig {
        max_connections: CONNECTIONS,
        circuit_breaker_failure_threshold: cell.failure_threshold,
        circuit_breaker_recovery_timeout: Duration::from_micros(cell.recovery_timeout_us) / scale,
        circuit_breaker_error_rate: cell.error_rate,
        circuit_breaker_probe: match cell.probe {
            ProbeMode::Passive => Probe::Passive,
            ProbeMode::Active => Probe::Active,
        },
        acquire_timeout: deadline,
        statement_timeout: deadline,
        // What it decides is seen by who is refused.
        circuit_breaker_when_open: WhenOpen::Refuse,
        ..PoolConfig::default()
    }
}

/// The outages for all cells, the stall, and the fresh outages; and how many the
/// first are.
fn schedule(
    frame: &Frame,
    deadline: Duration,
    extent: &Extent,
    longest: Duration,
    cells: &[Cell],
) -> (Vec<Planned>, usize) {
    let faults: Vec<&'static Kind> = extent
        .faults
        .iter()
        .copied()
        .filter(|kind| frame.own_server || kind.is_of_network())
        .collect();
    let drawn = |seed, plan, arms, span: Duration| {
        let from = Draw {
            plan,
            arms,
            side_by_side: true,
            phase: extent.phase.clone(),
            length: extent.shortest..=extent.shortest + span,
            deadline,
        };
        draw(seed, &from)
    };
    let repeated = |repeats| Plan {
        repeats,
        ..Plan::of(&faults)
    };
    let all: Vec<String> = cells.iter().map(|cell| cell.arm.clone()).collect();
    let mut schedule = drawn(frame.seed, repeated(extent.repeats), all.clone(), longest);
    let outages = schedule.len();
    schedule.extend(drawn(frame.seed, stall(), all, longest));
    // Who they are for is not known before the others are done; week 2, whose
    // timeout is half the longest, always is.
    let seed = frame.seed ^ FRESH;
    let fresh = drawn(seed, repeated(extent.fresh), Vec::new(), longest / 2);
    schedule.extend(fresh);
    (schedule, outages)
}

fn stall() -> Plan {
    let ms = Duration::from_millis;
    let mut plan = Plan {
        repeats: 1,
        steady: SteadyState::default(),
        ..Plan::of(&[&network::LATENCY])
    };
    for entry in &mut plan.entries {
        entry.name = "stall".to_owned();
        entry.faults = vec![Wish {
            phase: Some(ms(50)..=ms(50)),
            length: Some(ms(300)..=ms(300)),
            parameters: vec![("latency_ms", STALL_MS)],
            ..Wish::usual(&network::LATENCY)
        }];
    }
    plan
}

#[cfg(test)]
mod tests {
    use super::*;

    fn planned(size: Size, seed: u64, own_server: bool) -> BreakerSweep {
        let frame = Frame {
            seed,
            size,
            own_server,
            scripts: None,
        };
        BreakerSweep::new(RATE_PER_S, Duration::from_millis(500), &frame)
    }

    #[test]
    fn the_guide_s_weeks_are_in_every_grid_with_either_probe() {
        for size in Size::ALL {
            let data = planned(*size, 1, true).nothing_yet;
            for probe in [ProbeMode::Passive, ProbeMode::Active] {
                let weeks = data.cells.iter().filter(|cell| cell.probe == probe);
                let weeks: Vec<_> = weeks
                    .filter_map(|c| {
                        let s = c.recovery_timeout_us / 1_000_000;
                        Some((c.week?, c.failure_threshold, s, c.error_rate))
                    })
                    .collect();
                let guide = [(1, 3, 120, 0.5), (2, 5, 60, 0.5), (3, 8, 45, 0.5)];
                assert_eq!(weeks, guide, "{size:?}");
            }
            let full = *size == Size::Full;
            assert_eq!(data.scale == 1, full, "real times are for --full only");
            // Those that are run, at a server's usual hundred connections.
            assert!(data.cells.len() * CONNECTIONS as usize <= 50);
        }
    }

    #[test]
    fn a_seed_draws_the_same_outages_and_others_to_confirm() {
        let of = |seed| planned(Size::Quick, seed, true).setting.schedule;
        assert_eq!(of(3), of(3));
        assert_ne!(of(3), of(4));
        let schedule = of(3);
        let lengths: Vec<u64> = schedule.iter().map(Planned::length_us).collect();
        let (searched, fresh) = (&lengths[..6], &lengths[7..]);
        assert!(searched.iter().all(|length| !fresh.contains(length)));
        assert_eq!(schedule[6].name, "stall");
    }

    #[test]
    fn what_the_user_cannot_kill_is_not_killed() {
        let schedule = planned(Size::Default, 1, false).setting.schedule;
        assert!(schedule.iter().all(|planned| planned.name != "crash"));
    }

    #[test]
    fn a_record_alone_is_enough_to_do_its_run_again() {
        let planned = planned(Size::Default, 7, true);
        let Setting { arms, schedule, .. } = planned.setting();
        let mut run = Run {
            arms: arms.iter().map(|(arm, _)| arm.clone()).collect(),
            schedule,
            ..crate::stage::tests::run("breaker-sweep")
        };
        // As a run leaves it, once it is known who the fresh outages are for.
        for fresh in run
            .schedule
            .iter_mut()
            .skip(planned.nothing_yet.outages + 1)
        {
            fresh.arms = vec!["5/60s-active".to_owned()];
        }
        let again = BreakerSweep::again(&run, &planned.nothing_yet()).expect("repeatable");
        assert_eq!(format!("{again:?}"), format!("{planned:?}"));
    }
}
