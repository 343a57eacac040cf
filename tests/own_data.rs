//! A run on the user's own data: what it finds is what they named, and theirs stays.

use std::{
    fs,
    future::pending,
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    time::Duration,
};

use scenarios::environment::{
    Endpoint, Environment, EnvironmentError, Fill, Kind, Session, Shutdown, Wanted,
};
use seawall::{clock, config::Secret};

use super::{
    command::{binary, json, left_by, says},
    external::{close, run, session, url},
    programs::{client, output},
    server,
};

/// A shop with what trips up who reads a dump.
const SHOP: &str = r#"
CREATE TABLE users (id serial PRIMARY KEY, name text NOT NULL, note text);
CREATE TABLE orders (
    id serial PRIMARY KEY, user_id int NOT NULL REFERENCES users,
    total numeric(10,2) NOT NULL DEFAULT 0
);
CREATE TABLE items (
    id serial PRIMARY KEY, order_id int NOT NULL REFERENCES orders, price numeric(10,2)
);
CREATE TABLE "Odd; name" ("a ""b" int, t text, b bytea);
CREATE INDEX ON orders (user_id);
CREATE VIEW spent AS SELECT user_id, sum(total) AS total FROM orders GROUP BY 1;
CREATE FUNCTION add_up() RETURNS trigger LANGUAGE plpgsql AS $body$ BEGIN
    /* ';' */ UPDATE orders SET total = total + NEW.price WHERE id = NEW.order_id;
    RETURN NEW;
END; $body$;
CREATE FUNCTION twice(i int) RETURNS int LANGUAGE sql
    AS 'SELECT CASE WHEN i > 0 THEN 2 * i ELSE i END; SELECT 1;';
CREATE TRIGGER add_up AFTER INSERT ON items FOR EACH ROW EXECUTE FUNCTION add_up();
INSERT INTO users (name, note) SELECT 'user ' || i,
    E'tab\t, line\nand \\ backslash, \\. and ünïcode ☃ '';' FROM generate_series(1, 200) i;
INSERT INTO orders (user_id) SELECT 1 + i % 200 FROM generate_series(1, 600) i;
INSERT INTO items (order_id, price) SELECT 1 + i % 600, i % 50 FROM generate_series(1, 1200) i;
INSERT INTO "Odd; name" VALUES
    (1, E'\\.', '\x00ff'), (2, E'\n\\.\n', NULL), (3, '', ''), (4, NULL, NULL), (4, NULL, NULL);
CREATE ROLE shopkeeper NOLOGIN;
ALTER TABLE items OWNER TO shopkeeper;
GRANT SELECT ON users TO shopkeeper;
"#;

/// A database with the shop, on a server that is somebody's.
async fn shop(server: &Environment) -> Endpoint {
    let first = session(server.endpoint(), "seawall").await;
    run(&first, "CREATE DATABASE shop").await;
    close(server.endpoint(), first).await;
    let shop = Endpoint {
        database: "shop".to_owned(),
        ..server.endpoint().clone()
    };
    let filling = session(&shop, "seawall").await;
    run(&filling, SHOP).await;
    run(
        &filling,
        "ALTER DATABASE shop SET search_path = public, \"Odd; one\"",
    )
    .await;
    close(&shop, filling).await;
    shop
}

/// What pg_dump writes of a database, without the two words that it draws.
fn dumped(database: &Endpoint, args: &[&str]) -> String {
    let text = output(client("pg_dump", database).args(args), "pg_dump");
    let lines = text.lines().filter(|line| {
        let drawn = line.starts_with("\\restrict") || line.starts_with("\\unrestrict");
        !drawn
    });
    lines.map(|line| format!("{line}\n")).collect()
}

/// Two dumps are the same; if not, only where they part is told.
#[track_caller]
fn same(found: &str, expected: &str) {
    let both = found.lines().zip(expected.lines());
    let parted = both.enumerate().find(|(_, (a, b))| a != b);
    assert_eq!(parted, None);
    assert_eq!(found.len(), expected.len());
}

fn written(folder: &Path, name: &str, text: &str) -> PathBuf {
    let path = folder.join(name);
    fs::write(&path, text).expect("written");
    path
}

fn external(database: &Endpoint, user: &str, password: &str, fill: Fill) -> Wanted {
    Wanted {
        database_url: Some(Secret::new(url(database, user, password))),
        fill,
        ..server::wanted(Kind::External)
    }
}

async fn databases(of: &Endpoint) -> Vec<String> {
    let session = session(of, "seawall").await;
    let select = "SELECT datname::text FROM pg_database WHERE datname LIKE 'seawall%' ORDER BY 1";
    let rows = session.client.query(select, &[]).await.expect(select);
    close(of, session).await;
    rows.iter().map(|row| row.get(0)).collect()
}

