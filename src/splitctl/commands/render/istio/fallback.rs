//! What Istio can do for a dead variant: a subset that is the whole service, the variant's pods first, and retries that go on
//! to the others. Istio has no cluster of clusters, so both versions must be subsets of one service, and its only ones.
//! docs/decisions/0013-a-dead-variant.md says what is different from `render envoy`.

use std::collections::BTreeSet;

use anyhow::{anyhow, bail};
use engine::policy::Split;
use policy_text::source::scalar;

use super::By;
use super::destination::Destination;

/// What a route of such a variant has besides its destination. Istio's own retries would send again what a host has
/// begun to process (`unavailable`, `cancelled`); with `retryRemoteLocalities` the third attempt is at another version.
pub(super) const RETRIES: &str = "
    retries: {attempts: 3, retryOn: \"connect-failure,refused-stream,reset-before-request\", retryRemoteLocalities: true}";

/// The destinations that fall back.
pub(super) fn destinations(
    by: By,
    splits: &[&Split],
    read: &dyn Fn(&str) -> anyhow::Result<Destination>,
) -> anyhow::Result<BTreeSet<Destination>> {
    let (mut falling_back, mut others) = (BTreeSet::new(), BTreeSet::new());
    let mut pairs = Vec::new();
    for split in splits {
        for (id, variant) in split.variants.pairs() {
            let Some(cluster) = &variant.cluster else { continue };
            let to = read(cluster)?;
            let Some(baseline) = split.stand_in(id) else {
                others.insert(to);
                continue;
            };
            pairs.push((format!("{}={}", split.name, variant.name), to.clone(), read(baseline)?));
            falling_back.insert(to);
        }
        if let Some(mirror) = &split.mirror {
            others.insert(read(&mirror.cluster)?);
        }
    }
    let Some((first, _, _)) = pairs.first() else { return Ok(falling_back) };
    if by == By::ClusterHeader {
        bail!(
            "`{first}` has `fallback: baseline`, and with one route for all clusters all of them would fall back: \
            use `--by variant-header`"
        );
    }
    for (name, to, baseline) in pairs {
        let cannot = |why: &str| {
            anyhow!(
                "`{name}` has `fallback: baseline`, and {why}: leave the field out of a policy for Istio, or see \
                istio/README.md for what else there is"
            )
        };
        let both = BTreeSet::from([&to, &baseline]);
        let one_service = (&to.host, to.port) == (&baseline.host, baseline.port);
        if !one_service || both.iter().any(|to| to.subset.is_none()) {
            return Err(cannot("in Istio only subsets of one service stand in for each other"));
        }
        let mut of_service = falling_back.union(&others).filter(|other| other.host == to.host);
        if of_service.any(|other| !both.contains(other)) {
            return Err(cannot("its service has other subsets, whose pods would stand in as well"));
        }
        if others.contains(&to) {
            return Err(cannot("its subset serves a variant or a mirror that does not fall back"));
        }
    }
    Ok(falling_back)
}

/// The subset of such a variant, in a DestinationRule.
pub(super) fn subset(name: &str) -> String {
    let (subset, first) = (scalar(name), scalar(&format!("version={name}")));
    format!(
        "  # All pods of the service, those of this version first (`fallback: baseline`): others are asked where none of these
  # can be connected. Below 72 % of them Istio's proxies ask others in part.
  - name: {subset}
    trafficPolicy:
      loadBalancer:
        localityLbSetting: {{enabled: true, failoverPriority: [{first}]}}
      # Pods that cannot be connected are left out for a while. Statuses leave none out: that is a variant that fails.
      outlierDetection:
        splitExternalLocalOriginErrors: true
        consecutiveLocalOriginFailures: 5
        consecutive5xxErrors: 0
        consecutiveGatewayErrors: 0
        interval: 1s
        baseEjectionTime: 5s
        maxEjectionPercent: 100
"
    )
}
