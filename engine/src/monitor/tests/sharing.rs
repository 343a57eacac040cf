//! Ports: who has them, and who shares them.

use super::*;

fn settings(dashboard: SocketAddr, token: &str) -> Settings {
    Settings {
        dashboard: Some(dashboard),
        metrics: None,
        token: Secret::new(token),
    }
}

/// A port that nobody has.
fn free() -> SocketAddr {
    let listener = std::net::TcpListener::bind(LOOPBACK).expect("a port");
    listener.local_addr().expect("an address")
}

#[tokio::test]
async fn who_has_a_port_is_said() {
    let taken = std::net::TcpListener::bind(LOOPBACK).expect("a port");
    let address = taken.local_addr().expect("an address");
    let error = Monitor::start(settings(address, ""), &Handle::current()).expect_err("taken");
    let MonitorError::Taken { holder, .. } = &error else {
        panic!("{error}");
    };
    assert!(
        error
            .to_string()
            .starts_with(&format!("{address} is taken")),
        "{error}"
    );
    if cfg!(target_os = "linux") {
        assert_eq!(
            holder.as_ref().map(|holder| holder.pid),
            Some(std::process::id())
        );
        assert!(
            error.to_string().contains("which is this process"),
            "{error}"
        );
    }
}

#[tokio::test]
async fn an_address_that_others_reach_needs_a_token() {
    let any = SocketAddr::from(([0, 0, 0, 0], 0));
    let error = Monitor::start(settings(any, ""), &Handle::current()).expect_err("open");
    let text = error.to_string();
    assert!(text.contains("monitoring_address: 0.0.0.0"), "{text}");
    assert!(
        text.contains("monitoring_token") && text.contains("127.0.0.1"),
        "{text}"
    );
    assert!(Monitor::start(settings(any, "s3cret"), &Handle::current()).is_ok());
    let error = Monitor::start(settings(LOOPBACK, "two words"), &Handle::current());
    assert!(
        !error
            .expect_err("no header holds it")
            .to_string()
            .contains("two")
    );
}

#[tokio::test]
async fn pools_with_one_port_share_a_page() {
    let address = free();
    let (a, b) = (Fake::new("a"), Fake::new("b"));
    let first = shared(settings(address, ""), &Handle::current()).expect("free");
    first.add(watched(&a));
    let second = shared(settings(address, ""), &Handle::current()).expect("shared");
    second.add(watched(&b));
    let names = async || {
        let status = ask(address, "GET", "/api/pools", &[], "").await.json();
        let pools = status["pools"].as_array().expect("pools").clone();
        pools
            .iter()
            .map(|pool| pool["name"].as_str().expect("a name").to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(names().await, ["a", "b"]);
    let other = shared(settings(address, "s3cret"), &Handle::current());
    assert!(matches!(other, Err(MonitorError::OtherToken { .. })));
    let metrics = Settings {
        metrics: Some(address),
        ..Settings::default()
    };
    let other = shared(metrics, &Handle::current());
    assert!(matches!(other, Err(MonitorError::OtherUse { .. })));
    drop((first, a));
    assert_eq!(names().await, ["b"]);
    drop(second);
    // The port is free at once, and nothing runs any more.
    let again = std::net::TcpListener::bind(address);
    assert!(again.is_ok(), "{again:?}");
}

#[tokio::test]
async fn dropped_it_ends_with_all_its_connections() {
    let served = Served::new("", &["a"]);
    let at = served.dashboard();
    let mut idle = connect(at).await;
    let mut socket = sockets::upgrade(at, &[]).await.expect("a socket");
    sockets::text(&mut socket).await;
    drop(served);
    let ends = clock::now() + Duration::from_secs(2);
    clock::timeout_at(ends, rest(&mut idle))
        .await
        .expect("closed");
    clock::timeout_at(ends, rest(&mut socket))
        .await
        .expect("closed");
    assert!(TcpStream::connect(at).await.is_err());
}

#[test]
fn a_server_whose_runtime_has_ended_is_begun_anew() {
    let address = free();
    let runtime = || {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        builder.enable_all().build().expect("a runtime")
    };
    let one = runtime();
    let flag = Arc::default();
    let first = shared(settings(address, ""), one.handle()).expect("free");
    first.tell_when_over(&flag);
    one.block_on(async {
        assert_eq!(ask(address, "GET", "/healthz", &[], "").await.status, 200);
    });
    drop(one);
    assert!(flag.load(std::sync::atomic::Ordering::Acquire));
    let two = runtime();
    let second = shared(settings(address, ""), two.handle()).expect("anew");
    two.block_on(async {
        assert_eq!(ask(address, "GET", "/healthz", &[], "").await.status, 200);
    });
    drop((first, second));
}
