//! What the words of its report mean, for a reader who has never seen one.

use crate::page::Definition;

/// In the order of the report.
pub(super) const WORDS: [Definition; 11] = [
    Definition {
        word: "Load",
        means: "Operations arrive evenly at a fixed rate, whether or not earlier ones were answered. \
                Latency runs from the scheduled arrival, so a stall counts in full for everyone who \
                arrived during it. What could not be sent counts as failed.",
    },
    Definition {
        word: "Fault",
        means: "A direct probe, outside the engine, says when a fault took effect and when it was \
                gone; the clock starts at what the probe saw, not when the fault was ordered.",
    },
    Definition {
        word: "Goodput",
        means: "Operations answered without error within the deadline, in windows of 250 ms by \
                scheduled arrival. The level before the fault is the median of its windows.",
    },
    Definition {
        word: "Detect",
        means: "From when the fault took effect until the circuit breaker opened.",
    },
    Definition {
        word: "Fail-fast",
        means: "From when the fault took effect until the first of eight windows in a row in which \
                99 of 100 failing operations were answered within 10 ms. Empty if that was not \
                reached while the fault lasted.",
    },
    Definition {
        word: "Recover",
        means: "From when the fault was gone until the first of eight windows in a row with at least \
                95 % of the goodput before, a p99 latency of at most 1.5 times that before (or 10 ms, \
                if that is more), and at most 0.1 points more errors. What did not recover while it \
                was watched is kept, as longer than that. Client is the same, counted from when the \
                server took sessions again: only after a crash is that later.",
    },
    Definition {
        word: "Outage-equivalent",
        means: "The share of goodput that was missing, summed over time from the fault to the horizon \
                after it: three seconds at half the goodput are 1.5 s. It needs no threshold.",
    },
    Definition {
        word: "Available",
        means: "Operations answered well and in time, of all scheduled, over the same time. The \
                claim compares the seconds without service, fault by fault, with those of the bare \
                pool. It grants one deadline and 0.25 s: a caller that hangs may be answered just \
                in time when the server is back, one that was refused at once is not, and the \
                return is seen by the next probe. So where a fault only \
                delays answers, or refuses by itself, a bare pool may serve as much or more.",
    },
    Definition {
        word: "Attempts",
        means: "Statements handed to a connection and connections tried, per operation that the \
                client was given. Above one, a client adds load to a server in trouble.",
    },
    Definition {
        word: "Lost, duplicate, unknown",
        means: "After each fault the writes are compared with the table, over a fresh connection. \
                Lost: acknowledged, and not there. Duplicate: there more than once. Unknown: sent and \
                never answered; these may be there or not.",
    },
    Definition {
        word: "Verdict",
        means: "A claim holds if the whole 95 % interval lies inside what it claims, is refuted if \
                the whole interval lies outside, and is inconclusive otherwise. The median's interval \
                is exact, from order statistics; that of the mean difference in service is a \
                bootstrap over faults. Missing data never hold.",
    },
];
