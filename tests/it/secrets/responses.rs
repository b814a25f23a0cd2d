//! Tests of responses that attempt to make the command print a secret.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use gatepass_testkit::{Canary, find_leak};
use gatepass_tests::{Home, Received, Reply, Server, VENDORS, Vendor, vendor};

use super::Stage;
use crate::faults::table::FAULTS;

/// Runs `job` for every vendor in parallel.
fn for_each_vendor(job: impl Fn(&'static Vendor) + Sync) {
    std::thread::scope(|scope| {
        for one in &VENDORS {
            scope.spawn(|| job(vendor(one.id)));
        }
    });
}

#[test]
fn faults_do_not_expose_a_secret() {
    for_each_vendor(|vendor| {
        let captured: String = FAULTS
            .iter()
            .filter(|fault| (fault.applies)(vendor))
            .map(|fault| {
                let reply = fault.reply;
                let stage = Stage::responding(vendor, "", move |_, _| reply(vendor));
                let runs = stage.run(&["token", vendor.id, "--wait", "0s"]);
                // One fault returns the sandbox's secret as token, which appears on stdout.
                let text: String = runs.iter().map(|run| run.stderr.as_str()).collect();
                stage.assert_no_leak(&text, fault.name);
                text
            })
            .collect();
        assert!(captured.len() > 10_000, "the log is empty");
    });
}

/// Returns the data of a request in the encodings that servers use.
fn echo(request: &Received) -> Vec<String> {
    let mut echoes = vec![
        request.text().to_owned(),
        request.target.clone(),
        format!("{request:?}"),
        STANDARD.encode(&request.body),
        request.body.iter().map(|byte| format!("{byte:02x}")).collect(),
    ];
    let decoded = request.form_or_query();
    echoes.extend(decoded.into_iter().map(|(_, value)| value));
    for value in request.headers.values() {
        echoes.push(value.clone());
        echoes.push(value.chars().rev().collect());
        if let Some(pair) = value.strip_prefix("Basic ").and_then(|pair| STANDARD.decode(pair).ok())
        {
            let pair = String::from_utf8(pair).unwrap();
            echoes.extend(pair.split_once(':').map(|(_, secret)| secret.to_owned()));
            echoes.push(pair);
        }
    }
    echoes
}

#[test]
fn echoed_request_is_redacted() {
    let members: [fn(&str) -> serde_json::Value; 5] = [
        |text| serde_json::json!({"error": "invalid_client", "error_description": text}),
        |text| serde_json::json!({"errorCode": "invalid_client", "errorSummary": text}),
        |text| serde_json::json!({"error_code": "X.1", "error_msg": text}),
        |text| serde_json::json!({"statusCode": 401, "message": text}),
        |text| serde_json::json!({"error": text, "error_description": text, "error_uri": text}),
    ];
    for_each_vendor(|vendor| {
        for status in [200, 400, 401, 429, 500] {
            for member in members {
                let stage = Stage::responding(vendor, "", move |_, request| {
                    let text = echo(request).join(" and ");
                    Reply::json(status, member(&text).to_string())
                        .with("x-echo", request.target.clone())
                });
                let run = &stage.run(&["token", vendor.id, "--wait", "0s"])[0];
                assert_ne!(run.code, Some(0), "{run:#?}");
                stage.assert_no_leak(&run.all(), &format!("{status}"));
            }
        }
        // One at a time, because only the beginning of a text is shown.
        let mut redacted = 0;
        for n in 0..16 {
            let stage = Stage::responding(vendor, "", move |_, request| {
                let echoes = echo(request);
                let text = &echoes[n % echoes.len()];
                Reply::json(401, members[0](text).to_string())
            });
            let run = &stage.run(&["token", vendor.id, "--format", "json"])[0];
            stage.assert_no_leak(run.failed(3), &format!("echo {n}"));
            redacted += usize::from(run.stderr.contains("[redacted]"));
        }
        assert!(redacted > 4, "{}: no value was redacted", vendor.id);
    });
}

#[test]
fn secret_as_error_code_is_redacted() {
    for_each_vendor(|vendor| {
        for status in [200, 400, 401, 403] {
            let stage = Stage::responding(vendor, "", move |stage, _| {
                Reply::json(status, format!(r#"{{"error":"{}"}}"#, stage.secret))
            });
            let run = &stage.run(&["token", vendor.id, "--wait", "0s"])[0];
            stage.assert_no_leak(run.failed(3), "error");
        }
    });
}

#[test]
fn token_in_malformed_response_is_redacted() {
    let malformed: &[fn(&str, &str) -> String] = &[
        |response, token| response.replace(&format!("\"{token}\""), &format!("[\"{token}\"]")),
        |response, token| {
            response.replace(&format!("\"{token}\""), &format!("{{\"t\":\"{token}\"}}"))
        },
        |response, token| response.replace(token, &format!("{token} {token}")),
        |response, token| response.replace(token, &format!("Bearer {token}")),
        |response, token| response.replace(token, &format!("{token}\\r\\nX: {token}")),
        |response, token| response.replace("token\":", &format!("{token}\":")),
        |response, token| response[..response.find(token).unwrap() + token.len()].to_owned(),
        |response, token| format!("{response}{token}"),
        |_, token| format!("\"{token}\""),
        |_, token| token.to_owned(),
        |_, token| format!("access_token={token}&token_type=bearer"),
        |_, token| format!("<html>{token}</html>"),
        |_, token| format!("{{\"access_token\":{token}}}"),
        |_, token| format!("{{\"error\":\"{token}\",\"error_description\":\"{token} is dead\"}}"),
        |_, token| format!("{{\"message\":\"{token}\",\"statusCode\":\"{token}\"}}"),
        |_, token| {
            format!(r#"{{"access_token":"t","token":"t","token_type":"{token}","expires_in":1}}"#)
        },
    ];
    for_each_vendor(|vendor| {
        for (n, malformed) in malformed.iter().enumerate() {
            let stage = Stage::responding(vendor, "", move |stage, _| {
                Reply::json(200, malformed(&stage.response, &stage.token))
            });
            let runs = stage.run(&["token", vendor.id, "--wait", "0s"]);
            for run in runs.iter().filter(|run| run.code != Some(0)) {
                stage.assert_no_leak(&run.all(), &format!("response {n}"));
            }
        }
    });
}

#[test]
fn token_in_any_member_type_is_redacted() {
    let values = ["null", "5", "true", "\"TOKEN\"", "[\"TOKEN\"]", "{\"a\":\"TOKEN\"}"];
    for_each_vendor(|vendor| {
        for member in members(vendor) {
            for value in values.map(Some).into_iter().chain([None]) {
                let name = member.clone();
                let stage = Stage::responding(vendor, "", move |stage, _| {
                    let value = value.map(|value| value.replace("TOKEN", &stage.token));
                    Reply::json(200, with_member(&stage.response, &name, value.as_deref()))
                });
                // `inspect` prints no token on success.
                let run = &stage.run(&["inspect", vendor.id, "--fresh"])[0];
                let output = if member == "scope" { "" } else { &run.stdout };
                stage.assert_no_leak(
                    &format!("{}{output}", run.stderr),
                    &format!("{member} {value:?}"),
                );
            }
        }
    });
}

/// Returns the members of RFC 6749 and the vendor's own.
fn members(vendor: &Vendor) -> BTreeSet<String> {
    let known =
        ["access_token", "token_type", "expires_in", "scope", "refresh_token", "error", "message"];
    let own = object(vendor.response);
    known.map(str::to_owned).into_iter().chain(own.into_iter().map(|(name, _)| name)).collect()
}

/// Returns the response with one member replaced or removed.
fn with_member(response: &str, name: &str, value: Option<&str>) -> String {
    let mut response = object(response);
    match value {
        Some(value) => response.insert(name.to_owned(), serde_json::from_str(value).unwrap()),
        None => response.remove(name),
    };
    serde_json::Value::Object(response).to_string()
}

fn object(response: &str) -> serde_json::Map<String, serde_json::Value> {
    // Bright Pattern's response has a trailing comma.
    serde_json::from_str(&response.replace(",}", "}")).unwrap()
}

#[test]
fn secret_with_spaces_is_redacted() {
    let passphrase = "open sesame my dear friend";
    let secret = [Canary::new("words", passphrase)];
    for_each_vendor(|vendor| {
        for echo in
            [passphrase.to_owned(), passphrase.to_uppercase(), passphrase.chars().rev().collect()]
        {
            let body = format!(
                r#"{{"error":"invalid_client","error_description":"no client has {echo}, sorry"}}"#
            );
            let server = Server::responding([Reply::json(401, body)]);
            let config = vendor.profile_with(&server.url(), "", |_| format!("\"{passphrase}\""));
            let home = Home::with_config(&config);
            let run = home.gatepass(["token", vendor.id]).run();
            let output = run.failed(3);
            assert_eq!(find_leak(output, &secret), None, "{}: {output}", vendor.id);
            assert!(
                output.contains("the vendor's message: no client has [redacted], sorry"),
                "{output}"
            );
        }
    });
}

#[test]
fn location_with_secret_is_not_shown() {
    for_each_vendor(|vendor| {
        let stage = Stage::responding(vendor, "", |stage, _| {
            let secret = &stage.secret;
            let target = format!(
                "https://{secret}:{secret}@vendor.example.com/{secret}?s={secret}#{secret}"
            );
            Reply::empty(307).with("location", target)
        });
        for run in stage.run(&["token", vendor.id]) {
            stage.assert_no_leak(run.failed(6), "location");
        }
    });
}
