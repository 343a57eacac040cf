//! Reads the backslash commands of a script.

use super::{
    command::{Command, Event, Prefix, Time},
    error::{Fault, with_nearest},
    parse::{EXPRESSION, parse},
    read::{Block, Read, Reader},
    sql::is_of_word,
};

const COMMANDS: [&str; 11] = [
    "set",
    "if",
    "elif",
    "else",
    "endif",
    "gset",
    "aset",
    "sleep",
    "startpipeline",
    "syncpipeline",
    "endpipeline",
];
const ALLOWED: &str = "\\set, \\if, \\elif, \\else, \\endif, \\gset, \\aset, \\sleep, \
     \\startpipeline, \\syncpipeline, \\endpipeline";

/// A word of a command, and the byte of the script where it stands.
type Word<'t> = (&'t str, usize);

impl<'t> Reader<'t> {
    /// Reads the command whose backslash stands at a byte of the script. Returns where the
    /// next line begins.
    pub(crate) fn backslash(&mut self, at: usize) -> Read<usize> {
        let script: &'t str = self.text;
        let rest = script.get(at + 1..).unwrap_or("");
        let length = line_length(rest);
        let line = rest.get(..length).unwrap_or(rest);
        let next = (at + 1 + length + 1).min(script.len());
        let mut words = Words {
            line,
            base: at + 1,
            next: 0,
        };
        let Some((name, _)) = words.next() else {
            return Ok(next);
        };
        match name.to_ascii_lowercase().as_str() {
            "set" => self.set(words, at)?,
            "if" => {
                let condition = self.condition(&words)?;
                self.parts.events.push(Event::If);
                self.blocks.push(Block {
                    at,
                    condition: Some(condition),
                    ends: Vec::new(),
                });
            }
            "elif" => self.elif(&words, at)?,
            "else" => {
                no_more(words, "\\else")?;
                self.next_branch(at, "\\else")?;
                self.parts.events.push(Event::Else);
            }
            "endif" => {
                no_more(words, "\\endif")?;
                self.endif(at)?;
            }
            "gset" | "aset" => {
                let every = name.eq_ignore_ascii_case("aset");
                self.gets(prefix(words, every, at)?)?;
            }
            "sleep" => self.sleep(words, at)?,
            "startpipeline" => {
                no_more(words, "\\startpipeline")?;
                self.parts.events.push(Event::StartPipeline { at });
                self.parts.commands.push(Command::StartPipeline { at });
            }
            "syncpipeline" => {
                no_more(words, "\\syncpipeline")?;
                self.parts.events.push(Event::SyncPipeline { at });
                self.parts.commands.push(Command::SyncPipeline { at });
            }
            "endpipeline" => {
                no_more(words, "\\endpipeline")?;
                self.parts.events.push(Event::EndPipeline { at });
                self.parts.commands.push(Command::EndPipeline { at });
            }
            "shell" | "setshell" => {
                let what = format!("\\{name}, which is not supported: a script runs no programs");
                return Err(Fault::boxed(at, what, ALLOWED));
            }
            lower => {
                let what = format!("unknown command \\{name}");
                let known = COMMANDS.map(|command| format!("\\{command}"));
                let known = known.iter().map(String::as_str);
                let what = with_nearest(what, &format!("\\{lower}"), known);
                return Err(Fault::boxed(at, what, ALLOWED));
            }
        }
        Ok(next)
    }

    fn set(&mut self, mut words: Words<'_>, at: usize) -> Read<()> {
        let allowed = "\\set NAME EXPRESSION, with a NAME of letters, digits and _ that does not \
             begin with a digit";
        let Some((name, name_at)) = words.next() else {
            return Err(Fault::boxed(at, "\\set without a name", allowed));
        };
        if !is_name(name) {
            return Err(Fault::boxed(name_at, format!("\\set of {name}"), allowed));
        }
        let (text, start) = words.rest();
        if text.trim().is_empty() {
            return Err(Fault::boxed(
                start,
                "\\set without an expression",
                EXPRESSION,
            ));
        }
        let expression = parse(text, start, &mut self.parts.names)?;
        self.sets(name, expression);
        Ok(())
    }

