//! Every fault on a real server: done, seen by its own probe, and undone.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Command, Output, Stdio},
    time::Duration,
};

use reports::{
    Data, Record,
    experiments::failure_sim,
    run::{Event, Mix, Operations, What},
};
use scenarios::{
    environment::{Endpoint, Environment, Kind, Wanted},
    experiment,
    experiments::failure_sim::FailureSim,
    faults::{Kind as Fault, kind, process, session, strangers::Sessions},
    flags::{Frame, Size},
    load::{arrivals::Arrivals, ledger::Checker, workload::Workload},
    stage::{Interrupt, Label, Place},
};
use seawall::clock;

use super::{
    command::{alone, binary, env, interrupt, is_accepted, planned},
    server::{self, kinds},
};

/// A record of this experiment.
fn data(record: &Record) -> &failure_sim::Data {
    match &record.data {
        Data::FailureSim(data) => data,
        other => panic!("{}", other.command()),
    }
}

fn scenarios(out: &Path, args: &[&str]) -> Output {
    let _alone = alone();
    let mut command = Command::new(binary());
    command.args(args).arg("--out").arg(out);
    command.output().expect("it runs")
}

/// Runs a plan and returns its record, after what must hold of every run.
fn run(out: &Path, args: &[&str]) -> Record {
    let output = scenarios(out, args);
    let stderr = String::from_utf8_lossy(&output.stderr);
    let stdout = String::from_utf8_lossy(&output.stdout);
    // Whether a claim about time holds is for this machine and moment to say, of which one
    // injection of each kind is not enough.
    let code = output.status.code();
    let expected = is_accepted(code) || code == Some(1) && of_time_only(out);
    assert!(expected, "{stdout}{stderr}");
    let record = Record::load(&out.join("record.json")).expect("a record");
    for injection in &data(&record).injections {
        let ledger = injection.ledger.expect("checked");
        let wrong = ledger.lost + ledger.duplicate + ledger.unexpected + ledger.out_of_order;
        assert_eq!(wrong, 0, "{} of {}", injection.fault, injection.arm);
        assert!(ledger.acked > 0);
    }
    record
}

/// Whether nothing is refuted but claims about how long something takes.
fn of_time_only(out: &Path) -> bool {
    const OF_TIME: [&str; 8] = [
        "availability",
        "detect",
        "fail-fast",
        "fresh-connections",
        "in-time",
        "recovery",
        "served-again",
        "served-before",
    ];
    let text = fs::read_to_string(out.join("verdict.json")).expect("a verdict");
    let verdict: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let claims = verdict["claims"].as_array().expect("claims");
    let refuted = claims.iter().filter(|claim| claim["verdict"] == "refuted");
    let mut ids = refuted.filter_map(|claim| claim["id"].as_str());
    ids.all(|id| OF_TIME.iter().any(|of| id.starts_with(of)))
}

fn events(out: &Path) -> Vec<Event> {
    let text = fs::read_to_string(out.join("events.jsonl")).expect("events");
    let lines = text.lines().map(serde_json::from_str);
    lines.collect::<Result<_, _>>().expect("events")
}

/// What the probe met that saw the fault in effect, and the one that saw it gone.
fn met(events: &[Event], fault: &Fault) -> (String, String) {
    let probe_after = |what: &dyn Fn(&What) -> bool| {
        let mut after = events.iter().skip_while(|event| !what(&event.what));
        after.find_map(|event| match &event.what {
            What::Probe { met, .. } => Some(met.clone()),
            _ => None,
        })
    };
    let fault = fault.name.to_owned();
    let (seen, cleared) = (
        What::FaultEffective {
            fault: fault.clone(),
        },
        What::FaultCleared {
            fault: fault.clone(),
        },
    );
    let effective = probe_after(&|what| *what == seen);
    let gone = probe_after(&|what| *what == cleared);
    (
        effective.unwrap_or_else(|| panic!("{fault} was never in effect")),
        gone.unwrap_or_else(|| panic!("{fault} was never gone")),
    )
}

