//! Type-erased bodies of jobs, which the engine calls.

use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::Waker;
use std::task::{Context, Poll};

use super::attempt_io::RunValues;
use super::{AttemptIo, JobError};
use crate::guard;

/// The future of one attempt.
pub(crate) type BodyFuture = Pin<Box<dyn Future<Output = Result<(), JobError>> + Send>>;

/// The code of a job: it reads its inputs from an [`AttemptIo`] and sets its output there.
pub struct Body {
    pub(crate) kind: BodyKind,
    work: Box<dyn Work>,
}

/// The threads on which a body may be called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BodyKind {
    /// Any thread: it is a future, or a quick function.
    Anywhere,
    /// A thread that may block.
    OnThread,
}

/// The result of calling a body.
pub(crate) enum Started {
    /// The future was polled once, and waits.
    Future(BodyFuture),
    Ended(Result<(), JobError>),
}

impl Body {
    /// Creates a body from an async function, which the engine polls on the run's executor.
    pub fn future<F, R>(body: F) -> Self
    where
        F: Fn(AttemptIo) -> R + Send + Sync + 'static,
        R: Future<Output = Result<(), JobError>> + Send + 'static,
    {
        let body = move |io, cx: &mut Context<'_>| {
            let mut future = Box::pin(body(io));
            match future.as_mut().poll(cx) {
                Poll::Ready(result) => Started::Ended(result),
                Poll::Pending => Started::Future(future),
            }
        };
        Self { kind: BodyKind::Anywhere, work: Box::new(body) }
    }

    /// Creates a body from a function that may block, called on a separate thread.
    pub fn blocking<F>(body: F) -> Self
    where
        F: Fn(&AttemptIo) -> Result<(), JobError> + Send + Sync + 'static,
    {
        let body = move |io: AttemptIo, _: &mut Context<'_>| Started::Ended(body(&io));
        Self { kind: BodyKind::OnThread, work: Box::new(body) }
    }

    /// Creates a body from a quick function that does not block, called on the run's executor.
    pub fn inline<F>(body: F) -> Self
    where
        F: Fn(&AttemptIo) -> Result<(), JobError> + Send + Sync + 'static,
    {
        let body = move |io: AttemptIo, _: &mut Context<'_>| Started::Ended(body(&io));
        Self { kind: BodyKind::Anywhere, work: Box::new(body) }
    }

    pub(crate) fn start(&self, io: AttemptIo, cx: &mut Context<'_>) -> Started {
        self.work.start(io, cx)
    }

    /// The type of the function, with the types of its bound arguments.
    pub(crate) fn function_type(&self) -> TypeId {
        self.work.function_type()
    }

    /// Calls a body that is not a future.
    pub(crate) fn call(&self, io: AttemptIo) -> Result<(), JobError> {
        match self.start(io, &mut Context::from_waker(Waker::noop())) {
            Started::Ended(result) => result,
            Started::Future(_) => Err(JobError::terminal(
                "the job is async and cannot be called on a blocking thread",
            )),
        }
    }

    /// Runs the body outside of an engine, or as a part of another body.
    pub(crate) async fn run(&self, io: AttemptIo) -> Result<(), JobError> {
        match poll_fn(|cx| Poll::Ready(self.start(io.clone(), cx))).await {
            Started::Future(future) => future.await,
            Started::Ended(result) => result,
        }
    }
}

