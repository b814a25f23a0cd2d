//! Tests of completions with real shells.

use std::fs;

use gatepass_testkit::{canary, find_leak};
use gatepass_tests::{Home, Reply, Server, Terminal, VENDORS, gatepass_binary};

/// Returns the names of the commands that `--help` lists.
fn commands() -> Vec<String> {
    super::help::commands()
}

/// Returns a home with two profiles whose secrets must not be read: a canary, and a command that writes a
/// file.
fn home(server: &Server) -> Home {
    let home = Home::new();
    let marker = home.path("work/mark");
    home.write(
        "config/gatepass/config.toml",
        &format!(
            "[profiles.lake-of-tokens]\nprovider = \"celerdata\"\nbase_url = \"{url}\"\n\
             client_id = \"a\"\nclient_secret = \"{secret}\"\n\
             [profiles.mountain]\nprovider = \"cisco\"\nenvironment = \"cloudsso\"\nbase_url = \"{url}\"\n\
             client_id = \"a\"\nclient_secret = {{ command = [\"touch\", \"{marker}\"] }}\n",
            url = server.url(),
            secret = canary("completion").text(),
            marker = marker.display(),
        ),
    );
    home
}

/// Starts a shell at a terminal with `gatepass` in `PATH` and one profile from the environment.
fn shell<'home>(home: &'home Home, shell: &str, args: &[&str]) -> Terminal<'home> {
    let folder = gatepass_binary().parent().unwrap().display();
    let path = format!("{folder}:{}", std::env::var("PATH").unwrap());
    home.program(shell.as_ref(), args.iter().copied())
        .env("PATH", path)
        .env("GATEPASS_RIVER_PROVIDER", "celerdata")
        .env("GATEPASS_RIVER_CLIENT_ID", "a")
        .at_terminal()
}

#[test]
fn completion_reads_no_secret_and_sends_no_request() {
    let server = Server::responding([Reply::empty(500)]);
    for (name, args, load) in [
        ("bash", ["--norc", "--noprofile", "-i"].as_slice(), "source <(gatepass completions bash)"),
        (
            "zsh",
            &["-f", "-i"],
            "autoload -U compinit; compinit -u -D; source <(gatepass completions zsh)",
        ),
        ("fish", &["--no-config", "-i", "-P"], "gatepass completions fish | source"),
    ] {
        let home = home(&server);
        let mut terminal = shell(&home, name, args);
        terminal.line(&format!("{load}; echo read''y"));
        terminal.wait_for("ready");
        for (typed, completed) in [
            ("gatepass forg", "gatepass forget"),
            ("gatepass token lak", "lake-of-tokens"),
            ("gatepass exec mou", "mountain"),
            ("gatepass call riv", "river"),
            ("gatepass sandbox --fault cel", "celerdata"),
            ("gatepass token lake-of-tokens --min", "--min-ttl"),
        ] {
            terminal.keys(&format!("{typed}\t"));
            terminal.wait_for(completed);
            // Ctrl-U discards the line.
            terminal.keys("\x15");
        }
        terminal.line("exit");
        let (_, screen) = terminal.finish();
        assert_eq!(find_leak(&screen, &[canary("completion")]), None, "{name}");
        assert!(!home.path("work/mark").exists(), "{name}: gatepass read a secret");
        assert_eq!(fs::read_dir(home.path("state")).unwrap().count(), 0, "{name}: {screen}");
    }
    assert_eq!(server.connections(), 0);
}

#[test]
fn zsh_completes_from_an_fpath_folder() {
    let server = Server::responding([Reply::empty(500)]);
    let home = home(&server);
    home.write("zfunc/_gatepass", home.gatepass(["completions", "zsh"]).run().ok());
    let mut terminal = shell(&home, "zsh", &["-f", "-i"]);
    terminal.line("fpath+=~/zfunc; autoload -U compinit; compinit -u -D; echo read''y");
    terminal.wait_for("ready");
    terminal.keys("gatepass token lak\t");
    terminal.wait_for("lake-of-tokens");
}

/// Returns the completions of these arguments, the last of which is incomplete.
fn completions(home: &Home, args: &[&str]) -> Vec<String> {
    let run = home
        .gatepass(["--", "gatepass"].into_iter().chain(args.iter().copied()))
        .env("_GATEPASS_COMPLETE", "bash")
        .env("_CLAP_COMPLETE_INDEX", args.len().to_string())
        .run();
    assert_eq!(run.stderr, "", "{args:?}");
    run.ok().lines().map(str::to_owned).collect()
}

#[test]
fn commands_complete_profile_names() {
    let home = home(&Server::responding([Reply::empty(500)]));
    let mut completed = 0;
    for command in commands() {
        let help = home.gatepass([command.as_str(), "--help"]).run();
        if help.ok().contains("<PROFILE>") || help.stdout.contains("[PROFILE]") {
            let names = completions(&home, &[&command, ""]);
            assert!(names.contains(&String::from("mountain")), "{command}: {names:?}");
            completed += 1;
        }
    }
    assert!(completed >= 7, "{completed}");
    for command in ["allow", "remove"] {
        let names = completions(&home, &["profile", command, ""]);
        assert!(names.contains(&String::from("mountain")), "{command}: {names:?}");
    }
}

#[test]
fn completion_reads_the_file_of_the_config_option() {
    let home = home(&Server::responding([Reply::empty(500)]));
    let other = home.write(
        "other.toml",
        "[profiles.elsewhere]\nprovider = \"cisco\"\nenvironment = \"cloudsso\"\n",
    );
    let other = other.to_str().unwrap();
    let glued = format!("--config={other}");
    for args in [["token", "--config", other, ""].as_slice(), &["token", &glued, ""]] {
        assert_eq!(completions(&home, args)[0], "elsewhere", "{args:?}");
    }
}

#[test]
fn completion_ignores_an_unreadable_config() {
    let home = Home::with_config("[profiles.cisco\nclient_secret = \"oops\"");
    assert_eq!(completions(&home, &["token", "c"]), Vec::<String>::new());
    assert!(completions(&home, &["tok"]).contains(&String::from("token")));
}

#[test]
fn completion_lists_faults_with_and_without_vendor() {
    let home = Home::new();
    let names = completions(&home, &["sandbox", "--fault", ""]);
    assert!(VENDORS.iter().all(|one| names.contains(&format!("{}:", one.id))), "{names:?}");
    assert!(names.contains(&String::from("status-503")), "{names:?}");
    assert_eq!(
        completions(&home, &["sandbox", "--fault", "cisco:status-503"]),
        ["cisco:status-503"]
    );
}

#[test]
fn help_completes_commands() {
    let names = completions(&Home::new(), &["help", ""]);
    for command in commands() {
        assert!(names.contains(&command), "{command}: {names:?}");
    }
}

#[test]
fn each_shell_has_a_completion_script() {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let run = Home::new().gatepass(["completions", shell]).run();
        assert!(run.ok().contains("_GATEPASS_COMPLETE"), "{run:#?}");
        assert_eq!(run.stderr, "");
    }
    let run = Home::new().gatepass(["completions", "tcsh"]).run();
    assert!(run.failed(2).contains("zsh"), "{run:#?}");
}

#[test]
fn bash_accepts_its_completions() {
    let home = Home::new();
    let script = home.gatepass(["completions", "bash"]).run().ok().to_owned();
    let path = home.write("tmp/gatepass.bash", &script);
    let bash = home.program("/bin/bash".as_ref(), ["-n", path.to_str().unwrap()]);
    assert_eq!(bash.run().ok(), "");
}
