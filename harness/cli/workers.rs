//! Scenarios run side by side, and heard by one.

use std::num::NonZeroUsize;
use std::sync::Mutex;
use std::sync::mpsc::{Sender, channel};

use super::select::Selected;
use crate::run::{Event, Outcome, Runner};

/// What the threads that run scenarios tell the one that prints.
pub(super) enum Told {
    Event(Box<Event>),
    Outcome(Box<Outcome>),
}

/// Runs every scenario once, so many at a time, and hands on what is told as it comes.
pub(super) fn run_all(
    runner: &Runner,
    selected: &[Selected],
    jobs: Option<NonZeroUsize>,
    mut take: impl FnMut(Told),
) {
    let jobs = jobs
        .map(Into::into)
        .unwrap_or_else(processors)
        .min(selected.len().max(1));
    let (sender, receiver) = channel();
    let waiting = Mutex::new(selected.iter());
    std::thread::scope(|scope| {
        for _ in 0..jobs {
            let sender = sender.clone();
            scope.spawn(|| work(runner, &waiting, sender));
        }
        drop(sender);
        receiver.into_iter().for_each(&mut take);
    });
}

fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, Into::into)
}

/// Runs scenarios until none is left.
fn work(runner: &Runner, waiting: &Mutex<std::slice::Iter<'_, Selected>>, sender: Sender<Told>) {
    let next = || waiting.lock().ok().and_then(|mut waiting| waiting.next());
    while let Some(selected) = next() {
        // The receiver lives until all senders are gone.
        let tell = |told| sender.send(told).unwrap_or_default();
        let outcome = runner.run(&selected.named, &mut |event| {
            tell(Told::Event(Box::new(event.clone())));
        });
        tell(Told::Outcome(Box::new(outcome)));
    }
}
