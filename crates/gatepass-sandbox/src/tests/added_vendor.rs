//! Tests of vendors that other crates add.

use std::sync::atomic::{AtomicU32, Ordering};

use super::*;
use crate::{
    ClientField, SandboxResponse, SandboxVendor, VendorContext, VendorProfile, VendorRequest,
};

/// A vendor with a token in an object, and facts that a test chooses.
#[derive(Debug)]
struct Added {
    id: &'static str,
    field: &'static str,
    profile: VendorProfile,
}

impl Added {
    fn new(id: &'static str) -> Self {
        Self { id, field: "client_id", profile: VendorProfile::new(id) }
    }
}

impl SandboxVendor for Added {
    fn id(&self) -> &str {
        self.id
    }

    fn fields(&self) -> Vec<ClientField> {
        vec![ClientField::id(self.field), ClientField::secret("client_secret")]
    }

    fn profiles(&self) -> Vec<VendorProfile> {
        vec![self.profile.clone()]
    }

    fn token(&self, request: &VendorRequest, vendor: &mut VendorContext<'_>) -> SandboxResponse {
        let secret = request.form_field("client_secret");
        let is_sent = |client: &Client| client.field("client_secret") == secret.as_deref();
        let Some(client) = vendor.client(is_sent) else {
            return SandboxResponse::oauth_error(401, "invalid_client", "unknown");
        };
        let lifetime = vendor.token_lifetime(&client, 60);
        let token = vendor.issue(&client, lifetime);
        let data = json!({ "a/b": { "jwt": token }, "ttl": lifetime.as_secs() });
        SandboxResponse::token([("data", data)]).token_at("/data/a~1b/jwt").lifetime_at("/data/ttl")
    }

    fn api(&self, request: &VendorRequest, vendor: &mut VendorContext<'_>) -> SandboxResponse {
        let token = request.bearer();
        let is_expired = vendor.is_expired(token);
        if request.method() == "DELETE" {
            let was_valid = token.is_some_and(|token| vendor.revoke(token));
            return SandboxResponse::json(200, [("revoked", was_valid.into())]);
        }
        match vendor.client_of(token) {
            Some(client) => SandboxResponse::json(200, [("me", client.field(self.field).into())]),
            None => SandboxResponse::json(401, [("expired", is_expired.into())]),
        }
    }
}

async fn new_token(sandbox: &Sandbox) -> Reply {
    let secret = sandbox.client("added").unwrap().field("client_secret").unwrap().to_owned();
    let form = [("content-type", "application/x-www-form-urlencoded")];
    send(sandbox, "POST", "/added/token", &form, &format!("client_secret={secret}")).await
}

