//! Opens a web address in the user's browser, with a filtered environment.
//!
//! The crate `open` has the table of the systems' launchers. Starting them is our part: the browser
//! gets only the variables that it needs, so that no program of the desktop session inherits a
//! secret from the command's environment, and `$BROWSER` is tried first.

use std::ffi::{OsStr, OsString};
use std::io;
use std::process::{Command, Stdio};
use std::thread;

use crate::hardening::with_user_limits;

/// Opens an http or https address with `$BROWSER`, or else with the system's launcher.
///
/// The address becomes an argument of a process, which every user can read, so it must not contain
/// a secret. `Ok` means that a program was started, not that it shows the page. Without a screen
/// the function returns an error at once. Print the address as well.
pub(crate) fn open(url: &str) -> io::Result<()> {
    #[expect(clippy::disallowed_methods, reason = "the browser gets a part of it")]
    open_in(url, std::env::vars_os().collect())
}

fn open_in(url: &str, environment: Vec<(OsString, OsString)>) -> io::Result<()> {
    let is_web = ["http://", "https://"].iter().any(|scheme| url.starts_with(scheme));
    if !is_web || url.contains(|c: char| c.is_whitespace() || c.is_control()) {
        let message = "only http and https addresses can be opened";
        return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
    }
    let environment: Vec<_> = environment.into_iter().filter(|(name, _)| is_needed(name)).collect();
    for mut command in launchers(url, &environment) {
        set_environment(&mut command, &environment);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        // In a process group of its own, so that Ctrl-C ends the login and not the browser.
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let Ok(mut child) = with_user_limits(|| command.spawn()) else { continue };
        // A launcher ends soon. A browser may outlive this process, and the system then reaps it.
        let _ = thread::Builder::new().spawn(move || child.wait());
        return Ok(());
    }
    Err(io::Error::new(io::ErrorKind::NotFound, "found no browser, and BROWSER names none"))
}

/// Replaces the inherited environment. The variables that `open` sets on a command stay: it passes
/// the address to PowerShell in one, so that no shell parses it.
fn set_environment(command: &mut Command, environment: &[(OsString, OsString)]) {
    let own: Vec<(OsString, OsString)> = command
        .get_envs()
        .filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned())))
        .collect();
    command.env_clear().envs(environment.iter().cloned()).envs(own);
}

/// Returns whether a browser or its launcher needs a variable to find programs, the screen, the
/// session and the user's own files. Credentials of other programs are in other variables.
fn is_needed(name: &OsStr) -> bool {
    let Some(name) = name.to_str() else { return false };
    let is_name = |known: &&str| match cfg!(windows) {
        true => known.eq_ignore_ascii_case(name),
        false => **known == *name,
    };
    NEEDED.iter().any(is_name)
        || (!cfg!(windows) && (name.starts_with("XDG_") || name.starts_with("LC_")))
}

/// Returns the commands to try, in this order.
fn launchers(url: &str, environment: &[(OsString, OsString)]) -> Vec<Command> {
    let value = |expected: &str| {
        let found = environment.iter().find(|(name, _)| name == expected);
        found.and_then(|(_, value)| value.to_str()).filter(|value| !value.is_empty())
    };
    let has_screen = !cfg!(unix)
        || cfg!(target_os = "macos")
        || value("DISPLAY").or_else(|| value("WAYLAND_DISPLAY")).is_some();
    let browser = value("BROWSER").unwrap_or_default();
    // A list of commands, as xdg-open reads it. On Windows it is one command, because of the colon
    // after a drive letter.
    let browsers: Vec<&str> = match cfg!(windows) {
        true => vec![browser],
        false => browser.split(':').collect(),
    };
    let mut launchers: Vec<_> =
        browsers.into_iter().filter_map(|browser| parse_command(browser, url)).collect();
    // In the Windows subsystem for Linux, PowerShell opens Windows' browser without a screen here.
    let is_usable = |launcher: &Command| has_screen || launcher.get_program() == "powershell.exe";
    launchers.extend(open::commands(url).into_iter().filter(is_usable));
    if has_screen && cfg!(not(any(target_os = "macos", windows))) {
        // Debian's name for the default browser, on a system without xdg-utils.
        launchers.extend(parse_command("x-www-browser", url));
    }
    launchers
}

/// Splits a command at spaces, and puts the address where `%s` is, or at the end. No shell parses
/// it.
fn parse_command(command: &str, url: &str) -> Option<Command> {
    let mut words = command.split_whitespace();
    let mut parsed = Command::new(words.next()?);
    parsed.args(words.map(|word| word.replace("%s", url)));
    if !command.contains("%s") {
        parsed.arg(url);
    }
    Some(parsed)
}

#[cfg(not(windows))]
const NEEDED: &[&str] = &[
    "BROWSER",
    "DBUS_SESSION_BUS_ADDRESS",
    "DESKTOP_SESSION",
    "DISPLAY",
    "HOME",
    "KDE_FULL_SESSION",
    "KDE_SESSION_VERSION",
    "LANG",
    "LOGNAME",
    "PATH",
    "TMPDIR",
    "USER",
    // The helper that a remote editor sets as BROWSER reads this variable.
    "VSCODE_IPC_HOOK_CLI",
    "WAYLAND_DISPLAY",
    "WSL_DISTRO_NAME",
    "WSL_INTEROP",
    "XAUTHORITY",
];
#[cfg(windows)]
const NEEDED: &[&str] = &[
    "APPDATA",
    "BROWSER",
    "ComSpec",
    "HOMEDRIVE",
    "HOMEPATH",
    "LOCALAPPDATA",
    "PATH",
    "PATHEXT",
    "ProgramData",
    "ProgramFiles",
    "ProgramFiles(x86)",
    "ProgramW6432",
    "SystemDrive",
    "SystemRoot",
    "TEMP",
    "TMP",
    "USERNAME",
    "USERPROFILE",
    "windir",
];

