//! The fields of a cron expression: their ranges, their words for numbers, and the parser of items.

use std::fmt;

/// A field: its name, its range, and its words for numbers.
pub(crate) struct Field {
    name: &'static str,
    first: u32,
    pub(crate) last: u32,
    words: &'static [&'static str],
    /// How often a single value occurs.
    once: &'static str,
}

pub(crate) const DAY_OF_MONTH: Field =
    Field { name: "day of month", first: 1, last: 31, words: &[], once: "once a month" };

pub(crate) const FIELDS: [Field; 6] = [
    Field { name: "second", first: 0, last: 59, words: &[], once: "once a minute" },
    Field { name: "minute", first: 0, last: 59, words: &[], once: "once an hour" },
    Field { name: "hour", first: 0, last: 23, words: &[], once: "once a day" },
    DAY_OF_MONTH,
    Field { name: "month", first: 1, last: 12, words: &MONTHS, once: "once a year" },
    Field { name: "day of week", first: 0, last: 7, words: &DAYS, once: "once a week" },
];
const MONTHS: [&str; 12] =
    ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];
const DAYS: [&str; 7] = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];

/// Sunday, which is also 0.
const SUNDAY: u32 = 7;

/// A parsed field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Read {
    /// Any value.
    Any,
    /// These values.
    Values(Values),
}

/// Some values of a field.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Values {
    /// In order, each once.
    pub(crate) numbers: Vec<u32>,
    /// Days that depend on the month, such as its last day: `L`, `15W`, `5#2`.
    pub(crate) counted: Vec<String>,
    /// For those near a day of the month, that day.
    pub(crate) near: Vec<u32>,
}

impl fmt::Display for Read {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("*"),
            Self::Values(values) => {
                let numbers = values.numbers.iter().map(ToString::to_string);
                let all: Vec<String> = numbers.chain(values.counted.iter().cloned()).collect();
                f.write_str(&all.join(","))
            }
        }
    }
}

impl Field {
    /// Parses the items of the field, in upper case.
    pub(crate) fn read(&self, part: &str) -> Result<Read, String> {
        let (mut values, mut any) = (Values::default(), false);
        for item in part.split(',') {
            any |= self.item(item, &mut values)?;
        }
        if any {
            return Ok(Read::Any);
        }
        if self.is_day_of_week() {
            values.numbers.iter_mut().for_each(|day| *day %= SUNDAY);
        }
        values.numbers.sort_unstable();
        values.numbers.dedup();
        values.counted.sort_unstable();
        values.counted.dedup();
        Ok(Read::Values(values))
    }

    /// Adds the values of an item; returns whether it is any value.
    fn item(&self, item: &str, values: &mut Values) -> Result<bool, String> {
        let (range, step) = match item.split_once('/') {
            Some((range, step)) => (range, Some(step)),
            None => (item, None),
        };
        let is_any = range == "*" || (range == "?" && self.name.starts_with("day"));
        let (first, last) = match range.split_once('-') {
            _ if is_any && step.is_none() => return Ok(true),
            // Sunday occurs once a week.
            _ if is_any => (self.first, self.last.min(self.first + self.length() - 1)),
            Some((first, last)) => self.range(range, first, last)?,
            None if step.is_some() => return Err(self.step_without_range(item, range)),
            None if self.counted(range, values)? => return Ok(false),
            None => {
                values.numbers.push(self.number(range)?);
                return Ok(false);
            }
        };
        let step = self.step(item, step, first, last)?;
        values.numbers.extend((first..=last).step_by(step as usize));
        Ok(is_any && step == 1)
    }

    /// The two ends of a range.
    fn range(&self, range: &str, first: &str, last: &str) -> Result<(u32, u32), String> {
        let (from, to) = (self.number(first)?, self.number(last)?);
        if from <= to {
            return Ok((from, to));
        }
        if self.is_day_of_week() && to == 0 {
            return Ok((from, SUNDAY));
        }
        let (start, end) = (self.first, self.last.min(self.first + self.length() - 1));
        Err(format!(
            "the {} range `{range}` runs backwards; write `{first}-{end},{start}-{last}`",
            self.name
        ))
    }

    /// The step of an item, 1 where it has none.
    fn step(&self, item: &str, step: Option<&str>, first: u32, last: u32) -> Result<u32, String> {
        let Some(step) = step else { return Ok(1) };
        let is_number = !step.is_empty() && step.bytes().all(|byte| byte.is_ascii_digit());
        let number = step.parse::<u32>().ok().filter(|step| is_number && *step > 0);
        let Some(number) = number else {
            let too_long = is_number && step.bytes().any(|digit| digit != b'0');
            return Err(match too_long {
                true => self.too_large(item, first),
                false => format!("the step in `{item}` must be a positive number"),
            });
        };
        match number > last - first && last > first {
            true => Err(self.too_large(item, first)),
            false => Ok(number),
        }
    }

    fn too_large(&self, item: &str, first: u32) -> String {
        let (name, once) = (self.name, self.once);
        format!(
            "the step in `{item}` is larger than the range of the {name}; write `{first}` for {once}"
        )
    }

    fn step_without_range(&self, item: &str, range: &str) -> String {
        let (_, step) = item.split_once('/').unwrap_or((item, "2"));
        let last = self.last.min(self.first + self.length() - 1);
        match self.number(range) {
            Ok(_) => format!("a step needs a range: `{range}-{last}/{step}`"),
            Err(_) => format!("a step needs a range: `*/{step}`"),
        }
    }

    /// Adds a day that depends on the month: `L`, `15W`, `FRIL`, `MON#2`; returns whether the item
    /// is one.
    fn counted(&self, item: &str, values: &mut Values) -> Result<bool, String> {
        if self.name == DAY_OF_MONTH.name {
            if item == "L" || item == "LW" {
                values.counted.push(item.to_owned());
                return Ok(true);
            }
            let Some(day) = item.strip_suffix('W') else { return Ok(false) };
            let day = self.number(day)?;
            values.counted.push(format!("{day}W"));
            values.near.push(day);
            return Ok(true);
        }
        if !self.is_day_of_week() {
            return Ok(false);
        }
        let (day, count) = match (item.split_once('#'), item.strip_suffix('L')) {
            (Some((day, count)), _) => (day, count),
            (None, Some(day)) => (day, "L"),
            (None, None) => return Ok(false),
        };
        if !["1", "2", "3", "4", "5", "L"].contains(&count) {
            return Err(format!("`{item}` must count weekdays from 1 to 5"));
        }
        values.counted.push(format!("{}#{count}", self.number(day)? % SUNDAY));
        Ok(true)
    }

    fn number(&self, text: &str) -> Result<u32, String> {
        let Self { name, first, last, words, .. } = self;
        if let Some(place) = words.iter().position(|word| *word == text) {
            return Ok(place as u32 + first);
        }
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let number = text.parse().ok().filter(|number| digits && (first..=last).contains(&number));
        number.ok_or_else(|| format!("{name} must be {first}-{last}, not `{text}`"))
    }

    fn is_day_of_week(&self) -> bool {
        self.last == SUNDAY
    }

    /// The number of values.
    fn length(&self) -> u32 {
        if self.is_day_of_week() { 7 } else { self.last - self.first + 1 }
    }
}
