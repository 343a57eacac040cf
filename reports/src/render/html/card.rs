//! A claim as a card: the verdict, the sentence, and the interval drawn against
//! the band that is claimed.

use maud::{Markup, html};

use crate::{
    claim::{Claim, Decision, Unit},
    numbers::percent,
};

use super::super::{
    group::{Shown, says},
    quantity::{interval, observed, sample},
};

const WIDTH: f64 = 260.0;
const LEFT: f64 = 24.0;
const RIGHT: f64 = WIDTH - 24.0;
/// What the label of a tick needs.
const LABEL: f64 = 46.0;
const AXIS: f64 = 34.0;

pub(super) fn card(shown: &Shown<'_>) -> Markup {
    match shown {
        Shown::One(claim) => one(claim),
        Shown::Kinds(claims) => several(claims),
    }
}

/// The same claim about several kinds of fault: each with what was observed.
fn several(claims: &[Claim]) -> Markup {
    let first = &claims[0];
    html! {
        article.card.(first.verdict.name()) {
            p.tags {
                span.badge.(first.verdict.name()) { (sign(first.verdict)) " " (first.verdict.name()) }
                " " b { (first.arm) } " " code { (first.id) }
                span.muted { " and " (claims.len() - 1) " more" }
                @if !first.gating { span.muted { " does not gate" } }
            }
            h3 { (first.says) }
            ul.kinds { @for claim in claims {
                li {
                    (claim.kind.as_deref().unwrap_or_default()) ": " b { (observed(claim)) }
                    span.muted {
                        " (" (claimed(claim, |v| limit(v, claim))) ", " (sample(claim)) ")"
                    }
                }
            } }
            p.muted.source { "claimed by " (first.source.name()) }
        }
    }
}

fn one(claim: &Claim) -> Markup {
    html! {
        article.card.(claim.verdict.name()) {
            p.tags {
                span.badge.(claim.verdict.name()) { (sign(claim.verdict)) " " (claim.verdict.name()) }
                " " b { (claim.arm) } " " code { (claim.id) }
                @if !claim.gating { span.muted { " does not gate" } }
            }
            h3 { (says(claim)) }
            (drawing(claim))
            p.observed {
                b { (observed(claim)) }
                @if let Some(interval) = interval(claim) { " " (interval) }
                span.muted { " " (sample(claim)) }
            }
            @if let Some(reason) = &claim.reason { p.reason { (reason) } }
            p.muted.source {
                "claimed by " (claim.source.name())
            }
        }
    }
}

/// Not by colour alone.
pub(super) fn sign(decision: Decision) -> &'static str {
    match decision {
        Decision::Holds => "✓",
        Decision::Refuted => "✗",
        Decision::Inconclusive => "?",
    }
}

/// Nothing, for a claim that has no interval to be drawn.
fn drawing(claim: &Claim) -> Markup {
    let Some(axis) = Axis::new(claim) else {
        return html! {};
    };
    let (from, to) = (
        claim.band_low.map_or(LEFT, |low| axis.at(low)),
        claim.band_high.map_or(RIGHT, |high| axis.at(high)),
    );
    let known = claim.low.is_some() || claim.high.is_some();
    let low = claim.low.map_or(LEFT, |low| axis.at(low));
    let high = claim.high.map_or(RIGHT, |high| axis.at(high));
    let limits: Vec<f64> = [claim.band_high, claim.band_low]
        .into_iter()
        .flatten()
        .map(|limit| axis.at(limit))
        .collect();
    let label_at = limits.first().copied().unwrap_or(LEFT);
    let anchor = if label_at > WIDTH / 2.0 {
        "end"
    } else {
        "start"
    };
    let label = format!("claimed: {}", claimed(claim, |v| limit(v, claim)));
    let says = format!(
        "interval of {}, claimed {}",
        claim.id,
        claimed(claim, |v| v.to_string())
    );
    html! {
        svg.interval viewBox=(format!("0 0 {WIDTH} 64")) role="img" aria-label=(says) {
            rect.band x=(px(from)) y="22" width=(px(to - from)) height="24" {}
            line.axis x1=(px(LEFT)) x2=(px(RIGHT)) y1="46" y2="46" {}
            @for (labelled, tick) in axis.ticks() {
                line.axis x1=(px(axis.at(tick))) x2=(px(axis.at(tick))) y1="46" y2="50" {}
                @if labelled { text.tick x=(px(axis.at(tick))) y="61" text-anchor="middle" { (axis.label(tick)) } }
            }
            @for at in limits { line.limit x1=(px(at)) x2=(px(at)) y1="18" y2="46" {} }
            text.label x=(px(label_at)) y="14" text-anchor=(anchor) { (label) }
            @if known {
                line.range x1=(px(low)) x2=(px(high)) y1=(AXIS) y2=(AXIS) {}
                (end(low, claim.low.is_some(), -1.0))
                (end(high, claim.high.is_some(), 1.0))
            }
            @if let Some(observed) = claim.observed {
                circle.point cx=(px(axis.at(observed))) cy=(AXIS) r="5" {}
            }
        }
    }
}

