//! The experiments, one file each; the file asks its question.

pub mod failure_sim;
