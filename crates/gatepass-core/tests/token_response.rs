//! Tests of reading token responses. `F…` are the rows of the fault matrix in `docs/faults.md`.

#![expect(clippy::unwrap_used, reason = "a failed assumption fails the test")]

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use gatepass_core::{ErrorKind, Expiry, Response, Result, Retry, Token, oauth2};
use proptest::prelude::*;

const SENT: SystemTime = SystemTime::UNIX_EPOCH;
/// A made-up token, for `TOKEN` in each response below.
const CANARY: &str = "CNRYtokenQ7w8e9R0t1y2";

fn response(status: u16, headers: &[(&str, &str)], body: &[u8]) -> Response {
    let mut response = http::Response::builder().status(status);
    for (name, value) in headers {
        response = response.header(*name, *value);
    }
    response.body(Bytes::copy_from_slice(body)).unwrap().into()
}

fn read(status: u16, body: &str) -> Result<Token> {
    let body = body.replace("TOKEN", CANARY);
    oauth2::read_token(&response(status, &[], body.as_bytes()), SENT)
}

/// Returns a valid body with one more member.
fn with(member: &str) -> String {
    format!(r#"{{"access_token":"TOKEN","token_type":"Bearer",{member}}}"#)
}

#[test]
fn each_error_response_has_its_kind() {
    use ErrorKind::{Config, Denied, Protocol, Throttled, Unavailable, UnsafeToken};
    let rows: &[(&str, u16, &str, ErrorKind)] = &[
        ("F1", 200, "<html>TOKEN</html>", Protocol),
        ("F2", 200, "", Protocol),
        ("F3", 200, r#"{"access_token":"TOKEN"#, Protocol),
        ("F6", 200, r#"["TOKEN"]"#, Protocol),
        ("F6", 200, "null", Protocol),
        ("F7", 200, r#"{"error":"invalid_client","access_token":"TOKEN"}"#, Denied),
        ("F7", 200, r#"{"error":"invalid_scope"}"#, Config),
        ("F9", 202, r#"{"access_token":"TOKEN","token_type":"Bearer"}"#, Protocol),
        ("F9", 203, r#"{"access_token":"TOKEN","token_type":"Bearer"}"#, Protocol),
        ("F10", 204, "", Protocol),
        ("F11", 206, r#"{"access_token":"TOKEN","token_type":"Bearer"}"#, Protocol),
        ("F11", 304, "", Protocol),
        ("F14", 400, r#"{"error":"invalid_client"}"#, Denied),
        ("F15", 401, r#"{"error":"invalid_client"}"#, Denied),
        ("F15", 401, r#"{"errorCode":"invalid_client","errorSummary":"x"}"#, Denied),
        ("F20a", 401, "Authentication failed", Unavailable),
        ("F16", 400, r#"{"error":"invalid_request"}"#, Config),
        ("F16", 401, r#"{"error":"unsupported_grant_type"}"#, Config),
        ("F16a", 400, r#"{"error":"invalid_grant"}"#, Denied),
        ("F16a", 401, r#"{"error":"unauthorized_client"}"#, Denied),
        ("F16a", 400, r#"{"error":"access_denied"}"#, Denied),
        ("F17", 400, r#"{"error":"invalid_scope"}"#, Config),
        ("F18", 400, r#"{"error_code":"APP.0001","error_msg":"no such application"}"#, Denied),
        ("F19", 400, "<h1>Bad Request</h1>", Protocol),
        ("F19", 400, "", Protocol),
        ("F20a", 403, "", Unavailable),
        ("F21", 404, "", Config),
        ("F21", 410, "", Config),
        ("F22", 405, "", Config),
        ("F22", 406, "", Config),
        ("F22", 415, "", Config),
        ("F23", 408, "", Unavailable),
        ("F23", 425, "", Unavailable),
        ("F24", 407, "", Config),
        ("F25", 413, "", Config),
        ("F25", 431, "", Config),
        ("F31", 429, "", Throttled),
        ("F32", 500, "", Unavailable),
        ("F32", 502, "<html></html>", Unavailable),
        ("F32", 504, "", Unavailable),
        ("F33", 503, "", Unavailable),
        ("F34", 500, r#"{"error":"server_error"}"#, Unavailable),
        ("F35", 501, "", Protocol),
        ("F35", 505, "", Protocol),
        ("F35", 511, "", Protocol),
        ("F36", 599, "", Protocol),
        ("F36", 999, "", Protocol),
        ("F49", 200, r#"{"token_type":"Bearer"}"#, Protocol),
        ("F49", 200, r#"{"access_token":null,"token_type":"Bearer"}"#, Protocol),
        ("F50", 200, r#"{"access_token":"  ","token_type":"Bearer"}"#, UnsafeToken),
        ("F51", 200, r#"{"access_token":{"a":"TOKEN"},"token_type":"Bearer"}"#, UnsafeToken),
        ("F51", 200, r#"{"access_token":12345678901234,"token_type":"Bearer"}"#, UnsafeToken),
        ("F52", 200, r#"{"access_token":"TOKEN\r\nX: y","token_type":"Bearer"}"#, UnsafeToken),
        ("F53", 200, r#"{"access_token":"TOKEN\u0000","token_type":"Bearer"}"#, UnsafeToken),
        ("F53", 200, r#"{"access_token":"TOK EN","token_type":"Bearer"}"#, UnsafeToken),
        ("F54", 200, r#"{"access_token":"TOKENé","token_type":"Bearer"}"#, UnsafeToken),
        ("F57", 200, r#"{"access_token":"Bearer TOKEN","token_type":"Bearer"}"#, UnsafeToken),
        ("F59", 200, r#"{"access_token":"TOKEN"}"#, Protocol),
        ("F61", 200, r#"{"access_token":"TOKEN","token_type":"mac"}"#, Protocol),
        ("F61", 200, r#"{"access_token":"TOKEN","token_type":""}"#, Protocol),
        ("F61", 200, r#"{"access_token":"TOKEN","token_type":5}"#, Protocol),
        ("F39", 200, r#"{"access_token":"TOKEN","token_type":"Bearer","expires_in":-1}"#, Protocol),
        ("F40", 200, r#"{"access_token":"TOKEN","token_type":"Bearer","expires_in":0}"#, Protocol),
        (
            "F68",
            200,
            r#"{"access_token":"a","access_token":"b","token_type":"Bearer"}"#,
            UnsafeToken,
        ),
        ("F70", 200, r#"{"access_token":"TOKEN","token_type":"Bearer"} x"#, Protocol),
        ("F70", 200, r#"{"access_token":"TOKEN","expires_in":NaN}"#, Protocol),
        ("F73", 200, "access_token=TOKEN&token_type=bearer", Protocol),
        ("F74", 200, r#"{"Access_Token":"TOKEN","token_type":"Bearer"}"#, Protocol),
        ("F84", 302, "", Protocol),
    ];
    for (row, status, body, kind) in rows {
        let error = read(*status, body).expect_err(row);
        assert_eq!(error.kind(), *kind, "{row}: {error:?}");
        assert!(!format!("{error} {error:?}").contains(CANARY), "{row}: {error:?}");
    }
}

#[test]
fn tolerated_responses_yield_correct_lifetime() {
    let rows: &[(&str, String, Option<u64>)] = &[
        ("F37", with(r#""expires_in":"3599""#), Some(3599)),
        ("F38", with(r#""expires_in":" 3599 ""#), None),
        ("F38", with(r#""expires_in":"3599s""#), None),
        ("F38", with(r#""expires_in":"+5""#), None),
        ("F38", with(r#""expires_in":"३५""#), None),
        ("F41", with(r#""expires_in":1"#), Some(1)),
        ("F42", with(r#""expires_in":3599.7"#), Some(3599)),
        ("F43", with(r#""expires_in":1e30"#), Some(30 * 24 * 3600)),
        ("F43", with(r#""expires_in":99999999999999999999"#), Some(30 * 24 * 3600)),
        ("F44", with(r#""expires_in":null"#), None),
        ("F44", with(r#""x":1"#), None),
        ("F45", with(r#""expires_in":{}"#), None),
        ("F46", with(r#""expires_in":1795181355"#), Some(30 * 24 * 3600)),
        ("F62", with(r#""expires_in":9,"refresh_token":"r","id_token":"i""#), Some(9)),
        ("F64", with(r#""a":[1,{"b":[]}],"expires_in":9"#), Some(9)),
        ("F66", format!("\u{feff}{}", with(r#""expires_in":9"#)), Some(9)),
        ("F67", with(r#""expires_in":9,"#), Some(9)),
        ("F60", r#"{"access_token":"TOKEN","token_type":"BEARER","expires_in":9}"#.into(), Some(9)),
        (
            "F75",
            r#"{"\u0061ccess_token":"TOKEN","token_type":"bearer","expires_in":9}"#.into(),
            Some(9),
        ),
    ];
    for (row, body, seconds) in rows {
        let token = read(200, body).unwrap_or_else(|error| panic!("{row}: {error:?}"));
        assert_eq!(token.expose_secret(), CANARY, "{row}");
        assert_eq!(token.lifetime(), Duration::from_secs(seconds.unwrap_or(300)), "{row}");
        let assumed = token.expiry() == Expiry::Assumed;
        assert_eq!(assumed, seconds.is_none(), "{row}");
        assert!(!format!("{token:?}").contains(CANARY), "{row}");
    }
    assert!(read(201, &with(r#""expires_in":9"#)).is_ok(), "F9");
}

#[test]
fn jwt_expiry_only_shortens_lifetime() {
    use base64::Engine as _;
    let jwt = |exp: &str| {
        let encode = |text: &str| base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(text);
        format!("{}.{}.sig", encode("{}"), encode(&format!(r#"{{"exp":{exp}}}"#)))
    };
    let lifetime = |exp: &str, member: &str| {
        read(200, &with(member).replace("TOKEN", &jwt(exp)))
            .map(|t| (t.lifetime().as_secs(), t.expiry()))
    };
    assert_eq!(lifetime("60", r#""expires_in":3600"#).unwrap(), (60, Expiry::Jwt), "F47");
    assert_eq!(lifetime("7200", r#""expires_in":3600"#).unwrap(), (3600, Expiry::Vendor), "F47");
    assert_eq!(lifetime("60.9", r#""x":1"#).unwrap(), (60, Expiry::Jwt));
    assert_eq!(
        lifetime("0", r#""expires_in":3600"#).unwrap_err().kind(),
        ErrorKind::Protocol,
        "F48"
    );
    assert!(lifetime("-5", r#""expires_in":3600"#).is_err(), "F48");
    assert_eq!(lifetime("1e300", r#""expires_in":3600"#).unwrap().0, 3600);
}

#[test]
fn retry_after_accepts_every_form() {
    let date = "Fri, 31 Dec 1999 23:59:59 GMT";
    let seconds = |headers: &[(&str, &str)]| {
        let error = oauth2::read_token(&response(429, headers, b""), SENT).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Throttled);
        error.retry_after().map(|after| after.as_secs())
    };
    assert_eq!(seconds(&[("retry-after", "7")]), Some(7), "F26");
    for form in [
        "Sat, 01 Jan 2000 00:00:06 GMT",
        "Saturday, 01-Jan-00 00:00:06 GMT",
        "Sat Jan  1 00:00:06 2000",
    ] {
        assert_eq!(seconds(&[("date", date), ("retry-after", form)]), Some(7), "F27 {form}");
    }
    assert_eq!(
        seconds(&[("date", "Sat, 01 Jan 2000 00:00:09 GMT"), ("retry-after", date)]),
        Some(1),
        "F28"
    );
    assert_eq!(seconds(&[("retry-after", "0")]), Some(1), "F28");
    assert_eq!(seconds(&[("retry-after", "-5")]), None, "F28");
    assert_eq!(seconds(&[("retry-after", "soon")]), None, "F29");
    assert_eq!(seconds(&[("retry-after", "")]), None, "F29");
    assert_eq!(seconds(&[("retry-after", "1e9")]), None, "F29");
    assert_eq!(seconds(&[("retry-after", "99999999999999999999")]), Some(3600), "F29");
    assert_eq!(seconds(&[("retry-after", "5"), ("retry-after", "9")]), Some(9), "F29");
    assert_eq!(seconds(&[("retry-after", "86400")]), Some(3600), "F30");
    assert_eq!(seconds(&[]), None, "F31");

    let okta = |at: &str| seconds(&[("date", date), ("x-rate-limit-reset", at)]);
    assert_eq!(okta("946684829"), Some(30), "30 s after the date");
    assert_eq!(okta("946684000"), Some(1), "in the past");
    assert_eq!((okta("30"), okta("soon")), (Some(30), None));
    let both = [("date", date), ("retry-after", "7"), ("x-rate-limit-reset", "946684829")];
    assert_eq!(seconds(&both), Some(7), "the standard field wins");
    let body = br#"{"error":"slow_down"}"#;
    for (field, value) in [("retry-after", "29.997"), ("ratelimit-reset", "30")] {
        let error = oauth2::read_token(&response(400, &[(field, value)], body), SENT).unwrap_err();
        assert!(error.message().ends_with("retry after 30 s"), "{field}: {error}");
        assert!(error.retry_after() > Some(Duration::from_secs(29)), "{field}: {error}");
    }
    let down = response(503, &[("x-rate-limit-reset", "946684829")], b"");
    assert_eq!(oauth2::read_token(&down, SENT).unwrap_err().retry_after(), None);
}

#[test]
fn vendor_text_is_redacted() {
    let body = format!(
        r#"{{"error":"invalid_token","error_description":"Access token expired:{CANARY}"}}"#
    );
    let error = read(400, &body).unwrap_err();
    assert_eq!(error.vendor_code(), Some("invalid_token"));
    assert_eq!(error.vendor_text(), Some("Access token expired:[redacted]"));
    let odd =
        read(400, r#"{"error":"TOKEN TOKEN\u001b[0m","error_description":"a\nb"}"#).unwrap_err();
    assert_eq!(odd.vendor_code(), None, "a code has its own character set");
}

#[test]
fn form_response_is_not_retried() {
    let form = read(200, "access_token=TOKEN&token_type=bearer").unwrap_err();
    assert_eq!((form.kind(), form.retry()), (ErrorKind::Protocol, Retry::Never), "F73");
}

#[test]
fn compressed_and_long_responses_are_rejected() {
    let body = with(r#""expires_in":9"#);
    for coding in
        ["", " ", "identity", "none", "None", "utf-8", "UTF-8", "binary", "identity, none"]
    {
        let reply = response(200, &[("content-encoding", coding)], body.as_bytes());
        assert_eq!(oauth2::read_token(&reply, SENT).unwrap().expose_secret(), "TOKEN", "{coding}");
    }
    for coding in ["gzip", "br", "zstd", "deflate", "GZIP", "x-gzip", "identity, gzip", "utf-8,br"]
    {
        let reply = response(200, &[("content-encoding", coding)], body.as_bytes());
        let error = oauth2::read_token(&reply, SENT).unwrap_err();
        assert_eq!((error.kind(), error.retry()), (ErrorKind::Protocol, Retry::Never), "F78");
    }
    let long = with(&format!(r#""x":"{}""#, "y".repeat(256 * 1024)));
    let deep = "[".repeat(100_000);
    for (row, body) in [("F76", &long), ("F69", &deep)] {
        let error = read(200, body).unwrap_err();
        assert_eq!((error.kind(), error.retry()), (ErrorKind::Protocol, Retry::Never), "{row}");
    }
}

proptest! {
    #[test]
    fn arbitrary_bytes_do_not_panic(
        status in 100u16..1000,
        body in prop::collection::vec(any::<u8>(), 0..600),
        html in any::<bool>(),
    ) {
        let kind = if html { "text/html" } else { "application/json" };
        let _ = oauth2::read_token(&response(status, &[("content-type", kind)], &body), SENT);
    }

    #[test]
    fn errors_of_damaged_responses_hide_the_token(cut in 0usize..200, at in 0usize..200, byte in any::<u8>()) {
        let whole = with(r#""expires_in":"3599","scope":"all","refresh_token":"TOKENrefresh""#)
            .replace("TOKEN", CANARY);
        let mut bytes = whole.into_bytes();
        bytes.truncate(bytes.len().min(cut));
        if let Some(target) = bytes.get_mut(at) {
            *target = byte;
        }
        for status in [200, 400, 401, 500] {
            match oauth2::read_token(&response(status, &[], &bytes), SENT) {
                Ok(token) => prop_assert!(!format!("{token:?}").contains("CNRY"), "shown"),
                Err(error) => prop_assert!(!format!("{error} {error:?}").contains("CNRYtoken"), "shown"),
            }
        }
    }

    #[test]
    fn arbitrary_member_values_do_not_panic(value in prop_oneof![
        Just("null".to_owned()), Just("true".to_owned()), Just("[]".to_owned()), Just("{}".to_owned()),
        any::<f64>().prop_filter("not a JSON number", |n| n.is_finite()).prop_map(|n| n.to_string()),
        any::<i128>().prop_map(|n| n.to_string()),
        "[a-zA-Z0-9 ]{0,40}".prop_map(|text| format!("\"{text}\"")),
    ], member in prop_oneof![Just("access_token"), Just("token_type"), Just("expires_in"), Just("scope"), Just("error")]) {
        let body = format!(r#"{{"access_token":"{CANARY}","token_type":"Bearer","{member}":{value}}}"#);
        if let Err(error) = oauth2::read_token(&response(200, &[], body.as_bytes()), SENT) {
            prop_assert!(!format!("{error} {error:?}").contains("CNRYtoken"), "shown");
        }
    }
}
