//! What the server says of a statement: the types of its parameters. Asked once for
//! each statement and pool, so that parameters are encoded as they are added.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use tokio_postgres::types::Type;

use super::unnest::{self, Unnest};

/// A statement, without its parameters.
#[derive(Debug)]
pub(super) struct Shape {
    pub(super) sql: Arc<str>,
    pub(super) params: Vec<Type>,
    /// The same for many rows at once, if it is an insert that can be had so.
    pub(super) unnest: Option<Unnest>,
    /// Its types have changed since.
    pub(super) stale: AtomicBool,
}

/// The statements that are known, up to a bound.
#[derive(Debug)]
pub(crate) struct Shapes {
    known: Mutex<HashMap<Arc<str>, Arc<Shape>>>,
    most: usize,
}

impl Shapes {
    pub(crate) fn new(most: usize) -> Self {
        Self {
            known: Mutex::default(),
            most,
        }
    }

    pub(super) fn find(&self, sql: &str) -> Option<Arc<Shape>> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(sql).cloned()
    }

    /// Keeps what the server said. Emptied when it outgrows its bound, as the
    /// statements of a connection are.
    pub(super) fn keep(&self, sql: &str, params: &[Type]) -> Arc<Shape> {
        let sql: Arc<str> = sql.into();
        let shape = Arc::new(Shape {
            unnest: unnest::of(&sql, params),
            params: params.to_vec(),
            sql: sql.clone(),
            stale: AtomicBool::new(false),
        });
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= self.most {
            known.clear();
        }
        known.insert(sql, shape.clone());
        shape
    }

    /// Forgets a statement whose types may have changed.
    pub(super) fn forget(&self, sql: &str) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(shape) = known.remove(sql) {
            shape.stale.store(true, Ordering::Relaxed);
        }
    }
}
