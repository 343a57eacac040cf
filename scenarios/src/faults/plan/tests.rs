use proptest::prelude::*;

use super::{
    super::{network, process, session},
    *,
};

const ALL: &str = r#"
repeats = 2

[steady_state]
ok_share = 0.95
p99_ms = 40

[[fault]]
kind = "crash"
phase_ms = [100, 400]
length_ms = 1500

[[fault]]
name = "slow-then-gone"
kind = "latency"
stream = "upstream"
toxicity = 0.5
latency_ms = 200
jitter_ms = 20

[[fault]]
kind = "crash"

[[fault]]
name = "slow-then-gone"
kind = "refused"
phase_ms = 1000
"#;

fn ms(from: u64, to: u64) -> Option<RangeInclusive<Duration>> {
    Some(Duration::from_millis(from)..=Duration::from_millis(to))
}

#[test]
fn a_plan_says_what_overlaps_and_what_is_as_usual() {
    let plan = Plan::parse(Some(ALL), &[]).unwrap();
    assert_eq!(plan.repeats, 2);
    assert_eq!(plan.steady.ok_share, Some(0.95));
    assert_eq!(plan.steady.p99, Some(Duration::from_millis(40)));
    let names: Vec<&str> = plan.entries.iter().map(|e| &*e.name).collect();
    assert_eq!(names, ["crash", "slow-then-gone", "crash-2"]);
    let crash = &plan.entries[0].faults[0];
    assert_eq!(crash.phase, ms(100, 400));
    assert_eq!(crash.length, ms(1500, 1500));
    let [latency, refused] = plan.entries[1].faults.as_slice() else {
        panic!("two faults");
    };
    assert_eq!(latency.stream, Some(Stream::Upstream));
    assert_eq!(latency.toxicity, Some(0.5));
    assert!(latency.parameters.contains(&("latency_ms", 200)));
    assert_eq!((refused.kind, refused.stream), (&network::REFUSED, None));
    assert_eq!(refused.phase, ms(1000, 1000));
    assert_eq!(plan.entries[2].faults, [Wish::usual(&process::CRASH)]);
}

#[test]
fn the_command_line_says_the_same_in_other_words() {
    let file = r#"
        [[fault]]
        kind = "latency"
        latency_ms = 200
        toxicity = 0.25
        length_ms = [500, 900]
        stream = "upstream"
        [[fault]]
        name = "a"
        kind = "crash"
    "#;
    let flags = [
        "latency,latency_ms=200,toxicity=0.25,length_ms=500..900,stream=upstream".to_owned(),
        "crash,name=a".to_owned(),
    ];
    let both = Plan::parse(Some(file), &[]).unwrap();
    assert_eq!(Plan::parse(None, &flags).unwrap(), both);
    let longer = Plan::parse(Some(file), &["pause".to_owned()]).unwrap();
    assert_eq!(longer.entries.len(), 3);
}

