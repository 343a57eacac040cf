//! The dashboard in a browser: Chromium, driven through WebDriver.

use std::{
    net::TcpListener,
    process::{Child, Command, Stdio},
    time::Duration,
};

use fantoccini::{Client, ClientBuilder, Locator};
use seawall::clock;
use serde_json::{Map, Value, json};

use super::serving::{Serving, blocking, until};

const HINT: &str = "hint: apt-get install chromium chromium-driver";

/// A browser, and what drives it. One at once: they are large.
struct Browser {
    _alone: tokio::sync::MutexGuard<'static, ()>,
    profile: tempfile::TempDir,
    driver: Child,
    url: String,
    client: Client,
}

impl Browser {
    async fn start() -> Self {
        static ALONE: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());
        let alone = ALONE.lock().await;
        let profile = tempfile::tempdir().expect("a folder");
        let free = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = free.local_addr().expect("an address").port();
        drop(free);
        let driver = Command::new("chromedriver")
            .arg(format!("--port={port}"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        let driver = driver.unwrap_or_else(|error| panic!("chromedriver: {error}; {HINT}"));
        let url = format!("http://127.0.0.1:{port}");
        let mut wanted = Map::new();
        let own = format!("--user-data-dir={}", profile.path().display());
        let args = [
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--window-size=1280,1600",
            &own,
        ];
        wanted.insert("goog:chromeOptions".to_owned(), json!({ "args": args }));
        wanted.insert("goog:loggingPrefs".to_owned(), json!({ "browser": "ALL" }));
        let by = clock::now() + Duration::from_secs(30);
        let client = loop {
            let mut builder =
                ClientBuilder::new(hyper_util::client::legacy::connect::HttpConnector::new());
            let connecting = builder.capabilities(wanted.clone()).connect(&url);
            match clock::timeout_at(by, connecting).await {
                Ok(Ok(client)) => break client,
                Ok(Err(error)) => {
                    assert!(clock::now() < by, "chromium: {error}; {HINT}");
                    clock::sleep(Duration::from_millis(100)).await;
                }
                Err(_) => panic!("chromium: no answer in time; {HINT}"),
            }
        };
        Self {
            _alone: alone,
            profile,
            driver,
            url,
            client,
        }
    }

    /// What an element says; nothing while the page is not there.
    async fn text(&self, id: &str) -> String {
        match self.client.find(Locator::Id(id)).await {
            Ok(element) => element.text().await.unwrap_or_default(),
            Err(_) => String::new(),
        }
    }

    /// Waits until an element says something of this kind, and returns how long it took.
    async fn says(&self, id: &str, is: impl Fn(&str) -> bool) -> Duration {
        let began = clock::now();
        loop {
            let text = self.text(id).await;
            let waited = clock::now() - began;
            if is(&text) {
                return waited;
            }
            assert!(waited < Duration::from_secs(30), "{id}: {text}");
            clock::sleep(Duration::from_millis(50)).await;
        }
    }

    /// What the browser's console said since it was last asked.
    async fn console(&self) -> Vec<Value> {
        let session = self.client.session_id().await.expect("asked");
        let url = format!(
            "{}/session/{}/se/log",
            self.url,
            session.expect("a session")
        );
        let log = blocking(move |client| client.post(url).json(&json!({"type": "browser"})).send());
        let log = std::thread::spawn(move || log.json::<Value>());
        let log = log.join().expect("no panic").expect("JSON");
        log["value"].as_array().expect("a log").clone()
    }

    async fn end(self) {
        self.client.clone().close().await.expect("closed");
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _over = self.driver.kill();
        let _code = self.driver.wait();
        // A browser whose session was not closed outlives its driver.
        let own = format!("user-data-dir={}", self.profile.path().display());
        let _none = Command::new("pkill").args(["-f", &own]).status();
    }
}

/// The number that a text begins with.
fn number(text: &str) -> f64 {
    let digits: String = text
        .chars()
        .filter(|c| *c != ',')
        .take_while(|c| c.is_ascii_digit() || *c == '.')
        .collect();
    digits
        .parse()
        .unwrap_or_else(|_| panic!("a number: {text}"))
}

/// Longest time for all that a test does.
const PATIENCE: Duration = Duration::from_secs(180);

async fn in_time(test: impl Future<Output = ()>) {
    let done = clock::timeout_at(clock::now() + PATIENCE, test).await;
    assert!(done.is_ok(), "the browser does not answer");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_shows_what_is_and_what_goes_wrong_and_survives_a_restart() {
    in_time(shows_and_survives()).await;
}

async fn shows_and_survives() {
    let serving = Serving::start("127.0.0.1:0", "");
    let address = serving.port().to_owned();
    let browser = Browser::start().await;
    browser
        .client
        .goto(&serving.dashboard)
        .await
        .expect("loaded");
    browser.says("state", |text| text == "Healthy").await;
    browser.says("live", |text| text == "live").await;

    // Live figures are those of the status.
    let (mut shown, mut said) = (0.0, 0.0);
    for _ in 0..20 {
        let tile = "return document.querySelector('#tiles dd').textContent";
        let tile = browser
            .client
            .execute(tile, Vec::new())
            .await
            .expect("a tile");
        shown = number(tile.as_str().expect("text"));
        said = serving.pool()["queries_per_second"]
            .as_f64()
            .expect("a number");
        if (shown - said).abs() <= 1.0 {
            break;
        }
        clock::sleep(Duration::from_millis(250)).await;
    }
    assert!(
        (shown - said).abs() <= 1.0 && shown > 10.0,
        "{shown} and {said}"
    );
    let requests = "return performance.getEntriesByType('resource').map(r => r.name)";
    let requests = browser
        .client
        .execute(requests, Vec::new())
        .await
        .expect("a list");
    for request in requests.as_array().expect("a list") {
        let url = request.as_str().expect("text");
        assert!(url.starts_with(&serving.dashboard), "{url}");
    }

    // A fault, from its button, and its end.
    let button = Locator::Css("[data-action=refused]");
    let button = browser.client.find(button).await.expect("a button");
    button.click().await.expect("pressed");
    until("the circuit opens", || {
        serving.pool()["circuit_breaker"]["state"] == "open"
    })
    .await;
    browser.says("state", |text| text == "Down").await;
    until("it closes", || {
        serving.pool()["circuit_breaker"]["state"] == "closed"
    })
    .await;
    browser.says("state", |text| text != "Down").await;
    let errors: Vec<Value> = browser.console().await;
    let errors: Vec<_> = errors.iter().filter(|e| e["level"] == "SEVERE").collect();
    assert!(errors.is_empty(), "{errors:#?}");

    // The server goes, which the page says, and comes back at the same address.
    assert_eq!(serving.end().await, Some(0));
    browser
        .says("live", |text| text.starts_with("last seen"))
        .await;
    let again = Serving::start(&address, "");
    browser.says("live", |text| text == "live").await;
    browser.says("state", |text| text == "Healthy").await;
    browser.end().await;
    assert_eq!(again.end().await, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_token_nothing_is_shown() {
    in_time(shows_nothing()).await;
}

async fn shows_nothing() {
    let serving = Serving::start("127.0.0.1:0", "s3cret-t0ken");
    for path in [
        "/api/status",
        "/api/pools",
        "/api/actions",
        "/api/alerts",
        "/ws",
        "/",
    ] {
        let url = format!("{}{path}", serving.dashboard);
        let answer = blocking(move |client| client.get(url).send());
        let there = answer.status().as_u16() == 401 || answer.url().path() == "/login";
        assert!(there, "{path}: {answer:?}");
    }
    let browser = Browser::start().await;
    browser
        .client
        .goto(&serving.dashboard)
        .await
        .expect("loaded");
    let field = browser
        .client
        .find(Locator::Css("input[type=password]"))
        .await;
    let field = field.expect("a form to log in");
    field.send_keys("s3cret-t0ken").await.expect("typed");
    let button = browser.client.find(Locator::Css("button")).await;
    button.expect("a button").click().await.expect("pressed");
    browser.says("state", |text| text == "Healthy").await;
    let cookie = browser
        .client
        .execute("return document.cookie", Vec::new())
        .await;
    assert_eq!(cookie.expect("asked"), json!(""), "no script sees it");
    browser.end().await;
    assert_eq!(serving.end().await, Some(0));
}
