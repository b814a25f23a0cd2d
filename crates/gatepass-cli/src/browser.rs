//! Opens a web address in the user's browser, which inherits nothing it does not need.

use std::ffi::{OsStr, OsString};
use std::io;
use std::process::{Command, Stdio};
use std::thread;

use crate::hardening::with_user_limits;

/// Opens an http or https address in `$BROWSER`, or else by what the system has for it.
///
/// The address is in the arguments of a process, which every user can read, so it must hold no
/// secret. Nobody waits for the browser: that it started is all that `Ok` says, and where there is
/// no screen an error comes at once. Say the address as well.
pub(crate) fn open(url: &str) -> io::Result<()> {
    #[expect(clippy::disallowed_methods, reason = "the browser gets a part of it")]
    open_in(url, std::env::vars_os().collect())
}

fn open_in(url: &str, environment: Vec<(OsString, OsString)>) -> io::Result<()> {
    let is_web = ["http://", "https://"].iter().any(|scheme| url.starts_with(scheme));
    if !is_web || url.contains(|c: char| c.is_whitespace() || c.is_control()) {
        let says = "only an http or https address opens in a browser";
        return Err(io::Error::new(io::ErrorKind::InvalidInput, says));
    }
    let environment: Vec<_> = environment.into_iter().filter(|(name, _)| is_needed(name)).collect();
    for (program, arguments) in openers(url, &environment) {
        let mut command = Command::new(program);
        command.args(arguments).env_clear().envs(environment.iter().cloned());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        // Ctrl-C ends the login, not a browser that it was the first to open.
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let Ok(mut child) = with_user_limits(|| command.spawn()) else { continue };
        // An opener ends soon; a browser may outlive us, and then it is the system's.
        let _ = thread::Builder::new().spawn(move || child.wait());
        return Ok(());
    }
    Err(io::Error::new(io::ErrorKind::NotFound, "no browser here, and none named by BROWSER"))
}

/// Whether a browser or its opener needs this variable: to find programs, the screen, the session
/// and the user's own profile. Credentials of any program live in others.
fn is_needed(name: &OsStr) -> bool {
    let Some(name) = name.to_str() else { return false };
    let listed = |known: &&str| match cfg!(windows) {
        true => known.eq_ignore_ascii_case(name),
        false => **known == *name,
    };
    NEEDED.iter().any(listed)
        || (!cfg!(windows) && (name.starts_with("XDG_") || name.starts_with("LC_")))
}

/// What to try, in turn: a program and its arguments.
fn openers(url: &str, environment: &[(OsString, OsString)]) -> Vec<(String, Vec<String>)> {
    let value = |wanted: &str| {
        let found = environment.iter().find(|(name, _)| name == wanted);
        found.and_then(|(_, value)| value.to_str()).filter(|value| !value.is_empty())
    };
    let has_screen = !cfg!(unix)
        || cfg!(target_os = "macos")
        || value("DISPLAY").or_else(|| value("WAYLAND_DISPLAY")).is_some();
    let named = value("BROWSER").unwrap_or_default();
    // A list, as xdg-open reads it; a drive's letter makes it a single one on Windows.
    let named: Vec<&str> = match cfg!(windows) {
        true => vec![named],
        false => named.split(':').collect(),
    };
    let own = SYSTEM.iter().filter(|(_, needs_screen)| has_screen || !needs_screen);
    let all = named.into_iter().chain(own.map(|(command, _)| *command));
    all.filter_map(|command| words(command, url)).collect()
}

/// A command as its words, with the address for `%s` or at the end. No shell ever reads it.
fn words(command: &str, url: &str) -> Option<(String, Vec<String>)> {
    let mut words = command.split_whitespace();
    let program = words.next()?.to_owned();
    let mut arguments: Vec<String> = words.map(|word| word.replace("%s", url)).collect();
    if !command.contains("%s") {
        arguments.push(url.to_owned());
    }
    Some((program, arguments))
}

