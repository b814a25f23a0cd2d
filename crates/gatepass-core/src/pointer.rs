//! A boxed or shared provider, sender, credential source, clock or token source is one as well.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use http::{HeaderMap, Uri};

use crate::{
    ApiResponse, Authorize, Clock, CoarseTime, Credential, CredentialSource, Endpoint, Error,
    ExchangeContext, HttpSend, Interactive, Provider, RefreshHints, Request, Response, Result,
    Token, TokenVerdict,
};

macro_rules! pointers {
    ($($pointer:ident)*) => {$(
        #[async_trait]
        impl<P: Provider + ?Sized> Provider for $pointer<P> {
            fn id(&self) -> Cow<'static, str> {
                (**self).id()
            }

            fn token_request(&self, credential: &Credential) -> Result<Request> {
                (**self).token_request(credential)
            }

            fn read_token(&self, response: &Response, sent: SystemTime) -> Result<Token> {
                (**self).read_token(response, sent)
            }

            fn authorize(
                &self,
                credential: &Credential,
                token: &Token,
                headers: &mut HeaderMap,
            ) -> Result<()> {
                (**self).authorize(credential, token, headers)
            }

            fn token_verdict(&self, answer: &ApiResponse<'_>) -> TokenVerdict {
                (**self).token_verdict(answer)
            }

            fn explain(&self, credential: &Credential, error: Error) -> Error {
                (**self).explain(credential, error)
            }

            fn interactive(&self) -> Option<&dyn Interactive> {
                (**self).interactive()
            }

            fn hints(&self) -> RefreshHints {
                (**self).hints()
            }

            fn scope(&self) -> Option<&str> {
                (**self).scope()
            }

            fn api(&self) -> Option<Endpoint> {
                (**self).api()
            }

            fn probe(&self, credential: &Credential) -> Result<Option<String>> {
                (**self).probe(credential)
            }

            async fn exchange(&self, credential: &Credential, cx: &ExchangeContext<'_>) -> Result<Token> {
                (**self).exchange(credential, cx).await
            }
        }

        #[async_trait]
        impl<H: HttpSend + ?Sized> HttpSend for $pointer<H> {
            async fn send(&self, request: Request) -> Result<Response> {
                (**self).send(request).await
            }
        }

        #[async_trait]
        impl<C: CredentialSource + ?Sized> CredentialSource for $pointer<C> {
            async fn credential(&self) -> Result<Credential> {
                (**self).credential().await
            }
        }

        #[async_trait]
        impl<A: Authorize + ?Sized> Authorize for $pointer<A> {
            fn check(&self, to: &Uri) -> Result<()> {
                (**self).check(to)
            }

            async fn authorize_request(&self, to: &Uri, headers: &mut HeaderMap) -> Result<Token> {
                (**self).authorize_request(to, headers).await
            }

            fn report_response(&self, token: &Token, answer: &ApiResponse<'_>) -> TokenVerdict {
                (**self).report_response(token, answer)
            }
        }

        impl<C: Clock + ?Sized> Clock for $pointer<C> {
            fn wall(&self) -> SystemTime {
                (**self).wall()
            }

            fn boot(&self) -> Duration {
                (**self).boot()
            }

            fn coarse(&self) -> CoarseTime {
                (**self).coarse()
            }
        }
    )*};
}

pointers!(Arc Box);

#[cfg(test)]
mod tests {
    /// A method with a default that is not passed on here would silently be the default.
    #[test]
    fn every_method_of_every_trait_is_passed_on() {
        let own = include_str!("pointer.rs");
        for (source, name) in [
            (include_str!("provider.rs"), "Provider"),
            (include_str!("http.rs"), "HttpSend"),
            (include_str!("credential.rs"), "CredentialSource"),
            (include_str!("clock.rs"), "Clock"),
            (include_str!("authorize.rs"), "Authorize"),
        ] {
            let (_, body) = source.split_once(&format!("pub trait {name}:")).unwrap();
            let (body, _) = body.split_once("\n}").unwrap();
            let methods = body.lines().filter_map(|line| {
                let line = line.strip_prefix("    ")?;
                let line = line.strip_prefix("async ").unwrap_or(line);
                line.strip_prefix("fn ")?.split('(').next()
            });
            let mut count = 0;
            for method in methods {
                count += 1;
                assert!(own.contains(&format!("(**self).{method}(")), "{name}::{method}");
            }
            assert!(count > 0, "{name}");
        }
    }
}
