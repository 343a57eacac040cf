//! A fault plan: what is to be done, as a user says it. Pure.
//!
//! ```toml
//! repeats = 2                   # how often each entry is carried out
//!
//! [steady_state]                # asked before each entry and after it
//! ok_share = 0.99
//! p99_ms = 250
//!
//! [[fault]]
//! kind = "crash"                # see `scenarios list faults`
//! phase_ms = [100, 400]         # steady load before it: a constant or a range
//! length_ms = 1500              # from when a probe saw it; likewise
//!
//! [[fault]]                     # faults of one name are one entry: they overlap
//! name = "slow-then-gone"
//! kind = "latency"
//! latency_ms = 200
//!
//! [[fault]]
//! name = "slow-then-gone"
//! kind = "refused"
//! phase_ms = 1000
//! length_ms = [500, 900]
//! ```
//!
//! The same on the command line: `--fault latency,latency_ms=200,length_ms=500..900`.
//! Whatever is wrong is named with its field, its value and what is allowed.

mod read;

use std::{ops::RangeInclusive, time::Duration};

use reports::run::Stream;

use super::Kind;

/// More would take days.
const ENTRIES_MOST: usize = 200;

/// What is to be done.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// What is done, in order.
    pub entries: Vec<Entry>,
    /// How often each entry is carried out for each arm.
    pub repeats: u32,
    /// What a load must be served like, if not as usual.
    pub steady: SteadyState,
}

/// A steady-state hypothesis, as far as it differs from the usual one.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct SteadyState {
    /// Least share of operations ok within the deadline, 0..=1.
    pub ok_share: Option<f64>,
    /// Greatest p99 latency.
    pub p99: Option<Duration>,
}

/// Faults that belong together: they may overlap.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// What it is called, here and in all reports.
    pub name: String,
    /// What is done. Never empty.
    pub faults: Vec<Wish>,
}

/// A fault, as far as the user has said what it is to be.
#[derive(Debug, Clone, PartialEq)]
pub struct Wish {
    /// What is done.
    pub kind: &'static Kind,
    /// Steady load before it; `None`: as usual.
    pub phase: Option<RangeInclusive<Duration>>,
    /// How long it lasts; `None`: as usual.
    pub length: Option<RangeInclusive<Duration>>,
    /// The direction it acts on, if it has one.
    pub stream: Option<Stream>,
    /// The share of connections that it hits, if it can hit a share.
    pub toxicity: Option<f64>,
    /// What was set of [`Kind::parameters`].
    pub parameters: Vec<(&'static str, u32)>,
}

/// What is wrong with a plan.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {value}, allowed: {allowed}")]
pub struct PlanError {
    /// Where it stands.
    pub field: String,
    /// What stands there.
    pub value: String,
    /// What may stand there.
    pub allowed: String,
}

fn wrong(field: impl Into<String>, value: impl ToString, allowed: impl Into<String>) -> PlanError {
    PlanError {
        field: field.into(),
        value: value.to_string(),
        allowed: allowed.into(),
    }
}

impl Plan {
    /// Each of these by itself, once, as usual.
    #[must_use]
    pub fn of(kinds: &[&'static Kind]) -> Self {
        let entries = kinds.iter().map(|kind| Entry {
            name: kind.name.to_owned(),
            faults: vec![Wish::usual(kind)],
        });
        Self {
            entries: entries.collect(),
            repeats: 1,
            steady: SteadyState::default(),
        }
    }

    /// Adds a fault: to the entry of its name, else as one of its own.
    fn add(&mut self, name: Option<String>, wish: Wish) {
        let known = name
            .as_ref()
            .and_then(|name| self.entries.iter_mut().find(|e| e.name == *name));
        if let Some(entry) = known {
            entry.faults.push(wish);
            return;
        }
        let name = name.unwrap_or_else(|| {
            let kind = wish.kind.name;
            let taken = |name: &str| self.entries.iter().any(|e| e.name == name);
            // Two of a kind are told apart: they need not be the same.
            let numbered = (2..).map(|n| format!("{kind}-{n}"));
            let mut names = std::iter::once(kind.to_owned()).chain(numbered);
            names.find(|name| !taken(name)).unwrap_or_default()
        });
        self.entries.push(Entry {
            name,
            faults: vec![wish],
        });
    }

    fn check(&self) -> Result<(), PlanError> {
        if self.entries.is_empty() || self.entries.len() > ENTRIES_MOST {
            let allowed = format!("1 to {ENTRIES_MOST} entries");
            return Err(wrong("fault", self.entries.len(), allowed));
        }
        for entry in &self.entries {
            entry.check()?;
        }
        Ok(())
    }
}

impl Entry {
    /// What stops the server, or takes all its connections, leaves nobody who could
    /// do or undo another fault of the server.
    fn check(&self) -> Result<(), PlanError> {
        let of_server = self.faults.iter().filter(|f| !f.kind.is_of_network());
        if of_server.clone().count() > 1
            && let Some(fault) = of_server.clone().find(|f| f.kind.leaves_no_session())
        {
            return Err(wrong(
                format!("fault {}", self.name),
                format!("{} beside another fault of the server", fault.kind),
                "beside it only faults of the network",
            ));
        }
        for (i, fault) in self.faults.iter().enumerate() {
            let same = |other: &&Wish| other.kind == fault.kind && other.stream == fault.stream;
            if self.faults[..i].iter().any(|other| same(&other)) {
                return Err(wrong(
                    format!("fault {}", self.name),
                    format!("{} twice", fault.kind),
                    "each kind once in an entry, or once for each stream",
                ));
            }
        }
        Ok(())
    }
}

impl Wish {
    /// As usual.
    #[must_use]
    pub fn usual(kind: &'static Kind) -> Self {
        Self {
            kind,
            phase: None,
            length: None,
            stream: kind.stream(),
            toxicity: None,
            parameters: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests;
