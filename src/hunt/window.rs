//! The time whose findings are wanted, and what rules see around it.

use serde::{Deserialize, Serialize};

/// The time whose findings are wanted: those whose last event lies in it. Without bounds all are, also those without a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Window {
    /// Not before this time, in microseconds.
    pub from: Option<i64>,
    /// Before this time, in microseconds.
    pub to: Option<i64>,
}

impl Window {
    pub(super) fn is_all(self) -> bool {
        self.from.is_none() && self.to.is_none()
    }

    pub(super) fn holds(self, time: i64) -> bool {
        self.from.is_none_or(|from| time >= from) && self.to.is_none_or(|to| time < to)
    }

    /// What a rule must see that looks back so many seconds. It sees as much ahead: a finding that goes on behind the window is not one of it.
    pub(super) fn around(self, period: Option<u64>) -> Window {
        let micros = |seconds: u64| i64::try_from(seconds).ok()?.checked_mul(1_000_000);
        match period.and_then(micros) {
            Some(period) => Window {
                from: self.from.map(|t| t.saturating_sub(period)),
                to: self.to.map(|t| t.saturating_add(period)),
            },
            None => Window::default(),
        }
    }

    /// The times that are in both.
    pub(super) fn and(self, other: Window) -> Window {
        let from = self.from.max(other.from);
        let to = match (self.to, other.to) {
            (Some(one), Some(two)) => Some(one.min(two)),
            (one, two) => one.or(two),
        };
        Window {
            from,
            // Where there are none it ends where it begins.
            to: to.map(|to| from.map_or(to, |from| to.max(from))),
        }
    }

    /// The least that has both.
    pub(super) fn with(self, other: Window) -> Window {
        Window {
            from: self.from.zip(other.from).map(|(one, two)| one.min(two)),
            to: self.to.zip(other.to).map(|(one, two)| one.max(two)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_has_its_first_moment_and_not_its_last() {
        let window = Window {
            from: Some(10),
            to: Some(20),
        };
        assert_eq!(
            [9, 10, 19, 20].map(|t| window.holds(t)),
            [false, true, true, false]
        );
        assert!(Window::default().holds(i64::MIN));
    }

    #[test]
    fn times_that_are_in_two_windows() {
        let window = |from, to| Window { from, to };
        let some = window(Some(10), Some(20));
        for (other, both) in [
            (Window::default(), some),
            (window(Some(15), None), window(Some(15), Some(20))),
            (window(None, Some(15)), window(Some(10), Some(15))),
            (window(Some(5), Some(25)), some),
            (window(Some(20), None), window(Some(20), Some(20))),
            (window(Some(25), Some(30)), window(Some(25), Some(25))),
            (window(None, Some(5)), window(Some(10), Some(10))),
        ] {
            assert_eq!(some.and(other), both, "{other:?}");
            assert_eq!(other.and(some), both, "{other:?}");
        }
        assert!(!window(Some(20), Some(20)).holds(20));
        assert!(Window::default().and(Window::default()).is_all());
    }

    #[test]
    fn a_session_reaches_as_far_as_the_rule_that_looks_back_most() {
        let window = Window {
            from: Some(0),
            to: None,
        };
        let second = 1_000_000;
        assert_eq!(window.around(Some(5)).from, Some(-5 * second));
        assert_eq!(window.around(Some(5)).to, None);
        // Without a period a rule sees everything.
        assert!(window.around(None).is_all());
        assert!(window.around(Some(u64::MAX)).is_all());
        let both = window.around(Some(5)).with(window.around(Some(7)));
        assert_eq!(both.from, Some(-7 * second));
        assert!(both.with(Window::default()).is_all());
    }
}
