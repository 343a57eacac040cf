//! What the words of its report mean, for a reader who has never seen one.

use crate::page::Definition;

/// In the order of the report.
pub(super) const WORDS: [Definition; 6] = [
    Definition {
        word: "Window",
        means: "A moment in which a pool has the server to itself, with more callers than any \
                candidate has connections, so that a larger pool is better only where the server \
                can use it. It begins when the pool has made its connections.",
    },
    Definition {
        word: "Round",
        means: "A window of each candidate that is left, in random order. After two and after four \
                rounds the better half is left: the one that would be chosen then, the best, those \
                next to the chosen one, and the fastest of the others. They share the time that is \
                left.",
    },
    Definition {
        word: "Of the best",
        means: "The rate of a candidate over that of the best one in the same round; the median over \
                rounds, with its exact interval from order statistics. The best one has the highest \
                median rate of those that had all rounds. Chosen is the smallest that reaches 0.9, or \
                whose interval reaches 1, so that it cannot be told from the best.",
    },
    Definition {
        word: "First, then",
        means: "Batch sizes are measured twice: all of them for a few rounds, and then the better \
                half, on another seed and for more rounds. The second run decides, and says how the \
                choice of the first did again. One pool has one batch size: the smallest of those \
                recommended for classes that gain at all.",
    },
    Definition {
        word: "Too close to tell",
        means: "Values that the same rule might choose, as far as the intervals say: another seed \
                may well come to one of these.",
    },
    Definition {
        word: "If it is wrong",
        means: "What the next candidates did that were measured: so much is lost where the choice \
                is one step off.",
    },
];
