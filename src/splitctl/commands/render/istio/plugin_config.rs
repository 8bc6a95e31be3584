//! A policy as the plugin's configuration: what it leaves unsaid is stated where that matters in a manifest.

use anyhow::{Context, Result};
use engine::policy::{self, Policy, Value};

use crate::policy_file::Valid;

/// The name of what is rendered, where nothing else is asked for.
pub(super) const DEFAULT_NAME: &str = "traffic-split";

/// The policy as the manifest has it.
///
/// `kill` is stated: `kubectl apply` takes a kill back that somebody patched in only if the manifest has the field. And
/// a plugin with a name of its own has headers of its own: of two on one proxy that own the same headers, each would
/// remove what the other decided.
pub(super) fn stated(valid: &Valid, name: &str) -> Result<Valid> {
    let mut document = valid.document.clone();
    if let Value::Object(fields) = &mut document {
        let own = |header: &str| Value::String(format!("{header}-{name}"));
        let mut missing = vec![("kill", Value::Bool(false))];
        if name != DEFAULT_NAME {
            missing.extend([
                ("cluster_header", own(Policy::CLUSTER_HEADER)),
                ("variant_header", own(Policy::VARIANT_HEADER)),
                ("mirror_header", own(Policy::MIRROR_HEADER)),
            ]);
        }
        missing.retain(|(field, _)| !fields.iter().any(|(written, _)| written == field));
        let missing = missing.into_iter().map(|(field, value)| (field.to_owned(), value));
        let version = fields.iter().position(|(field, _)| field == "version");
        let after = version.map_or(0, |at| at.saturating_add(1));
        fields.splice(after..after, missing);
    }
    let checked = policy::check(&document);
    let policy = checked.policy.with_context(|| {
        format!(
            "`--name {name}` gives the plugin headers of its own, such as `{}-{name}`, and the policy has another use for \
            one of them: name `cluster_header`, `variant_header` and `mirror_header` in the policy",
            Policy::VARIANT_HEADER
        )
    })?;
    Ok(Valid { document, policy, hash: checked.hash })
}
