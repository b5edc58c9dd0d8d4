//! Figures that come in pairs, and how they are shown.

use std::time::Duration;

use serde::Serialize;

/// A comparison: the same thing done by OrcaOps and by what a user would do instead.
#[derive(Debug, Clone, Serialize)]
pub struct Comparison {
    /// What is done.
    pub what: &'static str,
    /// What OrcaOps is compared with.
    pub against: &'static str,
    /// The unit of both figures.
    pub unit: &'static str,
    /// OrcaOps' figure.
    pub ours: f64,
    /// The other figure.
    pub theirs: f64,
    /// `ours` by `theirs`.
    pub ratio: f64,
    /// What the ratio should be.
    pub goal: Goal,
    /// How many pairs were taken.
    pub samples: usize,
}

/// What a ratio should be.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Goal {
    /// No more than this.
    AtMost(f64),
    /// No less than this.
    AtLeast(f64),
}

impl Comparison {
    /// Compares the medians of two series of times, in milliseconds.
    #[must_use]
    pub fn of_times(
        what: &'static str,
        against: &'static str,
        goal: Goal,
        ours: &[Duration],
        theirs: &[Duration],
    ) -> Self {
        Self::of(what, against, "ms", goal, &millis(ours), &millis(theirs))
    }

    /// Compares the medians of two series.
    #[must_use]
    pub fn of(
        what: &'static str,
        against: &'static str,
        unit: &'static str,
        goal: Goal,
        ours: &[f64],
        theirs: &[f64],
    ) -> Self {
        let samples = ours.len().min(theirs.len());
        let (ours, theirs) = (median(ours), median(theirs));
        Self { what, against, unit, ours, theirs, ratio: ours / theirs, goal, samples }
    }

    /// Whether the ratio is what it should be.
    #[must_use]
    pub fn holds(&self) -> bool {
        match self.goal {
            Goal::AtMost(limit) => self.ratio <= limit,
            Goal::AtLeast(limit) => self.ratio >= limit,
        }
    }

    /// One line of the table.
    #[must_use]
    pub fn row(&self) -> String {
        let goal = match self.goal {
            Goal::AtMost(limit) => format!("<= {limit:.2}"),
            Goal::AtLeast(limit) => format!(">= {limit:.2}"),
        };
        format!(
            "{:<34} {:<38} {:>11.2} {:>11.2} {:<8} {:>6.3}  {:<8} {}",
            self.what,
            self.against,
            self.ours,
            self.theirs,
            self.unit,
            self.ratio,
            goal,
            if self.holds() { "holds" } else { "MISSED" }
        )
    }
}

/// The table's head.
#[must_use]
pub fn header() -> String {
    format!(
        "{:<34} {:<38} {:>11} {:>11} {:<8} {:>6}  {:<8}",
        "what", "against", "orcaops", "other", "unit", "ratio", "goal"
    )
}

fn millis(times: &[Duration]) -> Vec<f64> {
    times.iter().map(|t| t.as_secs_f64() * 1000.0).collect()
}

/// The middle of a series; of an even one, the mean of the two in the middle.
#[must_use]
pub fn median(series: &[f64]) -> f64 {
    let mut sorted = series.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match sorted.len() {
        0 => f64::NAN,
        n if n % 2 == 1 => sorted[middle],
        _ => f64::midpoint(sorted[middle - 1], sorted[middle]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle_and_not_the_mean() {
        assert!((median(&[9.0, 1.0, 2.0]) - 2.0).abs() < f64::EPSILON);
        assert!((median(&[4.0, 1.0, 100.0, 2.0]) - 3.0).abs() < f64::EPSILON);
        assert!(median(&[]).is_nan());
    }

    #[test]
    fn a_goal_is_held_on_its_own_side_only() {
        let pair = |ours, goal| Comparison::of("", "", "", goal, &[ours], &[10.0]).holds();
        assert!(pair(8.0, Goal::AtMost(0.8)) && !pair(9.0, Goal::AtMost(0.8)));
        assert!(pair(12.0, Goal::AtLeast(1.1)) && !pair(10.0, Goal::AtLeast(1.1)));
    }
}
