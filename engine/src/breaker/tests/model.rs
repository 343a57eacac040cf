//! The breaker against a naive model of it that shares no code: the model keeps
//! every outcome in a list and decides by counting.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use proptest::prelude::*;

use super::super::{
    Cause, Config, Jitter, Mode, State,
    changes::Changes,
    core::Core,
    ticket::{Observation, Ticket},
};

const MS: u64 = 1_000_000;
const OPEN_MS: u64 = 50;
const OPEN_MOST_MS: u64 = 150;
const LEASE_MS: u64 = 80;
const WINDOW_MS: u64 = 100;
const LAST: usize = 12;
const PERMITS: u32 = 2;
const SUCCESSES: u32 = 3;
const CONSECUTIVE: usize = 4;
const MINIMUM: usize = 6;
const SLOW_MS: u64 = 25;

fn config() -> Config {
    let ms = std::time::Duration::from_millis;
    Config {
        failure_threshold: Some(4),
        failure_rate: Some(0.5),
        slow_rate: Some(0.8),
        slow_call: ms(SLOW_MS),
        window: ms(WINDOW_MS),
        count_window: Some(12),
        minimum_calls: 6,
        recovery_timeout: ms(OPEN_MS),
        recovery_multiplier: 2.0,
        recovery_timeout_max: ms(OPEN_MOST_MS),
        recovery_jitter: Jitter {
            first: 0.0,
            again: 0.0,
        },
        half_open_permits: PERMITS,
        success_threshold: SUCCESSES,
        half_open_lease: ms(LEASE_MS),
        ..Config::default()
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Came {
    Well,
    Slow,
    Failed,
    FailedSlow,
    Decisive,
    Neutral,
}

#[derive(Debug, Clone)]
enum Step {
    Advance(u64),
    Admit,
    /// Settles one of the admissions that are out.
    Settle(usize, Came),
    /// A further outcome on an admission that was settled.
    Again(usize, Came),
    /// A probe that was begun this many epochs ago is answered.
    Probe(u64),
    Mode(Mode),
    ForceClose,
}

fn came() -> impl Strategy<Value = Came> {
    prop_oneof![
        8 => Just(Came::Well),
        3 => Just(Came::Slow),
        6 => Just(Came::Failed),
        1 => Just(Came::FailedSlow),
        1 => Just(Came::Decisive),
        1 => Just(Came::Neutral),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let mode = prop_oneof![
        4 => Just(Mode::Active),
        2 => Just(Mode::Shadow),
        1 => Just(Mode::ForcedOpen),
        1 => Just(Mode::Disabled),
    ];
    prop_oneof![
        60 => (0_u64..30).prop_map(Step::Advance),
        120 => Just(Step::Admit),
        120 => (0_usize..8, came()).prop_map(|(i, o)| Step::Settle(i, o)),
        20 => (0_usize..8, came()).prop_map(|(i, o)| Step::Again(i, o)),
        20 => (0_u64..2).prop_map(Step::Probe),
        3 => mode.prop_map(Step::Mode),
        2 => Just(Step::ForceClose),
    ]
}

/// What came of a call in this epoch.
#[derive(Debug, Clone, Copy)]
struct Past {
    at_ms: u64,
    ok: bool,
    slow: bool,
    /// Another went well in the latter half of it.
    beside: bool,
}

struct Model {
    state: State,
    mode: Mode,
    epoch: u64,
    since_ms: u64,
    trips: u32,
    past: Vec<Past>,
    /// When a call last went well, in whatever epoch.
    well_ms: Option<u64>,
    /// The epochs of admissions that are out; `None` for one that is not watched.
    out: Vec<Option<u64>>,
}

#[derive(Debug, PartialEq)]
enum Said {
    Admitted,
    Unwatched,
    Refused,
}

impl Model {
    fn go(&mut self, state: State, now: u64) {
        self.state = state;
        self.epoch += 1;
        self.since_ms = now;
        self.past.clear();
        match state {
            State::Open => self.trips += 1,
            State::Closed => self.trips = 0,
            State::HalfOpen => {}
        }
    }

    fn out_now(&self) -> usize {
        self.out.iter().filter(|e| **e == Some(self.epoch)).count()
    }

    fn admit(&mut self, now: u64) -> Said {
        match self.mode {
            Mode::Disabled => {
                self.out.push(None);
                return Said::Unwatched;
            }
            Mode::ForcedOpen => return Said::Refused,
            Mode::Active | Mode::Shadow => {}
        }
        if self.state == State::HalfOpen && now - self.since_ms >= LEASE_MS {
            self.go(State::Open, now);
        }
        let doubled = OPEN_MS * 2_u64.pow(self.trips.saturating_sub(1).min(9));
        if self.state == State::Open && now - self.since_ms >= doubled.min(OPEN_MOST_MS) {
            self.go(State::HalfOpen, now);
        }
        let room = match self.state {
            State::Closed => true,
            State::Open => false,
            State::HalfOpen => self.out_now() < PERMITS as usize,
        };
        if room {
            self.out.push(Some(self.epoch));
            Said::Admitted
        } else if self.mode == Mode::Shadow {
            self.out.push(None);
            Said::Unwatched
        } else {
            Said::Refused
        }
    }

    fn outcome(&mut self, epoch: Option<u64>, came: Came, now: u64) {
        if came == Came::Neutral || epoch != Some(self.epoch) {
            return;
        }
        let took_us = told(came).took_ns / 1_000;
        let past = Past {
            at_ms: now,
            ok: matches!(came, Came::Well | Came::Slow),
            slow: matches!(came, Came::Slow | Came::FailedSlow),
            beside: self
                .well_ms
                .is_some_and(|well_ms| well_ms * 1_000 + took_us / 2 > now * 1_000),
        };
        if past.ok {
            self.well_ms = Some(now);
        }
        self.past.push(past);
        match self.state {
            State::Closed if came == Came::Decisive => self.go(State::Open, now),
            State::Closed if came != Came::Well && self.trips_now(now) => {
                self.go(State::Open, now);
            }
            State::HalfOpen if !past.ok => self.go(State::Open, now),
            State::HalfOpen if self.served() >= SUCCESSES as usize => {
                self.go(State::Closed, now);
            }
            _ => {}
        }
    }

    fn served(&self) -> usize {
        self.past.iter().filter(|p| p.ok).count()
    }

    fn trips_now(&self, now: u64) -> bool {
        let row = self.past.iter().rev().take_while(|p| !p.ok);
        let streak = row.filter(|p| !p.beside).count();
        // Ten slices of the window, counted from when it was begun.
        let slice = |t: u64| (t - self.since_ms) / (WINDOW_MS / 10);
        let live = |p: &&Past| slice(p.at_ms) + 10 > slice(now);
        let span: Vec<Past> = self.past.iter().filter(live).copied().collect();
        let last = self.past[self.past.len().saturating_sub(LAST)..].to_vec();
        let rates = [span, last].into_iter().any(|window| {
            let failed = window.iter().filter(|p| !p.ok).count();
            let slow = window.iter().filter(|p| p.slow).count();
            window.len() >= MINIMUM && (failed * 2 >= window.len() || slow * 5 >= window.len() * 4)
        });
        streak >= CONSECUTIVE || rates
    }
}

fn told(came: Came) -> Observation {
    let slow = matches!(came, Came::Slow | Came::FailedSlow);
    Observation {
        ok: matches!(came, Came::Well | Came::Slow),
        took_ns: if slow { SLOW_MS * MS } else { MS },
        cause: (came == Came::Decisive).then(|| Cause {
            decisive: true,
            ..Cause::of("decisive")
        }),
    }
}

fn tell(core: &Core, ticket: &mut Ticket, came: Came, now: u64) {
    if came == Came::Neutral {
        core.release(ticket);
    } else {
        core.record(0, ticket, told(came), now * MS);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn it_does_what_the_model_does(steps in prop::collection::vec(step(), 200)) {
        let acted_on = Arc::new(AtomicU64::new(0));
        let count = acted_on.clone();
        let on_change = move |changes: Changes| {
            for change in changes.0 {
                // Each once, in order.
                let before = count.swap(change.epoch, Ordering::Relaxed);
                assert_eq!(before + 1, change.epoch);
            }
        };
        let on_change = Box::new(on_change);
        let core = Core::new(config(), fastrand::Rng::with_seed(1), 3, on_change);
        let mut model = Model {
            state: State::Closed,
            mode: Mode::Active,
            epoch: 0,
            since_ms: 0,
            trips: 0,
            past: Vec::new(),
            well_ms: None,
            out: Vec::new(),
        };
        let mut tickets: Vec<Ticket> = Vec::new();
        let mut settled: Vec<(Ticket, Option<u64>)> = Vec::new();
        let mut now = 0;
        for (i, step) in steps.into_iter().enumerate() {
            match step {
                Step::Advance(by) => now += by,
                Step::Admit => {
                    let said = model.admit(now);
                    match core.admit(|| i, || now * MS) {
                        Ok(ticket) => {
                            prop_assert!(said != Said::Refused);
                            tickets.push(ticket);
                        }
                        Err(refusal) => {
                            prop_assert!(refusal.retry_after_ns > 0);
                            prop_assert_eq!(said, Said::Refused);
                        }
                    }
                }
                Step::Settle(i, came) if !tickets.is_empty() => {
                    let at = i % tickets.len();
                    let mut ticket = tickets.remove(at);
                    let epoch = model.out.remove(at);
                    tell(&core, &mut ticket, came, now);
                    model.outcome(epoch, came, now);
                    settled.push((ticket, epoch));
                }
                Step::Again(i, came) if !settled.is_empty() => {
                    let at = i % settled.len();
                    let (ticket, epoch) = &mut settled[at];
                    tell(&core, ticket, came, now);
                    let epoch = *epoch;
                    model.outcome(epoch, came, now);
                }
                Step::Probe(ago) => {
                    let epoch = model.epoch.saturating_sub(ago);
                    core.update(|machine| machine.probe_answered(epoch, now * MS));
                    if model.state == State::Open && epoch == model.epoch {
                        model.go(State::Closed, now);
                    }
                }
                Step::Mode(mode) => {
                    core.update(|machine| machine.set_mode(mode, now * MS));
                    if mode != model.mode {
                        model.mode = mode;
                        model.go(State::Closed, now);
                    }
                }
                Step::ForceClose => {
                    core.update(|machine| machine.force_close(now * MS));
                    if model.state != State::Closed {
                        model.go(State::Closed, now);
                    }
                }
                Step::Settle(..) | Step::Again(..) => {}
            }
            let state = match model.mode {
                Mode::ForcedOpen => State::Open,
                _ => model.state,
            };
            let now_is = core.read(|machine| (machine.state(), machine.epoch()));
            prop_assert_eq!(now_is, (state, model.epoch));
            prop_assert_eq!(acted_on.load(Ordering::Relaxed), model.epoch, "nobody was told");
            prop_assert!(model.state != State::HalfOpen || model.out_now() <= PERMITS as usize);
        }
    }
}
