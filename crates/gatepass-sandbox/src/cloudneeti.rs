//! Cloudneeti (Zscaler CSPM): a token service behind Azure API Management.

use serde_json::{Value, json};

use crate::{
    built_in::BuiltIn, random, response::SandboxResponse, vendor::ClientField,
    vendor_request::VendorRequest, vendor_state::VendorContext,
};

pub(crate) const VENDOR: BuiltIn = BuiltIn {
    id: "cloudneeti",
    fields: &[
        ClientField::text("license_id", random::guid),
        ClientField::text("account_id", random::guid),
        ClientField::text("api_application_id", random::guid),
        ClientField::secret_text("api_application_secret", || random::text(random::MIXED, 40)),
        ClientField::secret_text("subscription_key", || random::text(random::HEX, 32)),
    ],
    key: &["license_id", "api_application_id"],
    settings: &[],
    profiles: &[("cloudneeti", &["account_id"]), ("cloudneeti-account", &[])],
    respond,
};

fn respond(request: &VendorRequest, vendor: &mut VendorContext<'_>) -> SandboxResponse {
    let path = request.segments();
    let (is_flat, path) = match path.as_slice() {
        ["api", rest @ ..] => (true, rest),
        rest => (false, rest),
    };
    let method = match path {
        ["authorize", "license", _, "token"] => "POST",
        ["onboarding", "license", _, "licenseAccounts"]
        | ["compliance", "license", _, "account", _, "rescan"]
        | ["audit", "license", _, "account", _, "benchmark", "CSBP", "summary"] => "GET",
        _ => return error(404, "Resource not found"),
    };
    if request.method.as_str() != method {
        return error(405, "Method Not Allowed").with("allow", method);
    }
    match (request.header(KEY_HEADER), path) {
        (None, _) => gateway_rejection(MISSING_KEY),
        (Some(key), _)
            if vendor.client(|client| client.get("subscription_key") == key).is_none() =>
        {
            gateway_rejection(INVALID_KEY)
        }
        (Some(key), ["authorize", _, license, _]) => token(request, vendor, key, license, is_flat),
        (Some(_), [_, _, license, .., "rescan"]) => {
            account_call(request, vendor, license, path[4], json!({ "jobId": random::guid() }))
        }
        (Some(_), [_, _, license, .., "summary"]) => account_call(
            request,
            vendor,
            license,
            path[4],
            json!([{ "benchmark": "CSBP", "passed": 12, "failed": 3 }]),
        ),
        (Some(_), path) => license_accounts(request, vendor, path[2]),
    }
}

fn token(
    request: &VendorRequest,
    vendor: &mut VendorContext<'_>,
    key: &str,
    license: &str,
    is_flat: bool,
) -> SandboxResponse {
    if request.media_type().as_deref() != Some("application/json") {
        return error(415, "Unsupported Media Type");
    }
    let Some(Value::Object(body)) = request.json() else {
        return error(400, "The request body is not a JSON object");
    };
    let value = |name: &str| body.get(name).and_then(Value::as_str).unwrap_or_default();
    let client = vendor.client(|client| {
        client.get("license_id") == license
            && client.get("subscription_key") == key
            && client.get("api_application_id") == value("APIApplicationId")
            && client.get("api_application_secret") == value("Secret")
    });
    let Some(client) = client else {
        return error(401, "Invalid API application id or secret");
    };
    let account = request.query("accountId");
    if account.is_some_and(|account| account != client.get("account_id")) {
        return error(403, "The account does not belong to this license");
    }
    let lifetime = vendor.token_lifetime(&client, TOKEN_LIFETIME);
    let mut claims = json!({
        "iss": "gatepass sandbox", "sandbox": true, "jti": random::guid(),
        "licenseId": license, "permissions": ["Account.Audit", "License.GetAPIAccess"],
        "iat": vendor.now.as_secs(), "exp": (vendor.now + lifetime).as_secs(),
    });
    if let Some(account) = account {
        claims["accountId"] = account.into();
    }
    let token = random::jwt(&json!({ "alg": "HS256", "typ": "JWT" }), &claims, 32);
    vendor.issue_as(&token, &client, lifetime, account);
    let (code, message) = (("statusCode", 200.into()), ("message", SUCCESS_MESSAGE.into()));
    if is_flat {
        SandboxResponse::token([("token", token.into()), code, message])
    } else {
        SandboxResponse::token([("result", json!({ "token": token })), code, message])
    }
}

/// Requires a license token; an account token is rejected.
fn license_accounts(
    request: &VendorRequest,
    vendor: &VendorContext<'_>,
    license: &str,
) -> SandboxResponse {
    let Some(issued) = vendor.valid_token(request.bearer()) else {
        return error(401, "Unauthorized");
    };
    let owner =
        vendor.client(|client| client.key() == issued.owner && client.get("license_id") == license);
    let Some(owner) = owner.filter(|_| issued.note.is_none()) else {
        return error(403, "A token of this license is required");
    };
    success(json!({
        "licenseId": license,
        "accounts": [{
            "accountId": owner.get("account_id"), "accountName": "Azure",
            "isInApiScope": true, "connectorType": "Azure",
        }],
        "apis": ["Account.Audit", "License.GetAPIAccess"],
    }))
}

/// Requires the token of the account in the path.
fn account_call(
    request: &VendorRequest,
    vendor: &VendorContext<'_>,
    license: &str,
    account: &str,
    result: Value,
) -> SandboxResponse {
    let Some(issued) = vendor.valid_token(request.bearer()) else {
        return error(401, "Unauthorized");
    };
    let owner =
        vendor.client(|client| client.key() == issued.owner && client.get("license_id") == license);
    if owner.is_none() || issued.note.as_deref() != Some(account) {
        return error(403, "A token of this account is required");
    }
    success(result)
}

fn success(result: Value) -> SandboxResponse {
    SandboxResponse::json(
        200,
        [("result", result), ("statusCode", 200.into()), ("message", SUCCESS_MESSAGE.into())],
    )
}

fn error(status: u16, message: &str) -> SandboxResponse {
    SandboxResponse::json(status, [("statusCode", status.into()), ("message", message.into())])
}

fn gateway_rejection(body: &str) -> SandboxResponse {
    let mut response =
        SandboxResponse::json_text(401, body).with("www-authenticate", GATEWAY_CHALLENGE);
    response.reason = Some("Access Denied");
    response
}

const KEY_HEADER: &str = "ocp-apim-subscription-key";
const TOKEN_LIFETIME: u64 = 3_600;
const SUCCESS_MESSAGE: &str = "Request Successful";
const GATEWAY_CHALLENGE: &str = r#"AzureApiManagementKey realm="https://tmp-apim.azure-api.net/echo",name="Ocp-Apim-Subscription-Key",type="header""#;
const MISSING_KEY: &str = r#"{ "statusCode": 401, "message": "Access denied due to missing subscription key. Make sure to include subscription key when making requests to an API." }"#;
const INVALID_KEY: &str = r#"{ "statusCode": 401, "message": "Access denied due to invalid subscription key. Make sure to provide a valid key for an active subscription." }"#;
