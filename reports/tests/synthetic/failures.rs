//! A whole run that looks like one: what a bare pool and the engine do under
//! six faults, at the pace and with the scatter of a small machine.

use std::{collections::BTreeMap, ops::Range};

use fastrand::Rng;
use reports::{
    Record,
    experiments::failure_sim::{Counted, Data, Side, Window},
    record::SCHEMA,
    run::{
        Arm, Attempts, BreakerState, Ended, Environment, Injection, Load, Mix, Outcome, Planned,
        Run, SessionCount, Transition,
    },
};

use super::{FAULTS, Fault, HORIZON_US, Times, entry, injection, load};

const MS: u64 = 1_000;

/// A complete run: every fault `rounds` times, against each of `arms`.
pub(crate) fn record(seed: u64, rounds: usize, arms: &[&str]) -> Record {
    let mut rng = Rng::with_seed(seed);
    let mut data = Data {
        load: Load {
            mix: Mix {
                beside: true,
                ..Mix::default()
            },
            ..load()
        },
        horizon_us: HORIZON_US,
        patience_us: 5_000_000,
        injections: Vec::new(),
        unserved: Vec::new(),
        rounds: 0,
        windows: windows(seed, arms),
        window_answers: Vec::new(),
    };
    let mut run = Run {
        schema: SCHEMA,
        command: "failure-sim".to_owned(),
        arguments: arguments(seed),
        seed,
        size: "quick".to_owned(),
        started_utc: "2026-01-02T03:04:05Z".to_owned(),
        environment: Environment {
            kind: "local".to_owned(),
            server_version: "15.18".to_owned(),
            proxy: "embedded".to_owned(),
            cpus: 2,
            profile: "dev".to_owned(),
        },
        arms: self::arms(arms),
        plan: None,
        scripts: Vec::new(),
        thresholds: Vec::new(),
        variables: BTreeMap::new(),
        schedule: Vec::new(),
        skipped: Vec::new(),
        tables: Vec::new(),
        ended: Ended::Complete,
    };
    let mut clock_us = 0;
    for fault in (0..rounds).flat_map(|_| FAULTS) {
        let planned = run.schedule.len();
        let mut plan = entry(fault);
        plan.arms = arms.iter().map(|arm| (*arm).to_owned()).collect();
        plan.faults[0].phase_us = rng.u64(1_500_000..2_500_000);
        plan.faults[0].length_us = rng.u64(2_300_000..3_200_000);
        for arm in arms {
            let mut injection = one(&mut rng, &plan, fault, arm);
            injection.planned = planned;
            injection.started_us = clock_us;
            clock_us += injection.ended_us + 400_000;
            data.injections.push(injection);
        }
        run.schedule.push(plan);
    }
    Record {
        run,
        data: data.into(),
    }
}

/// As they were typed.
fn arguments(seed: u64) -> Vec<String> {
    let typed = format!("--quick --seed {seed} --env local --deadline-ms 250");
    typed.split(' ').map(str::to_owned).collect()
}

/// What was recorded of its injections.
#[cfg(test)]
pub(crate) fn failures(record: &mut Record) -> &mut Data {
    match &mut record.data {
        reports::Data::FailureSim(data) => data,
        other => panic!("{}", other.command()),
    }
}

/// The same run, stopped by the user after some of its injections.
#[cfg(test)]
pub(crate) fn interrupted_after(injections: usize, mut record: Record) -> Record {
    failures(&mut record).injections.truncate(injections);
    record.run.ended = Ended::Interrupted;
    record
}

/// The same run, but each arm met each fault by itself, the last arm first.
#[cfg(test)]
pub(crate) fn in_turns(mut record: Record) -> Record {
    let schedule = record.run.schedule.clone();
    let injections = &mut failures(&mut record).injections;
    for injection in &mut *injections {
        let plan = &schedule[injection.planned];
        let place = plan.arms.iter().rev().position(|arm| *arm == injection.arm);
        injection.planned = injection.planned * plan.arms.len() + place.unwrap();
    }
    injections.sort_by_key(|injection| injection.planned);
    let taken_apart = schedule.iter().flat_map(|plan| {
        plan.arms.iter().rev().map(|arm| Planned {
            arms: vec![arm.clone()],
            ..plan.clone()
        })
    });
    record.run.schedule = taken_apart.collect();
    record.check().unwrap();
    record
}