/// A plan of these, each as short as can be seen.
fn short(kinds: &[&'static Fault]) -> String {
    let entry = |kind: &&Fault| format!("[[fault]]\nkind = \"{kind}\"\nlength_ms = 600\n");
    kinds.iter().map(entry).collect()
}

fn done_seen_and_undone(kind: Kind, faults: &[&'static Fault], skipped: &[&'static Fault]) {
    let out = tempfile::tempdir().expect("a folder");
    let plan = out.path().join("plan.toml");
    fs::write(&plan, short(&[faults, skipped].concat())).expect("written");
    let plan = plan.to_str().expect("a path");
    let args = [
        "failure-sim",
        "--quick",
        "--env",
        env(kind),
        "--faults",
        plan,
    ];
    let record = run(out.path(), &args);
    let left_out: Vec<&str> = record.run.skipped.iter().map(|s| &*s.fault).collect();
    let wanted: Vec<&str> = skipped.iter().map(|fault| fault.name).collect();
    assert_eq!(left_out, wanted, "{:?}", record.run.skipped);
    assert_eq!(
        data(&record).injections.len(),
        3 * faults.len(),
        "three arms"
    );
    let events = events(out.path());
    for fault in faults {
        let (during, after) = met(&events, fault);
        let shows: &[&str] = match fault.name {
            "refused" => &["refused"],
            "reset" | "reset-idle" | "limit-data" => &["reset"],
            "crash" => &["refused", "reset"],
            "fast-restart" | "immediate-restart" => &["refused", "reset", "starting"],
            "disconnect" => &["refused", "reset", "no-answer"],
            "timeout" => &["no-answer", "reset"],
            "terminate" => &["terminated"],
            "max-connections" => &["full"],
            "lock-storm" | "idle-in-transaction" => &["locked"],
            "slow-statements" => &["slow"],
            "read-only" => &["read-only"],
            "disk-full" => &["no-space"],
            _ => &["no-answer"],
        };
        assert!(shows.contains(&&*during), "{fault}: {during}");
        assert!(["ready", "starting"].contains(&&*after), "{fault}: {after}");
        let page = fs::read_to_string(out.path().join("report.html")).expect("a page");
        assert!(page.contains(fault.name), "{fault} is in the report");
    }
}

fn of_network() -> Vec<&'static Fault> {
    let all = kind::ALL.iter().copied();
    all.filter(|kind| kind.is_of_network()).collect()
}

fn of_sessions() -> Vec<&'static Fault> {
    let all = kind::ALL.iter().copied();
    let other = |kind: &&Fault| kind.is_of_network() || kind.is_of_process();
    all.filter(|kind| !other(kind)).collect()
}

#[test]
fn every_fault_of_the_server_is_done_seen_and_undone() {
    let without = |one: &Fault| -> Vec<&'static Fault> {
        let all = kind::ALL.iter().copied();
        all.filter(|kind| !kind.is_of_network() && *kind != one)
            .collect()
    };
    for kind in kinds() {
        match kind {
            Kind::Docker => {
                let full = &session::DISK_FULL;
                // A restart would empty the disk, so it is not filled beside one.
                done_seen_and_undone(kind, &without(full), &[full]);
                done_seen_and_undone(kind, &[full], &[]);
            }
            _ => {
                let unplugged = &process::DISCONNECT;
                done_seen_and_undone(kind, &without(unplugged), &[unplugged]);
            }
        }
    }
}

#[test]
fn every_fault_of_the_network_is_done_seen_and_undone() {
    done_seen_and_undone(kinds()[0], &of_network(), &[]);
}

