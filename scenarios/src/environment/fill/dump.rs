//! The file of `--schema`, before anything is started.

use std::{
    fs,
    io::Read as _,
    path::{Path, PathBuf},
};

use super::{
    super::EnvironmentError,
    pieces::{Malformed, Pieces, words},
};

/// Most bytes that are read at once.
const MOST: u64 = 1 << 30;

const FIELD: &str = "--schema";
const PLAIN: &str = "plain SQL, as `pg_dump --format=plain` writes it";

/// A dump that was looked through.
#[derive(Debug)]
pub(super) struct Dump {
    pub(super) path: PathBuf,
    pub(super) text: String,
}

impl Dump {
    /// Reads it, and looks for what could not be loaded into any server.
    ///
    /// # Errors
    /// Names the file and what is allowed.
    pub(super) fn read(path: &Path) -> Result<Self, EnvironmentError> {
        let invalid = |what: &str, allowed| EnvironmentError::Invalid {
            field: FIELD,
            value: format!("{}: {what}", path.display()),
            allowed,
        };
        let unreadable = |error: std::io::Error| invalid(&error.to_string(), PLAIN);
        let about = fs::metadata(path).map_err(unreadable)?;
        if about.is_dir() {
            return Err(invalid("it is a folder", PLAIN));
        }
        if about.len() > MOST {
            return Err(invalid(
                &format!("{} bytes", about.len()),
                "at most 1 GiB; a larger one is loaded by --setup 'psql -f dump.sql'",
            ));
        }
        let mut bytes = Vec::new();
        // It may grow, or be no file that has a length.
        let file = fs::File::open(path).map_err(unreadable)?;
        file.take(MOST + 1)
            .read_to_end(&mut bytes)
            .map_err(unreadable)?;
        if bytes.starts_with(b"PGDMP") {
            return Err(invalid(
                "it has the custom format of pg_dump",
                "plain SQL; `pg_restore --file=plain.sql DUMP` makes it of this one",
            ));
        }
        if bytes.starts_with(&[0x1f, 0x8b]) {
            return Err(invalid(
                "it is compressed",
                "plain SQL; `gunzip --stdout DUMP.gz > plain.sql` makes it of this one",
            ));
        }
        if u64::try_from(bytes.len()).is_ok_and(|len| len > MOST) {
            return Err(invalid(
                "more than 1 GiB",
                "at most 1 GiB; a larger one is loaded by --setup 'psql -f dump.sql'",
            ));
        }
        let text = String::from_utf8(bytes).map_err(|_| {
            invalid(
                "it is not in UTF-8",
                "plain SQL in UTF-8, as `pg_dump --encoding=UTF8` writes it",
            )
        })?;
        if text.contains('\0') {
            return Err(invalid("it is not a text", PLAIN));
        }
        let mut statements = 0_usize;
        for piece in Pieces::of(&text) {
            let piece = piece.map_err(|Malformed { line, reason }| {
                invalid(&format!("line {line}: {reason}"), PLAIN)
            })?;
            statements += 1;
            if let Some(reason) = unreadable_setting(piece.sql, &text) {
                return Err(invalid(&format!("line {}: {reason}", piece.line), PLAIN));
            }
        }
        if statements == 0 {
            return Err(invalid("it has no statement", PLAIN));
        }
        let path = path.to_owned();
        Ok(Self { path, text })
    }

    /// The file and a line of it.
    pub(super) fn at(&self, line: usize) -> String {
        format!("{FIELD}: {}, line {line}", self.path.display())
    }
}

/// Whether a statement only says that the text is in UTF-8, which is how it is sent.
pub(super) fn sets_encoding(sql: &str) -> bool {
    sql.len() < 100 && words(sql).starts_with(&["SET".to_owned(), "CLIENT_ENCODING".to_owned()])
}

/// Why what follows a `SET` would be read as something else than it is.
fn unreadable_setting(sql: &str, text: &str) -> Option<String> {
    let set = sql.len() < 100 && sql.get(..3).is_some_and(|w| w.eq_ignore_ascii_case("set"));
    if !set {
        return None;
    }
    let upper = sql.to_uppercase();
    if sets_encoding(sql) {
        let utf8 = ["UTF8", "UTF-8", "UNICODE", "SQL_ASCII", "DEFAULT"];
        let known = utf8.iter().any(|name| upper.contains(name)) || text.is_ascii();
        return (!known).then(|| format!("`{sql}`, and the file is in UTF-8"));
    }
    let old = upper.contains("STANDARD_CONFORMING_STRINGS") && upper.contains("OFF");
    old.then(|| format!("`{sql}` makes other strings of those that follow"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(content: &[u8]) -> Result<Dump, String> {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("dump.sql");
        fs::write(&path, content).expect("written");
        Dump::read(&path).map_err(|error| error.to_string())
    }

    #[test]
    fn what_is_no_plain_dump_is_refused_with_what_makes_one() {
        for (content, says) in [
            (&b""[..], "it has no statement, allowed: plain SQL"),
            (b"-- nothing\n;\n", "it has no statement"),
            (b"PGDMP\x01\x0e", "`pg_restore --file=plain.sql DUMP`"),
            (b"\x1f\x8b\x08", "`gunzip --stdout DUMP.gz > plain.sql`"),
            (b"SELECT '\xe4';", "pg_dump --encoding=UTF8"),
            (b"SELECT 1;\0", "not a text"),
            (b"SELECT 1;\n\\connect shop\n", "line 2: \\connect"),
            (
                "SET client_encoding = 'LATIN1';\nSELECT 'ä';".as_bytes(),
                "line 1: `SET client_encoding = 'LATIN1'`",
            ),
            (
                b"SET standard_conforming_strings = off;",
                "line 1: `SET standard",
            ),
        ] {
            let error = read(content).expect_err(says);
            assert!(error.starts_with("--schema: /"), "{error}");
            assert!(error.contains(says), "{says}: {error}");
        }
        for content in [
            "SET client_encoding = 'UTF8';\nSELECT 'ä';",
            "SET client_encoding = 'LATIN1';\nSELECT 'a';",
            "SET standard_conforming_strings = on",
        ] {
            read(content.as_bytes()).expect(content);
        }
    }

    #[test]
    fn a_file_that_is_not_there_a_folder_and_a_large_one_are_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let refused = |path: &Path| Dump::read(path).expect_err("refused").to_string();
        let missing = refused(&folder.path().join("none.sql"));
        assert!(missing.contains("No such file"), "{missing}");
        let is_folder = refused(folder.path());
        assert!(
            is_folder.contains("it is a folder, allowed: "),
            "{is_folder}"
        );
        let large = folder.path().join("large.sql");
        let file = fs::File::create(&large).expect("made");
        file.set_len(MOST + 1).expect("sparse");
        let large = refused(&large);
        assert!(large.contains("1073741825 bytes"), "{large}");
        assert!(large.contains("--setup 'psql -f dump.sql'"), "{large}");
    }
}
