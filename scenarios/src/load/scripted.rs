//! One run of one of the user's own scripts, through whichever pool is under test.
//!
//! A script that is one statement is asked of the pool. One of several holds a session for as
//! long as it runs, as a request of a service does, and its transactions are transactions.

use reports::run::Outcome;
use seawall::{Error, clock};
use tokio_postgres::Row;

use super::{
    client::{Client, outcome},
    scripts::{Drawn, Scripts, Weighted},
    session::Borrowed,
    text,
};
use crate::script::{Effect, Run, ScriptError, Statement, Step, Value, parameters};

/// Why a script did not come to its end.
enum Cut {
    /// A statement failed.
    Statement {
        error: Error,
        /// Whether what failed would have changed something by itself.
        in_doubt: bool,
    },
    /// It cannot go on with the values that it has.
    Script(ScriptError),
    /// What was answered is not what it needs.
    Answer(String),
}

impl From<ScriptError> for Cut {
    fn from(error: ScriptError) -> Self {
        Self::Script(error)
    }
}

/// How far a run of a script is.
struct Running<'a> {
    client: &'a Client,
    session: Option<Borrowed>,
    /// A transaction is open.
    in_transaction: bool,
    /// A write outside of a transaction, or a commit, was acknowledged.
    written: bool,
    /// Statements that wait to be sent together.
    together: Option<Vec<(&'a str, Vec<Value>)>>,
    marked: Marked<'a>,
}

/// A marked write that is under way. Its caller is told of it at the end; of one that is
/// dropped after it was sent nobody knows what became.
struct Marked<'a> {
    client: &'a Client,
    place: usize,
    of: &'a Weighted,
    /// Its key and the parameters of its check, once they are known.
    key: Option<(String, Vec<Value>)>,
    sent: bool,
    outcome: Option<Outcome>,
}

impl Drop for Marked<'_> {
    fn drop(&mut self) {
        let unanswered = if self.sent {
            Outcome::Unknown
        } else {
            Outcome::NotSent
        };
        if let Some((key, check)) = self.key.take() {
            let outcome = self.outcome.unwrap_or(unanswered);
            self.client.told.tell(self.place, key, check, outcome);
        }
    }
}

impl Marked<'_> {
    /// Notes the key as it is now, if the script is marked and what it needs is set.
    fn note(&mut self, run: &mut Run<'_>, rng: &mut fastrand::Rng) {
        let Some(written) = self.of.script.written() else {
            return;
        };
        let Ok(Some(key)) = run.key(rng) else {
            return;
        };
        let text = key.text().unwrap_or_default().into_owned();
        let check = written.check.variables.iter().map(|name| match &**name {
            "key" => key.clone(),
            name => run.value(name).cloned().unwrap_or(Value::Null),
        });
        self.key = Some((text, check.collect()));
    }
}

impl Client {
    /// The user's own scripts, if the load is made of them.
    #[must_use]
    pub fn scripts(&self) -> Option<&Scripts> {
        self.workload.scripts()
    }

    /// Runs the script that operation `seq` is, for the caller with this number.
    pub(super) async fn script(&self, seq: i64, caller: i64, sent: impl FnOnce()) -> Outcome {
        let Some(scripts) = self.workload.scripts() else {
            return Outcome::NotSent;
        };
        let Drawn { place, of, mut rng } = scripts.drawn(self.number(), seq);
        let mut run = scripts.run(&of.script, caller);
        let mut running = Running {
            client: self,
            session: None,
            in_transaction: false,
            written: false,
            together: None,
            marked: Marked {
                client: self,
                place,
                of,
                key: None,
                sent: false,
                outcome: None,
            },
        };
        let done = running.through(&mut run, &mut rng, sent).await;
        let outcome = match done {
            Ok(()) => Outcome::Ok,
            // What was acknowledged before is there.
            Err(_) if running.written => Outcome::Unknown,
            Err(Cut::Statement { error, in_doubt }) => outcome(&error, in_doubt),
            Err(Cut::Script(error)) => {
                tracing::warn!(%error, "a script cannot go on");
                Outcome::Failed
            }
            Err(Cut::Answer(reason)) => {
                let script = of.script.file();
                tracing::warn!(script, reason, "a script cannot go on");
                Outcome::Failed
            }
        };
        running.marked.note(&mut run, &mut rng);
        running.marked.outcome = Some(outcome);
        outcome
    }
}

