//! What there is to say about a judgement, in the names of the policy instead of its indices. `--format json`
//! is these values as they are.

use serde::Serialize;

/// The whole answer.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    pub(super) file: String,
    /// The policy's hash.
    pub(super) policy: String,
    /// The moment of the weights.
    pub(super) at: String,
    /// Whether any weight depends on the moment.
    pub(super) depends_on_time: bool,
    pub(super) request: RequestReport,
    pub(super) splits: Vec<SplitReport>,
    pub(super) effects: EffectsReport,
}

#[derive(Debug, Serialize)]
pub(super) struct RequestReport {
    pub(super) method: String,
    pub(super) host: String,
    pub(super) path: String,
    pub(super) headers: Vec<HeaderReport>,
    pub(super) client_ip: Option<String>,
}

#[derive(Debug, Serialize)]
pub(super) struct HeaderReport {
    pub(super) name: String,
    pub(super) value: String,
}

/// One split, in the order of the policy.
#[derive(Debug, Serialize)]
pub(super) struct SplitReport {
    pub(super) split: String,
    /// The variant served; `None` = the split does not apply.
    pub(super) variant: Option<String>,
    /// Why; one of the filter's reasons.
    pub(super) reason: Option<&'static str>,
    pub(super) steps: Vec<StepReport>,
}

/// A step of a judgement, in order.
#[derive(Debug, Serialize)]
#[serde(tag = "step", rename_all = "snake_case")]
pub(super) enum StepReport {
    /// `enabled: false`.
    Disabled,
    /// An earlier leg of the request decided.
    EarlierLeg,
    /// The policy is killed.
    Killed,
    Match {
        /// Entries of the list, up to the one that holds.
        entries: Vec<EntryReport>,
        holds: bool,
    },
    LayerTaken {
        layer: String,
    },
    RequirementUnmet {
        split: String,
        variant: String,
    },
    Slice {
        layer: String,
        from_percent: f64,
        to_percent: f64,
        bucket: Option<u16>,
        holds: bool,
    },
    /// By somebody who knows the secret.
    Forced,
    /// By somebody who knows the secret, but the split has no such variant.
    ForcedUnknown {
        variant: String,
    },
    /// One override that was tried.
    Override {
        index: usize,
        entries: Vec<EntryReport>,
        holds: bool,
        /// The variant; `None` = `skip`.
        variant: Option<String>,
    },
    NoKey {
        sources: Vec<String>,
        /// It is a CORS preflight: the key comes with the request that it announces.
        preflight: bool,
    },
    Key {
        key: String,
        source: String,
        generated: bool,
        bucket: u16,
        /// How else to read it, where it seems to be written encoded.
        #[serde(skip_serializing_if = "Option::is_none")]
        help: Option<String>,
    },
    Holdout {
        bucket: u16,
        percent: f64,
        held: bool,
    },
    Sticky {
        cookie: String,
        /// The variant held; `None` = no valid cookie.
        variant: Option<String>,
        /// Its weight is not 0.
        counts: bool,
        /// It is out of service.
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        tripped: bool,
    },
    /// The variant that the override forces is out of service.
    Tripped {
        variant: String,
    },
    Weights {
        /// Which weights of a ramp these are; `None` = no ramp.
        ramp: Option<String>,
        draws: Vec<DrawReport>,
    },
    /// The variant answers itself, and a CORS preflight passes.
    NotAnswered {
        variant: String,
    },
}

/// An entry of a match list.
#[derive(Debug, Serialize)]
pub(super) struct EntryReport {
    /// As written, on one line.
    pub(super) condition: String,
    /// The condition that failed first; `None` = the entry holds.
    pub(super) unmet: Option<String>,
    /// What the request has there, where it is a header, and how that differs; `None` where there is nothing to say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) sent: Option<String>,
}

/// What a variant drew.
#[derive(Debug, Serialize)]
pub(super) struct DrawReport {
    pub(super) variant: String,
    pub(super) weight: f64,
    /// Percent of new users.
    pub(super) share: f64,
    /// 16 hexadecimal digits; `None` = the variant takes no part: its weight is 0, or it drains.
    pub(super) ticket: Option<String>,
    /// `-log2(ticket / 2^64)`.
    pub(super) cost: Option<f64>,
    /// The smallest wins.
    pub(super) cost_per_weight: Option<f64>,
    pub(super) wins: bool,
    /// It is out of service.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(super) tripped: bool,
    pub(super) drains: bool,
}

/// What the filter would do.
#[derive(Debug, Serialize)]
pub(super) struct EffectsReport {
    /// The cluster that the request goes to; `None` = the route's fallback.
    pub(super) cluster: Option<String>,
    pub(super) request_headers: Vec<EditReport>,
    pub(super) response_headers: Vec<EditReport>,
    /// As Prometheus shows them; each by 1.
    pub(super) counters: Vec<String>,
    /// Filter state `wasm.traffic_split`.
    pub(super) state: Option<String>,
    /// Filter state `wasm.traffic_split_evidence`; left out where there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) evidence: Option<String>,
    pub(super) reply: Option<ReplyReport>,
    /// The cluster that a copy of the request goes to.
    pub(super) mirror: Option<String>,
    /// The request wanted to force a variant and did not know the secret.
    pub(super) force_refused: bool,
}

#[derive(Debug, Serialize)]
pub(super) struct EditReport {
    /// `set`, `add` or `remove`.
    pub(super) edit: &'static str,
    pub(super) name: String,
    pub(super) value: Option<String>,
}

#[derive(Debug, Serialize)]
pub(super) struct ReplyReport {
    pub(super) status: u16,
    pub(super) body: String,
}