/// A quick run, whose command is to say what it does.
fn command(args: &[&str]) -> Command {
    let mut command = Command::new(binary());
    command
        .args(["steady", "--quick", "--rate", "50"])
        .args(args)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// Runs it to its end; nothing of a local one is left.
fn ends(args: &[&str], code: i32) -> String {
    let folder = tempfile::tempdir().expect("a folder");
    let child = command(args).arg("--out").arg(folder.path()).spawn();
    let child = child.expect("it runs");
    let runner = child.id();
    let output: Output = child.wait_with_output().expect("it ends");
    let said = says(&output);
    assert_eq!(output.status.code(), Some(code), "{args:?}: {said}");
    assert!(!left_by(runner, Kind::Local), "{args:?}: something is left");
    said
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dump_is_loaded_as_it_was_and_put_back_after_a_crash() {
    let (source, _place) = server::any().await;
    let shop = shop(&source).await;
    let folder = tempfile::tempdir().expect("a folder");
    let expected = dumped(&shop, &[]);
    assert!(expected.contains("FROM stdin;\n") && expected.contains("AS $$"));
    // As of a newer pg_dump, and with the words that it draws.
    let newer = format!("\\restrict x1\nSET transaction_timeout = 0;\n{expected}\\unrestrict x1\n");
    let inserts = dumped(&shop, &["--inserts", "--clean", "--if-exists"]);
    for kind in server::kinds() {
        for (name, dump, setup) in [
            ("newer.sql", &newer, Some("pgbench -q -i -s 1")),
            ("inserts.sql", &inserts, None),
        ] {
            // Once each: a container takes seconds.
            if kind == Kind::Docker && setup.is_none() {
                continue;
            }
            let wanted = Wanted {
                fill: Fill {
                    schema: Some(written(folder.path(), name, dump)),
                    setup: setup.map(str::to_owned),
                    copy: false,
                },
                ..server::wanted(kind)
            };
            let filled = Environment::start(&wanted, pending()).await;
            let filled = filled.unwrap_or_else(|error| {
                panic!("this test needs a real PostgreSQL ({kind:?}): {error}")
            });
            let work = filled.endpoint();
            assert!(work.database.starts_with("seawall_"), "{}", work.database);
            let theirs = ["--exclude-table=pgbench_*"];
            same(&dumped(work, &theirs), &expected);
            let rows = "SELECT count(*) FROM pgbench_accounts";
            if setup.is_some() {
                let held = session(work, "seawall").await;
                let row = held.client.query_one(rows, &[]).await.expect(rows);
                assert_eq!(row.get::<_, i64>(0), 100_000);
                run(&held, "DELETE FROM items; DROP TABLE pgbench_accounts").await;
                filled.put_back().await.expect("put back, whoever is there");
                same(&dumped(work, &theirs), &expected);
                filled.shut_down(Shutdown::Kill).await.expect("killed");
                filled.restart().await.expect("restarted");
                filled.put_back().await.expect("put back after a crash");
                same(&dumped(work, &theirs), &expected);
                let again = session(work, "seawall").await;
                again.client.query_one(rows, &[]).await.expect(rows);
            }
            filled.stop().await.expect("stopped");
        }
    }
    source.stop().await.expect("stopped");
}

#[test]
fn what_cannot_be_loaded_is_named_with_its_line_and_nothing_is_left() {
    let kind = server::kinds()[0];
    let env = super::command::env(kind);
    let folder = tempfile::tempdir().expect("a folder");
    let file = |name: &str, text: &str| {
        let path = written(folder.path(), name, text);
        path.display().to_string()
    };
    let table = "CREATE TABLE t (\n  i int,\n  j nothing\n);\n";
    let rows = "CREATE TABLE t (i int);\nCOPY t (i) FROM stdin;\n1\nx\n\\.\n";
    let (table, rows) = (file("table.sql", table), file("rows.sql", rows));
    let empty = file("empty.sql", "-- nothing\n");
    let missing = folder.path().join("none.sql").display().to_string();
    let is_folder = folder.path().display().to_string();
    let cases: [(&[&str], i32, &[&str]); 7] = [
        (
            &["--schema", &table],
            69,
            &["table.sql, line 3: ERROR: type \"nothing\" does not exist"],
        ),
        (
            &["--schema", &rows],
            69,
            &[
                "rows.sql, line 4: ERROR: invalid input syntax for type integer: \"x\"",
                "CONTEXT: COPY t",
            ],
        ),
        (
            &["--setup", "echo $PGDATABASE $DATABASE_URL >&2; exit 7"],
            69,
            &[
                "--setup: exit status: 7",
                "seawall_",
                "postgresql://postgres:(hidden)@127.0.0.1:",
            ],
        ),
        (
            &["--schema", &missing],
            64,
            &["none.sql: No such file", "allowed: plain SQL"],
        ),
        (
            &["--schema", &is_folder],
            64,
            &["it is a folder, allowed: plain SQL"],
        ),
        (
            &["--schema", &empty],
            64,
            &["it has no statement, allowed: plain SQL"],
        ),
        (
            &["--setup", " "],
            64,
            &["--setup: nothing, allowed: a command for sh"],
        ),
    ];
    for (args, code, parts) in cases {
        let said = ends(&[&["--env", env], args].concat(), code);
        for part in parts {
            assert!(said.contains(part), "{args:?}: no {part:?} in {said}");
        }
    }
}

/// The lines of a run, once one begins with `at`.
fn begun(child: &mut std::process::Child, at: &str) -> impl Iterator<Item = String> + use<> {
    let stderr = child.stderr.take().expect("piped");
    let mut lines = BufReader::new(stderr).lines().map_while(Result::ok);
    let mut said = Vec::new();
    let come = lines.by_ref().any(|line| {
        said.push(line);
        said[said.len() - 1].starts_with(at)
    });
    assert!(come, "it never came to {at}: {said:?}");
    lines
}

/// Waits for a file that a command makes.
async fn made(file: &Path) {
    let deadline = clock::now() + Duration::from_secs(20);
    while !file.exists() {
        assert!(clock::now() < deadline, "{} is not made", file.display());
        clock::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_user_s_own_tables_stay_and_one_that_changes_fails_the_run() {
    let (server, _place) = server::any().await;
    let shop = shop(&server).await;
    let before = dumped(&shop, &[]);
    let url = url(&shop, &shop.user, shop.password.expose());
    let folder = tempfile::tempdir().expect("a folder");
    // The command sees the user's rows and works on a copy of them.
    let setup = "psql -v ON_ERROR_STOP=1 -qc 'DELETE FROM items; DELETE FROM orders'";
    let out = folder.path().join("kept");
    let flags = ["--database-url", &url, "--setup", setup];
    let mut child = command(&flags)
        .arg("--out")
        .arg(&out)
        .spawn()
        .expect("it runs");
    let lines = begun(&mut child, "PostgreSQL ");
    super::command::interrupt(&mut child, lines);
    same(&dumped(&shop, &[]), &before);
    assert!(databases(&shop).await.is_empty(), "its databases stay");
    let record = json(&out.join("record.json"));
    let tables = record["tables"].as_array().expect("tables");
    let names: Vec<&str> = tables
        .iter()
        .filter_map(|table| table["name"].as_str())
        .collect();
    let all = [
        "public.\"Odd; name\"",
        "public.items",
        "public.orders",
        "public.users",
    ];
    assert_eq!(names, all);
    assert_eq!(tables[1]["before"]["rows"], 1_200);
    for table in tables {
        assert!(table["before"]["fingerprint"].is_string(), "{table}");
        assert_eq!(table["before"], table["after"]);
    }
    let page = fs::read_to_string(out.join("report.html")).expect("a page");
    let line = "tables: the 4 tables of the user&#39;s database were the same before and after: 5, 1 200, 600, 200 rows";
    assert!(
        page.contains(line) || page.contains(&line.replace("&#39;", "'")),
        "{line}"
    );

    // Without anything to load as well; and somebody else writes meanwhile.
    let out = folder.path().join("changed");
    let child = command(&["--database-url", &url])
        .arg("--out")
        .arg(&out)
        .spawn();
    let mut child = child.expect("it runs");
    let lines = begun(&mut child, "PostgreSQL ");
    let theirs = session(&shop, "billing").await;
    run(
        &theirs,
        "UPDATE users SET note = 'x' WHERE id = 1; DELETE FROM items WHERE id > 1000",
    )
    .await;
    let _all: Vec<String> = lines.collect();
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(output.status.code(), Some(70), "{}", says(&output));
    let record = json(&out.join("record.json"));
    let reason = record["ended"]["reason"].as_str().expect("it failed");
    for part in [
        "table public.items of the user's changed: 1200 rows before, 1000 after",
        "table public.users of the user's changed: 200 rows before, 200 after, and other content",
    ] {
        assert!(reason.contains(part), "{reason}");
    }
    // Its lines are as long as a terminal's.
    let said = says(&output);
    let words: Vec<&str> = said.split_whitespace().collect();
    assert!(
        words
            .join(" ")
            .contains("2 of the 4 tables of the user's database were the same"),
        "{said}"
    );
    close(&shop, theirs).await;
    server.stop().await.expect("stopped");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_that_may_not_copy_is_refused_with_what_would_allow_it() {
    let (server, _place) = server::any().await;
    let shop = shop(&server).await;
    let dump = dumped(&shop, &[]);
    let folder = tempfile::tempdir().expect("a folder");
    let schema = written(folder.path(), "dump.sql", &dump);
    let ours: Session = session(&shop, "seawall").await;
    run(&ours, "CREATE ROLE app LOGIN PASSWORD 'app'").await;
    close(&shop, ours).await;
    let copy = Fill {
        copy: true,
        ..Fill::default()
    };
    let refused = async |fill: &Fill, says: &[&str]| {
        let wanted = external(&shop, "app", "app", fill.clone());
        let error = Environment::start(&wanted, pending())
            .await
            .expect_err("refused");
        assert!(matches!(error, EnvironmentError::Refused { .. }), "{error}");
        for part in says {
            assert!(error.to_string().contains(part), "no {part:?} in {error}");
        }
    };
    let may_not = [
        "`ALTER ROLE \"app\" CREATEDB` allows it",
        "`ALTER DATABASE \"shop\" OWNER TO \"app\"`",
    ];
    refused(&copy, &may_not).await;
    assert!(databases(&shop).await.is_empty());
    let ours = session(&shop, "seawall").await;
    run(&ours, "ALTER ROLE app CREATEDB").await;
    close(&shop, ours).await;
    refused(
        &copy,
        &[
            "may not copy database \"shop\"",
            "with --schema needs no copy",
        ],
    )
    .await;

    // A dump takes no right to the user's database, and what the role may not is left out.
    let loads = Fill {
        schema: Some(schema),
        ..Fill::default()
    };
    let wanted = external(&shop, "app", "app", loads);
    let filled = Environment::start(&wanted, pending())
        .await
        .expect("allowed");
    let data = [
        "--data-only",
        "--no-owner",
        "--table=users",
        "--table=items",
    ];
    same(&dumped(filled.endpoint(), &data), &dumped(&shop, &data));
    filled.put_back().await.expect("put back");
    assert_eq!(databases(&shop).await.len(), 2);
    filled.stop().await.expect("removed");
    assert!(databases(&shop).await.is_empty(), "they stay");

    // Settings of a database are no part of its copy, and a run needs them.
    let wanted = external(&shop, &shop.user, shop.password.expose(), copy);
    let copied = Environment::start(&wanted, pending())
        .await
        .expect("a copy");
    let held = session(copied.endpoint(), "seawall").await;
    let row = held
        .client
        .query_one("SHOW search_path", &[])
        .await
        .expect("a path");
    assert_eq!(row.get::<_, String>(0), "public, \"Odd; one\"");
    same(&dumped(copied.endpoint(), &[]), &dumped(&shop, &[]));
    copied.stop().await.expect("removed, whoever is there");
    server.stop().await.expect("stopped");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_stopped_or_killed_while_it_fills_leaves_nothing_or_is_reaped() {
    let (server, _place) = server::any().await;
    let shop = shop(&server).await;
    let url = url(&shop, &shop.user, shop.password.expose());
    let folder = tempfile::tempdir().expect("a folder");
    let start = |name: &str| {
        let file = folder.path().join(name);
        let setup = format!("sleep 100 & touch {}; wait", file.display());
        let child = command(&["--database-url", &url, "--setup", &setup, "--out"])
            .arg(folder.path().join(format!("{name}-out")))
            .spawn();
        (child.expect("it runs"), file)
    };
    let (mut child, file) = start("stopped");
    made(&file).await;
    let lines = begun(&mut child, "starting PostgreSQL");
    super::command::interrupt(&mut child, lines);
    assert!(databases(&shop).await.is_empty(), "its databases stay");

    let (mut child, file) = start("killed");
    made(&file).await;
    let reap = |args: &[&str]| {
        let mut command = Command::new(binary());
        command.args(["reap", "--database-url", &url]).args(args);
        let output = command
            .env("TMPDIR", folder.path())
            .output()
            .expect("it runs");
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let text = reap(&[]);
    assert!(
        text.contains("left alone   database seawall_") && text.contains("is alive"),
        "{text}"
    );
    child.kill().expect("killed");
    child.wait().expect("it ends");
    let ours = session(&shop, "seawall").await;
    run(&ours, "CREATE DATABASE seawall_00000001").await;
    run(&ours, "CREATE DATABASE seawall_mine").await;
    close(&shop, ours).await;
    let dry = reap(&["--dry-run"]);
    assert!(dry.contains("would remove database seawall_"), "{dry}");
    assert_eq!(databases(&shop).await.len(), 3, "a dry run only says");
    let text = reap(&[]);
    assert!(text.contains("removed      database seawall_"), "{text}");
    let by_hand = "`DROP DATABASE seawall_00000001 WITH (FORCE)`";
    assert!(text.contains(by_hand), "{text}");
    assert_eq!(databases(&shop).await, ["seawall_00000001", "seawall_mine"]);
    server.stop().await.expect("stopped");
}
