//! `gatepass man`: the manual, made of what `--help` shows.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Command;
use clap_mangen::Man;
use roff::{Roff, bold, roman};

use crate::error::{CommandError, describe_io, usage};
use crate::output::Output;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  gatepass man | man -l -
  gatepass man --dir ~/.local/share/man/man1 && man gatepass-token")]
pub(crate) struct ManArgs {
    /// Writes a page for every command into this folder
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

pub(crate) fn run(
    args: &ManArgs,
    mut whole: Command,
    output: &Output,
) -> Result<ExitCode, CommandError> {
    whole.build();
    let Some(dir) = &args.dir else {
        output.bytes(&page(&whole, &whole)?)?;
        return Ok(ExitCode::SUCCESS);
    };
    std::fs::create_dir_all(dir).map_err(|error| unwritten(dir, &error))?;
    write_all(dir, &whole, &whole)?;
    Ok(ExitCode::SUCCESS)
}

/// A command's page, and those of the commands below it.
fn write_all(dir: &Path, command: &Command, whole: &Command) -> Result<(), CommandError> {
    write(dir, command, whole)?;
    let below = command.get_subcommands().filter(|one| !one.is_hide_set());
    below.into_iter().try_for_each(|one| write_all(dir, one, whole))
}

fn write(dir: &Path, command: &Command, whole: &Command) -> Result<(), CommandError> {
    let path = dir.join(format!("{}.1", name(command)));
    std::fs::write(&path, page(command, whole)?).map_err(|error| unwritten(&path, &error))
}

fn unwritten(path: &Path, error: &std::io::Error) -> CommandError {
    usage(format!("cannot write {}: {}", path.display(), describe_io(error)), "--dir FOLDER")
}

/// `gatepass-token`, once the command is built.
fn name(command: &Command) -> &str {
    command.get_display_name().unwrap_or_else(|| command.get_name())
}

fn page(command: &Command, whole: &Command) -> std::io::Result<Vec<u8>> {
    let version = whole.get_version().unwrap_or_default();
    let man = Man::new(command.clone());
    // Undated: the same source makes the same page.
    let title = name(command).to_uppercase();
    let mut page =
        format!(".TH {title} 1 \"\" \"gatepass {version}\" \"User Commands\"\n").into_bytes();
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    man.render_options_section(&mut page)?;
    if command.has_subcommands() {
        man.render_subcommands_section(&mut page)?;
    }
    let (own, shared) = (Below::read(command), Below::read(whole));
    let mut roff = Roff::new();
    for paragraph in &own.notes {
        roff.control("SH", ["NOTES"]).text([roman(paragraph)]);
    }
    for (heading, title) in SECTIONS {
        let lines = own.section(heading).or_else(|| {
            // Of another command an example says nothing; all the rest holds for each.
            shared.section(heading).filter(|_| heading != "Examples")
        });
        let Some(lines) = lines else { continue };
        // Columns are to stay where they are.
        roff.control("SH", [title]).control("nf", []);
        for line in lines {
            roff.text([roman(line)]);
        }
        roff.control("fi", []);
    }
    if name(command) != name(whole) {
        roff.control("SH", ["SEE ALSO"]).text([bold(name(whole)), roman("(1)")]);
    }
    roff.to_writer(&mut page)?;
    Ok(ascii(&String::from_utf8_lossy(&page)).into_bytes())
}

/// Every character beyond ASCII by its number, as troff wants it.
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

/// The sections of the help, and what a man page calls them, in its order.
const SECTIONS: [(&str, &str); 4] = [
    ("Exit codes", "EXIT STATUS"),
    ("Environment", "ENVIRONMENT"),
    ("Files", "FILES"),
    ("Examples", "EXAMPLES"),
];

/// What stands below the options in the help.
#[derive(Debug, Default)]
struct Below {
    sections: Vec<(String, Vec<String>)>,
    notes: Vec<String>,
}

impl Below {
    fn read(command: &Command) -> Self {
        let help = command.get_after_long_help().or_else(|| command.get_after_help());
        let help = help.map(ToString::to_string).unwrap_or_default();
        let mut below = Self::default();
        for block in help.split("\n\n").filter(|block| !block.is_empty()) {
            let mut lines = block.lines();
            match lines.next().and_then(|first| first.strip_suffix(':')) {
                Some(heading) => {
                    let lines =
                        lines.map(|line| line.strip_prefix("  ").unwrap_or(line).to_owned());
                    below.sections.push((heading.to_owned(), lines.collect()));
                }
                None => below.notes.push(block.replace('\n', " ")),
            }
        }
        below
    }

    fn section(&self, heading: &str) -> Option<&[String]> {
        let found = self.sections.iter().find(|(name, _)| name == heading);
        found.map(|(_, lines)| lines.as_slice())
    }
}
