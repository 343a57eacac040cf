//! Reads a script: its statements, its backslash commands, and its marks.

use std::collections::BTreeMap;

use super::{
    Written,
    command::{Command, Event, Prefix},
    error::Fault,
    expression::Names,
    sql::{Token, token},
    statement::{Draft, Statement, Told},
};

pub(crate) type Read<T> = Result<T, Box<Fault>>;
type Check = (Statement, Vec<(usize, usize)>, usize);

/// What a script consists of.
#[derive(Debug, Clone, Default)]
pub(crate) struct Parts {
    pub(crate) names: Names,
    pub(crate) commands: Vec<Command>,
    pub(crate) statements: Vec<Statement>,
    pub(crate) events: Vec<Event>,
    pub(crate) written: Option<Written>,
    pub(crate) finds_none: bool,
}

/// An `\if` that has not ended yet.
#[derive(Debug)]
pub(crate) struct Block {
    pub(crate) at: usize,
    /// The index of the condition that jumps to the next branch if it does not hold.
    pub(crate) condition: Option<usize>,
    /// The indexes of the jumps to the end.
    pub(crate) ends: Vec<usize>,
}

#[derive(Debug)]
pub(crate) struct Reader<'t> {
    pub(crate) text: &'t str,
    pub(crate) parts: Parts,
    pub(crate) blocks: Vec<Block>,
    pub(crate) key: Option<(super::Expression, usize)>,
    /// The statement of `-- @check`, its uses of variables, and where the mark stands.
    pub(crate) check: Option<Check>,
    pub(crate) told: Option<Told>,
    /// Where each parameter is used first.
    first_use: BTreeMap<String, usize>,
    /// The line that sets each parameter first.
    pub(crate) params: BTreeMap<String, usize>,
    /// The lines `-- @param` that are read before all else, by where they stand.
    hoisted: Vec<usize>,
    draft: Draft,
    depth: usize,
}

/// Reads a script.
pub(crate) fn read(text: &str) -> Read<Parts> {
    let first = Reader::new(text, Vec::new()).all()?;
    let early = |(name, set): (&String, &usize)| {
        let used = first.first_use.get(name)?;
        (used < set).then_some(*set)
    };
    let hoisted: Vec<usize> = first.params.iter().filter_map(early).collect();
    let mut done = if hoisted.is_empty() {
        first
    } else {
        let mut again = Reader::new(text, hoisted.clone());
        let mut hoisted = hoisted;
        hoisted.sort_unstable();
        for at in hoisted {
            again.comment(at, true)?;
        }
        again.all()?
    };
    done.finish()?;
    Ok(done.parts)
}

impl<'t> Reader<'t> {
    fn new(text: &'t str, hoisted: Vec<usize>) -> Self {
        Self {
            text,
            parts: Parts::default(),
            blocks: Vec::new(),
            key: None,
            check: None,
            told: None,
            first_use: BTreeMap::new(),
            params: BTreeMap::new(),
            hoisted,
            draft: Draft::default(),
            depth: 0,
        }
    }

    fn all(mut self) -> Read<Self> {
        let mut at = 0;
        while let Some(rest) = self.text.get(at..).filter(|rest| !rest.is_empty()) {
            let (token, length) = token(rest);
            let text = rest.get(..length).unwrap_or(rest);
            if at + length == self.text.len() {
                self.must_end(token, text, at)?;
            }
            match token {
                Token::End if self.depth == 0 => self.end_statement()?,
                Token::Backslash => {
                    self.end_statement()?;
                    at = self.backslash(at)?;
                    continue;
                }
                Token::LineComment => {
                    self.comment(at, false)?;
                    self.draft.take(token, text, at, &mut self.parts.names);
                }
                _ => {
                    match token {
                        Token::Opening => self.depth += 1,
                        Token::Closing => self.depth = self.depth.saturating_sub(1),
                        Token::Parameter => {
                            self.first_use.entry(text.to_owned()).or_insert(at);
                        }
                        _ => {}
                    }
                    self.draft.take(token, text, at, &mut self.parts.names);
                }
            }
            at += length;
        }
        self.end_statement()?;
        Ok(self)
    }

    /// The last token of a text must not be a quote or a comment without an end.
    pub(crate) fn must_end(&self, token: Token, text: &str, at: usize) -> Read<()> {
        let (what, end) = match token {
            Token::Quoted if text.starts_with('$') => ("a dollar quote", "its second tag"),
            Token::Quoted => ("a quote", "its second quotation mark"),
            Token::BlockComment => ("a comment", "its */"),
            _ => return Ok(()),
        };
        let longer = format!("{text} ");
        if super::sql::token(&longer).1 == text.len() {
            return Ok(());
        }
        let what = format!("{what} that does not end");
        Err(Fault::boxed(
            at,
            what,
            format!("{end} before the end of the file"),
        ))
    }

