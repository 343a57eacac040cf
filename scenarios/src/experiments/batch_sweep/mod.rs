//! Which batch size is to be shipped, for which class of queries?
//!
//! The guide recommends one for each of its classes and promises a throughput of two to
//! ten times that of a query at a time. Both depend on what a round trip takes and on
//! whether a commit waits for the disk, so those are varied; for reads only the first.
//! With files of the user's (`-f`), the same is asked of their queries.

use std::{collections::BTreeSet, time::Duration};

use reports::{
    Record,
    record::{Class, How, Mode, Settings, Size as BatchSize},
};

use super::failure_sim::Size;
use crate::{
    load::batch::{
        built_in,
        plan::{Plan, Wanted, modes},
    },
    runner::Scenario,
};

/// Batch sizes of the whole grid, beside the automatic one.
const SIZES: [u32; 10] = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000];
const FEW_SIZES: [u32; 5] = [1, 10, 50, 200, 500];

/// From the same machine to another region. Toxiproxy's latency is in whole
/// milliseconds, each way, so there is nothing between none and this.
const RTTS_US: [u64; 4] = [0, 1_000, 2_000, 10_000];

/// What the user may set.
#[derive(Debug, Clone)]
pub struct Options {
    /// How long.
    pub size: Size,
    /// Everything random comes from it.
    pub seed: u64,
    /// The user's own classes; none: the guide's.
    pub own: Vec<Class>,
}

/// How long a sweep of a size takes, and what is in it.
struct Extent {
    sizes: &'static [u32],
    rtts_us: &'static [u64],
    slice: Duration,
    longest_batch: Duration,
    rounds: u32,
    budget: Duration,
}

fn extent(size: Size) -> Extent {
    let (ms, s) = (Duration::from_millis, Duration::from_secs);
    match size {
        Size::Quick => Extent {
            sizes: &FEW_SIZES,
            rtts_us: &[0, 2_000],
            slice: ms(30),
            longest_batch: ms(150),
            rounds: 6,
            budget: s(34),
        },
        Size::Default => Extent {
            sizes: &SIZES,
            rtts_us: &RTTS_US,
            slice: ms(50),
            longest_batch: ms(250),
            rounds: 6,
            budget: s(135),
        },
        Size::Full => Extent {
            sizes: &SIZES,
            rtts_us: &RTTS_US,
            slice: ms(100),
            longest_batch: s(3),
            rounds: 16,
            budget: s(15 * 60),
        },
    }
}

/// The scenario.
#[must_use]
pub fn scenario(options: &Options) -> Scenario {
    let extent = extent(options.size);
    let classes = if options.own.is_empty() {
        built_in()
    } else {
        options.own.clone()
    };
    let mut conditions = Vec::new();
    for (index, class) in classes.iter().enumerate() {
        for rtt_us in extent.rtts_us {
            // Reads commit nothing.
            let commits: &[bool] = if class.writes {
                &[true, false]
            } else {
                &[true]
            };
            conditions.extend(commits.iter().map(|synchronous_commit| Wanted {
                class: index,
                rtt: Duration::from_micros(*rtt_us),
                synchronous_commit: *synchronous_commit,
                ways: ways(class, extent.sizes),
            }));
        }
    }
    Scenario {
        command: "batch-sweep".to_owned(),
        seed: options.seed,
        settings: settings(options.size),
        arms: Vec::new(),
        plan: None,
        schedule: Vec::new(),
        steady_patience: Duration::ZERO,
        sweep: None,
        batches: Some(Plan {
            classes,
            conditions,
            rounds: extent.rounds,
            slice: extent.slice,
            longest_batch: extent.longest_batch,
            budget: extent.budget,
        }),
    }
}

/// There are no arrivals and no faults: queries follow each other.
fn settings(size: Size) -> Settings {
    Settings {
        size: size.name().to_owned(),
        rate_per_s: 0,
        deadline_us: 0,
        max_in_flight: 0,
        write_share: 0.0,
        horizon_us: 0,
        patience_us: 0,
        steady_ok_share: 0.0,
        steady_p99_us: 0,
    }
}

