//! The claim that a quantile of times is at most so much, and what to say when
//! the times at hand do not decide it.
//!
//! A time that was not seen to end leaves the claim open only if it was given up within
//! the band. Watching longer is proposed only where all of these, had they been seen to
//! end on the same side of the band's end, would have decided. One that is only known to
//! take longer than nothing was not watched at all, and watching longer is no help.

use crate::stats::{
    quantile::{self, Observation},
    settle::{self, MOST_RUNS, Split},
};

use super::{Claim, Decision};

/// Decides a claim that the `q`-quantile of `values` is at most the band's upper
/// end, and says what would settle it if these values do not.
pub(crate) fn enter(claim: &mut Claim, values: &[Observation], q: f64, tail: f64) {
    claim.n = values.len();
    claim.censored = values
        .iter()
        .filter(|value| matches!(value, Observation::AtLeast(_)))
        .count();
    claim.decide(quantile::interval(values, q, tail));
    if claim.is(Decision::Inconclusive) {
        claim.reason = Some(unsettled(claim, values, q, tail));
    }
}

/// Why an interval leaves a claim open, and what would settle it.
fn unsettled(claim: &Claim, values: &[Observation], q: f64, tail: f64) -> String {
    let counts = &claim.counts;
    let limit = claim.band_high.unwrap_or(f64::INFINITY);
    let split = Split::of(values, limit);
    let n = counts.of(values.len());
    let nothing = |v: &&Observation| v.least() <= limit.min(0.0) && v.most() > limit;
    let unwatched = values.iter().filter(nothing).count();
    let cut_short = split.open - unwatched;
    let unknown = (split.open == values.len() && split.open > 0).then(|| {
        if unwatched == 0 {
            format!("none of {n} was watched long enough")
        } else {
            format!("nothing is known of {n}")
        }
    });
    let settle = match split.runs_to_settle(q, tail) {
        Some(runs) => format!("about {} would settle it", counts.of(runs)),
        None => format!("not even {} would settle it", counts.of(MOST_RUNS)),
    };
    let fewest = settle::fewest(q, tail).unwrap_or(MOST_RUNS);
    if values.len() < fewest {
        let can = format!("{} are the fewest that can say it", counts.of(fewest));
        return match (unknown, split.runs_to_settle(q, tail)) {
            (Some(unknown), _) => format!("{can}; {unknown}"),
            (None, Some(runs)) if runs <= fewest => can,
            (None, _) => format!("{can}; {settle}"),
        };
    }
    if let Some(unknown) = unknown {
        return unknown;
    }
    let ended = |within: usize, beyond: usize| Split {
        within: split.within + within,
        beyond: split.beyond + beyond,
        open: unwatched,
    };
    if ended(cut_short, 0).settles(q, tail) || ended(0, cut_short).settles(q, tail) {
        format!("{cut_short} of {n} not watched long enough; watching longer could settle it")
    } else if unwatched > 0 {
        format!("nothing is known of {unwatched} of {n}; {settle}")
    } else {
        format!("the interval reaches across the band's end; {settle}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        claim::{INJECTIONS, Source, Unit},
        stats::quantile::{
            Observation::{AtLeast, Exact},
            TWO_SIDED,
        },
    };

    /// What is said of the claim that their median is at most 30 s.
    fn said(values: &[(usize, Observation)]) -> Option<String> {
        let of = |(n, value): &(usize, Observation)| vec![*value; *n];
        let values: Vec<Observation> = values.iter().flat_map(of).collect();
        let (source, unit) = (Source::Guide, Unit::Seconds);
        let mut claim = Claim::new("id", "arm", "says", source, unit, INJECTIONS);
        claim.band_high = Some(30.0);
        enter(&mut claim, &values, 0.5, TWO_SIDED);
        claim.reason
    }

    const FAST: Observation = Exact(1.0);
    const SLOW: Observation = Exact(40.0);
    /// Given up before anybody could know.
    const CUT_SHORT: Observation = AtLeast(5.0);
    /// Given up when it was known to be slow.
    const NEVER: Observation = AtLeast(40.0);
    /// Not served before, so that there was nothing to come back to.
    const UNWATCHED: Observation = AtLeast(0.0);

    #[test]
    fn watching_longer_is_proposed_where_it_could_settle_it() {
        let watch = |some: &str| {
            let rest = "not watched long enough; watching longer could settle it";
            Some(format!("{some} {rest}"))
        };
        assert_eq!(
            said(&[(5, FAST), (1, CUT_SHORT)]),
            watch("1 of 6 injections")
        );
        assert_eq!(
            said(&[(6, SLOW), (6, CUT_SHORT)]),
            watch("6 of 12 injections")
        );
        assert_eq!(
            said(&[(12, FAST), (3, SLOW), (5, CUT_SHORT)]),
            watch("5 of 20 injections")
        );
        assert_eq!(
            said(&[(6, CUT_SHORT)]).unwrap(),
            "none of 6 injections was watched long enough"
        );
    }

    #[test]
    fn watching_longer_is_not_proposed_where_something_else_is_the_reason() {
        let across = |settles: &str| {
            let reason = "the interval reaches across the band's end";
            Some(format!("{reason}; {settles} would settle it"))
        };
        // Nothing was given up.
        assert_eq!(said(&[(5, FAST), (1, SLOW)]), across("about 12 injections"));
        // What was given up is known to be slow.
        assert_eq!(
            said(&[(5, FAST), (1, NEVER)]),
            across("about 12 injections")
        );
        assert_eq!(
            said(&[(3, FAST), (3, NEVER)]),
            across("not even 500 injections")
        );
        // It is one of too few to matter.
        assert_eq!(
            said(&[(6, FAST), (5, SLOW), (1, CUT_SHORT)]),
            across("not even 500 injections")
        );
        // Nobody could have watched it.
        assert_eq!(
            said(&[(5, FAST), (1, UNWATCHED)]).unwrap(),
            "nothing is known of 1 of 6 injections; about 9 injections would settle it"
        );
        assert_eq!(
            said(&[(6, UNWATCHED)]).unwrap(),
            "nothing is known of 6 injections"
        );
    }

    #[test]
    fn too_few_are_too_few_however_long_they_are_watched() {
        let few = "6 injections are the fewest that can say it";
        assert_eq!(said(&[]).unwrap(), few);
        assert_eq!(said(&[(5, FAST)]).unwrap(), few);
        assert_eq!(
            said(&[(2, CUT_SHORT)]).unwrap(),
            format!("{few}; none of 2 injections was watched long enough")
        );
        assert_eq!(
            said(&[(4, FAST), (1, CUT_SHORT)]).unwrap(),
            format!("{few}; about 9 injections would settle it")
        );
    }

    #[test]
    fn what_is_settled_has_no_reason() {
        assert_eq!(said(&[(6, FAST)]), None);
        assert_eq!(said(&[(6, NEVER)]), None);
        assert_eq!(said(&[(8, FAST), (1, CUT_SHORT)]), None, "the eighth of 9");
    }
}
