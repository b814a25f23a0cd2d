//! Answers that try to make the command say what it knows.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use gatepass_tests::{Received, Reply, VENDORS, Vendor, vendor};

use super::Stage;
use crate::faults::table::FAULTS;

/// Runs `job` for every vendor, side by side.
fn for_each_vendor(job: impl Fn(&'static Vendor) + Sync) {
    std::thread::scope(|scope| {
        for one in &VENDORS {
            scope.spawn(|| job(vendor(one.id)));
        }
    });
}

#[test]
fn no_fault_makes_the_command_show_a_secret() {
    for_each_vendor(|vendor| {
        let captured: String = FAULTS
            .iter()
            .filter(|fault| (fault.of)(vendor))
            .map(|fault| {
                let reply = fault.reply;
                let stage = Stage::answering(vendor, "", move |_, _| reply(vendor));
                let runs = stage.run(&["token", vendor.id, "--wait", "0s"]);
                // One fault has another secret than this stage's as its token: on stdout, then.
                let text: String = runs.iter().map(|run| run.stderr.as_str()).collect();
                stage.assert_tight(&text, fault.name);
                text
            })
            .collect();
        assert!(captured.len() > 10_000, "nothing was logged");
    });
}

/// All that a vendor knows of a request, in the encodings that servers use.
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
fn what_a_vendor_echoes_of_the_request_is_redacted() {
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
                let stage = Stage::answering(vendor, "", move |_, request| {
                    let text = echo(request).join(" and ");
                    Reply::json(status, member(&text).to_string())
                        .with("x-echo", request.target.clone())
                });
                let run = &stage.run(&["token", vendor.id, "--wait", "0s"])[0];
                assert_ne!(run.code, Some(0), "{run:#?}");
                stage.assert_tight(&run.all(), &format!("{status}"));
            }
        }
        // Each alone, since the beginning of a text is what is shown of it.
        for n in 0..16 {
            let stage = Stage::answering(vendor, "", move |_, request| {
                let echoes = echo(request);
                let text = &echoes[n % echoes.len()];
                Reply::json(401, members[0](text).to_string())
            });
            let run = &stage.run(&["token", vendor.id, "--format", "json"])[0];
            stage.assert_tight(run.failed(3), &format!("echo {n}"));
        }
    });
}

#[test]
fn the_secret_as_an_error_code_is_not_shown() {
    for_each_vendor(|vendor| {
        for status in [200, 400, 401, 403] {
            let stage = Stage::answering(vendor, "", move |stage, _| {
                Reply::json(status, format!(r#"{{"error":"{}"}}"#, stage.secret))
            });
            let run = &stage.run(&["token", vendor.id, "--wait", "0s"])[0];
            stage.assert_tight(run.failed(3), "error");
        }
    });
}

#[test]
fn a_token_in_the_wrong_place_is_not_shown() {
    let odd: &[fn(&str, &str) -> String] = &[
        |answer, token| answer.replace(&format!("\"{token}\""), &format!("[\"{token}\"]")),
        |answer, token| answer.replace(&format!("\"{token}\""), &format!("{{\"t\":\"{token}\"}}")),
        |answer, token| answer.replace(token, &format!("{token} {token}")),
        |answer, token| answer.replace(token, &format!("Bearer {token}")),
        |answer, token| answer.replace(token, &format!("{token}\\r\\nX: {token}")),
        |answer, token| answer.replace("token\":", &format!("{token}\":")),
        |answer, token| answer[..answer.find(token).unwrap() + token.len()].to_owned(),
        |answer, token| format!("{answer}{token}"),
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
        for (n, odd) in odd.iter().enumerate() {
            let stage = Stage::answering(vendor, "", move |stage, _| {
                Reply::json(200, odd(&stage.answer, &stage.token))
            });
            let runs = stage.run(&["token", vendor.id, "--wait", "0s"]);
            for run in runs.iter().filter(|run| run.code != Some(0)) {
                stage.assert_tight(&run.all(), &format!("answer {n}"));
            }
        }
    });
}

#[test]
fn a_member_beside_the_token_shows_no_secret_whatever_its_type() {
    for_each_vendor(|vendor| {
        for member in ["expires_in", "scope", "token_type", "refresh_token", "id_token", "message"]
        {
            for value in
                ["\"TOKEN\"", "[\"TOKEN\"]", "{\"a\":\"TOKEN\"}", "1e400", "\"TOKEN\\u0000\""]
            {
                let stage = Stage::answering(vendor, "", move |stage, _| {
                    let value = value.replace("TOKEN", &stage.token);
                    let start = format!("{{\"{member}\":{value},");
                    Reply::json(200, stage.answer.replacen('{', &start, 1))
                });
                // Without the token in the token's place there is no success to tell apart.
                let run = &stage.run(&["inspect", vendor.id])[0];
                let shown = if member == "scope" { "" } else { &run.stdout };
                stage.assert_tight(&format!("{}{shown}", run.stderr), &format!("{member} {value}"));
            }
        }
    });
}

#[test]
fn a_location_with_a_secret_is_not_shown() {
    for_each_vendor(|vendor| {
        let stage = Stage::answering(vendor, "", |stage, _| {
            let secret = &stage.secret;
            let target = format!(
                "https://{secret}:{secret}@vendor.example.com/{secret}?s={secret}#{secret}"
            );
            Reply::empty(307).with("location", target)
        });
        for run in stage.run(&["token", vendor.id]) {
            stage.assert_tight(run.failed(6), "location");
        }
    });
}
