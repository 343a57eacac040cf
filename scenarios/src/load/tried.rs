//! Runs each of the user's own scripts before anything is measured, and rolls it back: what
//! the server refuses is an error of usage with its line, what finds no row is named, and
//! what a statement does is known from the server and not from its words.

use std::time::Duration;

use reports::run::{self, Plans, ScriptStatement};
use seawall::clock;
use serde_json::Value as Json;
use tokio_postgres::{Client, SimpleQueryMessage, Statement as Prepared};

use super::{scripts::Scripts, text};
use crate::{
    environment::{Endpoint, Session, chain},
    script::{Effect, Run, Script, Statement, Step, Value, parameters},
};

/// Longest wait for a statement.
const PATIENCE: Duration = Duration::from_secs(15);
/// How often each script is run. Of a script that finds a row once in four times, this
/// many tries miss it three times in a thousand.
const TRIES: u32 = 20;
/// How long that may take, unless a script was run only once by then.
const LONG: Duration = Duration::from_secs(2);
/// A write in a transaction that only reads.
const READ_ONLY: &str = "25006";

/// Why a script cannot be measured.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NotTried {
    /// There is no session to try it on.
    #[error("no session to try the scripts on")]
    Session(#[from] crate::environment::EnvironmentError),
    /// A statement is refused, takes too long, or finds nothing.
    #[error("-f: {place}: {reason}, allowed: {allowed}")]
    Refused {
        /// Its file, line and column.
        place: String,
        /// What was said of it.
        reason: String,
        /// What would do.
        allowed: &'static str,
    },
}

const TAKEN: &str = "statements that the server takes, many times in a row; a variable is a \
                     parameter, whose type :: says where the server cannot tell";
const MEETS: &str = "values that meet the data, or a line `-- @rows none` in the script";

/// Runs all of them, and returns them with what was seen. Nothing that they did stays.
///
/// # Errors
/// The first that cannot be measured.
pub async fn try_all(scripts: &Scripts, direct: &Endpoint) -> Result<Scripts, NotTried> {
    let mut seen = Vec::new();
    for (place, weighted) in scripts.all().iter().enumerate() {
        let mut found = weighted.seen.clone();
        if !found.writes {
            let session = direct.session(clock::now() + PATIENCE).await?;
            begin(&session, "BEGIN READ ONLY").await;
            let mut reading = Trial::new(scripts, place, &session.client);
            found.writes = reading.run(0).await?.is_some_and(|refused| refused.writes);
        }
        let session = direct.session(clock::now() + PATIENCE).await?;
        begin(&session, "BEGIN").await;
        let mut trial = Trial::new(scripts, place, &session.client);
        let end = clock::now() + LONG;
        while found.tried < TRIES && (found.tried == 0 || clock::now() < end) {
            if let Some(refused) = trial.run(found.tried.into()).await? {
                return Err(refused.error);
            }
            found.tried += 1;
        }
        // Dropping the session rolls back.
        found.statements = trial.seen;
        finds_rows(&weighted.script, &found)?;
        seen.push(found);
    }
    Ok(scripts.with_seen(seen))
}

/// What cannot begin is found by the first statement.
async fn begin(session: &Session, sql: &str) {
    let begun = session.client.batch_execute(sql);
    if let Ok(Err(error)) = clock::timeout_at(clock::now() + PATIENCE, begun).await {
        tracing::warn!(error = chain(&error), "beginning to try the scripts");
    }
}

/// A script of which no statement finds a row measures nothing.
fn finds_rows(script: &Script, seen: &run::Script) -> Result<(), NotTried> {
    let empty = seen.statements.iter().filter(|s| s.finds_nothing());
    let empty: Vec<&ScriptStatement> = empty.collect();
    let (Some(first), false) = (empty.first(), script.finds_none()) else {
        return Ok(());
    };
    if empty.len() == seen.statements.len() {
        return Err(NotTried::Refused {
            place: format!("{}:{}", script.file(), first.line),
            reason: format!(
                "no row was found in {} runs, so it measures nothing",
                seen.tried
            ),
            allowed: MEETS,
        });
    }
    for statement in empty {
        tracing::warn!(
            script = script.file(),
            line = statement.line,
            "a statement found no row in {} runs",
            seen.tried
        );
    }
    Ok(())
}

/// A script that is tried in an open transaction.
struct Trial<'a> {
    scripts: &'a Scripts,
    script: &'a Script,
    client: &'a Client,
    prepared: Vec<Option<Prepared>>,
    /// Of the statements that read or write, in the order of the script.
    seen: Vec<ScriptStatement>,
    /// Their places in the script.
    places: Vec<usize>,
}

