//! A request that runs through the filter more than once: after an internal redirect, or when a filter
//! begins it anew, the proxy sends the same request of the same client through all filters again. What the
//! first leg decided stands, and is counted once.
//!
//! The first leg leaves a note where no client can write, and the next one reads it. It names splits and
//! variants, so that it means the same to another policy:
//!
//! ```text
//! 2, random numbers (2 x 8 bytes), time, the word of the path it sent on, when the first leg began (8 bytes each),
//! what was forced, 0, and for each decision: split, 0, variant, 0, reason, flags, the user (8 bytes)
//! ```

use super::{Context, Decision, Decisions};
use crate::hash::first_word;
use crate::matching::host_of;
use crate::plan::Plan;
use crate::reason::Reason;
use crate::units::Moment;

/// What an earlier leg of a request left.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Earlier {
    /// The context in which it decided.
    pub context: Context,
    /// The hash of the path that it sent on, where it rewrote that; 0 where it did not.
    pub rewrote: u64,
    /// When the request began, by the clock of the host that measures.
    pub began: u64,
    /// What it forced, with a secret that later legs do not see; empty where it forced nothing.
    pub forced: Box<[u8]>,
    /// What it decided, and legs before it.
    pub decisions: Vec<Decision>,
}

const VERSION: u8 = 2;
const NEW_KEY: u8 = 1;
const HOLD: u8 = 2;
const MIRROR: u8 = 4;
const USER: u8 = 8;

impl Earlier {
    /// The note that a leg leaves for the next one; `rewrote` and `began` as in [`Earlier`]. `None` where it
    /// decided nothing.
    pub fn note(
        plan: &Plan,
        decisions: &Decisions,
        context: &Context,
        rewrote: u64,
        began: u64,
    ) -> Option<Vec<u8>> {
        if !decisions.have_outcome() {
            return None;
        }
        let mut note = vec![VERSION];
        for word in [context.random[0], context.random[1], context.now.get(), rewrote, began] {
            note.extend_from_slice(&word.to_le_bytes());
        }
        note.extend_from_slice(decisions.forced());
        note.push(0);
        for decision in decisions.list().iter().chain(decisions.elsewhere()) {
            let split = &plan.policy.splits[decision.split];
            for name in [&split.name, &split.variants[decision.variant].name] {
                note.extend_from_slice(name.as_bytes());
                note.push(0);
            }
            let flag = |is: bool, bit: u8| if is { bit } else { 0 };
            let flags = flag(decision.new_key, NEW_KEY)
                | flag(decision.hold, HOLD)
                | flag(decision.mirror, MIRROR)
                | flag(decision.user.is_some(), USER);
            note.extend([decision.reason as u8, flags]);
            note.extend_from_slice(&decision.user.unwrap_or_default().to_le_bytes());
        }
        Some(note)
    }

    /// Reads a note; `None` where the bytes are none. Splits and variants that the plan does not have are
    /// left out.
    pub fn read(plan: &Plan, note: &[u8]) -> Option<Self> {
        let (&VERSION, rest) = note.split_first()? else { return None };
        let (random, rest) = word(rest)?;
        let (other, rest) = word(rest)?;
        let (now, rest) = word(rest)?;
        let (rewrote, rest) = word(rest)?;
        let (began, rest) = word(rest)?;
        let (forced, mut rest) = text(rest)?;
        let mut decisions = Vec::new();
        while !rest.is_empty() {
            let (split, after) = text(rest)?;
            let (variant, after) = text(after)?;
            let (&[reason, flags], after) = after.split_first_chunk()?;
            let (user, after) = word(after)?;
            rest = after;
            let reason = Reason::ALL.get(usize::from(reason)).copied()?;
            let Some(id) = str::from_utf8(split).ok().and_then(|name| plan.find(name)) else {
                continue;
            };
            let variants = &plan.policy.splits[id].variants;
            let Some(variant) = variants.find(|v| v.name.as_bytes() == variant) else { continue };
            let has = |bit: u8| flags & bit != 0;
            let (new_key, hold, mirror) = (has(NEW_KEY), has(HOLD), has(MIRROR));
            decisions.push(Decision {
                split: id,
                variant,
                reason,
                new_key,
                hold,
                mirror,
                counted: true,
                user: has(USER).then_some(user),
            });
        }
        let context = Context { random: [random, other], now: Moment::new(now) };
        Some(Self { context, rewrote, began, forced: forced.into(), decisions })
    }

    /// Whether the path of a later leg is the one that this leg wrote.
    pub(crate) fn wrote_path(&self, path: &[u8]) -> bool {
        self.rewrote != 0 && self.rewrote == first_word(path)
    }

