//! Who may come in.

use super::*;
use crate::status::HealthState;

const PATHS: [&str; 12] = [
    "/",
    "/page/app.js",
    "/page/metrics.js",
    "/api/status",
    "/api/pools",
    "/api/history/error_rate",
    "/api/heatmap",
    "/api/alerts",
    "/healthz",
    "/readyz",
    "/page/style.css",
    "/page/icon.svg",
];

#[tokio::test]
async fn without_a_token_everything_is_open_and_with_it_almost_nothing() {
    let open = Served::new("", &["a"]);
    for path in PATHS {
        assert_eq!(open.get(path).await.status, 200, "{path}");
    }
    assert_eq!(
        ask(open.metrics(), "GET", "/metrics", &[], "").await.status,
        200
    );
    assert_eq!(open.get("/login").await.status, 303);
    assert_eq!(open.get("/nowhere").await.status, 404);

    let locked = Served::new("s3cret", &["a"]);
    let bearer = ["authorization: Bearer s3cret"];
    for path in PATHS {
        let free = ["/healthz", "/readyz", "/page/style.css"].contains(&path);
        let expected = if free { 200 } else { 401 };
        let refused = locked.get(path).await;
        assert_eq!(refused.status, expected, "{path}");
        assert!(free || refused.header("www-authenticate") == Some("Bearer"));
        let known = ask(locked.dashboard(), "GET", path, &bearer, "").await;
        assert_eq!(known.status, 200, "{path}");
    }
    let metrics =
        |headers: &'static [&'static str]| ask(locked.metrics(), "GET", "/metrics", headers, "");
    assert_eq!(metrics(&[]).await.status, 401);
    let scraped = metrics(&["authorization: bearer s3cret"]).await;
    assert_eq!(scraped.status, 200);
    assert!(
        scraped
            .body
            .contains("connection_pool_queries_total{pool=\"a\"")
    );
    // Nothing is said of what there is and what there is not.
    assert_eq!(locked.get("/nowhere").await.status, 401);
    let post = ask(locked.dashboard(), "POST", "/api/alerts", &[], "{}").await;
    assert_eq!(post.status, 401);
    let socket = sockets::upgrade(locked.dashboard(), &[]).await;
    assert!(socket.is_err(), "a socket without the token");
    assert!(sockets::upgrade(locked.dashboard(), &bearer).await.is_ok());
}

#[tokio::test]
async fn who_logs_in_has_a_cookie_that_is_not_the_token() {
    let served = Served::new("s3cret", &["a"]);
    let at = served.dashboard();
    let page = ask(at, "GET", "/", &["accept: text/html"], "").await;
    assert_eq!(
        (page.status, page.header("location")),
        (303, Some("/login"))
    );
    assert!(served.get("/login").await.body.contains("<form"));
    let kind = ["content-type: application/x-www-form-urlencoded"];
    let wrong = ask(at, "POST", "/login", &kind, "token=wrong").await;
    assert_eq!(wrong.status, 401);
    assert!(wrong.body.contains("That is not the token"));
    let right = ask(at, "POST", "/login", &kind, "token=s3cret").await;
    assert_eq!((right.status, right.header("location")), (303, Some("/")));
    let cookie = right.header("set-cookie").expect("a cookie");
    for part in ["HttpOnly", "SameSite=Strict", "Path=/"] {
        assert!(cookie.contains(part), "{cookie}");
    }
    assert!(!cookie.contains("s3cret"));
    let cookie = format!(
        "cookie: other=1; {}",
        cookie.split(';').next().expect("a value")
    );
    let page = ask(at, "GET", "/api/status", &[&cookie], "").await;
    assert_eq!(page.status, 200);
    let guess = "0".repeat(64);
    let name = cookie.split(['=', ' ']).nth(3).expect("a name");
    let guessed = format!("cookie: {name}={guess}");
    assert_eq!(
        ask(at, "GET", "/api/status", &[&guessed], "").await.status,
        401
    );
}

#[tokio::test]
async fn tokens_cannot_be_tried_out() {
    let served = Served::new("s3cret", &["a"]);
    let at = served.dashboard();
    for i in 0..5 {
        let wrong = format!("authorization: Bearer {i}");
        assert_eq!(
            ask(at, "GET", "/api/status", &[&wrong], "").await.status,
            401
        );
    }
    let right = ["authorization: Bearer s3cret"];
    let late = ask(at, "GET", "/api/status", &right, "").await;
    assert_eq!(late.status, 429, "right or wrong");
    assert!(late.header("retry-after").is_some());
    let kind = ["content-type: application/x-www-form-urlencoded"];
    assert_eq!(
        ask(at, "POST", "/login", &kind, "token=s3cret")
            .await
            .status,
        429
    );
    assert_eq!(served.get("/healthz").await.status, 200);
}

