//! What holds of the sources as a whole: folders do not depend on each other in circles, time
//! comes through `clock` only, and the breaker knows nothing of Postgres.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

/// A file of `src`, without comments, literals, and code that is only there for tests.
struct Source {
    path: PathBuf,
    /// The top-level module that it belongs to.
    module: String,
    code: String,
}

/// All files of `src` but `lib.rs`, which is the map of the others, and tests.
fn sources() -> Vec<Source> {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let (mut folders, mut found) = (vec![src.clone()], Vec::new());
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder of src") {
            let path = entry.expect("an entry").path();
            let inside = path.strip_prefix(&src).expect("in src").to_path_buf();
            if inside.with_extension("").ends_with("tests") || inside == Path::new("lib.rs") {
                continue;
            }
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let first = inside.components().next().expect("a name");
            let module = Path::new(first.as_os_str()).with_extension("");
            found.push(Source {
                module: module.to_string_lossy().into_owned(),
                code: without_tests(&bare(&fs::read_to_string(&path).expect("text"))),
                path: inside,
            });
        }
    }
    assert!(found.len() > 40, "src has been read: {}", found.len());
    found
}

/// Rust without its comments, and with its literals empty.
fn bare(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let raw = rest.trim_start_matches('b').strip_prefix('r');
        let hashes = raw.map(|raw| raw.len() - raw.trim_start_matches('#').len());
        let word = out.ends_with(|c: char| c.is_alphanumeric() || c == '_');
        let skipped = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if let (Some(raw), Some(hashes), false) = (raw, hashes, word)
            && raw[hashes..].starts_with('"')
        {
            let end = format!("\"{}", "#".repeat(hashes));
            let start = rest.len() - raw.len() + hashes + 1;
            start + rest[start..].find(&end).expect("an end") + end.len()
        } else if c == '"' {
            literal(rest, '"')
        } else if c == '\'' && (rest[1..].starts_with('\\') || is_char(rest)) {
            literal(rest, '\'')
        } else {
            out.push(c);
            c.len_utf8()
        };
        rest = &rest[skipped..];
    }
    out
}

/// Whether a quote begins a character, not a lifetime.
fn is_char(rest: &str) -> bool {
    rest.chars().nth(2) == Some('\'')
}

/// The length of a literal that begins and ends with `quote`.
fn literal(rest: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            c if c == quote => return at + c.len_utf8(),
            _ => {}
        }
    }
    rest.len()
}

/// Leaves out the items behind `#[cfg(test)]`.
fn without_tests(code: &str) -> String {
    let (mut out, mut rest) = (String::new(), code);
    while let Some((before, item)) = rest.split_once("#[cfg(test)]") {
        out.push_str(before);
        let mut depth = 0;
        let ends = item.find(|c| {
            match c {
                '{' => depth += 1,
                '}' => depth -= 1,
                _ => {}
            }
            depth == 0 && (c == '}' || c == ';')
        });
        rest = &item[ends.map_or(item.len(), |at| at + 1)..];
    }
    out + rest
}

/// Every path that is imported, in full, and every one of two names or more elsewhere.
fn paths(code: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for import in code.split("use ").skip(1) {
        let tree: String = import.chars().take_while(|c| *c != ';').collect();
        flatten("", &tree, &mut found);
    }
    let name = |c: char| c.is_alphanumeric() || c == '_' || c == ':';
    let whole = |path: &&str| path.contains("::") && !path.ends_with("::");
    let elsewhere = code.split(|c| !name(c)).filter(whole);
    found.extend(elsewhere.map(str::to_owned));
    found
}

/// The paths of a tree of imports, such as `a::{b, c::{d, e}}`.
fn flatten(before: &str, tree: &str, found: &mut BTreeSet<String>) {
    let tree = tree.trim();
    let Some((path, group)) = tree.split_once('{') else {
        found.insert(format!("{before}{tree}"));
        return;
    };
    let before = format!("{before}{}", path.trim());
    let group = group.trim_end().strip_suffix('}').unwrap_or(group);
    let (mut depth, mut start) = (0, 0);
    for (at, c) in group.char_indices().chain([(group.len(), ',')]) {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                if !group[start..at].trim().is_empty() {
                    flatten(&before, &group[start..at], found);
                }
                start = at + 1;
            }
            _ => {}
        }
    }
}

