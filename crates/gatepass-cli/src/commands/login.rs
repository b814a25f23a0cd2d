//! `gatepass login`: gets a token by a login in the browser.

use std::cell::RefCell;
use std::process::ExitCode;
use std::time::Duration;

use gatepass::clock::{Clock, SystemClock};
use gatepass::config::Profile;
use gatepass::login::{Login, RedirectUri};
use gatepass::provider::ProviderInfo;
use gatepass::{Error, Gate, Hint, Token};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;
use tokio::time::{Instant, interval_at, sleep_until};

use crate::browser;
use crate::callback::{CallbackAddress, CallbackEvent, CallbackServer, LoginResultPage};
use crate::error::{CommandError, usage};
use crate::options::{Common, Format, duration};
use crate::output::{Output, format_duration, rfc3339};
use crate::prompt;
use crate::quote::command_line;
use crate::session::{open_gate, open_profile, open_store};

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  gatepass login cisco                open the browser, wait for the login, store the token
  gatepass login cisco --paste        open no port: paste the address that the login ends at
  gatepass token cisco                print the token, until it expires")]
pub(crate) struct LoginArgs {
    /// The profile, with grant = "implicit"
    profile: String,
    #[command(flatten)]
    options: LoginOptions,
}

/// How the vendor's response gets from the browser to the command.
#[derive(Clone, Copy, Debug, clap::Args)]
pub(crate) struct LoginOptions {
    /// Ask for the address that the login ends at, if the port cannot be used or the browser runs
    /// on another machine
    #[arg(long, conflicts_with = "no_browser")]
    paste: bool,
    /// Print the address instead of opening a browser; open it yourself, on this machine
    #[arg(long)]
    no_browser: bool,
    /// How long to wait for the login, at most 5m
    #[arg(long, value_name = "DURATION", value_parser = duration, default_value = "5m")]
    wait: Duration,
}

/// The longest time that the callback port stays open (RFC 8252 section 8.3).
const MAX_WAIT: Duration = Duration::from_secs(300);

