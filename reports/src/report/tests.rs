//! A record of a million operations is read, judged and written within the memory that a
//! small machine has to spare.
//!
//! Bytes are counted, and no time: how long it takes is told by `examples/million.rs`.

use crate::{Data, Record, judge, run::Operations, synthetic, write};
use allocation_counter::measure;

const MILLION: usize = 1_000_000;
const MB: u64 = 1_000_000;

/// Every operation comes as often as it takes, of a load that is as many times its rate.
fn large() -> Record {
    let mut record = synthetic::record(7, 2, &["bare", "careful", "seawall"]);
    let Data::FailureSim(data) = &mut record.data else {
        panic!("data of another experiment");
    };
    let all = data.injections.iter();
    let there: usize = all.map(|i| i.operations.latencies_us.len()).sum();
    let by = MILLION.div_ceil(there);
    for injection in &mut data.injections {
        let few = std::mem::take(&mut injection.operations);
        let letters = |text: &str| {
            text.chars()
                .flat_map(|c| std::iter::repeat_n(c, by))
                .collect()
        };
        let times = |all: Vec<u64>| {
            let each = all.into_iter().flat_map(|us| std::iter::repeat_n(us, by));
            each.collect()
        };
        injection.operations = Operations {
            kinds: letters(&few.kinds),
            outcomes: letters(&few.outcomes),
            latencies_us: times(few.latencies_us),
            lags_us: times(few.lags_us),
            due_us: Vec::new(),
        };
    }
    data.load.rate_per_s *= u32::try_from(by).expect("a few");
    record
}

#[test]
fn a_million_operations_take_no_more_than_a_small_machine_has() {
    let folder = std::env::temp_dir().join(format!("reports-million-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    let path = folder.join("record.json");
    large().save(&path).expect("saved");
    let file = std::fs::metadata(&path).expect("its size").len();
    let mut peaks = Vec::new();
    let mut operations = 0;
    let all = measure(|| {
        let mut record = None;
        let load = measure(|| record = Some(Record::load(&path).expect("a record")));
        let record = record.expect("it was read");
        let mut report = None;
        let judged = measure(|| report = Some(judge(&record)));
        let report = report.expect("it was judged");
        let written = measure(|| write(&report, &folder).expect("written"));
        let Data::FailureSim(data) = &record.data else {
            panic!("data of another experiment");
        };
        let each = data.injections.iter();
        operations = each.map(|i| i.operations.latencies_us.len()).sum();
        peaks = [load, judged, written].map(|info| info.bytes_max).to_vec();
    });
    let html = std::fs::metadata(folder.join("report.html"))
        .expect("a page")
        .len();
    std::fs::remove_dir_all(&folder).expect("removed");
    assert!(operations >= MILLION, "{operations}");
    let said = format!(
        "{peaks:?} bytes at most, {} in all; {file} on disk, {html} of page",
        all.bytes_max
    );
    // 26 bytes of columns each, of vectors that double, and the text that they are read from.
    assert!(all.bytes_max < 200 * MB, "{said}");
    assert!(file < 30 * MB, "{said}");
    // What is drawn is drawn together, not one by one.
    assert!(html < 10 * MB, "{said}");
}
