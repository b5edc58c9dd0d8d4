//! A job's log on the terminal: its standard output and error, each where it belongs.

use std::io::{self, BufWriter, IsTerminal, Write};

use orcaops_common::domain::log::LogStream;

use crate::client::Line;

/// How much is gathered before it is written, in bytes.
const BUFFER: usize = 64 * 1024;

type Sink = BufWriter<Box<dyn Write + Send>>;

/// Writes lines where they belong, byte for byte.
pub(crate) struct LogPrinter {
    out: Sink,
    err: Sink,
    /// Whether what goes to both is seen in one place.
    is_one_place: bool,
    /// Which of the two, if any, was left in the middle of a line last.
    open: Option<LogStream>,
    attempt: Option<String>,
}

impl LogPrinter {
    /// Standard output to standard output, all else to standard error.
    pub(crate) fn new() -> Self {
        let is_terminal = io::stdout().is_terminal() && io::stderr().is_terminal();
        Self::to(Box::new(io::stdout()), Box::new(io::stderr()), is_terminal)
    }

    /// All to standard error, as standard output is for something else.
    pub(crate) fn beside() -> Self {
        Self::to(Box::new(io::stderr()), Box::new(io::stderr()), true)
    }

    fn to(out: Box<dyn Write + Send>, err: Box<dyn Write + Send>, is_one_place: bool) -> Self {
        let sink = |to| BufWriter::with_capacity(BUFFER, to);
        Self { out: sink(out), err: sink(err), is_one_place, open: None, attempt: None }
    }

    /// Writes a line, with its end if it has one.
    pub(crate) fn line(&mut self, line: &Line) -> io::Result<()> {
        if self.attempt.as_ref() != Some(&line.attempt) {
            if self.attempt.is_some() {
                self.words("the job starts over, in another attempt")?;
            }
            self.attempt = Some(line.attempt.clone());
        }
        // What was said first is seen first, as far as both go to one place.
        let to = match line.stream {
            LogStream::Stdout => {
                self.err.flush()?;
                &mut self.out
            }
            LogStream::Stderr => {
                self.out.flush()?;
                &mut self.err
            }
            LogStream::System => return self.words(&line.line),
        };
        to.write_all(&line.content())?;
        if line.partial {
            self.open = Some(line.stream);
            return Ok(());
        }
        if self.open == Some(line.stream) {
            self.open = None;
        }
        to.write_all(b"\n")
    }

    /// Writes OrcaOps' own words, on a line of their own.
    fn words(&mut self, words: &str) -> io::Result<()> {
        self.out.flush()?;
        self.end_line()?;
        writeln!(self.err, "orcaops: {words}")
    }

    /// Ends the line that a job left unfinished, where words would stand behind it.
    fn end_line(&mut self) -> io::Result<()> {
        match self.open {
            Some(LogStream::Stdout) if !self.is_one_place => Ok(()),
            Some(_) => {
                self.open = None;
                self.err.write_all(b"\n")
            }
            None => Ok(()),
        }
    }

    /// Writes a line as the JSON it came as.
    pub(crate) fn json(&mut self, line: &Line) -> io::Result<()> {
        self.out.write_all(line.json.as_bytes())?;
        self.out.write_all(b"\n")
    }

    /// Writes what was gathered, and gets ready for OrcaOps' words on standard error.
    pub(crate) fn finish(&mut self) -> io::Result<()> {
        self.out.flush()?;
        self.end_line()?;
        self.flush()
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
        let json = format!("{{{text}}}");
        Line { stream, line: text.into(), bytes: None, partial: false, attempt: attempt.into(), json }
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
        let mut printer = LogPrinter::to(Box::new(out.clone()), Box::new(err.clone()), false);
        lines().iter().for_each(|l| printer.line(l).unwrap());
        printer.flush().unwrap();
        assert_eq!(text(&out), "a\n\na\n");
        assert_eq!(text(&err), "orcaops: pulling\nb\norcaops: the job starts over, in another attempt\n");
    }

    #[test]
    fn in_one_place_lines_keep_their_order() {
        let both = Shared::default();
        let mut printer = LogPrinter::to(Box::new(both.clone()), Box::new(both.clone()), true);
        lines()[..4].iter().for_each(|l| printer.line(l).unwrap());
        printer.flush().unwrap();
        assert_eq!(text(&both), "orcaops: pulling\na\nb\n\n");
    }

    #[test]
    fn bytes_come_out_as_they_went_in() {
        let (out, err) = (Shared::default(), Shared::default());
        let mut printer = LogPrinter::to(Box::new(out.clone()), Box::new(err.clone()), false);
        let bytes = Line { bytes: Some("Yf9i".into()), ..line(LogStream::Stdout, "a\u{fffd}b", "1.1") };
        let piece = Line { partial: true, ..line(LogStream::Stdout, "long ", "1.1") };
        let rest = line(LogStream::Stdout, "line\r", "1.1");
        let end = Line { partial: true, ..line(LogStream::Stdout, "no end", "1.1") };
        [bytes, piece, rest, end].iter().for_each(|l| printer.line(l).unwrap());
        printer.finish().unwrap();
        assert_eq!(*out.0.lock().unwrap(), b"a\xffb\nlong line\r\nno end");
        assert_eq!(text(&err), "");
    }

    #[test]
    fn own_words_stand_on_a_line_of_their_own() {
        let unfinished = |stream| Line { partial: true, ..line(stream, "no end", "1.1") };
        for (stream, is_one_place, printed) in [
            (LogStream::Stderr, false, "no end\norcaops: words\n"),
            (LogStream::Stdout, true, "no end\norcaops: words\n"),
            (LogStream::Stdout, false, "no endorcaops: words\n"),
        ] {
            // One sink for both, to see the order.
            let both = Shared::default();
            let mut printer = LogPrinter::to(Box::new(both.clone()), Box::new(both.clone()), is_one_place);
            printer.line(&unfinished(stream)).unwrap();
            printer.line(&line(LogStream::System, "words", "1.1")).unwrap();
            printer.finish().unwrap();
            assert_eq!(text(&both), printed);
        }
    }
}
