//! The first inputs of a target: recorded responses, documented profiles, and a few of each kind.

use std::fs;

use super::texts::{
    ADDED, ADDRESSES, ARGUMENTS, CALLBACK_REQUESTS, HELPER_REQUESTS, REDIRECTS, REPEATED, REQUESTS,
    TERMINAL_TEXT, TIMES, TOKENS, VARIABLES,
};
use crate::error::{Error, Result};
use crate::workspace;

/// Writes a target's seeds into its corpus, which is not committed.
pub(crate) fn write(target: &str) -> Result<()> {
    let corpus = format!("fuzz/corpus/{target}");
    workspace::create_folder(&corpus)?;
    for (number, seed) in of(target)?.into_iter().enumerate() {
        let name = format!("{corpus}/seed-{number}");
        fs::write(workspace::path(&name), seed)
            .map_err(|error| Error::failed(format!("{name} cannot be written: {error}")))?;
    }
    Ok(())
}

/// Returns a target's seeds.
pub(crate) fn of(target: &str) -> Result<Vec<Vec<u8>>> {
    let texts = |all: &[&str]| all.iter().map(|text| text.as_bytes().to_vec()).collect();
    Ok(match target {
        "token_response" | "token_verdict" => responses()?,
        "config" => profiles()?,
        "credential_helper" => texts(HELPER_REQUESTS),
        "endpoint" => texts(ADDRESSES),
        "environment" => texts(VARIABLES),
        "formats" => texts(TOKENS),
        "callback" => texts(CALLBACK_REQUESTS),
        "profile" => texts(ADDED),
        "redaction" => texts(REPEATED),
        "redirect" => texts(REDIRECTS),
        "retry_after" => texts(TIMES),
        "sandbox" => texts(REQUESTS),
        "terminal_text" => texts(TERMINAL_TEXT),
        "arguments" => texts(ARGUMENTS),
        "record" => vec![token(), failure()],
        "history" => vec![
            entry(&[0], &(5, time(NOW + 3600))),
            entry(&[&[3][..], &time(NOW + 60)].concat(), &(6, failure())),
            vec![1],
            entry_version_1(&[0], false),
            entry_version_1(&[3], true),
        ],
        _ => Vec::new(),
    })
}

/// Returns every fixture, unchanged and with the target's secret in place of its token.
fn responses() -> Result<Vec<Vec<u8>>> {
    let mut responses = Vec::new();
    for id in workspace::provider_ids()? {
        let folder = workspace::path(&format!("crates/provider-{id}/fixtures"));
        let entries = fs::read_dir(&folder)
            .map_err(|error| Error::failed(format!("{}: {error}", folder.display())))?;
        let mut paths: Vec<_> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
        paths.sort();
        for path in paths {
            let Ok(text) = fs::read_to_string(path) else { continue };
            responses.extend(marked(&text).map(String::into_bytes));
            responses.push(text.into_bytes());
        }
    }
    Ok(responses)
}

/// Returns the text with the mark of the secret as the value of its first member whose name ends in
/// `token`, or of its description.
fn marked(text: &str) -> Option<String> {
    let names = ["token\":", "description\":", "errorSummary\":", "error_msg\":", "message\":"];
    let value = names.iter().find_map(|name| {
        let at = text.find(name)? + name.len();
        Some(at + text.get(at..)?.find('"')? + 1)
    })?;
    let end = value + text.get(value..)?.find('"')?;
    Some([text.get(..value)?, "{SECRET}", text.get(end..)?].concat())
}

/// Returns the profiles in the providers' pages.
fn profiles() -> Result<Vec<Vec<u8>>> {
    let mut pages = vec![workspace::read("README.md")?];
    for id in workspace::provider_ids()? {
        pages.push(workspace::read(&format!("crates/provider-{id}/README.md"))?);
    }
    let blocks = pages.iter().flat_map(|page| {
        page.split("```toml\n").skip(1).filter_map(|rest| rest.split("```").next())
    });
    let mut seeds: Vec<Vec<u8>> = blocks.map(|block| block.as_bytes().to_vec()).collect();
    seeds.extend(PROFILES.iter().map(|text| text.as_bytes().to_vec()));
    Ok(seeds)
}

