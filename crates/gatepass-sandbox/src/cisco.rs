//! Cisco: PingFederate (the old token service), Okta (the current one), and the Mashery gateway of
//! the API.

use serde_json::json;

use crate::{
    authorize::{self, AuthorizationQuery, Grant},
    built_in::BuiltIn,
    client::Client,
    random,
    response::{Members, SandboxResponse},
    vendor::ClientField,
    vendor_request::{VendorRequest, find},
    vendor_state::VendorContext,
};

pub(crate) const VENDOR: BuiltIn = BuiltIn {
    id: "cisco",
    fields: &[
        ClientField::text("client_id", || random::text(random::LOWER, 24)),
        ClientField::secret_text("client_secret", || random::text(random::MIXED, 24)),
        ClientField::text("redirect_uri", || GRANT.redirect_uri.to_owned()),
    ],
    key: &["client_id"],
    settings: &[("environment", "cloudsso")],
    profiles: &[("cisco", &[])],
    respond,
};

const GRANT: Grant = Grant {
    provider: "cisco",
    title: "Cisco",
    response_types: &[&["token"]],
    scopes: &[],
    redirect_uri: "http://127.0.0.1:0/My_ITK_Application/index.html",
    token_members,
};

fn respond(request: &VendorRequest, vendor: &mut VendorContext<'_>) -> SandboxResponse {
    match (request.method.as_str(), request.segments().as_slice()) {
        ("POST", ["as", "token.oauth2"]) => ping_token(request, vendor),
        ("POST", ["oauth2", "default", "v1", "token"]) => okta_token(request, vendor),
        ("GET" | "POST", ["as", "authorization.oauth2"]) => {
            authorize::respond(&GRANT, request, vendor)
        }
        ("GET", ["hello"]) => hello(request, vendor),
        (_, ["as", "token.oauth2"] | ["oauth2", "default", "v1", "token"]) => {
            SandboxResponse::method_not_allowed("POST")
        }
        (_, ["as", "authorization.oauth2"]) => SandboxResponse::method_not_allowed("GET, POST"),
        (_, ["hello"]) => SandboxResponse::method_not_allowed("GET"),
        _ => mashery(404, "Not Found", "ERR_404_NOT_FOUND"),
    }
}

/// PingFederate: credentials in the form body, by Basic, or in the query (accepted and counted).
fn ping_token(request: &VendorRequest, vendor: &mut VendorContext<'_>) -> SandboxResponse {
    if request.has_other_body() {
        return ping_error(415, "invalid_request", "The content type must be a form.");
    }
    let mut params = request.form();
    params.extend(request.query.iter().cloned());
    let in_params = pair(&params);
    if request.has_basic() && in_params.is_some() {
        return ping_error(400, "invalid_request", "Multiple client credentials.");
    }
    let pairs: Vec<_> = request.basic().into_iter().chain(in_params).collect();
    let Some(client) = vendor.client_by_pair(&pairs) else {
        return ping_error(401, "invalid_client", "Invalid client or client credentials.");
    };
    match find(&params, "grant_type") {
        Some("client_credentials") => {}
        Some(_) => return ping_error(400, "unsupported_grant_type", "unsupported grant_type"),
        None => return ping_error(400, "invalid_request", "grant_type is required"),
    }
    let lifetime = vendor.token_lifetime(&client, 3_599);
    let token = random::marked(random::MARK, random::MIXED, 28);
    vendor.issue_as(&token, &client, lifetime, None);
    SandboxResponse::token([
        ("access_token", token.into()),
        ("token_type", "Bearer".into()),
        ("expires_in", lifetime.as_secs().into()),
    ])
}

/// PingFederate's token response in the fragment; it never has a refresh token.
fn token_members(query: &AuthorizationQuery<'_>, vendor: &mut VendorContext<'_>) -> Members {
    let lifetime = vendor.token_lifetime(&query.client, 3_599);
    let token = random::marked(random::MARK, random::MIXED, 28);
    vendor.issue_as(&token, &query.client, lifetime, None);
    vec![
        ("access_token".to_owned(), token.into()),
        ("token_type".to_owned(), "Bearer".into()),
        ("expires_in".to_owned(), lifetime.as_secs().into()),
    ]
}

