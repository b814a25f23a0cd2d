//! Keeps the token in a file fresh while the program runs.

use std::convert::Infallible;
use std::time::Duration;

use gatepass::{Token, TokenSource};
use tokio::time::sleep;

use super::token_file::TokenFile;
use crate::error::describe_io;
use crate::output::{Output, rfc3339};

/// The longest and the shortest time between two looks at how refreshing goes.
const LONGEST: Duration = Duration::from_secs(30);
const SHORTEST: Duration = Duration::from_secs(1);

/// Writes each new token into the file, and warns once of failures in a row: the program goes on
/// with the token it has.
pub(super) async fn keep(
    file: &mut TokenFile,
    mut written: Token,
    source: &TokenSource,
    profile: &str,
    output: &Output,
) -> Infallible {
    let mut watch = source.watch();
    let mut has_warned = false;
    loop {
        let pause = source.status().refresh_in.unwrap_or(LONGEST).clamp(SHORTEST, LONGEST);
        let failed = tokio::select! {
            next = watch.next() => next.is_err(),
            // A refresh that fails while the token is good wakes nobody who watches.
            () = sleep(pause) => false,
        };
        let mut trouble = source.status().last_error.map(|error| error.to_string());
        if let Some(token) = source.peek().filter(|token| !token.is_same_as(&written)) {
            match file.write(&token) {
                Ok(()) => written = token,
                Err(error) => trouble = Some(describe_io(&error)),
            }
        }
        if let Some(trouble) = &trouble
            && !has_warned
        {
            let ends = rfc3339(written.expires_at());
            let file = file.path().display();
            output.warn(&format!("{profile}: {file} has the token that ends at {ends}: {trouble}"));
            output.flush_warnings();
        }
        has_warned = trouble.is_some();
        if failed {
            // The source says when it is worth asking again; this is for errors that do not rest.
            sleep(SHORTEST).await;
        }
    }
}
