//! Reads an expression. Precedence is that of pgbench: `|`, `#`, `&`, `<<`, `>>` and `~`
//! share one level, and `~` takes all that binds closer than they do.

use super::{
    error::{Fault, with_nearest},
    expression::{Expression, Names, Node},
    function::{Function, MOST_ARGUMENTS, NAMED},
    sql::is_of_word,
    value::{Plain, constant},
};

/// What an expression is made of.
pub(crate) const EXPRESSION: &str = "numbers, :variables, NULL, TRUE, FALSE, operators, CASE \
     and function calls, as in random(1, 100000 * :scale)";
/// How deep parentheses and the like may be nested.
const DEEPEST: usize = 100;
/// How many operators, functions and operands an expression may have.
const LONGEST: usize = 1000;

/// Levels of precedence, the loosest first.
const OR: u8 = 1;
const AND: u8 = 2;
const NOT: u8 = 3;
const IS: u8 = 4;
const COMPARISON: u8 = 5;
const BITS: u8 = 6;
const SUM: u8 = 7;
const PRODUCT: u8 = 8;
const UNARY: u8 = 9;

type Parsed<T> = Result<T, Box<Fault>>;

/// Reads an expression that is all of a text. `base` is where the text begins in the
/// script, for the places of errors.
pub(crate) fn parse(text: &str, base: usize, names: &mut Names) -> Parsed<Expression> {
    let lexemes = lexemes(text, base)?;
    if lexemes.len() > LONGEST {
        let what = format!("an expression of {} parts", lexemes.len());
        return Err(Fault::boxed(base, what, format!("{LONGEST} parts at most")));
    }
    let mut parser = Parser {
        lexemes: &lexemes,
        next: 0,
        end: base + text.trim_end().len(),
        depth: 0,
        names,
        uses: Vec::new(),
    };
    let root = parser.expression(OR)?;
    match parser.peek() {
        None => Ok(Expression {
            root,
            uses: parser.uses,
        }),
        Some(_) => parser.unexpected("an operator, or the end of the line"),
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Lexeme<'t> {
    Int(i64),
    /// 2^63, which is an integer only behind a minus.
    Beyond,
    Double(f64),
    Variable(&'t str),
    Name(&'t str),
    Sign(&'t str),
}

type Placed<'t> = (Lexeme<'t>, &'t str, usize);

fn lexemes(text: &str, base: usize) -> Parsed<Vec<Placed<'_>>> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let at = base + (text.len() - rest.len());
        let blank = [" ", "\t", "\r", "\u{c}", "\u{b}", "\\\n", "\\\r\n", "\n"];
        if let Some(after) = blank.iter().find_map(|blank| rest.strip_prefix(blank)) {
            rest = after;
            continue;
        }
        let lexeme = lexeme(rest, first, at)?;
        found.push((lexeme.0, lexeme.1, at));
        rest = rest.get(lexeme.1.len()..).unwrap_or("");
    }
    Ok(found)
}

fn lexeme(rest: &str, first: char, at: usize) -> Parsed<(Lexeme<'_>, &str)> {
    const SIGNS: [&str; 21] = [
        "<<", "<=", "<>", ">>", ">=", "!=", "+", "-", "*", "/", "%", "(", ")", ",", "=", "<", ">",
        "|", "#", "&", "~",
    ];
    let after = rest.get(1..).unwrap_or("");
    let upto = |length: usize| rest.get(..length).unwrap_or(rest);
    let word = |from: usize| {
        let inside = rest.get(from..).unwrap_or("");
        from + inside.find(|c| !is_of_word(c)).unwrap_or(inside.len())
    };
    if first == ':' && after.starts_with(is_of_word) {
        let text = upto(word(1));
        return Ok((Lexeme::Variable(text.trim_start_matches(':')), text));
    }
    if first == '$' && after.starts_with(|c: char| c.is_ascii_digit()) {
        let end = after.find(|c: char| !c.is_ascii_digit());
        let text = upto(end.map_or(rest.len(), |end| end + 1));
        return Ok((Lexeme::Variable(text), text));
    }
    if first.is_ascii_digit() || (first == '.' && after.starts_with(|c: char| c.is_ascii_digit())) {
        return number(upto(number_length(rest)), at);
    }
    if is_of_word(first) {
        let text = upto(word(0));
        return Ok((Lexeme::Name(text), text));
    }
    match SIGNS.iter().find(|sign| rest.starts_with(**sign)) {
        Some(sign) => Ok((Lexeme::Sign(sign), upto(sign.len()))),
        None => Err(Fault::boxed(
            at,
            format!("{first:?} in an expression"),
            EXPRESSION,
        )),
    }
}

fn number_length(text: &str) -> usize {
    let digits = |from: usize| {
        let rest = text.get(from..).unwrap_or("");
        let end = rest.find(|c: char| !c.is_ascii_digit());
        from + end.unwrap_or(rest.len())
    };
    let has = |at: usize, among: &[char]| text.get(at..).is_some_and(|r| r.starts_with(among));
    let mut end = digits(0);
    if has(end, &['.']) {
        end = digits(end + 1);
    }
    if has(end, &['e', 'E']) {
        let sign = usize::from(has(end + 1, &['+', '-']));
        let exponent = digits(end + 1 + sign);
        if exponent > end + 1 + sign {
            end = exponent;
        }
    }
    end
}

fn number(text: &str, at: usize) -> Parsed<(Lexeme<'_>, &str)> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        return match text.parse::<u64>() {
            Ok(value) if value == i64::MIN.unsigned_abs() => Ok((Lexeme::Beyond, text)),
            Ok(value) if i64::try_from(value).is_ok() => {
                Ok((Lexeme::Int(value.cast_signed()), text))
            }
            _ => {
                let what = format!("bigint out of range: {text}");
                let allowed = "integers up to 9223372036854775807, or doubles, as in 1e20";
                Err(Fault::boxed(at, what, allowed))
            }
        };
    }
    constant(text)
        .map(|value| (Lexeme::Double(value), text))
        .ok_or_else(|| {
            let what = format!("double out of range: {text}");
            Fault::boxed(at, what, "0, or from 2.3e-308 to 1.7e308")
        })
}

