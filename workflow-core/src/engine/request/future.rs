//! The future of a request, which drives the run where it is awaited.

use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures::future::BoxFuture;

use super::{RunRequest, Waits};
use crate::engine::active::ActiveRun;
use crate::engine::handle::cancel_waiting;
use crate::engine::runtime::{Caller, Runtime, Unconstrained, unconstrained};
use crate::engine::state::Role;
use crate::engine::worker::driver::Driver;
use crate::run::{Report, RunError};

impl IntoFuture for RunRequest {
    type Output = Result<Report, RunError>;
    type IntoFuture = RunFuture;

    fn into_future(self) -> RunFuture {
        RunFuture(Stage::Asked(Some(self)))
    }
}

/// The future of a [`RunRequest`], which drives the run where it is awaited. Dropping it before the
/// end cancels the run.
#[must_use = "a run begins when it is awaited"]
pub struct RunFuture(Stage);

#[expect(clippy::large_enum_variant, reason = "a box would be one allocation for every run")]
enum Stage {
    /// `None` once the run failed to start: polled again, the future stays pending.
    Asked(Option<RunRequest>),
    Running {
        run: Arc<ActiveRun>,
        /// `None` if the run is driven in the background.
        driver: Option<Unconstrained<Driver>>,
    },
    /// The run has ended, or another one stands for it, or it waits for its limits.
    Ended {
        run: Arc<ActiveRun>,
        report: BoxFuture<'static, Result<Report, RunError>>,
        is_over: bool,
    },
}

impl Future for RunFuture {
    type Output = Result<Report, RunError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if let Stage::Asked(request) = &mut self.0 {
            let Some(request) = request.take() else { return Poll::Pending };
            let run = match request.begin(Runtime::current(), Waits::Yes) {
                Ok(run) => run,
                Err(error) => return Poll::Ready(Err(error)),
            };
            let here = run.manual_clock().is_none() || Caller::here() != Caller::Worker;
            let driver = here.then(|| unconstrained(Driver::new(Arc::clone(&run), Role::Driver)));
            if driver.is_none() {
                run.drive_in_background();
            }
            self.0 = Stage::Running { run, driver };
        }
        if let Stage::Running { run, driver } = &mut self.0 {
            let is_over = match driver {
                Some(driver) => Pin::new(driver).poll(cx).is_ready(),
                None => run.poll_end(cx).is_ready(),
            };
            if !is_over {
                return Poll::Pending;
            }
            if let Some(settled) = run.settled() {
                return Poll::Ready(settled);
            }
            let run = Arc::clone(run);
            let followed = Arc::clone(&run);
            let report = Box::pin(async move { followed.outcome().await });
            self.0 = Stage::Ended { run, report, is_over: false };
        }
        let Stage::Ended { report, is_over, .. } = &mut self.0 else { return Poll::Pending };
        let polled = report.as_mut().poll(cx);
        *is_over = polled.is_ready();
        polled
    }
}

impl Drop for RunFuture {
    fn drop(&mut self) {
        match &self.0 {
            Stage::Running { run, driver } if run.report().is_none() => {
                run.cancel();
                cancel_waiting(run);
                if driver.is_some() {
                    run.drive_in_background();
                }
            }
            // It waits for its limits, or continues after that.
            Stage::Ended { run, is_over: false, .. } => cancel_waiting(run),
            _ => {}
        }
    }
}
