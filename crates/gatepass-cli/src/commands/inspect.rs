//! `gatepass inspect`: shows a profile and the state of its token, but not the token.

use std::process::ExitCode;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use gatepass::Token;
use gatepass::cli_support;
use gatepass::clock::{Clock, SystemClock};
use gatepass::config::Profile;
use gatepass::provider::Expiry;
use serde_json::{Value, json};

use super::cached_state::{CachedState, one_line, secret_sources};
use crate::error::CommandError;
use crate::options::{Common, Format, WaitArgs};
use crate::output::{Output, format_duration, rfc3339};
use crate::quote::command_line;
use crate::session::{open_gate, open_profile, open_store};
use crate::wait::with_retries;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  gatepass inspect cisco             show the cached token's state; works offline
  gatepass inspect cisco --fresh     request a token first, and show that
  gatepass inspect cisco --format json")]
pub(crate) struct InspectArgs {
    /// The profile
    pub(crate) profile: String,
    /// Send a token request, and show the new token's state
    #[arg(long)]
    pub(crate) fresh: bool,
    #[command(flatten)]
    pub(crate) wait: WaitArgs,
}

pub(crate) async fn run(
    args: &InspectArgs,
    common: &Common,
    output: &Output,
) -> Result<ExitCode, CommandError> {
    let format = output.format(&[Format::Text, Format::Json])?;
    let name = &args.profile;
    let mut gate = open_gate(common)?;
    let store = open_store(&gate, output);
    if let Some(store) = &store {
        gate = gate.with_store(store.clone());
    }
    let profile = open_profile(&gate, name, common, output)?;
    let (summary, source) = if args.fresh {
        let source = gate.open(&profile)?;
        let token =
            with_retries(args.wait.deadline(), &source, output, || source.refresh_now()).await?;
        output.warn_token(name, &token);
        let refresh = source.status().refresh_in;
        let summary =
            Summary { refresh, token: Some(token), state: "token good", ..Summary::default() };
        (summary, "vendor")
    } else {
        let cached = CachedState::read(&gate, &profile, store.as_ref(), output).await?;
        let token = cached.token().cloned();
        let is_persisted = store.is_some() && cached.may_be_persisted(&profile);
        let next = match cached.name() {
            // A token of `gatepass token` would not be in the store later.
            "ready" if !is_persisted => {
                Some(["inspect", name, "--fresh"].map(str::to_owned).into())
            }
            _ => cached.next_command(name),
        };
        let summary = Summary {
            state: cached.name(),
            next: next.map(|next| command_line(&next, common.config.as_deref())),
            error: cached.failure().map(one_line),
            refresh: cached.status.refresh_in.filter(|_| token.is_some()),
            is_persisted,
            token,
        };
        (summary, "cache")
    };
    match format {
        Format::Json => output.json(&summary.json(&profile, source))?,
        _ => output.text(&summary.text(&profile))?,
    }
    Ok(ExitCode::SUCCESS)
}

/// What the command shows of a profile's token.
#[derive(Default)]
struct Summary {
    state: &'static str,
    next: Option<String>,
    error: Option<String>,
    token: Option<Token>,
    refresh: Option<Duration>,
    /// Whether the store may contain this profile's tokens.
    is_persisted: bool,
}

impl Summary {
    fn json(&self, profile: &Profile, source: &str) -> Value {
        let (token, now) = (self.token.as_ref(), SystemClock::new().wall());
        json!({
            "profile": profile.name,
            "provider": profile.info().id,
            "origin": profile.origin.to_string(),
            "secrets": secret_sources(profile),
            "state": self.state,
            "error": self.error,
            "next": self.next,
            "token_type": token.map(Token::token_type),
            "length": token.map(|token| token.expose_secret().len()),
            "acquired_at": token.map(|token| rfc3339(token.issued_at())),
            "expires_at": token.map(|token| rfc3339(token.expires_at())),
            "expires_in": token.map(|token| token.remaining(now).as_secs()),
            "expiry_from": token.map(|token| match token.expiry() {
                // Scripts may compare this value, so it keeps its old wording.
                Expiry::Vendor => "the vendor's answer",
                _ => expiry_source(token),
            }),
            "refresh_in": self.refresh.map(|refresh| refresh.as_secs()),
            "scope": token.and_then(Token::scope),
            "source": token.map(|_| source),
            "claims_unverified": token.and_then(claims),
        })
    }

