//! The fenced blocks of a Markdown page and their purpose.

/// A Markdown page.
#[derive(Debug)]
pub(crate) struct Page {
    /// The path from the repository's root.
    pub(crate) path: String,
    /// The fenced and the hidden blocks.
    pub(crate) blocks: Vec<Block>,
}

/// A fenced block, or a hidden one in a comment `<!-- sh … -->`.
#[derive(Debug, Default)]
pub(crate) struct Block {
    /// The number of the first line.
    pub(crate) line: usize,
    /// The info string after the opening fence.
    info: String,
    /// The lines.
    pub(crate) text: String,
    /// The shown output of a command.
    pub(crate) shown: Option<String>,
}

impl Page {
    pub(crate) fn new(path: String, text: &str) -> Self {
        let mut page = Self { path, blocks: Vec::new() };
        let mut open: Option<(Block, String)> = None;
        // Whether only empty lines follow the command so far.
        let mut follows_command = false;
        for (number, line) in text.lines().enumerate() {
            match &mut open {
                Some((block, fence)) if line.trim() == fence => {
                    let (block, _) = open.take().unwrap();
                    follows_command = page.push(block, follows_command);
                }
                Some((block, _)) => {
                    block.text += line;
                    block.text += "\n";
                }
                None => {
                    let ticks = line.len() - line.trim_start_matches('`').len();
                    let (fence, info) = match line.strip_prefix("<!-- sh") {
                        Some(rest) if rest.trim().is_empty() => ("-->", "sh"),
                        _ if ticks >= 3 => line.split_at(ticks),
                        _ => {
                            follows_command &= line.is_empty();
                            continue;
                        }
                    };
                    let (line, info) = (number + 1, info.trim().to_owned());
                    open = Some((Block { line, info, ..Block::default() }, fence.to_owned()));
                }
            }
        }
        assert!(open.is_none(), "{}: a block is not closed: {open:?}", page.path);
        page
    }

    /// Adds a block, or sets it as the output of the preceding command. Returns whether an output may
    /// follow.
    fn push(&mut self, block: Block, follows_command: bool) -> bool {
        if let Some(command) =
            self.blocks.last_mut().filter(|_| follows_command && block.is_output())
        {
            command.shown = Some(block.text);
            return false;
        }
        let is_command = block.is_command();
        self.blocks.push(block);
        is_command
    }

    pub(crate) fn commands(&self) -> impl Iterator<Item = &Block> {
        self.blocks.iter().filter(|block| block.is_command())
    }

    pub(crate) fn has_commands(&self) -> bool {
        self.commands().next().is_some()
    }
}

impl Block {
    fn language(&self) -> &str {
        self.info.split([' ', ',']).next().unwrap_or_default()
    }

    /// Returns the reason in `sh (not run: …)`.
    pub(crate) fn not_run(&self) -> Option<&str> {
        let (_, rest) = self.info.split_once("(not run: ")?;
        rest.strip_suffix(')')
    }

    /// Returns whether the block is run.
    fn is_command(&self) -> bool {
        ["sh", "bash"].contains(&self.language()) && self.not_run().is_none()
    }

    fn is_output(&self) -> bool {
        ["text", "json"].contains(&self.language()) && !self.info.contains('(')
    }

    pub(crate) fn is_rust(&self) -> bool {
        self.language() == "rust"
    }

    /// Returns whether the block is a config file or a part of one.
    pub(crate) fn is_config(&self) -> bool {
        let is_toml = self.language() == "toml" && !self.info.contains('(');
        is_toml && self.text.contains("[profiles.")
    }
}

#[test]
fn parser_separates_commands_output_and_skipped() {
    let text = "a\n```sh\none\n```\n\n```text\n1\n```\n```text\n2\n```\n<!-- sh\nhidden\n-->\n\
                ````sh (not run: no vendor)\n```\n````\n```bash\ntwo\n```\nb\n```text\n3\n```\n";
    let page = Page::new(String::from("a.md"), text);
    let commands: Vec<_> = page
        .commands()
        .map(|block| (block.line, block.text.as_str(), block.shown.as_deref()))
        .collect();
    let expected = [(2, "one\n", Some("1\n")), (12, "hidden\n", None), (18, "two\n", None)];
    assert_eq!(commands, expected);
    let reasons: Vec<&str> = page.blocks.iter().filter_map(Block::not_run).collect();
    assert_eq!(reasons, ["no vendor"]);
    assert_eq!(page.blocks.len(), 6);
}
