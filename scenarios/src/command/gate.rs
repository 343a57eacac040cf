//! `scenarios gate`: the same experiment several times, compared with a baseline.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use reports::{
    gate::{self, Baseline, Budget, Judged, Of, Ruling, RunOf},
    page::quoted,
    run::Ended,
    sample::Measure,
    stats::sequential::Plan,
    threshold,
};
use seawall::clock;

use super::{Failure, bug, ci, colour, print, say, usage, width};
use crate::{
    cli::{Chosen, Gate, Invocation, exit},
    environment::chain,
    experiment::{Data, Experiment, with_experiments},
    flags::{CliError, Format, OutputArgs},
    progress::Progress,
    stage::{self, Interrupt, Outcome},
};

macro_rules! dispatch {
    ($($variant:ident => $experiment:ty,)+) => {
        /// Carries out what was chosen as often as it takes, and returns the exit code.
        pub(super) async fn gate(gate: &Gate, arguments: &[String]) -> Result<u8, Failure> {
            match &gate.experiment {
                $(Chosen::$variant(invocation) => {
                    of::<$experiment>(gate, invocation, arguments).await
                })+
            }
        }
    };
}

with_experiments!(dispatch);

/// Runs without which nothing can be said of noise.
const FEWEST: usize = 3;

/// Runs of one experiment, one after another.
struct Runs<'a, E: Experiment> {
    invocation: &'a Invocation<E::Options>,
    arguments: &'a [String],
    folder: PathBuf,
    interrupt: Interrupt,
    progress: Progress,
    of: Option<Of>,
    done: Vec<RunOf>,
    /// Runs in which the load was not served well enough to begin.
    unsteady: usize,
}

/// Runs that may not reach their steady state before that is no accident: each is made again.
const UNSTEADY: usize = 2;

/// Why no more runs are made.
enum Over {
    /// One of them ended like this.
    Ended(Ended),
    /// Nothing could be measured at all.
    Failed(Failure),
}

impl<E: Experiment> Runs<'_, E>
where
    reports::Data: From<Data<E>>,
{
    /// Makes one more of `of` runs; once more, where it did not reach its steady state.
    async fn one_more(&mut self, of: usize) -> Result<(), Over> {
        loop {
            match self.attempt(of).await {
                Err(Over::Ended(Ended::NoSteadyState { reason })) => {
                    self.unsteady += 1;
                    if self.unsteady > UNSTEADY {
                        return Err(Over::Ended(Ended::NoSteadyState { reason }));
                    }
                    self.progress.say(&format!("once more: {reason}"));
                }
                other => return other,
            }
        }
    }

    async fn attempt(&mut self, of: usize) -> Result<(), Over> {
        let number = self.done.len() + 1;
        self.progress.begin(Some((number, of)));
        let folder = self.folder.join(format!("run-{number}"));
        std::fs::create_dir_all(&folder).map_err(|error| {
            let path = folder.display().to_string();
            Over::Failed(usage(CliError::Out {
                path,
                reason: error,
            }))
        })?;
        let outcome = super::once::<E>(
            self.invocation,
            self.arguments,
            &folder,
            &self.interrupt,
            &self.progress,
        );
        let Outcome { record, unwritten } = outcome.await.map_err(Over::Failed)?;
        let report = reports::judge(&record);
        if let Err(error) = reports::write(&report, &folder) {
            say(&format!("error: not written: {}", chain(&error)));
        }
        unwritten
            .iter()
            .for_each(|reason| say(&format!("error: not written: {reason}")));
        self.of
            .get_or_insert_with(|| Of::run(&report.measures, &typed(self.arguments)));
        if record.run.ended != Ended::Complete {
            return Err(Over::Ended(record.run.ended));
        }
        self.done.push(RunOf::report(&report));
        Ok(())
    }
}

/// What was typed, but for thresholds: what is measured does not depend on them.
fn typed(arguments: &[String]) -> Vec<String> {
    let mut typed = Vec::new();
    let mut words = arguments.iter();
    while let Some(word) = words.next() {
        if word == "--threshold" {
            words.next();
        } else {
            typed.push(word.clone());
        }
    }
    typed
}