    /// Reads a condition. Returns the index of the command that decides by it.
    fn condition(&mut self, words: &Words<'_>) -> Read<usize> {
        let (text, start) = words.rest();
        let condition = parse(text, start, &mut self.parts.names)?;
        self.uses(&condition.uses);
        self.parts.commands.push(Command::Branch {
            condition,
            otherwise: usize::MAX,
        });
        Ok(self.parts.commands.len() - 1)
    }

    fn elif(&mut self, words: &Words<'_>, at: usize) -> Read<()> {
        self.next_branch(at, "\\elif")?;
        self.parts.events.push(Event::Else);
        let condition = self.condition(words)?;
        if let Some(block) = self.blocks.last_mut() {
            block.condition = Some(condition);
        }
        Ok(())
    }

    /// Ends the branch before an `\elif` or an `\else`.
    fn next_branch(&mut self, at: usize, name: &str) -> Read<()> {
        let Some(block) = self.blocks.last_mut() else {
            let what = format!("{name} without an \\if");
            return Err(Fault::boxed(
                at,
                what,
                format!("{name} between \\if and \\endif"),
            ));
        };
        let Some(condition) = block.condition.take() else {
            let what = format!("{name} after \\else");
            return Err(Fault::boxed(at, what, "\\endif after the branch of \\else"));
        };
        block.ends.push(self.parts.commands.len());
        self.parts.commands.push(Command::Jump(usize::MAX));
        self.jump_here(condition);
        Ok(())
    }

    fn endif(&mut self, at: usize) -> Read<()> {
        let Some(block) = self.blocks.pop() else {
            let allowed = "\\endif after an \\if";
            return Err(Fault::boxed(at, "\\endif without an \\if", allowed));
        };
        for command in block.condition.into_iter().chain(block.ends) {
            self.jump_here(command);
        }
        self.parts.events.push(Event::Endif);
        Ok(())
    }

    /// Lets a command go on with the command that is read next.
    fn jump_here(&mut self, command: usize) {
        let here = self.parts.commands.len();
        match self.parts.commands.get_mut(command) {
            Some(Command::Branch { otherwise, .. }) => *otherwise = here,
            Some(Command::Jump(target)) => *target = here,
            _ => {}
        }
    }

    fn sleep(&mut self, mut words: Words<'_>, at: usize) -> Read<()> {
        let allowed = "\\sleep NUMBER or \\sleep :VARIABLE, and us, ms or s behind it";
        let Some((time, time_at)) = words.next() else {
            return Err(Fault::boxed(at, "\\sleep without a time", allowed));
        };
        let mut unit = words.next();
        if let Some((word, word_at)) = words.next() {
            return Err(Fault::boxed(
                word_at,
                format!("{word} behind \\sleep"),
                allowed,
            ));
        }
        let time = if let Some(name) = time.strip_prefix(':') {
            if !is_name(name) {
                return Err(Fault::boxed(time_at, format!("\\sleep {time}"), allowed));
            }
            let slot = self.parts.names.slot(name);
            self.uses(&[(slot, time_at)]);
            Time::Variable { slot, at: time_at }
        } else {
            let digits = time.strip_prefix(['+', '-']).unwrap_or(time);
            let end = digits.find(|c: char| !c.is_ascii_digit());
            let end = time.len() - digits.len() + end.unwrap_or(digits.len());
            let (number, behind) = time.split_at(end);
            if !behind.is_empty() && unit.is_none() {
                unit = Some((behind, time_at + end));
            } else if !behind.is_empty() {
                return Err(Fault::boxed(time_at, format!("\\sleep {time}"), allowed));
            }
            match number.parse::<i32>() {
                Ok(number) => Time::Fixed(i64::from(number)),
                Err(_) => return Err(Fault::boxed(time_at, format!("\\sleep {time}"), allowed)),
            }
        };
        let micros = match unit {
            None => 1_000_000,
            Some((unit, _)) if unit.eq_ignore_ascii_case("s") => 1_000_000,
            Some((unit, _)) if unit.eq_ignore_ascii_case("ms") => 1000,
            Some((unit, _)) if unit.eq_ignore_ascii_case("us") => 1,
            Some((unit, unit_at)) => {
                let what = format!("{unit} as a unit of \\sleep");
                return Err(Fault::boxed(unit_at, what, "us, ms or s"));
            }
        };
        self.parts.commands.push(Command::Sleep { time, micros });
        Ok(())
    }
}

