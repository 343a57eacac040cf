//! What the words of a report mean, for a reader who has never seen one.

use super::view::Record;

/// A word, and what it means.
pub(super) struct Measure {
    pub(super) name: &'static str,
    pub(super) means: &'static str,
}

/// The words of a run's report, in the order of its table.
pub(super) fn of(record: &Record) -> &'static [Measure] {
    match (&record.sweep, &record.batches) {
        (Some(_), _) => &SWEEP,
        (None, Some(_)) => &BATCHES,
        (None, None) => &MEASURES,
    }
}

const BATCHES: [Measure; 10] = [
    Measure {
        name: "Condition",
        means: "A class of queries, at one round-trip time, with one commit mode. Commit on: a \
                commit waits until the disk has it (synchronous_commit). In each round every size \
                has a slice, in random order, and one at a time has two.",
    },
    Measure {
        name: "One at a time",
        means: "Each query is answered before the next is sent, over one connection: what the guide \
                starts from.",
    },
    Measure {
        name: "Mode",
        means: "Autocommit: each statement is a transaction of its own, as the guide's best_effort. \
                One transaction: a batch is one, so a commit is paid once. Reads: a batch is asked \
                for as one.",
    },
    Measure {
        name: "Speed-up",
        means: "The rate of a slice over the mean rate of its round's two slices one at a time; the \
                geometric mean over rounds, with a bootstrap interval. Queries that failed are not \
                counted, and where there are any nothing is decided.",
    },
    Measure {
        name: "A/A",
        means: "One at a time over itself, in the same round: 1, but for noise. What is closer to 1 \
                than this says nothing.",
    },
    Measure {
        name: "Knee",
        means: "The smallest fixed size that reaches at least 0.9 of the best of its curve: beyond \
                it there is little more to gain.",
    },
    Measure {
        name: "Shipped",
        means: "The smallest fixed size that reaches at least 0.8 of the best in every condition of \
                its class, in the mode that would be shipped: one transaction for what writes.",
    },
    Measure {
        name: "Auto",
        means: "The pipeline chooses how many queries are on their way, from the rate and the round \
                trip it sees.",
    },
    Measure {
        name: "Model",
        means: "speed-up(B) = B RTT / (RTT + B s): a batch of B costs one round trip and B times \
                what a statement does. The s of a curve is the median over its sizes; far from the \
                model, something else limits.",
    },
    Measure {
        name: "Verdict",
        means: "A claim holds if the whole 95 % interval lies inside what it claims, is refuted if \
                the whole interval lies outside, and is inconclusive otherwise. What is said of all \
                conditions is judged in the worst. The guide's 2 to 10 times is judged as written: \
                faster than 10 refutes it, too, though nobody will mind. Missing data never hold.",
    },
];

const SWEEP: [Measure; 9] = [
    Measure {
        name: "Cell",
        means: "A pool with these breaker settings, named by failure threshold, recovery timeout, \
                error rate (where it is not 0.5) and probe. All cells run at once, each with the \
                same small load, through the same outages.",
    },
    Measure {
        name: "Outage",
        means: "The network or the server fails, for a length and after a wait that are drawn at \
                random. A direct probe, outside the engine, says when it took effect and when the \
                server took sessions again.",
    },
    Measure {
        name: "Detect",
        means: "From when the outage took effect until the circuit breaker opened: the median of \
                the outages in which it did.",
    },
    Measure {
        name: "Recover",
        means: "From when the server took sessions again until the first good operation from which \
                on 95 % are good for a while. Median and 95th percentile are Kaplan and Meier's: a \
                recovery that was not seen to end counts as longer than it was watched. Claims are \
                decided by exact intervals from order statistics.",
    },
    Measure {
        name: "Outage-equivalent",
        means: "Operations that were not answered well within the deadline, as seconds of a full \
                outage, from the start of an outage until every cell is back.",
    },
    Measure {
        name: "False opens",
        means: "How often the breaker opened while the server was well: under constraint \
                violations (23505), serialization conflicts and deadlocks (40001, 40P01), forty \
                callers at two connections, and answers that come 200 ms late. Empty if a cell did \
                not meet all of them.",
    },
    Measure {
        name: "Wasted",
        means: "Operations that went to the server in an outage and came to nothing: they failed, \
                timed out, or were too late. Probes are not operations.",
    },
    Measure {
        name: "P(<= 30 s)",
        means: "The share of a week's recoveries within the guide's 30 s, with the exact interval \
                of Clopper and Pearson. A passive breaker lets callers try again a recovery timeout \
                after it opened, whenever the server is back: if that is at a random moment, the \
                wait is uniform on (0, timeout), and the share is 30 s / timeout.",
    },
    Measure {
        name: "Shipped",
        means: "Of the cells without a false open, the one whose median outage costs least; of \
                those that are too close to it to tell apart, outage by outage, the one that wastes \
                fewest operations; then the one that needs more failures to open, and the shorter \
                timeout. It is then run beside the guide's week 2 through outages that it \
                was not chosen by.",
    },
];

