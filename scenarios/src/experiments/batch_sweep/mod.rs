//! Which batch size is to be shipped, for each class of queries, and what does a
//! pipeline bring?
//!
//! - [`plan`]: what is measured; `class`: the user's scripts as classes
//! - `queries`: what is run; `own`: of a script; `slice`: a stretch of it, one way; `condition`: all ways
//!   under one condition, round after round
//! - `events`, `balances`: which rows there must be in the end, by what they say (pure);
//!   `answers`: what reads must answer (pure); `look`: reads all rows that are there
//! - `truth`: what the server itself counted; `link`: the one connection that everything
//!   goes through; `bare`: the client of tokio-postgres beside it, which all is compared with
//!
//! Everything of ours goes through one connection of one pool, and the bare client has
//! one as well, through the same proxy: what is compared is how the queries are sent, not
//! how many sessions there are.

mod answers;
mod balances;
mod bare;
mod class;
mod condition;
mod events;
mod link;
mod look;
mod own;
pub mod plan;
mod queries;
mod slice;
mod truth;

use std::{collections::BTreeSet, time::Duration};

use clap::Args;
use reports::{
    experiments::batch_sweep::{
        BatchSweep as Recorded, Class, Data, FULL_ROUNDS, How, Mode, Size as BatchSize,
    },
    run::Run,
};

pub use self::queries::{BUILT_IN, built_in};
pub(crate) use self::{
    class::class_of,
    condition::{Course, carry_out},
};
use self::{
    link::round_trip,
    plan::{ONE_AT_A_TIME, Plan, Wanted, modes},
    queries::{Queries, afresh, tables},
    slice::{Until, Way},
    truth::{prime, truth},
};
use crate::{
    environment::Endpoint,
    experiment::{Experiment, NotRepeatable, Setting, WithRemarks},
    flags::{CliError, Frame, Size},
    load::{scripts::Scripts, workload::Workload},
    stage::{NotPrepared, Stage, Stop},
};

/// Batch sizes of the whole grid, beside the automatic one.
const SIZES: [u32; 10] = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000];
const FEW_SIZES: [u32; 5] = [1, 10, 50, 200, 500];

/// From the same machine to another region. Toxiproxy's latency is in whole
/// milliseconds, each way, so there is nothing between none and this.
const RTTS_US: [u64; 4] = [0, 1_000, 2_000, 10_000];

/// A grid of batch sizes for classes of queries, under conditions.
#[derive(Debug, Clone, PartialEq)]
pub struct BatchSweep {
    plan: Plan,
    scripts: Option<Scripts>,
}

#[derive(Debug, Clone, Copy, Args)]
#[expect(
    missing_docs,
    reason = "clap would show it as the purpose of the command"
)]
pub struct Options {}

impl Experiment for BatchSweep {
    type Recorded = Recorded;
    const ABOUT: &'static str =
        "Which batch size to ship, for each class of queries, and what pipelining brings";
    type Options = Options;

    fn plan(_options: &Options, frame: &Frame) -> Result<WithRemarks<Self>, CliError> {
        let weighted = frame.scripts.iter().flat_map(Scripts::all);
        let weights: BTreeSet<u32> = weighted.map(|of| of.weight).collect();
        let remark = "-f: weights have no effect here: each script is measured by itself";
        let remarks = (weights.len() > 1).then(|| remark.to_owned());
        let planned = Self::new(frame.scripts.clone(), frame.size)?;
        Ok((planned, remarks.into_iter().collect()))
    }

    fn again(run: &Run, data: &Data) -> Result<Self, NotRepeatable> {
        let scripts = crate::experiment::scripts(run)?;
        let planned = Self::new(scripts, crate::experiment::size(run)?);
        let planned = planned.map_err(|error| NotRepeatable {
            reason: error.to_string(),
            allowed: "a run of this version",
        })?;
        let same = |(ours, theirs): (&Class, &Class)| {
            // Whether a script writes was found out later.
            ours.name == theirs.name && ours.statements == theirs.statements
        };
        let classes = planned.plan.classes.iter().zip(&data.classes);
        if planned.plan.classes.len() == data.classes.len() && classes.into_iter().all(same) {
            return Ok(planned);
        }
        Err(NotRepeatable {
            reason: "its classes are not those of this version".to_owned(),
            allowed: "a run of this version",
        })
    }

    /// Queries follow each other: there are no arrivals, no arms and no faults.
    fn setting(&self) -> Setting {
        Setting {
            scripts: self.scripts.clone(),
            ..Setting::default()
        }
    }

    fn nothing_yet(&self) -> Data {
        Data {
            classes: self.plan.classes.clone(),
            conditions: Vec::new(),
        }
    }

    /// Makes the tables of the guide's classes.
    async fn prepare(&self, direct: &Endpoint, workload: &Workload) -> Result<(), NotPrepared> {
        make_tables(&self.plan.classes, direct, workload).await
    }

    async fn run(&self, stage: &mut Stage<'_>, data: &mut Data) -> Result<(), Stop> {
        let course = Course {
            seed: stage.run.seed,
            until: None,
            save: &|stage, data| stage.save(data),
        };
        carry_out(stage, &self.plan, data, &course).await
    }
}