fn token_in(reply: &Reply) -> String {
    reply.json()["data"]["a/b"]["jwt"].as_str().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn added_vendors_tokens_expire_and_are_revoked() {
    let sandbox = Sandbox::with(Added::new("added")).start().await.unwrap();
    let token = token_in(&new_token(&sandbox).await);
    assert!(token.starts_with("Sandbox"), "{token}");
    let me = get(&sandbox, "/added/me", &token).await.json()["me"].clone();
    assert_eq!(me, sandbox.client("added").unwrap().field("client_id").unwrap());
    assert_eq!(get(&sandbox, "/added/me", "other").await.json()["expired"], false);
    sandbox.advance(std::time::Duration::from_secs(60));
    assert_eq!(get(&sandbox, "/added/me", &token).await.json()["expired"], true);

    let token = token_in(&new_token(&sandbox).await);
    let bearer = [("authorization", &*format!("Bearer {token}"))];
    for was_valid in [true, false] {
        let reply = send(&sandbox, "DELETE", "/added/me", &bearer, "").await;
        assert_eq!(reply.json()["revoked"], was_valid);
    }
    assert_eq!(get(&sandbox, "/added/me", &token).await.status, 401);
    let counters = sandbox.state().provider("added");
    assert_eq!((counters.token_requests, counters.issued, counters.refused), (2, 2, 3));
}

#[tokio::test]
async fn faults_change_the_members_that_an_added_vendor_names() {
    let sandbox = Sandbox::with(Added::new("added")).start().await.unwrap();
    let faults = [
        ("no-token", json!({ "a/b": {}, "ttl": 60 })),
        ("token-empty", json!({ "a/b": { "jwt": "" }, "ttl": 60 })),
        ("no-expiry", json!({ "a/b": { "jwt": "" } })),
        ("expires-zero", json!({ "a/b": { "jwt": "" }, "ttl": 0 })),
    ];
    for (name, expected) in faults {
        sandbox.inject(Fault::new(name).provider("added").times(1)).unwrap();
        let mut data = new_token(&sandbox).await.json()["data"].clone();
        if let Some(token) = data["a/b"].get_mut("jwt") {
            *token = json!("");
        }
        assert_eq!(data, expected, "{name}");
    }
    sandbox.inject(Fault::new("token-bearer-prefix").provider("added").times(1)).unwrap();
    let token = token_in(&new_token(&sandbox).await);
    assert!(token.starts_with("Bearer Sandbox"), "{token}");
}

#[tokio::test]
async fn facts_of_an_added_vendor_are_checked() {
    let added = || Added::new("added");
    let profile = |profile| Added { profile, ..added() };
    let rejected = [
        (Added::new("cisco"), "there are two vendors with the id cisco"),
        (Added::new("_sandbox"), "\"_sandbox\" of a vendor must have"),
        (Added::new("a/b"), "\"a/b\" of a vendor must have"),
        (Added::new(""), "\"\" of a vendor must have"),
        (Added { field: "a = 1", ..added() }, "\"a = 1\" of a vendor must have"),
        (Added { field: "base_url", ..added() }, "would have base_url twice"),
        (Added { field: "client_secret", ..added() }, "would have client_secret twice"),
        (profile(VendorProfile::new("cisco")), "there are two profiles with the name cisco"),
        (profile(VendorProfile::new("x]")), "\"x]\" of a vendor must have"),
        (profile(VendorProfile::new("x").setting("client_id", "1")), "have client_id twice"),
    ];
    for (vendor, expected) in rejected {
        let error = Sandbox::with(vendor).start().await.unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
        assert_eq!(error.kind(), crate::ErrorKind::Usage);
    }
    let twice = Sandbox::with(added()).with(added()).start().await.unwrap_err();
    assert_eq!(twice.to_string(), "there are two vendors with the id added");
    let other = VendorProfile::new("mine").setting("zone", "a\"b").without("client_id");
    let sandbox = Sandbox::with(profile(other)).start().await.unwrap();
    let config = sandbox.config_toml();
    let (_, mine) = config.split_once("[profiles.mine]\n").unwrap();
    assert!(mine.contains("zone = \"a\\\"b\"\nclient_secret = "), "{mine}");
    assert!(!mine.contains("client_id"), "{mine}");
}

#[tokio::test]
async fn reset_reaches_an_added_vendor() {
    #[derive(Debug)]
    struct Counting(Added, &'static AtomicU32);

    impl SandboxVendor for Counting {
        fn id(&self) -> &str {
            self.0.id()
        }

        fn fields(&self) -> Vec<ClientField> {
            self.0.fields()
        }

        fn token(
            &self,
            request: &VendorRequest,
            vendor: &mut VendorContext<'_>,
        ) -> SandboxResponse {
            self.0.token(request, vendor)
        }

        fn api(&self, request: &VendorRequest, vendor: &mut VendorContext<'_>) -> SandboxResponse {
            self.0.api(request, vendor)
        }

        fn reset(&self) {
            self.1.fetch_add(1, Ordering::Relaxed);
        }
    }

    static RESETS: AtomicU32 = AtomicU32::new(0);
    let sandbox = Sandbox::with(Counting(Added::new("added"), &RESETS)).start().await.unwrap();
    let at_start = RESETS.load(Ordering::Relaxed);
    let token = token_in(&new_token(&sandbox).await);
    control(&sandbox, "reset", &json!({})).await;
    assert_eq!(RESETS.load(Ordering::Relaxed), at_start + 1);
    assert_eq!(get(&sandbox, "/added/me", &token).await.status, 401);
    assert!(!token_in(&new_token(&sandbox).await).is_empty());
}
