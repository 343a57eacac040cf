//! [`Shape`]: what the server says of a statement, the types of its parameters. Asked once
//! for each statement and pool, so that a pipeline encodes parameters as they are added.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use tokio_postgres::types::Type;

use super::query_kind;
use crate::metrics::QueryKind;

/// A statement, without its parameters.
#[derive(Debug)]
pub(crate) struct Shape {
    pub(crate) sql: Arc<str>,
    pub(crate) params: Vec<Type>,
    pub(crate) kind: QueryKind,
    /// The same for many rows at once, if there is such a statement: worked out when it is
    /// first asked for.
    for_many: OnceLock<Option<String>>,
    stale: AtomicBool,
}

impl Shape {
    pub(crate) fn new(sql: Arc<str>, params: Vec<Type>) -> Self {
        Self {
            kind: query_kind(&sql),
            sql,
            params,
            for_many: OnceLock::new(),
            stale: AtomicBool::new(false),
        }
    }

    /// The statement that does the same for many rows at once, as `rewrite` has it.
    pub(crate) fn for_many(
        &self,
        rewrite: impl FnOnce(&str, &[Type]) -> Option<String>,
    ) -> Option<&str> {
        let rewritten = self
            .for_many
            .get_or_init(|| rewrite(&self.sql, &self.params));
        rewritten.as_deref()
    }

    /// Whether the types of its parameters have changed since.
    pub(crate) fn is_stale(&self) -> bool {
        self.stale.load(Ordering::Relaxed)
    }
}

/// The statements that the server has described, up to a bound.
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

    pub(crate) fn find(&self, sql: &str) -> Option<Arc<Shape>> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(sql).cloned()
    }

    /// Keeps what the server said of a statement. The others are forgotten when there are
    /// too many, as the statements of a connection are.
    pub(crate) fn keep(&self, sql: &str, params: &[Type]) -> Arc<Shape> {
        let sql: Arc<str> = sql.into();
        let shape = Arc::new(Shape::new(sql.clone(), params.to_vec()));
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= self.most {
            known.clear();
        }
        known.insert(sql, shape.clone());
        shape
    }

    /// Forgets a statement whose types may have changed.
    pub(crate) fn forget(&self, sql: &str) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(shape) = known.remove(sql) {
            shape.stale.store(true, Ordering::Relaxed);
        }
    }
}
