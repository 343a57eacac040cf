//! What was found, as sentences: titles say it, so that a picture can be
//! understood without its axes.

use crate::{
    measure::{Measured, Recovery},
    numbers::seconds,
    run::{ARM_SEAWALL, Planned},
};

/// The arm that a sentence begins with: ours, else the last one.
pub(super) fn leading<'a, T>(arms: &'a [(&'a str, T)]) -> Option<usize> {
    let ours = arms.iter().position(|(name, _)| *name == ARM_SEAWALL);
    ours.or(arms.len().checked_sub(1))
}

/// `Blackhole: seawall serves again 0.21 s after the network is back; bare does
/// not within 3.00 s`.
pub(super) fn of_fault(planned: &Planned, arms: &[(&str, &Measured)]) -> String {
    let Some(first) = leading(arms) else {
        return format!("{}: no arm was under load", title(planned));
    };
    let (name, measured) = arms[first];
    let mut sentence = format!(
        "{}: {name} {}",
        title(planned),
        lead(back(planned, measured), measured.client_recovery)
    );
    for (_, (name, measured)) in arms.iter().enumerate().filter(|(i, _)| *i != first) {
        sentence += &format!("; {name} {}", follow(measured.client_recovery));
    }
    sentence
}

fn lead(gone: &str, recovery: Option<Recovery>) -> String {
    match recovery {
        None => "was not served before the fault, so no recovery can be seen".to_owned(),
        Some(r) if r.censored => format!(
            "does not serve again within {} after {gone}",
            seconds(r.after_us as f64 / 1e6)
        ),
        Some(Recovery { after_us: 0, .. }) => format!("serves again as soon as {gone}"),
        Some(r) => format!(
            "serves again {} after {gone}",
            seconds(r.after_us as f64 / 1e6)
        ),
    }
}

fn follow(recovery: Option<Recovery>) -> String {
    match recovery {
        None => "was not served before it".to_owned(),
        Some(r) if r.censored => {
            format!("does not within {}", seconds(r.after_us as f64 / 1e6))
        }
        Some(Recovery { after_us: 0, .. }) => "at once".to_owned(),
        Some(r) => format!("after {}", seconds(r.after_us as f64 / 1e6)),
    }
}

/// What an entry of the plan is called, to begin a sentence with.
pub(super) fn title(planned: &Planned) -> String {
    match planned.only() {
        // A name of the user's own says more than ours.
        Some(step) if planned.name == step.kind => step.title.clone(),
        _ => planned.name.clone(),
    }
}

/// What happens under it, for a reader who has never seen it; reads on after
/// "For three seconds,".
pub(super) fn about(planned: &Planned) -> String {
    let clauses: Vec<&str> = planned.faults.iter().map(|f| &*f.during).collect();
    clauses.join("; ")
}

/// What it means that it is gone, and that the server takes sessions again. What a server
/// needs to start is not the client's.
fn back<'a>(planned: &'a Planned, measured: &Measured) -> &'a str {
    if measured.recovery != measured.client_recovery {
        return "the server takes sessions again";
    }
    let only = planned.only();
    only.map_or("the last of it is gone", |step| &*step.gone)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        measure::measure,
        synthetic::{Fault, HORIZON_US, TIMES, entry, injection, load},
    };

    #[test]
    fn a_sentence_names_every_arm_and_begins_with_ours() {
        let base = measure(
            &load(),
            HORIZON_US,
            &injection(Fault::Crash, "bare", TIMES, |_| {
                (crate::run::Outcome::Ok, 1)
            }),
        );
        let with = |recovery| Measured {
            recovery,
            client_recovery: recovery,
            ..base.clone()
        };
        let after = |after_us, censored| with(Some(Recovery { after_us, censored }));
        let (slow, fast) = (after(3_000_000, true), after(210_000, false));
        let (at_once, none) = (after(0, false), with(None));
        assert_eq!(
            of_fault(
                &entry(Fault::Blackhole),
                &[("bare", &slow), ("seawall", &fast)]
            ),
            "Blackhole: seawall serves again 0.21 s after the network is back; \
             bare does not within 3.00 s"
        );
        assert_eq!(
            of_fault(
                &entry(Fault::Pause),
                &[("seawall", &at_once), ("guide", &fast), ("bare", &none)]
            ),
            "Server paused: seawall serves again as soon as the server goes on; \
             guide after 0.21 s; bare was not served before it"
        );
        assert_eq!(
            of_fault(&entry(Fault::Reset), &[("bare", &slow)]),
            "Connections reset: bare does not serve again within 3.00 s after \
             connections are left alone"
        );
        let crashed = Measured {
            recovery: Some(Recovery {
                after_us: 580_000,
                censored: false,
            }),
            ..fast
        };
        assert_eq!(
            of_fault(&entry(Fault::Crash), &[("seawall", &crashed)]),
            "Server crash: seawall serves again 0.21 s after the server takes sessions again"
        );
        assert_eq!(
            of_fault(&entry(Fault::Reset), &[]),
            "Connections reset: no arm was under load"
        );
    }
}
