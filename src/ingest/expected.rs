//! What is known of names, found by the order in which they stood before: records of one kind have their keys in one order.
//!
//! Knows nothing of what the names mean.

use std::sync::Arc;

use hashbrown::HashMap;

use crate::text::swar;

/// Names that are remembered: hostile input may have endless different ones.
const MOST: usize = 65_536;

/// A name, and what is known of it.
struct Entry<T> {
    name: Arc<str>,
    known: T,
    /// Place of the name that followed it last.
    next: usize,
}

/// The names so far.
pub(super) struct Expected<T> {
    all: Vec<Entry<T>>,
    places: HashMap<Arc<str>, usize>,
    /// Place of the name that was asked for last.
    last: usize,
}

// Derived, it would ask the same of what is known.
impl<T> Default for Expected<T> {
    fn default() -> Self {
        Expected {
            all: Vec::new(),
            places: HashMap::new(),
            last: 0,
        }
    }
}

impl<T> Expected<T> {
    /// What is known of a name; `new` says it of one that is new.
    pub(super) fn of(&mut self, name: &str, new: impl FnOnce() -> T) -> &mut T {
        let at = self.place(name, new);
        self.last = at;
        &mut self.all[at].known
    }

    /// What is known of the name that was asked for last.
    pub(super) fn asked(&self) -> Option<&T> {
        Some(&self.all.get(self.last)?.known)
    }

    fn place(&mut self, name: &str, new: impl FnOnce() -> T) -> usize {
        // One comparison finds nearly all of them.
        if let Some(last) = self.all.get(self.last)
            && let Some(next) = self.all.get(last.next)
            && swar::same(next.name.as_bytes(), name.as_bytes())
        {
            return last.next;
        }
        if self.all.len() >= MOST {
            *self = Expected::default();
        }
        let at = match self.places.get(name) {
            Some(at) => *at,
            None => self.add(name, new()),
        };
        if let Some(last) = self.all.get_mut(self.last) {
            last.next = at;
        }
        at
    }

    fn add(&mut self, name: &str, known: T) -> usize {
        let (name, at) = (Arc::<str>::from(name), self.all.len());
        self.places.insert(Arc::clone(&name), at);
        self.all.push(Entry {
            name,
            known,
            next: 0,
        });
        at
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_in_any_order_and_looked_up_once() {
        let mut names = Expected::default();
        let mut new = Vec::new();
        for name in [
            "a", "b", "c", "a", "b", "c", "a", "c", "c", "b", "a", "d", "d", "a",
        ] {
            let known = names.of(name, || {
                new.push(name);
                name.to_uppercase()
            });
            assert_eq!(*known, name.to_uppercase());
            assert_eq!(names.asked(), Some(&name.to_uppercase()));
        }
        assert_eq!(new, ["a", "b", "c", "d"]);
    }

    #[test]
    fn endless_names_are_forgotten() {
        let mut names = Expected::default();
        for n in 0..2 * MOST + 7 {
            *names.of(&n.to_string(), || 0) = 7;
        }
        assert!(names.all.len() <= MOST && names.places.len() == names.all.len());
        assert_eq!(*names.of("0", || 0), 0);
    }
}
