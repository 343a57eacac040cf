//! What a sweep of batch sizes is to measure.

use std::{collections::BTreeMap, time::Duration};

use reports::experiments::batch_sweep::{Class, How, MOST_ROUNDS, Mode, Size};

/// A size that is asked about may take so many times as long as others.
const ASKED_ABOUT: u32 = 3;
/// Queries that an automatic size has waiting, where each takes long.
pub(super) const FEWEST_WAITING: usize = 4;

/// What batches are compared with, and the same with ours.
pub(super) const ONE_AT_A_TIME: [How; 2] = [How::Bare, How::Sequential];

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
    /// The ways to run its queries, one at a time first, with the bare client and with
    /// ours, and of each mode the smaller sizes before the larger.
    pub ways: Vec<How>,
}

impl Plan {
    /// The same with less to measure: of each class that is named only these sizes, sent in
    /// this mode. Classes that are not named are left out.
    #[must_use]
    pub fn only(mut self, kept: &BTreeMap<String, (Mode, Vec<u32>)>) -> Self {
        self.conditions.retain_mut(|wanted| {
            let Some((mode, sizes)) = kept.get(&self.classes[wanted.class].name) else {
                return false;
            };
            wanted.ways.retain(|how| match how {
                How::Bare | How::Sequential => true,
                How::Pipelined {
                    mode: of,
                    size: Size::Fixed(size),
                } => of == mode && sizes.contains(size),
                How::Pipelined { .. } => false,
            });
            true
        });
        self
    }

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

    /// What a condition may take if all take the same.
    fn fair(&self) -> Duration {
        self.budget / u32::try_from(self.conditions.len().max(1)).unwrap_or(u32::MAX)
    }

    /// How long the server counts one of so many ways.
    pub(super) fn counting(&self, ways: usize) -> Duration {
        let each = self.fair() / u32::try_from(ways.max(1)).unwrap_or(u32::MAX);
        each.min(self.longest_batch)
    }

    /// How long a batch may take. What the guide recommends is what is asked about, and a
    /// curve begins with a batch of one.
    pub(super) fn longest(&self, class: &Class, size: Size) -> Duration {
        let asked = [Some(1), class.guide_batch].map(|n| n.map(Size::Fixed));
        let times = if asked.contains(&Some(size)) {
            ASKED_ABOUT
        } else {
            1
        };
        self.longest_batch * times
    }

    /// Whether a condition gets another round after so many. `spent` is what all of it
    /// took so far, and `in_rounds` what its rounds did.
    ///
    /// Nobody knows what the user's queries cost, so theirs may be fewer than are needed
    /// for an interval, and the report says so. What the guide's cost is bounded.
    pub(super) fn another(
        &self,
        class: &Class,
        rounds: usize,
        spent: Duration,
        in_rounds: Duration,
        share: Duration,
    ) -> bool {
        let n = u32::try_from(rounds.max(1)).unwrap_or(u32::MAX);
        if rounds == 0 {
            return true;
        }
        if n >= self.rounds {
            // It may take as long as those before, with what came before them.
            return n < MOST_ROUNDS && spent + spent / n <= share;
        }
        class.guide_batch.is_some() || spent + in_rounds / n <= share.max(self.fair()) * 3 / 2
    }

    /// The same, where these classes write although they did not seem to: so commits are
    /// waited for or not, and there are other modes.
    pub(super) fn with_writing(mut self, writing: &[usize]) -> Self {
        for (index, class) in self.classes.iter_mut().enumerate() {
            class.writes |= writing.contains(&index);
        }
        let mut conditions = Vec::with_capacity(self.conditions.len());
        for wanted in self.conditions {
            if !writing.contains(&wanted.class) {
                conditions.push(wanted);
                continue;
            }
            let mut ways = ONE_AT_A_TIME.to_vec();
            for mode in modes(&self.classes[wanted.class]) {
                ways.extend(wanted.ways.iter().filter_map(|how| match *how {
                    How::Bare | How::Sequential => None,
                    How::Pipelined { size, .. } => Some(How::Pipelined { mode: *mode, size }),
                }));
            }
            conditions.extend([true, false].map(|synchronous_commit| Wanted {
                synchronous_commit,
                ways: ways.clone(),
                ..wanted
            }));
        }
        self.conditions = conditions;
        self
    }
}

