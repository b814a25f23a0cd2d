//! Refreshes the token in a file while a program runs.

use std::convert::Infallible;
use std::time::Duration;

use gatepass::{Token, TokenSource};
use tokio::time::sleep;

use super::token_file::TokenFile;
use crate::error::describe_io;
use crate::output::{Output, rfc3339};

/// The longest time between two checks of the source.
const MAX_PAUSE: Duration = Duration::from_secs(30);
/// The shortest time between two checks of the source.
const MIN_PAUSE: Duration = Duration::from_secs(1);

/// Writes each new token to the file. Of consecutive failures only the first is a warning: the file
/// keeps its token.
pub(super) async fn refresh(
    file: &mut TokenFile,
    mut written: Token,
    source: &TokenSource,
    profile: &str,
    output: &Output,
) -> Infallible {
    let mut watch = source.watch();
    let mut has_warned = false;
    loop {
        let pause = source.status().refresh_in.unwrap_or(MAX_PAUSE).clamp(MIN_PAUSE, MAX_PAUSE);
        let failed = tokio::select! {
            next = watch.next() => next.is_err(),
            // A failed refresh does not wake watchers while the token is usable.
            () = sleep(pause) => false,
        };
        let mut problem = source.status().last_error.map(|error| error.to_string());
        if let Some(token) = source.peek().filter(|token| !token.is_same_as(&written)) {
            match file.write(&token) {
                Ok(()) => written = token,
                Err(error) => problem = Some(describe_io(&error)),
            }
        }
        if let Some(problem) = &problem
            && !has_warned
        {
            let expiry = rfc3339(written.expires_at());
            let file = file.path().display();
            output.warn(&format!(
                "{profile}: {file} keeps the token that expires at {expiry}: {problem}"
            ));
            output.flush_warnings();
        }
        has_warned = problem.is_some();
        if failed {
            // The source limits its own requests; this is for errors without a cool-down.
            sleep(MIN_PAUSE).await;
        }
    }
}
