//! A job's log on the terminal: its standard output and error, each where it belongs.

use std::io::{self, BufWriter, Write};

use orcaops_common::domain::log::LogStream;

use crate::client::Line;

/// How much is gathered before it is written, in bytes.
const BUFFER: usize = 64 * 1024;

type Sink = BufWriter<Box<dyn Write + Send>>;

/// Writes lines where they belong.
pub(crate) struct LogPrinter {
    out: Sink,
    err: Sink,
    attempt: Option<String>,
}

impl LogPrinter {
    /// Standard output to standard output, all else to standard error.
    pub(crate) fn new() -> Self {
        Self::to(Box::new(io::stdout()), Box::new(io::stderr()))
    }

    /// All to standard error, as standard output is for something else.
    pub(crate) fn beside() -> Self {
        Self::to(Box::new(io::stderr()), Box::new(io::stderr()))
    }

    fn to(out: Box<dyn Write + Send>, err: Box<dyn Write + Send>) -> Self {
        let sink = |to| BufWriter::with_capacity(BUFFER, to);
        Self { out: sink(out), err: sink(err), attempt: None }
    }

    /// Writes a line, with its end.
    pub(crate) fn line(&mut self, line: &Line) -> io::Result<()> {
        if self.attempt.as_ref() != Some(&line.attempt) {
            if self.attempt.is_some() {
                self.out.flush()?;
                writeln!(self.err, "orcaops: the job starts over, in another attempt")?;
            }
            self.attempt = Some(line.attempt.clone());
        }
        match line.stream {
            LogStream::Stdout => {
                // What was said first is seen first, as far as both go to one place.
                self.err.flush()?;
                self.out.write_all(line.line.as_bytes())?;
                self.out.write_all(b"\n")
            }
            LogStream::Stderr => {
                self.out.flush()?;
                self.err.write_all(line.line.as_bytes())?;
                self.err.write_all(b"\n")
            }
            LogStream::System => {
                self.out.flush()?;
                writeln!(self.err, "orcaops: {}", line.line)
            }
        }
    }

    /// Writes a line as the JSON it came as.
    pub(crate) fn json(&mut self, line: &Line) -> io::Result<()> {
        self.out.write_all(line.json.as_bytes())?;
        self.out.write_all(b"\n")
    }

    /// Writes what was gathered.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        self.out.flush()?;
        self.err.flush()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Shared(Arc<Mutex<Vec<u8>>>);

    impl Write for Shared {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn line(stream: LogStream, text: &str, attempt: &str) -> Line {
        Line { stream, line: text.into(), attempt: attempt.into(), json: format!("{{{text}}}") }
    }

    fn lines() -> [Line; 5] {
        [
            line(LogStream::System, "pulling", "1.1"),
            line(LogStream::Stdout, "a", "1.1"),
            line(LogStream::Stderr, "b", "1.1"),
            line(LogStream::Stdout, "", "1.1"),
            line(LogStream::Stdout, "a", "1.2"),
        ]
    }

    fn text(shared: &Shared) -> String {
        String::from_utf8(shared.0.lock().unwrap().clone()).unwrap()
    }

    #[test]
    fn each_stream_goes_where_it_belongs_and_lines_are_raw() {
        let (out, err) = (Shared::default(), Shared::default());
        let mut printer = LogPrinter::to(Box::new(out.clone()), Box::new(err.clone()));
        lines().iter().for_each(|l| printer.line(l).unwrap());
        printer.flush().unwrap();
        assert_eq!(text(&out), "a\n\na\n");
        assert_eq!(text(&err), "orcaops: pulling\nb\norcaops: the job starts over, in another attempt\n");
    }

    #[test]
    fn in_one_place_lines_keep_their_order() {
        let both = Shared::default();
        let mut printer = LogPrinter::to(Box::new(both.clone()), Box::new(both.clone()));
        lines()[..4].iter().for_each(|l| printer.line(l).unwrap());
        printer.flush().unwrap();
        assert_eq!(text(&both), "orcaops: pulling\na\nb\n\n");
    }
}
