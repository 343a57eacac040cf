//! A statement of a script.

use std::fmt::Write as _;

use super::{
    effect::{Effect, Known, Refused, effect},
    error::{Fault, place},
    expression::Names,
    sql::{Token, is_of_word},
    value::Value,
};

/// A statement: what is sent to the server at once.
#[derive(Debug, Clone)]
pub struct Statement {
    /// Its text, with `$1`, `$2` and so on for its variables, in the order of their first
    /// use. Line comments are left out.
    pub sql: String,
    /// The names of its variables: the first is `$1`. One of plain SQL is called `$1` too.
    pub variables: Vec<String>,
    /// What it does. Of several that are sent as one (`\;`), what they do together.
    pub effect: Effect,
    /// Whether it may write. For several that are sent as one: whether one of them may.
    pub writes: bool,
    /// The line where it begins, counted from 1.
    pub line: u32,
    /// The character in the line where it begins, counted from 1.
    pub column: u32,
    /// Whether the server takes parameters in it. If not, [`Statement::literal`] writes the
    /// values into the text.
    pub parameters_allowed: bool,
    /// How many statements it is: more than one if they are combined with `\;`. Such a text
    /// cannot be prepared.
    pub parts: usize,
    pub(crate) slots: Vec<usize>,
    pub(crate) at: usize,
    pub(crate) transactions: Vec<Known>,
    /// The words of its text, and what is quoted in it: what its columns can be called.
    pub(crate) names: Vec<String>,
    pieces: Vec<Piece>,
}

#[derive(Debug, Clone)]
enum Piece {
    Text(String),
    /// The index of one of its variables.
    Variable(usize),
}

impl Statement {
    /// The same statement with the values of its variables written into it, safely quoted:
    /// NULL and integers without quotes (those below 0 in parentheses, where an operator can
    /// stand before them), all others as strings. A variable without a value is NULL.
    #[must_use]
    pub fn literal(&self, values: &dyn Fn(&str) -> Option<Value>) -> String {
        let mut sql = String::with_capacity(self.sql.len() + 16 * self.variables.len());
        for piece in &self.pieces {
            match piece {
                Piece::Text(text) => sql.push_str(text),
                Piece::Variable(index) => {
                    let name = self.variables.get(*index).map_or("", String::as_str);
                    self.write(&mut sql, &values(name).unwrap_or_default());
                }
            }
        }
        sql
    }

    fn write(&self, sql: &mut String, value: &Value) {
        match value {
            Value::Null => sql.push_str("NULL"),
            Value::Int(value) if *value < 0 && self.parameters_allowed => {
                let _ = write!(sql, "({value})");
            }
            Value::Int(value) => {
                let _ = write!(sql, "{value}");
            }
            other => {
                sql.push('\'');
                sql.push_str(&other.literal().replace('\'', "''"));
                sql.push('\'');
            }
        }
    }
}

/// What is said of a statement by a line `-- @effect`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Told {
    pub(crate) writes: bool,
    pub(crate) at: usize,
}

/// A statement of which not all tokens are known yet.
#[derive(Debug, Default)]
pub(crate) struct Draft {
    sql: String,
    pieces: Vec<Piece>,
    slots: Vec<usize>,
    /// The slots of its variables, each with the byte of the script where it stands.
    pub(crate) uses: Vec<(usize, usize)>,
    /// The words of each of its parts, with the byte where the part begins.
    parts: Vec<(usize, Vec<String>)>,
    names: Vec<String>,
    /// Whether the next word begins a part.
    separated: bool,
    after_variable: bool,
}

impl Draft {
    /// Whether it has nothing but comments and separators.
    pub(crate) fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    /// Adds the token that stands at a byte of the script.
    pub(crate) fn take(&mut self, token: Token, text: &str, at: usize, names: &mut Names) {
        let word = match token {
            Token::Space if self.sql.is_empty() => return,
            Token::BlockComment if self.sql.is_empty() && !text.starts_with("/*+") => return,
            Token::LineComment => {
                if !self.sql.is_empty() {
                    self.push("\n");
                }
                return;
            }
            Token::Space | Token::BlockComment => return self.push(text),
            Token::Separator => {
                self.separated = true;
                if !self.sql.is_empty() {
                    self.push(";");
                }
                return;
            }
            Token::Colon => ":".to_owned(),
            Token::Word => text.to_uppercase(),
            Token::Quoted => "''".to_owned(),
            _ => text.to_owned(),
        };
        if self.parts.is_empty() || std::mem::take(&mut self.separated) {
            self.parts.push((at, Vec::new()));
        }
        if let Some((_, words)) = self.parts.last_mut() {
            words.push(word);
        }
        match token {
            Token::Word => self.names.push(text.to_lowercase()),
            Token::Quoted => self
                .names
                .push(text.trim_matches('"').replace("\"\"", "\"")),
            _ => {}
        }
        match token {
            Token::Colon => self.push(":"),
            Token::Variable => self.variable(text.trim_start_matches(':'), at, names),
            Token::Parameter => self.variable(text, at, names),
            // Two strings side by side would be one.
            Token::Quoted if self.after_variable => {
                self.push(" ");
                self.push(text);
            }
            _ => self.push(text),
        }
    }

