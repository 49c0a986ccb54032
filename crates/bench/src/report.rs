//! What a scenario answers: where it ran, and what it measured, for people or as one JSON document.

use anyhow::Result;
use serde::Serialize;
use serde_json::Value;

use crate::machine::Surroundings;
use crate::spread::{Samples, Spread, Statistic, ratio};
use crate::target::{Target, session};

/// One scenario's answer.
#[derive(Debug, Serialize)]
pub struct Report {
    scenario: &'static str,
    options: Value,
    surroundings: Surroundings,
    measurements: Vec<Measurement>,
    series: Vec<Series>,
}

/// One figure, once per repetition.
#[derive(Debug, Serialize)]
struct Measurement {
    name: String,
    unit: &'static str,
    #[serde(flatten)]
    spread: Spread,
}

/// Figures of one repetition in the order of time.
#[derive(Debug, Serialize)]
struct Series {
    name: String,
    unit: &'static str,
    values: Vec<f64>,
}

impl Report {
    /// Begins the report of a scenario that is repeated so often.
    pub(crate) async fn begin(
        target: &Target,
        scenario: &'static str,
        options: &impl Serialize,
        reps: u32,
    ) -> Result<Self> {
        let mut options = serde_json::to_value(options)?;
        options["reps"] = reps.into();
        let client = target.client().await?;
        options["connection"] = client.mode().to_string().into();
        let surroundings = Surroundings::look(&session(&client).await?).await?;
        Ok(Self::empty(scenario, options, surroundings))
    }

    fn empty(scenario: &'static str, options: Value, surroundings: Surroundings) -> Self {
        let (measurements, series) = (Vec::new(), Vec::new());
        Self { scenario, options, surroundings, measurements, series }
    }

    /// Adds one repetition's value of a measurement, which stands where it was first named.
    pub(crate) fn add(&mut self, name: impl Into<String>, unit: &'static str, value: f64) {
        let name = name.into();
        match self.measurements.iter_mut().find(|known| known.name == name) {
            Some(known) => {
                let mut values = std::mem::take(&mut known.spread.values);
                values.push(value);
                known.spread = Spread::of(&values);
            }
            None => {
                self.measurements.push(Measurement { name, unit, spread: Spread::of(&[value]) });
            }
        }
    }

    pub(crate) fn series(&mut self, name: impl Into<String>, unit: &'static str, values: Vec<f64>) {
        self.series.push(Series { name: name.into(), unit, values });
    }

    /// Adds one repetition's ratio of two figures.
    pub(crate) fn ratio(&mut self, name: impl Into<String>, figure: f64, of: f64) {
        self.add(name, "ratio", ratio(figure, of));
    }

    /// Adds some statistics of one repetition's observations in milliseconds, a line each.
    pub(crate) fn times(&mut self, what: &str, of: &Samples, statistics: &[Statistic]) {
        for (name, value) in statistics {
            self.add(format!("{what}, {name}"), "ms", value(of));
        }
    }

    /// The report as text.
    pub fn render(&self) -> String {
        let mut text = format!("bench {}  {}\n", self.scenario, self.options);
        text.push_str(&self.surroundings.render());
        let mut rows =
            vec![["MEASURED", "MEDIAN", "MIN", "MAX", "UNIT", "REPS"].map(str::to_owned)];
        for found in &self.measurements {
            let spread = &found.spread;
            rows.push([
                found.name.clone(),
                figure(spread.median),
                figure(spread.min),
                figure(spread.max),
                found.unit.to_owned(),
                spread.values.len().to_string(),
            ]);
        }
        text.push_str(&aligned(&rows));
        for series in &self.series {
            let values: Vec<String> = series.values.iter().copied().map(figure).collect();
            text.push_str(&format!("\n{} ({}): {}", series.name, series.unit, values.join(" ")));
        }
        text
    }
}

/// Rows in columns as wide as their widest cell.
fn aligned<const N: usize>(rows: &[[String; N]]) -> String {
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max();
    let widths: [usize; N] = std::array::from_fn(|column| width(column).unwrap_or(0));
    let lines = rows.iter().map(|row| {
        let cells = row.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// As many digits as mean something.
fn figure(value: f64) -> String {
    match value.abs() {
        size if size >= 1000.0 => format!("{value:.0}"),
        size if size >= 100.0 => format!("{value:.1}"),
        size if size >= 10.0 => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let rows = [["A", "B"], ["long", "1"]].map(|row| row.map(str::to_owned));
        assert_eq!(aligned(&rows), "A     B\nlong  1");
    }

    #[test]
    fn figures_keep_about_four_digits() {
        assert_eq!(figure(64_123.4), "64123");
        assert_eq!(figure(712.34), "712.3");
        assert_eq!(figure(0.8764), "0.876");
    }

    #[test]
    fn repetitions_of_one_measurement_are_one_line() {
        let mut report = Report::empty("test", Value::Null, Surroundings::default());
        report.add("speed", "jobs/s", 3.0);
        report.add("other", "ms", 1.0);
        report.add("speed", "jobs/s", 1.0);
        let json = serde_json::to_value(&report).unwrap();
        assert_eq!(json["measurements"].as_array().unwrap().len(), 2);
        assert_eq!(json["measurements"][0]["values"], serde_json::json!([3.0, 1.0]));
        assert_eq!(json["measurements"][0]["median"], 2.0);
    }
}
