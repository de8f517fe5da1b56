//! What is shown while work goes on, and the line at its end. Nothing, unless standard error is a terminal; nor when
//! the plaintext itself goes to one.

use crate::engine::names;
use crate::text::Size;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use objseal::Engine;
use objseal::cobblestone::Threads;
use std::io::{self, IsTerminal, Read, Write};
use std::time::{Duration, Instant};

/// A bar, and the time since it began.
pub(crate) struct Progress {
    bar: ProgressBar,
    silent: bool,
    start: Instant,
}

impl Progress {
    /// Begins, with the number of bytes to come if it is known. `plaintext_shown` says that the plaintext goes to the
    /// terminal.
    pub(crate) fn start(total: Option<u64>, plaintext_shown: bool) -> Self {
        let bar = match total {
            Some(total) => ProgressBar::new(total),
            None => ProgressBar::no_length(),
        };
        let template = if total.is_some() {
            "{bar:30} {binary_bytes} of {binary_total_bytes}, {binary_bytes_per_sec}, {eta} left"
        } else {
            "{spinner} {binary_bytes}, {binary_bytes_per_sec}"
        };
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        let silent = plaintext_shown || !io::stderr().is_terminal();
        if silent {
            bar.set_draw_target(ProgressDrawTarget::hidden());
        } else {
            bar.set_draw_target(ProgressDrawTarget::stderr_with_hz(5));
            // It is drawn anew also while a slow pipe gives nothing.
            bar.enable_steady_tick(Duration::from_millis(200));
        }
        Self { bar, silent, start: Instant::now() }
    }

    /// Counts what is read.
    pub(crate) fn watch<R: Read>(&self, input: R) -> impl Read {
        self.bar.wrap_read(input)
    }

    pub(crate) fn add(&self, bytes: u64) {
        self.bar.inc(bytes);
    }

    /// Ends without a word.
    pub(crate) fn clear(self) {
        self.bar.finish_and_clear();
    }

    /// Ends with a line such as `sealed photos.tar: 8.00 GiB in 2.1 s, 4.1 GB/s (vaes-512, 2 threads)`.
    pub(crate) fn finish(self, verb: &str, name: &str, bytes: u64, engines: &[Engine], threads: Threads) {
        self.bar.finish_and_clear();
        if self.silent {
            return;
        }
        let seconds = self.start.elapsed().as_secs_f64();
        let megabytes = bytes as f64 / seconds.max(1e-9) / 1e6;
        let rate = match megabytes {
            // What is done at once has no speed worth a word.
            _ if seconds < 0.1 => String::new(),
            ..1000.0 => format!(", {megabytes:.0} MB/s"),
            _ => format!(", {:.1} GB/s", megabytes / 1e3),
        };
        let threads = threads.0;
        let s = if threads.get() == 1 { "" } else { "s" };
        let (size, engines) = (Size(bytes), names(engines));
        let _ =
            writeln!(io::stderr(), "{verb} {name}: {size} in {seconds:.1} s{rate} ({engines}, {threads} thread{s})");
    }
}
