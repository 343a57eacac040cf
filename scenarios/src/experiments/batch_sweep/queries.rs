//! The classes of queries, their tables, the parameters of one query after another, and
//! what each of them must have come to.

use std::collections::VecDeque;

use reports::{experiments::batch_sweep::Class, run::Ledger};
use tokio_postgres::{Row, types::ToSql};

use super::{
    answers::{AMOUNTS, Answers, CITIES, ORDERS, Orders, STATUSES, USERS, User},
    balances::{BALANCES, Balance, Balances},
    events::{Events, Name},
    own::Own,
};
use crate::{
    load::scripts::Scripts,
    script::{Value, parameters},
};

/// Stretches that a condition may have.
const STRETCHES: i32 = 1 << 16;

/// Names of the guide's classes.
pub const BUILT_IN: [&str; 4] = ["small-events", "user-data", "joins", "updates"];

/// The guide's classes, with the sizes that it recommends for them.
#[must_use]
pub fn built_in() -> Vec<Class> {
    let [events, users, joins, updates] = BUILT_IN;
    let class = |name: &str, about: &str, sql: &str, writes, guide| Class {
        name: name.to_owned(),
        about: about.to_owned(),
        statements: vec![sql.to_owned()],
        writes,
        transaction: false,
        guide_batch: Some(guide),
    };
    vec![
        class(
            events,
            "small, simple queries: an event of a hundred bytes is written",
            "INSERT INTO events (run, slice, number, type, data) VALUES ($1, $2, $3, $4, $5)",
            true,
            500,
        ),
        class(
            users,
            "queries of medium complexity: a user is read by primary key",
            "SELECT id, name, email, city, created FROM users WHERE id = $1",
            false,
            200,
        ),
        class(
            joins,
            "complex queries: orders of a city's users, joined and summed up by status",
            "SELECT o.status, count(*), sum(o.amount)::bigint FROM users u \
             JOIN orders o ON o.user_id = u.id WHERE u.city = $1 GROUP BY o.status",
            false,
            50,
        ),
        class(
            updates,
            "transactional updates: balances of different accounts, all of a batch or none",
            "UPDATE balances SET balance = balance + $2, changes = changes + 1, \
             run = $3, slice = $4, number = $5 WHERE id = $1",
            true,
            20,
        ),
    ]
}

/// The statements that make the tables of the guide's classes in a schema.
pub(super) fn tables(schema: &str) -> String {
    let orders = ORDERS * USERS;
    format!(
        "CREATE TABLE {schema}.events (
            id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            run bigint NOT NULL, slice int NOT NULL, number bigint NOT NULL,
            type text NOT NULL, data text NOT NULL);
         CREATE TABLE {schema}.users (
            id int PRIMARY KEY, name text NOT NULL, email text NOT NULL, city int NOT NULL,
            created timestamptz NOT NULL DEFAULT now());
         INSERT INTO {schema}.users (id, name, email, city)
            SELECT i, 'user ' || i, 'user' || i || '@example.org', i % {CITIES}
            FROM generate_series(0, {USERS} - 1) i;
         CREATE INDEX ON {schema}.users (city);
         CREATE TABLE {schema}.orders (
            id int PRIMARY KEY, user_id int NOT NULL, status int NOT NULL, amount bigint NOT NULL);
         INSERT INTO {schema}.orders
            SELECT i, i % {USERS}, i % {STATUSES}, i % {AMOUNTS}
            FROM generate_series(0, {orders} - 1) i;
         CREATE INDEX ON {schema}.orders (user_id);
         CREATE TABLE {schema}.balances (
            id int PRIMARY KEY, balance bigint NOT NULL, changes bigint NOT NULL,
            run bigint NOT NULL, slice int NOT NULL, number bigint NOT NULL)
            WITH (fillfactor = 50);
         ANALYZE {schema}.users; ANALYZE {schema}.orders;"
    )
}