    fn push(&mut self, text: &str) {
        self.sql.push_str(text);
        self.after_variable = false;
        match self.pieces.last_mut() {
            Some(Piece::Text(last)) => last.push_str(text),
            _ => self.pieces.push(Piece::Text(text.to_owned())),
        }
    }

    fn variable(&mut self, name: &str, at: usize, names: &mut Names) {
        let slot = names.slot(name);
        self.uses.push((slot, at));
        if self
            .sql
            .ends_with(|c: char| is_of_word(c) || matches!(c, '\'' | '"' | '$'))
        {
            self.push(" ");
        }
        let known = self.slots.iter().position(|known| *known == slot);
        let index = known.unwrap_or_else(|| {
            self.slots.push(slot);
            self.slots.len() - 1
        });
        let _ = write!(self.sql, "${}", index + 1);
        self.pieces.push(Piece::Variable(index));
        self.after_variable = true;
    }

    /// The statement, if it is one that may stand in a script.
    pub(crate) fn statement(
        mut self,
        script: &str,
        told: Option<Told>,
        names: &Names,
    ) -> Result<Statement, Box<Fault>> {
        let mut transactions = Vec::with_capacity(self.parts.len());
        for (at, words) in &self.parts {
            transactions.push(known(*at, words, told)?);
        }
        self.trim();
        let at = self.parts.first().map_or(0, |(at, _)| *at);
        let (line, column) = place(script, at);
        let writes = |known: &Known| known.effect == Effect::Writes;
        let single = transactions.len() == 1;
        let variables = self.slots.iter().map(|slot| names.name(*slot).to_owned());
        Ok(Statement {
            sql: self.sql,
            variables: variables.collect(),
            effect: together(&transactions),
            writes: transactions.iter().any(writes),
            line,
            column,
            parameters_allowed: single && transactions.iter().all(|known| known.parameters_allowed),
            parts: transactions.len(),
            slots: self.slots,
            at,
            transactions,
            names: self.names,
            pieces: self.pieces,
        })
    }

    /// Takes the blanks and separators off the end.
    fn trim(&mut self) {
        let blank = |c: char| c.is_whitespace() || c == ';';
        self.sql.truncate(self.sql.trim_end_matches(blank).len());
        if let Some(Piece::Text(last)) = self.pieces.last_mut() {
            last.truncate(last.trim_end_matches(blank).len());
        }
    }
}

fn known(at: usize, words: &[String], told: Option<Told>) -> Result<Known, Box<Fault>> {
    match (effect(words), told) {
        (Ok(known), None) => Ok(known),
        (Ok(known), Some(told)) if known.effect == Effect::Reads => Ok(Known {
            effect: if told.writes {
                Effect::Writes
            } else {
                Effect::Reads
            },
            ..known
        }),
        (Ok(known), Some(told)) if known.effect == Effect::Writes && told.writes => Ok(known),
        (Ok(_), Some(told)) => {
            let first = words.first().map_or("", String::as_str);
            let what = format!("@effect before {first}, whose effect is known");
            let allowed = "-- @effect before a query, or before what is not known here";
            Err(Fault::boxed(told.at, what, allowed))
        }
        (Err(Refused { beyond: false, .. }), Some(told)) => Ok(Known {
            effect: if told.writes {
                Effect::Writes
            } else {
                Effect::Reads
            },
            chain: false,
            parameters_allowed: false,
        }),
        (
            Err(Refused {
                what,
                beyond: false,
            }),
            None,
        ) => {
            let what = format!("{what}, whose effect is not known");
            let allowed = super::effect::ALLOWED;
            let allowed =
                format!("{allowed}, or a line -- @effect reads or -- @effect writes before it");
            Err(Fault::boxed(at, what, allowed))
        }
        (Err(Refused { what, beyond: true }), _) => {
            let what = format!("{what}, which reaches beyond the transaction or the database");
            Err(Fault::boxed(at, what, super::effect::ALLOWED))
        }
    }
}

/// What several statements do together: that they begin or end a transaction is more than
/// that they write, and that is more than all else.
fn together(parts: &[Known]) -> Effect {
    let mut open: Option<Effect> = None;
    let mut ended = None;
    for part in parts {
        match part.effect {
            Effect::Begins => open = Some(Effect::Begins),
            effect @ (Effect::Commits | Effect::RollsBack) if open.take().is_none() => {
                ended = Some(effect);
            }
            _ => {}
        }
    }
    let any = |effect| {
        parts
            .iter()
            .any(|part| part.effect == effect)
            .then_some(effect)
    };
    open.or(ended)
        .or_else(|| any(Effect::Writes))
        .or_else(|| any(Effect::Reads))
        .or_else(|| any(Effect::Savepoint))
        .or_else(|| any(Effect::Session))
        .or_else(|| any(Effect::Commits))
        .or_else(|| any(Effect::RollsBack))
        .unwrap_or(Effect::Reads)
}
