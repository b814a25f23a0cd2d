//! What a target begins with: the recorded answers, the documented profiles, and a few of each sort.

use std::fs;

use super::folder;
use crate::failure::{Failure, Result};
use crate::workspace;

/// Writes a target's seeds into its corpus, which is not kept.
pub(crate) fn write(target: &str) -> Result<()> {
    let corpus = format!("fuzz/corpus/{target}");
    folder(&corpus)?;
    for (number, seed) in of(target)?.into_iter().enumerate() {
        let name = format!("{corpus}/seed-{number}");
        fs::write(workspace::path(&name), seed)
            .map_err(|error| Failure::failed(format!("{name} cannot be written: {error}")))?;
    }
    Ok(())
}

/// A target's seeds.
pub(crate) fn of(target: &str) -> Result<Vec<Vec<u8>>> {
    let texts = |all: &[&str]| all.iter().map(|text| text.as_bytes().to_vec()).collect();
    Ok(match target {
        "answer" | "refusal" => answers()?,
        "config" => profiles()?,
        "endpoint" => texts(ADDRESSES),
        "environment" => texts(VARIABLES),
        "redirect" => texts(REDIRECTS),
        "retry_after" => texts(TIMES),
        "sandbox" => texts(REQUESTS),
        "record" => vec![token(), [&[1][..], &failure()].concat()],
        "journal" => vec![vec![1], note(&[0], false), note(&[3], true)],
        _ => Vec::new(),
    })
}

/// Every fixture, as it is and with the secret that is looked for in its token's place.
fn answers() -> Result<Vec<Vec<u8>>> {
    let mut answers = Vec::new();
    for id in workspace::provider_ids()? {
        let folder = workspace::path(&format!("crates/provider-{id}/fixtures"));
        let entries = fs::read_dir(&folder)
            .map_err(|error| Failure::failed(format!("{}: {error}", folder.display())))?;
        let mut paths: Vec<_> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
        paths.sort();
        for path in paths {
            let Ok(text) = fs::read_to_string(path) else { continue };
            answers.extend(marked(&text).map(String::into_bytes));
            answers.push(text.into_bytes());
        }
    }
    Ok(answers)
}

/// A text with the mark of the secret as the value of its first member that ends in `token`, or
/// else of its description.
fn marked(text: &str) -> Option<String> {
    let names = ["token\":", "description\":", "errorSummary\":", "error_msg\":", "message\":"];
    let value = names.iter().find_map(|name| {
        let at = text.find(name)? + name.len();
        Some(at + text.get(at..)?.find('"')? + 1)
    })?;
    let end = value + text.get(value..)?.find('"')?;
    Some([text.get(..value)?, "{SECRET}", text.get(end..)?].concat())
}

/// The profiles that the providers' pages show.
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
    "[profiles.cisco]\nclient_id = \"a\"\nclient_secret = \"{SECRET}\"\ntimeout = \"1h30m\"\n\
     base_url = \"http://127.0.0.1:1/x\"\nkeep_warm = true\n",
    "[profiles.c]\nprovider = \"cisco\"\ngrant = \"implicit\"\nclient_id = \"a\"\n\
     redirect_uri = \"http://localhost/x\"\nallow_implicit = false\n",
    "[profiles.huawei]\ndomain = \"a.example\"\nclient_id = { env = \"SET\" }\n\
     client_secret = { env = \"SET\" }\napi_origins = [\"https://a.example\"]\n",
    "[profiles]\ncelerdata = { client_id = \"{SECRET}\", client_secret = \"x\", scope = \"all\" }\n",
    "[profiles.configapi]\nhost = \"{SECRET}\"\ntimeout = \"{SECRET}\"\nclient_id = 5\n",
];

const ADDRESSES: &[&str] = &[
    "https://Example.com:8443/base/\n/v1/token?a=b\nc=d\nhttps://example.com:8443/x",
    "http://127.0.0.1:8480\n/%2e%2e/x\nq\nhttp://127.0.0.1:8480/",
    "http://[::1]:1/a\n//b/c\na=%20\nhttp://[::1]:1",
    "https://user:word@example.com/\n\n\n",
    "name.example.com:443\n/\nx\nhttps://name.example.com",
];

const VARIABLES: &[&str] = &[
    "GATEPASS_CISCO_CLIENT_ID=a\nGATEPASS_CISCO_CLIENT_SECRET={SECRET}\nGATEPASS_CISCO_TIMEOUT=9s",
    "GATEPASS_MY_LAKE_PROVIDER=celerdata\nGATEPASS_MY_LAKE_CLIENT_ID=a\n\
     GATEPASS_MY_LAKE_CLIENT_SECRET=b\nGATEPASS_MY_LAKE_KEEP_WARM=1",
    "GATEPASS_IAM_PROVIDER=huawei\nGATEPASS_IAM_DOMAIN={SECRET}\nHOME=x",
];

const REDIRECTS: &[&str] = &[
    "http://localhost/app/index.html\n#access_token={SECRET}&token_type=bearer&expires_in=3599\
     &state={STATE}",
    "http://127.0.0.1:0/callback\nhttp://127.0.0.1:0/callback?access_token=a&state={STATE}",
    "https://app.example.com/\n?error=access_denied&error_description={SECRET}&state={STATE}",
    "http://[::1]:8400/cb?x=y\nid_token={SECRET}&refresh_token=%41&state=%7BSTATE}&scope=a+b",
    "https://app.example.com:99/a\nhttps://app.example.com:99/a#state=other&access_token=x",
];

