//! The plan of faults, as it was drawn from the seed.
//!
//! Which kinds of fault there are is known where they are carried out. A step brings
//! the words along that a reader needs of its kind, so that a report needs no more.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// One fault of an entry of the plan, as drawn.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// What is done: the name of the fault's kind, as on the command line.
    pub kind: String,
    /// That name, to begin a sentence with: `Server crash`.
    #[serde(default)]
    pub title: String,
    /// What happens under it, as a clause: `packets vanish`.
    #[serde(default)]
    pub during: String,
    /// What it means that it is gone, as a clause: `the network is back`.
    #[serde(default)]
    pub gone: String,
    /// When: so long after the load was seen to be steady.
    pub phase_us: u64,
    /// How long it lasts, from when a probe saw it.
    pub length_us: u64,
    /// The direction that a fault of the network acts on, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stream: Option<Stream>,
    /// The share of connections that a fault of the network hits, 0..=1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub toxicity: Option<f64>,
    /// What else there is to know of it, by name; the unit stands last in it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub parameters: BTreeMap<String, u32>,
}

impl Step {
    /// Puts plain words, made from the name of its kind, where it has none.
    pub(crate) fn fill_words(&mut self) {
        let words = self.kind.replace('-', " ");
        if self.title.is_empty() {
            let mut letters = words.chars();
            let first = letters.next().map(|c| c.to_uppercase().to_string());
            self.title = first.unwrap_or_default() + letters.as_str();
        }
        if self.during.is_empty() {
            self.during = format!("the fault is {words}");
        }
        if self.gone.is_empty() {
            "the fault is gone".clone_into(&mut self.gone);
        }
    }

    /// A parameter; 0 for one that it does not have.
    #[must_use]
    pub fn parameter(&self, name: &str) -> u32 {
        self.parameters.get(name).copied().unwrap_or(0)
    }
}

/// A direction of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stream {
    /// From the client to the server.
    Upstream,
    /// From the server to the client.
    Downstream,
}

impl Stream {
    /// Its name in Toxiproxy's API.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Upstream => "upstream",
            Self::Downstream => "downstream",
        }
    }
}

/// One entry of the plan: faults that belong together, done to arms under load.
/// Drawn from the seed, the same for the same seed and flags.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Planned {
    /// What it is called. Entries of one name are comparable: the same faults, for
    /// other arms or another time.
    pub name: String,
    /// What is done. Never empty; they may overlap.
    pub faults: Vec<Step>,
    /// The arms that are under load while it is done.
    pub arms: Vec<String>,
}

impl Planned {
    /// How long the load runs in steady state before the first of its faults.
    #[must_use]
    pub fn phase_us(&self) -> u64 {
        self.faults.iter().map(|f| f.phase_us).min().unwrap_or(0)
    }

    /// From the first of its faults to the end of the last.
    #[must_use]
    pub fn length_us(&self) -> u64 {
        let ends = self.faults.iter().map(|f| f.phase_us + f.length_us);
        ends.max().unwrap_or(0).saturating_sub(self.phase_us())
    }

    /// The fault, if there is only one.
    #[must_use]
    pub fn only(&self) -> Option<&Step> {
        match self.faults.as_slice() {
            [step] => Some(step),
            _ => None,
        }
    }
}

/// When a fault of an injection was in effect, on the injection's clock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Span {
    /// What was done: [`Step::kind`].
    pub kind: String,
    /// A direct probe saw it in effect.
    pub effective_us: u64,
    /// A direct probe saw it gone.
    pub cleared_us: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(phase_us: u64, length_us: u64) -> Step {
        Step {
            kind: "fast-restart".to_owned(),
            title: String::new(),
            during: String::new(),
            gone: String::new(),
            phase_us,
            length_us,
            stream: None,
            toxicity: None,
            parameters: BTreeMap::new(),
        }
    }

    #[test]
    fn an_entry_lasts_from_its_first_fault_to_the_end_of_its_last() {
        let planned = |faults| Planned {
            name: String::new(),
            faults,
            arms: Vec::new(),
        };
        let both = planned(vec![step(300, 1_000), step(100, 50)]);
        assert_eq!((both.phase_us(), both.length_us()), (100, 1_200));
        assert_eq!(both.only(), None);
        assert_eq!(planned(vec![step(1, 2)]).only(), Some(&step(1, 2)));
    }

    #[test]
    fn words_that_are_missing_are_made_and_others_are_kept() {
        let mut fault = step(1, 2);
        "the server is back".clone_into(&mut fault.gone);
        fault.fill_words();
        assert_eq!(
            [&*fault.title, &*fault.during, &*fault.gone],
            [
                "Fast restart",
                "the fault is fast restart",
                "the server is back"
            ]
        );
    }
}
