//! What values of conditions are: numbers, dates, networks, bytes.

use std::net::IpAddr;

/// Parts of one that a number is counted in.
const PARTS: i128 = 1_000_000_000;

/// `true` or `false`, whatever the case of letters.
pub(super) fn boolean(text: &str) -> Option<bool> {
    let is = |word: &str| text.eq_ignore_ascii_case(word);
    if is("true") { Some(true) } else { is("false").then_some(false) }
}

/// An integer or decimal of at most 18 digits before the point and 9 after it, in billionths.
pub(super) fn number(text: &str) -> Option<i128> {
    let (negative, digits) = text.strip_prefix('-').map_or((false, text), |digits| (true, digits));
    let (whole, part) = match digits.split_once('.') {
        Some((whole, part)) if !part.is_empty() => (whole, part),
        Some(_) => return None,
        None => (digits, ""),
    };
    if whole.is_empty() || whole.len() > 18 || part.len() > 9 {
        return None;
    }
    let value = i128::from(natural(whole)?) * PARTS + i128::from(billionths(part)?);
    Some(if negative { -value } else { value })
}

/// A point in time: seconds since 1970, and billionths of one.
///
/// As W3C's note on ISO 8601 writes it, from `2026-01-31` to `2026-01-31T23:59:59.123+01:00`, or as seconds since 1970,
/// which have 5 digits at least: fewer could be a year.
pub(super) fn date(text: &str) -> Option<(i64, u64)> {
    if (5..=15).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some((i64::try_from(natural(text)?).ok()?, 0));
    }
    let (day, time) = text.split_once('T').map_or((text, None), |(day, time)| (day, Some(time)));
    let mut fields = day.split('-');
    let (year, month, day) = (fields.next()?, fields.next()?, fields.next()?);
    if fields.next().is_some() || (year.len(), month.len(), day.len()) != (4, 2, 2) {
        return None;
    }
    let days = days_since_1970(natural(year)?, natural(month)?, natural(day)?)?;
    let (seconds, part) = time.map_or(Some((0, 0)), time_of_day)?;
    Some((days * 86_400 + seconds, part))
}

/// Addresses that begin the same: `203.0.113.0/24`, `2001:db8::/32`, or a single one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Network {
    address: u128,
    four: bool,
    /// How many bits count.
    prefix: u32,
}

impl Network {
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (address, prefix) = text.split_once('/').map_or((text, None), |(address, prefix)| (address, Some(prefix)));
        let address: IpAddr = address.parse().ok()?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let prefix = match prefix {
            None => most,
            Some(prefix) => u32::try_from(natural(prefix)?).ok().filter(|&prefix| prefix <= most)?,
        };
        // ::ffff:203.0.113.0/120 is 203.0.113.0/24.
        let mapped = !address.is_ipv4() && prefix >= 96 && address.to_canonical().is_ipv4();
        let prefix = if mapped { prefix - 96 } else { prefix };
        let (address, four) = bits(if mapped { address.to_canonical() } else { address });
        Some(Self { address, four, prefix })
    }

    /// Whether an address is in it; none if the text is no address.
    pub(super) fn contains(self, text: &str) -> Option<bool> {
        let (address, four) = bits(text.parse::<IpAddr>().ok()?.to_canonical());
        let width: u32 = if self.four { 32 } else { 128 };
        let same = (address ^ self.address).checked_shr(width - self.prefix).unwrap_or(0) == 0;
        Some(four == self.four && same)
    }
}

/// Whether a text is bytes in base 64, in the one way in which they can be written.
pub(super) fn is_base64(text: &str) -> bool {
    let digits = text.trim_end_matches('=');
    let value = |byte: u8| match byte {
        b'A'..=b'Z' => Some(byte - b'A'),
        b'a'..=b'z' => Some(byte - b'a' + 26),
        b'0'..=b'9' => Some(byte - b'0' + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    };
    let last = digits.bytes().next_back().and_then(value).unwrap_or(0);
    // The bits of the last digit that no byte has.
    let unused = match text.len() - digits.len() {
        0 => 0,
        1 => 0b11,
        2 => 0b1111,
        _ => return false,
    };
    text.len().is_multiple_of(4) && digits.bytes().all(|byte| value(byte).is_some()) && last & unused == 0
}

fn bits(address: IpAddr) -> (u128, bool) {
    match address {
        IpAddr::V4(address) => (u32::from(address).into(), true),
        IpAddr::V6(address) => (address.into(), false),
    }
}

/// Digits only: what `parse` takes besides, such as a sign, is no number here.
fn natural(digits: &str) -> Option<u64> {
    digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok()).flatten()
}

/// At most 9 digits after a point; none are zero.
fn billionths(digits: &str) -> Option<u64> {
    let missing = u32::try_from(9_usize.checked_sub(digits.len())?).ok()?;
    if digits.is_empty() { Some(0) } else { Some(natural(digits)? * 10_u64.pow(missing)) }
}

/// `23:59Z`, `23:59:59Z` or `23:59:59.123Z`, or with an offset instead of the Z: seconds of the day in UTC, and
/// billionths.
fn time_of_day(text: &str) -> Option<(i64, u64)> {
    let (time, offset) = match text.strip_suffix('Z') {
        Some(time) => (time, 0),
        None => {
            let (time, offset) = text.split_at_checked(text.len().checked_sub(6)?)?;
            let (sign, offset) = match offset.split_at_checked(1)? {
                ("+", offset) => (1, offset),
                ("-", offset) => (-1, offset),
                _ => return None,
            };
            (time, sign * minutes(offset)?)
        }
    };
    let (time, part) = match time.split_once('.') {
        Some((time, part)) if !part.is_empty() && time.len() == 8 => (time, billionths(part)?),
        Some(_) => return None,
        None => (time, 0),
    };
    let seconds = match time.get(5..).filter(|rest| !rest.is_empty()) {
        None => 0,
        Some(rest) => two_digits(rest.strip_prefix(':')?, 59)?,
    };
    Some(((minutes(time.get(..5)?)? - offset) * 60 + seconds, part))
}

/// `23:59`.
fn minutes(text: &str) -> Option<i64> {
    let (hours, minutes) = text.split_once(':')?;
    Some(two_digits(hours, 23)? * 60 + two_digits(minutes, 59)?)
}

fn two_digits(text: &str, most: i64) -> Option<i64> {
    let value = i64::try_from(natural(text)?).ok()?;
    (text.len() == 2 && value <= most).then_some(value)
}

/// Days of the Gregorian calendar from 1970-01-01 to a date.
fn days_since_1970(year: u64, month: u64, day: u64) -> Option<i64> {
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let before = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334];
    let length = match month {
        2 => 28 + u64::from(leap),
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    if year == 0 || day == 0 || day > length {
        return None;
    }
    let years = year - 1;
    let of_year = before.get(usize::try_from(month - 1).ok()?)? + u64::from(leap && month > 2) + day - 1;
    let since_year_1 = years * 365 + years / 4 - years / 100 + years / 400 + of_year;
    // 1970-01-01 is day 719,162 from 0001-01-01.
    Some(i64::try_from(since_year_1).ok()? - 719_162)
}
