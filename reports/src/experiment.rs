//! What an experiment is to a report, and which there are.
//!
//! To add one: a folder in [`crate::experiments`] and a line in the registry below.
//! Nothing else knows the name of an experiment.

use serde::{Deserialize, Serialize, Serializer, de::DeserializeOwned};

use crate::{
    claim::{Claim, Decision, id::NO_LOSS},
    experiments,
    measure::Effect,
    page::Page,
    run::{Contradiction, Ledger, Run},
    sample::{Measure, Sample},
};

/// One way of finding something out: what it records, and what follows from that.
///
/// Everything here is a pure function of the record. Findings are made once, and
/// everything else is made from them.
pub trait Experiment {
    /// The command that runs it.
    const COMMAND: &'static str;
    /// What it records, beside what every run does.
    type Data: Serialize + DeserializeOwned;
    /// What its data come to.
    type Findings;

    /// Checks what its readers rely on, as far as the type of its data does not say it.
    ///
    /// # Errors
    /// Names the first field that does not hold, as a path from the data on.
    fn check(run: &Run, data: &Self::Data) -> Result<(), Contradiction>;

    /// Measures.
    fn find(run: &Run, data: &Self::Data) -> Self::Findings;

    /// What can be measured of it: what thresholds and gates may name.
    fn measures() -> Vec<Measure>;

    /// What was measured: of each measure, at each place where there is something.
    fn samples(run: &Run, data: &Self::Data, findings: &Self::Findings) -> Vec<Sample>;

    /// Judges: those that gate first, those of an arm together.
    fn claims(run: &Run, data: &Self::Data, findings: &Self::Findings) -> Vec<Claim>;

    /// Says it all to people.
    fn page(run: &Run, data: &Self::Data, findings: &Self::Findings, claims: &[Claim]) -> Page;

    /// What became of all its writes together.
    fn ledger(_data: &Self::Data) -> Ledger {
        Ledger::default()
    }

    /// What each fault did to each arm, if it injected any.
    fn injections(_findings: &Self::Findings) -> &[Effect] {
        &[]
    }

    /// The findings for `verdict.json`, and the key that they stand under, if they are
    /// more than claims and injections.
    fn published(_findings: &Self::Findings) -> Option<(&'static str, serde_json::Value)> {
        None
    }
}

/// What follows from a record, whatever its experiment, for a verdict.
pub(crate) struct Judged {
    pub(crate) claims: Vec<Claim>,
    pub(crate) injections: Vec<Effect>,
    pub(crate) ledger: Ledger,
    pub(crate) samples: Vec<Sample>,
    pub(crate) findings: serde_json::Map<String, serde_json::Value>,
}

fn judged<E: Experiment>(run: &Run, data: &E::Data) -> (Judged, Page) {
    let findings = E::find(run, data);
    let mut claims = E::claims(run, data, &findings);
    claims
        .iter_mut()
        .for_each(|claim| leave_unmarked(run, claim));
    let published = E::published(&findings);
    let page = E::page(run, data, &findings, &claims);
    let judged = Judged {
        claims,
        injections: E::injections(&findings).to_vec(),
        ledger: E::ledger(data),
        samples: E::samples(run, data, &findings),
        findings: published
            .into_iter()
            .map(|(key, value)| (key.to_owned(), value))
            .collect(),
    };
    (judged, page)
}

/// Of scripts of the user's, only those that are marked say what they have written: where none
/// is, nothing about writes can be found out, and nothing depends on it.
fn leave_unmarked(run: &Run, claim: &mut Claim) {
    let unmarked = !run.scripts.is_empty() && run.scripts.iter().all(|script| !script.marked);
    if unmarked && claim.id == NO_LOSS && claim.is(Decision::Inconclusive) {
        claim.gating = false;
        claim.reason = Some(
            "no script says what it writes: mark it with -- @write key = ... and -- @check SELECT \
             ..."
            .to_owned(),
        );
    }
}

/// Findings as JSON. What cannot be written is told in their place.
pub(crate) fn json(findings: &impl Serialize) -> serde_json::Value {
    serde_json::to_value(findings).unwrap_or_else(|error| error.to_string().into())
}

/// A record of one experiment. The fields of the run are collected first; the data
/// are read where they stand.
#[derive(Deserialize)]
struct Typed<D> {
    #[serde(flatten)]
    run: Run,
    data: D,
}

