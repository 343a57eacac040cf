//! The user's own scripts as a load: which of them an operation runs, with which values. Pure.
//!
//! What operation `i` of a client does follows from the seed, the client and `i` alone, so
//! that the same seed draws the same load, and so that it can be said afterwards.

use std::{collections::BTreeMap, sync::Arc};

use reports::run::{self, MOST_SCRIPTS, Run as Recorded};

use super::proof::mixed;
use crate::script::{Run, Script, ScriptError, Value, Variables};

/// The user's own scripts. Cheap to clone.
#[derive(Debug, Clone, PartialEq)]
pub struct Scripts {
    all: Arc<[Weighted]>,
    /// What the user has defined, as it was typed.
    defined: Arc<BTreeMap<String, String>>,
    /// All that is defined before a script sets anything.
    variables: Arc<Variables>,
    seed: u64,
}

/// A script, and how often it runs.
#[derive(Debug, Clone, PartialEq)]
pub struct Weighted {
    /// The script.
    pub script: Script,
    /// Against the weights of the others.
    pub weight: u32,
    /// What was seen of its statements before anything was measured.
    pub seen: run::Script,
}

/// One run of a script that is to be made.
#[derive(Debug)]
pub struct Drawn<'a> {
    /// Its place among the scripts.
    pub place: usize,
    /// The script.
    pub of: &'a Weighted,
    /// All that is random in it comes from here.
    pub rng: fastrand::Rng,
}

/// Why scripts cannot be a load.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NoLoad {
    /// One of them has an error.
    #[error(transparent)]
    Script(#[from] ScriptError),
    /// All weights are 0.
    #[error("no script ever runs: all weights are 0")]
    NoWeight,
    /// There are too many.
    #[error("{0} scripts")]
    TooMany(usize),
}

impl Scripts {
    /// Scripts with their weights, and the variables that are defined for all of them.
    ///
    /// # Errors
    /// If a script uses a variable that nobody sets, or none would ever run.
    pub fn new(
        scripts: Vec<(Script, u32)>,
        defined: BTreeMap<String, String>,
        seed: u64,
    ) -> Result<Self, NoLoad> {
        if scripts.len() > MOST_SCRIPTS {
            return Err(NoLoad::TooMany(scripts.len()));
        }
        if scripts.iter().all(|(_, weight)| *weight == 0) {
            return Err(NoLoad::NoWeight);
        }
        let variables = variables(&defined, seed);
        for (script, _) in &scripts {
            script.check(&variables)?;
        }
        let all = scripts.into_iter().map(|(script, weight)| Weighted {
            seen: unseen(&script, weight),
            script,
            weight,
        });
        Ok(Self {
            all: all.collect(),
            defined: Arc::new(defined),
            variables: Arc::new(variables),
            seed,
        })
    }

    /// Those of an earlier run. `None` if it had none.
    ///
    /// # Errors
    /// If this version reads one of them in another way.
    pub fn recorded(run: &Recorded) -> Result<Option<Self>, NoLoad> {
        if run.scripts.is_empty() {
            return Ok(None);
        }
        let read = |of: &run::Script| {
            let script = Script::read(&of.file, &of.text)?;
            Ok::<_, ScriptError>((script, of.weight))
        };
        let scripts: Result<Vec<_>, _> = run.scripts.iter().map(read).collect();
        Self::new(scripts?, run.variables.clone(), run.seed).map(Some)
    }

    /// All of them, in the order in which they were given.
    #[must_use]
    pub fn all(&self) -> &[Weighted] {
        &self.all
    }

    /// The script of that name.
    #[must_use]
    pub fn named(&self, name: &str) -> Option<&Weighted> {
        self.all.iter().find(|of| of.script.name() == name)
    }

    /// As the record keeps them.
    #[must_use]
    pub fn record(&self) -> (Vec<run::Script>, BTreeMap<String, String>) {
        let scripts = self.all.iter().map(|weighted| weighted.seen.clone());
        (scripts.collect(), (*self.defined).clone())
    }

    /// The same, with what was seen of each.
    #[must_use]
    pub fn with_seen(&self, seen: Vec<run::Script>) -> Self {
        let all = self.all.iter().zip(seen);
        let all = all.map(|(weighted, seen)| Weighted {
            seen,
            ..weighted.clone()
        });
        Self {
            all: all.collect(),
            ..self.clone()
        }
    }

