//! Tests of profiles that environment variables define.

use gatepass_tests::{Gatepass, Home, Received, Reply, Server, VENDORS, vendor};

fn server() -> Server {
    Server::new(|_, request| {
        let vendor = VENDORS.iter().find(|vendor| vendor.token_path == request.path()).unwrap();
        Reply::json(200, vendor.token_response("token-1"))
    })
}

fn variables<'home>(command: Gatepass<'home>, all: &[(&str, &str)]) -> Gatepass<'home> {
    all.iter().fold(command, |command, (name, value)| command.env(name, value))
}

#[track_caller]
fn field(request: &Received, name: &str) -> String {
    let form = request.form();
    form.into_iter().find(|(key, _)| key == name).unwrap().1
}

#[test]
fn profile_named_after_its_provider_needs_fields_only() {
    let server = server();
    let home = Home::new();
    let secret = home.write("secret", "from a file\n");
    let run = variables(
        home.gatepass(["token", "cisco"]),
        &[
            ("GATEPASS_CISCO_ENVIRONMENT", "cloudsso"),
            ("GATEPASS_CISCO_CLIENT_ID", "abc"),
            ("GATEPASS_CISCO_CLIENT_SECRET_FILE", secret.to_str().unwrap()),
            ("GATEPASS_CISCO_BASE_URL", &server.url()),
        ],
    );
    assert_eq!(run.run().ok(), "token-1\n");
    let request = server.request();
    assert_eq!(field(&request, "client_id"), "abc");
    assert_eq!(field(&request, "client_secret"), "from a file");
    assert_eq!(request.target, "/as/token.oauth2");
}

#[test]
fn environment_can_define_each_provider() {
    let server = server();
    for vendor in &VENDORS {
        let home = Home::new();
        let prefix = format!("GATEPASS_{}_", vendor.id.to_uppercase());
        let mut command =
            home.gatepass(["token", vendor.id]).env(&format!("{prefix}BASE_URL"), server.url());
        for (name, value) in vendor.texts {
            command = command.env(&format!("{prefix}{}", name.to_uppercase()), value);
        }
        for name in vendor.secrets {
            command = command.env(&format!("{prefix}{}", name.to_uppercase()), "a secret");
        }
        assert_eq!(command.run().ok(), "token-1\n");
    }
    assert_eq!(server.requests().len(), VENDORS.len());
}

#[test]
fn profile_names_map_to_variable_names() {
    let server = server();
    for name in ["cisco-prod.eu", "Cisco.Prod-EU", "cisco_prod_eu"] {
        let home = Home::new();
        let run = variables(
            home.gatepass(["token", name, "--format", "json"]),
            &[
                ("GATEPASS_CISCO_PROD_EU_PROVIDER", "cisco"),
                ("GATEPASS_CISCO_PROD_EU_ENVIRONMENT", "cloudsso"),
                ("GATEPASS_CISCO_PROD_EU_CLIENT_ID", "abc"),
                ("GATEPASS_CISCO_PROD_EU_CLIENT_SECRET", "def"),
                ("GATEPASS_CISCO_PROD_EU_BASE_URL", &server.url()),
                // A variable of another profile whose name has the same prefix.
                ("GATEPASS_CISCO_CLIENT_ID", "not this"),
            ],
        );
        let token = run.run().json();
        assert_eq!((&token["profile"], &token["provider"]), (&name.into(), &"cisco".into()));
    }
    assert!(server.requests().iter().all(|request| field(request, "client_id") == "abc"));
}

#[test]
fn environment_does_not_change_file_profiles() {
    let server = server();
    let home = Home::with_config(&vendor("cisco").profile(&server.url(), ""));
    let valid = [
        ("GATEPASS_CISCO_CLIENT_ID", "other"),
        ("GATEPASS_CISCO_CLIENT_SECRET", "other"),
        ("GATEPASS_CISCO_BASE_URL", "http://127.0.0.1:9"),
        ("GATEPASS_CISCO_CLIENT_AUTH", "query"),
    ];
    let invalid = [("GATEPASS_CISCO_NO_SUCH_KEY", "x"), ("GATEPASS_CISCO_TIMEOUT", "soon")];
    for values in [valid.as_slice(), &invalid] {
        let run = variables(home.gatepass(["token", "cisco", "--fresh"]), values).run();
        assert_eq!(run.ok(), "token-1\n");
    }
    assert!(server.requests().iter().all(|request| field(request, "client_id") == "app-1"));
    assert_eq!(server.requests().len(), 2);
}

