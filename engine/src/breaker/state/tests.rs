//! The machine against a naive model of it that shares no code: the model keeps
//! every outcome in a list and decides by counting.

use proptest::prelude::*;

use super::*;
use crate::clock;

const OPEN_MS: u64 = 50;
const LEASE_MS: u64 = 80;
const WINDOW_MS: u64 = 100;
const PERMITS: u32 = 2;
const SUCCESSES: u32 = 3;
const CONSECUTIVE: usize = 4;
const MINIMUM: usize = 6;

fn config() -> Config {
    Config {
        failure_threshold: Some(4),
        failure_rate: Some(0.5),
        window: Duration::from_millis(WINDOW_MS),
        minimum_calls: 6,
        recovery_timeout: Duration::from_millis(OPEN_MS),
        half_open_permits: PERMITS,
        success_threshold: SUCCESSES,
        half_open_lease: Duration::from_millis(LEASE_MS),
        ..Config::default()
    }
}

#[derive(Debug, Clone)]
enum Step {
    Advance(u64),
    Admit,
    /// Settles one of the admissions that are out.
    Settle(usize, Outcome),
    /// A further outcome on an admission that was settled.
    Again(usize, Outcome),
    /// A probe that was begun this many epochs ago is answered.
    Probe(u64),
}

fn outcome() -> impl Strategy<Value = Outcome> {
    prop_oneof![
        5 => Just(Outcome::Success),
        5 => Just(Outcome::Failure),
        1 => Just(Outcome::Neutral),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (0_u64..30).prop_map(Step::Advance),
        6 => Just(Step::Admit),
        6 => (0_usize..8, outcome()).prop_map(|(i, o)| Step::Settle(i, o)),
        1 => (0_usize..8, outcome()).prop_map(|(i, o)| Step::Again(i, o)),
        1 => (0_u64..2).prop_map(Step::Probe),
    ]
}

struct Model {
    state: State,
    epoch: u64,
    since_ms: u64,
    /// Every outcome since the last change of state.
    outcomes: Vec<(u64, bool)>,
    out: Vec<u64>,
    settled: Vec<u64>,
}

impl Model {
    fn go(&mut self, state: State, now: u64) {
        self.state = state;
        self.epoch += 1;
        self.since_ms = now;
        self.outcomes.clear();
    }

    fn out_now(&self) -> usize {
        self.out.iter().filter(|e| **e == self.epoch).count()
    }

    fn admit(&mut self, now: u64) -> Option<u64> {
        let open_for = now - self.since_ms;
        if self.state == State::HalfOpen && open_for >= LEASE_MS {
            self.go(State::Open, now);
        } else if self.state == State::Open && open_for >= OPEN_MS {
            self.go(State::HalfOpen, now);
        }
        let room = match self.state {
            State::Closed => true,
            State::Open => false,
            State::HalfOpen => self.out_now() < PERMITS as usize,
        };
        room.then(|| {
            self.out.push(self.epoch);
            self.epoch
        })
    }

