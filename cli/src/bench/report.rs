//! What a scenario answers: where it ran, and what it measured, for people or as one JSON document.

use serde::Serialize;
use serde_json::Value;

use super::machine::Surroundings;
use super::spread::Spread;
use crate::output::Table;

/// One scenario's answer.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
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
    pub(crate) fn new(
        scenario: &'static str,
        options: &impl Serialize,
        surroundings: Surroundings,
    ) -> anyhow::Result<Self> {
        let options = serde_json::to_value(options)?;
        let (measurements, series) = (Vec::new(), Vec::new());
        Ok(Self { scenario, options, surroundings, measurements, series })
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

    /// Notes how long a commit takes now: it drifts, and explains differences between repetitions.
    pub(crate) fn commit_took(&mut self, milliseconds: f64) {
        self.add("fsync, p50 of a tiny commit less a round trip", "ms", milliseconds);
    }

    /// The report as text.
    pub(crate) fn render(&self) -> String {
        let mut text = format!("bench {}  {}\n", self.scenario, self.options);
        text.push_str(&self.surroundings.render());
        let mut table = Table::new(["MEASURED", "MEDIAN", "MIN", "MAX", "UNIT", "REPS"]);
        for found in &self.measurements {
            let spread = &found.spread;
            table.row([
                found.name.clone(),
                figure(spread.median),
                figure(spread.min),
                figure(spread.max),
                found.unit.to_owned(),
                spread.values.len().to_string(),
            ]);
        }
        text.push_str(&table.render());
        for series in &self.series {
            let values: Vec<String> = series.values.iter().copied().map(figure).collect();
            text.push_str(&format!("\n{} ({}): {}", series.name, series.unit, values.join(" ")));
        }
        text
    }
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
    fn figures_keep_about_four_digits() {
        assert_eq!(figure(64_123.4), "64123");
        assert_eq!(figure(712.34), "712.3");
        assert_eq!(figure(0.8764), "0.876");
    }

    #[test]
    fn repetitions_of_one_measurement_are_one_line() {
        let mut report = Report::new("test", &Value::Null, Surroundings::default()).unwrap();
        report.add("speed", "jobs/s", 3.0);
        report.add("other", "ms", 1.0);
        report.add("speed", "jobs/s", 1.0);
        let json = serde_json::to_value(&report).unwrap();
        assert_eq!(json["measurements"].as_array().unwrap().len(), 2);
        assert_eq!(json["measurements"][0]["values"], serde_json::json!([3.0, 1.0]));
        assert_eq!(json["measurements"][0]["median"], 2.0);
    }
}
