//! How this crate is built up, held by a test: which folder may know which, and that
//! nothing outside of an experiment knows its name.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

/// A source file: its path from `src` on, and its code without comments and tests.
struct Source {
    path: PathBuf,
    text: String,
}

impl Source {
    /// The folder or file directly in `src` that it belongs to.
    fn module(&self) -> String {
        let first = Path::new(self.path.iter().next().expect("a path"));
        let first = first.file_stem().expect("a name").to_string_lossy();
        joined(&first)
    }

    /// Whether only tests use it.
    fn is_of_tests(&self) -> bool {
        let parts = self.path.with_extension("");
        parts
            .iter()
            .any(|part| part == "tests" || part == "legible")
    }
}

/// What registers experiments and what is registered are one.
fn joined(module: &str) -> String {
    match module {
        "experiment" => "experiments".to_owned(),
        other => other.to_owned(),
    }
}

fn sources() -> Vec<Source> {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut folders = vec![src.clone()];
    let mut sources = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "rs") {
                let text = fs::read_to_string(&path).expect("text");
                let path = path.strip_prefix(&src).expect("within src").to_owned();
                sources.push(Source { path, text });
            }
        }
    }
    sources.retain(|source| !source.is_of_tests());
    assert!(sources.len() > 50, "{} files", sources.len());
    sources
}

/// Up to the tests at its foot.
fn without_tests(text: &str) -> &str {
    let tests = text.find("#[cfg(test)]\nmod tests {");
    tests.map_or(text, |at| &text[..at])
}

