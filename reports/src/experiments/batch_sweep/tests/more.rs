//! Which flag gives more rounds.

use super::*;

#[test]
fn too_few_rounds_name_the_flag_that_gives_more() {
    let said = |size: &str, ended: Ended, rounds: usize| {
        let mut record = exact(|_, _| 5.0);
        record.run.size = size.to_owned();
        record.run.ended = ended;
        conditions(&mut record)[3].rounds.truncate(rounds);
        let verdict = judge(&record);
        let few = claim(&verdict, "seawall", "throughput");
        reason(few).rsplit(": ").next().unwrap().to_owned()
    };
    assert_eq!(said("quick", Ended::Complete, 5), "run without --quick");
    assert_eq!(said("default", Ended::Complete, 1), "run with --full");
    let full = said("full", Ended::Complete, 5);
    assert!(full.starts_with("fewer or quicker statements"), "{full}");
    let stopped = said("quick", Ended::Interrupted, 5);
    assert_eq!(stopped, "let it run to its end");
}

#[test]
fn what_would_settle_it_is_a_flag_where_there_is_one() {
    let mut run = usual_batches().run;
    let said = |run: &Run, n| More::of(run).for_rounds(n);
    assert_eq!(said(&run, 12), "--full has at least 16");
    assert_eq!(said(&run, 17), "--full has 16 to 30");
    assert_eq!(said(&run, 31), "a quieter machine may need fewer");
    run.size = "full".to_owned();
    assert_eq!(said(&run, 17), "a quieter machine may need fewer");
}
