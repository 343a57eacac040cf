//! What injections are measured by, one number each.

use crate::{
    measure::{Measured, Recovery},
    run::{Injection, Ledger, Load},
    sample::{FAULT, Latencies, Measure, OPERATIONS, PHASE, Sample},
    stats::quantile::Observation,
};

use super::Injected;

const RECOVERY: Measure = Measure::time(
    "recovery",
    "from when the server took sessions again until load was served as before",
)
.exact_to(0.25);
const OUTAGE: Measure =
    Measure::time("outage", "missing goodput, as seconds of a full outage").exact_to(0.05);
const UNAVAILABLE: Measure = Measure::time(
    "unavailable",
    "seconds without service, from the fault until the horizon",
)
.exact_to(0.05)
.told();
const AVAILABILITY: Measure = Measure::share(
    "availability",
    "operations that were good, of those scheduled from the fault until the horizon",
)
.told();
const DETECT: Measure =
    Measure::time("detect", "from the fault until the circuit opened").exact_to(0.05);
const FAIL_FAST: Measure = Measure::time(
    "fail-fast",
    "from the fault until failing operations failed within 10 ms",
)
.exact_to(0.05);
const REJECTED: Measure = Measure::time(
    "rejected.p99",
    "99th percentile of the time until an operation was rejected while the circuit was open",
);
const AMPLIFICATION: Measure = Measure::count(
    "amplification",
    "statements and connections tried, per operation",
    "attempts",
)
.exact_to(0.02);
const CONNECTS: Measure =
    Measure::count("connects", "connections tried", "connections").exact_to(1.0);
const SESSIONS: Measure = Measure::count(
    "sessions",
    "most sessions that the server had at once",
    "sessions",
)
.exact_to(1.0);
const ORPHANS: Measure = Measure::count(
    "orphans",
    "most sessions at once that ran a statement whose caller had given up",
    "sessions",
)
.exact_to(1.0);

/// Without how a ledger is measured.
const OWN: [Measure; 11] = [
    RECOVERY,
    OUTAGE,
    UNAVAILABLE,
    AVAILABILITY,
    DETECT,
    FAIL_FAST,
    REJECTED,
    AMPLIFICATION,
    CONNECTS,
    SESSIONS,
    ORPHANS,
];

const LOST: Measure = Measure::count(
    "ledger.lost",
    "writes that were acknowledged and are not there",
    "writes",
)
.exact_to(1.0)
.summed();
const DUPLICATE: Measure = Measure::count(
    "ledger.duplicate",
    "writes that were applied more than once",
    "writes",
)
.exact_to(1.0)
.summed();
const UNEXPECTED: Measure = Measure::count(
    "ledger.unexpected",
    "rows that nobody wrote or that were refused",
    "rows",
)
.exact_to(1.0)
.summed();
const UNKNOWN: Measure = Measure::count(
    "ledger.unknown",
    "writes that were sent and not answered",
    "writes",
)
.exact_to(1.0)
.summed()
.told();
const WRONG: Measure = Measure::count(
    "ledger.wrong-reads",
    "rows that were read and were wrong",
    "rows",
)
.exact_to(1.0)
.summed();

/// What a ledger is measured by.
pub(crate) const LEDGER: [Measure; 5] = [LOST, DUPLICATE, UNEXPECTED, UNKNOWN, WRONG];

/// All of them.
pub(crate) fn measures() -> impl Iterator<Item = Measure> {
    OWN.into_iter().chain(OPERATIONS).chain(LEDGER)
}

/// One count of a ledger.
type Count = fn(&Ledger) -> u64;
/// The beginning and the end of a phase, on the clock of its injection.
type Span = fn(&Injection) -> [u64; 2];

