//! The control API under `/_sandbox/`: JSON over HTTP, for tests in any language.

use std::time::Duration;

use axum::{
    extract::{Path, Request, State},
    response::Response,
};
use serde_json::{Map, Value, json};

use crate::{
    client::{Client, NewClient},
    error::{Error, Result},
    faults::{Fault, TABLE},
    router::{App, own_response, small_body},
    state::SandboxState,
};

pub(crate) async fn respond(
    State(app): State<App>,
    Path(name): Path<String>,
    request: Request,
) -> Response {
    let method = request.method().as_str().to_owned();
    let Some(body) = small_body(request.into_body()).await else {
        return own_response(413, &json!({ "error": "the request is too large" }));
    };
    let mut state = app.memory.lock();
    let result = match (method.as_str(), name.as_str()) {
        ("GET", "state") => Ok(json!(state.snapshot())),
        ("GET", "requests") => Ok(json!({ "requests": state.log() })),
        ("GET", "faults") => Ok(list_faults(&state)),
        ("POST", "clients") => add_client(&mut state, &body),
        ("POST", "faults") => add_fault(&mut state, &body),
        ("POST", "time") => advance(&mut state, &body),
        ("POST", "revoke") => revoke(&mut state, &body),
        ("POST", "reset") => ControlRequest::read(&body, &[]).map(|_| {
            state.reset();
            json!({ "reset": true })
        }),
        (_, known) if ENDPOINTS.contains(&known) => {
            return own_response(
                405,
                &json!({ "error": format!("{known} does not allow this method") }),
            );
        }
        (_, unknown) => {
            let error = Error::unknown("control", unknown, ENDPOINTS.iter().copied());
            return own_response(404, &json!({ "error": error.to_string() }));
        }
    };
    match result {
        Ok(value) => own_response(200, &value),
        Err(error) => own_response(400, &json!({ "error": error.to_string() })),
    }
}

/// Handles `{"provider":"cisco","fields":{…},"ttl_seconds":60}`. All fields are optional; without
/// `provider`, every provider gets a client.
fn add_client(state: &mut SandboxState, body: &[u8]) -> Result<Value> {
    let input = ControlRequest::read(body, &["provider", "fields", "ttl_seconds"])?;
    let lifetime = input.integer("ttl_seconds")?.map(Duration::from_secs);
    let Some(provider) = input.text("provider")? else {
        let mut clients = Map::new();
        for vendor in state.known.clone().iter() {
            let client = Client { lifetime, ..Client::generated(vendor) };
            clients.insert(vendor.id.clone(), json!(client));
            state.add_client(client);
        }
        return Ok(json!({ "clients": clients }));
    };
    let mut new = NewClient::new(&provider);
    if let Some(lifetime) = lifetime {
        new = new.lifetime(lifetime);
    }
    match input.0.get("fields") {
        None | Some(Value::Null) => {}
        Some(Value::Object(fields)) => {
            for (name, value) in fields {
                let Value::String(value) = value else {
                    return Err(Error::usage(format!("{name} must be a string")));
                };
                new = new.field(name, value);
            }
        }
        Some(_) => return Err(Error::usage("fields must be an object")),
    }
    let client = new.build(&state.known)?;
    let response = json!({ "provider": provider, "fields": client });
    state.add_client(client);
    Ok(response)
}

