//! The engine behind PgBouncer as Debian has it (1.18), which shares a server's sessions
//! between its clients and knows nothing of prepared statements.
//!
//! Each caller asks for an id of its own, so that an answer says whose it is.

use std::{
    collections::BTreeMap,
    fs,
    net::TcpListener,
    os::unix::fs::PermissionsExt as _,
    process::{Child, Command, Stdio},
    time::Duration,
};

use futures_util::future::join_all;
use scenarios::environment::Endpoint;
use seawall::{
    Error, ErrorClass, Pool, PoolConfig, breaker::State, clock, config::Secret, pipeline::Strategy,
};

use crate::{pipeline::within, server};

/// PgBouncer in front of a server, with at most two sessions there.
struct Bouncer {
    process: Child,
    endpoint: Endpoint,
    /// Its unix socket is there.
    folder: tempfile::TempDir,
}

impl Bouncer {
    async fn start(server: &Endpoint, mode: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        // PgBouncer does not run as root.
        let open = fs::Permissions::from_mode(0o777);
        fs::set_permissions(folder.path(), open).expect("opened");
        let free = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = free.local_addr().expect("bound").port();
        drop(free);
        let settings = format!(
            "[databases]\n* = host={} port={} user={} password={}\n[pgbouncer]\n\
             listen_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir = {}\n\
             auth_type = any\npool_mode = {mode}\ndefault_pool_size = 2\n\
             max_client_conn = 100\n",
            server.host,
            server.port,
            server.user,
            server.password.expose(),
            folder.path().display()
        );
        let file = folder.path().join("pgbouncer.ini");
        fs::write(&file, settings).expect("written");
        let mut command = Command::new("pgbouncer");
        if fs::metadata("/proc/self").is_ok_and(|me| std::os::unix::fs::MetadataExt::uid(&me) == 0)
        {
            command.args(["-u", "nobody"]);
        }
        let process = command
            .arg("-q")
            .arg(&file)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("this test needs pgbouncer; hint: apt-get install pgbouncer");
        let bouncer = Self {
            process,
            endpoint: server.through(port),
            folder,
        };
        let deadline = clock::now() + Duration::from_secs(20);
        while bouncer.endpoint.session(deadline).await.is_err() {
            assert!(clock::now() < deadline, "PgBouncer does not answer");
            clock::sleep(Duration::from_millis(20)).await;
        }
        bouncer
    }

    fn pool(&self, change: impl FnOnce(&mut PoolConfig)) -> Pool {
        let mut config = PoolConfig {
            host: self.endpoint.host.clone(),
            port: self.endpoint.port,
            user: self.endpoint.user.clone(),
            password: self.endpoint.password.clone(),
            database: self.endpoint.database.clone(),
            max_connections: 4,
            acquire_timeout: Duration::from_secs(5),
            server_statement_timeout: false,
            enable_pipelining: true,
            ..PoolConfig::default()
        };
        change(&mut config);
        Pool::new(config).expect("a valid configuration")
    }
}

impl Drop for Bouncer {
    fn drop(&mut self) {
        let _ended = self.process.kill();
        let _reaped = self.process.wait();
    }
}

/// What came of asking.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Answers {
    right: u64,
    foreign: u64,
    refused: u64,
}

impl Answers {
    fn add(&mut self, other: Self) {
        self.right += other.right;
        self.foreign += other.foreign;
        self.refused += other.refused;
    }

    fn take(&mut self, asked: (i32, i32), answered: Option<(i32, i32)>) {
        match answered {
            Some(answer) if answer == asked => self.right += 1,
            Some(_) => self.foreign += 1,
            None => self.refused += 1,
        }
    }
}

/// The statement of a client: its own id is part of the text.
fn statement(id: i32) -> String {
    format!("SELECT {id}, $1::int")
}

/// Asks for a while: one query at a time, in a transaction, and in pipelines.
async fn ask(pool: &Pool, id: i32, millis: u64) -> Answers {
    let until = clock::now() + Duration::from_millis(millis);
    let callers = (0..8).map(|caller| async move {
        let (sql, mut answers) = (statement(id), Answers::default());
        let mut n = caller;
        while clock::now() < until {
            n += 8;
            match caller % 4 {
                0 => piped(pool, &sql, id, n, &mut answers).await,
                1 => in_a_block(pool, &sql, id, n, &mut answers).await,
                _ => {
                    let rows = pool.query(&sql, &[&n]).await.ok();
                    answers.take((id, n), rows.map(|rows| (rows[0].get(0), rows[0].get(1))));
                }
            }
        }
        answers
    });
    let mut all = Answers::default();
    for answers in join_all(callers).await {
        all.add(answers);
    }
    all
}

