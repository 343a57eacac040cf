use super::{
    picture::{Align, Picture, Shape, Text},
    run::Plot,
    *,
};
use crate::{
    Record,
    experiments::breaker_sweep::ProbeMode,
    run::{BreakerState, Transition},
    synthetic::{self, failures},
};

fn plots(record: &Record) -> Vec<Plot> {
    super::plots(&crate::judge(record))
}

fn texts(picture: &Picture) -> Vec<&Text> {
    picture
        .shapes
        .iter()
        .filter_map(|shape| match shape {
            Shape::Text(text) => Some(text),
            _ => None,
        })
        .collect()
}

/// Left and right end of a text.
fn span(text: &Text) -> (f64, f64) {
    let width = text.style.width(&text.text);
    let left = match text.style.align {
        Align::Left => text.x,
        Align::Center => text.x - width / 2.0,
        Align::Right => text.x - width,
    };
    (left, left + width)
}

/// No text leaves the picture, and no two cover each other.
fn is_legible(plot: &Plot) {
    let texts = texts(&plot.picture);
    let place = |text: &Text| {
        let (left, right) = span(text);
        let half = text.style.size / 2.0;
        (left, right, text.y - half, text.y + half)
    };
    for (n, text) in texts.iter().enumerate() {
        let (left, right, top, bottom) = place(text);
        assert!(
            left >= 4.0 && right <= plot.picture.width - 4.0,
            "{}: {:?} is clipped: {left}..{right}",
            plot.name,
            text.text
        );
        assert!(top >= 0.0 && bottom <= plot.picture.height);
        for other in &texts[n + 1..] {
            let (l, r, t, b) = place(other);
            assert!(
                right <= l || r <= left || bottom <= t || b <= top,
                "{}: {:?} covers {:?}",
                plot.name,
                text.text,
                other.text
            );
        }
    }
}

#[test]
fn labels_are_neither_clipped_nor_covered() {
    for arms in [
        &["bare", "seawall"][..],
        &["bare", "guide", "seawall"],
        &["seawall"],
        &["guide"],
    ] {
        for seed in 0..12 {
            let record = synthetic::record(seed, 1, arms);
            let plots = plots(&record);
            assert_eq!(plots.len(), 1 + synthetic::FAULTS.len());
            plots.iter().for_each(is_legible);
        }
    }
    let mut wordy = synthetic::record(7, 1, &["bare", "seawall"]);
    wordy.run.arms[0].about = "a sentence that does not end for quite a while and then ".repeat(5);
    plots(&wordy).iter().for_each(is_legible);
    let several = synthetic::record(7, 4, &["bare", "guide", "seawall"]);
    plots(&several).iter().for_each(is_legible);
}

#[test]
fn faults_that_overlap_have_a_lane_each() {
    let mut record = synthetic::record(7, 1, &["bare", "seawall"]);
    let crash = synthetic::Fault::Crash.name();
    for injection in &mut failures(&mut record).injections {
        let mut second = injection.spans[0].clone();
        crash.clone_into(&mut second.kind);
        second.effective_us += 500_000;
        second.cleared_us -= 200_000;
        injection.spans.push(second);
    }
    for planned in &mut record.run.schedule {
        let mut second = planned.faults[0].clone();
        crash.clone_into(&mut second.kind);
        planned.faults.push(second);
        planned.name = format!("{}-and-crash", planned.name);
    }
    let schedule = record.run.schedule.clone();
    for injection in &mut failures(&mut record).injections {
        injection.fault = schedule[injection.planned].name.clone();
    }
    record.check().unwrap();
    let plots = plots(&record);
    plots.iter().for_each(is_legible);
    let alone = synthetic::record(7, 1, &["bare", "seawall"]);
    let blackhole = |plots: &[Plot]| {
        let mut of = plots.iter().filter(|p| p.name.starts_with("blackhole"));
        of.next().unwrap().svg().unwrap()
    };
    let count = |svg: &str| svg.matches(">\nblackhole\n<").count();
    assert_eq!(count(&blackhole(&plots)), 2, "one lane in each arm");
    assert_eq!(count(&blackhole(&self::plots(&alone))), 0);
}

/// Once only the arm whose turn it was stood in the picture.
#[test]
fn arms_that_take_turns_are_drawn_together() {
    let together = synthetic::record(7, 2, &["bare", "seawall"]);
    let in_turns = synthetic::in_turns(together.clone());
    for (a, b) in plots(&together).iter().zip(&plots(&in_turns)) {
        assert_eq!(a.svg().unwrap(), b.svg().unwrap(), "{}", a.name);
    }
}