/// Faults that overlap, and a load that never touches what it should not.
#[test]
fn a_plan_is_replayed_as_it_was_drawn() {
    let kind = env(kinds()[0]);
    let first = tempfile::tempdir().expect("a folder");
    let args = [
        "failure-sim",
        "--quick",
        "--seed",
        "11",
        "--env",
        kind,
        "--rate",
        "200",
        "--fault",
        "latency,name=both,length_ms=1200..1600",
        "--fault",
        "crash,name=both,phase_ms=500..900,length_ms=300",
    ];
    let record = run(first.path(), &args);
    let spans = &data(&record).injections[0].spans;
    let kinds: Vec<&str> = spans.iter().map(|span| &*span.kind).collect();
    assert_eq!(kinds, ["latency", "crash"], "by when they came");
    assert!(spans[1].effective_us < spans[0].cleared_us, "they overlap");
    let again = tempfile::tempdir().expect("a folder");
    let folder = first.path().to_str().expect("a path");
    let replayed = run(again.path(), &["replay", folder, "--env", kind]);
    let bytes = |record: &Record| serde_json::to_string(&record.run.schedule).expect("JSON");
    assert_eq!(bytes(&record), bytes(&replayed));
    let (first, again) = (data(&record), data(&replayed));
    assert_eq!((replayed.run.seed, &again.load), (11, &first.load));
    assert_eq!(replayed.run.plan, record.run.plan);
    assert_eq!(replayed.run.arms, record.run.arms);
    assert_eq!(replayed.run.arguments, record.run.arguments);
    assert_eq!(again.injections.len(), first.injections.len());
}

fn url(endpoint: &Endpoint) -> String {
    let Endpoint {
        host,
        port,
        user,
        password,
        database,
    } = endpoint;
    format!(
        "postgresql://{user}:{}@{host}:{port}/{database}",
        password.expose()
    )
}

/// What a run left in a server that was not its own.
async fn left_in(environment: &Environment) -> Vec<String> {
    let by = clock::now() + Duration::from_secs(10);
    let session = environment.endpoint().session(by).await.expect("a session");
    let sql = "SELECT 'schema ' || nspname FROM pg_namespace WHERE nspname LIKE 'seawall%'
         UNION ALL SELECT 'session ' || application_name FROM pg_stat_activity
             WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()
         UNION ALL SELECT 'setting ' || name FROM pg_file_settings
             WHERE sourcefile LIKE '%auto.conf'";
    let mut left = Vec::new();
    // A backend whose client is gone ends when it looks.
    while clock::now() < by {
        let rows = session.client.query(sql, &[]).await.expect("rows");
        left = rows.iter().map(|row| row.get(0)).collect();
        if left.is_empty() {
            break;
        }
        clock::sleep(Duration::from_millis(100)).await;
    }
    left
}

/// Nobody whose socket is closed lets go of these before its time is over, and until
/// then no table can be dropped: so it shows whether the fault was taken back.
const LONG_LOCKS: &str = "lock-storm,sessions=2,hold_ms=30000";

#[tokio::test(flavor = "multi_thread")]
async fn interrupted_in_a_fault_it_leaves_a_server_of_the_users_as_it_was() {
    let (server, _place) = server::any().await;
    let url = url(server.endpoint());
    for fault in of_sessions() {
        if [&session::READ_ONLY, &session::DISK_FULL].contains(&fault) {
            // Not done to a server of somebody else's.
            continue;
        }
        let out = tempfile::tempdir().expect("a folder");
        let mut child = Command::new(binary())
            .args(["failure-sim", "--quick", "--database-url", &url, "--fault"])
            .arg(if *fault == session::LOCK_STORM {
                format!("{LONG_LOCKS},length_ms=60000")
            } else {
                format!("{fault},length_ms=60000")
            })
            .arg("--out")
            .arg(out.path())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("it runs");
        let stderr = child.stderr.take().expect("piped");
        let mut lines = BufReader::new(stderr).lines().map_while(Result::ok);
        assert!(lines.any(|line| line.starts_with(fault.name)), "{fault}");
        let log = out.path().join("events.jsonl");
        let by = clock::now() + Duration::from_secs(30);
        while !fs::read_to_string(&log)
            .expect("events")
            .contains("fault-effective")
        {
            assert!(clock::now() < by, "{fault} never came");
            clock::sleep(Duration::from_millis(20)).await;
        }
        interrupt(&mut child, lines);
        assert_eq!(left_in(&server).await, Vec::<String>::new(), "{fault}");
    }
    server.stop().await.expect("stopped");
}

