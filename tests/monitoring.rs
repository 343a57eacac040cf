//! What a user imports to watch the pools: Prometheus' rules, the dashboard, and the runbooks.
//! That they know the metrics, and each other, and that `promtool` takes them.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::ErrorKind,
    path::{Path, PathBuf},
    process::Command,
};

use seawall::{Pool, PoolConfig, error::ErrorClass, exposition};
use serde_json::{Value, json};

use crate::command;

/// The data source of everything in the dashboard: whatever the user chooses at its top.
const SOURCE: &str = "${datasource}";

/// The panels of the migration guide, with its expressions.
const GUIDE: [(&str, &str); 3] = [
    ("Query Rate", "rate(connection_pool_queries_total[5m])"),
    (
        "Error Rate",
        "rate(connection_pool_query_errors_total[5m]) / rate(connection_pool_queries_total[5m])",
    ),
    (
        "Circuit Breaker State",
        "connection_pool_circuit_breaker_state",
    ),
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read(file: &str) -> String {
    let path = root().join(file);
    fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// The files of a folder that end like this, in order.
fn files(folder: &str, ending: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(root().join(folder)).expect("a folder");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    let mut files: Vec<PathBuf> = paths
        .filter(|path| path.extension().is_some_and(|e| e == ending))
        .collect();
    assert!(!files.is_empty(), "{folder} has been read");
    files.sort();
    files
}

fn dashboard() -> Value {
    command::json(&root().join("monitoring/grafana/seawall.json"))
}

/// What follows each of these in a text, up to the next.
fn blocks<'a>(text: &'a str, begin: &str) -> Vec<(&'a str, &'a str)> {
    let parts = text.split(begin).skip(1);
    parts
        .map(|part| {
            let (name, rest) = part.split_once('\n').unwrap_or((part, ""));
            (name.trim(), rest)
        })
        .collect()
}

/// The alerts, with the text of each.
fn alerts(text: &str) -> BTreeMap<&str, &str> {
    let alerts: BTreeMap<_, _> = blocks(text, "- alert: ").into_iter().collect();
    assert!(alerts.len() > 10, "{alerts:?}");
    alerts
}

/// The names in a text that begin like this.
fn names(text: &str, prefix: &str) -> BTreeSet<String> {
    let of_name = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
    let words = text.split(|c: char| !of_name(c));
    let named = words.filter(|word| word.len() > prefix.len() && word.starts_with(prefix));
    named.map(str::to_owned).collect()
}

/// The names of all series that a pool exposes, without `connection_pool_`.
fn known_metrics() -> BTreeSet<String> {
    let pool = Pool::new(PoolConfig::default()).expect("valid");
    let text = exposition::text(&[pool.watched()], exposition::Format::Text);
    let series = text.lines().filter(|line| !line.starts_with('#'));
    let names = series.filter_map(|line| line.split('{').next()?.strip_prefix("connection_pool_"));
    let names: BTreeSet<String> = names.map(str::to_owned).collect();
    assert!(names.len() > 50, "{names:?}");
    names
}

/// The expressions of the dashboard: those of its panels, of its annotations and variables.
fn expressions(dashboard: &Value) -> Vec<String> {
    fn of(value: &Value, found: &mut Vec<String>) {
        match value {
            Value::Object(fields) => {
                for (name, value) in fields {
                    match value {
                        Value::String(text) if name == "expr" => found.push(text.clone()),
                        value => of(value, found),
                    }
                }
            }
            Value::Array(values) => values.iter().for_each(|value| of(value, found)),
            _ => {}
        }
    }
    let mut found = Vec::new();
    of(dashboard, &mut found);
    assert!(found.len() > 50, "{}", found.len());
    found
}

/// The panels that show something, not the headings between them.
fn panels(dashboard: &Value) -> Vec<&Value> {
    let all = dashboard["panels"].as_array().expect("panels");
    all.iter().filter(|panel| panel["type"] != "row").collect()
}

fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value[field]
        .as_str()
        .unwrap_or_else(|| panic!("{field}: {value}"))
}

/// Runs `promtool`. The test fails, and does not pass, if there is none.
fn promtool(args: &[&str], files: &[PathBuf]) {
    let output = Command::new("promtool").args(args).args(files).output();
    let output = output.unwrap_or_else(|error| match error.kind() {
        ErrorKind::NotFound => {
            panic!("this test needs promtool\nhint: apt-get install prometheus")
        }
        _ => panic!("promtool: {error}"),
    });
    let said = command::says(&output);
    assert!(output.status.success(), "promtool {args:?}: {said}");
}

