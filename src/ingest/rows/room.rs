//! How much room the columns of a block need: about as much as those of the block that this core converted before.

use std::cell::RefCell;

use hashbrown::HashMap;

/// Bytes of a block from which on it says what the next one needs.
const TELLING: usize = 64 << 10;

/// What a block took: its bytes, its rows, and the bytes of text in each column of its table.
struct Last {
    block: usize,
    rows: usize,
    texts: Vec<usize>,
}

thread_local! {
    /// By table: those of a file of several tables take turns.
    static LAST: RefCell<HashMap<&'static str, Last>> = RefCell::new(HashMap::new());
}

/// Room for the columns of a block.
#[derive(Debug, Default)]
pub(super) struct Room {
    /// Rows.
    pub(super) rows: usize,
    /// Bytes of text by column; nothing where nobody knows.
    pub(super) texts: Vec<usize>,
}

/// Room for a block of so many bytes, where there was one before it.
pub(super) fn like_the_last(table: &'static str, block: usize) -> Option<Room> {
    LAST.with_borrow(|all| {
        let last = all.get(table)?;
        // An eighth more: where it is too little, all of a column is copied.
        let scaled = |n: usize| {
            let wanted = n as u128 * block as u128 / last.block as u128;
            // What is in a column was in the block.
            usize::try_from(wanted + wanted / 8).map_or(block, |n| n.min(block)) + 64
        };
        Some(Room {
            rows: scaled(last.rows),
            texts: last.texts.iter().map(|n| scaled(*n)).collect(),
        })
    })
}

/// Takes note of what a block took.
pub(super) fn note(table: &'static str, block: usize, rows: usize, texts: Vec<usize>) {
    if block >= TELLING {
        let last = Last { block, rows, texts };
        LAST.with_borrow_mut(|all| all.insert(table, last));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_grows_with_the_block_and_small_ones_say_nothing() {
        assert!(like_the_last("A", 1000).is_none());
        note("A", TELLING - 1, 7, vec![1]);
        assert!(like_the_last("A", 1000).is_none());
        note("A", TELLING, 64, vec![0, 6400]);
        let room = like_the_last("A", 2 * TELLING).expect("there was a block");
        assert_eq!(room.rows, 128 + 16 + 64);
        assert_eq!(room.texts, [64, 12_800 + 1600 + 64]);
        let small = like_the_last("A", 100).expect("there was a block");
        assert!(small.texts.iter().all(|n| *n <= 164));
        assert!(like_the_last("B", 1000).is_none());
    }
}
