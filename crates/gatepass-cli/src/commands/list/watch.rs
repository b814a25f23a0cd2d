//! `list --watch`: reads the list again each second, and shows it when it has changed.
//!
//! On a terminal the list is redrawn in place, on the alternate screen, so that the user's scrollback
//! stays as it was. Remaining lifetimes change each second and count as a change there only.

use std::process::ExitCode;
use std::time::{Duration, SystemTime};

use gatepass::config::Env;
use serde_json::{Value, json};
use tokio::time::{MissedTickBehavior, interval};

use super::rows::{List, ProfileRow};
use super::table;
use crate::error::CommandError;
use crate::options::{Common, Format};
use crate::output::Output;
use crate::screen::Screen;
use crate::session::warn_of_unused_variables;
use crate::signal;

/// How often the list is read.
const INTERVAL: Duration = Duration::from_secs(1);

pub(super) async fn run(
    profile: Option<&str>,
    format: Format,
    common: &Common,
    output: &Output,
) -> Result<ExitCode, CommandError> {
    let mut stop = std::pin::pin!(signal::stop()?);
    let mut screen = match format == Format::Text && output.is_terminal() && !is_dumb() {
        true => Some(Screen::new(output)?),
        false => None,
    };
    let mut ticks = interval(INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut shown: Option<Vec<Shown>> = None;
    loop {
        tokio::select! {
            // A signal precedes a tick that is due as well.
            biased;
            () = &mut stop => return Ok(ExitCode::SUCCESS),
            _ = ticks.tick() => {}
        }
        let read = List::read(profile, common, output).await;
        let list = match read {
            Ok(list) => list,
            // The file may be about to be replaced. Only the first reading must succeed.
            Err(error) if shown.is_some() => {
                output.warn_once(&error.message());
                continue;
            }
            Err(error) => return Err(error),
        };
        if shown.is_none() {
            warn_of_unused_variables(&list.gate, output);
        }
        if let Some(screen) = &mut screen {
            let text = match list.rows.is_empty() {
                true => list.advice(common),
                false => table::text(&list, output.width()),
            };
            screen.draw(&text)?;
            shown = Some(Vec::new());
            continue;
        }
        output.check_reader()?;
        let rows: Vec<Shown> = list.rows.iter().map(Shown::new).collect();
        if shown.as_ref().is_some_and(|shown| shown.as_slice() == rows) {
            continue;
        }
        match format {
            Format::Json => output.result(&format!("{}\n", list.json()))?,
            _ if rows.is_empty() => output.status(&list.advice(common)),
            _ => {
                let separator = if shown.is_some() { "\n" } else { "" };
                output.styled(&format!("{separator}{}", table::text(&list, None)))?;
            }
        }
        shown = Some(rows);
    }
}

/// Returns whether the terminal cannot move its cursor.
fn is_dumb() -> bool {
    Env::process().get("TERM").is_none_or(|name| name == "dumb")
}

/// The parts of a row whose change is shown.
#[derive(Debug)]
struct Shown {
    fields: Value,
    retry_at: Option<SystemTime>,
}

impl Shown {
    fn new(row: &ProfileRow) -> Self {
        let all = row.json();
        // Not `expires_in`, `refresh_in` and `next`, which may change each second.
        let names = ["profile", "provider", "origin", "state", "error", "expires_at", "last_error"];
        let mut fields: Value = names.map(|name| all[name].clone()).into_iter().collect();
        if let Some(fields) = fields.as_array_mut() {
            fields.push(json!(all["secret_sources"]));
        }
        Self { fields, retry_at: row.retry_at() }
    }
}

impl PartialEq for Shown {
    fn eq(&self, other: &Self) -> bool {
        // Computed from the remaining cool-down each time, so it varies by the time of the reading.
        let is_same_time = match (self.retry_at, other.retry_at) {
            (Some(one), Some(other)) => {
                let distance = one.duration_since(other).unwrap_or_else(|error| error.duration());
                distance <= Duration::from_secs(2)
            }
            (one, other) => one == other,
        };
        is_same_time && self.fields == other.fields
    }
}