fn arms(names: &[&str]) -> Vec<Arm> {
    names
        .iter()
        .map(|name| Arm {
            name: (*name).to_owned(),
            about: match *name {
                "bare" => "deadpool-postgres without deadlines",
                "careful" => "deadpool-postgres with a deadline on everything",
                "guide" => "the engine, configured as the guide says",
                _ => "the engine, as we would ship it",
            }
            .to_owned(),
            config: config(name),
        })
        .collect()
}

fn config(arm: &str) -> BTreeMap<String, String> {
    let settings: &[(&str, &str)] = match arm {
        "bare" => &[("client", "deadpool-postgres"), ("timeouts", "none")],
        "careful" => &[("client", "deadpool-postgres"), ("timeouts", "250 ms")],
        _ => &[
            ("client", "seawall"),
            ("acquire_timeout_ms", "250"),
            ("circuit_breaker_failure_threshold", "5"),
            ("circuit_breaker_mode", "active"),
            ("circuit_breaker_probe_interval_ms", "250"),
            ("circuit_breaker_recovery_timeout", "60"),
            ("statement_timeout_ms", "250"),
        ],
    };
    let probe = if arm == "guide" { "passive" } else { "active" };
    let common = [("max_connections", "16"), ("circuit_breaker_probe", probe)];
    let all = settings.iter().chain(&common);
    all.map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect()
}

/// A dozen windows of each arm: a query of the engine costs two thirds of a careful one.
fn windows(seed: u64, arms: &[&str]) -> Vec<Window> {
    let mut rng = Rng::with_seed(seed);
    let mut windows = Vec::new();
    for round in 0..12 {
        for arm in arms {
            let us = match *arm {
                "bare" => 100,
                "careful" => 150,
                _ => 105,
            };
            let p50_us = us + rng.u64(0..10);
            let queries = 150_000 / p50_us;
            windows.push(Window {
                arm: (*arm).to_owned(),
                round,
                queries,
                failed: 0,
                p50_us,
                p99_us: p50_us * 3 / 2 + rng.u64(0..20),
                cpu_us: queries * p50_us / 2,
                resident_bytes: (32 << 20) + rng.u64(0..3) * 4096,
                counted: (!matches!(*arm, "bare" | "careful")).then(|| Counted {
                    queries: both(queries + 11),
                    errors: both(1),
                    timed: both(queries + 11),
                    piped: both(10),
                    took_us: Side {
                        metrics: 120_000,
                        known: 150_000,
                    },
                }),
            });
        }
    }
    windows
}

fn both(n: u64) -> Side {
    Side {
        metrics: n,
        known: n,
    }
}

/// How an arm goes through a fault, in microseconds on the injection's clock.
struct Course {
    /// When callers begin to be refused; never, without a breaker.
    open: Option<u64>,
    /// When operations are served again.
    back: u64,
    /// What callers meet until they are refused, or are served again.
    meets: (Outcome, Range<u64>),
}

