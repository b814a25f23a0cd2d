//! Implementations of the traits for boxed and shared values.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use http::Uri;

use crate::{
    AccessToken, ApiRequest, ApiResponse, Authorize, CacheKey, Clock, Credential, CredentialSource,
    Endpoint, Error, ExchangeContext, HttpSend, Interactive, Provider, RefreshHints, Request,
    Response, Result, Token, TokenVerdict,
};

// clippy reports a method with a default that is not passed on: the pointer would silently have the
// default instead of the provider's own method.
macro_rules! pointers {
    ($($pointer:ident)*) => {$(
        #[async_trait]
        #[warn(clippy::missing_trait_methods)]
        impl<P: Provider + ?Sized> Provider for $pointer<P> {
            fn id(&self) -> &str {
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
                request: &mut ApiRequest<'_>,
            ) -> Result<()> {
                (**self).authorize(credential, token, request)
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

            fn endpoints(&self, credential: &Credential) -> Result<Vec<Endpoint>> {
                (**self).endpoints(credential)
            }

            fn cache_key(&self, credential: &Credential) -> Result<CacheKey> {
                (**self).cache_key(credential)
            }

            fn api(&self, token: Option<&Token>) -> Option<Endpoint> {
                (**self).api(token)
            }

            fn probe(&self, credential: &Credential) -> Result<Option<String>> {
                (**self).probe(credential)
            }

            async fn exchange(
                &self,
                credential: &Credential,
                cx: &ExchangeContext<'_>,
            ) -> Result<Token> {
                (**self).exchange(credential, cx).await
            }
        }

        #[async_trait]
        #[warn(clippy::missing_trait_methods)]
        impl<H: HttpSend + ?Sized> HttpSend for $pointer<H> {
            async fn send(&self, request: Request) -> Result<Response> {
                (**self).send(request).await
            }

            fn route(&self, to: &Endpoint) -> [u8; 32] {
                (**self).route(to)
            }
        }

        #[async_trait]
        #[warn(clippy::missing_trait_methods)]
        impl<C: CredentialSource + ?Sized> CredentialSource for $pointer<C> {
            async fn credential(&self) -> Result<Credential> {
                (**self).credential().await
            }
        }

        #[async_trait]
        #[warn(clippy::missing_trait_methods)]
        impl<A: AccessToken + ?Sized> AccessToken for $pointer<A> {
            async fn token(&self) -> Result<Token> {
                (**self).token().await
            }
        }

        #[async_trait]
        #[warn(clippy::missing_trait_methods)]
        impl<A: Authorize + ?Sized> Authorize for $pointer<A> {
            fn check(&self, to: &Uri) -> Result<()> {
                (**self).check(to)
            }

            async fn authorize_request(&self, request: &mut ApiRequest<'_>) -> Result<Token> {
                (**self).authorize_request(request).await
            }

            fn report_response(&self, token: &Token, answer: &ApiResponse<'_>) -> TokenVerdict {
                (**self).report_response(token, answer)
            }
        }

        #[warn(clippy::missing_trait_methods)]
        impl<C: Clock + ?Sized> Clock for $pointer<C> {
            fn wall(&self) -> SystemTime {
                (**self).wall()
            }

            fn boot(&self) -> Duration {
                (**self).boot()
            }

            fn coarse(&self) -> Option<u64> {
                (**self).coarse()
            }
        }
    )*};
}

pointers!(Arc Box);