#[tokio::test]
async fn a_name_that_points_at_us_is_not_ours() {
    let served = Served::new("", &["a"]);
    let at = served.dashboard();
    for host in [
        "evil.example",
        "evil.example:80",
        "localhost.evil.example",
        "",
    ] {
        let header = format!("host: {host}");
        let refused = ask(at, "GET", "/api/status", &[&header], "").await;
        assert_eq!(refused.status, 403, "{host}");
        assert!(refused.error().contains("allowed: localhost"));
    }
    for host in ["localhost", "127.0.0.1:8080", "[::1]:3"] {
        let header = format!("host: {host}");
        assert_eq!(
            ask(at, "GET", "/healthz", &[&header], "").await.status,
            200,
            "{host}"
        );
    }
    assert_eq!(served.counted(&[], "host_refused").await, 4);
    // With a token there is nothing to be had through a foreign name.
    let locked = Served::new("s3cret", &["a"]);
    let headers = ["host: db.example", "authorization: Bearer s3cret"];
    assert_eq!(
        ask(locked.dashboard(), "GET", "/api/status", &headers, "")
            .await
            .status,
        200
    );
}

#[tokio::test]
async fn a_foreign_page_changes_nothing_and_hears_nothing() {
    let served = Served::new("", &["a"]);
    let at = served.dashboard();
    let json = "content-type: application/json";
    let body = r#"{"name": "x", "expression": "error_rate > 1"}"#;
    let own = format!("origin: http://{at}");
    for foreign in [
        "origin: http://evil.example",
        "origin: null",
        "sec-fetch-site: cross-site",
    ] {
        let added = ask(at, "POST", "/api/alerts", &[json, foreign], body).await;
        assert_eq!(added.status, 403, "{foreign}");
        let removed = ask(at, "DELETE", "/api/alerts/utilization", &[foreign], "").await;
        assert_eq!(removed.status, 403, "{foreign}");
        assert!(sockets::upgrade(at, &[foreign]).await.is_err(), "{foreign}");
    }
    assert_eq!(served.counted(&[], "origin_refused").await, 9);
    assert!(sockets::upgrade(at, &[&own]).await.is_ok());
    assert_eq!(
        ask(at, "POST", "/api/alerts", &[json, &own], body)
            .await
            .status,
        201
    );
    // What a page may send without being asked first.
    let plain = ["content-type: text/plain", own.as_str()];
    assert_eq!(
        ask(at, "POST", "/api/alerts", &plain, body).await.status,
        415
    );
}

#[tokio::test]
async fn answers_let_browsers_do_nothing_but_show_them() {
    let served = Served::new("", &["a"]);
    for path in PATHS.into_iter().chain(["/nowhere"]) {
        let answer = served.get(path).await;
        let policy = answer.header("content-security-policy").expect(path);
        assert!(policy.contains("default-src 'none'") && policy.contains("script-src 'self';"));
        assert!(!policy.contains("unsafe"), "{path}");
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
        assert_eq!(answer.header("access-control-allow-origin"), None);
    }
    let page = served.get("/").await.body;
    for outside in [
        "http://",
        "https://",
        "//cdn",
        "<style",
        "style=",
        "onclick",
        "javascript:",
    ] {
        assert!(!page.contains(outside), "{outside}");
    }
    let inline = page.split("<script").skip(1);
    inline.for_each(|script| assert!(script.contains(" src=\"/page/")));
}

#[tokio::test]
async fn every_script_that_is_imported_is_there() {
    let served = Served::new("", &["a"]);
    let (mut wanted, mut seen) = (vec!["app.js".to_owned()], Vec::new());
    while let Some(name) = wanted.pop() {
        let script = served.get(&format!("/page/{name}")).await;
        assert_eq!(script.status, 200, "{name}");
        assert_eq!(
            script.header("content-type"),
            Some("text/javascript; charset=utf-8")
        );
        for danger in [
            "innerHTML",
            "outerHTML",
            "insertAdjacentHTML",
            "document.write",
            "eval(",
        ] {
            assert!(!script.body.contains(danger), "{name}: {danger}");
        }
        let imports = script.body.split("from \"./").skip(1);
        let imports = imports
            .filter_map(|rest| rest.split('"').next())
            .map(str::to_owned);
        wanted.extend(imports.filter(|import| !seen.contains(import) && *import != name));
        seen.push(name);
    }
    let metrics = served.get("/page/metrics.js").await.body;
    for metric in crate::monitor::message::CHARTED {
        assert!(
            metrics.contains(&format!("\"{metric}\"")),
            "{metric} is not drawn"
        );
    }
    let quoted = metrics.split('"').filter(|text| text.contains('_'));
    for metric in quoted {
        let charted = crate::monitor::message::CHARTED.contains(&metric);
        assert!(charted, "{metric} is not sent");
    }
}

#[tokio::test]
async fn it_is_ready_as_long_as_one_pool_is_up() {
    let served = Served::new("", &["a", "b"]);
    let set = |state| *served.pools[0].health.lock().unwrap() = state;
    set(HealthState::Down);
    assert_eq!(served.get("/readyz").await.status, 200);
    *served.pools[1].health.lock().unwrap() = HealthState::Down;
    until(async || served.get("/readyz").await.status == 503).await;
    set(HealthState::Degraded);
    until(async || served.get("/readyz").await.status == 200).await;
    assert_eq!(served.get("/healthz").await.status, 200);
    let none = Served::new("", &[]);
    assert_eq!(none.get("/readyz").await.status, 200);
}
