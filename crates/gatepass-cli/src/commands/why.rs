//! `gatepass why`: what came of the last exchanges, and what follows from it.

use std::process::ExitCode;
use std::time::Duration;
use std::time::SystemTime;

use anstyle::{AnsiColor, Style};
use gatepass::{Clock, HistoryEntry, NextStep, ProfileKey, SystemClock, TokenStore};
use serde_json::{Value, json};

use super::cached_state::{short, state_of};
use crate::error::CommandError;
use crate::options::{Common, Format};
use crate::output::{Output, format_duration, rfc3339};
use crate::session::{open_gate, open_store};

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  gatepass why cisco
  gatepass why cisco --last 1 --format json

The credential is told by a fingerprint that only this machine's store can make: another one means
that the secret or the client was another.")]
pub(crate) struct WhyArgs {
    /// The profile
    pub(crate) profile: String,
    /// How many exchanges to tell, the latest first; the last 32 are kept
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
    // A profile that is gone from the config, or has a mistake now, may have been asked for before.
    let known = gate.profile(name, &[]);
    let store = open_store(&gate, output);
    let mut notes = match &store {
        Some(store) => store.history(&ProfileKey::new(name)).await.unwrap_or_else(|error| {
            output.warn(&format!("{name}: {error}"));
            Vec::new()
        }),
        None => Vec::new(),
    };
    if let (Err(error), true) = (known, notes.is_empty()) {
        return Err(error.into());
    }
    notes.reverse();
    let told = notes.iter().zip(notes.iter().skip(1).map(Some).chain([None])).take(args.last);
    match format {
        Format::Json => output.json(&json!({
            "profile": name,
            "is_kept": store.is_some(),
            "exchanges": told.map(|(note, _)| object(note)).collect::<Value>(),
        }))?,
        _ if notes.is_empty() => output.result(&format!(
            "{name}: no exchange is noted{}\n",
            if store.is_some() { "" } else { ", and none can be: there is no folder for it" }
        ))?,
        _ => {
            let texts: Vec<String> = told.map(|(note, before)| text(note, before)).collect();
            output.styled(&texts.join("\n"))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn object(note: &HistoryEntry) -> Value {
    let error = note.error();
    let (decision, until) = match note.next_step() {
        NextStep::TokenStored => ("token_kept", None),
        NextStep::TokenNotStored => ("token_used", None),
        NextStep::PreviousTokenKept => ("old_token_kept", None),
        NextStep::Denied(until) => ("refused", Some(until)),
        NextStep::CooledDown(until) => ("rests", Some(until)),
        NextStep::Retried => ("asked_again", None),
        _ => ("not_kept", None),
    };
    json!({
        "at": rfc3339(note.at()),
        "took_ms": u64::try_from(note.took().as_millis()).unwrap_or(u64::MAX),
        "provider": note.provider(),
        "origin": note.origin(),
        "outcome": error.as_ref().map_or("token", |error| error.kind().code()),
        "message": error.as_ref().map(gatepass::Error::message),
        "status": error.as_ref().and_then(gatepass::Error::status),
        "vendor_code": error.as_ref().and_then(gatepass::Error::vendor_code),
        "vendor_text": error.as_ref().and_then(gatepass::Error::vendor_text),
        "hint": error.as_ref().and_then(gatepass::Error::hint),
        "expires_at": note.expires_at().map(rfc3339),
        "decision": decision,
        "until": until.map(rfc3339),
        "credential": note.fingerprint(),
        "pid": note.process().map(|process| process.id),
        "command": note.process().map(|process| process.name.as_str()),
    })
}

/// An exchange in plain words; `before` is the one before it.
fn text(note: &HistoryEntry, before: Option<&HistoryEntry>) -> String {
    let now = SystemClock::new().wall();
    let ago = now.duration_since(note.at()).unwrap_or_default().as_secs();
    let colour = if note.error().is_some() { AnsiColor::Red } else { AnsiColor::Green };
    let style = Style::new().fg_color(Some(colour.into()));
    let mut text = format!(
        "{} ({} ago)  {style}",
        rfc3339(note.at()),
        format_duration(Duration::from_secs(ago))
    );
    let took = note.took().as_millis();
    match note.error() {
        None => {
            let ends = note.expires_at().map(rfc3339).unwrap_or_default();
            text += &format!("a token{style:#} that ends at {ends}, after {took} ms\n");
        }
        Some(error) => {
            let (state, short) = (state_of(error.kind()), short(&error));
            let state = if short.contains(state) { "" } else { &format!("{state}: ") };
            text += &format!("{state}{short}{style:#}, after {took} ms\n");
            if let Some(words) = error.vendor_text() {
                text += &format!("  the vendor says: {words}\n");
            }
        }
    }
    text += &format!("  then: {}\n", decision(note.next_step(), now));
    let fingerprint = note.fingerprint().unwrap_or("unknown");
    let is_another = before.is_some_and(|before| before.fingerprint() != note.fingerprint());
    let changed = if is_another { " (changed since the time before)" } else { "" };
    text += &format!("  sent: credential {fingerprint}{changed}");
    if let Some(origin) = note.origin() {
        text += &format!(" to {origin}");
    }
    if let Some(process) = note.process() {
        text += &format!(", by `{}` (process {})", process.name, process.id);
    }
    text + "\n"
}

fn decision(decision: NextStep, now: SystemTime) -> String {
    let over = |until: SystemTime| if until <= now { ", which is over" } else { "" };
    match decision {
        NextStep::TokenStored => String::from("handed out, and kept for the next who ask"),
        NextStep::TokenNotStored => String::from("handed out, and not kept"),
        NextStep::PreviousTokenKept => String::from("the old token was kept"),
        NextStep::Denied(until) => format!(
            "not asked again until the credential changes, or until {}{}",
            rfc3339(until),
            over(until)
        ),
        NextStep::CooledDown(until) => {
            format!("not asked again before {}{}", rfc3339(until), over(until))
        }
        NextStep::Retried => {
            String::from("the credential had changed meanwhile, and was sent at once")
        }
        _ => String::from("nothing was kept: the next who asks is sent to the vendor"),
    }
}
