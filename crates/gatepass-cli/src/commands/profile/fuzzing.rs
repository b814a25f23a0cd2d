//! A door for fuzzing: a profile that is added to a config's text, without a file or a terminal.

use std::future::Future as _;
use std::path::PathBuf;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use gatepass::{Config, Registry};
use zeroize::Zeroizing;

use super::add::Plan;
use super::config_file::Place;
use super::edit::{Document, quoted};
use super::prompts::{Answers, Given};
use super::secrets::Homes;
use crate::options::{Common, Format};
use crate::output::Output;

/// A profile as `gatepass profile add` is told of it.
#[derive(Clone, Debug)]
pub struct NewProfile {
    /// The vendor.
    pub provider: String,
    /// Its name.
    pub name: String,
    /// What `--field` gives.
    pub fields: Vec<(String, String)>,
    /// What standard input gives; written into the config.
    pub secrets: Vec<(String, String)>,
    /// Whether it replaces one of that name.
    pub replaces: bool,
}

impl NewProfile {
    /// The config's text with it, and the section alone; nothing where it is refused.
    pub fn add_to(self, config: &str) -> Option<(String, String)> {
        Config::from_toml(config).ok()?;
        let registry = Registry::linked().ok()?;
        let info = registry.get(&self.provider).ok()?;
        Config::from_toml(&format!("[profiles.{}]", quoted(&self.name).as_str())).ok()?;
        let secrets = self.secrets.into_iter().map(|(name, text)| (name, Zeroizing::new(text)));
        let given = Given {
            fields: self.fields,
            secrets: secrets.collect(),
            at_terminal: false,
            all: false,
            dry_run: false,
        };
        let common = Common {
            config: None,
            set: Vec::new(),
            format: Some(Format::Json),
            quiet: true,
            verbose: 0,
        };
        let output = Output::new(&common, String::new());
        let collected = pin!(Answers::collect(info, &given, &output))
            .poll(&mut Context::from_waker(Waker::noop()));
        let Poll::Ready(Ok(answers)) = collected else { return None };
        let place = Place::at(PathBuf::from("/nonexistent/gatepass.toml")).ok()?;
        let (name, replaces, homes) = (self.name, self.replaces, Homes::Config);
        let origins = String::new();
        let plan = Plan { name, info, place, replaces, answers, homes, origins };
        plan.check(&registry).ok()?;
        let section = plan.section();
        let document = Document::new(Zeroizing::new(config.to_owned()));
        let text = document.with_profile(&plan.name, &section, replaces).ok()?;
        Some((text.to_string(), section.to_string()))
    }
}
