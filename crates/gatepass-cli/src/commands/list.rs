//! `gatepass list`: the profiles and the cached state of each.

use std::process::ExitCode;

use anstyle::{AnsiColor, Style};
use comfy_table::{ContentArrangement, Table, presets};
use gatepass::cli_support;
use gatepass::clock::{Clock, SystemClock};
use gatepass::config::{Profile, ProfileOrigin};
use gatepass::{Error, Gate};
use serde_json::{Map, Value, json};

use super::cached_state::{CachedState, one_line, state_of};
use crate::error::CommandError;
use crate::options::{Common, Format};
use crate::output::{Output, format_duration, rfc3339};
use crate::quote::command_line;
use crate::session::{open_gate, open_store, read_profile};

/// A line of the table: a profile, and its cached state or the error that prevented reading it.
struct Row {
    name: String,
    profile: Option<Profile>,
    state: Result<CachedState, Error>,
    /// The command that helps next.
    next: Option<String>,
}

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  gatepass list
  gatepass list --format json | jq -r '.[].profile'")]
pub(crate) struct ListArgs {}

pub(crate) async fn run(common: &Common, output: &Output) -> Result<ExitCode, CommandError> {
    let format = output.format(&[Format::Text, Format::Json])?;
    let mut gate = open_gate(common)?;
    let names = gate.names();
    let mut rows = Vec::new();
    if !names.is_empty() {
        let store = open_store(&gate, output);
        if let Some(store) = &store {
            gate = gate.with_store(store.clone());
        }
        for name in names {
            let read = read_profile(&gate, &name, &common.set);
            let (profile, state) = match read {
                Ok(profile) => {
                    let state = CachedState::read(&gate, &profile, store.as_ref(), output).await;
                    (Some(profile), state)
                }
                Err(error) => (None, Err(error)),
            };
            let next = match &state {
                Ok(state) => state.next_command(&name),
                Err(_) => Some(vec![String::from("doctor"), name.clone()]),
            };
            let next = next.map(|next| command_line(&next, common.config.as_deref()));
            rows.push(Row { name, profile, state, next });
        }
    }
    if format == Format::Json {
        output.json(&rows.iter().map(Row::json).collect())?;
    } else if rows.is_empty() {
        let init = command_line(&["init"], common.config.as_deref());
        output.status(&format!(
            "no profiles yet: `{init}` creates the first, or set GATEPASS_<PROFILE>_<KEY> variables"
        ));
    } else {
        output.styled(&table(&rows, &gate, output))?;
    }
    Ok(ExitCode::SUCCESS)
}

impl Row {
    fn state_name(&self) -> &'static str {
        match &self.state {
            Ok(state) => state.name(),
            Err(error) => state_of(error.kind()),
        }
    }

    fn provider(&self) -> Option<&str> {
        match (&self.profile, &self.state) {
            (Some(profile), _) => Some(&*profile.info().id),
            (None, Err(error)) => error.provider(),
            (None, Ok(_)) => None,
        }
    }

    fn json(&self) -> Value {
        let state = self.state.as_ref().ok();
        let token = state.and_then(CachedState::token);
        let now = SystemClock::new().wall();
        let sources = self.profile.as_ref().map(secret_sources);
        json!({
            "profile": self.name,
            "provider": self.provider(),
            "origin": self.profile.as_ref().map(|profile| profile.origin.to_string()),
            "state": self.state_name(),
            "error": self.state.as_ref().err().map(ToString::to_string),
            "expires_at": token.map(|token| rfc3339(token.expires_at())),
            "expires_in": token.map(|token| token.remaining(now).as_secs()),
            "refresh_in": token.and(state).and_then(|it| it.status.refresh_in).map(|d| d.as_secs()),
            "retry_at": state.and_then(CachedState::retry_at).map(rfc3339),
            "secret_sources": sources,
            "last_error": state.and_then(|state| state.last_error.as_ref()).map(one_line),
            "next": self.next,
        })
    }

    /// Returns the cells of the table in the order of [`COLUMNS`].
    fn cells(&self) -> [String; COLUMNS.len()] {
        let state = self.state.as_ref().ok();
        let token = state.and_then(CachedState::token);
        let now = SystemClock::new().wall();
        let refresh = token.and(state).and_then(|state| state.status.refresh_in);
        let refresh =
            refresh.map(|it| if it.is_zero() { String::from("now") } else { format_duration(it) });
        let error = match &self.state {
            Err(error) => Some(error.to_string()),
            Ok(state) => {
                state.last_error.as_ref().map(|error| match state.status.cooldown_remaining {
                    Some(rest) if state.name() == "throttled" => {
                        format!("{}, retry in {}", one_line(error), format_duration(rest))
                    }
                    _ => one_line(error),
                })
            }
        };
        let texts = [
            Some(self.name.clone()),
            self.provider().map(str::to_owned),
            Some(self.state_name().to_owned()),
            token.map(|token| format_duration(token.remaining(now))),
            refresh,
            self.profile.as_ref().map(|profile| origin_name(&profile.origin)),
            error,
            self.next.clone(),
        ];
        texts.map(Option::unwrap_or_default)
    }
}