/// Begins a condition with no events, and balances that nobody has changed.
pub(super) fn afresh(schema: &str) -> String {
    format!(
        "TRUNCATE {schema}.events, {schema}.balances;
         INSERT INTO {schema}.balances SELECT i, 0, 0, 0, 0, 0 \
            FROM generate_series(0, {BALANCES} - 1) i;
         ANALYZE {schema}.balances"
    )
}

/// One query of a class after another, and what was said of those before.
#[derive(Debug)]
pub(super) struct Queries<'a> {
    class: &'a Class,
    kind: Kind<'a>,
    rng: fastrand::Rng,
    /// The next query's.
    name: Name,
    /// Queries of all stretches so far.
    turn: u64,
    /// Those that were not answered yet, in their order: what they are about.
    open: VecDeque<(Name, i32)>,
}

#[derive(Debug)]
enum Kind<'a> {
    Events(Events),
    Users(Answers),
    Joins(Answers),
    Updates(Balances),
    Own(Own<'a>),
}

impl<'a> Queries<'a> {
    /// Of a condition of a run, each known by its number. A class that is not the guide's is
    /// a script of the user's.
    pub(super) fn new(
        class: &'a Class,
        scripts: Option<&'a Scripts>,
        (run, condition): (i64, usize),
        mut rng: fastrand::Rng,
    ) -> Self {
        let [events, users, joins, updates] = BUILT_IN;
        let own = scripts.filter(|_| class.guide_batch.is_none());
        let own = own.and_then(|scripts| {
            let weighted = scripts.named(&class.name)?;
            Some(Own::new(scripts, &weighted.script))
        });
        let kind = match &*class.name {
            _ if let Some(own) = own => Kind::Own(own),
            name if name == events => Kind::Events(Events::new(run, &mut rng)),
            name if name == users => Kind::Users(Answers::new()),
            name if name == joins => Kind::Joins(Answers::new()),
            name if name == updates => Kind::Updates(Balances::new()),
            _ => Kind::Own(Own::none()),
        };
        let condition = i32::try_from(condition).unwrap_or(i32::MAX);
        Self {
            class,
            kind,
            rng,
            name: Name {
                run,
                // None of a row that was never written to.
                slice: condition.saturating_add(1).saturating_mul(STRETCHES),
                number: 0,
            },
            turn: 0,
            open: VecDeque::new(),
        }
    }

    /// Queries after which the statements of a script have all had their turn: only whole
    /// cycles are the same load. 1 for the guide's classes, which have one statement, and for
    /// scripts whose runs end with a batch or differ from each other.
    pub(super) fn cycle(&self) -> u64 {
        match &self.kind {
            Kind::Own(own) if !self.class.transaction => own.cycle(),
            _ => 1,
        }
    }

    /// Whether a batch, or what is asked one at a time, may end here: no transaction of the
    /// user's is cut.
    pub(super) fn may_end(&self) -> bool {
        match &self.kind {
            Kind::Own(own) if self.class.transaction => own.is_at_start(),
            _ => true,
        }
    }

    /// What begins and ends each run of the statements, where it is a transaction of the
    /// user's.
    pub(super) fn transaction(&self) -> Option<(&'a str, &'a str)> {
        let statements = &self.class.statements;
        let frame = Some((statements.first()?.as_str(), statements.last()?.as_str()));
        frame.filter(|_| self.class.transaction)
    }

    /// Begins a stretch: a script with its first statement again.
    pub(super) fn restart(&mut self) {
        self.name.slice = self.name.slice.saturating_add(1);
        self.name.number = 0;
        self.open.clear();
        if let Kind::Own(own) = &mut self.kind {
            own.restart();
            self.turn = 0;
        }
    }

    /// Whether a batch is all or nothing, and not only confirmed as one.
    pub(super) fn transactional(&self) -> bool {
        matches!(self.kind, Kind::Updates(_)) || self.class.transaction
    }