/// Makes the tables of those classes that are the guide's.
pub(crate) async fn make_tables(
    classes: &[Class],
    direct: &Endpoint,
    workload: &Workload,
) -> Result<(), NotPrepared> {
    if classes.iter().any(|class| class.guide_batch.is_some()) {
        let sql = tables(workload.schema());
        workload.beside(direct, "making", &sql).await?;
    }
    Ok(())
}

impl BatchSweep {
    /// Measures the user's own scripts, or the guide's classes if there are none.
    fn new(scripts: Option<Scripts>, size: Size) -> Result<Self, CliError> {
        let classes = match &scripts {
            Some(scripts) => class::classes(scripts)?,
            None => built_in(),
        };
        Ok(Self {
            plan: plan_of(classes, size),
            scripts,
        })
    }
}

/// What is measured of classes.
pub(crate) fn plan_of(classes: Vec<Class>, size: Size) -> Plan {
    let extent = extent(size);
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
    Plan {
        classes,
        conditions,
        rounds: extent.rounds,
        slice: extent.slice,
        longest_batch: extent.longest_batch,
        budget: extent.budget,
    }
}

/// A stretch of queries could not be run. What a query itself was refused for is not
/// among it: that is counted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BatchError {
    /// The pool cannot be made.
    #[error("the pool of the load")]
    Config(#[from] seawall::config::ConfigError),
    /// No connection, no answer, or a server in trouble.
    #[error("the load was not served: {reason}")]
    Lost {
        /// What went wrong, with its causes.
        reason: String,
    },
    /// The session is not as it was asked for.
    #[error("synchronous_commit is {found} in a session that asked for {wanted}")]
    Commit {
        /// What was asked for.
        wanted: &'static str,
        /// What the server says.
        found: String,
    },
    /// No session through the proxy, to measure the round trip with.
    #[error("measuring the round trip")]
    RoundTrip(#[from] crate::environment::EnvironmentError),
}

impl From<BatchError> for Stop {
    fn from(error: BatchError) -> Self {
        Self::Other(Box::new(error))
    }
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
            rounds: FULL_ROUNDS,
            budget: s(15 * 60),
        },
    }
}

fn ways(class: &Class, sizes: &[u32]) -> Vec<How> {
    let sizes: BTreeSet<u32> = sizes.iter().copied().chain(class.guide_batch).collect();
    let pipelined = |mode: Mode, size| How::Pipelined { mode, size };
    let mut ways = ONE_AT_A_TIME.to_vec();
    for mode in modes(class) {
        let fixed = sizes.iter().map(|n| BatchSize::Fixed(*n));
        // An automatic size knows nothing of where a transaction of the user's ends.
        let auto = (!class.transaction).then_some(BatchSize::Auto);
        let sizes = fixed.chain(auto);
        ways.extend(sizes.map(|size| pipelined(*mode, size)));
    }
    ways
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::script::Script;

    fn own(name: &str, writes: bool) -> Class {
        Class {
            name: name.to_owned(),
            about: "the user's own".to_owned(),
            statements: vec!["SELECT 1".to_owned()],
            writes,
            transaction: false,
            guide_batch: None,
        }
    }

    fn plan(size: Size, own: Vec<Class>) -> Plan {
        plan_of(if own.is_empty() { built_in() } else { own }, size)
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
                let expected = 11 * modes(class).len() + 2;
                assert_eq!(wanted.ways.len(), expected, "{}", class.name);
                assert_eq!(wanted.ways[..2], ONE_AT_A_TIME);
            }
        }
    }

    #[test]
    fn six_rounds_are_the_fewest_and_the_guide_s_size_is_always_there() {
        for size in Size::ALL {
            let plan = plan(*size, Vec::new());
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

    #[test]
    fn a_record_alone_is_enough_to_do_its_run_again() {
        let run = Run {
            size: "default".to_owned(),
            ..crate::stage::tests::run("batch-sweep")
        };
        let planned = BatchSweep::new(None, Size::Default).expect("the guide's");
        let again = BatchSweep::again(&run, &planned.nothing_yet());
        assert_eq!(again.expect("repeatable"), planned);

        let read = |file, text| (Script::read(file, text).expect("a script"), 1);
        let scripts = vec![
            read("orders.sql", "UPDATE t SET a = 1"),
            read("reports.sql", "SELECT 1"),
        ];
        let scripts = Scripts::new(scripts, BTreeMap::new(), run.seed).expect("a load");
        let planned = BatchSweep::new(Some(scripts.clone()), Size::Default).expect("a plan");
        let (scripts, variables) = scripts.record();
        let of_user = Run {
            scripts,
            variables,
            ..run.clone()
        };
        let again = BatchSweep::again(&of_user, &planned.nothing_yet());
        assert_eq!(again.expect("repeatable"), planned);

        let mut other = BatchSweep::new(None, Size::Default)
            .expect("the guide's")
            .nothing_yet();
        other.classes[0].statements.push("SELECT 1".to_owned());
        assert!(BatchSweep::again(&run, &other).is_err());
    }
}
