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
    fn a_plugin_has_a_namespace_and_a_name() {
        for wrong in ["traffic-split", "/a", "a/", "A/b", "a/b/c", "a/b.c"] {
            assert!(wrong.parse::<WasmPlugin>().is_err(), "{wrong}");
        }
    }
}