    /// The next one.
    pub(super) fn next(&mut self) -> Query<'_> {
        let (name, turn) = (self.name, self.turn);
        self.name.number += 1;
        self.turn += 1;
        let key = match &self.kind {
            Kind::Users(_) => self.rng.i32(0..USERS),
            Kind::Joins(_) => self.rng.i32(0..CITIES),
            Kind::Updates(_) => Balances::key(turn),
            Kind::Events(_) | Kind::Own(_) => 0,
        };
        self.open.push_back((name, key));
        if let Kind::Own(own) = &mut self.kind {
            let (index, values) = own.next(&mut self.rng);
            let sql = self.class.statements.get(index);
            return Query {
                sql: sql.map_or("", String::as_str),
                index,
                values: Values::Own(values),
            };
        }
        let statements = &self.class.statements;
        let index = usize::try_from(turn % statements.len().max(1) as u64).unwrap_or(0);
        Query {
            sql: statements.get(index).map_or("", String::as_str),
            index,
            values: match &self.kind {
                Kind::Events(events) => {
                    let (kind, data) = events.content(name);
                    Values::Event(name, kind, data)
                }
                Kind::Users(_) | Kind::Joins(_) => Values::Key(key),
                Kind::Updates(_) => Values::Change(key, Balances::amount(name), name),
                Kind::Own(_) => Values::Own(Vec::new()),
            },
        }
    }

    /// The first of those that were not answered yet was: with an error unless `done`, and
    /// with these rows, as far as they are known.
    pub(super) fn answered(&mut self, done: bool, rows: Option<&[Row]>) {
        let Some((name, key)) = self.open.pop_front() else {
            return;
        };
        match (&mut self.kind, rows) {
            (Kind::Events(events), _) => events.answered(name, done),
            (Kind::Updates(balances), _) if done => balances.acknowledged(key, name),
            (Kind::Users(answers), Some(rows)) => answers.user(key, rows.iter().map(user)),
            (Kind::Joins(answers), Some(rows)) => answers.orders(key, rows.iter().map(orders)),
            (Kind::Users(answers) | Kind::Joins(answers), None) if done => answers.none(),
            (Kind::Own(_) | Kind::Updates(_), _) | (_, None) => {}
        }
    }

    /// How many were not answered yet.
    pub(super) fn open(&self) -> usize {
        self.open.len()
    }

    /// What reads every row of the table that is written to, for [`found`](Self::found).
    pub(super) fn written(&self, schema: &str) -> Option<String> {
        match self.kind {
            Kind::Events(_) => Some(format!(
                "SELECT run, slice, number, type, data FROM {schema}.events"
            )),
            Kind::Updates(_) => Some(format!(
                "SELECT run, slice, number, id, balance, changes FROM {schema}.balances"
            )),
            Kind::Users(_) | Kind::Joins(_) | Kind::Own(_) => None,
        }
    }

    /// A row of that table.
    ///
    /// # Errors
    /// If it has not the columns that were asked for.
    pub(super) fn found(&mut self, row: &Row) -> Result<(), tokio_postgres::Error> {
        let name = || {
            Ok(Name {
                run: row.try_get(0)?,
                slice: row.try_get(1)?,
                number: row.try_get(2)?,
            })
        };
        match &mut self.kind {
            Kind::Events(events) => events.found(name()?, row.try_get(3)?, row.try_get(4)?),
            Kind::Updates(balances) => {
                let is = Balance {
                    last: name()?,
                    balance: row.try_get(4)?,
                    changes: row.try_get(5)?,
                };
                balances.found(row.try_get(3)?, is);
            }
            Kind::Users(_) | Kind::Joins(_) | Kind::Own(_) => {}
        }
        Ok(())
    }

    /// What became of the rows that were written or read. `None` of the user's own, of
    /// which nobody knows what they must be.
    pub(super) fn ledger(&self) -> Option<Ledger> {
        match &self.kind {
            Kind::Events(events) => Some(events.ledger()),
            Kind::Updates(balances) => Some(balances.ledger()),
            Kind::Users(answers) | Kind::Joins(answers) => Some(answers.ledger()),
            Kind::Own(_) => None,
        }
    }
}