/// The fewest queries of a stretch: whole batches, in which each of `cycle` statements
/// comes equally often.
pub(super) fn fewest(how: How, cycle: u64) -> u64 {
    let cycle = cycle.max(1);
    match how {
        How::Bare | How::Sequential => cycle,
        How::Pipelined { size, .. } => match size {
            Size::Fixed(n) => {
                let n = u64::from(n.max(1));
                n / common(n, cycle) * cycle
            }
            Size::Auto => (FEWEST_WAITING as u64).next_multiple_of(cycle),
        },
    }
}

/// The greatest common divisor.
fn common(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { common(b, a % b) }
}

/// Why a way is not tried where a query takes so long, if it is not: its shortest stretch
/// would take longer than `longest`.
pub(super) fn too_long(how: How, cycle: u64, one: Duration, longest: Duration) -> Option<String> {
    let How::Pipelined { size, .. } = how else {
        return None;
    };
    let queries = fewest(how, cycle);
    let takes = one.saturating_mul(u32::try_from(queries).unwrap_or(u32::MAX));
    if takes <= longest {
        return None;
    }
    let s = takes.as_secs_f64();
    let because = match size {
        Size::Fixed(n) if u64::from(n) == queries => {
            format!("a batch of {n} takes about {s:.1} s here, and every slice is of whole batches")
        }
        Size::Fixed(n) => format!(
            "batches of {n} take about {s:.1} s here until each of the {cycle} statements has \
             come equally often, which is after {queries} queries"
        ),
        Size::Auto => format!(
            "an automatic size keeps {queries} queries or more waiting, which take about {s:.1} s \
             here"
        ),
    };
    let longest = longest.as_secs_f64();
    Some(format!(
        "{because}: more than {longest:.2} s would make the run too long"
    ))
}

