//! [`Alert`]: what has become of one rule for one pool. Pure: the time is an argument.
//!
//! ```text
//! inactive --condition--> pending --for as long as asked--> firing --gone as long--> resolved
//!     ^----------gone---------'                                 ^                        |
//!     '------------------------ after the cooldown -------------+------------------------'
//! ```
//!
//! **No data** is a state of its own: it fires nothing, since nothing is known to be wrong, and
//! resolves nothing, since nothing is known to be well again. A condition that had held for a
//! while has to hold anew; an alert that was firing is an open matter until its metrics are back,
//! and goes on from there. The same is true if nobody looked for [`BLIND_MS`].
//!
//! **Cooldown**: the state always says what is; but what fires again within the cooldown is not
//! announced anew.

use serde::Serialize;

/// After so long without a look, nothing is known of the time between.
const BLIND_MS: u64 = 5_000;
/// For how long at least it is shown that an alert was resolved.
const SHOWN_MS: u64 = 60_000;

/// What has become of an alert.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum AlertState {
    /// The condition is false.
    #[default]
    Inactive,
    /// It is true, but not for long enough.
    Pending,
    /// It has been true for long enough.
    Firing,
    /// It has been false for long enough again.
    Resolved,
    /// It is not known.
    NoData,
}

/// How long things take, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Times {
    /// For how long the condition has to be true.
    pub(crate) for_ms: u64,
    /// For how long it has to be false again.
    pub(crate) resolve_after_ms: u64,
    /// The least between two announcements.
    pub(crate) cooldown_ms: u64,
}

/// A change of the state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) from: AlertState,
    pub(crate) to: AlertState,
    /// Somebody is to be told.
    pub(crate) announced: bool,
}

/// One rule for one pool.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Alert {
    pub(crate) state: AlertState,
    /// Since when.
    pub(crate) since_ms: u64,
    /// When it fired, if that is not resolved.
    pub(crate) fired_ms: Option<u64>,
    /// Since when the condition is as it is, without a gap.
    steady: Option<(bool, u64)>,
    looked_ms: Option<u64>,
    announced_ms: Option<u64>,
    /// Whether it was announced that it fires.
    told: bool,
}

impl Alert {
    pub(crate) fn new(now_ms: u64) -> Self {
        Self {
            since_ms: now_ms,
            ..Self::default()
        }
    }

    /// Looks at the condition; `None` is no data. Moments may not go back.
    pub(crate) fn look(
        &mut self,
        now_ms: u64,
        holds: Option<bool>,
        times: Times,
    ) -> Option<Change> {
        let before = self.looked_ms.replace(now_ms);
        if before.is_none_or(|before| now_ms.saturating_sub(before) > BLIND_MS) {
            self.steady = None;
        }
        let from = self.state;
        let to = match holds {
            None => {
                self.steady = None;
                AlertState::NoData
            }
            Some(holds) => {
                let since = match self.steady {
                    Some((same, since)) if same == holds => since,
                    _ => now_ms,
                };
                self.steady = Some((holds, since));
                self.known(holds, now_ms.saturating_sub(since), now_ms, times)
            }
        };
        if to == from {
            return None;
        }
        self.state = to;
        self.since_ms = now_ms;
        let announced = match to {
            AlertState::Firing if self.fired_ms.is_none() => {
                self.fired_ms = Some(now_ms);
                let last = self.announced_ms;
                self.told = last.is_none_or(|last| now_ms - last >= times.cooldown_ms);
                if self.told {
                    self.announced_ms = Some(now_ms);
                }
                self.told
            }
            AlertState::Resolved => {
                self.fired_ms = None;
                std::mem::take(&mut self.told)
            }
            _ => false,
        };
        Some(Change {
            from,
            to,
            announced,
        })
    }