fn ways(class: &Class, sizes: &[u32]) -> Vec<How> {
    let sizes: BTreeSet<u32> = sizes.iter().copied().chain(class.guide_batch).collect();
    let pipelined = |mode: Mode, size| How::Pipelined { mode, size };
    let mut ways = vec![How::Sequential];
    for mode in modes(class) {
        let fixed = sizes.iter().map(|n| BatchSize::Fixed(*n));
        let sizes = fixed.chain([BatchSize::Auto]);
        ways.extend(sizes.map(|size| pipelined(*mode, size)));
    }
    ways
}

/// The scenario of an earlier run.
///
/// # Errors
/// Why not, and what would do.
pub fn replay(record: &Record) -> Result<Scenario, (String, &'static str)> {
    let no = |reason: &str| Err((reason.to_owned(), "a run of this version"));
    let Some(batches) = &record.batches else {
        return no("it swept no batch sizes");
    };
    let own = |class: &&Class| class.guide_batch.is_none();
    let own: Vec<Class> = batches.classes.iter().filter(own).cloned().collect();
    let scenario = scenario(&Options {
        size: Size::of(record)?,
        seed: record.seed,
        own,
    });
    let same = |plan: &Plan| plan.classes == batches.classes;
    if scenario.batches.as_ref().is_some_and(same) {
        Ok(scenario)
    } else {
        no("its classes are not those of this version")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own(name: &str, writes: bool) -> Class {
        Class {
            name: name.to_owned(),
            about: "the user's own".to_owned(),
            statements: vec!["SELECT 1".to_owned()],
            writes,
            guide_batch: None,
        }
    }

    fn plan(size: Size, own: Vec<Class>) -> Plan {
        let options = Options { size, seed: 5, own };
        scenario(&options).batches.expect("a plan")
    }

    #[test]
    fn the_whole_grid_is_in_a_default_and_a_full_run() {
        for size in [Size::Default, Size::Full] {
            let plan = plan(size, Vec::new());
            // Two classes that write, two that read, four round-trip times.
            assert_eq!(plan.conditions.len(), 2 * 4 * 2 + 2 * 4);
            for wanted in &plan.conditions {
                let class = &plan.classes[wanted.class];
                // Ten sizes and the automatic one in each mode, and one at a time.
                let expected = 11 * modes(class).len() + 1;
                assert_eq!(wanted.ways.len(), expected, "{}", class.name);
                assert_eq!(wanted.ways[0], How::Sequential);
            }
        }
    }

    #[test]
    fn six_rounds_are_the_fewest_and_the_guide_s_size_is_always_there() {
        for size in [Size::Quick, Size::Default, Size::Full] {
            let plan = plan(size, Vec::new());
            assert!(plan.rounds >= 6);
            for wanted in &plan.conditions {
                let class = &plan.classes[wanted.class];
                let guide = class.guide_batch.expect("the guide's");
                for mode in modes(class) {
                    for size in [BatchSize::Fixed(guide), BatchSize::Auto] {
                        let way = How::Pipelined { mode: *mode, size };
                        assert!(wanted.ways.contains(&way), "{}", class.name);
                    }
                }
            }
        }
    }

    #[test]
    fn modes_are_those_that_tell_something() {
        let of = |name: &str| {
            let mut classes = built_in().into_iter();
            let class = classes.find(|class| class.name == name);
            modes(&class.expect("it is one")).to_vec()
        };
        let (autocommit, one) = (Mode::Autocommit, Mode::OneTransaction);
        assert_eq!(of("small-events"), [autocommit, one]);
        assert_eq!(of("updates"), [one]);
        assert_eq!(of("joins"), [Mode::Reads]);
        assert_eq!(modes(&own("updates", true)), [autocommit, one]);
        assert_eq!(modes(&own("reports", false)), [Mode::Reads]);
    }

    #[test]
    fn with_files_only_those_are_measured_and_reads_have_no_commit() {
        let plan = plan(
            Size::Quick,
            vec![own("orders", true), own("reports", false)],
        );
        let names: Vec<_> = plan.classes.iter().map(|class| &*class.name).collect();
        assert_eq!(names, ["orders", "reports"]);
        let of = |class| plan.conditions.iter().filter(move |c| c.class == class);
        assert_eq!((of(0).count(), of(1).count()), (4, 2));
        assert!(of(1).all(|wanted| wanted.synchronous_commit));
    }
}
