//! The marks that a script carries in line comments: `-- @param` and the like.

use super::{
    error::{Fault, nearest},
    parse::parse,
    read::{Read, Reader},
    sql::{Token, is_of_word, token},
    statement::{Draft, Told},
};

const MARKS: [&str; 5] = ["param", "write", "check", "rows", "effect"];
const ALLOWED: &str = "-- @param N = EXPRESSION, -- @write key = EXPRESSION, -- @check SELECT .., \
     -- @rows none, -- @effect reads or -- @effect writes";

impl Reader<'_> {
    /// Reads what a line comment says, if it is a mark. `at` is where its `--` stands.
    pub(crate) fn mark(&mut self, line: &str, at: usize) -> Read<()> {
        let inside = line.trim_start_matches('-').trim_start();
        let Some(named) = inside.strip_prefix('@') else {
            return Ok(());
        };
        let at = at + (line.len() - inside.len());
        let end = named.find(|c| !is_of_word(c)).unwrap_or(named.len());
        let (word, rest) = named.split_at(end);
        let rest_at = at + 1 + end + (rest.len() - rest.trim_start().len());
        let rest = rest.trim();
        match word {
            "param" => self.param(rest, rest_at),
            "write" => self.write(rest, rest_at, at),
            "check" => self.check(rest, rest_at, at),
            "rows" if rest == "none" => {
                self.parts.finds_none = true;
                Ok(())
            }
            "rows" => Err(Fault::boxed(
                rest_at,
                format!("@rows {rest}"),
                "-- @rows none",
            )),
            "effect" => {
                let writes = match rest {
                    "reads" => false,
                    "writes" => true,
                    _ => {
                        let allowed = "-- @effect reads or -- @effect writes";
                        return Err(Fault::boxed(rest_at, format!("@effect {rest}"), allowed));
                    }
                };
                if self.told.is_some() {
                    let allowed = "one -- @effect before a statement";
                    return Err(Fault::boxed(at, "@effect twice for one statement", allowed));
                }
                self.told = Some(Told { writes, at });
                Ok(())
            }
            other => match nearest(other, MARKS) {
                Some(near) => {
                    let what = format!("unknown mark @{other}, did you mean @{near}?");
                    Err(Fault::boxed(at, what, ALLOWED))
                }
                None => Ok(()),
            },
        }
    }

    /// `N = EXPRESSION`
    fn param(&mut self, text: &str, at: usize) -> Read<()> {
        let text_of_number = text.strip_prefix('$').unwrap_or(text);
        let end = text_of_number.find(|c: char| !c.is_ascii_digit());
        let number = text_of_number.get(..end.unwrap_or(text_of_number.len()));
        let number = number.unwrap_or("");
        let rest = text_of_number.get(number.len()..).unwrap_or("");
        let Some(expression) = rest.trim_start().strip_prefix('=') else {
            let allowed = "-- @param N = EXPRESSION, as in -- @param 1 = random(1, 100000)";
            return Err(Fault::boxed(at, format!("@param {text}"), allowed));
        };
        if number.is_empty() || number.starts_with('0') {
            let allowed = "the number of a parameter, from 1 on, as in -- @param 1 = 5";
            return Err(Fault::boxed(at, format!("@param {text}"), allowed));
        }
        let start = at + (text.len() - expression.len());
        let expression = parse(expression, start, &mut self.parts.names)?;
        let name = format!("${number}");
        let line = self.line_of(at);
        self.params.entry(name.clone()).or_insert(line);
        self.sets(&name, expression);
        Ok(())
    }

    /// Where the line comment begins in which a byte stands.
    fn line_of(&self, at: usize) -> usize {
        let before = self.text.get(..at).unwrap_or("");
        let line = before.rfind('\n').map_or(0, |newline| newline + 1);
        let inside = before.get(line..).unwrap_or("");
        // The mark is what the line comment begins with.
        let mark = inside.rfind('@').unwrap_or(0);
        let dashes = inside.get(..mark).unwrap_or("").trim_end();
        line + dashes.trim_end_matches('-').len()
    }

    /// `key = EXPRESSION`
    fn write(&mut self, text: &str, at: usize, mark: usize) -> Read<()> {
        let rest = text.strip_prefix("key").map(str::trim_start);
        let Some(expression) = rest.and_then(|rest| rest.strip_prefix('=')) else {
            let allowed = "-- @write key = EXPRESSION, as in -- @write key = :aid";
            return Err(Fault::boxed(at, format!("@write {text}"), allowed));
        };
        if self.key.is_some() {
            return Err(Fault::boxed(
                mark,
                "a second @write",
                "one -- @write in a script",
            ));
        }
        let start = at + (text.len() - expression.len());
        let expression = parse(expression, start, &mut self.parts.names)?;
        self.key = Some((expression, mark));
        Ok(())
    }

    /// A statement that reads.
    fn check(&mut self, text: &str, at: usize, mark: usize) -> Read<()> {
        let allowed = "-- @check and one statement that reads, as in -- @check SELECT 1 FROM t \
             WHERE id = :key";
        if self.check.is_some() {
            return Err(Fault::boxed(
                mark,
                "a second @check",
                "one -- @check in a script",
            ));
        }
        let mut draft = Draft::default();
        let mut rest = text;
        while !rest.is_empty() {
            let here = at + (text.len() - rest.len());
            let (token, length) = token(rest);
            let (piece, after) = rest.split_at(length);
            rest = after;
            match token {
                Token::End if rest.trim().is_empty() => break,
                Token::End | Token::Separator | Token::Backslash => {
                    return Err(Fault::boxed(here, format!("{piece} in @check"), allowed));
                }
                _ => {
                    if rest.is_empty() {
                        self.must_end(token, piece, here)?;
                    }
                    draft.take(token, piece, here, &mut self.parts.names);
                }
            }
        }
        if draft.is_empty() {
            return Err(Fault::boxed(at, "@check without a statement", allowed));
        }
        let uses = std::mem::take(&mut draft.uses);
        let statement = draft.statement(self.text, None, &self.parts.names);
        let statement = statement.map_err(|fault| Fault::boxed(fault.at, fault.what, allowed))?;
        if statement.effect != super::Effect::Reads {
            return Err(Fault::boxed(at, "@check that does more than read", allowed));
        }
        self.check = Some((statement, uses, mark));
        Ok(())
    }
}
