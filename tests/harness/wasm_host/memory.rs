//! The guest as a host function sees it: its memory, its arguments, the host's state.

use super::{State, Status};
use wasmi::{AsContext, Caller, Extern, Memory, Val};

/// What a host function answers: nothing special, a code for the guest, or a trap that ends the VM.
pub(super) type Answer<T = ()> = Result<T, Refusal>;

/// Why a host function did not do what it was asked.
#[derive(Debug)]
pub(super) enum Refusal {
    /// The guest sees this status (or errno, in WASI).
    Code(u32),
    /// The guest never runs again; the message says what it did.
    Trap(String),
}

impl From<Status> for Refusal {
    fn from(status: Status) -> Self {
        Self::Code(status as u32)
    }
}

impl From<wasmi::Error> for Refusal {
    fn from(error: wasmi::Error) -> Self {
        Self::Trap(error.to_string())
    }
}

/// One host function of a module that guests import from.
pub(super) struct HostFunction {
    pub(super) name: &'static str,
    /// One letter per parameter: `i` for 32 bits, `l` for 64.
    pub(super) params: &'static str,
    pub(super) run: fn(&mut Guest<'_>, &Args<'_>) -> Answer,
}

/// The arguments of a call; `HostFunction::params` was compared with the import when the module was
/// loaded.
pub(super) struct Args<'a>(pub(super) &'a [Val]);

impl Args<'_> {
    /// The first N arguments, all of them 32 bits wide.
    pub(super) fn words<const N: usize>(&self) -> [u32; N] {
        std::array::from_fn(|i| self.wide(i) as u32)
    }

    /// One argument of any width.
    pub(super) fn wide(&self, i: usize) -> u64 {
        match self.0.get(i) {
            Some(Val::I32(n)) => u64::from(*n as u32),
            Some(Val::I64(n)) => *n as u64,
            _ => 0,
        }
    }
}

/// The running guest, for the time of one host call.
pub(super) struct Guest<'a> {
    caller: Caller<'a, State>,
    memory: Memory,
}

impl<'a> Guest<'a> {
    pub(super) fn new(caller: Caller<'a, State>) -> Result<Self, Refusal> {
        let memory = caller.get_export("memory").and_then(Extern::into_memory);
        let memory = memory.ok_or_else(|| Refusal::Trap("the module exports no memory".into()))?;
        Ok(Self { caller, memory })
    }

    pub(super) fn state(&mut self) -> &mut State {
        self.caller.data_mut()
    }

    /// A copy of `length` bytes at `at`.
    pub(super) fn bytes(&self, at: u32, length: u32) -> Answer<Vec<u8>> {
        let (at, length) = (at as usize, length as usize);
        let all = self.memory.data(self.caller.as_context());
        let found = at.checked_add(length).and_then(|end| all.get(at..end));
        Ok(found.ok_or(Status::InvalidMemoryAccess)?.to_vec())
    }

    /// The same as text; the ABI's names and messages are UTF-8.
    pub(super) fn text(&self, at: u32, length: u32) -> Answer<String> {
        let bytes = self.bytes(at, length)?;
        String::from_utf8(bytes).map_err(|e| Refusal::Trap(format!("text that is not UTF-8: {e}")))
    }

    pub(super) fn write(&mut self, at: u32, bytes: &[u8]) -> Answer {
        let written = self.memory.write(&mut self.caller, at as usize, bytes);
        Ok(written.map_err(|_| Status::InvalidMemoryAccess)?)
    }

    pub(super) fn write_u32(&mut self, at: u32, value: u32) -> Answer {
        self.write(at, &value.to_le_bytes())
    }

    pub(super) fn write_u64(&mut self, at: u32, value: u64) -> Answer {
        self.write(at, &value.to_le_bytes())
    }

    /// Hands bytes over: memory that the guest itself allocates and then owns; its place and length
    /// go where asked. Of no bytes the place is 0, as in Envoy.
    pub(super) fn give(&mut self, bytes: &[u8], place_at: u32, length_at: u32) -> Answer {
        let mut place = 0;
        if !bytes.is_empty() {
            place = self.allocate(bytes.len() as u32)?;
            self.write(place, bytes)?;
        }
        self.write_u32(place_at, place)?;
        self.write_u32(length_at, bytes.len() as u32)
    }

    fn allocate(&mut self, length: u32) -> Answer<u32> {
        let export = ["proxy_on_memory_allocate", "malloc"]
            .into_iter()
            .find_map(|name| self.caller.get_export(name));
        let function = export.and_then(Extern::into_func);
        let function =
            function.ok_or_else(|| Refusal::Trap("the module exports no allocator".into()))?;
        let place = function.typed::<u32, u32>(&self.caller)?.call(&mut self.caller, length)?;
        if place == 0 {
            return Err(Status::InvalidMemoryAccess.into());
        }
        Ok(place)
    }
}
