//! What the API answers when it refuses: Toxiproxy's words and statuses.

use axum::http::StatusCode;
use serde::Serialize;

use crate::proxy::AddressError;
use crate::toxic::AttributeError;

/// A refused call.
#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum ApiError {
    #[error("bad request body: {0}")]
    BadBody(String),
    #[error("bad request body: more than {max_bytes} bytes")]
    BodyTooLarge { max_bytes: usize },
    #[error("missing required field: {0}")]
    MissingField(&'static str),
    #[error("missing required field: {field} at proxy {position}")]
    MissingFieldAt {
        field: &'static str,
        position: usize,
    },
    #[error("stream was invalid, can be either upstream or downstream")]
    InvalidStream,
    #[error("invalid toxic type")]
    InvalidToxicType,
    #[error("too many {what}, at most {max} are allowed")]
    TooMany { what: &'static str, max: usize },
    #[error("proxy not found")]
    ProxyNotFound,
    #[error("toxic not found")]
    ToxicNotFound,
    #[error("proxy already exists")]
    ProxyExists,
    #[error("toxic already exists")]
    ToxicExists,
    #[error("{0}")]
    Address(#[from] AddressError),
    #[error("the server is shutting down")]
    ShuttingDown,
}

impl ApiError {
    pub(crate) fn status(&self) -> StatusCode {
        match self {
            Self::BadBody(_)
            | Self::MissingField(_)
            | Self::MissingFieldAt { .. }
            | Self::InvalidStream
            | Self::InvalidToxicType
            | Self::TooMany { .. } => StatusCode::BAD_REQUEST,
            Self::BodyTooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::ProxyNotFound | Self::ToxicNotFound => StatusCode::NOT_FOUND,
            Self::ProxyExists | Self::ToxicExists => StatusCode::CONFLICT,
            Self::Address(_) => StatusCode::INTERNAL_SERVER_ERROR,
            Self::ShuttingDown => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// The error as the API shows it.
    pub(crate) fn view(&self) -> ErrorView {
        ErrorView {
            error: self.to_string(),
            status: self.status().as_u16(),
        }
    }
}

impl From<AttributeError> for ApiError {
    fn from(error: AttributeError) -> Self {
        Self::BadBody(error.to_string())
    }
}

/// An error's JSON.
#[derive(Debug, Serialize)]
pub(crate) struct ErrorView {
    error: String,
    status: u16,
}
