//! The loop: one thread that waits for the worker, its children and the clock at once.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use orcaops_init::codec::{Decoder, MAX_DATA};
use orcaops_init::message::{
    Collect, End, Fatal, FromInit, Hello, Output, PROTOCOL_VERSION, Ready, StepStart, Stream, ToInit,
};

use crate::artifact::Collection;
use crate::input::Inputs;
use crate::oom;
use crate::output::{Outgoing, Pipes};
use crate::process::{self, Ending, Progress};
use crate::step::{self, Step, Verdict};
use crate::sys::{self, Poll, Reap, Signals};

/// How long what still runs is given to end by itself before artifacts are collected.
const COLLECT_GRACE: Duration = Duration::from_secs(1);
/// How many pieces of a collection are done before the worker is listened to again.
const PIECES_A_TURN: usize = 64;
/// How long the last words may take to be read.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Why init ends.
pub(crate) enum Leave {
    /// The worker said so, or the engine did.
    Asked,
    /// The worker is gone: end of file, or silence.
    Abandoned,
    /// Something that can't be gone on from.
    Fatal(String),
}

impl From<io::Error> for Leave {
    fn from(error: io::Error) -> Self {
        Self::Fatal(format!("a system call failed: {error}"))
    }
}

/// What the worker has asked for and waits for.
enum Work {
    Nothing,
    Step(Step),
    Collection { collection: Box<Collection>, is_settling: bool },
}

/// What the worker's greeting said.
struct Session {
    workdir: PathBuf,
    inputs: Inputs,
}

/// The state of init.
pub(crate) struct Server {
    stdin: File,
    decoder: Decoder,
    out: Outgoing,
    signals: Signals,
    poll: Poll,
    pipes: Pipes,
    session: Option<Session>,
    /// How long the worker may be silent.
    lease: Duration,
    heard: Instant,
    work: Work,
    ending: Option<Ending>,
    is_cancelled: bool,
}

impl Server {
    /// Takes over standard input and output, and the signals. The worker may be silent for `lease`, from now on: one
    /// that never comes to greet must leave nothing behind either.
    pub(crate) fn open(lease: Duration) -> io::Result<Self> {
        let stdin = File::from(io::stdin().as_fd().try_clone_to_owned()?);
        let stdout = File::from(io::stdout().as_fd().try_clone_to_owned()?);
        sys::set_nonblocking(stdin.as_fd())?;
        sys::set_nonblocking(stdout.as_fd())?;
        Ok(Self {
            stdin,
            decoder: Decoder::new(),
            out: Outgoing::new(stdout),
            signals: Signals::open(&[libc::SIGCHLD, libc::SIGTERM, libc::SIGINT])?,
            poll: Poll::default(),
            pipes: Pipes::new(),
            session: None,
            lease,
            heard: Instant::now(),
            work: Work::Nothing,
            ending: None,
            is_cancelled: false,
        })
    }

    /// Serves the worker until there is a reason to leave, and says it.
    pub(crate) fn run(mut self) -> Leave {
        loop {
            if let Err(leave) = self.turn() {
                sys::signal_all(libc::SIGKILL);
                self.say_last_words(&leave);
                return leave;
            }
        }
    }

    /// What came in is heeded before the clock, so that a ping that waited while init was busy counts.
    fn turn(&mut self) -> Result<(), Leave> {
        let (worker_spoke, signalled) = self.wait()?;
        if worker_spoke {
            self.listen()?;
        }
        if signalled {
            self.heed_signals()?;
        }
        self.pipes.read_ready(&self.poll, &mut self.out);
        self.heed_clock()?;
        self.advance()?;
        self.out.flush().map_err(|_| Leave::Abandoned)
    }

    fn wait(&mut self) -> Result<(bool, bool), Leave> {
        self.poll.clear();
        let stdin = self.poll.readable(self.stdin.as_fd());
        let signals = self.poll.readable(self.signals.fd());
        if !self.out.is_empty() {
            self.poll.writable(self.out.fd());
        }
        if self.out.has_room() {
            self.pipes.watch(&mut self.poll);
        } else {
            self.pipes.unwatch();
        }
        let now = Instant::now();
        let timeout = self.next_deadline().map(|at| at.saturating_duration_since(now));
        let timeout = if self.has_collecting_to_do() { Some(Duration::ZERO) } else { timeout };
        self.poll.wait(timeout)?;
        Ok((self.poll.is_ready(stdin), self.poll.is_ready(signals)))
    }

