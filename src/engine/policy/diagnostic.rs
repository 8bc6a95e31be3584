//! Problems of a policy: stable code, severity, path, message, help.

use std::fmt;

/// Declares the closed list of codes: name in Rust, stable text, what it means.
macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $text:literal: $meaning:literal;)*) => {
        /// The stable code of a diagnostic.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Code {
            $(#[doc = $meaning] $name,)*
        }

        impl Code {
            /// Every code.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// The stable text, as printed and as used in JSON.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }

            /// What the code means, one sentence.
            pub const fn meaning(self) -> &'static str {
                match self { $(Self::$name => $meaning,)* }
            }
        }
    };
}

codes! {
    InvalidJson = "invalid_json": "The text is not JSON.";
    UnsupportedVersion = "unsupported_version": "The policy's `version` is not one this release reads.";
    WrongType = "wrong_type": "A value has another type than its field takes.";
    MissingField = "missing_field": "A required field is not there.";
    UnknownField = "unknown_field": "A field that no policy has; most often a typing error.";
    DuplicateField = "duplicate_field": "A field is given twice in one object.";
    EmptyList = "empty_list": "A list that needs entries has none.";
    EmptyMatch = "empty_match": "A match entry has no condition, so that it would take every request.";
    InvalidName = "invalid_name": "A split or variant name is not of the form `[a-z0-9][a-z0-9._-]{0,63}`.";
    DuplicateName = "duplicate_name": "Two splits, or two variants of a split, have the same name.";
    UnknownVariant = "unknown_variant": "A variant is named that the split does not have.";
    InvalidValue = "invalid_value": "A value is not among those its field takes.";
    InvalidHost = "invalid_host": "A host pattern that could never match.";
    InvalidPath = "invalid_path": "A path pattern that could never match.";
    InvalidMethod = "invalid_method": "A method is not an HTTP token.";
    InvalidHeaderName = "invalid_header_name": "A header name is not an HTTP token.";
    InvalidCookieName = "invalid_cookie_name": "A cookie name is not an HTTP token.";
    InvalidCluster = "invalid_cluster": "A cluster name is empty, too long, or has characters a header cannot carry.";
    InvalidSalt = "invalid_salt": "A salt is empty, too long, or has control characters.";
    ReservedHeader = "reserved_header": "A header that the proxy itself depends on cannot carry the decision.";
    ControlHeader = "control_header": "A header that the filter owns never passes from a client, so it cannot be a key or a condition.";
    InvalidTest = "invalid_test": "A value test needs exactly one of its forms.";
    InvalidKeySource = "invalid_key_source": "A key source needs exactly one of its forms.";
    MissingKey = "missing_key": "A split has no key, and the policy has no default one.";
    InvalidWeight = "invalid_weight": "A weight is negative, not finite, too large, or finer than 0.0001.";
    WeightSum = "weight_sum": "The weights of a split do not sum to its `weight_total`.";
    WeightOverMax = "weight_over_max": "A variant's weight is larger than its `max_weight`.";
    SharedSalt = "shared_salt": "Two splits have one salt, so that the same users go first in both.";
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
    /// Adds what to do about it.
    pub(crate) fn help(&mut self, help: impl Into<String>) {
        self.help = Some(help.into());
    }
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
        let mut diagnostic = Diagnostic {
            code: Code::UnknownField,
            severity: Severity::Error,
            path: "splits[0].wieght".into(),
            message: "unknown field `wieght`".into(),
            help: None,
        };
        diagnostic.help("did you mean `weight`?");
        assert_eq!(
            diagnostic.to_string(),
            "error[unknown_field] splits[0].wieght: unknown field `wieght`; help: did you mean `weight`?"
        );
    }
}
