//! A test browser for the login pages: keeps the cookie, submits forms and reads redirects.

use super::*;
use crate::vendor_request::pairs;

pub(super) struct Browser<'a> {
    pub(super) sandbox: &'a Sandbox,
    pub(super) cookie: String,
}

impl<'a> Browser<'a> {
    pub(super) fn new(sandbox: &'a Sandbox) -> Self {
        Self { sandbox, cookie: String::new() }
    }

    /// Returns a browser that is logged in at the page's vendor.
    pub(super) async fn logged_in(sandbox: &'a Sandbox, page: &str) -> Self {
        let mut browser = Self::new(sandbox);
        let logged_in = browser.post(page, "username=sandbox&password=sandbox").await;
        assert_eq!((logged_in.status, logged_in.header("location")), (303, Some(page)));
        browser
    }

    pub(super) async fn visit(&self, page: &str) -> Reply {
        send(self.sandbox, "GET", page, &[("cookie", &self.cookie)], "").await
    }

    pub(super) async fn post(&mut self, page: &str, form: &str) -> Reply {
        let headers = [
            ("cookie", &*self.cookie),
            ("content-type", "application/x-www-form-urlencoded"),
            ("origin", self.sandbox.url()),
        ];
        let reply = send(self.sandbox, "POST", page, &headers, form).await;
        if let Some(cookie) = reply.header("set-cookie") {
            self.cookie = cookie.split(';').next().unwrap().to_owned();
        }
        reply
    }

    /// Opens the page and submits its consent form.
    pub(super) async fn decide(&mut self, page: &str, decision: &str) -> Reply {
        let form_token = form_token(&self.visit(page).await);
        self.post(page, &format!("form_token={form_token}&decision={decision}")).await
    }
}

pub(super) fn form_token(consent: &Reply) -> String {
    let (_, rest) = consent.body.split_once(r#"name="form_token" value=""#).unwrap();
    rest.split('"').next().unwrap().to_owned()
}

/// Returns Cisco's authorization page for its first client, with a state.
pub(super) fn cisco(sandbox: &Sandbox) -> String {
    page(sandbox, "cisco", "response_type=token&state=state-1")
}

/// Returns a vendor's authorization page for its first client.
pub(super) fn page(sandbox: &Sandbox, provider: &str, query: &str) -> String {
    let client = sandbox.client(provider).unwrap();
    let id = client.field("client_id").unwrap();
    let (path, redirect_uri) = match provider {
        "cisco" => ("as/authorization.oauth2", "My_ITK_Application%2Findex.html"),
        _ => ("api/v1/oauth2/authorize", "callback"),
    };
    let redirect_uri = format!("http%3A%2F%2F127.0.0.1%3A4321%2F{redirect_uri}");
    format!(
        "/{provider}/{path}?client_id={id}&redirect_uri={redirect_uri}&{}",
        query.replace(' ', "%20")
    )
}

/// Returns the redirect's address and the members of its fragment.
pub(super) fn read_redirect(reply: &Reply) -> (String, Vec<(String, String)>) {
    assert_eq!(reply.status, 302, "{}", reply.body);
    assert_eq!(reply.header("cache-control"), Some("no-store"));
    assert_eq!(reply.header("referrer-policy"), Some("no-referrer"));
    let (to, fragment) = reply.header("location").unwrap().split_once('#').unwrap();
    (to.to_owned(), pairs(fragment.as_bytes()))
}

/// Returns the names of the members in order.
pub(super) fn names(members: &[(String, String)]) -> String {
    members.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(" ")
}
