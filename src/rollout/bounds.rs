//! What is permitted of a challenger, checked.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What is permitted, and how sure one must be.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "Written")]
pub struct Bounds {
    errors_ratio: f64,
    slo: Option<f64>,
    alpha: f64,
}

/// [`Bounds`] as written.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    errors_ratio: f64,
    slo: Option<f64>,
    alpha: f64,
}

impl TryFrom<Written> for Bounds {
    type Error = BoundsError;

    fn try_from(Written { errors_ratio, slo, alpha }: Written) -> Result<Self, BoundsError> {
        Self::new(errors_ratio, slo, alpha)
    }
}

impl From<Bounds> for Written {
    fn from(Bounds { errors_ratio, slo, alpha }: Bounds) -> Self {
        Self { errors_ratio, slo, alpha }
    }
}

/// A bound that is out of its range.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BoundsError {
    /// The name of the bound.
    pub name: &'static str,
    /// What it is.
    pub found: f64,
    /// The least that it may be.
    pub least: f64,
    /// The most.
    pub most: f64,
}

impl fmt::Display for BoundsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, found, least, most } = self;
        write!(f, "{name} is `{found}`, and must be from {least} to {most}")
    }
}

impl std::error::Error for BoundsError {}

impl Default for Bounds {
    /// Half again as often as the baseline, no SLO, and wrong for at most 5 % of runs.
    fn default() -> Self {
        Self { errors_ratio: 1.5, slo: None, alpha: 0.05 }
    }
}

impl Bounds {
    /// - `errors_ratio`: how many times as often as the baseline a challenger must be proven not to fail, 1.01 to 1000;
    /// - `slo`: or which part of its events must be proven not to be bad, 0.000001 to 0.5;
    /// - `alpha`: the part of runs for which harm may be shown falsely, and that for which safety may: 0.000001 to 0.5.
    ///
    /// # Errors
    /// When one is out of its range, or no number.
    pub fn new(errors_ratio: f64, slo: Option<f64>, alpha: f64) -> Result<Self, BoundsError> {
        let within = |name, found: f64, least, most| {
            let is = found >= least && found <= most;
            if is { Ok(()) } else { Err(BoundsError { name, found, least, most }) }
        };
        within("errors_ratio", errors_ratio, 1.01, 1000.0)?;
        slo.map_or(Ok(()), |slo| within("slo", slo, 1e-6, 0.5))?;
        within("alpha", alpha, 1e-6, 0.5)?;
        Ok(Self { errors_ratio, slo, alpha })
    }

    /// How many times as often as the baseline a challenger must be proven not to fail.
    pub const fn errors_ratio(&self) -> f64 {
        self.errors_ratio
    }

    /// Or which part of its events must be proven not to be bad.
    pub const fn slo(&self) -> Option<f64> {
        self.slo
    }

    /// The part of runs for which harm may be shown falsely, and that for which safety may.
    pub const fn alpha(&self) -> f64 {
        self.alpha
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_have_ranges() {
        for (ratio, slo, alpha, error) in [
            (1.0, None, 0.05, "errors_ratio is `1`, and must be from 1.01 to 1000"),
            (f64::NAN, None, 0.05, "errors_ratio is `NaN`, and must be from 1.01 to 1000"),
            (2.0, Some(0.0), 0.05, "slo is `0`, and must be from 0.000001 to 0.5"),
            (2.0, Some(0.01), 0.7, "alpha is `0.7`, and must be from 0.000001 to 0.5"),
        ] {
            assert_eq!(Bounds::new(ratio, slo, alpha).unwrap_err().to_string(), error);
        }
        let text = r#"{"errors_ratio": 0.5, "slo": null, "alpha": 0.05}"#;
        assert!(serde_json::from_str::<Bounds>(text).is_err());
    }
}
