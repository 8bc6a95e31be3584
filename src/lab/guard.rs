//! Programs that never outlive whoever started them.

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};

/// Runs its arguments, from the second one on, as a process group of their own, and ends that group and
/// removes the folder (the first argument) as soon as this process closes its end of the pipe: by dropping,
/// by exit, or by a kill -9 that leaves it no time to clean up.
const GUARD: &str = r#"
folder=$1; shift
exec 3<&0
( cat <&3 >/dev/null; kill -9 $$; rm -rf -- "$folder"; kill -9 -$$ ) >/dev/null 2>&1 &
exec 3<&-
exec "$@" </dev/null
"#;

/// A running program. Dropping it ends the program, and so does the end of this process, whatever its cause.
#[derive(Debug)]
pub struct Guarded {
    child: Child,
}

impl Guarded {
    /// Starts a command's program with its arguments; what it writes goes into a log. The folder, if there is
    /// one, is removed at the end.
    ///
    /// # Errors
    /// When `sh`, which runs it, cannot be started.
    pub fn start(command: &Command, log: File, folder: Option<&Path>) -> io::Result<Self> {
        let child = Command::new("sh")
            .args(["-c", GUARD, "guard"])
            .arg(folder.map_or(OsStr::new(""), Path::as_os_str))
            .arg(command.get_program())
            .args(command.get_args())
            .stdin(Stdio::piped())
            .stdout(log.try_clone()?)
            .stderr(log)
            // Ctrl-C in a terminal is for this process alone, which then ends the program.
            .process_group(0)
            .spawn()?;
        Ok(Self { child })
    }

    /// How it ended, if it has.
    ///
    /// # Errors
    /// When the system does not tell.
    pub fn ended(&mut self) -> io::Result<Option<ExitStatus>> {
        self.child.try_wait()
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        // The guard sees the pipe close. Killing as well spares us waiting for it.
        drop(self.child.stdin.take());
        let _already_ended = self.child.kill();
        let _status = self.child.wait();
    }
}

#[cfg(test)]
mod tests {
    use std::thread;
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_program_and_what_it_started_end_with_their_guard_and_the_folder_is_gone() {
        let folder = tempfile::tempdir().unwrap();
        let (log, inner) = (folder.path().join("log"), folder.path().join("inner"));
        std::fs::create_dir(&inner).unwrap();
        let mut command = Command::new("sh");
        command.args(["-c", "sleep 60 & echo $!; wait"]);
        let guarded = Guarded::start(&command, File::create(&log).unwrap(), Some(&inner)).unwrap();
        let soon = |wanted: &dyn Fn() -> bool| {
            (0..500).any(|_| {
                wanted() || {
                    thread::sleep(Duration::from_millis(10));
                    false
                }
            })
        };
        let said = || std::fs::read_to_string(&log).unwrap();
        assert!(soon(&|| said().ends_with('\n')));
        let process = Path::new("/proc").join(said().trim());
        drop(guarded);
        assert!(soon(&|| !process.exists() && !inner.exists()), "{}", process.display());
    }
}
