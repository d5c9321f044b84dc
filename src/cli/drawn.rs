//! Bars that stand on the terminal: what is written there takes them away for as long.

use std::sync::{Mutex, PoisonError};

use indicatif::ProgressBar;

/// Those that are drawn, or were until lately.
static DRAWN: Mutex<Vec<ProgressBar>> = Mutex::new(Vec::new());

/// A bar stands on the terminal from now on, until it is finished.
pub(super) fn begin(bar: &ProgressBar) {
    let mut drawn = DRAWN.lock().unwrap_or_else(PoisonError::into_inner);
    drawn.retain(|bar| !bar.is_finished());
    drawn.push(bar.clone());
}

/// Writes something to the terminal, with no bar in its lines.
pub(super) fn beside(mut write: impl FnMut()) {
    let drawn = DRAWN.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let standing: Vec<ProgressBar> = drawn.into_iter().filter(|bar| !bar.is_finished()).collect();
    without(&standing, &mut write);
}

fn without(bars: &[ProgressBar], write: &mut dyn FnMut()) {
    match bars.split_first() {
        Some((bar, rest)) => bar.suspend(|| without(rest, write)),
        None => write(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_beside_bars_is_written_once() {
        let bars = [ProgressBar::hidden(), ProgressBar::hidden()];
        bars.iter().for_each(begin);
        let mut written = 0;
        beside(|| written += 1);
        assert_eq!(written, 1);
        bars.iter().for_each(ProgressBar::finish_and_clear);
        beside(|| written += 1);
        assert_eq!(written, 2);
        let other = ProgressBar::hidden();
        begin(&other);
        let kept = DRAWN.lock().unwrap_or_else(PoisonError::into_inner);
        assert!(kept.iter().all(|bar| !bar.is_finished()));
    }
}