const PROFILES: &[&str] = &[
    "[profiles.cisco]\nenvironment = \"id\"\nclient_id = \"a\"\nclient_secret = \"{SECRET}\"\ntimeout = \"1h30m\"\n\
     base_url = \"http://127.0.0.1:1/x\"\nkeep_warm = true\n",
    "[profiles.c]\nprovider = \"cisco\"\nenvironment = \"cloudsso\"\ngrant = \"implicit\"\nclient_id = \"a\"\n\
     redirect_uri = \"http://localhost/x\"\nallow_implicit = false\n",
    "[profiles.huawei]\ndomain = \"a.example\"\nclient_id = { env = \"SET\" }\n\
     client_secret = { env = \"SET\" }\napi_origins = [\"https://a.example\"]\n",
    "[profiles]\ncelerdata = { client_id = \"{SECRET}\", client_secret = \"x\", scope = \"all\" }\n",
    "[profiles.configapi]\nhost = \"{SECRET}\"\ntimeout = \"{SECRET}\"\nclient_id = 5\n",
];

/// Encodes a time as the store does: seconds and nanoseconds.
fn time(seconds: u64) -> Vec<u8> {
    [&seconds.to_le_bytes()[..], &7_u32.to_le_bytes()].concat()
}

fn text(text: &str) -> Vec<u8> {
    [&u32::try_from(text.len()).unwrap_or(0).to_le_bytes()[..], text.as_bytes()].concat()
}

fn optional(string: &str) -> Vec<u8> {
    [&[1][..], &text(string)].concat()
}

const NOW: u64 = 1_800_000_000;

/// Encodes a stored value as `gatepass-engine/src/store/codec` does: kind, and fields in order.
fn value(kind: u8, fields: &[(u8, Vec<u8>)]) -> Vec<u8> {
    let mut bytes = vec![2, kind, u8::try_from(fields.len()).unwrap_or(0)];
    for (tag, field) in fields {
        bytes.push(*tag);
        bytes.extend(u32::try_from(field.len()).unwrap_or(0).to_le_bytes());
        bytes.extend(field);
    }
    bytes
}

/// The bit of a field that a reader must know.
const REQUIRED: u8 = 0x80;

fn token() -> Vec<u8> {
    let fields = [
        (REQUIRED | 1, time(NOW)),
        (REQUIRED | 2, time(NOW + 3600)),
        (REQUIRED | 3, vec![0]),
        (REQUIRED | 4, b"a-made-up-token".to_vec()),
        (5, b"a b".to_vec()),
    ];
    value(0, &fields)
}

fn failure() -> Vec<u8> {
    let fields = [
        (REQUIRED | 1, time(NOW)),
        (REQUIRED | 2, time(NOW + 60)),
        (REQUIRED | 3, vec![1]),
        (REQUIRED | 4, vec![0]),
        (REQUIRED | 5, b"denied".to_vec()),
        (6, 401_u16.to_le_bytes().to_vec()),
        (7, [&text("check the secret")[..], &[1], &text("doctor")].concat()),
        (8, b"invalid_client".to_vec()),
    ];
    value(1, &fields)
}

/// Returns a history entry with this next step and this outcome.
fn entry(next_step: &[u8], outcome: &(u8, Vec<u8>)) -> Vec<u8> {
    let fields = [
        (REQUIRED | 1, time(NOW)),
        (REQUIRED | 2, 12_u64.to_le_bytes().to_vec()),
        (REQUIRED | 3, b"cisco".to_vec()),
        (REQUIRED | 4, next_step.to_vec()),
        outcome.clone(),
        (9, 7_u32.to_le_bytes().to_vec()),
        (10, b"gatepass".to_vec()),
    ];
    value(2, &fields)
}

/// Returns a history file of version 1 with one entry: a token, or a failure.
fn entry_version_1(decision: &[u8], has_failed: bool) -> Vec<u8> {
    let head = [vec![1], time(NOW), 12_u64.to_le_bytes().to_vec(), text("cisco")].concat();
    let process = [vec![0, 0], 7_u64.to_le_bytes().to_vec(), optional("gatepass")].concat();
    let texts = [text("denied"), optional("hint"), optional("invalid_client"), vec![0]].concat();
    let error = [&time(NOW)[..], &time(NOW + 60), &[1, 0], &401_u16.to_le_bytes(), &texts].concat();
    let until = if has_failed { time(NOW + 60) } else { Vec::new() };
    let outcome = match has_failed {
        true => [&[1][..], &error].concat(),
        false => [&[0][..], &time(NOW + 60)].concat(),
    };
    [&head[..], &process, decision, &until, &outcome].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recorded_token_is_replaced_by_the_mark() {
        let text = "HTTP/1.1 200 OK\n\n{\"access_token\": \"abc\",\"token_type\":\"Bearer\"}";
        assert!(marked(text).unwrap().contains("\"access_token\": \"{SECRET}\",\"token_type\""));
        assert_eq!(marked("{}"), None);
    }

    #[test]
    fn every_documented_profile_is_a_seed() {
        let profiles = profiles().unwrap();
        assert!(profiles.len() > PROFILES.len(), "no page shows a profile");
    }
}
