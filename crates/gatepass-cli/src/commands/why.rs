//! `gatepass why`: shows recent token requests, their results and what gatepass did next.

use std::process::ExitCode;
use std::time::Duration;
use std::time::SystemTime;

use anstyle::{AnsiColor, Style};
use gatepass::Hint;
use gatepass::clock::{Clock, SystemClock};
use gatepass::store::{HistoryEntry, NextStep, ProfileKey, TokenStore};
use serde_json::{Value, json};

use super::cached_state::{one_line, state_of};
use crate::error::CommandError;
use crate::options::{Common, Format, unused};
use crate::output::{Output, format_duration, hint_json, rfc3339};
use crate::session::{open_gate, open_store};
use crate::wrap::wrap;

#[derive(Debug, clap::Args)]
#[command(args = unused(&["set"]), after_help = "\
Examples:
  gatepass why cisco
  gatepass why cisco --last 1 --format json

The credential is shown as a fingerprint that only this machine's store can compute. A different
fingerprint means a different secret or client.")]
pub(crate) struct WhyArgs {
    /// The profile
    pub(crate) profile: String,
    /// Show this many token requests, latest first; the history has the last 32
    #[arg(long, value_name = "N", default_value = "5")]
    pub(crate) last: usize,
}

pub(crate) async fn run(
    args: &WhyArgs,
    common: &Common,
    output: &Output,
) -> Result<ExitCode, CommandError> {
    let format = output.format(&[Format::Text, Format::Json])?;
    let name = &args.profile;
    let gate = open_gate(common)?;
    // A profile that was removed or is now invalid may still have a history.
    let profile = gate.profile(name).read();
    let store = open_store(&gate, output);
    let mut history = match &store {
        Some(store) => store.history(&ProfileKey::new(name)).await.unwrap_or_else(|error| {
            output.warn(&format!("{name}: {error}"));
            Vec::new()
        }),
        None => Vec::new(),
    };
    if let (Err(error), true) = (profile, history.is_empty()) {
        return Err(error.into());
    }
    history.reverse();
    let shown = history.iter().zip(history.iter().skip(1).map(Some).chain([None])).take(args.last);
    match format {
        Format::Json => output.json(&json!({
            "profile": name,
            "is_kept": store.is_some(),
            "exchanges": shown.map(|(entry, _)| object(entry)).collect::<Value>(),
        }))?,
        _ if history.is_empty() => output.result(&format!(
            "{name}: no token requests recorded{}\n",
            if store.is_some() { "" } else { ", because there is no state directory" }
        ))?,
        _ => {
            let shown: Vec<_> = shown.collect();
            let texts = shown.iter().map(|(entry, before)| text(name, entry, *before));
            let texts: Vec<String> = texts.collect();
            match output.width() {
                Some(width) => {
                    let times: Vec<_> = shown.iter().map(|(entry, _)| entry.at()).collect();
                    output.styled(&timeline(&texts, &times, usize::from(width)))?;
                }
                None => output.styled(&texts.join("\n"))?,
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn object(entry: &HistoryEntry) -> Value {
    let error = entry.error();
    let (decision, until) = match entry.next_step() {
        NextStep::TokenStored => ("token_kept", None),
        NextStep::TokenNotStored => ("token_used", None),
        NextStep::PreviousTokenKept => ("old_token_kept", None),
        NextStep::Denied(until) => ("refused", Some(until)),
        NextStep::CooledDown(until) => ("rests", Some(until)),
        NextStep::Retried => ("asked_again", None),
        _ => ("not_kept", None),
    };
    json!({
        "at": rfc3339(entry.at()),
        "took_ms": u64::try_from(entry.took().as_millis()).unwrap_or(u64::MAX),
        "provider": entry.provider(),
        "origin": entry.origin(),
        "outcome": error.as_ref().map_or("token", |error| error.kind().code()),
        "message": error.as_ref().map(gatepass::Error::message),
        "status": error.as_ref().and_then(gatepass::Error::status),
        "vendor_code": error.as_ref().and_then(gatepass::Error::vendor_code),
        "vendor_text": error.as_ref().and_then(gatepass::Error::vendor_text),
        "hint": error.as_ref().and_then(|error| error.hints().first().map(Hint::to_string)),
        "hints": error.as_ref().map(|error| {
            error.hints().iter().map(hint_json).collect::<Value>()
        }),
        "expires_at": entry.expires_at().map(rfc3339),
        "decision": decision,
        "until": until.map(rfc3339),
        "credential": entry.fingerprint(),
        "pid": entry.process().map(|process| process.id),
        "command": entry.process().map(|process| process.name.as_str()),
    })
}

/// Joins the token requests by a line that shows the time between them.
fn timeline(texts: &[String], times: &[SystemTime], width: usize) -> String {
    let dim = Style::new().dimmed();
    let mut out = String::new();
    for (at, text) in texts.iter().enumerate() {
        let is_last = at + 1 == texts.len();
        let bar = if is_last { String::from(" ") } else { format!("{dim}│{dim:#}") };
        let wrapped = wrap(text.trim_end(), width.saturating_sub(2));
        for (line, text) in wrapped.lines().enumerate() {
            match line {
                0 => out += &format!("● {text}\n"),
                _ => out += &format!("{bar} {text}\n"),
            }
        }
        if let (Some(later), Some(earlier)) = (times.get(at), times.get(at + 1)) {
            let between = later.duration_since(*earlier).unwrap_or_default();
            let between = format_duration(Duration::from_secs(between.as_secs()));
            out += &format!("{bar} {dim}{between} before{dim:#}\n");
        }
    }
    out
}

/// Describes a token request for the user; `before` is the previous one.
fn text(profile: &str, entry: &HistoryEntry, before: Option<&HistoryEntry>) -> String {
    let now = SystemClock::new().wall();
    let ago = now.duration_since(entry.at()).unwrap_or_default().as_secs();
    let color = if entry.error().is_some() { AnsiColor::Red } else { AnsiColor::Green };
    let style = Style::new().fg_color(Some(color.into()));
    let mut text = format!(
        "{} ({} ago)  {style}",
        rfc3339(entry.at()),
        format_duration(Duration::from_secs(ago))
    );
    let took = entry.took().as_millis();
    match entry.error() {
        None => {
            let expiry = entry.expires_at().map(rfc3339).unwrap_or_default();
            text += &format!("token{style:#}, expires at {expiry} (took {took} ms)\n");
        }
        Some(error) => {
            let (state, line) = (state_of(error.kind()), one_line(&error));
            let state = if line.contains(state) { "" } else { &format!("{state}: ") };
            text += &format!("{state}{line}{style:#} (took {took} ms)\n");
            if let Some(words) = error.vendor_text() {
                text += &format!("  the vendor's message: {words}\n");
            }
        }
    }
    text += &format!("  next: {}\n", next_step(profile, entry.next_step(), now));
    let fingerprint = entry.fingerprint().unwrap_or("unknown");
    let is_another = before.is_some_and(|before| before.fingerprint() != entry.fingerprint());
    let changed = if is_another { " (changed since the previous request)" } else { "" };
    text += &format!("  sent: credential {fingerprint}{changed}");
    if let Some(origin) = entry.origin() {
        text += &format!(" to {origin}");
    }
    if let Some(process) = entry.process() {
        text += &format!(", by `{}` (process {})", process.name, process.id);
    }
    text + "\n"
}

/// Describes what gatepass did after a token request, and what the next call will do.
fn next_step(profile: &str, step: NextStep, now: SystemTime) -> String {
    let end = |until: SystemTime| {
        let expired = if until <= now { " (expired)" } else { "" };
        format!("{}{expired}", rfc3339(until))
    };
    match step {
        NextStep::TokenStored => String::from("the token is cached for the next calls"),
        NextStep::TokenNotStored => String::from("the token was used once and not cached"),
        NextStep::PreviousTokenKept => String::from("the previous token stays in use"),
        NextStep::Denied(until) => format!(
            "cool-down until {} or until the credential changes; retry now: \
             gatepass token {profile} --fresh",
            end(until)
        ),
        NextStep::CooledDown(until) => format!("cool-down until {}", end(until)),
        NextStep::Retried => {
            String::from("the credential had changed, so a second request was sent at once")
        }
        _ => String::from("not cached; the next call sends a token request"),
    }
}
