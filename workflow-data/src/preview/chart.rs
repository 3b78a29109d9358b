//! What the values of a column are: a histogram of numbers and times, or the most frequent values.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Float64Type;
use arrow_array::{Array, ArrayRef, Float64Array};
use arrow_cast::cast;
use arrow_schema::{DataType, TimeUnit};
use jiff::{Timestamp, tz::Offset};
use workflow_core::table::{Bucket, ColumnChart, ValueCount};

use crate::value::UTC;

/// The most ranges of a histogram.
const MOST_BUCKETS: u32 = 20;
/// The most values that are listed.
const MOST_VALUES: usize = 10;

/// The values of a column that were read so far.
pub(super) enum Values {
    Numbers { values: Vec<f64>, scale: Scale },
    Texts(HashMap<String, u64>),
}

/// What the numbers of a histogram stand for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scale {
    Integer,
    Number,
    /// Days since 1970.
    Date,
    /// Microseconds since 1970.
    Timestamp,
}

impl Values {
    pub(super) fn of(kind: &DataType) -> Self {
        let scale = match kind {
            kind if kind.is_integer() => Scale::Integer,
            DataType::Decimal32(..)
            | DataType::Decimal64(..)
            | DataType::Decimal128(..)
            | DataType::Decimal256(..) => Scale::Number,
            kind if kind.is_floating() => Scale::Number,
            DataType::Date32 => Scale::Date,
            DataType::Date64 | DataType::Timestamp(..) => Scale::Timestamp,
            _ => return Self::Texts(HashMap::new()),
        };
        Self::Numbers { values: Vec::new(), scale }
    }

    /// The values of an array as numbers, if the chart is of numbers.
    pub(super) fn numbers(&self, array: &ArrayRef) -> Option<Float64Array> {
        match self {
            Self::Numbers { scale, .. } => scale.numbers(array),
            Self::Texts(_) => None,
        }
    }

    /// Adds a value, which is not null: its number, if there are [numbers](Self::numbers), or else
    /// its text. NaN and infinity have no place in a histogram.
    pub(super) fn add(&mut self, numbers: Option<&Float64Array>, row: usize, text: &str) {
        match self {
            Self::Numbers { values, .. } => {
                let number = numbers.filter(|numbers| numbers.is_valid(row));
                let number = number.map(|numbers| numbers.value(row));
                values.extend(number.filter(|number| number.is_finite()));
            }
            Self::Texts(counts) => match counts.get_mut(text) {
                Some(count) => *count += 1,
                None => _ = counts.insert(text.to_owned(), 1),
            },
        }
    }

    pub(super) fn chart(self) -> Option<ColumnChart> {
        match self {
            Self::Numbers { values, scale } => histogram(&values, scale),
            Self::Texts(counts) => frequent(counts),
        }
    }
}

fn histogram(values: &[f64], scale: Scale) -> Option<ColumnChart> {
    let smallest = values.iter().copied().reduce(f64::min)?;
    let largest = values.iter().copied().reduce(f64::max)?;
    let ranges = Ranges::of(smallest, largest, scale);
    let mut counts = vec![0; ranges.count as usize];
    for value in values {
        counts[ranges.index(*value)] += 1;
    }
    let buckets = (0_u32..).zip(counts).map(|(index, count)| Bucket {
        from: scale.text(ranges.start(index)),
        to: if index + 1 == ranges.count {
            scale.text(largest)
        } else {
            scale.text(ranges.start(index + 1))
        },
        count,
    });
    Some(ColumnChart::Histogram { buckets: buckets.collect() })
}

/// Ranges of the same width.
struct Ranges {
    first: f64,
    width: f64,
    count: u32,
}

impl Ranges {
    fn of(smallest: f64, largest: f64, scale: Scale) -> Self {
        // Halves, because the difference of two numbers may be infinite.
        let width = (largest / 2.0 - smallest / 2.0) / f64::from(MOST_BUCKETS) * 2.0;
        let is_whole = matches!(scale, Scale::Integer | Scale::Date);
        let width = if is_whole { width.ceil() } else { width };
        if width <= 0.0 || !width.is_finite() {
            return Self { first: smallest, width: 1.0, count: 1 };
        }
        let mut ranges = Self { first: smallest, width, count: MOST_BUCKETS };
        // Whole ranges may be fewer.
        while ranges.count > 1 && ranges.start(ranges.count - 1) > largest {
            ranges.count -= 1;
        }
        ranges
    }

    fn start(&self, index: u32) -> f64 {
        self.width.mul_add(f64::from(index), self.first)
    }

