//! Numbers that were measured more than once.

use serde::Serialize;

/// Least, middle and greatest of the repetitions, and every one of them.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Spread {
    pub(crate) min: f64,
    pub(crate) median: f64,
    pub(crate) max: f64,
    pub(crate) values: Vec<f64>,
}

impl Spread {
    /// Of no values at all: zeros, so that a report of a run that was cut short can still be
    /// written.
    pub(crate) fn of(values: &[f64]) -> Self {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        Self {
            min: sorted.first().copied().unwrap_or(0.0),
            median: median(&sorted),
            max: sorted.last().copied().unwrap_or(0.0),
            values: values.to_vec(),
        }
    }
}

fn median(sorted: &[f64]) -> f64 {
    match sorted.len() {
        0 => 0.0,
        n if n % 2 == 1 => sorted[n / 2],
        n => f64::midpoint(sorted[n / 2 - 1], sorted[n / 2]),
    }
}

/// Many single observations, such as waits in milliseconds.
#[derive(Debug, Clone, Default)]
pub(crate) struct Samples {
    sorted: Vec<f64>,
}

/// A figure of many observations, with its name.
pub(crate) type Statistic = (&'static str, fn(&Samples) -> f64);

pub(crate) const P50: Statistic = ("p50", |of| of.percentile(0.5));
pub(crate) const P99: Statistic = ("p99", |of| of.percentile(0.99));
pub(crate) const MAX: Statistic = ("max", Samples::max);
pub(crate) const MEAN: Statistic = ("mean", Samples::mean);

impl Samples {
    pub(crate) fn of(mut values: Vec<f64>) -> Self {
        values.sort_by(f64::total_cmp);
        Self { sorted: values }
    }

    pub(crate) fn len(&self) -> usize {
        self.sorted.len()
    }

    /// The value that `share` of the observations do not exceed (nearest rank); 0 when there is
    /// none.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a rank in a Vec")]
    pub(crate) fn percentile(&self, share: f64) -> f64 {
        let rank = (share * self.sorted.len() as f64).ceil().max(1.0) as usize;
        self.sorted.get(rank - 1).copied().unwrap_or(0.0)
    }

    pub(crate) fn mean(&self) -> f64 {
        if self.sorted.is_empty() {
            return 0.0;
        }
        self.sorted.iter().sum::<f64>() / self.sorted.len() as f64
    }

    pub(crate) fn max(&self) -> f64 {
        self.sorted.last().copied().unwrap_or(0.0)
    }
}

/// One figure over another; 0 where the other is none, so that a report stays valid JSON.
pub(crate) fn ratio(figure: f64, of: f64) -> f64 {
    if of == 0.0 { 0.0 } else { figure / of }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_of_an_even_number_lies_between_two() {
        let spread = Spread::of(&[4.0, 1.0, 3.0, 2.0]);
        assert_eq!((spread.min, spread.median, spread.max), (1.0, 2.5, 4.0));
    }

    #[test]
    #[expect(clippy::float_cmp, reason = "these are exact")]
    fn percentiles_are_observed_values() {
        let samples = Samples::of((1..=100).map(f64::from).collect());
        assert_eq!(samples.percentile(0.5), 50.0);
        assert_eq!(samples.percentile(0.99), 99.0);
        assert_eq!(samples.percentile(1.0), 100.0);
        assert_eq!(Samples::default().percentile(0.99), 0.0);
    }
}
