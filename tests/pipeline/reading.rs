//! A reader that is slower than the server holds the server up, not the memory.

use std::time::Duration;

use futures_util::StreamExt as _;
use seawall::{clock, metrics::OutcomeLabel, pipeline::Strategy};

use super::{pool, within};
use crate::server;

const READS: u64 = 300;
/// Of a megabyte each: as many as fit into the default of `max_bytes`, and one more.
const UNREAD: u64 = 17;

/// Once 800 reads of a megabyte took 1 151 MB: only the bytes of parameters were bounded.
#[tokio::test(flavor = "multi_thread")]
async fn answers_that_nobody_has_read_are_bounded_in_bytes() {
    let (server, _place) = server::any().await;
    let pool = pool(server.endpoint(), |_| {});
    // Those to a transaction are held until it is committed: of two, half of `max_bytes` each.
    for (grouped, most) in [(false, UNREAD + 1), (true, 2 * UNREAD)] {
        let before = pool.metrics().outcomes(OutcomeLabel::Ok);
        let builder = pool.pipeline().group_commit(grouped).batch_size(10);
        let mut pipeline = builder.start().expect("valid");
        let mut results = pipeline.results();
        let reader = tokio::spawn({
            let pool = pool.clone();
            async move {
                let (mut read, mut unread) = (0, 0);
                while let Some(result) = results.next().await {
                    assert!(result.success(), "{:?}", result.outcome());
                    assert_eq!(
                        result.rows().expect("rows")[0].get::<_, &str>(0).len(),
                        1_000_000
                    );
                    let answered = pool.metrics().outcomes(OutcomeLabel::Ok) - before;
                    unread = unread.max(answered - read);
                    read += 1;
                    clock::sleep(Duration::from_millis(5)).await;
                }
                (read, unread)
            }
        });
        for _ in 0..READS {
            let add = pipeline.add("SELECT repeat('x', 1000000)", &[]);
            add.await.expect("added");
        }
        assert!(within(60, pipeline.close()).await.is_empty());
        let (read, unread) = within(20, reader).await.expect("no panic");
        println!("grouped {grouped}: at most {unread} of {read} unread");
        assert_eq!(read, READS);
        assert!(unread <= most, "{unread}");
    }
    server.stop().await.expect("stopped");
}

/// The reader waits for one lane while another has more than enough to be read.
#[tokio::test(flavor = "multi_thread")]
async fn a_lane_that_the_reader_waits_for_is_not_held_up_by_others() {
    let (server, _place) = server::any().await;
    let pool = pool(server.endpoint(), |_| {});
    let builder = pool.pipeline().strategy(Strategy::Parallel).connections(2);
    let builder = builder.batch_size(1).max_bytes(100_000);
    let mut pipeline = builder.start().expect("valid");
    let results = pipeline.results();
    for i in 0..40 {
        // One of the lanes is slow, and both have large answers.
        let slow = "SELECT repeat('x', 60000) FROM pg_sleep(0.02)";
        let sql = if i % 2 == 0 {
            slow
        } else {
            "SELECT repeat('x', 60000)"
        };
        pipeline.add_keyed(i % 2, sql, &[]).await.expect("added");
    }
    let reader = tokio::spawn(results.collect::<Vec<_>>());
    within(20, pipeline.close()).await;
    let results = within(20, reader).await.expect("no panic");
    assert_eq!(results.iter().filter(|result| result.success()).count(), 40);
    server.stop().await.expect("stopped");
}

/// One answer that is larger than the bound by itself is delivered all the same.
#[tokio::test(flavor = "multi_thread")]
async fn an_answer_larger_than_the_bound_is_delivered() {
    let (server, _place) = server::any().await;
    let pool = pool(server.endpoint(), |_| {});
    for grouped in [false, true] {
        let builder = pool.pipeline().group_commit(grouped).max_bytes(1_000);
        let mut pipeline = builder.start().expect("valid");
        let results = pipeline.results();
        for _ in 0..5 {
            let add = pipeline.add("SELECT repeat('x', 1000000)", &[]);
            add.await.expect("added");
        }
        let reader = tokio::spawn(results.collect::<Vec<_>>());
        within(20, pipeline.close()).await;
        let results = within(20, reader).await.expect("no panic");
        assert_eq!(results.iter().filter(|result| result.success()).count(), 5);
        // Without a stream there is nobody to wait for.
        let mut pipeline = pool.pipeline().max_bytes(1_000).start().expect("valid");
        for _ in 0..5 {
            let add = pipeline.add("SELECT repeat('x', 1000000)", &[]);
            add.await.expect("added");
        }
        assert_eq!(within(20, pipeline.flush()).await.len(), 5);
    }
    server.stop().await.expect("stopped");
}
