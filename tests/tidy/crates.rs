//! Which crate may know which.

use std::{collections::BTreeMap, process::Command};

use serde_json::Value;

/// Each crate of ours, and those of ours that it may depend on.
const ALLOWED: [(&str, &[&str]); 5] = [
    ("fault-proxy", &[]),
    ("reports", &[]),
    ("scenarios", &["fault-proxy", "reports", "seawall"]),
    ("seawall", &[]),
    (
        "seawall-tests",
        &["fault-proxy", "reports", "scenarios", "seawall"],
    ),
];

/// What a crate must not depend on: reports is judged offline.
const FORBIDDEN: [(&str, &[&str]); 1] = [("reports", &["tokio", "reqwest"])];

fn metadata() -> Value {
    let output = Command::new(env!("CARGO"))
        .args([
            "metadata",
            "--format-version",
            "1",
            "--no-deps",
            "--offline",
        ])
        .arg("--manifest-path")
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.toml"))
        .output()
        .expect("cargo metadata runs");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_slice(&output.stdout).expect("JSON")
}

#[test]
fn crates_know_only_those_below_them() {
    let metadata = metadata();
    let packages = metadata["packages"].as_array().expect("packages");
    let dependencies: BTreeMap<&str, Vec<&str>> = packages
        .iter()
        .map(|package| {
            let name = package["name"].as_str().expect("a name");
            let of = package["dependencies"].as_array().expect("dependencies");
            (name, of.iter().filter_map(|d| d["name"].as_str()).collect())
        })
        .collect();
    let ours: Vec<&str> = ALLOWED.iter().map(|(name, _)| *name).collect();
    assert_eq!(
        dependencies.keys().copied().collect::<Vec<_>>(),
        ours,
        "a crate without a rule"
    );
    for (name, allowed) in ALLOWED {
        for dependency in &dependencies[name] {
            let known = ours.contains(dependency);
            // A crate may ask for its own features in its tests.
            assert!(
                !known || *dependency == name || allowed.contains(dependency),
                "{name} must not know {dependency}"
            );
        }
    }
    for (name, forbidden) in FORBIDDEN {
        for dependency in &dependencies[name] {
            assert!(
                !forbidden.contains(dependency),
                "{name} must not use {dependency}"
            );
        }
    }
}
