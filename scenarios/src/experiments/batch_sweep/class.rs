//! A file of statements into a class of queries.

use std::{collections::BTreeSet, fs, path::Path};

use reports::experiments::batch_sweep::Class;

use crate::{
    flags::CliError,
    script::sql::{Statement, statements},
};

const FLAG: &str = "-f";
/// What begins a statement that only reads, unless it says otherwise further on.
const READS: [&str; 5] = ["SELECT", "WITH", "VALUES", "TABLE", "SHOW"];
/// What writes also inside of a `WITH`.
const WRITES: [&str; 4] = ["INSERT", "UPDATE", "DELETE", "MERGE"];
/// What has no place in a pipeline.
const NOT_HERE: [&str; 10] = [
    "ABORT",
    "BEGIN",
    "COMMIT",
    "COPY",
    "END",
    "PREPARE",
    "RELEASE",
    "ROLLBACK",
    "SAVEPOINT",
    "START",
];

/// Reads the classes of all `-f`.
///
/// # Errors
/// The first that cannot be used, and what would do.
pub(super) fn read(files: &[String]) -> Result<Vec<Class>, CliError> {
    let mut names = BTreeSet::new();
    let mut classes = Vec::new();
    for file in files {
        let class = class(file)?;
        if !names.insert(class.name.clone()) {
            let allowed = "files of different names: a class is called after its file";
            return no(file.clone(), allowed);
        }
        classes.push(class);
    }
    Ok(classes)
}

fn no<T>(value: String, allowed: &'static str) -> Result<T, CliError> {
    Err(CliError::Flags {
        field: FLAG,
        value,
        allowed,
    })
}

fn class(file: &str) -> Result<Class, CliError> {
    let path = Path::new(file);
    if !path.is_file()
        && let Some((_, weight)) = file.rsplit_once('@')
        && weight.parse::<f64>().is_ok()
    {
        let allowed = "FILE without @WEIGHT: batch-sweep measures each file by itself";
        return no(file.to_owned(), allowed);
    }
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) => {
            return no(
                format!("{file}: {error}"),
                "a readable file of SQL, in UTF-8",
            );
        }
    };
    let name = path
        .file_stem()
        .map(|stem| stem.to_string_lossy().into_owned());
    let statements = statements(&text);
    if statements.is_empty() {
        let allowed = "a file of one or more statements, separated by `;`";
        return no(format!("{file}: it has no statement"), allowed);
    }
    for (statement, number) in statements.iter().zip(1..) {
        if let Err((what, allowed)) = check(statement) {
            return no(format!("{file}: statement {number}: {what}"), allowed);
        }
    }
    Ok(Class {
        name: name.unwrap_or_default(),
        about: format!("the user's own: {file}"),
        writes: !statements.iter().all(reads),
        statements: statements.into_iter().map(|s| s.text).collect(),
        guide_batch: None,
    })
}

/// What is wrong with a statement, and what may stand there.
fn check(statement: &Statement) -> Result<(), (String, &'static str)> {
    if let Some(parameter) = &statement.parameter {
        let allowed = "statements without parameters: write values in, or draw them with random()";
        return Err((parameter.clone(), allowed));
    }
    let first = statement.words.first().map_or("", String::as_str);
    if NOT_HERE.contains(&first) {
        let allowed = "statements that stand alone: transactions are made here, and COPY has no \
                       place in a pipeline";
        return Err((first.to_owned(), allowed));
    }
    Ok(())
}

fn reads(statement: &Statement) -> bool {
    let word = |words: &[&str], word: &String| words.contains(&word.as_str());
    let first = statement.words.first();
    first.is_some_and(|first| word(&READS, first))
        && !(first.is_some_and(|first| first == "WITH")
            && statement.words.iter().any(|w| word(&WRITES, w)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(files: &[(&str, &str)]) -> Result<Vec<Class>, CliError> {
        let folder = tempfile::tempdir().expect("a folder");
        let paths: Vec<String> = files
            .iter()
            .map(|(name, text)| {
                let path = folder.path().join(name);
                fs::create_dir_all(path.parent().expect("a folder")).expect("made");
                fs::write(&path, text).expect("written");
                path.display().to_string()
            })
            .collect();
        read(&paths)
    }

    #[test]
    fn a_file_is_a_class_of_its_name() {
        let files = [
            ("orders.sql", "SELECT 1; SELECT 2;"),
            ("touch.sql", "SELECT 1; UPDATE t SET a = 1"),
            (
                "moved.sql",
                "WITH x AS (DELETE FROM t RETURNING *) SELECT * FROM x",
            ),
            ("at@home.sql", "TABLE t"),
        ];
        let classes = with(&files).expect("they can be used");
        let seen: Vec<_> = classes
            .iter()
            .map(|c| (&*c.name, c.statements.len(), c.writes, c.guide_batch))
            .collect();
        let expected = [
            ("orders", 2, false, None),
            ("touch", 2, true, None),
            ("moved", 1, true, None),
            ("at@home", 1, false, None),
        ];
        assert_eq!(seen, expected);
    }

    #[test]
    fn bad_input_is_named_with_what_is_allowed() {
        let missing = read(&["/nowhere/q.sql".to_owned()]).expect_err("missing");
        let weight = read(&["/nowhere/q.sql@3".to_owned()]).expect_err("a weight");
        let bad = |files: &[(&str, &str)]| with(files).expect_err("bad").to_string();
        let empty = bad(&[("q.sql", " -- nothing\n;")]);
        let parameter = bad(&[("q.sql", "SELECT 1; SELECT $2")]);
        let transaction = bad(&[("q.sql", "begin; SELECT 1; commit")]);
        let copy = bad(&[("q.sql", "COPY t TO STDOUT")]);
        let twice = bad(&[("a/q.sql", "SELECT 1"), ("b/q.sql", "SELECT 1")]);
        for (error, has) in [
            (missing.to_string(), "No such file"),
            (weight.to_string(), "@WEIGHT"),
            (empty, "no statement"),
            (parameter, "statement 2: $2"),
            (transaction, "statement 1: BEGIN"),
            (copy, "COPY"),
            (twice, "different names"),
        ] {
            assert!(
                error.starts_with("-f: ") && error.contains("q.sql"),
                "{error}"
            );
            assert!(error.contains(", allowed: "), "{error}");
            assert!(error.contains(has), "{error}");
        }
    }
}
