//! Cron expressions: five fields, or six with seconds. Judged, never evaluated.

/// One field: its name, its range, and the words that stand for numbers.
struct Field {
    name: &'static str,
    first: u32,
    last: u32,
    words: &'static [&'static str],
}

const FIELDS: [Field; 6] = [
    Field { name: "second", first: 0, last: 59, words: &[] },
    Field { name: "minute", first: 0, last: 59, words: &[] },
    Field { name: "hour", first: 0, last: 23, words: &[] },
    Field { name: "day of month", first: 1, last: 31, words: &[] },
    Field { name: "month", first: 1, last: 12, words: &MONTHS },
    Field { name: "day of week", first: 0, last: 7, words: &DAYS },
];
const MONTHS: [&str; 12] =
    ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];
const DAYS: [&str; 7] = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];
const NICKNAMES: [&str; 6] = ["@YEARLY", "@ANNUALLY", "@MONTHLY", "@WEEKLY", "@DAILY", "@HOURLY"];
/// The longest that each month can be.
const LENGTHS: [u32; 12] = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

/// The numbers that a field names; none when it names days such as the last, which every month has.
type Values = Option<Vec<u32>>;

/// Says what is wrong with a schedule.
pub(super) fn check(text: &str) -> Result<(), String> {
    if let Some((zone, cron)) = zone_and_cron(text) {
        return Err(format!(
            "{text:?} holds a time zone, for which a cron expression has no field; write {cron:?}, \
             and beside it \"timezone\": {zone:?}"
        ));
    }
    let upper = text.trim().to_uppercase();
    if NICKNAMES.contains(&upper.as_str()) {
        return Ok(());
    }
    let parts: Vec<&str> = upper.split_whitespace().collect();
    let fields = match parts.len() {
        5 => &FIELDS[1..],
        6 => &FIELDS[..],
        count => return Err(wrong(text, &format!("it has {count} fields"))),
    };
    let mut values = Vec::new();
    for (field, part) in fields.iter().zip(&parts) {
        values.push(field.values(part).map_err(|why| wrong(text, &why))?);
    }
    let [.., days, months, _] = values.as_slice() else { return Ok(()) };
    let any_weekday = matches!(parts.last(), Some(&("*" | "?")));
    // A day of week beside a day of month is another way for the schedule to come.
    match (days, months) {
        (Some(days), Some(months)) if any_weekday && !meet(days, months) => {
            Err(format!("the schedule {text:?} never comes: there is no such date"))
        }
        _ => Ok(()),
    }
}

/// The two parts of `CRON_TZ=Europe/Berlin 0 3 * * *`, which some programs read.
fn zone_and_cron(text: &str) -> Option<(&str, &str)> {
    let text = text.trim();
    let zoned = text.strip_prefix("CRON_TZ=").or_else(|| text.strip_prefix("TZ="))?;
    let (zone, cron) = zoned.split_once(char::is_whitespace)?;
    Some((zone, cron.trim_start()))
}

fn wrong(text: &str, why: &str) -> String {
    format!(
        "{text:?} is no cron expression: {why}; write minute, hour, day of month, month and \
         day of week, such as \"0 3 * * *\""
    )
}

fn meet(days: &[u32], months: &[u32]) -> bool {
    let length = |month: &u32| LENGTHS.get(*month as usize - 1).copied().unwrap_or(0);
    months.iter().any(|month| days.iter().any(|day| *day <= length(month)))
}

impl Field {
    fn values(&self, part: &str) -> Result<Values, String> {
        let mut values = Some(Vec::new());
        for item in part.split(',') {
            match (self.item(item)?, &mut values) {
                (Some(more), Some(values)) => values.extend(more),
                _ => values = None,
            }
        }
        Ok(values)
    }

    fn item(&self, item: &str) -> Result<Values, String> {
        let (range, step) = match item.split_once('/') {
            Some((range, step)) => (range, Some(step)),
            None => (item, None),
        };
        let (first, last) = match range.split_once('-') {
            _ if range == "*" || (range == "?" && self.name.starts_with("day")) => {
                (self.first, self.last)
            }
            Some((first, last)) => (self.number(first)?, self.number(last)?),
            None if step.is_some() => {
                return Err(format!("a step wants a range: `*/{}`", step.unwrap_or("2")));
            }
            None if self.special(range)? => return Ok(None),
            None if self.name == "day of month" => {
                let day = range.strip_suffix('W').unwrap_or(range);
                return Ok(Some(vec![self.number(day)?]));
            }
            None => return Ok(Some(vec![self.number(range)?])),
        };
        if first > last {
            return Err(format!("the {} range `{range}` runs backwards", self.name));
        }
        let step: usize = match step.map(str::parse) {
            None => 1,
            Some(Ok(step)) if step > 0 => step,
            Some(_) => return Err(format!("the step in `{item}` is no positive number")),
        };
        Ok(Some((first..=last).step_by(step).collect()))
    }

    /// Whether this is a day that is found by counting: `L`, `FRIL`, `MON#2`.
    fn special(&self, item: &str) -> Result<bool, String> {
        let counted = match self.name {
            "day of month" if item == "L" || item == "LW" => return Ok(true),
            "day of week" => match item.split_once('#') {
                Some((day, count)) if ["1", "2", "3", "4", "5", "L"].contains(&count) => Some(day),
                Some(_) => return Err(format!("`{item}` counts weekdays from 1 to 5")),
                None => item.strip_suffix('L'),
            },
            _ => None,
        };
        counted.map_or(Ok(false), |day| self.number(day).map(|_| true))
    }

    fn number(&self, text: &str) -> Result<u32, String> {
        let Self { name, first, last, words } = self;
        if let Some(place) = words.iter().position(|word| *word == text) {
            return Ok(place as u32 + first);
        }
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let number = text.parse().ok().filter(|number| digits && (first..=last).contains(&number));
        number.ok_or_else(|| format!("`{text}` is no {name}, which goes from {first} to {last}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schedules_are_cron() {
        for fine in [
            "0 3 * * *",
            "*/10 0 3 * * *",
            "@daily",
            "0 0 29 2 *",
            "0 9 * * MON-FRI",
            "0 0 L * *",
            "0 0 31 2 MON",
            "0 0 1,15 jan-mar ?",
            "0 0 * * 5#2",
            "0 0 15W * *",
            "0 0 * * FRI#L",
        ] {
            assert_eq!(check(fine), Ok(()), "{fine:?}");
        }
        for wrong in [
            "",
            "daily",
            "61 * * * *",
            "* * * *",
            "0 0 0 1 1 * 2030",
            "0 0 31 2 *",
            "0 0 31 4,6 *",
            "5/10 * * * *",
            "*/0 * * * *",
            "9-3 * * * *",
            "+1 * * * *",
            "1, * * * *",
            "0 0 * * 5#6",
            "CRON_TZ=Europe/Berlin 0 3 * * *",
            "TZ=UTC 0 3 * * *",
        ] {
            assert!(check(wrong).is_err(), "{wrong:?}");
        }
    }
}
