//! A script of the user's as a class of queries.

use reports::experiments::batch_sweep::Class;

use crate::{
    flags::CliError,
    load::scripts::{Scripts, Weighted},
    script::{Effect, Script, ScriptError, Statement},
};

/// The classes of the user's scripts, one each.
///
/// # Errors
/// The first script of which no batches can be made, with line and column.
pub(super) fn classes(scripts: &Scripts) -> Result<Vec<Class>, CliError> {
    scripts.all().iter().map(class_of).collect()
}

/// The class of one of the user's scripts.
///
/// # Errors
/// If no batches can be made of it, with line and column.
pub(crate) fn class_of(of: &Weighted) -> Result<Class, CliError> {
    let script = &of.script;
    if let Some((line, column, command)) = script.waits() {
        return Err(no(
            script,
            (line, column),
            format!("\\{command}"),
            "statements that do not wait for each other's answers, without \\sleep: a batch is \
             made before any of it is answered",
        ));
    }
    let statements = script.statements();
    for statement in statements {
        if let Some((what, allowed)) = no_place(statement) {
            return Err(no(
                script,
                (statement.line, statement.column),
                what,
                allowed,
            ));
        }
    }
    let controls = statements.iter().filter(|s| s.effect.controls());
    let controls: Vec<&Statement> = controls.collect();
    let transaction = match (controls.as_slice(), statements) {
        ([], _) => false,
        ([first, last], [begin, .., commit])
            if std::ptr::eq(*first, begin)
                && std::ptr::eq(*last, commit)
                && begin.effect == Effect::Begins
                && commit.effect == Effect::Commits =>
        {
            true
        }
        ([first, ..], _) => {
            return Err(no(
                script,
                (first.line, first.column),
                "a transaction that is a part of the script".to_owned(),
                "a script without transactions, or one that is a single transaction from its \
                 first statement to its last, which commits",
            ));
        }
    };
    Ok(Class {
        name: script.name().to_owned(),
        about: format!("the user's own: {}", script.file()),
        statements: statements.iter().map(|s| s.sql.clone()).collect(),
        writes: of.writes(),
        transaction,
        guide_batch: None,
    })
}

fn no(script: &Script, place: (u32, u32), what: String, allowed: &'static str) -> CliError {
    ScriptError::new(script.file(), place, what, allowed).into()
}

/// Why a statement cannot be compared, if it cannot: all queries share a session, and are
/// sent on their own as well as many in a transaction.
fn no_place(statement: &Statement) -> Option<(String, &'static str)> {
    let first = statement.sql.split_whitespace().next().unwrap_or_default();
    let first = first.to_ascii_uppercase();
    match statement.effect {
        Effect::Session => Some((
            format!("{first} changes the session that all queries share"),
            "statements that leave the session as it is",
        )),
        Effect::Reads | Effect::Writes if first == "LOCK" => Some((
            "LOCK needs a transaction around it, which a query on its own has not".to_owned(),
            "statements that do without",
        )),
        Effect::Reads | Effect::Writes if !prepares(statement) => Some((
            format!("{first} cannot be prepared with values"),
            "SELECT, INSERT, UPDATE, DELETE, MERGE, VALUES, TABLE and WITH, one at a time",
        )),
        Effect::RollsBack | Effect::Savepoint => Some((
            format!("{first} takes back what a batch has done"),
            "a script without transactions, or one that is a single transaction",
        )),
        _ => None,
    }
}

/// Whether a statement can be prepared: any alone that has no values.
fn prepares(statement: &Statement) -> bool {
    statement.parameters_allowed || (statement.variables.is_empty() && statement.parts == 1)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn of(text: &str) -> Result<Class, CliError> {
        let script = Script::read("shop/orders.sql", text).expect("a script");
        let scripts = Scripts::new(vec![(script, 1)], BTreeMap::new(), 7).expect("a load");
        classes(&scripts).map(|mut classes| classes.remove(0))
    }

    #[test]
    fn a_script_is_a_class_of_its_name() {
        let class = of("SELECT 1; UPDATE t SET a = 1;").expect("a class");
        assert_eq!(class.name, "orders");
        assert_eq!(class.statements.len(), 2);
        assert!(class.writes && !class.transaction && class.guide_batch.is_none());
        let class = of("CREATE TABLE IF NOT EXISTS t (a int); SELECT 1").expect("a class");
        assert!(class.writes);
        let class = of("BEGIN; SELECT 1; UPDATE t SET a = 1; END;").expect("a class");
        assert!(class.writes && class.transaction);
    }

    #[test]
    fn what_no_batches_can_be_made_of_is_named_with_its_place() {
        for (text, place, has) in [
            ("SELECT 1 AS a \\gset\nSELECT :a;", ":1:15:", "\\gset"),
            ("SELECT 1;\n\\sleep 1 ms\n", ":2:1:", "\\sleep"),
            (
                "SELECT 1;\nSET work_mem = '1MB';",
                ":2:1:",
                "SET changes the session",
            ),
            ("SELECT 1; BEGIN; SELECT 2; END;", ":1:11:", "a transaction"),
            ("BEGIN; SELECT 2; ROLLBACK;", ":1:18:", "ROLLBACK"),
            ("DROP TABLE :scale;", ":1:1:", "DROP cannot be prepared"),
            ("SELECT 1; LOCK t;", ":1:11:", "LOCK needs a transaction"),
        ] {
            let error = of(text).expect_err(text).to_string();
            assert!(error.contains(&format!("orders.sql{place}")), "{error}");
            assert!(
                error.contains(has) && error.contains(", allowed: "),
                "{error}"
            );
        }
    }
}
