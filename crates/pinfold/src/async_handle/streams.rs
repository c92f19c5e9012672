//! What an async handle gives: lines, chunks, events, and a way to write.

use super::AsyncHandle;
use crate::cursor::{ByteCursor, Event, EventCursor, LineCursor, Pulled};
use crate::error::Result;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

/// The lines of one stream, decoded and without their line breaks. Ends with the stream; where that could not be read to
/// its end, an error comes after the last line, once.
pub struct AsyncLines {
    handle: AsyncHandle,
    cursor: LineCursor,
    taken: u64,
}

impl AsyncLines {
    pub(super) fn new(handle: AsyncHandle, cursor: LineCursor) -> AsyncLines {
        AsyncLines { handle, cursor, taken: 0 }
    }

    /// Waits for the next line and lends it; `None` at the end.
    ///
    /// # Errors
    /// As [`AsyncHandle::wait`], and once if the stream failed: as [`AsyncHandle::output`].
    pub async fn next_line(&mut self) -> Result<Option<&str>> {
        let cursor = &mut self.cursor;
        while !cursor.has_line() {
            if cursor.has_ended() {
                return if cursor.take_failed() { Err(self.handle.0.stream_error()) } else { Ok(None) };
            }
            self.handle.0.drive(|running| cursor.pull(running).then_some(())).await?;
        }
        let line = cursor.next();
        self.taken += u64::from(line.is_some());
        Ok(line)
    }

    /// The next line; `None` at the end.
    pub async fn next(&mut self) -> Option<Result<String>> {
        self.next_line().await.map(|line| line.map(str::to_owned)).transpose()
    }

    /// The next line that is not empty as a JSON value (NDJSON, JSON Lines); `None` at the end. One that is no such value is an
    /// error that names its number, counted from the first that these lines gave, and the next comes after that all the same.
    #[cfg(feature = "serde")]
    pub async fn next_json<T: serde::de::DeserializeOwned>(&mut self) -> Option<Result<T>> {
        let command = self.handle.command().clone();
        loop {
            let number = self.taken + 1;
            return match self.next_line().await {
                Ok(Some(line)) if line.trim().is_empty() => continue,
                Ok(Some(line)) => Some(crate::verbs::json_line(line, number, &command)),
                Ok(None) => None,
                Err(error) => Some(Err(error)),
            };
        }
    }

    /// The beginning of a line that has not come to its end: a prompt, perhaps.
    pub fn unfinished(&self) -> String {
        self.cursor.unfinished().into_owned()
    }

    /// As a [`Stream`](futures_core::Stream).
    pub fn into_stream(self) -> AsyncStream<Result<String>> {
        AsyncStream::new(self, |mut lines| async move {
            let line = lines.next().await;
            (line, lines)
        })
    }
}

impl Drop for AsyncLines {
    fn drop(&mut self) {
        self.cursor.close(&mut self.handle.0.lock());
    }
}

/// The bytes of one stream as they come, up to 1 MiB at a time. Ends with the stream; where that could not be read to its
/// end, an error comes after the last of them, once.
pub struct AsyncChunks {
    handle: AsyncHandle,
    cursor: ByteCursor,
}

impl AsyncChunks {
    pub(super) fn new(handle: AsyncHandle, cursor: ByteCursor) -> AsyncChunks {
        AsyncChunks { handle, cursor }
    }

    /// The next chunk; `None` at the end.
    pub async fn next(&mut self) -> Option<Result<Vec<u8>>> {
        let mut chunk = Vec::new();
        let cursor = &mut self.cursor;
        let pulled = self.handle.0.drive(|running| {
            let pulled = cursor.pull(running, |bytes, _| chunk.extend_from_slice(bytes));
            (pulled != Pulled::Later).then_some(pulled)
        });
        match pulled.await {
            Ok(Pulled::Some) => Some(Ok(chunk)),
            Ok(Pulled::Failed) => Some(Err(self.handle.0.stream_error())),
            Ok(_) => None,
            Err(error) => Some(Err(error)),
        }
    }

    /// As a [`Stream`](futures_core::Stream).
    pub fn into_stream(self) -> AsyncStream<Result<Vec<u8>>> {
        AsyncStream::new(self, |mut chunks| async move {
            let chunk = chunks.next().await;
            (chunk, chunks)
        })
    }
}

impl Drop for AsyncChunks {
    fn drop(&mut self) {
        self.cursor.close(&mut self.handle.0.lock());
    }
}