fn user(row: &Row) -> Option<User<'_>> {
    Some(User {
        id: row.try_get(0).ok()?,
        name: row.try_get(1).ok()?,
        email: row.try_get(2).ok()?,
        city: row.try_get(3).ok()?,
    })
}

fn orders(row: &Row) -> Option<Orders> {
    Some(Orders {
        status: row.try_get(0).ok()?,
        count: row.try_get(1).ok()?,
        amount: row.try_get(2).ok()?,
    })
}

/// A statement and what stands for its parameters.
#[derive(Debug)]
pub(super) struct Query<'a> {
    pub(super) sql: &'a str,
    /// Which of its class's statements it is.
    pub(super) index: usize,
    values: Values<'a>,
}

#[derive(Debug)]
enum Values<'a> {
    Own(Vec<Value>),
    Event(Name, &'a str, &'a str),
    Key(i32),
    Change(i32, i64, Name),
}

impl Query<'_> {
    /// The parameters. Those of the guide's classes take no allocation in what is measured.
    pub(super) fn parameters(&self) -> Parameters<'_> {
        let no: &(dyn ToSql + Sync) = &false;
        match &self.values {
            Values::Own(values) => Parameters::Many(parameters(values)),
            Values::Event(name, kind, data) => {
                Parameters::Few([&name.run, &name.slice, &name.number, kind, data], 5)
            }
            Values::Key(key) => Parameters::Few([key, no, no, no, no], 1),
            Values::Change(key, amount, name) => {
                Parameters::Few([key, amount, &name.run, &name.slice, &name.number], 5)
            }
        }
    }
}

