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

use std::{ops::RangeInclusive, time::Duration};

use reports::{
    Record,
    record::{Cell, Fault, Planned, ProbeMode, Settings, Sweep},
};
use seawall::{PoolConfig, breaker::Probe};

use super::failure_sim::{Size, engine_arm, max_in_flight};
use crate::{
    faults::{
        plan::{Plan, Steady, Wish},
        schedule::{Draw, draw},
    },
    runner::Scenario,
};

/// Operations a second for each cell, if the user does not say.
pub const RATE_PER_S: u32 = 40;

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

/// What the user may set.
#[derive(Debug, Clone)]
pub struct Options {
    /// How long.
    pub size: Size,
    /// Everything random comes from it.
    pub seed: u64,
    /// Operations a second and cell.
    pub rate_per_s: u32,
    /// D.
    pub deadline: Duration,
    /// The server cannot be killed.
    pub only_network_faults: bool,
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
    faults: &'static [Fault],
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
            faults: &[Fault::Refused, Fault::Reset],
            repeats: 3,
            fresh: 3,
        },
        Size::Default => Extent {
            scale: 40,
            phase: ms(200)..=ms(600),
            shortest: ms(300),
            settled: ms(500),
            faults: &[Fault::Refused, Fault::Reset, Fault::Crash],
            repeats: 7,
            fresh: 3,
        },
        // A blackhole takes deadlines to be noticed, which are not divided.
        Size::Full => Extent {
            scale: 1,
            phase: ms(1_000)..=ms(4_000),
            shortest: ms(5_000),
            settled: ms(2_000),
            faults: &[Fault::Refused, Fault::Reset, Fault::Crash, Fault::Blackhole],
            repeats: 2,
            fresh: 2,
        },
    }
}

/// The scenario.
#[must_use]
pub fn scenario(options: &Options) -> Scenario {
    let extent = extent(options.size);
    let cells = cells(options.size);
    let arms = cells.iter().map(|cell| {
        let about = match cell.week {
            Some(week) => format!("the guide's week {week}, {} probe", cell.probe.name()),
            None => format!("{} probe", cell.probe.name()),
        };
        engine_arm(&cell.arm, &about, config(cell, extent.scale, options))
    });
    let longest = WEEKS.map(|(_, s)| s).into_iter().max().unwrap_or(0);
    let longest = Duration::from_secs(longest) / extent.scale;
    let (schedule, outages) = schedule(options, &extent, longest, &cells);
    let us = |duration: Duration| u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
    Scenario {
        command: "breaker-sweep".to_owned(),
        seed: options.seed,
        settings: Settings {
            size: options.size.name().to_owned(),
            rate_per_s: options.rate_per_s,
            deadline_us: us(options.deadline),
            max_in_flight: max_in_flight(options.rate_per_s, options.deadline),
            // Whether a write is lost is another question: failure-sim's.
            write_share: 0.0,
            horizon_us: 0,
            // A caller that fails in half-open costs another timeout.
            patience_us: us(longest * 5 / 4 + 2 * options.deadline + Duration::from_secs(1)),
            steady_ok_share: 0.99,
            steady_p99_us: us(options.deadline / 2),
        },
        arms: arms.collect(),
        plan: None,
        schedule,
        steady_patience: Duration::from_secs(15),
        sweep: Some(Sweep {
            scale: extent.scale,
            settled_us: us(extent.settled),
            cells,
            outages,
            stretches: Vec::new(),
        }),
        batches: None,
    }
}

