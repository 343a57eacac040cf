use super::*;

const S: fn(u64) -> Duration = Duration::from_secs;

fn event(what: What, subject: Option<&str>) -> Event {
    Event {
        at_us: 0,
        planned: None,
        arm: None,
        subject: subject.map(str::to_owned),
        what,
    }
}

fn step(unit: &str, number: u32, of: u32, left_s: Option<u64>) -> What {
    What::StepStarted {
        unit: unit.to_owned(),
        number,
        of,
        planned_left_us: left_s.map(|s| s * 1_000_000),
    }
}

fn throughput(arms: &[(&str, u64, u64, u64)]) -> What {
    let arms = arms
        .iter()
        .map(|(arm, ok, not_ok, in_flight)| ArmThroughput {
            arm: (*arm).to_owned(),
            ok: *ok,
            not_ok: *not_ok,
            in_flight: *in_flight,
        });
    What::Throughput {
        over_us: 1_000_000,
        arms: arms.collect(),
    }
}

/// What is shown `at` seconds after the start, after events at their seconds.
fn shown(events: &[(u64, What, Option<&str>)], at: u64, width: usize) -> Vec<String> {
    let began = seawall::clock::now();
    let mut view = View::new(began);
    for (s, what, subject) in events {
        view.event(&event(what.clone(), *subject), began + S(*s));
    }
    let lines = view.lines(began + S(at), width);
    assert!(lines.iter().all(|line| columns(line) <= width), "{lines:?}");
    lines
}

fn fault(name: &str) -> String {
    name.to_owned()
}

fn in_a_fault(name: &str) -> Vec<(u64, What, Option<&'static str>)> {
    let fault = || fault(name);
    vec![
        (0, step("injection", 1, 12, Some(120)), Some("refused")),
        (20, step("injection", 3, 12, Some(100)), Some("crash")),
        (22, What::FaultRequested { fault: fault() }, None),
        (22, What::FaultEffective { fault: fault() }, None),
        (
            25,
            throughput(&[("bare", 12, 388, 40), ("seawall", 380, 1, 2)]),
            None,
        ),
    ]
}

#[test]
fn a_step_the_time_the_fault_and_each_arm_have_a_line() {
    let lines = shown(&in_a_fault("crash"), 26, 80);
    assert_eq!(
        lines[..5],
        [
            "injection 3 of 12: crash",
            "26 s so far, an estimated 1 min 34 s left",
            "fault in force for 4 s: crash",
            "bare        400/s   388 errors    40 in flight",
            "seawall     381/s     1 error      2 in flight",
        ]
    );
    assert!(lines[5].starts_with("crash: "), "{lines:?}");
}

#[test]
fn in_forty_columns_lines_end_with_a_word() {
    let lines = shown(&in_a_fault("crash"), 26, 40);
    assert_eq!(lines[1], "26 s so far, an estimated 1 min 34 s\u{2026}");
    assert_eq!(lines[3], "bare        400/s   388 errors    40 in\u{2026}");
    for width in [0, 1, 2, 10, 20] {
        shown(&in_a_fault("crash"), 26, width);
    }
}

#[test]
fn long_names_of_faults_and_names_in_other_scripts_fit() {
    let long = "a-fault-of-the-user-s-own-with-a-name-that-no-terminal-has-room-for-in-one-line";
    let lines = shown(&in_a_fault(long), 26, 80);
    assert!(lines[2].ends_with("-terminal-\u{2026}"), "{lines:?}");
    let lines = shown(&in_a_fault("数据库崩溃"), 26, 80);
    assert_eq!(lines[2], "fault in force for 4 s: 数据库崩溃");
    let arms = throughput(&[("一个很长很长很长很长很长的名字", 1, 0, 0), ("b", 2, 0, 0)]);
    let lines = shown(&[(1, arms, None)], 2, 80);
    let rates: Vec<usize> = lines[1..].iter().map(|line| columns(line)).collect();
    assert_eq!(rates[0], rates[1], "one below the other: {lines:?}");
}