#[test]
fn what_is_wrong_is_named_with_what_is_allowed() {
    for (text, says) in [
        ("", "fault: 0, allowed: 1 to 200 entries"),
        ("repeats = 0", "repeats: 0, allowed: 1 to 1000"),
        ("nonsense", "line 1: "),
        (
            "fault = 3",
            "fault: 3, allowed: [steady_state] and [[fault]] are tables",
        ),
        (
            "repeat = 2",
            "repeat: no such key, allowed: repeats, steady_state, fault; did you mean repeats?",
        ),
        (
            "[steady_state]\np99 = 3",
            "steady_state.p99: no such key, allowed: ok_share, p99_ms; did you mean p99_ms?",
        ),
        (
            "[steady_state]\nok_share = 2",
            "steady_state.ok_share: 2, allowed: 0 to 1",
        ),
        (
            "[[fault]]",
            "fault[0].kind: missing, allowed: one of `scenarios list faults`",
        ),
        (
            "[[fault]]\nkind = \"crush\"",
            "fault[0].kind: \"crush\", allowed: one of `scenarios list faults`; did you mean crash?",
        ),
        (
            "[[fault]]\nkind = \"crash\"\nstream = \"upstream\"",
            "fault[0].stream: no such key",
        ),
        (
            "[[fault]]\nkind = \"latency\"\nstream = \"up\"",
            "fault[0].stream: \"up\", allowed: \"upstream\" or \"downstream\"",
        ),
        (
            "[[fault]]\nkind = \"latency\"\nlatency_ms = -5",
            "fault[0].latency_ms: -5, allowed: 20 to 600000",
        ),
        (
            "[[fault]]\nkind = \"latency\"\nlatency_ms = 50\njitter_ms = 50",
            "fault[0].jitter_ms: 50, allowed: less than latency_ms, which is 50",
        ),
        (
            "[[fault]]\nkind = \"slicer\"\nvariation_bytes = 16",
            "fault[0].variation_bytes: 16, allowed: less than size_bytes, which is 16",
        ),
        (
            "[[fault]]\nkind = \"latency\"\ntoxicity = 1.5",
            "fault[0].toxicity: 1.5, allowed: 0 to 1",
        ),
        (
            "[[fault]]\nkind = \"pause\"\nlength_ms = [9, 3]",
            "fault[0].length_ms: [9, 3], allowed: milliseconds",
        ),
        (
            "[[fault]]\nkind = \"pause\"\nlength_ms = 600001",
            "fault[0].length_ms: 600001, allowed: milliseconds, 0 to 600000",
        ),
        (
            "[[fault]]\nkind = \"pause\"\nname = \"../x\"",
            "fault[0].name: \"../x\", allowed: 1 to 40 of a-z",
        ),
        (
            "[[fault]]\nkind = \"pause\"\nname = \"recovery\"",
            "but not \"recovery\"",
        ),
    ] {
        let error = Plan::parse(Some(text), &[]).unwrap_err().to_string();
        assert!(error.contains(says), "{text}\n{error}\n{says}");
    }
    for (flag, says) in [
        ("crush", "--fault 1.kind: \"crush\""),
        (
            "pause,length_ms",
            "--fault 1: length_ms, allowed: KIND[,KEY=VALUE]...",
        ),
        (
            "pause,length_ms=1,length_ms=2",
            "--fault 1.length_ms: twice, allowed: once",
        ),
        ("pause,length_ms=9..3", "--fault 1.length_ms: [9, 3]"),
    ] {
        let error = Plan::parse(None, &[flag.to_owned()])
            .unwrap_err()
            .to_string();
        assert!(error.contains(says), "{flag}\n{error}\n{says}");
    }
}

#[test]
fn what_cannot_be_undone_together_is_refused() {
    for (flags, fits) in [
        (&["crash,name=a", "pause,name=a"][..], false),
        (&["crash,name=a", "lock-storm,name=a"], false),
        (&["max-connections,name=a", "read-only,name=a"], false),
        (&["latency,name=a", "latency,name=a"], false),
        (&["latency,name=a", "latency,name=a,stream=upstream"], true),
        (&["crash,name=a", "latency,name=a", "refused,name=a"], true),
        (&["lock-storm,name=a", "slow-statements,name=a"], true),
        (&["crash,name=a", "pause,name=b"], true),
    ] {
        let flags: Vec<String> = flags.iter().map(|f| (*f).to_owned()).collect();
        let plan = Plan::parse(None, &flags);
        assert_eq!(plan.is_ok(), fits, "{flags:?}: {plan:?}");
    }
}

proptest! {
    #[test]
    fn no_text_is_a_crash(text in "\\PC{0,80}", flags in prop::collection::vec("[a-z_=.,0-9-]{0,40}", 0..3)) {
        let _any = Plan::parse(Some(&text), &flags);
        let _any = Plan::parse(None, &flags);
    }

    #[test]
    fn a_number_within_its_range_is_taken_and_no_other(value in any::<i64>()) {
        for parameter in session::LOCK_STORM.parameters {
            let text = format!("[[fault]]\nkind = \"lock-storm\"\n{} = {value}", parameter.name);
            let within = (i64::from(parameter.least)..=i64::from(parameter.most)).contains(&value);
            prop_assert_eq!(Plan::parse(Some(&text), &[]).is_ok(), within);
        }
    }
}
