//! What a statement does, told from its words.

/// What a statement does to the database, as far as its words say it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// It reads, and may run in a read-only transaction.
    Reads,
    /// It may write, or lock rows for a write.
    Writes,
    /// It begins a transaction.
    Begins,
    /// It commits the transaction.
    Commits,
    /// It rolls the transaction back.
    RollsBack,
    /// SAVEPOINT, RELEASE or ROLLBACK TO, inside a transaction.
    Savepoint,
    /// It changes a setting of the session.
    Session,
}

/// What is known of one statement.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Known {
    pub(crate) effect: Effect,
    /// Another transaction begins where this one ends (`AND CHAIN`).
    pub(crate) chain: bool,
    /// Whether the server takes `$1` in it.
    pub(crate) parameters_allowed: bool,
}

/// Why a statement cannot be told, or is not allowed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refused {
    /// The words that say so.
    pub(crate) what: String,
    /// Whether it reaches beyond the database or the transaction. If not, a line
    /// `-- @effect` can say what it does.
    pub(crate) beyond: bool,
}

/// What may begin a statement.
pub(crate) const ALLOWED: &str = "SELECT, VALUES, TABLE, WITH, SHOW, EXPLAIN, INSERT, UPDATE, \
     DELETE, MERGE, TRUNCATE, ANALYZE, CREATE, DROP or ALTER of TABLE, INDEX, VIEW or SEQUENCE, \
     LOCK, SET, RESET, BEGIN, START TRANSACTION, COMMIT, END, ROLLBACK, ABORT, SAVEPOINT, RELEASE";

const WRITES: [&str; 4] = ["INSERT", "UPDATE", "DELETE", "MERGE"];
/// Kinds of objects that are of one database and nothing else.
const OBJECTS: [&str; 4] = ["TABLE", "INDEX", "VIEW", "SEQUENCE"];
/// What may stand between CREATE and the kind of object.
const ADJECTIVES: [&str; 10] = [
    "OR",
    "REPLACE",
    "TEMP",
    "TEMPORARY",
    "GLOBAL",
    "LOCAL",
    "UNLOGGED",
    "UNIQUE",
    "MATERIALIZED",
    "RECURSIVE",
];
/// Objects of the whole server, or such that make it do more than SQL.
const BEYOND_OBJECTS: [&str; 9] = [
    "DATABASE",
    "ROLE",
    "USER",
    "GROUP",
    "TABLESPACE",
    "SYSTEM",
    "EXTENSION",
    "SUBSCRIPTION",
    "SERVER",
];
/// Statements whose effect is outside of the database or lasts in the session.
const BEYOND: [&str; 17] = [
    "COPY",
    "NOTIFY",
    "LISTEN",
    "UNLISTEN",
    "PREPARE",
    "EXECUTE",
    "DEALLOCATE",
    "DECLARE",
    "FETCH",
    "MOVE",
    "CLOSE",
    "VACUUM",
    "LOAD",
    "CHECKPOINT",
    "DISCARD",
    "CLUSTER",
    "REINDEX",
];

/// What a statement does. `words` are its words in capitals and its signs, without
/// comments; what is quoted is one word that is no keyword.
pub(crate) fn effect(words: &[String]) -> Result<Known, Refused> {
    let all: Vec<&str> = words.iter().map(String::as_str).collect();
    let words = without_parentheses(&all);
    let word = |at: usize| words.get(at).copied().unwrap_or("");
    let first = word(0);
    let plain = |effect| Ok(known(effect, true));
    let utility = |effect| Ok(known(effect, false));
    match first {
        "SELECT" | "VALUES" | "TABLE" => plain(query(words)),
        "WITH" => plain(with(words)),
        "SHOW" => utility(Effect::Reads),
        "EXPLAIN" => explain(words),
        "INSERT" | "UPDATE" | "DELETE" | "MERGE" => plain(Effect::Writes),
        "TRUNCATE" | "ANALYZE" | "ANALYSE" => utility(Effect::Writes),
        "CREATE" | "DROP" | "ALTER" => object(words),
        "BEGIN" => utility(Effect::Begins),
        "START" if word(1) == "TRANSACTION" => utility(Effect::Begins),
        "COMMIT" | "END" | "ROLLBACK" | "ABORT" if word(1) == "PREPARED" => Err(Refused {
            what: format!("{first} PREPARED"),
            beyond: true,
        }),
        "COMMIT" | "END" => Ok(ending(words, Effect::Commits)),
        "ROLLBACK" if words.contains(&"TO") => utility(Effect::Savepoint),
        "ROLLBACK" | "ABORT" => Ok(ending(words, Effect::RollsBack)),
        "SAVEPOINT" | "RELEASE" => utility(Effect::Savepoint),
        "LOCK" => utility(lock(words)),
        "SET" | "RESET" => utility(Effect::Session),
        _ => Err(Refused {
            what: if first.is_empty() {
                "a statement without words".to_owned()
            } else {
                first.to_owned()
            },
            beyond: BEYOND.contains(&first),
        }),
    }
}

