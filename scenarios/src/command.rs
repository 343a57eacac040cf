//! The `scenarios` command: prints, and turns what happened into an exit code.

mod around;
mod ci;
mod fault_proxy;
mod gate;
mod records;
mod serve;

use std::{
    io::{self, Write as _},
    net::SocketAddr,
    os::unix::process::CommandExt as _,
    path::Path,
    process::ExitCode,
};

use clap::{CommandFactory as _, FromArgMatches as _, error::ContextKind};
use reports::{Record, run::Run};

use crate::{
    cli::{Chosen, Cli, Command, Invocation, Replay, arguments, exit},
    environment::{self, chain},
    experiment::{self, Data, Experiment, NotRepeatable, with_experiments},
    flags::{CliError, Format, OutputArgs},
    log,
    progress::{Above, Progress},
    redact::redacted,
    stage::{self, Interrupt, Label, Outcome, Place, RunError},
};

/// What ends a command: a message for stderr, and the exit code.
pub type Failure = (String, u8);

/// Runs the command line of this process. It stands in the library, so that what it
/// calls is compiled once, and not once more for the binary.
#[must_use]
pub fn main() -> ExitCode {
    start_again_where_the_environment_is_wrong();
    let definition = Cli::command();
    let typed = arguments::command_first(&definition, std::env::args_os().collect());
    let matches = match definition.clone().try_get_matches_from(typed) {
        Ok(matches) => matches,
        Err(error) => return refused(error),
    };
    let cli = match Cli::from_arg_matches(&matches) {
        Ok(cli) => cli,
        Err(error) => return refused(error),
    };
    // The proxy alone is all that its user looks at.
    let in_faults = matches.subcommand_name() != Some("fault-proxy");
    if let Some(wrong) = log::to_stderr(cli.verbose, in_faults) {
        say(&format!("warning: {wrong}"));
    }
    raise_limit_on_open_files();
    let recorded = match &matches.subcommand() {
        Some((name, of)) => definition
            .find_subcommand(name)
            .map(|command| arguments::recorded_innermost(command, of)),
        None => None,
    };
    let recorded = recorded.unwrap_or_default();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        // A whole experiment is one future, which is large where nothing is optimised.
        .thread_stack_size(STACK)
        .build();
    let code = match runtime {
        // On a task of its own, so that a panic unwinds through everything that
        // cleans up, and ends here.
        Ok(runtime) => {
            let command = async move { tokio::spawn(command(cli.command, recorded)).await };
            match runtime.block_on(command) {
                Ok(code) => code,
                Err(bug) => {
                    say(&format!("error: a bug in scenarios: {bug}"));
                    exit::BUG
                }
            }
        }
        Err(error) => {
            say(&format!("error: no runtime: {error}"));
            exit::BUG
        }
    };
    code.into()
}

/// Says what is wrong with a command line, or what was asked for: help, version.
fn refused(mut error: clap::Error) -> ExitCode {
    // Who mistypes a command is not to be led to one that deletes.
    let nearest = error.get(ContextKind::SuggestedSubcommand);
    if nearest.is_some_and(|nearest| nearest.to_string().contains(REAP)) {
        error.remove(ContextKind::SuggestedSubcommand);
    }
    let asked = !error.use_stderr();
    let said = error.render().to_string();
    let safe = without_passwords(&said);
    if safe != said {
        say(&safe);
        return exit::USAGE.into();
    }
    match error.print() {
        Ok(()) if asked => ExitCode::SUCCESS,
        _ => exit::USAGE.into(),
    }
}

/// Bytes of a worker's stack. Only what is used of it takes memory.
const STACK: usize = 16 << 20;

/// The command that deletes.
const REAP: &str = "reap";

async fn command(command: Command, arguments: Vec<String>) -> u8 {
    let done = match &command {
        Command::Experiment(chosen) => run_chosen(chosen, &arguments).await,
        Command::Gate(gate) => gate::gate(gate, &arguments).await,
        Command::Compare(compare) => records::compare(compare),
        Command::History(history) => records::history(history),
        Command::Report(redraw) => records::report(redraw),
        Command::Replay(replay) => self::replay(replay).await,
        Command::Serve(serve) => serve::serve(serve).await,
        Command::List(list) => Ok(around::list(list)),
        Command::FaultProxy(proxy) => fault_proxy::serve(proxy).await,
        Command::Doctor(doctor) => around::doctor(doctor).await,
        Command::Reap(reap) => around::reap(reap).await,
    };
    done.unwrap_or_else(|(message, code)| {
        say(&without_passwords(&format!("error: {message}")));
        code
    })
}

