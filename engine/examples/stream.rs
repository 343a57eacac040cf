//! An import that must not hold all its results in memory: ten million records, and what
//! became of each, as a stream.
//!
//!     cargo run --release -p seawall --example stream -- postgresql://user@localhost/myapp [RECORDS]
//!
//! It makes a table `events` if there is none, and says how many records were imported,
//! in what time, and on Linux how much memory that took at most.

#![expect(clippy::print_stdout, reason = "what a service would log")]

use futures_util::StreamExt as _;
use seawall::{
    Pool, PoolConfig, clock, config::Secret, metrics::OutcomeLabel, pipeline::BatchSize,
};

/// What was resident at most, if the system says.
fn peak() -> Option<String> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().to_owned())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let url = args
        .next()
        .ok_or("which database? postgresql://user@host/name")?;
    let records = args.next().map_or(Ok(10_000_000), |n| n.parse::<u64>())?;
    let pool = Pool::new(PoolConfig {
        connection_string: Secret::from(url),
        enable_pipelining: true,
        ..PoolConfig::default()
    })?;
    pool.execute(
        "CREATE TABLE IF NOT EXISTS events (type text, data text)",
        &[],
    )
    .await?;

    let began = clock::now();
    // Transactions of as many records as are worth it, with the results of autocommit.
    let builder = pool.pipeline().batch_size(BatchSize::Auto);
    let mut pipeline = builder.group_commit(true).start()?;
    let mut results = pipeline.results();
    // While the results are not read, nothing more is added.
    let counted = tokio::spawn(async move {
        let mut counts = [0_u64; OutcomeLabel::ALL.len()];
        while let Some(result) = results.next().await {
            counts[result.outcome().label() as usize] += 1;
        }
        counts
    });
    for i in 0..records {
        let data = format!("record {i}");
        pipeline
            .add(
                "INSERT INTO events (type, data) VALUES ($1, $2)",
                &[&"click", &data],
            )
            .await?;
    }
    pipeline.close().await;
    for (outcome, count) in OutcomeLabel::ALL.iter().zip(counted.await?) {
        println!("{:12} {count}", outcome.name());
    }
    println!("in {:.1} s", (clock::now() - began).as_secs_f64());
    if let Some(peak) = peak() {
        println!("at most {peak} resident");
    }
    Ok(())
}
