//! The command line without a server: what is wrong is named, with the exit code
//! that says so.

mod proxy;

use std::{
    fs,
    process::{Command, Output},
};

use tempfile::TempDir;

/// Runs it in a folder of its own, which must be empty afterwards.
fn command(args: &[&str]) -> (Command, TempDir) {
    let folder = tempfile::tempdir().expect("a folder");
    let mut command = Command::new(env!("CARGO_BIN_EXE_scenarios"));
    command.args(args).current_dir(folder.path());
    (command, folder)
}

fn scenarios(args: &[&str]) -> Output {
    let (mut command, folder) = command(args);
    let output = command.output().expect("it runs");
    let runs = folder.path().join("reports/runs");
    let left = fs::read_dir(&runs).map_or(0, Iterator::count);
    assert_eq!(left, 0, "{args:?} left something in {}", runs.display());
    output
}

fn fails(args: &[&str], code: i32, says: &[&str]) {
    let output = scenarios(args);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{args:?}: {stderr}");
    for text in says {
        assert!(stderr.contains(text), "{args:?}: no {text:?} in {stderr}");
    }
    assert!(output.stdout.is_empty(), "{args:?}");
}

#[test]
fn an_unknown_word_is_usage_and_names_the_nearest() {
    fails(&["failure-simm"], 64, &["failure-simm", "failure-sim"]);
    fails(&["failure-sim", "--sed", "7"], 64, &["--sed", "--seed"]);
    fails(
        &["failure-sim", "--env", "dcoker"],
        64,
        &["dcoker", "docker"],
    );
    fails(&[], 64, &["Usage"]);
}

#[test]
fn a_flag_that_means_nothing_to_a_command_is_no_flag_of_it() {
    for (command, flag, value) in [
        ("breaker-sweep", "--fault", "crash"),
        ("breaker-sweep", "--config", "pool.toml"),
        ("batch-sweep", "--repeats", "3"),
        ("batch-sweep", "--faults", "plan.toml"),
        ("batch-sweep", "--rate", "100"),
        ("batch-sweep", "--deadline-ms", "300"),
        ("replay", "-f", "q.sql"),
        ("replay", "--seed", "3"),
        ("fault-proxy", "--rate", "100"),
        ("fault-proxy", "--env", "local"),
        ("fault-proxy", "--out", "here"),
        ("doctor", "--schema", "dump.sql"),
        ("doctor", "--format", "json"),
        ("doctor", "--faults", "plan.toml"),
        ("reap", "--faults", "plan.toml"),
        ("reap", "--image", "postgres:15"),
        ("list", "--env", "local"),
    ] {
        fails(&[command, flag, value], 64, &[flag, "unexpected argument"]);
        let help = scenarios(&[command, "--help"]);
        let help = String::from_utf8_lossy(&help.stdout).into_owned();
        assert!(!help.contains(&format!("{flag} ")), "{command}: {help}");
    }
}

#[test]
fn flags_may_stand_before_the_command() {
    let typed = ["--seed", "7", "--pg-bin", "/nowhere", "--env", "local"];
    let typed: Vec<&str> = typed.into_iter().chain(["failure-sim"]).collect();
    fails(&typed, 69, &["/nowhere"]);
}

#[test]
fn who_mistypes_a_command_is_not_led_to_one_that_deletes() {
    for typed in ["report", "rap", "reep", "heap"] {
        let output = scenarios(&[typed]);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(64), "{stderr}");
        assert!(stderr.contains(typed), "{stderr}");
        assert!(!stderr.contains("reap"), "{typed}: {stderr}");
    }
    fails(&["failure-simm"], 64, &["'failure-sim'"]);
}

#[test]
fn scripts_are_read_before_anything_starts() {
    let missing = ["batch-sweep", "-f", "nowhere/q.sql@2"];
    fails(
        &missing,
        64,
        &["-f: nowhere/q.sql", "No such file", "allowed: "],
    );
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("q.sql");
    let file = path.to_str().expect("UTF-8");
    let weight = format!("{file}@few");
    fs::write(&path, "SELECT 1").expect("written");
    fails(
        &["steady", "-f", &weight],
        64,
        &["q.sql@few", "FILE@WEIGHT"],
    );
    fails(
        &["steady", "-f", file, "-D", "x"],
        64,
        &["-D: x", "NAME=VALUE"],
    );
    fails(
        &["failure-sim", "-f", file, "--mix", "plain"],
        64,
        &["--mix: plain", "only without -f"],
    );
    for (command, sql, says) in [
        ("steady", "", "q.sql:1:1: "),
        ("steady", "SELECT 1; SELECT $1", "q.sql:1:18: "),
        ("near-capacity", "SELECT 1;\nSELECT :nobody", "q.sql:2:8: "),
        ("failure-sim", "\\set a random(5, 1", "q.sql:1:"),
        ("observability", "COPY t FROM STDIN", "COPY"),
        ("breaker-sweep", "FROBNICATE 1", "q.sql:1:1: "),
        ("batch-sweep", "SELECT 1 \\gset\n", "q.sql:1:10: "),
    ] {
        fs::write(&path, sql).expect("written");
        fails(&[command, "-f", file], 64, &["-f: ", says, "allowed: "]);
    }
}

