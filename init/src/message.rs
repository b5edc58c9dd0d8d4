//! What worker and init say to each other.

use serde::{Deserialize, Serialize};

/// The protocol's version. Both sides refuse to speak with another one.
pub const PROTOCOL_VERSION: u16 = 2;

/// What a worker says to init.
///
/// The worker starts with `Hello`, sends inputs, then steps one at a time, each after the last one's end,
/// then `Collect`, then `Exit`. `Ping` and `Cancel` may come at any time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ToInit {
    /// The first message. Init answers with [`FromInit::Hello`].
    Hello(Hello),
    /// Makes a folder and its parents below `root`. Like all inputs, answered only when something fails.
    InputDirectory(InputEntry),
    /// Begins a file; [`ToInit::InputData`] follows until the next input or [`ToInit::InputsEnd`].
    InputFile(InputEntry),
    /// The next bytes of the file begun last.
    InputData(Vec<u8>),
    /// Makes a symbolic link, which must point to a place below `root`.
    InputLink(InputLink),
    /// All inputs have been sent. Answered with [`FromInit::InputsDone`].
    InputsEnd,
    /// Runs a step. Answered with [`FromInit::StepEnded`].
    Step(StepStart),
    /// Ends the running step and everything else that runs, as a timeout would; without one, everything else.
    /// Later steps are refused.
    Cancel(Grace),
    /// Resolves globs and sends the files they match. Everything that still runs is ended first. Answered
    /// with artifacts and [`FromInit::Collected`].
    Collect(Collect),
    /// The worker is alive. Init ends everything when it hears nothing for the time that its argument says.
    Ping,
    /// Ends everything and exits.
    Exit,
}

/// What init says to its worker.
#[derive(Debug, Clone, PartialEq)]
pub enum FromInit {
    /// Init is ready.
    Hello(Ready),
    /// All inputs are in place, or the first thing that went wrong.
    InputsDone(InputsDone),
    /// Bytes that a step, or what an earlier step left running, has written.
    Output(Output),
    /// A step's end. All of its own output has been sent.
    StepEnded(StepEnd),
    /// A file that matches begins; its bytes follow.
    ArtifactBegin(ArtifactBegin),
    /// The next bytes of the file begun last.
    ArtifactData(Vec<u8>),
    /// The file is complete.
    ArtifactEnd(ArtifactEnd),
    /// All that matches has been sent.
    Collected(Collected),
    /// Answers a ping.
    Pong,
    /// Init can't go on, and why.
    Fatal(Fatal),
}

/// See [`ToInit::Hello`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// [`PROTOCOL_VERSION`] of the worker.
    pub version: u16,
    /// The absolute folder that inputs, relative patterns and relative working folders start from.
    pub workdir: String,
    /// Whether to make `workdir` when it is missing.
    pub make_workdir: bool,
    /// The user to whom `workdir`, if it is made, and inputs belong, as [`StepStart::user`] has it; init's own when
    /// absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
}

/// See [`FromInit::Hello`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ready {
    /// [`PROTOCOL_VERSION`] of init.
    pub version: u16,
}

/// A file or folder to make.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InputEntry {
    /// Path below `workdir`: relative, no `..`.
    pub path: String,
    /// Permission bits.
    pub mode: u32,
}

/// A symbolic link to make.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InputLink {
    /// Path below `workdir`: relative, no `..`.
    pub path: String,
    /// What it points to.
    pub target: String,
}

/// See [`FromInit::InputsDone`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InputsDone {
    /// The first thing that went wrong, with its path.
    pub error: Option<String>,
    /// Whether that was a full disk.
    pub disk_full: bool,
}

/// A step to run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepStart {
    /// Its place in the job, from 0.
    pub index: u32,
    /// The program and its arguments; a program without `/` is looked up in the environment's `PATH`.
    pub argv: Vec<String>,
    /// Working folder; a relative one starts at `workdir`.
    pub cwd: String,
    /// The job's environment, added to the one that the image defines (init's own).
    pub env: Vec<(String, String)>,
    /// The user to run it as, a name or a number, and perhaps a group after a colon; init's own when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// How long it may run, in milliseconds.
    pub timeout_ms: u64,
    /// How long after the polite signal the impolite one follows, in milliseconds.
    pub grace_ms: u64,
}

/// See [`ToInit::Cancel`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grace {
    /// How long after the polite signal the impolite one follows, in milliseconds.
    pub grace_ms: u64,
}

/// Which files to send.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Collect {
    /// Glob patterns; a relative one starts at `workdir`.
    pub patterns: Vec<String>,
    /// At most so many files.
    pub max_files: u32,
    /// At most so many bytes in all.
    pub max_bytes: u64,
}

/// Which of a step's two streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Stream {
    /// Standard output.
    Stdout = 1,
    /// Standard error.
    Stderr = 2,
}

/// See [`FromInit::Output`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// The step that wrote it while it ran; `None` for what it left running.
    pub step: Option<u32>,
    /// Which stream.
    pub stream: Stream,
    /// Any bytes, cut anywhere, never empty.
    pub data: Vec<u8>,
}

/// See [`FromInit::StepEnded`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepEnd {
    /// Its place in the job, from 0.
    pub index: u32,
    /// How it ended.
    pub end: End,
    /// Whether the kernel killed a process for want of memory while it ran.
    pub oom_killed: bool,
    /// Wall time in microseconds.
    pub duration_us: u64,
    /// User and system time of its processes, in microseconds.
    pub cpu_us: u64,
    /// The largest resident set of any of its processes, in bytes.
    pub max_rss_bytes: u64,
}

/// How a step ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum End {
    /// It exited by itself.
    Exited(i32),
    /// A signal that init did not send ended it.
    Signaled(i32),
    /// It ran over its timeout, and everything was ended.
    TimedOut,
    /// The worker cancelled it, and everything was ended.
    Cancelled,
    /// It could not be started: 127 when there is no such program, 126 otherwise, and why.
    NotStarted {
        /// The exit code that a shell would give.
        code: i32,
        /// What the system said.
        error: String,
    },
}

/// See [`FromInit::ArtifactBegin`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArtifactBegin {
    /// Where it belongs below the job's folder. The worker checks it again.
    pub path: String,
    /// Its path in the container.
    pub source: String,
    /// Its size in bytes when it was opened.
    pub size: u64,
    /// Its permission bits.
    pub mode: u32,
}

/// See [`FromInit::ArtifactEnd`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArtifactEnd {
    /// SHA-256 of the bytes sent, in hex.
    pub sha256: String,
    /// How many bytes were sent.
    pub size: u64,
}

/// See [`FromInit::Collected`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Collected {
    /// Patterns that matched nothing.
    pub unmatched: Vec<String>,
    /// Files that match but were not sent, each with its reason; at most 100 of them.
    pub skipped: Vec<String>,
    /// Whether a limit cut the collection short, and which.
    pub limit: Option<String>,
}

/// See [`FromInit::Fatal`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fatal {
    /// Why.
    pub error: String,
}
