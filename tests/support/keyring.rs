//! A private D-Bus session with an unlocked GNOME Keyring.

use std::path::Path;

use crate::home::Home;
use crate::process::{Gatepass, Running};

/// A session that ends with its keyring on drop.
#[derive(Debug)]
pub struct Keyring<'home> {
    home: &'home Home,
    bus: String,
    _daemon: Running<'home>,
}

impl<'home> Keyring<'home> {
    /// Starts a session with an empty keyring.
    pub fn start(home: &'home Home) -> Self {
        home.write("services/org.freedesktop.secrets.service", SERVICE);
        Self::without_service(home)
    }

    /// Starts a session without a keyring.
    pub fn without_service(home: &'home Home) -> Self {
        let bus = BUS
            .replace("SOCKETS", home.path("tmp").to_str().unwrap())
            .replace("SERVICES", home.path("services").to_str().unwrap());
        let config = format!("--config-file={}", home.write("bus.conf", &bus).display());
        let args = [config.as_str(), "--nofork", "--nopidfile", "--print-address=1"];
        let daemon = desktop_program(home, "dbus-daemon", args).spawn();
        let bus = daemon.line().trim_end().to_owned();
        Self { home, bus, _daemon: daemon }
    }

    /// Connects a command to the session.
    pub fn connect<'a>(&self, command: Gatepass<'a>) -> Gatepass<'a> {
        command.env("DBUS_SESSION_BUS_ADDRESS", &self.bus)
    }

    /// Returns another program connected to the session.
    pub fn program<'a>(
        &self,
        program: &str,
        args: impl IntoIterator<Item = &'a str>,
    ) -> Gatepass<'home> {
        self.connect(desktop_program(self.home, program, args))
    }

    /// Writes an entry with `secret-tool`.
    pub fn write(&self, service: &str, account: &str, secret: &[u8]) {
        let args = ["store", "--label=a test", "service", service, "username", account];
        self.program("secret-tool", args).stdin(secret).run().ok();
    }

    /// Looks up an entry with `secret-tool`.
    pub fn find(&self, service: &str, account: &str) -> Option<String> {
        let args = ["lookup", "service", service, "username", account];
        let run = self.program("secret-tool", args).run();
        (run.code == Some(0)).then_some(run.stdout)
    }

    /// Locks the keyring. No display is available for a password prompt.
    pub fn lock(&self) {
        let args = [
            "--session",
            "--print-reply",
            "--dest=org.freedesktop.secrets",
            "/org/freedesktop/secrets",
            "org.freedesktop.Secret.Service.Lock",
            "array:objpath:/org/freedesktop/secrets/collection/login",
        ];
        self.program("dbus-send", args).run().ok();
    }
}

fn desktop_program<'home, 'a>(
    home: &'home Home,
    program: &str,
    args: impl IntoIterator<Item = &'a str>,
) -> Gatepass<'home> {
    let program = home.program(Path::new(program), args);
    program.env("XDG_DATA_HOME", home.path("data")).env("XDG_RUNTIME_DIR", home.path("tmp"))
}

/// A bus that starts only the services of a test's folder: no other keyring and no password prompt.
const BUS: &str = r#"<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>session</type>
  <listen>unix:dir=SOCKETS</listen>
  <servicedir>SERVICES</servicedir>
  <policy context="default">
    <allow send_destination="*" eavesdrop="true"/>
    <allow eavesdrop="true"/>
    <allow own="*"/>
  </policy>
</busconfig>
"#;

/// The keyring service. The bus starts it at the first message, delays the message until then, and
/// ends it.
const SERVICE: &str = "[D-BUS Service]
Name=org.freedesktop.secrets
Exec=/bin/sh -c 'echo -n password | exec gnome-keyring-daemon --foreground --unlock --components=secrets'
";
