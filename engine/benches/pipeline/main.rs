//! The pipeline beside what can be had without it, on one real server, in one run:
//! ratios of interleaved rounds, medians.
//!
//!     cargo bench -p seawall --bench pipeline
//!
//! Needs PostgreSQL's programs (`apt-get install postgresql`, or `PG_BIN`).

#![expect(clippy::print_stdout, reason = "a bench reports")]

#[path = "../../../scenarios/fault-proxy/benches/pgbench/postgres.rs"]
mod postgres;
mod raw;
mod relay;

use std::{collections::BTreeMap, time::Duration};

use futures_util::future::join_all;
use seawall::{
    Pool, PoolConfig, clock,
    config::Secret,
    pipeline::{BatchSize, Builder, Strategy},
};
use tokio_postgres::{Client, NoTls};

use self::{postgres::Postgres, raw::Raw};

type Outcome<T = ()> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

const SQL: &str = "INSERT INTO events (type, data) VALUES ($1, $2)";
const UNNEST: &str = "INSERT INTO events (type, data) SELECT * FROM unnest($1::text[], $2::text[])";
const TABLE: &str = "DROP TABLE IF EXISTS events; \
    CREATE TABLE events (id bigserial PRIMARY KEY, type text NOT NULL, data text NOT NULL)";
const ROUNDS: usize = 7;

/// Queries a second of each way, a round after another.
#[derive(Default)]
struct Rates(BTreeMap<String, Vec<f64>>);

impl Rates {
    async fn time(&mut self, name: &str, n: usize, run: impl Future<Output = Outcome>) -> Outcome {
        let began = clock::now();
        run.await?;
        let rate = n as f64 / (clock::now() - began).as_secs_f64();
        self.0.entry(name.to_owned()).or_default().push(rate);
        Ok(())
    }

    /// Of the rounds, each with its own base.
    fn ratio(&self, name: &str, base: &str) -> String {
        let (Some(rates), Some(bases)) = (self.0.get(name), self.0.get(base)) else {
            return "-".to_owned();
        };
        let mut ratios: Vec<f64> = rates.iter().zip(bases).map(|(r, b)| r / b).collect();
        ratios.sort_by(f64::total_cmp);
        let (least, most) = (ratios[0], ratios[ratios.len() - 1]);
        let median = ratios[ratios.len() / 2];
        format!("{median:.2} [{least:.2}, {most:.2}]")
    }

    fn print(&self, title: &str, pairs: &[(&str, &str)]) {
        println!("\n{title}");
        for (name, rates) in &self.0 {
            let mut rates = rates.clone();
            rates.sort_by(f64::total_cmp);
            println!("  {name:34} {:9.0} /s", rates[rates.len() / 2]);
        }
        for (name, base) in pairs {
            println!("  {name} : {base}   {}", self.ratio(name, base));
        }
    }
}

fn pool(port: u16, commit: &str) -> Outcome<Pool> {
    let connection = format!(
        "host=127.0.0.1 port={port} user=postgres dbname=postgres \
         options='-c synchronous_commit={commit}'"
    );
    Ok(Pool::new(PoolConfig {
        connection_string: Secret::from(connection),
        enable_pipelining: true,
        max_connections: 1,
        statement_timeout: Duration::from_secs(30),
        server_statement_timeout: false,
        ..PoolConfig::default()
    })?)
}

async fn client(port: u16, commit: &str) -> Outcome<Client> {
    let config = format!("host=127.0.0.1 port={port} user=postgres");
    let (client, connection) = tokio_postgres::connect(&config, NoTls).await?;
    tokio::spawn(connection);
    client
        .batch_execute(&format!("SET synchronous_commit = {commit}"))
        .await?;
    Ok(client)
}

/// Adds all, and flushes in the end: the batches go out by themselves.
async fn import(builder: Builder, records: &[String]) -> Outcome {
    let mut pipeline = builder.start()?;
    for record in records {
        pipeline.add(SQL, &[&"click", record]).await?;
    }
    let results = pipeline.close().await;
    match results.iter().find(|result| !result.success()) {
        None if results.len() == records.len() => Ok(()),
        failed => Err(format!("{} results, {failed:?}", results.len()).into()),
    }
}

