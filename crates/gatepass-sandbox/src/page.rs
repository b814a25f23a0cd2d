//! The HTML pages of a login: login form, consent form, error page. They have no scripts and load
//! no external resources.

use crate::{random, redirect, response::SandboxResponse};

/// A page whose form leads to a redirect to the client.
pub(crate) struct Page<'a> {
    pub(crate) vendor: &'a str,
    pub(crate) redirect_uri: &'a str,
}

impl Page<'_> {
    pub(crate) fn login(&self, message: Option<&str>) -> SandboxResponse {
        let body = format!(
            r#"<h1>Log in to {vendor}</h1>
<p>This is a sandbox on your own machine, not {vendor}. Log in as <code>{TEST_USER}</code> with the
password <code>{TEST_USER}</code>.</p>
{message}<form method="post">
<label for="username">User name</label>
<input id="username" name="username" autocomplete="username" autocapitalize="none"
 spellcheck="false" required autofocus>
<label for="password">Password</label>
<input id="password" name="password" type="password" autocomplete="current-password" required>
<div class="choice"><button id="login">Log in</button></div>
</form>"#,
            vendor = escape_html(self.vendor),
            message = alert(message),
        );
        page(200, &format!("Log in to {}", self.vendor), &body, &self.form_action())
    }

    pub(crate) fn consent(
        &self,
        client: &str,
        form_token: &str,
        message: Option<&str>,
    ) -> SandboxResponse {
        let body = format!(
            r#"<h1>Allow this client?</h1>
{message}<p>The client <code>{client}</code> asks {vendor} for a token in your name.</p>
<p>The token goes to <code>{to}</code></p>
<form method="post">
<input type="hidden" name="form_token" value="{form_token}">
<div class="choice"><button id="allow" name="decision" value="allow">Allow</button>
<button id="deny" name="decision" value="deny" class="quiet">Deny</button></div>
</form>
<p class="note">Logged in as <code>{TEST_USER}</code> in a sandbox on this machine.</p>"#,
            message = alert(message),
            client = escape_html(client),
            vendor = escape_html(self.vendor),
            to = escape_html(self.redirect_uri),
            form_token = escape_html(form_token),
        );
        page(200, &format!("{} asks for your consent", self.vendor), &body, &self.form_action())
    }

    /// Returns the response to a form: a redirect, so that back and reload do not submit it again.
    pub(crate) fn see_other(&self, address: &str) -> SandboxResponse {
        page(303, "Logged in", "", &self.form_action()).with("location", address)
    }

    /// Returns the `form-action` sources. They include the client, because browsers also apply them to
    /// the redirect after a form.
    fn form_action(&self) -> String {
        let default = "'self' http://127.0.0.1:* http://localhost:*";
        match redirect::policy_source(self.redirect_uri) {
            source if default.split(' ').any(|known| known == source) => default.to_owned(),
            source => format!("{default} {source}"),
        }
    }
}

/// Returns an error page without a redirect.
pub(crate) fn refused(vendor: &str, status: u16, text: &str) -> SandboxResponse {
    let body = format!(
        "<h1>{}: invalid request</h1>\n{}<p>The request was not sent on. This is a sandbox on \
         your own machine.</p>",
        escape_html(vendor),
        alert(Some(text)),
    );
    page(status, &format!("{vendor}: invalid request"), &body, "'none'")
}

/// Returns the page that ends a login.
pub(crate) fn login_finished() -> SandboxResponse {
    let body = "<h1>Done</h1>\n<p id=\"message\" role=\"status\">You may close this window.</p>";
    page(200, "Done", body, "'none'")
}

fn page(status: u16, title: &str, body: &str, form_action: &str) -> SandboxResponse {
    let nonce = random::text(random::MIXED, 22);
    let policy = format!(
        "default-src 'none'; style-src 'nonce-{nonce}'; form-action {form_action}; \
         base-uri 'none'; frame-ancestors 'none'"
    );
    let title = escape_html(title);
    let html = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n<title>{title}</title>\n\
         <style nonce=\"{nonce}\">\n{STYLE}</style>\n</head>\n<body>\n<main>\n{body}\n</main>\n\
         </body>\n</html>\n"
    );
    SandboxResponse::new(status, "text/html; charset=utf-8", html)
        .with("cache-control", "no-store")
        .with("content-security-policy", policy)
        .with("referrer-policy", "same-origin")
        .with("x-content-type-options", "nosniff")
        .with("x-frame-options", "DENY")
}

fn alert(message: Option<&str>) -> String {
    let alert = |text| format!("<p id=\"message\" role=\"alert\">{}</p>\n", escape_html(text));
    message.map(alert).unwrap_or_default()
}

/// Escapes text for HTML content and quoted attributes.
fn escape_html(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            c => safe.push(c),
        }
    }
    safe
}

/// The user name and the password of the only user.
pub(crate) const TEST_USER: &str = "sandbox";

const STYLE: &str = "\
:root { color-scheme: light dark; --line: light-dark(#70757d, #8d939c); \
--accent: light-dark(#0b57d0, #a8c7fa); --on-accent: light-dark(#fff, #062e6f); \
--bad: light-dark(#b3261e, #f2b8b5); }
body { margin: 0; min-height: 100vh; display: grid; place-items: center; \
font: 1rem/1.5 system-ui, sans-serif; background: light-dark(#f3f4f6, #17191c); \
color: light-dark(#1b1d21, #e4e6ea); }
main { box-sizing: border-box; width: min(26rem, 100% - 2rem); margin: 1rem; padding: 2rem; \
border-radius: .75rem; background: light-dark(#fff, #212429); \
box-shadow: 0 1px 3px light-dark(#0003, #000a); }
h1 { margin: 0 0 1rem; font-size: 1.5rem; line-height: 1.25; }
p { margin: 0 0 1rem; overflow-wrap: anywhere; }
code { font-size: .95em; overflow-wrap: anywhere; }
label { display: block; margin: 1rem 0 .25rem; font-weight: 600; }
input { box-sizing: border-box; width: 100%; padding: .6rem .75rem; font: inherit; \
border: 1px solid var(--line); border-radius: .4rem; }
.choice { display: flex; gap: .75rem; margin-top: 1.5rem; }
button { flex: 1; padding: .65rem 1rem; font: inherit; font-weight: 600; cursor: pointer; \
border: 1px solid var(--accent); border-radius: .4rem; background: var(--accent); \
color: var(--on-accent); }
button.quiet { background: none; color: var(--accent); }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
#message[role=alert] { padding: .6rem .75rem; border: 1px solid var(--bad); \
border-radius: .4rem; color: var(--bad); }
.note { margin-top: 1.5rem; font-size: .875rem; } \
main > :last-child { margin-bottom: 0; }
";