fn known(effect: Effect, parameters_allowed: bool) -> Known {
    Known {
        effect,
        chain: false,
        parameters_allowed,
    }
}

/// A query may stand in parentheses: `(SELECT 1) UNION (SELECT 2)`.
fn without_parentheses<'w>(words: &'w [&'w str]) -> &'w [&'w str] {
    let start = words.iter().position(|word| *word != "(");
    words.get(start.unwrap_or(0)..).unwrap_or(words)
}

/// A query writes if it makes a table, locks rows or moves a sequence: what PostgreSQL
/// itself refuses in a read-only transaction.
fn query(words: &[&str]) -> Effect {
    let makes_table = words.contains(&"INTO");
    let locks = words.windows(3).any(locks_rows) || words.windows(2).any(locks_rows);
    let sequence = words
        .windows(2)
        .any(|pair| matches!(pair, ["NEXTVAL" | "SETVAL", "("]));
    if makes_table || locks || sequence {
        Effect::Writes
    } else {
        Effect::Reads
    }
}

fn locks_rows(words: &[&str]) -> bool {
    matches!(
        words,
        ["FOR", "UPDATE" | "SHARE"] | ["FOR", "NO", "KEY"] | ["FOR", "KEY", "SHARE"]
    )
}

fn with(words: &[&str]) -> Effect {
    if words.iter().any(|word| WRITES.contains(word)) {
        Effect::Writes
    } else {
        query(words)
    }
}

/// EXPLAIN does what it explains only if it is told to run it.
fn explain(words: &[&str]) -> Result<Known, Refused> {
    let mut rest = words.get(1..).unwrap_or(&[]);
    let mut runs = false;
    let begins_query = |word: Option<&&str>| {
        word.is_some_and(|word| matches!(*word, "SELECT" | "VALUES" | "WITH" | "TABLE" | "("))
    };
    if rest.first() == Some(&"(") && !begins_query(rest.get(1)) {
        let end = rest.iter().position(|word| *word == ")");
        let (options, after) = rest.split_at(end.map_or(rest.len(), |end| end + 1));
        rest = after;
        for (at, word) in options.iter().enumerate() {
            if matches!(*word, "ANALYZE" | "ANALYSE") {
                let value = options.get(at + 1).copied().unwrap_or("");
                runs = !matches!(value, "FALSE" | "OFF" | "0");
            }
        }
    }
    while let Some(word @ ("ANALYZE" | "ANALYSE" | "VERBOSE")) = rest.first().copied() {
        runs |= word != "VERBOSE";
        rest = rest.get(1..).unwrap_or(&[]);
    }
    let inner: Vec<String> = rest.iter().map(|word| (*word).to_owned()).collect();
    if inner.first().is_some_and(|word| word == "EXPLAIN") {
        return Err(Refused {
            what: "EXPLAIN EXPLAIN".to_owned(),
            beyond: true,
        });
    }
    let inner = effect(&inner).map_err(|refused| Refused {
        what: format!("EXPLAIN {}", refused.what),
        beyond: refused.beyond,
    })?;
    let effect = if runs && inner.effect == Effect::Writes {
        Effect::Writes
    } else {
        Effect::Reads
    };
    Ok(known(effect, inner.parameters_allowed))
}

fn object(words: &[&str]) -> Result<Known, Refused> {
    let verb = words.first().copied().unwrap_or("");
    let rest = words.get(1..).unwrap_or(&[]);
    let adjectives = rest
        .iter()
        .take_while(|word| ADJECTIVES.contains(*word))
        .count();
    let kind = rest.get(adjectives).copied().unwrap_or("");
    if OBJECTS.contains(&kind) {
        return Ok(known(Effect::Writes, false));
    }
    Err(Refused {
        what: format!("{verb} {kind}").trim_end().to_owned(),
        beyond: BEYOND_OBJECTS.contains(&kind),
    })
}

fn ending(words: &[&str], effect: Effect) -> Known {
    let chain = words.windows(2).any(|pair| pair == ["AND", "CHAIN"]);
    Known {
        chain,
        ..known(effect, false)
    }
}

/// Whether a LOCK is one of a reader: PostgreSQL allows up to ROW EXCLUSIVE in a read-only
/// transaction.
fn lock(words: &[&str]) -> Effect {
    let mode = words.windows(3).find_map(|window| match window {
        ["IN", mode, kind] => Some((*mode, *kind)),
        _ => None,
    });
    match mode {
        Some(("ACCESS", "SHARE") | ("ROW", "SHARE" | "EXCLUSIVE")) => Effect::Reads,
        _ => Effect::Writes,
    }
}
