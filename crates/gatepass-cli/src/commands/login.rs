//! `gatepass login`: a person with a browser brings the token.

use std::cell::RefCell;
use std::process::ExitCode;
use std::time::Duration;

use gatepass::{Clock, Error, Gate, Login, Profile, ProviderInfo, RedirectUri, SystemClock, Token};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;
use tokio::time::{Instant, interval_at, sleep_until};

use crate::browser;
use crate::callback::{Landing, Notice, Place, Verdict};
use crate::error::{CommandError, usage};
use crate::next::naming;
use crate::options::{Common, Format, duration};
use crate::output::{Output, format_duration, rfc3339};
use crate::prompt;
use crate::session::{open_gate, open_profile, open_store};

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  gatepass login cisco                the browser opens, you log in, the token is kept
  gatepass login cisco --paste        no port is opened: you paste the address you come to
  gatepass token cisco                prints the token, until it ends")]
pub(crate) struct LoginArgs {
    /// The profile, with grant = "implicit"
    profile: String,
    #[command(flatten)]
    way: Way,
}

/// How the person and the answer come together.
#[derive(Clone, Copy, Debug, clap::Args)]
pub(crate) struct Way {
    /// Reads the address that the browser has come to from you, for a port that cannot be had or a
    /// browser on another machine
    #[arg(long, conflicts_with = "no_browser")]
    paste: bool,
    /// Opens no browser; open the printed address yourself, on this machine
    #[arg(long)]
    no_browser: bool,
    /// How long to wait for you, 5 minutes at most
    #[arg(long, value_name = "DURATION", value_parser = duration, default_value = "5m")]
    wait: Duration,
}

/// A port that waits for an answer is closed after this time (RFC 8252 section 8.3).
const LONGEST: Duration = Duration::from_secs(300);

