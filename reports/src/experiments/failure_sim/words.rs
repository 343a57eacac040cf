//! What the words of its report mean, for a reader who has never seen one.

use crate::page::Definition;

/// In the order of the report.
pub(super) const WORDS: [Definition; 14] = [
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
                claim compares the seconds without service, fault by fault, with those of the \
                careful pool. What a fault may cost more is one wait between probes, 0.15 s, and, \
                where callers are refused and the careful pool's hang, as long as these do, up to \
                one deadline: a caller that hangs may be answered just in time when the server is \
                back, one that was refused at once is not. Nothing that is won in one kind of fault pays for \
                another.",
    },
    Definition {
        word: "Refuses, waits",
        means: "What the engine does with callers while its circuit is open: it refuses them at once, \
                for who has something else to answer with; or they wait for the circuit to close, \
                without a connection, for as long as their deadline leaves time for an answer. Where \
                they wait it is also said of each kind of fault whether that lost more goodput than \
                the pools without the engine, in pairs that met the same fault: the median of the \
                differences.",
    },
    Definition {
        word: "By kind of fault",
        means: "A bound that follows from the configuration has to be kept each time. One injection \
                in ten may go beyond it, because a small machine is late now and then; more than \
                that, or one that is far beyond, refutes the claim, and no later injection that \
                keeps the bound makes up for it. Where the careful pool is as late in the same \
                injection, it is the machine's doing and nobody is accused.",
    },
    Definition {
        word: "Overhead, memory",
        means: "Before the faults each arm asks one query at a time for some tenths of a second, \
                in turns, past the proxy: the ratio is taken within each round, the interval is \
                that of its median. Memory is that of the whole runner, in which nothing else is \
                busy.",
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
                never answered; these may be there or not. A row that is read follows from its key \
                and its last write: one that is older than what was acknowledged before the read \
                began, of another key, or missing is a wrong answer.",
    },
    Definition {
        word: "Verdict",
        means: "A claim about a median or a percentile holds if its whole 95 % interval lies inside \
                what is claimed, is refuted if the whole interval lies outside, and is inconclusive \
                otherwise; the intervals are exact, from order statistics. A claim about each \
                injection holds if its bound was kept each time, and is refuted if it was missed \
                more often than one time in ten explains, or by more than a busy machine does. \
                Missing data never hold.",
    },
];
