//! Runs each fault row through the library and the command and checks the messages.

use std::fmt::Write;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use gatepass::{Error, Gate};
use gatepass_testkit::find_leak;
use gatepass_tests::{Ca, Gatepass, Home, Server, gatepass_binary, runtime, vendor};

use super::rows::{self, CANARIES, Outcome, Row, Tls, UNTIL_DEADLINE};

/// The time limit of a fault, with the command's default `--wait`.
const TIME_LIMIT: Duration = Duration::from_secs(20);

/// The limit of the command's writable memory in KiB.
const MEMORY_LIMIT_KIB: u32 = 40 * 1024;

/// Returns the command with the memory limit.
fn within_memory<'home>(home: &'home Home, program: &Path, args: &[&str]) -> Gatepass<'home> {
    let limit = format!("ulimit -d {MEMORY_LIMIT_KIB} && exec \"$0\" \"$@\"");
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
struct RowOutput {
    row: &'static Row,
    /// The error message or warning; `None` for a token without a warning.
    message: String,
    hint: String,
}

/// Returns the differences between the command's behaviour and the row.
fn run_command(row: &'static Row) -> Result<RowOutput, String> {
    let (server, home) = stage(row);
    let started = Instant::now();
    let args = ["token", "cisco", "--wait", "8s", "--format", "json"];
    let run = within_memory(&home, gatepass_binary(), &args).run();
    let took = started.elapsed();
    let difference = |description: String| {
        Err(format!("{} ({}): {description}\n{run:#?}", row.id, row.description))
    };
    if took > TIME_LIMIT {
        return difference(format!("took {took:?}"));
    }
    let (connections, requests) = (server.connections(), server.requests().len());
    // An outage is tried until the deadline, at random times.
    let attempts = match row.attempts {
        UNTIL_DEADLINE if (4..=20).contains(&connections) => connections,
        exactly => exactly,
    };
    let expected = if row.is_unread { 0 } else { attempts };
    if (connections, requests) != (attempts, expected) {
        return difference(format!("{connections} connections, {requests} requests"));
    }
    let output = if run.code == Some(0) { run.stderr.clone() } else { run.all() };
    if let Some(leak) = find_leak(&output, &*CANARIES) {
        return difference(format!("shows {leak}"));
    }
    let (message, hint) = match row.outcome {
        Outcome::Token | Outcome::Warning if run.code == Some(0) => {
            if run.stderr.contains("warning") != (row.outcome == Outcome::Warning) {
                return difference(String::from("another warning"));
            }
            (run.stderr.trim().to_owned(), String::new())
        }
        Outcome::Error(code, exit, _) if run.code == Some(exit) => {
            let error = run.error(exit);
            if error["code"] != code {
                return difference(format!("is {}", error["code"]));
            }
            let text = |name: &str| error[name].as_str().unwrap_or_default().to_owned();
            (text("message"), text("hint"))
        }
        _ => return difference(format!("exit code {:?}", run.code)),
    };
    let message = message.replace(&server.url(), "ADDRESS").replace("cisco/cisco: ", "");
    Ok(RowOutput { row, message, hint })
}