/// Handles `{"provider":"cisco","fault":"status-503","times":3,"applies_to":"token"}`, with the
/// fault's own parameters as further members, and `{"clear":true}`.
fn add_fault(state: &mut SandboxState, body: &[u8]) -> Result<Value> {
    let own = ["provider", "fault", "times", "applies_to", "clear"];
    let params = || Fault::all().flat_map(|fault| fault.params.iter().copied());
    let known: Vec<&str> = own.into_iter().chain(params()).collect();
    let input = ControlRequest::read(body, &known)?;
    if input.flag("clear")? {
        state.faults.clear();
    }
    if let Some(name) = input.text("fault")? {
        let mut fault = Fault::new(name);
        if let Some(provider) = input.text("provider")? {
            fault = fault.provider(provider);
        }
        if let Some(times) = input.integer("times")? {
            fault = fault.times(u32::try_from(times).unwrap_or(u32::MAX));
        }
        if let Some(target) = input.text("applies_to")? {
            fault = fault.on(target.parse()?);
        }
        for (name, value) in &input.0 {
            match value {
                _ if own.contains(&name.as_str()) => {}
                Value::String(text) => fault = fault.param(name, text),
                Value::Number(number) => fault = fault.param(name, number.to_string()),
                _ => return Err(Error::usage(format!("{name} must be a string or a number"))),
            }
        }
        fault.check(&state.known)?;
        state.faults.add(fault);
    } else if !input.flag("clear")? {
        return Err(Error::usage("name a fault, or clear them: {\"clear\":true}"));
    }
    Ok(json!({ "waiting": armed_faults(state) }))
}

fn list_faults(state: &SandboxState) -> Value {
    let known: Vec<Value> = Fault::all()
        .map(|fault| {
            json!({
                "name": fault.name, "help": fault.help,
                "applies_to": fault.target.to_string(), "params": fault.params,
            })
        })
        .collect();
    debug_assert_eq!(known.len(), TABLE.len());
    json!({ "faults": known, "waiting": armed_faults(state) })
}

fn armed_faults(state: &SandboxState) -> Vec<Value> {
    let entry =
        |(name, provider, times)| json!({ "fault": name, "provider": provider, "times": times });
    state.faults.armed().map(entry).collect()
}

fn advance(state: &mut SandboxState, body: &[u8]) -> Result<Value> {
    let input = ControlRequest::read(body, &["advance_seconds"])?;
    let seconds = input.integer("advance_seconds")?;
    let seconds = seconds.ok_or_else(|| Error::usage("advance_seconds is missing"))?;
    state.clock.advance(Duration::from_secs(seconds));
    let advanced = state.clock.advanced().as_secs();
    Ok(json!({ "now": state.clock.now().as_secs(), "advanced_seconds": advanced }))
}

fn revoke(state: &mut SandboxState, body: &[u8]) -> Result<Value> {
    let input = ControlRequest::read(body, &["provider"])?;
    let mut revoked = 0;
    match input.text("provider")? {
        Some(provider) => revoked += state.revoke_all(&provider)?,
        None => {
            for vendor in state.known.clone().iter() {
                revoked += state.revoke_all(&vendor.id)?;
            }
        }
    }
    Ok(json!({ "revoked": revoked }))
}

/// A posted object whose members are all known.
struct ControlRequest(Map<String, Value>);

impl ControlRequest {
    fn read(body: &[u8], known: &[&str]) -> Result<Self> {
        if body.is_empty() {
            return Ok(Self(Map::new()));
        }
        let Ok(Value::Object(members)) = serde_json::from_slice(body) else {
            return Err(Error::usage("the request is not a JSON object"));
        };
        match members.keys().find(|name| !known.contains(&name.as_str())) {
            Some(name) => Err(Error::unknown("field", name, known.iter().copied())),
            None => Ok(Self(members)),
        }
    }

    fn text(&self, name: &str) -> Result<Option<String>> {
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(_) => Err(Error::usage(format!("{name} must be a string"))),
        }
    }

    fn integer(&self, name: &str) -> Result<Option<u64>> {
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => {
                let number = value.as_u64();
                number
                    .map(Some)
                    .ok_or_else(|| Error::usage(format!("{name} must be a whole number")))
            }
        }
    }

    fn flag(&self, name: &str) -> Result<bool> {
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(false),
            Some(Value::Bool(flag)) => Ok(*flag),
            Some(_) => Err(Error::usage(format!("{name} must be true or false"))),
        }
    }
}

const ENDPOINTS: &[&str] = &["state", "requests", "faults", "clients", "time", "revoke", "reset"];
