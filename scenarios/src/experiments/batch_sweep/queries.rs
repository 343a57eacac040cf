//! The classes of queries, their tables, and the parameters of one query after another.

use reports::experiments::batch_sweep::Class;
use tokio_postgres::types::ToSql;

const USERS: i32 = 10_000;
/// Twenty users each, and so a hundred orders: a join that takes the server some 0.3 ms.
const CITIES: i32 = 500;
const BALANCES: i32 = 10_000;
/// Prime to the number of balances: neighbours in a batch lie on different pages, and
/// none comes again before all others have.
const STRIDE: u64 = 7_919;
const TYPES: [&str; 4] = ["login", "view", "order", "logout"];
/// Different texts among the events.
const TEXTS: usize = 64;

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
        guide_batch: Some(guide),
    };
    vec![
        class(
            events,
            "small, simple queries: an event of a hundred bytes is written",
            "INSERT INTO events (type, data) VALUES ($1, $2)",
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
            "SELECT o.status, count(*), sum(o.amount) FROM users u \
             JOIN orders o ON o.user_id = u.id WHERE u.city = $1 GROUP BY o.status",
            false,
            50,
        ),
        class(
            updates,
            "transactional updates: balances of different accounts, all of a batch or none",
            "UPDATE balances SET balance = balance + $2 WHERE id = $1",
            true,
            20,
        ),
    ]
}

/// The statements that make the tables of the guide's classes in a schema.
pub(super) fn tables(schema: &str) -> String {
    format!(
        "CREATE TABLE {schema}.events (
            id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
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
            SELECT i, i % {USERS}, i % 7, i % 1000 FROM generate_series(0, 5 * {USERS} - 1) i;
         CREATE INDEX ON {schema}.orders (user_id);
         CREATE TABLE {schema}.balances (id int PRIMARY KEY, balance bigint NOT NULL)
            WITH (fillfactor = 50);
         INSERT INTO {schema}.balances SELECT i, 0 FROM generate_series(0, {BALANCES} - 1) i;
         ANALYZE {schema}.users; ANALYZE {schema}.orders; ANALYZE {schema}.balances;"
    )
}

/// Takes what earlier slices wrote away.
pub(super) fn empty_events(schema: &str) -> String {
    format!("TRUNCATE {schema}.events")
}

/// How many there are.
pub(super) fn count_events(schema: &str) -> String {
    format!("SELECT count(*) FROM {schema}.events")
}

/// One query of a class after another.
#[derive(Debug)]
pub(super) struct Queries<'a> {
    class: &'a Class,
    kind: Kind,
    rng: fastrand::Rng,
    texts: Vec<String>,
    number: u64,
    acknowledged: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Events,
    Users,
    Joins,
    Updates,
    Own,
}

impl<'a> Queries<'a> {
    pub(super) fn new(class: &'a Class, mut rng: fastrand::Rng) -> Self {
        let [events, users, joins, updates] = BUILT_IN;
        let kind = match &*class.name {
            _ if class.guide_batch.is_none() => Kind::Own,
            name if name == events => Kind::Events,
            name if name == users => Kind::Users,
            name if name == joins => Kind::Joins,
            name if name == updates => Kind::Updates,
            _ => Kind::Own,
        };
        let text =
            |rng: &mut fastrand::Rng| -> String { (0..100).map(|_| rng.alphanumeric()).collect() };
        Self {
            class,
            kind,
            texts: (0..TEXTS).map(|_| text(&mut rng)).collect(),
            rng,
            number: 0,
            acknowledged: 0,
        }
    }

    /// Queries after which the statements of a file have all had their turn: only whole
    /// cycles are the same load. 1 for the guide's classes, which have one statement.
    pub(super) fn cycle(&self) -> u64 {
        match self.kind {
            Kind::Own => self.class.statements.len().max(1) as u64,
            _ => 1,
        }
    }

    /// So many more were answered without an error.
    pub(super) fn acknowledge(&mut self, queries: u64) {
        self.acknowledged += queries;
    }

    /// Rows that were acknowledged, if each query makes one and nothing takes it away.
    pub(super) fn rows(&self) -> Option<u64> {
        (self.kind == Kind::Events).then_some(self.acknowledged)
    }

    /// Begins a file with its first statement again.
    pub(super) fn restart(&mut self) {
        if self.kind == Kind::Own {
            self.number = 0;
        }
    }

