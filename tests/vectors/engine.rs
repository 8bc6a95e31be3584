//! The conformance vectors, natively.

use anyhow::Result;
use engine::effects::{Answered, HeaderEdit};
use engine::plan::Plan;
use harness::native;
use harness::vectors::{Case, Reply, Vector, same, same_headers};

/// Headers as they are after the edits.
struct Edited(Vec<(String, Vec<u8>)>);

pub(crate) fn holds(vector: &Vector) -> Result<()> {
    let plan = native::plan(&vector.policy);
    vector.each(|case| holds_for(&plan, case))
}

fn holds_for(plan: &Plan, case: &Case) -> Result<()> {
    let context = case.context();
    let decisions = native::decide_without(plan, case, &context, &native::tripped(plan, case));
    let words = native::in_words(plan, decisions.list());
    let words = words.into_iter().map(|(split, v, reason)| format!("{split}={v} {reason}"));
    same("decisions", &words.collect(), &case.decisions)?;
    same("refused", &decisions.force_refused, &case.refused)?;

    let (effects, counters) = native::on_request(plan, case, &decisions);
    let new_keys = decisions.list().iter().filter(|decision| decision.new_key).count();
    let to_count = decisions.list().len() + new_keys + usize::from(case.refused);
    same("counters", &counters, &to_count)?;
    let reply =
        effects.respond.map(|reply| Reply { status: reply.status, body: reply.body.clone() });
    same("reply", &reply, &case.reply)?;
    if let Some(evidence) = &case.evidence {
        same("evidence", &effects.evidence.clone().unwrap_or_default(), evidence)?;
    }
    let upstream = Edited::new(&case.request, &effects.headers);
    same_headers("upstream", |name| upstream.lines(name), &case.upstream)?;

    let edits = native::on_response(
        plan,
        &Answered {
            decisions: &decisions,
            context: &context,
            caching: &effects.caching,
            status: Some(case.status()),
        },
    );
    let response = Edited::new(&case.answer, &edits);
    same_headers("response", |name| response.lines(name), &case.response)
}

impl Edited {
    fn new(sent: &[(String, Vec<u8>)], edits: &[HeaderEdit]) -> Self {
        let mut headers = sent.to_vec();
        for edit in edits {
            match edit {
                HeaderEdit::Set { name, value } => {
                    headers.retain(|(n, _)| n != name);
                    headers.push(((*name).to_owned(), value.to_vec()));
                }
                HeaderEdit::Add { name, value } => {
                    headers.push(((*name).to_owned(), value.to_vec()));
                }
                HeaderEdit::Remove { name } => headers.retain(|(n, _)| n != name),
            }
        }
        Self(headers)
    }

    fn lines(&self, name: &str) -> Vec<&[u8]> {
        self.0.iter().filter(|(n, _)| n == name).map(|(_, value)| value.as_slice()).collect()
    }
}
