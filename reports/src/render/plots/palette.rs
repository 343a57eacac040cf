//! The colours, and the sizes of text.

use plotters::style::RGBAColor;

use crate::run::BreakerState;

use super::paint::rgb;

pub(super) const PAPER: RGBAColor = rgb(255, 255, 255);
pub(super) const LANE: RGBAColor = rgb(247, 248, 249);
pub(super) const INK: RGBAColor = rgb(26, 28, 31);
pub(super) const MUTED: RGBAColor = rgb(92, 98, 106);
pub(super) const GRID: RGBAColor = rgb(222, 226, 230);

// Okabe and Ito.
pub(super) const ORANGE: RGBAColor = rgb(230, 159, 0);
pub(super) const SKY: RGBAColor = rgb(86, 180, 233);
pub(super) const GREEN: RGBAColor = rgb(0, 158, 115);
pub(super) const YELLOW: RGBAColor = rgb(240, 228, 66);
pub(super) const BLUE: RGBAColor = rgb(0, 114, 178);
pub(super) const VERMILION: RGBAColor = rgb(213, 94, 0);
pub(super) const PURPLE: RGBAColor = rgb(204, 121, 167);
pub(super) const BLACK: RGBAColor = rgb(0, 0, 0);
pub(super) const GREY: RGBAColor = rgb(153, 153, 153);

/// Where a fault was in effect.
pub(super) const FAULT: RGBAColor = RGBAColor(213, 94, 0, 0.17);
/// Where the fault was gone and the server not ready yet.
pub(super) const STARTING: RGBAColor = RGBAColor(0, 114, 178, 0.13);

// One em, in pixels. Chosen so that a line of text (1.164 em) is a whole and
// even number of pixels: plotters then sets all letters on one baseline.
pub(super) const TITLE: f64 = 24.0 / 1.164;
pub(super) const TEXT: f64 = 16.0 / 1.164;
pub(super) const SMALL: f64 = 14.0 / 1.164;

/// The ribbon's colours are none of an outcome: from light to dark.
pub(super) fn breaker(state: BreakerState) -> RGBAColor {
    match state {
        BreakerState::Closed => rgb(214, 219, 224),
        BreakerState::HalfOpen => YELLOW,
        BreakerState::Open => rgb(60, 64, 70),
    }
}

pub(super) fn breaker_name(state: BreakerState) -> &'static str {
    match state {
        BreakerState::Closed => "closed",
        BreakerState::HalfOpen => "half-open",
        BreakerState::Open => "open",
    }
}

/// An arm's colour in a comparison, by name and then by position.
pub(super) fn arm(name: &str, position: usize) -> RGBAColor {
    match name {
        "seawall" => BLUE,
        "guide" => GREEN,
        "bare" => GREY,
        _ => [PURPLE, ORANGE, SKY][position % 3],
    }
}