/// A statement that the server did not take.
struct Refused {
    /// It writes, in a transaction that only reads.
    writes: bool,
    error: NotTried,
}

impl<'a> Trial<'a> {
    fn new(scripts: &'a Scripts, place: usize, client: &'a Client) -> Self {
        let script = &scripts.all()[place].script;
        let does = |statement: &&Statement| {
            matches!(statement.effect, Effect::Reads | Effect::Writes)
                && statement.parameters_allowed
        };
        let statements = script.statements();
        let seen = statements
            .iter()
            .filter(does)
            .map(|statement| ScriptStatement {
                line: statement.line,
                sql: statement.sql.clone(),
                done: 0,
                rows: 0,
                plans: None,
            });
        Self {
            scripts,
            script,
            client,
            prepared: vec![None; statements.len()],
            seen: seen.collect(),
            places: (0..statements.len())
                .filter(|i| does(&&statements[*i]))
                .collect(),
        }
    }

    fn refused(&self, statement: Option<&Statement>, reason: String) -> NotTried {
        let file = self.script.file();
        NotTried::Refused {
            place: match statement {
                Some(of) => format!("{file}:{}:{}", of.line, of.column),
                None => file.to_owned(),
            },
            reason,
            allowed: TAKEN,
        }
    }

    /// Runs it once.
    async fn run(&mut self, seq: i64) -> Result<Option<Refused>, NotTried> {
        // No client has the number 0.
        let mut rng = self.scripts.drawn(0, seq).rng;
        let variables = self.scripts.variables(0);
        let script = self.script;
        let mut run = Run::new(script, &variables);
        loop {
            let step = run.next(&mut rng).map_err(|error| NotTried::Refused {
                place: format!("{}:{}:{}", error.file, error.line, error.column),
                reason: error.what.clone(),
                allowed: "values that it can go on with, each time",
            })?;
            let (index, statement, got) = match step {
                None => return Ok(None),
                Some(Step::Statement {
                    index,
                    statement,
                    got,
                }) => (index, statement, got),
                Some(_) => continue,
            };
            if statement.effect.controls() {
                continue;
            }
            let values = run.parameters(statement);
            let literal = statement.literal(&|name| run.value(name).cloned());
            let plans = self.plans(index, statement, &values, &literal).await;
            let done = self.one(index, statement, &values, &literal, got.is_some());
            let done = clock::timeout_at(clock::now() + PATIENCE, done).await;
            let Ok(done) = done else {
                let reason = format!("no answer within {} s", PATIENCE.as_secs());
                return Err(self.refused(Some(statement), reason));
            };
            let (count, rows) = match done {
                Ok(done) => done,
                Err(error) => {
                    let code = error.code().map(tokio_postgres::error::SqlState::code);
                    return Ok(Some(Refused {
                        writes: code == Some(READ_ONLY),
                        error: self.refused(Some(statement), chain(&error)),
                    }));
                }
            };
            if let Some(place) = self.places.iter().position(|place| *place == index) {
                let seen = &mut self.seen[place];
                seen.done += 1;
                seen.rows += count;
                if plans.is_some() {
                    seen.plans = plans;
                }
            }
            let taken = text::take(&mut run, got, &rows);
            taken.map_err(|reason| self.refused(Some(statement), reason))?;
        }
    }

    /// How many rows a statement returned or changed, and those that are needed.
    async fn one(
        &mut self,
        index: usize,
        statement: &Statement,
        values: &[Value],
        literal: &str,
        rows: bool,
    ) -> Result<(u64, Vec<tokio_postgres::Row>), tokio_postgres::Error> {
        if !statement.parameters_allowed {
            self.client.batch_execute(literal).await?;
            return Ok((0, Vec::new()));
        }
        let prepared = match &self.prepared[index] {
            Some(prepared) => prepared.clone(),
            None => {
                let prepared = self.client.prepare(&statement.sql).await?;
                self.prepared[index].insert(prepared).clone()
            }
        };
        if rows {
            let rows = self.client.query(&prepared, &parameters(values)).await?;
            return Ok((rows.len() as u64, rows));
        }
        let count = self.client.execute(&prepared, &parameters(values)).await?;
        Ok((count, Vec::new()))
    }