macro_rules! dispatch {
    ($($variant:ident => $experiment:ty,)+) => {
        /// Runs what was chosen, and returns its exit code.
        async fn run_chosen(chosen: &Chosen, arguments: &[String]) -> Result<u8, Failure> {
            match chosen {
                $(Chosen::$variant(invocation) => {
                    self::experiment::<$experiment>(invocation, arguments).await
                })+
            }
        }

        /// Runs the experiment of a record again, and returns its exit code.
        async fn run_again(record: Record, replay: &Replay) -> Result<u8, Failure> {
            match &record.data {
                $(reports::Data::$variant(data) => {
                    let experiment = <$experiment as Experiment>::again(&record.run, data);
                    again(experiment, &record.run, replay).await
                })+
            }
        }
    };
}

with_experiments!(dispatch);

fn usage(error: CliError) -> Failure {
    (error.to_string(), exit::of_usage(&error))
}

fn bug(error: &dyn std::error::Error) -> Failure {
    (chain(error), exit::BUG)
}

/// An experiment that is ready to be carried out, and where.
struct Planned<E> {
    experiment: E,
    label: Label,
    wanted: environment::Wanted,
    toxiproxy: Option<SocketAddr>,
}

/// Plans an experiment.
fn planned<E: Experiment>(
    invocation: &Invocation<E::Options>,
    arguments: &[String],
) -> Result<Planned<E>, Failure> {
    let wanted = invocation.server.wanted().map_err(usage)?;
    let wanted = invocation.fill.fill(wanted);
    let frame = invocation.draw.frame(&wanted, &invocation.scripts);
    let frame = frame.map_err(usage)?;
    let measures = <E::Recorded as reports::experiment::Experiment>::measures();
    let thresholds = invocation.thresholds.checked(&measures).map_err(usage)?;
    let (experiment, remarks) = E::plan(&invocation.options, &frame).map_err(usage)?;
    for remark in remarks {
        say(&format!("warning: {remark}"));
    }
    let label = Label {
        arguments: arguments.to_vec(),
        seed: frame.seed,
        size: frame.size.name(),
        thresholds,
    };
    Ok(Planned {
        experiment,
        label,
        wanted,
        toxiproxy: invocation.proxy.toxiproxy().map_err(usage)?,
    })
}

/// Plans an experiment and runs it.
async fn experiment<E: Experiment>(
    invocation: &Invocation<E::Options>,
    arguments: &[String],
) -> Result<u8, Failure>
where
    reports::Data: From<Data<E>>,
{
    run(&planned::<E>(invocation, arguments)?, &invocation.output).await
}

/// Plans an experiment and carries it out, in a folder that is there.
async fn once<E: Experiment>(
    invocation: &Invocation<E::Options>,
    arguments: &[String],
    folder: &Path,
    interrupt: &Interrupt,
    progress: &Progress,
) -> Result<Outcome, Failure>
where
    reports::Data: From<Data<E>>,
{
    let planned = planned::<E>(invocation, arguments)?;
    let outcome = carried_out(&planned, folder, interrupt, progress).await;
    outcome.map_err(|error| (chain(&error), exit::of_run(&error)))
}

/// Runs the experiment of an earlier run again.
async fn replay(replay: &Replay) -> Result<u8, Failure> {
    let path = replay.run.join("record.json");
    let record = Record::load(&path).map_err(|error| {
        let reason = NotRepeatable {
            reason: chain(&error),
            allowed: "the folder of a run",
        };
        not_repeatable(replay, reason)
    })?;
    run_again(record, replay).await
}

fn not_repeatable(replay: &Replay, reason: NotRepeatable) -> Failure {
    let path = replay.run.display();
    (format!("replay: {path}: {reason}"), exit::USAGE)
}

/// Runs what was planned in an earlier run, if it can be done again.
async fn again<E: Experiment>(
    experiment: Result<E, NotRepeatable>,
    of: &Run,
    replay: &Replay,
) -> Result<u8, Failure>
where
    reports::Data: From<Data<E>>,
{
    let experiment = experiment.map_err(|reason| not_repeatable(replay, reason))?;
    let size = experiment::size(of).map_err(|reason| not_repeatable(replay, reason))?;
    let label = Label {
        arguments: Label::unresolved(&of.arguments),
        seed: of.seed,
        size: size.name(),
        thresholds: of.thresholds.clone(),
    };
    let wanted = replay.server.wanted().map_err(usage)?;
    let wanted = replay.fill.fill(wanted);
    let planned = Planned {
        experiment,
        label,
        wanted,
        toxiproxy: replay.proxy.toxiproxy().map_err(usage)?,
    };
    run(&planned, &replay.output).await
}

