//! Two pools on one dashboard, with something to see: steady readers, a few slow ones, writers,
//! a pipeline, and statements that are refused. Stop the server, or freeze it, and watch.
//!
//!     cargo run -p seawall --features monitoring --example monitor -- postgresql://user@localhost/myapp
//!
//! MONITOR_PORT is the dashboard's (8080), METRICS_PORT that of the metrics (9090),
//! MONITOR_TOKEN the token.

#![expect(clippy::print_stdout, reason = "what a service would log")]

use std::time::Duration;

use seawall::{Pool, PoolConfig, clock, config::Secret};

fn variable(name: &str, default: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| default.to_owned())
}

/// Asks over and over, some milliseconds apart.
fn ask(pool: &Pool, sql: &'static str, every_ms: u64) {
    let pool = pool.clone();
    tokio::spawn(async move {
        loop {
            let every = every_ms / 2 + fastrand::u64(0..=every_ms);
            clock::sleep(Duration::from_millis(every)).await;
            // What becomes of it is on the dashboard.
            let _ = pool.query(sql, &[]).await;
        }
    });
}

/// Sends batches over and over.
fn send(pool: &Pool) {
    let pool = pool.clone();
    tokio::spawn(async move {
        loop {
            clock::sleep(Duration::from_millis(400)).await;
            let Ok(mut pipeline) = pool.pipeline().start() else {
                return;
            };
            for i in 0..40_i64 {
                let _ = pipeline.add("SELECT $1::int8", &[&i]).await;
            }
            let _ = pipeline.close().await;
        }
    });
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let url = std::env::args().nth(1);
    let url = url.ok_or("which database? postgresql://user@host/name")?;
    let orders = PoolConfig {
        name: "orders".to_owned(),
        connection_string: Secret::from(url),
        max_connections: 8,
        enable_pipelining: true,
        enable_monitoring: true,
        monitoring_port: variable("MONITOR_PORT", "8080").parse()?,
        monitoring_token: Secret::from(variable("MONITOR_TOKEN", "")),
        enable_metrics_endpoint: true,
        metrics_port: variable("METRICS_PORT", "9090").parse()?,
        statement_timeout: Duration::from_millis(1_500),
        ..PoolConfig::default()
    };
    let reports = PoolConfig {
        name: "reports <b>\"nightly\"</b>".to_owned(),
        max_connections: 3,
        ..orders.clone()
    };
    let (orders, reports) = (Pool::new(orders)?, Pool::new(reports)?);
    for _ in 0..6 {
        ask(&orders, "SELECT count(*) FROM generate_series(1, 2000)", 12);
        ask(&orders, "SELECT 1", 4);
    }
    ask(&orders, "SELECT pg_sleep(0.04 + random() * 0.2)", 150);
    ask(&orders, "SELECT 1 / 0", 700);
    ask(&orders, "SELECT * FROM nowhere", 5_000);
    send(&orders);
    for _ in 0..5 {
        ask(&reports, "SELECT pg_sleep(0.2 + random())", 300);
    }
    let status = orders.comprehensive_status().monitoring;
    println!("dashboard: {:?}", status.dashboard_url);
    println!("metrics: {:?}", status.metrics_url);
    if let Some(error) = status.error {
        println!("not served: {error}");
    }
    clock::sleep(Duration::from_secs(86_400)).await;
    Ok(())
}
