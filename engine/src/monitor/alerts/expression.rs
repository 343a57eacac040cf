//! [`Expression`]: when an alert is to fire, as it is written. Pure.
//!
//! `<metric> <op> <number>`, joined with `and` and `or` (`and` binds closer) and grouped with
//! parentheses. A metric is one of the history, over the last [`PLAIN_MS`], or
//! `avg(<metric>, 30s)` for another span. What is not known is neither true nor false: `false
//! and` it is false, `true or` it is true, all else with it is not known.

use std::{fmt, iter::Peekable, str::CharIndices};

use crate::metrics::Metric;

/// Over how long a metric is that stands by itself: longer than one sample, so that one cannot
/// decide, and shorter than anybody waits.
pub(crate) const PLAIN_MS: u64 = 5_000;
/// The spans that `avg` takes.
const SPANS_MS: std::ops::RangeInclusive<u64> = 1_000..=3_600_000;
/// The longest text.
const LONGEST: usize = 512;
/// The most groups inside of each other.
const DEEPEST: usize = 16;

/// What is wrong with an expression, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expression: column {column}: {what}")]
pub(crate) struct ExpressionError {
    /// The character that it is about, from 1 on.
    pub(crate) column: usize,
    what: String,
}

/// A condition on metrics of a pool.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Expression {
    text: String,
    root: Node,
}

#[derive(Debug, Clone, PartialEq)]
enum Node {
    All(Vec<Node>),
    Any(Vec<Node>),
    Is(Comparison),
}

#[derive(Debug, Clone, PartialEq)]
struct Comparison {
    metric: String,
    over_ms: u64,
    op: Op,
    bound: f64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Op {
    Less,
    AtMost,
    More,
    AtLeast,
    Equal,
    Unequal,
}

/// What came of an expression at a moment.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Verdict {
    /// `None` if it is not known.
    pub(crate) holds: Option<bool>,
    /// The values that were looked at, in the order of the text.
    pub(crate) values: Vec<(String, Option<f64>)>,
}

impl fmt::Display for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Expression {
    /// Reads one.
    ///
    /// # Errors
    /// The first thing that is wrong, with its place.
    pub(crate) fn parse(text: &str) -> Result<Self, ExpressionError> {
        if text.chars().count() > LONGEST {
            return Err(ExpressionError {
                column: LONGEST,
                what: format!("longer than {LONGEST} characters"),
            });
        }
        let mut parser = Parser::new(text)?;
        let root = parser.any(0)?;
        match parser.next {
            Token::End => Ok(Self {
                text: text.trim().to_owned(),
                root,
            }),
            _ => Err(parser.expected("`and`, `or` or the end")),
        }
    }

    /// Looks whether it holds. `value` gives a metric over the last milliseconds.
    pub(crate) fn verdict(&self, mut value: impl FnMut(&str, u64) -> Option<f64>) -> Verdict {
        let mut verdict = Verdict::default();
        verdict.holds = self.root.holds(&mut value, &mut verdict.values);
        verdict
    }
}

impl Node {
    /// Looks at every value, so that all can be shown.
    fn holds(
        &self,
        value: &mut dyn FnMut(&str, u64) -> Option<f64>,
        seen: &mut Vec<(String, Option<f64>)>,
    ) -> Option<bool> {
        // What decides, if one of the parts is it.
        let (parts, decides) = match self {
            Self::Is(comparison) => return comparison.holds(value, seen),
            Self::All(parts) => (parts, false),
            Self::Any(parts) => (parts, true),
        };
        let all: Vec<_> = parts.iter().map(|part| part.holds(value, seen)).collect();
        if all.contains(&Some(decides)) {
            return Some(decides);
        }
        (!all.contains(&None)).then_some(!decides)
    }
}

impl Comparison {
    fn holds(
        &self,
        value: &mut dyn FnMut(&str, u64) -> Option<f64>,
        seen: &mut Vec<(String, Option<f64>)>,
    ) -> Option<bool> {
        let now = value(&self.metric, self.over_ms).filter(|now| now.is_finite());
        let name = match self.over_ms {
            PLAIN_MS => self.metric.clone(),
            ms => format!("avg({}, {}s)", self.metric, ms as f64 / 1_000.0),
        };
        if !seen.iter().any(|(known, _)| *known == name) {
            seen.push((name, now));
        }
        let (now, bound) = (now?, self.bound);
        Some(match self.op {
            Op::Less => now < bound,
            Op::AtMost => now <= bound,
            Op::More => now > bound,
            Op::AtLeast => now >= bound,
            Op::Equal => now == bound,
            Op::Unequal => now != bound,
        })
    }
}

#[derive(Debug, Clone, PartialEq)]
enum Token {
    Word(String),
    /// As it is written: a number, with a unit or without.
    Number(String),
    Op(Op),
    Open,
    Close,
    Comma,
    End,
}

struct Parser<'a> {
    text: &'a str,
    chars: Peekable<CharIndices<'a>>,
    next: Token,
    /// Where `next` begins, in bytes.
    at: usize,
}

impl<'a> Parser<'a> {
    fn new(text: &'a str) -> Result<Self, ExpressionError> {
        let mut parser = Self {
            text,
            chars: text.char_indices().peekable(),
            next: Token::End,
            at: 0,
        };
        parser.advance()?;
        Ok(parser)
    }

    fn error(&self, what: String) -> ExpressionError {
        let before = self.text.get(..self.at).unwrap_or(self.text);
        ExpressionError {
            column: before.chars().count() + 1,
            what,
        }
    }

