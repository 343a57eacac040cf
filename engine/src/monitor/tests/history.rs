//! What was.

use super::*;

#[tokio::test]
async fn a_metric_comes_in_steps() {
    let served = Served::new("", &["a"]);
    served.pools[0].set("error_rate", 0.25);
    let one = served
        .get("/api/history/error_rate?from=1000&to=4500&step_ms=1000")
        .await
        .json();
    assert_eq!(one["points"].as_array().expect("points").len(), 4);
    assert_eq!(one["points"][0]["unix_ms"], 2_000);
    assert_eq!(one["points"][0]["value"], 0.25);
    let two = served
        .get("/api/history/error_rate,queue_depth?from=0&to=2000&step_ms=1000")
        .await;
    let two = two.json();
    assert_eq!(two["unix_ms"], serde_json::json!([1_000, 2_000]));
    assert_eq!(
        two["values"]["queue_depth"],
        serde_json::json!([null, null])
    );
    let heat = served
        .get("/api/heatmap?from=0&to=2000&step_ms=1000")
        .await
        .json();
    assert_eq!(heat["columns"][0]["counts"], serde_json::json!([7, 1]));
}

#[tokio::test]
async fn who_asks_for_what_is_new_gets_the_steps_that_follow() {
    let served = Served::new("", &["a"]);
    clock::sleep(Duration::from_millis(3_700)).await;
    let all = served
        .get("/api/history/queue_depth?minutes=5&step_ms=1000")
        .await
        .json();
    let times = |answer: &Value| {
        let points = answer["points"].as_array().expect("points").iter();
        points
            .map(|point| point["unix_ms"].as_u64().expect("a time"))
            .collect::<Vec<_>>()
    };
    let before = times(&all);
    assert!(
        (2..=4).contains(&before.len()),
        "not from before there was a pool: {before:?}"
    );
    let last = before.last().expect("one");
    clock::sleep(Duration::from_millis(1_100)).await;
    let path = format!("/api/history/queue_depth?from={last}&step_ms=1000");
    let after = times(&served.get(&path).await.json());
    assert_eq!(after[0], last + 1_000);
    let again = times(
        &served
            .get("/api/history/queue_depth?minutes=5&step_ms=1000")
            .await
            .json(),
    );
    assert!(
        again.contains(last) && again.contains(&after[0]),
        "one grid"
    );
}