/// A bug of ours in the middle of a fault.
#[tokio::test(flavor = "multi_thread")]
async fn a_panic_takes_the_fault_back_too() {
    let (server, _place) = server::any().await;
    let locks = format!("{LONG_LOCKS},name=both");
    let flags = [
        "--rate",
        "100",
        "--deadline-ms",
        "300",
        "--fault",
        &locks,
        "--fault",
        "latency,name=both",
    ];
    let frame = Frame {
        seed: 1,
        size: Size::Quick,
        own_server: false,
        scripts: None,
    };
    let planned: FailureSim = planned(&flags, &frame);
    let label = Label {
        arguments: Vec::new(),
        seed: frame.seed,
        size: frame.size.name(),
        thresholds: Vec::new(),
    };
    let folder = tempfile::tempdir().expect("a folder");
    let place = Place {
        wanted: Wanted {
            database_url: Some(seawall::config::Secret::new(url(server.endpoint()))),
            ..server::wanted(Kind::External)
        },
        toxiproxy: None,
        folder: folder.path().to_owned(),
    };
    let (_raised_by, interrupt) = Interrupt::manual();
    let listener = |event: &Event| {
        let seen = matches!(&event.what, What::FaultEffective { fault } if fault == "lock-storm");
        assert!(!seen, "a bug");
    };
    let record = experiment::carry_out(&planned, &label, &place, &interrupt, &listener);
    let record = record.await.expect("a record all the same").record;
    let ended = format!("{:?}", record.run.ended);
    assert!(
        ended.contains("panicked in the middle of a fault"),
        "{ended}"
    );
    assert_eq!(left_in(&server).await, Vec::<String>::new());
    server.stop().await.expect("stopped");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_never_done_can_be_undone() {
    let (server, _place) = server::any().await;
    for workload in [Workload::new(7), Workload::new(8).slowable()] {
        workload.create(server.endpoint()).await.expect("tables");
        let sessions = Sessions::new(server.endpoint(), &workload);
        for fault in of_sessions() {
            sessions.undo(fault, None).await.expect("nothing to do");
        }
        workload.drop(server.endpoint()).await.expect("dropped");
    }
    server.stop().await.expect("stopped");
}

/// Clients that were cut off in a transaction once kept the tables in the user's server.
#[tokio::test(flavor = "multi_thread")]
async fn tables_go_whoever_holds_a_lock_on_them() {
    let (server, _place) = server::any().await;
    let workload = Workload::new(7);
    workload.create(server.endpoint()).await.expect("tables");
    let by = clock::now() + Duration::from_secs(10);
    let cut_off = server.endpoint().session(by).await.expect("a session");
    let open = format!("BEGIN; {}", workload.touch_both());
    cut_off.client.batch_execute(&open).await.expect("open");
    workload.drop(server.endpoint()).await.expect("dropped");
    server.stop().await.expect("stopped");
}

/// A ledger of a million rows is read row by row: what is kept is a byte for each
/// operation.
#[tokio::test(flavor = "multi_thread")]
async fn a_million_writes_are_checked() {
    const WRITES: usize = 1_000_000;
    let (server, _place) = server::any().await;
    let workload = Workload::new(9);
    workload.create(server.endpoint()).await.expect("tables");
    let by = clock::now() + Duration::from_secs(60);
    let session = server.endpoint().session(by).await.expect("a session");
    // One is lost, one is there twice, one was never sent.
    let sql = format!(
        "INSERT INTO {} (run, client, seq)
         SELECT 9, 3, i FROM generate_series(1, {WRITES}) i UNION ALL SELECT 9, 3, 5",
        workload.ledger()
    );
    session.client.batch_execute(&sql).await.expect("rows");
    let operations = Operations {
        kinds: "w".repeat(WRITES),
        outcomes: "o".repeat(WRITES),
        latencies_us: vec![0; WRITES],
        lags_us: vec![0; WRITES],
        due_us: Vec::new(),
    };
    let arrivals = Arrivals {
        rate_per_s: 1_000,
        write_share: 1.0,
        mix: Mix::default(),
    };
    let mut checker = Checker::new(&operations, arrivals);
    workload
        .read_ledger(server.endpoint(), 3, &mut checker)
        .await
        .expect("read");
    let ledger = checker.finish();
    assert_eq!(
        (ledger.lost, ledger.duplicate, ledger.unexpected),
        (1, 1, 1)
    );
    assert_eq!(ledger.acked, WRITES as u64);
    drop(session);
    server.stop().await.expect("stopped");
}