#[test]
fn environment_profiles_work_beside_a_file() {
    let server = server();
    let home = Home::with_config(&vendor("cisco").profile(&server.url(), ""));
    let run = variables(
        home.gatepass(["token", "huawei"]),
        &[
            ("GATEPASS_HUAWEI_CLIENT_ID", "h"),
            ("GATEPASS_HUAWEI_CLIENT_SECRET", "s"),
            ("GATEPASS_HUAWEI_BASE_URL", &server.url()),
        ],
    );
    assert_eq!(run.run().ok(), "token-1\n");
    assert_eq!(server.request().path(), "/api/v2/tenant/token");
}

#[test]
fn variables_can_set_each_field_kind() {
    let server = server();
    let home = Home::new();
    let run = variables(
        home.gatepass(["token", "lake"]),
        &[
            ("GATEPASS_LAKE_PROVIDER", "celerdata"),
            ("GATEPASS_LAKE_CLIENT_ID", "a"),
            ("GATEPASS_LAKE_CLIENT_SECRET", "b"),
            ("GATEPASS_LAKE_BASE_URL", &server.url()),
            ("GATEPASS_LAKE_GRANT_TYPE_IN", "body"),
            ("GATEPASS_LAKE_SCOPE", "all-apis"),
            ("GATEPASS_LAKE_TIMEOUT", "5s"),
            ("GATEPASS_LAKE_REQUIRE_SCOPE", "false"),
            ("GATEPASS_LAKE_API_ORIGINS", "https://a.example.com https://b.example.com"),
        ],
    );
    assert_eq!(run.run().ok(), "token-1\n");
    assert_eq!(field(&server.request(), "scope"), "all-apis");
}

#[test]
fn missing_variable_error_names_the_file() {
    let home = Home::new();
    let all = [("ENVIRONMENT", "id"), ("CLIENT_ID", "unsaid"), ("CLIENT_SECRET", "unsaid")];
    for (missing, _) in all {
        let set = all.iter().filter(|(name, _)| *name != missing);
        let command = set.fold(home.gatepass(["token", "cisco"]), |command, (name, value)| {
            command.env(&format!("GATEPASS_CISCO_{name}"), value)
        });
        let run = command.run();
        let both = format!("set GATEPASS_CISCO_{missing}, or GATEPASS_CISCO_{missing}_FILE to");
        assert!(run.failed(2).contains(&both), "{run:#?}");
    }
    let similar =
        home.gatepass(["token", "cisco"]).env("GATEPASS_CISCO_CLIENT_SECRT_FILE", "x").run();
    assert!(
        similar.failed(2).contains("did you mean GATEPASS_CISCO_CLIENT_SECRET_FILE?"),
        "{similar:#?}"
    );
}

#[test]
fn invalid_variable_error_hides_the_value() {
    let home = Home::new();
    let good = [
        ("GATEPASS_CISCO_ENVIRONMENT", "id"),
        ("GATEPASS_CISCO_CLIENT_ID", "abc"),
        ("GATEPASS_CISCO_CLIENT_SECRET", "unsaid-1"),
    ];
    for (name, value) in [
        ("GATEPASS_CISCO_CLIENT_SECRT", "unsaid-2"),
        ("GATEPASS_CISCO_CLIENT_SECRET_FILE", "/unsaid-2"),
        ("GATEPASS_CISCO_ENVIRONMENT", "unsaid-2"),
        ("GATEPASS_CISCO_TIMEOUT", "unsaid-2"),
        ("GATEPASS_CISCO_ALLOW_PLAIN_HTTP", "unsaid-2"),
        ("GATEPASS_CISCO_BASE_URL", "http://unsaid-2.example.com"),
    ] {
        let command = variables(home.gatepass(["token", "cisco"]), &good).env(name, value);
        let run = command.run();
        let error = run.failed(2);
        assert!(error.contains(name) || error.contains("BASE_URL"), "{name}: {error}");
        assert!(!error.contains("unsaid-"), "{error}");
    }
    let run = variables(home.gatepass(["token", "cisco"]), &good[..2]).run();
    assert!(run.failed(2).contains("client_secret"), "{run:#?}");
}

#[test]
fn empty_secret_is_rejected() {
    let home = Home::new();
    let empty = home.write("empty", "\n");
    for (name, value) in [
        ("GATEPASS_CISCO_CLIENT_SECRET", ""),
        ("GATEPASS_CISCO_CLIENT_SECRET_FILE", empty.to_str().unwrap()),
    ] {
        let set = [
            ("GATEPASS_CISCO_ENVIRONMENT", "id"),
            ("GATEPASS_CISCO_CLIENT_ID", "abc"),
            ("GATEPASS_CISCO_BASE_URL", "http://127.0.0.1:9"),
        ];
        let run = variables(home.gatepass(["token", "cisco"]), &set).env(name, value).run();
        assert!(run.failed(2).contains("empty"), "{run:#?}");
    }
}