/// A stop where the interval ends, an arrow where it does not.
fn end(x: f64, bounded: bool, direction: f64) -> Markup {
    html! {
        @if bounded {
            line.range x1=(px(x)) x2=(px(x)) y1=(AXIS - 6.0) y2=(AXIS + 6.0) {}
        } @else {
            path.arrow d=(format!("M {} {} l {} -6 v 12 z", px(x + direction * 8.0), AXIS, px(direction * -10.0))) {}
        }
    }
}

/// `≤ 30 s`, `≥ 2x`, `2x to 10x`.
fn claimed(claim: &Claim, show: impl Fn(f64) -> String) -> String {
    match (claim.band_low, claim.band_high) {
        (Some(low), Some(high)) => format!("{} to {}", show(low), show(high)),
        (Some(low), None) => format!("≥ {}", show(low)),
        (None, high) => format!("≤ {}", show(high.unwrap_or(0.0))),
    }
}

/// What is claimed, as it was claimed: `30 s`, `10 ms`, `2x`.
fn limit(value: f64, claim: &Claim) -> String {
    match &claim.unit {
        Unit::Seconds if value < 0.1 && !claim.difference => {
            format!("{} ms", (value * 1e6).round() / 1e3)
        }
        // A bound that was computed has more digits than anybody reads.
        Unit::Times => format!("{}x", (value * 100.0).round() / 100.0),
        Unit::Ratio => percent(value),
        unit => format!("{value} {unit}"),
    }
}

fn px(value: f64) -> String {
    format!("{value:.1}")
}

/// Times are on a logarithmic axis: a claim of 30 s is often met by a tenth. So are
/// ratios.
enum Axis {
    Log {
        from: f64,
        to: f64,
    },
    Ratio {
        from: f64,
        to: f64,
    },
    Linear {
        from: f64,
        to: f64,
    },
    /// Counts and shares, from zero on.
    Plain {
        from: f64,
        to: f64,
        share: bool,
    },
}

impl Axis {
    fn new(claim: &Claim) -> Option<Self> {
        let values = [
            claim.observed,
            claim.at_least,
            claim.low,
            claim.high,
            claim.band_low,
            claim.band_high,
        ];
        let values = || values.into_iter().flatten();
        match claim.unit {
            // A difference of times, below zero where ours is the shorter one.
            Unit::Seconds if claim.difference => {
                let most = values().map(f64::abs).fold(0.1, f64::max) * 1.2;
                Some(Self::Linear {
                    from: -most,
                    to: most,
                })
            }
            Unit::Seconds => {
                let least = values().filter(|v| *v > 0.0).fold(f64::MAX, f64::min);
                let most = values().fold(1e-6, f64::max);
                Some(Self::Log {
                    from: least.max(1e-6).log10().floor(),
                    to: (most * 1.5).log10().ceil(),
                })
            }
            Unit::Times if claim.band_low.or(claim.band_high).is_some() => {
                let least = values().filter(|v| *v > 0.0).fold(f64::MAX, f64::min);
                let most = values().fold(1e-6, f64::max);
                let from = (least.max(1e-6) * 0.9).log10().floor();
                Some(Self::Ratio {
                    from,
                    to: (most * 1.1).log10().ceil().max(from + 1.0),
                })
            }
            Unit::Ratio | Unit::Count(_)
                if claim.out_of.is_none()
                    && claim.low != claim.high
                    && claim.band_low.or(claim.band_high).is_some() =>
            {
                Some(Self::Plain {
                    from: values().fold(0.0, f64::min) * 1.1,
                    to: values().fold(1e-6, f64::max) * 1.2,
                    share: claim.unit == Unit::Ratio,
                })
            }
            _ => None,
        }
    }

