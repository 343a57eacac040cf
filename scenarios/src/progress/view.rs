//! What is shown of a run: made from its events, and nothing else. Pure.
//!
//! The time that is left is an estimate. Where the plan says how long everything takes, it
//! is what the plan says, corrected by how much longer or shorter the plan's time has turned
//! out to be so far; where it does not, the steps that are done say how long one takes. With
//! neither, nothing is said.

use std::time::Duration;

use reports::run::{ArmThroughput, Event, What};
use seawall::clock::Instant;

use super::{
    fit::{columns, fit, padded},
    text,
};

/// Most arms that have a line of their own; the others share one.
const MOST_ARMS: usize = 8;
/// Columns of an arm's name, at most.
const MOST_NAME: usize = 24;

/// What is known of a run.
#[derive(Debug, Clone)]
pub(super) struct View {
    began: Instant,
    /// Which run of how many it is, where there are several.
    run: Option<(usize, usize)>,
    /// The steps that are under way, the outermost first.
    steps: Vec<Step>,
    /// What the plan said of the time when it first said something, and what it says now.
    plan: Option<[Left; 2]>,
    /// Faults in force, and since when.
    faults: Vec<(String, Instant)>,
    over: Duration,
    arms: Vec<ArmThroughput>,
    said: String,
}

/// What the plan said was left at a moment.
#[derive(Debug, Clone, Copy)]
struct Left {
    at: Instant,
    left: Duration,
}

#[derive(Debug, Clone)]
struct Step {
    unit: String,
    number: u32,
    of: u32,
    subject: Option<String>,
    /// When it began.
    at: Instant,
    /// When the first of its name was seen to begin, and its number.
    first: (Instant, u32),
}

