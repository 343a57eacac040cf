//! What the words of its report mean, for a reader who has never seen one.

use crate::page::Definition;

/// In the order of the report.
pub(super) const WORDS: [Definition; 9] = [
    Definition {
        word: "Cell",
        means: "A pool with these breaker settings, named by failure threshold, recovery timeout, \
                error rate (where it is not 0.5) and probe. All cells run at once, each with the \
                same small load, through the same outages.",
    },
    Definition {
        word: "Outage",
        means: "The network or the server fails, for a length and after a wait that are drawn at \
                random. A direct probe, outside the engine, says when it took effect and when the \
                server took sessions again.",
    },
    Definition {
        word: "Detect",
        means: "From when the outage took effect until the circuit breaker opened: the median of \
                the outages in which it did.",
    },
    Definition {
        word: "Recover",
        means: "From when the server took sessions again until the first good operation from which \
                on 95 % are good for a while. Median and 95th percentile are Kaplan and Meier's: a \
                recovery that was not seen to end counts as longer than it was watched. Claims are \
                decided by exact intervals from order statistics.",
    },
    Definition {
        word: "Outage-equivalent",
        means: "Operations that were not answered well within the deadline, as seconds of a full \
                outage, from the start of an outage until every cell is back.",
    },
    Definition {
        word: "False opens",
        means: "How often the breaker opened while the server was well: under constraint \
                violations (23505), serialization conflicts and deadlocks (40001, 40P01), forty \
                callers at two connections, and answers that come 200 ms late. Empty if a cell did \
                not meet all of them.",
    },
    Definition {
        word: "Wasted",
        means: "Operations that went to the server in an outage and came to nothing: they failed, \
                timed out, or were too late. Probes are not operations.",
    },
    Definition {
        word: "P(<= 30 s)",
        means: "The share of a week's recoveries within the guide's 30 s, with the exact interval \
                of Clopper and Pearson. A passive breaker lets callers try again a recovery timeout \
                after it opened, whenever the server is back: if that is at a random moment, the \
                wait is uniform on (0, timeout), and the share is 30 s / timeout.",
    },
    Definition {
        word: "Shipped",
        means: "Of the cells without a false open, the one whose median outage costs least; of \
                those that are too close to it to tell apart, outage by outage, the one that wastes \
                fewest operations; then the one that needs more failures to open, and the shorter \
                timeout. It is then run beside the guide's week 2 through outages that it \
                was not chosen by.",
    },
];
