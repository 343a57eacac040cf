use super::super::ProbeMode;
use crate::{
    Record,
    plot::{Plot, legible::is_legible},
    run::{BreakerState, Transition},
    synthetic,
};

fn plots(record: &Record) -> Vec<Plot> {
    crate::judge(record).page.plots().cloned().collect()
}

/// The guide's weeks and what a probe does, some of it never back while watched.
fn swept(outages: usize) -> Record {
    synthetic::sweep(outages, |cell, planned| match cell.probe {
        ProbeMode::Passive if planned == 3 => 9_000_000,
        ProbeMode::Passive => cell.recovery_timeout_us / 60 / 9 * (planned as u64 % 9),
        ProbeMode::Active => 120_000,
    })
}

#[test]
fn a_sweep_is_drawn_legibly_however_far_it_got() {
    for outages in [1, 6, 20] {
        let plots = plots(&swept(outages));
        let names: Vec<&str> = plots.iter().map(|plot| plot.name.as_str()).collect();
        assert_eq!(names, ["recovery", "heatmap", "front"]);
        plots.iter().for_each(is_legible);
    }
    let mut opens = swept(6);
    let stretch = &mut synthetic::swept(&mut opens).stretches[0];
    let at_us = stretch.alarms[0].began_us + 1;
    for (n, run) in stretch.runs.iter_mut().enumerate() {
        let open = Transition {
            at_us,
            state: BreakerState::Open,
            reason: "made up".to_owned(),
        };
        run.breaker.extend(vec![open; n]);
    }
    plots(&opens).iter().for_each(is_legible);
    let mut nothing = swept(1);
    synthetic::swept(&mut nothing).stretches.clear();
    assert!(plots(&nothing).is_empty());
}

#[test]
fn every_title_of_a_sweep_says_by_what_times_were_divided() {
    let record = swept(6);
    for plot in plots(&record) {
        assert!(
            plot.title.contains("the guide's times / 60"),
            "{}",
            plot.title
        );
    }
}
