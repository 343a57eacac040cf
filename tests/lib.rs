//! End-to-end tests on a real Postgres; all of them are in `seawall.rs`.
