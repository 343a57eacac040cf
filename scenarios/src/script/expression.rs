//! An expression of a script, and its value.

use fastrand::Rng;

use super::{
    error::Fault,
    function::{Function, MOST_ARGUMENTS, Wrong, boolean, truth},
    value::{Plain, Value, plain},
};

/// The names of a script's variables. Each has a slot: its place in this list, and the
/// place of its value in a run.
#[derive(Debug, Clone, Default)]
pub(crate) struct Names(Vec<String>);

impl Names {
    /// The slot of a name. One that was not named yet gets the next.
    pub(crate) fn slot(&mut self, name: &str) -> usize {
        self.find(name).unwrap_or_else(|| {
            self.0.push(name.to_owned());
            self.0.len() - 1
        })
    }

    pub(crate) fn find(&self, name: &str) -> Option<usize> {
        self.0.iter().position(|known| known == name)
    }

    pub(crate) fn name(&self, slot: usize) -> &str {
        self.0.get(slot).map_or("", String::as_str)
    }

    pub(crate) fn all(&self) -> &[String] {
        &self.0
    }
}

/// An expression: what `\set`, `\if`, `\elif`, `-- @param` and `-- @write` compute.
#[derive(Debug, Clone)]
pub struct Expression {
    pub(crate) root: Node,
    /// The slots of its variables, each with the byte of the script where it stands.
    pub(crate) uses: Vec<(usize, usize)>,
}

/// A part of an expression. `at` is the byte of the script where it stands.
#[derive(Debug, Clone)]
pub(crate) enum Node {
    Constant(Plain),
    Variable {
        slot: usize,
        at: usize,
    },
    Call {
        function: Function,
        arguments: Vec<Self>,
        at: usize,
    },
    And(Box<[Self; 2]>, usize),
    Or(Box<[Self; 2]>, usize),
    Case {
        branches: Vec<(Self, Self)>,
        otherwise: Box<Self>,
    },
}

/// The variables that an expression sees: what their names are, and what is in their slots.
#[derive(Clone, Copy)]
pub(crate) struct Scope<'a> {
    pub(crate) names: &'a Names,
    pub(crate) slots: &'a [Option<Value>],
}

impl Expression {
    /// Its value.
    pub(crate) fn value(&self, scope: Scope<'_>, rng: &mut Rng) -> Result<Plain, Box<Fault>> {
        self.root.value(scope, rng)
    }

    /// Whether its value is true as a condition.
    pub(crate) fn holds(&self, scope: Scope<'_>, rng: &mut Rng) -> Result<bool, Box<Fault>> {
        Ok(truth(self.value(scope, rng)?))
    }
}

impl Node {
    fn value(&self, scope: Scope<'_>, rng: &mut Rng) -> Result<Plain, Box<Fault>> {
        match self {
            Self::Constant(value) => Ok(*value),
            Self::Variable { slot, at } => variable(*slot, *at, scope),
            Self::Call {
                function,
                arguments,
                at,
            } => {
                let computed = if arguments.len() <= 3 {
                    call::<3>(*function, arguments, scope, rng)?
                } else {
                    call::<MOST_ARGUMENTS>(*function, arguments, scope, rng)?
                };
                computed.map_err(|wrong| fault(*at, *wrong))
            }
            Self::And(sides, at) => shortcut(sides, *at, false, scope, rng),
            Self::Or(sides, at) => shortcut(sides, *at, true, scope, rng),
            Self::Case {
                branches,
                otherwise,
            } => {
                for (when, then) in branches {
                    if truth(when.value(scope, rng)?) {
                        return then.value(scope, rng);
                    }
                }
                otherwise.value(scope, rng)
            }
        }
    }
}

type Computed = Result<Plain, Box<Wrong>>;

/// Calls a function that has at most N arguments.
fn call<const N: usize>(
    function: Function,
    arguments: &[Node],
    scope: Scope<'_>,
    rng: &mut Rng,
) -> Result<Computed, Box<Fault>> {
    let mut values = [Plain::Null; N];
    for (value, argument) in values.iter_mut().zip(arguments) {
        *value = argument.value(scope, rng)?;
    }
    let given = values.get(..arguments.len()).unwrap_or(&values);
    Ok(function.of(given, rng))
}

/// AND and OR: the left side decides if it is NULL or `decides`, and the right side is not
/// looked at then.
fn shortcut(
    sides: &[Node; 2],
    at: usize,
    decides: bool,
    scope: Scope<'_>,
    rng: &mut Rng,
) -> Result<Plain, Box<Fault>> {
    let [left, right] = sides;
    let left = left.value(scope, rng)?;
    if left == Plain::Null {
        return Ok(Plain::Null);
    }
    let left = boolean(left).map_err(|wrong| fault(at, *wrong))?;
    if left == decides {
        return Ok(Plain::Bool(left));
    }
    let right = right.value(scope, rng)?;
    if right == Plain::Null {
        return Ok(Plain::Null);
    }
    let right = boolean(right).map_err(|wrong| fault(at, *wrong))?;
    Ok(Plain::Bool(right))
}

fn variable(slot: usize, at: usize, scope: Scope<'_>) -> Result<Plain, Box<Fault>> {
    match scope.slots.get(slot).and_then(Option::as_ref) {
        Some(Value::Int(value)) => Ok(Plain::Int(*value)),
        Some(Value::Double(value)) => Ok(Plain::Double(*value)),
        Some(Value::Bool(value)) => Ok(Plain::Bool(*value)),
        Some(Value::Null) => Ok(Plain::Null),
        Some(Value::Text(text)) => plain(text).ok_or_else(|| {
            let what = format!("variable {} is {text:?}", scope.names.name(slot));
            Fault::boxed(at, what, "a number, a boolean or null in an expression")
        }),
        None => Err(undefined(slot, at, scope.names)),
    }
}

/// What is said of a variable that has no value when it is used.
pub(crate) fn undefined(slot: usize, at: usize, names: &Names) -> Box<Fault> {
    let what = format!("variable {} has no value", names.name(slot));
    let allowed = "a variable that \\set, \\gset, \\aset or -D has set before, on each path";
    Fault::boxed(at, what, allowed)
}

fn fault(at: usize, wrong: Wrong) -> Box<Fault> {
    Fault::boxed(at, wrong.what, wrong.allowed)
}