    /// The state, where the condition has been so for so long.
    fn known(&self, holds: bool, for_ms: u64, now_ms: u64, times: Times) -> AlertState {
        let open = self.fired_ms.is_some();
        let shown = times.cooldown_ms.max(SHOWN_MS);
        match (holds, open) {
            (true, true) => AlertState::Firing,
            (true, false) if for_ms >= times.for_ms => AlertState::Firing,
            (true, false) => AlertState::Pending,
            (false, true) if for_ms >= times.resolve_after_ms => AlertState::Resolved,
            (false, true) => AlertState::Firing,
            (false, false)
                if self.state == AlertState::Resolved && now_ms - self.since_ms < shown =>
            {
                AlertState::Resolved
            }
            (false, false) => AlertState::Inactive,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{AlertState::*, *};

    const TIMES: Times = Times {
        for_ms: 3_000,
        resolve_after_ms: 2_000,
        cooldown_ms: 20_000,
    };

    /// The states of an alert that is looked at every second: `+` holds, `-` does not, `?` is
    /// not known, `_` is a minute in which nobody looks.
    fn states(seen: &str, times: Times) -> Vec<(AlertState, bool)> {
        let (mut alert, mut now_ms) = (Alert::default(), 0);
        let mut states = Vec::new();
        for c in seen.chars() {
            let holds = match c {
                '+' => Some(true),
                '-' => Some(false),
                '?' => None,
                _ => {
                    now_ms += 60_000;
                    continue;
                }
            };
            now_ms += 1_000;
            let change = alert.look(now_ms, holds, times);
            states.push((alert.state, change.is_some_and(|change| change.announced)));
        }
        states
    }

    fn last(seen: &str) -> AlertState {
        states(seen, TIMES).last().expect("some").0
    }

    #[test]
    fn it_fires_after_as_long_as_asked_and_resolves_after_as_long() {
        let all = states("-+++++---", TIMES);
        let only: Vec<_> = all.iter().map(|(state, _)| *state).collect();
        let expected = [
            Inactive, Pending, Pending, Pending, Firing, Firing, Firing, Firing, Resolved,
        ];
        assert_eq!(only, expected);
        let told: Vec<_> = all.iter().map(|(_, told)| *told).collect();
        assert_eq!(told.iter().filter(|told| **told).count(), 2);
        assert!(told[4] && told[8]);
    }

    #[test]
    fn what_does_not_last_fires_nothing() {
        assert_eq!(last("+++-"), Inactive);
        assert_eq!(last("+++-+++"), Pending);
        assert_eq!(last("+++?+++"), Pending, "what is not known does not last");
        assert_eq!(last("++++--+-"), Firing, "nor does it resolve anything");
    }

    #[test]
    fn no_data_neither_fires_nor_resolves() {
        assert_eq!(last("????????"), NoData);
        assert_eq!(last("++++????????"), NoData);
        assert_eq!(last("++++????????+"), Firing, "it was never resolved");
        assert_eq!(last("++++????????-"), Firing);
        assert_eq!(last("++++????????---"), Resolved);
        assert_eq!(last("---?-"), Inactive);
    }

    #[test]
    fn a_time_in_which_nobody_looked_counts_for_nothing() {
        assert_eq!(last("+_+"), Pending);
        assert_eq!(last("++++_-"), Firing);
        assert_eq!(last("++++_---"), Resolved);
    }

    #[test]
    fn one_without_a_duration_fires_at_once() {
        let times = Times { for_ms: 0, ..TIMES };
        assert_eq!(states("-+", times)[1], (Firing, true));
    }

    #[test]
    fn within_the_cooldown_it_fires_again_without_being_announced() {
        let all = states("++++---++++---", TIMES);
        assert_eq!(all[10], (Firing, false));
        assert_eq!(all[13], (Resolved, false), "nobody was told that it fired");
        let later = states("++++---_++++", TIMES);
        assert_eq!(later[10], (Firing, true));
    }

    proptest! {
        #[test]
        fn whatever_is_seen(seen in "[-+?_]{1,120}") {
            let looks: Vec<char> = seen.chars().filter(|c| *c != '_').collect();
            let states = states(&seen, TIMES);
            let mut before = Inactive;
            let mut open = false;
            for (i, (state, _)) in states.iter().enumerate() {
                let lately = |n: usize, c: char| {
                    i + 1 >= n && looks[i + 1 - n..=i].iter().all(|look| *look == c)
                };
                if *state == Firing && !open {
                    prop_assert!(lately(4, '+'), "fired at {i}");
                }
                if *state == Resolved && before != Resolved {
                    prop_assert!(open && lately(3, '-'), "resolved at {i}");
                }
                prop_assert_eq!(*state == NoData, looks[i] == '?');
                open = match state { Firing => true, NoData => open, _ => false };
                before = *state;
            }
        }
    }
}