    /// Whether the host of a later leg, in its one spelling, is the one that this leg wrote: the proxy keeps it
    /// where a redirect names none.
    pub(super) fn wrote_host(&self, plan: &Plan, host: &[u8]) -> bool {
        let mut variants =
            self.decisions.iter().map(|d| &plan.policy.splits[d.split].variants[d.variant]);
        let written = variants.find_map(|variant| variant.rewrite.host.as_deref());
        written.is_some_and(|written| host_of(written.as_bytes()).eq_ignore_ascii_case(host))
    }
}

fn word(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let (word, rest) = bytes.split_first_chunk()?;
    Some((u64::from_le_bytes(*word), rest))
}

/// A text up to its 0, and what follows.
fn text(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = bytes.iter().position(|b| *b == 0)?;
    let (text, rest) = bytes.split_at_checked(end)?;
    Some((text, rest.split_first()?.1))
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use super::*;
    use crate::decision::{Facts as _, Nobody, Step, decide, explain};
    use crate::host::Host;
    use crate::policy;

    /// A leg of a request.
    struct Leg<'l> {
        headers: &'l [(&'l str, &'l str)],
        note: Option<&'l [u8]>,
    }

    impl Host for Leg<'_> {
        fn headers(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
            self.headers.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes()))
        }

        fn earlier_leg(&self) -> Option<Cow<'_, [u8]>> {
            self.note.map(Cow::Borrowed)
        }
    }

    fn plan() -> Plan {
        let text = r#"{"version": 1, "force": {"secret": {"header": "x-secret", "value": "0123456789abcdef"}},
            "layers": [{"name": "ui"}],
            "splits": [
            {"name": "other", "layer": "ui", "match": [{"path": {"prefix": "/b"}}], "key": [{"header": "u"}],
             "baseline": "on", "variants": [{"name": "on", "weight": 100}]},
            {"name": "web", "layer": "ui", "match": [{"headers": [{"name": "x-beta", "present": true}]}],
             "key": [{"cookie": "uid"}, {"generate": {"cookie": "uid"}}],
             "baseline": "a", "variants": [{"name": "a", "weight": 50}, {"name": "b", "weight": 50}]},
            {"name": "page", "match": [{"path": {"prefix": "/page"}}], "key": [{"header": "u"}],
             "baseline": "a", "variants": [{"name": "a", "weight": 100}, {"name": "b", "weight": 0}]}]}"#;
        Plan::new(policy::from_json(text.as_bytes()).policy.unwrap())
    }

    const ONE: Context = Context { now: Moment::new(7), random: [1, 2] };
    const OTHER: Context = Context { now: Moment::new(9), random: [3, 4] };

    /// The note of a first leg.
    fn note(plan: &Plan, headers: &[(&str, &str)]) -> Vec<u8> {
        let leg = Leg { headers, note: None };
        let decisions = decide(plan, &plan.facts(&leg), &ONE, &mut Nobody);
        Earlier::note(plan, &decisions, &ONE, 5, 6).unwrap()
    }

    /// What a second leg decides, in words, and what of the first it does not meet.
    fn second(plan: &Plan, headers: &[(&str, &str)], note: &[u8]) -> (Vec<String>, usize) {
        let leg = Leg { headers, note: Some(note) };
        let facts = plan.facts(&leg);
        let context = facts.earlier(plan).map_or(OTHER, |earlier| earlier.context);
        let decisions = decide(plan, &facts, &context, &mut Nobody);
        let words = decisions.list().iter().map(|decision| {
            let split = &plan.policy.splits[decision.split];
            let variant = &split.variants[decision.variant].name;
            let counted = if decision.counted { " counted" } else { "" };
            format!("{}={variant} {}{counted}", split.name, decision.reason.as_str())
        });
        (words.collect(), decisions.elsewhere().len())
    }

    #[test]
    fn both_legs_have_one_variant_and_one_new_key() {
        let plan = plan();
        let note = note(&plan, &[(":path", "/"), ("x-beta", "1")]);
        let earlier = Earlier::read(&plan, &note).unwrap();
        assert_eq!((earlier.context, earlier.rewrote, earlier.began), (ONE, 5, 6));
        assert!(earlier.forced.is_empty());
        let first = earlier.decisions[0];
        assert!(first.new_key && first.counted);
        let variant = &plan.policy.splits[first.split].variants[first.variant].name;
        // The filter's own header is there, and one that the first leg may have taken away is not.
        let again = [(":path", "/next"), ("x-split-variant", "web=a")];
        let stands = vec![format!("web={variant} split counted")];
        assert_eq!(second(&plan, &again, &note), (stands, 0));
    }

    #[test]
    fn nothing_is_asked_where_no_header_of_the_filter_says_that_there_was_a_leg() {
        let plan = plan();
        let note = note(&plan, &[(":path", "/"), ("x-beta", "1")]);
        assert_eq!(second(&plan, &[(":path", "/")], &note), (vec![], 0));
        let redirected = [(":path", "/"), ("x-envoy-original-url", "http://shop/")];
        assert_eq!(second(&plan, &redirected, &note).0.len(), 1);
    }

    #[test]
    fn what_was_forced_stays_forced_on_other_pages_too() {
        let plan = plan();
        let forced = [
            (":path", "/"),
            ("x-beta", "1"),
            ("x-secret", "0123456789abcdef"),
            ("x-split-force", "web=b, page=b"),
        ];
        let note = note(&plan, &forced);
        let again = [(":path", "/page"), ("x-split-variant", "web=b")];
        let wanted = ["web=b override counted".to_owned(), "page=b override".to_owned()];
        assert_eq!(second(&plan, &again, &note), (wanted.to_vec(), 0));
    }

    #[test]
    fn a_split_that_another_path_does_not_meet_is_kept_for_the_count_and_a_layer_has_one() {
        let plan = plan();
        let note =
            note(&plan, &[(":path", "/page"), ("x-beta", "1"), ("u", "ada"), ("cookie", "uid=1")]);
        let again = [(":path", "/b"), ("u", "ada"), ("x-split-variant", "")];
        let (words, elsewhere) = second(&plan, &again, &note);
        assert_eq!(
            words.len(),
            1,
            "`other` would be judged first, and the layer is taken: {words:?}"
        );
        assert!(words[0].starts_with("web="));
        assert_eq!(elsewhere, 1);
    }

    #[test]
    fn a_host_and_a_path_that_the_first_leg_wrote_do_not_end_what_it_decided() {
        let text = r#"{"version": 1, "splits": [
            {"name": "web", "match": [{"hosts": ["shop.test"], "path": {"prefix": "/api"}}], "key": [{"header": "u"}], "baseline": "a",
             "variants": [{"name": "a", "weight": 100, "rewrite": {"host": "New.test:8080", "path_prefix": {"from": "/api", "to": "/v2"}}}]}]}"#;
        let plan = Plan::new(policy::from_json(text.as_bytes()).policy.unwrap());
        let leg = Leg {
            headers: &[(":authority", "shop.test"), (":path", "/api/x"), ("u", "1")],
            note: None,
        };
        let decisions = decide(&plan, &plan.facts(&leg), &ONE, &mut Nobody);
        let note = Earlier::note(&plan, &decisions, &ONE, first_word(b"/v2/x"), 6).unwrap();
        for (host, path, stands) in [
            // As the first leg sent it on, and a redirect within the host that it wrote.
            ("New.test:8080", "/v2/x", true),
            ("new.test", "/api/next", true),
            ("shop.test", "/api/next", true),
            ("shop.test", "/v2/x", true),
            // A redirect to what a client would not be served by the split at either.
            ("new.test", "/v2/next", false),
            ("other.test", "/api/next", false),
        ] {
            let again = [(":authority", host), (":path", path), ("x-split-variant", "web=a")];
            assert_eq!(second(&plan, &again, &note).0.len() == 1, stands, "{host}{path}");
        }
    }

    #[test]
    fn people_are_told() {
        let plan = plan();
        let note = note(&plan, &[(":path", "/"), ("x-beta", "1")]);
        let headers = &[(":path", "/"), ("x-split-variant", "")];
        let leg = Leg { headers, note: Some(&note) };
        let explanation = explain(&plan, &plan.facts(&leg), &ONE);
        let web = plan.find("web").unwrap();
        assert_eq!(explanation.of(web).first(), Some(&Step::EarlierLeg));
    }

    #[test]
    fn a_note_of_other_bytes_or_of_another_policy_is_no_trouble() {
        let plan = plan();
        let good = note(&plan, &[(":path", "/"), ("x-beta", "1")]);
        for end in 0..good.len() {
            let _ = Earlier::read(&plan, &good[..end]);
            let mut other = good.clone();
            other[end] ^= 0xff;
            let _ = Earlier::read(&plan, &other);
        }
        let none =
            Plan::new(policy::from_json(b"{\"version\": 1, \"splits\": []}").policy.unwrap());
        assert_eq!(Earlier::read(&none, &good).unwrap().decisions.len(), 0);
        assert_eq!(Earlier::note(&plan, &Decisions::default(), &ONE, 0, 0), None);
    }
}
