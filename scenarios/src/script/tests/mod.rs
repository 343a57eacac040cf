//! Tests of whole scripts.

mod bad;
mod bad_statements;
mod distributions;
mod expressions;
mod golden;
mod property;
mod scripts;
mod values;

use fastrand::Rng;

use super::{Run, Script, ScriptError, Step, Value, Variables};

/// The variables of a name and a text each, as `-D` gives them.
fn given(variables: &[(&str, &str)]) -> Variables {
    let variable = |(name, text): &(&str, &str)| ((*name).to_owned(), Value::Text((*text).into()));
    variables.iter().map(variable).collect()
}

/// The value of an expression, with `:default_seed` 4711, as text.
fn value(expression: &str, variables: &Variables) -> Result<Value, ScriptError> {
    let script = Script::read("q.sql", &format!("\\set x {expression}\nSELECT :x;"))?;
    let mut run = Run::new(&script, variables);
    run.next(&mut Rng::with_seed(7))?;
    Ok(run.value("x").cloned().expect("it is set"))
}

/// What a run of a script does, one line a step, with the values written in.
fn steps(script: &Script, variables: &Variables) -> Vec<String> {
    let mut run = Run::new(script, variables);
    let mut rng = Rng::with_seed(7);
    let mut done = Vec::new();
    while let Some(step) = run.next(&mut rng).expect("it goes on") {
        done.push(match step {
            Step::Statement { statement, got, .. } => {
                let sql = statement.literal(&|name| run.value(name).cloned());
                if let Some(got) = got {
                    let row = [
                        ("a".to_owned(), Some("5".to_owned())),
                        ("n".to_owned(), None),
                    ];
                    run.got(got.prefix(), &row);
                }
                sql
            }
            Step::Sleep(time) => format!("sleep {time:?}"),
            Step::StartPipeline => "start".to_owned(),
            Step::SyncPipeline => "sync".to_owned(),
            Step::EndPipeline => "end".to_owned(),
        });
    }
    done
}
