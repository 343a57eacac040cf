//! One statement after another of a script of the user's. Pure.

use crate::{
    load::scripts::Scripts,
    script::{Run, Script, Step, Value},
};

/// Runs of a script that come to no statement, one after another, until it is given up: all
/// may be behind an `\\if`.
const IDLE_RUNS: u32 = 1_000;

/// A script that is run again and again.
#[derive(Debug)]
pub(super) struct Own<'a> {
    of: Option<(&'a Scripts, &'a Script)>,
    run: Option<Run<'a>>,
    /// The statement that comes next, and its values.
    next: Option<(usize, Vec<Value>)>,
    /// Whether the next statement is the first of a run.
    at_start: bool,
}

impl<'a> Own<'a> {
    pub(super) fn new(scripts: &'a Scripts, script: &'a Script) -> Self {
        Self {
            of: Some((scripts, script)),
            ..Self::none()
        }
    }

    /// No script: its statements are empty.
    pub(super) fn none() -> Self {
        Self {
            of: None,
            run: None,
            next: None,
            at_start: true,
        }
    }

    /// Statements of a run; 1 where runs differ.
    pub(super) fn cycle(&self) -> u64 {
        let Some((_, script)) = self.of.filter(|(_, script)| !script.branches()) else {
            return 1;
        };
        let does = script.statements().iter().filter(|s| !s.effect.controls());
        (does.count() as u64).max(1)
    }

    /// Whether the next statement is the first of a run.
    pub(super) fn is_at_start(&self) -> bool {
        self.at_start
    }

    /// Begins with the first statement again.
    pub(super) fn restart(&mut self) {
        self.run = None;
        self.next = None;
        self.at_start = true;
    }

    /// The next statement by its place, and its values.
    pub(super) fn next(&mut self, rng: &mut fastrand::Rng) -> (usize, Vec<Value>) {
        let this = self.next.take().or_else(|| self.find(rng));
        // What comes behind it is looked for at once: it says whether this was the last.
        let run = self.run.is_some();
        self.next = if run { self.of_run(rng) } else { None };
        self.at_start = self.next.is_none();
        this.unwrap_or_default()
    }

    /// The first statement of a new run that has one.
    fn find(&mut self, rng: &mut fastrand::Rng) -> Option<(usize, Vec<Value>)> {
        let (scripts, script) = self.of?;
        (0..IDLE_RUNS).find_map(|_| {
            self.run = Some(scripts.run(script, 0));
            self.of_run(rng)
        })
    }

    /// The next statement of this run. A run that cannot go on with its values ends there:
    /// that was tried before, and is rare.
    fn of_run(&mut self, rng: &mut fastrand::Rng) -> Option<(usize, Vec<Value>)> {
        let run = self.run.as_mut()?;
        while let Ok(Some(step)) = run.next(rng) {
            if let Step::Statement {
                index, statement, ..
            } = step
                && !statement.effect.controls()
            {
                return Some((index, run.parameters(statement)));
            }
        }
        self.run = None;
        None
    }
}