async fn in_a_block(pool: &Pool, sql: &str, id: i32, n: i32, answers: &mut Answers) {
    let asked = async {
        let mut connection = pool.acquire().await?;
        connection.execute("BEGIN", &[]).await?;
        let rows = connection.query(sql, &[&n]).await?;
        connection.execute("COMMIT", &[]).await?;
        Ok::<_, Error>((rows[0].get(0), rows[0].get(1)))
    };
    answers.take((id, n), asked.await.ok());
}

async fn piped(pool: &Pool, sql: &str, id: i32, n: i32, answers: &mut Answers) {
    let strategy = [Strategy::BestEffort, Strategy::Transactional][usize::from(n % 16 < 8)];
    let builder = pool.pipeline().batch_size(10).strategy(strategy);
    let mut pipeline = builder.start().expect("valid");
    for i in 0..10 {
        pipeline.add(sql, &[&(n + i)]).await.expect("added");
    }
    for (i, result) in pipeline.flush().await.iter().enumerate() {
        let row = result.rows().and_then(<[_]>::first);
        let i = i32::try_from(i).expect("ten");
        answers.take((id, n + i), row.map(|row| (row.get(0), row.get(1))));
    }
}

const ASKS: &str = "SEAWALL_TEST_ASKS";

/// Also started by the test of two clients, as a process that names its statements as every
/// other does. Then it is told of the pooler, and prints what it counted.
#[tokio::test(flavor = "multi_thread")]
async fn a_client_gets_its_own_rows() {
    if let Ok(how) = std::env::var(ASKS) {
        let how: Vec<u32> = how
            .split(' ')
            .map(|n| n.parse().expect("a number"))
            .collect();
        let [port, id, cache] = how[..] else {
            panic!("{how:?}");
        };
        let Answers {
            right,
            foreign,
            refused,
        } = a_client_asks(port, id, cache).await;
        return println!("answers {right} {foreign} {refused}");
    }
    let (server, _place) = server::any().await;
    let bouncer = Bouncer::start(server.endpoint(), "transaction").await;
    let alone = a_client_asks(bouncer.endpoint.port.into(), 1, 0).await;
    assert_eq!((alone.foreign, alone.refused), (0, 0), "{alone:?}");
    assert!(alone.right > 100, "{alone:?}");
    server.stop().await.expect("stopped");
}

async fn a_client_asks(port: u32, id: u32, cache: u32) -> Answers {
    let pool = Pool::new(PoolConfig {
        connection_string: Secret::from(format!(
            "host=127.0.0.1 port={port} user=postgres dbname=postgres password=x"
        )),
        max_connections: 4,
        acquire_timeout: Duration::from_secs(5),
        server_statement_timeout: false,
        enable_pipelining: true,
        statement_cache_size: cache,
        // They are errors of statements, and no outage: but this test wants to ask on.
        circuit_breaker_failure_threshold: 999_999,
        ..PoolConfig::default()
    })
    .expect("valid");
    let id = i32::try_from(id).expect("small");
    ask(&pool, id, 2_500).await
}

/// Two clients at once, each in a process of its own.
async fn two_clients(bouncer: &Bouncer, cache: u32) -> Answers {
    let port = bouncer.endpoint.port;
    let clients = [11, 22].map(|id| {
        Command::new(std::env::current_exe().expect("a path"))
            .args([
                "--exact",
                "pgbouncer::a_client_gets_its_own_rows",
                "--nocapture",
            ])
            .env(ASKS, format!("{port} {id} {cache}"))
            .stdout(Stdio::piped())
            .spawn()
            .expect("started")
    });
    let outputs = tokio::task::spawn_blocking(|| clients.map(|client| client.wait_with_output()));
    let mut all = Answers::default();
    for output in outputs.await.expect("no panic") {
        let text = String::from_utf8(output.expect("ended").stdout).expect("text");
        let numbers = text.lines().find_map(|line| line.strip_prefix("answers "));
        let numbers = numbers.unwrap_or_else(|| panic!("{text}"));
        let numbers: Vec<u64> = numbers
            .split(' ')
            .map(|n| n.parse().expect("a number"))
            .collect();
        all.add(Answers {
            right: numbers[0],
            foreign: numbers[1],
            refused: numbers[2],
        });
    }
    all
}