    fn has_collecting_to_do(&self) -> bool {
        matches!(self.work, Work::Collection { .. }) && self.ending.is_none() && self.out.has_room()
    }

    fn next_deadline(&self) -> Option<Instant> {
        let lease = self.heard.checked_add(self.lease);
        let step = if let Work::Step(step) = &self.work { step.deadline() } else { None };
        let ending = self.ending.as_ref().map(Ending::next_look);
        [lease, step, ending].into_iter().flatten().min()
    }

    fn listen(&mut self) -> Result<(), Leave> {
        let mut chunk = [0; MAX_DATA];
        match self.stdin.read(&mut chunk) {
            Ok(0) => return Err(Leave::Abandoned),
            Ok(count) => self.decoder.push(&chunk[..count]),
            Err(e) if matches!(e.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {
                return Ok(());
            }
            Err(_) => return Err(Leave::Abandoned),
        }
        while let Some(message) = self.decoder.decode().map_err(|e| Leave::Fatal(e.to_string()))? {
            self.obey(message)?;
        }
        // Taken after the work that the messages asked for: a slow disk is not the worker's silence.
        self.heard = Instant::now();
        Ok(())
    }

    fn obey(&mut self, message: ToInit) -> Result<(), Leave> {
        match message {
            ToInit::Hello(hello) => self.greet(&hello),
            ToInit::Ping => {
                self.out.pong();
                Ok(())
            }
            ToInit::Exit => Err(Leave::Asked),
            ToInit::Cancel(grace) => {
                self.cancel(Duration::from_millis(grace.grace_ms));
                Ok(())
            }
            ToInit::Step(step) => self.begin_step(&step),
            ToInit::Collect(collect) => self.begin_collection(collect),
            input => self.take_input(input),
        }
    }

    fn session(&mut self) -> Result<&mut Session, Leave> {
        if !matches!(self.work, Work::Nothing) {
            return Err(Leave::Fatal("the worker asked for more before the last work was done".to_owned()));
        }
        self.session
            .as_mut()
            .ok_or_else(|| Leave::Fatal("the worker did not begin with a greeting".to_owned()))
    }

    /// A later greeting replaces the one before: a container that waited for its job gets its folder only then.
    fn greet(&mut self, hello: &Hello) -> Result<(), Leave> {
        if hello.version != PROTOCOL_VERSION {
            let theirs = hello.version;
            return Err(Leave::Fatal(format!(
                "the worker speaks version {theirs} of the protocol and init version {PROTOCOL_VERSION}"
            )));
        }
        if !matches!(self.work, Work::Nothing) {
            return Err(Leave::Fatal("the worker greeted in the middle of work".to_owned()));
        }
        let workdir = PathBuf::from(&hello.workdir);
        if !workdir.is_absolute() {
            return Err(Leave::Fatal(format!("the working folder {} is not absolute", hello.workdir)));
        }
        let mut inputs = Inputs::new(workdir.clone(), hello.owner.as_deref());
        if hello.make_workdir {
            inputs.make_workdir();
        }
        self.session = Some(Session { workdir, inputs });
        self.out.send(&FromInit::Hello(Ready { version: PROTOCOL_VERSION }));
        Ok(())
    }

    fn take_input(&mut self, message: ToInit) -> Result<(), Leave> {
        let inputs = &mut self.session()?.inputs;
        match message {
            ToInit::InputDirectory(entry) => inputs.directory(&entry),
            ToInit::InputFile(entry) => inputs.file(&entry),
            ToInit::InputData(data) => inputs.data(&data).map_err(Leave::Fatal)?,
            ToInit::InputLink(link) => inputs.link(&link),
            _ => {
                let done = inputs.end();
                self.out.send(&FromInit::InputsDone(done));
            }
        }
        Ok(())
    }

    fn begin_step(&mut self, start: &StepStart) -> Result<(), Leave> {
        let is_cancelled = self.is_cancelled;
        let session = self.session()?;
        if is_cancelled {
            self.out.send(&FromInit::StepEnded(step::without_start(start.index, End::Cancelled)));
            return Ok(());
        }
        let (begin, oom_kills) = (Instant::now(), oom::kills());
        match process::start(start, &session.workdir) {
            Ok(started) => {
                self.pipes.add(started.stdout, Stream::Stdout, start.index);
                self.pipes.add(started.stderr, Stream::Stderr, start.index);
                self.work = Work::Step(Step::new(start, started.pid, begin, oom_kills));
            }
            Err(end) => self.out.send(&FromInit::StepEnded(step::without_start(start.index, end))),
        }
        Ok(())
    }

    fn begin_collection(&mut self, collect: Collect) -> Result<(), Leave> {
        let collection = Box::new(Collection::new(collect, &self.session()?.workdir));
        self.work = Work::Collection { collection, is_settling: false };
        self.end_everything(COLLECT_GRACE);
        Ok(())
    }

    fn cancel(&mut self, grace: Duration) {
        self.is_cancelled = true;
        if let Work::Step(step) = &mut self.work {
            step.condemn(Verdict::Cancelled);
        }
        self.end_everything(grace);
    }

    fn end_everything(&mut self, grace: Duration) {
        let now = Instant::now();
        match &mut self.ending {
            Some(ending) => ending.hasten(now, grace),
            None => self.ending = Some(Ending::begin(now, grace)),
        }
    }

    fn heed_signals(&mut self) -> Result<(), Leave> {
        while let Some(signal) = self.signals.next()? {
            // The job's own processes run as the same user, and have no say in when init ends.
            if signal.number != libc::SIGCHLD && signal.from_outside {
                return Err(Leave::Asked);
            }
        }
        self.reap().map(|_| ())
    }

    /// Reaps all that has ended. Says whether no child is left.
    fn reap(&mut self) -> Result<bool, Leave> {
        loop {
            match sys::reap()? {
                Reap::Ended(reaped) => {
                    if let Work::Step(step) = &mut self.work {
                        step.reaped(&reaped, Instant::now());
                    }
                }
                Reap::StillRunning => return Ok(false),
                Reap::NoChildren => return Ok(true),
            }
        }
    }

    fn heed_clock(&mut self) -> Result<(), Leave> {
        let now = Instant::now();
        if now.duration_since(self.heard) >= self.lease {
            return Err(Leave::Abandoned);
        }
        if let Work::Step(step) = &mut self.work
            && step.deadline().is_some_and(|at| at <= now)
        {
            step.condemn(Verdict::TimedOut);
            let grace = step.grace;
            self.end_everything(grace);
        }
        Ok(())
    }

    /// Brings the ending and the work on by what can be done now.
    fn advance(&mut self) -> Result<(), Leave> {
        let now = Instant::now();
        if self.ending.is_some() {
            let childless = self.reap()?;
            self.advance_ending(now, childless);
        }
        let everything_ended = self.ending.is_none();
        match &mut self.work {
            Work::Step(step) if step.is_over(everything_ended) => {
                if !step.is_settling {
                    step.is_settling = true;
                    self.pipes.owe();
                }
                if self.pipes.settle(&mut self.out) {
                    self.out.send(&FromInit::StepEnded(step.end(now)));
                    self.work = Work::Nothing;
                }
            }
            Work::Collection { collection, is_settling } if everything_ended => {
                if !*is_settling {
                    *is_settling = true;
                    self.pipes.owe();
                }
                if self.pipes.settle(&mut self.out) && collect(collection, &mut self.out) {
                    self.work = Work::Nothing;
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn advance_ending(&mut self, now: Instant, childless: bool) {
        let Some(ending) = &mut self.ending else { return };
        match ending.advance(now, childless) {
            Progress::Waiting => return,
            Progress::Done => {}
            Progress::GivenUp => {
                let data = b"orcaops-init: some processes could not be ended\n".to_vec();
                self.out.send(&FromInit::Output(Output { step: None, stream: Stream::Stderr, data }));
            }
        }
        self.ending = None;
    }

    /// What the worker should still read before the stream ends, if it reads at all.
    fn say_last_words(&mut self, leave: &Leave) {
        match leave {
            Leave::Abandoned => return,
            Leave::Asked => {}
            Leave::Fatal(error) => self.out.send(&FromInit::Fatal(Fatal { error: error.clone() })),
        }
        let until = Instant::now() + LAST_WORDS;
        while self.out.flush().is_ok() && !self.out.is_empty() {
            let left = until.saturating_duration_since(Instant::now());
            self.poll.clear();
            self.poll.writable(self.out.fd());
            if left.is_zero() || self.poll.wait(Some(left)).is_err() {
                return;
            }
        }
    }
}

/// Sends a turn's worth. Says whether the collection is complete.
fn collect(collection: &mut Collection, out: &mut Outgoing) -> bool {
    for _ in 0..PIECES_A_TURN {
        if !out.has_room() {
            return false;
        }
        if collection.advance(out) {
            return true;
        }
    }
    false
}
