//! An API's response, classified by every provider: does it reject the token?

use gatepass_core::{ApiResponse, TokenVerdict};

use super::message::Message;
use super::token_response::providers;

/// Asks each provider for its verdict, without the body and with it.
pub fn run(bytes: &[u8]) {
    let Some(response) = Message::read(bytes).and_then(Message::response) else { return };
    for (provider, _) in providers() {
        let bare = ApiResponse::new(response.status(), response.headers());
        let without = provider.token_verdict(&bare);
        let with = provider.token_verdict(&bare.with_body(response.body()));
        let id = provider.id();
        assert_ne!(with, TokenVerdict::NeedsBody, "{id} got the body");
        if without != TokenVerdict::NeedsBody {
            assert_eq!(with, without, "{id} did not need the body");
        }
        assert_eq!(
            with,
            provider.token_verdict(&bare.with_body(response.body())),
            "{id} decides once"
        );
        // A success without a body does not reject a token.
        if response.status().is_success() && response.body().is_empty() {
            assert_eq!(
                with,
                TokenVerdict::NotRejected,
                "{id} rejects a token for an empty success"
            );
        }
    }
}
