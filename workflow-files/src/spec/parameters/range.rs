//! Ranges: `first:last` and `first:last:step`, both ends included. They count in integers, in units
//! of the last decimal, so that rounding errors do not add up.

use std::ops::Range;

use super::values::Unfit;
use super::{Argument, ArgumentKind};
use crate::bounds::file::COPIES;

/// The values of a range, which contains a colon.
pub(super) fn values(text: &str) -> Result<Vec<Argument>, Unfit> {
    let Steps { first, step, count, decimals, is_whole } = Steps::of(text)?;
    let values = (0..count).map(|index| first + index * step);
    if is_whole {
        return Ok(values
            .map(|value| Argument::new(ArgumentKind::Integer, value.to_string()))
            .collect());
    }
    let unit = 10_f64.powi(decimals as i32);
    let texts = values.map(|value| (value as f64 / unit).to_string());
    Ok(texts.map(|text| Argument::new(ArgumentKind::Number, text)).collect())
}

/// The number of values of a range; 0 if it is invalid.
pub(super) fn count(text: &str) -> usize {
    Steps::of(text).map_or(0, |steps| steps.count as usize)
}

/// A range in units of its last decimal.
struct Steps {
    first: i128,
    step: i128,
    count: i128,
    decimals: u32,
    /// Whether all of its numbers are integers.
    is_whole: bool,
}

impl Steps {
    fn of(text: &str) -> Result<Self, Unfit> {
        let parts = Parts::of(text)?;
        let decimals = parts.numbers().try_fold(0, |most, number| {
            decimals(number.text)
                .map(|decimals| most.max(decimals))
                .map_err(|why| parts.wrong(&why, number))
        })?;
        let units = |number: &Number<'_>| scaled(number.text, decimals);
        let (first, last) = (units(&parts.first), units(&parts.last));
        let step = parts.step.as_ref().map_or(10_i128.pow(decimals), units);
        if step == 0 {
            return Err(parts.stands_still());
        }
        if (last - first).signum() * step.signum() < 0 {
            return Err(parts.steps_away());
        }
        let count = (last - first) / step + 1;
        if count > COPIES as i128 {
            return Err(parts.too_many(count, step, decimals));
        }
        let is_whole = parts.numbers().all(|number| !number.text.contains('.'));
        Ok(Self { first, step, count, decimals, is_whole })
    }
}

/// The text of a range, in parts.
struct Parts<'t> {
    text: &'t str,
    first: Number<'t>,
    last: Number<'t>,
    step: Option<Number<'t>>,
}

/// The text of a number and its position in the range.
struct Number<'t> {
    text: &'t str,
    place: Range<usize>,
}

impl<'t> Parts<'t> {
    fn of(text: &'t str) -> Result<Self, Unfit> {
        let mut at = 0;
        let numbers = text.split(':').map(|part| {
            let start = at + part.len() - part.trim_start().len();
            at += part.len() + 1;
            let part = part.trim();
            Number { text: part, place: start..start + part.len() }
        });
        let mut numbers: Vec<_> = numbers.collect();
        let step = (numbers.len() == 3).then(|| numbers.pop()).flatten();
        let Ok([first, last]) = <[Number<'_>; 2]>::try_from(numbers) else {
            let reason = format!("is `{text}`, which has too many colons for a range");
            let help = "write `first:last` or `first:last:step`; ".to_owned() + TEXTS;
            return Err(Unfit::new(reason, help));
        };
        let parts = Self { text, first, last, step };
        for (number, what) in parts.numbers().zip(["first value", "last value", "step"]) {
            if number.text.is_empty() {
                let reason = format!("is `{text}`, a range without a {what}");
                return Err(Unfit::new(reason, "write `first:last` or `first:last:step`: `0:9`"));
            }
        }
        Ok(parts)
    }

