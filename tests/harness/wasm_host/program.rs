//! The compiled module and its link to the host functions.

use super::memory::{Args, Guest, HostFunction, Refusal};
use super::state::State;
use super::{Failure, WasmHost, abi, wasi};
use wasmi::{
    Caller, Engine, Error, ExternType, FuncType, Instance, Linker, Module, Store, Val, ValType,
};

/// The exports by which a module says which ABI it was built for; Envoy loads no module without
/// one.
const ABI_VERSION: &str = "proxy_abi_version_0_2_1";

/// A module that was read and translated once and can be started often.
#[derive(Clone)]
pub struct Program {
    engine: Engine,
    module: Module,
}

impl Program {
    /// Reads a module: the bytes of a `.wasm`, or the text form of one.
    pub fn compile(wasm: &[u8]) -> Result<Self, Failure> {
        let engine = Engine::default();
        let module =
            Module::new(&engine, wasm).map_err(|e| Failure::while_loading(e.to_string()))?;
        if module.get_export(ABI_VERSION).is_none() {
            return Err(Failure::while_loading(format!(
                "the module does not export `{ABI_VERSION}`"
            )));
        }
        Ok(Self { engine, module })
    }

    /// A new VM that runs the module, as every worker of Envoy has one.
    pub fn start(&self) -> Result<WasmHost, Failure> {
        self.start_as(State::new())
    }

    /// Another one, with which it shares data, as Envoy's VMs of one id do.
    pub fn start_beside(&self, other: &WasmHost) -> Result<WasmHost, Failure> {
        let shared_data = other.shared_data();
        self.start_as(State { shared_data, ..State::new() })
    }

    fn start_as(&self, state: State) -> Result<WasmHost, Failure> {
        let mut store = Store::new(&self.engine, state);
        let instance =
            self.instantiate(&mut store).map_err(|e| Failure::while_loading(e.to_string()))?;
        WasmHost::begin(store, instance, self.clone())
    }

    /// The functions of the ABI that the module imports, by name: those that [`WasmHost::fail`] can
    /// make fail.
    pub fn host_calls(&self) -> Vec<String> {
        let imports = self.module.imports().filter(|import| import.module() == abi::MODULE);
        imports.map(|import| import.name().to_owned()).collect()
    }

    /// What the module imports and this host only answers with "unimplemented", as `module.name`.
    pub fn unimplemented_imports(&self) -> Vec<String> {
        let imports =
            self.module.imports().filter(|import| find(import.module(), import.name()).is_none());
        imports.map(|import| format!("{}.{}", import.module(), import.name())).collect()
    }

    fn instantiate(&self, store: &mut Store<State>) -> Result<Instance, Error> {
        let mut linker = Linker::new(&self.engine);
        for import in self.module.imports() {
            let (module, name) = (import.module(), import.name());
            let ExternType::Func(ty) = import.ty() else {
                return Err(Error::new(format!("`{module}.{name}` is not a function")));
            };
            let function = find(module, name);
            if function.is_some_and(|function| function.params != letters(ty)) {
                return Err(Error::new(format!(
                    "`{module}.{name}` is imported with other parameters: {ty:?}"
                )));
            }
            let call = HostCall { module: module.to_owned(), name: name.to_owned(), function };
            linker.func_new(module, name, ty.clone(), move |caller, args, results| {
                call.run(caller, args, results)
            })?;
        }
        linker.instantiate_and_start(store, &self.module)
    }
}

fn find(module: &str, name: &str) -> Option<&'static HostFunction> {
    let functions = match module {
        abi::MODULE => abi::FUNCTIONS,
        wasi::MODULE => wasi::FUNCTIONS,
        _ => return None,
    };
    functions.iter().find(|function| function.name == name)
}

fn letters(ty: &FuncType) -> String {
    let letter = |ty: &ValType| if *ty == ValType::I64 { 'l' } else { 'i' };
    ty.params().iter().map(letter).collect()
}

/// One import of the guest, ready to be called.
struct HostCall {
    module: String,
    name: String,
    /// None if the host does not have it.
    function: Option<&'static HostFunction>,
}

impl HostCall {
    fn run(
        &self,
        mut caller: Caller<'_, State>,
        args: &[Val],
        results: &mut [Val],
    ) -> Result<(), Error> {
        if let Some(visit) = caller.data_mut().record.as_mut().and_then(|record| record.last_mut())
        {
            visit.calls.push(self.name.clone());
        }
        let code = match self.answer(caller, args) {
            Ok(()) => 0,
            Err(Refusal::Code(code)) => code,
            Err(Refusal::Trap(reason)) => {
                return Err(Error::new(format!("{}: {reason}", self.name)));
            }
        };
        if let Some(result) = results.first_mut() {
            *result = Val::I32(code as i32);
        }
        Ok(())
    }

    fn answer(&self, caller: Caller<'_, State>, args: &[Val]) -> Result<(), Refusal> {
        let failing = caller.data().failing.get(&self.name).filter(|_| self.module == abi::MODULE);
        if let Some(status) = failing {
            return Err((*status).into());
        }
        match self.function {
            Some(function) => (function.run)(&mut Guest::new(caller)?, &Args(args)),
            None if self.module == wasi::MODULE => Err(Refusal::Code(wasi::ENOSYS)),
            None => Err(super::Status::Unimplemented.into()),
        }
    }
}
