//! Cron expressions: five fields, or six with seconds, or a nickname such as `@daily`.

use std::fmt;

use crate::field::{DAY_OF_MONTH, FIELDS, Read};

/// A valid schedule that has at least one time.
///
/// `Display` shows an expression of plain numbers without ranges, steps, words and nicknames, which
/// every evaluator reads the same way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cron {
    plain: String,
}

/// Why a text is not a valid schedule, and what to write instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CronError(String);

impl fmt::Display for CronError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for CronError {}

impl fmt::Display for Cron {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.plain)
    }
}

impl Cron {
    /// Parses a cron expression: minute, hour, day of month, month and day of week, with seconds
    /// first if there are six fields. If a day of month and a day of week are both given, either
    /// matches.
    ///
    /// # Errors
    ///
    /// Fails for an invalid expression, for a part that has no effect, such as a step larger than
    /// its field, and for a schedule that is never due, as on 31 February.
    pub fn parse(text: &str) -> Result<Self, CronError> {
        if text.len() > LONGEST {
            let message = format!("a cron expression has at most {LONGEST} bytes");
            return Err(CronError(message));
        }
        if let Some((zone, cron)) = zone_and_cron(text) {
            return Err(CronError(format!(
                "{text:?} holds a time zone, for which a cron expression has no field; write \
                 {cron:?}, and beside it \"timezone\": {zone:?}"
            )));
        }
        let upper = text.trim().to_uppercase();
        if let Some((_, plain)) = NICKNAMES.iter().find(|(name, _)| *name == upper) {
            return Ok(Self { plain: (*plain).to_owned() });
        }
        let parts: Vec<&str> = upper.split_whitespace().collect();
        let fields = match parts.len() {
            5 => &FIELDS[1..],
            6 => &FIELDS[..],
            1 => return Err(wrong(text, "it has 1 field")),
            count => return Err(wrong(text, &format!("it has {count} fields"))),
        };
        let read = fields.iter().zip(&parts).map(|(field, part)| {
            let read: Result<Read, String> = field.read(part);
            read.map_err(|why| wrong(text, &why))
        });
        let read: Vec<Read> = read.collect::<Result<_, _>>()?;
        if never_comes(&read) {
            let message = format!("the schedule {text:?} is never due: there is no such date");
            return Err(CronError(message));
        }
        let plain: Vec<String> = read.iter().map(ToString::to_string).collect();
        Ok(Self { plain: plain.join(" ") })
    }
}

/// The longest expression, in bytes.
const LONGEST: usize = 1_000;

const NICKNAMES: [(&str, &str); 6] = [
    ("@YEARLY", "0 0 1 1 *"),
    ("@ANNUALLY", "0 0 1 1 *"),
    ("@MONTHLY", "0 0 1 * *"),
    ("@WEEKLY", "0 0 * * 0"),
    ("@DAILY", "0 0 * * *"),
    ("@HOURLY", "0 * * * *"),
];

/// Whether no month has one of the days. A day of week beside the day of month makes the schedule
/// due anyway.
fn never_comes(read: &[Read]) -> bool {
    let [.., Read::Values(days), Read::Values(months), Read::Any] = read else { return false };
    let is_found_by_counting = days.counted.len() > days.near.len();
    let lengths = months.numbers.iter().map(|month| LENGTHS[*month as usize - 1]);
    let longest = lengths.max().unwrap_or(DAY_OF_MONTH.last);
    let first = days.numbers.iter().chain(&days.near).min();
    !is_found_by_counting && first.is_some_and(|first| *first > longest)
}

/// The most days of each month.
const LENGTHS: [u32; 12] = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

/// The two parts of `CRON_TZ=Europe/Berlin 0 3 * * *`, as some programs allow.
fn zone_and_cron(text: &str) -> Option<(&str, &str)> {
    let text = text.trim();
    let zoned = text.strip_prefix("CRON_TZ=").or_else(|| text.strip_prefix("TZ="))?;
    let (zone, cron) = zoned.split_once(char::is_whitespace)?;
    Some((zone, cron.trim_start()))
}

