//! An API's answer, asked by every provider whether it refuses the token.

use gatepass_core::{ApiResponse, TokenVerdict};

use super::answer::providers;
use super::message::Message;

/// The same question to each provider, without the body and with it.
pub fn run(bytes: &[u8]) {
    let Some(answer) = Message::read(bytes).and_then(Message::answer) else { return };
    for (provider, _) in providers() {
        let bare = ApiResponse::new(answer.status(), answer.headers());
        let without = provider.token_verdict(&bare);
        let with = provider.token_verdict(&bare.with_body(answer.body()));
        let id = provider.id();
        assert_ne!(with, TokenVerdict::NeedsBody, "{id} has the body");
        if without != TokenVerdict::NeedsBody {
            assert_eq!(with, without, "{id} did not need the body");
        }
        assert_eq!(
            with,
            provider.token_verdict(&bare.with_body(answer.body())),
            "{id} decides once"
        );
        // A success refuses nothing, unless its body says so.
        if answer.status().is_success() && answer.body().is_empty() {
            assert_eq!(with, TokenVerdict::NotRejected, "{id} sees a refusal in an empty success");
        }
    }
}
