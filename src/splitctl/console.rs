//! Where a command writes.

use std::io::{self, Write};
use std::os::fd::AsFd;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::termios::tcgetwinsize;

/// The two streams of a command. What is written may be styled: the streams of the program drop styles where
/// they go to no terminal, or where `NO_COLOR` is set.
pub struct Console<'s> {
    /// The answer, for people or programs to read on.
    pub out: &'s mut dyn Write,
    /// What else there is to say: progress, warnings, errors.
    pub err: &'s mut dyn Write,
}

/// Whether nobody can read the standard output any more, as when `head` has seen enough. A command that writes
/// would notice by an error; one that waits has to ask.
pub fn stdout_is_closed() -> bool {
    let stdout = io::stdout();
    // Errors and hang-ups are reported always, and nothing else is asked for.
    let mut fds = [PollFd::new(&stdout, PollFlags::empty())];
    let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
    let gone = PollFlags::ERR | PollFlags::HUP | PollFlags::NVAL;
    poll(&mut fds, Some(&at_once)).is_ok() && fds.iter().any(|fd| fd.revents().intersects(gone))
}

/// How wide the terminal is that problems are shown on, if it is one.
pub fn columns() -> Option<usize> {
    columns_of(io::stderr())
}

/// The same for answers.
pub fn columns_of_answers() -> Option<usize> {
    columns_of(io::stdout())
}

fn columns_of(stream: impl AsFd) -> Option<usize> {
    let size = tcgetwinsize(stream).ok()?;
    Some(usize::from(size.ws_col)).filter(|columns| *columns > 0)
}
