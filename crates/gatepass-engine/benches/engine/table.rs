//! Output tables and the statistics of many rounds.

use std::fmt::Display;

/// Prints a heading and the names of the columns.
pub(crate) fn head(title: &str, columns: &[&str]) {
    println!("\n{title}\n");
    println!("| {} |", columns.join(" | "));
    println!("|{}", "-|".repeat(columns.len()));
}

pub(crate) fn row(name: &str, cells: &[&dyn Display]) {
    let cells: Vec<String> = cells.iter().map(ToString::to_string).collect();
    println!("| {name} | {} |", cells.join(" | "));
}

/// Returns the median.
pub(crate) fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Returns the median of the ratios of pairs that were measured in the same round.
pub(crate) fn median_ratio(values: &[f64], to: &[f64]) -> f64 {
    median(values.iter().zip(to).map(|(value, to)| value / to))
}

/// Returns the lowest of those ratios, that of the least disturbed round.
pub(crate) fn best_ratio(values: &[f64], to: &[f64]) -> f64 {
    values.iter().zip(to).map(|(value, to)| value / to).fold(f64::INFINITY, f64::min)
}
