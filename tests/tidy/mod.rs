//! How the project is built up: which crate and which folder may know which, where time
//! comes from, and that nothing outside of an experiment knows its name.

mod crates;
mod source;

use std::{collections::BTreeSet, path::Path};

use self::source::{Source, arrows, circle, paths, sources};

/// The crates, and modules of each that count as one: what registers experiments and what
/// is registered.
const CRATES: [(&str, &[&str]); 3] = [
    ("engine", &[]),
    ("reports", &["experiment", "experiments"]),
    ("scenarios", &["experiment", "experiments"]),
];

#[test]
fn folders_do_not_know_each_other_in_circles() {
    for (name, joined) in CRATES {
        let sources = sources(name);
        let arrows = arrows(&sources, joined);
        for (module, used) in &arrows {
            for to in used {
                assert!(arrows.contains_key(to), "{name}: {module} uses crate::{to}");
            }
        }
        for source in &sources {
            let depth = source.path.components().count();
            let of_root = depth == 1 || source.path.ends_with("mod.rs") && depth == 2;
            // It would hide an arrow.
            let hidden = paths(&source.code)
                .into_iter()
                .find(|path| of_root && path.starts_with("super::"));
            assert_eq!(hidden, None, "{name}: {}", source.path.display());
        }
        assert_eq!(circle(&arrows), None, "{name}: {arrows:#?}");
    }
}

#[test]
fn time_comes_through_the_clock_only() {
    for name in ["engine", "scenarios"] {
        for Source { path, code, .. } in sources(name) {
            if name == "engine" && path == Path::new("clock.rs") {
                continue;
            }
            let past = |path: &String| {
                path.starts_with("tokio::time") || path.starts_with("std::time::Instant")
            };
            let past = paths(&code).into_iter().find(past);
            assert_eq!(past, None, "{name}: {}", path.display());
        }
    }
}

#[test]
fn the_breaker_knows_nothing_of_postgres() {
    for Source {
        path, code, module, ..
    } in sources("engine")
    {
        for name in ["tokio_postgres", "SqlState", "crate::error"] {
            let named = code.contains(name) || paths(&code).iter().any(|path| path.contains(name));
            assert!(
                module != "breaker" || !named,
                "{} names {name}",
                path.display()
            );
        }
    }
}

/// The folders and files of experiments.
fn experiments(sources: &[Source]) -> BTreeSet<String> {
    let of = sources
        .iter()
        .filter(|source| source.module == "experiments");
    let second = of.filter_map(|source| source.path.iter().nth(1));
    let names = second.map(|name| Path::new(name).with_extension("").display().to_string());
    let names: BTreeSet<String> = names.filter(|name| name != "mod").collect();
    assert!(names.len() >= 3, "{names:?}");
    names
}

/// Experiments that are made of others, and of which. None of these knows it.
const MADE_OF: [(&str, [&str; 2]); 1] = [("tune", ["batch_sweep", "breaker_sweep"])];

/// Whether an experiment is made of another one.
fn is_made_of(experiment: &str, other: &str) -> bool {
    let made = MADE_OF.iter().find(|(name, _)| *name == experiment);
    made.is_some_and(|(_, of)| of.contains(&other))
}

#[test]
fn experiments_do_not_know_each_other() {
    for (name, of) in MADE_OF {
        let circle = of.iter().any(|other| is_made_of(other, name));
        assert!(!circle, "{name} is made of what is made of it");
    }
    for name in ["reports", "scenarios"] {
        let sources = sources(name);
        let names = experiments(&sources);
        for source in sources.iter().filter(|s| s.module == "experiments") {
            let path = source.path.display().to_string();
            let own = |other: &&String| path.starts_with(&format!("experiments/{other}"));
            let registry = path == "experiments/mod.rs";
            let experiment = source.path.iter().nth(1).expect("a folder or file");
            let experiment = Path::new(experiment).with_extension("");
            let experiment = experiment.to_string_lossy();
            let others = names.iter().filter(|other| !registry && !own(other));
            for other in others.filter(|other| !is_made_of(&experiment, other)) {
                assert!(
                    !is_named(other, &source.code),
                    "{name}: {path} knows {other}"
                );
            }
        }
    }
}

/// Whether a text names an experiment: by its folder, its command or its type. A folder
/// of one word may be called as much else is, and is named by its path only.
fn is_named(name: &str, text: &str) -> bool {
    let capital = |word: &str| {
        let (first, rest) = word.split_at(1);
        first.to_uppercase() + rest
    };
    let of_type: String = name.split('_').map(capital).collect();
    let path = text.contains(&format!("experiments::{name}"));
    let long = name.contains('_');
    let command = long && text.contains(&name.replace('_', "-"));
    path || command || words(text).any(|word| word == of_type || (long && word == name))
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !(c.is_alphanumeric() || c == '_'))
}

/// Words that stand for an experiment where its name is too long.
const SHORT: [&str; 2] = ["sweep", "batches"];

#[test]
fn no_experiment_is_named_outside_of_its_folder_and_the_registry() {
    for name in ["reports", "scenarios"] {
        let sources = sources(name);
        let names = experiments(&sources);
        for source in &sources {
            let path = source.path.display().to_string();
            // Schema 2 had a field for each of its three experiments. It gets no more.
            if path.starts_with("experiment") || path == "record/v2.rs" {
                continue;
            }
            for experiment in &names {
                // A sentence may begin with a word that is the name of one.
                let one_word = !experiment.contains('_');
                let text = if one_word { &source.code } else { &source.text };
                assert!(
                    !is_named(experiment, text),
                    "{name}: {path} names {experiment}"
                );
            }
            let short = words(&source.text).find(|word| SHORT.contains(word));
            assert_eq!(short, None, "{name}: {path}");
        }
    }
}

#[test]
fn a_name_of_an_experiment_is_told_from_other_words() {
    for text in ["a failure_sim b", "failure-sims", "FailureSim::x"] {
        assert!(is_named("failure_sim", text), "{text}");
    }
    assert!(is_named("steady", "experiments::steady::Data") && is_named("steady", "Steady,"));
    let others = "a steady load, SteadyState, measure::steady";
    assert!(!is_named("steady", others));
}
