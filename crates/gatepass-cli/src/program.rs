//! Name and version of the command, which a command with further providers sets.

use std::path::Path;
use std::sync::OnceLock;

use clap::Command;
use clap::builder::StyledStr;
use gatepass::Hint;
use gatepass_sandbox::{Sandbox, SandboxBuilder, SandboxVendor};

/// The command, with the name and version that its help, man pages, completions and hints show.
///
/// ```no_run
/// // use provider_acme as _;
/// fn main() -> std::process::ExitCode {
///     gatepass_cli::Program::new("acme-gatepass", env!("CARGO_PKG_VERSION")).main()
/// }
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Program {
    name: &'static str,
    version: &'static str,
    sandbox_vendors: &'static [&'static dyn SandboxVendor],
}

const GATEPASS: Program = Program::new("gatepass", env!("CARGO_PKG_VERSION"));

/// The program of this process. Without one it is `gatepass`.
static PROGRAM: OnceLock<Program> = OnceLock::new();

impl Program {
    /// Creates a program with the name of its binary.
    pub const fn new(name: &'static str, version: &'static str) -> Self {
        Self { name, version, sandbox_vendors: &[] }
    }

    /// Sets the vendors that `sandbox` and `demo` simulate, besides those of gatepass.
    ///
    /// ```no_run
    /// # use gatepass_sandbox::{ClientField, SandboxResponse, SandboxVendor, VendorContext, VendorRequest};
    /// # #[derive(Debug)]
    /// # struct AcmeVendor;
    /// # impl SandboxVendor for AcmeVendor {
    /// #     fn id(&self) -> &str { "acme" }
    /// #     fn fields(&self) -> Vec<ClientField> { vec![ClientField::id("client_id")] }
    /// #     fn token(&self, _: &VendorRequest, _: &mut VendorContext<'_>) -> SandboxResponse {
    /// #         SandboxResponse::not_found()
    /// #     }
    /// #     fn api(&self, _: &VendorRequest, _: &mut VendorContext<'_>) -> SandboxResponse {
    /// #         SandboxResponse::not_found()
    /// #     }
    /// # }
    /// fn main() -> std::process::ExitCode {
    ///     gatepass_cli::Program::new("acme-gatepass", env!("CARGO_PKG_VERSION"))
    ///         .sandbox_vendors(&[&AcmeVendor])
    ///         .main()
    /// }
    /// ```
    #[must_use]
    pub const fn sandbox_vendors(mut self, vendors: &'static [&'static dyn SandboxVendor]) -> Self {
        self.sandbox_vendors = vendors;
        self
    }

    /// Makes this the program of the process, unless there is one.
    pub(crate) fn set(self) {
        PROGRAM.get_or_init(|| self);
    }
}

fn program() -> Program {
    PROGRAM.get().copied().unwrap_or(GATEPASS)
}

/// Returns the name of the command.
pub(crate) fn name() -> &'static str {
    program().name
}

/// Returns a builder of a sandbox with the vendors of this command.
pub(crate) fn sandbox() -> SandboxBuilder {
    let vendors = program().sandbox_vendors.iter();
    vendors.fold(Sandbox::builder(), |builder, vendor| builder.with(*vendor))
}

/// Returns a hint whose command the user can copy: with this command's name and config file.
pub(crate) fn typed(hint: Hint, config: Option<&Path>) -> Hint {
    hint.with_program(name()).with_config(config)
}

/// Puts this command's name and version into the definition of the command line.
pub(crate) fn named(command: Command) -> Command {
    let Program { name, version, .. } = program();
    let command = command.name(name).bin_name(name).version(version);
    if name == GATEPASS.name { command } else { renamed(command, name) }
}

/// Replaces `gatepass` in the texts of a command and of its subcommands.
fn renamed(mut command: Command, name: &str) -> Command {
    let new = |text: Option<&StyledStr>| text.map(|text| rename(&text.to_string(), name));
    if let Some(text) = new(command.get_about()) {
        command = command.about(text);
    }
    if let Some(text) = new(command.get_long_about()) {
        command = command.long_about(text);
    }
    if let Some(text) = new(command.get_after_help()) {
        command = command.after_help(text);
    }
    if let Some(text) = new(command.get_after_long_help()) {
        command = command.after_long_help(text);
    }
    if let Some(usage) = usage_of(&command) {
        command = command.override_usage(rename(&usage, name));
    }
    command.mut_subcommands(|one| renamed(one, name))
}

/// Returns the usage line of a command that does not leave it to clap.
fn usage_of(command: &Command) -> Option<String> {
    let usage = command.clone().render_usage().to_string();
    let usage = usage.strip_prefix("Usage: ")?;
    usage.starts_with(&format!("{} ", GATEPASS.name)).then(|| usage.to_owned())
}

/// Replaces the word `gatepass` where it is a command: not in a path, in another name, or in a
/// variable.
fn rename(text: &str, name: &str) -> String {
    let mut renamed = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(GATEPASS.name) {
        let (before, from) = rest.split_at(at);
        let (word, after) = from.split_at(GATEPASS.name.len());
        renamed.push_str(before);
        let is_start = renamed.chars().next_back().is_none_or(|char| " \n`(\"'".contains(char));
        let is_end = after.chars().next().is_none_or(|char| " \n`)\"',:;".contains(char));
        renamed.push_str(if is_start && is_end { name } else { word });
        rest = after;
    }
    renamed + rest
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;
    use crate::args::Args;

    #[test]
    fn only_the_command_is_renamed() {
        let text = "gatepass token x | gatepass call\n  source <(gatepass completions bash)\n\
                    ~/.config/gatepass/config.toml gatepass.fish _gatepass gatepass-token `gatepass`";
        let expected = "acme token x | acme call\n  source <(acme completions bash)\n\
                        ~/.config/gatepass/config.toml gatepass.fish _gatepass gatepass-token `acme`";
        assert_eq!(rename(text, "acme"), expected);
    }

    #[test]
    fn every_help_has_the_name_of_the_command() {
        fn check(command: &Command) {
            let help = command.clone().render_long_help().to_string();
            let is_named = |line: &&str| line.trim_start().starts_with("gatepass ");
            let left: Vec<&str> = help.lines().filter(is_named).collect();
            assert!(left.is_empty(), "{}: {left:#?}", command.get_name());
            command.get_subcommands().for_each(check);
        }
        check(&renamed(Args::command().name("acme").bin_name("acme"), "acme"));
    }
}
