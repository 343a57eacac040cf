//! How pictures are made.
//!
//! A picture is first laid out as a list of rectangles, polygons and texts
//! (`picture`), then painted twice, as SVG and as PNG (`paint`): both show the
//! same, and the layout can be tested for labels that overlap or are clipped
//! without looking at pixels. Nothing is measured here, and nothing is known of what is
//! drawn: a picture of injections is laid out in [`crate::injections`], one of an
//! experiment with it.
//!
//! - `sheet`: the paper, a title, and a line about it
//! - `scale`: from a quantity to a pixel
//! - `legend`, `apart`: names of what is drawn, above and beside it
//! - `palette`: colours and sizes of text
//!
//! Every coloured thing is named in a legend or beside it, and stacked in the same order
//! everywhere.

pub(crate) mod apart;
pub(crate) mod changes;
pub(crate) mod legend;
mod paint;
pub(crate) mod palette;
pub(crate) mod picture;
pub(crate) mod scale;
pub(crate) mod sheet;

pub use paint::{Plot, PlotError};

#[cfg(test)]
pub(crate) mod legible;
