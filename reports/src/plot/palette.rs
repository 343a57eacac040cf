//! The colours of the house, and the sizes of text.
//!
//! Colours are kept here and nowhere else. A picture is drawn in those on white paper; a page
//! that is read on a dark screen maps each to its counterpart ([`scheme`]). What they have to
//! be is tested: any two outcomes of an operation can be told apart by people with any of the
//! usual kinds of colour vision, and in grey print; all text can be read.

use plotters::style::RGBAColor;

use crate::run::BreakerState;

pub(crate) const PAPER: RGBAColor = rgb(255, 255, 255);
pub(crate) const LANE: RGBAColor = rgb(247, 248, 249);
pub(crate) const INK: RGBAColor = rgb(26, 28, 31);
pub(crate) const MUTED: RGBAColor = rgb(92, 98, 106);
pub(crate) const GRID: RGBAColor = rgb(222, 226, 230);

// Lines and bars: those of Okabe and Ito.
pub(crate) const ORANGE: RGBAColor = rgb(230, 159, 0);
pub(crate) const SKY: RGBAColor = rgb(86, 180, 233);
pub(crate) const GREEN: RGBAColor = rgb(0, 158, 115);
pub(crate) const BLUE: RGBAColor = rgb(0, 114, 178);
pub(crate) const VERMILION: RGBAColor = rgb(213, 94, 0);
pub(crate) const PURPLE: RGBAColor = rgb(204, 121, 167);
pub(crate) const GREY: RGBAColor = rgb(153, 153, 153);

// What is written in a colour: darker, so that it can be read.
pub(crate) const CLAIMED: RGBAColor = rgb(0, 105, 76);
pub(crate) const ALARM: RGBAColor = rgb(168, 67, 0);

// What became of an operation. Searched for by machine: any two, and each and the paper, are
// told apart with any of the usual kinds of eyes, and in grey print.
pub(crate) const OK: RGBAColor = rgb(117, 184, 255);
pub(crate) const LATE: RGBAColor = rgb(14, 50, 220);
pub(crate) const FAILED: RGBAColor = rgb(181, 71, 0);
pub(crate) const REJECTED: RGBAColor = rgb(220, 216, 84);
pub(crate) const TIMED_OUT: RGBAColor = rgb(75, 0, 85);
pub(crate) const UNKNOWN: RGBAColor = rgb(0, 0, 0);
pub(crate) const NOT_SENT: RGBAColor = rgb(180, 140, 116);

// The breaker's colours are none of an outcome.
const CLOSED: RGBAColor = rgb(214, 219, 224);
const HALF_OPEN: RGBAColor = rgb(240, 228, 66);
const OPEN: RGBAColor = rgb(60, 64, 70);

/// Where a fault was in effect.
pub(crate) const FAULT: RGBAColor = RGBAColor(213, 94, 0, 0.17);
/// Where the fault was gone and the server not ready yet.
pub(crate) const STARTING: RGBAColor = RGBAColor(0, 114, 178, 0.13);

/// From little to much: one hue, so that only its darkness says how much. On either side of
/// the step in the middle there is an ink that can be read.
const HEAT: [RGBAColor; 9] = [
    rgb(228, 240, 248),
    rgb(206, 225, 238),
    rgb(184, 210, 229),
    rgb(162, 195, 220),
    rgb(140, 180, 210),
    rgb(60, 120, 165),
    rgb(40, 100, 147),
    rgb(20, 80, 128),
    rgb(0, 60, 110),
];
/// From this step on, paper is the ink.
const DARK: usize = 5;

