use std::collections::{BTreeMap, BTreeSet};

use clap::Parser;
use reports::experiments::batch_sweep::{Class, How};
use seawall::pipeline::Strategy;

use super::*;
use crate::script::Script;

#[derive(Debug, Parser)]
struct Typed {
    #[command(flatten)]
    options: Options,
}

fn frame(seed: u64, size: Size, scripts: Option<Scripts>) -> Frame {
    Frame {
        seed,
        size,
        own_server: true,
        scripts,
    }
}

fn scripts(texts: &[(&str, &str)]) -> Scripts {
    let read = |(file, text): &(&str, &str)| (Script::read(file, text).expect("a script"), 1);
    let all = texts.iter().map(read).collect();
    Scripts::new(all, BTreeMap::new(), 7).expect("a load")
}

fn planned(flags: &[&str], frame: &Frame) -> (Tune, Vec<String>) {
    let typed = ["tune"].iter().chain(flags);
    let Typed { options } = Typed::parse_from(typed);
    Tune::plan(&options, frame).expect("a plan")
}

#[test]
fn a_budget_is_what_was_typed_or_what_its_size_has() {
    for (flags, size, expected_s) in [
        (&[][..], Size::Quick, 180),
        (&[], Size::Default, 600),
        (&[], Size::Full, 1_800),
        (&["--budget", "75s"], Size::Full, 75),
        (&["--budget", "24h"], Size::Quick, 86_400),
    ] {
        let (planned, _) = planned(flags, &frame(1, size, None));
        let data = planned.nothing_yet();
        assert_eq!(data.budget_us, expected_s * 1_000_000, "{flags:?}");
        assert!(data.kept_us >= 5_000_000 && data.kept_us * 5 < data.budget_us);
    }
    for wrong in ["59s", "25h", "10", "soon", "-5m"] {
        let error = Typed::try_parse_from(["tune", &format!("--budget={wrong}")]);
        let error = error.expect_err(wrong).to_string();
        for part in ["--budget", wrong, "allowed: 60s to 24h"] {
            assert!(error.contains(part), "{error}");
        }
    }
}

#[test]
fn grids_are_small_within_six_minutes() {
    let cells = |flags: &[&str]| {
        let (planned, _) = planned(flags, &frame(1, Size::Default, None));
        planned.nothing_yet().breaker.cells.len()
    };
    assert_eq!(cells(&["--budget", "6m"]), cells(&["--budget", "60s"]));
    assert!(cells(&["--budget", "7m"]) > cells(&["--budget", "6m"]));
}

#[test]
fn arms_are_cells_and_pools_of_every_size() {
    let (planned, _) = planned(&[], &frame(1, Size::Quick, None));
    let (data, setting) = (planned.nothing_yet(), planned.setting());
    let names: BTreeSet<&String> = setting.arms.iter().map(|(arm, _)| &arm.name).collect();
    assert_eq!(names.len(), data.breaker.cells.len() + CONNECTIONS.len());
    for candidate in &data.pool.candidates {
        let of_name = |(arm, _): &&(reports::run::Arm, Setup)| arm.name == candidate.arm;
        let (_, setup) = setting.arms.iter().find(of_name).expect("an arm");
        assert_eq!(setup.max_connections(), candidate.connections);
        assert!(candidate.connections < CALLERS);
    }
}

#[test]
fn what_no_batches_can_be_made_of_is_left_out_with_a_reason() {
    let own = scripts(&[
        ("orders.sql", "SELECT 1 AS a \\gset\nSELECT :a;"),
        ("reports.sql", "SELECT 1;"),
    ]);
    let (mixed, remarks) = planned(&[], &frame(7, Size::Quick, Some(own)));
    let batch = mixed.nothing_yet().batch;
    let names: Vec<&str> = batch.coarse.classes.iter().map(|c| &*c.name).collect();
    assert_eq!(names, ["reports"]);
    assert_eq!(batch.unmeasured.len(), 1);
    assert!(
        batch.unmeasured[0].reason.contains("orders.sql:1:15"),
        "{batch:?}"
    );
    assert!(
        remarks.len() == 1 && remarks[0].contains("orders"),
        "{remarks:?}"
    );

    let none = scripts(&[("wait.sql", "SELECT 1;\n\\sleep 1 ms\n")]);
    let (none, _) = planned(&[], &frame(7, Size::Quick, Some(none)));
    assert!(none.nothing_yet().batch.coarse.classes.is_empty());
    assert!(none.fitted && mixed.fitted);
}

