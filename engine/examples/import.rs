//! The migration guide's bulk import (its pattern 1): 50 000 records through a pipeline.
//!
//!     cargo run -p seawall --example import -- postgresql://user@localhost/myapp [BATCH_SIZE]
//!
//! It makes a table `events` if there is none, and says how many records were imported.

#![expect(clippy::print_stdout, reason = "what a service would log")]

use seawall::{Pool, PoolConfig, clock, config::Secret};

struct Record {
    kind: &'static str,
    data: String,
}

async fn import_records(
    pool: &Pool,
    records: &[Record],
    batch_size: u32,
) -> Result<usize, Box<dyn std::error::Error>> {
    let mut pipeline = pool.pipeline().batch_size(batch_size).start()?;

    for record in records {
        pipeline
            .add(
                "INSERT INTO events (type, data) VALUES ($1, $2)",
                &[&record.kind, &record.data],
            )
            .await?;
    }

    let results = pipeline.flush().await;
    let success_count = results.iter().filter(|r| r.success()).count();
    println!("Imported {success_count}/{} records", records.len());
    Ok(success_count)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let url = args
        .next()
        .ok_or("which database? postgresql://user@host/name")?;
    // Does not divide the number of records, and need not.
    let batch_size = args.next().map_or(Ok(300), |size| size.parse())?;
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
    let records: Vec<Record> = (0..50_000)
        .map(|i| Record {
            kind: "click",
            data: format!("record {i}"),
        })
        .collect();
    let began = clock::now();
    import_records(&pool, &records, batch_size).await?;
    println!("in {:.1} s", (clock::now() - began).as_secs_f64());
    Ok(())
}