const TIMES: &[&str] = &[
    "\0\0\0\0\0\0\0\0Sun, 06 Nov 1994 08:49:37 GMT\n120",
    "\0\0\0\0\0\0\0\0Sunday, 06-Nov-94 08:49:37 GMT\nSun Nov  6 08:59:37 1994\n-1",
    "aaaaaaaa\n99999999999999999999\n0",
];

const REQUESTS: &[&str] = &[
    "POST /cisco/as/token.oauth2 HTTP/1.1\ncontent-type: application/x-www-form-urlencoded\n\n\
     grant_type=client_credentials&client_id=client_id&client_secret={SECRET}\0\
     GET /cisco/hello HTTP/1.1\nauthorization: Bearer {TOKEN}\n\n",
    "POST /cloudneeti/api/authorize/license/license_id/token HTTP/1.1\n\
     content-type: application/json\nocp-apim-subscription-key: {SECRET}\n\n\
     {\"APIApplicationId\":\"api_application_id\",\"Secret\":\"{SECRET}\"}\0\
     GET /cloudneeti/onboarding/license/license_id/licenseAccounts HTTP/1.1\n\
     authorization: Bearer {TOKEN}\nocp-apim-subscription-key: {SECRET}\n\n",
    "POST /celerdata/api/1.0/token?grant_type=client_credentials HTTP/1.1\n\
     authorization: Basic Y2xpZW50X2lkOkNOUlk=\n\n\0GET /celerdata/api/1.0/clusters HTTP/1.1\n\n",
    "POST /configapi/configapi/v2/oauth/token HTTP/1.1\n\
     content-type: application/x-www-form-urlencoded\n\n\
     grant_type=client_credentials&client_id=client_id&client_secret={SECRET}&scope=x",
    "POST /huawei/api/v2/tenant/token HTTP/1.1\n\
     content-type: application/x-www-form-urlencoded\n\n\
     grant_type=client_credentials&client_id=client_id&client_secret={SECRET}\0\
     GET /huawei/api/v2/tenant/users?org_id=&offset=0&limit=10 HTTP/1.1\n\
     authorization: Bearer {TOKEN}\n\n",
    "GET /cisco/as/authorization.oauth2?response_type=token&client_id=client_id\
     &redirect_uri=http://127.0.0.1:1/x&state=s HTTP/1.1\n\n",
    "POST /_sandbox/clients HTTP/1.1\n\n\
     {\"provider\":\"cisco\",\"fields\":{\"client_id\":\"b\"},\"ttl_seconds\":60}\0\
     POST /_sandbox/time HTTP/1.1\n\n{\"advance_seconds\":60}\0\
     POST /_sandbox/revoke HTTP/1.1\n\n{\"provider\":\"cisco\"}\0POST /_sandbox/reset HTTP/1.1\n\n",
    "POST /_sandbox/faults HTTP/1.1\n\n\
     {\"provider\":\"cisco\",\"fault\":\"status-503\",\"times\":3,\"applies_to\":\"token\"}\0\
     POST /cisco/as/token.oauth2 HTTP/1.1\n\n\0GET /_sandbox/faults HTTP/1.1\n\n\0\
     POST /_sandbox/faults HTTP/1.1\n\n{\"clear\":true}",
];

/// A time as a store writes it: seconds and nanoseconds.
fn time(seconds: u64) -> Vec<u8> {
    [&seconds.to_le_bytes()[..], &7_u32.to_le_bytes()].concat()
}

fn text(text: &str) -> Vec<u8> {
    [&u32::try_from(text.len()).unwrap_or(0).to_le_bytes()[..], text.as_bytes()].concat()
}

fn optional(said: &str) -> Vec<u8> {
    [&[1][..], &text(said)].concat()
}

const NOW: u64 = 1_800_000_000;

fn token() -> Vec<u8> {
    [&[0][..], &time(NOW), &time(NOW + 3600), &[0], &optional("a b"), &text("a-token-of-ours")]
        .concat()
}

fn failure() -> Vec<u8> {
    let said = [text("refused"), optional("act"), optional("invalid_client"), vec![0]].concat();
    [&time(NOW)[..], &time(NOW + 60), &[1, 0], &401_u16.to_le_bytes(), &said].concat()
}

/// A journal of one note: a token, or a failure.
fn note(decision: &[u8], has_failed: bool) -> Vec<u8> {
    let head = [vec![1], time(NOW), 12_u64.to_le_bytes().to_vec(), text("cisco")].concat();
    let who = [vec![0, 0], 7_u64.to_le_bytes().to_vec(), optional("gatepass")].concat();
    let until = if has_failed { time(NOW + 60) } else { Vec::new() };
    let outcome = if has_failed {
        [&[1][..], &failure()].concat()
    } else {
        [&[0][..], &time(NOW + 60)].concat()
    };
    [&head[..], &who, decision, &until, &outcome].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recorded_token_is_replaced_by_the_mark() {
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