#[test]
fn every_alert_says_what_it_is_about_and_has_a_runbook_and_a_test() {
    let text = read("monitoring/rules/alerts.yml");
    let alerts = alerts(&text);
    let tests: Vec<String> = files("monitoring/rules/tests", "yml")
        .iter()
        .map(|file| fs::read_to_string(file).expect("text"))
        .collect();
    for (alert, rule) in &alerts {
        let severe = ["critical", "warning", "info"];
        let severity = blocks(rule, "severity: ");
        assert!(
            matches!(severity[..], [(it, _)] if severe.contains(&it)),
            "{alert}: {severity:?}"
        );
        for field in ["summary: ", "description: "] {
            assert!(rule.contains(field), "{alert}: {field}");
        }
        let of_pool = rule.contains("{{ $labels.pool }}");
        assert!(of_pool || *alert == "SeawallNotScraped", "{alert}");
        let runbook = format!("docs/runbooks/{alert}.md");
        assert!(
            rule.contains(&format!("runbook_url: {runbook}")),
            "{alert}: runbook_url"
        );
        assert!(read(&runbook).starts_with(&format!("# {alert}\n\n*{}.*", severity[0].0)));
        let asked = tests.iter().flat_map(|text| blocks(text, "alertname: "));
        let asked: Vec<&str> = asked
            .filter(|(name, _)| name == alert)
            .map(|(_, rest)| rest)
            .collect();
        let fires = |rest: &&&str| rest.contains("exp_labels");
        assert!(asked.iter().any(|it| fires(&it)), "{alert} never fires");
        assert!(asked.iter().any(|it| !fires(&it)), "{alert} always fires");
    }
    let index = read("docs/runbooks/README.md");
    for file in files("docs/runbooks", "md") {
        let name = file.file_stem().expect("a name").to_string_lossy();
        let is_index = name == "README";
        assert!(
            is_index || alerts.contains_key(&*name),
            "{name}: no such alert"
        );
        assert!(is_index || index.contains(&format!("[{name}]({name}.md)")));
    }
}

#[test]
fn runbooks_name_panels_that_there_are() {
    let dashboard = dashboard();
    let all = dashboard["panels"].as_array().expect("panels");
    let titles: BTreeSet<&str> = all.iter().map(|panel| text(panel, "title")).collect();
    let mut named = 0;
    for file in files("docs/runbooks", "md") {
        let text = fs::read_to_string(&file).expect("text").replace("**", "");
        // Every second piece between asterisks is what they are around.
        for title in text.split('*').skip(1).step_by(2) {
            let is_title = title.starts_with(char::is_uppercase) && !title.contains(", ");
            assert!(
                !is_title || titles.contains(title),
                "{}: {title}",
                file.display()
            );
            named += usize::from(is_title);
        }
    }
    assert!(named > 30, "{named}");
}

#[test]
fn rules_and_panels_use_metrics_that_there_are() {
    let recording = read("monitoring/rules/recording.yml");
    let alerts = read("monitoring/rules/alerts.yml");
    let dashboard = dashboard();
    let mut texts = vec![
        recording.clone(),
        alerts,
        dashboard["templating"].to_string(),
    ];
    texts.extend(expressions(&dashboard));
    for file in files("monitoring/rules/tests", "yml") {
        texts.push(fs::read_to_string(file).expect("text"));
    }
    let known = known_metrics();
    let recorded = blocks(&recording, "- record: ");
    let recorded: BTreeSet<&str> = recorded.iter().map(|(name, _)| *name).collect();
    for text in &texts {
        for name in names(text, "connection_pool_") {
            let bare = &name["connection_pool_".len()..];
            assert!(known.contains(bare), "no metric is called {name}: {text}");
        }
        for name in names(text, "seawall:") {
            // The test of what is absent has a pattern of its own.
            let pattern = name.ends_with(":p");
            assert!(pattern || recorded.contains(&*name), "not recorded: {name}");
        }
    }
}

