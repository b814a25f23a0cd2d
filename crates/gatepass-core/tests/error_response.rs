//! Tests of the error of a token endpoint's response: the body's code decides before the status.

#![expect(clippy::unwrap_used, reason = "a failed assumption fails the test")]

use std::time::SystemTime;

use bytes::Bytes;
use gatepass_core::{Error, ErrorKind, Response, oauth2};

fn response(status: u16, body: &str) -> Response {
    let response = http::Response::builder().status(status);
    Response::from(response.body(Bytes::copy_from_slice(body.as_bytes())).unwrap())
}

fn error(status: u16, body: &str) -> Error {
    oauth2::read_token(&response(status, body), SystemTime::UNIX_EPOCH).unwrap_err()
}

fn with_code(code: &str) -> String {
    format!("{{\"error\":\"{code}\",\"error_description\":\"try again in a moment\"}}")
}

const STATUSES: [u16; 7] = [200, 400, 401, 403, 429, 500, 503];

#[test]
fn code_decides_at_any_status() {
    use ErrorKind::{Denied, Throttled, Unavailable};
    for (kind, codes) in [
        (
            Denied,
            ["invalid_client", "invalid_grant", "unauthorized_client", "access_denied"].as_slice(),
        ),
        (
            Throttled,
            &[
                "rate_limit",
                "rate_limit_exceeded",
                "rateLimitExceeded",
                "USER_RATE_LIMIT",
                "too_many_requests",
                "TooManyRequests",
                "quota",
                "quota_exceeded",
                "slow_down",
                "over_rate",
                "over_rate_limit",
                "ThrottlingException",
            ],
        ),
        (Unavailable, &["internal_error", "server_error", "temporarily_unavailable"]),
    ] {
        for code in codes {
            for status in STATUSES {
                let error = error(status, &with_code(code));
                assert_eq!(error.kind(), kind, "{status} {code}");
                assert_eq!(error.vendor_code(), Some(*code), "{status}");
                assert!(error.vendor_text().is_some());
            }
        }
    }
}

#[test]
fn code_is_found_in_every_dialect() {
    for body in [
        "{\"errorCode\":\"E0000047\",\"errorSummary\":\"too many\"}",
        "{\"error_code\":\"APIGW.0308\",\"error_msg\":\"throttled\"}",
        "{\"code\":42900,\"message\":\"too many\"}",
        "{\"error\":{\"code\":429,\"status\":\"RESOURCE_EXHAUSTED\"}}",
        "{\"error\":{\"type\":\"rate_limit_error\"}}",
        "{\"error\":\"unknown\",\"error_code\":\"quota_exceeded\"}",
    ] {
        for status in [400, 401, 403] {
            assert_eq!(error(status, body).kind(), ErrorKind::Throttled, "{status} {body}");
        }
    }
    for member in ["errorCode", "error_code", "code"] {
        let body = format!("{{\"{member}\":\"rate_limit_exceeded\"}}");
        assert_eq!(error(200, &body).kind(), ErrorKind::Throttled, "{body}");
    }
}

#[test]
fn unknown_code_of_the_vendor_is_a_rejection() {
    for status in [200, 400, 401, 403, 409] {
        assert_eq!(error(status, &with_code("APP.0001")).kind(), ErrorKind::Denied, "{status}");
    }
    assert_eq!(error(429, &with_code("APP.0001")).kind(), ErrorKind::Throttled);
    assert_eq!(error(500, &with_code("APP.0001")).kind(), ErrorKind::Unavailable);
}

#[test]
fn rejection_without_a_known_body_comes_from_a_gateway() {
    for status in [401, 403] {
        for body in [
            "",
            "  \r\n",
            "<!doctype html><html><body>Blocked by the firewall</body></html>",
            "<Error><Code>AccessDenied</Code></Error>",
            "Forbidden",
            "{\"message\":\"Forbidden\"}",
            "{}",
            "[]",
            "{\"error\":\"\"}",
            "{\"error\":",
        ] {
            let error = error(status, body);
            assert_eq!(error.kind(), ErrorKind::Unavailable, "{status} {body}");
            assert_eq!(error.status(), Some(status));
            assert!(!error.hints().is_empty());
        }
    }
}

#[test]
fn harmless_members_of_a_token_response_are_ignored() {
    for member in ["\"errorCode\":0", "\"error_code\":\"0\"", "\"code\":20000", "\"code\":\"OK\""] {
        let body = format!(
            "{{\"access_token\":\"t-1\",\"token_type\":\"Bearer\",\"expires_in\":60,{member}}}"
        );
        oauth2::read_token(&response(200, &body), SystemTime::UNIX_EPOCH).unwrap();
    }
}

#[test]
fn provider_states_a_rejection_that_core_cannot_read() {
    let sent = SystemTime::UNIX_EPOCH;
    let refused = oauth2::vendor_error(&response(401, "no"), None, Some("no"), sent);
    assert_eq!((refused.kind(), refused.vendor_text()), (ErrorKind::Denied, Some("no")));
    let code = "ERR_403_DEVELOPER_OVER_QPS";
    let throttled = oauth2::vendor_error(&response(403, ""), Some(code), None, sent);
    assert_eq!((throttled.kind(), throttled.vendor_code()), (ErrorKind::Throttled, Some(code)));
}
