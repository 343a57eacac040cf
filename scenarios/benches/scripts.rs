//! How many runs of a script the load generator makes, beside pgbench with the same script.
//!
//! `cargo bench -p scenarios --bench scripts -- [--rounds 7] [--seconds 2]` starts a PostgreSQL
//! of its own. Each round runs pgbench's built-in select-only script, written out, on one
//! connection for each of two cores: with pgbench as it is by default, with pgbench's prepared
//! statements, and with ours, in random order. Only the ratios within a round are compared.

#![expect(clippy::print_stdout, reason = "a benchmark's output")]

use std::{collections::BTreeMap, error::Error, process::Command, sync::Arc, time::Duration};

use reports::run::{Callers, Mix};
use scenarios::{
    environment::{Endpoint, Environment, Fill, Kind, Wanted},
    load::{
        arrivals::Arrivals,
        client::Client,
        scripts::Scripts,
        setup::{Setup, shipped},
        worker::{Driven, Load},
        workload::Workload,
    },
    script::Script,
};
use seawall::clock;

type Outcome<T = ()> = Result<T, Box<dyn Error>>;

const TEXT: &str = "\\set aid random(1, 100000 * :scale)\n\
                    SELECT abalance FROM pgbench_accounts WHERE aid = :aid;\n";
const CLIENTS: u32 = 2;

fn main() -> Outcome {
    let (rounds, seconds) = settings()?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    runtime.block_on(compare(rounds, seconds))
}

fn settings() -> Outcome<(usize, u64)> {
    let (mut rounds, mut seconds) = (7, 2);
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut number = || arguments.next().unwrap_or_default().parse::<u64>();
        match &*argument {
            "--rounds" => rounds = usize::try_from(number()?)?,
            "--seconds" => seconds = number()?,
            // cargo's own.
            "--bench" => {}
            other => return Err(format!("{other}, allowed: --rounds N, --seconds N").into()),
        }
    }
    Ok((rounds, seconds))
}

async fn compare(rounds: usize, seconds: u64) -> Outcome {
    let wanted = Wanted {
        kind: Kind::Local,
        image: None,
        pg_bin: None,
        database_url: None,
        small_disk: false,
        own_database: None,
        fill: Fill::default(),
    };
    let environment = Environment::start(&wanted, std::future::pending()).await?;
    let compared = rounds_of(environment.endpoint(), rounds, seconds).await;
    environment.stop().await?;
    compared
}

async fn rounds_of(endpoint: &Endpoint, rounds: usize, seconds: u64) -> Outcome {
    pgbench(endpoint, &["-i", "-q"])?;
    let file = tempfile::NamedTempFile::new()?;
    std::fs::write(file.path(), TEXT)?;
    let path = file.path().display().to_string();
    let (clients, time) = (CLIENTS.to_string(), seconds.to_string());
    let run = [
        "-n", "-c", &clients, "-j", &clients, "-T", &time, "-f", &path, "-M",
    ];
    let theirs = |mode: &str| {
        let arguments: Vec<&str> = run.iter().copied().chain([mode]).collect();
        rate(&pgbench(endpoint, &arguments)?)
    };
    let bare = Setup::Bare {
        max_connections: CLIENTS,
    };
    let mut engine = shipped(Duration::from_secs(1));
    engine.max_connections = CLIENTS;
    engine.min_connections = 1;
    let engine = Setup::engine(engine);
    println!("select-only on {CLIENTS} connections, {seconds} s each, runs per second");
    println!("round  pgbench  prepared  bare  of pgbench  of prepared  seawall  of pgbench");
    let mut ratios = [Vec::new(), Vec::new(), Vec::new()];
    for round in 1..=rounds {
        let mut rates = [0.0; 4];
        let mut order = [0, 1, 2, 3];
        fastrand::Rng::with_seed(round as u64).shuffle(&mut order);
        for which in order {
            rates[which] = match which {
                0 => theirs("simple")?,
                1 => theirs("prepared")?,
                2 => ours(endpoint, &bare, seconds).await?,
                _ => ours(endpoint, &engine, seconds).await?,
            };
        }
        let [simple, prepared, bare, engine] = rates;
        let of = [bare / simple, bare / prepared, engine / simple];
        println!(
            "{round:5} {simple:8.0} {prepared:9.0} {bare:5.0} {:11.2} {:12.2} {engine:8.0} {:11.2}",
            of[0], of[1], of[2]
        );
        for (all, ratio) in ratios.iter_mut().zip(of) {
            all.push(ratio);
        }
    }
    let medians = ratios.map(|mut all| {
        all.sort_by(f64::total_cmp);
        all.get(all.len() / 2).copied().unwrap_or(f64::NAN)
    });
    println!(
        "median: bare {:.2} of pgbench, {:.2} of pgbench with prepared statements; seawall {:.2} of \
         pgbench",
        medians[0], medians[1], medians[2]
    );
    Ok(())
}

/// Runs a second of ours.
async fn ours(endpoint: &Endpoint, setup: &Setup, seconds: u64) -> Outcome<f64> {
    let script = Script::read("select-only.sql", TEXT)?;
    let scripts = Scripts::new(vec![(script, 1)], BTreeMap::new(), 7)?;
    let workload = Workload::new(7).of_scripts(Some(scripts));
    let rng = fastrand::Rng::with_seed(7);
    let client = Arc::new(Client::new(setup, endpoint, &workload, 1, rng)?);
    let arrivals = Arrivals {
        rate_per_s: 1,
        write_share: 0.0,
        mix: Mix::default(),
    };
    let driven = Driven::Closed { callers: CLIENTS };
    let start = clock::now();
    let load = Load::start(client, arrivals, Callers::default(), driven, start);
    let end = start + Duration::from_secs(seconds);
    clock::sleep_until(end).await;
    let (operations, _) = load.finish(Duration::from_secs(5)).await?;
    let ok = operations.outcomes.chars().filter(|c| *c == 'o').count();
    if ok < operations.outcomes.len() {
        return Err("an operation failed".into());
    }
    Ok(ok as f64 / seconds as f64)
}

fn pgbench(endpoint: &Endpoint, arguments: &[&str]) -> Outcome<String> {
    let found = ["/usr/lib/postgresql/15/bin/pgbench", "pgbench"];
    let program = std::env::var("PGBENCH").ok();
    let there = |path: &&str| !path.contains('/') || std::path::Path::new(path).exists();
    let program = program.unwrap_or_else(|| {
        let first = found.into_iter().find(there);
        first.unwrap_or("pgbench").to_owned()
    });
    let output = Command::new(program)
        .args(arguments)
        .env("PGHOST", &endpoint.host)
        .env("PGPORT", endpoint.port.to_string())
        .env("PGUSER", &endpoint.user)
        .env("PGPASSWORD", endpoint.password.expose())
        .env("PGDATABASE", &endpoint.database)
        .output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// `tps = 23809.225997 (without initial connection time)`.
fn rate(said: &str) -> Outcome<f64> {
    let line = said.lines().find_map(|line| line.strip_prefix("tps = "));
    let number = line.and_then(|line| line.split(' ').next());
    Ok(number.ok_or("pgbench said no rate")?.parse()?)
}
