//! Tests of isolation: access by other processes, and the state that children inherit.

use std::fs;
use std::os::unix::process::ExitStatusExt;

use gatepass_testkit::{canary, find_leak};
use gatepass_tests::{Home, Reply, Server, gatepass_binary, vendor};
use rustix::process::{Pid, Resource, Rlimit, Signal, prlimit};

/// A home whose client secret is in a variable, and a vendor with this reply.
fn fixture(reply: Reply) -> (Server, Home) {
    let server = Server::new(move |_, _| reply.clone());
    let config =
        vendor("cisco").profile_with(&server.url(), "", |_| String::from("{ env = \"SECRET\" }"));
    (server, Home::with_config(&config))
}

#[test]
fn other_processes_cannot_read_memory_or_environment() {
    let secret = canary("secret");
    let (server, home) = fixture(Reply::silence());
    let binary = home.give_to_unprivileged_user();
    let read = |id: u32, file_name: &str| {
        let file = format!("/proc/{id}/{file_name}");
        home.program("head".as_ref(), ["-c", "4096", &file]).as_unprivileged_user().run()
    };
    let other =
        home.program("sleep".as_ref(), ["60"]).env("SECRET", secret.text()).as_unprivileged_user();
    let other = other.spawn();
    let found = read(other.id(), "environ");
    assert!(find_leak(found.ok(), std::slice::from_ref(&secret)).is_some(), "{found:#?}");
    assert!(read(other.id(), "maps").ok().contains("[stack]"));

    let running = home.program(&binary, ["token", "cisco", "--wait", "0s"]);
    let running = running.env("SECRET", secret.text()).as_unprivileged_user().spawn();
    server.arrival();
    for file_name in ["environ", "maps", "mem"] {
        let run = read(running.id(), file_name);
        assert!(run.failed(1).contains("Permission denied"), "{file_name}: {run:#?}");
    }
}

#[test]
fn crash_leaves_no_core_dump() {
    let secret = canary("secret");
    let (server, home) = fixture(Reply::silence());
    let crash = |program: &str, raise_limit: bool| {
        let script = format!("ulimit -S -c unlimited && exec {program}");
        let running = home.program("/bin/sh".as_ref(), ["-c", &script]);
        let running = running.env("SECRET", secret.text()).spawn();
        if program.contains("cisco") {
            server.arrival();
            let limits = fs::read_to_string(format!("/proc/{}/limits", running.id())).unwrap();
            let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
            assert!(core.split_whitespace().nth(4) == Some("0"), "{core}");
        } else {
            running.line();
        }
        if raise_limit {
            let id = Pid::from_raw(i32::try_from(running.id()).unwrap()).unwrap();
            let none = Rlimit { current: None, maximum: None };
            prlimit(Some(id), Resource::Core, none).unwrap();
        }
        running.signal(Signal::ABORT);
        let ended = running.ended();
        assert_eq!(ended.signal(), Some(Signal::ABORT.as_raw()), "{ended:?}");
        ended.core_dumped()
    };
    // Positive control: this machine writes core dumps.
    assert!(crash("sh -c 'echo ready; exec tail -f /dev/null'", false), "no core dumps here");
    let command = format!("{} token cisco --wait 0s", gatepass_binary().display());
    let before = fs::read_dir(home.path("work")).unwrap().count();
    assert!(!crash(&command, false));
    // Also with the limit raised again.
    assert!(!crash(&command, true));
    assert_eq!(fs::read_dir(home.path("work")).unwrap().count(), before);
}

#[test]
fn exec_restores_the_core_dump_limit() {
    let token = vendor("cisco").token_response("token-of-the-program");
    let (_server, home) = fixture(Reply::json(200, token));
    for options in ["", "--file token"] {
        for limit in ["0", "8", "unlimited"] {
            let script = format!(
                "ulimit -S -c {limit}; {} exec cisco {options} -- sh -c 'ulimit -S -c; ulimit -H -c'",
                gatepass_binary().display()
            );
            let run = home.program("/bin/sh".as_ref(), ["-c", &script]).env("SECRET", "s").run();
            let hard = home.program("/bin/sh".as_ref(), ["-c", "ulimit -H -c"]).run();
            assert_eq!(run.ok(), format!("{limit}\n{}", hard.ok()), "{options}");
        }
    }
}

#[test]
fn child_inherits_only_standard_streams() {
    let token = vendor("cisco").token_response("token-of-the-program");
    let server = Server::new(move |_, _| Reply::json(200, token.clone()));
    let home = Home::new();
    let listing = home.path("tmp/said");
    let command = format!("ls /proc/self/fd > '{}'; echo secret-1", listing.display());
    let config = vendor("cisco").profile_with(&server.url(), "", |_| {
        format!("{{ command = [\"/bin/sh\", \"-c\", {command:?}] }}")
    });
    home.write("config/gatepass/config.toml", &config);
    // Shells keep files open, and a program that lists its descriptors has the folder open.
    let open = |text: &str| text.lines().filter(|line| !line.is_empty()).count();
    let others = home.program("/bin/ls".as_ref(), ["/proc/self/fd"]).run();
    let leaky = home.program("/bin/sh".as_ref(), ["-c", "exec 7</dev/null; ls /proc/self/fd"]);
    assert_eq!(open(leaky.run().ok()), open(others.ok()) + 1);
    for options in [[].as_slice(), &["--file", "token"]] {
        let args = [["exec", "cisco"].as_slice(), options, &["--", "ls", "/proc/self/fd"]].concat();
        let run = home.gatepass(args).run();
        assert_eq!(run.ok(), others.ok(), "{options:?}");
        assert_eq!(fs::read_to_string(&listing).unwrap(), others.ok(), "the command of a secret");
        home.forget_all();
    }
}