    fn text(&self, profile: &Profile) -> String {
        let mut lines = Vec::new();
        let Profile { name, origin, .. } = profile;
        let info = profile.info();
        lines.push(("profile", format!("{name} ({}), from {origin}", info.title)));
        for (field, source) in cli_support::secret_sources(profile) {
            lines.push((field, format!("from {source}")));
        }
        lines.push(("state", self.state.to_owned()));
        if let Some(error) = &self.error {
            lines.push(("error", error.clone()));
        }
        let now = SystemClock::new().wall();
        if let Some(token) = &self.token {
            let length = token.expose_secret().len();
            let ago = now.duration_since(token.issued_at()).unwrap_or_default().as_secs();
            let (ends, seconds) = (rfc3339(token.expires_at()), token.remaining(now).as_secs());
            lines.push(("token", format!("{}, {length} characters", token.token_type())));
            let acquired = rfc3339(token.issued_at());
            lines.push((
                "acquired",
                format!("{acquired} ({} ago)", format_duration(Duration::from_secs(ago))),
            ));
            let from = expiry_source(token);
            lines.push((
                "expires",
                format!(
                    "{ends} (in {}; from {from})",
                    format_duration(Duration::from_secs(seconds))
                ),
            ));
            if let Some(refresh) = self.refresh {
                let refresh =
                    format!("due in {} (long-running processes only)", format_duration(refresh));
                lines.push(("refresh", refresh));
            }
            lines.push(("scope", token.scope().unwrap_or("not stated").to_owned()));
        } else {
            let reason =
                if self.is_persisted { "" } else { ": this profile's tokens stay in memory" };
            lines.push(("token", format!("not cached{reason}")));
        }
        if let Some(next) = &self.next {
            lines.push(("next", next.clone()));
        }
        let width = lines.iter().map(|(name, _)| name.len()).max().unwrap_or_default();
        let text: String =
            lines.iter().map(|(name, value)| format!("{name:<width$}  {value}\n")).collect();
        text + &self.token.as_ref().and_then(describe_claims).unwrap_or_default()
    }
}

fn expiry_source(token: &Token) -> &'static str {
    match token.expiry() {
        Expiry::Vendor => "the vendor's response",
        Expiry::Jwt => "the token's own exp",
        Expiry::Configured => "the profile's lifetime",
        _ => "assumed (not stated by the vendor)",
    }
}

/// Describes a JWT's claims for the user.
#[cfg_attr(not(feature = "__fuzzing"), expect(unreachable_pub, reason = "public for fuzzing only"))]
pub fn describe_claims(token: &Token) -> Option<String> {
    let claims = claims(token)?;
    let shown = strip_control(&format!("{claims:#}"));
    Some(format!("claims, decoded and not verified:\n{shown}\n{}", dates(&claims)))
}

/// Decodes the claims of a JWT without a check of its signature.
fn claims(token: &Token) -> Option<Value> {
    let mut parts = token.expose_secret().split('.');
    let (_, claims, _) = (parts.next()?, parts.next()?, parts.next()?);
    let claims = URL_SAFE_NO_PAD.decode(claims.trim_end_matches('=')).ok()?;
    serde_json::from_slice(&claims).ok().filter(Value::is_object)
}

/// Formats the claims that are times (RFC 7519 section 4.1) as dates.
fn dates(claims: &Value) -> String {
    let time = |name: &str| {
        let at = Duration::from_secs(claims.get(name)?.as_u64()?);
        let at = std::time::SystemTime::UNIX_EPOCH.checked_add(at)?;
        Some(format!("{name} is {}\n", rfc3339(at)))
    };
    ["iat", "nbf", "exp"].into_iter().filter_map(time).collect()
}

/// Escapes the characters of a third party's text that a terminal could execute or not show.
fn strip_control(text: &str) -> String {
    let is_plain = |c: char| c == '\n' || !(c.is_control() || is_invisible(c));
    text.chars()
        .map(|c| if is_plain(c) { c.to_string() } else { c.escape_unicode().to_string() })
        .collect()
}

/// Returns whether a character is invisible or changes the writing direction.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn claims_cannot_control_terminal() {
        assert_eq!(strip_control("a\u{9b}31m\u{202e}\u{7f}\nü"), "a\\u{9b}31m\\u{202e}\\u{7f}\nü");
    }

    #[test]
    fn only_valid_time_claims_become_dates() {
        let claims = json!({"exp": 1_800_000_000, "iat": -1, "nbf": "soon"});
        assert_eq!(dates(&claims), "exp is 2027-01-15T08:00:00Z\n");
        assert_eq!(dates(&json!({"exp": u64::MAX})), "");
    }
}