fn one(rng: &mut Rng, plan: &Planned, fault: Fault, arm: &str) -> Injection {
    let injected = 500 * MS + plan.phase_us();
    let cleared = injected + plan.length_us();
    let crash = fault == Fault::Crash;
    let ready = cleared
        + if crash {
            rng.u64(180 * MS..420 * MS)
        } else {
            0
        };
    let course = course(rng, fault, arm, injected..ready);
    let last = course
        .back
        .max(cleared + 1_000 * MS)
        .saturating_add(2_050 * MS);
    let times = Times {
        steady: 500,
        injected: injected / MS,
        cleared: cleared / MS,
        ready: ready / MS,
        ended: last.min(cleared + 5_000 * MS) / MS,
    };
    let mut n = 0_u32;
    let mut found = injection(fault, arm, times, |at| {
        n += 1;
        let write = n % 5 == 1;
        if at < injected || at >= course.back {
            // Half a millisecond and up; one of 500 waits for the scheduler.
            let tail = if rng.u32(0..500) == 0 { 6_000.0 } else { 0.0 };
            let spread: f64 = rng.f64() + rng.f64() + rng.f64() - 1.5;
            return (Outcome::Ok, whole((spread * 0.8).exp() * 1_100.0 + tail));
        }
        if course.open.is_some_and(|open| at >= open) {
            return (Outcome::Rejected, rng.u64(20..180));
        }
        let (outcome, latency) = &course.meets;
        let outcome = match outcome {
            Outcome::TimedOut if write => Outcome::Unknown,
            other => *other,
        };
        (outcome, rng.u64(latency.clone()))
    });
    found.breaker = breaker(rng, &course, arm);
    found.attempts_down = Some(Attempts {
        statements: 40,
        connects: if course.open.is_some() { 14 } else { 900 },
    });
    found.sessions = (0..found.ended_us / (100 * MS))
        .map(|i| SessionCount {
            at_us: i * 100 * MS,
            sessions: 16,
            orphans: 0,
        })
        .collect();
    // Who never recovers is not served at the end.
    found.not_steady_after =
        (course.back == u64::MAX).then(|| "expected at least 99 % of operations ok".to_owned());
    found
}

fn whole(value: f64) -> u64 {
    let micros = std::time::Duration::from_secs_f64(value.max(0.0) / 1e6).as_micros();
    u64::try_from(micros).unwrap_or(u64::MAX)
}

fn course(rng: &mut Rng, fault: Fault, arm: &str, fault_us: Range<u64>) -> Course {
    let meets = match fault {
        Fault::Refused | Fault::Reset => (Outcome::Failed, 300..2_500),
        Fault::Crash => (Outcome::Failed, 400..9_000),
        _ => (Outcome::TimedOut, 250 * MS..252 * MS),
    };
    let timed_out = meets.0 == Outcome::TimedOut;
    let detect = if timed_out { 260 * MS } else { 12 * MS };
    let (open, back) = match (arm, fault) {
        ("bare", Fault::Blackhole) => (None, u64::MAX),
        ("careful", Fault::Blackhole) => (None, fault_us.end + rng.u64(200 * MS..340 * MS)),
        ("bare" | "careful", _) => (None, fault_us.end + rng.u64(5 * MS..90 * MS)),
        ("guide", _) => (
            Some(fault_us.start + detect),
            fault_us.end + rng.u64(900 * MS..2_600 * MS),
        ),
        _ => (
            Some(fault_us.start + detect + rng.u64(0..30 * MS)),
            fault_us.end + rng.u64(60 * MS..340 * MS),
        ),
    };
    Course { open, back, meets }
}

fn breaker(rng: &mut Rng, course: &Course, arm: &str) -> Vec<Transition> {
    let Some(open) = course.open else {
        return Vec::new();
    };
    let transition = |at_us, state, reason: &str| Transition {
        at_us,
        state,
        reason: reason.to_owned(),
    };
    let mut states = vec![
        transition(0, BreakerState::Closed, "start"),
        transition(open, BreakerState::Open, "5 failures in a row"),
    ];
    let mut at = open + if arm == "guide" { 1_000 * MS } else { 300 * MS };
    while at + 60 * MS < course.back {
        states.push(transition(at, BreakerState::HalfOpen, "probing"));
        let failed = at + rng.u64(4 * MS..50 * MS);
        states.push(transition(failed, BreakerState::Open, "the probe failed"));
        at = failed + rng.u64(300 * MS..700 * MS);
    }
    let trial = course.back.saturating_sub(15 * MS).max(open + 1);
    states.push(transition(trial, BreakerState::HalfOpen, "probing"));
    states.push(transition(
        course.back,
        BreakerState::Closed,
        "the probe succeeded",
    ));
    states
}
