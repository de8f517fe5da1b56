//! A face in another language: a program that answers questions which come through a pipe.
//!
//! ```text
//! question = u8 what (1 = seal, 2 = open, 3 = open a range) || u8 layers || key (32)
//!            || u32 how many lengths of pieces || u32 each || u64 start || u64 end || u64 length || bytes
//! answer   = u8 outcome (0 = done, 1 = not authentic, 2 = not a sealed file, 3 = anything else) || u64 length || bytes
//! ```
//!
//! Numbers are big-endian. The bytes of an answer that is none are words. The program ends when the pipe does.

use crate::{Face, Keys, Pieces, Refusal};
use std::io::{Read, Write};
use std::ops::Range;
use std::process::{ChildStdin, ChildStdout, Command, Stdio};

/// A program that is a face.
pub struct Child {
    name: String,
    input: ChildStdin,
    output: ChildStdout,
    program: std::process::Child,
}

impl Child {
    /// Starts the program in `words`, a path and its arguments.
    ///
    /// # Panics
    /// If it does not run.
    #[must_use]
    pub fn start(name: &str, words: &str) -> Self {
        let mut words = words.split(' ');
        let mut command = Command::new(words.next().unwrap_or_default());
        let started = command.args(words).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let mut program = started.unwrap_or_else(|error| panic!("{command:?} does not run: {error}"));
        let (input, output) = (program.stdin.take().expect("a pipe"), program.stdout.take().expect("a pipe"));
        Self { name: name.into(), input, output, program }
    }

    fn ask(
        &mut self,
        what: u8,
        keys: &Keys,
        pieces: &Pieces,
        range: Range<u64>,
        bytes: &[u8],
    ) -> Result<Vec<u8>, Refusal> {
        let mut question = vec![what, keys.layers()];
        question.extend_from_slice(keys.key());
        question.extend_from_slice(&u32::try_from(pieces.0.len()).unwrap_or(0).to_be_bytes());
        pieces.0.iter().for_each(|len| question.extend_from_slice(&len.to_be_bytes()));
        for number in [range.start, range.end, bytes.len() as u64] {
            question.extend_from_slice(&number.to_be_bytes());
        }
        question.extend_from_slice(bytes);
        self.input.write_all(&question).and_then(|()| self.input.flush()).expect("the program takes the question");
        let mut head = [0; 9];
        self.output.read_exact(&mut head).expect("the program answers");
        let len = u64::from_be_bytes(*head.last_chunk().expect("8 bytes"));
        let mut answer = vec![0; usize::try_from(len).expect("in memory")];
        self.output.read_exact(&mut answer).expect("the program answers");
        match head[0] {
            0 => Ok(answer),
            1 => Err(Refusal::Authentication),
            2 => Err(Refusal::Format),
            _ => Err(Refusal::Other(String::from_utf8_lossy(&answer).into_owned())),
        }
    }
}

impl Face for Child {
    fn name(&self) -> String {
        self.name.clone()
    }

    fn seal(&mut self, keys: &Keys, pieces: &Pieces, plain: &[u8]) -> Result<Vec<u8>, Refusal> {
        self.ask(1, keys, pieces, 0..0, plain)
    }

    fn open(&mut self, keys: &Keys, pieces: &Pieces, stored: &[u8]) -> Result<Vec<u8>, Refusal> {
        self.ask(2, keys, pieces, 0..0, stored)
    }

    fn open_range(&mut self, keys: &Keys, stored: &[u8], range: Range<u64>) -> Result<Vec<u8>, Refusal> {
        self.ask(3, keys, &Pieces(Vec::new()), range, stored)
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        let _ = self.program.kill();
        let _ = self.program.wait();
    }
}