/// Those of failures.
const MEASURES: [Measure; 11] = [
    Measure {
        name: "Load",
        means: "Operations arrive evenly at a fixed rate, whether or not earlier ones were answered. \
                Latency runs from the scheduled arrival, so a stall counts in full for everyone who \
                arrived during it. What could not be sent counts as failed.",
    },
    Measure {
        name: "Fault",
        means: "A direct probe, outside the engine, says when a fault took effect and when it was \
                gone; the clock starts at what the probe saw, not when the fault was ordered.",
    },
    Measure {
        name: "Goodput",
        means: "Operations answered without error within the deadline, in windows of 250 ms by \
                scheduled arrival. The level before the fault is the median of its windows.",
    },
    Measure {
        name: "Detect",
        means: "From when the fault took effect until the circuit breaker opened.",
    },
    Measure {
        name: "Fail-fast",
        means: "From when the fault took effect until the first of eight windows in a row in which \
                99 of 100 failing operations were answered within 10 ms. Empty if that was not \
                reached while the fault lasted.",
    },
    Measure {
        name: "Recover",
        means: "From when the fault was gone until the first of eight windows in a row with at least \
                95 % of the goodput before, a p99 latency of at most 1.5 times that before (or 10 ms, \
                if that is more), and at most 0.1 points more errors. What did not recover while it \
                was watched is kept, as longer than that. Client is the same, counted from when the \
                server took sessions again: only after a crash is that later.",
    },
    Measure {
        name: "Outage-equivalent",
        means: "The share of goodput that was missing, summed over time from the fault to the horizon \
                after it: three seconds at half the goodput are 1.5 s. It needs no threshold.",
    },
    Measure {
        name: "Available",
        means: "Operations answered well and in time, of all scheduled, over the same time. The \
                claim compares the seconds without service, fault by fault, with those of the bare \
                pool. It grants one deadline and 0.25 s: a caller that hangs may be answered just \
                in time when the server is back, one that was refused at once is not, and the \
                return is seen by the next probe. So where a fault only \
                delays answers, or refuses by itself, a bare pool may serve as much or more.",
    },
    Measure {
        name: "Attempts",
        means: "Statements handed to a connection and connections tried, per operation that the \
                client was given. Above one, a client adds load to a server in trouble.",
    },
    Measure {
        name: "Lost, duplicate, unknown",
        means: "After each fault the writes are compared with the table, over a fresh connection. \
                Lost: acknowledged, and not there. Duplicate: there more than once. Unknown: sent and \
                never answered; these may be there or not.",
    },
    Measure {
        name: "Verdict",
        means: "A claim holds if the whole 95 % interval lies inside what it claims, is refuted if \
                the whole interval lies outside, and is inconclusive otherwise. The median's interval \
                is exact, from order statistics; that of the mean difference in service is a \
                bootstrap over faults. Missing data never hold.",
    },
];
