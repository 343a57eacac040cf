//! The operators and functions of expressions.

use fastrand::Rng;

use super::{
    permute::{fnv1a, murmur2, permute},
    random::{self, GAUSSIAN_LEAST, ZIPFIAN_LEAST, ZIPFIAN_MOST},
    value::Plain,
};

/// The most arguments that a function takes, as in pgbench.
pub(crate) const MOST_ARGUMENTS: usize = 16;

/// What computes a value from values. AND, OR and CASE are none: they do not look at all
/// of their operands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Function {
    Add,
    Subtract,
    Multiply,
    Divide,
    Modulo,
    Equal,
    Unequal,
    Less,
    LessOrEqual,
    BitAnd,
    BitOr,
    BitXor,
    ShiftLeft,
    ShiftRight,
    Not,
    Is,
    Abs,
    Debug,
    Double,
    Exp,
    Greatest,
    HashFnv1a,
    HashMurmur2,
    Int,
    Least,
    Ln,
    Permute,
    Pi,
    Power,
    Random,
    RandomExponential,
    RandomGaussian,
    RandomZipfian,
    Sqrt,
}

/// The functions that an expression can name, with the least and the most arguments they
/// take. One that may leave out its last argument takes `:default_seed` for it.
pub(crate) const NAMED: [(&str, Function, usize, usize); 21] = [
    ("abs", Function::Abs, 1, 1),
    ("debug", Function::Debug, 1, 1),
    ("double", Function::Double, 1, 1),
    ("exp", Function::Exp, 1, 1),
    ("greatest", Function::Greatest, 1, MOST_ARGUMENTS),
    ("hash", Function::HashMurmur2, 1, 2),
    ("hash_fnv1a", Function::HashFnv1a, 1, 2),
    ("hash_murmur2", Function::HashMurmur2, 1, 2),
    ("int", Function::Int, 1, 1),
    ("least", Function::Least, 1, MOST_ARGUMENTS),
    ("ln", Function::Ln, 1, 1),
    ("mod", Function::Modulo, 2, 2),
    ("permute", Function::Permute, 2, 3),
    ("pi", Function::Pi, 0, 0),
    ("pow", Function::Power, 2, 2),
    ("power", Function::Power, 2, 2),
    ("random", Function::Random, 2, 2),
    ("random_exponential", Function::RandomExponential, 3, 3),
    ("random_gaussian", Function::RandomGaussian, 3, 3),
    ("random_zipfian", Function::RandomZipfian, 3, 3),
    ("sqrt", Function::Sqrt, 1, 1),
];

/// What is wrong with the arguments of a function, and what it takes.
#[derive(Debug)]
pub(crate) struct Wrong {
    pub(crate) what: String,
    pub(crate) allowed: &'static str,
}

type Computed<T> = Result<T, Box<Wrong>>;

fn wrong<T>(what: impl Into<String>, allowed: &'static str) -> Computed<T> {
    let what = what.into();
    Err(Box::new(Wrong { what, allowed }))
}

const INTEGERS: &str = "integers from -9223372036854775808 to 9223372036854775807";