    fn numbers(&self) -> impl Iterator<Item = &Number<'t>> {
        [&self.first, &self.last].into_iter().chain(&self.step)
    }

    /// The range with another step.
    fn with_step(&self, step: &str) -> String {
        format!("`{}:{}:{step}`", self.first.text, self.last.text)
    }

    /// The range with its ends the other way round.
    fn turned(&self) -> String {
        let step = self.step.as_ref().map_or_else(String::new, |step| format!(":{}", step.text));
        format!("`{}:{}{step}`", self.last.text, self.first.text)
    }

    fn wrong(&self, why: &NoDecimal, number: &Number<'_>) -> Unfit {
        let (text, written) = (self.text, number.text);
        let unfit = match why {
            NoDecimal::Text => Unfit::new(
                format!("is `{text}`, in which `{written}` is not a number"),
                format!("write numbers: `0:9`; {TEXTS}"),
            ),
            NoDecimal::Exponent(plain) => Unfit::new(
                format!("is `{text}`, in which `{written}` is written with an exponent"),
                format!("write it as a decimal: `{plain}`"),
            ),
            NoDecimal::Digits => Unfit::new(
                format!("is `{text}`, in which `{written}` has too many digits to be exact"),
                format!(
                    "write at most {WHOLE} digits before the decimal point and {FRACTION} after it"
                ),
            ),
        };
        unfit.at(text, number.place.clone())
    }

    fn stands_still(&self) -> Unfit {
        let reason = format!("is `{}`, which never ends because its step is 0", self.text);
        let (first, last) = (self.first.text, self.last.text);
        let help = format!("use another step, or omit it: `{first}:{last}`");
        self.about_step(Unfit::new(reason, help))
    }

    fn steps_away(&self) -> Unfit {
        let (first, last) = (self.first.text, self.last.text);
        let step = self.step.as_ref().map_or("1", |step| step.text);
        let reason = format!(
            "is `{}`, which is empty: from {first}, steps of {step} lead away from {last}",
            self.text
        );
        let opposite = match step.strip_prefix('-') {
            Some(positive) => positive.to_owned(),
            None => format!("-{}", step.trim_start_matches('+')),
        };
        let help = format!("write {}, or reverse it: {}", self.with_step(&opposite), self.turned());
        self.about_step(Unfit::new(reason, help))
    }

    fn too_many(&self, count: i128, step: i128, decimals: u32) -> Unfit {
        let reason = format!("is `{}`, which has {count} values; the limit is {COPIES}", self.text);
        let larger = step * ((count - 1) / COPIES as i128 + 1);
        let help =
            format!("take a larger step, such as {}", self.with_step(&decimal(larger, decimals)));
        Unfit::new(reason, help)
    }

    fn about_step(&self, unfit: Unfit) -> Unfit {
        match &self.step {
            Some(step) => unfit.at(self.text, step.place.clone()),
            None => unfit,
        }
    }
}

/// The cure for a text that is not meant as a range.
const TEXTS: &str = "put a text that contains `:` into a list: `['a:b']`";
/// The most digits before the point.
const WHOLE: usize = 18;
/// The most digits after the point.
const FRACTION: usize = 15;

/// Why a number cannot be part of a range.
enum NoDecimal {
    Text,
    /// The same number as a decimal.
    Exponent(String),
    Digits,
}

/// The number of decimals of a number.
fn decimals(number: &str) -> Result<u32, NoDecimal> {
    let unsigned = number.strip_prefix(['-', '+']).unwrap_or(number);
    let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !digits(fraction) || whole.len() + fraction.len() == 0 {
        let value = number.parse::<f64>().ok().filter(|value| value.is_finite());
        return Err(value.map_or(NoDecimal::Text, |value| NoDecimal::Exponent(value.to_string())));
    }
    if whole.len() > WHOLE || fraction.len() > FRACTION {
        return Err(NoDecimal::Digits);
    }
    Ok(fraction.len() as u32)
}

/// The number in units of its last decimal. It must be valid.
fn scaled(number: &str, decimals: u32) -> i128 {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let padding = "0".repeat(decimals as usize - fraction.len());
    let digits = format!("{whole}{fraction}{padding}");
    digits.parse().expect("a sign and at most 33 digits, as `decimals` has found")
}

/// The number that corresponds to a number of units.
fn decimal(units: i128, decimals: u32) -> String {
    let sign = if units < 0 { "-" } else { "" };
    let digits = format!("{:0>width$}", units.unsigned_abs(), width = decimals as usize + 1);
    let (whole, fraction) = digits.split_at(digits.len() - decimals as usize);
    let number = format!("{sign}{whole}.{fraction}");
    number.trim_end_matches('0').trim_end_matches('.').to_owned()
}
