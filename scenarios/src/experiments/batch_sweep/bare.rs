//! The bare client that everything is compared with: tokio-postgres, one connection, each
//! statement prepared once and each answer awaited.
//!
//! It owes nothing to the engine, so that whatever makes the engine slower is seen as
//! that, and not as a gain of its pipeline.

use seawall::clock;
use tokio_postgres::{Client, Error, Row, Statement};

use super::{BatchError, link::PATIENCE, queries::Query};
use crate::environment::{Endpoint, LOAD, Session, chain};

/// A session, and the statements that were prepared in it.
#[derive(Debug)]
pub(super) struct Bare {
    session: Session,
    /// By their place in the class.
    statements: Vec<Option<Statement>>,
}

impl Bare {
    /// Connects, with these options for the session.
    ///
    /// # Errors
    /// If there is no session in time.
    pub(super) async fn connect(endpoint: &Endpoint, options: &str) -> Result<Self, BatchError> {
        let mut config = endpoint.config(LOAD);
        config.options(options);
        Ok(Self {
            session: Session::open_by(&config, clock::now() + PATIENCE).await?,
            statements: Vec::new(),
        })
    }

    /// For what is not measured.
    pub(super) fn client(&self) -> &Client {
        &self.session.client
    }

    /// Runs a query. What failed is prepared anew the next time: its table may have
    /// changed.
    ///
    /// # Errors
    /// What the server or the network answered.
    pub(super) async fn query(&mut self, query: &Query<'_>) -> Result<Vec<Row>, Error> {
        if self.statements.len() <= query.index {
            self.statements.resize(query.index + 1, None);
        }
        let client = &self.session.client;
        let kept = &mut self.statements[query.index];
        let statement = match kept {
            Some(statement) => statement,
            None => kept.insert(client.prepare(query.sql).await?),
        };
        let done = client.query(statement, query.parameters().all()).await;
        if done.is_err() {
            *kept = None;
        }
        done
    }

    /// Begins or ends a transaction.
    ///
    /// # Errors
    /// What the server or the network answered: nothing can be compared then.
    pub(super) async fn control(&self, sql: &str) -> Result<(), BatchError> {
        let done = self.session.client.batch_execute(sql).await;
        done.map_err(|error| BatchError::Lost {
            reason: chain(&error),
        })
    }
}
