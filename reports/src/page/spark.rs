//! Small pictures of letters, for where there is no room for others: a share over time, a
//! line for each arm.

use crate::run::{Operations, Outcome};

/// Shares over time, in groups that happened one after another.
#[derive(Debug, Clone, Default)]
pub struct Sparks {
    /// What it is called, in capitals: `GOODPUT`.
    pub name: String,
    /// What a letter shows.
    pub says: String,
    /// The groups.
    pub groups: Vec<SparkGroup>,
}

/// What happened at once, to several.
#[derive(Debug, Clone, Default)]
pub struct SparkGroup {
    /// What it is called.
    pub name: String,
    /// The windows in which something was done to all: from the first until before the second.
    pub marked: (usize, usize),
    /// To whom, and the share of each window, 0..=1. `None` where nothing was to be done.
    pub lines: Vec<(String, Vec<Option<f64>>)>,
}

/// From nothing to all.
const LEVELS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
/// Fewest letters of a line, however narrow the room is.
const FEWEST: usize = 8;

impl Sparks {
    /// As lines of at most `width` letters. Where there are more windows than letters, each
    /// letter stands for several, and shows the worst of them: no outage is too short to be
    /// seen.
    #[must_use]
    pub fn lines(&self, width: usize) -> Vec<String> {
        let names = self.groups.iter().flat_map(|group| {
            let arms = group.lines.iter().map(|(arm, _)| arm.chars().count() + 2);
            arms.chain([group.name.chars().count()])
        });
        let names = names
            .max()
            .unwrap_or(0)
            .min(width.saturating_sub(FEWEST + 1));
        let room = width.saturating_sub(names + 1).max(FEWEST);
        let windows = self.groups.iter().flat_map(|group| &group.lines);
        let longest = windows.map(|(_, shares)| shares.len()).max().unwrap_or(0);
        let each = longest.div_ceil(room).max(1);
        let mut lines = Vec::new();
        let mut put = |name: &str, letters: String| {
            let name: String = name.chars().take(names).collect();
            lines.push(format!("{name:<names$} {letters}").trim_end().to_owned());
        };
        for group in &self.groups {
            let longest = group.lines.iter().map(|(_, shares)| shares.len()).max();
            put(&group.name, ruler(group.marked, longest.unwrap_or(0), each));
            for (arm, shares) in &group.lines {
                put(
                    &format!("  {arm}"),
                    shares.chunks(each).map(letter).collect(),
                );
            }
        }
        lines
    }
}

/// Where something was done: `---===-----`.
fn ruler((from, to): (usize, usize), windows: usize, each: usize) -> String {
    let letters = (0..windows.div_ceil(each)).map(|i| {
        let marked = i * each < to && from < (i + 1) * each;
        if marked { '=' } else { '-' }
    });
    letters.collect()
}

/// The worst of some windows, as one letter. All but exactly all is less than all.
pub(crate) fn letter(shares: &[Option<f64>]) -> char {
    let worst = shares.iter().flatten().copied().reduce(f64::min);
    let Some(worst) = worst else { return ' ' };
    let last = LEVELS.len() - 1;
    let level = (0..=last).rfind(|level| worst * last as f64 >= *level as f64);
    LEVELS[level.unwrap_or(0)]
}

/// The share of operations that were answered well and in time, in windows of `window_us` from
/// `from_us` on.
pub(crate) fn shares(
    operations: &Operations,
    (rate_per_s, deadline_us): (u32, u64),
    from_us: u64,
    window_us: u64,
) -> Vec<Option<f64>> {
    let mut counts: Vec<(u32, u32)> = Vec::new();
    for answer in operations.answers(rate_per_s) {
        let since_us = answer.due_us.checked_sub(from_us);
        let window = since_us.and_then(|us| usize::try_from(us / window_us.max(1)).ok());
        let Some(window) = window.filter(|window| *window < MOST_WINDOWS) else {
            continue;
        };
        if counts.len() <= window {
            counts.resize(window + 1, (0, 0));
        }
        let in_time = answer.end_us - answer.due_us <= deadline_us;
        counts[window].0 += 1;
        counts[window].1 += u32::from(in_time && answer.outcome == Outcome::Ok);
    }
    let share = |(all, good): (u32, u32)| (all > 0).then(|| f64::from(good) / f64::from(all));
    counts.into_iter().map(share).collect()
}

/// Seven hours of windows: no run is as long, and no record that says so takes more memory.
const MOST_WINDOWS: usize = 100_000;

#[cfg(test)]
mod tests {
    use super::*;

    fn sparks(windows: usize) -> Sparks {
        let shares = (0..windows).map(|i| Some(if i == windows / 2 { 0.0 } else { 1.0 }));
        let group = SparkGroup {
            name: "blackhole".to_owned(),
            marked: (2, 4),
            lines: vec![("bare".to_owned(), shares.collect())],
        };
        Sparks {
            groups: vec![group],
            ..Sparks::default()
        }
    }

    #[test]
    fn a_share_is_a_letter_and_the_worst_of_several_is_shown() {
        let levels = [0.0, 0.2, 0.5, 0.99, 1.0].map(|share| letter(&[Some(share)]));
        assert_eq!(levels, ['▁', '▂', '▄', '▇', '█']);
        assert_eq!(letter(&[Some(1.0), None, Some(0.0)]), '▁');
        assert_eq!(letter(&[None, None]), ' ');
        assert_eq!(
            sparks(8).lines(40),
            ["blackhole --==----", "  bare    ████▁███"]
        );
        // Two windows a letter: the outage of one of them is seen.
        assert_eq!(
            sparks(18).lines(20),
            ["blackhole -=-------", "  bare    ████▁████"]
        );
    }

    #[test]
    fn no_line_is_wider_than_the_room() {
        for width in [20, 60, 80, 100] {
            for windows in [0, 1, 7, 100, 100_000] {
                for line in sparks(windows).lines(width) {
                    assert!(line.chars().count() <= width, "{line}");
                }
            }
        }
    }

    #[test]
    fn what_is_late_or_failed_is_not_good_and_a_window_without_arrivals_is_empty() {
        let operations = Operations {
            kinds: "r".repeat(5),
            outcomes: "ooofo".to_owned(),
            latencies_us: vec![1, 1, 900, 1, 1],
            lags_us: vec![0; 5],
            due_us: vec![0, 100, 110, 310, 320],
        };
        let shares = shares(&operations, (1, 500), 100, 100);
        assert_eq!(shares, [Some(0.5), None, Some(0.5)]);
    }
}
