//! Tests of each vendor's exact responses.

use std::time::Duration;

use base64::{
    Engine as _, engine::general_purpose::STANDARD, engine::general_purpose::URL_SAFE_NO_PAD,
};

use super::*;

fn basic(id: &str, secret: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{id}:{secret}")))
}

fn pair(sandbox: &Sandbox, provider: &str) -> (String, String) {
    let client = sandbox.client(provider).unwrap();
    let field = |name| client.field(name).unwrap().to_owned();
    (field("client_id"), field("client_secret"))
}

async fn cloudneeti(sandbox: &Sandbox, path: &str, query: &str) -> Reply {
    let client = sandbox.client("cloudneeti").unwrap();
    let field = |name| client.field(name).unwrap();
    let path = format!("/cloudneeti{path}/authorize/license/{}/token{query}", field("license_id"));
    let headers = [
        ("content-type", "application/json"),
        ("ocp-apim-subscription-key", field("subscription_key")),
    ];
    let body = json!({
        "APIApplicationId": field("api_application_id"),
        "Secret": field("api_application_secret"),
    });
    send(sandbox, "POST", &path, &headers, &body.to_string()).await
}

#[tokio::test]
async fn cisco_cloudsso_responds_like_pingfederate() {
    let sandbox = Sandbox::start().await.unwrap();
    let response = cisco_token(&sandbox).await;
    let token = response.token();
    assert_eq!(token.len(), 28);
    assert_eq!(
        response.body,
        format!(r#"{{"access_token":"{token}","token_type":"Bearer","expires_in":3599}}"#)
    );
    assert_eq!(response.header("cache-control"), Some("no-store"));
    assert_eq!(response.header("pragma"), Some("no-cache"));

    let wrong = "grant_type=client_credentials&client_id=a&client_secret=b";
    let rejected = post_form(&sandbox, "/cisco/as/token.oauth2", wrong).await;
    assert_eq!(rejected.status, 401);
    assert_eq!(
        rejected.body,
        r#"{"error_description":"Invalid client or client credentials.","error":"invalid_client"}"#
    );
}

#[tokio::test]
async fn cisco_token_responds_like_okta() {
    let sandbox = Sandbox::start().await.unwrap();
    let (id, secret) = pair(&sandbox, "cisco");
    let path = "/cisco/oauth2/default/v1/token";
    let headers = [
        ("authorization", &*basic(&id, &secret)),
        ("content-type", "application/x-www-form-urlencoded;charset=UTF-8"),
    ];
    let response = send(&sandbox, "POST", path, &headers, "grant_type=client_credentials").await;
    let token = response.token();
    assert_eq!(
        response.body,
        format!(r#"{{"token_type":"Bearer","expires_in":3600,"access_token":"{token}"}}"#)
    );
    assert!((820..920).contains(&token.len()), "{}", token.len());
    assert_eq!(response.header("x-rate-limit-limit"), Some("60000"));
    assert_eq!(response.header("cache-control"), Some("max-age=0, no-cache, no-store"));
    let claims = URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap();
    let claims: Value = serde_json::from_slice(&claims).unwrap();
    assert_eq!(claims["sandbox"], true);
    assert_eq!(claims["cid"], id);

    let wrong =
        post_form(&sandbox, path, "grant_type=client_credentials&client_id=a&client_secret=b")
            .await;
    assert_eq!((wrong.status, wrong.header("www-authenticate")), (401, Some("Basic")));
    let start = r#"{"errorCode":"invalid_client","errorSummary":"Invalid value for 'client_id' parameter.","errorLink":"invalid_client","errorId":"oae"#;
    assert!(wrong.body.starts_with(start), "{}", wrong.body);
    assert!(wrong.body.ends_with(r#"","errorCauses":[]}"#));
}

#[tokio::test]
async fn cisco_accepts_and_counts_a_secret_in_the_query() {
    let sandbox = Sandbox::start().await.unwrap();
    let form = client_form(&sandbox.client("cisco").unwrap());
    let path = format!("/cisco/as/token.oauth2?{form}");
    assert_eq!(send(&sandbox, "POST", &path, &[], "").await.status, 200);
    assert_eq!(sandbox.state().total.secrets_in_url, 1);
    let rejected = send(
        &sandbox,
        "POST",
        &path.replace("as/token.oauth2", "oauth2/default/v1/token"),
        &[],
        "",
    )
    .await;
    assert_eq!(rejected.status, 401);
    assert_eq!(sandbox.state().provider("cisco").secrets_in_url, 2);
    let (_, secret) = pair(&sandbox, "cisco");
    assert!(!format!("{:?}", sandbox.requests()).contains(&secret));
}

#[tokio::test]
async fn cisco_api_accepts_valid_tokens_only() {
    let sandbox = Sandbox::start().await.unwrap();
    let token = cisco_token(&sandbox).await.token();
    let hello = get(&sandbox, "/cisco/hello", &token).await;
    assert_eq!(hello.body, r#"{"helloResponse":{"response":"Hello World!"}}"#);
    sandbox.advance(Duration::from_secs(3_600));
    let rejected = get(&sandbox, "/cisco/hello", &token).await;
    assert_eq!((rejected.status, rejected.body.as_str()), (403, "<h1>Not Authorized</h1>"));
    assert_eq!(rejected.header("x-mashery-error-code"), Some("ERR_403_NOT_AUTHORIZED"));
    assert_eq!(rejected.header("content-type"), Some("text/xml"));
}

#[tokio::test]
async fn cloudneeti_token_is_flat_or_nested_by_path() {
    let sandbox = Sandbox::start().await.unwrap();
    let old = cloudneeti(&sandbox, "/api", "").await;
    let token = old.token();
    assert_eq!(
        old.body,
        format!(r#"{{"token":"{token}","statusCode":200,"message":"Request Successful"}}"#)
    );
    let new = cloudneeti(&sandbox, "", "").await;
    let token = new.token();
    assert_eq!(
        new.body,
        format!(
            r#"{{"result":{{"token":"{token}"}},"statusCode":200,"message":"Request Successful"}}"#
        )
    );
}

#[tokio::test]
async fn cloudneeti_gateway_requires_its_key() {
    let sandbox = Sandbox::start().await.unwrap();
    let client = sandbox.client("cloudneeti").unwrap();
    let license = client.field("license_id").unwrap();
    let path = format!("/cloudneeti/authorize/license/{license}/token");
    let missing = send(&sandbox, "POST", &path, &[], "{}").await;
    assert!(missing.head.starts_with("HTTP/1.1 401 Access Denied\r\n"), "{}", missing.head);
    assert_eq!(missing.body.len(), 152);
    assert!(missing.body.contains("due to missing subscription key"));
    let challenge = missing.header("www-authenticate").unwrap();
    assert!(challenge.starts_with("AzureApiManagementKey realm="));
    let wrong = [("ocp-apim-subscription-key", "nope")];
    let wrong = send(&sandbox, "POST", &path, &wrong, "{}").await;
    assert!(wrong.body.contains("due to invalid subscription key"));
    let key = [("ocp-apim-subscription-key", client.field("subscription_key").unwrap())];
    let form = send(&sandbox, "POST", &path, &key, "{}").await;
    assert_eq!((form.status, form.json()["statusCode"].as_u64()), (415, Some(415)));
    let token = cloudneeti(&sandbox, "", "").await.token();
    let accounts = format!("/cloudneeti/onboarding/license/{license}/licenseAccounts");
    assert_eq!(get(&sandbox, &accounts, &token).await.status, 401);
}

#[tokio::test]
async fn cloudneeti_token_kinds_have_separate_apis() {
    let sandbox = Sandbox::start().await.unwrap();
    let client = sandbox.client("cloudneeti").unwrap();
    let field = |name| client.field(name).unwrap();
    let (license, account) = (field("license_id"), field("account_id"));
    let api_paths = [
        format!("/cloudneeti/api/onboarding/license/{license}/licenseAccounts"),
        format!("/cloudneeti/compliance/license/{license}/account/{account}/rescan"),
        format!("/cloudneeti/audit/license/{license}/account/{account}/benchmark/CSBP/summary"),
    ];
    let mut statuses = Vec::new();
    for query in [String::new(), format!("?accountId={account}")] {
        let bearer = format!("Bearer {}", cloudneeti(&sandbox, "", &query).await.token());
        let key = field("subscription_key");
        let headers = [("authorization", &*bearer), ("ocp-apim-subscription-key", key)];
        for api_path in &api_paths {
            statuses.push(send(&sandbox, "GET", api_path, &headers, "").await.status);
        }
    }
    assert_eq!(statuses, [200, 403, 403, 403, 200, 200]);
    assert_eq!(cloudneeti(&sandbox, "", "?accountId=other").await.status, 403);
    assert_eq!(sandbox.state().total.secrets_in_url, 0);
}

#[tokio::test]
async fn celerdata_responds_like_go_oauth2() {
    let sandbox = Sandbox::start().await.unwrap();
    let (id, secret) = pair(&sandbox, "celerdata");
    let path = "/celerdata/api/1.0/token?grant_type=client_credentials";
    let good = basic(&id, &secret);
    let response = send(&sandbox, "POST", path, &[("authorization", &good)], "").await;
    let json = response.json();
    let (token, refresh) = (response.token(), json["refresh_token"].as_str().unwrap());
    assert_eq!((token.len(), refresh.len()), (48, 48));
    assert_eq!(
        response.body,
        format!(
            r#"{{"access_token":"{token}","expires_in":3600,"refresh_token":"{refresh}","token_type":"Bearer"}}"#
        )
    );
    assert_eq!(response.header("content-type"), Some("application/json;charset=UTF-8"));
    let wrong = basic(&id, "wrong");
    let rejected = send(&sandbox, "POST", path, &[("authorization", &wrong)], "").await;
    assert_eq!(rejected.status, 401);
    assert_eq!(
        rejected.body,
        r#"{"error":"invalid_client","error_description":"Client authentication failed"}"#
    );
    let no_grant = path.split('?').next().unwrap();
    let rejected = send(&sandbox, "POST", no_grant, &[("authorization", &good)], "").await;
    assert_eq!(rejected.status, 401);
    assert!(
        rejected.body.starts_with(r#"{"error":"unsupported_grant_type","error_description":"The"#)
    );

    let clusters = get(&sandbox, "/celerdata/api/1.0/clusters", &token).await;
    assert_eq!(clusters.json()["code"], 20_000);
    let rejected = get(&sandbox, "/celerdata/api/1.0/clusters", "nope").await;
    assert_eq!((rejected.status, rejected.json()["code"].as_u64()), (401, Some(40_100)));
}

#[tokio::test]
async fn celerdata_reads_basic_in_both_encodings() {
    let sandbox = Sandbox::start().await.unwrap();
    let new =
        crate::NewClient::new("celerdata").field("client_id", "a").field("client_secret", "p+q%2");
    sandbox.add_client(new).unwrap();
    let path = "/celerdata/api/1.0/token?grant_type=client_credentials";
    for secret in ["p+q%2", "p%2Bq%252"] {
        let header = basic("a", secret);
        let response = send(&sandbox, "POST", path, &[("authorization", &header)], "").await;
        assert_eq!(response.status, 200, "{secret}");
    }
}

#[tokio::test]
async fn celerdata_limits_token_requests_per_minute() {
    let sandbox = Sandbox::start().await.unwrap();
    let path = "/celerdata/api/1.0/token?grant_type=client_credentials";
    for _ in 0..600 {
        assert_eq!(send(&sandbox, "POST", path, &[], "").await.status, 401);
    }
    let limited = send(&sandbox, "POST", path, &[], "").await;
    assert_eq!(limited.status, 429);
    let wait: u64 = limited.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=60).contains(&wait));
    sandbox.advance(Duration::from_secs(60));
    assert_eq!(send(&sandbox, "POST", path, &[], "").await.status, 401);
}

#[tokio::test]
async fn huawei_repeats_the_token_until_it_expires() {
    let sandbox = Sandbox::start().await.unwrap();
    let form = client_form(&sandbox.client("huawei").unwrap());
    let path = "/huawei/api/v2/tenant/token";
    let first = post_form(&sandbox, path, &form).await;
    assert_eq!(first.json()["scope"], "all");
    assert_eq!(first.json()["expires_in"], 1_800);
    sandbox.advance(Duration::from_secs(800));
    let again = post_form(&sandbox, path, &form).await;
    assert_eq!(first.token(), again.token());
    assert!(again.json()["expires_in"].as_u64().unwrap() <= 1_000);
    sandbox.advance(Duration::from_secs(1_000));
    let next = post_form(&sandbox, path, &form).await;
    assert_ne!(first.token(), next.token());

    let users = "/huawei/api/v2/tenant/users?org_id=&offset=0&limit=10";
    for name in ["access_token", "id_token"] {
        let token = next.json()[name].as_str().unwrap().to_owned();
        assert_eq!(get(&sandbox, users, &token).await.json()["total"], 1);
    }
    let old = first.token();
    let expired = get(&sandbox, users, &old).await;
    assert_eq!(expired.status, 400);
    assert_eq!(
        expired.body,
        format!(r#"{{"error":"invalid_token","error_description":"Access token expired:{old}"}}"#)
    );
    assert_eq!(
        get(&sandbox, users, "nope").await.body,
        r#"{"error":"invalid_token","error_description":"Invalid access token: nope"}"#
    );
    let wrong =
        post_form(&sandbox, path, "grant_type=client_credentials&client_id=a&client_secret=b")
            .await;
    assert_eq!(
        (wrong.status, wrong.body.as_str()),
        (401, r#"{"error":"invalid_client","error_description":"Bad client credentials"}"#)
    );
    sandbox.inject(Fault::new("documented-errors").provider("huawei")).unwrap();
    let wrong = post_form(&sandbox, path, "grant_type=client_credentials").await;
    assert_eq!(
        (wrong.status, wrong.body.as_str()),
        (400, r#"{"error_code":"invalid_client","error_msg":"Bad client credentials"}"#)
    );
}

#[tokio::test]
async fn configapi_writes_the_lifetime_as_string() {
    let sandbox = Sandbox::start().await.unwrap();
    let client = sandbox.client("configapi").unwrap();
    let scope = client.field("scope").unwrap();
    for version in ["v2", "v3"] {
        let path = format!("/configapi/configapi/{version}/oauth/token");
        let response = post_form(&sandbox, &path, &client_form(&client)).await;
        let token = response.token();
        assert_eq!(
            response.body,
            format!(
                r#"{{"access_token":"{token}","token_type":"Bearer","expires_in":"3600","scope":"{scope}"}}"#
            )
        );
        assert!(token.len() == 64 && token.bytes().all(|b| b.is_ascii_hexdigit()));
        assert_eq!(get(&sandbox, "/configapi/configapi/v2/phone/user", &token).await.status, 200);
        sandbox.advance(Duration::from_secs(3_600));
        let expired = get(&sandbox, "/configapi/configapi/v2/phone/user", &token).await;
        assert_eq!((expired.status, expired.json()["errorCode"].as_u64()), (401, Some(2)));
    }
    let unknown = get(&sandbox, "/configapi/configapi/v2/phone/user", "nope").await;
    assert_eq!((unknown.status, unknown.json()["errorCode"].as_u64()), (401, Some(1)));
}

#[tokio::test]
async fn configapi_locks_after_five_failures() {
    let sandbox = Sandbox::start().await.unwrap();
    let client = sandbox.client("configapi").unwrap();
    let path = "/configapi/configapi/v2/oauth/token";
    let good = client_form(&client);
    for _ in 0..5 {
        let wrong = good.replace("&scope=", "&scope=x");
        let rejected = post_form(&sandbox, path, &wrong).await;
        assert_eq!((rejected.status, rejected.body.as_str()), (401, "Authentication failed"));
    }
    assert_eq!(post_form(&sandbox, path, &good).await.status, 401);
    sandbox.reset();
    assert_eq!(post_form(&sandbox, path, &good).await.status, 200);
}
