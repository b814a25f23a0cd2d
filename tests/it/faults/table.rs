//! The table of faults that are tested with every vendor.

use gatepass_tests::{Reply, Vendor};

/// A fault and the command's expected behaviour.
pub(crate) struct Fault {
    pub(crate) name: &'static str,
    pub(crate) reply: fn(&Vendor) -> Reply,
    pub(crate) applies: fn(&Vendor) -> bool,
    pub(crate) exit: i32,
    pub(crate) code: &'static str,
    /// The message after provider and profile; `BASE` is the server's address.
    pub(crate) message: &'static str,
    /// Whether the error has a retry time.
    pub(crate) has_time: bool,
}

/// An unusual response with the valid token-1.
pub(crate) struct UnusualResponse {
    pub(crate) name: &'static str,
    pub(crate) reply: fn(&Vendor) -> Reply,
    pub(crate) applies: fn(&Vendor) -> bool,
    pub(crate) warns: bool,
}

impl Fault {
    /// Restricts the fault to the vendors for which `applies` returns true.
    const fn applies(mut self, applies: fn(&Vendor) -> bool) -> Self {
        self.applies = applies;
        self
    }

    const fn with_time(mut self) -> Self {
        self.has_time = true;
        self
    }
}

#[rustfmt::skip]
pub(crate) const FAULTS: &[Fault] = &[
    // status and body
    protocol("a web page", |_| html(200), "the response is a web page of 41 bytes instead of a token (a proxy or a login page?)"),
    protocol("an empty body", |_| Reply::json(200, ""), "the response is empty"),
    protocol("a body of spaces", |_| Reply::json(200, " \r\n "), "the response is empty"),
    protocol("truncated JSON", |vendor| Reply::json(200, half(vendor)), "the response is cut off at byte 20"),
    protocol("an array", |_| Reply::json(200, "[1]"), "the response is not a JSON object"),
    protocol("no content", |_| Reply::empty(204), "the response has no content (204)"),
    protocol("a response changed by a proxy", |vendor| Reply::json(203, good(vendor)), "the response seems to come from a proxy instead of the vendor (203)").applies(is_oauth),
    protocol("two documents", |_| Reply::json(200, "{\"a\":1} {}"), "the response is not JSON (line 1, column 9)"),
    protocol("a form-encoded body", |_| Reply::json(200, "access_token=token-1&token_type=bearer"), "the response is a form, not JSON"),
    protocol("an unrequested content coding", |vendor| Reply::json(200, good(vendor)).with("content-encoding", "gzip"), "the response is compressed although the request did not allow it"),
    unavailable("a body shorter than promised", cut, "connection closed early by BASE"),
    protocol("a stated length of ten gigabytes", |_| Reply::raw("HTTP/1.1 200 OK\r\ncontent-length: 10000000000\r\n\r\n{"), "the response is larger than 256 KiB (200)"),
    protocol("a body over the limit", |_| Reply::json(200, " ".repeat(300 * 1024)), "the response is larger than 256 KiB (200)"),
    protocol("too many header fields", many_fields, "the response has too many or too long header fields: BASE"),
    protocol("another protocol", |_| Reply::raw("SSH-2.0-OpenSSH_9.9\r\n"), "BASE does not speak HTTP"),
    protocol("two content lengths", |_| Reply::raw("HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\n{}"), "the response is badly framed HTTP: BASE"),

    // denials
    denied("401 with a code of the vendor", |_| oauth(401, "no_such_app"), "the vendor rejected the credential (401 no_such_app): the vendor's message: Try again"),
    denied("403 with a code of the vendor", |_| oauth(403, "no_such_app"), "access denied: check the account or the subscription key (403 no_such_app): the vendor's message: Try again"),
    unavailable("401 without a reason", |_| Reply::empty(401), "a gateway or firewall refused the request, not the vendor (401)"),
    unavailable("403 without a reason", |_| Reply::empty(403), "a gateway or firewall refused the request, not the vendor (403)"),
    unavailable("403 with a web page", |_| html(403), "a gateway or firewall refused the request, not the vendor (403)"),
    denied("401 invalid_client", |_| oauth(401, "invalid_client"), "the vendor rejected client id or secret (401 invalid_client): the vendor's message: Try again"),
    denied("400 invalid_client", |_| oauth(400, "invalid_client"), "the vendor rejected client id or secret (400 invalid_client): the vendor's message: Try again"),
    denied("invalid_client in a 200", |_| oauth(200, "invalid_client"), "the vendor rejected client id or secret (200 invalid_client): the vendor's message: Try again"),
    denied("400 invalid_grant", |_| oauth(400, "invalid_grant"), "the vendor denied this client a token (400 invalid_grant): the vendor's message: Try again"),
    denied("400 unauthorized_client", |_| oauth(400, "unauthorized_client"), "the vendor denied this client a token (400 unauthorized_client): the vendor's message: Try again"),
    denied("403 access_denied", |_| oauth(403, "access_denied"), "the vendor denied this client a token (403 access_denied): the vendor's message: Try again"),
    denied("Okta's rejection", |_| Reply::json(401, r#"{"errorCode":"invalid_client","errorSummary":"Invalid value for 'client_id' parameter.","errorCauses":[]}"#), "the vendor rejected client id or secret (401 invalid_client): the vendor's message: Invalid value for 'client_id' parameter."),
    denied("Huawei's documented rejection", |_| Reply::json(400, r#"{"error_code":"OAUTH.0003","error_msg":"the client is disabled"}"#), "the vendor refused (400 OAUTH.0003): the vendor's message: the client is disabled"),
    denied("statusCode 401 in a 200", |_| Reply::json(200, r#"{"statusCode":401,"message":"Invalid secret"}"#), "the vendor rejected the credential (401): the vendor's message: Invalid secret").applies(is_cloudneeti),
    config("404", |_| Reply::empty(404), "no token endpoint at this address (404)"),
    config("405", |_| Reply::empty(405), "the endpoint rejected the request method or content type (405)"),
    config("400 invalid_scope", |_| oauth(400, "invalid_scope"), "the vendor rejected the scope (400 invalid_scope): the vendor's message: Try again"),
    config("401 unsupported_grant_type", |_| oauth(401, "unsupported_grant_type"), "the vendor does not know this grant type (401 unsupported_grant_type): the vendor's message: Try again"),
    config("400 invalid_request", |_| oauth(400, "invalid_request"), "the vendor rejected the request as malformed (400 invalid_request): the vendor's message: Try again"),
    protocol("400 without a reason", |_| Reply::empty(400), "the vendor rejected the request without a reason (400)"),

    // throttling and outages
    throttled("429", |_| Reply::empty(429), "rate limited (429)").with_time(),
    throttled("429 and a time", |_| Reply::empty(429).with("retry-after", "7"), "rate limited: retry after 7 s (429)").with_time(),
    throttled("429 and a very long time", |_| Reply::empty(429).with("retry-after", "99999999999999999999"), "rate limited: retry after 3600 s (429)").with_time(),
    throttled("429 with an unreadable time", |_| Reply::empty(429).with("retry-after", "soon"), "rate limited (429)").with_time(),
    unavailable("500", |_| Reply::empty(500), "the vendor returned a server error (500)"),
    unavailable("500 with a web page", |_| html(500), "the vendor returned a server error (500)"),
    unavailable("502", |_| html(502), "the vendor returned a server error (502)"),
    unavailable("503 and a time", |_| Reply::empty(503).with("retry-after", "7"), "the vendor returned a server error (503)").with_time(),
    unavailable("temporarily_unavailable", |_| oauth(400, "temporarily_unavailable"), "the vendor returned a server error (400 temporarily_unavailable): the vendor's message: Try again"),
    unavailable("a closed connection", |_| Reply::close(), "connection closed early by BASE"),
    unavailable("no response", |_| Reply::silence(), "no complete response in 1 s from BASE"),

    // members of the token response
    protocol("no token", |vendor| json(vendor, r#""TOKEN""#, "null"), "the response has no `access_token`").applies(is_oauth),
    protocol("no Cloudneeti token", |_| Reply::json(200, r#"{"statusCode":200,"message":"Request Successful"}"#), "the response has no `token`").applies(is_cloudneeti),
    unsafe_token("an empty token", |vendor| json(vendor, "TOKEN", ""), "`access_token` is empty").applies(is_oauth),
    unsafe_token("a number for a token", |vendor| json(vendor, r#""TOKEN""#, "5551234"), "`access_token` is a number, not a string").applies(is_oauth),
    unsafe_token("an object for a token", |vendor| json(vendor, r#""TOKEN""#, "{}"), "`access_token` is an object, not a string").applies(is_oauth),
    unsafe_token("a number for Cloudneeti's token", |vendor| json(vendor, r#""TOKEN""#, "5551234"), "`result.token` is a number, not a string").applies(is_cloudneeti),
    unsafe_token("a line break in the token", |vendor| json(vendor, "TOKEN", r"token-1\r\nX-Evil: 1"), "the token has characters that are not allowed"),
    unsafe_token("a letter beyond ASCII in the token", |vendor| json(vendor, "TOKEN", "token-ü"), "the token has characters that are not allowed"),
    unsafe_token("quotes in the token", |vendor| json(vendor, "TOKEN", r#"token\",\"1"#), "the token has characters that a bearer token must not have"),
    unsafe_token("a token that begins with Bearer", |vendor| json(vendor, "TOKEN", "Bearer token-1"), "the token begins with the word Bearer"),
    unsafe_token("a token over the limit", |vendor| json(vendor, "TOKEN", &"a".repeat(17 * 1024)), "the token is longer than 16 KiB"),
    unsafe_token("the secret as the token", |vendor| json(vendor, "TOKEN", &format!("{}-of-the-tests", vendor.secrets[0])), "the response contains the credential instead of a token"),
    unsafe_token("two different tokens", |vendor| json(vendor, r#""TOKEN""#, r#""token-1","access_token":"token-2""#), "the response has `access_token` twice, with different values").applies(is_oauth),
    protocol("a token of another type", |vendor| json(vendor, "Bearer", "mac"), "the token is of type mac, not Bearer").applies(is_oauth),
    protocol("no token type", |vendor| json(vendor, "token_type", "kind"), "the response has no `token_type`").applies(is_oauth),
    protocol("a lifetime of zero", |vendor| with_lifetime(vendor, "0"), "according to `expires_in` the token has expired").applies(is_oauth),
    protocol("a negative lifetime", |vendor| with_lifetime(vendor, "-1"), "according to `expires_in` the token has expired").applies(is_oauth),
];

#[rustfmt::skip]
pub(crate) const UNUSUAL_RESPONSES: &[UnusualResponse] = &[
    unusual("the usual response", |vendor| Reply::json(200, good(vendor)), is_any, false),
    unusual("201", |vendor| Reply::json(201, good(vendor)), is_any, false),
    unusual("a byte order mark", |vendor| Reply::json(200, format!("\u{feff}{}", good(vendor))), is_any, false),
    unusual("a trailing comma", |vendor| Reply::json(200, comma(vendor)), is_any, false),
    unusual("additional members", |vendor| Reply::json(200, good(vendor).replacen('{', r#"{"more":[1,{"a":null}],"#, 1)), is_any, false),
    unusual("a token type in upper case", |vendor| json(vendor, "Bearer", "BEARER"), is_oauth, false),
    unusual("JSON with the content type of a web page", |vendor| Reply::new(200, "text/html", good(vendor)), is_oauth, true),
    unusual("cookies", |vendor| Reply::json(200, good(vendor)).with("set-cookie", "a=b"), is_any, false),
    unusual("a lifetime as a string", |vendor| with_lifetime(vendor, "\"3599\""), is_oauth, false),
    unusual("a lifetime with a fraction", |vendor| with_lifetime(vendor, "3599.7"), is_oauth, false),
    unusual("a lifetime of null", |vendor| with_lifetime(vendor, "null"), is_oauth, true),
    unusual("a lifetime with a unit", |vendor| with_lifetime(vendor, "\"1h\""), is_oauth, true),
    unusual("a lifetime of 1e30 seconds", |vendor| with_lifetime(vendor, "1e30"), is_oauth, true),
    unusual("a lifetime that is a Unix time", |vendor| with_lifetime(vendor, "1795181355"), is_oauth, true),
    unusual("the same token twice", |vendor| json(vendor, r#""TOKEN""#, r#""token-1","access_token":"token-1""#), is_oauth, false),
    unusual("a flat token", |_| Reply::json(200, r#"{"token":"token-1","statusCode":200,"message":""}"#), is_cloudneeti, false),
];

const fn fault(
    (exit, code): (i32, &'static str),
    name: &'static str,
    reply: fn(&Vendor) -> Reply,
    message: &'static str,
) -> Fault {
    Fault { name, reply, applies: is_any, exit, code, message, has_time: false }
}

macro_rules! kinds {
    ($($kind:ident => $exit:literal, $code:literal;)*) => {
        $(const fn $kind(name: &'static str, reply: fn(&Vendor) -> Reply, message: &'static str) -> Fault {
            fault(($exit, $code), name, reply, message)
        })*
    };
}

kinds! {
    config => 2, "config";
    denied => 3, "denied";
    throttled => 5, "throttled";
    unavailable => 6, "unavailable";
    protocol => 6, "protocol";
    unsafe_token => 6, "unsafe_token";
}

const fn unusual(
    name: &'static str,
    reply: fn(&Vendor) -> Reply,
    applies: fn(&Vendor) -> bool,
    warns: bool,
) -> UnusualResponse {
    UnusualResponse { name, reply, applies, warns }
}

fn is_any(_: &Vendor) -> bool {
    true
}

/// Returns whether the vendor's response follows RFC 6749.
fn is_oauth(vendor: &Vendor) -> bool {
    vendor.id != "cloudneeti"
}

fn is_cloudneeti(vendor: &Vendor) -> bool {
    vendor.id == "cloudneeti"
}

fn good(vendor: &Vendor) -> String {
    vendor.token_response("token-1")
}

/// Returns the vendor's response with a part replaced.
fn json(vendor: &Vendor, part: &str, by: &str) -> Reply {
    assert!(vendor.response.contains(part), "{} has no {part}", vendor.id);
    Reply::json(200, vendor.response.replace(part, by).replace("TOKEN", "token-1"))
}

/// Returns the vendor's response with this `expires_in`.
fn with_lifetime(vendor: &Vendor, value: &str) -> Reply {
    let (before, rest) = vendor.response.split_once("\"expires_in\":").unwrap();
    let end = rest.find([',', '}']).unwrap();
    let response = format!("{before}\"expires_in\":{value}{}", &rest[end..]);
    Reply::json(200, response.replace("TOKEN", "token-1"))
}

fn oauth(status: u16, code: &str) -> Reply {
    Reply::json(status, format!(r#"{{"error":"{code}","error_description":"Try again"}}"#))
}

fn html(status: u16) -> Reply {
    Reply::new(status, "text/html", "<html><body>Please log in</body></html>\r\n")
}

fn half(vendor: &Vendor) -> String {
    good(vendor)[..20].to_owned()
}

/// Returns the response with a trailing comma.
fn comma(vendor: &Vendor) -> String {
    let response = good(vendor);
    response.strip_suffix(",}").or_else(|| response.strip_suffix('}')).unwrap().to_owned() + ",}"
}

/// Returns a response that ends before its Content-Length.
fn cut(vendor: &Vendor) -> Reply {
    let body = good(vendor);
    let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len() + 1);
    Reply::raw(head + &body)
}

fn many_fields(vendor: &Vendor) -> Reply {
    (0..120).fold(Reply::json(200, good(vendor)), |reply, n| reply.with(&format!("x-{n}"), "1"))
}
