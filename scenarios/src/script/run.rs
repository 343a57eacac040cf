//! One execution of a script.

use std::time::Duration;

use fastrand::Rng;

use super::{
    Script, ScriptError, Statement, Value, Variables,
    command::{Command, Time},
    error::Fault,
    expression::{Expression, Scope, undefined},
};

/// One execution of a script: it computes what the script computes, and hands out what
/// there is to do for others.
#[derive(Debug, Clone)]
pub struct Run<'s> {
    script: &'s Script,
    slots: Vec<Option<Value>>,
    /// Columns that the script does not name.
    others: Vec<(String, Value)>,
    next: usize,
    in_pipeline: bool,
}

/// What is to be done next.
#[derive(Debug, Clone, Copy)]
pub enum Step<'s> {
    /// Send a statement.
    Statement {
        /// Its index in [`Script::statements`].
        index: usize,
        /// The statement.
        statement: &'s Statement,
        /// What becomes of its result, if not nothing.
        got: Option<Got<'s>>,
    },
    /// Wait for so long.
    Sleep(Duration),
    /// Send the statements that follow without waiting for results.
    StartPipeline,
    /// Send a sync, and stay in the pipeline.
    SyncPipeline,
    /// Send a sync, and wait for all results of the pipeline.
    EndPipeline,
}

/// What becomes of the result of a statement. Its columns are given to [`Run::got`], with
/// the prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Got<'s> {
    /// `\gset`: the last statement must return exactly one row. It becomes variables.
    Gset(&'s str),
    /// `\aset`: the last row of each statement becomes variables, if there is one.
    Aset(&'s str),
}

impl<'s> Got<'s> {
    /// What the names of the columns get in front of them.
    #[must_use]
    pub fn prefix(self) -> &'s str {
        match self {
            Self::Gset(prefix) | Self::Aset(prefix) => prefix,
        }
    }
}

impl<'s> Run<'s> {
    /// Begins an execution with some variables: those of `-D`, and the automatic ones.
    #[must_use]
    pub fn new(script: &'s Script, variables: &Variables) -> Self {
        let names = script.parts.names.all();
        Self {
            script,
            slots: names
                .iter()
                .map(|name| variables.get(name).cloned())
                .collect(),
            others: Vec::new(),
            next: 0,
            in_pipeline: false,
        }
    }

