//! The table of all faults.

use super::{Act, FaultInfo, ResponseField, Row, Target, body, login, wire};

#[rustfmt::skip]
pub(crate) const TABLE: &[Row] = &[
    // status and body
    row("html", "200 with a web page, as a login page or captive portal responds", &[], Act::Instead(body::html)),
    row("empty", "200 with an empty body", &[], Act::Instead(body::empty)),
    row("truncated", "200 with the first half of the JSON", &[], Act::After(body::truncated)),
    row("array", "200 with a JSON array", &[], Act::Instead(body::array)),
    row("not-object", "200 with a JSON string", &[], Act::Instead(body::not_object)),
    row("null", "200 with JSON null", &[], Act::Instead(body::null)),
    row("oauth-error-in-200", "200 with the error object of a rejected client", &[], Act::Instead(body::oauth_error_in_200)),
    row("inner-status-401", "200 with statusCode 401 in the body, as Cloudneeti sends", &[], Act::Instead(body::inner_status_401)),
    row("documented-error", "400 with error_code and error_msg, as in Huawei's documentation", &["code"], Act::Instead(body::documented_error)),
    both("documented-errors", "Huawei's own refusals as documented: 400, error_code and error_msg", &[], Act::After(body::documented_errors)),
    row("status-201", "the vendor's response, with status 201", &[], Act::Relabelled(201)),
    row("status-202", "the vendor's response, with status 202", &[], Act::Relabelled(202)),
    row("status-203", "the vendor's response, with status 203: a proxy changed it", &[], Act::Relabelled(203)),
    row("status-204", "204 and no content", &[], Act::Status(204)),
    row("status-206", "the vendor's response, with status 206", &[], Act::Relabelled(206)),
    row("status-304", "304 and no content", &[], Act::Status(304)),
    row("status-400", "400 without a body", BARE, Act::Status(400)),
    row("status-401", "401 without a body", BARE, Act::Status(401)),
    row("status-403", "403 without a body", BARE, Act::Status(403)),
    row("status-404", "404", BARE, Act::Status(404)),
    row("status-405", "405", BARE, Act::Status(405)),
    row("status-407", "407, as from a proxy that requires credentials", BARE, Act::Status(407)),
    row("status-408", "408", BARE, Act::Status(408)),
    row("status-410", "410", BARE, Act::Status(410)),
    row("status-413", "413", BARE, Act::Status(413)),
    row("status-415", "415", BARE, Act::Status(415)),
    row("status-425", "425", BARE, Act::Status(425)),
    row("status-429", "429, with Retry-After only if the parameter is set", BARE, Act::Status(429)),
    row("status-431", "431", BARE, Act::Status(431)),
    row("status-500", "500", BARE, Act::Status(500)),
    row("status-501", "501", BARE, Act::Status(501)),
    row("status-502", "502", BARE, Act::Status(502)),
    row("status-503", "503, with Retry-After only if the parameter is set", BARE, Act::Status(503)),
    row("status-504", "504", BARE, Act::Status(504)),
    row("status-511", "511, as from a captive portal", BARE, Act::Status(511)),
    row("status-599", "599, an unregistered status", BARE, Act::Status(599)),
    row("status-099", "a status below 100", &[], Act::StatusLine("HTTP/1.1 099 Odd")),
    row("status-text", "a status that is not a number", &[], Act::StatusLine("HTTP/1.1 abc Odd")),
    row("error-invalid-client", "401 invalid_client in the form of RFC 6749", &[], Act::OAuthError(401, "invalid_client")),
    row("error-invalid-client-400", "400 invalid_client, which RFC 6749 allows too", &[], Act::OAuthError(400, "invalid_client")),
    row("error-invalid-grant", "400 invalid_grant", &[], Act::OAuthError(400, "invalid_grant")),
    row("error-unauthorized-client", "400 unauthorized_client", &[], Act::OAuthError(400, "unauthorized_client")),
    row("error-access-denied", "400 access_denied", &[], Act::OAuthError(400, "access_denied")),
    row("error-invalid-request", "400 invalid_request", &[], Act::OAuthError(400, "invalid_request")),
    row("error-invalid-scope", "400 invalid_scope", &[], Act::OAuthError(400, "invalid_scope")),
    row("error-unsupported-grant-type", "400 unsupported_grant_type", &[], Act::OAuthError(400, "unsupported_grant_type")),
    row("error-temporarily-unavailable", "503 temporarily_unavailable", &[], Act::OAuthError(503, "temporarily_unavailable")),
    row("error-echoes-secret", "401 with the client secret in the description", &[], Act::Instead(body::error_echoes_secret)),
    // throttling
    row("retry-after-seconds", "429 with Retry-After in seconds (7 by default)", &["seconds"], Act::Instead(body::retry_after_seconds)),
    row("retry-after-date", "429 with Retry-After as a date (30 seconds ahead by default)", &["seconds"], Act::Instead(body::retry_after_date)),
    row("retry-after-past", "429 with Retry-After an hour ago", &[], Act::Instead(body::retry_after_past)),
    row("retry-after-garbage", "429 with an unreadable Retry-After", &[], Act::Instead(body::retry_after_garbage)),
    row("retry-after-huge", "429 with a Retry-After of twenty digits", &[], Act::Instead(body::retry_after_huge)),
    row("retry-after-two", "429 with two Retry-After headers, 3 and 9", &[], Act::Instead(body::retry_after_two)),
    api("over-rate", "Cisco's gateway: 403, Developer Over Rate", &[], Act::Instead(body::over_rate)),
    api("over-rate-429", "Cisco's gateway: 429, Developer Over Rate", &[], Act::Instead(body::over_rate_429)),
    api("over-qps", "Cisco's gateway: 403, Developer Over Qps", &[], Act::Instead(body::over_qps)),
    api("developer-inactive", "Cisco's gateway: 403, Developer Inactive", &[], Act::Instead(body::developer_inactive)),
    api("not-authorized-page", "Cisco's gateway: 403, Not Authorized inside a whole page", &[], Act::Instead(body::not_authorized_page)),
    // members of the token response
    row("no-expiry", "no expires_in", &[], Act::Without(ResponseField::Expiry)),
    row("expires-null", "expires_in is null", &[], Act::Member(ResponseField::Expiry, "null")),
    row("expires-zero", "expires_in is 0", &[], Act::Member(ResponseField::Expiry, "0")),
    row("expires-negative", "expires_in is -1", &[], Act::Member(ResponseField::Expiry, "-1")),
    row("expires-string", "expires_in is a string (3599 by default)", &["value"], Act::After(body::expires_string)),
    row("expires-float", "expires_in is 3599.7", &[], Act::Member(ResponseField::Expiry, "3599.7")),
    row("expires-bool", "expires_in is true", &[], Act::Member(ResponseField::Expiry, "true")),
    row("expires-object", "expires_in is an object", &[], Act::Member(ResponseField::Expiry, "{}")),
    row("expires-huge", "expires_in is 2^63", &[], Act::Member(ResponseField::Expiry, "9223372036854775808")),
    row("expires-exponent", "expires_in is 1e30", &[], Act::Member(ResponseField::Expiry, "1e30")),
    row("expires-date", "expires_in is a date in seconds since 1970", &[], Act::After(body::expires_date)),
    row("expires-short", "expires_in is a few seconds (2 by default)", &["seconds"], Act::After(body::expires_short)),
    row("no-token", "no token member", &[], Act::Without(ResponseField::Token)),
    row("token-null", "the token is null", &[], Act::Member(ResponseField::Token, "null")),
    row("token-number", "the token is a number", &[], Act::Member(ResponseField::Token, "1234567890")),
    row("token-object", "the token is an object", &[], Act::Member(ResponseField::Token, "{}")),
    row("token-empty", "the token is empty", &[], Act::Member(ResponseField::Token, "\"\"")),
    row("token-blank", "the token consists of spaces", &[], Act::Member(ResponseField::Token, "\"   \"")),
    row("token-crlf", "the token tries to inject a header", &[], Act::After(body::token_crlf)),
    row("token-space", "the token has a space inside", &[], Act::Member(ResponseField::Token, "\"Sandbox token\"")),
    row("token-nul", "the token has a NUL inside", &[], Act::Member(ResponseField::Token, "\"Sandbox\\u0000token\"")),
    row("token-quotes", "the token has quotes and a comma", &[], Act::Member(ResponseField::Token, "\"Sandbox\\\"a\\\",b\"")),
    row("token-non-ascii", "the token has non-ASCII letters", &[], Act::After(body::token_non_ascii)),
    row("token-bearer-prefix", "the token starts with Bearer and a space", &[], Act::After(body::token_bearer_prefix)),
    row("token-huge", "the token is long (20000 bytes by default)", &["bytes"], Act::After(body::token_huge)),
    row("token-echoes-secret", "the token is the client secret", &[], Act::After(body::token_echoes_secret)),
    row("no-token-type", "no token_type", &[], Act::Without(ResponseField::Type)),
    row("token-type-mac", "token_type is mac", &[], Act::Member(ResponseField::Type, "\"mac\"")),
    row("token-type-dpop", "token_type is DPoP", &[], Act::Member(ResponseField::Type, "\"DPoP\"")),
    row("token-type-upper", "token_type is BEARER", &[], Act::Member(ResponseField::Type, "\"BEARER\"")),
    row("token-type-number", "token_type is 5", &[], Act::Member(ResponseField::Type, "5")),
    row("many-members", "10,000 additional members", &[], Act::After(body::many_members)),
    row("upper-case-keys", "member names in upper case, such as ACCESS_TOKEN", &[], Act::After(body::upper_case_keys)),
    // JSON form
    row("bom", "a byte order mark before the JSON", &[], Act::After(body::bom)),
    row("trailing-comma", "a comma before the closing brace, as in Bright Pattern's sample", &[], Act::After(body::trailing_comma)),
    row("trailing-text", "a second document after the first", &[], Act::After(body::trailing_text)),
    row("duplicate-key", "two different tokens under one name", &[], Act::After(body::duplicate_key)),
    row("deep-json", "arrays in arrays (100,000 deep by default)", &["count"], Act::After(body::deep_json)),
    row("invalid-utf8", "bytes that are not UTF-8", &[], Act::After(body::invalid_utf8)),
    row("utf-16", "the JSON in UTF-16", &[], Act::After(body::utf_16)),
    row("form-encoded", "the token in a form instead of JSON", &[], Act::After(body::form_encoded)),
    row("html-content-type", "the JSON as text/html", &[], Act::After(body::html_content_type)),
    row("no-content-type", "the JSON without a content type", &[], Act::After(body::no_content_type)),
    // size and coding
    row("big-body", "a large body (1 MiB by default)", &["bytes"], Act::After(body::big_body)),
    row("huge-length", "a Content-Length of 10 GB", &[], Act::After(wire::huge_length)),
    row("endless-body", "4 MiB in chunks without an end", &[], Act::After(wire::endless_body)),
    row("gzip", "Content-Encoding: gzip with random bytes", &[], Act::After(body::gzip)),
    row("many-headers", "many headers (1,000 by default)", &["count"], Act::After(wire::many_headers)),
    row("big-header", "one large header (1 MiB by default)", &["bytes"], Act::After(wire::big_header)),
    row("cookies", "fifty cookies", &[], Act::After(body::cookies)),
    row("two-lengths", "two different Content-Length headers", &[], Act::After(wire::two_lengths)),
    row("bad-length", "Content-Length: -1", &[], Act::After(wire::bad_length)),
    row("bad-chunk", "a chunk size that is not a number", &[], Act::After(wire::bad_chunk)),
    row("informational", "103 Early Hints repeatedly (100 by default), then the response", &["count"], Act::After(wire::informational)),
    // redirects
    row("redirect-301", "301 to a target (this origin by default)", &["target"], Act::Redirect(301)),
    row("redirect-302", "302 to a target (this origin by default)", &["target"], Act::Redirect(302)),
    row("redirect-303", "303 to a target (this origin by default)", &["target"], Act::Redirect(303)),
    row("redirect-307", "307 to a target (this origin by default)", &["target"], Act::Redirect(307)),
    row("redirect-308", "308 to a target (this origin by default)", &["target"], Act::Redirect(308)),
    // timing and connection
    row("late", "the vendor's response, after a delay (1,000 ms by default)", &["milliseconds"], Act::After(wire::late)),
    row("slow-head", "the whole response a byte at a time (1,000 ms each by default)", &["milliseconds"], Act::After(wire::slow_head)),
    row("slow-body", "the body a byte at a time (1,000 ms each by default)", &["milliseconds"], Act::After(wire::slow_body)),
    row("hang", "accepted without ever a response", &[], Act::Instead(wire::hang)),
    row("close", "closed without a response", &[], Act::Instead(wire::close)),
    row("reset", "reset without a response", &[], Act::Instead(wire::reset)),
    row("reset-mid-body", "reset in the middle of the response, or after a number of bytes", &["bytes"], Act::After(wire::reset_mid_body)),
    row("short-body", "closed before the end of Content-Length", &[], Act::After(wire::short_body)),
    row("long-body", "a second response directly after the first", &[], Act::After(wire::long_body)),
    row("not-http", "the greeting of another protocol", &[], Act::Instead(wire::not_http)),
    // the redirect of a login
    back("login-wrong-state", "a state the client did not send", &[], Act::After(login::wrong_state)),
    back("login-no-state", "no state", &[], Act::After(login::no_state)),
    back("login-empty-fragment", "an empty fragment", &[], Act::Instead(login::empty_fragment)),
    back("login-never", "a final page without a redirect", &[], Act::Instead(login::never)),
    back("login-error", "server_error in the fragment", &[], Act::Instead(login::error)),
    back("login-error-in-query", "access_denied in the query", &[], Act::Instead(login::error_in_query)),
    back("login-token-in-query", "the token in the query", &[], Act::After(login::in_query)),
    back("login-refresh-token", "a refresh_token beside the token", &[], Act::After(login::refresh_token)),
    back("login-other-type", "token_type is mac", &[], Act::Member(ResponseField::Type, "\"mac\"")),
    back("login-no-token", "no access_token", &[], Act::Without(ResponseField::Token)),
    back("login-no-expiry", "no expires_in", &[], Act::Without(ResponseField::Expiry)),
    back("login-expires-text", "expires_in is not a number", &[], Act::Member(ResponseField::Expiry, "\"soon\"")),
    back("login-twice", "two different tokens under one name", &[], Act::After(login::twice)),
    back("login-long", "additional members (64 KiB by default)", &["bytes"], Act::After(login::long)),
    back("login-expired-session", "the session ends just before the user's decision", &[], Act::EndsSession),
];

const BARE: &[&str] = &["retry_after", "body"];

type Names = &'static [&'static str];

const fn row(name: &'static str, help: &'static str, params: Names, act: Act) -> Row {
    Row { info: FaultInfo { name, help, target: Target::Token, params }, act }
}

const fn api(name: &'static str, help: &'static str, params: Names, act: Act) -> Row {
    Row { info: FaultInfo { name, help, target: Target::Api, params }, act }
}

const fn both(name: &'static str, help: &'static str, params: Names, act: Act) -> Row {
    Row { info: FaultInfo { name, help, target: Target::Both, params }, act }
}

const fn back(name: &'static str, help: &'static str, params: Names, act: Act) -> Row {
    Row { info: FaultInfo { name, help, target: Target::Login, params }, act }
}
