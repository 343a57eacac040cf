//! Its pictures: how long cells are out, the grid, and the front of the best cells.

mod front;
mod heat;
mod waits;

use crate::plot::Plot;

use super::Findings;

/// Those that there is something to see in, each with a heading.
pub(super) fn plots(findings: &Findings) -> impl Iterator<Item = (&'static str, Plot)> {
    let waits = "How long the guide's weeks are out after the server is back";
    let all = [
        (waits, waits::picture(findings)),
        ("The grid", heat::picture(findings)),
        ("Outage against false opens", front::picture(findings)),
    ];
    let drawn = all.into_iter();
    drawn.filter_map(|(heading, plot)| Some((heading, plot?)))
}

#[cfg(test)]
mod tests;
