//! One release from its first, interrupted run to the last, executed once for all tests.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{LazyLock, OnceLock};

use gatepass_tests::{built, target};
use rustix::process::{Pid, Signal, kill_process_group};

use crate::registry::Registry;
use crate::repository::Repository;

/// The recorded release.
#[derive(Debug)]
pub(crate) struct Story {
    pub(crate) repository: Repository,
    pub(crate) registry: Registry,
    /// The previous and the released version.
    pub(crate) before: String,
    pub(crate) version: String,
    pub(crate) target: String,
    /// The published crates, sorted.
    pub(crate) crates: Vec<String>,
    pub(crate) initial: State,
    pub(crate) interrupted_build: State,
    pub(crate) dry: State,
    pub(crate) dry_output: String,
    pub(crate) interrupted: State,
    pub(crate) done: State,
    pub(crate) done_output: String,
    pub(crate) again: State,
}

/// The state at one point in time.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) head: String,
    pub(crate) subject: String,
    pub(crate) tags: String,
    pub(crate) changed: String,
    pub(crate) files: Vec<String>,
    pub(crate) published: Vec<String>,
}

impl Story {
    /// Returns the recorded release, which is executed once.
    pub(crate) fn recorded() -> &'static Self {
        // If the release fails, all tests fail with the same panic.
        static STORY: LazyLock<Story> = LazyLock::new(Story::execute);
        &STORY
    }

    /// Returns the folder of the files.
    pub(crate) fn files(&self) -> PathBuf {
        self.repository.folder.join(format!("target/release-{}", self.version))
    }

    pub(crate) fn git(&self, args: &str) -> String {
        self.repository.git(args)
    }

    /// Returns an empty folder for a test.
    pub(crate) fn folder(&self, name: &str) -> PathBuf {
        let folder = release_folder().join(name);
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        folder
    }

    fn execute() -> Self {
        let repository = Repository::create(&release_folder().join("repository"));
        let registry = Registry::start(&release_folder().join("registry"));
        let before = repository.version.clone();
        let version = minor_after(&before);
        let state = || State::of(&repository, &registry, &version);
        let release = |more: &str, until: Option<&str>| {
            let mut command = xtask(&repository.folder);
            command.args(["release", "minor", "--registry", "local", "--rehearse"]);
            command.args(more.split_whitespace());
            run(registry.configure(&mut command), until)
        };

        let initial = state();
        release("", Some("== command: built for"));
        let interrupted_build = state();
        let dry_output = release("", None);
        let dry = state();
        release("--execute", Some("   2/"));
        let interrupted = state();
        let done_output = release("--execute", None);
        let done = state();
        release("--execute", None);
        let again = state();

        let output = Command::new("rustc").args(["--print", "host-tuple"]).output().unwrap();
        let target = String::from_utf8(output.stdout).unwrap().trim().to_owned();
        let crates = crates(&repository.folder);
        Self {
            repository,
            registry,
            before,
            version,
            target,
            crates,
            initial,
            interrupted_build,
            dry,
            dry_output,
            interrupted,
            done,
            done_output,
            again,
        }
    }
}

impl State {
    fn of(repository: &Repository, registry: &Registry, version: &str) -> Self {
        Self {
            head: repository.git("rev-parse HEAD"),
            subject: repository.git("log -1 --format=%s"),
            tags: repository.git("tag --list"),
            changed: repository.git("status --porcelain"),
            files: repository.released(),
            published: registry.published(version),
        }
    }
}

/// Returns an xtask command in the copied repository.
fn xtask(folder: &Path) -> Command {
    static XTASK: OnceLock<PathBuf> = OnceLock::new();
    let program = XTASK.get_or_init(|| built("xtask"));
    let mut command = Command::new(program);
    command.current_dir(folder).env("CARGO_MANIFEST_DIR", folder.join("xtask"));
    command
}

/// Runs a command to its successful end and returns its output, or sends Ctrl-C at a line with this
/// prefix.
#[track_caller]
fn run(command: &mut Command, until: Option<&str>) -> String {
    let (reader, writer) = std::io::pipe().unwrap();
    command.stdin(Stdio::null()).stdout(writer.try_clone().unwrap()).stderr(writer);
    // A terminal sends Ctrl-C to its whole process group.
    let mut child = command.process_group(0).spawn().unwrap();
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let (mut output, mut pressed) = (String::new(), false);
    for line in BufReader::new(reader).lines() {
        let line = line.unwrap();
        output += &format!("{line}\n");
        if until.is_some_and(|until| line.starts_with(until)) && !pressed {
            let group = Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
            kill_process_group(group, Signal::INT).unwrap();
            pressed = true;
        }
    }
    let status = child.wait().unwrap();
    assert_eq!(pressed, until.is_some(), "{until:?} was not printed:\n{output}");
    assert_eq!(status.success(), until.is_none(), "{status}:\n{output}");
    output
}

fn minor_after(version: &str) -> String {
    let numbers: Vec<u64> = version.split('.').map(|number| number.parse().unwrap()).collect();
    format!("{}.{}.0", numbers[0], numbers[1] + 1)
}

/// Returns the folders of `crates`, which have the names of their packages.
fn crates(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder.join("crates")).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// Returns the folder of the release.
fn release_folder() -> PathBuf {
    target().join("rehearsal")
}