async fn of<E: Experiment>(
    gate: &Gate,
    invocation: &Invocation<E::Options>,
    arguments: &[String],
) -> Result<u8, Failure>
where
    reports::Data: From<Data<E>>,
{
    let command = <E::Recorded as reports::experiment::Experiment>::COMMAND;
    let measures = <E::Recorded as reports::experiment::Experiment>::measures();
    invocation.thresholds.checked(&measures).map_err(usage)?;
    let baseline = match &gate.baseline {
        Some(path) => Some(baseline(path, command, arguments, invocation.draw.seed())?),
        None => None,
    };
    if let Some(path) = &gate.save_baseline {
        can_be_written(path)?;
    }
    let output = &invocation.output;
    let folder = output.folder("gate", invocation.draw.seed(), &stage::utc_now());
    let folder = folder.map_err(usage)?;
    let mut runs = Runs::<E> {
        invocation,
        arguments,
        folder,
        interrupt: Interrupt::from_signals().map_err(|e| bug(&e))?,
        progress: Progress::new(output.quiet),
        of: None,
        done: Vec::new(),
        unsteady: 0,
    };
    match (baseline, &gate.save_baseline) {
        (Some(baseline), _) => against(gate, &baseline, &mut runs, &measures).await,
        (None, Some(path)) => save(gate, path, &mut runs, &measures).await,
        // The command line has one of both.
        (None, None) => Ok(exit::USAGE),
    }
}

/// The baseline of a file, if it is of the same experiment with the same flags.
fn baseline(
    path: &Path,
    command: &str,
    arguments: &[String],
    seed: u64,
) -> Result<Baseline, Failure> {
    let refused = |reason: String| (format!("--baseline: {reason}"), exit::USAGE);
    let baseline = Baseline::load(path).map_err(|error| {
        refused(format!(
            "{}, allowed: a file of `gate --save-baseline`",
            chain(&error)
        ))
    })?;
    let words = |command: &str, arguments: &[String], seed: u64| {
        let mut words = vec![command.to_owned()];
        words.extend(arguments.iter().map(|word| quoted(word).into_owned()));
        words.extend(["--seed".to_owned(), seed.to_string()]);
        words.join(" ")
    };
    let then = words(
        &baseline.of.command,
        &baseline.of.arguments,
        baseline.of.seed,
    );
    let now = words(command, &typed(arguments), seed);
    if then != now {
        let path = path.display();
        let reason =
            format!("{path} is of `{then}`, and this is `{now}`, allowed: the same of both");
        return Err(refused(reason));
    }
    Ok(baseline)
}

/// Before an hour is spent on what cannot be kept.
fn can_be_written(path: &Path) -> Result<(), Failure> {
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or_else(|| Path::new("."));
    let refused = |reason: String| {
        let path = path.display();
        let allowed = "allowed: a file in a folder that can be written";
        (
            format!("--save-baseline: {path}: {reason}, {allowed}"),
            exit::USAGE,
        )
    };
    std::fs::create_dir_all(folder).map_err(|error| refused(error.to_string()))?;
    if path.is_dir() {
        return Err(refused("it is a folder".to_owned()));
    }
    let probe = tempfile::NamedTempFile::new_in(folder);
    probe.map(drop).map_err(|error| refused(error.to_string()))
}

/// Measures that are judged by interval: what a level is divided by.
fn soft(measures: &[Measure], then: &[RunOf]) -> usize {
    gate::soft(&gate::series(measures, then, &[]))
}

async fn save<E: Experiment>(
    gate: &Gate,
    path: &Path,
    runs: &mut Runs<'_, E>,
    measures: &[Measure],
) -> Result<u8, Failure>
where
    reports::Data: From<Data<E>>,
{
    let mut wanted = gate.runs.unwrap_or(FEWEST);
    while runs.done.len() < wanted {
        match runs.one_more(wanted).await {
            Ok(()) => {}
            Err(Over::Failed(failure)) => return Err(failure),
            Err(Over::Ended(ended)) => {
                runs.progress.finish();
                say(&format!("error: no baseline was written: {}", how(&ended)));
                return Ok(code_of(&ended));
            }
        }
        // Which measures scatter is known after a few.
        if gate.runs.is_none() && runs.done.len() == FEWEST {
            wanted = gate::runs_needed(soft(measures, &runs.done)).max(FEWEST);
        }
    }
    runs.progress.finish();
    let Some(of) = runs.of.take() else {
        return Ok(exit::USAGE);
    };
    let baseline = Baseline::new(of, std::mem::take(&mut runs.done));
    let text = gate::told(&baseline, measures);
    baseline
        .save(path)
        .map_err(|error| (chain(&error), exit::NOT_WRITTEN))?;
    print(&format!("{text}baseline {}\n", path.display()));
    Ok(0)
}

fn how(ended: &Ended) -> String {
    match ended {
        Ended::Complete => "all is well".to_owned(),
        Ended::Interrupted => "interrupted".to_owned(),
        Ended::NoSteadyState { reason } | Ended::Failed { reason } => reason.clone(),
    }
}

fn code_of(ended: &Ended) -> u8 {
    match ended {
        Ended::Complete => 0,
        Ended::Interrupted => exit::INTERRUPTED,
        Ended::NoSteadyState { .. } => reports::verdict::exit::NO_STEADY_STATE,
        Ended::Failed { .. } => reports::verdict::exit::FAILED,
    }
}

