//! Runs each fault row through the library and the command and checks the messages.

use std::fmt::Write;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use gatepass::{Error, Gate};
use gatepass_testkit::find_leak;
use gatepass_tests::{Ca, Gatepass, Home, Server, gatepass_binary, runtime, vendor};

use super::rows::{self, CANARIES, Row, Takes, Tls};

/// The time limit of a fault, with the command's default `--wait`.
const LONGEST: Duration = Duration::from_secs(20);

/// The limit of the command's writable memory in KiB.
const MEMORY: u32 = 40 * 1024;

/// Returns the command with the memory limit.
fn within_memory<'home>(home: &'home Home, program: &Path, args: &[&str]) -> Gatepass<'home> {
    let limit = format!("ulimit -d {MEMORY} && exec \"$0\" \"$@\"");
    let program = program.to_str().unwrap();
    home.program(
        "/bin/sh".as_ref(),
        ["-c", &limit, program].into_iter().chain(args.iter().copied()),
    )
}

/// A server with the row's fault and a home with a profile for it.
fn stage(row: &Row) -> (Server, Home) {
    let (ca, steps) = (Ca::new(), (row.steps)());
    let server = match row.tls {
        Tls::None => Server::following(steps),
        Tls::Bytes => Server::following(steps).as_https(),
        Tls::With(certificate) => Server::behind_tls(ca.server(certificate), steps),
    };
    let home = Home::new();
    let ca = home.write("ca.pem", ca.pem());
    let more = match row.tls {
        Tls::None => row.more.to_owned(),
        _ => format!("ca_file = \"{}\"\n{}", ca.display(), row.more),
    };
    let secret = |_: &str| format!("\"{}\"", CANARIES[1].text());
    home.write(CONFIG, &vendor("cisco").profile_with(&server.url(), &more, secret));
    (server, home)
}

const CONFIG: &str = "config/gatepass/config.toml";

/// The user-visible output of a row.
struct Told {
    row: &'static Row,
    /// The error message or warning; `None` for a token without a warning.
    says: String,
    hint: String,
}

/// Returns the differences between the command's behaviour and the row.
fn by_command(row: &'static Row) -> Result<Told, String> {
    let (server, home) = stage(row);
    let begun = Instant::now();
    let args = ["token", "cisco", "--wait", "8s", "--format", "json"];
    let run = within_memory(&home, gatepass_binary(), &args).run();
    let took = begun.elapsed();
    let wrong = |what: String| Err(format!("{} ({}): {what}\n{run:#?}", row.id, row.what));
    if took > LONGEST {
        return wrong(format!("took {took:?}"));
    }
    let (connections, requests) = (server.connections(), server.requests().len());
    let wanted = if row.is_unread { 0 } else { row.tries };
    if (connections, requests) != (row.tries, wanted) {
        return wrong(format!("{connections} connections, {requests} requests"));
    }
    let shown = if run.code == Some(0) { run.stderr.clone() } else { run.all() };
    if let Some(leak) = find_leak(&shown, &*CANARIES) {
        return wrong(format!("shows {leak}"));
    }
    let (says, hint) = match row.takes {
        Takes::Token | Takes::Warning if run.code == Some(0) => {
            if run.stderr.contains("warning") != (row.takes == Takes::Warning) {
                return wrong(String::from("another warning"));
            }
            (run.stderr.trim().to_owned(), String::new())
        }
        Takes::Error(code, exit, _) if run.code == Some(exit) => {
            let error = run.error(exit);
            if error["code"] != code {
                return wrong(format!("is {}", error["code"]));
            }
            let text = |name: &str| error[name].as_str().unwrap_or_default().to_owned();
            (text("message"), text("hint"))
        }
        _ => return wrong(format!("exit code {:?}", run.code)),
    };
    let says = says.replace(&server.url(), "ADDRESS").replace("cisco/cisco: ", "");
    Ok(Told { row, says, hint })
}

/// Returns the differences between the library's behaviour and the row.
fn by_library(row: &'static Row, shown: &Told) -> Option<String> {
    let (server, home) = stage(row);
    let gate = Gate::load(home.path(CONFIG)).unwrap();
    let source = gate.source("cisco").unwrap();
    let begun = Instant::now();
    let outcome = runtime().block_on(source.token());
    let requests = server.requests().len();
    let wanted = usize::from(!row.is_unread);
    let mut wrong = Vec::new();
    if begun.elapsed() > LONGEST {
        wrong.push(format!("took {:?}", begun.elapsed()));
    }
    if (server.connections(), requests) != (1, wanted) {
        wrong.push(format!("{} connections, {requests} requests", server.connections()));
    }
    match (&outcome, row.takes) {
        (Ok(token), Takes::Token | Takes::Warning) => {
            let warns = token.warnings().next().is_some();
            if warns != (row.takes == Takes::Warning) {
                wrong.push(String::from("another warning"));
            }
        }
        (Err(error), Takes::Error(code, _, retry)) => {
            if (error.kind().code(), error.retry()) != (code, retry) {
                wrong.push(format!("{:?}, {:?}", error.kind(), error.retry()));
            }
            let says = error.to_string().replace(&server.url(), "ADDRESS");
            if says.replace("cisco/cisco: ", "") != shown.says {
                wrong.push(format!("says {says}"));
            }
        }
        _ => wrong.push(String::from("another outcome")),
    }
    let shown = format!("{outcome:?} {source:?} {:?} {}", source.status(), chain(&outcome));
    if let Some(leak) = find_leak(&shown, &*CANARIES) {
        wrong.push(format!("shows {leak}"));
    }
    let wrong = wrong.join("; ");
    (!wrong.is_empty())
        .then(|| format!("{} ({}), in the library: {wrong}\n{outcome:?}", row.id, row.what))
}

