//! Panics of what answers a request: they end that request, and neither its connection nor others.

use std::{
    future::{Future, poll_fn},
    pin::Pin,
    task::{Context, Poll},
};

use sark_engine::contained;

use crate::reply::Problem;

/// What `work` gives, or the problem that comes of its panic.
pub(crate) fn contain<T>(work: impl FnOnce() -> T) -> Result<T, Problem> {
    // The message is told where panics are told; it is nothing that a client could use.
    contained(work).map_err(|_| Problem::internal("the decision point failed at this request"))
}

/// Go on with `work`; a panic is its end, and the problem that comes of it. It must not be gone on with then.
pub(crate) fn poll<T>(work: Pin<&mut impl Future<Output = T>>, context: &mut Context<'_>) -> Poll<Result<T, Problem>> {
    match contain(|| work.poll(context)) {
        Ok(state) => state.map(Ok),
        Err(problem) => Poll::Ready(Err(problem)),
    }
}

/// What `work` gives, or the problem that comes of its panic.
pub(crate) async fn unless_it_panics<T>(mut work: Pin<&mut impl Future<Output = T>>) -> Result<T, Problem> {
    poll_fn(|context| poll(work.as_mut(), context)).await
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use super::*;
    use crate::reply::status;

    fn run<T>(work: impl Future<Output = T>) -> Result<T, Problem> {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(unless_it_panics(pin!(work)))
    }

    #[test]
    fn work_ends_with_what_it_gives() {
        assert_eq!(run(async { 1 }).ok(), Some(1));
        let waits = async {
            tokio::task::yield_now().await;
            2
        };
        assert_eq!(run(waits).ok(), Some(2));
    }

    #[test]
    fn a_panic_is_a_problem_of_this_request() {
        for waits in [false, true] {
            let torn = async move {
                if waits {
                    tokio::task::yield_now().await;
                }
                panic!("torn")
            };
            let problem = run::<()>(torn).unwrap_err();
            assert_eq!(problem.status, status::INTERNAL);
        }
    }
}
