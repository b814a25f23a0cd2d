//! Snapshot tests of every command's help.

use gatepass_tests::Home;

/// Returns the names of the commands that `--help` lists.
pub(crate) fn commands() -> Vec<String> {
    let help = Home::new().gatepass(["--help"]).run();
    let (_, list) = help.ok().split_once("Commands:\n").unwrap();
    let lines = list.lines().take_while(|line| !line.is_empty());
    let named = lines.filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    named.map(|line| line.split_whitespace().next().unwrap().to_owned()).collect()
}

#[test]
fn help_matches_the_reviewed_snapshots() {
    let home = Home::new();
    insta::assert_snapshot!("gatepass", home.gatepass(["--help"]).run().ok());
    for command in commands() {
        let run = home.gatepass([command.as_str(), "--help"]).run();
        // clap prints trailing spaces after some defaults.
        let help: Vec<&str> = run.ok().lines().map(str::trim_end).collect();
        insta::assert_snapshot!(format!("gatepass-{command}"), help.join("\n"));
    }
}

#[test]
fn each_command_help_has_examples() {
    let home = Home::new();
    for command in commands() {
        let help = home.gatepass([command.as_str(), "--help"]).run();
        let (_, below) = help.ok().split_once("Examples:\n").unwrap_or_default();
        assert!(below.contains(&format!("gatepass {command}")), "{command}: {}", help.stdout);
    }
}

#[test]
fn help_wraps_at_the_terminal_width() {
    let home = Home::new();
    for command in commands() {
        let (code, screen) = home.gatepass([command.as_str(), "--help"]).at_terminal().finish();
        assert_eq!(code, Some(0));
        let plain = strip(&screen);
        // Example lines are not wrapped, so that they can be copied.
        let text = plain.split("Examples:").next().unwrap();
        for line in text.lines() {
            assert!(line.chars().count() <= 80, "{command}: {line}");
        }
    }
}

#[test]
fn messages_wrap_on_a_terminal_only() {
    let home = Home::new();
    let args = ["token", "cisco", "--client-secret"];
    let piped = home.gatepass(args).run();
    let hint = piped.failed(2).lines().nth(1).unwrap();
    assert!(hint.chars().count() > 80 && hint.contains("  hint: "), "{piped:#?}");
    let (code, screen) = home.gatepass(args).at_terminal().finish();
    assert_eq!(code, Some(2));
    assert!(screen.contains("\x1b[1mhint\x1b[0m"), "{screen:?}");
    let lines: Vec<String> = strip(&screen).lines().map(str::to_owned).collect();
    assert!(lines.iter().all(|line| line.chars().count() <= 80), "{lines:#?}");
    let joined: Vec<&str> = lines[1..].iter().map(|line| line.trim()).collect();
    assert_eq!(joined.join(" "), hint.trim());
    let (_, plain) = home.gatepass(args).env("NO_COLOR", "1").at_terminal().finish();
    assert!(!plain.contains('\x1b'), "{plain:?}");
}

#[test]
fn quiet_does_not_hide_the_log() {
    let demo = Home::new().gatepass(["-vv", "--quiet", "demo"]).at_terminal().finish();
    assert_eq!(demo.0, Some(0));
    assert!(demo.1.contains("DEBUG") && !demo.1.contains("internal error at"), "{demo:?}");
}

/// Returns the screen's text without colours.
fn strip(screen: &str) -> String {
    let mut plain = String::new();
    let mut rest = screen;
    while let Some((before, after)) = rest.split_once("\x1b[") {
        plain.push_str(before);
        rest = after.split_once('m').map_or("", |(_, after)| after);
    }
    plain + rest
}
