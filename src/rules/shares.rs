//! Files read by several threads: a pack may have hundreds, and to read YAML takes longer than to open a session.

use std::num::NonZero;
use std::thread;

use crate::engine::parallel;

/// Fewer files than these are not worth a thread.
const FEWEST: usize = 4;

/// What comes of the shares of a list, in its order, each worked out by a thread of its own.
pub(super) fn each<T: Sync, R: Send>(list: &[T], of: impl Fn(&[T]) -> R + Sync) -> Vec<R> {
    let cores = thread::available_parallelism().map_or(1, NonZero::get);
    let threads = cores.min(list.len() / FEWEST);
    if threads < 2 {
        return vec![of(list)];
    }
    let shares: Vec<&[T]> = list.chunks(list.len().div_ceil(threads)).collect();
    parallel::each(&shares, threads, |&share| of(share))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_stand_in_the_order_of_the_list() {
        for count in [0, 1, 7, 8, 9, 1000] {
            let list: Vec<usize> = (0..count).collect();
            let shares = each(&list, <[usize]>::to_vec);
            assert_eq!(shares.concat(), list);
        }
    }
}
