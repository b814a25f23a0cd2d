//! One login: its `state` and `nonce`, and the checks that its response must pass.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use subtle::ConstantTimeEq as _;
use zeroize::Zeroize as _;

use super::redirect::{Pair, Redirect, body, denied, pairs};
use super::{AuthorizationRequest, NOTHING};
use crate::json::Json;
use crate::oauth2::TokenResponse;
use crate::token::jwt_claims;
use crate::{Error, Result, Secret};

/// The secret values of one login, which bind the response to it (RFC 6749 section 10.12).
///
/// `Debug` shows only the type's name.
pub struct LoginAttempt {
    state: Secret,
    nonce: Secret,
}

impl LoginAttempt {
    /// Creates a login from random bytes: 256 bits of `state`, 128 bits of `nonce`. They must come
    /// from the operating system's random generator and be used once.
    pub fn new(mut random: [u8; 48]) -> Self {
        let (state, nonce) = random.split_at(32);
        let text = |bytes: &[u8]| Secret::from(URL_SAFE_NO_PAD.encode(bytes));
        let attempt = Self { state: text(state), nonce: text(nonce) };
        random.zeroize();
        attempt
    }

    pub(super) fn state(&self) -> &str {
        self.state.expose_secret()
    }

    pub(super) fn nonce(&self) -> &str {
        self.nonce.expose_secret()
    }

    /// Reads the address that the browser was redirected to: a complete address, its query and
    /// fragment (`?…#…`), or the fragment only. `state` is verified before anything else is read.
    ///
    /// # Errors
    ///
    /// `UnsafeToken` for a wrong `state`; `Denied`, `Config` or `Unavailable` for the vendor's errors
    /// (RFC 6749 section 4.2.2.1); `Protocol` for an address without a response.
    pub fn read(&self, request: &AuthorizationRequest, answer: &str) -> Result<TokenResponse> {
        let Redirect { place, query, fragment } = Redirect::split(answer)?;
        if place.is_some_and(|place| !request.redirect_uri.is_reached_by(place)) {
            return Err(Error::unsafe_token("this address is not the login's redirect_uri").hint(
                format!(
                    "copy the whole address of the page that the login ended at: it begins with {}",
                    request.redirect_uri.as_str()
                ),
            ));
        }
        let (in_query, in_fragment) = (pairs(query)?, pairs(fragment)?);
        let names = ["access_token", "id_token", "error", "state"];
        let is_answer = |pairs: &[Pair]| pairs.iter().any(|(name, _)| names.contains(&&**name));
        if !is_answer(&in_query) && !is_answer(&in_fragment) {
            return Err(Error::protocol("the redirect contains no response").hint(NOTHING));
        }
        let is_in_query = in_query.iter().any(|(name, _)| name.ends_with("_token"));
        let pairs: Vec<Pair> = in_fragment.into_iter().chain(in_query).collect();
        self.check_state(&pairs)?;
        if let Some(error) = denied(&pairs) {
            return Err(error);
        }
        self.check_nonce(&pairs, request.has_id_token())?;
        Ok(body(pairs, is_in_query))
    }

    /// Returns the `state` that the response must have, for a server that receives responses.
    pub fn expected_state(&self) -> ExpectedState {
        ExpectedState(self.state.clone())
    }

    fn check_state(&self, pairs: &[Pair]) -> Result<()> {
        match states(pairs).next() {
            None => Err(Error::unsafe_token("the response has no `state`: its origin is unknown")
                .hint("log in again; if it happens again, the vendor does not return `state`")),
            Some(_) if !self.expected_state().is_in(pairs) => {
                Err(Error::unsafe_token("the response belongs to another login or to an attack")
                    .hint("close the tabs of earlier logins and log in again"))
            }
            Some(_) => Ok(()),
        }
    }

    /// Rejects an ID token with the nonce of another login (OpenID Connect Core 1.0 section
    /// 3.2.2.11), and a response without the ID token that the login asked for. The signature is not
    /// checked.
    fn check_nonce(&self, pairs: &[Pair], is_required: bool) -> Result<()> {
        let mut id_tokens = pairs.iter().filter(|(name, _)| name == "id_token").peekable();
        if is_required && id_tokens.peek().is_none() {
            return Err(Error::unsafe_token(
                "the response has no id_token, which the login requires",
            )
            .hint("check in the vendor's console that this client may receive an id_token"));
        }
        for (_, id_token) in id_tokens {
            let claims = jwt_claims(id_token);
            let nonces = claims.as_ref().map(|claims| claims.at("/nonce"));
            match nonces.as_deref() {
                Some([Json::Text(nonce)]) if is_equal(nonce, self.nonce()) => {}
                Some([_, ..]) => {
                    return Err(Error::unsafe_token(
                        "the id_token belongs to another login or to an attack",
                    )
                    .hint("close the tabs of earlier logins and log in again"));
                }
                None if is_required => {
                    return Err(Error::unsafe_token("the id_token is not a readable JWT"));
                }
                Some([]) if is_required => {
                    return Err(Error::unsafe_token(
                        "the id_token has no nonce: it may belong to another login",
                    ));
                }
                None | Some([]) => {}
            }
        }
        Ok(())
    }
}

impl fmt::Debug for LoginAttempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LoginAttempt")
    }
}

/// The `state` that the response to one login must have. `Debug` shows only the type's name.
#[derive(Clone)]
pub struct ExpectedState(Secret);

impl ExpectedState {
    /// Returns whether a redirect, in the forms of [`LoginAttempt::read`], has this `state` and no
    /// other. A redirect for which it is false does not concern the login: any page can open the
    /// redirect URI.
    pub fn matches(&self, response: &str) -> bool {
        Redirect::split(response)
            .and_then(|redirect| redirect.pairs())
            .is_ok_and(|pairs| self.is_in(&pairs))
    }

    fn is_in(&self, pairs: &[Pair]) -> bool {
        states(pairs).next().is_some()
            && states(pairs).all(|state| is_equal(state, self.0.expose_secret()))
    }
}

impl fmt::Debug for ExpectedState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ExpectedState")
    }
}

fn states(pairs: &[Pair]) -> impl Iterator<Item = &str> {
    pairs.iter().filter(|(name, _)| name == "state").map(|(_, value)| value.as_str())
}

/// Compares in constant time.
fn is_equal(one: &str, other: &str) -> bool {
    one.as_bytes().ct_eq(other.as_bytes()).into()
}