impl<'a> Running<'a> {
    async fn through(
        &mut self,
        run: &mut Run<'a>,
        rng: &mut fastrand::Rng,
        sent: impl FnOnce(),
    ) -> Result<(), Cut> {
        let mut sent = Some(sent);
        let alone = self.marked.of.seen.alone;
        while let Some(step) = run.next(rng)? {
            match step {
                Step::Sleep(time) => clock::sleep(time).await,
                Step::StartPipeline => self.together = Some(Vec::new()),
                Step::SyncPipeline => self.send_together().await?,
                Step::EndPipeline => {
                    self.send_together().await?;
                    self.together = None;
                }
                Step::Statement { statement, got, .. } => {
                    self.marked.note(run, rng);
                    let sent = sent.take();
                    self.marked.sent = true;
                    let values = run.parameters(statement);
                    let sent = || sent.into_iter().for_each(|sent| sent());
                    if alone {
                        let rows = self.ask(sent, statement, &values).await?;
                        text::take(run, got, &rows).map_err(Cut::Answer)?;
                        continue;
                    }
                    if self.session.is_none() {
                        let borrowed = self.client.borrow(sent);
                        let borrowed = borrowed.await.map_err(|error| Cut::Statement {
                            error,
                            in_doubt: false,
                        })?;
                        self.session = Some(borrowed);
                    }
                    let rows = self.step(run, statement, values).await?;
                    text::take(run, got, &rows).map_err(Cut::Answer)?;
                }
            }
        }
        self.send_together().await
    }

    /// Asks the pool itself.
    async fn ask(
        &mut self,
        sent: impl FnOnce(),
        statement: &Statement,
        values: &[Value],
    ) -> Result<Vec<Row>, Cut> {
        let params = parameters(values);
        let asked = self.client.query_sent(sent, &statement.sql, &params);
        let in_doubt = statement.effect == Effect::Writes;
        let rows = asked
            .await
            .map_err(|error| Cut::Statement { error, in_doubt })?;
        self.written |= in_doubt;
        Ok(rows)
    }

    /// Runs a statement on the session.
    async fn step(
        &mut self,
        run: &Run<'_>,
        statement: &'a Statement,
        values: Vec<Value>,
    ) -> Result<Vec<Row>, Cut> {
        if let Some(together) = &mut self.together {
            together.push((&statement.sql, values));
            self.in_transaction = match statement.effect {
                Effect::Begins => true,
                Effect::Commits | Effect::RollsBack => false,
                _ => self.in_transaction,
            };
            return Ok(Vec::new());
        }
        let client = self.client;
        let commits = statement.effect == Effect::Commits
            || (statement.effect == Effect::Writes && !self.in_transaction);
        let session = self.session.as_mut();
        let done = match session {
            None => Err(Error::Unusable),
            Some(session) => match statement.effect {
                Effect::Begins => session.begin_as(client, &statement.sql).await.map(none),
                Effect::Commits | Effect::RollsBack => {
                    session.end(client, &statement.sql).await.map(none)
                }
                _ if !statement.parameters_allowed => {
                    let text = statement.literal(&|name| run.value(name).cloned());
                    session.control(client, &text).await.map(none)
                }
                _ => {
                    session
                        .query(client, &statement.sql, &parameters(&values))
                        .await
                }
            },
        };
        let rows = done.map_err(|error| Cut::Statement {
            error,
            in_doubt: commits,
        })?;
        self.in_transaction = match statement.effect {
            Effect::Begins => true,
            Effect::Commits | Effect::RollsBack => false,
            _ => self.in_transaction,
        };
        self.written |= commits && self.marked.of.writes();
        Ok(rows)
    }

    /// Sends what was put off until now.
    async fn send_together(&mut self) -> Result<(), Cut> {
        let Some(together) = self.together.as_mut().filter(|of| !of.is_empty()) else {
            return Ok(());
        };
        let statements = std::mem::take(together);
        let in_doubt = self.marked.of.writes();
        let done = match &mut self.session {
            None => Err(Error::Unusable),
            Some(session) => session.query_together(self.client, &statements).await,
        };
        done.map_err(|error| Cut::Statement { error, in_doubt })?;
        self.written |= in_doubt && !self.in_transaction;
        Ok(())
    }
}

fn none((): ()) -> Vec<Row> {
    Vec::new()
}
