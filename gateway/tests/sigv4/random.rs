//! Random requests, the same in each run.

use crate::request::Request;

/// xorshift64*.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, most: usize) -> usize {
        usize::try_from(self.next() >> 32).expect("32 bits") % most
    }

    /// So many of these letters at most.
    fn text(&mut self, letters: &[char], most: usize) -> String {
        (0..self.below(most + 1)).map(|_| letters[self.below(letters.len())]).collect()
    }

    pub(crate) fn request(&mut self) -> Request {
        let words: Vec<char> = "aZ09-_.~ !\"#$&'()*+,/:;<=>?@[]^`{|}%é√🦀".chars().collect();
        let plain: Vec<char> = ('a'..='z').chain('0'..='9').chain(['-', '.', '_', '~']).collect();
        let visible: Vec<char> = (' '..='~').collect();
        let escaped = |text: String| -> String {
            let kept = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
            let escape = |byte| if kept(byte) { char::from(byte).into() } else { format!("%{byte:02X}") };
            text.bytes().map(escape).collect::<String>()
        };
        let segments: Vec<_> = (0..self.below(4)).map(|at| format!("s{at}{}", escaped(self.text(&words, 8)))).collect();
        let mut target = format!("/{}", segments.join("/"));
        for at in 0..self.below(6) {
            // Names that sort by what comes after the letter; some without a value.
            let name = escaped(format!("{}{at}", self.text(&words, 5)));
            let value = if self.below(4) == 0 { String::new() } else { format!("={}", escaped(self.text(&words, 12))) };
            target += &format!("{}{name}{value}", if at == 0 { '?' } else { '&' });
        }
        let body: Vec<u8> = (0..self.below(200)).map(|_| self.next().to_le_bytes()[7]).collect();
        let method = ["GET", "POST", "PUT", "DELETE", "HEAD"][self.below(5)];
        let mut request = Request::of(method, &target, &[], &body);
        for at in 0..self.below(8) {
            let beginning = ["x-amz-meta-", "x-objseal-", "x-", ""][self.below(4)];
            let name = format!("{beginning}a{}{at}", self.text(&plain, 6).replace(['.', '~'], "-"));
            let mut value = self.text(&visible, 30);
            // Those that decide something have no several spaces in a row.
            while (name.starts_with("x-amz-") || name.starts_with("x-objseal-")) && value.contains("  ") {
                value = value.replace("  ", " ");
            }
            request = request.with(&name, value);
        }
        if self.below(3) == 0 {
            request = request.with("x-many", self.text(&plain, 5)).with("x-many", self.text(&plain, 5));
        }
        request
    }
}