/// Returns an error's causes as a log shows them.
fn chain<T>(outcome: &Result<T, Error>) -> String {
    let mut cause = outcome.as_ref().err().and_then(std::error::Error::source);
    let mut text = String::new();
    while let Some(error) = cause {
        write!(text, "{error} {error:?}").unwrap();
        cause = error.source();
    }
    text
}

fn try_row(row: &'static Row) -> Result<Told, String> {
    let shown = by_command(row)?;
    match by_library(row, &shown) {
        Some(wrong) => Err(wrong),
        None => Ok(shown),
    }
}

#[test]
fn library_and_command_handle_each_fault_row() {
    // Before the rows, so that the build does not count towards the first row's time.
    gatepass_binary();
    let (rows, next) = (rows::all(), AtomicUsize::new(0));
    let mut outcomes: Vec<(usize, Result<Told, String>)> = std::thread::scope(|scope| {
        let work = || {
            let mut done = Vec::new();
            loop {
                let at = next.fetch_add(1, Ordering::Relaxed);
                let Some(row) = rows.get(at) else { return done };
                done.push((at, try_row(row)));
            }
        };
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(work)).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    outcomes.sort_by_key(|(at, _)| *at);
    let (mut shown, mut wrong) = (Vec::new(), Vec::new());
    for (_, outcome) in outcomes {
        match outcome {
            Ok(row) => shown.push(row),
            Err(why) => wrong.push(why),
        }
    }
    assert!(wrong.is_empty(), "{} rows:\n{}", wrong.len(), wrong.join("\n"));
    insta::assert_snapshot!("messages", sentences(&shown));
    assert_page(&page(&shown));
}

#[test]
fn memory_limit_of_a_row_is_enforced() {
    let copy = |size: &str| {
        let size = format!("bs={size}");
        let args = ["if=/dev/zero", "of=/dev/null", "count=1", &size];
        within_memory(&Home::new(), "dd".as_ref(), &args).run().code
    };
    assert_eq!(copy("1M"), Some(0));
    assert_ne!(copy("64M"), Some(0));
}

/// Returns the snapshot: a line each for the fault, the message and the hint.
fn sentences(shown: &[Told]) -> String {
    let mut text = String::new();
    for Told { row, says, hint } in shown {
        writeln!(text, "{} {}", row.id, row.what).unwrap();
        for line in [says, hint].into_iter().filter(|line| !line.is_empty()) {
            writeln!(text, "    {line}").unwrap();
        }
    }
    text
}

/// Renders `docs/faults.md`.
fn page(shown: &[Told]) -> String {
    let mut text = String::from(PAGE);
    for Told { row, says, .. } in shown {
        let (does, exit) = match row.takes {
            Takes::Token => ("uses the token", 0),
            Takes::Warning => ("uses the token and warns", 0),
            Takes::Error(code, exit, _) => (code, exit),
        };
        let asks = match row.tries {
            1 => String::from("once"),
            2 => String::from("twice"),
            more => format!("{more} times"),
        };
        let says = says.replace('|', r"\|").replace("gatepass: warning: ", "");
        writeln!(text, "| {} | {does} | {exit} | {asks} | {says} |", row.what).unwrap();
    }
    text
}

const PAGE: &str = "\
# Faulty vendor responses

This table shows how gatepass handles each fault of a vendor's server. The tests write it:
`GATEPASS_BLESS=1 cargo test -p gatepass-tests faults::every`.

Each row has the error's stable code, the exit code, the number of token requests within `--wait 8s`,
and the message. While a usable token is cached, callers do not see these faults: they get that token,
and `gatepass list` shows the failure. Text from a vendor is redacted before it is shown. In no row
does the command need more than 40 MiB or 20 s.

| fault | result | exit code | requests | message |
|-|-|-|-|-|
";

/// Fails if `docs/faults.md` is out of date.
#[track_caller]
fn assert_page(wanted: &str) {
    let path = gatepass_tests::workspace().join("docs/faults.md");
    if std::env::var_os("GATEPASS_BLESS").is_some() {
        std::fs::write(&path, wanted).unwrap();
    }
    let is = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(is == wanted, "docs/faults.md is out of date: run this with GATEPASS_BLESS=1");
}
