//! What a start of the command costs beside curl's, as whole processes that take turns.
//!
//! `cargo bench --profile release -p gatepass-cli --bench cold_start` runs everything; names at its
//! end (`plain`, `ca`, `roots`, `cached`) run those parts alone, and a number is that of the
//! rounds. The profile is the command's own. `-- --beside PATH` measures another build as well.
//! curl sends the same request to the same sandbox, and has to be installed. What is to be reached
//! and what was stands in `PERFORMANCE.md`.

#![expect(clippy::print_stdout, reason = "a benchmark tells its figures")]
#![expect(clippy::unwrap_used, reason = "a failed assumption ends the benchmark")]
#![expect(clippy::disallowed_methods, reason = "a benchmark asks the time")]

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use serde_json::Value;
use tempfile::TempDir;
use wait4::Wait4;

/// What this build has made.
const GATEPASS: &str = env!("CARGO_BIN_EXE_gatepass");

/// Where Debian and its like have the platform's roots; curl and gatepass look here by themselves.
const ROOTS: [&str; 2] = ["/etc/ssl/certs/ca-certificates.crt", "/etc/ssl/certs"];

fn main() {
    let mut words = std::env::args().skip(1);
    let (mut wanted, mut rounds, mut beside, mut is_bench) = (Vec::new(), 300, None, false);
    while let Some(word) = words.next() {
        match word.as_str() {
            "--bench" => is_bench = true,
            "--beside" => beside = words.next(),
            word => match word.parse() {
                Ok(number) => rounds = number,
                Err(_) => wanted.push(word.to_owned()),
            },
        }
    }
    // As a test (`cargo test --all-targets`) it has nothing to say.
    if !is_bench {
        return;
    }
    // What a linker has written lies in more pieces in the kernel's cache than what is installed,
    // and starts later by a fifth.
    let installed = tempfile::tempdir().unwrap();
    let install = |(name, path): (&'static str, Option<&str>)| {
        let copy = installed.path().join(name);
        let copied = Command::new("cp").arg(path?).arg(&copy).status().unwrap();
        assert!(copied.success());
        Some((name, copy))
    };
    let builds: Vec<(&str, PathBuf)> =
        [("gatepass", Some(GATEPASS)), ("beside", beside.as_deref())]
            .into_iter()
            .filter_map(install)
            .collect();
    let parts: [(&str, Part); 4] =
        [("plain", plain), ("ca", private_ca), ("roots", platform_roots), ("cached", cached)];
    for (name, run) in parts {
        if wanted.is_empty() || wanted.iter().any(|word| word == name) {
            run(&builds, rounds);
        }
    }
}

