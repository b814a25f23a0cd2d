//! Measures the start of the command beside curl's, as whole processes that run alternately.
//!
//! `cargo bench --profile release -p gatepass-cli --bench cold_start` runs everything. Names at its
//! end (`plain`, `ca`, `roots`, `cached`) select parts, and a number sets the rounds. The profile is
//! that of the released command. `-- --beside PATH` measures another build as well. curl must be
//! installed and sends the same request to the same sandbox. `PERFORMANCE.md` has the goals and the
//! results.

#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]
#![expect(clippy::unwrap_used, reason = "a failed assumption ends the benchmark")]
#![expect(clippy::disallowed_methods, reason = "a benchmark reads the time")]

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use serde_json::Value;
use tempfile::TempDir;
use wait4::Wait4;

/// The command of this build.
const GATEPASS: &str = env!("CARGO_BIN_EXE_gatepass");

/// Debian's file and directory of root certificates, which curl and gatepass use by default.
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
    // Under `cargo test --all-targets` there is nothing to measure.
    if !is_bench {
        return;
    }
    // Measure a copy: the linker's output is more fragmented in the page cache than an installed
    // file, and starts a fifth slower.
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

/// The builds to measure: name and path.
type Builds = [(&'static str, PathBuf)];

type Part = fn(&Builds, usize);

/// Measures one token request over plain http, without a store and with one.
fn plain(builds: &Builds, rounds: usize) {
    let vendor = Vendor::start(&[]);
    let mut starts = vec![Start::new("curl", vendor.curl(&[]))];
    for (name, build) in builds {
        starts.push(Start::new(name, vendor.gatepass(build, "alone", &[])));
        let cached = vendor.gatepass(build, "cached", &["--fresh"]);
        starts.push(Start::new(&format!("{name}, token stored"), cached));
    }
    measure("one token request, plain http", starts, rounds);
}

/// Measures one token request over TLS with the profile's `ca_file`.
fn private_ca(builds: &Builds, rounds: usize) {
    let vendor = Vendor::start(&["--tls"]);
    let ca = vendor.ca.to_str().unwrap();
    let mut starts = vec![Start::new("curl --cacert", vendor.curl(&["--cacert", ca]))];
    for (name, build) in builds {
        starts.push(Start::new(name, vendor.gatepass(build, "private", &[])));
    }
    measure("one token request, TLS, the profile's ca_file", starts, rounds);
}

/// Measures one token request over TLS with the platform's root certificates. A copy of their file
/// contains the vendor's CA. Each program gets that file and the directory, as by default.
fn platform_roots(builds: &Builds, rounds: usize) {
    let vendor = Vendor::start(&["--tls"]);
    let [file, folder] = ROOTS;
    let Ok(mut roots) = fs::read(file) else {
        println!("\nplatform roots: not measured, because {file} does not exist");
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
    measure("one token request, TLS, the platform's roots", starts, rounds);
}

/// Measures a token from the store.
fn cached(builds: &Builds, rounds: usize) {
    let mut vendor = Vendor::start(&[]);
    let mut starts = vec![Start::new("true", Command::new("true"))];
    starts.push(Start::new("curl --version", {
        let mut command = Command::new("curl");
        command.args(["-q", "--version"]);
        command
    }));
    for (name, build) in builds {
        let mut start = Start::new(name, vendor.gatepass(build, "cached", &[]));
        start.run();
        starts.push(Start { runs: Vec::new(), ..start });
    }
    // Without a vendor, the token can only come from the store.
    vendor.stop();
    measure("a cached token", starts, rounds);
}

/// A command that is started repeatedly, and the cost of each run.
struct Start {
    name: String,
    command: Command,
    runs: Vec<Run>,
}

/// The cost of one process: milliseconds of wall and CPU time, and the peak memory in MB.
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
        let start = Instant::now();
        let done = self.command.spawn().unwrap().wait4().unwrap();
        let wall = start.elapsed();
        assert!(done.status.success(), "{}: {}", self.name, done.status);
        let used = done.rusage;
        self.runs.push(Run {
            wall: wall.as_secs_f64() * 1e3,
            cpu: (used.utime + used.stime).as_secs_f64() * 1e3,
            memory: used.maxrss as f64 / 1e6,
        });
    }
}

/// Runs the commands in rounds, each of which starts with the next command, and prints the medians. A
/// ratio is the median of the ratios to the first command in the same round.
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

/// A sandbox process, and a directory with the files that its clients need.
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
            .env("TMPDIR", folder.path()) // the process is killed and removes no files
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
        let config =
            profile("alone", alone) + &profile("cached", "") + &profile("private", &private);
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