fn read<E: Experiment>(text: &[u8]) -> Result<(Run, E::Data), serde_json::Error> {
    let Typed { run, data } = serde_json::from_slice::<Typed<E::Data>>(text)?;
    Ok((run, data))
}

/// Makes the one enum over experiments, and the only matches over it.
macro_rules! registry {
    ($($folder:ident::$experiment:ident),+ $(,)?) => {
        $(use experiments::$folder::$experiment;)+

        /// What an experiment recorded.
        #[derive(Debug, Clone, PartialEq)]
        pub enum Data {
            $(
                #[doc = concat!("That of [`", stringify!($experiment), "`].")]
                $experiment(<$experiment as Experiment>::Data),
            )+
        }

        impl Data {
            /// The commands of all experiments.
            pub const COMMANDS: &[&str] = &[$($experiment::COMMAND),+];

            /// The command of the experiment that it is of.
            #[must_use]
            pub fn command(&self) -> &'static str {
                match self { $(Self::$experiment(_) => $experiment::COMMAND,)+ }
            }

            /// What can be measured by the experiment of a command. `None` if there is no such
            /// command.
            #[must_use]
            pub fn measures(command: &str) -> Option<Vec<Measure>> {
                $(
                    if command == $experiment::COMMAND {
                        return Some($experiment::measures());
                    }
                )+
                None
            }

            /// Reads a whole record. `None` if there is no such command.
            pub(crate) fn read(
                command: &str,
                text: &[u8],
            ) -> Option<Result<(Run, Self), serde_json::Error>> {
                $(
                    if command == $experiment::COMMAND {
                        let read = read::<$experiment>(text);
                        return Some(read.map(|(run, data)| (run, Self::$experiment(data))));
                    }
                )+
                None
            }

            pub(crate) fn check(&self, run: &Run) -> Result<(), Contradiction> {
                match self { $(Self::$experiment(data) => $experiment::check(run, data),)+ }
            }

            pub(crate) fn judged(&self, run: &Run) -> (Judged, Page) {
                match self { $(Self::$experiment(data) => judged::<$experiment>(run, data),)+ }
            }
        }

        impl Serialize for Data {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                match self { $(Self::$experiment(data) => data.serialize(serializer),)+ }
            }
        }

        $(
            impl From<<$experiment as Experiment>::Data> for Data {
                fn from(data: <$experiment as Experiment>::Data) -> Self {
                    Self::$experiment(data)
                }
            }
        )+
    };
}

registry! {
    failure_sim::FailureSim,
    breaker_sweep::BreakerSweep,
    batch_sweep::BatchSweep,
    near_capacity::NearCapacity,
    observability::Observability,
    steady::Steady,
    tune::Tune,
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::{judge, synthetic};

    /// What thresholds and gates rely on.
    #[test]
    fn every_sample_is_of_a_measure_that_its_experiment_names_and_has_a_place_of_its_own() {
        for record in [
            synthetic::record(7, 2, &["bare", "careful", "guide", "seawall"]),
            synthetic::usual_batches(),
            synthetic::sweep(4, |_, _| 1_000_000),
        ] {
            let command = record.run.command.as_str();
            let measures = Data::measures(command).expect(command);
            let names: BTreeSet<&str> = measures.iter().map(|measure| measure.name).collect();
            assert_eq!(names.len(), measures.len(), "{command}: two of a name");
            let samples = judge(&record).measures.samples;
            let mut places = BTreeSet::new();
            for sample in &samples {
                assert!(
                    names.contains(&*sample.measure),
                    "{command}: {}",
                    sample.measure
                );
                assert!(!sample.values.is_empty(), "{command}: {}", sample.measure);
                let place = (sample.measure.clone(), sample.labels.clone());
                assert!(places.insert(place), "{command}: {sample:?} twice");
            }
            assert!(samples.len() > 20, "{command}: {}", samples.len());
        }
        for command in Data::COMMANDS {
            for measure in Data::measures(command).expect(command) {
                assert!(measure.resolution > 0.0, "{command}: {}", measure.name);
                let plain =
                    |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-.".contains(c);
                assert!(
                    measure.name.chars().all(plain),
                    "{command}: {}",
                    measure.name
                );
            }
        }
    }
}