#[test]
fn failures_are_all_classes_but_the_callers_own() {
    let own = [ErrorClass::Statement, ErrorClass::Conflict];
    let classes = ErrorClass::ALL.iter().filter(|class| !own.contains(class));
    let names: Vec<&str> = classes.map(|class| class.name()).collect();
    let pattern = format!("result=~\"{}\"", names.join("|"));
    assert!(read("monitoring/rules/recording.yml").contains(&pattern));
    let expressions = expressions(&dashboard());
    assert!(expressions.iter().any(|it| it.contains(&pattern)));
}

#[test]
fn the_dashboard_can_be_imported_with_any_data_source() {
    fn each_uid(value: &Value, at: &str) {
        match value {
            Value::Object(fields) => {
                for (name, value) in fields {
                    let of_all = at.is_empty() && name == "uid";
                    assert!(
                        name != "uid" || of_all || value == SOURCE,
                        "{at}: the data source {value} is not everybody's"
                    );
                    each_uid(value, &format!("{at}/{name}"));
                }
            }
            Value::Array(values) => {
                for (i, value) in values.iter().enumerate() {
                    each_uid(value, &format!("{at}/{i}"));
                }
            }
            _ => {}
        }
    }
    let dashboard = dashboard();
    each_uid(&dashboard, "");
    assert_eq!(dashboard["id"], Value::Null, "Grafana gives it one");
    assert_eq!(dashboard["uid"], "seawall-pools");
    assert_eq!(dashboard["refresh"], "5s");
    assert_eq!(dashboard["timezone"], "browser");
    let variables = dashboard["templating"]["list"].as_array().expect("them");
    let called: Vec<&str> = variables.iter().map(|it| text(it, "name")).collect();
    assert_eq!(called, ["datasource", "pool", "role"]);
    for variable in &variables[1..] {
        assert_eq!(variable["multi"], true);
        assert_eq!(variable["includeAll"], true);
    }
    let mut ids = BTreeSet::new();
    for panel in dashboard["panels"].as_array().expect("panels") {
        assert!(ids.insert(panel["id"].as_u64()), "{}", panel["title"]);
    }
    for panel in panels(&dashboard) {
        let title = text(panel, "title");
        assert_eq!(panel["datasource"]["uid"], SOURCE, "{title}");
        assert!(!text(panel, "description").is_empty(), "{title}");
        let heatmap = panel["type"] == "heatmap";
        let unit = &panel["fieldConfig"]["defaults"]["unit"];
        let of_axis = &panel["options"]["yAxis"]["unit"];
        assert!(
            (if heatmap { of_axis } else { unit }).is_string(),
            "{title}"
        );
        for target in panel["targets"].as_array().expect("targets") {
            assert_eq!(target["datasource"]["uid"], SOURCE, "{title}");
            let of_chosen = r#"{pool=~"$pool", role=~"$role""#;
            assert!(text(target, "expr").contains(of_chosen), "{title}");
        }
    }
}

#[test]
fn the_panels_of_the_guide_come_first() {
    let dashboard = dashboard();
    for (panel, (title, expected)) in panels(&dashboard).iter().zip(GUIDE) {
        assert_eq!(text(panel, "title"), title);
        // Without the choice of pools it is the guide's, letter for letter.
        let expression = text(&panel["targets"][0], "expr");
        assert_eq!(
            expression.replace(r#"{pool=~"$pool", role=~"$role"}"#, ""),
            expected
        );
    }
}

#[test]
fn promtool_takes_the_configuration_and_the_rules() {
    let config = root().join("monitoring/prometheus.yml");
    promtool(&["check", "config"], &[config]);
    promtool(&["check", "rules"], &files("monitoring/rules", "yml"));
}

#[test]
fn alerts_fire_when_they_should_and_end() {
    promtool(&["test", "rules"], &files("monitoring/rules/tests", "yml"));
}

#[test]
fn promtool_takes_every_expression_of_the_dashboard() {
    let chosen = |expression: String| {
        expression
            .replace("$__rate_interval", "1m")
            .replace("$pool", ".*")
            .replace("$role", ".*")
    };
    let rules: Vec<Value> = expressions(&dashboard())
        .into_iter()
        .enumerate()
        .map(|(i, expression)| json!({"record": format!("panel:{i}"), "expr": chosen(expression)}))
        .collect();
    let folder = tempfile::tempdir().expect("a folder");
    // What is JSON is YAML.
    let file = folder.path().join("dashboard.yml");
    let group = json!({"groups": [{"name": "dashboard", "rules": rules}]});
    fs::write(&file, group.to_string()).expect("written");
    promtool(&["check", "rules"], &[file]);
}
