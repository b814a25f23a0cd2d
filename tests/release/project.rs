//! A program with one provider and `cargo install`, both with the crates from the registry.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};

use gatepass_tests::{Home, Reply, Server, cargo, vendor, workspace};

use crate::story::Story;

pub(crate) fn check_project(story: &Story) {
    let folder = story.folder("project");
    let manifest = format!(
        "[package]\nname = \"project\"\nedition = \"2024\"\n\n[workspace]\n\n[dependencies]\n\
         gatepass = {{ version = \"{}\", registry = \"local\", features = [\"cisco\"] }}\n\
         tokio = {{ version = \"1\", features = [\"rt\"] }}\n",
        story.version
    );
    fs::create_dir(folder.join("src")).unwrap();
    fs::write(folder.join("Cargo.toml"), manifest).unwrap();
    fs::write(folder.join("src/main.rs"), MAIN).unwrap();
    // The same versions as this workspace; cargo removes unused entries.
    fs::copy(workspace().join("Cargo.lock"), folder.join("Cargo.lock")).unwrap();
    let mut build = cargo("build");
    let built = as_released(story, build.arg("--quiet").current_dir(&folder));
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));

    let tree = cargo_output(story, cargo("tree").args(["--prefix", "none"]).current_dir(&folder));
    assert!(tree.contains(&format!("provider-cisco v{} (registry `local`)", story.version)));
    for other in ["celerdata", "cloudneeti", "configapi", "huawei"] {
        assert!(!tree.contains(&format!("provider-{other}")), "{tree}");
    }

    let cisco = vendor("cisco");
    let server =
        Server::responding([Reply::json(200, cisco.token_response("token-of-a-stranger"))]);
    let home = Home::with_config(&cisco.profile(&server.url(), ""));
    let config = home.path("config/gatepass/config.toml");
    let program = built_in(story, "project");
    let run = home.program(&program, [config.to_str().unwrap()]).run();
    assert_eq!(run.stdout, "Bearer token-of-a-stranger\n", "{run:#?}");
    assert_eq!(server.request().path(), "/as/token.oauth2");
}

pub(crate) fn check_installed_command(story: &Story) {
    let folder = story.folder("installed");
    let mut install = cargo("install");
    install.args(["gatepass-cli", "--locked", "--quiet", "--debug", "--registry", "local"]);
    install.args(["--version", &story.version]).arg("--root").arg(&folder);
    let installed = as_released(story, install.current_dir(&folder));
    assert!(installed.status.success(), "{}", String::from_utf8_lossy(&installed.stderr));
    let home = Home::new();
    let program = folder.join("bin/gatepass");
    let run = home.program(&program, ["--version"]).run();
    assert_eq!(run.stdout, format!("gatepass {}\n", story.version), "{run:#?}");
    let run = home.program(&program, ["providers", "--format", "json"]).run();
    assert_eq!(run.json().as_array().unwrap().len(), 5, "{run:#?}");
}

/// Runs cargo with the registry and the target folder of the release build, which has most
/// dependencies already.
fn as_released(story: &Story, cargo: &mut Command) -> Output {
    let folder = story.repository.folder.join("target/releasing");
    let (home, sysroot, commit) = toolchain();
    let flags = [
        format!("{}=/gatepass", folder.join("source").display()),
        format!("{}=/gatepass", folder.join("somewhere/else/again").display()),
        format!("{}=/cargo", home.display()),
        format!("{sysroot}/lib/rustlib/src/rust=/rustc/{commit}"),
    ]
    .map(|map| format!("--remap-path-prefix={map}"));
    cargo
        .args(["--target", &story.target])
        .env("CARGO_ENCODED_RUSTFLAGS", flags.join("\u{1f}"))
        .env("CARGO_TARGET_DIR", folder.join("build"))
        .env("CARGO_INCREMENTAL", "0")
        .env("CARGO_PROFILE_DEV_DEBUG", "false")
        .env("CARGO_PROFILE_DEV_STRIP", "symbols");
    story.registry.configure(cargo).output().unwrap()
}

/// Returns cargo's home, rustc's sysroot and its commit.
fn toolchain() -> (PathBuf, String, String) {
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.unwrap_or_else(|| std::env::home_dir().unwrap().join(".cargo"));
    let rustc = |args: &[&str]| {
        let output = Command::new("rustc").args(args).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    let version = rustc(&["-vV"]);
    let commit = version.lines().find_map(|line| line.strip_prefix("commit-hash: ")).unwrap();
    (home, rustc(&["--print", "sysroot"]).trim().to_owned(), commit.to_owned())
}

fn built_in(story: &Story, name: &str) -> PathBuf {
    let build = story.repository.folder.join("target/releasing/build");
    build.join(&story.target).join("debug").join(name)
}

#[track_caller]
fn cargo_output(story: &Story, cargo: &mut Command) -> String {
    let output = story.registry.configure(cargo).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

const MAIN: &str = r#"
use gatepass::Gate;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let config = std::env::args_os().nth(1).ok_or("no config")?;
    let gate = Gate::load(config)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let token = runtime.block_on(gate.source("cisco")?.token())?;
    println!("{}", token.authorization().to_str()?);
    Ok(())
}
"#;
