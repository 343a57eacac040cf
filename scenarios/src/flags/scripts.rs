//! `-f` and `-D`: the user's own scripts, in pgbench's language.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use clap::Args;
use reports::run::MOST_SCRIPTS;

use super::CliError;
use crate::{
    load::scripts::{NoLoad, Scripts},
    script::Script,
};

const FLAG: &str = "-f";

#[derive(Debug, Clone, Args)]
#[expect(
    missing_docs,
    reason = "clap would show it as the purpose of every command"
)]
pub struct ScriptArgs {
    /// A script of your own to run instead of the usual operations: pgbench's language, or plain SQL with `$1` and lines `-- @param 1 = random(1, 1000)`. The weight says how often it runs [default: 1]. Can be repeated
    #[arg(short, long = "file", value_name = "FILE.sql[@WEIGHT]")]
    file: Vec<String>,
    /// A variable of the scripts, as in pgbench. Can be repeated
    #[arg(short = 'D', long = "define", value_name = "NAME=VALUE")]
    define: Vec<String>,
}

impl ScriptArgs {
    /// The scripts, if there are any. What is random in them is drawn from the seed.
    ///
    /// # Errors
    /// The first that cannot be used, with file, line and column, and what would do.
    pub fn read(&self, seed: u64) -> Result<Option<Scripts>, CliError> {
        let defined = self.defined()?;
        if self.file.is_empty() {
            return match self.define.first() {
                None => Ok(None),
                Some(define) => no(
                    "-D",
                    define.clone(),
                    "only beside -f: it is a variable of scripts",
                ),
            };
        }
        let mut names = BTreeSet::new();
        let mut scripts = Vec::new();
        for file in &self.file {
            let (path, weight) = weighted(file)?;
            let text = match fs::read_to_string(path) {
                Ok(text) => text,
                Err(error) => {
                    let allowed = "a readable file of SQL, in UTF-8";
                    return no(FLAG, format!("{path}: {error}"), allowed);
                }
            };
            let script = Script::read(path, &text)?;
            if !names.insert(script.name().to_owned()) {
                let allowed = "files of different names: a script is called after its file";
                return no(FLAG, file.clone(), allowed);
            }
            scripts.push((script, weight));
        }
        match Scripts::new(scripts, defined, seed) {
            Ok(scripts) => Ok(Some(scripts)),
            Err(NoLoad::Script(error)) => Err(error.into()),
            Err(error @ NoLoad::TooMany(_)) => {
                const { assert!(MOST_SCRIPTS == 36) }
                no(FLAG, error.to_string(), "at most 36 scripts")
            }
            Err(error) => no(
                FLAG,
                error.to_string(),
                "a weight of at least 1 for one of them",
            ),
        }
    }

    fn defined(&self) -> Result<BTreeMap<String, String>, CliError> {
        let each = self.define.iter().map(|define| {
            let named = define.split_once('=').filter(|(name, _)| is_name(name));
            match named {
                Some((name, value)) => Ok((name.to_owned(), value.to_owned())),
                None => no(
                    "-D",
                    define.clone(),
                    "NAME=VALUE, with a name of letters, digits and underscores",
                ),
            }
        });
        each.collect()
    }
}

fn is_name(name: &str) -> bool {
    let of_name = |c: char| c.is_alphanumeric() || c == '_';
    !name.is_empty() && name.chars().all(of_name)
}

fn no<T>(field: &'static str, value: String, allowed: &'static str) -> Result<T, CliError> {
    Err(CliError::Flags {
        field,
        value,
        allowed,
    })
}

/// A file and its weight. A file whose name holds an `@` is one, if there is such a file.
fn weighted(file: &str) -> Result<(&str, u32), CliError> {
    let Some((path, weight)) = file.rsplit_once('@') else {
        return Ok((file, 1));
    };
    if Path::new(file).is_file() {
        return Ok((file, 1));
    }
    match weight.parse() {
        Ok(weight) => Ok((path, weight)),
        Err(_) => no(
            FLAG,
            file.to_owned(),
            "FILE, or FILE@WEIGHT with a whole number, as in orders.sql@3",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(files: &[(&str, &str, &str)], define: &[&str]) -> Result<Option<Scripts>, CliError> {
        let folder = tempfile::tempdir().expect("a folder");
        let file = files.iter().map(|(name, weight, text)| {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().expect("a folder")).expect("made");
            fs::write(&path, text).expect("written");
            format!("{}{weight}", path.display())
        });
        ScriptArgs {
            file: file.collect(),
            define: define.iter().map(|text| (*text).to_owned()).collect(),
        }
        .read(7)
    }

    #[test]
    fn a_script_has_its_file_s_name_and_a_weight() {
        let files = [
            ("orders.sql", "@3", "SELECT :n"),
            ("touch.sql", "", "SELECT 1; UPDATE t SET a = 1"),
            ("at@home.sql", "", "TABLE t"),
            ("at@home2.sql", "@0", "TABLE t"),
        ];
        let scripts = with(&files, &["n=5"]).expect("a load").expect("scripts");
        let seen: Vec<_> = scripts
            .all()
            .iter()
            .map(|of| (of.script.name().to_owned(), of.weight, of.writes()))
            .collect();
        let expected = [
            ("orders".to_owned(), 3, false),
            ("touch".to_owned(), 1, true),
            ("at@home".to_owned(), 1, false),
            ("at@home2".to_owned(), 0, false),
        ];
        assert_eq!(seen, expected);
        assert!(with(&[], &[]).expect("the usual load").is_none());
    }

    #[test]
    fn bad_input_is_named_with_what_is_allowed() {
        let one = |weight, text| [("q.sql", weight, text)];
        let bad = |files: &[(&str, &str, &str)], define: &[&str]| {
            with(files, define).expect_err("bad").to_string()
        };
        let missing = ScriptArgs {
            file: vec!["/nowhere/q.sql@3".to_owned()],
            define: Vec::new(),
        };
        for (error, has) in [
            (
                missing.read(7).expect_err("missing").to_string(),
                "No such file",
            ),
            (bad(&one("@x", "SELECT 1"), &[]), "FILE@WEIGHT"),
            (bad(&one("@-1", "SELECT 1"), &[]), "FILE@WEIGHT"),
            (bad(&one("@0", "SELECT 1"), &[]), "weights are 0"),
            (bad(&one("", " -- nothing\n;"), &[]), "q.sql"),
            (bad(&one("", "SELECT 1;\nSELECT $2"), &[]), "q.sql:2:8"),
            (bad(&one("", "SELECT :nobody"), &[]), "q.sql:1:8"),
            (bad(&one("", "SELECT 1"), &["x"]), "NAME=VALUE"),
            (bad(&one("", "SELECT 1"), &["=1"]), "NAME=VALUE"),
            (bad(&[], &["x=1"]), "beside -f"),
            (
                bad(
                    &[("a/q.sql", "", "SELECT 1"), ("b/q.sql", "", "SELECT 1")],
                    &[],
                ),
                "different names",
            ),
        ] {
            assert!(error.contains(has), "{error}");
            assert!(error.contains(", allowed: "), "{error}");
        }
    }
}