struct Parser<'p> {
    lexemes: &'p [Placed<'p>],
    next: usize,
    /// Where the text ends in the script.
    end: usize,
    depth: usize,
    names: &'p mut Names,
    uses: Vec<(usize, usize)>,
}

impl<'p> Parser<'p> {
    fn peek(&self) -> Option<Lexeme<'p>> {
        self.lexemes.get(self.next).map(|(lexeme, _, _)| *lexeme)
    }

    /// Where the next lexeme stands.
    fn at(&self) -> usize {
        self.lexemes
            .get(self.next)
            .map_or(self.end, |(_, _, at)| *at)
    }

    fn unexpected<T>(&self, allowed: &str) -> Parsed<T> {
        let what = match self.lexemes.get(self.next) {
            Some((_, text, _)) => format!("{text} in an expression"),
            None => "an expression that ends too early".to_owned(),
        };
        Err(Fault::boxed(self.at(), what, allowed))
    }

    fn word(&self) -> Option<String> {
        match self.peek() {
            Some(Lexeme::Name(name)) => Some(name.to_ascii_uppercase()),
            _ => None,
        }
    }

    fn take_word(&mut self, word: &str) -> bool {
        let found = self.word().is_some_and(|found| found == word);
        self.next += usize::from(found);
        found
    }

    fn take_sign(&mut self, sign: &str) -> bool {
        let found = self.peek() == Some(Lexeme::Sign(sign));
        self.next += usize::from(found);
        found
    }

    /// An expression of operators that bind at least as close as `level`.
    fn expression(&mut self, level: u8) -> Parsed<Node> {
        self.depth += 1;
        if self.depth > DEEPEST {
            let allowed = format!("{DEEPEST} levels at most");
            return Err(Fault::boxed(
                self.at(),
                "an expression nested too deep",
                allowed,
            ));
        }
        let mut left = self.operand()?;
        let mut compared = false;
        loop {
            let at = self.at();
            if level <= IS && self.postfix(&mut left)? {
                compared = false;
                continue;
            }
            let Some((operator, binds)) = self.operator() else {
                break;
            };
            if binds < level {
                break;
            }
            if binds == COMPARISON && compared {
                return self.unexpected("AND, OR or parentheses around the first comparison");
            }
            compared = binds == COMPARISON;
            self.next += 1;
            let right = self.expression(binds + 1)?;
            left = operator.node(left, right, at);
        }
        self.depth -= 1;
        Ok(left)
    }

    /// Takes IS, ISNULL or NOTNULL behind an operand, if one of them stands there.
    fn postfix(&mut self, left: &mut Node) -> Parsed<bool> {
        let at = self.at();
        let (value, negated) = if self.take_word("ISNULL") {
            (Plain::Null, false)
        } else if self.take_word("NOTNULL") {
            (Plain::Null, true)
        } else if self.take_word("IS") {
            let negated = self.take_word("NOT");
            let value = if self.take_word("NULL") {
                Plain::Null
            } else if self.take_word("TRUE") {
                Plain::Bool(true)
            } else if self.take_word("FALSE") {
                Plain::Bool(false)
            } else {
                return self.unexpected("IS [NOT] NULL, TRUE or FALSE");
            };
            (value, negated)
        } else {
            return Ok(false);
        };
        let operand = std::mem::replace(left, Node::Constant(Plain::Null));
        *left = binary(Function::Is, operand, Node::Constant(value), at);
        if negated {
            let operand = std::mem::replace(left, Node::Constant(Plain::Null));
            *left = call(Function::Not, vec![operand], at);
        }
        Ok(true)
    }

    /// The operator that stands next, and how close it binds.
    fn operator(&self) -> Option<(Operator, u8)> {
        use Operator::{And, Forward, Or, Reverse};
        if let Some(word) = self.word() {
            return match word.as_str() {
                "AND" => Some((And, AND)),
                "OR" => Some((Or, OR)),
                _ => None,
            };
        }
        let Some(Lexeme::Sign(sign)) = self.peek() else {
            return None;
        };
        Some(match sign {
            "=" => (Forward(Function::Equal), COMPARISON),
            "<>" | "!=" => (Forward(Function::Unequal), COMPARISON),
            "<" => (Forward(Function::Less), COMPARISON),
            "<=" => (Forward(Function::LessOrEqual), COMPARISON),
            ">" => (Reverse(Function::Less), COMPARISON),
            ">=" => (Reverse(Function::LessOrEqual), COMPARISON),
            "|" => (Forward(Function::BitOr), BITS),
            "#" => (Forward(Function::BitXor), BITS),
            "&" => (Forward(Function::BitAnd), BITS),
            "<<" => (Forward(Function::ShiftLeft), BITS),
            ">>" => (Forward(Function::ShiftRight), BITS),
            "+" => (Forward(Function::Add), SUM),
            "-" => (Forward(Function::Subtract), SUM),
            "*" => (Forward(Function::Multiply), PRODUCT),
            "/" => (Forward(Function::Divide), PRODUCT),
            "%" => (Forward(Function::Modulo), PRODUCT),
            _ => return None,
        })
    }

    fn operand(&mut self) -> Parsed<Node> {
        let at = self.at();
        let Some((lexeme, text, _)) = self.lexemes.get(self.next) else {
            return self.unexpected(EXPRESSION);
        };
        self.next += 1;
        match lexeme {
            Lexeme::Int(value) => Ok(Node::Constant(Plain::Int(*value))),
            Lexeme::Double(value) => Ok(Node::Constant(Plain::Double(*value))),
            Lexeme::Variable(name) => {
                let slot = self.names.slot(name);
                self.uses.push((slot, at));
                Ok(Node::Variable { slot, at })
            }
            Lexeme::Name(name) => self.named(name, at),
            Lexeme::Sign("(") => {
                let inside = self.expression(OR)?;
                if !self.take_sign(")") {
                    return self.unexpected("an operator, or the ) that ends a parenthesis");
                }
                Ok(inside)
            }
            Lexeme::Sign("+") => self.expression(UNARY),
            Lexeme::Sign("-") if self.peek() == Some(Lexeme::Beyond) => {
                self.next += 1;
                Ok(Node::Constant(Plain::Int(i64::MIN)))
            }
            Lexeme::Sign("-") => {
                let operand = self.expression(UNARY)?;
                let zero = Node::Constant(Plain::Int(0));
                Ok(binary(Function::Subtract, zero, operand, at))
            }
            Lexeme::Sign("~") => {
                let operand = self.expression(BITS + 1)?;
                let ones = Node::Constant(Plain::Int(-1));
                Ok(binary(Function::BitXor, ones, operand, at))
            }
            Lexeme::Beyond => {
                let what = format!("bigint out of range: {text}");
                Err(Fault::boxed(at, what, "integers up to 9223372036854775807"))
            }
            Lexeme::Sign(_) => {
                self.next -= 1;
                self.unexpected(EXPRESSION)
            }
        }
    }

    fn named(&mut self, name: &str, at: usize) -> Parsed<Node> {
        match name.to_ascii_uppercase().as_str() {
            "NULL" => return Ok(Node::Constant(Plain::Null)),
            "TRUE" => return Ok(Node::Constant(Plain::Bool(true))),
            "FALSE" => return Ok(Node::Constant(Plain::Bool(false))),
            "NOT" => {
                let operand = self.expression(NOT)?;
                return Ok(call(Function::Not, vec![operand], at));
            }
            "CASE" => return self.case(),
            "AND" | "OR" | "IS" | "ISNULL" | "NOTNULL" | "WHEN" | "THEN" | "ELSE" | "END" => {
                self.next -= 1;
                return self.unexpected(EXPRESSION);
            }
            _ => {}
        }
        let known = NAMED
            .iter()
            .find(|(known, ..)| known.eq_ignore_ascii_case(name));
        let Some((name, function, least, most)) = known else {
            let names = NAMED.iter().map(|(name, ..)| *name);
            let what = if self.peek() == Some(Lexeme::Sign("(")) {
                with_nearest(format!("unknown function {name}"), name, names.clone())
            } else {
                format!("{name} is neither a :variable nor a function call")
            };
            let functions = names.collect::<Vec<_>>().join(", ");
            return Err(Fault::boxed(at, what, format!(":{name} or {functions}")));
        };
        if !self.take_sign("(") {
            return self.unexpected(&format!("{name}(..)"));
        }
        let mut arguments = Vec::new();
        if !self.take_sign(")") {
            loop {
                arguments.push(self.expression(OR)?);
                if self.take_sign(")") {
                    break;
                }
                if !self.take_sign(",") {
                    return self.unexpected("a , or the ) that ends the arguments");
                }
            }
        }
        if !(*least..=*most).contains(&arguments.len()) {
            let what = format!("{name} with {} arguments", arguments.len());
            return Err(Fault::boxed(at, what, arities(*least, *most)));
        }
        let takes_seed = least < most && *most < MOST_ARGUMENTS;
        if takes_seed && arguments.len() == *least {
            let slot = self.names.slot("default_seed");
            self.uses.push((slot, at));
            arguments.push(Node::Variable { slot, at });
        }
        Ok(call(*function, arguments, at))
    }

    fn case(&mut self) -> Parsed<Node> {
        let mut branches = Vec::new();
        while self.take_word("WHEN") {
            let when = self.expression(OR)?;
            if !self.take_word("THEN") {
                return self.unexpected("an operator, or the THEN of a CASE");
            }
            branches.push((when, self.expression(OR)?));
        }
        if branches.is_empty() {
            return self.unexpected("CASE WHEN .. THEN .. [ELSE ..] END");
        }
        let otherwise = if self.take_word("ELSE") {
            self.expression(OR)?
        } else {
            Node::Constant(Plain::Null)
        };
        if !self.take_word("END") {
            return self.unexpected("an operator, or WHEN, ELSE or END of a CASE");
        }
        Ok(Node::Case {
            branches,
            otherwise: Box::new(otherwise),
        })
    }
}

#[derive(Debug, Clone, Copy)]
enum Operator {
    And,
    Or,
    Forward(Function),
    /// The function with its operands in reverse: `a > b` is `b < a`.
    Reverse(Function),
}

impl Operator {
    fn node(self, left: Node, right: Node, at: usize) -> Node {
        match self {
            Self::And => Node::And(Box::new([left, right]), at),
            Self::Or => Node::Or(Box::new([left, right]), at),
            Self::Forward(function) => binary(function, left, right, at),
            Self::Reverse(function) => binary(function, right, left, at),
        }
    }
}

fn binary(function: Function, left: Node, right: Node, at: usize) -> Node {
    call(function, vec![left, right], at)
}

fn call(function: Function, arguments: Vec<Node>, at: usize) -> Node {
    Node::Call {
        function,
        arguments,
        at,
    }
}

fn arities(least: usize, most: usize) -> String {
    match (least, most) {
        (1, MOST_ARGUMENTS) => format!("from 1 to {MOST_ARGUMENTS} arguments"),
        (least, most) if least == most => format!("{least} arguments"),
        (least, most) => format!("{least} or {most} arguments"),
    }
}
