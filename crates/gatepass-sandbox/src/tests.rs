//! Tests of the sandbox over real connections.

use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::{Client, Fault, Sandbox};

mod added_vendor;
mod browser;
mod connection;
mod control;
mod fuzz;
mod login;
mod login_faults;
mod vendors;

/// A parsed response.
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Reply {
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    fn token(&self) -> String {
        let json = self.json();
        let token = [&json["access_token"], &json["token"], &json["result"]["token"]];
        token.iter().find_map(|value| value.as_str()).unwrap_or_default().to_owned()
    }
}

/// Sends these bytes on one connection and returns everything the server writes.
async fn send_raw(port: u16, request: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
    stream.write_all(request).await?;
    let mut response = Vec::new();
    stream.read_to_end(&mut response).await?;
    Ok(response)
}

fn parse_reply(response: &[u8]) -> Reply {
    let text = String::from_utf8_lossy(response);
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Reply { status, head: head.to_owned(), body: body.to_owned() }
}

fn request(port: u16, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> String {
    let mut text = format!("{method} {path} HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\n");
    for (name, value) in headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    text.push_str(&format!("content-length: {}\r\nconnection: close\r\n\r\n{body}", body.len()));
    text
}

async fn send(
    sandbox: &Sandbox,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Reply {
    let request = request(sandbox.port(), method, path, headers, body);
    parse_reply(&send_raw(sandbox.port(), request.as_bytes()).await.unwrap())
}

async fn get(sandbox: &Sandbox, path: &str, token: &str) -> Reply {
    send(sandbox, "GET", path, &[("authorization", &format!("Bearer {token}"))], "").await
}

async fn post_form(sandbox: &Sandbox, path: &str, body: &str) -> Reply {
    let form = [("content-type", "application/x-www-form-urlencoded")];
    send(sandbox, "POST", path, &form, body).await
}

async fn control(sandbox: &Sandbox, endpoint: &str, body: &Value) -> Reply {
    send(sandbox, "POST", &format!("/_sandbox/{endpoint}"), &[], &body.to_string()).await
}

/// Returns a form with a client's id and secret.
fn client_form(client: &Client) -> String {
    let mut form = format!(
        "grant_type=client_credentials&client_id={}&client_secret={}",
        client.field("client_id").unwrap(),
        client.field("client_secret").unwrap()
    );
    if let Some(scope) = client.field("scope") {
        form.push_str(&format!("&scope={scope}"));
    }
    form
}

async fn cisco_token(sandbox: &Sandbox) -> Reply {
    let form = client_form(&sandbox.client("cisco").unwrap());
    post_form(sandbox, "/cisco/as/token.oauth2", &form).await
}