impl Function {
    /// The value for some arguments, as many as the function takes.
    pub(crate) fn of(self, arguments: &[Plain], rng: &mut Rng) -> Computed<Plain> {
        let passes_null = matches!(self, Self::Is | Self::Debug);
        if !passes_null && arguments.contains(&Plain::Null) {
            return Ok(Plain::Null);
        }
        let at = |index: usize| arguments.get(index).copied().unwrap_or(Plain::Null);
        match self {
            Self::Add | Self::Subtract | Self::Multiply | Self::Divide | Self::Modulo => {
                self.arithmetic(at(0), at(1))
            }
            Self::Equal => compare(at(0), at(1), |a, b| a == b, |a, b| a == b),
            Self::Unequal => compare(at(0), at(1), |a, b| a != b, |a, b| a != b),
            Self::Less => compare(at(0), at(1), |a, b| a < b, |a, b| a < b),
            Self::LessOrEqual => compare(at(0), at(1), |a, b| a <= b, |a, b| a <= b),
            Self::BitAnd | Self::BitOr | Self::BitXor | Self::ShiftLeft | Self::ShiftRight => {
                self.bits(int(at(0))?, int(at(1))?)
            }
            Self::Not => Ok(Plain::Bool(!boolean(at(0))?)),
            Self::Is => Ok(Plain::Bool(at(0) == at(1))),
            Self::Abs => match at(0) {
                Plain::Int(value) => Ok(Plain::Int(checked(value.checked_abs(), "abs")?)),
                other => Ok(Plain::Double(double(other)?.abs())),
            },
            Self::Debug => Ok(at(0)),
            Self::Double => Ok(Plain::Double(double(at(0))?)),
            Self::Exp => Ok(Plain::Double(double(at(0))?.exp())),
            Self::Ln => Ok(Plain::Double(double(at(0))?.ln())),
            Self::Sqrt => Ok(Plain::Double(double(at(0))?.sqrt())),
            Self::Int => Ok(Plain::Int(int(at(0))?)),
            Self::Pi => Ok(Plain::Double(std::f64::consts::PI)),
            Self::Power => Ok(Plain::Double(double(at(0))?.powf(double(at(1))?))),
            Self::Greatest => extreme(arguments, |a, b| a > b, i64::max),
            Self::Least => extreme(arguments, |a, b| a < b, i64::min),
            Self::HashFnv1a => Ok(Plain::Int(fnv1a(int(at(0))?, int(at(1))?))),
            Self::HashMurmur2 => Ok(Plain::Int(murmur2(int(at(0))?, int(at(1))?))),
            Self::Permute => {
                let (value, size, seed) = (int(at(0))?, int(at(1))?, int(at(2))?);
                if size <= 0 {
                    return wrong(format!("permute of size {size}"), "a size above 0");
                }
                Ok(Plain::Int(permute(value, size, seed)))
            }
            Self::Random | Self::RandomExponential | Self::RandomGaussian | Self::RandomZipfian => {
                self.draw(int(at(0))?, int(at(1))?, at(2), rng)
            }
        }
    }

    fn arithmetic(self, left: Plain, right: Plain) -> Computed<Plain> {
        let doubles = matches!(left, Plain::Double(_)) || matches!(right, Plain::Double(_));
        if doubles && self != Self::Modulo {
            let (left, right) = (double(left)?, double(right)?);
            return Ok(Plain::Double(match self {
                Self::Add => left + right,
                Self::Subtract => left - right,
                Self::Multiply => left * right,
                _ => left / right,
            }));
        }
        let (left, right) = (int(left)?, int(right)?);
        if right == 0 && matches!(self, Self::Divide | Self::Modulo) {
            return wrong("division by zero", "a divisor other than 0");
        }
        let (result, sign) = match self {
            Self::Add => (left.checked_add(right), '+'),
            Self::Subtract => (left.checked_sub(right), '-'),
            Self::Multiply => (left.checked_mul(right), '*'),
            Self::Divide => (left.checked_div(right), '/'),
            _ => (Some(left.wrapping_rem(right)), '%'),
        };
        match result {
            Some(result) => Ok(Plain::Int(result)),
            None => wrong(
                format!("bigint out of range: {left} {sign} {right}"),
                INTEGERS,
            ),
        }
    }

    /// A shift takes the last six bits of the distance, as the processors do that pgbench
    /// leaves it to.
    fn bits(self, left: i64, right: i64) -> Computed<Plain> {
        let distance = u32::try_from(right & 63).unwrap_or(0);
        Ok(Plain::Int(match self {
            Self::BitAnd => left & right,
            Self::BitOr => left | right,
            Self::BitXor => left ^ right,
            Self::ShiftLeft => left.wrapping_shl(distance),
            _ => left.wrapping_shr(distance),
        }))
    }

