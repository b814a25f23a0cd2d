//! The five vendors as test data: token path, profile, secrets, token response and API path.

use std::fmt::Write;

use crate::{Home, Reply, Server};

/// A vendor and its contract.
#[derive(Debug)]
#[non_exhaustive]
pub struct Vendor {
    /// The provider's id.
    pub id: &'static str,
    /// The path of the token endpoint below `base_url`.
    pub token_path: &'static str,
    /// The profile's keys other than secrets.
    pub texts: &'static [(&'static str, &'static str)],
    /// The names of the secrets.
    pub secrets: &'static [&'static str],
    /// The token response, with `TOKEN` in place of the token.
    pub response: &'static str,
    /// A harmless API path for `gatepass call`.
    pub api_path: &'static str,
}

/// The five vendors.
pub const VENDORS: [Vendor; 5] = [
    Vendor {
        id: "celerdata",
        token_path: "/api/1.0/token",
        texts: &[("client_id", "app-1")],
        secrets: &["client_secret"],
        response: r#"{"access_token":"TOKEN","expires_in":3600,"refresh_token":"REFRESH-7Q","token_type":"Bearer"}"#,
        api_path: "/api/1.0/clusters",
    },
    Vendor {
        id: "cisco",
        token_path: "/as/token.oauth2",
        texts: &[("environment", "cloudsso"), ("client_id", "app-1")],
        secrets: &["client_secret"],
        response: r#"{"access_token":"TOKEN","token_type":"Bearer","expires_in":3599}"#,
        api_path: "/hello",
    },
    Vendor {
        id: "cloudneeti",
        token_path: "/api/authorize/license/license-1/token",
        texts: &[("license_id", "license-1"), ("api_application_id", "app-1")],
        secrets: &["api_application_secret", "subscription_key"],
        response: r#"{"result":{"token":"TOKEN"},"statusCode":200,"message":"Request Successful"}"#,
        api_path: "/onboarding/license/license-1/licenseAccounts",
    },
    Vendor {
        id: "configapi",
        token_path: "/configapi/v2/oauth/token",
        texts: &[("client_id", "sheila.thomas"), ("host", "acme.brightpattern.com")],
        secrets: &["client_secret"],
        response: r#"{"access_token":"TOKEN","token_type":"Bearer","expires_in":"3599","scope":"acme.brightpattern.com",}"#,
        api_path: "/configapi/v2/phone/user",
    },
    Vendor {
        id: "huawei",
        token_path: "/api/v2/tenant/token",
        texts: &[("client_id", "app-1")],
        secrets: &["client_secret"],
        response: r#"{"access_token":"TOKEN","token_type":"Bearer","expires_in":1719,"scope":"all","id_token":"ID-7Q"}"#,
        api_path: "/api/v2/tenant/users",
    },
];

/// Returns the vendor with this id.
#[track_caller]
pub fn vendor(id: &str) -> &'static Vendor {
    static ALL: [Vendor; 5] = VENDORS;
    ALL.iter().find(|vendor| vendor.id == id).unwrap()
}

impl Vendor {
    /// Returns a profile named after the provider, at `base_url`, with literal secrets and `more` lines.
    pub fn profile(&self, base_url: &str, more: &str) -> String {
        self.profile_with(base_url, more, |name| format!("\"{name}-of-the-tests\""))
    }

    /// Returns the same profile with the TOML value of `secret` for each secret's name. A line of
    /// `more` replaces the profile's own line of that key.
    pub fn profile_with(
        &self,
        base_url: &str,
        more: &str,
        secret: impl Fn(&str) -> String,
    ) -> String {
        let mut text = format!("[profiles.{}]\nbase_url = \"{base_url}\"\n", self.id);
        let is_replaced =
            |name: &str| more.lines().any(|line| line.starts_with(&format!("{name} =")));
        for (name, value) in self.texts.iter().filter(|(name, _)| !is_replaced(name)) {
            writeln!(text, "{name} = \"{value}\"").unwrap();
        }
        for name in self.secrets {
            writeln!(text, "{name} = {}", secret(name)).unwrap();
        }
        text + more + "\n"
    }

    /// Returns the token response with this token.
    pub fn token_response(&self, token: &str) -> String {
        self.response.replace("TOKEN", token)
    }

    /// Starts a server with the tokens token-1, token-2, …, and returns it with a home that has a profile
    /// with `more` lines.
    pub fn counting(&'static self, more: &str) -> (Server, Home) {
        let response =
            |n, _: &_| Reply::json(200, self.token_response(&format!("token-{}", n + 1)));
        let server = Server::new(response);
        let home = Home::with_config(&self.profile(&server.url(), more));
        (server, home)
    }
}