    fn outcome(&mut self, epoch: u64, outcome: Outcome, now: u64) {
        if outcome == Outcome::Neutral || epoch != self.epoch {
            return;
        }
        self.outcomes.push((now, outcome == Outcome::Success));
        match self.state {
            State::Closed => {
                let streak = self.outcomes.iter().rev().take_while(|(_, ok)| !ok).count();
                // Ten slices of the window, counted from when it was begun.
                let slice = |t: u64| (t - self.since_ms) / (WINDOW_MS / 10);
                let live = self
                    .outcomes
                    .iter()
                    .filter(|(t, _)| slice(*t) + 10 > slice(now));
                let (mut total, mut failed) = (0, 0);
                for (_, ok) in live {
                    total += 1;
                    failed += usize::from(!ok);
                }
                let failing = outcome == Outcome::Failure;
                if failing && (streak >= CONSECUTIVE || total >= MINIMUM && failed * 2 >= total) {
                    self.go(State::Open, now);
                }
            }
            State::HalfOpen if outcome == Outcome::Failure => self.go(State::Open, now),
            State::HalfOpen if self.outcomes.len() >= SUCCESSES as usize => {
                self.go(State::Closed, now);
            }
            _ => {}
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn the_machine_does_what_the_model_does(steps in prop::collection::vec(step(), 1..200)) {
        let start = clock::now();
        let mut machine = Machine::new(config(), start);
        let mut model = Model {
            state: State::Closed,
            epoch: 0,
            since_ms: 0,
            outcomes: Vec::new(),
            out: Vec::new(),
            settled: Vec::new(),
        };
        let mut ms = 0;
        for step in steps {
            let now = start + Duration::from_millis(ms);
            match step {
                Step::Advance(by) => ms += by,
                Step::Admit => {
                    let admitted = match machine.admit(now) {
                        Admission::Admitted { epoch } => Some(epoch),
                        Admission::Refused { retry_after } => {
                            prop_assert!(retry_after > Duration::ZERO);
                            None
                        }
                    };
                    prop_assert_eq!(admitted, model.admit(ms));
                }
                Step::Settle(i, outcome) if !model.out.is_empty() => {
                    let epoch = model.out.remove(i % model.out.len());
                    model.settled.push(epoch);
                    machine.settle(epoch, outcome, now);
                    model.outcome(epoch, outcome, ms);
                }
                Step::Again(i, outcome) if !model.settled.is_empty() => {
                    let epoch = model.settled[i % model.settled.len()];
                    machine.observe(epoch, outcome, now);
                    model.outcome(epoch, outcome, ms);
                }
                Step::Probe(ago) => {
                    let epoch = model.epoch.saturating_sub(ago);
                    machine.probe_answered(epoch, now);
                    if model.state == State::Open && ago == 0 {
                        model.go(State::Closed, ms);
                    }
                }
                Step::Settle(..) | Step::Again(..) => {}
            }
            prop_assert_eq!(machine.state(), model.state);
            prop_assert_eq!(machine.epoch(), model.epoch);
            prop_assert!(machine.state() != State::HalfOpen || model.out_now() <= PERMITS as usize);
        }
    }
}

fn failed_in_a_row(machine: &mut Machine, n: usize, now: Instant) {
    for _ in 0..n {
        if let Admission::Admitted { epoch } = machine.admit(now) {
            machine.settle(epoch, Outcome::Failure, now);
        }
    }
}

#[test]
fn a_threshold_of_three_opens_at_the_third_failure_of_a_fresh_breaker() {
    let now = clock::now();
    let config = Config {
        failure_threshold: Some(3),
        ..Config::default()
    };
    let mut machine = Machine::new(config, now);
    failed_in_a_row(&mut machine, 2, now);
    assert_eq!(machine.state(), State::Closed);
    failed_in_a_row(&mut machine, 1, now);
    assert_eq!(machine.state(), State::Open);
}

#[test]
fn switched_off_it_never_opens() {
    let now = clock::now();
    let config = Config {
        failure_threshold: None,
        failure_rate: None,
        ..Config::default()
    };
    let mut machine = Machine::new(config, now);
    failed_in_a_row(&mut machine, 10_000, now);
    assert_eq!(machine.state(), State::Closed);
}

#[test]
fn failures_from_before_the_outage_do_not_open_it_again() {
    let now = clock::now();
    let mut machine = Machine::new(config(), now);
    failed_in_a_row(&mut machine, CONSECUTIVE, now);
    machine.probe_answered(machine.epoch(), now);
    failed_in_a_row(&mut machine, CONSECUTIVE - 1, now);
    assert_eq!(machine.state(), State::Closed);
}

#[test]
fn callers_are_told_when_the_probe_will_have_asked() {
    let now = clock::now();
    let mut machine = Machine::new(Config::default(), now);
    failed_in_a_row(&mut machine, 5, now);
    let in_60_s = Duration::from_secs(60);
    assert_eq!(
        machine.admit(now),
        Admission::Refused {
            retry_after: in_60_s
        }
    );
    let soon = Duration::from_millis(120);
    machine.probe_scheduled(now + soon);
    assert_eq!(machine.admit(now), Admission::Refused { retry_after: soon });
}

#[test]
fn the_history_is_bounded() {
    let start = clock::now();
    let mut machine = Machine::new(config(), start);
    for i in (0_u32..).take(HISTORY) {
        let now = start + Duration::from_secs(1) * i;
        failed_in_a_row(&mut machine, CONSECUTIVE, now);
        machine.probe_answered(machine.epoch(), now);
    }
    assert_eq!(machine.history().len(), HISTORY);
    assert_eq!(machine.transitions(), 2 * HISTORY as u64);
}