/// Returns where each secret is read from, by field.
pub(super) fn secret_sources(profile: &Profile) -> Map<String, Value> {
    let sources = cli_support::secret_sources(profile).into_iter();
    sources.map(|(field, source)| (field.to_owned(), json!(source))).collect()
}

const COLUMNS: [&str; 8] =
    ["PROFILE", "PROVIDER", "STATE", "EXPIRES IN", "REFRESH IN", "SOURCE", "LAST ERROR", "NEXT"];
const STATE: usize = 2;

/// Formats the rows as a table without its empty columns.
fn table(rows: &[Row], gate: &Gate, output: &Output) -> String {
    let cells: Vec<_> = rows.iter().map(Row::cells).collect();
    let is_used = |column: &usize| cells.iter().any(|row| !row[*column].is_empty());
    let used: Vec<usize> = (0..COLUMNS.len()).filter(is_used).collect();
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(used.iter().map(|&column| COLUMNS[column]));
    for row in &cells {
        let or_dash = |text: &String| if text.is_empty() { "-".to_owned() } else { text.clone() };
        table.add_row(used.iter().map(|&column| or_dash(&row[column])));
    }
    table.column_iter_mut().for_each(|column| {
        column.set_padding((0, 2));
    });
    if let Some(width) = output.width() {
        table.set_width(width).set_content_arrangement(ContentArrangement::Dynamic);
    }
    let mut text = colored(&table.trim_fmt(), &cells) + "\n";
    if let Some(path) = gate.config().path() {
        let (name, whole) =
            (origin_name(&ProfileOrigin::File(path.to_owned())), path.display().to_string());
        if name != whole {
            text += &format!("\n{name}: {whole}\n");
        }
    }
    text
}

/// Colors the states in the finished table, which keeps the column widths right.
fn colored(text: &str, cells: &[[String; COLUMNS.len()]]) -> String {
    let at = text.find(COLUMNS[STATE]).unwrap_or_default();
    let mut rows = cells.iter().peekable();
    let mut lines = Vec::new();
    for line in text.lines() {
        let state = rows.peek().map(|row| row[STATE].as_str()).unwrap_or_default();
        let is_state_of = |row: &&&[String; COLUMNS.len()]| {
            line.starts_with(row[0].as_str())
                && line.get(at..).is_some_and(|rest| rest.starts_with(state))
        };
        if rows.peek().filter(is_state_of).is_some() {
            let (before, rest) = line.split_at(at);
            let (style, rest) = (style(state), rest.strip_prefix(state).unwrap_or_default());
            lines.push(format!("{before}{style}{state}{style:#}{rest}"));
            rows.next();
        } else {
            lines.push(line.to_owned());
        }
    }
    lines.join("\n")
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