/// Parameters of a query.
pub(super) enum Parameters<'a> {
    /// The first so many of these.
    Few([&'a (dyn ToSql + Sync); 5], usize),
    /// All of these.
    Many(Vec<&'a (dyn ToSql + Sync)>),
}

impl<'a> Parameters<'a> {
    pub(super) fn all(&self) -> &[&'a (dyn ToSql + Sync)] {
        match self {
            Self::Few(some, n) => &some[..*n],
            Self::Many(all) => all,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::script::Script;

    fn class(name: &str) -> Class {
        let mut classes = built_in().into_iter();
        classes.find(|class| class.name == name).expect("it is one")
    }

    #[test]
    fn the_sizes_are_the_guide_s() {
        let sizes: Vec<_> = built_in().into_iter().map(|c| c.guide_batch).collect();
        assert_eq!(sizes, [Some(500), Some(200), Some(50), Some(20)]);
    }

    #[test]
    fn statements_of_a_script_take_turns_and_have_its_values() {
        let text = "-- @param 1 = 7\n\\set b :scale + 1\nSELECT $1; SELECT :b, $1; SELECT 3";
        let (class, scripts) = own(text);
        let rng = fastrand::Rng::with_seed(1);
        let mut queries = Queries::new(&class, Some(&scripts), (7, 0), rng);
        for (sql, given) in [
            ("SELECT $1", 1),
            ("SELECT $1, $2", 2),
            ("SELECT 3", 0),
            ("SELECT $1", 1),
        ] {
            let query = queries.next();
            assert_eq!(query.sql, sql);
            assert_eq!(query.parameters().all().len(), given);
        }
        assert_eq!(queries.cycle(), 3);
        queries.restart();
        assert_eq!(queries.next().sql, "SELECT $1");
    }

    #[test]
    fn a_transaction_of_the_user_s_ends_where_its_script_does() {
        let (class, scripts) = own("BEGIN; SELECT 1; SELECT 2; END;");
        let rng = fastrand::Rng::with_seed(1);
        let mut queries = Queries::new(&class, Some(&scripts), (7, 0), rng);
        assert_eq!(queries.transaction(), Some(("BEGIN", "END")));
        assert!(queries.transactional() && queries.may_end());
        for (sql, ends) in [("SELECT 1", false), ("SELECT 2", true), ("SELECT 1", false)] {
            assert_eq!(queries.next().sql, sql);
            assert_eq!(queries.may_end(), ends);
        }
    }

    fn own(text: &str) -> (Class, Scripts) {
        let script = Script::read("joins.sql", text).expect("a script");
        let scripts = Scripts::new(vec![(script, 1)], BTreeMap::new(), 7).expect("a load");
        let mut classes = super::super::class::classes(&scripts).expect("a class");
        (classes.remove(0), scripts)
    }

    #[test]
    fn the_guide_s_classes_go_on_where_they_were() {
        let class = class("updates");
        let mut queries = Queries::new(&class, None, (7, 0), fastrand::Rng::with_seed(1));
        assert_eq!(queries.cycle(), 1);
        assert!(queries.transactional());
        let next = |queries: &mut Queries<'_>| {
            let Values::Change(key, amount, name) = queries.next().values else {
                panic!("no update");
            };
            assert_eq!(amount, Balances::amount(name));
            (key, name)
        };
        queries.restart();
        let (first, one) = next(&mut queries);
        queries.restart();
        let (second, other) = next(&mut queries);
        assert_ne!(first, second);
        assert_eq!((one.run, one.number, other.number), (7, 0, 0));
        assert_eq!(one.slice + 1, other.slice);
    }

    #[test]
    fn every_query_has_the_parameters_of_its_statement() {
        for class in built_in() {
            let mut queries = Queries::new(&class, None, (7, 0), fastrand::Rng::with_seed(1));
            for _ in 0..100 {
                let query = queries.next();
                let given = query.parameters().all().len();
                let wanted = query.sql.matches('$').count();
                assert_eq!(given, wanted, "{}", query.sql);
            }
        }
    }
    #[test]
    fn stretches_of_two_conditions_have_no_number_in_common() {
        let class = class("small-events");
        let of = |condition| {
            let rng = fastrand::Rng::with_seed(1);
            let mut queries = Queries::new(&class, None, (7, condition), rng);
            let slices = (0..2_000).map(|_| {
                queries.restart();
                queries.name.slice
            });
            slices.collect::<std::collections::HashSet<i32>>()
        };
        let (first, second) = (of(0), of(1));
        assert_eq!(first.len(), 2_000);
        assert!(first.is_disjoint(&second) && !first.contains(&0));
    }

    #[test]
    fn a_read_that_is_done_without_rows_is_missed_and_one_that_failed_is_not() {
        for name in ["user-data", "joins"] {
            let class = class(name);
            let mut queries = Queries::new(&class, None, (7, 0), fastrand::Rng::with_seed(1));
            queries.restart();
            for done in [true, false] {
                queries.next();
                queries.answered(done, None);
            }
            let ledger = queries.ledger().expect("its rows are known");
            assert_eq!((ledger.reads, ledger.missing_reads), (1, 1), "{name}");
        }
    }

    #[test]
    fn answers_belong_to_queries_in_their_order() {
        let class = class("updates");
        let mut queries = Queries::new(&class, None, (7, 0), fastrand::Rng::with_seed(1));
        queries.restart();
        for _ in 0..3 {
            queries.next();
        }
        // The second was refused.
        for done in [true, false, true] {
            queries.answered(done, None);
        }
        let ledger = queries.ledger().expect("its rows are known");
        assert_eq!((ledger.acked, ledger.lost), (2, 2), "nobody found them");
        // What nobody asked is no answer.
        queries.answered(true, None);
        assert_eq!(queries.ledger().expect("known").acked, 2);
    }
}
