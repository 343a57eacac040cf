//! End-to-end tests, on a real Postgres where Postgres is the subject.
//!
//! They need PostgreSQL's binaries and a Docker engine with an image. On a machine
//! that has only one of the two, say so with `SEAWALL_TEST_ENV=local` or
//! `SEAWALL_TEST_ENV=docker`: without it a missing one is a failure, never a pass.
//! The fault proxy is also driven with `psql`, `pgbench` and a Python client, and the engine
//! stands behind PgBouncer. What Prometheus reads is checked with its own `promtool`.

mod abandoned;
mod answers;
mod batch_sweep;
mod breaker_sweep;
mod command;
mod crash;
mod dashboard;
mod engine;
mod environment;
mod external;
mod failure_sim;
mod faults;
mod gate;
mod live_view;
mod monitoring;
mod near_capacity;
mod observability;
mod own_data;
mod pgbouncer;
mod pipeline;
mod planted;
mod programs;
mod prometheus;
mod proxy_clients;
mod proxy_postgres;
mod python_client;
mod reachable;
mod reap;
mod relay;
mod runner;
mod scripts;
mod server;
mod serving;
mod steady;
mod tidy;
mod toxics;
mod tune;
