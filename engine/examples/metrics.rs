//! The migration guide's metrics integration (its pattern 3), line by line.
//!
//!     cargo run -p seawall --example metrics -- postgresql://user@localhost/myapp

#![expect(clippy::print_stdout, reason = "what a service would log")]

use seawall::{Pool, PoolConfig, clock, config::Secret};

async fn process_item(pool: &Pool, item: i32) -> Result<(), seawall::Error> {
    pool.query("SELECT $1 + 1", &[&item]).await?;
    Ok(())
}

async fn process_batch(pool: &Pool, items: &[i32]) -> Result<(), seawall::Error> {
    // Get metrics before
    let status_before = pool.comprehensive_status();
    let queries_before = status_before.detailed_metrics.counters["queries_total"];

    // Process items
    let start_time = clock::now();
    for item in items {
        process_item(pool, *item).await?;
    }
    let duration = clock::now() - start_time;

    // Get metrics after
    let status_after = pool.comprehensive_status();
    let queries_after = status_after.detailed_metrics.counters["queries_total"];

    // Log performance
    let queries_executed = queries_after - queries_before;
    let qps = queries_executed as f64 / duration.as_secs_f64();
    println!(
        "Processed {} items: {queries_executed} queries at {qps:.1} qps",
        items.len()
    );
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let url = std::env::args().nth(1).ok_or("usage: metrics URL")?;
    let pool = Pool::new(PoolConfig {
        connection_string: Secret::new(url),
        ..PoolConfig::default()
    })?;
    let items: Vec<i32> = (0..1_000).collect();
    process_batch(&pool, &items).await?;
    Ok(())
}
