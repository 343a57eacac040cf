//! Commands around experiments: what there is, what it would run on, what was left.

use super::{Failure, print, usage};
use crate::{
    cli::{self, Doctor, List, Listing, Reap, exit},
    environment::{self, EnvironmentError, Kind, chain},
    faults::kind,
    flags::Format,
};

pub(super) fn list(list: &List) -> u8 {
    let text = match list.what {
        Listing::Faults => kind::list(list.deadline_ms),
        Listing::Measures => measures(),
        Listing::Experiments => {
            let mut all: Vec<(&str, &str)> = cli::EXPERIMENTS.to_vec();
            all.push(("replay DIR", "What an earlier run did, exactly, once more"));
            let width = all.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
            let lines = all
                .iter()
                .map(|(name, about)| format!("{name:<width$} {about}\n"));
            let more = "\n`scenarios list faults` lists what a plan may hold, `scenarios list measures` \
                        what thresholds may name.\n";
            lines.collect::<String>() + more
        }
    };
    print(&text);
    0
}

/// What each experiment measures.
fn measures() -> String {
    let mut text = String::new();
    for command in reports::Data::COMMANDS {
        text += &format!("{command}\n");
        let mut measures = reports::Data::measures(command).unwrap_or_default();
        measures.sort_by_key(|measure| measure.name);
        let width = measures.iter().map(|m| m.name.len()).max().unwrap_or(0);
        for measure in measures {
            let (name, unit) = (measure.name, measure.quantity.unit());
            text += &format!("  {name:<width$}  {} [{unit}]\n", measure.about);
        }
    }
    text
}

pub(super) async fn doctor(doctor: &Doctor) -> Result<u8, Failure> {
    let wanted = doctor.server.wanted().map_err(usage)?;
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

pub(super) async fn reap(reap: &Reap) -> Result<u8, Failure> {
    let wanted = reap.target.wanted().map_err(usage)?;
    let reaped = environment::reap::reap(&wanted, reap.dry_run)
        .await
        .map_err(|error| (chain(&error), exit::of_run(&error.into())))?;
    let code = if reaped.is_complete() { 0 } else { exit::BUG };
    print(&match reap.format {
        Format::Text => reaped.text(),
        Format::Json => reaped.json(code),
    });
    Ok(code)
}
