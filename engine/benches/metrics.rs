//! What it costs to record a query, on one thread and on two at once, and to read all of it.
//!
//!     cargo bench -p seawall --features prometheus --bench metrics

#![expect(
    missing_docs,
    reason = "criterion's macro makes a function without any"
)]

use std::{
    hint::black_box,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use criterion::{Criterion, criterion_group, criterion_main};
use seawall::{
    Pool, PoolConfig,
    exposition::{Format, text},
    metrics::{Metrics, QueryKind, ResultLabel},
};

fn record(metrics: &Metrics, us: u64) {
    let took = Some(Duration::from_micros(us));
    metrics.query(QueryKind::Select, ResultLabel::Ok, took);
}

fn recording(c: &mut Criterion) {
    let metrics = Arc::new(Metrics::default());
    let mut us = 0_u64;
    let mut next = move || {
        us = us.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (us >> 40) % 5_000
    };
    c.bench_function("record/alone", |b| b.iter(|| record(&metrics, next())));
    let (other, end) = (metrics.clone(), Arc::new(AtomicBool::new(false)));
    let until = end.clone();
    let busy = std::thread::spawn(move || {
        let mut us = 0;
        while !until.load(Ordering::Relaxed) {
            record(&other, us % 5_000);
            us += 1;
        }
    });
    c.bench_function("record/beside another", |b| {
        b.iter(|| record(&metrics, next()));
    });
    end.store(true, Ordering::Relaxed);
    drop(busy.join());
    c.bench_function("snapshot", |b| b.iter(|| black_box(metrics.snapshot())));
}

fn reading(c: &mut Criterion) {
    let pools: Vec<Pool> = (0..10)
        .filter_map(|i| {
            let config = PoolConfig {
                name: format!("pool-{i}"),
                ..PoolConfig::default()
            };
            Pool::new(config).ok()
        })
        .collect();
    for pool in &pools {
        for us in 0..20_000 {
            record(pool.metrics(), us % 7_000);
        }
    }
    let watched: Vec<_> = pools.iter().map(Pool::watched).collect();
    for (name, format) in [("text", Format::Text), ("openmetrics", Format::OpenMetrics)] {
        c.bench_function(&format!("scrape of 10 pools/{name}"), |b| {
            b.iter(|| black_box(text(&watched, format)));
        });
    }
    c.bench_function("status", |b| {
        b.iter(|| black_box(pools[0].comprehensive_status()));
    });
}

criterion_group!(benches, recording, reading);
criterion_main!(benches);