/// Once two processes that both called a statement `s0` got each other's rows: a third of
/// all answers, without an error.
#[tokio::test(flavor = "multi_thread")]
async fn no_client_gets_the_rows_of_another() {
    let (server, _place) = server::any().await;
    let bouncer = Bouncer::start(server.endpoint(), "transaction").await;
    let named = two_clients(&bouncer, 256).await;
    assert_eq!(named.foreign, 0, "{named:?}");
    // What PgBouncer has lost is an error; that is what the setting below is for.
    assert!(named.right > 0, "{named:?}");
    let unnamed = two_clients(&bouncer, 0).await;
    assert_eq!((unnamed.foreign, unnamed.refused), (0, 0), "{unnamed:?}");
    assert!(unnamed.right > 100, "{unnamed:?}");
    server.stop().await.expect("stopped");
}

/// As long as a client has a session for itself, its statements are there.
#[tokio::test(flavor = "multi_thread")]
async fn in_session_mode_names_and_no_names_are_both_right() {
    let (server, _place) = server::any().await;
    let bouncer = Bouncer::start(server.endpoint(), "session").await;
    for cache in [0, 256] {
        // One after another: only two sessions are to be had.
        for id in [1, 2] {
            let pool = bouncer.pool(|config| {
                config.statement_cache_size = cache;
                config.max_connections = 2;
            });
            let answers = ask(&pool, id, 500).await;
            assert_eq!((answers.foreign, answers.refused), (0, 0), "{cache}");
            assert!(answers.right > 20, "{answers:?}");
        }
    }
    server.stop().await.expect("stopped");
}

/// What is asked for without names is what comes with them: types that the server has to be
/// asked about, statements without rows, errors, and transactions.
#[tokio::test(flavor = "multi_thread")]
async fn without_names_all_the_rest_is_the_same() {
    let (server, _place) = server::any().await;
    let bouncer = Bouncer::start(server.endpoint(), "transaction").await;
    let pool = bouncer.pool(|config| config.statement_cache_size = 0);
    pool.execute("CREATE TYPE mood AS ENUM ('sad', 'ok')", &[])
        .await
        .expect("made");
    pool.execute("CREATE TABLE t (i int PRIMARY KEY, m mood)", &[])
        .await
        .expect("made");
    for i in 0..20 {
        let put = "INSERT INTO t VALUES ($1, ($2::text)::mood)";
        assert_eq!(pool.execute(put, &[&i, &"ok"]).await.expect("put"), 1);
        let rows = pool
            .query("SELECT m, i FROM t WHERE i = $1", &[&i])
            .await
            .expect("found");
        assert_eq!(rows[0].columns()[0].type_().name(), "mood");
        assert_eq!(rows[0].get::<_, i32>("i"), i);
        let twice = pool.execute(put, &[&i, &"ok"]).await.expect_err("there");
        assert_eq!(twice.sqlstate().map(|s| s.code()), Some("23505"));
    }
    let builder = pool
        .pipeline()
        .batch_size(50)
        .strategy(Strategy::BestEffort);
    let mut pipeline = builder.start().expect("valid");
    for i in 10..60 {
        pipeline
            .add("INSERT INTO t VALUES ($1, 'sad')", &[&i])
            .await
            .expect("added");
    }
    let results = pipeline.flush().await;
    let done = results.iter().filter(|result| result.success()).count();
    assert_eq!(done, 40, "ten were there: {results:?}");
    let rows = pool
        .query("SELECT count(*) FROM t", &[])
        .await
        .expect("counted");
    assert_eq!(rows[0].get::<_, i64>(0), 60);
    let kept = "SELECT count(*) FROM pg_prepared_statements";
    let rows = pool.query(kept, &[]).await.expect("counted");
    assert_eq!(rows[0].get::<_, i64>(0), 0, "nothing is kept on the server");
    assert_eq!(pool.breaker().transitions(), 0);
    server.stop().await.expect("stopped");
}

