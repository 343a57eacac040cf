//! The `scenarios` command: prints, and turns what happened into an exit code.

use std::{
    io::{self, Write as _},
    os::unix::process::CommandExt as _,
    path::Path,
    process::ExitCode,
};

use clap::Parser as _;
use scenarios::{
    catalog::{batch_sweep, breaker_sweep, failure_sim},
    cli::{self, Cli, Command, Format, Listing, exit},
    environment::{self, EnvironmentError, Kind, chain},
    faults::kind,
    progress::Progress,
    redact::redacted,
    runner::{self, Interrupt, Scenario},
};

fn main() -> ExitCode {
    keep_loopback_from_web_proxies();
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let asked = !error.use_stderr();
            let said = error.render().to_string();
            let safe = without_passwords(&said);
            if safe != said {
                say(&safe);
                return exit::USAGE.into();
            }
            return match error.print() {
                Ok(()) if asked => ExitCode::SUCCESS,
                _ => exit::USAGE.into(),
            };
        }
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build();
    let code = match runtime {
        // On a task of its own, so that a panic unwinds through everything that
        // cleans up, and ends here.
        Ok(runtime) => match runtime.block_on(async { tokio::spawn(command(cli)).await }) {
            Ok(code) => code,
            Err(bug) => {
                say(&format!("error: a bug in scenarios: {bug}"));
                exit::BUG
            }
        },
        Err(error) => {
            say(&format!("error: no runtime: {error}"));
            exit::BUG
        }
    };
    code.into()
}

async fn command(cli: Cli) -> u8 {
    let done = match &cli.command {
        Command::FailureSim => failure_sim(&cli).await,
        Command::BreakerSweep => breaker_sweep(&cli).await,
        Command::BatchSweep => batch_sweep(&cli).await,
        Command::Replay { run } => replay(&cli, run).await,
        Command::List { what } => list(&cli, *what),
        Command::FaultProxy { listen, metrics } => fault_proxy(&cli, listen, *metrics).await,
        Command::Doctor => doctor(&cli).await,
        Command::Reap { dry_run } => reap(&cli, *dry_run).await,
    };
    done.unwrap_or_else(|(message, code)| {
        say(&without_passwords(&format!("error: {message}")));
        code
    })
}

type Failure = (String, u8);

fn usage(error: cli::CliError) -> Failure {
    let code = match error {
        cli::CliError::Refused(_) => exit::REFUSED,
        _ => exit::USAGE,
    };
    (error.to_string(), code)
}

async fn failure_sim(cli: &Cli) -> Result<u8, Failure> {
    let (options, remarks) = cli.failure_sim().map_err(usage)?;
    experiment(cli, failure_sim::scenario(&options), remarks).await
}

async fn breaker_sweep(cli: &Cli) -> Result<u8, Failure> {
    let options = cli.breaker_sweep().map_err(usage)?;
    experiment(cli, breaker_sweep::scenario(&options), Vec::new()).await
}

async fn batch_sweep(cli: &Cli) -> Result<u8, Failure> {
    let options = cli.batch_sweep().map_err(usage)?;
    experiment(cli, batch_sweep::scenario(&options), Vec::new()).await
}

async fn replay(cli: &Cli, run: &Path) -> Result<u8, Failure> {
    let (scenario, remarks) = cli.replay(run).map_err(usage)?;
    experiment(cli, scenario, remarks).await
}

async fn experiment(cli: &Cli, scenario: Scenario, remarks: Vec<String>) -> Result<u8, Failure> {
    for remark in remarks {
        say(&format!("warning: {remark}"));
    }
    let bug = |error: &dyn std::error::Error| (chain(error), exit::BUG);
    let interrupt = Interrupt::from_signals().map_err(|e| bug(&e))?;
    let place = cli.place(&scenario, &runner::utc_now()).map_err(usage)?;
    let progress = Progress::new(cli.quiet());
    progress.say("starting PostgreSQL");
    let record = runner::run(&scenario, &place, &interrupt, &|event| {
        progress.event(event);
    })
    .await;
    progress.finish();
    cli.conclude(&place);
    let record = record.map_err(|error| (chain(&error), cli::exit_code(&error)))?;
    let folder = &place.folder;
    let verdict = reports::write(&record, folder).map_err(|e| bug(&e))?;
    match cli.format() {
        Format::Text => print(&reports::render::terminal(
            &record,
            &verdict,
            folder,
            colour(),
        )),
        Format::Json => print(&verdict.to_json().map_err(|e| bug(&e))?),
    }
    Ok(verdict.exit_code)
}

fn list(cli: &Cli, what: Listing) -> Result<u8, Failure> {
    match what {
        Listing::Faults => print(&kind::list(cli.deadline_ms())),
        Listing::Experiments => print(
            "failure-sim   failures of a database: what they do with a bare pool, and with the engine\n\
             breaker-sweep a grid of breaker settings: which of them to ship, and what the guide's cost\n\
             batch-sweep   sizes of a batch, for each class of queries: which to ship, and what it brings\n\
             replay DIR    what an earlier run did, exactly, once more\n\
             \n\
             `scenarios list faults` lists what a plan may hold.\n",
        ),
    }
    Ok(0)
}

