//! The colours, and the sizes of text.

use plotters::style::RGBAColor;

use crate::run::BreakerState;

pub(crate) const PAPER: RGBAColor = rgb(255, 255, 255);
pub(crate) const LANE: RGBAColor = rgb(247, 248, 249);
pub(crate) const INK: RGBAColor = rgb(26, 28, 31);
pub(crate) const MUTED: RGBAColor = rgb(92, 98, 106);
pub(crate) const GRID: RGBAColor = rgb(222, 226, 230);

// Okabe and Ito.
pub(crate) const ORANGE: RGBAColor = rgb(230, 159, 0);
pub(crate) const SKY: RGBAColor = rgb(86, 180, 233);
pub(crate) const GREEN: RGBAColor = rgb(0, 158, 115);
pub(crate) const YELLOW: RGBAColor = rgb(240, 228, 66);
pub(crate) const BLUE: RGBAColor = rgb(0, 114, 178);
pub(crate) const VERMILION: RGBAColor = rgb(213, 94, 0);
pub(crate) const PURPLE: RGBAColor = rgb(204, 121, 167);
pub(crate) const BLACK: RGBAColor = rgb(0, 0, 0);
pub(crate) const GREY: RGBAColor = rgb(153, 153, 153);

/// Where a fault was in effect.
pub(crate) const FAULT: RGBAColor = RGBAColor(213, 94, 0, 0.17);
/// Where the fault was gone and the server not ready yet.
pub(crate) const STARTING: RGBAColor = RGBAColor(0, 114, 178, 0.13);

// One em, in pixels. Chosen so that a line of text (1.164 em) is a whole and
// even number of pixels: plotters then sets all letters on one baseline.
pub(crate) const TITLE: f64 = 24.0 / 1.164;
pub(crate) const TEXT: f64 = 16.0 / 1.164;
pub(crate) const SMALL: f64 = 14.0 / 1.164;

/// The ribbon's colours are none of an outcome: from light to dark.
pub(crate) fn breaker(state: BreakerState) -> RGBAColor {
    match state {
        BreakerState::Closed => rgb(214, 219, 224),
        BreakerState::HalfOpen => YELLOW,
        BreakerState::Open => rgb(60, 64, 70),
    }
}

pub(crate) fn breaker_name(state: BreakerState) -> &'static str {
    match state {
        BreakerState::Closed => "closed",
        BreakerState::HalfOpen => "half-open",
        BreakerState::Open => "open",
    }
}

/// An arm's colour in a comparison, by name and then by position.
pub(crate) fn arm(name: &str, position: usize) -> RGBAColor {
    match name {
        "seawall" => BLUE,
        "guide" => GREEN,
        "bare" => GREY,
        _ => [PURPLE, ORANGE, SKY][position % 3],
    }
}

/// A colour from its parts.
pub(crate) const fn rgb(r: u8, g: u8, b: u8) -> RGBAColor {
    RGBAColor(r, g, b, 1.0)
}