/// Each colour on white paper, and what stands for it where the reader wants a dark page.
const SCHEMES: [(RGBAColor, RGBAColor); 33] = [
    (PAPER, rgb(29, 32, 36)),
    (LANE, rgb(37, 41, 46)),
    (INK, rgb(232, 234, 237)),
    (MUTED, rgb(163, 171, 180)),
    (GRID, rgb(58, 64, 72)),
    (ORANGE, rgb(240, 175, 40)),
    (SKY, rgb(110, 195, 240)),
    (GREEN, rgb(40, 185, 140)),
    (BLUE, rgb(64, 150, 220)),
    (VERMILION, rgb(240, 120, 50)),
    (PURPLE, rgb(222, 146, 188)),
    (GREY, rgb(140, 144, 150)),
    (CLAIMED, rgb(95, 211, 171)),
    (ALARM, rgb(255, 154, 92)),
    (OK, rgb(93, 153, 208)),
    (LATE, rgb(184, 231, 255)),
    (FAILED, rgb(218, 60, 18)),
    (REJECTED, rgb(237, 189, 82)),
    (TIMED_OUT, rgb(145, 35, 145)),
    (UNKNOWN, rgb(255, 255, 235)),
    (NOT_SENT, rgb(96, 100, 96)),
    (CLOSED, rgb(70, 76, 84)),
    (HALF_OPEN, rgb(108, 96, 10)),
    (OPEN, rgb(214, 219, 224)),
    (HEAT[0], rgb(38, 52, 66)),
    (HEAT[1], rgb(41, 64, 83)),
    (HEAT[2], rgb(44, 75, 100)),
    (HEAT[3], rgb(47, 86, 118)),
    (HEAT[4], rgb(50, 98, 135)),
    (HEAT[5], rgb(110, 170, 210)),
    (HEAT[6], rgb(145, 192, 223)),
    (HEAT[7], rgb(179, 214, 237)),
    (HEAT[8], rgb(214, 236, 250)),
];

/// The style sheet of pictures in a page: which property each colour of a picture has, and
/// the values of the properties, on white paper and on dark.
pub(crate) struct Scheme {
    pub(crate) rules: String,
    pub(crate) light: String,
    pub(crate) dark: String,
}

/// As [`Scheme`] says.
pub(crate) fn scheme() -> Scheme {
    let mut scheme = Scheme {
        rules: String::new(),
        light: String::new(),
        dark: String::new(),
    };
    for (i, (light, dark)) in SCHEMES.iter().enumerate() {
        let (of_light, of_dark) = (hex(*light), hex(*dark));
        for attribute in ["fill", "stroke"] {
            scheme.rules +=
                &format!(".plot [{attribute}=\"{of_light}\"]{{{attribute}:var(--plot-{i})}}\n");
        }
        scheme.light += &format!("--plot-{i}:{of_light};");
        scheme.dark += &format!("--plot-{i}:{of_dark};");
    }
    scheme
}

/// A colour as plotters writes it: `#D55E00`.
fn hex(RGBAColor(r, g, b, _): RGBAColor) -> String {
    format!("#{r:02X}{g:02X}{b:02X}")
}

/// What shows a part of the most there is, 0..=1, and what can be read on it.
pub(crate) fn heat(part: f64) -> (RGBAColor, RGBAColor) {
    let last = HEAT.len() - 1;
    let part = part.clamp(0.0, 1.0) * last as f64;
    let step = (0..=last)
        .rfind(|step| part >= *step as f64 - 0.5)
        .unwrap_or(0);
    (HEAT[step], if step < DARK { INK } else { PAPER })
}

// One em, in pixels. Chosen so that a line of text (1.164 em) is a whole and
// even number of pixels: plotters then sets all letters on one baseline.
pub(crate) const TITLE: f64 = 24.0 / 1.164;
pub(crate) const TEXT: f64 = 16.0 / 1.164;
pub(crate) const SMALL: f64 = 14.0 / 1.164;

pub(crate) fn breaker(state: BreakerState) -> RGBAColor {
    match state {
        BreakerState::Closed => CLOSED,
        BreakerState::HalfOpen => HALF_OPEN,
        BreakerState::Open => OPEN,
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

#[cfg(test)]
pub(crate) mod tests;
