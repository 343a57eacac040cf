//! A server that is already there: only one that nobody else uses, and no password
//! of its is ever shown.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Child, Command, Output, Stdio},
    time::Duration,
};

use scenarios::environment::{Endpoint, Session};
use seawall::clock;

use super::{command::binary, server};

fn start(url: &str, out: &Path, args: &[&str]) -> Child {
    Command::new(binary())
        .args([
            "failure-sim",
            "--quick",
            "--seed",
            "7",
            // Little, since other tests measure beside this one.
            "--rate",
            "100",
            "--database-url",
            url,
        ])
        .arg("--out")
        .arg(out)
        .args(args)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it runs")
}

/// The command is refused, and says all of this.
fn refused(url: &str, args: &[&str], says: &[&str]) {
    let folder = tempfile::tempdir().expect("a folder");
    let output = start(url, folder.path(), args).wait_with_output();
    let output = output.expect("it ends");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(77), "{args:?}: {stderr}");
    for text in says {
        assert!(stderr.contains(text), "{args:?}: no {text:?} in {stderr}");
    }
}

fn encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

pub(crate) fn url(endpoint: &Endpoint, user: &str, password: &str) -> String {
    let (address, database) = (endpoint.address(), &endpoint.database);
    let password = encoded(password);
    format!("postgresql://{user}:{password}@{address}/{database}")
}

/// A session of ours that says it is `application`.
pub(crate) async fn session(endpoint: &Endpoint, application: &str) -> Session {
    let deadline = clock::now() + Duration::from_secs(10);
    let session = endpoint.session(deadline).await.expect("a session");
    run(&session, &format!("SET application_name = '{application}'")).await;
    session
}

pub(crate) async fn run(session: &Session, sql: &str) {
    session.client.batch_execute(sql).await.expect(sql);
}

async fn count(endpoint: &Endpoint, sql: &str) -> i64 {
    let session = session(endpoint, "seawall").await;
    let row = session.client.query_one(sql, &[]).await.expect(sql);
    row.get(0)
}

/// Ends a session and waits until the server has seen it.
pub(crate) async fn close(endpoint: &Endpoint, session: Session) {
    drop(session);
    let others = "SELECT count(*) FROM pg_stat_activity
                  WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()";
    let deadline = clock::now() + Duration::from_secs(10);
    while count(endpoint, others).await > 0 {
        assert!(clock::now() < deadline, "a session does not end");
        clock::sleep(Duration::from_millis(10)).await;
    }
}

const SCHEMAS: &str = "SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'seawall%'";

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_others_use_is_refused_with_every_reason() {
    let (server, _place) = server::any().await;
    let endpoint = server.endpoint();
    let url = url(endpoint, &endpoint.user, endpoint.password.expose());

    let billing = session(endpoint, "billing").await;
    let who = "user \"postgres\", database \"postgres\", application \"billing\", address ";
    refused(
        &url,
        &[],
        &["refusing to experiment on", "others use it", who],
    );
    run(&billing, "CREATE ROLE limited LOGIN PASSWORD 'limited'").await;
    let as_limited = self::url(endpoint, "limited", "limited");
    refused(&as_limited, &[], &["others use it", "pg_read_all_stats"]);
    run(
        &billing,
        "SELECT pg_create_physical_replication_slot('copy')",
    )
    .await;
    refused(
        &url,
        &[],
        &["others use it", "it has replication slots: \"copy\""],
    );
    close(endpoint, billing).await;
    refused(&url, &[], &["it has replication slots: \"copy\""]);
    let ours = session(endpoint, "seawall").await;
    run(&ours, "SELECT pg_drop_replication_slot('copy')").await;
    refused(&url, &[], &["another run of seawall seems to be using it"]);
    close(endpoint, ours).await;

    let wrong = ["--i-own-this-database", "postgre"];
    refused(
        &url,
        &wrong,
        &["\"postgre\", allowed", "CREATE TABLE seawall_marker ()"],
    );
    let right = ["--i-own-this-database", "postgres"];
    refused(&url, &right, &["CREATE TABLE seawall_marker ()"]);
    assert_eq!(
        count(endpoint, SCHEMAS).await,
        0,
        "it was refused, and written to"
    );

    let ours = session(endpoint, "seawall").await;
    run(&ours, "CREATE TABLE seawall_marker ()").await;
    close(endpoint, ours).await;
    refused(&url, &wrong, &["\"postgre\", allowed"]);
    let folder = tempfile::tempdir().expect("a folder");
    let mut child = start(&url, folder.path(), &right);
    let stderr = child.stderr.take().expect("piped");
    let mut lines = BufReader::new(stderr).lines().map_while(Result::ok);
    let mut said = Vec::new();
    let begun = lines.by_ref().any(|line| {
        said.push(line);
        said[said.len() - 1].ends_with(": over, waiting for recovery")
    });
    assert!(begun, "it did not come to the end of a fault: {said:?}");
    refused(
        &url,
        &right,
        &["another run of seawall seems to be using it"],
    );
    let kill = Command::new("kill")
        .args(["-TERM", &child.id().to_string()])
        .status();
    assert!(kill.expect("kill").success());
    lines.for_each(drop);
    assert_eq!(child.wait().expect("it ends").code(), Some(130));
    assert_eq!(count(endpoint, SCHEMAS).await, 0, "its tables stay");
    server.stop().await.expect("stopped");
}