/// One transaction after another.
async fn transactions(builder: Builder, records: &[String], batch: usize) -> Outcome {
    let mut pipeline = builder.strategy(Strategy::Transactional).start()?;
    for records in records.chunks(batch) {
        for record in records {
            pipeline.add(SQL, &[&"click", record]).await?;
        }
        if let Some(failed) = pipeline.flush().await.iter().find(|r| !r.success()) {
            return Err(format!("{failed:?}").into());
        }
    }
    Ok(())
}

/// What tokio-postgres's documentation shows: futures polled together.
async fn by_hand(client: &Client, records: &[String], batch: usize) -> Outcome {
    let insert = client.prepare(SQL).await?;
    for records in records.chunks(batch) {
        let all = records
            .iter()
            .map(async |record| client.execute(&insert, &[&"click", record]).await);
        for done in join_all(all).await {
            done?;
        }
    }
    Ok(())
}

async fn one_at_a_time(client: &Client, records: &[String]) -> Outcome {
    let insert = client.prepare(SQL).await?;
    for record in records {
        client.execute(&insert, &[&"click", record]).await?;
    }
    Ok(())
}

async fn unnest(client: &Client, records: &[String], batch: usize) -> Outcome {
    let insert = client.prepare(UNNEST).await?;
    for records in records.chunks(batch) {
        client
            .execute(&insert, &[&vec!["click"; records.len()], &records])
            .await?;
    }
    Ok(())
}

async fn loopback(postgres: &Postgres, commit: &str, n: usize) -> Outcome {
    let port = postgres.address().port();
    let records: Vec<String> = (0..n).map(|i| format!("record number {i}")).collect();
    let few = &records[..n / 10];
    for batch in [20, 100, 500] {
        let mut rates = Rates::default();
        for _ in 0..ROUNDS {
            let client = client(port, commit).await?;
            let pool = pool(port, commit)?;
            client.batch_execute(TABLE).await?;
            let mut raw = Raw::connect(port, commit).await?;
            let size = u32::try_from(batch)?;
            // What raw has by now: a connection, and its statements prepared.
            let warm = &records[..batch.min(n)];
            for coalesce in [false, true] {
                let builder = pool.pipeline().batch_size(size).group_commit(true);
                import(builder.coalesce(coalesce), warm).await?;
            }
            rates
                .time("one at a time", few.len(), one_at_a_time(&client, few))
                .await?;
            rates
                .time("by hand, autocommit", n, by_hand(&client, &records, batch))
                .await?;
            let builder = pool.pipeline().batch_size(size);
            rates
                .time("best_effort", n, import(builder.clone(), &records))
                .await?;
            rates
                .time("raw, one Sync", n, raw.insert(&records, batch))
                .await?;
            let grouped = builder.group_commit(true);
            rates
                .time("group commit", n, import(grouped.clone(), &records))
                .await?;
            rates
                .time(
                    "transactional",
                    n,
                    transactions(pool.pipeline(), &records, batch),
                )
                .await?;
            rates
                .time("raw, once more", n, raw.insert(&records, batch))
                .await?;
            let idempotent = pool.pipeline().idempotent(true);
            rates
                .time(
                    "transactional, idempotent",
                    n,
                    transactions(idempotent, &records, batch),
                )
                .await?;
            rates
                .time("unnest by hand", n, unnest(&client, &records, batch))
                .await?;
            rates
                .time("coalesced", n, import(grouped.coalesce(true), &records))
                .await?;
            pool.close();
        }
        let title =
            format!("{n} inserts, loopback, synchronous_commit {commit}, batches of {batch}");
        rates.print(
            &title,
            &[
                ("best_effort", "by hand, autocommit"),
                ("group commit", "raw, one Sync"),
                ("transactional", "raw, one Sync"),
                ("transactional, idempotent", "raw, one Sync"),
                ("raw, once more", "raw, one Sync"),
                ("coalesced", "unnest by hand"),
                ("group commit", "one at a time"),
                ("transactional", "one at a time"),
                ("group commit", "by hand, autocommit"),
            ],
        );
    }
    Ok(())
}

