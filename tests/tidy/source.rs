//! Reads the sources of a crate, and which of its folders know which.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

/// A file of a crate's `src`.
pub(super) struct Source {
    /// From `src` on.
    pub(super) path: PathBuf,
    /// The folder or file directly in `src` that it belongs to.
    pub(super) module: String,
    /// What stands in it, but for code that only tests need.
    pub(super) text: String,
    /// The same without comments, and with its literals empty.
    pub(super) code: String,
}

/// All files of a crate but tests. `folder` is from the root of the workspace on.
pub(super) fn sources(folder: &str) -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let src = root.join(folder).join("src");
    let (mut folders, mut found) = (vec![src.clone()], Vec::new());
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder of src") {
            let path = entry.expect("an entry").path();
            let inside = path.strip_prefix(&src).expect("in src").to_path_buf();
            let of_tests = |part: &std::ffi::OsStr| part == "tests" || part == "legible";
            if inside.with_extension("").iter().any(of_tests) {
                continue;
            }
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "rs") {
                found.push(source(inside, &fs::read_to_string(&path).expect("text")));
            }
        }
    }
    assert!(
        found.len() > 20,
        "{folder}/src has been read: {}",
        found.len()
    );
    found
}

fn source(path: PathBuf, text: &str) -> Source {
    let first = path.components().next().expect("a name");
    let module = Path::new(first.as_os_str()).with_extension("");
    // Without its tests where they stand at its foot.
    let tests = text.find("#[cfg(test)]\nmod tests {");
    let tests = tests.or_else(|| text.find("#[cfg(test)]\npub(crate) mod tests {"));
    let tests = tests.or_else(|| text.find("#[cfg(test)]\npub(super) mod tests {"));
    Source {
        module: module.to_string_lossy().into_owned(),
        code: without_tests(&bare(text)),
        text: text[..tests.unwrap_or(text.len())].to_owned(),
        path,
    }
}

/// The modules that each module of a crate uses, where those of `joined` count as one.
pub(super) fn arrows(sources: &[Source], joined: &[&str]) -> BTreeMap<String, BTreeSet<String>> {
    let called = |module: &str| {
        let join = joined.contains(&module);
        if join {
            joined.concat()
        } else {
            module.to_owned()
        }
    };
    let lib = sources.iter().find(|source| source.module == "lib");
    let root = lib.map(|lib| exported(&lib.code)).unwrap_or_default();
    let mut arrows: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for Source { module, code, .. } in sources {
        if ["lib", "main"].contains(&&**module) {
            continue;
        }
        let from = called(module);
        let used = arrows.entry(from.clone()).or_default();
        for path in paths(code) {
            let Some(rest) = path.strip_prefix("crate::") else {
                continue;
            };
            let name: String = rest.chars().take_while(|c| *c != ':').collect();
            let to = called(root.get(&name).unwrap_or(&name));
            if to != from {
                used.insert(to);
            }
        }
    }
    arrows
}

/// Where the names at the root of a crate come from.
fn exported(lib: &str) -> BTreeMap<String, String> {
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

/// Rust without its comments, and with its literals empty.
pub(super) fn bare(text: &str) -> String {
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
pub(super) fn without_tests(code: &str) -> String {
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
pub(super) fn paths(code: &str) -> BTreeSet<String> {
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

/// A circle among modules, if there is one.
pub(super) fn circle(arrows: &BTreeMap<String, BTreeSet<String>>) -> Option<Vec<String>> {
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
fn what_is_looked_for_is_found() {
    let text = r##"
        //! crate::comment
        use crate::{a::{self, b}, c};
        use std::{time::{Duration, Instant}, fmt};
        fn f<'a>(x: &'a str) { crate::d::f("crate::text", r#"crate::"raw"#, '{', '\''); }
        #[cfg(test)]
        mod tests { use crate::e; fn g() { {} } }
        fn h() { crate::g::h() }
        "##;
    let found = arrows(&[source("x.rs".into(), text)], &["c", "d"]);
    let used: Vec<&str> = found["x"].iter().map(String::as_str).collect();
    assert_eq!(used, ["a", "cd", "g"]);
    assert!(paths(&without_tests(&bare(text))).contains("std::time::Instant"));

    let modules = |b: &str| {
        [
            ("a.rs", "use crate::b;"),
            ("b.rs", b),
            ("c.rs", "use crate::D;"),
            ("d.rs", "fn f() { crate::a::f() }"),
            ("lib.rs", "pub use d::D;"),
        ]
        .map(|(path, text)| source(path.into(), text))
    };
    assert_eq!(circle(&arrows(&modules(""), &[])), None);
    let found = circle(&arrows(&modules("use crate::{c, d};"), &[]));
    assert_eq!(found.expect("a circle"), ["a", "b", "c", "d", "a"]);
}