    /// A run of a script, for the caller with this number.
    #[must_use]
    pub fn run<'s>(&self, script: &'s Script, caller: i64) -> Run<'s> {
        let mut run = Run::new(script, &self.variables);
        if !self.defined.contains_key(CLIENT_ID) {
            run.define(CLIENT_ID, Value::Int(caller));
        }
        run
    }

    /// The run that operation `seq` of a client is.
    ///
    /// # Panics
    /// Never: there is a script with a weight.
    #[must_use]
    pub fn drawn(&self, client: i32, seq: i64) -> Drawn<'_> {
        let seed = mixed([self.seed.cast_signed(), i64::from(client), seq]);
        let mut rng = fastrand::Rng::with_seed(seed);
        let total: u64 = self.all.iter().map(|of| u64::from(of.weight)).sum();
        let mut left = rng.u64(0..total.max(1));
        let place = self.all.iter().position(|of| {
            let weight = u64::from(of.weight);
            let here = left < weight;
            left = left.saturating_sub(weight);
            here
        });
        let place = place.unwrap_or(0);
        Drawn {
            place,
            of: &self.all[place],
            rng,
        }
    }
}

impl Weighted {
    /// Whether a run of it may change something.
    #[must_use]
    pub fn writes(&self) -> bool {
        self.seen.writes
    }
}

const CLIENT_ID: &str = "client_id";

/// As pgbench defines them, where the user does not.
fn variables(defined: &BTreeMap<String, String>, seed: u64) -> Variables {
    let default_seed = mixed([seed.cast_signed(), 0, 0]).cast_signed();
    let automatic = [
        (CLIENT_ID, 0),
        ("default_seed", default_seed),
        ("random_seed", seed.cast_signed()),
        ("scale", 1),
    ];
    let automatic = automatic.map(|(name, value)| (name.to_owned(), Value::Int(value)));
    let defined = defined
        .iter()
        .map(|(name, text)| (name.clone(), Value::Text(text.clone())));
    automatic.into_iter().chain(defined).collect()
}

/// Whether a script is one statement, which a pool is asked for without holding a session.
#[must_use]
pub(super) fn alone(script: &Script) -> bool {
    match script.statements() {
        [only] => only.parameters_allowed && !only.effect.controls(),
        _ => false,
    }
}

fn unseen(script: &Script, weight: u32) -> run::Script {
    run::Script {
        file: script.file().to_owned(),
        name: script.name().to_owned(),
        text: script.text().to_owned(),
        weight,
        writes: script.writes(),
        marked: script.written().is_some(),
        alone: alone(script),
        tried: 0,
        statements: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn script(file: &str, text: &str) -> Script {
        Script::read(file, text).expect("a script")
    }

    fn scripts(weights: &[u32]) -> Scripts {
        let all = weights.iter().zip(["a.sql", "b.sql", "c.sql"]);
        let all = all.map(|(weight, file)| (script(file, "SELECT 1"), *weight));
        Scripts::new(all.collect(), BTreeMap::new(), 7).expect("a load")
    }

    #[test]
    fn scripts_run_as_often_as_their_weights_say() {
        let scripts = scripts(&[1, 0, 3]);
        let mut runs = [0_u32; 3];
        for seq in 0..8_000 {
            runs[scripts.drawn(1, seq).place] += 1;
        }
        assert_eq!(runs[1], 0);
        // Three sigma of a binomial share of a quarter: 116.
        assert!(runs[0].abs_diff(2_000) < 116, "{runs:?}");
        assert_eq!(runs[0] + runs[2], 8_000);
    }

    #[test]
    fn what_an_operation_does_follows_from_seed_client_and_number() {
        let of = |client, seq| {
            let scripts = scripts(&[1, 1, 1]);
            let mut drawn = scripts.drawn(client, seq);
            (drawn.place, drawn.rng.u64(..))
        };
        assert_eq!(of(3, 5), of(3, 5));
        assert_ne!(of(3, 5).1, of(3, 6).1);
        assert_ne!(of(3, 5).1, of(4, 5).1);
    }

    #[test]
    fn a_load_that_never_runs_or_lacks_a_variable_is_refused() {
        let none = Scripts::new(vec![(script("a.sql", "SELECT 1"), 0)], BTreeMap::new(), 7);
        assert_eq!(none, Err(NoLoad::NoWeight));
        let unset = script("a.sql", "SELECT :nobody");
        let unset = Scripts::new(vec![(unset, 1)], BTreeMap::new(), 7);
        assert!(matches!(unset, Err(NoLoad::Script(_))), "{unset:?}");
        let unset = script("a.sql", "SELECT :nobody");
        let defined = BTreeMap::from([("nobody".to_owned(), "1".to_owned())]);
        Scripts::new(vec![(unset, 1)], defined, 7).expect("defined by the user");
    }
}