/// pgbench's own pipeline mode, a hundred inserts in one.
fn pgbench(postgres: &Postgres) -> Outcome {
    let script = std::env::temp_dir().join(format!("seawall-pipeline-{}.sql", std::process::id()));
    let insert = "INSERT INTO events (type, data) VALUES ('click', 'record number 12345');\n";
    let text = format!("\\startpipeline\n{}\\endpipeline\n", insert.repeat(100));
    std::fs::write(&script, text)?;
    let file = script.display().to_string();
    let args = ["-M", "prepared", "-T", "3", "-f", &file];
    let rate = postgres.pgbench(postgres.address().port(), &args);
    std::fs::remove_file(&script)?;
    println!(
        "\npgbench, \\startpipeline, 100 inserts   {:9.0} /s",
        rate? * 100.0
    );
    Ok(())
}

/// Throughput and median latency of the automatic window beside fixed ones.
async fn windows(postgres: &Postgres, rtt: Duration) -> Outcome {
    let direct = postgres.address();
    let port = if rtt.is_zero() {
        direct.port()
    } else {
        relay::start(direct, rtt)?
    };
    let client = client(direct.port(), "off").await?;
    let pool = pool(port, "off")?;
    let n = 15_000;
    let sizes = [64, 256, 1024]
        .map(BatchSize::Fixed)
        .into_iter()
        .chain([BatchSize::Auto]);
    let sizes: Vec<BatchSize> = sizes.collect();
    let mut seen: Vec<(Vec<f64>, Vec<f64>)> = vec![Default::default(); sizes.len()];
    for _ in 0..5 {
        client.batch_execute(TABLE).await?;
        for (size, seen) in sizes.iter().zip(&mut seen) {
            // No more than can be under way: else a query's time is that in line.
            let most = match size {
                BatchSize::Fixed(n) => *n as usize,
                BatchSize::Auto => 10_000,
            };
            let builder = pool.pipeline().batch_size(*size).max_queries(most);
            let began = clock::now();
            let mut pipeline = builder.start()?;
            for i in 0..n {
                pipeline
                    .add(SQL, &[&"click", &format!("record {i}")])
                    .await?;
            }
            let results = pipeline.close().await;
            seen.0
                .push(f64::from(n) / (clock::now() - began).as_secs_f64());
            let mut times: Vec<f64> = results.iter().map(|r| r.time().as_secs_f64()).collect();
            times.sort_by(f64::total_cmp);
            seen.1.push(times[times.len() / 2] * 1e3);
        }
    }
    println!("\nautocommit, commit off, round trip {rtt:?}");
    for (size, (rates, p50)) in sizes.iter().zip(&mut seen) {
        rates.sort_by(f64::total_cmp);
        p50.sort_by(f64::total_cmp);
        println!("  {size:?}   {:9.0} /s, p50 {:.2} ms", rates[2], p50[2]);
    }
    Ok(())
}

fn main() -> Outcome {
    // `--quick`, and the parts that are wanted: `loopback`, `windows`. Cargo adds more.
    let args: Vec<String> = std::env::args().skip(1).collect();
    let quick = args.iter().any(|arg| arg == "--quick");
    let named = |part: &str| args.iter().any(|arg| arg == part);
    let wanted = [named("loopback"), named("windows")];
    let [loops, waits] = if wanted.contains(&true) {
        wanted
    } else {
        [true; 2]
    };
    let postgres = Postgres::start(&["max_wal_size=4GB"])?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    // On a worker, as a service's tasks are.
    let run = runtime.spawn(async move {
        let n = if quick { 4_000 } else { 20_000 };
        if loops {
            loopback(&postgres, "off", n).await?;
            pgbench(&postgres)?;
            loopback(&postgres, "on", n / 10).await?;
        }
        for us in [0, 500, 2_000, 10_000] {
            if waits {
                windows(&postgres, Duration::from_micros(us)).await?;
            }
        }
        Ok(())
    });
    runtime.block_on(run)?
}