/// Serves until a signal, and then leaves nothing behind.
async fn fault_proxy(cli: &Cli, listen: &str, metrics: bool) -> Result<u8, Failure> {
    let interrupt = Interrupt::from_signals().map_err(|e| (chain(&e), exit::BUG))?;
    let no = |reason: &dyn std::fmt::Display| {
        let allowed = "a host and port of this machine that can be listened on";
        (
            format!("--listen: {listen}: {reason}, allowed: {allowed}"),
            exit::USAGE,
        )
    };
    let resolved = tokio::net::lookup_host(listen).await.map_err(|e| no(&e))?;
    // A name may stand for both families.
    let address = resolved.min_by_key(|address| address.is_ipv6());
    let address = address.ok_or_else(|| no(&"no such address"))?;
    if !address.ip().is_loopback() {
        say(&format!(
            "warning: who reaches {address} can make this process connect anywhere"
        ));
    }
    let options = fault_proxy::Options {
        seed: cli.seed(),
        metrics,
        ..fault_proxy::Options::default()
    };
    let server = fault_proxy::Server::bind(address, options)
        .await
        .map_err(|error| no(&chain(&error)))?;
    print(&format!("listening on http://{}\n", server.local_addr()));
    interrupt.raised().await;
    server.shutdown().await;
    Ok(0)
}

async fn doctor(cli: &Cli) -> Result<u8, Failure> {
    let wanted = cli.wanted().map_err(usage)?;
    let found = environment::diagnose(&wanted).await;
    let line = |name: &str, what: &Result<String, EnvironmentError>| match what {
        Ok(what) => format!("{name}  ok       {what}\n"),
        Err(error) => format!("{name}  missing  {error}\n"),
    };
    let mut text = line("docker", &found.docker) + &line("local ", &found.local);
    let used = match wanted.kind {
        Kind::External => Some("the server of --database-url"),
        Kind::Auto | Kind::Docker if found.docker.is_ok() => Some("docker"),
        Kind::Auto | Kind::Local if found.local.is_ok() => Some("local"),
        _ => None,
    };
    text += match used {
        Some(_) => "used    ",
        None => "used    nothing: a run would end with exit code 69",
    };
    text += used.unwrap_or_default();
    text += "\n";
    let left = environment::reap::on_this_machine(&wanted, true)
        .await
        .would_remove();
    if left > 0 {
        text +=
            &format!("left    {left} of runs that were killed: `scenarios reap` removes them\n");
    }
    print(&text);
    Ok(if used.is_some() { 0 } else { exit::ENVIRONMENT })
}

async fn reap(cli: &Cli, dry_run: bool) -> Result<u8, Failure> {
    let wanted = cli.wanted().map_err(usage)?;
    let reaped = environment::reap::reap(&wanted, dry_run)
        .await
        .map_err(|error| (chain(&error), cli::exit_code(&error.into())))?;
    let code = if reaped.is_complete() { 0 } else { exit::BUG };
    print(&match cli.format() {
        Format::Text => reaped.text(),
        Format::Json => reaped.json(code),
    });
    Ok(code)
}

/// A web proxy from the environment would be asked for 127.0.0.1 by a library that
/// cannot be told otherwise, so we start again with that address excepted.
fn keep_loopback_from_web_proxies() {
    let set = |name: &str| std::env::var(name).is_ok_and(|value| !value.is_empty());
    let proxied = ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"];
    let excepted = ["no_proxy", "NO_PROXY"].map(|name| std::env::var(name).unwrap_or_default());
    if !proxied.into_iter().any(set) || excepted.iter().any(|list| list.contains("127.0.0.1")) {
        return;
    }
    let Ok(this) = std::env::current_exe() else {
        return;
    };
    let list = format!("{},127.0.0.1", excepted.join(","));
    let failed = std::process::Command::new(this)
        .args(std::env::args_os().skip(1))
        .env("no_proxy", &list)
        .env("NO_PROXY", &list)
        .exec();
    say(&format!(
        "warning: cannot except 127.0.0.1 from the web proxy: {failed}"
    ));
}

fn colour() -> bool {
    use std::io::IsTerminal as _;
    io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty())
}

/// The result. A reader that has seen enough, as in `| head`, is no error, and the
/// files are written anyway.
fn print(text: &str) {
    let mut stdout = io::stdout().lock();
    let printed = stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush());
    if let Err(error) = printed
        && error.kind() != io::ErrorKind::BrokenPipe
    {
        say(&format!("warning: stdout: {error}"));
    }
}

/// A text without what the user typed, where that may hold a password.
fn without_passwords(text: &str) -> String {
    let words = std::env::args_os().skip(1);
    redacted(text, words.map(|word| word.to_string_lossy().into_owned()))
}

/// What is not the result. If nobody can read it, nobody can be told.
fn say(text: &str) {
    let _unread = writeln!(io::stderr().lock(), "{text}");
}