#[cfg(unix)]
#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;

    const URL: &str = "http://127.0.0.1:4711/start";

    fn environment(pairs: &[(&str, &str)]) -> Vec<(OsString, OsString)> {
        pairs.iter().map(|(name, value)| (name.into(), value.into())).collect()
    }

    /// Runs a script as the browser, and returns its output when it has ended.
    fn output_of(script: &str, dir: &Path, variables: &[(&str, &str)]) -> String {
        let (pipe, file) = (dir.join("pipe"), dir.join("script"));
        assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        fs::write(&file, script).unwrap();
        let browser = format!("sh {} {} %s", file.display(), pipe.display());
        let mut pairs = vec![("BROWSER", browser.as_str()), ("PATH", "/usr/bin:/bin")];
        pairs.extend(variables);
        open_in(URL, environment(&pairs)).unwrap();
        fs::read_to_string(&pipe).unwrap()
    }

    #[test]
    fn browser_inherits_needed_variables_only() {
        let dir = tempfile::tempdir().unwrap();
        let secrets = [
            ("GATEPASS_CISCO_CLIENT_SECRET", "canary"),
            ("CISCO_SECRET", "canary"),
            ("AWS_SECRET_ACCESS_KEY", "canary"),
            ("XDGX", "canary"),
            ("XDG_CURRENT_DESKTOP", "GNOME"),
            ("LC_ALL", "C"),
        ];
        let all = output_of("{ env; } > \"$1\"", dir.path(), &secrets);
        assert!(!all.contains("canary"), "{all}");
        for expected in ["XDG_CURRENT_DESKTOP=GNOME", "LC_ALL=C", "BROWSER=sh "] {
            assert!(all.contains(expected), "{expected} in {all}");
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn browser_inherits_no_files_and_has_own_process_group() {
        let dir = tempfile::tempdir().unwrap();
        let ours = fs::File::create(dir.path().join("ours")).unwrap();
        let script = "{ ls -l /proc/$$/fd; echo; ps -o pgid= -p $$ 2>/dev/null || cut -d' ' -f5 \
                      /proc/$$/stat; echo $$; } > \"$1\"";
        let output = output_of(script, dir.path(), &[]);
        let (files, ids) = output.split_once("\n\n").unwrap();
        assert!(!files.contains("/ours"), "{files}");
        assert!(files.contains(" 0 -> /dev/null") && files.contains(" 2 -> /dev/null"), "{files}");
        let ids: Vec<&str> = ids.split_whitespace().collect();
        assert_eq!(ids[0], ids[1]);
        drop(ours);
    }

    #[test]
    fn browser_variable_is_split_without_a_shell() {
        let environment =
            environment(&[("BROWSER", "lynx -x;y '%s' $(id):firefox"), ("DISPLAY", ":0")]);
        let launchers = launchers(URL, &environment);
        let quoted = format!("'{URL}'");
        assert_eq!(launchers[0].get_program(), "lynx");
        assert!(launchers[0].get_args().eq(["-x;y", quoted.as_str(), "$(id)"]));
        assert_eq!(launchers[1].get_program(), "firefox");
        assert!(launchers[1].get_args().eq([URL]));
        assert!(launchers.len() > 2);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn launchers_need_a_screen() {
        let without_screen = launchers(URL, &environment(&[("PATH", "/bin")]));
        assert!(without_screen.iter().all(|launcher| launcher.get_program() == "powershell.exe"));
        let with_screen = launchers(URL, &environment(&[("WAYLAND_DISPLAY", "wayland-0")]));
        assert!(with_screen.iter().any(|launcher| launcher.get_program() == "xdg-open"));
    }

    #[test]
    fn launcher_keeps_its_own_variables_only() {
        let mut command = Command::new("launcher");
        command.env("OPEN_RS_TARGET", URL);
        set_environment(&mut command, &environment(&[("HOME", "/root")]));
        let names: Vec<_> = command.get_envs().map(|(name, _)| name.to_owned()).collect();
        assert_eq!(names, ["HOME", "OPEN_RS_TARGET"]);
    }

    #[test]
    fn missing_browser_is_an_error() {
        for pairs in [
            &[("PATH", "/nonexistent"), ("DISPLAY", ":0")][..],
            &[("PATH", "/nonexistent"), ("BROWSER", "no-such-browser --new")],
            &[("PATH", "/usr/bin:/bin")],
        ] {
            let error = open_in(URL, environment(pairs)).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::NotFound, "{pairs:?}");
        }
    }

    #[test]
    fn only_web_addresses_are_opened() {
        for bad in ["file:///etc/passwd", "--help", "javascript:1", "http:/x", "http://a b", ""] {
            let error = open_in(bad, environment(&[("BROWSER", "true")])).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidInput, "{bad}");
        }
    }
}
