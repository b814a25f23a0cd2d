//! `config check`: the form of every profile, without network and without a secret.

use std::fmt::Write;
use std::path::Path;
use std::process::ExitCode;

use anstyle::{AnsiColor, Style};
use gatepass::cli_support;
use gatepass::config::{ConfigPlace, Env};
use gatepass::{Error, Gate, Hint};
use serde_json::{Value, json};

use crate::commands::cached_state::one_line;
use crate::error::CommandError;
use crate::exit;
use crate::options::{Common, Format};
use crate::output::{Output, hint_json};
use crate::program;
use crate::session::{open_gate, warn_of_unused_variables, warn_of_variables};

pub(super) fn run(common: &Common, output: &Output) -> Result<ExitCode, CommandError> {
    let format = output.format(&[Format::Text, Format::Json])?;
    let report = match open_gate(common) {
        Ok(gate) => {
            warn_of_unused_variables(&gate, output);
            gate.names().iter().for_each(|name| warn_of_variables(&gate, name, output));
            Report::of(&gate)
        }
        Err(CommandError::Gatepass(error)) => {
            Report { path: None, error: Some(error), profiles: Vec::new() }
        }
        Err(other) => return Err(other),
    };
    let exit = if report.is_ok() { 0 } else { exit::USAGE };
    match format {
        Format::Json => output.json(&report.json(exit, common.config.as_deref()))?,
        _ => output.text(&report.text(common.config.as_deref()))?,
    }
    Ok(ExitCode::from(exit))
}

/// The result of the check.
struct Report {
    path: Option<String>,
    /// The error of the file as a whole.
    error: Option<Error>,
    /// Each profile with its provider or its error.
    profiles: Vec<(String, Result<Option<String>, Error>)>,
}

impl Report {
    fn of(gate: &Gate) -> Self {
        let path = gate.config().path().map(|path| path.display().to_string());
        let names = gate.names();
        let error = (path.is_none() && names.is_empty()).then(missing_config);
        let check = |name: String| {
            let checked = cli_support::check_profile(gate, &name);
            (name, checked)
        };
        Self { path, error, profiles: names.into_iter().map(check).collect() }
    }

    fn is_ok(&self) -> bool {
        self.error.is_none() && self.profiles.iter().all(|(_, checked)| checked.is_ok())
    }

    fn json(&self, exit: u8, config: Option<&Path>) -> Value {
        let profiles = self.profiles.iter().map(|(name, checked)| {
            json!({
                "profile": name,
                "ok": checked.is_ok(),
                "provider": match checked {
                    Ok(provider) => provider.as_deref(),
                    Err(error) => error.provider(),
                },
                "error": checked.as_ref().err().map(|error| error_json(error, config)),
            })
        });
        json!({
            "ok": self.is_ok(),
            "exit": exit,
            "config": self.path,
            "error": self.error.as_ref().map(|error| error_json(error, config)),
            "profiles": profiles.collect::<Vec<_>>(),
        })
    }

    fn text(&self, config: Option<&Path>) -> String {
        let mut text = String::new();
        let (good, bad) = (mark('✓', AnsiColor::Green), mark('✗', AnsiColor::Red));
        let width = self.profiles.iter().map(|(name, _)| name.len()).max().unwrap_or_default();
        // Writing to a string cannot fail.
        let mut failed = |what: &str, error: &Error| {
            let _ = writeln!(text, "{bad} {what}{}", one_line(error));
            for hint in hints(error, config) {
                let _ = writeln!(text, "    {BOLD}hint{BOLD:#}: {hint}");
            }
        };
        if let Some(error) = &self.error {
            failed("", error);
        }
        let mut lines = String::new();
        for (name, checked) in &self.profiles {
            match checked {
                Ok(provider) => {
                    let provider = provider.as_deref().unwrap_or("its provider is a reference");
                    let _ = writeln!(lines, "{good} {name:<width$}  {provider}");
                }
                Err(error) => failed(&format!("{name:<width$}  "), error),
            }
        }
        let wrong = self.profiles.iter().filter(|(_, checked)| checked.is_err()).count();
        let place = self.path.as_deref().unwrap_or("no config file");
        let summary = match (self.profiles.len(), wrong) {
            (count, 0) => format!("{}, {place}", profiles(count)),
            (count, wrong) => format!("{wrong} of {} wrong, {place}", profiles(count)),
        };
        let summary = if self.error.is_some() { String::new() } else { format!("\n{summary}\n") };
        lines + &text + &summary
    }
}

fn profiles(count: usize) -> String {
    match count {
        1 => String::from("1 profile"),
        count => format!("{count} profiles"),
    }
}

/// Returns the error of a machine without a config file and without a profile in variables.
fn missing_config() -> Error {
    let default = Env::process().default_config_path();
    let default = default.map(|path| format!("{} or ", path.display())).unwrap_or_default();
    let place = format!("{default}{}", cli_support::SYSTEM_CONFIG);
    Error::config(format!("no config file at {place}, and no profile in variables"))
        .hint(Hint::gatepass("create the file", ["init"]))
        .hint("or name a file: --config FILE")
}

fn hints(error: &Error, config: Option<&Path>) -> Vec<Hint> {
    let hints = CommandError::Gatepass(error.clone()).hints().into_iter();
    hints.map(|hint| program::typed(hint, config)).collect()
}

fn error_json(error: &Error, config: Option<&Path>) -> Value {
    let (file, line, variable) = match error.place() {
        Some(ConfigPlace::Line { file, line }) => {
            (Some(file.display().to_string()), Some(line), None)
        }
        Some(ConfigPlace::Variable(name)) => (None, None, Some(name)),
        _ => (None, None, None),
    };
    let hints = hints(error, config);
    json!({
        "code": error.kind().code(),
        "message": one_line(error),
        "field": error.field(),
        "file": file,
        "line": line,
        "variable": variable,
        "hint": hints.first().map(Hint::to_string),
        "hints": hints.iter().map(hint_json).collect::<Vec<_>>(),
    })
}

fn mark(mark: char, color: AnsiColor) -> String {
    let style = Style::new().fg_color(Some(color.into()));
    format!("{style}{mark}{style:#}")
}

const BOLD: Style = Style::new().bold();