fn prefix(mut words: Words<'_>, every: bool, at: usize) -> Read<Prefix> {
    let name = if every { "\\aset" } else { "\\gset" };
    let (prefix, prefix_at) = words.next().unwrap_or(("", at));
    if !prefix.is_empty() && !is_name(prefix) {
        let what = format!("{name} with the prefix {prefix}");
        let allowed = "a prefix of letters, digits and _ that does not begin with a digit";
        return Err(Fault::boxed(prefix_at, what, allowed));
    }
    if let Some((word, word_at)) = words.next() {
        let allowed = format!("{name} [PREFIX]");
        return Err(Fault::boxed(
            word_at,
            format!("{word} behind {name}"),
            allowed,
        ));
    }
    Ok(Prefix {
        every,
        prefix: prefix.to_owned(),
        at,
    })
}

fn no_more(mut words: Words<'_>, command: &str) -> Read<()> {
    match words.next() {
        None => Ok(()),
        Some((word, at)) => {
            let what = format!("{word} behind {command}");
            Err(Fault::boxed(
                at,
                what,
                format!("{command} alone in its line"),
            ))
        }
    }
}

/// Whether a variable can be called so.
pub(crate) fn is_name(name: &str) -> bool {
    name.chars().all(is_of_word) && name.starts_with(|c: char| !c.is_ascii_digit())
}

/// The length of a command: to the newline that no backslash continues.
fn line_length(text: &str) -> usize {
    let newlines = text.match_indices('\n').map(|(at, _)| at);
    let mut ends = newlines.filter(|at| {
        let before = text.get(..*at).unwrap_or("");
        !before.strip_suffix('\r').unwrap_or(before).ends_with('\\')
    });
    ends.next().unwrap_or(text.len())
}

/// The words of a command, between blanks.
#[derive(Debug, Clone)]
struct Words<'l> {
    line: &'l str,
    /// Where the line begins in the script.
    base: usize,
    next: usize,
}

impl<'l> Words<'l> {
    /// What is left of the line, and where that begins.
    fn rest(&self) -> Word<'l> {
        (
            self.line.get(self.next..).unwrap_or(""),
            self.base + self.next,
        )
    }
}

impl<'l> Iterator for Words<'l> {
    type Item = Word<'l>;

    fn next(&mut self) -> Option<Word<'l>> {
        const CONTINUED: [&str; 2] = ["\\\n", "\\\r\n"];
        let (rest, at) = self.rest();
        let mut start = 0;
        let blank = |c: char| c.is_ascii_whitespace() || c == '\u{b}';
        loop {
            let left = rest.get(start..).unwrap_or("");
            if let Some(mark) = CONTINUED.iter().find(|mark| left.starts_with(**mark)) {
                start += mark.len();
            } else if left.starts_with(blank) {
                start += 1;
            } else {
                break;
            }
        }
        let word = rest.get(start..).unwrap_or("");
        let end = word.find(blank).unwrap_or(word.len());
        let continued = CONTINUED.iter().filter_map(|mark| word.find(mark)).min();
        let end = continued.map_or(end, |continued| continued.min(end));
        self.next += start + end;
        let word = word.get(..end).unwrap_or("");
        (!word.is_empty()).then_some((word, at + start))
    }
}