#[test]
fn a_run_that_was_cut_short_is_drawn_as_far_as_it_got() {
    let record = synthetic::record(7, 1, &["bare", "seawall"]);
    for n in [0, 1, 3] {
        let part = synthetic::interrupted_after(n, record.clone());
        let plots = plots(&part);
        assert_eq!(plots.len(), if n == 0 { 0 } else { 1 + n.div_ceil(2) });
        plots.iter().for_each(is_legible);
    }
    let mut in_the_fault = synthetic::interrupted_after(1, record);
    let only = &mut failures(&mut in_the_fault).injections[0];
    (only.cleared_us, only.ready_us) = (only.injected_us, only.injected_us);
    only.ended_us = only.injected_us;
    plots(&in_the_fault).iter().for_each(is_legible);
    only_drawn(&in_the_fault);
}

fn only_drawn(record: &Record) {
    for plot in plots(record) {
        assert!(plot.svg().unwrap().ends_with("</svg>\n"));
    }
}

#[test]
fn every_outcome_that_occurred_is_in_the_picture_and_its_legend() {
    let record = synthetic::record(7, 1, &["bare", "seawall"]);
    let all = plots(&record);
    let blackhole = all.iter().find(|plot| plot.name == "blackhole").unwrap();
    let said: Vec<&str> = texts(&blackhole.picture)
        .iter()
        .map(|text| text.text.as_str())
        .collect();
    for class in [
        class::Class::Ok,
        class::Class::Rejected,
        class::Class::Unknown,
    ] {
        assert!(said.contains(&class.name()), "{class:?}");
        let drawn =
            blackhole.picture.shapes.iter().filter(
                |shape| matches!(shape, Shape::Rect { color, .. } if *color == class.color()),
            );
        assert!(drawn.count() > 1, "{class:?} is in the legend only");
    }
    assert!(!said.contains(&class::Class::Failed.name()));
}

#[test]
fn of_several_faults_of_a_kind_the_slowest_is_shown() {
    let record = synthetic::record(7, 3, &["bare", "seawall"]);
    let verdict = crate::judge(&record).verdict;
    let slowest = verdict
        .injections
        .iter()
        .filter(|e| e.fault == "pause" && e.arm == "seawall")
        .filter_map(|e| e.recover_s)
        .fold(0.0, f64::max);
    let plots = plots(&record);
    let pause = plots.iter().find(|plot| plot.name == "pause").unwrap();
    assert!(
        pause
            .title
            .contains(&format!("seawall serves again {slowest:.2} s")),
        "{} is not {slowest}",
        pause.title
    );
}

#[test]
fn a_picture_names_fonts_that_a_browser_may_have() {
    let record = synthetic::record(7, 1, &["seawall"]);
    let svg = plots(&record)[0].svg().unwrap();
    assert!(svg.contains(r#"font-family="DejaVu Sans, Verdana, Arial, sans-serif""#));
    assert!(!svg.contains("NaN") && !svg.contains("inf"));
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

#[test]
fn batch_sizes_are_drawn_legibly_for_every_class() {
    let all = plots(&synthetic::usual_batches());
    let names: Vec<&str> = all.iter().map(|plot| plot.name.as_str()).collect();
    assert_eq!(
        names,
        [
            "speedup-small-events",
            "speedup-user-data",
            "speedup-joins",
            "speedup-updates"
        ]
    );
    all.iter().for_each(is_legible);
    let shown: Vec<&str> = texts(&all[0].picture).iter().map(|t| &*t.text).collect();
    for said in [
        "the guide: 500",
        "the guide: 2 to 10 times",
        "ringed: the knee",
    ] {
        assert!(shown.contains(&said), "{said} not in {shown:?}");
    }
    // Each line has a name at its end, in either lane.
    let ends = shown
        .iter()
        .filter(|text| **text == "10 ms, off, one transaction");
    assert_eq!(ends.count(), 2);
    for speedup in [0.2, 3.0, 4_000.0] {
        let classes = vec![
            synthetic::class("orders-of-a-customer-with-a-long-name.sql", true, None),
            synthetic::class("updates", true, Some(7_000)),
        ];
        let record = synthetic::batches(classes, 2, 1, 0.3, |_, _| speedup);
        let plots = plots(&record);
        assert_eq!(plots.len(), 2);
        plots.iter().for_each(is_legible);
    }
}

#[test]
fn a_commit_that_does_not_wait_is_dashed_and_the_rest_is_not() {
    let all = plots(&synthetic::usual_batches());
    let lines = |plot: &Plot| {
        let shapes = plot.picture.shapes.iter();
        shapes
            .filter(|shape| matches!(shape, Shape::Line { .. }))
            .count()
    };
    // Dashes are lines of their own; reads have none.
    assert!(lines(&all[0]) > 200, "{}", lines(&all[0]));
    assert!(lines(&all[2]) < 30, "{}", lines(&all[2]));
    let svg = all[2].svg().unwrap();
    assert_eq!(
        svg.matches("<polyline shape-rendering=").count(),
        lines(&all[2])
    );
}
