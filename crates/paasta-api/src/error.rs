//! How a question fails: a status and a JSON body that says why (cli.md §4.3).

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use paasta_api_client::{ErrorBody, ErrorDetail};

/// Why a question was not answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    status: StatusCode,
    detail: ErrorDetail,
}

impl Failure {
    pub(crate) fn new(status: StatusCode, code: &str, message: impl Into<String>) -> Self {
        let detail = ErrorDetail { code: code.to_owned(), message: message.into(), detail: Vec::new() };
        Self { status, detail }
    }

    /// What stands in the way, with everything that caused it.
    pub(crate) fn of(status: StatusCode, code: &str, error: &dyn std::error::Error) -> Self {
        let causes = std::iter::successors(error.source(), |cause| cause.source());
        let detail = causes.map(ToString::to_string).collect();
        Self { status, detail: ErrorDetail { code: code.to_owned(), message: error.to_string(), detail } }
    }

    /// What kind of failure it is, in snake case.
    pub(crate) fn code(&self) -> &str {
        &self.detail.code
    }

    /// It and everything that caused it, in one line.
    pub(crate) fn message(&self) -> String {
        let parts: Vec<&str> =
            std::iter::once(&self.detail.message).chain(&self.detail.detail).map(String::as_str).collect();
        parts.join(": ")
    }

    pub(crate) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad_request", message)
    }

    pub(crate) fn not_found(code: &str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, code, message)
    }

    pub(crate) fn internal(error: &dyn std::error::Error) -> Self {
        Self::of(StatusCode::INTERNAL_SERVER_ERROR, "internal", error)
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        if self.status.is_server_error() {
            tracing::warn!(code = %self.detail.code, message = %self.detail.message, "could not answer");
        }
        (self.status, Json(ErrorBody { error: self.detail })).into_response()
    }
}
