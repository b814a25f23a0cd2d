//! `gatepass man`: prints man pages, which have the same text as `--help`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Command;
use clap_mangen::Man;
use roff::{Roff, bold, roman};

use crate::error::{CommandError, describe_io, usage};
use crate::options::unused;
use crate::output::Output;

#[derive(Debug, clap::Args)]
#[command(args = unused(&["config", "set", "quiet", "verbose"]), after_help = "\
Examples:
  gatepass man | man -l -
  gatepass man --dir ~/.local/share/man/man1 && man gatepass-token")]
pub(crate) struct ManArgs {
    /// Write a page for each command into this directory
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

pub(crate) fn run(
    args: &ManArgs,
    mut root: Command,
    output: &Output,
) -> Result<ExitCode, CommandError> {
    root.build();
    let Some(dir) = &args.dir else {
        output.bytes(&page(&root, &root)?)?;
        return Ok(ExitCode::SUCCESS);
    };
    std::fs::create_dir_all(dir).map_err(|error| write_error(dir, &error))?;
    write_all(dir, &root, &root)?;
    Ok(ExitCode::SUCCESS)
}

/// Writes the page of a command and those of its subcommands.
fn write_all(dir: &Path, command: &Command, root: &Command) -> Result<(), CommandError> {
    write(dir, command, root)?;
    let subcommands = command.get_subcommands().filter(|one| !one.is_hide_set());
    subcommands.into_iter().try_for_each(|one| write_all(dir, one, root))
}

fn write(dir: &Path, command: &Command, root: &Command) -> Result<(), CommandError> {
    let path = dir.join(format!("{}.1", name(command)));
    std::fs::write(&path, page(command, root)?).map_err(|error| write_error(&path, &error))
}

fn write_error(path: &Path, error: &std::io::Error) -> CommandError {
    usage(
        format!("cannot write {}: {}", path.display(), describe_io(error)),
        "name a directory that you may write to",
    )
}

/// Returns the page's name, such as `gatepass-token`, if the command has been built.
fn name(command: &Command) -> &str {
    command.get_display_name().unwrap_or_else(|| command.get_name())
}

fn page(command: &Command, root: &Command) -> std::io::Result<Vec<u8>> {
    let version = root.get_version().unwrap_or_default();
    let man = Man::new(command.clone());
    // No date, so that the same source produces the same page.
    let title = name(command).to_uppercase();
    let mut page =
        format!(".TH {title} 1 \"\" \"{} {version}\" \"User Commands\"\n", name(root)).into_bytes();
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    man.render_options_section(&mut page)?;
    if command.has_subcommands() {
        man.render_subcommands_section(&mut page)?;
    }
    let (own, shared) = (HelpText::read(command), HelpText::read(root));
    let mut roff = Roff::new();
    for paragraph in &own.notes {
        roff.control("SH", ["NOTES"]).text([roman(paragraph)]);
    }
    for (heading, title) in SECTIONS {
        let lines = own.section(heading).or_else(|| {
            // Exit codes, variables and files apply to every command; examples do not.
            shared.section(heading).filter(|_| heading != "Examples")
        });
        let Some(lines) = lines else { continue };
        // Without line filling, so that columns stay aligned.
        roff.control("SH", [title]).control("nf", []);
        for line in lines {
            roff.text([roman(line)]);
        }
        roff.control("fi", []);
    }
    if name(command) != name(root) {
        roff.control("SH", ["SEE ALSO"]).text([bold(name(root)), roman("(1)")]);
    }
    roff.to_writer(&mut page)?;
    Ok(ascii(&String::from_utf8_lossy(&page)).into_bytes())
}

/// Replaces each character outside ASCII by its number, which troff requires.
fn ascii(page: &str) -> String {
    let mut text = String::with_capacity(page.len());
    for char in page.chars() {
        match char {
            char if char.is_ascii() => text.push(char),
            char => text.push_str(&format!("\\[u{:04X}]", u32::from(char))),
        }
    }
    text
}

/// The sections of the help with their headings in a man page, in the page's order.
const SECTIONS: [(&str, &str); 4] = [
    ("Exit codes", "EXIT STATUS"),
    ("Environment", "ENVIRONMENT"),
    ("Files", "FILES"),
    ("Examples", "EXAMPLES"),
];

/// The text below the options in a command's help.
#[derive(Debug, Default)]
struct HelpText {
    sections: Vec<(String, Vec<String>)>,
    notes: Vec<String>,
}

impl HelpText {
    fn read(command: &Command) -> Self {
        let help = command.get_after_long_help().or_else(|| command.get_after_help());
        let help = help.map(ToString::to_string).unwrap_or_default();
        let mut text = Self::default();
        for block in help.split("\n\n").filter(|block| !block.is_empty()) {
            let mut lines = block.lines();
            match lines.next().and_then(|first| first.strip_suffix(':')) {
                Some(heading) => {
                    let lines =
                        lines.map(|line| line.strip_prefix("  ").unwrap_or(line).to_owned());
                    text.sections.push((heading.to_owned(), lines.collect()));
                }
                None => text.notes.push(block.replace('\n', " ")),
            }
        }
        text
    }

    fn section(&self, heading: &str) -> Option<&[String]> {
        let found = self.sections.iter().find(|(name, _)| name == heading);
        found.map(|(_, lines)| lines.as_slice())
    }
}