    fn draw(self, low: i64, high: i64, parameter: Plain, rng: &mut Rng) -> Computed<Plain> {
        if low > high {
            let what = format!("an empty range, from {low} to {high}");
            return wrong(what, "a lower bound that is not above the upper one");
        }
        if high.checked_sub(low).is_none_or(|size| size == i64::MAX) {
            let what = format!("a range that is too large, from {low} to {high}");
            return wrong(what, "a range of less than 9223372036854775808 integers");
        }
        if self == Self::Random {
            return Ok(Plain::Int(random::uniform(rng, low, high)));
        }
        let parameter = double(parameter)?;
        let fits = |range: bool, allowed: &'static str| {
            let what = || format!("parameter {parameter}");
            if range {
                Ok(())
            } else {
                wrong(what(), allowed)
            }
        };
        Ok(Plain::Int(match self {
            Self::RandomGaussian => {
                fits(parameter >= GAUSSIAN_LEAST, "a parameter of at least 2.0")?;
                random::gaussian(rng, low, high, parameter)
            }
            Self::RandomZipfian => {
                let range = (ZIPFIAN_LEAST..=ZIPFIAN_MOST).contains(&parameter);
                fits(range, "a parameter from 1.001 to 1000")?;
                random::zipfian(rng, low, high, parameter)
            }
            _ => {
                fits(parameter > 0.0, "a parameter above 0")?;
                random::exponential(rng, low, high, parameter)
            }
        }))
    }
}

fn checked(value: Option<i64>, of: &str) -> Computed<i64> {
    value.map_or_else(|| wrong(format!("bigint out of range: {of}"), INTEGERS), Ok)
}

fn compare(
    left: Plain,
    right: Plain,
    doubles: fn(f64, f64) -> bool,
    ints: fn(i64, i64) -> bool,
) -> Computed<Plain> {
    let double_among = matches!(left, Plain::Double(_)) || matches!(right, Plain::Double(_));
    Ok(Plain::Bool(if double_among {
        doubles(double(left)?, double(right)?)
    } else {
        ints(int(left)?, int(right)?)
    }))
}

fn extreme(
    values: &[Plain],
    better: fn(f64, f64) -> bool,
    of: fn(i64, i64) -> i64,
) -> Computed<Plain> {
    let first = values.first().copied().unwrap_or(Plain::Null);
    if values.iter().any(|value| matches!(value, Plain::Double(_))) {
        let mut best = double(first)?;
        for value in values {
            let value = double(*value)?;
            if !better(best, value) {
                best = value;
            }
        }
        return Ok(Plain::Double(best));
    }
    let mut best = int(first)?;
    for value in values {
        best = of(best, int(*value)?);
    }
    Ok(Plain::Int(best))
}

fn kind(value: Plain) -> &'static str {
    match value {
        Plain::Null => "NULL",
        Plain::Bool(_) => "a boolean",
        Plain::Int(_) => "an integer",
        Plain::Double(_) => "a double",
    }
}

/// A value as a boolean, which only a boolean is.
pub(crate) fn boolean(value: Plain) -> Computed<bool> {
    match value {
        Plain::Bool(value) => Ok(value),
        other => {
            let what = format!("{} where a boolean is needed", kind(other));
            wrong(what, "a boolean, as from a comparison")
        }
    }
}

/// A value as a condition: NULL and zero are false.
pub(crate) fn truth(value: Plain) -> bool {
    match value {
        Plain::Null => false,
        Plain::Bool(value) => value,
        Plain::Int(value) => value != 0,
        Plain::Double(value) => value != 0.0,
    }
}

fn int(value: Plain) -> Computed<i64> {
    match value {
        Plain::Int(value) => Ok(value),
        Plain::Double(value) => rounded(value),
        other => {
            let what = format!("{} where an integer is needed", kind(other));
            wrong(what, "an integer, or a double in its range")
        }
    }
}

/// A double as an integer, halves to the even one.
fn rounded(value: f64) -> Computed<i64> {
    const BEYOND: f64 = 9_223_372_036_854_775_808.0;
    let value = value.round_ties_even();
    if !(-BEYOND..BEYOND).contains(&value) {
        return wrong(
            format!("double {value} is out of the range of bigint"),
            INTEGERS,
        );
    }
    #[expect(
        clippy::cast_possible_truncation,
        reason = "it is a whole number, and in the range of i64"
    )]
    let whole = value as i64;
    Ok(whole)
}

fn double(value: Plain) -> Computed<f64> {
    match value {
        Plain::Double(value) => Ok(value),
        #[expect(
            clippy::cast_precision_loss,
            reason = "an integer becomes the nearest double, as in pgbench"
        )]
        Plain::Int(value) => Ok(value as f64),
        other => {
            let what = format!("{} where a number is needed", kind(other));
            wrong(what, "an integer or a double")
        }
    }
}
