//! The databases of an environment: the run's own, and what is in the user's.

use reports::run::UserTable;

use super::{Endpoint, Environment, EnvironmentError, Server, fill::Databases, tables};

impl Environment {
    /// Whether the run works in a database of its own.
    #[must_use]
    pub fn has_own_database(&self) -> bool {
        self.databases.is_some()
    }

    /// Makes a further copy, with this number, of the run's own database as it was when the
    /// environment was started. One with that number that is there already goes, and with it
    /// the sessions in it. Has a deadline.
    ///
    /// Not cancel safe: the copy may be gone until this is called again.
    ///
    /// # Errors
    /// If the run has no database of its own, or that did not work.
    pub async fn copy(&self, number: usize) -> Result<Endpoint, EnvironmentError> {
        match &self.databases {
            Some(databases) => databases.copy(number).await,
            None => Err(EnvironmentError::failed(
                "copying the database",
                "the run has none of its own",
            )),
        }
    }

    /// Drops the run's own database, with all that is in it, and makes it again as it was
    /// when the environment was started. Sessions in it are ended. Waits for a server that
    /// is being started, and has a deadline.
    ///
    /// Not cancel safe: the database may be gone until this is called again.
    ///
    /// # Errors
    /// If the run has none of its own, or that did not work.
    pub async fn put_back(&self) -> Result<(), EnvironmentError> {
        match &self.databases {
            Some(databases) => databases.put_back().await,
            None => Err(EnvironmentError::failed(
                "putting the database back",
                "the run has none of its own",
            )),
        }
    }

    /// What is in the tables of the user's own database; none in a server of ours.
    ///
    /// Cancel safe.
    ///
    /// # Errors
    /// If they cannot be listed.
    pub async fn user_tables(&self) -> Result<Vec<UserTable>, EnvironmentError> {
        match self.users() {
            Some(database) => tables::before(database).await,
            None => Ok(Vec::new()),
        }
    }

    /// Enters what is in these tables now, and returns what differs from before, as
    /// sentences. `hurried`: in a few seconds, since the user wants to stop.
    ///
    /// Cancel safe.
    ///
    /// # Errors
    /// If they cannot be listed.
    pub async fn compare(
        &self,
        tables: &mut Vec<UserTable>,
        hurried: bool,
    ) -> Result<Vec<String>, EnvironmentError> {
        let within = if hurried {
            tables::HURRIED
        } else {
            tables::READING
        };
        match self.users() {
            Some(database) => tables::after(database, tables, within).await,
            None => Ok(Vec::new()),
        }
    }

    /// The user's own database.
    fn users(&self) -> Option<&Endpoint> {
        let given = self.databases.as_ref().map(Databases::given);
        matches!(self.server, Server::External).then(|| given.unwrap_or(&self.endpoint))
    }
}
