//! Knees, sizes to ship, and what is said beside them.

use super::*;

/// A class that reads, with these speed-ups at 20, 100 and 500 under two conditions.
fn table(at_0: [f64; 3], at_10: [f64; 3]) -> ClassFinding {
    let found = judge(&batches(
        vec![class("table", false, Some(100))],
        8,
        1,
        0.0,
        |spot, batch| {
            let row = if spot.rtt_us == 0 { at_0 } else { at_10 };
            let column = [20.0, 100.0, 500.0].iter().position(|b| *b == batch);
            column.map_or(0.1, |column| row[column])
        },
    ));
    found_in(&found).classes.remove(0)
}

#[test]
fn the_recommended_size_is_the_smallest_that_does_for_every_condition() {
    let ship = |at_0, at_10| table(at_0, at_10).recommended.unwrap();
    // 20 has 0.81 and 0.4 of the best, 100 has 1 and 0.9.
    let chosen = ship([8.1, 10.0, 9.0], [8.0, 18.0, 20.0]);
    assert_eq!((chosen.batch, chosen.conditions), (100, 3));
    assert!((chosen.slowest - 10.0).abs() < 1e-3 && (chosen.fastest - 18.0).abs() < 1e-3);
    assert!((chosen.least_share - 0.9).abs() < 1e-3);
    assert_eq!(
        chosen.toml,
        "enable_pipelining = true\npipeline_batch_size = 100\n"
    );
    // 0.8 is enough, and a little less is not.
    assert_eq!(ship([8.01, 10.0, 9.0], [16.1, 18.0, 20.0]).batch, 20);
    assert_eq!(ship([7.9, 10.0, 9.0], [16.1, 18.0, 20.0]).batch, 100);
    // None has 0.8 everywhere: the one that comes closest, and it is said.
    let none = ship([10.0, 7.0, 2.0], [1.0, 12.0, 20.0]);
    assert_eq!(none.batch, 100);
    assert!((none.least_share - 0.6).abs() < 1e-3);
    assert!(
        none.reason.starts_with("no size reaches 80 %"),
        "{}",
        none.reason
    );
    assert!(
        none.reason.ends_with("(least 0.60: 10 ms)"),
        "{}",
        none.reason
    );
}

#[test]
fn each_round_trip_time_has_a_recommendation_of_its_own() {
    let class = table([8.1, 10.0, 9.0], [8.0, 15.0, 20.0]);
    let by_rtt: Vec<(f64, Option<f64>, u32)> = class
        .by_rtt
        .iter()
        .map(|at| {
            (
                at.rtt_s,
                at.measured_rtt_s,
                at.recommended.as_ref().unwrap().batch,
            )
        })
        .collect();
    let (near, far) = (Some(0.000_09), Some(0.010_09));
    assert_eq!(
        by_rtt,
        [
            (0.0, near, 20),
            (0.001, Some(0.001_09), 500),
            (0.01, far, 500)
        ]
    );
    // 500 has 0.9 of the best at 0 ms.
    assert_eq!(class.recommended.unwrap().batch, 500);
}

#[test]
fn a_size_that_a_condition_lacks_is_not_recommended() {
    let mut record = exact(|_, batch| batch);
    let condition = &mut conditions(&mut record)[1];
    for round in &mut condition.rounds {
        round
            .slices
            .retain(|slice| slice.how != pipelined(Mode::OneTransaction, 500));
    }
    let verdict = judge(&record);
    assert_eq!(usual_batch(&verdict, "small-events"), 200);
    assert_eq!(usual_batch(&verdict, "updates"), 500);
}

#[test]
fn the_knee_and_the_model_are_those_of_a_curve_computed_by_hand() {
    // RTT 1090 us and 109 us a statement: 1 / (1 / B + 0.1).
    let record = batches(vec![class("x", false, None)], 8, 1, 0.0, |_, batch| {
        1.0 / (1.0 / batch + 0.1)
    });
    let findings = found_in(&judge(&record));
    let curve = findings.conditions[1].curve(Mode::Reads).unwrap();
    assert!(
        (curve.statement_us.unwrap() - 109.0).abs() < 0.5,
        "{curve:?}"
    );
    // 20: 6.67, 50: 8.33, 100: 9.09, 200: 9.52, 1000: 9.90; nine tenths are 8.91.
    assert_eq!(curve.knee, Some(100));
    for (size, expected) in [(20, 6.667), (100, 9.091), (1_000, 9.901)] {
        let cell = curve.cell(Size::Fixed(size)).unwrap();
        assert!(
            (cell.speedup.median.unwrap() - expected).abs() < 0.01,
            "{cell:?}"
        );
        assert!((cell.model.unwrap() - expected).abs() < 0.01, "{cell:?}");
    }
    assert_eq!(curve.cell(Size::Auto).unwrap().model, None);
}

