//! Times and durations, as users write and read them.

use std::fmt::Write;
use std::str::FromStr;
use std::time::{Duration, SystemTime};

/// A time, as RFC 3339 has it (UTC, seconds).
pub(crate) fn shown_time(time: SystemTime) -> String {
    let mut text = String::new();
    // Years of five digits have no such text.
    match write!(text, "{}", humantime::format_rfc3339_seconds(time)) {
        Ok(()) => text,
        Err(_) => "after 9999".into(),
    }
}

/// A moment that a user names.
#[derive(Clone, Copy)]
pub(crate) struct When(pub(crate) SystemTime);

impl FromStr for When {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Ok(back) = humantime::parse_duration(text) {
            return SystemTime::now().checked_sub(back).map(Self).ok_or("so long ago there was no time");
        }
        parse(text)
            .map(Self)
            .ok_or("a time is as in RFC 3339, such as 2026-11-28T09:00:00Z, or so long ago, such as 2h or 7d")
    }
}

/// A time of RFC 3339, section 5.6.
fn parse(text: &str) -> Option<SystemTime> {
    // GNU date and others write a space.
    let text = text.replacen([' ', 't'], "T", 1).replace('z', "Z");
    if text.ends_with('Z') {
        return humantime::parse_rfc3339(&text).ok();
    }
    let (local, offset) = text.split_at_checked(text.len().checked_sub(6)?)?;
    let (is_ahead, offset) = (offset.starts_with('+'), offset.strip_prefix(['+', '-'])?);
    let (hours, minutes) = offset.split_once(':')?;
    let number = |digits: &str, end: u64| {
        let plain = digits.len() == 2 && digits.bytes().all(|digit| digit.is_ascii_digit());
        digits.parse().ok().filter(|&number: &u64| plain && number < end)
    };
    let offset = Duration::from_secs(60 * (60 * number(hours, 24)? + number(minutes, 60)?));
    let local = humantime::parse_rfc3339(&format!("{local}Z")).ok()?;
    if is_ahead { local.checked_sub(offset) } else { local.checked_add(offset) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(text: &str) -> Option<u64> {
        parse(text).and_then(|time| time.duration_since(SystemTime::UNIX_EPOCH).ok()).map(|since| since.as_secs())
    }

    #[test]
    fn times_of_rfc_3339_are_read() {
        // The examples of section 5.8; seconds from `date --utc --date=TEXT +%s` (GNU coreutils).
        for (text, expected) in [
            ("1985-04-12T23:20:50.52Z", 482_196_050),
            ("1996-12-19T16:39:57-08:00", 851_042_397),
            ("2026-11-28 01:25:09+05:30", 1_795_809_309),
            ("2026-11-28t01:25:09z", 1_795_829_109),
        ] {
            assert_eq!(seconds(text), Some(expected), "{text}");
        }
    }

    #[test]
    fn other_times_are_refused() {
        for text in [
            "",
            "now",
            "2026-11-28",
            "2026-11-28T01:25:09",
            "2026-13-28T01:25:09Z",
            "2026-11-28T01:25:09+5:30",
            "2026-11-28T01:25:09+24:00",
            "2026-11-28T01:25:09+00:60",
            "2026-11-28T01:25:09+00:+1",
            "2026-11-28T01:25:09é0:00",
        ] {
            assert_eq!(seconds(text), None, "{text}");
        }
    }

    #[test]
    fn a_time_comes_back() {
        let text = "2026-11-28T01:25:09Z";
        assert_eq!(parse(text).map(shown_time).as_deref(), Some(text));
        assert_eq!(shown_time(SystemTime::UNIX_EPOCH + Duration::from_secs(1 << 40)), "after 9999");
    }
}
