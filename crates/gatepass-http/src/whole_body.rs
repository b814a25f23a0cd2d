//! A response body whose beginning is buffered, so that it can be inspected and still be read.

use std::collections::VecDeque;
use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use http_body::{Body, Frame, SizeHint};

/// The number of bytes that are read to decide whether a response rejects the token.
const MAX_PREFIX: usize = 64 * 1024;

/// The body of an API response: first the part that was read to decide whether the response rejects
/// the token, then the rest as it arrives.
#[cfg_attr(not(feature = "tower"), expect(unreachable_pub, reason = "only tower shows the type"))]
pub struct WholeBody<B: Body> {
    buffered: VecDeque<Frame<Bytes>>,
    end: Option<Option<B::Error>>,
    rest: B,
}

impl<B: Body + Unpin> WholeBody<B> {
    /// Wraps an unread body.
    pub(crate) fn new(rest: B) -> Self {
        Self { buffered: VecDeque::new(), end: None, rest }
    }

    /// Reads the first 64 KiB, or less if the body ends earlier, and returns a copy of them with the
    /// body, which still contains them.
    pub(crate) async fn read_prefix(mut self) -> (Self, Bytes) {
        let mut length = 0;
        while length < MAX_PREFIX && self.end.is_none() {
            match poll_fn(|cx| self.poll_rest(cx)).await {
                // The number of empty chunks is not limited.
                Some(Ok(frame)) if frame.data_ref().is_some_and(Bytes::is_empty) => {}
                Some(Ok(frame)) => {
                    length += frame.data_ref().map_or(0, Bytes::len);
                    self.buffered.push_back(frame);
                }
                // The reader of the body gets the error at the same position.
                Some(Err(error)) => self.end = Some(Some(error)),
                None => self.end = Some(None),
            }
        }
        let prefix = self.prefix();
        (self, prefix)
    }

    /// Returns the buffered data, at most 64 KiB.
    fn prefix(&self) -> Bytes {
        let mut pieces = self.buffered.iter().filter_map(Frame::data_ref);
        match (pieces.next(), pieces.next()) {
            (None, _) => Bytes::new(),
            (Some(only), None) => only.slice(..only.len().min(MAX_PREFIX)),
            _ => {
                let mut whole = Vec::with_capacity(MAX_PREFIX);
                for piece in self.buffered.iter().filter_map(Frame::data_ref) {
                    let length = piece.len().min(MAX_PREFIX - whole.len());
                    whole.extend_from_slice(piece.get(..length).unwrap_or_default());
                }
                whole.into()
            }
        }
    }

    fn poll_rest(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let frame = ready!(Pin::new(&mut self.rest).poll_frame(cx));
        let whole = |mut data: B::Data| data.copy_to_bytes(data.remaining());
        Poll::Ready(frame.map(|frame| frame.map(|frame| frame.map_data(whole))))
    }
}

impl<B: Body + Unpin> Body for WholeBody<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        if let Some(frame) = self.buffered.pop_front() {
            return Poll::Ready(Some(Ok(frame)));
        }
        match &mut self.end {
            Some(error) => Poll::Ready(error.take().map(Err)),
            None => self.poll_rest(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        let has_ended = match &self.end {
            Some(error) => error.is_none(),
            None => self.rest.is_end_stream(),
        };
        self.buffered.is_empty() && has_ended
    }

    fn size_hint(&self) -> SizeHint {
        let buffered_len: usize =
            self.buffered.iter().filter_map(Frame::data_ref).map(Bytes::len).sum();
        let buffered_len = u64::try_from(buffered_len).unwrap_or(u64::MAX);
        let rest = match &self.end {
            Some(None) => SizeHint::with_exact(0),
            Some(Some(_)) => SizeHint::new(),
            None => self.rest.size_hint(),
        };
        let mut whole = SizeHint::new();
        whole.set_lower(buffered_len.saturating_add(rest.lower()));
        if let Some(upper) = rest.upper().and_then(|upper| upper.checked_add(buffered_len)) {
            whole.set_upper(upper);
        }
        whole
    }
}

/// No field is structurally pinned except `B`, which is `Unpin`.
impl<B: Body + Unpin> Unpin for WholeBody<B> {}

impl<B: Body> fmt::Debug for WholeBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WholeBody").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::pin::pin;
    use std::task::Waker;

    use super::*;

    /// A body of these chunks.
    struct Pieces(VecDeque<&'static str>);

    impl Body for Pieces {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            Poll::Ready(self.0.pop_front().map(|piece| Ok(Frame::data(piece.into()))))
        }
    }

    #[test]
    fn empty_chunks_are_not_buffered() {
        let pieces = [vec![""; 1000], vec!["a", "", "b"], vec![""; 1000]].concat();
        let reading = pin!(WholeBody::new(Pieces(pieces.into())).read_prefix());
        let Poll::Ready((whole, prefix)) = reading.poll(&mut Context::from_waker(Waker::noop()))
        else {
            panic!("the body must be ready");
        };
        assert_eq!((prefix, whole.buffered.len()), (Bytes::from_static(b"ab"), 2));
    }
}