    fn expected(&self, what: &str) -> ExpressionError {
        let found = match self.next {
            Token::End => "the end".to_owned(),
            _ => {
                let end = self.chars.clone().next().map_or(self.text.len(), |c| c.0);
                format!("`{}`", self.text[self.at..end].trim())
            }
        };
        self.error(format!("{found} found, {what} expected"))
    }

    fn run(&mut self, of: impl Fn(char) -> bool) -> String {
        let mut run = String::new();
        while let Some((_, c)) = self.chars.next_if(|(_, c)| of(*c)) {
            run.push(c);
        }
        run
    }

    /// Reads the next token, and returns the one that was.
    fn advance(&mut self) -> Result<Token, ExpressionError> {
        self.run(char::is_whitespace);
        let (at, c) = self.chars.peek().copied().unwrap_or((self.text.len(), ' '));
        self.at = at;
        let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let token = match c {
            ' ' => Token::End,
            'a'..='z' | 'A'..='Z' | '_' => Token::Word(self.run(word)),
            '0'..='9' | '-' | '.' => {
                Token::Number(self.run(|c| word(c) || c == '.' || c == '-' || c == '+'))
            }
            '<' | '>' | '=' | '!' => {
                let run = self.run(|c| "<>=!".contains(c));
                Token::Op(match run.as_str() {
                    "<" => Op::Less,
                    "<=" => Op::AtMost,
                    ">" => Op::More,
                    ">=" => Op::AtLeast,
                    "==" | "=" => Op::Equal,
                    "!=" => Op::Unequal,
                    _ => return Err(self.error(format!("`{run}`: no such comparison"))),
                })
            }
            '(' | ')' | ',' => {
                self.chars.next();
                match c {
                    '(' => Token::Open,
                    ')' => Token::Close,
                    _ => Token::Comma,
                }
            }
            other => {
                let other = other.escape_debug();
                return Err(self.error(format!("`{other}`: not part of an expression")));
            }
        };
        Ok(std::mem::replace(&mut self.next, token))
    }

    fn take(&mut self, token: &Token, what: &str) -> Result<(), ExpressionError> {
        if self.next != *token {
            return Err(self.expected(what));
        }
        self.advance().map(drop)
    }

    fn is_word(&self, word: &str) -> bool {
        matches!(&self.next, Token::Word(next) if next.eq_ignore_ascii_case(word))
    }

    fn any(&mut self, depth: usize) -> Result<Node, ExpressionError> {
        let mut parts = vec![self.all(depth)?];
        while self.is_word("or") {
            self.advance()?;
            parts.push(self.all(depth)?);
        }
        Ok(one_or(parts, Node::Any))
    }

    fn all(&mut self, depth: usize) -> Result<Node, ExpressionError> {
        let mut parts = vec![self.part(depth)?];
        while self.is_word("and") {
            self.advance()?;
            parts.push(self.part(depth)?);
        }
        Ok(one_or(parts, Node::All))
    }

    fn part(&mut self, depth: usize) -> Result<Node, ExpressionError> {
        if self.next != Token::Open {
            return self.comparison().map(Node::Is);
        }
        if depth == DEEPEST {
            return Err(self.error(format!("more than {DEEPEST} groups inside of each other")));
        }
        self.advance()?;
        let inside = self.any(depth + 1)?;
        self.take(&Token::Close, "`)`")?;
        Ok(inside)
    }

    fn comparison(&mut self) -> Result<Comparison, ExpressionError> {
        let (metric, over_ms) = if self.is_word("avg") {
            self.advance()?;
            self.take(&Token::Open, "`(`")?;
            let metric = self.metric()?;
            self.take(&Token::Comma, "`,`")?;
            let over_ms = self.span()?;
            self.take(&Token::Close, "`)`")?;
            (metric, over_ms)
        } else {
            (self.metric()?, PLAIN_MS)
        };
        let Token::Op(op) = self.next else {
            return Err(self.expected("one of < <= > >= == !="));
        };
        self.advance()?;
        let number = match &self.next {
            Token::Number(text) => text.parse::<f64>().ok().filter(|n| n.is_finite()),
            _ => None,
        };
        let bound = number.ok_or_else(|| self.expected("a number"))?;
        self.advance()?;
        Ok(Comparison {
            metric,
            over_ms,
            op,
            bound,
        })
    }

    fn metric(&mut self) -> Result<String, ExpressionError> {
        let Token::Word(name) = self.next.clone() else {
            return Err(self.expected("a metric"));
        };
        Metric::named(&name).map_err(|unknown| self.error(unknown.to_string()))?;
        self.advance()?;
        Ok(name)
    }

    fn span(&mut self) -> Result<u64, ExpressionError> {
        let text = match &self.next {
            Token::Number(text) => text.as_str(),
            _ => "",
        };
        let unit = text.find(|c: char| c.is_ascii_alphabetic());
        let (number, unit) = text.split_at(unit.unwrap_or(text.len()));
        let unit = match unit {
            "ms" => Some(1.0),
            "s" => Some(1e3),
            "m" | "min" => Some(60e3),
            "h" => Some(3_600e3),
            _ => None,
        };
        let ms = number.parse::<f64>().ok().zip(unit);
        let ms = ms.map(|(number, unit)| (number * unit).round());
        let ms = ms.filter(|ms| (*SPANS_MS.start() as f64..=*SPANS_MS.end() as f64).contains(ms));
        let ms = ms.ok_or_else(|| self.expected("a span in 1s..=1h, such as 30s"))?;
        self.advance()?;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "in SPANS_MS"
        )]
        Ok(ms as u64)
    }
}

fn one_or(mut parts: Vec<Node>, many: impl Fn(Vec<Node>) -> Node) -> Node {
    if parts.len() == 1 {
        parts.remove(0)
    } else {
        many(parts)
    }
}

#[cfg(test)]
mod tests;
