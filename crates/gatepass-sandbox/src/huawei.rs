//! Huawei OneAccess: repeats a token until it expires, and quotes the token in error responses.

use serde_json::{Value, json};

use crate::{
    authorize::{self, AuthorizationQuery, Grant},
    built_in::BuiltIn,
    client::Client,
    clock::Time,
    page, random,
    response::{Members, SandboxResponse},
    vendor::ClientField,
    vendor_request::{VendorRequest, find},
    vendor_state::{TokenState, VendorContext},
};

pub(crate) const VENDOR: BuiltIn = BuiltIn {
    id: "huawei",
    fields: &[
        ClientField::text("client_id", || random::text(random::MIXED, 32)),
        ClientField::secret_text("client_secret", || random::text(random::MIXED, 40)),
        ClientField::text("redirect_uri", || GRANT.redirect_uri.to_owned()),
    ],
    key: &["client_id"],
    settings: &[],
    profiles: &[("huawei", &[])],
    respond,
};

const GRANT: Grant = Grant {
    provider: "huawei",
    title: "Huawei OneAccess",
    response_types: &[&["token"], &["id_token"], &["id_token", "token"]],
    scopes: &["openid", "profile", "email", "phone"],
    redirect_uri: "http://127.0.0.1:0/callback",
    token_members,
};

fn respond(request: &VendorRequest, vendor: &mut VendorContext<'_>) -> SandboxResponse {
    match (request.method.as_str(), request.segments().as_slice()) {
        ("POST", ["api", "v2", "tenant", "token"]) => token(request, vendor),
        ("GET" | "POST", ["api", "v1", "oauth2", "authorize"]) => {
            authorize::respond(&GRANT, request, vendor)
        }
        ("GET", ["api", "v2", "tenant", "users"]) => users(request, vendor),
        (_, ["api", "v2", "tenant", "token"]) => SandboxResponse::method_not_allowed("POST"),
        (_, ["api", "v1", "oauth2", "authorize"]) => {
            SandboxResponse::method_not_allowed("GET, POST")
        }
        (_, ["api", "v2", "tenant", "users"]) => SandboxResponse::method_not_allowed("GET"),
        _ => SandboxResponse::not_found(),
    }
}

fn token(request: &VendorRequest, vendor: &mut VendorContext<'_>) -> SandboxResponse {
    if request.has_other_body() {
        return SandboxResponse::oauth_error(415, "invalid_request", "Content type not supported");
    }
    let form = request.form();
    let mut pairs = request.basic();
    if let (Some(id), Some(secret)) = (find(&form, "client_id"), find(&form, "client_secret")) {
        pairs.push((id.to_owned(), secret.to_owned()));
    }
    let Some(client) = vendor.client_by_pair(&pairs) else {
        return SandboxResponse::oauth_error(401, "invalid_client", "Bad client credentials");
    };
    match find(&form, "grant_type").or_else(|| request.query("grant_type")) {
        Some("client_credentials") => {}
        Some(_) => {
            return SandboxResponse::oauth_error(
                400,
                "unsupported_grant_type",
                "Unsupported grant type",
            );
        }
        None => return SandboxResponse::oauth_error(400, "invalid_request", "Missing grant type"),
    }
    // `expires_in` is the remaining lifetime, and an unexpired token is returned again.
    let (token, id_token, remaining) = match vendor.current_token(&client) {
        Some((token, issued)) => {
            let remaining = issued.until.saturating_sub(vendor.now);
            (token, issued.note.unwrap_or_default(), remaining)
        }
        None => {
            let lifetime = vendor.token_lifetime(&client, 1_800);
            let token = random::marked_guid(random::HEX_MARK);
            let claims =
                claims(&client, client.get("client_id"), vendor.now, vendor.now + lifetime);
            let id_token = sign(&claims);
            vendor.issue_as(&id_token, &client, lifetime, None);
            vendor.issue_as(&token, &client, lifetime, Some(&id_token));
            (token, id_token, lifetime)
        }
    };
    SandboxResponse::token([
        ("access_token", token.into()),
        ("token_type", "Bearer".into()),
        ("expires_in", remaining.as_secs().into()),
        ("scope", "all".into()),
        ("id_token", id_token.into()),
    ])
}

/// OneAccess's token response in the fragment; each login gets a new token.
fn token_members(query: &AuthorizationQuery<'_>, vendor: &mut VendorContext<'_>) -> Members {
    let lifetime = vendor.token_lifetime(&query.client, 7_199);
    let mut members = Members::new();
    if query.wants("token") {
        let token = random::marked_guid(random::HEX_MARK);
        vendor.issue_as(&token, &query.client, lifetime, None);
        members.push(("access_token".to_owned(), token.into()));
        members.push(("token_type".to_owned(), "Bearer".into()));
        members.push(("expires_in".to_owned(), lifetime.as_secs().into()));
    }
    if query.wants("id_token") {
        let mut claims = claims(&query.client, page::TEST_USER, vendor.now, vendor.now + lifetime);
        if let Some(nonce) = query.request.query("nonce") {
            claims["nonce"] = nonce.into();
        }
        let id_token = sign(&claims);
        vendor.issue_as(&id_token, &query.client, lifetime, None);
        members.push(("id_token".to_owned(), id_token.into()));
    }
    members
}

fn claims(client: &Client, subject: &str, now: Time, until: Time) -> Value {
    json!({
        "iss": "gatepass sandbox", "sandbox": true, "sub": subject,
        "aud": client.get("client_id"), "jti": random::guid(),
        "iat": now.as_secs(), "exp": until.as_secs(),
    })
}

fn sign(claims: &Value) -> String {
    let header = json!({ "kid": random::text(random::HEX, 32), "alg": "RS256" });
    random::jwt(&header, claims, 256)
}

fn users(request: &VendorRequest, vendor: &VendorContext<'_>) -> SandboxResponse {
    let Some(token) = request.bearer() else {
        return SandboxResponse::oauth_error(401, "unauthorized_user", "User is not authorized");
    };
    let rejected = |text: String| SandboxResponse::oauth_error(400, "invalid_token", &text);
    match vendor.token_state(token) {
        TokenState::Expired => return rejected(format!("Access token expired:{token}")),
        TokenState::Unknown => return rejected(format!("Invalid access token: {token}")),
        TokenState::Valid(_) => {}
    }
    if let Some(missing) = ["org_id", "offset", "limit"].iter().find(|n| request.query(n).is_none())
    {
        let text = format!("Parameter {missing} required.");
        let members = [("error_code", "USER.0002".into()), ("error_msg", text.into())];
        return SandboxResponse::json(400, members);
    }
    SandboxResponse::json(
        200,
        [
            ("total", 1.into()),
            (
                "users",
                json!([{
                    "user_id": "5a4db0c500000001", "org_id": "5a4db0c500000000",
                    "user_name": "sandbox", "disabled": false, "locked": "false", "grade": 0,
                }]),
            ),
        ],
    )
}
