//! What a run finds in its database, and a database of the run's own that holds it.
//!
//! Nothing of the user's changes: what they name with `--schema` and `--setup`, or what is
//! in the database of `--database-url`, is put into a template, and the run works in a copy
//! of it, which [`Environment::put_back`](super::Environment::put_back) makes afresh.
//!
//! - `dump`: the file of `--schema`, read and looked through before anything is started
//! - `pieces`: where a statement of a dump ends, and where the rows of a COPY do
//! - `load`: runs a dump, statement by statement
//! - `setup`: runs the command of `--setup`
//! - `databases`: makes the template and its copy, and removes them

mod databases;
mod dump;
mod load;
mod pieces;
mod setup;

use std::path::PathBuf;

pub(super) use self::databases::Databases;
use self::dump::Dump;
use super::EnvironmentError;

/// What a run is to find in its database. With nothing set, it works in the database that is
/// there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Fill {
    /// A dump to load: plain SQL, as pg_dump writes it.
    pub schema: Option<PathBuf>,
    /// A command that fills the database, after the dump was loaded.
    pub setup: Option<String>,
    /// Whether the run works in a copy even where nothing is to be loaded.
    pub copy: bool,
}

/// What is to be put into the template, as far as it can be checked without a server.
#[derive(Debug)]
pub(super) struct Prepared {
    dump: Option<Dump>,
    setup: Option<String>,
}

impl Fill {
    /// Reads and checks what is to be loaded; `None` if the run works in what is there.
    ///
    /// # Errors
    /// Names the flag, its value and what is allowed.
    pub(super) fn prepared(&self) -> Result<Option<Prepared>, EnvironmentError> {
        let Self {
            schema,
            setup,
            copy,
        } = self;
        if setup.as_ref().is_some_and(|setup| setup.trim().is_empty()) {
            return Err(EnvironmentError::Invalid {
                field: "--setup",
                value: "nothing".to_owned(),
                allowed: "a command for sh, as in 'pgbench -i -s 1'",
            });
        }
        let dump = schema.as_ref().map(|path| Dump::read(path)).transpose()?;
        let wanted = *copy || dump.is_some() || setup.is_some();
        Ok(wanted.then(|| Prepared {
            dump,
            setup: setup.clone(),
        }))
    }
}