/// Carries out what was planned. The record is in the folder when this returns.
async fn carried_out<E: Experiment>(
    planned: &Planned<E>,
    folder: &Path,
    interrupt: &Interrupt,
    progress: &Progress,
) -> Result<Outcome, RunError>
where
    reports::Data: From<Data<E>>,
{
    let setting = planned.experiment.setting();
    let wanted = planned.wanted.clone();
    let place = Place {
        wanted: environment::Wanted {
            small_disk: stage::wants_small_disk(&setting.schedule),
            fill: environment::Fill {
                // Whatever scripts of the user's do, they do it to a copy.
                copy: setting.scripts.is_some(),
                ..wanted.fill
            },
            ..wanted
        },
        toxiproxy: planned.toxiproxy,
        folder: folder.to_owned(),
    };
    progress.say("starting PostgreSQL");
    let listener = |event: &reports::run::Event| progress.event(event);
    let (experiment, label) = (&planned.experiment, &planned.label);
    experiment::carry_out(experiment, label, &place, interrupt, &listener).await
}

async fn run<E: Experiment>(planned: &Planned<E>, output: &OutputArgs) -> Result<u8, Failure>
where
    reports::Data: From<Data<E>>,
{
    let interrupt = Interrupt::from_signals().map_err(|e| bug(&e))?;
    let command = <E::Recorded as reports::experiment::Experiment>::COMMAND;
    let folder = output.folder(command, planned.label.seed, &stage::utc_now());
    let folder = folder.map_err(usage)?;
    let progress = Progress::new(output.quiet);
    progress.begin(None);
    let outcome = carried_out(planned, &folder, &interrupt, &progress).await;
    progress.finish();
    output.conclude(&folder);
    let outcome = outcome.map_err(|error| (chain(&error), exit::of_run(&error)))?;
    let Outcome {
        record,
        mut unwritten,
    } = outcome;
    let report = reports::judge(&record);
    if let Err(error) = reports::write(&report, &folder) {
        unwritten.push(chain(&error));
    }
    // What cannot be written can still be read.
    match output.format {
        Format::Text => print(&reports::render::terminal(
            &report.document(),
            &folder,
            colour(),
            width(),
        )),
        Format::Json => print(&report.verdict.to_json().map_err(|e| bug(&e))?),
    }
    ci::tell(&report.verdict, &report.document());
    for reason in &unwritten {
        say(&format!("error: not written: {reason}"));
    }
    Ok(if unwritten.is_empty() {
        report.verdict.exit_code
    } else {
        exit::NOT_WRITTEN
    })
}

/// Raises the soft limit on open files to the hard one, as Go does: a proxied connection
/// takes two, and a thousand of them are more than is usual.
fn raise_limit_on_open_files() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        ..limit
    };
    if let Err(error) = setrlimit(Resource::Nofile, raised) {
        tracing::warn!(%error, "the limit on open files stays as it is");
    }
}

/// Starts this program again with what its libraries read from the environment, and
/// cannot be told otherwise: the address of a Docker context, and 127.0.0.1 among what a
/// web proxy is not asked for.
fn start_again_where_the_environment_is_wrong() {
    let mut changes: Vec<(&str, String)> = Vec::new();
    if let Some(list) = excepted_from_web_proxies() {
        changes.extend([("no_proxy", list.clone()), ("NO_PROXY", list)]);
    }
    changes.extend(environment::docker_context_host().map(|host| ("DOCKER_HOST", host)));
    if changes.is_empty() {
        return;
    }
    let Ok(this) = std::env::current_exe() else {
        return;
    };
    let names: Vec<&str> = changes.iter().map(|(name, _)| *name).collect();
    let failed = std::process::Command::new(this)
        .args(std::env::args_os().skip(1))
        .envs(changes.iter().map(|(name, value)| (name, value)))
        .exec();
    say(&format!(
        "warning: cannot set {}: {failed}",
        names.join(", ")
    ));
}

/// What a web proxy is not to be asked for, if there is one that would be asked for
/// 127.0.0.1.
fn excepted_from_web_proxies() -> Option<String> {
    let set = |name: &str| std::env::var(name).is_ok_and(|value| !value.is_empty());
    let proxied = ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"];
    let excepted = ["no_proxy", "NO_PROXY"].map(|name| std::env::var(name).unwrap_or_default());
    let asked = proxied.into_iter().any(set);
    (asked && !excepted.iter().any(|list| list.contains("127.0.0.1")))
        .then(|| format!("{},127.0.0.1", excepted.join(",")))
}

fn colour() -> bool {
    use std::io::IsTerminal as _;
    io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty())
}

/// Columns of the terminal, or what is usual where there is none.
fn width() -> usize {
    use std::io::IsTerminal as _;
    let stdout = io::stdout();
    let size = stdout
        .is_terminal()
        .then(|| rustix::termios::tcgetwinsize(&stdout).ok());
    match size.flatten() {
        // A terminal that does not know its size says zero.
        Some(size) if size.ws_col > 0 => usize::from(size.ws_col),
        _ => reports::render::USUAL,
    }
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
    let _unread = Above.write_all(format!("{text}\n").as_bytes());
}