/// What opens an address, and whether it does so on a screen of this system.
#[cfg(target_os = "macos")]
const SYSTEM: &[(&str, bool)] = &[("/usr/bin/open", true)];
#[cfg(windows)]
const SYSTEM: &[(&str, bool)] = &[("rundll32.exe url.dll,FileProtocolHandler", true)];
#[cfg(not(any(target_os = "macos", windows)))]
const SYSTEM: &[(&str, bool)] = &[
    ("xdg-open", true),
    ("gio open", true),
    ("gnome-open", true),
    ("kde-open", true),
    ("x-www-browser", true),
    // Opens Windows' own browser from inside WSL.
    ("wslview", false),
];

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
    // Editors that run here but show elsewhere name a helper as BROWSER, and it asks these.
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

    /// What a script that stands for the browser wrote, once it has ended.
    fn written_by(script: &str, folder: &Path, more: &[(&str, &str)]) -> String {
        let (pipe, file) = (folder.join("pipe"), folder.join("script"));
        assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        fs::write(&file, script).unwrap();
        let browser = format!("sh {} {} %s", file.display(), pipe.display());
        let mut pairs = vec![("BROWSER", browser.as_str()), ("PATH", "/usr/bin:/bin")];
        pairs.extend(more);
        open_in(URL, environment(&pairs)).unwrap();
        fs::read_to_string(&pipe).unwrap()
    }

    #[test]
    fn the_browser_inherits_what_it_needs_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let secrets = [
            ("GATEPASS_CISCO_CLIENT_SECRET", "canary"),
            ("CISCO_SECRET", "canary"),
            ("AWS_SECRET_ACCESS_KEY", "canary"),
            ("XDGX", "canary"),
            ("XDG_CURRENT_DESKTOP", "GNOME"),
            ("LC_ALL", "C"),
        ];
        let all = written_by("{ env; } > \"$1\"", folder.path(), &secrets);
        assert!(!all.contains("canary"), "{all}");
        for wanted in ["XDG_CURRENT_DESKTOP=GNOME", "LC_ALL=C", "BROWSER=sh "] {
            assert!(all.contains(wanted), "{wanted} in {all}");
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_browser_has_no_open_file_of_ours_and_its_own_process_group() {
        let folder = tempfile::tempdir().unwrap();
        let ours = fs::File::create(folder.path().join("ours")).unwrap();
        let script = "{ ls -l /proc/$$/fd; echo; ps -o pgid= -p $$ 2>/dev/null || cut -d' ' -f5 \
                      /proc/$$/stat; echo $$; } > \"$1\"";
        let said = written_by(script, folder.path(), &[]);
        let (files, ids) = said.split_once("\n\n").unwrap();
        assert!(!files.contains("/ours"), "{files}");
        assert!(files.contains(" 0 -> /dev/null") && files.contains(" 2 -> /dev/null"), "{files}");
        let ids: Vec<&str> = ids.split_whitespace().collect();
        assert_eq!(ids[0], ids[1]);
        drop(ours);
    }

    #[test]
    fn browser_is_a_list_of_commands_and_no_shell_reads_them() {
        let environment =
            environment(&[("BROWSER", "lynx -x;y '%s' $(id):firefox"), ("DISPLAY", ":0")]);
        let all = openers(URL, &environment);
        let first = ["-x;y", &format!("'{URL}'"), "$(id)"].map(str::to_owned).to_vec();
        assert_eq!(all[0], ("lynx".to_owned(), first));
        assert_eq!(all[1], ("firefox".to_owned(), vec![URL.to_owned()]));
        assert!(all.len() > 2);
    }

    #[test]
    fn a_missing_browser_is_an_error() {
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
    fn only_web_addresses_open() {
        for bad in ["file:///etc/passwd", "--help", "javascript:1", "http:/x", "http://a b", ""] {
            let error = open_in(bad, environment(&[("BROWSER", "true")])).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidInput, "{bad}");
        }
    }
}
