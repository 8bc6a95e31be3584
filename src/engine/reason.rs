//! Why a variant was served.

crate::words::words! {
    /// The reason of a decision; the label `reason` of the metrics.
    #[derive(Default, PartialOrd, Ord)]
    Reason {
        /// The weights decided, by the user's key.
        #[default]
        Split = "split",
        /// An override, or somebody who knows the secret, forced the variant.
        Override = "override",
        /// The user's sticky cookie decided.
        Sticky = "sticky",
        /// The user is held out: baseline.
        Holdout = "holdout",
        /// No key was found and the split serves its baseline then.
        NoKey = "no_key",
        /// The weights decided, by chance.
        Random = "random",
        /// The policy is killed: every split that applies serves its baseline.
        Killed = "killed",
        /// Nothing could be chosen (every variant has weight 0 or drains): baseline.
        Fallback = "fallback",
        /// The variant that the user would be served is out of service, because of its guard.
        Tripped = "tripped",
    }
}
