//! The databases of a run: a template that was filled, and the copy of it that the run works
//! in.
//!
//! Both carry the lease of their runner as a comment, for `scenarios reap`. A database cannot
//! be made by a transaction, so the comment is sent right behind what makes it, and the
//! server gives up making one whose client has gone.

use std::{
    collections::BTreeSet,
    path::PathBuf,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use futures_util::future::join;
use seawall::clock::{self, Instant};
use tokio_postgres::{Client, Error, error::SqlState};

use super::{
    super::{Endpoint, EnvironmentError, Session, chain, lease::Lease},
    Prepared, load, setup,
};

/// Longest time for one copy of a database.
const COPYING: Duration = Duration::from_secs(60);
/// Longest time to put a database back, or to remove both.
const PUT_BACK: Duration = Duration::from_secs(90);
/// How long our own sessions may take to end.
const ENDING: Duration = Duration::from_secs(10);
/// The first version that drops a database in which there are sessions.
const OLDEST: i32 = 130_000;
/// The first version that copies files where it is told to, instead of logging pages.
const CHOOSES: i32 = 150_000;

/// Refused by older servers, which then only notice at the end.
const NOTICE_OUR_END: &str = "SET client_connection_check_interval = '500ms'";

/// Whether our role may do what a copy takes, and how the database was made.
const RIGHTS: &str = "SELECT current_setting('server_version_num')::int,
            r.rolsuper OR r.rolcreatedb,
            r.rolsuper OR d.datistemplate OR pg_has_role(d.datdba, 'USAGE'),
            format('ENCODING %L LC_COLLATE %L LC_CTYPE %L',
                   pg_encoding_to_char(d.encoding), d.datcollate, d.datctype)
     FROM pg_roles r, pg_database d
     WHERE r.rolname = current_user AND d.datname = current_database()";

/// Settings that belong to the database and are no part of its copy.
const SETTINGS: &str = "SELECT quote_ident(split_part(setting, '=', 1))
     FROM pg_db_role_setting s JOIN pg_database d ON d.oid = s.setdatabase,
          unnest(s.setconfig) setting
     WHERE d.datname = current_database() AND s.setrole IN (
         0, (SELECT oid FROM pg_roles WHERE rolname = current_user)
     )";

/// The databases of a run. Those of a server of ours go with it.
#[derive(Debug)]
pub(in super::super) struct Databases {
    /// The database that was there before.
    given: Endpoint,
    /// Where the run works, and what our sessions are called on the server.
    work: String,
    /// What that is a copy of.
    before: String,
    /// Whether the server is somebody else's.
    external: bool,
    /// Whether `before` began as a copy of `given`.
    copied: bool,
    /// How a copy of a server of ours is made, where it can be chosen.
    strategy: &'static str,
    /// The numbers of further copies.
    copies: Mutex<BTreeSet<usize>>,
}

impl Databases {
    /// Databases that are not there yet, told apart from those of other runs.
    pub(in super::super) fn new(given: &Endpoint, external: bool) -> Self {
        let work = format!("seawall_{:08x}", fastrand::Rng::new().u32(..));
        Self {
            given: given.clone(),
            before: format!("{work}_before"),
            work,
            external,
            copied: false,
            strategy: "",
            copies: Mutex::default(),
        }
    }

    /// The database that was there before.
    pub(in super::super) fn given(&self) -> &Endpoint {
        &self.given
    }

    /// The database that the run works in.
    pub(in super::super) fn work(&self) -> Endpoint {
        self.of(&self.work)
    }

    fn of(&self, database: &str) -> Endpoint {
        Endpoint {
            database: database.to_owned(),
            ..self.given.clone()
        }
    }

    /// Makes the template, fills it, and makes the copy. `bin` is the folder of the server's
    /// programs, if it is known.
    ///
    /// Cancel safe: [`drop`](Self::drop) removes what was made until then.
    ///
    /// # Errors
    /// What could not be made, and what would allow it.
    pub(in super::super) async fn make(
        &mut self,
        fill: &Prepared,
        bin: Option<PathBuf>,
    ) -> Result<(), EnvironmentError> {
        let session = self.session(clock::now() + COPYING).await?;
        let client = &session.client;
        self.copied = self.external && fill.dump.is_none();
        let origin = self.origin(client).await?;
        self.create(client, &self.before, &origin).await?;
        let before = self.of(&self.before);
        if let Some(dump) = &fill.dump {
            load::load(dump, &before, &self.work, !self.external).await?;
        }
        if let Some(command) = &fill.setup {
            setup::run(command, &before, bin.as_deref()).await?;
        }
        self.create(client, &self.work, &self.copy_of_before())
            .await
    }

    /// Drops the database that the run works in, whoever has a session there, and makes it
    /// again as it was at first. Waits for a server that is being started.
    ///
    /// Not cancel safe: the database may be gone until this is called again.
    ///
    /// # Errors
    /// If that does not work before a deadline.
    pub(in super::super) async fn put_back(&self) -> Result<(), EnvironmentError> {
        let deadline = clock::now() + PUT_BACK;
        self.given.ready(deadline).await?;
        let session = self.session(deadline).await?;
        let client = &session.client;
        self.end_ours(client).await?;
        self.remove(client, &self.work, deadline).await?;
        self.create(client, &self.work, &self.copy_of_before())
            .await
    }

    /// Makes a further copy with this number, as the database that the run works in was at
    /// first. One that is there already goes, whoever has a session in it.
    ///
    /// Not cancel safe: the copy may be gone until this is called again.
    ///
    /// # Errors
    /// If that does not work before a deadline.
    pub(in super::super) async fn copy(&self, number: usize) -> Result<Endpoint, EnvironmentError> {
        let deadline = clock::now() + PUT_BACK;
        let session = self.session(deadline).await?;
        let client = &session.client;
        let name = self.numbered(number);
        let known = self.numbers().contains(&number);
        if known {
            self.remove(client, &name, deadline).await?;
        }
        self.copies
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(number);
        self.create(client, &name, &self.copy_of_before()).await?;
        Ok(self.of(&name))
    }

    fn numbers(&self) -> BTreeSet<usize> {
        let numbers = self.copies.lock();
        numbers.unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn numbered(&self, number: usize) -> String {
        format!("{}_{number}", self.work)
    }

    /// Drops all of them, if they are there.
    ///
    /// # Errors
    /// If one may be left, and its name.
    pub(in super::super) async fn drop(&self) -> Result<(), EnvironmentError> {
        let deadline = clock::now() + PUT_BACK;
        let session = self.session(deadline).await?;
        let client = &session.client;
        self.end_ours(client).await?;
        let work = self.remove(client, &self.work, deadline).await;
        let mut removed = work;
        for number in self.numbers() {
            let copy = self.remove(client, &self.numbered(number), deadline).await;
            removed = removed.and(copy);
        }
        let before = self.remove(client, &self.before, deadline).await;
        removed.and(before)
    }

    async fn session(&self, deadline: Instant) -> Result<Session, EnvironmentError> {
        let session = Session::open_by(&self.given.config(&self.work), deadline).await?;
        // Not all that might be set: a setting may be copied from this session.
        let _older = client_set(&session.client, deadline, NOTICE_OUR_END).await;
        Ok(session)
    }

    /// What the template begins as, behind `CREATE DATABASE name`, if our role may make it.
    async fn origin(&mut self, client: &Client) -> Result<String, EnvironmentError> {
        let what = "looking at what may be copied";
        let failed = |error: Error| EnvironmentError::failed(what, chain(&error));
        let row = within(what, COPYING, client.query_one(RIGHTS, &[])).await?;
        let version: i32 = row.try_get(0).map_err(failed)?;
        let makes: bool = row.try_get(1).map_err(failed)?;
        let copies: bool = row.try_get(2).map_err(failed)?;
        let locale: String = row.try_get(3).map_err(failed)?;
        let (user, name) = (&self.given.user, &self.given.database);
        let mut reasons = Vec::new();
        if version < OLDEST {
            reasons.push(format!(
                "a database of the run's own is put back with DROP DATABASE ... WITH (FORCE), \
                 allowed: PostgreSQL 13 or later, and this is {}",
                version / 10_000
            ));
        }
        if !makes {
            reasons.push(format!(
                "role {user:?} may not make the database that the run would work in, so that \
                 {name:?} stays as it is; `ALTER ROLE {} CREATEDB` allows it",
                quoted(user)
            ));
        }
        if self.copied && !copies {
            reasons.push(format!(
                "role {user:?} may not copy database {name:?}, which is another's; a dump of it \
                 with --schema needs no copy, and `ALTER DATABASE {} OWNER TO {}` allows one",
                quoted(name),
                quoted(user)
            ));
        }
        if !reasons.is_empty() {
            return Err(self.refused(reasons));
        }
        if !self.external && version >= CHOOSES {
            // Somebody else's server is not made to write everything out at once.
            self.strategy = " STRATEGY file_copy";
        }
        Ok(match (self.external, self.copied) {
            (_, true) => format!("TEMPLATE {}", quoted(name)),
            (true, false) => format!("TEMPLATE template0 {locale}"),
            (false, false) => "TEMPLATE template0".to_owned(),
        })
    }

    fn copy_of_before(&self) -> String {
        format!("TEMPLATE {}{}", self.before, self.strategy)
    }

    fn refused(&self, reasons: Vec<String>) -> EnvironmentError {
        EnvironmentError::Refused {
            target: self.given.address(),
            reasons,
        }
    }

    /// Makes a database of ours, with its lease.
    async fn create(
        &self,
        client: &Client,
        name: &str,
        origin: &str,
    ) -> Result<(), EnvironmentError> {
        let create = format!("CREATE DATABASE {name} {origin}");
        // Empty without /proc: no comment, and nobody could judge it.
        let lease = Lease::ours().map_or_else(|_| String::new(), |lease| lease.to_string());
        let comment = format!("COMMENT ON DATABASE {name} IS '{lease}'");
        // Both are sent at once: no moment of ours is between them.
        let both = join(
            client.batch_execute(&create),
            client.batch_execute(&comment),
        );
        let made = clock::timeout_at(clock::now() + COPYING, both).await;
        let what = "making a database";
        match made {
            Ok((Ok(()), commented)) => {
                commented.map_err(|error| EnvironmentError::failed(what, chain(&error)))?;
            }
            Ok((Err(error), _)) if self.external => return Err(self.not_copied(&error)),
            Ok((Err(error), _)) => return Err(EnvironmentError::failed(what, chain(&error))),
            Err(clock::Elapsed) => {
                let reason = format!(
                    "not done after {} s; a dump of what matters with --schema is smaller",
                    COPYING.as_secs()
                );
                return Err(match self.external {
                    true => self.refused(vec![format!("{what}: {reason}")]),
                    false => EnvironmentError::failed(what, reason),
                });
            }
        }
        if self.copied {
            self.copy_settings(client, name).await?;
        }
        Ok(())
    }

    /// Why a copy could not be made in somebody else's server, and what would allow it.
    fn not_copied(&self, error: &Error) -> EnvironmentError {
        let name = &self.given.database;
        let allows = match error.code() {
            Some(code) if *code == SqlState::OBJECT_IN_USE => {
                "; it can be copied when the other sessions in it have ended"
            }
            _ => "",
        };
        self.refused(vec![format!(
            "no copy of database {name:?} could be made for the run to work in: {}{allows}",
            chain(error)
        )])
    }

    /// `ALTER DATABASE ... SET` of the given database, such as a search path.
    async fn copy_settings(&self, client: &Client, name: &str) -> Result<(), EnvironmentError> {
        let what = "copying the settings of a database";
        for row in within(what, ENDING, client.query(SETTINGS, &[])).await? {
            let setting: String = row
                .try_get(0)
                .map_err(|error| EnvironmentError::failed(what, chain(&error)))?;
            let alter = format!("ALTER DATABASE {name} SET {setting} FROM CURRENT");
            if let Err(error) = within(what, ENDING, client.batch_execute(&alter)).await {
                tracing::warn!(setting, error = chain(&error), "not set in the copy");
            }
        }
        Ok(())
    }

    /// Ends sessions of an attempt that was given up: one may still be making a database.
    async fn end_ours(&self, client: &Client) -> Result<(), EnvironmentError> {
        let what = "ending earlier sessions of this run";
        let end = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
             WHERE application_name = $1 AND usename = current_user AND pid <> pg_backend_pid()";
        let deadline = clock::now() + ENDING;
        loop {
            let row = within(what, ENDING, client.query_one(end, &[&self.work])).await?;
            let left: i64 = row
                .try_get(0)
                .map_err(|error| EnvironmentError::failed(what, chain(&error)))?;
            if left == 0 {
                return Ok(());
            }
            if clock::now() >= deadline {
                return Err(EnvironmentError::failed(what, "they do not end"));
            }
            clock::sleep(Duration::from_millis(10)).await;
        }
    }

    async fn remove(
        &self,
        client: &Client,
        name: &str,
        deadline: Instant,
    ) -> Result<(), EnvironmentError> {
        let drop = format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)");
        let left = deadline.saturating_duration_since(clock::now());
        let removed = within("removing a database", left, client.batch_execute(&drop)).await;
        removed.map_err(|error| match error {
            EnvironmentError::Failed { what, reason, .. } => {
                EnvironmentError::failed(what, format!("{name}: {reason}; `{drop}` removes it"))
            }
            other => other,
        })
    }
}

async fn client_set(client: &Client, deadline: Instant, set: &str) -> Result<(), EnvironmentError> {
    let left = deadline.saturating_duration_since(clock::now());
    within("preparing a session", left, client.batch_execute(set)).await
}

async fn within<T>(
    what: &'static str,
    limit: Duration,
    asked: impl Future<Output = Result<T, Error>>,
) -> Result<T, EnvironmentError> {
    match clock::timeout_at(clock::now() + limit, asked).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(error)) => Err(EnvironmentError::failed(what, chain(&error))),
        Err(clock::Elapsed) => {
            let reason = format!("no answer after {} s", limit.as_secs());
            Err(EnvironmentError::failed(what, reason))
        }
    }
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
