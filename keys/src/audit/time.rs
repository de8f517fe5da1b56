//! Times as lines have them: RFC 3339, UTC, milliseconds.

use std::fmt::Write;
use std::time::{Duration, SystemTime};

/// Milliseconds of a day.
const DAY: u64 = 86_400_000;
/// 9999-12-31T23:59:59.999Z: later years have more digits.
const LAST: u64 = 253_402_300_799_999;
/// Length of a time as text, in bytes.
const LEN: usize = "1970-01-01T00:00:00.000Z".len();

/// Milliseconds since 1970, within the years that the text has room for.
pub(super) fn millis(time: SystemTime) -> u64 {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(LAST).min(LAST)
}

/// The time that is so many milliseconds after 1970.
pub(super) fn system_time(millis: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH.checked_add(Duration::from_millis(millis.min(LAST))).unwrap_or(SystemTime::UNIX_EPOCH)
}

/// The text of so many milliseconds since 1970.
pub(super) fn format(millis: u64) -> String {
    let millis = millis.min(LAST);
    let (year, month, day) = date(millis / DAY);
    let rest = millis % DAY;
    let (hour, minute, second, milli) = (rest / 3_600_000, rest / 60_000 % 60, rest / 1000 % 60, rest % 1000);
    let mut text = String::with_capacity(LEN);
    // A string takes what is written to it.
    let _ = write!(text, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{milli:03}Z");
    text
}

/// Reads what [`format`] gives, and nothing else.
pub(super) fn parse(text: &str) -> Option<u64> {
    let number = |from: usize, len: usize| -> Option<u64> {
        let digits = text.get(from..from.checked_add(len)?)?;
        digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())?
    };
    let (year, month, day) = (number(0, 4)?, number(5, 2)?, number(8, 2)?);
    let (hour, minute, second, milli) = (number(11, 2)?, number(14, 2)?, number(17, 2)?, number(20, 3)?);
    let in_day = ((hour * 60 + minute) * 60 + second) * 1000 + milli;
    let millis = days(year, month, day)?.checked_mul(DAY)?.checked_add(in_day)?;
    // A date that there is not, or another form, comes back as something else.
    (format(millis) == text).then_some(millis)
}

/// Year, month and day, so many days after 1970-01-01: years begin in March, so that a leap day is the last one.
fn date(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    (era * 400 + year_of_era + u64::from(month <= 2), month, day)
}

/// The reverse of [`date`]; `None` before 1970.
fn days(year: u64, month: u64, day: u64) -> Option<u64> {
    let year = year.checked_sub(u64::from(month <= 2))?;
    let from_march = if month > 2 { month - 3 } else { month + 9 };
    let (era, year_of_era) = (year / 400, year % 400);
    let day_of_year = ((153 * from_march + 2) / 5 + day).checked_sub(1)?;
    (era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year).checked_sub(719_468)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From `date --utc --date=TEXT +%s` (GNU coreutils).
    const KNOWN: [(&str, u64); 9] = [
        ("1970-01-01T00:00:00.000Z", 0),
        ("1970-01-01T00:00:00.001Z", 1),
        ("1999-12-31T23:59:59.999Z", 946_684_799_999),
        ("2000-02-29T12:00:00.000Z", 951_825_600_000),
        ("2000-03-01T00:00:00.000Z", 951_868_800_000),
        ("2026-11-28T00:56:09.120Z", 1_795_827_369_120),
        ("2100-02-28T23:59:59.000Z", 4_107_542_399_000),
        ("2100-03-01T00:00:00.000Z", 4_107_542_400_000),
        ("9999-12-31T23:59:59.999Z", LAST),
    ];

    #[test]
    fn known_dates_are_written_and_read() {
        for (text, millis) in KNOWN {
            assert_eq!(format(millis), text);
            assert_eq!(parse(text), Some(millis), "{text}");
        }
    }

    #[test]
    fn every_day_of_eight_centuries_comes_back() {
        for day in 0..800 * 365 {
            let text = format(day * DAY + 1);
            assert_eq!(parse(&text), Some(day * DAY + 1), "{text}");
        }
    }

    #[test]
    fn dates_that_are_none_are_refused() {
        for text in [
            "",
            "1969-12-31T23:59:59.999Z",
            "0000-01-01T00:00:00.000Z",
            "2026-02-29T00:00:00.000Z",
            "2026-13-01T00:00:00.000Z",
            "2026-00-01T00:00:00.000Z",
            "2026-01-00T00:00:00.000Z",
            "2026-01-01T24:00:00.000Z",
            "2026-01-01T00:00:60.000Z",
            "2026-01-01T00:00:00Z",
            "2026-01-01 00:00:00.000Z",
            "2026-01-01T00:00:00.000+00:00",
            "2026-01-01T00:00:00.000Z\n",
            "+026-01-01T00:00:00.000Z",
            "äö26-01-01T00:00:00.000Z",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn times_beyond_the_text_become_its_first_and_last() {
        assert_eq!(millis(SystemTime::UNIX_EPOCH - Duration::from_secs(1)), 0);
        assert_eq!(millis(SystemTime::UNIX_EPOCH + Duration::from_secs(1 << 40)), LAST);
        assert_eq!(format(u64::MAX), format(LAST));
        assert_eq!(millis(system_time(951_825_600_123)), 951_825_600_123);
    }
}
