//! What commands say about a policy file, all in the same words.

use std::io;

use anyhow::{anyhow, bail};
use engine::ids::{SplitId, VariantId};
use engine::policy::{Policy, Split};
use serde::Serialize;

use crate::console::Console;
use crate::finding::{Finding, FindingReport};
use crate::format::Format;
use crate::outcome::Outcome;
use crate::policy_file::{PolicyFile, Valid};
use crate::style;
use crate::text::{plural, write_json};

/// How many names of splits are told.
const NAMES: usize = 10;

/// What a valid policy is, in a few words: `2 splits, policy 0123456789abc`.
pub(crate) fn describe(valid: &Valid) -> String {
    let splits = plural(valid.policy.splits.len() as u64, "split");
    format!("{splits}, policy {}", valid.hash_text())
}

/// What programs are told in the place of an answer.
#[derive(Debug, Serialize)]
struct Refused<'f> {
    ok: bool,
    error: &'static str,
    files: Vec<RefusedFile<'f>>,
}

#[derive(Debug, Serialize)]
struct RefusedFile<'f> {
    file: &'f str,
    ok: bool,
    diagnostics: Vec<FindingReport<'f>>,
}

/// Tells why nothing is done with a file that is not valid; `what` is such as `not rendered`.
///
/// # Errors
/// When it cannot be written.
pub(crate) fn refuse(
    file: &PolicyFile,
    what: &str,
    format: Format,
    console: &mut Console<'_>,
) -> io::Result<Outcome> {
    refuse_all(&[file], what, format, console)
}

/// The same for several files: people read why on stderr, and programs in one document on stdout, as
/// [`Format::Json`] promises.
///
/// # Errors
/// When it cannot be written.
pub(crate) fn refuse_all(
    files: &[&PolicyFile],
    what: &str,
    format: Format,
    console: &mut Console<'_>,
) -> io::Result<Outcome> {
    for file in files {
        file.show_findings(console.err)?;
        let (refused, name) = (style::error(what), &file.source.name);
        writeln!(console.err, "{refused} {name}: {}", file.summary())?;
    }
    if format == Format::Json {
        let files = files.iter().map(|file| RefusedFile {
            file: &file.source.name,
            ok: false,
            diagnostics: file.findings.iter().map(Finding::report).collect(),
        });
        let error = "the policy is not valid";
        write_json(console.out, &Refused { ok: false, error, files: files.collect() })?;
    }
    Ok(Outcome::NotValid)
}

/// The split of that name.
pub(crate) fn find_split<'p>(
    policy: &'p Policy,
    name: &str,
) -> anyhow::Result<(SplitId, &'p Split)> {
    let found = policy.splits.pairs().find(|(_, split)| split.name == name);
    found.ok_or_else(|| {
        let known = policy.splits.iter().map(|split| split.name.as_str());
        let more = (policy.splits.len() > NAMES).then_some("...");
        let known: Vec<_> = known.take(NAMES).chain(more).collect();
        anyhow!("the policy has no split `{name}`; it has: {}", known.join(", "))
    })
}

/// The variant of that name: `canary`, or `checkout/canary` where several splits have one.
pub(crate) fn find_variant<'p>(
    policy: &'p Policy,
    name: &str,
) -> anyhow::Result<(SplitId, &'p Split, VariantId)> {
    let named = |split: &Split, wanted: &str| split.variants.find(|v| v.name == wanted);
    if let Some((split, variant)) = name.split_once('/') {
        let (id, split) = find_split(policy, split)?;
        let found = named(split, variant);
        let found =
            found.ok_or_else(|| anyhow!("split `{}` has no variant `{variant}`", split.name))?;
        return Ok((id, split, found));
    }
    let with = policy.splits.pairs().filter_map(|(id, s)| Some((id, s, named(s, name)?)));
    match with.collect::<Vec<_>>().as_slice() {
        [] => bail!("no split of the policy has a variant `{name}`"),
        [one] => Ok(*one),
        [(_, split, _), ..] => {
            bail!("several splits have a variant `{name}`: write `{}/{name}`", split.name)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use policy_text::source::Source;

    #[test]
    fn an_unknown_split_is_told_with_the_first_of_those_there_are() {
        let split = |number| {
            format!(
                "{{name: s{number}, key: [{{header: u}}], baseline: a, variants: [{{name: a, weight: 100}}]}}"
            )
        };
        let splits: Vec<_> = (0..12).map(split).collect();
        let text = format!("version: 1\nsplits: [{}]\n", splits.join(", "));
        let policy = PolicyFile::check(Source::new("a.yaml", &text)).valid.unwrap().policy;
        assert_eq!(find_split(&policy, "s7").unwrap().1.name, "s7");
        assert_eq!(
            find_split(&policy, "t").unwrap_err().to_string(),
            "the policy has no split `t`; it has: s0, s1, s2, s3, s4, s5, s6, s7, s8, s9, ..."
        );
    }
}