fn wrong(text: &str, why: &str) -> CronError {
    CronError(format!(
        "{text:?} is not a cron expression: {why}; write minute, hour, day of month, month and \
         day of week, such as \"0 3 * * *\""
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(text: &str) -> String {
        Cron::parse(text).map_or_else(|error| error.to_string(), |cron| cron.to_string())
    }

    #[test]
    fn schedules_are_read_into_plain_numbers() {
        for (text, numbers) in [
            ("0 3 * * *", "0 3 * * *"),
            ("*/10 0 3 * * *", "0,10,20,30,40,50 0 3 * * *"),
            ("@daily", "0 0 * * *"),
            ("0 0 29 2 *", "0 0 29 2 *"),
            ("0 9 * * MON-FRI", "0 9 * * 1,2,3,4,5"),
            ("0 9 * * FRI-SUN", "0 9 * * 0,5,6"),
            ("0 9 * * sat-sun", "0 9 * * 0,6"),
            ("0 9 * * 5-7", "0 9 * * 0,5,6"),
            ("0 9 * * SUN-TUE", "0 9 * * 0,1,2"),
            ("0 9 * * 7", "0 9 * * 0"),
            ("0 0 L * *", "0 0 L * *"),
            ("0 0 31 2 MON", "0 0 31 2 1"),
            ("0 0 1,15 jan-mar ?", "0 0 1,15 1,2,3 *"),
            ("0 0 * * 5#2", "0 0 * * 5#2"),
            ("0 0 * * SUN#1", "0 0 * * 0#1"),
            ("0 0 * * 7L", "0 0 * * 0#L"),
            ("0 0 15W * *", "0 0 15W * *"),
            ("0 0 LW * *", "0 0 LW * *"),
            ("0 0 * * FRI#L", "0 0 * * 5#L"),
            ("*,30 * * * * *", "* * * * * *"),
            ("0 0 ?,L * *", "0 0 * * *"),
            ("5,5,1-5/2 * * * *", "1,3,5 * * * *"),
            ("*/1 * * * *", "* * * * *"),
            ("*/59 * * * *", "0,59 * * * *"),
        ] {
            assert_eq!(plain(text), numbers, "{text:?}");
            assert_eq!(plain(numbers), numbers, "{text:?}");
        }
    }

    #[test]
    fn invalid_schedules_are_explained_with_the_cure() {
        for (text, said) in [
            ("", "it has 0 fields"),
            ("daily", "it has 1 field"),
            ("61 * * * *", "minute must be 0-59, not `61`"),
            ("* * * *", "it has 4 fields"),
            ("0 0 0 1 1 * 2030", "it has 7 fields"),
            ("0 0 31 2 *", "is never due"),
            ("0 0 30,31 2 *", "is never due"),
            ("0 0 30W 2 *", "is never due"),
            ("0 0 31 4,6 *", "is never due"),
            ("5/10 * * * *", "a step needs a range: `5-59/10`"),
            ("*/0 * * * *", "the step in `*/0` must be a positive number"),
            ("*/90 * * * *", "write `0` for once an hour"),
            ("0 */24 * * *", "write `0` for once a day"),
            ("0 0 */31 * *", "write `1` for once a month"),
            ("0 0 1-5/5 * *", "write `1`"),
            ("9-3 * * * *", "write `9-59,0-3`"),
            ("0 22-2 * * *", "write `22-23,0-2`"),
            ("0 0 * NOV-FEB *", "write `NOV-12,1-FEB`"),
            ("0 0 * * FRI-MON", "write `FRI-6,0-MON`"),
            ("+1 * * * *", "minute must be 0-59, not `+1`"),
            ("1, * * * *", "minute must be 0-59, not ``"),
            ("0 0 * * 5#6", "must count weekdays from 1 to 5"),
            ("0 0 L/2 * *", "a step needs a range"),
            ("0 0 ? ? *", "month must be 1-12"),
            ("CRON_TZ=Europe/Berlin 0 3 * * *", "\"timezone\": \"Europe/Berlin\""),
            ("TZ=UTC 0 3 * * *", "\"timezone\": \"UTC\""),
        ] {
            let error = plain(text);
            assert!(error.contains(said), "{text:?}: {error}");
        }
        assert!(plain(&"0,".repeat(10_000)).contains("at most 1000 bytes"));
    }
}
