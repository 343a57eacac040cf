//! A baseline, gates against it, and what reads runs without running, on a real server.

use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

use super::{
    command::{alone, env, json, says},
    planted,
    server::kinds,
};

/// The runner with an engine that can be made wrong, in a folder.
fn runner(folder: &Path, words: &[&str]) -> Command {
    let mut command = Command::new(planted::binary());
    command
        .current_dir(folder)
        .args(words)
        .env_remove("SEAWALL_PLANTED_DEFECT");
    command
}

fn ran(mut command: Command) -> Output {
    command.output().expect("it ends")
}

/// What is gated: little load, three times.
fn gated<'a>(file: &'a str, flag: &'a str, out: &'a str, seed: &'a str) -> Vec<&'a str> {
    let experiment = [
        "steady", "--quick", "--rate", "80", "--seed", seed, "--quiet",
    ];
    let mut words = vec!["gate", flag, file, "--runs", "3"];
    words.extend(experiment);
    words.extend(["--env", env(kinds()[0]), "--out", out]);
    words
}

#[test]
fn a_gate_names_what_a_defect_costs_and_lets_the_same_build_through() {
    let _alone = alone();
    let folder = tempfile::tempdir().expect("a folder");
    let at = folder.path();
    let baseline = gated("base.json", "--save-baseline", "then", "7");
    let output = ran(runner(at, &baseline));
    let said = says(&output);
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(
        said.contains("3 runs;") && said.contains("latency.p50"),
        "{said}"
    );

    // Another experiment than that of the baseline is no gate; nothing is started.
    let output = ran(runner(at, &gated("base.json", "--baseline", "no", "8")));
    assert_eq!(output.status.code(), Some(64));
    let refused = says(&output);
    assert!(
        refused.contains("--seed 7`, and this is") && !at.join("no").exists(),
        "{refused}"
    );

    let mut defective = runner(at, &gated("base.json", "--baseline", "now", "7"));
    defective.env("SEAWALL_PLANTED_DEFECT", "connections-used-once");
    defective.args(["--threshold", "latency.p99 < 1m"]);
    defective.env("GITHUB_ACTIONS", "true");
    defective.env("GITHUB_STEP_SUMMARY", at.join("summary.md"));
    let output = ran(defective);
    let said = says(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(
        said.contains("::error title=gate%3A seawall connects::connects"),
        "{said}"
    );
    let verdict = json(&at.join("now/verdict.json"));
    let claims = verdict["claims"].as_array().expect("claims");
    let of = |id: &str| {
        let found = claims.iter().find(|claim| claim["id"] == id);
        found.unwrap_or_else(|| panic!("no {id} in {said}"))["verdict"].clone()
    };
    assert_eq!(of("connects"), "refuted", "{said}");
    assert_eq!(of("threshold-1"), "holds", "{said}");
    assert_eq!(of("statements"), "holds", "the same count every time");
    let summary = fs::read_to_string(at.join("summary.md")).expect("a summary");
    assert!(
        summary.starts_with("# ") && summary.contains("connects"),
        "{summary}"
    );
    for file in [
        "report.html",
        "report.md",
        "junit.xml",
        "plots/changes.svg",
        "run-3/record.json",
    ] {
        assert!(at.join("now").join(file).is_file(), "{file}");
    }

    // Six of these runs are enough to read what is there without running.
    let output = ran(runner(at, &["compare", "then", "now", "--out", "compared"]));
    let said = says(&output);
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(said.contains("connects"), "{said}");
    assert!(at.join("compared/report.html").is_file());
    let history = [
        "history",
        "then",
        "--measure",
        "connects",
        "--format",
        "json",
        "--out",
        "h",
    ];
    let output = ran(runner(at, &history));
    let drawn: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let arms = drawn["lines"].as_array().expect("lines").iter();
    let arms: Vec<&str> = arms.filter_map(|line| line["of"].as_str()).collect();
    assert_eq!(
        (arms, drawn["runs"].as_array().map(Vec::len)),
        (vec!["bare", "seawall"], Some(3))
    );
    for (bound, code) in [
        ("statements.max <= 1.5", 0),
        ("statements.max > 1.5", 1),
        ("statements.max{fault=crash} > 1.5", 2),
        ("statements.max > 1.5s", 64),
        ("statements >", 64),
    ] {
        let output = ran(runner(
            at,
            &["report", "then/run-1", "--threshold", bound, "--out", "r"],
        ));
        let said = says(&output);
        assert_eq!(output.status.code(), Some(code), "{bound}: {said}");
        assert!(code != 64 || said.contains("column"), "{bound}: {said}");
    }
    let again = fs::read(at.join("then/run-1/verdict.json")).expect("a verdict");
    let output = ran(runner(at, &["report", "then/run-1", "--out", "again"]));
    assert_eq!(output.status.code(), Some(0), "{}", says(&output));
    assert_eq!(
        fs::read(at.join("again/verdict.json")).expect("a verdict"),
        again
    );
}

#[test]
fn what_is_wrong_with_a_gate_or_a_record_is_said_before_anything_starts() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = folder.path();
    fs::write(at.join("text.json"), "no baseline").expect("written");
    fs::create_dir(at.join("empty")).expect("a folder");
    for (words, says_so) in [
        (&["gate", "steady", "--quick"][..], "--baseline <FILE>"),
        (
            &["gate", "--baseline", "a", "--save-baseline", "b", "steady"],
            "cannot be used with",
        ),
        (
            &["gate", "--baseline", "none.json", "steady"],
            "none.json: No such file",
        ),
        (
            &["gate", "--baseline", "text.json", "steady"],
            "text.json is not a baseline",
        ),
        (
            &["gate", "--save-baseline", "empty", "steady"],
            "it is a folder",
        ),
        (
            &["gate", "--save-baseline", "b", "--runs", "2", "steady"],
            "allowed: 3 to 100",
        ),
        (
            &["gate", "--save-baseline", "b", "--budget", "1s", "steady"],
            "allowed: 60s to 24h",
        ),
        (&["gate", "--save-baseline", "b"], "Usage"),
        (&["steady", "--threshold", "latency.p99 < 2"], "column 16"),
        (
            &[
                "gate",
                "--save-baseline",
                "b",
                "steady",
                "--threshold",
                "x < 2",
            ],
            "column 1",
        ),
        (
            &["compare", "empty", "empty"],
            "allowed: the folder of a run",
        ),
        (&["report", "empty"], "allowed: the folder of a run"),
        (&["history", "empty"], "holds no run"),
        (
            &["history", "nowhere"],
            "allowed: a folder with the folders of runs",
        ),
    ] {
        let output = Command::new(super::command::binary())
            .current_dir(at)
            .args(words)
            .output();
        let output = output.expect("it ends");
        let said = says(&output);
        assert_eq!(output.status.code(), Some(64), "{words:?}: {said}");
        assert!(said.contains(says_so), "{words:?}: {said}");
        assert!(!at.join("reports").exists(), "{words:?}");
    }
}
