//! Files of segments: their names, and their lines one by one.

use super::chain::MAX_LINE_LEN;
use std::fs;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

/// The file of a segment.
pub(super) fn path(folder: &Path, number: u64) -> PathBuf {
    folder.join(format!("audit-{number:010}.jsonl"))
}

/// The numbers of the segments in a folder, rising.
pub(super) fn numbers(folder: &Path) -> io::Result<Vec<u64>> {
    let mut numbers = Vec::new();
    for entry in fs::read_dir(folder)? {
        numbers.extend(entry?.file_name().to_str().and_then(number));
    }
    numbers.sort_unstable();
    Ok(numbers)
}

/// The number in the name of a segment.
fn number(name: &str) -> Option<u64> {
    let digits = name.strip_prefix("audit-")?.strip_suffix(".jsonl")?;
    let plain = digits.len() == 10 && digits.bytes().all(|byte| byte.is_ascii_digit());
    plain.then(|| digits.parse().ok()).flatten()
}

/// Something in a file of lines.
pub(super) enum Piece<'a> {
    /// A line, without its end.
    Line(&'a [u8]),
    /// A line that is longer than any, and has an end.
    TooLong,
    /// What follows the last end of line: so many bytes.
    Unfinished(u64),
    /// Nothing more.
    End,
}

/// Reads lines in bounded memory.
pub(super) struct Lines<R> {
    reader: BufReader<R>,
    line: Vec<u8>,
}

impl<R: Read> Lines<R> {
    pub(super) fn of(file: R) -> Self {
        Self { reader: BufReader::with_capacity(MAX_LINE_LEN, file), line: Vec::new() }
    }

    pub(super) fn next(&mut self) -> io::Result<Piece<'_>> {
        self.line.clear();
        (&mut self.reader).take(MAX_LINE_LEN as u64).read_until(b'\n', &mut self.line)?;
        if self.line.pop_if(|last| *last == b'\n').is_some() {
            return Ok(Piece::Line(&self.line));
        }
        match self.line.len() as u64 {
            0 => Ok(Piece::End),
            len => self.skip(len),
        }
    }

    /// Reads on to the end of a line of which `len` bytes were read.
    fn skip(&mut self, mut len: u64) -> io::Result<Piece<'_>> {
        loop {
            let available = self.reader.fill_buf()?;
            if available.is_empty() {
                return Ok(Piece::Unfinished(len));
            }
            if let Some(end) = available.iter().position(|&byte| byte == b'\n') {
                self.reader.consume(end + 1);
                return Ok(Piece::TooLong);
            }
            let read = available.len();
            self.reader.consume(read);
            len = len.saturating_add(read as u64);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pieces(text: &[u8]) -> Vec<String> {
        let mut lines = Lines::of(text);
        let mut found = Vec::new();
        loop {
            found.push(match lines.next().expect("memory is read") {
                Piece::Line(line) => format!("line of {}", line.len()),
                Piece::TooLong => "too long".into(),
                Piece::Unfinished(len) => format!("unfinished of {len}"),
                Piece::End => return found,
            });
        }
    }

    #[test]
    fn lines_have_an_end() {
        assert_eq!(pieces(b""), [""; 0]);
        assert_eq!(pieces(b"a\n\nbc\n"), ["line of 1", "line of 0", "line of 2"]);
        assert_eq!(pieces(b"a\nbc"), ["line of 1", "unfinished of 2"]);
    }

    #[test]
    fn lines_of_more_than_64_kib_are_passed_by() {
        let longest = "x".repeat((64 << 10) - 1);
        assert_eq!(pieces(format!("{longest}\n").as_bytes()), ["line of 65535"]);
        assert_eq!(pieces(format!("{longest}x\na\n").as_bytes()), ["too long", "line of 1"]);
        let huge = "x".repeat(1 << 20);
        assert_eq!(pieces(format!("{huge}\na\n").as_bytes()), ["too long", "line of 1"]);
        assert_eq!(pieces(huge.as_bytes()), ["unfinished of 1048576"]);
        assert_eq!(pieces(longest.as_bytes()), ["unfinished of 65535"]);
    }

    #[test]
    fn only_names_of_segments_have_a_number() {
        assert_eq!(number("audit-0000000012.jsonl"), Some(12));
        assert_eq!(path(Path::new("f"), 12), Path::new("f/audit-0000000012.jsonl"));
        for name in ["head", "lock", "audit-12.jsonl", "audit-+000000012.jsonl", "audit-0000000012.jsonl.gz"] {
            assert_eq!(number(name), None, "{name}");
        }
    }
}
