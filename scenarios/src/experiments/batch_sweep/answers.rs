//! What the queries that read must answer, and what is wrong with their answers. Pure.
//!
//! What is in the tables that are read follows from their keys, so an answer is checked
//! by what it says: rows of another key, with another content, too many or too few.

use reports::run::Ledger;

pub(super) const USERS: i32 = 10_000;
/// Twenty users each, and so a hundred orders: a join that takes the server some 0.3 ms.
pub(super) const CITIES: i32 = 500;
/// Orders of each user.
pub(super) const ORDERS: i32 = 5;
/// Different statuses of an order.
pub(super) const STATUSES: i32 = 7;
/// Different amounts of an order.
pub(super) const AMOUNTS: i32 = 1_000;

/// A user, as read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct User<'a> {
    pub(super) id: i32,
    pub(super) name: &'a str,
    pub(super) email: &'a str,
    pub(super) city: i32,
}

/// The orders of a city's users with one status, summed up, as read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Orders {
    pub(super) status: i32,
    pub(super) count: i64,
    pub(super) amount: i64,
}

/// Rows that were read, and what was wrong with them.
#[derive(Debug)]
pub(super) struct Answers {
    /// By city, what there must be for each status.
    cities: Vec<Vec<Orders>>,
    counted: Ledger,
}

impl Answers {
    pub(super) fn new() -> Self {
        Self {
            cities: cities(),
            counted: Ledger::default(),
        }
    }

    /// The answer to: who has this key? A row that cannot be read is `None`.
    pub(super) fn user<'a>(&mut self, key: i32, found: impl Iterator<Item = Option<User<'a>>>) {
        let mut once = false;
        for row in found {
            if row.is_some_and(|row| row.is(key)) && !once {
                once = true;
            } else {
                self.counted.foreign_reads += 1;
            }
        }
        self.counted.reads += 1;
        self.counted.missing_reads += u64::from(!once);
    }

    /// The answer to: what did this city order? A row that cannot be read is `None`.
    pub(super) fn orders(&mut self, city: i32, found: impl Iterator<Item = Option<Orders>>) {
        let of_city = usize::try_from(city).ok().and_then(|i| self.cities.get(i));
        let must = of_city.map_or(&[][..], Vec::as_slice);
        let mut seen = [false; STATUSES as usize];
        let mut right = 0;
        for row in found {
            let at = row.and_then(|row| must.iter().position(|must| *must == row));
            match at.and_then(|at| seen.get_mut(at)) {
                Some(seen) if !*seen => {
                    *seen = true;
                    right += 1;
                }
                _ => self.counted.foreign_reads += 1,
            }
        }
        let must = must.len() as u64;
        self.counted.reads += must;
        self.counted.missing_reads += must - right;
    }

    /// An answer whose rows are not known although the query is said to be done.
    pub(super) fn none(&mut self) {
        self.counted.reads += 1;
        self.counted.missing_reads += 1;
    }

    /// What was counted so far, as the part of a ledger that is about reads.
    pub(super) fn ledger(&self) -> Ledger {
        self.counted
    }
}

impl User<'_> {
    /// Whether this is the user of that key, in all that was read of it.
    fn is(&self, key: i32) -> bool {
        let number = |text: Option<&str>| text.and_then(|text| text.parse().ok());
        let email = self.email.strip_prefix("user");
        self.id == key
            && number(self.name.strip_prefix("user ")) == Some(key)
            && number(email.and_then(|rest| rest.strip_suffix("@example.org"))) == Some(key)
            && self.city == key % CITIES
    }
}

/// What the tables hold, as [`tables`](super::queries::tables) fills them.
fn cities() -> Vec<Vec<Orders>> {
    let none = |status| Orders {
        status,
        count: 0,
        amount: 0,
    };
    let mut cities: Vec<Vec<Orders>> = (0..CITIES)
        .map(|_| (0..STATUSES).map(none).collect())
        .collect();
    for order in 0..ORDERS * USERS {
        let city = usize::try_from(order % USERS % CITIES).unwrap_or(0);
        let status = usize::try_from(order % STATUSES).unwrap_or(0);
        let orders = &mut cities[city][status];
        orders.count += 1;
        orders.amount += i64::from(order % AMOUNTS);
    }
    for city in &mut cities {
        city.retain(|orders| orders.count > 0);
    }
    cities
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Wrong and missing rows of an answer, of so many.
    fn counted(check: impl Fn(&mut Answers)) -> (u64, u64, u64) {
        let mut answers = Answers::new();
        check(&mut answers);
        let ledger = answers.ledger();
        (ledger.reads, ledger.foreign_reads, ledger.missing_reads)
    }

    #[test]
    fn a_user_is_known_by_all_that_is_read_of_it() {
        let right = User {
            id: 1_234,
            name: "user 1234",
            email: "user1234@example.org",
            city: 234,
        };
        let of = |found: &[Option<User<'_>>]| counted(|a| a.user(1_234, found.iter().copied()));
        assert_eq!(of(&[Some(right)]), (1, 0, 0));
        assert_eq!(of(&[]), (1, 0, 1));
        assert_eq!(of(&[Some(right), Some(right)]), (1, 1, 0));
        assert_eq!(of(&[None]), (1, 1, 1));
        for wrong in [
            User { id: 1_235, ..right },
            User {
                name: "user 1235",
                ..right
            },
            User {
                email: "user1235@example.org",
                ..right
            },
            User { city: 235, ..right },
        ] {
            assert_eq!(of(&[Some(wrong)]), (1, 1, 1), "{wrong:?}");
        }
    }

    #[test]
    fn a_city_s_orders_are_known_by_status_number_and_sum() {
        let all = cities();
        let orders: i64 = all.iter().flatten().map(|orders| orders.count).sum();
        assert_eq!(orders, i64::from(ORDERS * USERS));
        let right: Vec<Option<Orders>> = all[7].iter().copied().map(Some).collect();
        let rows = right.len() as u64;
        assert!(rows > 3, "{rows}");
        let of = |found: &[Option<Orders>]| counted(|a| a.orders(7, found.iter().copied()));
        assert_eq!(of(&right), (rows, 0, 0));
        assert_eq!(of(&right[1..]), (rows, 0, 1));
        assert_eq!(of(&[&right[..], &right[..1]].concat()), (rows, 1, 0));
        // An answer to another question.
        let other: Vec<Option<Orders>> = all[8].iter().copied().map(Some).collect();
        let (reads, foreign, missing) = of(&other);
        assert_eq!(reads, rows);
        assert!(foreign > 0 && missing > 0, "{foreign}, {missing}");
        let mut wrong = right.clone();
        wrong[0] = right[0].map(|orders| Orders {
            amount: orders.amount + 1,
            ..orders
        });
        assert_eq!(of(&wrong), (rows, 1, 1));
    }
}