fn without_comments(text: &str) -> String {
    let lines = text.lines().map(|line| match line.find("//") {
        Some(at) => &line[..at],
        None => line,
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// The names that follow `crate::`, the first of each path.
fn named_of_crate(code: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for (at, found) in code.match_indices("crate::") {
        let rest = &code[at + found.len()..];
        if let Some(group) = rest.strip_prefix('{') {
            let (mut depth, mut name) = (0, String::new());
            for c in group.chars() {
                match c {
                    '}' if depth == 0 => break,
                    ',' if depth == 0 => {
                        names.insert(first_of(&name));
                        name.clear();
                    }
                    '{' => depth += 1,
                    '}' => depth -= 1,
                    _ if depth == 0 => name.push(c),
                    _ => {}
                }
            }
            names.insert(first_of(&name));
        } else {
            names.insert(first_of(rest));
        }
    }
    names.remove("");
    names
}

/// The first name of a path.
fn first_of(path: &str) -> String {
    let word = |c: char| c.is_alphanumeric() || c == '_';
    path.trim_start().chars().take_while(|c| word(*c)).collect()
}

/// Where the names at the root of the crate come from, as `lib.rs` says.
fn re_exports(lib: &str) -> BTreeMap<String, String> {
    let mut from = BTreeMap::new();
    for statement in lib.split(';') {
        let Some((_, path)) = statement.split_once("pub use ") else {
            continue;
        };
        let (module, names) = path.split_once("::").expect("a path");
        for name in names.trim_matches(['{', '}']).split(',') {
            from.insert(name.trim().to_owned(), module.to_owned());
        }
    }
    from
}

/// What each folder (or file) of `src` knows.
fn arrows(sources: &[Source]) -> BTreeMap<String, BTreeSet<String>> {
    let lib = sources.iter().find(|s| s.path == Path::new("lib.rs"));
    let root = re_exports(&without_comments(&lib.expect("lib.rs").text));
    let mut arrows: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for source in sources.iter().filter(|s| s.path != Path::new("lib.rs")) {
        let from = source.module();
        let code = without_comments(without_tests(&source.text));
        let to = named_of_crate(&code).into_iter();
        let to = to.map(|name| joined(root.get(&name).unwrap_or(&name)));
        let to = to.filter(|to| *to != from).collect::<Vec<_>>();
        arrows.entry(from).or_default().extend(to);
    }
    arrows
}

/// A way from a folder back to itself, if there is one.
fn circle(arrows: &BTreeMap<String, BTreeSet<String>>) -> Option<Vec<String>> {
    fn search(
        arrows: &BTreeMap<String, BTreeSet<String>>,
        way: &mut Vec<String>,
        done: &mut BTreeSet<String>,
    ) -> bool {
        let at = way.last().expect("a start").clone();
        for to in arrows.get(&at).into_iter().flatten() {
            let seen = way.contains(to);
            way.push(to.clone());
            if seen || (!done.contains(to) && search(arrows, way, done)) {
                return true;
            }
            way.pop();
        }
        done.insert(at);
        false
    }
    let mut done = BTreeSet::new();
    arrows.keys().find_map(|start| {
        let mut way = vec![start.clone()];
        search(arrows, &mut way, &mut done).then_some(way)
    })
}

#[test]
fn folders_do_not_know_each_other_in_circles() {
    let arrows = arrows(&sources());
    assert!(arrows["render"].contains("page"), "{arrows:?}");
    assert!(arrows["record"].contains("experiments"), "{arrows:?}");
    if let Some(circle) = circle(&arrows) {
        panic!("{}", circle.join(" -> "));
    }
    for module in ["run", "stats", "numbers"] {
        assert!(arrows[module].is_empty(), "{module}: {:?}", arrows[module]);
    }
}

#[test]
fn experiments_do_not_know_each_other() {
    for (name, source) in of_experiments(&sources()) {
        let code = without_comments(without_tests(&source.text));
        for other in experiments().iter().filter(|other| **other != name) {
            assert!(!is_named(other, &code), "{name} knows {other}");
        }
    }
}

/// The files of experiments, with the name of theirs.
fn of_experiments(sources: &[Source]) -> Vec<(String, &Source)> {
    let of = sources.iter().filter_map(|source| {
        let mut parts = source.path.iter();
        let folder = parts.next().is_some_and(|part| part == "experiments");
        let name = parts.next()?.to_string_lossy().into_owned();
        (folder && parts.next().is_some()).then_some((name, source))
    });
    of.collect()
}

/// The folders of experiments.
fn experiments() -> BTreeSet<String> {
    let names: BTreeSet<String> = of_experiments(&sources())
        .into_iter()
        .map(|(name, _)| name)
        .collect();
    assert!(names.len() >= 3, "{names:?}");
    names
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
    let names = experiments();
    for source in sources() {
        let path = source.path.display().to_string();
        // Schema 2 had a field for each of its three experiments. It gets no more.
        if path.starts_with("experiment") || path == "record/v2.rs" {
            continue;
        }
        let text = without_tests(&source.text);
        for name in &names {
            assert!(!is_named(name, text), "{path} names {name}");
        }
        let short = words(text).find(|word| SHORT.contains(word));
        assert_eq!(short, None, "{path}");
    }
}

#[test]
fn this_test_sees_what_it_looks_for() {
    let code = "use crate::{\n    a::{b, c::d},\n    e,\n};\nuse crate::f::g;\nlet h = crate::i();";
    let names: Vec<String> = named_of_crate(code).into_iter().collect();
    assert_eq!(names, ["a", "e", "f", "i"]);
    assert_eq!(without_comments("a // crate::b\n//! c\nd"), "a \n\nd");
    assert_eq!(without_tests("a\n#[cfg(test)]\nmod tests {\nb }"), "a\n");
    let root = re_exports("pub mod a;\npub use a::{B, c};\npub use d::E;");
    assert_eq!(root["B"], "a");
    assert_eq!((&*root["c"], &*root["E"]), ("a", "d"));
    let arrow = |from: &str, to: &[&str]| {
        let to = to.iter().map(|to| (*to).to_owned()).collect();
        (from.to_owned(), to)
    };
    let none = [arrow("a", &["b", "c"]), arrow("b", &["c"]), arrow("c", &[])];
    assert_eq!(circle(&none.into()), None);
    let one = [arrow("a", &["b"]), arrow("b", &["c"]), arrow("c", &["b"])];
    assert_eq!(circle(&one.into()).unwrap(), ["a", "b", "c", "b"]);
    for text in ["a failure_sim b", "failure-sims", "FailureSim::x"] {
        assert!(is_named("failure_sim", text), "{text}");
    }
    assert!(is_named("steady", "experiments::steady::Data") && is_named("steady", "Steady,"));
    assert!(!is_named(
        "steady",
        "a steady load, SteadyState, measure::steady"
    ));
}
