//! Alerts, as they are set and seen from outside.

use super::*;

const JSON: [&str; 1] = ["content-type: application/json"];

#[tokio::test]
async fn rules_are_added_seen_and_removed() {
    let served = Served::new("", &["a"]);
    let at = served.dashboard();
    let add = async |body: &str| ask(at, "POST", "/api/alerts", &JSON, body).await;
    let rule =
        r#"{"name": "slow ü/?", "expression": "avg(query_p99_seconds, 30s) > 0.5", "for_s": 0}"#;
    let added = add(rule).await;
    assert_eq!(added.status, 201);
    assert_eq!(added.json()["severity"], "warning");
    assert_eq!(add(rule).await.status, 409);
    for (body, says) in [
        ("", "body: EOF while parsing a value at line 1 column 0"),
        (
            r#"{"name": "x"}"#,
            "body: missing field `expression` at line 1 column 13",
        ),
        (
            r#"{"name": "x", "expression": "error_rate >> 1"}"#,
            "expression: column 12: `>>`: no such comparison",
        ),
        (
            r#"{"name": "x", "expression": "error_rate > 1", "for_s": -1}"#,
            "for_s: -1, allowed: seconds in 0..=86400",
        ),
    ] {
        let refused = add(body).await;
        assert_eq!(
            (refused.status, refused.error().as_str()),
            (400, says),
            "{body}"
        );
    }
    assert_eq!(
        add(r#"{"name":"x","expression":"error_rate > 1","more":1}"#)
            .await
            .status,
        400
    );
    let list = served.get("/api/alerts").await.json();
    assert_eq!(list["rules"].as_array().expect("rules").len(), 5);
    let remove = async |name: &str| {
        let path = format!("/api/alerts/{name}");
        ask(at, "DELETE", &path, &[], "").await.status
    };
    assert_eq!(remove("slow%20%C3%BC%2F%3F").await, 204);
    assert_eq!(remove("slow%20%C3%BC%2F%3F").await, 404);
    assert_eq!(remove("circuit%20open").await, 204);
}

#[tokio::test]
async fn they_are_looked_at_though_no_page_is_open() {
    let served = Served::new("", &["a"]);
    let body =
        r#"{"name": "deep", "expression": "queue_depth > 3", "for_s": 1, "resolve_after_s": 1}"#;
    assert_eq!(
        ask(served.dashboard(), "POST", "/api/alerts", &JSON, body)
            .await
            .status,
        201
    );
    let state = async || {
        let status = served.get("/api/status").await.json();
        let alerts = status["alerts"].as_array().expect("alerts").clone();
        let deep = alerts.into_iter().find(|alert| alert["rule"] == "deep");
        deep.map(|alert| alert["state"].as_str().expect("a state").to_owned())
    };
    let becomes =
        async |expected: &str| until(async || state().await.as_deref() == Some(expected)).await;
    becomes("no_data").await;
    served.pools[0].set("queue_depth", 2.0);
    becomes("inactive").await;
    served.pools[0].set("queue_depth", 9.0);
    becomes("pending").await;
    becomes("firing").await;
    served.pools[0].set("queue_depth", 0.0);
    becomes("resolved").await;
    let events = served.get("/api/alerts").await.json()["events"].clone();
    let of = |i: usize| events[i]["to"].as_str().expect("a state").to_owned();
    assert_eq!([of(2), of(1), of(0)], ["pending", "firing", "resolved"]);
}
