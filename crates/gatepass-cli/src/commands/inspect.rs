//! `gatepass inspect`: what is known of a profile and its token, never the token.

use std::process::ExitCode;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use gatepass::{Clock, Expiry, SystemClock, Token};
use serde_json::{Value, json};

use super::{gate_with_store, profile};
use crate::args::{Common, Format};
use crate::failure::Failure;
use crate::output::{Output, left, rfc3339};
use crate::wait::patiently;

pub(crate) async fn run(name: &str, common: &Common, output: &Output) -> Result<ExitCode, Failure> {
    let format = output.format(&[Format::Text, Format::Json])?;
    let gate = gate_with_store(common, output)?;
    let profile = profile(&gate, name, common, output)?;
    let source = gate.open(&profile)?;
    let token =
        patiently(std::time::Duration::from_secs(20), &source, output, || source.token()).await?;
    output.warn_of(name, &token);
    let seconds = token.remaining(SystemClock::new().wall()).as_secs();
    let claims = claims(&token);
    let expiry = match token.expiry() {
        Expiry::Vendor => "the vendor's answer",
        Expiry::Jwt => "the token's own exp",
        Expiry::Configured => "the profile's lifetime",
        _ => "assumed: nobody says",
    };
    if format == Format::Json {
        let sources: serde_json::Map<String, Value> = profile
            .secret_sources()
            .into_iter()
            .map(|(field, source)| (field.to_owned(), json!(source)))
            .collect();
        output.json(&json!({
            "profile": name,
            "provider": profile.info.id,
            "origin": profile.origin.to_string(),
            "secrets": sources,
            "token_type": token.token_type(),
            "length": token.expose_secret().len(),
            "expires_at": rfc3339(token.expires_at()),
            "expires_in": seconds,
            "expiry_from": expiry,
            "scope": token.scope(),
            "source": if source.status().is_stored { "cache" } else { "vendor" },
            "claims_unverified": claims,
        }))?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut text =
        format!("profile     {name} ({}), from {}\n", profile.info.title, profile.origin);
    for (field, source) in profile.secret_sources() {
        text += &format!("{field:<11} from {source}\n");
    }
    let length = token.expose_secret().len();
    text += &format!("token       {}, {length} characters\n", token.token_type());
    text += &format!(
        "expires     {} (in {}; from {expiry})\n",
        rfc3339(token.expires_at()),
        left(seconds)
    );
    text += &format!("scope       {}\n", token.scope().unwrap_or("not said"));
    if let Some(claims) = claims {
        text += &format!("claims, decoded and not verified:\n{claims:#}\n");
    }
    output.result(&text)?;
    Ok(ExitCode::SUCCESS)
}

/// The claims of a JWT, for a person to read: nobody has checked its signature.
fn claims(token: &Token) -> Option<Value> {
    let mut parts = token.expose_secret().split('.');
    let (_, claims, _) = (parts.next()?, parts.next()?, parts.next()?);
    let claims = URL_SAFE_NO_PAD.decode(claims.trim_end_matches('=')).ok()?;
    serde_json::from_slice(&claims).ok().filter(Value::is_object)
}
