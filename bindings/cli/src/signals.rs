//! Signals that end the command: no unfinished file is left, and none gets its name afterwards.

use crate::failure::Failure;
use objseal_files::Remains;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::flag;
use signal_hook::iterator::Signals;
use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

/// Signals that wait to be looked at, from before there is a file.
pub(crate) struct Held {
    signals: Signals,
    ended: Arc<AtomicBool>,
}

/// The last step of a file whose writer is ended by signals: to get its name.
pub(crate) struct LastStep {
    /// A signal says that there will be none.
    ended: Arc<AtomicBool>,
    /// Held by the step, or by what ends the command.
    turn: Arc<Mutex<()>>,
}

impl Held {
    /// From now on signals wait.
    pub(crate) fn new() -> Result<Self, Failure> {
        let signals = [SIGINT, SIGTERM, SIGHUP].into_iter().filter(|&signal| !is_ignored(signal));
        let ended = Arc::new(AtomicBool::new(false));
        // First what ends the command: a signal that is noted and ends nothing would have the last step wait for ever.
        let waiting = Signals::new(signals.clone()).map_err(Failure::other)?;
        for signal in signals {
            flag::register(signal, Arc::clone(&ended)).map_err(Failure::other)?;
        }
        Ok(Self { signals: waiting, ended })
    }

    /// From now on they remove what `remains` of the file, and end the command.
    pub(crate) fn end_with(mut self, remains: Remains) -> Result<LastStep, Failure> {
        let turn = Arc::new(Mutex::new(()));
        let last_step = LastStep { ended: self.ended, turn: Arc::clone(&turn) };
        let waiting = thread::Builder::new().spawn(move || {
            if let Some(signal) = self.signals.forever().next() {
                // A file that is getting its name gets it.
                let _turn = turn.lock().unwrap_or_else(PoisonError::into_inner);
                remains.remove();
                std::process::exit(128 + signal);
            }
        });
        waiting.map(|_| last_step).map_err(Failure::other)
    }
}

impl LastStep {
    /// Begins it, unless a signal came before: what ends this command often ends the writer of its input as well, and then
    /// the input looks whole and is not.
    pub(crate) fn begin(&self) -> MutexGuard<'_, ()> {
        let turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        if !self.ended.load(Ordering::Relaxed) {
            return turn;
        }
        drop(turn);
        loop {
            // Until the thread that waits for signals ends the command.
            thread::park();
        }
    }
}

/// Whether whoever started the command wants `signal` ignored, as nohup does with SIGHUP. Only Linux tells.
fn is_ignored(signal: i32) -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|digits| u64::from_str_radix(digits.trim(), 16).ok());
    mask.unwrap_or(0) >> (signal - 1) & 1 == 1
}