#[tokio::test]
async fn what_is_wrong_is_said() {
    let served = Served::new("", &["a", "b"]);
    for (path, status, says) in [
        (
            "error_rat?pool=a",
            404,
            "metric: error_rat: no such metric, did you mean error_rate?",
        ),
        ("error_rate,zzz?pool=a", 404, "metric: zzz: no such metric"),
        (
            "error_rate?pool=c",
            404,
            "pool: \"c\": no such pool, one of \"a\", \"b\"",
        ),
        (
            "error_rate",
            400,
            "pool: missing, allowed: one of \"a\", \"b\"",
        ),
        (
            "error_rate?pool=a&minutes=0",
            400,
            "minutes: \"0\", allowed: an integer in 1..=10080",
        ),
        (
            "error_rate?pool=a&minutes=x",
            400,
            "minutes: \"x\", allowed: an integer in 1..=10080",
        ),
        (
            "error_rate?pool=a&minutes=-1",
            400,
            "minutes: \"-1\", allowed: an integer in 1..=10080",
        ),
        (
            "error_rate?pool=a&minutes=10081",
            400,
            "minutes: \"10081\", allowed: an integer in 1..=10080",
        ),
        (
            "error_rate?pool=a&minutes=1e3",
            400,
            "minutes: \"1e3\", allowed: an integer in 1..=10080",
        ),
        (
            "error_rate?pool=a&from=NaN",
            400,
            "from: \"NaN\", allowed: milliseconds since 1970",
        ),
        (
            "error_rate?pool=a&from=5&to=5",
            400,
            "from: 5, allowed: less than to (5)",
        ),
        (
            "error_rate?pool=a&minutes=5&to=5",
            400,
            "minutes: 5, allowed: without from and to",
        ),
        (
            "error_rate?pool=a&step_ms=0",
            400,
            "step_ms: \"0\", allowed: an integer in 250..=86400000",
        ),
        (
            "error_rate?pool=a&step_ms=99999999999999999999",
            400,
            "step_ms: \"99999999999999999999\", allowed: an integer in 250..=86400000",
        ),
        (
            "error_rate?pool=a&from=0&to=100000000&step_ms=1000",
            400,
            "step_ms: 1000, allowed: 9091 or more for so long a time (11000 points)",
        ),
        (
            "error_rate?pool=a&format=xml",
            400,
            "format: \"xml\", allowed: csv or json",
        ),
        (
            "error_rate?pool=a&minuts=5",
            400,
            "minuts: no such field, allowed: pool, minutes, from, to, step_ms, format",
        ),
    ] {
        let answer = served.get(&format!("/api/history/{path}")).await;
        assert_eq!(
            (answer.status, answer.error().as_str()),
            (status, says),
            "{path}"
        );
    }
    let long = format!("/api/history/{}?pool=a", "x".repeat(5_000));
    let answer = served.get(&long).await;
    assert!(answer.status == 404 && answer.body.len() < 200);
    let wide = "/api/history/error_rate,queue_depth,hold_p50_seconds,wait_p50_seconds,\
         connect_p50_seconds,recycle_p50_seconds,acquire_p50_seconds,query_p50_seconds,\
         query_p90_seconds,query_p99_seconds,query_max_seconds?pool=a&from=0&to=11000000&step_ms=1000";
    let wide = served.get(wide).await;
    assert_eq!(
        wide.error(),
        "11000 points of 11 metrics, allowed: 10000 at most; choose a longer step_ms"
    );
    let many = vec!["error_rate"; 65].join(",");
    assert_eq!(
        served
            .get(&format!("/api/history/{many}?pool=a"))
            .await
            .status,
        400
    );
}

#[tokio::test]
async fn names_may_be_anything() {
    let hostile = "=cmd|'/c calc'!A1,\"<script>alert(1)</script>\"\nüñ💥";
    let served = Served::new("", &[hostile, hostile, "plain"]);
    served.pools[0].set("error_rate", 0.5);
    let pools = served.get("/api/pools").await.json();
    assert_eq!(pools["pools"][0]["id"], hostile);
    assert_eq!(pools["pools"][1]["id"], format!("{hostile}#2"));
    let encoded: String = hostile.bytes().map(|b| format!("%{b:02x}")).collect();
    let path = format!("/api/history/error_rate?pool={encoded}&from=0&to=1000&step_ms=1000");
    let csv = served.get(&format!("{path}&format=csv")).await;
    assert_eq!(csv.header("content-type"), Some("text/csv; charset=utf-8"));
    let quoted = hostile.replace('"', "\"\"");
    let expected = format!(
        "time,unix_ms,pool,error_rate\r\n1970-01-01T00:00:01.000Z,1000,\"'{quoted}\",0.5\r\n"
    );
    assert_eq!(csv.body, expected);
    let accepted = ask(served.dashboard(), "GET", &path, &["accept: text/csv"], "").await;
    assert_eq!(accepted.body, expected);
    let unknown = served
        .get("/api/history/error_rate?pool=%3Cscript%3E")
        .await;
    assert_eq!(unknown.header("content-type"), Some("application/json"));
    assert_eq!(unknown.status, 404);
}

#[tokio::test]
async fn a_pool_that_is_gone_drops_out() {
    let mut served = Served::new("", &["a", "b"]);
    let count = async |served: &Served| {
        let status = served.get("/api/status").await.json();
        status["pools"].as_array().expect("pools").len()
    };
    assert_eq!(count(&served).await, 2);
    served.monitor.add(watched(&served.pools[0]));
    assert_eq!(count(&served).await, 2, "one is shown once");
    served.monitor.remove(&watched(&served.pools[0]));
    assert_eq!(count(&served).await, 1);
    served.pools.clear();
    assert_eq!(count(&served).await, 0);
}