/// The builds to measure: what to call them, and where they are.
type Builds = [(&'static str, PathBuf)];

type Part = fn(&Builds, usize);

/// One exchange over plain http, without a store and with one.
fn plain(builds: &Builds, rounds: usize) {
    let vendor = Vendor::start(&[]);
    let mut starts = vec![Start::new("curl", vendor.curl(&[]))];
    for (name, build) in builds {
        starts.push(Start::new(name, vendor.gatepass(build, "alone", &[])));
        let kept = vendor.gatepass(build, "kept", &["--fresh"]);
        starts.push(Start::new(&format!("{name}, token stored"), kept));
    }
    measure("one exchange, plain http", starts, rounds);
}

/// One exchange over TLS, where the vendor's CA is named.
fn private_ca(builds: &Builds, rounds: usize) {
    let vendor = Vendor::start(&["--tls"]);
    let ca = vendor.ca.to_str().unwrap();
    let mut starts = vec![Start::new("curl --cacert", vendor.curl(&["--cacert", ca]))];
    for (name, build) in builds {
        starts.push(Start::new(name, vendor.gatepass(build, "private", &[])));
    }
    measure("one exchange, TLS, the profile's ca_file", starts, rounds);
}

/// One exchange over TLS with the platform's roots: the vendor's CA is put into a copy of their
/// file, and whoever is told of that is told of their folder, too, as if nothing had been said.
fn platform_roots(builds: &Builds, rounds: usize) {
    let vendor = Vendor::start(&["--tls"]);
    let [file, folder] = ROOTS;
    let Ok(mut roots) = fs::read(file) else {
        println!("\nplatform roots: not measured, there is no {file}");
        return;
    };
    roots.extend(fs::read(&vendor.ca).unwrap());
    let copy = vendor.folder.path().join("roots.pem");
    fs::write(&copy, roots).unwrap();
    let both = ["--cacert", copy.to_str().unwrap(), "--capath", folder];
    let mut starts = vec![Start::new("curl", vendor.curl(&both))];
    for (name, build) in builds {
        let mut command = vendor.gatepass(build, "alone", &[]);
        command.env("SSL_CERT_FILE", &copy).env("SSL_CERT_DIR", folder);
        starts.push(Start::new(name, command));
    }
    measure("one exchange, TLS, the platform's roots", starts, rounds);
}

/// A token that is in the store; the vendor is not asked.
fn cached(builds: &Builds, rounds: usize) {
    let mut vendor = Vendor::start(&[]);
    let mut starts = vec![Start::new("true", Command::new("true"))];
    starts.push(Start::new("curl --version", {
        let mut command = Command::new("curl");
        command.args(["-q", "--version"]);
        command
    }));
    for (name, build) in builds {
        let mut start = Start::new(name, vendor.gatepass(build, "kept", &[]));
        start.run();
        starts.push(Start { runs: Vec::new(), ..start });
    }
    // It cannot be asked either.
    vendor.stop();
    measure("a cached token", starts, rounds);
}

/// A command to start over and over, and what that cost each time.
struct Start {
    name: String,
    command: Command,
    runs: Vec<Run>,
}

/// One process: milliseconds from its start to its end, of processor time, and MB at most.
struct Run {
    wall: f64,
    cpu: f64,
    memory: f64,
}

impl Start {
    fn new(name: &str, mut command: Command) -> Self {
        command.stdin(Stdio::null()).stdout(Stdio::null());
        Self { name: name.to_owned(), command, runs: Vec::new() }
    }

    fn run(&mut self) {
        let begun = Instant::now();
        let done = self.command.spawn().unwrap().wait4().unwrap();
        let wall = begun.elapsed();
        assert!(done.status.success(), "{}: {}", self.name, done.status);
        let used = done.rusage;
        self.runs.push(Run {
            wall: wall.as_secs_f64() * 1e3,
            cpu: (used.utime + used.stime).as_secs_f64() * 1e3,
            memory: used.maxrss as f64 / 1e6,
        });
    }
}

/// Runs them in turns, each round beginning with another one, and prints the medians; ratios are
/// medians of each round's own to the first of them.
fn measure(title: &str, mut starts: Vec<Start>, rounds: usize) {
    let count = starts.len();
    for round in 0..rounds {
        for turn in 0..count {
            starts[(round + turn) % count].run();
        }
    }
    println!("\n{title}, {rounds} rounds\n");
    println!("| | wall ms | × the first | user + sys ms | × the first | memory MB |");
    println!("|-|-|-|-|-|-|");
    for start in &starts {
        let of = |what: fn(&Run) -> f64| {
            let first = starts[0].runs.iter().map(what);
            let own = || start.runs.iter().map(what);
            (median(own()), median(own().zip(first).map(|(own, first)| own / first)))
        };
        let ((wall, wall_ratio), (cpu, cpu_ratio)) = (of(|run| run.wall), of(|run| run.cpu));
        let (memory, _) = of(|run| run.memory);
        println!(
            "| {} | {wall:.2} | {wall_ratio:.2} | {cpu:.2} | {cpu_ratio:.2} | {memory:.1} |",
            start.name
        );
    }
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// A sandbox of its own process, and a folder with what its callers need.
struct Vendor {
    folder: TempDir,
    ca: PathBuf,
    server: Child,
}

impl Vendor {
    fn start(options: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut server = Command::new(GATEPASS)
            .args(["sandbox", "--listen", "127.0.0.1:0", "--format", "json"])
            .args(options)
            .env("TMPDIR", folder.path()) // it is killed, and tidies nothing itself
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(server.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let ready: Value = serde_json::from_str(&line).unwrap();
        let text = |value: &Value| value.as_str().unwrap().to_owned();

        let base_url = format!("{}/huawei", text(&ready["url"]));
        let client = &ready["clients"]["huawei"];
        let (id, secret) = (text(&client["client_id"]), text(&client["client_secret"]));
        let ca = Path::new(&text(&ready["config"])).with_file_name("ca.pem");

        let profile = |name: &str, more: &str| {
            format!(
                "[profiles.{name}]\nprovider = \"huawei\"\nbase_url = \"{base_url}\"\n\
                 client_id = \"{id}\"\nclient_secret = {{ file = \"secret\" }}\n{more}\n"
            )
        };
        let alone = "persist = false";
        let private = format!("{alone}\nca_file = {:?}", ca.to_str().unwrap());
        let config = profile("alone", alone) + &profile("kept", "") + &profile("private", &private);
        let form = format!("grant_type=client_credentials&client_id={id}&client_secret={secret}");
        let options = format!(
            "url = \"{base_url}/api/v2/tenant/token\"\nheader = \"accept: application/json\"\n\
             data = \"{form}\"\nsilent\nshow-error\nfail\n"
        );
        for (name, text) in [("config.toml", config), ("secret", secret), ("curl", options)] {
            fs::write(folder.path().join(name), text).unwrap();
        }
        Self { folder, ca, server }
    }

    fn curl(&self, options: &[&str]) -> Command {
        let mut command = Command::new("curl");
        command.env_clear().arg("-q").arg("-K").arg(self.folder.path().join("curl")).args(options);
        command
    }

    fn gatepass(&self, build: &Path, profile: &str, options: &[&str]) -> Command {
        let folder = self.folder.path();
        let mut command = Command::new(build);
        command.env_clear().env("GATEPASS_STATE_DIR", folder.join("state"));
        command.arg("--config").arg(folder.join("config.toml"));
        command.args(["token", profile]).args(options);
        command
    }

    fn stop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

impl Drop for Vendor {
    fn drop(&mut self) {
        self.stop();
    }
}
