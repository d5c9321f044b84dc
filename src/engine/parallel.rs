//! Work of which each piece has a thread of its own: to plan a query, or to look what there is, takes one.

use std::panic::resume_unwind;
use std::thread;

use super::options::STACK;

/// What comes of each of a list, in its order. The first is worked out by the thread that asks.
pub(crate) fn each<T: Sync, R: Send>(list: &[T], of: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let Some((first, rest)) = list.split_first() else {
        return Vec::new();
    };
    let of = &of;
    thread::scope(|scope| {
        let begun = rest.iter().map(|one| {
            // What is worked out may nest as deep as on the thread that asks.
            let thread = thread::Builder::new().stack_size(STACK);
            (one, thread.spawn_scoped(scope, move || of(one)))
        });
        let begun: Vec<_> = begun.collect();
        let mut all = vec![of(first)];
        all.extend(begun.into_iter().map(|(one, thread)| match thread {
            Ok(thread) => thread.join().unwrap_or_else(|panic| resume_unwind(panic)),
            // The system gives no more threads.
            Err(_) => of(one),
        }));
        all
    })
}