/// Two words with everything between them that a URL, a shell or TOML might trip over.
const ODD: &str = "zeppelin@ /?#&=%'\"\\:ä quagga";

fn hides(what: &str, output: &Output, folder: &Path) {
    let mut all = vec![
        ("stdout".to_owned(), output.stdout.clone()),
        ("stderr".to_owned(), output.stderr.clone()),
    ];
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        // Of a run that found nothing none is left.
        for entry in fs::read_dir(folder).into_iter().flatten() {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else {
                all.push((path.display().to_string(), fs::read(&path).expect("a file")));
            }
        }
    }
    for (name, bytes) in all {
        let text = String::from_utf8_lossy(&bytes);
        for secret in [
            "zeppelin",
            "quagga",
            &encoded("zeppelin"),
            &encoded("quagga"),
        ] {
            assert!(
                !text.contains(secret),
                "{what}: {secret} is in {name}: {text}"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_password_is_shown_whatever_happens() {
    let (server, _place) = server::any().await;
    let endpoint = server.endpoint();
    let ours = session(endpoint, "billing").await;
    let quoted = ODD.replace('\'', "''");
    run(
        &ours,
        &format!("CREATE ROLE odd SUPERUSER LOGIN PASSWORD '{quoted}'"),
    )
    .await;
    let address = endpoint.address();
    let odd = encoded(ODD);
    let usual = url(endpoint, "odd", ODD);
    let in_query = format!("postgresql://odd@{address}/postgres?password={odd}");
    let pairs = format!(
        "host=127.0.0.1 port={} user=odd dbname=postgres password='{}'",
        endpoint.port,
        ODD.replace('\\', "\\\\").replace('\'', "\\'")
    );
    let wrong = url(endpoint, "postgres", ODD);
    let port = format!("postgresql://odd:{odd}@127.0.0.1:port/d");
    let nobody = format!("postgresql://odd:{odd}@127.0.0.1:1/d");
    let elsewhere = format!("postgresql://odd:{ODD}@192.0.2.7/d");
    let toxiproxy = format!("http://odd:{ODD}@127.0.0.1:8474");
    let misspelled = format!("--database-ulr={usual}");
    let config = |text: &str| {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("pool.toml"), text).expect("written");
        (
            folder.path().join("pool.toml").display().to_string(),
            folder,
        )
    };
    let toml = format!("password = {ODD:?}\nconnection_string = {in_query:?}\n");
    let (good, _a) = config(&toml);
    let (unclosed, _b) = config(&toml.replace("zeppelin", "zep\"pelin"));
    let (typed, _c) = config(&format!("password = [{ODD:?}]"));
    let (unread, _d) = config(&format!("connection_string = {ODD:?}"));
    let run = |args: &[&str]| {
        let folder = tempfile::tempdir().expect("a folder");
        let mut command = Command::new(binary());
        command.args(args).arg("--out").arg(folder.path());
        (
            command
                .args(["--format", "json"])
                .output()
                .expect("it runs"),
            folder,
        )
    };
    let sim = ["failure-sim", "--quick", "--seed", "7", "--rate", "100"];
    let failures: [(&[&str], i32); 14] = [
        (&["--database-url", &usual], 77),
        (&["--database-url", &in_query], 77),
        (&["--database-url", &pairs], 77),
        (&["--database-url", &wrong], 69),
        (&["--database-url", &nobody], 69),
        (&["--database-url", &port], 64),
        (&["--database-url", &elsewhere], 64),
        (&["--database-url", &usual, "--toxiproxy", &toxiproxy], 64),
        (&[&misspelled], 64),
        (&[&usual], 64),
        (&["--env", &pairs], 64),
        (&["--database-url", &usual, "--config", &unclosed], 64),
        (&["--database-url", &usual, "--config", &typed], 64),
        (&["--database-url", &usual, "--config", &unread], 64),
    ];
    for (args, code) in failures {
        let (output, folder) = run(&[&sim, args].concat());
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{args:?}: {stderr}");
        hides(&format!("{args:?}"), &output, folder.path());
    }
    close(endpoint, ours).await;

    let (output, folder) =
        run(&[&sim[..], &["--database-url", &in_query, "--config", &good]].concat());
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(matches!(output.status.code(), Some(0..=2)), "{stderr}");
    assert!(folder.path().join("report.html").is_file());
    hides("a run", &output, folder.path());
    server.stop().await.expect("stopped");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_tables_of_a_killed_run_go_and_no_others() {
    let (server, _place) = server::any().await;
    let endpoint = server.endpoint();
    let url = url(endpoint, &endpoint.user, endpoint.password.expose());
    let temporary = tempfile::tempdir().expect("a folder");
    let reap = |args: &[&str]| {
        let mut command = Command::new(binary());
        command.args(["reap", "--database-url", &url]).args(args);
        let output = command.env("TMPDIR", temporary.path()).output();
        let output = output.expect("it runs");
        let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!(output.status.code(), Some(0), "{stdout}{output:?}");
        stdout
    };
    let folder = tempfile::tempdir().expect("a folder");
    let mut child = start(&url, folder.path(), &[]);
    let stderr = child.stderr.take().expect("piped");
    let mut lines = BufReader::new(stderr).lines().map_while(Result::ok);
    assert!(lines.any(|line| line.ends_with(": over, waiting for recovery")));
    let text = reap(&[]);
    let runner = format!("its runner, pid {}, is", child.id());
    assert!(text.contains(&format!("{runner} alive")), "{text}");
    assert_eq!(count(endpoint, SCHEMAS).await, 1, "of the live run");
    child.kill().expect("killed");
    child.wait().expect("it ends");

    let ours = session(endpoint, "billing").await;
    let theirs = "CREATE SCHEMA seawall_00000001; CREATE SCHEMA seawall_mine;
        CREATE SCHEMA seawall_00000002;
        COMMENT ON SCHEMA seawall_00000002 IS 'seawall-lease-1 pid=1 start=1 boot=x ns=pid:[1]'";
    run(&ours, theirs).await;
    let dry = reap(&["--dry-run"]);
    assert!(dry.contains("would remove schema seawall_"), "{dry}");
    assert_eq!(count(endpoint, SCHEMAS).await, 4, "a dry run only says");
    let text = reap(&[]);
    assert!(
        text.contains("removed      schema seawall_") && text.contains(&format!("{runner} gone")),
        "{text}"
    );
    for left in ["seawall_00000001", "seawall_00000002"] {
        let line = format!("left alone   schema {left} in ");
        let by_hand = format!("`DROP SCHEMA {left} CASCADE`");
        assert!(text.contains(&line) && text.contains(&by_hand), "{text}");
    }
    assert_eq!(count(endpoint, SCHEMAS).await, 3, "{text}");
    assert!(reap(&[]).contains("nothing to reap"));

    let mut refused = Command::new(binary());
    refused.args(["reap", "--database-url", &url, "--i-own-this-database", "x"]);
    assert_eq!(refused.status().expect("it runs").code(), Some(77));
    server.stop().await.expect("stopped");
}
