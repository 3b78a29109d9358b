//! The work itself, with its types set aside: what the engine calls.

use std::future::Future;
use std::pin::Pin;

use super::{JobError, Scope};

/// The future of one attempt.
pub type BodyFuture = Pin<Box<dyn Future<Output = Result<(), JobError>> + Send>>;

type AsyncBody = Box<dyn Fn(Scope) -> BodyFuture + Send + Sync>;
type SyncBody = Box<dyn Fn(&Scope) -> Result<(), JobError> + Send + Sync>;

/// What runs when a job is launched; it reads its inputs from the scope and leaves its output
/// there.
pub enum Body {
    /// A future, polled where the run is driven.
    Future(AsyncBody),
    /// A function that may block, called on a thread of its own.
    Blocking(SyncBody),
    /// A function that is quick, called where the run is driven.
    Inline(SyncBody),
}

impl Body {
    /// A body that is a future.
    pub fn future<F, R>(body: F) -> Self
    where
        F: Fn(Scope) -> R + Send + Sync + 'static,
        R: Future<Output = Result<(), JobError>> + Send + 'static,
    {
        Self::Future(Box::new(move |scope| Box::pin(body(scope))))
    }

    /// A body that is a function which may block.
    pub fn blocking<F>(body: F) -> Self
    where
        F: Fn(&Scope) -> Result<(), JobError> + Send + Sync + 'static,
    {
        Self::Blocking(Box::new(body))
    }

    /// A body that is a function which neither blocks nor takes long.
    pub fn inline<F>(body: F) -> Self
    where
        F: Fn(&Scope) -> Result<(), JobError> + Send + Sync + 'static,
    {
        Self::Inline(Box::new(body))
    }

    /// Runs the body without an engine.
    pub(crate) async fn run_detached(&self, scope: Scope) -> Result<(), JobError> {
        match self {
            Self::Future(body) => body(scope).await,
            Self::Blocking(body) | Self::Inline(body) => body(&scope),
        }
    }
}

/// What a fallible job function returns: a `Result` whose error converts into [`JobError`].
#[diagnostic::on_unimplemented(
    message = "a job cannot return `{Self}`",
    note = "return a `Result` whose error is a `JobError` or any type that `?` turns into one"
)]
pub trait IntoJobResult {
    /// The output of the job.
    type Output;

    /// The result with the engine's error type.
    ///
    /// # Errors
    ///
    /// Fails when the job did.
    fn into_job_result(self) -> Result<Self::Output, JobError>;
}

impl<T, E: Into<JobError>> IntoJobResult for Result<T, E> {
    type Output = T;

    #[inline]
    fn into_job_result(self) -> Result<T, JobError> {
        self.map_err(Into::into)
    }
}
