//! `gatepass inspect`: what is known of a profile and its token, never the token.

use std::process::ExitCode;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use gatepass::{Clock, Expiry, Profile, SystemClock, Token};
use serde_json::{Value, json};

use super::cached_state::{Kept, short};
use super::list::secret_sources;
use crate::error::CommandError;
use crate::next::naming;
use crate::options::{Common, Format, WaitArgs};
use crate::output::{Output, format_duration, rfc3339};
use crate::session::{open_gate, open_profile, open_store};
use crate::wait::with_retries;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  gatepass inspect cisco             what is kept, without asking the vendor
  gatepass inspect cisco --fresh     gets a token first, where none is kept or another is wanted
  gatepass inspect cisco --format json")]
pub(crate) struct InspectArgs {
    /// The profile
    pub(crate) profile: String,
    /// Asks the vendor for a token, and tells of that
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
    let (seen, source) = if args.fresh {
        let source = gate.open(&profile)?;
        let token = with_retries(args.wait.wait, &source, output, || source.refresh_now()).await?;
        output.warn_token(name, &token);
        let refresh = source.status().refresh_in;
        let seen = Seen { refresh, token: Some(token), state: "token good", ..Seen::default() };
        (seen, "vendor")
    } else {
        let kept = Kept::of(&gate, &profile, store.as_ref(), output).await?;
        let token = kept.token().cloned();
        let is_kept = store.is_some() && kept.is_meant_to_be(&profile);
        let next = match kept.state() {
            // What `gatepass token` gets is not there to be told of later.
            "ready" if !is_kept => Some(format!("gatepass inspect {name} --fresh")),
            _ => kept.next(name),
        };
        let seen = Seen {
            state: kept.state(),
            next: next.map(|next| naming(&next, common.config.as_deref())),
            error: kept.failure().map(short),
            refresh: kept.status.refresh_in.filter(|_| token.is_some()),
            is_kept,
            token,
        };
        (seen, "cache")
    };
    match format {
        Format::Json => output.json(&seen.json(&profile, source))?,
        _ => output.result(&seen.text(&profile))?,
    }
    Ok(ExitCode::SUCCESS)
}

/// What is known of a profile's token.
#[derive(Default)]
struct Seen {
    state: &'static str,
    next: Option<String>,
    error: Option<String>,
    token: Option<Token>,
    refresh: Option<Duration>,
    /// Whether this profile's tokens are kept at all.
    is_kept: bool,
}

impl Seen {
    fn json(&self, profile: &Profile, source: &str) -> Value {
        let (token, now) = (self.token.as_ref(), SystemClock::new().wall());
        json!({
            "profile": profile.name,
            "provider": profile.info.id,
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
            "expiry_from": token.map(expiry_from),
            "refresh_in": self.refresh.map(|refresh| refresh.as_secs()),
            "scope": token.and_then(Token::scope),
            "source": token.map(|_| source),
            "claims_unverified": token.and_then(claims),
        })
    }

    fn text(&self, profile: &Profile) -> String {
        let mut lines = Vec::new();
        let Profile { name, info, origin, .. } = profile;
        lines.push(("profile", format!("{name} ({}), from {origin}", info.title)));
        for (field, source) in profile.secret_sources() {
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
            let from = expiry_from(token);
            lines.push((
                "expires",
                format!(
                    "{ends} (in {}; from {from})",
                    format_duration(Duration::from_secs(seconds))
                ),
            ));
            if let Some(refresh) = self.refresh {
                let refresh =
                    format!("due in {}, for a program that stays", format_duration(refresh));
                lines.push(("refresh", refresh));
            }
            lines.push(("scope", token.scope().unwrap_or("not said").to_owned()));
        } else {
            let why = if self.is_kept { "" } else { ": this profile's tokens stay in memory" };
            lines.push(("token", format!("none is kept{why}")));
        }
        if let Some(next) = &self.next {
            lines.push(("next", next.clone()));
        }
        let width = lines.iter().map(|(name, _)| name.len()).max().unwrap_or_default();
        let text: String =
            lines.iter().map(|(name, value)| format!("{name:<width$}  {value}\n")).collect();
        text + &self.token.as_ref().and_then(told_claims).unwrap_or_default()
    }
}

fn expiry_from(token: &Token) -> &'static str {
    match token.expiry() {
        Expiry::Vendor => "the vendor's answer",
        Expiry::Jwt => "the token's own exp",
        Expiry::Configured => "the profile's lifetime",
        _ => "assumed: nobody says",
    }
}

/// What a JWT says, for a person to read.
#[cfg_attr(
    not(feature = "__fuzzing"),
    expect(unreachable_pub, reason = "only fuzzing reads it elsewhere")
)]
pub fn told_claims(token: &Token) -> Option<String> {
    let claims = claims(token)?;
    let shown = plain(&format!("{claims:#}"));
    Some(format!("claims, decoded and not verified:\n{shown}\n{}", dates(&claims)))
}

/// The claims of a JWT, for a person to read: nobody has checked its signature.
fn claims(token: &Token) -> Option<Value> {
    let mut parts = token.expose_secret().split('.');
    let (_, claims, _) = (parts.next()?, parts.next()?, parts.next()?);
    let claims = URL_SAFE_NO_PAD.decode(claims.trim_end_matches('=')).ok()?;
    serde_json::from_slice(&claims).ok().filter(Value::is_object)
}

/// The claims that are moments (RFC 7519 section 4.1), as dates.
fn dates(claims: &Value) -> String {
    let moment = |name: &str| {
        let at = Duration::from_secs(claims.get(name)?.as_u64()?);
        let at = std::time::SystemTime::UNIX_EPOCH.checked_add(at)?;
        Some(format!("{name} is {}\n", rfc3339(at)))
    };
    ["iat", "nbf", "exp"].into_iter().filter_map(moment).collect()
}

/// A text of somebody else's that cannot steer a terminal.
fn plain(text: &str) -> String {
    let is_plain = |c: char| c == '\n' || !(c.is_control() || is_invisible(c));
    text.chars()
        .map(|c| if is_plain(c) { c.to_string() } else { c.escape_unicode().to_string() })
        .collect()
}

/// What turns the direction of writing, or shows nothing.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claim_cannot_steer_a_terminal() {
        assert_eq!(plain("a\u{9b}31m\u{202e}\u{7f}\nü"), "a\\u{9b}31m\\u{202e}\\u{7f}\nü");
    }

    #[test]
    fn claims_that_are_moments_are_told_as_dates_and_odd_ones_are_not() {
        let claims = json!({"exp": 1_800_000_000, "iat": -1, "nbf": "soon"});
        assert_eq!(dates(&claims), "exp is 2027-01-15T08:00:00Z\n");
        assert_eq!(dates(&json!({"exp": u64::MAX})), "");
    }
}
