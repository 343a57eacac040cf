//! A whole configuration within a budget, as a user runs it, on a real server.

use std::{fs, process::Stdio, time::Duration};

use reports::{Data, Record, experiments::tune::Part};
use seawall::{PoolConfig, clock};

use super::{
    command::{alone, binary, env, is_accepted, json, left_by, says},
    server::kinds,
};

const BUDGET: Duration = Duration::from_secs(75);

#[test]
fn a_small_budget_is_kept_and_ends_with_a_file_that_a_pool_takes() {
    let kind = kinds()[0];
    let _alone = alone();
    let folder = tempfile::tempdir().expect("a folder");
    let began = clock::now();
    let child = std::process::Command::new(binary())
        .args(["tune", "--budget", "75s", "--seed", "3", "--out"])
        .arg(folder.path())
        .args(["--env", env(kind)])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it runs");
    let runner = child.id();
    let output = child.wait_with_output().expect("it ends");
    let took = clock::now() - began;
    let said = says(&output);
    let code = output.status.code();
    assert!(is_accepted(code), "{code:?}: {said}");
    assert!(!left_by(runner, kind), "something of it is still there");
    assert!(!said.contains("panicked"), "{said}");
    let ratio = took.as_secs_f64() / BUDGET.as_secs_f64();
    assert!(ratio <= 1.0, "{ratio} of its budget: {said}");

    let verdict = json(&folder.path().join("verdict.json"));
    assert_eq!(verdict["command"], "tune");
    let claims = verdict["claims"].as_array().expect("claims");
    let claim = |id: &str| {
        claims
            .iter()
            .find(|claim| claim["id"] == id)
            .expect("it is claimed")
    };
    assert_eq!(claim("in-budget")["verdict"], "holds");
    assert_eq!(claim("no-loss")["verdict"], "holds");

    let record = Record::load(&folder.path().join("record.json")).expect("a record");
    let Data::Tune(data) = &record.data else {
        panic!("{}", record.data.command());
    };
    let parts: Vec<Part> = data.spent.iter().map(|spent| spent.part).collect();
    assert_eq!(parts, Part::ALL);
    assert!(!data.pool.rounds.is_empty(), "pool sizes were measured");
    let first = &data.pool.rounds[0].windows;
    assert!(first.len() > 4 && first.iter().all(|window| window.ok > 0));
    assert!(!data.batch.coarse.conditions.is_empty());

    let text = fs::read_to_string(folder.path().join("pool.toml")).expect("a file");
    let config = PoolConfig::from_toml(&text).expect("the engine takes it");
    let size = config.max_connections;
    assert!(
        first.iter().any(|window| window.connections == size),
        "{text}"
    );
    let keys = verdict["tune"]["choices"].as_array().expect("choices");
    for choice in keys {
        let line = format!(
            "\n{} = {}\n",
            choice["key"].as_str().expect("a key"),
            choice["value"].as_str().expect("a value")
        );
        assert!(text.contains(&line), "{line}");
        assert!(!choice["evidence"].as_str().expect("text").is_empty());
    }
    assert!(folder.path().join("plots/pool-size.svg").is_file());
    assert!(
        said.contains("try it   scenarios failure-sim --config"),
        "{said}"
    );
}
