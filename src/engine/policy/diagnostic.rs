//! Problems of a policy: stable code, severity, path, message, help.

use std::borrow::Cow;
use std::fmt;

/// Declares the closed list of codes: name in Rust, stable text, severity, what it means.
macro_rules! codes {
    ($($name:ident = $text:literal $severity:ident: $meaning:literal;)*) => {
        crate::words::words! {
            /// The stable code of a diagnostic.
            Code { $(#[doc = $meaning] $name = $text,)* }
        }

        impl Code {
            /// Whether a policy with this problem is refused.
            pub const fn severity(self) -> Severity {
                match self { $(Self::$name => Severity::$severity,)* }
            }

            /// What the code means, one sentence.
            pub const fn meaning(self) -> &'static str {
                match self { $(Self::$name => $meaning,)* }
            }
        }
    };
}

codes! {
    InvalidJson = "invalid_json" Error: "The text is not JSON.";
    UnsupportedVersion = "unsupported_version" Error: "The policy's `version` is not one this release reads.";
    WrongType = "wrong_type" Error: "A value has another type than its field takes.";
    MissingField = "missing_field" Error: "A required field is not there.";
    UnknownField = "unknown_field" Error: "A field that no policy has; most often a typing error.";
    DuplicateField = "duplicate_field" Error: "A field is given twice in one object.";
    EmptyList = "empty_list" Error: "A list that needs entries has none.";
    EmptyMatch = "empty_match" Error: "A match entry has no condition, so that it would take every request.";
    InvalidName = "invalid_name" Error: "A split or variant name is not of the form `[a-z0-9][a-z0-9._-]{0,63}`.";
    DuplicateName = "duplicate_name" Error: "Two splits, or two variants of a split, have the same name.";
    UnknownVariant = "unknown_variant" Error: "A variant is named that the split does not have.";
    InvalidValue = "invalid_value" Error: "A value is not among those its field takes.";
    InvalidHost = "invalid_host" Error: "A host pattern that could never match.";
    InvalidPath = "invalid_path" Error: "A path pattern that could never match.";
    InvalidMethod = "invalid_method" Error: "A method is not an HTTP token.";
    InvalidHeaderName = "invalid_header_name" Error: "A header name is not an HTTP token.";
    InvalidCookieName = "invalid_cookie_name" Error: "A cookie name is not an HTTP token.";
    InvalidCluster = "invalid_cluster" Error: "A cluster name is empty, too long, or has characters a header cannot carry.";
    InvalidSalt = "invalid_salt" Error: "A salt is empty, too long, or has control characters.";
    ReservedHeader = "reserved_header" Error: "A header that the proxy itself depends on cannot carry the decision.";
    ControlHeader = "control_header" Error: "A header that the filter owns never passes from a client, so it cannot be a key or a condition.";
    InvalidTest = "invalid_test" Error: "A value test needs exactly one of its forms.";
    InvalidKeySource = "invalid_key_source" Error: "A key source needs exactly one of its forms.";
    MissingKey = "missing_key" Error: "A split has no key, and the policy has no default one.";
    InvalidWeight = "invalid_weight" Error: "A weight is negative, not finite, too large, or finer than 0.0001.";
    WeightSum = "weight_sum" Error: "The weights of a split do not sum to its `weight_total`.";
    WeightOverMax = "weight_over_max" Error: "A variant's weight is larger than its `max_weight`.";
    InvalidPercent = "invalid_percent" Error: "A percentage is not 0 to 100 with up to two decimals.";
    InvalidSlice = "invalid_slice" Error: "A slice holds nobody.";
    SliceWithoutLayer = "slice_without_layer" Error: "A slice is given without the layer it is a share of.";
    UnknownLayer = "unknown_layer" Error: "A layer is named that the policy does not declare.";
    UnknownSplit = "unknown_split" Error: "A split is named that the policy does not have.";
    ForwardRequirement = "forward_requirement" Error: "A split requires one that is decided later, or itself.";
    ConflictingFields = "conflicting_fields" Error: "Fields are given together that exclude each other.";
    LimitExceeded = "limit_exceeded" Error: "A stated limit is exceeded.";
    UnreadCookie = "unread_cookie" Error: "A key is generated into a cookie that no key source reads.";
    UnreachableKeySource = "unreachable_key_source" Error: "A key source comes after one that always gives a key.";
    DrainWithoutSticky = "drain_without_sticky" Error: "A variant drains, but nothing says who holds it.";
    UnreachableSplit = "unreachable_split" Warning: "Earlier splits of the layer take every user this one could have.";
    SliceOverlap = "slice_overlap" Warning: "Two slices of a layer overlap: the earlier split wins there.";
    SliceGap = "slice_gap" Warning: "A part of a layer is in no slice.";
    DeadOverride = "dead_override" Warning: "An override can never apply: an earlier one takes its requests.";
    BaselineOutweighed = "baseline_outweighed" Warning: "A challenger has more weight than the baseline.";
    UnusedLayer = "unused_layer" Warning: "A layer is declared that no split is in.";
    RequiresDisabled = "requires_disabled" Warning: "A split requires one that is not enabled, so it never applies.";
    SharedSalt = "shared_salt" Warning: "Two splits have one salt, so that the same users go first in both.";
    InvalidDuration = "invalid_duration" Error: "A duration is not whole numbers with units such as `1h30m`, or too long.";
    InvalidTime = "invalid_time" Error: "A time is not an RFC 3339 timestamp of the years 1970 to 9999.";
    InvalidCookie = "invalid_cookie" Error: "A cookie's attributes are a combination that browsers drop.";
    InvalidDomain = "invalid_domain" Error: "A cookie's domain is not a host name.";
    CookieConflict = "cookie_conflict" Error: "One cookie is used for two things, so that one of them would be lost.";
    CookieTtlCapped = "cookie_ttl_capped" Warning: "A cookie lives longer than browsers keep any.";
    WeakSecret = "weak_secret" Error: "A secret is too short, or has characters that no header carries.";
    InvalidRatio = "invalid_ratio" Error: "A ratio is not above 1, or finer than 0.0001.";
    RampOrder = "ramp_order" Error: "The steps of a ramp do not come one after the other, or its pause is before its start.";
    StickyOutlivesRamp = "sticky_outlives_ramp" Warning: "A sticky cookie keeps users on their first variant longer than the ramp takes.";
    InvalidRegex = "invalid_regex" Error: "A text is not a regular expression of the kind that is read here.";
    InvalidCidr = "invalid_cidr" Error: "A text is not an IP address or network, or has bits beyond its prefix.";
    InvalidRange = "invalid_range" Error: "A range of numbers holds none, or its bounds cannot be exact.";
    PseudoHeader = "pseudo_header" Error: "A header test on what is not among the headers: host, path, method.";
    PreferCookies = "prefer_cookies" Warning: "A header test on all cookies at once, where one cookie is most likely meant.";
    DuplicateValue = "duplicate_value" Warning: "A list has a value more than once.";
    NeverMatches = "never_matches" Warning: "Two tests of a match entry exclude each other, so that it never holds.";
    UnlikelyPattern = "unlikely_pattern" Warning: "A pattern that hardly any request meets: a wildcard or another form was most likely meant.";
    NeverApplies = "never_applies" Warning: "A split never applies: what it asks of a user excludes itself.";
    NoEffect = "no_effect" Warning: "A field has no effect beside what else is written.";
    NobodyAdmitted = "nobody_admitted" Warning: "No variant takes new users, so that they are served the baseline.";
    BaselineStillServes = "baseline_still_serves" Warning: "A baseline of weight 0 still serves every request without a key.";
    RoundedToZero = "rounded_to_zero" Warning: "A number above 0 is so small that it counts as 0.";
    UnstableKey = "unstable_key" Warning: "A key that changes from request to request, or from proxy to proxy.";
    HostOnlyCookie = "host_only_cookie" Warning: "A cookie is for one host, and its split is for several.";
    ForeignCookieDomain = "foreign_cookie_domain" Warning: "A cookie's domain does not hold a host of its split, where browsers drop the cookie.";
    EditUndone = "edit_undone" Warning: "A header edit has no effect: another one undoes it.";
    UncountedOutcomes = "uncounted_outcomes" Warning: "Nobody counts how requests end, though the policy wants it.";
    SplitsCollide = "splits_collide" Warning: "Two splits want different things of one request, and the first has its way.";
    FallbackRewritten = "fallback_rewritten" Warning: "A variant's baseline would stand in for it with requests that are rewritten for the variant.";
}

/// Whether a policy with this problem is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The policy works, but perhaps not as meant.
    Warning,
    /// The policy is refused.
    Error,
}

