//! What is shown while work goes on, and the line at its end. Nothing, unless standard error is a terminal.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use objseal::Backend;
use std::fmt::{Display, Formatter, Result};
use std::io::{self, IsTerminal, Read};
use std::time::Instant;

/// A bar, and the time since it began.
pub(crate) struct Progress {
    bar: ProgressBar,
    start: Instant,
}

impl Progress {
    /// Begins, with the number of bytes to come if it is known.
    pub(crate) fn start(total: Option<u64>) -> Self {
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
        // It draws nothing where standard error is no terminal.
        bar.set_draw_target(ProgressDrawTarget::stderr_with_hz(5));
        Self { bar, start: Instant::now() }
    }

    /// Counts what is read.
    pub(crate) fn watch<R: Read>(&self, input: R) -> impl Read {
        self.bar.wrap_read(input)
    }

    pub(crate) fn add(&self, bytes: u64) {
        self.bar.inc(bytes);
    }

    /// Ends with a line such as `sealed photos.tar: 8.00 GiB in 2.1 s, 4.1 GB/s (vaes-512, 2 threads)`.
    pub(crate) fn finish(self, verb: &str, name: &str, bytes: u64, backend: Backend, threads: usize) {
        self.bar.finish_and_clear();
        if !io::stderr().is_terminal() {
            return;
        }
        let seconds = self.start.elapsed().as_secs_f64();
        let rate = bytes as f64 / seconds.max(1e-9) / 1e9;
        let s = if threads == 1 { "" } else { "s" };
        let size = Size(bytes);
        eprintln!("{verb} {name}: {size} in {seconds:.1} s, {rate:.1} GB/s ({backend}, {threads} thread{s})");
    }
}

/// A number of bytes, for people.
struct Size(u64);

impl Display for Size {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let units = ["KiB", "MiB", "GiB", "TiB", "PiB"];
        if self.0 < 1024 {
            return write!(f, "{} B", self.0);
        }
        let mut value = self.0 as f64 / 1024.0;
        let mut unit = 0;
        while value >= 1024.0 && unit + 1 < units.len() {
            value /= 1024.0;
            unit += 1;
        }
        write!(f, "{value:.2} {}", units[unit])
    }
}
