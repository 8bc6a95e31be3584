//! A WasmPlugin of Istio, by its namespace and name.

use std::str::FromStr;

/// A WasmPlugin of Istio.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct WasmPlugin {
    pub(crate) namespace: String,
    pub(crate) name: String,
}

impl FromStr for WasmPlugin {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || format!("`{text}` is no WasmPlugin, such as `istio-ingress/traffic-split`");
        let (namespace, plugin) = text.split_once('/').ok_or_else(wrong)?;
        let [namespace, name] = [namespace, plugin].map(kubernetes_name);
        Ok(Self { namespace: namespace.map_err(|_| wrong())?, name: name.map_err(|_| wrong())? })
    }
}

/// The bytes of an object that `kubectl apply` takes: it keeps a copy in an annotation, and all of these together have so
/// many.
const APPLIED: usize = 256 * 1_024;
/// The bytes of a request that etcd takes unless it is told otherwise.
const STORED: usize = 1_536 * 1_024;

/// Why a policy does not fit into a WasmPlugin, or not easily.
pub(crate) struct TooLong {
    /// It never fits.
    pub(crate) refused: bool,
    pub(crate) what: &'static str,
    pub(crate) help: &'static str,
}

/// What becomes of a policy of so many bytes of JSON; `None` = it fits.
pub(crate) fn too_long(bytes: usize) -> Option<TooLong> {
    if bytes > STORED {
        return Some(TooLong {
            refused: true,
            what: "the policy alone is more than 1.5 MiB, which is all that Kubernetes stores of an object",
            help: "give proxies only the splits they need, and long lists of users to whoever authenticates them",
        });
    }
    (bytes > APPLIED).then_some(TooLong {
        refused: false,
        what: "the policy alone is more than 256 KiB, and `kubectl apply` keeps no more in its annotation",
        help: "write `kubectl apply --server-side`, which keeps no copy",
    })
}

/// A name as Kubernetes allows it for everything.
pub(crate) fn kubernetes_name(text: &str) -> Result<String, String> {
    let inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    let end = |b: Option<&u8>| b.is_some_and(|b| *b != b'-');
    let bytes = text.as_bytes();
    if bytes.len() <= 63
        && bytes.iter().all(|b| inner(*b))
        && end(bytes.first())
        && end(bytes.last())
    {
        return Ok(text.to_owned());
    }
    Err("a name has up to 63 of a-z, 0-9 and -, and no - at its ends".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_fits_or_fits_not_easily_or_not_at_all() {
        let refused = |bytes| too_long(bytes).map(|too_long| too_long.refused);
        assert_eq!([256 * 1_024, 256 * 1_024 + 1].map(refused), [None, Some(false)]);
        assert_eq!([1_572_864, 1_572_865].map(refused), [Some(false), Some(true)]);
    }

    #[test]
    fn a_plugin_has_a_namespace_and_a_name() {
        for wrong in ["traffic-split", "/a", "a/", "A/b", "a/b/c", "a/b.c"] {
            assert!(wrong.parse::<WasmPlugin>().is_err(), "{wrong}");
        }
    }
}
