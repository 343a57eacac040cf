//! Pictures of a run.
//!
//! A picture is first laid out as a list of rectangles, polygons and texts
//! (`picture`), then painted twice, as SVG and as PNG (`paint`): both show the
//! same, and the layout can be tested for labels that overlap or are clipped
//! without looking at pixels. Nothing here is measured: numbers come from
//! [`measure`](crate::measure::measure).
//!
//! Colours are those of Okabe and Ito, which the colour-blind can tell apart
//! (<https://jfly.uni-koeln.de/color/>); every coloured thing is named in a
//! legend or beside it, and stacked in the same order everywhere.

mod arm;
mod bar;
mod class;
mod fault;
mod front;
mod heat;
mod lanes;
mod legend;
mod paint;
mod palette;
mod picture;
mod recovery;
mod run;
mod scale;
mod sheet;
mod speedup;
mod trace;
mod waits;

pub use paint::PlotError;
pub use run::{Plot, plots};
pub(super) use speedup::name as speedup_name;

#[cfg(test)]
mod tests;
