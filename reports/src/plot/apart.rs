//! Names beside what they name, pushed apart where that is close to each other.

/// Distance of two names that do not cover each other.
pub(crate) const PITCH: f64 = 17.0;

/// Where names stand, lowest first, so that none covers another: each as near to
/// its mark as those below it leave room for, all within the lane.
pub(crate) fn apart(wanted: impl Iterator<Item = f64>, top: f64, bottom: f64) -> Vec<f64> {
    let mut names: Vec<f64> = Vec::new();
    for at in wanted {
        let below = names.last().map_or(bottom - 10.0, |last| last - PITCH);
        names.push(at.min(below).round());
    }
    // Those that were pushed out at the top push back.
    let mut above = top + 10.0;
    for name in names.iter_mut().rev() {
        *name = name.max(above);
        above = *name + PITCH;
    }
    names
}