    /// The two plans of a statement, the first time that it is run, if they differ.
    async fn plans(
        &self,
        index: usize,
        statement: &Statement,
        values: &[Value],
        literal: &str,
    ) -> Option<Plans> {
        let first = self.prepared.get(index)?.is_none();
        if !first || values.is_empty() || !statement.parameters_allowed {
            return None;
        }
        let arguments: Vec<String> = values.iter().map(quoted).collect();
        // One that cannot be explained stays prepared, so each has a name of its own.
        let name = format!("seawall_plan_{index}");
        let call = format!("EXECUTE {name}({})", arguments.join(", "));
        let prepare = format!(
            "SAVEPOINT seawall_plan; SET LOCAL plan_cache_mode = force_generic_plan; \
             PREPARE {name} AS {}",
            statement.sql
        );
        let asked = async {
            self.client.batch_execute(&prepare).await?;
            let shapes = (
                self.explained("FORMAT JSON", &call).await?,
                self.explained("FORMAT JSON", literal).await?,
            );
            let texts = (
                self.explained("COSTS OFF", &call).await?,
                self.explained("COSTS OFF", literal).await?,
            );
            // What is prepared outlasts the savepoint.
            let deallocate = format!("DEALLOCATE {name}");
            self.client.batch_execute(&deallocate).await?;
            Ok::<_, tokio_postgres::Error>((shapes, texts))
        };
        let asked = clock::timeout_at(clock::now() + PATIENCE, asked).await;
        let back = self
            .client
            .batch_execute("ROLLBACK TO SAVEPOINT seawall_plan");
        let back = clock::timeout_at(clock::now() + PATIENCE, back).await;
        let (Ok(Ok((shapes, texts))), Ok(Ok(()))) = (asked, back) else {
            return None;
        };
        (shape_of(&shapes.0)? != shape_of(&shapes.1)?).then_some(Plans {
            prepared: texts.0,
            literal: texts.1,
        })
    }

    async fn explained(&self, how: &str, sql: &str) -> Result<String, tokio_postgres::Error> {
        let explain = format!("EXPLAIN ({how}) {sql}");
        let answer = self.client.simple_query(&explain).await?;
        let lines = answer.iter().filter_map(|message| match message {
            SimpleQueryMessage::Row(row) => row.get(0),
            _ => None,
        });
        Ok(lines.collect::<Vec<_>>().join("\n"))
    }
}

/// A value in quotes, for the server to read as whatever type it needs.
fn quoted(value: &Value) -> String {
    match value.text() {
        Some(text) => format!("'{}'", text.replace('\'', "''")),
        None => "NULL".to_owned(),
    }
}

/// What a plan does, without what it costs and with which values.
fn shape_of(explained: &str) -> Option<Vec<String>> {
    let plans: Json = serde_json::from_str(explained).ok()?;
    let mut shape = Vec::new();
    walk(plans.get(0)?.get("Plan")?, 0, &mut shape);
    Some(shape)
}

fn walk(plan: &Json, depth: usize, shape: &mut Vec<String>) {
    let text = |key: &str| plan.get(key).and_then(Json::as_str).unwrap_or_default();
    let told = ["Node Type", "Join Type", "Relation Name", "Index Name"].map(text);
    let conditions = ["Index Cond", "Filter", "Hash Cond"];
    let there = conditions.into_iter().filter(|key| plan.get(key).is_some());
    let there: Vec<&str> = there.collect();
    shape.push(format!("{depth} {} {}", told.join("/"), there.join("+")));
    let inner = plan.get("Plans").and_then(Json::as_array);
    for plan in inner.into_iter().flatten() {
        walk(plan, depth + 1, shape);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plans_differ_by_what_they_do_and_not_by_values_or_costs() {
        let plan = |node: &str, condition: &str, cost: u32| {
            format!(
                r#"[{{"Plan": {{"Node Type": "{node}", "Relation Name": "t", "Total Cost": {cost},
                "{condition}": "(a = {cost})"}}}}]"#
            )
        };
        let of = |node, condition, cost| shape_of(&plan(node, condition, cost)).expect("a plan");
        let seq = of("Seq Scan", "Filter", 1);
        assert_eq!(seq, of("Seq Scan", "Filter", 2));
        assert_ne!(seq, of("Index Scan", "Index Cond", 1));
        assert_ne!(
            of("Index Scan", "Filter", 1),
            of("Index Scan", "Index Cond", 1)
        );
        assert_eq!(shape_of("no JSON"), None);
    }

    #[test]
    fn values_are_quoted_for_the_server() {
        assert_eq!(quoted(&Value::Null), "NULL");
        assert_eq!(quoted(&Value::Int(-3)), "'-3'");
        assert_eq!(quoted(&Value::Text("it's".to_owned())), "'it''s'");
    }
}
