//! What there is to say about each code: why it is one, what to do, and the least text that shows it.

use engine::policy::{Code, Severity};

/// A diagnostic.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Entry {
    pub(crate) code: &'static str,
    pub(crate) severity: Severity,
    /// One sentence.
    pub(crate) meaning: &'static str,
    /// Why it is a problem, and what to do.
    pub(crate) explanation: &'static str,
    pub(crate) example: Example,
}

/// The least text that has the problem.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Example {
    /// Fields of a policy that is valid without them.
    Policy(&'static str),
    /// Fields of a split that is valid without them.
    Split(&'static str),
    /// A whole file.
    File(&'static str),
    /// A whole file in which `USERS` stands for thousands of them.
    Long(&'static str),
}

use Example::{File, Long, Policy, Split};

/// Every code: those of the reader of files, then those of policies.
pub(crate) fn all() -> Vec<Entry> {
    let own = FILES.iter().map(|(code, severity, meaning, explanation, example)| Entry {
        code,
        severity: *severity,
        meaning,
        explanation,
        example: *example,
    });
    let of_policies = Code::ALL.iter().map(|code| {
        let found = POLICIES.iter().find(|(of, ..)| of == code);
        let (_, explanation, example) = found.copied().unwrap_or((*code, "", Policy("")));
        let (severity, meaning) = (code.severity(), code.meaning());
        Entry { code: code.as_str(), severity, meaning, explanation, example }
    });
    own.chain(of_policies).collect()
}

const FILES: [(&str, Severity, &str, &str, Example); 8] = [
    (
        "invalid_yaml",
        Severity::Error,
        "The text is not YAML.",
        "Anchors and aliases are understood; tags of other schemas are not. Nesting goes to 128 levels. Merge keys (`<<`) are expanded in manifests, where kubectl does so, and nowhere else.",
        File("version: 1\nsplits: [\n"),
    ),
    (
        "ambiguous_yaml",
        Severity::Error,
        "A value in an Envoy configuration is not the same to every release of Envoy.",
        "Some releases read decimals, octal numbers and numbers with leading zeros as texts, others as numbers. Write plain digits, or put a text in quotes; `splitctl render envoy` writes the policy as JSON, which all read alike.",
        File(
            "http_filters:\n- typed_config:\n    config:\n      configuration:\n        \"@type\": type.googleapis.com/google.protobuf.Struct\n        value: {version: 1, splits: [], holdout: {percent: 0.5}}\n",
        ),
    ),
    (
        "yaml_reading",
        Severity::Warning,
        "A value without quotes is something else to another reader of YAML.",
        "A policy file is YAML 1.2. kubectl and Envoy know YAML 1.1, where `no` and `on` are booleans and `010` is 8. A manifest or an Envoy configuration is read here as they read it. Put texts in quotes.",
        File(
            "version: 1\nsplits:\n- name: checkout\n  match: [{headers: [{name: x-country, exact: NO}]}]\n  key: [{header: x-user-id}]\n  baseline: stable\n  variants: [{name: stable, weight: 100}]\n",
        ),
    ),
    (
        "no_policy",
        Severity::Error,
        "A manifest or an Envoy configuration carries no policy.",
        "Policies are found in `spec.pluginConfig` of a WasmPlugin, in `spec.wasm[].config` of an EnvoyExtensionPolicy, and in the `configuration` of Envoy's Wasm filter as StringValue, BytesValue or Struct. With `config_discovery` give the file that it names.",
        File("apiVersion: extensions.istio.io/v1alpha1\nkind: WasmPlugin\nspec: {}\n"),
    ),
    (
        "several_policies",
        Severity::Error,
        "A file carries several policies, and the command takes one.",
        "`splitctl validate` checks all policies of a file; for other commands give each a file of its own.",
        File(
            "kind: WasmPlugin\napiVersion: v1\nspec: {pluginConfig: {version: 1, splits: []}}\n---\nkind: WasmPlugin\napiVersion: v1\nspec: {pluginConfig: {version: 1, splits: [], kill: true}}\n",
        ),
    ),
    (
        "too_long",
        Severity::Warning,
        "The policy of a WasmPlugin is longer than Kubernetes takes.",
        "`kubectl apply` keeps a copy of the object in an annotation of at most 256 KiB, and `kubectl apply --server-side` does without; etcd takes 1.5 MiB unless it is told otherwise.",
        Long(
            "kind: WasmPlugin\napiVersion: v1\nspec:\n  pluginConfig:\n    version: 1\n    key: [{header: x-user-id}]\n    splits:\n    - {name: one, match: [{headers: [{name: x-user-id, in: [USERS]}]}], baseline: a, variants: [{name: a, weight: 100}]}\n",
        ),
    ),
    (
        "unset_filter_state",
        Severity::Warning,
        "A file reads a filter state that the filter does not set.",
        "Access logs and traces take the variants from the header that lists them. The filter state `wasm.traffic_split` is set with `filter_state: true`, or where `variant_header` is off.",
        File(
            "# A log: %FILTER_STATE(wasm.traffic_split:PLAIN)%\nkind: WasmPlugin\napiVersion: v1\nspec: {pluginConfig: {version: 1, key: [{header: u}], splits: [{name: one, baseline: a, variants: [{name: a, weight: 100}]}]}}\n",
        ),
    ),
    (
        "shared_metrics",
        Severity::Warning,
        "Two policies of a file have a split of the same name.",
        "Metrics are named after splits and variants. Where both policies run in one proxy both count into the same ones, and no dashboard can tell them apart.",
        File(
            "kind: WasmPlugin\napiVersion: v1\nspec: {pluginConfig: {version: 1, key: [{header: u}], splits: [{name: one, baseline: a, variants: [{name: a, weight: 100}]}]}}\n---\nkind: WasmPlugin\napiVersion: v1\nspec: {pluginConfig: {version: 1, key: [{cookie: u}], splits: [{name: one, baseline: a, variants: [{name: a, weight: 100}]}]}}\n",
        ),
    ),
];

const POLICIES: &[(Code, &str, Example)] = &[
    (
        Code::InvalidJson,
        "The filter reads JSON only. A file named `.json` must be JSON, too; other names may be YAML.",
        File("{\"version\": 1,}"),
    ),
    (
        Code::UnsupportedVersion,
        "The version names the language of the policy, not your revision of it. Write `version: 1`.",
        Policy("version: 2"),
    ),
    (
        Code::WrongType,
        "A typical case is a text without quotes that YAML reads as a number or boolean: write `exact: \"true\"`.",
        Split("enabled: \"no\""),
    ),
    (
        Code::MissingField,
        "A policy needs `version` and `splits`; a split needs `name`, `baseline` and `variants`; a variant needs `name` and `weight`.",
        File("version: 1\n"),
    ),
    (
        Code::UnknownField,
        "Nothing is dropped in silence: a misspelt field would otherwise change who is served what. The help names the field that was probably meant.",
        Split("basline: stable"),
    ),
    (
        Code::DuplicateField,
        "Most readers keep the last of two equal fields and say nothing. Keep the one that is meant.",
        Split("enabled: true\nenabled: false"),
    ),
    (
        Code::EmptyList,
        "An empty list could mean everything or nothing. To take every request, leave `match` out; to switch a split off, write `enabled: false`.",
        Split("match: []"),
    ),
    (
        Code::EmptyMatch,
        "An entry without conditions holds for every request, and so the whole list does. Leave `match` out if that is meant.",
        Split("match: [{}]"),
    ),
    (
        Code::InvalidName,
        "Names stand in headers, metrics and cookies, which all take this form.",
        Split("name: Checkout Page"),
    ),
    (
        Code::DuplicateName,
        "Metrics, overrides and requirements refer to splits and variants by name.",
        Split("variants: [{name: stable, weight: 50}, {name: stable, weight: 50}]"),
    ),
    (
        Code::UnknownVariant,
        "`baseline`, `overrides`, `requires` and the weights of a ramp name variants of a split.",
        Split("baseline: stabel"),
    ),
    (Code::InvalidValue, "The message says what the field takes.", Split("on_missing_key: ignore")),
    (
        Code::InvalidHost,
        "Hosts are compared without port and scheme. Write `shop.example.com`, `*.example.com` or `*`.",
        Split("match: [{hosts: [\"https://shop.example.com\"]}]"),
    ),
    (
        Code::InvalidPath,
        "A path begins with `/` and is compared without its query; test the query by `query`.",
        Split("match: [{path: {prefix: \"api?x=1\"}}]"),
    ),
    (Code::InvalidMethod, "Methods are case-sensitive: `GET`.", Split("match: [{methods: [get]}]")),
    (
        Code::InvalidHeaderName,
        "A header name is letters, digits and a few signs; `:authority`, `:path` and `:method` are fields of the match.",
        Split("key: [{header: \"x user\"}]"),
    ),
    (
        Code::InvalidCookieName,
        "A cookie name is letters, digits and a few signs.",
        Split("key: [{cookie: \"u;id\"}]"),
    ),
    (
        Code::InvalidCluster,
        "The name goes to Envoy in a header: 1 to 256 visible ASCII characters.",
        Split("variants: [{name: stable, cluster: \"web v1\", weight: 100}]"),
    ),
    (
        Code::InvalidSalt,
        "A salt is 1 to 256 bytes without control characters. Leave it out to use the split's name.",
        Split("salt: \"\""),
    ),
    (
        Code::ReservedHeader,
        "Routing, framing and authentication depend on these headers. Use one of your own, such as `x-split-cluster`.",
        Policy("cluster_header: host"),
    ),
    (
        Code::ControlHeader,
        "The filter sets or removes its own headers before anything reads them, so that no client can choose a cluster. A condition on one would never see what a client sent.",
        Split("key: [{header: x-split-variant}]"),
    ),
    (
        Code::InvalidTest,
        "Write exactly one of `exact`, `prefix`, `suffix`, `contains`, `regex`, `present`, `in`, `range`; for several conditions write several tests.",
        Split("match: [{headers: [{name: x-tier, exact: a, prefix: b}]}]"),
    ),
    (
        Code::InvalidKeySource,
        "Each entry of `key` is one source; sources are tried in order.",
        Split("key: [{header: x-user-id, cookie: uid}]"),
    ),
    (
        Code::MissingKey,
        "Without a key the same user would meet another variant with each request. Give the split or the policy a `key`, or write `assignment: random` if that is wanted.",
        File(
            "version: 1\nsplits:\n- {name: checkout, baseline: stable, variants: [{name: stable, weight: 100}]}\n",
        ),
    ),
    (
        Code::InvalidWeight,
        "Weights are 0 to 1000000000 with up to four decimals.",
        Split("variants: [{name: stable, weight: -1}]"),
    ),
    (
        Code::WeightSum,
        "By default weights are percent. For other sums give `weight_total`, or `any`.",
        Split("variants: [{name: stable, weight: 95}, {name: canary, weight: 50}]"),
    ),
    (
        Code::WeightOverMax,
        "`max_weight` is there to refuse weights that were swapped. Raise it where the weight is really meant.",
        Split("baseline: canary\nvariants: [{name: canary, weight: 100, max_weight: 50}]"),
    ),
    (
        Code::InvalidPercent,
        "Users are counted in 10000 buckets, so two decimals of a percent are all there are.",
        Policy("holdout: {percent: 0.001}"),
    ),
    (
        Code::InvalidSlice,
        "A slice is percent of its layer, `from` included and `to` not.",
        Policy(
            "layers: [{name: page}]\nsplits: [{name: checkout, layer: page, slice: {from: 50, to: 50}, baseline: stable, variants: [{name: stable, weight: 100}]}]",
        ),
    ),
    (
        Code::SliceWithoutLayer,
        "Name the `layer` that the slice is a share of; to give fewer users another variant, change the weights.",
        Split("slice: {from: 0, to: 50}"),
    ),
    (
        Code::UnknownLayer,
        "Layers are declared in `layers`, so that a typing error makes no layer of its own.",
        Split("layer: page"),
    ),
    (
        Code::UnknownSplit,
        "`requires` names another split of the policy.",
        Split("requires: [{split: serch, variant: b}]"),
    ),
    (
        Code::ForwardRequirement,
        "Splits are decided in order. Move the split that is required before the one that requires it.",
        Split("requires: [{split: checkout, variant: stable}]"),
    ),
    (
        Code::ConflictingFields,
        "One of the fields would have no effect. Remove it.",
        Split("variants: [{name: stable, weight: 100, cluster: web, respond: {status: 503}}]"),
    ),
    (
        Code::LimitExceeded,
        "Limits keep the time per request and the memory of a proxy small. The help names another way.",
        Split("match: [{path: {regex: \"/[a-z]{60000}\"}}]"),
    ),
    (
        Code::UnreadCookie,
        "Put `{cookie: NAME}` before `generate`: otherwise nothing reads the key back, and every request is a new user.",
        Split("key: [{generate: {cookie: uid}}]"),
    ),
    (
        Code::UnreachableKeySource,
        "`generate` always gives a key. Put it last.",
        Split("key: [{cookie: uid}, {generate: {cookie: uid}}, {header: x-user-id}]"),
    ),
    (
        Code::DrainWithoutSticky,
        "A draining variant keeps those who hold it by sticky cookie. Without `sticky` write a weight of 0.",
        Split("variants: [{name: stable, weight: 100}, {name: old, weight: 0, drain: true}]"),
    ),
    (
        Code::UnreachableSplit,
        "In a layer the first split that applies wins. Give the splits slices that do not overlap, or a narrower match to the first.",
        Policy(
            "layers: [{name: page}]\nsplits:\n- {name: one, layer: page, baseline: a, variants: [{name: a, weight: 100}]}\n- {name: two, layer: page, baseline: a, variants: [{name: a, weight: 100}]}",
        ),
    ),
    (
        Code::SliceOverlap,
        "Users in both slices always meet the earlier split, so the later one is smaller than its slice says.",
        Policy(
            "layers: [{name: page}]\nsplits:\n- {name: one, layer: page, slice: {from: 0, to: 60}, baseline: a, variants: [{name: a, weight: 100}]}\n- {name: two, layer: page, slice: {from: 50, to: 100}, baseline: a, variants: [{name: a, weight: 100}]}",
        ),
    ),
    (
        Code::SliceGap,
        "These users are in no split of the layer. That may be room for later splits; it may be a typing error.",
        Policy(
            "layers: [{name: page}]\nsplits: [{name: one, layer: page, slice: {from: 0, to: 60}, baseline: a, variants: [{name: a, weight: 100}]}]",
        ),
    ),
    (
        Code::DeadOverride,
        "Overrides are tried in order. Remove one, or put the narrower one first.",
        Split(
            "overrides:\n- {match: [{methods: [GET]}], variant: stable}\n- {match: [{methods: [GET]}], skip: true}",
        ),
    ),
    (
        Code::BaselineOutweighed,
        "Perhaps the weights are swapped. At the end of a rollout make the winner the baseline: a baseline of weight 0 still serves requests without a key.",
        Split("variants: [{name: stable, weight: 5}, {name: canary, weight: 95}]"),
    ),
    (Code::UnusedLayer, "A split joins a layer by naming it.", Policy("layers: [{name: page}]")),
    (
        Code::RequiresDisabled,
        "Nobody has a variant of a split that is not enabled.",
        Policy(
            "splits:\n- {name: one, enabled: false, baseline: a, variants: [{name: a, weight: 100}]}\n- {name: two, requires: [{split: one, variant: a}], baseline: a, variants: [{name: a, weight: 100}]}",
        ),
    ),
    (
        Code::SharedSalt,
        "The variants of both splits go to the same users, so their effects cannot be told apart. Give each a salt of its own, or none.",
        Policy(
            "splits:\n- {name: one, salt: s, baseline: a, variants: [{name: a, weight: 100}]}\n- {name: two, salt: s, baseline: a, variants: [{name: a, weight: 100}]}",
        ),
    ),
    (
        Code::InvalidDuration,
        "Whole numbers with units from large to small: `90s`, `15m`, `1h30m`, `365d`.",
        Split("key: [{cookie: uid}, {generate: {cookie: uid, ttl: 1.5h}}]"),
    ),
    (
        Code::InvalidTime,
        "RFC 3339 with an offset, such as `2026-11-20T12:00:00Z`: a time without one is another moment on each machine.",
        Split("ramp: {start: 2026-11-20, steps: [{after: 1h, weights: {stable: 100}}]}"),
    ),
    (
        Code::InvalidCookie,
        "Browsers drop such a cookie without a word, and every request would be a new user.",
        Split("key: [{cookie: uid}, {generate: {cookie: uid, same_site: none, secure: false}}]"),
    ),
    (
        Code::InvalidDomain,
        "Write `example.com`; subdomains are included.",
        Split("key: [{cookie: uid}, {generate: {cookie: uid, domain: .example.com}}]"),
    ),
    (
        Code::CookieTtlCapped,
        "Browsers forget every cookie after 400 days. For longer use a key that the application keeps.",
        Split("key: [{cookie: uid}, {generate: {cookie: uid, ttl: 500d}}]"),
    ),
    (
        Code::CookieConflict,
        "Give each use a cookie of its own. Splits that share a generated key write its cookie alike.",
        Policy(
            "splits:\n- {name: one, key: [{cookie: uid}, {generate: {cookie: uid}}], baseline: a, variants: [{name: a, weight: 100}]}\n- {name: two, sticky: {cookie: uid, secret: not-a-real-secret}, baseline: a, variants: [{name: a, weight: 100}]}",
        ),
    ),
    (
        Code::WeakSecret,
        "A secret is 16 to 256 visible ASCII characters, such as `openssl rand -hex 32` prints.",
        Split("sticky: {secret: hunter2}"),
    ),
    (
        Code::InvalidRatio,
        "A guard compares users: at a ratio of 1 every variant that is no better than the baseline would be out in the end. The default for errors is 1.5.",
        Split("guard: {errors: {ratio: 1}}"),
    ),
    (
        Code::RampOrder,
        "`after` counts from the start of the ramp, and each step is later than the one before.",
        Split(
            "ramp: {start: 2026-11-20T12:00:00Z, steps: [{after: 2h, weights: {stable: 100}}, {after: 1h, weights: {stable: 100}}]}",
        ),
    ),
    (
        Code::StickyOutlivesRamp,
        "Returning users keep the variant of their first visit and never see the later steps. Shorten `ttl`, or raise `epoch` at the end.",
        Split(
            "sticky: {secret: not-a-real-secret}\nramp: {start: 2026-11-20T12:00:00Z, steps: [{after: 1h, weights: {stable: 100}}]}",
        ),
    ),
    (
        Code::InvalidRegex,
        "The syntax is that of the crate `regex-lite`: no look-around, no back-references. An expression is compared with the whole value.",
        Split("match: [{path: {regex: \"/(\"}}]"),
    ),
    (
        Code::InvalidCidr,
        "Write `10.0.0.0/8`, `2001:db8::/32` or an address.",
        Split("match: [{source_ip: [10.0.0.1/8]}]"),
    ),
    (
        Code::InvalidRange,
        "`from` is in the range and `to` is not; one of them may be left out.",
        Split("match: [{headers: [{name: x-age, range: {from: 65, to: 18}}]}]"),
    ),
    (
        Code::PseudoHeader,
        "Use `hosts`, `path`, `query` and `methods` of the match.",
        Split("match: [{headers: [{name: host, exact: shop.example.com}]}]"),
    ),
    (
        Code::PreferCookies,
        "All cookies are one value of that header. `cookies` tests one cookie by its name.",
        Split("match: [{headers: [{name: cookie, contains: beta}]}]"),
    ),
    (Code::DuplicateValue, "Each value counts once.", Split("match: [{methods: [GET, GET]}]")),
    (
        Code::NeverMatches,
        "All tests of an entry must hold. Alternatives are entries of their own, or values of `in`.",
        Split("match: [{headers: [{name: x-tier, exact: a}, {name: x-tier, exact: b}]}]"),
    ),
    (
        Code::UnlikelyPattern,
        "Only `hosts` have wildcards. For other texts use `prefix`, `suffix`, `contains`, `regex` or `present`. Paths are compared as they arrive, without dot segments.",
        Split("match: [{path: {prefix: \"/api/*\"}}]"),
    ),
    (
        Code::NeverApplies,
        "Of one layer one split applies, a user has one variant of a split, and a request without a key is in no slice. Remove what excludes the rest.",
        Policy(
            "splits:\n- {name: one, baseline: a, variants: [{name: a, weight: 50}, {name: b, weight: 50}]}\n- {name: two, requires: [{split: one, variant: a}, {split: one, variant: b}], baseline: a, variants: [{name: a, weight: 100}]}",
        ),
    ),
    (
        Code::NoEffect,
        "Nothing changes when the field is removed, so that something else was most likely meant.",
        Split("assignment: random\non_missing_key: skip"),
    ),
    (
        Code::NobodyAdmitted,
        "A draining variant keeps its holders and takes nobody new. With none left to take them, new users are served the baseline, whatever its weight.",
        Split(
            "sticky: {secret: not-a-real-secret}\nvariants: [{name: stable, weight: 100, drain: true}]",
        ),
    ),
    (
        Code::BaselineStillServes,
        "The baseline is served when in doubt, and a request without a key is such a case. At the end of a rollout make the winner the baseline; or say with `on_missing_key` what becomes of these requests.",
        Split("variants: [{name: stable, weight: 0}, {name: canary, weight: 100}]"),
    ),
    (
        Code::RoundedToZero,
        "Weights have four decimals and percentages two. A variant of such a weight is off.",
        Split("variants: [{name: stable, weight: 100}, {name: canary, weight: 1.0e-12}]"),
    ),
    (
        Code::UnstableKey,
        "A user would meet another variant with each request, or behind each proxy. Name what stays with the user.",
        Split("key: [{header: x-request-id}]"),
    ),
    (
        Code::HostOnlyCookie,
        "Browsers send a cookie without `domain` back to the host that set it and to no other. Give it the domain that the hosts have in common.",
        Split(
            "match: [{hosts: [shop.example.com, pay.example.com]}]\nkey: [{cookie: uid}, {generate: {cookie: uid}}]",
        ),
    ),
    (
        Code::ForeignCookieDomain,
        "A host may set cookies for itself and the domains above it. Others are dropped without a word, and each request there is a new user.",
        Split(
            "match: [{hosts: [shop.example.org]}]\nkey: [{cookie: uid}, {generate: {cookie: uid, domain: example.com}}]",
        ),
    ),
    (
        Code::EditUndone,
        "A variant's edits are applied in the order remove, set, add, and those of the filter itself after them.",
        Split(
            "variants: [{name: stable, weight: 100, response_headers: {remove: [server], set: [{name: server, value: shop}]}}]",
        ),
    ),
    (
        Code::UncountedOutcomes,
        "Envoy's stats access logger tells variants by the header that lists them. Without that header no logger can be rendered, and rules, alerts and dashboards have no responses and no durations.",
        Policy(
            "outcomes: envoy\nvariant_header: null\nsplits: [{name: one, baseline: a, variants: [{name: a, weight: 100}]}]",
        ),
    ),
    (
        Code::SplitsCollide,
        "Where several splits want different things of one request, the first in the list has its way. Put splits that exclude each other in one layer, or give each a header of its own.",
        Policy(
            "splits:\n- {name: one, baseline: a, variants: [{name: a, weight: 100, rewrite: {host: a.example}}]}\n- {name: two, baseline: a, variants: [{name: a, weight: 100, rewrite: {host: b.example}}]}",
        ),
    ),
    (
        Code::FallbackRewritten,
        "A request is rewritten before it is known who takes it, so the baseline gets it as the variant would have. Its service may not know such paths.",
        Split(
            "variants: [{name: stable, cluster: v1, weight: 95}, {name: canary, cluster: v2, weight: 5, fallback: baseline, rewrite: {path_prefix: {from: /api, to: /v2}}}]",
        ),
    ),
];