async fn against<E: Experiment>(
    gate: &Gate,
    baseline: &Baseline,
    runs: &mut Runs<'_, E>,
    measures: &[Measure],
) -> Result<u8, Failure>
where
    reports::Data: From<Data<E>>,
{
    let began = clock::now();
    let count = soft(measures, &baseline.runs);
    let mut plan = plan(gate, baseline, count, None);
    let mut judged: Vec<Judged> = Vec::new();
    let mut ended = Ended::Complete;
    let mut look = 0;
    while let Some(wanted) = plan.looks().get(look).copied() {
        while runs.done.len() < wanted {
            match runs.one_more(wanted).await {
                Ok(()) => {}
                Err(Over::Failed(failure)) if runs.done.is_empty() => return Err(failure),
                Err(Over::Failed((reason, _))) => {
                    ended = Ended::Failed { reason };
                    break;
                }
                Err(Over::Ended(how)) => {
                    ended = how;
                    break;
                }
            }
            if runs.done.len() == 1 {
                // How long one takes is known now, and so how many the budget allows.
                plan = self::plan(gate, baseline, count, Some(clock::now() - began));
            }
        }
        if ended != Ended::Complete {
            break;
        }
        let series = gate::series(measures, &baseline.runs, &runs.done);
        let elsewhere = runs
            .of
            .as_ref()
            .map(|of| baseline.of.elsewhere(of))
            .unwrap_or_default();
        let seed = baseline.of.seed;
        judged = gate::judge(&series, &plan, look, &judged, &elsewhere, seed);
        let open = judged.iter().any(|judged| judged.ruling == Ruling::Open);
        let worse = judged
            .iter()
            .any(|judged| judged.ruling == Ruling::Regression);
        // More runs here would say no more of what is elsewhere.
        if !open || worse || !elsewhere.is_empty() {
            break;
        }
        look += 1;
    }
    runs.progress.finish();
    let Some(of) = runs.of.take() else {
        say(&format!(
            "error: the first run did not come to its end: {}",
            how(&ended)
        ));
        return Ok(code_of(&ended));
    };
    finish(gate, baseline, runs, (&of, &judged, ended), measures)
}

/// After so many runs there are looks. Without knowing how long a run takes, as if the budget
/// were without an end.
fn plan(gate: &Gate, baseline: &Baseline, measures: usize, one: Option<Duration>) -> Plan {
    let by_time = one.map_or(usize::MAX, |one| {
        let runs = gate.budget.as_secs_f64() / one.as_secs_f64().max(1e-3);
        (1..10_000).take_while(|n| f64::from(*n) <= runs).count()
    });
    let most = gate.runs.unwrap_or(usize::MAX).min(by_time).max(1);
    let then = baseline.runs.len();
    gate::ahead(Budget { then, most }, measures)
}

fn finish<E: Experiment>(
    gate: &Gate,
    baseline: &Baseline,
    runs: &Runs<'_, E>,
    (of, judged, ended): (&Of, &[Judged], Ended),
    measures: &[Measure],
) -> Result<u8, Failure> {
    let samples = gate::merged(&runs.done);
    let texts = runs
        .invocation
        .thresholds
        .checked(measures)
        .map_err(usage)?;
    let mut claims = threshold::judge_recorded(&texts, measures, &samples);
    claims.extend(gate::claims(baseline, &runs.done, judged, &ended));
    let verdict = gate::verdict(of, ended, claims);
    let document = gate::document(
        baseline,
        of,
        &runs.done,
        judged,
        &verdict,
        again(gate, runs.arguments, of),
    );
    let output: &OutputArgs = &runs.invocation.output;
    let written = reports::write_judged(&verdict, &document, &runs.folder);
    output.conclude(&runs.folder);
    match output.format {
        Format::Text => {
            print(&reports::render::terminal(
                &document,
                &runs.folder,
                colour(),
                width(),
            ));
        }
        Format::Json => print(&verdict.to_json().map_err(|e| bug(&e))?),
    }
    ci::tell(&verdict, &document);
    if let Err(error) = written {
        say(&format!("error: not written: {}", chain(&error)));
        return Ok(exit::NOT_WRITTEN);
    }
    Ok(verdict.exit_code)
}

/// The command that does the same again.
fn again(gate: &Gate, arguments: &[String], of: &Of) -> String {
    let mut words = vec!["gate".to_owned()];
    if let Some(path) = &gate.baseline {
        words.extend(["--baseline".to_owned(), path.display().to_string()]);
    }
    words.push(of.command.clone());
    words.extend(arguments.iter().cloned());
    words.extend(["--seed".to_owned(), of.seed.to_string()]);
    words.extend(["--env".to_owned(), of.environment.kind.clone()]);
    let words: Vec<String> = words.iter().map(|word| quoted(word).into_owned()).collect();
    format!("cargo run -p scenarios -- {}", words.join(" "))
}
