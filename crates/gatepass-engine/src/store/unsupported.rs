//! The file store on systems that have none yet: opening it returns an error.

use std::convert::Infallible;
use std::path::Path;
use std::time::Duration;

use gatepass_core::{Clock, Error, Result, async_trait};

use super::{Lease, ProfileKey, Record, StoreKey, TokenStore};

/// An encrypted store in a folder. This system does not support it yet.
#[derive(Clone, Debug)]
pub struct FileStore(Infallible);

impl FileStore {
    /// Returns an error of kind `Config`.
    pub fn open(_: impl AsRef<Path>) -> Result<Self> {
        Err(Error::config("tokens are not kept in files on this system yet"))
    }

    /// Sets the clock by which records expire.
    pub fn with_clock(self, _: impl Clock + 'static) -> Self {
        match self.0 {}
    }

    /// Sets the name of the process in the history.
    #[doc(hidden)]
    pub fn with_process_name(self, _: &str) -> Self {
        match self.0 {}
    }
}

#[async_trait]
impl TokenStore for FileStore {
    async fn load(&self, _: &StoreKey) -> Result<Option<Record>> {
        match self.0 {}
    }

    async fn lease(&self, _: &StoreKey, _: Duration) -> Result<Option<Box<dyn Lease>>> {
        match self.0 {}
    }

    async fn forget(&self, _: &ProfileKey) -> Result<usize> {
        match self.0 {}
    }
}