#[test]
fn a_record_alone_is_enough_to_do_its_run_again() {
    for own in [None, Some(scripts(&[("reports.sql", "SELECT 1;")]))] {
        let (planned, _) = planned(&["--budget", "9m"], &frame(7, Size::Default, own));
        let Setting {
            arms,
            schedule,
            scripts,
            ..
        } = planned.setting();
        let (scripts, variables) = scripts.map(|of| of.record()).unwrap_or_default();
        let mut run = Run {
            arms: arms.iter().map(|(arm, _)| arm.clone()).collect(),
            schedule,
            scripts,
            variables,
            size: "default".to_owned(),
            ..crate::stage::tests::run("tune")
        };
        let mut data = planned.nothing_yet();
        // As a run leaves it.
        for fresh in run.schedule.iter_mut().skip(data.breaker.outages + 1) {
            fresh.arms = vec!["5/60s-active".to_owned()];
        }
        data.pool.most = Some(90);
        data.took_us = Some(1);
        let again = Tune::again(&run, &data).expect("repeatable");
        assert_eq!(again.nothing_yet, planned.nothing_yet);
        assert_eq!(
            format!("{:?}", again.setting),
            format!("{:?}", planned.setting)
        );
        assert_eq!(again.fitted, planned.fitted);

        data.batch.coarse.classes.push(Class {
            name: "another".to_owned(),
            ..built_in()[0].clone()
        });
        let error = Tune::again(&run, &data).expect_err("other classes");
        assert!(error.to_string().contains("allowed: "), "{error}");
    }
}

/// The file is read by the engine, whatever was chosen.
#[test]
fn the_engine_takes_every_setting_that_can_be_chosen() {
    let (planned, _) = planned(&["--budget", "7m"], &frame(1, Size::Default, None));
    let data = planned.nothing_yet();
    for connections in CONNECTIONS {
        for cell in &data.breaker.cells {
            let text = format!(
                "# evidence: a = 1\nmax_connections = {connections}\nenable_pipelining = true\n\
                 pipeline_batch_size = 500\n\
                 circuit_breaker_failure_threshold = {}\n\
                 circuit_breaker_recovery_timeout = {}\n\
                 circuit_breaker_error_rate = {:?}\n\
                 circuit_breaker_probe = {:?}\n",
                cell.failure_threshold,
                cell.recovery_timeout_us as f64 / 1e6,
                cell.error_rate,
                cell.probe.name()
            );
            let config = PoolConfig::from_toml(&text).expect("valid");
            assert_eq!(config.max_connections, connections);
            assert_eq!(
                config.circuit_breaker_failure_threshold,
                cell.failure_threshold
            );
        }
    }
}

/// What the file says of the code is code.
#[test]
fn the_builder_calls_that_are_named_exist() {
    let calls = |pool: &seawall::Pool| {
        let writes = pool.pipeline().group_commit(true);
        let writes = writes.strategy(Strategy::Transactional);
        let reads = pool.pipeline().read_only(true);
        format!("{writes:?} {reads:?}")
    };
    let _exist = calls;
}

#[test]
fn a_second_run_has_the_ways_that_are_compared_and_few_others() {
    let (planned, _) = planned(&[], &frame(1, Size::Quick, None));
    let classes = planned.nothing_yet().batch.coarse.classes;
    let kept = classes.iter().map(|class| {
        let mode = super::super::batch_sweep::plan::modes(class)[0];
        (class.name.clone(), (mode, vec![50, 200]))
    });
    let whole = super::super::batch_sweep::plan_of(classes.clone(), Size::Quick);
    let smaller = whole.clone().only(&kept.collect());
    assert_eq!(smaller.conditions.len(), whole.conditions.len());
    for wanted in &smaller.conditions {
        assert_eq!(wanted.ways[..2], [How::Bare, How::Sequential]);
        assert_eq!(wanted.ways.len(), 4, "{wanted:?}");
    }
}