/// A table is made anew under statements that are sent with each use.
#[tokio::test(flavor = "multi_thread")]
async fn without_names_other_columns_are_an_error_and_no_wrong_values() {
    let (server, _place) = server::any().await;
    let bouncer = Bouncer::start(server.endpoint(), "transaction").await;
    let pool = bouncer.pool(|config| {
        config.statement_cache_size = 0;
        config.max_connections = 1;
    });
    pool.execute("CREATE TABLE t AS SELECT 1::int4 v", &[])
        .await
        .expect("made");
    let rows = pool.query("SELECT v FROM t", &[]).await.expect("read");
    assert_eq!(rows[0].get::<_, i32>(0), 1);
    pool.execute("DROP TABLE t", &[]).await.expect("dropped");
    // As long, in bytes: an i32 could be read from it.
    pool.execute("CREATE TABLE t AS SELECT 1::float4 v", &[])
        .await
        .expect("made");
    let changed = pool
        .query("SELECT v FROM t", &[])
        .await
        .expect_err("another type");
    assert_eq!(changed.class(), ErrorClass::Statement, "{changed:?}");
    assert!(changed.may_have_run());
    let rows = pool
        .query("SELECT v FROM t", &[])
        .await
        .expect("described anew");
    assert_eq!(rows[0].get::<_, f32>(0).to_bits(), 1.0_f32.to_bits());
    assert_eq!(pool.breaker().transitions(), 0);
    server.stop().await.expect("stopped");
}

/// A unix socket is the usual way to a pooler on the same machine.
#[tokio::test(flavor = "multi_thread")]
async fn through_a_unix_socket_it_is_the_same() {
    let (server, _place) = server::any().await;
    let bouncer = Bouncer::start(server.endpoint(), "transaction").await;
    let pool = bouncer.pool(|config| {
        config.host = bouncer.folder.path().display().to_string();
        config.statement_cache_size = 0;
    });
    let answers = ask(&pool, 5, 500).await;
    assert_eq!((answers.foreign, answers.refused), (0, 0), "{answers:?}");
    assert!(answers.right > 50, "{answers:?}");
    let nobody = bouncer.pool(|config| config.host = "/nowhere".to_owned());
    let error = nobody.query("SELECT 1", &[]).await.expect_err("no socket");
    assert_eq!(error.class(), ErrorClass::Network, "{error:?}");
    server.stop().await.expect("stopped");
}

/// PgBouncer refuses the startup option that carries the statement's time-out. Once that was
/// taken for an outage, and all that callers got to see was an open circuit.
#[tokio::test(flavor = "multi_thread")]
async fn a_startup_option_that_is_refused_is_done_without_or_said() {
    let (server, _place) = server::any().await;
    let bouncer = Bouncer::start(server.endpoint(), "session").await;
    let ours = bouncer.pool(|config| config.server_statement_timeout = true);
    for _ in 0..20 {
        within(10, ours.query("SELECT 1", &[]))
            .await
            .expect("without the option");
    }
    assert_eq!(ours.breaker().transitions(), 0);
    let theirs = bouncer.pool(|config| {
        let endpoint = &bouncer.endpoint;
        let options = "options='-c geqo=off'";
        config.connection_string = Secret::from(format!(
            "host={} port={} user={} password={} dbname={} {options}",
            endpoint.host,
            endpoint.port,
            endpoint.user,
            endpoint.password.expose(),
            endpoint.database
        ));
        config.server_statement_timeout = true;
    });
    for _ in 0..20 {
        let error = within(10, theirs.query("SELECT 1", &[]))
            .await
            .expect_err("refused");
        assert_eq!(error.class(), ErrorClass::Configuration, "{error:?}");
        let mut said = BTreeMap::new();
        let mut cause: Option<&dyn std::error::Error> = Some(&error);
        while let Some(error) = cause {
            said.insert(said.len(), error.to_string());
            cause = error.source();
        }
        let said = format!("{said:?}");
        assert!(said.contains("unsupported startup parameter"), "{said}");
    }
    assert_eq!(theirs.breaker().state(), State::Closed);
    server.stop().await.expect("stopped");
}
