//! `gatepass call`: an API request with a fresh token.

use std::io::Read;
use std::process::ExitCode;

use bytes::Bytes;
use gatepass::{ApiAnswer, Authorize, Endpoint, Error, HttpClient, Refusal, Token, TokenSource};
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};

use super::{gate_with_store, profile};
use crate::args::{CallArgs, Common, Format};
use crate::failure::{Failure, usage};
use crate::output::Output;
use crate::wait::patiently;

pub(crate) async fn run(
    args: &CallArgs,
    common: &Common,
    output: &Output,
) -> Result<ExitCode, Failure> {
    output.format(&[Format::Text, Format::Json])?;
    let request = Request::read(args)?;
    let gate = gate_with_store(common, output)?;
    let profile = profile(&gate, &args.profile, common, output)?;
    let target = profile.api_endpoint(profile.provider()?.as_ref(), &request.target)?;
    let (http, source) = (gate.http(&profile)?, gate.open(&profile)?);
    let token = patiently(args.wait.wait, &source, output, || source.token()).await?;
    output.warn_of(&args.profile, &token);
    let call = Call { request, target, http: &http, source: &source };
    let mut answer = call.send(&token).await?;
    // One fresh token, one retry: a second refusal is the API's own.
    if call.is_refused(&mut answer).await? {
        source.invalidate(&token);
        let token = patiently(args.wait.wait, &source, output, || source.token()).await?;
        answer = call.send(&token).await?;
    }
    if args.include {
        output.bytes(&answer.head())?;
    }
    output.bytes(&std::mem::take(&mut answer.begun))?;
    while let Some(chunk) = answer.body.chunk().await? {
        output.bytes(&chunk)?;
    }
    Ok(if args.fail { ExitCode::from(exit_of(answer.status)) } else { ExitCode::SUCCESS })
}

fn exit_of(status: StatusCode) -> u8 {
    match status.as_u16() {
        401 | 403 => 3,
        429 => 5,
        400.. => 6,
        _ => 0,
    }
}

/// What the user asked for.
struct Request {
    method: Method,
    target: String,
    headers: HeaderMap,
    body: Bytes,
}

impl Request {
    fn read(args: &CallArgs) -> Result<Self, Failure> {
        let (method, target) = match args.request.as_slice() {
            [method, target] => (Some(method), target),
            [target] => (None, target),
            _ => return Err(usage("a path or address is missing", "gatepass call cisco /hello")),
        };
        let method = match method {
            None if args.data.is_some() => Method::POST,
            None => Method::GET,
            Some(method) => Method::from_bytes(method.to_uppercase().as_bytes())
                .ok()
                .filter(|_| method.bytes().all(|b| b.is_ascii_alphabetic()))
                .ok_or_else(|| usage("that is not a method", "gatepass call cisco GET /hello"))?,
        };
        let body = args.data.as_deref().map(read_data).transpose()?.unwrap_or_default();
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        if args.data.is_some() {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        for header in &args.headers {
            let parsed = header.split_once(':').and_then(|(name, value)| {
                let name = HeaderName::from_bytes(name.trim().as_bytes()).ok()?;
                Some((name, HeaderValue::from_str(value.trim()).ok()?))
            });
            let (name, value) =
                parsed.ok_or_else(|| usage("-H wants 'Name: value'", "-H 'X-Trace: 1'"))?;
            headers.insert(name, value);
        }
        Ok(Self { method, target: target.clone(), headers, body })
    }
}

/// A text, `@FILE`, or `@-` for stdin.
fn read_data(data: &str) -> Result<Bytes, Failure> {
    let Some(path) = data.strip_prefix('@') else {
        return Ok(Bytes::copy_from_slice(data.as_bytes()));
    };
    let mut bytes = Vec::new();
    let read = if path == "-" {
        std::io::stdin().lock().read_to_end(&mut bytes)
    } else {
        std::fs::File::open(path).and_then(|mut file| file.read_to_end(&mut bytes))
    };
    match read {
        Ok(_) => Ok(bytes.into()),
        Err(error) => Err(usage(
            format!("-d: cannot read {path}: {}", error.kind()),
            "-d @FILE, or -d @- for stdin",
        )),
    }
}

struct Call<'a> {
    request: Request,
    target: Endpoint,
    http: &'a HttpClient,
    source: &'a TokenSource,
}

/// An API's answer, of which `begun` has been read.
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    begun: Bytes,
    body: gatepass::Body,
}

impl Call<'_> {
    async fn send(&self, token: &Token) -> Result<Answer, Error> {
        let mut request = http::Request::new(self.request.body.clone());
        *request.uri_mut() = self.target.to_uri()?;
        self.source.check(request.uri())?;
        *request.method_mut() = self.request.method.clone();
        *request.headers_mut() = self.request.headers.clone();
        // Last, so that no header of the user's stands where the token belongs.
        self.source.authorize(token, request.headers_mut()).await?;
        let (parts, body) = self.http.call(request, None).await?.into_parts();
        Ok(Answer { status: parts.status, headers: parts.headers, begun: Bytes::new(), body })
    }

    async fn is_refused(&self, answer: &mut Answer) -> Result<bool, Error> {
        let provider = self.source.provider();
        let refusal = provider.is_refusal(&ApiAnswer::new(answer.status, &answer.headers));
        if refusal != Refusal::NeedsBody {
            return Ok(refusal == Refusal::Yes);
        }
        let mut begun = Vec::new();
        while begun.len() < 64 * 1024 {
            let Some(chunk) = answer.body.chunk().await? else { break };
            begun.extend_from_slice(&chunk);
        }
        answer.begun = begun.into();
        let whole = ApiAnswer::new(answer.status, &answer.headers).with_body(&answer.begun);
        Ok(provider.is_refusal(&whole) == Refusal::Yes)
    }
}

impl Answer {
    fn head(&self) -> Vec<u8> {
        let mut head = format!("HTTP/1.1 {}\r\n", self.status).into_bytes();
        for (name, value) in &self.headers {
            head.extend_from_slice(name.as_str().as_bytes());
            head.extend_from_slice(b": ");
            head.extend_from_slice(value.as_bytes());
            head.extend_from_slice(b"\r\n");
        }
        head.extend_from_slice(b"\r\n");
        head
    }
}