impl View {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            began: now,
            run: None,
            steps: Vec::new(),
            plan: None,
            faults: Vec::new(),
            over: Duration::ZERO,
            arms: Vec::new(),
            said: String::new(),
        }
    }

    /// Forgets everything: another run begins, one of several or the only one.
    pub(super) fn begin(&mut self, run: Option<(usize, usize)>, now: Instant) {
        *self = Self {
            run,
            ..Self::new(now)
        };
    }

    /// Takes note of a text that belongs to no event.
    pub(super) fn say(&mut self, text: &str) {
        text.clone_into(&mut self.said);
    }

    /// Takes note of an event that is seen at `now`.
    pub(super) fn event(&mut self, event: &Event, now: Instant) {
        match &event.what {
            What::StepStarted {
                unit,
                number,
                of,
                planned_left_us,
            } => {
                let left = planned_left_us.map(Duration::from_micros);
                self.step(unit, *number, *of, event.subject.clone(), left, now);
            }
            What::StepsEnded { unit } => self.leave(unit),
            What::FaultEffective { fault } => self.faults.push((fault.clone(), now)),
            What::FaultCleared { fault } => {
                let at = self.faults.iter().position(|(name, _)| name == fault);
                at.map(|at| self.faults.remove(at));
            }
            What::Throughput { over_us, arms } => {
                self.over = Duration::from_micros(*over_us);
                self.arms.clone_from(arms);
            }
            What::LoadEnded if event.subject.is_none() => self.arms.clear(),
            What::RunEnded { .. } => {
                self.steps.clear();
                self.faults.clear();
                self.arms.clear();
                self.plan = None;
            }
            _ => {}
        }
        let step = matches!(event.what, What::StepStarted { .. });
        match text(event) {
            // It has a line of its own.
            Some(_) if step => self.said.clear(),
            Some(text) => self.said = text,
            None => {}
        }
    }

    fn step(
        &mut self,
        unit: &str,
        number: u32,
        of: u32,
        subject: Option<String>,
        left: Option<Duration>,
        now: Instant,
    ) {
        let first = self.steps.iter().find(|step| step.unit == unit);
        let first = first.map_or((now, number), |step| step.first);
        self.leave(unit);
        if let (true, Some(left)) = (self.steps.is_empty(), left) {
            let here = Left { at: now, left };
            let start = self.plan.map_or(here, |[start, _]| start);
            self.plan = Some([start, here]);
        }
        self.steps.push(Step {
            unit: unit.to_owned(),
            number,
            of,
            subject,
            at: now,
            first,
        });
    }

    /// Leaves the steps of a name, and all that are within them.
    fn leave(&mut self, unit: &str) {
        let at = self.steps.iter().position(|step| step.unit == unit);
        self.steps.truncate(at.unwrap_or(self.steps.len()));
    }

    /// How much longer the run takes, as far as that can be estimated.
    fn left(&self, now: Instant) -> Option<Duration> {
        let (then, left) = match self.plan {
            Some([start, here]) => {
                let planned = start.left.saturating_sub(here.left);
                let took = here.at.saturating_duration_since(start.at);
                let longer = if planned.is_zero() {
                    1.0
                } else {
                    (took.as_secs_f64() / planned.as_secs_f64()).clamp(0.1, 10.0)
                };
                (here.at, here.left.mul_f64(longer))
            }
            None => {
                let step = self.steps.first()?;
                let (since, number) = step.first;
                let done = step.number.checked_sub(number).filter(|done| *done > 0)?;
                let each = step.at.saturating_duration_since(since) / done;
                let left = step.of.saturating_sub(step.number) + 1;
                (step.at, each * left)
            }
        };
        Some(left.saturating_sub(now.saturating_duration_since(then)))
    }

    /// Its lines, none of which is wider than `width` columns.
    pub(super) fn lines(&self, now: Instant, width: usize) -> Vec<String> {
        let mut lines: Vec<String> = self.place().into_iter().collect();
        lines.push(self.time(now));
        lines.extend(self.fault(now));
        lines.extend(self.loads(width));
        lines.extend((!self.said.is_empty()).then(|| self.said.clone()));
        lines.iter().map(|line| fit(line, width)).collect()
    }

    /// Which of how many: `run 2 of 6, injection 3 of 12: crash`.
    fn place(&self) -> Option<String> {
        let run = self.run.map(|(number, of)| format!("run {number} of {of}"));
        let steps = self.steps.iter().map(|step| {
            let Step {
                unit, number, of, ..
            } = step;
            format!("{unit} {number} of {of}")
        });
        let all: Vec<String> = run.into_iter().chain(steps).collect();
        let subject = self.steps.last().and_then(|step| step.subject.as_deref());
        let subject = subject.map(|subject| format!(": {subject}"));
        (!all.is_empty()).then(|| all.join(", ") + &subject.unwrap_or_default())
    }

    fn time(&self, now: Instant) -> String {
        let so_far = clock(now.saturating_duration_since(self.began));
        let of_this = if self.run.is_some() {
            " of this run"
        } else {
            ""
        };
        match self.left(now) {
            Some(Duration::ZERO) => format!("{so_far} so far, longer than was estimated"),
            Some(left) => {
                let left = clock(left);
                format!("{so_far} so far, an estimated {left} left{of_this}")
            }
            None => format!("{so_far} so far"),
        }
    }

    fn fault(&self, now: Instant) -> Option<String> {
        let faults: Vec<String> = self
            .faults
            .iter()
            .map(|(fault, since)| {
                let s = now.saturating_duration_since(*since).as_secs();
                format!("for {s} s: {fault}")
            })
            .collect();
        (!faults.is_empty()).then(|| format!("fault in force {}", faults.join(", ")))
    }

    /// A line for each arm under load.
    fn loads(&self, width: usize) -> Vec<String> {
        let Some(longest) = self.arms.iter().map(|arm| columns(&arm.arm)).max() else {
            return Vec::new();
        };
        let name = longest.min(MOST_NAME).min(width / 3);
        let own = if self.arms.len() > MOST_ARMS {
            MOST_ARMS - 1
        } else {
            MOST_ARMS
        };
        let (own, others) = self.arms.split_at(own.min(self.arms.len()));
        let mut lines: Vec<String> = own
            .iter()
            .map(|arm| format!("{}  {}", padded(&arm.arm, name), self.rates(arm)))
            .collect();
        if !others.is_empty() {
            let sum = |of: fn(&ArmThroughput) -> u64| others.iter().map(of).sum();
            let all = ArmThroughput {
                arm: format!("{} others", others.len()),
                ok: sum(|arm| arm.ok),
                not_ok: sum(|arm| arm.not_ok),
                in_flight: sum(|arm| arm.in_flight),
            };
            lines.push(format!("{}  {}", padded(&all.arm, name), self.rates(&all)));
        }
        lines
    }

    /// What an arm did in the last second.
    fn rates(&self, arm: &ArmThroughput) -> String {
        if self.over.is_zero() {
            return "load begins".to_owned();
        }
        let per_s = (arm.ok + arm.not_ok) as f64 / self.over.as_secs_f64();
        let (errors, in_flight) = (arm.not_ok, arm.in_flight);
        let error = if errors == 1 { "error " } else { "errors" };
        format!("{per_s:>6.0}/s {errors:>5} {error} {in_flight:>5} in flight")
    }

    /// All arms in one line, for where nothing is redrawn. `None` where nothing is counted.
    pub(super) fn one_line(&self) -> Option<String> {
        let counted = !self.arms.is_empty() && !self.over.is_zero();
        let arms = self.arms.iter().map(|arm| {
            let rates = self.rates(arm);
            let rates: Vec<&str> = rates.split_whitespace().collect();
            format!("{} {}", arm.arm, rates.join(" "))
        });
        let arms: Vec<String> = arms.collect();
        counted.then(|| format!("last second: {}", arms.join("; ")))
    }
}

/// `42 s`, `3 min 20 s`, `1 h 5 min`.
fn clock(time: Duration) -> String {
    let s = time.as_secs();
    match (s / 3600, s / 60 % 60, s % 60) {
        (0, 0, s) => format!("{s} s"),
        (0, min, s) => format!("{min} min {s} s"),
        (h, min, _) => format!("{h} h {min} min"),
    }
}

#[cfg(test)]
mod tests;
