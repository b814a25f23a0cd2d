//! The table of all faults.

use super::{Act, FaultInfo, ResponseField, Row, Target, body, login, wire};

#[rustfmt::skip]
pub(crate) const TABLE: &[Row] = &[
    // status and body
    row("html", "200 with a web page, as from a login page or captive portal", &[], Act::Replace(body::html)),
    row("empty", "200 with an empty body", &[], Act::Replace(body::empty)),
    row("truncated", "200 with the first half of the JSON", &[], Act::Modify(body::truncated)),
    row("array", "200 with a JSON array", &[], Act::Replace(body::array)),
    row("not-object", "200 with a JSON string", &[], Act::Replace(body::not_object)),
    row("null", "200 with JSON null", &[], Act::Replace(body::null)),
    row("oauth-error-in-200", "200 with the error object of a rejected client", &[], Act::Replace(body::oauth_error_in_200)),
    row("inner-status-401", "200 with statusCode 401 in the body, as Cloudneeti sends", &[], Act::Replace(body::inner_status_401)),
    row("documented-error", "400 with error_code and error_msg, as in Huawei's documentation", &["code"], Act::Replace(body::documented_error)),
    both("documented-errors", "Huawei's own errors as documented: 400, error_code and error_msg", &[], Act::Modify(body::documented_errors)),
    row("status-201", "the vendor's response, with status 201", &[], Act::ChangeStatus(201)),
    row("status-202", "the vendor's response, with status 202", &[], Act::ChangeStatus(202)),
    row("status-203", "the vendor's response, with status 203: a proxy changed it", &[], Act::ChangeStatus(203)),
    row("status-204", "204 and no content", &[], Act::Status(204)),
    row("status-206", "the vendor's response, with status 206", &[], Act::ChangeStatus(206)),
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
    row("error-echoes-secret", "401 with the client secret in the description", &[], Act::Replace(body::error_echoes_secret)),
    // throttling
    row("retry-after-seconds", "429 with Retry-After in seconds (7 by default)", &["seconds"], Act::Replace(body::retry_after_seconds)),
    row("retry-after-date", "429 with Retry-After as a date (30 seconds ahead by default)", &["seconds"], Act::Replace(body::retry_after_date)),
    row("retry-after-past", "429 with Retry-After an hour ago", &[], Act::Replace(body::retry_after_past)),
    row("retry-after-garbage", "429 with an unreadable Retry-After", &[], Act::Replace(body::retry_after_garbage)),
    row("retry-after-huge", "429 with a Retry-After of twenty digits", &[], Act::Replace(body::retry_after_huge)),
    row("retry-after-two", "429 with two Retry-After headers, 3 and 9", &[], Act::Replace(body::retry_after_two)),
    api("over-rate", "Cisco's gateway: 403, Developer Over Rate", &[], Act::Replace(body::over_rate)),
    api("over-rate-429", "Cisco's gateway: 429, Developer Over Rate", &[], Act::Replace(body::over_rate_429)),
    api("over-qps", "Cisco's gateway: 403, Developer Over Qps", &[], Act::Replace(body::over_qps)),
    api("developer-inactive", "Cisco's gateway: 403, Developer Inactive", &[], Act::Replace(body::developer_inactive)),
    api("not-authorized-page", "Cisco's gateway: 403, Not Authorized inside a whole page", &[], Act::Replace(body::not_authorized_page)),
    // members of the token response
    row("no-expiry", "no expires_in", &[], Act::RemoveMember(ResponseField::Expiry)),
    row("expires-null", "expires_in is null", &[], Act::SetMember(ResponseField::Expiry, "null")),
    row("expires-zero", "expires_in is 0", &[], Act::SetMember(ResponseField::Expiry, "0")),
    row("expires-negative", "expires_in is -1", &[], Act::SetMember(ResponseField::Expiry, "-1")),
    row("expires-string", "expires_in is a string (3599 by default)", &["value"], Act::Modify(body::expires_string)),
    row("expires-float", "expires_in is 3599.7", &[], Act::SetMember(ResponseField::Expiry, "3599.7")),
    row("expires-bool", "expires_in is true", &[], Act::SetMember(ResponseField::Expiry, "true")),
    row("expires-object", "expires_in is an object", &[], Act::SetMember(ResponseField::Expiry, "{}")),
    row("expires-huge", "expires_in is 2^63", &[], Act::SetMember(ResponseField::Expiry, "9223372036854775808")),
    row("expires-exponent", "expires_in is 1e30", &[], Act::SetMember(ResponseField::Expiry, "1e30")),
    row("expires-date", "expires_in is a date in seconds since 1970", &[], Act::Modify(body::expires_date)),
    row("expires-short", "expires_in is a few seconds (2 by default)", &["seconds"], Act::Modify(body::expires_short)),
    row("no-token", "no token member", &[], Act::RemoveMember(ResponseField::Token)),
    row("token-null", "the token is null", &[], Act::SetMember(ResponseField::Token, "null")),
    row("token-number", "the token is a number", &[], Act::SetMember(ResponseField::Token, "1234567890")),
    row("token-object", "the token is an object", &[], Act::SetMember(ResponseField::Token, "{}")),
    row("token-empty", "the token is empty", &[], Act::SetMember(ResponseField::Token, "\"\"")),
    row("token-blank", "the token consists of spaces", &[], Act::SetMember(ResponseField::Token, "\"   \"")),
    row("token-crlf", "the token tries to inject a header", &[], Act::Modify(body::token_crlf)),
    row("token-space", "the token has a space inside", &[], Act::SetMember(ResponseField::Token, "\"Sandbox token\"")),
    row("token-nul", "the token has a NUL inside", &[], Act::SetMember(ResponseField::Token, "\"Sandbox\\u0000token\"")),
    row("token-quotes", "the token has quotes and a comma", &[], Act::SetMember(ResponseField::Token, "\"Sandbox\\\"a\\\",b\"")),
    row("token-non-ascii", "the token has non-ASCII letters", &[], Act::Modify(body::token_non_ascii)),
    row("token-bearer-prefix", "the token starts with Bearer and a space", &[], Act::Modify(body::token_bearer_prefix)),
    row("token-huge", "the token is long (20000 bytes by default)", &["bytes"], Act::Modify(body::token_huge)),
    row("token-echoes-secret", "the token is the client secret", &[], Act::Modify(body::token_echoes_secret)),
    row("no-token-type", "no token_type", &[], Act::RemoveMember(ResponseField::Type)),
    row("token-type-mac", "token_type is mac", &[], Act::SetMember(ResponseField::Type, "\"mac\"")),
    row("token-type-dpop", "token_type is DPoP", &[], Act::SetMember(ResponseField::Type, "\"DPoP\"")),
    row("token-type-upper", "token_type is BEARER", &[], Act::SetMember(ResponseField::Type, "\"BEARER\"")),
    row("token-type-number", "token_type is 5", &[], Act::SetMember(ResponseField::Type, "5")),
    row("many-members", "10,000 additional members", &[], Act::Modify(body::many_members)),
    row("upper-case-keys", "member names in upper case, such as ACCESS_TOKEN", &[], Act::Modify(body::upper_case_keys)),
    // JSON form
    row("bom", "a byte order mark before the JSON", &[], Act::Modify(body::bom)),
    row("trailing-comma", "a comma before the closing brace, as in Bright Pattern's sample", &[], Act::Modify(body::trailing_comma)),
    row("trailing-text", "a second document after the first", &[], Act::Modify(body::trailing_text)),
    row("duplicate-key", "two different tokens under one name", &[], Act::Modify(body::duplicate_key)),
    row("deep-json", "arrays in arrays (100,000 deep by default)", &["count"], Act::Modify(body::deep_json)),
    row("invalid-utf8", "bytes that are not UTF-8", &[], Act::Modify(body::invalid_utf8)),
    row("utf-16", "the JSON in UTF-16", &[], Act::Modify(body::utf_16)),
    row("form-encoded", "the token in a form instead of JSON", &[], Act::Modify(body::form_encoded)),
    row("html-content-type", "the JSON as text/html", &[], Act::Modify(body::html_content_type)),
    row("no-content-type", "the JSON without a content type", &[], Act::Modify(body::no_content_type)),
    // size and coding
    row("big-body", "a large body (1 MiB by default)", &["bytes"], Act::Modify(body::big_body)),
    row("huge-length", "a Content-Length of 10 GB", &[], Act::Modify(wire::huge_length)),
    row("endless-body", "4 MiB in chunks without an end", &[], Act::Modify(wire::endless_body)),
    row("gzip", "Content-Encoding: gzip with random bytes", &[], Act::Modify(body::gzip)),
    row("many-headers", "many headers (1,000 by default)", &["count"], Act::Modify(wire::many_headers)),
    row("big-header", "one large header (1 MiB by default)", &["bytes"], Act::Modify(wire::big_header)),
    row("cookies", "fifty cookies", &[], Act::Modify(body::cookies)),
    row("two-lengths", "two different Content-Length headers", &[], Act::Modify(wire::two_lengths)),
    row("bad-length", "Content-Length: -1", &[], Act::Modify(wire::bad_length)),
    row("bad-chunk", "a chunk size that is not a number", &[], Act::Modify(wire::bad_chunk)),
    row("informational", "103 Early Hints repeatedly (100 by default), then the response", &["count"], Act::Modify(wire::informational)),
    // redirects
    row("redirect-301", "301 to a target (this origin by default)", &["target"], Act::Redirect(301)),
    row("redirect-302", "302 to a target (this origin by default)", &["target"], Act::Redirect(302)),
    row("redirect-303", "303 to a target (this origin by default)", &["target"], Act::Redirect(303)),
    row("redirect-307", "307 to a target (this origin by default)", &["target"], Act::Redirect(307)),
    row("redirect-308", "308 to a target (this origin by default)", &["target"], Act::Redirect(308)),
    // timing and connection
    row("late", "the vendor's response, after a delay (1,000 ms by default)", &["milliseconds"], Act::Modify(wire::late)),
    row("slow-head", "the whole response a byte at a time (1,000 ms each by default)", &["milliseconds"], Act::Modify(wire::slow_head)),
    row("slow-body", "the body a byte at a time (1,000 ms each by default)", &["milliseconds"], Act::Modify(wire::slow_body)),
    row("hang", "accepted, but never a response", &[], Act::Replace(wire::hang)),
    row("close", "closed without a response", &[], Act::Replace(wire::close)),
    row("reset", "reset without a response", &[], Act::Replace(wire::reset)),
    row("reset-mid-body", "reset in the middle of the response, or after a number of bytes", &["bytes"], Act::Modify(wire::reset_mid_body)),
    row("short-body", "closed before the end of Content-Length", &[], Act::Modify(wire::short_body)),
    row("long-body", "a second response directly after the first", &[], Act::Modify(wire::long_body)),
    row("not-http", "the greeting of another protocol", &[], Act::Replace(wire::not_http)),
    // the redirect of a login
    login("login-wrong-state", "a state the client did not send", &[], Act::Modify(login::wrong_state)),
    login("login-no-state", "no state", &[], Act::Modify(login::no_state)),
    login("login-empty-fragment", "an empty fragment", &[], Act::Replace(login::empty_fragment)),
    login("login-never", "a final page without a redirect", &[], Act::Replace(login::no_redirect)),
    login("login-error", "server_error in the fragment", &[], Act::Replace(login::error)),
    login("login-error-in-query", "access_denied in the query", &[], Act::Replace(login::error_in_query)),
    login("login-token-in-query", "the token in the query", &[], Act::Modify(login::in_query)),
    login("login-refresh-token", "a refresh_token beside the token", &[], Act::Modify(login::refresh_token)),
    login("login-other-type", "token_type is mac", &[], Act::SetMember(ResponseField::Type, "\"mac\"")),
    login("login-no-token", "no access_token", &[], Act::RemoveMember(ResponseField::Token)),
    login("login-no-expiry", "no expires_in", &[], Act::RemoveMember(ResponseField::Expiry)),
    login("login-expires-text", "expires_in is not a number", &[], Act::SetMember(ResponseField::Expiry, "\"soon\"")),
    login("login-twice", "two different tokens under one name", &[], Act::Modify(login::twice)),
    login("login-long", "additional members (64 KiB by default)", &["bytes"], Act::Modify(login::long)),
    login("login-expired-session", "the session ends just before the user's decision", &[], Act::EndsSession),
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

const fn login(name: &'static str, help: &'static str, params: Names, act: Act) -> Row {
    Row { info: FaultInfo { name, help, target: Target::Login, params }, act }
}