#[test]
fn an_impossible_value_is_usage_and_names_field_value_and_what_is_allowed() {
    fails(
        &["failure-sim", "--rate", "0"],
        64,
        &["--rate", "'0'", "8..=20000"],
    );
    fails(
        &["failure-sim", "--rate", "many"],
        64,
        &["--rate", "'many'"],
    );
    fails(&["failure-sim", "--seed", "-1"], 64, &["-1"]);
    fails(
        &["failure-sim", "--deadline-ms", "1"],
        64,
        &["--deadline-ms", "20..=30000"],
    );
    fails(
        &["failure-sim", "--quick", "--full"],
        64,
        &["--quick", "--full"],
    );
    fails(
        &["failure-sim", "--env", "external"],
        64,
        &["--env", "--database-url"],
    );
    let both = [
        "failure-sim",
        "--env",
        "docker",
        "--database-url",
        "postgresql://u@localhost/d",
    ];
    fails(&both, 64, &["--env", "--database-url"]);
    fails(
        &["failure-sim", "--out", "/proc/nowhere"],
        64,
        &["--out", "/proc/nowhere"],
    );
}

#[test]
fn a_bad_configuration_is_usage_and_names_the_key() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("pool.toml");
    let config = path.to_str().expect("UTF-8");
    for (text, says) in [
        (
            "circuit_breaker_failure_treshold = 5",
            "did you mean circuit_breaker_failure_threshold?",
        ),
        (
            "circuit_breaker_error_rate = 2",
            "circuit_breaker_error_rate: 2.0, allowed: a number above 0",
        ),
        (
            "max_connections = \"ten\"",
            "max_connections: \"ten\", allowed: an integer in 1..=10000",
        ),
        ("= 5", "not TOML"),
    ] {
        fs::write(&path, text).expect("written");
        fails(&["failure-sim", "--config", config], 64, &[says]);
    }
    fails(
        &["failure-sim", "--config", "/nowhere.toml"],
        64,
        &["--config", "/nowhere.toml"],
    );
}

#[test]
fn without_a_server_it_is_69_with_the_way_to_get_one() {
    let none = ["failure-sim", "--env", "local", "--pg-bin", "/nowhere"];
    fails(&none, 69, &["/nowhere", "apt-get install postgresql"]);
    let (mut neither, _folder) = command(&["failure-sim", "--pg-bin", "/nowhere"]);
    let output = neither
        .env("DOCKER_HOST", "unix:///nowhere.sock")
        .output()
        .expect("it runs");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(69), "{stderr}");
    assert!(
        stderr.contains("docker:") && stderr.contains("local:"),
        "{stderr}"
    );
    // Nobody listens there.
    let url = "postgresql://u:hunter2@127.0.0.1:1/d";
    let output = scenarios(&["failure-sim", "--database-url", url]);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(69), "{stderr}");
    assert!(!stderr.contains("hunter2"), "{stderr}");
}

#[test]
fn another_machine_is_refused() {
    let url = [
        "failure-sim",
        "--database-url",
        "postgresql://u:hunter2@192.0.2.7/d",
    ];
    fails(&url, 77, &["192.0.2.7", "not a loopback address"]);
    let toxiproxy = ["failure-sim", "--toxiproxy", "http://192.0.2.7:8474"];
    fails(&toxiproxy, 77, &["http://192.0.2.7:8474"]);
}

#[test]
fn a_database_is_owned_only_beside_its_url() {
    let owned = ["failure-sim", "--i-own-this-database", "shop"];
    fails(
        &owned,
        64,
        &["--i-own-this-database", "\"shop\"", "--database-url"],
    );
}