    /// Ends the statement that was read, if there is one.
    fn end_statement(&mut self) -> Read<()> {
        self.depth = 0;
        let draft = std::mem::take(&mut self.draft);
        if draft.is_empty() {
            return Ok(());
        }
        self.uses(&draft.uses);
        let told = self.told.take();
        let statement = draft.statement(self.text, told, &self.parts.names)?;
        let index = self.parts.statements.len();
        self.parts.statements.push(statement);
        self.parts.events.push(Event::Statement(index));
        self.parts
            .commands
            .push(Command::Statement { index, got: None });
        Ok(())
    }

    /// Notes that variables are used here.
    pub(crate) fn uses(&mut self, uses: &[(usize, usize)]) {
        for (slot, at) in uses {
            let (slot, at) = (*slot, *at);
            let name = self.parts.names.name(slot);
            if name.starts_with('$') {
                let first = self.first_use.entry(name.to_owned()).or_insert(at);
                *first = at.min(*first);
            }
            self.parts.events.push(Event::Uses { slot, at });
        }
    }

    /// Sets a variable here.
    pub(crate) fn sets(&mut self, name: &str, expression: super::Expression) {
        self.uses(&expression.uses);
        let slot = self.parts.names.slot(name);
        self.parts.events.push(Event::Sets { slot });
        self.parts.commands.push(Command::Set { slot, expression });
    }

    /// Makes the columns of the last statement variables.
    pub(crate) fn gets(&mut self, prefix: Prefix) -> Read<()> {
        match self.parts.commands.last_mut() {
            Some(Command::Statement { index, got }) if got.is_none() => {
                *got = Some(prefix.clone());
                let statement = *index;
                self.parts.events.push(Event::Gets { statement, prefix });
                Ok(())
            }
            _ => {
                let name = if prefix.every { "aset" } else { "gset" };
                let what = format!("\\{name} that follows no statement");
                Err(Fault::boxed(
                    prefix.at,
                    what,
                    format!("\\{name} right behind a statement"),
                ))
            }
        }
    }

    /// Reads a line comment: it may be a mark. A line that is hoisted is read only once.
    fn comment(&mut self, at: usize, hoisted: bool) -> Read<()> {
        let rest = self.text.get(at..).unwrap_or("");
        let line = rest.lines().next().unwrap_or("");
        if hoisted || !self.hoisted.contains(&at) {
            self.mark(line, at)?;
        }
        Ok(())
    }

    /// What can be said only when all is read.
    fn finish(&mut self) -> Read<()> {
        if let Some(block) = self.blocks.last() {
            return Err(Fault::boxed(
                block.at,
                "\\if that does not end",
                "\\endif after it",
            ));
        }
        if let Some(told) = self.told {
            let allowed = "-- @effect before a statement";
            return Err(Fault::boxed(
                told.at,
                "@effect that no statement follows",
                allowed,
            ));
        }
        self.finish_written()?;
        for (name, at) in &self.first_use {
            if !self.params.contains_key(name) {
                let number = name.trim_start_matches('$');
                let allowed = format!(
                    "a line -- @param {number} = EXPRESSION, as in -- @param {number} = \
                     random(1, 100000)"
                );
                return Err(Fault::boxed(
                    *at,
                    format!("{name} without a value"),
                    allowed,
                ));
            }
        }
        if self.parts.statements.is_empty() {
            let allowed = "one or more statements, each ended by a ;";
            return Err(Fault::boxed(0, "a script without a statement", allowed));
        }
        super::check::transactions(&self.parts)
    }

    fn finish_written(&mut self) -> Read<()> {
        match (self.key.take(), self.check.take()) {
            (None, None) => Ok(()),
            (Some((_, at)), None) => {
                let allowed = "-- @write together with a line -- @check SELECT ..";
                Err(Fault::boxed(at, "@write without @check", allowed))
            }
            (None, Some((_, _, at))) => {
                let allowed = "-- @check together with a line -- @write key = EXPRESSION";
                Err(Fault::boxed(at, "@check without @write", allowed))
            }
            (Some((key, _)), Some((check, uses, _))) => {
                self.uses(&key.uses);
                let slot = self.parts.names.slot("key");
                self.parts.events.push(Event::Sets { slot });
                self.uses(&uses);
                self.parts.written = Some(Written { key, check, slot });
                Ok(())
            }
        }
    }
}
