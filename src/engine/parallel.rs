//! Work of which several threads have a share each: to plan a query, or to look what there is, takes one.

use std::panic::resume_unwind;
use std::thread;

use super::options::STACK;

/// What comes of each of a list, in its order, worked out by so many threads at most. The first share is that of the thread that asks.
pub(crate) fn each<T: Sync, R: Send>(
    list: &[T],
    threads: usize,
    of: impl Fn(&T) -> R + Sync,
) -> Vec<R> {
    let mut shares = list.chunks(list.len().div_ceil(threads.max(1)).max(1));
    let Some(first) = shares.next() else {
        return Vec::new();
    };
    let of = |share: &[T]| -> Vec<R> { share.iter().map(&of).collect() };
    let of = &of;
    thread::scope(|scope| {
        let begun = shares.map(|share| {
            // What is worked out may nest as deep as on the thread that asks.
            let thread = thread::Builder::new().stack_size(STACK);
            (share, thread.spawn_scoped(scope, move || of(share)))
        });
        let begun: Vec<_> = begun.collect();
        let mut all = of(first);
        all.extend(begun.into_iter().flat_map(|(share, thread)| match thread {
            Ok(thread) => thread.join().unwrap_or_else(|panic| resume_unwind(panic)),
            // The system gives no more threads.
            Err(_) => of(share),
        }));
        all
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outcomes_stand_in_the_order_of_the_list() {
        for count in [0_usize, 1, 2, 7, 100] {
            let list: Vec<usize> = (0..count).collect();
            let wanted: Vec<usize> = list.iter().map(|n| n * n).collect();
            for threads in [0, 1, 2, 3, 200] {
                assert_eq!(
                    each(&list, threads, |n| n * n),
                    wanted,
                    "{count}, {threads}"
                );
            }
        }
    }
}