pub(crate) async fn run(
    args: &LoginArgs,
    common: &Common,
    output: &Output,
) -> Result<ExitCode, CommandError> {
    let format = output.format(&[Format::Text, Format::Json])?;
    if args.way.wait > LONGEST {
        return Err(usage("--wait: no login takes longer than 5m", "begin again instead"));
    }
    let gate = open_gate(common)?;
    let Some(store) = open_store(&gate, output) else {
        return Err(usage(
            "there is no place to keep the token in",
            "set GATEPASS_STATE_DIR to a folder that only you can read",
        ));
    };
    let gate = gate.with_store(store);
    let profile = open_profile(&gate, &args.profile, common, output)?;
    let token = log_in(&gate, &profile, args.way, output).await?;
    let seconds = token.remaining(SystemClock::new().wall()).as_secs();
    output.warn_token(&profile.name, &token);
    match format {
        Format::Json => output.json(&json!({
            "event": "logged_in",
            "profile": profile.name,
            "provider": profile.info.id,
            "expires_at": rfc3339(token.expires_at()),
            "expires_in": seconds,
        }))?,
        _ => {
            let print = format!("gatepass token {}", profile.name);
            output.status(&format!(
                "gatepass: {}: logged in for {}; {} prints the token",
                profile.name,
                format_duration(Duration::from_secs(seconds)),
                naming(&print, common.config.as_deref())
            ));
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// One login from its beginning to the kept token.
pub(super) async fn log_in(
    gate: &Gate,
    profile: &Profile,
    way: Way,
    output: &Output,
) -> Result<Token, CommandError> {
    if profile.options.persist == Some(false) {
        return Err(named(profile, Error::config("persist = false keeps no token to log in for"))
            .with_hint("take it out of the profile: the token is kept encrypted")
            .into());
    }
    let source = gate.open(profile)?;
    let is_other_grant = source.provider().interactive().is_none() && has_logins(profile.info);
    let login = source.login().await.map_err(|error| match is_other_grant {
        true => error.with_hint("this vendor has logins: set grant = \"implicit\" in the profile"),
        false => error,
    })?;
    output.warn(&format!("{}: {WEAK}", profile.name));
    if way.paste {
        return paste(gate, profile, login, output).await;
    }
    let place = place(login.redirect_uri()).ok_or_else(|| {
        named(profile, Error::config("the redirect_uri is not on this machine"))
            .with_hint(format!("gatepass login {} --paste", profile.name))
    })?;
    let landing = Landing::open(&place).await.map_err(|error| {
        named(profile, Error::internal(format!("cannot listen on port {}: {}", place.port, error)))
            .with_hint(format!(
                "is it in use, or a port below 1024 that only root may open? `gatepass login {} \
                 --paste` needs no port",
                profile.name
            ))
    })?;
    let login = login.with_port(landing.port());
    listen(gate, profile, landing, login, way, output).await
}

/// One line, once a login (RFC 9700 section 2.1.2).
const WEAK: &str = "the implicit grant hands the token to the browser, and nothing proves that it \
                    was meant for this program: prefer grant = \"client_credentials\" where a \
                    person is not needed";

async fn listen(
    gate: &Gate,
    profile: &Profile,
    landing: Landing,
    login: Login,
    way: Way,
    output: &Output,
) -> Result<Token, CommandError> {
    let url = login.url();
    show(&url, way.wait, output)?;
    if !way.no_browser
        && let Err(error) = browser::open(landing.start_url())
    {
        output.warn(&format!("no browser could be opened ({error}): open the address yourself"));
    }
    let late = login.timed_out(way.wait);
    let progress = Progress::begin(output, way.wait);
    // Each once: whoever knocks without end could push the address off the screen.
    let told = RefCell::new(Vec::new());
    let notice = |notice| {
        if told.borrow().contains(&notice) {
            return;
        }
        told.borrow_mut().push(notice);
        match notice {
        Notice::Opened => progress.say(output, "the browser is at the vendor"),
        Notice::Empty => progress.say(
            output,
            "the browser came back with no answer, and the login goes on: check redirect_uri and \
             client_id, and in the vendor's console that the implicit grant is allowed",
        ),
        Notice::Refused(why) => progress.say(output, &format!("a request was turned away: {why}")),
        }
    };
    let judge = async |answer: zeroize::Zeroizing<String>| {
        let outcome = finish(gate, profile, login, &answer).await;
        (verdict(profile, &outcome), outcome)
    };
    let end = Instant::now() + way.wait;
    let outcome = tokio::select! {
        outcome = landing.answer(&url, notice, judge) => outcome,
        () = progress.count_down(end) => Err(late.into()),
    };
    progress.end();
    outcome
}

async fn paste(
    gate: &Gate,
    profile: &Profile,
    login: Login,
    output: &Output,
) -> Result<Token, CommandError> {
    // The browser is to come to a port where nobody answers.
    let free = std::net::TcpListener::bind((std::net::Ipv4Addr::LOCALHOST, 0));
    let login = match free.and_then(|listener| listener.local_addr()) {
        Ok(address) => login.with_port(address.port()),
        Err(_) => login,
    };
    show(&login.url(), LONGEST, output)?;
    output.status(
        "Log in there. The page that you come to in the end may fail to load: that is right.\n\
         Copy its whole address from the address bar and paste it here; it is not shown.",
    );
    let address = prompt::hidden(output, "address: ").await?;
    finish(gate, profile, login, &address).await
}

/// Reads the answer, and makes sure that the token is where the next command finds it.
async fn finish(
    gate: &Gate,
    profile: &Profile,
    login: Login,
    address: &str,
) -> Result<Token, CommandError> {
    let token = login.finish(address).await?;
    let kept = gate.open(profile)?;
    match kept.token().await {
        Ok(found) if found.expose_secret() == token.expose_secret() => Ok(token),
        _ => Err(named(profile, Error::internal("the token could not be kept"))
            .with_hint("-v says why; check that GATEPASS_STATE_DIR is yours and not full")
            .into()),
    }
}

/// Says what to open: to people on stderr, quiet or not, to programs on stdout.
fn show(url: &str, wait: Duration, output: &Output) -> Result<(), CommandError> {
    match output.is_json() {
        true => output.json(&json!({"event": "open", "url": url, "expires_in": wait.as_secs()})),
        false => {
            output.ask(&format!("gatepass: open this address to log in:\n\n  {url}\n\n"));
            Ok(())
        }
    }
}

fn verdict(profile: &Profile, outcome: &Result<Token, CommandError>) -> Verdict {
    match outcome {
        Ok(token) => {
            let seconds = token.remaining(SystemClock::new().wall()).as_secs();
            Verdict {
                is_good: true,
                title: String::from("You are logged in"),
                text: format!(
                    "gatepass has a token for {} ({}), good for {}.",
                    profile.name,
                    profile.info.title,
                    format_duration(Duration::from_secs(seconds))
                ),
            }
        }
        Err(failure) => {
            let hint = failure.hint().map(|hint| format!(" – {hint}")).unwrap_or_default();
            Verdict {
                is_good: false,
                title: String::from("The login did not work"),
                text: format!("{}{hint}", failure.message()),
            }
        }
    }
}

fn place(redirect_uri: &RedirectUri) -> Option<Place> {
    redirect_uri.is_loopback().then(|| Place {
        host: redirect_uri.host().to_owned(),
        port: redirect_uri.port(),
        path: redirect_uri.path().to_owned(),
    })
}

/// Whether this vendor has a grant for logins at all.
pub(super) fn has_logins(info: &ProviderInfo) -> bool {
    info.fields.iter().any(|field| field.only_with == Some(("grant", "implicit")))
}

fn named(profile: &Profile, error: Error) -> Error {
    error.with_provider(profile.info.id).with_profile(&profile.name)
}

/// That somebody is waited for, and for how long: a line that counts down where it is watched.
struct Progress(Option<ProgressBar>);

impl Progress {
    fn begin(output: &Output, wait: Duration) -> Self {
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

    /// Shows what is left until `end`, and ends then.
    async fn count_down(&self, end: Instant) {
        let Some(bar) = &self.0 else { return sleep_until(end).await };
        let mut seconds = interval_at(Instant::now(), Duration::from_secs(1));
        loop {
            let rest = end.saturating_duration_since(Instant::now());
            let text = format_duration(Duration::from_secs(rest.as_secs_f64().ceil() as u64));
            bar.set_message(format!("waiting for the browser, {text} left (Ctrl-C ends it)"));
            tokio::select! {
                () = sleep_until(end) => return,
                _ = seconds.tick() => {}
            }
        }
    }

    fn say(&self, output: &Output, text: &str) {
        let say = || output.status(&format!("gatepass: {text}"));
        match &self.0 {
            Some(bar) => bar.suspend(say),
            None => say(),
        }
    }

    fn end(&self) {
        if let Some(bar) = &self.0 {
            bar.finish_and_clear();
        }
    }
}