pub(crate) async fn run(
    args: &LoginArgs,
    common: &Common,
    output: &Output,
) -> Result<ExitCode, CommandError> {
    let format = output.format(&[Format::Text, Format::Json])?;
    if args.options.wait > MAX_WAIT {
        return Err(usage(
            "--wait is longer than 5m",
            "a login may take 5m at most; if it times out, run the command again",
        ));
    }
    let gate = open_gate(common)?;
    let Some(store) = open_store(&gate, output) else {
        return Err(usage(
            "there is no state directory to store the token in",
            "set GATEPASS_STATE_DIR to a directory that only you can read",
        ));
    };
    let gate = gate.with_store(store);
    let profile = open_profile(&gate, &args.profile, common, output)?;
    let token = log_in(&gate, &profile, args.options, output).await?;
    let seconds = token.remaining(SystemClock::new().wall()).as_secs();
    output.warn_token(&profile.name, &token);
    match format {
        Format::Json => output.json(&json!({
            "event": "logged_in",
            "profile": profile.name,
            "provider": profile.info().id,
            "expires_at": rfc3339(token.expires_at()),
            "expires_in": seconds,
        }))?,
        _ => {
            let print = command_line(&["token", &profile.name], common.config.as_deref());
            output.status(&format!(
                "gatepass: {}: logged in, the token is valid for {}; print it with: {}",
                profile.name,
                format_duration(Duration::from_secs(seconds)),
                print
            ));
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Runs one login, and returns the token when it is stored.
pub(super) async fn log_in(
    gate: &Gate,
    profile: &Profile,
    options: LoginOptions,
    output: &Output,
) -> Result<Token, CommandError> {
    if profile.options.persist == Some(false) {
        return Err(named(
            profile,
            Error::config("persist = false: the token of a login could not be stored"),
        )
        .hint("remove persist from the profile: the token is stored encrypted")
        .into());
    }
    let source = gate.open(profile)?;
    let is_other_grant = source.provider().interactive().is_none() && has_logins(profile.info());
    let login = source.login().await.map_err(|error| match is_other_grant {
        true => {
            let hint = "this vendor supports logins: set grant = \"implicit\" in the profile";
            error.with_hints([Hint::new(hint)])
        }
        false => error,
    })?;
    output.warn(&format!("{}: {IMPLICIT_WARNING}", profile.name));
    if options.paste {
        return paste(gate, profile, login, output).await;
    }
    let address = callback_address(login.redirect_uri()).ok_or_else(|| {
        named(profile, Error::config("the redirect_uri is not an address of this machine"))
            .hint(Hint::gatepass("paste the address instead", ["login", &profile.name, "--paste"]))
    })?;
    let server = CallbackServer::open(&address).await.map_err(|error| {
        named(
            profile,
            Error::internal(format!("cannot listen on port {}: {}", address.port, error)),
        )
        .hint("another program may use the port, or only root may open it (below 1024)")
        .hint(Hint::gatepass("log in without a port", ["login", &profile.name, "--paste"]))
    })?;
    let login = login.with_port(server.port());
    wait_for_browser(gate, profile, server, login, options, output).await
}

/// The warning of every login (RFC 9700 section 2.1.2).
const IMPLICIT_WARNING: &str = "the implicit grant passes the token through the browser, \
                                without proof that it was issued to this program: prefer grant = \
                                \"client_credentials\" if a login is not needed";

async fn wait_for_browser(
    gate: &Gate,
    profile: &Profile,
    server: CallbackServer,
    login: Login,
    options: LoginOptions,
    output: &Output,
) -> Result<Token, CommandError> {
    let url = login.url();
    print_url(&url, options.wait, output)?;
    if !options.no_browser
        && let Err(error) = browser::open(server.start_url())
    {
        output.warn(&format!("cannot open a browser ({error}): open the address yourself"));
    }
    let timed_out = login.timed_out(options.wait);
    let progress = Progress::start(output, options.wait);
    // Show each event once: a program that floods the port could scroll the address off the
    // screen.
    let shown = RefCell::new(Vec::new());
    let on_event = |event| {
        if shown.borrow().contains(&event) {
            return;
        }
        shown.borrow_mut().push(event);
        match event {
            CallbackEvent::Opened => {
                progress.print(output, "the browser has opened the vendor's page")
            }
            CallbackEvent::EmptyResponse => progress.print(
                output,
                "the browser returned without a response, and the login still waits: check \
                 redirect_uri and client_id, and that the vendor's console allows the implicit \
                 grant",
            ),
            CallbackEvent::ForeignResponse => progress.print(
                output,
                "rejected a response with another `state`, and the login still waits: it belongs \
                 to another login or to an attack",
            ),
            CallbackEvent::Rejected(reason) => {
                progress.print(output, &format!("rejected a request to the port: {reason}"));
            }
        }
    };
    let expected = login.expected_state();
    let is_expected = move |response: &str| expected.matches(response);
    let finish = async |response: zeroize::Zeroizing<String>| {
        let outcome = finish_login(gate, profile, login, &response).await;
        (result_page(profile, &outcome), outcome)
    };
    let end = Instant::now() + options.wait;
    let outcome = tokio::select! {
        outcome = server.wait_for_response(&url, is_expected, on_event, finish) => outcome,
        () = progress.count_down(end) => Err(timed_out.into()),
    };
    progress.finish();
    outcome
}

async fn paste(
    gate: &Gate,
    profile: &Profile,
    login: Login,
    output: &Output,
) -> Result<Token, CommandError> {
    // Redirect the browser to a port that was free a moment ago, so that no server receives the
    // response.
    let free = std::net::TcpListener::bind((std::net::Ipv4Addr::LOCALHOST, 0));
    let login = match free.and_then(|listener| listener.local_addr()) {
        Ok(address) => login.with_port(address.port()),
        Err(_) => login,
    };
    print_url(&login.url(), MAX_WAIT, output)?;
    output.status(
        "Log in there. The last page will probably fail to load, which is expected.\n\
         Copy its whole address from the address bar and paste it here; the input is hidden.",
    );
    let address = prompt::hidden(output, "address: ").await?;
    finish_login(gate, profile, login, &address).await
}

/// Turns the response into a token, and checks that the next command will find it in the store.
async fn finish_login(
    gate: &Gate,
    profile: &Profile,
    login: Login,
    response: &str,
) -> Result<Token, CommandError> {
    let token = login.finish(response).await?;
    let source = gate.open(profile)?;
    match source.token().await {
        // Another login of the profile may have stored a later token since.
        Ok(stored) if stored.issued_at() >= token.issued_at() => Ok(token),
        _ => Err(named(profile, Error::internal("the token could not be stored"))
            .hint("-v shows the reason; check the owner of GATEPASS_STATE_DIR and its disk space")
            .into()),
    }
}

/// Prints the address to open: as JSON on stdout, else on stderr, even with --quiet.
fn print_url(url: &str, wait: Duration, output: &Output) -> Result<(), CommandError> {
    match output.is_json() {
        true => output.json(&json!({"event": "open", "url": url, "expires_in": wait.as_secs()})),
        false => {
            output.ask(&format!("gatepass: open this address to log in:\n\n  {url}\n\n"));
            Ok(())
        }
    }
}

fn result_page(profile: &Profile, outcome: &Result<Token, CommandError>) -> LoginResultPage {
    match outcome {
        Ok(token) => LoginResultPage {
            is_success: true,
            title: String::from("You are logged in"),
            text: format!(
                "gatepass has a token for {} ({}), valid for {}.",
                profile.name,
                profile.info().title,
                format_duration(token.remaining(SystemClock::new().wall()))
            ),
        },
        Err(error) => {
            let hint = error.hints().first().map(|hint| format!(" – {hint}")).unwrap_or_default();
            LoginResultPage {
                is_success: false,
                title: String::from("The login failed"),
                text: format!("{}{hint}", error.message()),
            }
        }
    }
}

fn callback_address(redirect_uri: &RedirectUri) -> Option<CallbackAddress> {
    redirect_uri.is_loopback().then(|| CallbackAddress {
        host: redirect_uri.host().to_owned(),
        port: redirect_uri.port(),
        path: redirect_uri.path().to_owned(),
    })
}

/// Returns whether a provider has a grant type for logins.
pub(super) fn has_logins(info: &ProviderInfo) -> bool {
    info.fields.iter().any(|field| field.is_only_with("grant", "implicit"))
}

fn named(profile: &Profile, error: Error) -> Error {
    error.with_provider(&profile.info().id).with_profile(&profile.name)
}

/// Progress of the wait: a count-down on a terminal, else one line.
struct Progress(Option<ProgressBar>);

impl Progress {
    fn start(output: &Output, wait: Duration) -> Self {
        if !output.is_interactive() {
            output.status(&format!("gatepass: waiting for the browser, {}", format_duration(wait)));
            return Self(None);
        }
        let bar = ProgressBar::new_spinner();
        if let Ok(style) = ProgressStyle::with_template("{spinner} {msg}") {
            bar.set_style(style);
        }
        bar.enable_steady_tick(Duration::from_millis(100));
        Self(Some(bar))
    }

    /// Shows the remaining time until `end`, and returns then.
    async fn count_down(&self, end: Instant) {
        let Some(bar) = &self.0 else { return sleep_until(end).await };
        let mut seconds = interval_at(Instant::now(), Duration::from_secs(1));
        loop {
            let remaining = end.saturating_duration_since(Instant::now());
            let text = format_duration(Duration::from_secs(remaining.as_secs_f64().ceil() as u64));
            bar.set_message(format!("waiting for the browser, {text} left (Ctrl-C stops it)"));
            tokio::select! {
                () = sleep_until(end) => return,
                _ = seconds.tick() => {}
            }
        }
    }

    fn print(&self, output: &Output, text: &str) {
        let print = || output.status(&format!("gatepass: {text}"));
        match &self.0 {
            Some(bar) => bar.suspend(print),
            None => print(),
        }
    }

    fn finish(&self) {
        if let Some(bar) = &self.0 {
            bar.finish_and_clear();
        }
    }
}