/// The scenario of an earlier run.
///
/// # Errors
/// Why not, and what would do.
pub fn replay(record: &Record) -> Result<Scenario, (String, &'static str)> {
    let scenario = scenario(&Options {
        size: Size::of(record)?,
        seed: record.seed,
        rate_per_s: record.settings.rate_per_s,
        deadline: Duration::from_micros(record.settings.deadline_us),
        only_network_faults: record.environment.kind == "external",
    });
    let arms = scenario.arms.iter().map(|(arm, _)| arm);
    if !record.arms.iter().eq(arms) {
        let reason = "its grid is not that of this version".to_owned();
        return Err((reason, "a run of this version"));
    }
    Ok(scenario)
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
fn config(cell: &Cell, scale: u32, options: &Options) -> PoolConfig {
    PoolConfig {
        max_connections: CONNECTIONS,
        circuit_breaker_failure_threshold: cell.failure_threshold,
        circuit_breaker_recovery_timeout: Duration::from_micros(cell.recovery_timeout_us) / scale,
        circuit_breaker_error_rate: cell.error_rate,
        circuit_breaker_probe: match cell.probe {
            ProbeMode::Passive => Probe::Passive,
            ProbeMode::Active => Probe::Active,
        },
        acquire_timeout: options.deadline,
        statement_timeout: options.deadline,
        ..PoolConfig::default()
    }
}

/// The outages for all cells, the stall, and the fresh outages; and how many the
/// first are.
fn schedule(
    options: &Options,
    extent: &Extent,
    longest: Duration,
    cells: &[Cell],
) -> (Vec<Planned>, usize) {
    let faults: Vec<Fault> = extent
        .faults
        .iter()
        .copied()
        .filter(|fault| !options.only_network_faults || *fault != Fault::Crash)
        .collect();
    let drawn = |seed, plan, arms, span: Duration| {
        let from = Draw {
            plan,
            arms,
            side_by_side: true,
            phase: extent.phase.clone(),
            length: extent.shortest..=extent.shortest + span,
            deadline: options.deadline,
        };
        draw(seed, &from)
    };
    let repeated = |repeats| Plan {
        repeats,
        ..Plan::of(&faults)
    };
    let all: Vec<String> = cells.iter().map(|cell| cell.arm.clone()).collect();
    let mut schedule = drawn(options.seed, repeated(extent.repeats), all.clone(), longest);
    let outages = schedule.len();
    schedule.extend(drawn(options.seed, stall(), all, longest));
    // Who they are for is not known before the others are done; week 2, whose
    // timeout is half the longest, always is.
    let seed = options.seed ^ FRESH;
    let fresh = drawn(seed, repeated(extent.fresh), Vec::new(), longest / 2);
    schedule.extend(fresh);
    (schedule, outages)
}

fn stall() -> Plan {
    let ms = Duration::from_millis;
    let mut plan = Plan {
        repeats: 1,
        steady: Steady::default(),
        ..Plan::of(&[Fault::Latency])
    };
    for entry in &mut plan.entries {
        entry.name = "stall".to_owned();
        entry.faults = vec![Wish {
            phase: Some(ms(50)..=ms(50)),
            length: Some(ms(300)..=ms(300)),
            parameters: vec![("latency_ms", STALL_MS)],
            ..Wish::usual(Fault::Latency)
        }];
    }
    plan
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(size: Size, seed: u64) -> Options {
        Options {
            size,
            seed,
            rate_per_s: RATE_PER_S,
            deadline: Duration::from_millis(500),
            only_network_faults: false,
        }
    }

    #[test]
    fn the_guide_s_weeks_are_in_every_grid_with_either_probe() {
        for size in [Size::Quick, Size::Default, Size::Full] {
            let scenario = scenario(&options(size, 1));
            let sweep = scenario.sweep.as_ref().expect("a sweep");
            for probe in [ProbeMode::Passive, ProbeMode::Active] {
                let weeks = sweep.cells.iter().filter(|cell| cell.probe == probe);
                let weeks: Vec<_> = weeks
                    .filter_map(|c| {
                        let s = c.recovery_timeout_us / 1_000_000;
                        Some((c.week?, c.failure_threshold, s, c.error_rate))
                    })
                    .collect();
                let guide = [(1, 3, 120, 0.5), (2, 5, 60, 0.5), (3, 8, 45, 0.5)];
                assert_eq!(weeks, guide, "{size:?}");
            }
            let full = size == Size::Full;
            assert_eq!(sweep.scale == 1, full, "real times are for --full only");
            // Those that are run, at a server's usual hundred connections.
            assert!(sweep.cells.len() * CONNECTIONS as usize <= 50);
        }
    }

    #[test]
    fn a_seed_draws_the_same_outages_and_others_to_confirm() {
        let of = |seed| scenario(&options(Size::Quick, seed)).schedule;
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
        let mut options = options(Size::Default, 1);
        options.only_network_faults = true;
        let schedule = scenario(&options).schedule;
        assert!(schedule.iter().all(|planned| planned.name != "crash"));
    }
}
