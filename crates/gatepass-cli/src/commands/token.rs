//! `gatepass token`: the token, alone on stdout.

use std::process::ExitCode;

use gatepass::{Clock, Expiry, Profile, SystemClock, Token, TokenSource};
use serde_json::json;
use zeroize::Zeroizing;

use super::{gate_with_store, profile};
use crate::args::{Common, Format, TokenArgs};
use crate::failure::Failure;
use crate::output::{Output, rfc3339, unix};
use crate::wait::patiently;

pub(crate) async fn run(
    args: &TokenArgs,
    common: &Common,
    output: &Output,
) -> Result<ExitCode, Failure> {
    let format = output.format(&[Format::Raw, Format::Json, Format::Header, Format::Env])?;
    let gate = gate_with_store(common, output)?;
    let profile = profile(&gate, &args.profile, common, output)?;
    let source = gate.open(&profile)?;
    let token = patiently(args.wait.wait, &source, output, || async {
        match (args.fresh, args.min_ttl) {
            (true, _) => source.fresh().await,
            (false, Some(min_ttl)) => source.token_for(min_ttl).await,
            (false, None) => source.token().await,
        }
    })
    .await?;
    output.warn_of(&args.profile, &token);
    if let Some(wanted) = args.min_ttl {
        let left = token.remaining(SystemClock::new().wall());
        if left < wanted {
            return Err(Failure::TooShort { profile: args.profile.clone(), left, wanted });
        }
    }
    print(&token, &profile, &source, format, output).await?;
    Ok(ExitCode::SUCCESS)
}

async fn print(
    token: &Token,
    profile: &Profile,
    source: &TokenSource,
    format: Format,
    output: &Output,
) -> Result<(), Failure> {
    let secret = token.expose_secret();
    match format {
        Format::Json => {
            let now = SystemClock::new().wall();
            output.json(&json!({
                "access_token": secret,
                "token_type": token.token_type(),
                "expires_at": rfc3339(token.expires_at()),
                "expires_at_unix": unix(token.expires_at()),
                "expires_in": token.remaining(now).as_secs(),
                "expires_assumed": token.expiry() == Expiry::Assumed,
                "provider": profile.info.id,
                "profile": profile.name,
                "scope": token.scope(),
                "source": if source.status().is_stored { "cache" } else { "vendor" },
            }))
        }
        Format::Header => {
            let mut headers = http::HeaderMap::new();
            source.authorize(token, &mut headers).await?;
            let mut lines = Zeroizing::new(String::new());
            for (name, value) in &headers {
                let name = if name == "authorization" { "Authorization" } else { name.as_str() };
                lines.extend([name, ": ", value.to_str().unwrap_or_default(), "\n"]);
            }
            output.result(&lines)
        }
        Format::Env => output.result(&Zeroizing::new(format!("GATEPASS_TOKEN={secret}\n"))),
        Format::Raw | Format::Text => output.result(&Zeroizing::new(format!("{secret}\n"))),
    }
}
