//! Listings: text in columns, and JSON.

use crate::failure::Failure;
use crate::text::{print, shown};
use serde::Serialize;

/// Rows, a line each, with their columns one below the other.
pub(super) fn print_table<const COLUMNS: usize>(rows: &[[String; COLUMNS]]) -> Result<(), Failure> {
    let rows: Vec<_> = rows.iter().map(|row| row.each_ref().map(|cell| shown(cell))).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: [usize; COLUMNS] = std::array::from_fn(width);
    rows.iter().try_for_each(|row| {
        let cells: Vec<_> = row.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        print(format_args!("{}", cells.join("  ").trim_end()))
    })
}

pub(super) fn print_json(value: &impl Serialize) -> Result<(), Failure> {
    let json = serde_json::to_string_pretty(value).map_err(Failure::other)?;
    print(format_args!("{json}"))
}
