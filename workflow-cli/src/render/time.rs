//! Times as text.

use std::time::SystemTime;

use jiff::Timestamp;

/// Formats a time for tables: to the second, in the local time zone.
pub(crate) fn time(at: Option<SystemTime>) -> String {
    let at = at.and_then(local);
    at.map_or_else(|| "-".to_owned(), |at| at.strftime("%Y-%m-%d %H:%M:%S").to_string())
}

/// Formats a time for narrow columns: the time of day for today, or else the date.
pub(crate) fn short_time(at: SystemTime) -> String {
    let Some(at) = local(at) else { return "-".to_owned() };
    let now = local(SystemTime::now());
    let format = match now {
        Some(now) if now.date() == at.date() => "%H:%M:%S",
        Some(now) if now.year() == at.year() => "%d %b %H:%M",
        _ => "%Y-%m-%d",
    };
    at.strftime(format).to_string()
}

fn local(at: SystemTime) -> Option<jiff::Zoned> {
    Some(Timestamp::try_from(at).ok()?.to_zoned(jiff::tz::TimeZone::system()))
}