/// Everything that happens in a run, from its start to its end. A stream that could not be read to its end is an error
/// among the events, once.
pub struct AsyncEvents {
    handle: AsyncHandle,
    cursor: EventCursor,
}

impl AsyncEvents {
    pub(super) fn new(handle: AsyncHandle, cursor: EventCursor) -> AsyncEvents {
        AsyncEvents { handle, cursor }
    }

    /// The next event; `None` after the end.
    pub async fn next(&mut self) -> Option<Result<Event>> {
        let cursor = &mut self.cursor;
        let next = self.handle.0.drive(|running| cursor.advance(running));
        next.await.unwrap_or_else(|error| Some(Err(error)))
    }

    /// As a [`Stream`](futures_core::Stream).
    pub fn into_stream(self) -> AsyncStream<Result<Event>> {
        AsyncStream::new(self, |mut events| async move {
            let event = events.next().await;
            (event, events)
        })
    }
}

impl Drop for AsyncEvents {
    fn drop(&mut self) {
        self.cursor.close(&mut self.handle.0.lock());
    }
}

/// Writes to a run's standard input. Output is read meanwhile, so that the two cannot wait for each other.
///
/// A write fails with [`io::ErrorKind::BrokenPipe`] once the program has stopped reading. Dropping it closes nothing;
/// [`AsyncStdinWriter::close`] does.
pub struct AsyncStdinWriter {
    handle: AsyncHandle,
}

impl AsyncStdinWriter {
    pub(super) fn new(handle: AsyncHandle) -> AsyncStdinWriter {
        AsyncStdinWriter { handle }
    }

    /// Writes all of it, and waits until the pipe has it.
    ///
    /// # Errors
    /// [`io::ErrorKind::BrokenPipe`].
    pub async fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        /// No more than this waits to be written.
        const AHEAD: usize = 1 << 20;
        for part in bytes.chunks(AHEAD) {
            if !self.handle.0.visit(|running| running.feed.push(part)) {
                return Err(io::ErrorKind::BrokenPipe.into());
            }
            self.flush().await?;
        }
        Ok(())
    }

    /// Writes a line.
    ///
    /// # Errors
    /// [`io::ErrorKind::BrokenPipe`].
    pub async fn write_line(&mut self, line: &str) -> io::Result<()> {
        self.write_all(format!("{line}\n").as_bytes()).await
    }

    /// Waits until the pipe has everything that was written.
    ///
    /// # Errors
    /// [`io::ErrorKind::BrokenPipe`].
    pub async fn flush(&mut self) -> io::Result<()> {
        let drained = self.handle.0.drive(|running| running.feed.drained_to(0, running.outcome().is_some()));
        if drained.await.map_err(io::Error::from)? { Ok(()) } else { Err(io::ErrorKind::BrokenPipe.into()) }
    }

    /// Ends the stream once everything is written.
    ///
    /// # Errors
    /// [`io::ErrorKind::BrokenPipe`].
    pub async fn close(mut self) -> io::Result<()> {
        let flushed = self.flush().await;
        self.handle.0.visit(|running| running.feed.end());
        flushed
    }
}

/// A [`Stream`](futures_core::Stream) of what comes, for the combinators that work on such.
pub struct AsyncStream<T>(Pin<Box<dyn futures_core::Stream<Item = T> + Send>>);

impl<T: Send + 'static> AsyncStream<T> {
    pub(crate) fn new<S, F>(source: S, next: fn(S) -> F) -> AsyncStream<T>
    where
        S: Send + 'static,
        F: Future<Output = (Option<T>, S)> + Send + 'static,
    {
        AsyncStream(Box::pin(Unfold { next, step: Some(Box::pin(next(source))) }))
    }
}

impl<T> futures_core::Stream for AsyncStream<T> {
    type Item = T;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<T>> {
        self.0.as_mut().poll_next(context)
    }
}

struct Unfold<S, F> {
    next: fn(S) -> F,
    /// `None` after the end.
    step: Option<Pin<Box<F>>>,
}

impl<T, S, F: Future<Output = (Option<T>, S)>> futures_core::Stream for Unfold<S, F> {
    type Item = T;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<T>> {
        let Some(step) = &mut self.step else { return Poll::Ready(None) };
        let Poll::Ready((item, source)) = step.as_mut().poll(context) else { return Poll::Pending };
        self.step = item.is_some().then(|| Box::pin((self.next)(source)));
        Poll::Ready(item)
    }
}