/// Okta: credentials in the form body or by Basic, never in the query.
fn okta_token(request: &VendorRequest, vendor: &mut VendorContext<'_>) -> SandboxResponse {
    if request.has_other_body() {
        return okta_error(415, "invalid_request", "The content type must be a form.");
    }
    let params = request.form();
    let in_params = pair(&params);
    if request.has_basic() && in_params.is_some() {
        let text = "Cannot supply multiple client credentials. Include credentials in either the \
                    header or in the POST body, but not both.";
        return okta_error(400, "invalid_request", text);
    }
    let pairs: Vec<_> = request.basic().into_iter().chain(in_params).collect();
    let Some(client) = vendor.client_by_pair(&pairs) else {
        let is_known = |client: &Client| pairs.iter().any(|(id, _)| id == client.get("client_id"));
        let text = match vendor.client(is_known) {
            Some(_) => "The client secret supplied for a confidential client is invalid.",
            None => "Invalid value for 'client_id' parameter.",
        };
        return okta_error(401, "invalid_client", text).with("www-authenticate", "Basic");
    };
    match find(&params, "grant_type") {
        Some("client_credentials") => {}
        Some(_) => {
            let text = "The authorization grant type is not supported by the authorization server.";
            return okta_error(400, "unsupported_grant_type", text);
        }
        None => return okta_error(400, "invalid_request", "grant_type is required."),
    }
    let lifetime = vendor.token_lifetime(&client, 3_600);
    let id = client.get("client_id");
    let claims = json!({
        "ver": 1, "jti": format!("AT.{}", random::text(random::MIXED, 43)),
        "iss": "https://id.cisco.com/oauth2/default", "aud": "api://default", "sandbox": true,
        "iat": vendor.now.as_secs(), "exp": (vendor.now + lifetime).as_secs(),
        "cid": id, "scp": ["customscope"], "access_level": 1, "sub": id,
        "full_name": "null null", "azp": id,
    });
    let header =
        json!({ "kid": format!("TWy_{}", random::text(random::MIXED, 39)), "alg": "RS256" });
    let token = random::jwt(&header, &claims, 256);
    vendor.issue_as(&token, &client, lifetime, None);
    SandboxResponse::token([
        ("token_type", "Bearer".into()),
        ("expires_in", lifetime.as_secs().into()),
        ("access_token", token.into()),
    ])
    .with("cache-control", "max-age=0, no-cache, no-store")
    .with("x-rate-limit-limit", "60000")
    .with("x-rate-limit-remaining", "60000")
    .with("x-rate-limit-reset", (vendor.now.as_secs() + 31).to_string())
    .with("x-okta-request-id", random::text(random::MIXED, 27))
    .with(
        "set-cookie",
        format!("JSESSIONID={}; Path=/; HttpOnly", random::text(random::HEX_UPPER, 32)),
    )
}

fn hello(request: &VendorRequest, vendor: &VendorContext<'_>) -> SandboxResponse {
    match vendor.valid_token(request.bearer()) {
        Some(_) => {
            SandboxResponse::json(200, [("helloResponse", json!({ "response": "Hello World!" }))])
                .with("x-ratelimit-limit", "2000")
                .with("x-mashery-message-id", random::guid())
        }
        None => mashery(403, "Not Authorized", "ERR_403_NOT_AUTHORIZED"),
    }
}

/// The gateway's error response: an HTML heading, and the reason in a header.
pub(crate) fn mashery(status: u16, text: &str, code: &str) -> SandboxResponse {
    SandboxResponse::new(status, "text/xml", format!("<h1>{text}</h1>"))
        .with("x-mashery-error-code", code)
        .with("x-mashery-message-id", random::guid())
}

fn pair(params: &[(String, String)]) -> Option<(String, String)> {
    let secret = find(params, "client_secret")?;
    Some((find(params, "client_id").unwrap_or_default().to_owned(), secret.to_owned()))
}

/// PingFederate writes `error_description` before `error`.
fn ping_error(status: u16, error: &str, description: &str) -> SandboxResponse {
    SandboxResponse::json(
        status,
        [("error_description", description.into()), ("error", error.into())],
    )
}

fn okta_error(status: u16, code: &str, summary: &str) -> SandboxResponse {
    SandboxResponse::json(
        status,
        [
            ("errorCode", code.into()),
            ("errorSummary", summary.into()),
            ("errorLink", code.into()),
            ("errorId", format!("oae{}", random::text(random::MIXED, 22)).into()),
            ("errorCauses", json!([])),
        ],
    )
}