    /// Goes on to what is to be done next. Nothing at the end of the script.
    ///
    /// # Errors
    /// An expression that has no value, as a division by zero, or a variable without one.
    pub fn next(&mut self, rng: &mut Rng) -> Result<Option<Step<'s>>, ScriptError> {
        match self.advance(rng) {
            Ok(step) => Ok(step),
            Err(fault) => Err(self.script.error(*fault)),
        }
    }

    fn advance(&mut self, rng: &mut Rng) -> Result<Option<Step<'s>>, Box<Fault>> {
        let script = self.script;
        while let Some(command) = script.parts.commands.get(self.next) {
            self.next += 1;
            match command {
                Command::Set { slot, expression } => {
                    let value = expression.value(self.scope(), rng)?;
                    self.set(*slot, value.into());
                }
                Command::Branch {
                    condition,
                    otherwise,
                } => {
                    if !condition.holds(self.scope(), rng)? {
                        self.next = *otherwise;
                    }
                }
                Command::Jump(target) => self.next = *target,
                Command::Statement { index, got } => {
                    let Some(statement) = script.parts.statements.get(*index) else {
                        continue;
                    };
                    self.must_be_set(statement)?;
                    let got = got.as_ref().map(|got| {
                        let prefix = got.prefix.as_str();
                        if got.every {
                            (Got::Aset(prefix), got.at)
                        } else {
                            (Got::Gset(prefix), got.at)
                        }
                    });
                    if let Some((_, at)) = got
                        && self.in_pipeline
                    {
                        let what = "\\gset or \\aset in a pipeline";
                        return Err(Fault::boxed(at, what, "it after \\endpipeline"));
                    }
                    return Ok(Some(Step::Statement {
                        index: *index,
                        statement,
                        got: got.map(|(got, _)| got),
                    }));
                }
                Command::Sleep { time, micros } => {
                    return Ok(Some(Step::Sleep(self.sleep(*time, *micros)?)));
                }
                Command::StartPipeline { at } => {
                    self.pipeline(false, *at)?;
                    self.in_pipeline = true;
                    return Ok(Some(Step::StartPipeline));
                }
                Command::SyncPipeline { at } => {
                    self.pipeline(true, *at)?;
                    return Ok(Some(Step::SyncPipeline));
                }
                Command::EndPipeline { at } => {
                    self.pipeline(true, *at)?;
                    self.in_pipeline = false;
                    return Ok(Some(Step::EndPipeline));
                }
            }
        }
        if self.in_pipeline {
            let at = script.text.trim_end().len();
            let what = "the end of the script in a pipeline";
            return Err(Fault::boxed(
                at,
                what,
                "\\endpipeline before it, on each path",
            ));
        }
        Ok(None)
    }

    fn scope(&self) -> Scope<'_> {
        Scope {
            names: &self.script.parts.names,
            slots: &self.slots,
        }
    }

    /// Gives a variable another value, if the script has one of that name.
    pub fn define(&mut self, name: &str, value: Value) {
        if let Some(slot) = self.script.parts.names.find(name) {
            self.set(slot, value);
        }
    }

    fn set(&mut self, slot: usize, value: Value) {
        if let Some(place) = self.slots.get_mut(slot) {
            *place = Some(value);
        }
    }

    fn must_be_set(&self, statement: &Statement) -> Result<(), Box<Fault>> {
        let unset = |slot: &&usize| matches!(self.slots.get(**slot), Some(None));
        match statement.slots.iter().find(unset) {
            None => Ok(()),
            Some(slot) => Err(undefined(*slot, statement.at, &self.script.parts.names)),
        }
    }

    fn pipeline(&self, needed: bool, at: usize) -> Result<(), Box<Fault>> {
        match (needed, self.in_pipeline) {
            (true, false) => {
                let what = "the end or a sync of a pipeline without one";
                Err(Fault::boxed(at, what, "\\startpipeline before it"))
            }
            (false, true) => {
                let what = "\\startpipeline in a pipeline";
                Err(Fault::boxed(at, what, "\\endpipeline before it"))
            }
            _ => Ok(()),
        }
    }

    /// A time below zero is none, as in pgbench.
    fn sleep(&self, time: Time, micros: i64) -> Result<Duration, Box<Fault>> {
        let count = match time {
            Time::Fixed(count) => count,
            Time::Variable { slot, at } => {
                let value = self.slots.get(slot).and_then(Option::as_ref);
                let value = value.ok_or_else(|| undefined(slot, at, &self.script.parts.names))?;
                let text = value.literal();
                leading_integer(&text).ok_or_else(|| {
                    let name = self.script.parts.names.name(slot);
                    let what = format!("\\sleep :{name}, which is {text}");
                    Fault::boxed(at, what, "a variable that is an integer")
                })?
            }
        };
        let micros = u64::try_from(count.saturating_mul(micros)).unwrap_or(0);
        Ok(Duration::from_micros(micros))
    }

    /// The values of a statement's variables at present, in the order of
    /// [`Statement::variables`].
    #[must_use]
    pub fn parameters(&self, statement: &Statement) -> Vec<Value> {
        let value = |slot: &usize| self.slots.get(*slot).cloned().flatten();
        let values = statement.slots.iter();
        values.map(|slot| value(slot).unwrap_or_default()).collect()
    }

    /// The value of a variable at present. A variable that the script neither uses nor sets
    /// is known only if `\gset` or `\aset` set it.
    #[must_use]
    pub fn value(&self, name: &str) -> Option<&Value> {
        match self.script.parts.names.find(name) {
            Some(slot) => self.slots.get(slot)?.as_ref(),
            None => {
                let other = self.others.iter().find(|(known, _)| known == name);
                other.map(|(_, value)| value)
            }
        }
    }

    /// Makes the columns of a row variables, for `\gset` and `\aset`.
    pub fn got(&mut self, prefix: &str, columns: &[(String, Option<String>)]) {
        for (column, text) in columns {
            let value = text.clone().map_or(Value::Null, Value::Text);
            let is_it = |name: &str| name.strip_prefix(prefix) == Some(column);
            let mut names = self.script.parts.names.all().iter();
            if let Some(slot) = names.position(|name| is_it(name)) {
                self.set(slot, value);
            } else if let Some(other) = self.others.iter_mut().find(|(name, _)| is_it(name)) {
                other.1 = value;
            } else {
                self.others.push((format!("{prefix}{column}"), value));
            }
        }
    }

    /// The key of `-- @write` with the values at present, which becomes the variable `key`.
    /// Nothing if the script has no such mark.
    ///
    /// # Errors
    /// A key that has no value.
    pub fn key(&mut self, rng: &mut Rng) -> Result<Option<Value>, ScriptError> {
        let script = self.script;
        let Some(written) = &script.parts.written else {
            return Ok(None);
        };
        let value = self.value_of(&written.key, rng)?;
        self.set(written.slot, value.clone());
        Ok(Some(value))
    }

    /// The value of a variable itself is what it is: text stays text.
    fn value_of(&self, expression: &Expression, rng: &mut Rng) -> Result<Value, ScriptError> {
        if let super::expression::Node::Variable { slot, .. } = expression.root
            && let Some(Some(value)) = self.slots.get(slot)
        {
            return Ok(value.clone());
        }
        match expression.value(self.scope(), rng) {
            Ok(value) => Ok(value.into()),
            Err(fault) => Err(self.script.error(*fault)),
        }
    }
}

/// The integer that a text begins with, as the atoi of C reads it.
fn leading_integer(text: &str) -> Option<i64> {
    let text = text.trim_start();
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    let end = digits.find(|c: char| !c.is_ascii_digit());
    let end = text.len() - digits.len() + end.unwrap_or(digits.len());
    text.get(..end)?.parse().ok()
}