#[test]
fn the_pipeline_s_own_choice_is_compared_with_the_best_size() {
    let record = batches(vec![class("x", false, None)], 8, 1, 0.0, |spot, batch| {
        let auto = ![1.0, 5.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1_000.0].contains(&batch);
        match (auto, batch) {
            (true, _) if spot.rtt_us == 10_000 => 9.0,
            (true, _) => 6.0,
            (false, 100.0) => 10.0,
            (false, _) => 5.0,
        }
    });
    let findings = found_in(&judge(&record));
    let auto = findings.classes[0]
        .recommended
        .as_ref()
        .unwrap()
        .auto
        .unwrap();
    assert!((auto.least_rate - 0.6).abs() < 1e-3 && (auto.most_rate - 0.9).abs() < 1e-3);
    // Latencies are those of its mean batch of 30, 55 and 280 against 100.
    let of = |rtt: f64, batch: f64| rtt + 90.0 + batch * (12.0 + batch / 400.0);
    let least = of(0.0, 30.0) / of(0.0, 100.0);
    let most = of(10_000.0, 280.0) / of(10_000.0, 100.0);
    assert!(
        (auto.least_p50.unwrap() - least).abs() < 0.01,
        "{auto:?} {least}"
    );
    assert!(
        (auto.most_p50.unwrap() - most).abs() < 0.01,
        "{auto:?} {most}"
    );
}

#[test]
fn what_the_server_counted_is_said_by_query() {
    let findings = found_in(&judge(&usual_batches()));
    let commit_on = &findings.conditions[1];
    assert_eq!(commit_on.synchronous_commit, Some(true));
    assert_eq!(commit_on.sequential.truth.unwrap().fsyncs, Some(1.0));
    let truth = |mode| {
        let curve = commit_on.curve(mode).unwrap();
        curve.cell(Size::Fixed(100)).unwrap().truth.unwrap()
    };
    let one = truth(Mode::OneTransaction);
    assert_eq!(
        (one.syncs, one.commits, one.fsyncs),
        (0.01, Some(0.01), Some(0.01))
    );
    assert_eq!(one.wal_bytes, Some(180.0));
    assert_eq!(truth(Mode::Autocommit).syncs, 1.0);
    let mut record = usual_batches();
    conditions(&mut record)[1]
        .truth
        .iter_mut()
        .for_each(|t| t.queries = 0);
    let findings = found_in(&judge(&record));
    assert_eq!(findings.conditions[1].sequential.truth, None);
}

#[test]
fn what_the_code_has_to_say_stands_beside_the_settings() {
    let chosen = table([8.1, 10.0, 9.0], [8.0, 18.0, 20.0]).recommended;
    let builder = chosen.unwrap().builder.unwrap();
    assert!(builder.contains(".read_only(true)"), "{builder}");
    let found = found_in(&judge(&usual_batches()));
    let updates = found.classes.iter().find(|class| class.name == "updates");
    let builder = updates.unwrap().recommended.clone().unwrap().builder;
    assert!(builder.unwrap().contains(".group_commit(true)"));
}

#[test]
fn a_pipeline_that_is_no_faster_is_left_off() {
    let slow = table([0.8, 0.9, 0.7], [0.9, 0.95, 0.9]);
    let slow = slow.recommended.unwrap();
    assert_eq!(
        (slow.toml.as_str(), slow.builder),
        ("enable_pipelining = false\n", None)
    );
    assert!(slow.reason.contains("leave the pipeline off"));
}

#[test]
fn a_curve_that_still_rises_has_no_knee() {
    let found = |row: [f64; 3]| {
        let found = judge(&batches(
            vec![class("table", false, Some(100))],
            8,
            1,
            0.0,
            |_, batch| match batch {
                1_000.0 => row[2],
                500.0 => row[1],
                _ => row[0],
            },
        ));
        let found = found_in(&found);
        let knee = found.conditions[0].curve(Mode::Reads).unwrap().knee;
        (knee, found.classes[0].recommended.clone().unwrap().reason)
    };
    let (knee, reason) = found([5.0, 10.0, 20.0]);
    assert_eq!(knee, None);
    assert!(reason.contains("the largest that was tried"), "{reason}");
    let (knee, reason) = found([5.0, 19.0, 20.0]);
    assert_eq!(knee, Some(500));
    assert!(!reason.contains("the largest"), "{reason}");
}
