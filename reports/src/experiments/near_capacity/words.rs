//! What the words of its report mean, for a reader who has never seen one.

use crate::page::Definition;

/// In the order of the report.
pub(super) const WORDS: [Definition; 8] = [
    Definition {
        word: "Capacity",
        means: "What a pool can do: measured before anything else, with as many callers as it has \
                connections, each of which asks again as soon as it is answered. An operation \
                holds its session for a fixed time on the server, so that the capacity is the \
                number of connections over that time, and the processors decide little of it.",
    },
    Definition {
        word: "Load",
        means: "A share of the capacity. Operations arrive evenly at that rate, whether or not \
                earlier ones were answered.",
    },
    Definition {
        word: "Retries",
        means: "A caller whose try fails, is refused, or takes longer than the caller's patience, \
                asks again at once, so many times. When its patience is over it hangs up, as a \
                gateway or a browser does.",
    },
    Definition {
        word: "Good",
        means: "Answered without error within the deadline, from the scheduled arrival on, \
                whichever try it was.",
    },
    Definition {
        word: "Back after",
        means: "From when the server took sessions again until the first of eight windows of 250 ms \
                in a row with at least 95 % of the goodput before the fault. Latency is not asked: \
                close to the capacity, what is left of a queue makes answers slower for a while \
                that are still in time. An arm that did not come back is kept, as longer than it \
                was watched.",
    },
    Definition {
        word: "Lost",
        means: "The share of goodput that was missing, summed over time from the fault until the load \
                ended: three seconds at half the goodput are 1.5 s.",
    },
    Definition {
        word: "Tries, attempts",
        means: "Tries are what callers asked of the arm, per operation. Attempts are what the arm \
                asked of the server, statements and connections, per good answer: per operation, a \
                pool that serves nobody would look best. Both are counted from the fault until three \
                seconds after it.",
    },
    Definition {
        word: "Verdict",
        means: "Coming back within the horizon has to be so in every trial. Goodput that is still \
                down when the trial ends refutes it; once in a while beyond it may be the \
                machine's doing. A good answer may take 5 % more attempts than with the careful \
                pool, which is how exactly they are counted. Missing data never hold.",
    },
];
