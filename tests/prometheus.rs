//! What Prometheus makes of a pool: its own `promtool`, and a real one that scrapes, shows and
//! alerts.

use std::{
    fs,
    io::Write as _,
    net::TcpListener,
    path::Path,
    process::{Child, Command, Stdio},
};

use serde_json::Value;

use super::serving::{Serving, blocking, got, until};

const HINT: &str = "hint: apt-get install prometheus";

/// A Prometheus that scrapes every second, with the rules that a user imports.
struct Prometheus {
    child: Child,
    url: String,
    _folder: tempfile::TempDir,
}

impl Prometheus {
    fn of(metrics: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let target = metrics
            .trim_start_matches("http://")
            .trim_end_matches("/metrics");
        let rules = Path::new(env!("CARGO_MANIFEST_DIR")).join("../monitoring/rules/*.yml");
        let config = format!(
            "global: {{scrape_interval: 1s, evaluation_interval: 1s}}\n\
             rule_files: ['{}']\n\
             scrape_configs:\n  - job_name: seawall_pools\n    static_configs:\n      \
             - targets: ['{target}']\n",
            rules.display()
        );
        let file = folder.path().join("prometheus.yml");
        fs::write(&file, config).expect("written");
        // Whoever asks for port 0 is not told which it became.
        let free = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = free.local_addr().expect("an address");
        drop(free);
        let child = Command::new("prometheus")
            .arg(format!("--config.file={}", file.display()))
            .arg(format!("--storage.tsdb.path={}", folder.path().display()))
            .arg(format!("--web.listen-address={address}"))
            .stderr(Stdio::null())
            .stdout(Stdio::null())
            .spawn();
        Self {
            child: child.unwrap_or_else(|error| panic!("prometheus: {error}; {HINT}")),
            url: format!("http://{address}"),
            _folder: folder,
        }
    }

    fn ready(&self) -> bool {
        let url = format!("{}/-/ready", self.url);
        let asked = std::thread::spawn(move || reqwest::blocking::get(url).map(|a| a.status()));
        asked
            .join()
            .expect("no panic")
            .is_ok_and(|status| status.is_success())
    }

    /// What an expression comes to.
    fn query(&self, expression: &str) -> Vec<Value> {
        let (url, asked) = (format!("{}/api/v1/query", self.url), expression.to_owned());
        let answer = blocking(move |client| client.get(url).query(&[("query", asked)]).send());
        let answer = std::thread::spawn(move || answer.json::<Value>());
        let answer = answer.join().expect("no panic").expect("JSON");
        assert_eq!(answer["status"], "success", "{expression}: {answer}");
        answer["data"]["result"]
            .as_array()
            .expect("a result")
            .clone()
    }

    fn fires(&self, alert: &str) -> bool {
        let expression = format!("ALERTS{{alertname=\"{alert}\",alertstate=\"firing\"}}");
        !self.query(&expression).is_empty()
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _over = self.child.kill();
        let _code = self.child.wait();
    }
}

/// The expressions of the dashboard's panels, as it would ask for them.
fn panels() -> Vec<(String, String)> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../monitoring/grafana/seawall.json");
    let dashboard = super::command::json(&path);
    let panels = dashboard["panels"].as_array().expect("panels");
    let mut all = Vec::new();
    for panel in panels {
        let title = panel["title"].as_str().unwrap_or_default();
        for target in panel["targets"].as_array().into_iter().flatten() {
            let expression = target["expr"].as_str().expect("an expression");
            let asked = expression
                .replace("$pool", ".*")
                .replace("$role", ".*")
                .replace("$__rate_interval", "10s");
            all.push((title.to_owned(), asked));
        }
    }
    assert!(all.len() > 50, "{}", all.len());
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn a_real_one_scrapes_shows_and_alerts() {
    let serving = Serving::start("127.0.0.1:0", "");
    let text = got(&serving.metrics);
    check(&text);
    let prometheus = Prometheus::of(&serving.metrics);
    until("it is ready", || prometheus.ready()).await;
    until("it has scraped", || {
        let rate = prometheus.query("sum(rate(connection_pool_queries_total[10s]))");
        rate.first().is_some_and(|v| v["value"][1] != "0")
    })
    .await;
    let open = "SeawallCircuitOpen";
    assert!(!prometheus.fires(open), "nothing is wrong");
    serving.does("refused");
    let fired = until("the alert fires", || prometheus.fires(open)).await;
    until("callers are seen to wait or fail", || {
        let errors = "sum(increase(connection_pool_errors_total[20s]))";
        let errors = prometheus.query(errors);
        errors.first().is_some_and(|v| v["value"][1] != "0")
    })
    .await;
    until("the circuit closes", || {
        let state = prometheus.query("connection_pool_circuit_breaker_state");
        state.first().is_some_and(|v| v["value"][1] == "0")
    })
    .await;
    println!("fired after {fired:?}");
    // Each panel shows something, now that something has happened.
    let empty: Vec<String> = panels()
        .into_iter()
        .filter(|(_, expression)| prometheus.query(expression).is_empty())
        .map(|(title, expression)| format!("{title}: {expression}"))
        .collect();
    // There are none of these in its load.
    let may_be_empty = |panel: &String| panel.contains("sqlstate") || panel.contains("batch_size");
    let empty: Vec<_> = empty.iter().filter(|p| !may_be_empty(p)).collect();
    assert!(empty.is_empty(), "{empty:#?}");
    assert_eq!(serving.end().await, Some(0));
}

/// `promtool` has nothing to say of it.
fn check(text: &str) {
    let child = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut child = child.unwrap_or_else(|error| panic!("promtool: {error}; {HINT}"));
    let mut stdin = child.stdin.take().expect("piped");
    stdin.write_all(text.as_bytes()).expect("read");
    drop(stdin);
    let output = child.wait_with_output().expect("it ends");
    let said = super::command::says(&output);
    assert!(output.status.success() && said.is_empty(), "{said}");
}