#[test]
fn a_url_in_the_wrong_place_is_not_repeated() {
    let url = "postgresql://u:hunter2@127.0.0.1/d";
    let flag = format!("--database-ulr={url}");
    for args in [
        &["failure-sim", url][..],
        &[url],
        &["failure-sim", &flag],
        &["--env", url],
    ] {
        let output = scenarios(args);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(64), "{stderr}");
        assert!(
            !stderr.contains("hunter2") && stderr.contains("error:"),
            "{stderr}"
        );
    }
}

#[test]
fn what_an_earlier_run_found_is_not_left_for_a_run_that_finds_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let verdict = folder.path().join("verdict.json");
    let theirs = folder.path().join("notes.txt");
    fs::write(&verdict, "{\"exit_code\": 0}").expect("written");
    fs::write(&theirs, "mine").expect("written");
    let out = folder.path().to_str().expect("UTF-8");
    let args = [
        "failure-sim",
        "--env",
        "local",
        "--pg-bin",
        "/nowhere",
        "--out",
        out,
    ];
    fails(&args, 69, &[]);
    assert!(!verdict.exists() && theirs.exists());
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let (mut doctor, _folder) = command(&["doctor", "--env", "local"]);
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    doctor
        .stdout(writer.try_clone().expect("a pipe"))
        .stderr(writer);
    let code = doctor.status().expect("it runs").code();
    assert!(matches!(code, Some(0 | 69)), "{code:?}");
}

#[test]
fn help_and_version_are_no_errors() {
    for args in [&["--help"][..], &["--version"], &["failure-sim", "--help"]] {
        let output = scenarios(args);
        assert_eq!(output.status.code(), Some(0), "{args:?}");
        assert!(!output.stdout.is_empty(), "{args:?}");
    }
}

#[test]
fn a_web_proxy_in_the_environment_changes_nothing() {
    let (mut proxied, _folder) =
        command(&["failure-sim", "--env", "local", "--pg-bin", "/nowhere"]);
    let output = proxied
        .env("http_proxy", "http://192.0.2.1:3128")
        .env_remove("no_proxy")
        .env_remove("NO_PROXY")
        .output()
        .expect("it runs");
    assert_eq!(
        output.status.code(),
        Some(69),
        "started again, with its arguments"
    );
}

#[test]
fn a_bad_plan_is_usage_and_names_field_value_and_what_is_allowed() {
    let folder = tempfile::tempdir().expect("a folder");
    let plan = folder.path().join("plan.toml");
    fs::write(&plan, "[[fault]]\nkind = \"latency\"\nlatency_ms = 0\n").expect("written");
    let plan = plan.to_str().expect("a path");
    fails(
        &["failure-sim", "--faults", plan],
        64,
        &["fault[0].latency_ms", "0", "20 to 600000"],
    );
    fails(
        &["failure-sim", "--faults", "/nowhere.toml"],
        64,
        &["--faults", "/nowhere.toml", "readable"],
    );
    fails(
        &["failure-sim", "--fault", "crush"],
        64,
        &["--fault 1.kind", "crush", "did you mean crash?"],
    );
    fails(&["failure-sim", "--repeats", "0"], 64, &["--repeats"]);
    fails(&["replay", "/nowhere"], 64, &["replay", "/nowhere"]);
    fails(&["replay"], 64, &["<DIR>"]);
    fails(
        &["fault-proxy", "--listen", "nonsense"],
        64,
        &["--listen", "nonsense", "host and port"],
    );
}

#[test]
fn what_there_is_to_choose_from_is_listed() {
    let output = scenarios(&["list", "faults"]);
    assert!(output.status.success());
    let text = String::from_utf8_lossy(&output.stdout);
    for name in [
        "blackhole",
        "crash",
        "lock-storm",
        "disk-full",
        "needs a container",
    ] {
        assert!(text.contains(name), "{name}");
    }
    let experiments = scenarios(&["list"]);
    assert!(String::from_utf8_lossy(&experiments.stdout).contains("failure-sim"));
}

#[test]
fn a_database_url_with_what_would_be_dropped_is_refused() {
    for (parameter, named) in [
        ("sslmode=require", "sslmode=require"),
        ("sslmode=verify-full", "sslmode=verify-full"),
        ("sslrootcert=/hunter2.pem", "sslrootcert"),
        ("options=-c%20search_path%3Dhunter2", "options"),
    ] {
        let url = format!("postgresql://u:hunter2@127.0.0.1:1/d?{parameter}");
        let args = ["failure-sim", "--database-url", &url];
        fails(&args, 64, &[named, "allowed: host, port, user, password"]);
        let stderr = String::from_utf8_lossy(&scenarios(&args).stderr).into_owned();
        assert!(!stderr.contains("hunter2"), "{stderr}");
    }
}
