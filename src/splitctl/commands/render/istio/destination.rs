//! What a cluster of the policy is in Istio: a host, a port and a subset.

/// Where a route goes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Destination {
    pub(super) host: String,
    pub(super) port: Option<u16>,
    pub(super) subset: Option<String>,
}

impl Destination {
    /// Reads a cluster's name: Istio's own (`outbound|8080|v1|reviews.default.svc.cluster.local`), or that of a
    /// service.
    pub(super) fn of_cluster(
        cluster: &str,
        namespace: &str,
        port: Option<u16>,
    ) -> Result<Self, String> {
        if cluster.contains('|') {
            return Self::of_istio(cluster);
        }
        let host = match is_host(cluster) {
            true if cluster.contains('.') => cluster.to_owned(),
            true => format!("{cluster}.{namespace}.svc.cluster.local"),
            false => {
                return Err(format!(
                    "the cluster `{cluster}` is neither a service nor a name in Istio, such as \
                    `outbound|8080|v1|reviews.default.svc.cluster.local`"
                ));
            }
        };
        Ok(Self { host, port, subset: None })
    }

    /// Reads the name that Istio gives to a cluster.
    pub(super) fn of_istio(cluster: &str) -> Result<Self, String> {
        let wrong = || {
            format!(
                "the cluster `{cluster}` is not a name in Istio, such as \
                `outbound|8080|v1|reviews.default.svc.cluster.local` (without subset: `outbound|8080||...`)"
            )
        };
        let mut parts = cluster.split('|');
        let mut next = || parts.next().ok_or_else(wrong);
        let [direction, port, subset, host] = [next()?, next()?, next()?, next()?];
        let subset = (!subset.is_empty()).then(|| subset.to_owned());
        let port = port.parse().ok().filter(|port: &u16| *port > 0);
        let fits = direction == "outbound" && is_host(host) && parts.next().is_none();
        match port {
            Some(port) if fits => Ok(Self { host: host.to_owned(), port: Some(port), subset }),
            _ => Err(wrong()),
        }
    }
}

/// Whether it can be the name of a host.
fn is_host(text: &str) -> bool {
    let inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    let label = |label: &str| {
        let ends = !label.starts_with('-') && !label.ends_with('-');
        !label.is_empty() && label.len() <= 63 && ends && label.bytes().all(inner)
    };
    text.len() <= 253 && text.split('.').all(label)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(cluster: &str) -> Result<(String, Option<u16>, Option<String>), String> {
        let found = Destination::of_cluster(cluster, "shop", None)?;
        Ok((found.host, found.port, found.subset))
    }

    #[test]
    fn a_name_of_istio_has_host_port_and_perhaps_a_subset() {
        let host = "reviews.default.svc.cluster.local".to_owned();
        let v1 = Ok((host.clone(), Some(8080), Some("v1".to_owned())));
        assert_eq!(of("outbound|8080|v1|reviews.default.svc.cluster.local"), v1);
        let none = Ok((host, Some(80), None));
        assert_eq!(of("outbound|80||reviews.default.svc.cluster.local"), none);
    }

    #[test]
    fn a_service_is_found_in_its_namespace() {
        assert_eq!(
            of("checkout-v1"),
            Ok(("checkout-v1.shop.svc.cluster.local".to_owned(), None, None))
        );
        assert_eq!(of("api.example.com"), Ok(("api.example.com".to_owned(), None, None)));
        let with_port = Destination::of_cluster("a", "b", Some(81)).unwrap();
        assert_eq!(with_port.port, Some(81));
    }

    #[test]
    fn what_is_neither_is_refused() {
        for wrong in [
            "",
            "a b",
            "Shop",
            "-a",
            "a..b",
            "inbound|80||a.b",
            "outbound|80|a.b",
            "outbound|0||a.b",
            "outbound|80||",
            "outbound|80||a.b|c",
            "outbound|80|v1|A",
        ] {
            assert!(of(wrong).is_err(), "{wrong}");
        }
    }
}
