//! What a sweep of batch sizes is to measure.

use std::time::Duration;

use reports::record::{Class, How, Mode, Size};

/// A sweep of batch sizes, before anything of it is carried out.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// The classes of queries, in the order they are reported in.
    pub classes: Vec<Class>,
    /// What is measured, in the order it is reported in.
    pub conditions: Vec<Wanted>,
    /// Rounds of each condition, at least: fewer give no interval.
    pub rounds: u32,
    /// A slice repeats its batch for so long, if there is time.
    pub slice: Duration,
    /// A size whose batch takes longer is left out.
    pub longest_batch: Duration,
    /// What all conditions may take together. Conditions that need less leave it to
    /// the others, for more rounds.
    pub budget: Duration,
}

/// A condition to be measured.
#[derive(Debug, Clone, PartialEq)]
pub struct Wanted {
    /// Index into [`Plan::classes`].
    pub class: usize,
    /// Round-trip time to be added.
    pub rtt: Duration,
    /// Whether a commit waits for the disk.
    pub synchronous_commit: bool,
    /// The ways to run its queries, one at a time first, and of each mode the smaller
    /// sizes before the larger.
    pub ways: Vec<How>,
}

impl Plan {
    /// How long a slice may be where all rounds of a condition have to fit into
    /// `share`, and a batch of each of its ways takes as long as is said.
    #[must_use]
    pub fn slice_in(&self, share: Duration, batches: &[Duration]) -> Duration {
        let (long, short): (Vec<Duration>, Vec<Duration>) =
            batches.iter().partition(|b| **b > self.slice);
        let round = share / self.rounds.max(1);
        let left = round.saturating_sub(long.iter().sum());
        let each = left / u32::try_from(short.len().max(1)).unwrap_or(u32::MAX);
        // Below a third, the noise of a slice is greater than what it says.
        each.clamp(self.slice / 3, self.slice)
    }
}

/// What a way is called.
#[must_use]
pub fn name(how: How) -> String {
    match how {
        How::Sequential => "one at a time".to_owned(),
        How::Pipelined { mode, size } => format!("{} of {}", mode.name(), size_name(size)),
    }
}

/// What a condition is called.
#[must_use]
pub fn condition_name(class: &Class, wanted: &Wanted) -> String {
    let rtt = match wanted.rtt.as_micros() {
        0 => "no round-trip time added".to_owned(),
        us => format!("{} ms of round-trip time", us as f64 / 1e3),
    };
    let commit = match (class.writes, wanted.synchronous_commit) {
        (false, _) => "",
        (true, true) => ", commits wait for the disk",
        (true, false) => ", commits do not wait for the disk",
    };
    format!("{}: {rtt}{commit}", class.name)
}

fn size_name(size: Size) -> String {
    match size {
        Size::Fixed(n) => n.to_string(),
        Size::Auto => "automatic size".to_owned(),
    }
}

/// The modes that tell something of a class.
#[must_use]
pub fn modes(class: &Class) -> &'static [Mode] {
    match (class.writes, &*class.name) {
        (false, _) => &[Mode::Reads],
        // A transaction is what it is about.
        (true, "updates") if class.guide_batch.is_some() => &[Mode::OneTransaction],
        (true, _) => &[Mode::Autocommit, Mode::OneTransaction],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slice_is_as_long_as_its_condition_has_time() {
        let ms = Duration::from_millis;
        let plan = Plan {
            classes: Vec::new(),
            conditions: Vec::new(),
            rounds: 6,
            slice: ms(60),
            longest_batch: ms(700),
            budget: ms(1),
        };
        let ten = [ms(1); 10];
        assert_eq!(plan.slice_in(ms(60_000), &ten), ms(60));
        assert_eq!(plan.slice_in(ms(1_800), &ten), ms(30));
        assert_eq!(plan.slice_in(ms(1), &ten), ms(20));
        // One batch of 150 ms takes half of each round.
        let one_long: Vec<Duration> = ten.into_iter().chain([ms(150)]).collect();
        assert_eq!(plan.slice_in(ms(2_700), &one_long), ms(30));
        assert_eq!(plan.slice_in(ms(60_000), &[ms(900)]), ms(60));
    }
}
