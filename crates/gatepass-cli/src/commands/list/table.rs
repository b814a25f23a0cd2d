//! The table of `list`, with the messages of its profiles below it.
//!
//! Columns that do not fit are left out, the least important one first, so that a row stays one line.
//! Messages are not a column: one long message would leave no width for the others.

use anstyle::{AnsiColor, Style};
use comfy_table::{Table, presets};
use gatepass::clock::{Clock, SystemClock};
use gatepass::config::ProfileOrigin;
use textwrap::core::display_width;

use super::rows::{List, ProfileRow};
use crate::commands::cached_state::CachedState;
use crate::output::format_duration;
use crate::wrap::wrap;

const COLUMNS: [&str; 7] =
    ["PROFILE", "PROVIDER", "STATE", "EXPIRES IN", "REFRESH IN", "SOURCE", "NEXT"];
const STATE: usize = 2;
/// The columns that may be left out, the first one first.
const OPTIONAL: [usize; 4] = [6, 5, 4, 1];
/// The space between two columns.
const GAP: usize = 2;

type Cells = [String; COLUMNS.len()];

/// Returns the table, the messages, and the path of the config file.
pub(super) fn text(list: &List, width: Option<u16>) -> String {
    let (List { rows, gate }, width) = (list, width.map(usize::from));
    let cells: Vec<Cells> = rows.iter().map(cells).collect();
    let columns = columns(&cells, width);
    let is_next_shown = columns.contains(&6);
    let mut text = match width {
        Some(width) if natural_width(&cells, &columns) > width => stacked(&cells),
        _ => table(&cells, &columns),
    };
    let mut messages = String::new();
    for row in rows {
        let Some(message) = row.message() else { continue };
        messages += &format!("{}: {message}\n", row.name);
        if let Some(next) = row.next.as_ref().filter(|_| !is_next_shown) {
            messages += &format!("  next: {next}\n");
        }
    }
    if !messages.is_empty() {
        text += &format!("\n{messages}");
    }
    if let Some(path) = gate.config().path() {
        let origin = ProfileOrigin::File(path.to_owned());
        let (name, whole) = (origin_name(&origin), path.display().to_string());
        if name != whole {
            text += &format!("\n{name}: {whole}\n");
        }
    }
    match width {
        Some(width) => wrap(&text, width),
        None => text,
    }
}

/// Returns a row's cells in the order of [`COLUMNS`].
fn cells(row: &ProfileRow) -> Cells {
    let state = row.state.as_ref().ok();
    let token = state.and_then(CachedState::token);
    let now = SystemClock::new().wall();
    let refresh = token.and(state).and_then(|state| state.status.refresh_in);
    let refresh =
        refresh.map(|it| if it.is_zero() { String::from("now") } else { format_duration(it) });
    let texts = [
        Some(row.name.clone()),
        row.provider().map(str::to_owned),
        Some(row.state_name().to_owned()),
        token.map(|token| format_duration(token.remaining(now))),
        refresh,
        row.profile.as_ref().map(|profile| origin_name(&profile.origin)),
        row.next.clone(),
    ];
    texts.map(Option::unwrap_or_default)
}

/// Returns the columns that have content and fit.
fn columns(cells: &[Cells], width: Option<usize>) -> Vec<usize> {
    let is_used = |column: &usize| cells.iter().any(|row| !row[*column].is_empty());
    let mut columns: Vec<usize> = (0..COLUMNS.len()).filter(is_used).collect();
    for left_out in OPTIONAL {
        if width.is_some_and(|width| natural_width(cells, &columns) > width) {
            columns.retain(|column| *column != left_out);
        }
    }
    columns
}

/// Returns the width of a table in which no cell is wrapped.
fn natural_width(cells: &[Cells], columns: &[usize]) -> usize {
    let width = |column: &usize| {
        let texts = cells.iter().map(|row| display_width(&row[*column]));
        texts.chain([COLUMNS[*column].len()]).max().unwrap_or_default()
    };
    let gaps = GAP * columns.len().saturating_sub(1);
    columns.iter().map(width).sum::<usize>() + gaps
}

