//! Rows of figures, combined over several rounds.

use std::fmt;

pub(crate) const HEAD: &str = "| measure | figure | must be | holds |\n|---|--:|--:|---|";

/// A figure and its target.
pub(crate) struct Row {
    pub(crate) measure: String,
    pub(crate) figure: String,
    pub(crate) bound: String,
    /// `None` without a target.
    pub(crate) holds: Option<bool>,
}

impl Row {
    /// A figure without a target.
    pub(crate) fn plain(measure: impl Into<String>, figure: impl Into<String>) -> Self {
        Self { measure: measure.into(), figure: figure.into(), bound: String::new(), holds: None }
    }

    /// A figure with a maximum.
    pub(crate) fn at_most(measure: &str, figure: &Figure, most: f64, unit: &str) -> Self {
        Self::bounded(measure, figure, ("<=", most), unit, figure.median() <= most)
    }

    /// A figure with a minimum.
    pub(crate) fn at_least(measure: &str, figure: &Figure, least: f64, unit: &str) -> Self {
        Self::bounded(measure, figure, (">=", least), unit, figure.median() >= least)
    }

    fn bounded(
        measure: &str,
        figure: &Figure,
        (sign, bound): (&str, f64),
        unit: &str,
        holds: bool,
    ) -> Self {
        Self {
            measure: measure.to_owned(),
            figure: figure.show(unit),
            bound: format!("{sign} {bound}{unit}"),
            holds: Some(holds),
        }
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let holds = match self.holds {
            Some(true) => "yes",
            Some(false) => "no",
            None => "",
        };
        write!(f, "| {} | {} | {} | {holds} |", self.measure, self.figure, self.bound)
    }
}

/// One figure per round.
pub(crate) struct Figure(Vec<f64>);

impl Figure {
    pub(crate) fn median(&self) -> f64 {
        self.0[self.0.len() / 2]
    }

    /// The median and the range.
    pub(crate) fn show(&self, unit: &str) -> String {
        let (least, most) = (self.0[0], self.0[self.0.len() - 1]);
        let [median, least, most] = [self.median(), least, most].map(short);
        format!("{median}{unit} ({least} to {most})")
    }
}

impl FromIterator<f64> for Figure {
    fn from_iter<I: IntoIterator<Item = f64>>(rounds: I) -> Self {
        let mut rounds: Vec<f64> = rounds.into_iter().collect();
        rounds.sort_unstable_by(f64::total_cmp);
        Self(rounds)
    }
}

fn short(number: f64) -> String {
    match number {
        _ if number < 10.0 => format!("{number:.2}"),
        _ if number < 100.0 => format!("{number:.1}"),
        _ => format!("{number:.0}"),
    }
}
