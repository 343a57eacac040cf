//! A real pool, shown.

use super::*;
use crate::{Pool, PoolConfig};

fn config(port: u16) -> PoolConfig {
    PoolConfig {
        name: "orders".to_owned(),
        enable_monitoring: true,
        monitoring_port: port,
        enable_metrics_endpoint: true,
        metrics_port: 0,
        ..PoolConfig::default()
    }
}

#[tokio::test]
async fn a_pool_is_shown_until_it_is_closed() {
    let pool = Pool::new(config(0)).expect("valid");
    let monitoring = pool.comprehensive_status().monitoring;
    assert!(monitoring.dashboard_enabled && monitoring.error.is_none());
    let url = monitoring.dashboard_url.expect("a dashboard");
    let at = url.trim_start_matches("http://").trim_end_matches('/');
    let at: SocketAddr = at.parse().expect("an address");
    let status = ask(at, "GET", "/api/status", &[], "").await.json();
    assert_eq!(status["pools"][0]["pool_name"], "orders");
    assert_eq!(
        status["pools"][0]["monitoring"]["dashboard_url"],
        url.as_str()
    );
    let metrics = monitoring.metrics_url.expect("metrics");
    assert!(metrics.ends_with("/metrics"));
    pool.close();
    assert!(
        TcpStream::connect(at).await.is_err(),
        "it is served no longer"
    );
    assert_eq!(pool.comprehensive_status().monitoring.dashboard_url, None);
}

#[tokio::test]
async fn a_pool_whose_port_is_taken_goes_on_without_it() {
    let taken = std::net::TcpListener::bind(LOOPBACK).expect("a port");
    let port = taken.local_addr().expect("an address").port();
    let pool = Pool::new(config(port)).expect("it goes on");
    let monitoring = pool.comprehensive_status().monitoring;
    assert!(!monitoring.dashboard_enabled && monitoring.metrics_url.is_none());
    let error = monitoring.error.expect("why not");
    assert!(
        error.contains(&port.to_string()) && error.contains("is taken"),
        "{error}"
    );
}

#[test]
fn a_pool_that_is_made_outside_of_a_runtime_is_shown_by_its_first_caller() {
    let pool = Pool::new(PoolConfig {
        host: "127.0.0.1".to_owned(),
        port: 1,
        ..config(0)
    });
    let pool = pool.expect("valid");
    assert!(!pool.comprehensive_status().monitoring.dashboard_enabled);
    for _ in 0..2 {
        // And anew, once that runtime has ended.
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = runtime.enable_all().build().expect("a runtime");
        runtime.block_on(async {
            assert!(pool.acquire().await.is_err(), "nobody listens there");
            let url = pool.comprehensive_status().monitoring.dashboard_url;
            let url = url.expect("a dashboard");
            let at = url.trim_start_matches("http://").trim_end_matches('/');
            let at: SocketAddr = at.parse().expect("an address");
            assert_eq!(ask(at, "GET", "/healthz", &[], "").await.status, 200);
        });
    }
}