/// The modules that each module uses.
fn arrows<'a>(
    sources: impl Iterator<Item = (&'a str, &'a str)>,
) -> BTreeMap<String, BTreeSet<String>> {
    let mut arrows: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (module, code) in sources {
        let used = arrows.entry(module.to_owned()).or_default();
        for path in paths(code) {
            if let Some(rest) = path.strip_prefix("crate::") {
                let to: String = rest.chars().take_while(|c| *c != ':').collect();
                if to != module {
                    used.insert(to);
                }
            }
        }
    }
    arrows
}

/// A circle among modules, if there is one.
fn circle(arrows: &BTreeMap<String, BTreeSet<String>>) -> Option<Vec<String>> {
    fn walk(
        arrows: &BTreeMap<String, BTreeSet<String>>,
        way: &mut Vec<String>,
        done: &mut BTreeSet<String>,
    ) -> bool {
        let here = way.last().cloned().expect("a beginning");
        if way[..way.len() - 1].contains(&here) {
            return true;
        }
        if done.contains(&here) {
            return false;
        }
        for next in arrows.get(&here).into_iter().flatten() {
            way.push(next.clone());
            if walk(arrows, way, done) {
                return true;
            }
            way.pop();
        }
        done.insert(here);
        false
    }
    let mut done = BTreeSet::new();
    arrows.keys().find_map(|from| {
        let mut way = vec![from.clone()];
        walk(arrows, &mut way, &mut done).then_some(way)
    })
}

#[test]
fn folders_do_not_depend_on_each_other_in_circles() {
    let sources = sources();
    let arrows = arrows(sources.iter().map(|s| (&*s.module, &*s.code)));
    for (module, used) in &arrows {
        for name in used {
            // A path through what `lib.rs` exports would hide an arrow.
            assert!(arrows.contains_key(name), "{module} uses crate::{name}");
        }
    }
    for source in &sources {
        let depth = source.path.components().count();
        let is_root = depth == 1 || source.path.ends_with("mod.rs") && depth == 2;
        let hidden = paths(&source.code)
            .into_iter()
            .find(|path| is_root && path.starts_with("super::"));
        assert_eq!(hidden, None, "{}", source.path.display());
    }
    assert_eq!(circle(&arrows), None, "{arrows:#?}");
}

#[test]
fn time_comes_through_the_clock_only() {
    for Source { path, code, .. } in sources() {
        if path == Path::new("clock.rs") {
            continue;
        }
        let forbidden = |path: &String| {
            path.starts_with("tokio::time") || path.starts_with("std::time::Instant")
        };
        let past = paths(&code).into_iter().find(forbidden);
        assert_eq!(past, None, "{}", path.display());
    }
}

#[test]
fn the_breaker_knows_nothing_of_postgres() {
    for Source { path, code, module } in sources() {
        for name in ["tokio_postgres", "SqlState", "crate::error"] {
            let named = module == "breaker"
                && (code.contains(name) || paths(&code).iter().any(|path| path.contains(name)));
            assert!(!named, "{} names {name}", path.display());
        }
    }
}

#[test]
fn what_is_looked_for_is_found() {
    let code = bare(
        r##"
        //! crate::comment
        use crate::{a::{self, b}, c};
        use std::{time::{Duration, Instant}, fmt};
        fn f<'a>(x: &'a str) { crate::d::f("crate::text", r#"crate::"raw"#, '{', '\''); }
        #[cfg(test)]
        mod tests { use crate::e; fn g() { {} } }
        fn h() { crate::g::h() }
        "##,
    );
    let code = without_tests(&code);
    let found = arrows([("x", &*code)].into_iter());
    let used: Vec<&str> = found["x"].iter().map(String::as_str).collect();
    assert_eq!(used, ["a", "c", "d", "g"]);
    assert!(paths(&code).contains("std::time::Instant"));

    let modules = |b: &'static str| {
        [
            ("a", "use crate::b;"),
            ("b", b),
            ("c", "use crate::d::X;"),
            ("d", "fn f() { crate::a::f() }"),
        ]
    };
    assert_eq!(circle(&arrows(modules("").into_iter())), None);
    let found = circle(&arrows(modules("use crate::{c, d};").into_iter()));
    assert_eq!(found.expect("a circle"), ["a", "b", "c", "d", "a"]);
}