/// What became of writes, a value for each ledger.
pub(crate) fn of_ledgers(arm: &str, ledgers: &[Ledger]) -> Vec<Sample> {
    let counts: [(&Measure, Count); 5] = [
        (&LOST, |ledger| ledger.lost),
        (&DUPLICATE, |ledger| ledger.duplicate),
        (&UNEXPECTED, |ledger| ledger.unexpected),
        (&UNKNOWN, |ledger| ledger.unknown),
        (&WRONG, Ledger::wrong_reads),
    ];
    if ledgers.is_empty() {
        return Vec::new();
    }
    let sample = |(measure, of): (&Measure, Count)| {
        Sample::exact(measure, arm, ledgers.iter().map(|ledger| of(ledger) as f64))
    };
    counts.into_iter().map(sample).collect()
}

/// By fault and arm, each in the order of the record. Injections of which the user ended the
/// run are left out.
pub(crate) fn samples(of: &Injected<'_>) -> Vec<Sample> {
    let mut samples = Vec::new();
    for fault in of.run.entries().map(|entry| &entry.name) {
        for arm in of.run.arms.iter().map(|arm| &arm.name) {
            let judged = of
                .judged(arm)
                .filter(|(injection, _)| injection.fault == *fault);
            let judged: Vec<(&Injection, &Measured)> = judged.collect();
            if !judged.is_empty() {
                let here = at_one_place(of.load, arm, &judged);
                samples.extend(here.into_iter().map(|s| s.at(FAULT, fault.as_str())));
            }
        }
    }
    samples
}

fn at_one_place(load: &Load, arm: &str, judged: &[(&Injection, &Measured)]) -> Vec<Sample> {
    let exact = |measure: &Measure, of: fn(&Injection, &Measured) -> Option<f64>| {
        let values = judged
            .iter()
            .filter_map(|(injection, measured)| of(injection, measured));
        Sample::exact(measure, arm, values)
    };
    let recoveries = judged
        .iter()
        .filter_map(|(_, measured)| measured.client_recovery);
    let mut samples = vec![
        Sample::new(&RECOVERY, arm, recoveries.map(observed)),
        exact(&OUTAGE, |_, m| m.outage_equivalent_s),
        exact(&UNAVAILABLE, |_, m| m.unavailable_s),
        exact(&AVAILABILITY, |_, m| m.availability),
        exact(&DETECT, |_, m| m.detect_us.map(seconds)),
        exact(&FAIL_FAST, |_, m| m.fail_fast_us.map(seconds)),
        exact(&REJECTED, |_, m| m.rejected_p99_us.map(seconds)),
        exact(&AMPLIFICATION, |_, m| m.amplification),
        exact(&CONNECTS, |i, _| Some(i.attempts.connects as f64)),
        exact(&SESSIONS, |i, _| {
            most(i.sessions.iter().map(|s| s.sessions))
        }),
        exact(&ORPHANS, |i, _| most(i.sessions.iter().map(|s| s.orphans))),
    ];
    let phases: [(&'static str, Span); 3] = [
        ("before", |i| [i.steady_us, i.requested_us]),
        ("during", |i| [i.injected_us, i.cleared_us]),
        ("after", |i| [i.cleared_us, i.ended_us]),
    ];
    for (phase, span) in phases {
        let mut latencies = Latencies::default();
        for (injection, _) in judged {
            let [from_us, until_us] = span(injection);
            let answers = injection.operations.answers(load.rate_per_s);
            latencies.add(
                load,
                answers.filter(|a| (from_us..until_us).contains(&a.due_us)),
            );
        }
        let here = latencies.samples(arm).into_iter();
        samples.extend(here.map(|sample| sample.at(PHASE, phase)));
    }
    let ledgers: Vec<Ledger> = judged.iter().filter_map(|(i, _)| i.ledger).collect();
    samples.extend(of_ledgers(arm, &ledgers));
    samples.retain(|sample| !sample.values.is_empty());
    samples
}

fn observed(recovery: Recovery) -> Observation {
    let after_s = seconds(recovery.after_us);
    if recovery.censored {
        Observation::AtLeast(after_s)
    } else {
        Observation::Exact(after_s)
    }
}

fn seconds(us: u64) -> f64 {
    us as f64 / 1e6
}

/// `None` if nobody counted.
fn most(counts: impl Iterator<Item = u32>) -> Option<f64> {
    counts.max().map(f64::from)
}
