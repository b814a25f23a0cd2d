//! Text that is redrawn in place, on the terminal's alternate screen.
//!
//! The alternate screen leaves the user's scrollback as it was. It ends when the value is dropped, so
//! also after an error. Warnings are shown below the text, because stderr would write into it.

use crate::error::CommandError;
use crate::output::Output;

/// The alternate screen; dropping it restores the terminal.
pub(crate) struct Screen<'a> {
    output: &'a Output,
    warnings: Vec<String>,
}

impl<'a> Screen<'a> {
    /// Switches to the alternate screen, and hides the cursor.
    pub(crate) fn new(output: &'a Output) -> Result<Self, CommandError> {
        let screen = Self { output, warnings: Vec::new() };
        output.set_drawing(true);
        output.draw(["\x1b[?1049h\x1b[?25l", ""], "")?;
        Ok(screen)
    }

    /// Replaces what the screen shows. Lines that do not fit are left out.
    pub(crate) fn draw(&mut self, text: &str) -> Result<(), CommandError> {
        self.warnings.extend(self.output.take_warnings());
        let lines = text.lines().chain(self.warnings.iter().flat_map(|text| text.lines()));
        let lines: Vec<&str> = lines.collect();
        let height = self.output.height().unwrap_or(usize::MAX);
        let mut shown = String::new();
        match lines.len() < height {
            true => lines.iter().for_each(|line| shown += &format!("{line}\n")),
            false => {
                let fitting = height.saturating_sub(2);
                lines.iter().take(fitting).for_each(|line| shown += &format!("{line}\n"));
                shown += &format!("… {} more lines\n", lines.len() - fitting);
            }
        }
        // The screen is cleared behind the new text and not before it, which would flicker.
        self.output.draw(["\x1b[H", "\x1b[J"], &shown)
    }
}

impl Drop for Screen<'_> {
    fn drop(&mut self) {
        // A terminal that is gone needs no restoring.
        let _ = self.output.draw(["\x1b[?25h\x1b[?1049l", ""], "");
        self.output.set_drawing(false);
    }
}