/// What a way is called.
#[must_use]
pub fn name(how: How) -> String {
    match how {
        How::Bare => "bare client, one at a time".to_owned(),
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
    if class.transaction {
        // A transaction is what it is about.
        return &[Mode::OneTransaction];
    }
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

    fn pipelined(size: Size) -> How {
        let mode = Mode::Reads;
        How::Pipelined { mode, size }
    }

    fn class(guide_batch: Option<u32>) -> Class {
        Class {
            name: "q".to_owned(),
            about: String::new(),
            statements: vec!["SELECT nextval('s')".to_owned()],
            writes: false,
            transaction: false,
            guide_batch,
        }
    }

    fn two_round_trips() -> Plan {
        let ms = Duration::from_millis;
        let wanted = |rtt| Wanted {
            class: 0,
            rtt,
            synchronous_commit: true,
            ways: vec![
                How::Bare,
                How::Sequential,
                pipelined(Size::Fixed(1)),
                pipelined(Size::Auto),
            ],
        };
        Plan {
            classes: vec![class(None)],
            conditions: [ms(0), ms(2)].map(wanted).into(),
            rounds: 6,
            slice: ms(30),
            longest_batch: ms(150),
            budget: ms(20_000),
        }
    }

    #[test]
    fn a_stretch_has_whole_batches_and_whole_cycles() {
        for (size, cycle, expected) in [
            (1, 1, 1),
            (1, 3, 3),
            (10, 4, 20),
            (10, 5, 10),
            (50, 3, 150),
            (500, 7, 3_500),
            (2, 6, 6),
        ] {
            let how = pipelined(Size::Fixed(size));
            assert_eq!(fewest(how, cycle), expected, "{size}, {cycle}");
        }
        assert_eq!(ONE_AT_A_TIME.map(|how| fewest(how, 3)), [3, 3]);
        assert_eq!(fewest(pipelined(Size::Auto), 1), 4);
        assert_eq!(fewest(pipelined(Size::Auto), 3), 6);
    }

    #[test]
    fn what_takes_too_long_is_left_out_with_a_reason() {
        let ms = Duration::from_millis;
        let why = |size, cycle, one| too_long(pipelined(size), cycle, one, ms(150));
        assert_eq!(too_long(How::Sequential, 1, ms(9_000), ms(150)), None);
        assert_eq!(why(Size::Fixed(10), 1, ms(15)), None);
        assert_eq!(why(Size::Fixed(10), 5, ms(15)), None);
        let batch = why(Size::Fixed(10), 1, ms(100)).expect("1 s");
        assert!(batch.starts_with("a batch of 10 takes about 1.0 s"));
        let cycle = why(Size::Fixed(10), 3, ms(15)).expect("30 queries");
        assert!(cycle.contains("3 statements") && cycle.contains("30 queries"));
        assert_eq!(why(Size::Auto, 1, ms(30)), None);
        let auto = why(Size::Auto, 1, ms(40)).expect("160 ms");
        for reason in [batch, cycle, auto] {
            assert!(reason.ends_with("more than 0.15 s would make the run too long"));
            assert!(!reason.contains("  "), "{reason}");
        }
    }

    #[test]
    fn only_the_guide_s_size_and_a_batch_of_one_may_take_longer() {
        let (plan, ms) = (two_round_trips(), Duration::from_millis);
        let (guide, own) = (class(Some(50)), class(None));
        for (class, size, expected) in [
            (&guide, Size::Fixed(50), ms(450)),
            (&guide, Size::Fixed(500), ms(150)),
            (&own, Size::Fixed(1), ms(450)),
            (&own, Size::Fixed(50), ms(150)),
            (&own, Size::Auto, ms(150)),
        ] {
            assert_eq!(plan.longest(class, size), expected, "{size:?}");
        }
        // 10 s each.
        assert_eq!(plan.counting(10), ms(150));
        assert_eq!(plan.counting(100), ms(100));
    }

    #[test]
    fn rounds_are_fewer_only_where_the_user_s_queries_are_slow() {
        let (plan, s) = (two_round_trips(), Duration::from_secs);
        let (guide, own) = (class(Some(50)), class(None));
        let (six, share) = (6, s(10));
        for class in [&guide, &own] {
            assert!(plan.another(class, 0, s(100), s(0), share));
            // All that are needed, and time for more or not.
            assert!(plan.another(class, six, s(8), s(6), share));
            assert!(!plan.another(class, six, s(9), s(6), share));
            assert!(!plan.another(class, MOST_ROUNDS as usize, s(1), s(1), share));
            // A little late.
            assert!(plan.another(class, 5, s(12), s(10), share));
        }
        assert!(plan.another(&guide, 2, s(100), s(90), share));
        assert!(!plan.another(&own, 2, s(12), s(8), share));
        // What others took from its share is not its fault.
        assert!(plan.another(&own, 2, s(6), s(4), s(0)));
    }

    #[test]
    fn a_class_that_writes_after_all_has_commits_and_other_modes() {
        let plan = two_round_trips();
        assert_eq!(plan.clone().with_writing(&[]), plan);
        let written = plan.with_writing(&[0]);
        assert!(written.classes[0].writes);
        let seen: Vec<_> = written
            .conditions
            .iter()
            .map(|wanted| (wanted.rtt.as_millis(), wanted.synchronous_commit))
            .collect();
        assert_eq!(seen, [(0, true), (0, false), (2, true), (2, false)]);
        let pipelined = |mode, size| How::Pipelined { mode, size };
        let (each, one) = (Mode::Autocommit, Mode::OneTransaction);
        for wanted in &written.conditions {
            let expected = [
                How::Bare,
                How::Sequential,
                pipelined(each, Size::Fixed(1)),
                pipelined(each, Size::Auto),
                pipelined(one, Size::Fixed(1)),
                pipelined(one, Size::Auto),
            ];
            assert_eq!(wanted.ways, expected);
        }
    }

    #[test]
    fn a_smaller_plan_has_only_what_is_named() {
        let mut plan = two_round_trips();
        plan.conditions[0].ways.push(pipelined(Size::Fixed(10)));
        let kept = [("q".to_owned(), (Mode::Reads, vec![10]))];
        let smaller = plan.clone().only(&kept.into());
        let ways = [How::Bare, How::Sequential, pipelined(Size::Fixed(10))];
        assert_eq!(smaller.conditions[0].ways, ways);
        assert_eq!(smaller.conditions[1].ways, ONE_AT_A_TIME);
        assert!(plan.only(&BTreeMap::new()).conditions.is_empty());
    }

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
