//! A legend: swatches with names, in as many lines as they need.

use plotters::style::RGBAColor;

use super::{
    palette::{INK, MUTED, SMALL},
    picture::{Area, Picture, TextStyle},
};

const SWATCH: f64 = 12.0;
const PITCH: f64 = 20.0;

/// Draws a heading and its items from `y` (the middle of the first line), and
/// returns the y of the line below.
pub(crate) fn legend(
    picture: &mut Picture,
    heading: &str,
    items: &[(RGBAColor, &str)],
    left: f64,
    y: f64,
) -> f64 {
    let style = TextStyle::new(SMALL, INK);
    let start = left + style.bold().width(heading) + 14.0;
    picture.text(heading, left, y, TextStyle::new(SMALL, MUTED).bold());
    let (mut x, mut y) = (start, y);
    for (color, name) in items {
        let width = SWATCH + 6.0 + style.width(name);
        if x + width > picture.width - 16.0 && x > start {
            x = start;
            y += PITCH;
        }
        let swatch = Area {
            left: x,
            top: y - SWATCH / 2.0,
            right: x + SWATCH,
            bottom: y + SWATCH / 2.0,
        };
        picture.rect(swatch, *color);
        picture.text(*name, x + SWATCH + 6.0, y, style);
        x += width + 18.0;
    }
    y + PITCH
}