trait Work: Send + Sync {
    fn start(&self, io: AttemptIo, cx: &mut Context<'_>) -> Started;

    /// Moves the body next to other bodies of its type.
    fn move_to_arena(self: Box<Self>, bodies: &mut Bodies) -> Place;

    fn function_type(&self) -> TypeId;
}

/// The concrete type of a body: called once per attempt, and polled once if it is a future.
trait Start: Fn(AttemptIo, &mut Context<'_>) -> Started + Send + Sync + 'static {}

impl<F: Fn(AttemptIo, &mut Context<'_>) -> Started + Send + Sync + 'static> Start for F {}

impl<F: Start> Work for F {
    fn start(&self, io: AttemptIo, cx: &mut Context<'_>) -> Started {
        self(io, cx)
    }

    fn move_to_arena(self: Box<Self>, bodies: &mut Bodies) -> Place {
        bodies.put(*self)
    }

    fn function_type(&self) -> TypeId {
        TypeId::of::<F>()
    }
}

/// The bodies of a graph, grouped by type and in the order of the graph. A run then reads them
/// sequentially, which saves a cache miss per job in a graph of a hundred thousand jobs.
#[derive(Default)]
pub(crate) struct Bodies {
    arenas: Vec<Box<dyn Arena>>,
    places: Vec<Place>,
    arena_of: HashMap<TypeId, u32>,
    latest: Option<(TypeId, u32)>,
}

#[derive(Clone, Copy)]
struct Place {
    arena: u32,
    row: u32,
}

trait Arena: Send + Sync {
    /// Calls a body. The `AttemptIo` is created here, in its final place, because moving it costs
    /// more than creating it.
    fn start(
        &self,
        row: usize,
        run_values: &Arc<RunValues>,
        job: u32,
        attempt: u32,
        cx: &mut Context<'_>,
    ) -> Started;

    /// Calls a body with this `AttemptIo`.
    fn start_in(&self, row: usize, io: AttemptIo, cx: &mut Context<'_>) -> Started;

    fn len(&self) -> usize;

    /// Reorders the bodies: `order[new]` is the old row. Overwrites `order`.
    fn reorder(&mut self, order: &mut [u32]);

    fn as_any(&mut self) -> &mut dyn Any;
}

struct ArenaOf<F>(Vec<F>);

/// Bodies own the constants of their calls, whose destructors may panic.
impl<F> Drop for ArenaOf<F> {
    fn drop(&mut self) {
        guard::clear(&mut self.0);
    }
}

impl<F: Start> Arena for ArenaOf<F> {
    fn start(
        &self,
        row: usize,
        run_values: &Arc<RunValues>,
        job: u32,
        attempt: u32,
        cx: &mut Context<'_>,
    ) -> Started {
        self.0[row](AttemptIo::graph(Arc::clone(run_values), job, attempt), cx)
    }

    fn start_in(&self, row: usize, io: AttemptIo, cx: &mut Context<'_>) -> Started {
        self.0[row](io, cx)
    }

    fn len(&self) -> usize {
        self.0.len()
    }

    fn reorder(&mut self, order: &mut [u32]) {
        reorder(&mut self.0, order);
    }

    fn as_any(&mut self) -> &mut dyn Any {
        self
    }
}

impl Bodies {
    pub(crate) fn with_capacity(jobs: usize) -> Self {
        Self { places: Vec::with_capacity(jobs), ..Self::default() }
    }

    pub(crate) fn len(&self) -> usize {
        self.places.len()
    }

    /// Adds the body of the next job.
    pub(crate) fn push(&mut self, body: Body) {
        let place = body.work.move_to_arena(self);
        self.places.push(place);
    }

    fn put<F: Start>(&mut self, body: F) -> Place {
        let kind = TypeId::of::<F>();
        let arena = match self.latest {
            Some((latest, arena)) if latest == kind => arena,
            _ => self.find_arena::<F>(kind),
        };
        let bodies = self.arenas[arena as usize].as_any().downcast_mut::<ArenaOf<F>>();
        let row = bodies.map_or(0, |bodies| {
            bodies.0.push(body);
            bodies.0.len() - 1
        });
        Place { arena, row: row as u32 }
    }

    fn find_arena<F: Start>(&mut self, kind: TypeId) -> u32 {
        let arenas = &mut self.arenas;
        let arena = *self.arena_of.entry(kind).or_insert_with(|| {
            // Room for all jobs: a large graph has few types of bodies, and the system does not
            // allocate memory that is never written.
            let room = if arenas.is_empty() { self.places.capacity() } else { 0 };
            arenas.push(Box::new(ArenaOf::<F>(Vec::with_capacity(room))));
            (arenas.len() - 1) as u32
        });
        self.latest = Some((kind, arena));
        arena
    }

    /// Reorders the bodies for the graph: `order[new]` is the old number of a job.
    pub(crate) fn reorder(&mut self, order: &[u32]) {
        if order.is_sorted() {
            return;
        }
        let rows = self.arenas.iter().map(|arena| Vec::with_capacity(arena.len()));
        let mut rows: Vec<Vec<u32>> = rows.collect();
        let places = order.iter().map(|old| {
            let Place { arena, row } = self.places[*old as usize];
            let rows = &mut rows[arena as usize];
            rows.push(row);
            Place { arena, row: (rows.len() - 1) as u32 }
        });
        self.places = places.collect();
        for (arena, rows) in self.arenas.iter_mut().zip(&mut rows) {
            arena.reorder(rows);
        }
    }

    /// Calls the body of a job; `None` if the graph has no such job.
    #[inline]
    pub(crate) fn start(
        &self,
        job: u32,
        attempt: u32,
        run_values: &Arc<RunValues>,
        cx: &mut Context<'_>,
    ) -> Option<Started> {
        let place = self.places.get(job as usize)?;
        Some(self.arenas[place.arena as usize].start(
            place.row as usize,
            run_values,
            job,
            attempt,
            cx,
        ))
    }
}

impl Bodies {
    /// Calls the body of a job outside of its run.
    pub(crate) fn start_in(&self, job: u32, io: AttemptIo, cx: &mut Context<'_>) -> Started {
        match self.places.get(job as usize) {
            Some(place) => self.arenas[place.arena as usize].start_in(place.row as usize, io, cx),
            None => Started::Ended(Err(JobError::terminal("the job has no body"))),
        }
    }
}

/// Reorders the items in place, cycle by cycle.
fn reorder<T>(items: &mut [T], order: &mut [u32]) {
    for first in 0..order.len() {
        let mut new = first;
        loop {
            let old = std::mem::replace(&mut order[new], new as u32) as usize;
            if old == first {
                break;
            }
            items.swap(new, old);
            new = old;
        }
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn items_follow_every_cycle_of_an_order() {
        let mut items = ["a", "b", "c", "d", "e", "f"];
        super::reorder(&mut items, &mut [2, 4, 3, 0, 1, 5]);
        assert_eq!(items, ["c", "e", "d", "a", "b", "f"]);
    }
}
