//! Rules over splits that one request can meet: where they want different things of it the first in the list has its
//! way, and what the other wants is lost.

use super::effort::Effort;
use super::wishes::{Wished, wishes_of};
use crate::ids::{Id as _, SplitId};
use crate::policy::cursor::Cursor;
use crate::policy::name_map::NameMap;
use crate::policy::{Code, Policy};

/// The wishes of the splits so far.
struct Known<'p> {
    /// The fields of a variant, each with a map from what a wish is about to a place in `lists`.
    places: [(&'static str, NameMap<'p>); 4],
    lists: Vec<Vec<Wished<'p>>>,
}

impl<'p> Known<'p> {
    fn new() -> Self {
        let fields = ["request_headers", "response_headers", "rewrite", "respond"];
        Self { places: fields.map(|field| (field, NameMap::default())), lists: Vec::new() }
    }

    fn about(&self, wished: &Wished) -> &[Wished<'p>] {
        let place = self.places.iter().find(|(field, _)| *field == wished.field);
        let list = place.and_then(|(_, places)| self.lists.get(places.number(wished.name)?));
        list.map_or(&[], Vec::as_slice)
    }

    fn add(&mut self, wished: Wished<'p>) {
        let Some((_, places)) = self.places.iter_mut().find(|(field, _)| *field == wished.field)
        else {
            return;
        };
        let place = places.number(wished.name).unwrap_or(self.lists.len());
        if let Some(list) = self.lists.get_mut(place) {
            list.push(wished);
        } else {
            places.insert(wished.name, place);
            self.lists.push(vec![wished]);
        }
    }
}

/// Warns of splits that want different things of one request.
pub(super) fn check(policy: &Policy, list: &Cursor, effort: &mut Effort) {
    let mut known = Known::new();
    for (id, split) in policy.splits.pairs().filter(|(_, split)| split.enabled) {
        let wishes = wishes_of(policy, id);
        let Some(lost) = lost(policy, id, &wishes, &known, effort) else { return };
        for (earlier, later) in lost {
            let (first, second) = (&policy.splits[earlier.split].name, &split.name);
            let verb = later.verb();
            let message = format!(
                "`{second}` and `{first}` both {verb}: where both apply `{first}` has its way"
            );
            list.index(id.place())
                .field("variants")
                .index(later.variant.place())
                .field(later.field)
                .report(Code::SplitsCollide, message)
                .help("the first in the list wins; splits of one `layer` never meet");
        }
        wishes.into_iter().for_each(|wished| known.add(wished));
    }
}

/// The wishes of a split that are lost, each after the one that it loses to: of what is about one thing the first.
/// `None` = to find out would take too long.
fn lost<'p>(
    policy: &Policy,
    id: SplitId,
    wishes: &[Wished<'p>],
    known: &Known<'p>,
    effort: &mut Effort,
) -> Option<Vec<(Wished<'p>, Wished<'p>)>> {
    let mut lost: Vec<(Wished, Wished)> = Vec::new();
    // For each earlier split whether it is never met together with this one; `None` = not asked yet.
    let mut apart: Vec<Option<bool>> = Vec::new();
    for later in wishes {
        for earlier in known.about(later) {
            effort.spend(1)?;
            if !earlier.wish.collides(later.wish) {
                continue;
            }
            apart.resize(id.place(), None);
            let Some(asked) = apart.get_mut(earlier.split.place()) else { continue };
            let never = match *asked {
                Some(never) => never,
                None => *asked.insert(never_meet(policy, earlier.split, id, effort)?),
            };
            if never || excludes(policy, id, earlier) {
                continue;
            }
            let same =
                |(_, lost): &(_, Wished)| (lost.field, lost.name) == (later.field, later.name);
            if !lost.iter().any(same) {
                lost.push((*earlier, *later));
            }
            break;
        }
    }
    Some(lost)
}

/// Whether two splits never apply to one request; `None` = to find out would take too long.
fn never_meet(policy: &Policy, a: SplitId, b: SplitId, effort: &mut Effort) -> Option<bool> {
    let (a, b) = (&policy.splits[a], &policy.splits[b]);
    if a.layer.is_some() && a.layer == b.layer { Some(true) } else { effort.are_apart(a, b) }
}

/// Whether a split requires another variant than the one that wishes.
fn excludes(policy: &Policy, id: SplitId, wished: &Wished) -> bool {
    let mut required = policy.splits[id].requires.iter();
    required.any(|required| required.split == wished.split && required.variant != wished.variant)
}