impl Severity {
    /// `warning` or `error`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// One problem of a policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// Stable code.
    pub code: Code,
    /// Error or warning.
    pub severity: Severity,
    /// Where, as `splits[0].variants[1].weight`; empty for the whole document.
    pub path: String,
    /// What is wrong, in lower case, the input in backticks.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
}

impl Diagnostic {
    /// A problem without help.
    pub(super) fn new(code: Code, path: String, message: Cow<'static, str>) -> Self {
        let (path, message) = (in_one_line(path.into()), in_one_line(message));
        Self { code, severity: code.severity(), path, message, help: None }
    }

    /// Adds what to do about it.
    pub(super) fn set_help(&mut self, help: Cow<'static, str>) {
        self.help = Some(in_one_line(help));
    }
}

/// A text without control characters: what a document says cannot begin a line of its own in a log.
fn in_one_line(text: Cow<'static, str>) -> String {
    if !text.contains(char::is_control) {
        return text.into_owned();
    }
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

impl fmt::Display for Diagnostic {
    /// One line: `error[weight_sum] splits[0].variants: weights sum to ...; help: ...`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}[{}]", self.severity.as_str(), self.code.as_str())?;
        if !self.path.is_empty() {
            write!(f, " {}", self.path)?;
        }
        write!(f, ": {}", self.message)?;
        match &self.help {
            Some(help) => write!(f, "; help: {help}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique_snake_case_words() {
        let mut texts: Vec<_> = Code::ALL.iter().map(|c| c.as_str()).collect();
        assert!(texts.iter().all(|t| t.bytes().all(|b| b.is_ascii_lowercase() || b == b'_')));
        texts.sort_unstable();
        texts.dedup();
        assert_eq!(texts.len(), Code::ALL.len());
    }

    #[test]
    fn a_diagnostic_prints_on_one_line() {
        let path = "splits[0].wieght".to_owned();
        let mut diagnostic =
            Diagnostic::new(Code::UnknownField, path, "unknown field `wieght`".into());
        diagnostic.set_help("did you mean `weight`?".into());
        assert_eq!(
            diagnostic.to_string(),
            "error[unknown_field] splits[0].wieght: unknown field `wieght`; help: did you mean `weight`?"
        );
    }
}