#[test]
fn without_a_plan_the_first_step_says_nothing_of_the_time_and_the_second_does() {
    let first = [(0, step("trial", 1, 4, None), None)];
    assert_eq!(shown(&first, 9, 80)[1], "9 s so far");
    let second = [
        (5, step("trial", 1, 4, None), None),
        (15, step("trial", 2, 4, None), None),
    ];
    // Three of ten seconds, one of which is over.
    assert_eq!(
        shown(&second, 16, 80)[1],
        "16 s so far, an estimated 29 s left"
    );
    assert_eq!(
        shown(&second, 300, 80)[1],
        "5 min 0 s so far, longer than was estimated"
    );
    assert_eq!(shown(&[], 3, 80), ["3 s so far"]);
}

#[test]
fn a_plan_is_corrected_by_how_long_it_took_so_far() {
    // 10 s of the plan took 20.
    let slow = [
        (0, step("turn", 1, 4, Some(40)), None),
        (20, step("turn", 2, 4, Some(30)), None),
    ];
    assert_eq!(
        shown(&slow, 20, 80)[1],
        "20 s so far, an estimated 1 min 0 s left"
    );
    // Steps within others say nothing of the whole.
    let within = [
        (0, step("part", 1, 4, Some(40)), None),
        (1, step("condition", 1, 8, Some(5)), Some("reads")),
    ];
    assert_eq!(
        shown(&within, 1, 80),
        [
            "part 1 of 4, condition 1 of 8: reads",
            "1 s so far, an estimated 39 s left"
        ]
    );
}

#[test]
fn steps_that_are_over_are_left_and_so_is_what_was_within_them() {
    let mut events = vec![
        (0, step("part", 1, 2, None), None),
        (1, step("condition", 1, 8, None), None),
        (2, step("part", 2, 2, None), None),
    ];
    assert_eq!(shown(&events, 3, 80)[0], "part 2 of 2");
    let unit = "part".to_owned();
    events.push((3, What::StepsEnded { unit }, None));
    events.push((3, step("injection", 1, 6, None), None));
    assert_eq!(shown(&events, 3, 80)[0], "injection 1 of 6");
}

#[test]
fn what_is_over_is_not_shown_any_more() {
    let mut events = in_a_fault("crash");
    let fault = fault("crash");
    events.push((26, What::FaultCleared { fault }, None));
    events.push((27, What::LoadEnded, None));
    let lines = shown(&events, 28, 80);
    assert_eq!(lines.len(), 3, "{lines:?}");
    let ended = reports::run::Ended::Complete;
    events.push((29, What::RunEnded { ended }, None));
    assert_eq!(shown(&events, 30, 80)[0], "30 s so far");
}

#[test]
fn a_run_of_several_is_named_first_and_forgets_the_one_before() {
    let began = seawall::clock::now();
    let mut view = View::new(began);
    for (_, what, subject) in in_a_fault("crash") {
        view.event(&event(what, subject), began);
    }
    view.begin(Some((2, 6)), began + S(60));
    view.say("starting PostgreSQL");
    let lines = view.lines(began + S(61), 80);
    assert_eq!(
        lines,
        ["run 2 of 6", "1 s so far", "starting PostgreSQL"],
        "{lines:?}"
    );
    view.event(&event(step("turn", 1, 4, Some(30)), None), began + S(62));
    assert_eq!(
        view.lines(began + S(62), 80)[..2],
        [
            "run 2 of 6, turn 1 of 4",
            "2 s so far, an estimated 30 s left of this run"
        ]
    );
}

#[test]
fn more_arms_than_there_is_room_for_share_a_line() {
    let names: Vec<String> = (0..24).map(|i| format!("arm-{i}")).collect();
    let arms: Vec<_> = names.iter().map(|name| (&**name, 40, 1, 2)).collect();
    let lines = shown(&[(1, throughput(&arms), None)], 1, 80);
    assert_eq!(lines.len(), 1 + MOST_ARMS, "{lines:?}");
    assert!(
        lines[MOST_ARMS].contains("697/s    17 errors    34 in flight"),
        "{lines:?}"
    );
}

#[test]
fn where_nothing_is_redrawn_all_arms_are_in_one_line() {
    let now = seawall::clock::now();
    let mut view = View::new(now);
    assert_eq!(view.one_line(), None);
    let arms = throughput(&[("bare", 12, 388, 40), ("seawall", 380, 1, 2)]);
    view.event(&event(arms, None), now);
    assert_eq!(
        view.one_line().as_deref(),
        Some("last second: bare 400/s 388 errors 40 in flight; seawall 381/s 1 error 2 in flight")
    );
}