    fn index(&self, value: f64) -> usize {
        let last = self.count as usize - 1;
        (0..=last).rev().find(|index| self.start(*index as u32) <= value).unwrap_or(0)
    }
}

impl Scale {
    /// `None` for types that have no numbers of 64 bits.
    fn numbers(self, array: &ArrayRef) -> Option<Float64Array> {
        let microseconds = || DataType::Timestamp(TimeUnit::Microsecond, Some(Arc::from(UTC)));
        let whole = match self {
            Self::Integer | Self::Number => Arc::clone(array),
            Self::Date => cast(&cast(array, &DataType::Int32).ok()?, &DataType::Int64).ok()?,
            Self::Timestamp => cast(&cast(array, &microseconds()).ok()?, &DataType::Int64).ok()?,
        };
        Some(cast(&whole, &DataType::Float64).ok()?.as_primitive::<Float64Type>().clone())
    }

    #[expect(clippy::cast_possible_truncation, reason = "a place on a line, in its range")]
    fn text(self, value: f64) -> String {
        match self {
            Self::Integer => format!("{value:.0}"),
            Self::Number => short(value),
            Self::Date => {
                let seconds = (value as i64).saturating_mul(86_400);
                let date = Timestamp::from_second(seconds);
                date.map_or_else(
                    |_| value.to_string(),
                    |at| Offset::UTC.to_datetime(at).date().to_string(),
                )
            }
            Self::Timestamp => {
                let at = Timestamp::from_microsecond(value as i64);
                at.map_or_else(|_| value.to_string(), |at| at.to_string())
            }
        }
    }
}

/// A number with four significant digits.
fn short(value: f64) -> String {
    let rounded: f64 = format!("{value:.3e}").parse().unwrap_or(value);
    let magnitude = rounded.abs();
    let is_plain = magnitude == 0.0 || (1e-4..1e15).contains(&magnitude);
    if is_plain { rounded.to_string() } else { format!("{rounded:e}") }
}

fn frequent(counts: HashMap<String, u64>) -> Option<ColumnChart> {
    let distinct = counts.len() as u64;
    let mut values: Vec<_> =
        counts.into_iter().map(|(value, count)| ValueCount { value, count }).collect();
    values.sort_unstable_by(|one, other| {
        other.count.cmp(&one.count).then_with(|| one.value.cmp(&other.value))
    });
    values.truncate(MOST_VALUES);
    (distinct > 0).then_some(ColumnChart::Frequent { values, distinct })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn buckets(values: &[f64], scale: Scale) -> Vec<(String, String, u64)> {
        match histogram(values, scale) {
            Some(ColumnChart::Histogram { buckets }) => {
                buckets.into_iter().map(|it| (it.from, it.to, it.count)).collect()
            }
            _ => Vec::new(),
        }
    }

    fn range(from: &str, to: &str, count: u64) -> (String, String, u64) {
        (from.to_owned(), to.to_owned(), count)
    }

    #[test]
    fn every_value_is_in_one_range() {
        let extremes = [f64::MIN, f64::MAX, 0.0, f64::MIN_POSITIVE, -0.0, 1e-300];
        let many: Vec<f64> = (0..1000).map(|at| f64::from(at).sin()).collect();
        for values in [&extremes[..], &extremes[2..], &many, &[7.0], &[0.1 + 0.2, 0.3]] {
            for scale in [Scale::Integer, Scale::Number, Scale::Date, Scale::Timestamp] {
                let buckets = buckets(values, scale);
                assert!(buckets.len() <= MOST_BUCKETS as usize, "{values:?}");
                let count: u64 = buckets.iter().map(|(_, _, count)| count).sum();
                assert_eq!(count, values.len() as u64, "{values:?} {scale:?}");
            }
        }
        assert_eq!(histogram(&[], Scale::Number), None);
    }

    #[test]
    fn ranges_of_whole_numbers_are_whole() {
        let expected = [range("1", "2", 2), range("2", "3", 0), range("3", "3", 1)];
        assert_eq!(buckets(&[1.0, 1.0, 3.0], Scale::Integer), expected);
        let days = [range("1970-01-01", "1970-01-02", 1), range("1970-01-02", "1970-01-02", 1)];
        assert_eq!(buckets(&[0.0, 1.0], Scale::Date), days);
        assert_eq!(buckets(&[5.0], Scale::Number), [range("5", "5", 1)]);
    }

    #[test]
    fn numbers_are_short() {
        let texts = [0.0, 1.0 / 3.0, 123_456.0, -2.5e-9, 1e300].map(short);
        assert_eq!(texts, ["0", "0.3333", "123500", "-2.5e-9", "1e300"]);
    }
}
