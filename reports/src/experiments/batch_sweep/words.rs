//! What the words of its report mean, for a reader who has never seen one.

use crate::page::Definition;

/// In the order of the report.
pub(super) const WORDS: [Definition; 11] = [
    Definition {
        word: "Condition",
        means: "A class of queries, at one round-trip time, with one commit mode. Commit on: a \
                commit waits until the disk has it (synchronous_commit). In each round every size \
                has a slice, in random order, and the bare client has two, with one of ours \
                beside each.",
    },
    Definition {
        word: "One at a time",
        means: "Each query is answered before the next is sent, over one connection: what the guide \
                starts from. What all is compared with is a bare client of tokio-postgres, \
                through the same proxy, with statements that were prepared once; in a record \
                without one it is the engine itself.",
    },
    Definition {
        word: "Ours",
        means: "One at a time through the engine: what its pool and its deadlines cost. How long \
                that takes in times of the bare client is a claim of its own.",
    },
    Definition {
        word: "Mode",
        means: "Autocommit: each statement is a transaction of its own, as the guide's best_effort. \
                One transaction: a batch is one, so a commit is paid once. Reads: a batch is asked \
                for as one.",
    },
    Definition {
        word: "Speed-up",
        means: "The rate of a slice over the geometric mean of its round's two slices of the bare client; \
                the median over rounds, with its exact interval from order statistics. Queries that failed are not \
                counted, and where there are any nothing is decided.",
    },
    Definition {
        word: "A/A",
        means: "The bare client over itself, in the same round: 1, but for noise. What is closer to 1 \
                than this says nothing.",
    },
    Definition {
        word: "Knee",
        means: "The smallest fixed size that reaches at least 0.9 of the best of its curve: beyond \
                it there is little more to gain.",
    },
    Definition {
        word: "Shipped",
        means: "The smallest fixed size that reaches at least 0.8 of the best in every condition of \
                its class, in the mode that would be shipped: one transaction for what writes.",
    },
    Definition {
        word: "Auto",
        means: "The pipeline chooses how many queries are on their way, from the rate and the round \
                trip it sees.",
    },
    Definition {
        word: "Model",
        means: "speed-up(B) = B RTT / (RTT + B s): a batch of B costs one round trip and B times \
                what a statement does. The s of a curve is the median over its sizes; far from the \
                model, something else limits.",
    },
    Definition {
        word: "Verdict",
        means: "A claim holds if the whole 95 % interval lies inside what it claims, is refuted if \
                the whole interval lies outside, and is inconclusive otherwise. What is said of all \
                conditions is judged in the worst. The guide's 2 to 10 times is judged as written: \
                faster than 10 refutes it, too, though nobody will mind. Missing data never hold.",
    },
];