/// Returns the differences between the library's behaviour and the row.
fn run_library(row: &'static Row, output: &RowOutput) -> Option<String> {
    let (server, home) = stage(row);
    let gate = Gate::load(home.path(CONFIG)).unwrap();
    let source = gate.source("cisco").unwrap();
    let started = Instant::now();
    let outcome = runtime().block_on(source.token());
    let requests = server.requests().len();
    let expected = usize::from(!row.is_unread);
    let mut problems = Vec::new();
    if started.elapsed() > TIME_LIMIT {
        problems.push(format!("took {:?}", started.elapsed()));
    }
    if (server.connections(), requests) != (1, expected) {
        problems.push(format!("{} connections, {requests} requests", server.connections()));
    }
    match (&outcome, row.outcome) {
        (Ok(token), Outcome::Token | Outcome::Warning) => {
            let warns = token.warnings().next().is_some();
            if warns != (row.outcome == Outcome::Warning) {
                problems.push(String::from("another warning"));
            }
        }
        (Err(error), Outcome::Error(code, _, retry)) => {
            if (error.kind().code(), error.retry()) != (code, retry) {
                problems.push(format!("{:?}, {:?}", error.kind(), error.retry()));
            }
            let message = error.to_string().replace(&server.url(), "ADDRESS");
            if message.replace("cisco/cisco: ", "") != output.message {
                problems.push(format!("message {message}"));
            }
        }
        _ => problems.push(String::from("another outcome")),
    }
    let output = format!("{outcome:?} {source:?} {:?} {}", source.status(), chain(&outcome));
    if let Some(leak) = find_leak(&output, &*CANARIES) {
        problems.push(format!("shows {leak}"));
    }
    let problems = problems.join("; ");
    (!problems.is_empty()).then(|| {
        format!("{} ({}), in the library: {problems}\n{outcome:?}", row.id, row.description)
    })
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

fn run_row(row: &'static Row) -> Result<RowOutput, String> {
    let output = run_command(row)?;
    match run_library(row, &output) {
        Some(problems) => Err(problems),
        None => Ok(output),
    }
}

#[test]
fn library_and_command_handle_each_fault_row() {
    // Before the rows, so that the build does not count towards the first row's time.
    gatepass_binary();
    let (rows, next) = (rows::all(), AtomicUsize::new(0));
    let mut outcomes: Vec<(usize, Result<RowOutput, String>)> = std::thread::scope(|scope| {
        let work = || {
            let mut done = Vec::new();
            loop {
                let index = next.fetch_add(1, Ordering::Relaxed);
                let Some(row) = rows.get(index) else { return done };
                done.push((index, run_row(row)));
            }
        };
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(work)).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    outcomes.sort_by_key(|(index, _)| *index);
    let (mut outputs, mut problems) = (Vec::new(), Vec::new());
    for (_, outcome) in outcomes {
        match outcome {
            Ok(row) => outputs.push(row),
            Err(reason) => problems.push(reason),
        }
    }
    assert!(problems.is_empty(), "{} rows:\n{}", problems.len(), problems.join("\n"));
    insta::assert_snapshot!("messages", sentences(&outputs));
    assert_page(&page(&outputs));
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
fn sentences(outputs: &[RowOutput]) -> String {
    let mut text = String::new();
    for RowOutput { row, message, hint } in outputs {
        writeln!(text, "{} {}", row.id, row.description).unwrap();
        for line in [message, hint].into_iter().filter(|line| !line.is_empty()) {
            writeln!(text, "    {line}").unwrap();
        }
    }
    text
}

/// Renders `docs/faults.md`.
fn page(outputs: &[RowOutput]) -> String {
    let mut text = String::from(PAGE);
    for RowOutput { row, message, .. } in outputs {
        let (does, exit) = match row.outcome {
            Outcome::Token => ("uses the token", 0),
            Outcome::Warning => ("uses the token and warns", 0),
            Outcome::Error(code, exit, _) => (code, exit),
        };
        let asks = match row.attempts {
            1 => String::from("once"),
            2 => String::from("twice"),
            UNTIL_DEADLINE => String::from("until the end"),
            more => format!("{more} times"),
        };
        let message = message.replace('|', r"\|").replace("gatepass: warning: ", "");
        writeln!(text, "| {} | {does} | {exit} | {asks} | {message} |", row.description).unwrap();
    }
    text
}

const PAGE: &str = "\
# Faulty vendor responses

This table shows how gatepass handles each fault of a vendor's server. The tests write it:
`GATEPASS_BLESS=1 cargo test -p gatepass-tests faults::all_rows`.

Each row has the error's stable code, the exit code, the number of token requests within `--wait 8s`,
and the message. While a usable token is cached, callers do not see these faults: they get that token,
and `gatepass list` shows the failure. Text from a vendor is redacted before it is shown. In no row
does the command need more than 40 MiB or 20 s.

| fault | result | exit code | requests | message |
|-|-|-|-|-|
";

/// Fails if `docs/faults.md` is out of date.
#[track_caller]
fn assert_page(expected: &str) {
    let path = gatepass_tests::workspace().join("docs/faults.md");
    if std::env::var_os("GATEPASS_BLESS").is_some() {
        std::fs::write(&path, expected).unwrap();
    }
    let current = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(current == expected, "docs/faults.md is out of date: run this with GATEPASS_BLESS=1");
}