fn table(cells: &[Cells], columns: &[usize]) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(columns.iter().map(|&column| COLUMNS[column]));
    for row in cells {
        let or_dash = |text: &String| if text.is_empty() { "-".to_owned() } else { text.clone() };
        table.add_row(columns.iter().map(|&column| or_dash(&row[column])));
    }
    table.column_iter_mut().for_each(|column| {
        column.set_padding((0, 2));
    });
    colored(&table.trim_fmt(), cells) + "\n"
}

/// Formats each profile as two lines, for a terminal that is too narrow for the shortest table.
fn stacked(cells: &[Cells]) -> String {
    let mut text = String::new();
    for row in cells {
        let style = style(&row[STATE]);
        let expiry = match row[3].is_empty() {
            true => String::new(),
            false => format!(", expires in {}", row[3]),
        };
        text += &format!("{}\n  {style}{}{style:#}{expiry}\n", row[0], row[STATE]);
    }
    text
}

/// Colors the states in the finished table, which keeps the column widths right.
fn colored(text: &str, cells: &[Cells]) -> String {
    let mut lines = text.lines();
    let header = lines.next().unwrap_or_default();
    let at = header.find(COLUMNS[STATE]).unwrap_or_default();
    let rows = lines.zip(cells).map(|(line, row)| {
        let state = row[STATE].as_str();
        // A profile's name is ASCII, so columns are bytes.
        match line.split_at_checked(at) {
            Some((before, rest)) if rest.starts_with(state) => {
                let (style, rest) = (style(state), rest.strip_prefix(state).unwrap_or_default());
                format!("{before}{style}{state}{style:#}{rest}")
            }
            _ => line.to_owned(),
        }
    });
    [header.to_owned()].into_iter().chain(rows).collect::<Vec<_>>().join("\n")
}

fn style(state: &str) -> Style {
    let color = match state {
        "token good" => AnsiColor::Green,
        "ready" => return Style::new(),
        "aging" | "throttled" | "unavailable" | "login needed" => AnsiColor::Yellow,
        _ => AnsiColor::Red,
    };
    Style::new().fg_color(Some(color.into()))
}

/// Returns the short name of the file or environment that defines a profile.
fn origin_name(origin: &ProfileOrigin) -> String {
    match origin {
        ProfileOrigin::File(path) => {
            path.file_name().unwrap_or_default().to_string_lossy().into_owned()
        }
        _ => String::from("environment"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(texts: [&str; COLUMNS.len()]) -> Cells {
        texts.map(str::to_owned)
    }

    #[test]
    fn columns_are_left_out_until_the_row_fits() {
        let cells = [
            row(["cisco", "cisco", "token good", "59m40s", "29m00s", "config.toml", ""]),
            row([
                "lake",
                "celerdata",
                "unusable response",
                "",
                "",
                "config.toml",
                "gatepass why lake",
            ]),
        ];
        let shown = |width| columns(&cells, width);
        assert_eq!(shown(None), [0, 1, 2, 3, 4, 5, 6]);
        assert_eq!(shown(Some(120)), [0, 1, 2, 3, 4, 5, 6]);
        assert_eq!(shown(Some(80)), [0, 1, 2, 3, 4, 5]);
        assert_eq!(shown(Some(61)), [0, 1, 2, 3, 4]);
        assert_eq!(shown(Some(60)), [0, 1, 2, 3]);
        assert_eq!(shown(Some(50)), [0, 1, 2, 3]);
        assert_eq!(shown(Some(40)), [0, 2, 3]);
        for width in 38..120 {
            let table = table(&cells, &shown(Some(width)));
            let widest = table.lines().map(display_width).max().unwrap();
            assert!(widest <= width && table.lines().count() == 3, "{width}: {table}");
        }
        assert_eq!(shown(Some(20)), [0, 2, 3]);
    }
}
