//! The series that Envoy itself keeps about the filter. Their names have the filter's in them, which is another one in
//! Istio.

use lab::xds;

use crate::wasm_plugin::WasmPlugin;

/// What the filter is called in Envoy.
struct Names {
    /// The plugin: `config.name` of the filter's configuration.
    plugin: String,
    /// The resource of extension config discovery: the filter's name among the HTTP filters.
    resource: String,
}

/// What the filter may be called: as `render envoy` names it, or as Istio names a WasmPlugin.
fn names(plugin: Option<&WasmPlugin>) -> Vec<Names> {
    let Some(WasmPlugin { namespace, name }) = plugin else {
        return vec![Names { plugin: xds::FILTER.to_owned(), resource: xds::FILTER.to_owned() }];
    };
    // From 1.30 on Istio makes a TrafficExtension of a WasmPlugin, and names it so that it cannot be one of yours.
    let translated = format!("{namespace}.{name}~istio-translated-wasmplugin");
    let plain = format!("{namespace}.{name}");
    vec![
        Names { resource: format!("extensions.istio.io/wasmplugin/{plain}"), plugin: plain },
        Names {
            resource: format!("extensions.istio.io/trafficextension/{translated}"),
            plugin: translated,
        },
    ]
}

/// The counters of VMs that were reloaded, or could not be.
pub(crate) fn vm_reloads(plugin: Option<&WasmPlugin>) -> Vec<String> {
    let of = |names: &Names| {
        let prefix = sanitized(&names.plugin);
        ["success", "failure"].map(|end| format!("envoy_wasm_{prefix}_vm_reload_{end}"))
    };
    names(plugin).iter().flat_map(of).collect()
}

/// The counters of configurations that Envoy refused.
pub(crate) fn refused_configs(plugin: Option<&WasmPlugin>) -> Vec<String> {
    let of = |names: &Names| {
        let prefix = sanitized(&names.resource);
        ["config_fail", "update_rejected"]
            .map(|end| format!("envoy_extension_config_discovery_http_filter_{prefix}_{end}"))
    };
    names(plugin).iter().flat_map(of).collect()
}

/// A counter that is there as soon as Envoy is told of the filter, whatever becomes of it.
pub(crate) fn discovered(plugin: Option<&WasmPlugin>) -> Vec<String> {
    let of = |names: &Names| {
        let prefix = sanitized(&names.resource);
        format!("envoy_extension_config_discovery_http_filter_{prefix}_config_reload")
    };
    names(plugin).iter().map(of).collect()
}

/// A name as Envoy writes it for Prometheus.
fn sanitized(name: &str) -> String {
    name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn in_istio_series_are_named_after_the_plugin_and_its_namespace() {
        let plugin: WasmPlugin = "istio-ingress/traffic-split".parse().unwrap();
        let translated = "istio_ingress_traffic_split_istio_translated_wasmplugin";
        let reloads = vm_reloads(Some(&plugin));
        assert_eq!(reloads[0], "envoy_wasm_istio_ingress_traffic_split_vm_reload_success");
        assert_eq!(reloads[3], format!("envoy_wasm_{translated}_vm_reload_failure"));
        let refused = refused_configs(Some(&plugin));
        let prefix = "envoy_extension_config_discovery_http_filter_extensions_istio_io";
        let plain = format!("{prefix}_wasmplugin_istio_ingress_traffic_split_config_fail");
        assert_eq!(refused[0], plain);
        let newer = format!("{prefix}_trafficextension_{translated}_update_rejected");
        assert_eq!(refused[3], newer);
    }
}
