use super::answer::Answer;
use crate::{
    Record,
    plot::{
        Plot,
        legible::{is_legible, texts},
        picture::Shape,
    },
    run::SessionCount,
    synthetic::{self, failures},
};

fn plots(record: &Record) -> Vec<Plot> {
    crate::judge(record).page.plots().cloned().collect()
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
    // How long recovery took is only shown of what was watched to its end.
    for (n, drawn) in [(0, 0), (1, 1), (3, 3)] {
        let part = synthetic::interrupted_after(n, record.clone());
        let plots = plots(&part);
        assert_eq!(plots.len(), drawn, "{n}");
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
    for answer in [Answer::Ok, Answer::Rejected, Answer::Unknown] {
        assert!(said.contains(&answer.name()), "{answer:?}");
        let drawn =
            blackhole.picture.shapes.iter().filter(
                |shape| matches!(shape, Shape::Rect { color, .. } if *color == answer.color()),
            );
        assert!(drawn.count() > 1, "{answer:?} is in the legend only");
    }
    assert!(!said.contains(&Answer::Failed.name()));
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

#[test]
fn the_axis_ends_where_the_data_end() {
    let mut record = synthetic::record(7, 1, &["bare", "seawall"]);
    let last_s = |record: &mut Record| {
        let load = failures(record).load.clone();
        let injections = failures(record).injections.iter();
        let last = injections.map(|i| {
            let n = i.operations.outcomes.len() as f64;
            n / f64::from(load.rate_per_s) - i.injected_us as f64 / 1e6
        });
        last.fold(0.0, f64::max)
    };
    let last = last_s(&mut record);
    // Somebody went on to write down what happened for a long time after the load.
    for injection in &mut failures(&mut record).injections {
        injection.ended_us += 20_000_000;
    }
    let all = plots(&record);
    for plot in all.iter().filter(|plot| plot.name != "recovery") {
        let bottom = plot.picture.height - 60.0;
        let texts = texts(&plot.picture);
        let ticks = texts.iter().filter(|text| text.y > bottom);
        let ticks: Vec<f64> = ticks.filter_map(|text| text.text.parse().ok()).collect();
        assert!(ticks.len() > 3, "{ticks:?}");
        assert!(
            ticks.iter().all(|tick| *tick <= last + 0.25),
            "{ticks:?} {last}"
        );
    }
}

#[test]
fn sessions_are_drawn_where_somebody_counted_them() {
    let mut record = synthetic::record(7, 1, &["bare", "seawall"]);
    for injection in &mut failures(&mut record).injections {
        let counts = (0..40_u32).map(|i| SessionCount {
            at_us: u64::from(i) * 100_000,
            sessions: 10 - i % 3,
            orphans: u32::from(i == 7),
        });
        injection.sessions = counts.collect();
    }
    let all = plots(&record);
    all.iter().for_each(is_legible);
    let tips = |says: &str| {
        let tips = all.iter().flat_map(|plot| &plot.picture.tips);
        tips.filter(|tip| tip.says.starts_with(says)).count()
    };
    assert!(tips("10 sessions on the server") > 0);
    assert!(tips("9 sessions on the server, 1 of them for a caller that has given up") > 0);
    // Without any, nothing is said of them.
    let all = &mut failures(&mut record).injections;
    all.iter_mut().for_each(|i| i.sessions.clear());
    let without = plots(&record);
    let texts = without.iter().flat_map(|plot| texts(&plot.picture));
    assert!(
        texts
            .into_iter()
            .all(|text| !text.text.contains("sessions on"))
    );
}

#[test]
fn sessions_that_nobody_counted_for_a_while_are_not_drawn_on() {
    let mut record = synthetic::record(7, 1, &["seawall"]);
    for injection in &mut failures(&mut record).injections {
        let count = |at_us| SessionCount {
            at_us,
            sessions: 5,
            orphans: 0,
        };
        // The server was down in between.
        let (injected_us, ended_us) = (injection.injected_us, injection.ended_us);
        injection.sessions = vec![count(injected_us), count(ended_us - 300_000)];
    }
    for plot in plots(&record).iter().filter(|plot| plot.name != "recovery") {
        let tips = plot.picture.tips.iter();
        let told = tips.filter(|tip| tip.says == "5 sessions on the server");
        let widths: Vec<f64> = told.map(|tip| tip.area.right - tip.area.left).collect();
        assert_eq!(widths.len(), 2, "{widths:?}");
        // A quarter of a second each, of a picture of several.
        assert!(
            widths.iter().all(|width| *width < plot.picture.width / 8.0),
            "{widths:?}"
        );
    }
}

#[test]
fn an_arm_that_is_watched_for_longer_does_not_leave_the_others_half_empty() {
    let mut record = synthetic::record(7, 1, &["bare", "seawall"]);
    let before = plots(&record);
    let rate = failures(&mut record).load.rate_per_s as usize;
    let bare = failures(&mut record).injections.iter_mut();
    for injection in bare.filter(|injection| injection.arm == "bare") {
        let n = 20 * rate;
        injection.ended_us += 20_000_000;
        let of = &mut injection.operations;
        of.kinds += &"r".repeat(n);
        of.outcomes += &"n".repeat(n);
        of.latencies_us.extend(vec![0; n]);
        of.lags_us.extend(vec![0; n]);
    }
    let after = plots(&record);
    after.iter().for_each(is_legible);
    let last = |plot: &Plot| {
        let bottom = plot.picture.height - 60.0;
        let texts = texts(&plot.picture);
        let ticks = texts.iter().filter(|text| text.y > bottom);
        let ticks = ticks.filter_map(|text| text.text.parse().ok());
        ticks.fold(0.0, f64::max)
    };
    for (before, after) in before
        .iter()
        .zip(&after)
        .filter(|(plot, _)| plot.name != "recovery")
    {
        assert!(
            last(after) <= last(before) + 1.0,
            "{}: {}",
            after.name,
            last(after)
        );
    }
}
