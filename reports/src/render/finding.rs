//! What was found, as sentences: titles say it, so that a picture can be
//! understood without its axes.

use crate::{
    claim::ARM_SEAWALL,
    measure::{Measured, Recovery},
    record::Fault,
};

use super::figures::seconds;

/// The arm that a sentence begins with: ours, else the last one.
pub(super) fn leading<'a, T>(arms: &'a [(&'a str, T)]) -> Option<usize> {
    let ours = arms.iter().position(|(name, _)| *name == ARM_SEAWALL);
    ours.or(arms.len().checked_sub(1))
}

/// `Blackhole: seawall serves again 0.21 s after the network is back; bare does
/// not within 3.00 s`.
pub(super) fn of_fault(fault: Fault, arms: &[(&str, &Measured)]) -> String {
    let Some(first) = leading(arms) else {
        return format!("{}: no arm was under load", title(fault));
    };
    let (name, measured) = arms[first];
    let mut sentence = format!(
        "{}: {name} {}",
        title(fault),
        lead(fault, measured.recovery)
    );
    for (_, (name, measured)) in arms.iter().enumerate().filter(|(i, _)| *i != first) {
        sentence += &format!("; {name} {}", follow(measured.recovery));
    }
    sentence
}

fn lead(fault: Fault, recovery: Option<Recovery>) -> String {
    let gone = gone(fault);
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

/// The fault's name, to begin a sentence with.
pub(super) fn title(fault: Fault) -> &'static str {
    match fault {
        Fault::Refused => "Connections refused",
        Fault::Reset => "Connections reset",
        Fault::Blackhole => "Blackhole",
        Fault::Latency => "Slow answers",
        Fault::Crash => "Server crash",
        Fault::Pause => "Server paused",
    }
}

/// What happens under it, for a reader who has never seen it; reads on after
/// "For three seconds,".
pub(super) fn about(fault: Fault) -> &'static str {
    match fault {
        Fault::Refused => "new connections are refused, old ones closed",
        Fault::Reset => "connections are reset at the first byte",
        Fault::Blackhole => "packets vanish, and old sockets stay dead",
        Fault::Latency => "answers are slower than the deadline",
        Fault::Crash => "the server is down: killed, then started again",
        Fault::Pause => "the server's processes are stopped",
    }
}

/// What it means that the fault is gone.
fn gone(fault: Fault) -> &'static str {
    match fault {
        Fault::Refused => "connections are accepted",
        Fault::Reset => "connections are left alone",
        Fault::Blackhole => "the network is back",
        Fault::Latency => "answers are fast",
        Fault::Crash => "the server's process is back",
        Fault::Pause => "the server goes on",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        measure::measure,
        synthetic::{TIMES, injection, settings},
    };

    #[test]
    fn a_sentence_names_every_arm_and_begins_with_ours() {
        let base = measure(
            &settings(),
            &injection(Fault::Crash, "bare", TIMES, |_| {
                (crate::record::Outcome::Ok, 1)
            }),
        );
        let with = |recovery| Measured {
            recovery,
            ..base.clone()
        };
        let after = |after_us, censored| with(Some(Recovery { after_us, censored }));
        let (slow, fast) = (after(3_000_000, true), after(210_000, false));
        let (at_once, none) = (after(0, false), with(None));
        assert_eq!(
            of_fault(Fault::Blackhole, &[("bare", &slow), ("seawall", &fast)]),
            "Blackhole: seawall serves again 0.21 s after the network is back; \
             bare does not within 3.00 s"
        );
        assert_eq!(
            of_fault(
                Fault::Pause,
                &[("seawall", &at_once), ("guide", &fast), ("bare", &none)]
            ),
            "Server paused: seawall serves again as soon as the server goes on; \
             guide after 0.21 s; bare was not served before it"
        );
        assert_eq!(
            of_fault(Fault::Reset, &[("bare", &slow)]),
            "Connections reset: bare does not serve again within 3.00 s after \
             connections are left alone"
        );
        assert_eq!(
            of_fault(Fault::Reset, &[]),
            "Connections reset: no arm was under load"
        );
    }
}
