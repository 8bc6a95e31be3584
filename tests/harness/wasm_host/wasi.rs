//! The part of `wasi_snapshot_preview1` that Rust's standard library imports, answered as Envoy
//! answers it: there is an output, a clock, random numbers and an environment, and there are no files or
//! arguments.

use super::memory::{Answer, Args, Guest, HostFunction, Refusal};

/// The name of the module that guests import these functions from.
pub(super) const MODULE: &str = "wasi_snapshot_preview1";

/// "function not supported": what every function answers that is not in the list.
pub(super) const ENOSYS: u32 = 52;
const EBADF: u32 = 8;
const EFAULT: u32 = 21;
const ENOTSUP: u32 = 58;

const STDOUT: u32 = 1;
const STDERR: u32 = 2;

/// How much output is kept.
const OUTPUT_LIMIT: usize = 1 << 20;

/// One entry of a vector: a place and a length.
const IOVEC_SIZE: u32 = 8;

pub(super) const FUNCTIONS: &[HostFunction] = &[
    HostFunction { name: "args_get", params: "ii", run: |_, _| Ok(()) },
    HostFunction { name: "args_sizes_get", params: "ii", run: no_strings },
    HostFunction { name: "clock_time_get", params: "ili", run: clock_time_get },
    HostFunction { name: "environ_get", params: "ii", run: environ_get },
    HostFunction { name: "environ_sizes_get", params: "ii", run: environ_sizes_get },
    HostFunction { name: "fd_close", params: "i", run: |_, _| Ok(()) },
    HostFunction { name: "fd_fdstat_get", params: "ii", run: fd_fdstat_get },
    HostFunction {
        name: "fd_prestat_dir_name",
        params: "iii",
        run: |_, _| Err(Refusal::Code(EBADF)),
    },
    HostFunction { name: "fd_prestat_get", params: "ii", run: |_, _| Err(Refusal::Code(EBADF)) },
    HostFunction { name: "fd_read", params: "iiii", run: |_, _| Err(Refusal::Code(ENOSYS)) },
    HostFunction { name: "fd_seek", params: "ilii", run: |_, _| Err(Refusal::Code(ENOSYS)) },
    HostFunction { name: "fd_write", params: "iiii", run: fd_write },
    HostFunction { name: "poll_oneoff", params: "iiii", run: |_, _| Err(Refusal::Code(ENOSYS)) },
    HostFunction { name: "proc_exit", params: "i", run: proc_exit },
    HostFunction { name: "random_get", params: "ii", run: random_get },
    HostFunction { name: "sched_yield", params: "", run: |_, _| Ok(()) },
];

/// Places of the variables, and the variables, each with a NUL at its end.
fn environ_get(guest: &mut Guest<'_>, args: &Args<'_>) -> Answer {
    let [mut place_at, mut at] = args.words();
    for variable in guest.state().environment.clone() {
        fault(guest.write_u32(place_at, at))?;
        let bytes = [variable.as_bytes(), b"\0"].concat();
        fault(guest.write(at, &bytes))?;
        (place_at, at) = (place_at.wrapping_add(4), at.wrapping_add(bytes.len() as u32));
    }
    Ok(())
}

fn environ_sizes_get(guest: &mut Guest<'_>, args: &Args<'_>) -> Answer {
    let [count_at, bytes_at] = args.words();
    let variables = &guest.state().environment;
    let (count, bytes) =
        (variables.len(), variables.iter().map(|variable| variable.len() + 1).sum::<usize>());
    fault(guest.write_u32(count_at, count as u32))?;
    fault(guest.write_u32(bytes_at, bytes as u32))
}

/// None, and no bytes of them.
fn no_strings(guest: &mut Guest<'_>, args: &Args<'_>) -> Answer {
    let [count_at, bytes_at] = args.words();
    fault(guest.write_u32(count_at, 0))?;
    fault(guest.write_u32(bytes_at, 0))
}

/// The number of the clock that only goes forward.
const MONOTONIC: u32 = 1;

fn clock_time_get(guest: &mut Guest<'_>, args: &Args<'_>) -> Answer {
    let [clock] = args.words();
    if clock > 1 {
        return Err(Refusal::Code(ENOTSUP)); // neither real time nor the monotonic clock
    }
    let state = guest.state();
    // A response takes its time.
    let taken = state.stream().filter(|stream| stream.ended).map_or(0, |s| s.duration_ns);
    let now = state.now + if clock == MONOTONIC { taken } else { 0 };
    fault(guest.write_u64(args.wide(2) as u32, now))
}

fn fd_fdstat_get(guest: &mut Guest<'_>, args: &Args<'_>) -> Answer {
    let [fd, at] = args.words();
    if fd != STDOUT && fd != STDERR {
        return Err(Refusal::Code(EBADF));
    }
    let mut stat = [0; 24];
    stat[8] = 64; // the right to write, and nothing else
    fault(guest.write(at, &stat))
}

fn fd_write(guest: &mut Guest<'_>, args: &Args<'_>) -> Answer {
    let [fd, vectors_at, vectors, written_at] = args.words();
    if fd != STDOUT && fd != STDERR {
        return Err(Refusal::Code(EBADF));
    }
    let mut text = Vec::new();
    for i in 0..vectors {
        let vector =
            fault(guest.bytes(vectors_at.wrapping_add(i.wrapping_mul(IOVEC_SIZE)), IOVEC_SIZE))?;
        let (place, length) = vector.split_at(4);
        let word = |bytes: &[u8]| bytes.try_into().map(u32::from_le_bytes).unwrap_or_default();
        text.extend(fault(guest.bytes(word(place), word(length)))?);
    }
    let output = &mut guest.state().output;
    output.extend(&text);
    output.truncate(OUTPUT_LIMIT);
    fault(guest.write_u32(written_at, text.len() as u32))
}

/// Ends the VM, as in Envoy: std calls it after a panic in `main` and from `std::process::exit`.
fn proc_exit(_: &mut Guest<'_>, args: &Args<'_>) -> Answer {
    let [code] = args.words();
    Err(Refusal::Trap(format!("proc_exit({code})")))
}

fn random_get(guest: &mut Guest<'_>, args: &Args<'_>) -> Answer {
    let [at, length] = args.words();
    let mut bytes = Vec::with_capacity(length as usize);
    while bytes.len() < length as usize {
        bytes.extend(guest.state().random.next().to_le_bytes());
    }
    bytes.truncate(length as usize);
    fault(guest.write(at, &bytes))
}

/// A place outside of the memory is EFAULT here.
fn fault<T>(answer: Answer<T>) -> Answer<T> {
    answer.map_err(|refusal| match refusal {
        Refusal::Code(_) => Refusal::Code(EFAULT),
        trap => trap,
    })
}