    fn at(&self, value: f64) -> f64 {
        let part = match self {
            Self::Log { from, to } | Self::Ratio { from, to } => {
                (value.max(1e-9).log10() - from) / (to - from)
            }
            Self::Linear { from, to } | Self::Plain { from, to, .. } => {
                (value - from) / (to - from)
            }
        };
        LEFT + part.clamp(0.0, 1.0) * (RIGHT - LEFT)
    }

    /// Ticks, and whether there is room for a label.
    fn ticks(&self) -> Vec<(bool, f64)> {
        let all: Vec<f64> = match self {
            Self::Log { from, to } | Self::Ratio { from, to } => (0..20)
                .map(|i| from + f64::from(i))
                .take_while(|exponent| exponent <= to)
                .map(|exponent| 10_f64.powf(exponent))
                .collect(),
            Self::Linear { from, to } | Self::Plain { from, to, .. } => {
                let decade = 10_f64.powf(to.log10().floor());
                let steps = [0.2, 0.5, 1.0].map(|part| part * decade);
                let step = steps.into_iter().find(|step| to / step < 4.0);
                (-4..=4)
                    .map(|i| f64::from(i) * step.unwrap_or(2.0 * decade))
                    .filter(|tick| tick >= from && tick <= to)
                    .collect()
            }
        };
        let mut last = f64::MIN;
        all.into_iter()
            .map(|tick| {
                let room = self.at(tick) - last >= LABEL;
                if room {
                    last = self.at(tick);
                }
                (room, tick)
            })
            .collect()
    }

    fn label(&self, tick: f64) -> String {
        match self {
            Self::Log { .. } if tick < 0.999e-3 => format!("{:.0} µs", tick * 1e6),
            Self::Log { .. } if tick < 0.999 => format!("{:.0} ms", tick * 1e3),
            Self::Log { .. } => format!("{tick:.0} s"),
            Self::Ratio { .. } => format!("{}x", (tick * 1e6).round() / 1e6),
            Self::Linear { .. } if tick.abs() < 1e-9 => "0".to_owned(),
            Self::Plain { share: true, .. } => percent(tick),
            Self::Plain { .. } => ((tick * 1e3).round() / 1e3).to_string(),
            // To the step's own digits, and no more.
            Self::Linear { .. } => format!("{:+} s", (tick * 1e3).round() / 1e3),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::claim::{Noun, Source};

    fn drawn(unit: Unit, (low, observed, high): (f64, f64, f64), band_high: f64) -> String {
        let counts = Noun::new("window", "windows");
        let mut claim = Claim::new("x", "seawall", "", Source::Seawall, unit, counts);
        (claim.low, claim.observed, claim.high) = (Some(low), Some(observed), Some(high));
        claim.band_high = Some(band_high);
        drawing(&claim).into_string()
    }

    /// The number that stands in an attribute of the first element of a class.
    fn number(svg: &str, class: &str, attribute: &str) -> f64 {
        let (_, rest) = svg.split_once(&format!("class=\"{class}\"")).expect(class);
        let (_, rest) = rest
            .split_once(&format!(" {attribute}=\""))
            .expect(attribute);
        rest.split('"')
            .next()
            .expect("a value")
            .parse()
            .expect("a number")
    }

    #[test]
    fn an_interval_is_drawn_against_its_band_in_every_unit() {
        for unit in [
            Unit::Seconds,
            Unit::Times,
            Unit::Ratio,
            Unit::count("bytes"),
        ] {
            let name = format!("{unit:?}");
            let inside = drawn(unit.clone(), (0.2, 0.3, 0.4), 0.8);
            let limit = number(&inside, "limit", "x1");
            assert!(number(&inside, "range", "x2") < limit, "{name}: {inside}");
            assert!(number(&inside, "point", "cx") < limit, "{name}: {inside}");
            let across = drawn(unit, (0.2, 0.3, 0.9), 0.5);
            let limit = number(&across, "limit", "x1");
            let range = number(&across, "range", "x1")..number(&across, "range", "x2");
            assert!(range.contains(&limit), "{name}: {across}");
            // All of it within the picture.
            assert!(
                range.start >= LEFT - 0.1 && range.end <= RIGHT + 0.1,
                "{name}"
            );
        }
    }
}