    /// Whether a batch is all or nothing, and not only confirmed as one.
    pub(super) fn transactional(&self) -> bool {
        self.kind == Kind::Updates
    }

    /// The next one.
    pub(super) fn next(&mut self) -> Query<'_> {
        let number = self.number;
        self.number += 1;
        let at = |n: usize| usize::try_from(number % n.max(1) as u64).unwrap_or(0);
        let values = match self.kind {
            Kind::Events => Values::Event(TYPES[at(TYPES.len())], &self.texts[at(TEXTS)]),
            Kind::Users => Values::Key(self.rng.i32(0..USERS)),
            Kind::Joins => Values::Key(self.rng.i32(0..CITIES)),
            Kind::Updates => {
                let key = number.wrapping_mul(STRIDE) % BALANCES.unsigned_abs() as u64;
                Values::Change(i32::try_from(key).unwrap_or(0), 1)
            }
            Kind::Own => Values::None,
        };
        let statements = &self.class.statements;
        let sql = statements.get(at(statements.len()));
        Query {
            sql: sql.map_or("", String::as_str),
            values,
        }
    }
}

/// A statement and what stands for its parameters.
#[derive(Debug)]
pub(super) struct Query<'a> {
    pub(super) sql: &'a str,
    values: Values<'a>,
}

#[derive(Debug)]
enum Values<'a> {
    None,
    Event(&'a str, &'a str),
    Key(i32),
    Change(i32, i64),
}

impl Query<'_> {
    /// Calls `with` with the parameters: no allocation in what is measured.
    pub(super) fn parameters(&self) -> Parameters<'_> {
        let unused: &(dyn ToSql + Sync) = &false;
        match &self.values {
            Values::None => Parameters([unused, unused], 0),
            Values::Event(kind, data) => Parameters([kind, data], 2),
            Values::Key(key) => Parameters([key, unused], 1),
            Values::Change(key, amount) => Parameters([key, amount], 2),
        }
    }
}

/// Up to two parameters.
pub(super) struct Parameters<'a>([&'a (dyn ToSql + Sync); 2], usize);

impl<'a> Parameters<'a> {
    pub(super) fn all(&self) -> &[&'a (dyn ToSql + Sync)] {
        &self.0[..self.1]
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

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
    fn updates_of_a_thousand_in_a_row_do_not_meet() {
        let class = class("updates");
        let mut queries = Queries::new(&class, fastrand::Rng::with_seed(1));
        let mut seen = HashSet::new();
        for _ in 0..BALANCES {
            let Values::Change(key, 1) = queries.next().values else {
                panic!("no update");
            };
            assert!((0..BALANCES).contains(&key));
            assert!(seen.insert(key), "{key} came twice");
        }
        assert!(queries.transactional());
    }

    #[test]
    fn statements_of_a_file_take_turns_and_have_no_parameters() {
        let own = Class {
            name: "joins".to_owned(),
            about: String::new(),
            statements: ["SELECT 1", "SELECT 2", "SELECT 3"]
                .map(str::to_owned)
                .into(),
            writes: false,
            guide_batch: None,
        };
        let mut queries = Queries::new(&own, fastrand::Rng::with_seed(1));
        for expected in ["SELECT 1", "SELECT 2", "SELECT 3", "SELECT 1"] {
            let query = queries.next();
            assert_eq!(query.sql, expected);
            assert!(query.parameters().all().is_empty());
        }
        assert_eq!(queries.cycle(), 3);
        queries.restart();
        assert_eq!(queries.next().sql, "SELECT 1");
    }

    #[test]
    fn the_guide_s_classes_go_on_where_they_were() {
        let class = class("updates");
        let mut queries = Queries::new(&class, fastrand::Rng::with_seed(1));
        assert_eq!(queries.cycle(), 1);
        let Values::Change(first, _) = queries.next().values else {
            panic!("no update");
        };
        queries.restart();
        let Values::Change(second, _) = queries.next().values else {
            panic!("no update");
        };
        assert_ne!(first, second);
    }

    #[test]
    fn every_query_has_the_parameters_of_its_statement() {
        for class in built_in() {
            let mut queries = Queries::new(&class, fastrand::Rng::with_seed(1));
            for _ in 0..100 {
                let query = queries.next();
                let given = query.parameters().all().len();
                let wanted = query.sql.matches('$').count();
                assert_eq!(given, wanted, "{}", query.sql);
            }
        }
    }
}
