//! One configuration of the filter: its policy read, and in force or refused.
//!
//! A refused policy is accepted all the same at the host's interface, which would hold up every other
//! change of the listener otherwise, or not start: the last good one serves on, or none.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

use engine::policy::{self, Checked, Severity};
use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::ContextType;

use crate::active::Active;
use crate::host;
use crate::last_good::{Place, Stamp, Unreadable};
use crate::metrics::{
    count_errors, count_refused, counted, define_common, show_policy_hash, show_policy_refused,
};
use crate::request::NOTE;
use crate::stream::Stream;
use crate::unused::{no_context, no_root_context};

/// How often the gauges are shown again: weights follow a ramp, and what an old VM wrote when it
/// ended does not stay.
const TICK_MILLISECONDS: u32 = 1000;
/// How soon a policy that no stream uses is taken for being in force.
const FIRST_TICK_MILLISECONDS: u32 = 100;

/// The environment variable of the VM that says what becomes of a refused policy.
const ON_REFUSED: &str = "TRAFFIC_SPLIT_ON_REFUSED_POLICY";
/// Its value for refusing at the host's interface: Envoy does not start, or rejects the update.
const REJECT: &str = "reject";

/// The root context: the host makes a new one for each configuration.
#[derive(Default)]
pub(crate) struct Root {
    configured: Option<Configured>,
    /// The first tick has been.
    ticks: bool,
}

/// A configuration that the host was told is accepted.
struct Configured {
    place: Place,
    /// Its number among all configurations of this VM.
    number: u64,
    /// When it was configured, in nanoseconds since 1970, or taken up again.
    at: Cell<u64>,
    /// A later one came.
    superseded: Cell<bool>,
    /// At which of [`CHANGES`] that was found: it is asked for each stream.
    known_at: Cell<u64>,
    /// The last good policy that this module could not read: not read again and again.
    unreadable: Cell<Option<Stamp>>,
    serving: RefCell<Serving>,
    /// Request headers that a refused policy names: they do not pass from a client either.
    strip: Rc<[String]>,
}

/// What a configuration serves by.
enum Serving {
    /// Its own policy with its text.
    Own(Rc<Active>, Box<[u8]>, Stored),
    /// It was refused: the last good policy and its stamp, or none.
    LastGood(Option<(Stamp, Rc<Active>)>),
}

/// Whether a policy is stored as the last good one.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stored {
    /// Not yet: it is not in force.
    No,
    /// It is in force, and the host did not take it. Each tick tries again, no request does.
    Failed,
    /// It is.
    Yes,
}

impl Serving {
    fn active(&self) -> Option<&Rc<Active>> {
        match self {
            Self::Own(active, ..) => Some(active),
            Self::LastGood(last) => last.as_ref().map(|(_, active)| active),
        }
    }
}

thread_local! {
    /// For each plugin of this VM, the numbers of its configurations that are alive, in order: all but the
    /// newest are silent. One whose listener was rejected ends, and the one before speaks again.
    static ALIVE: RefCell<BTreeMap<Vec<u8>, Vec<u64>>> = RefCell::default();
    /// How many configurations this VM has had.
    static COUNT: Cell<u64> = const { Cell::new(0) };
    /// How often [`ALIVE`] has changed.
    static CHANGES: Cell<u64> = const { Cell::new(0) };
}

fn change_alive(change: impl FnOnce(&mut BTreeMap<Vec<u8>, Vec<u64>>)) {
    CHANGES.set(CHANGES.get().wrapping_add(1));
    ALIVE.with_borrow_mut(change);
}

impl Context for Root {
    no_context! {}
}

impl RootContext for Root {
    no_root_context! {}

    /// Returns `false` only where the VM's environment asks for it, or where the last good policy is
    /// one that this module cannot read: then another module serves by it, and goes on.
    fn on_configure(&mut self, _size: usize) -> bool {
        define_common();
        let place = Place::of_this_plugin();
        let text = host::configuration().unwrap_or_else(|status| {
            log::error!("the plugin configuration cannot be read: {status:?}");
            // No text at all would be a policy without splits.
            Box::from(*b"?")
        });
        let Checked { policy, diagnostics, hash } = policy::from_configuration(&text);
        for diagnostic in &diagnostics {
            match diagnostic.severity {
                Severity::Error => log::error!("{diagnostic}"),
                Severity::Warning => log::warn!("{diagnostic}"),
            }
        }
        let at = now();
        let mut strip = Vec::new();
        let serving = match policy {
            Some(policy) => {
                let active = Rc::new(Active::new(policy, hash));
                log::info!("policy {hash:013x}, splits: {}", active.plan.enabled().count());
                Serving::Own(active, text, Stored::No)
            }
            None => {
                count_refused();
                strip = policy::headers_named(&text);
                match refuse(&place) {
                    Some(serving) => serving,
                    None => return false,
                }
            }
        };
        let number = COUNT.get().wrapping_add(1);
        COUNT.set(number);
        change_alive(|alive| alive.entry(place.key().to_vec()).or_default().push(number));
        let (serving, strip) = (RefCell::new(serving), strip.into());
        let (at, superseded, unreadable) = (Cell::new(at), Cell::new(false), Cell::new(None));
        let known_at = Cell::default();
        let configured =
            Configured { place, number, at, superseded, known_at, unreadable, serving, strip };
        configured.begin();
        self.configured = Some(configured);
        count_errors(host::tick_every(FIRST_TICK_MILLISECONDS));
        if let Err(status) = host::keep_state(NOTE) {
            log::warn!("{status:?}: after an internal redirect a request is decided anew");
        }
        true
    }

    fn on_tick(&mut self) {
        if !std::mem::replace(&mut self.ticks, true) {
            count_errors(host::tick_every(TICK_MILLISECONDS));
        }
        let Some(configured) = &self.configured else { return };
        // Also where a later configuration came: the host uses this one again, without a word, where its
        // text comes back while a stream of it lives.
        configured.refresh();
        if configured.is_newest() {
            configured.come_into_force();
            configured.store();
            configured.show();
        }
    }

    fn create_http_context(&self, context_id: u32) -> Option<Box<dyn HttpContext>> {
        let Some(configured) = &self.configured else {
            return Some(Box::new(Stream::new(None, Rc::default(), context_id)));
        };
        if configured.is_newest() {
            configured.come_into_force();
        }
        let active = configured.serving.borrow().active().cloned();
        Some(Box::new(Stream::new(active, Rc::clone(&configured.strip), context_id)))
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }
}

/// What serves instead of a policy that is refused; `None` = the host is to refuse it.
fn refuse(place: &Place) -> Option<Serving> {
    if std::env::var(ON_REFUSED).is_ok_and(|wish| wish == REJECT) {
        log::error!(
            "policy refused: see the errors above; {ON_REFUSED}={REJECT}, so the host refuses it"
        );
        return None;
    }
    let Some(stamp) = place.stamp() else {
        log::error!("policy refused: see the errors above; serves nothing: no split applies");
        return Some(Serving::LastGood(None));
    };
    let Ok(policy) = place.policy(stamp) else {
        log::error!(
            "policy refused: see the errors above; the last good one, {:013x}, is for another release: \
             the host goes on with what it has",
            stamp.hash
        );
        return None;
    };
    log::error!("policy refused: see the errors above; serves on: {:013x}", stamp.hash);
    Some(Serving::LastGood(policy.map(|active| (stamp, active))))
}

/// The time in nanoseconds since 1970; 0 where the host does not tell.
fn now() -> u64 {
    counted(host::now_in_nanoseconds()).unwrap_or_default()
}

impl Configured {
    /// Whether no later configuration of the plugin lives in this VM. The host takes an earlier one up again,
    /// without a word, where its text comes back while a stream or a listener of it lives: once those after
    /// it are gone, it is the newest.
    fn is_newest(&self) -> bool {
        let changes = CHANGES.get();
        if self.known_at.replace(changes) == changes {
            return !self.superseded.get();
        }
        let is_newest = ALIVE.with_borrow(|alive| {
            alive.get(self.place.key()).and_then(|numbers| numbers.last()) == Some(&self.number)
        });
        if self.superseded.replace(!is_newest) && is_newest {
            self.at.set(now());
            if let Serving::Own(.., stored) = &mut *self.serving.borrow_mut() {
                *stored = Stored::No;
            }
        }
        is_newest
    }

    /// A policy is good when it is in force, at its first stream or tick: its listener may still be
    /// rejected for another reason. Where nothing is stored there is nothing to lose.
    fn begin(&self) {
        let is_own = matches!(*self.serving.borrow(), Serving::Own(..));
        match is_own {
            true if self.place.stamp().is_none() => self.come_into_force(),
            true => {}
            false => self.show(),
        }
    }

    /// The first stream or tick is here: the policy is good.
    fn come_into_force(&self) {
        let hash = match &mut *self.serving.borrow_mut() {
            Serving::Own(active, _, stored @ Stored::No) => {
                *stored = Stored::Failed;
                active.hash
            }
            Serving::Own(..) | Serving::LastGood(_) => return,
        };
        self.store();
        log::info!("policy {hash:013x} in force");
        show_policy_refused(false);
        self.show();
    }

    /// Stores a policy in force as the last good one, where it is not yet.
    fn store(&self) {
        if let Serving::Own(active, text, stored @ Stored::Failed) = &mut *self.serving.borrow_mut()
        {
            let taken = self.place.store(Stamp { hash: active.hash, at: self.at.get() }, text);
            count_errors(taken);
            if taken.is_ok() {
                *stored = Stored::Yes;
            }
        }
    }

    /// Follows what other VMs know: what is out of service, and the last good policy, where this configuration was refused.
    fn refresh(&self) {
        if let Some(active) = self.serving.borrow().active() {
            active.guarding.refresh(&active.plan);
        }
        let mut serving = self.serving.borrow_mut();
        let Serving::LastGood(last) = &mut *serving else { return };
        let Some(stamp) = self.place.stamp() else { return };
        let known = last.as_ref().map(|(stamp, _)| stamp.hash);
        match (known == Some(stamp.hash), last.as_mut()) {
            (true, Some((known, _))) => *known = stamp,
            _ if self.unreadable.get() == Some(stamp) => {}
            _ => match self.place.policy(stamp) {
                Ok(Some(active)) => {
                    log::info!("serves on: {:013x}", stamp.hash);
                    *last = Some((stamp, active));
                }
                // Another takes its place at this moment.
                Ok(None) => {}
                Err(Unreadable) => self.unreadable.set(Some(stamp)),
            },
        }
    }

    /// Shows what is in force: the policy that serves, and whether one is refused.
    fn show(&self) {
        let serving = self.serving.borrow();
        if let Serving::LastGood(last) = &*serving {
            // Until a good policy comes, which may be on another worker.
            let good_came = last.as_ref().is_some_and(|(stamp, _)| stamp.at > self.at.get());
            if !good_came {
                show_policy_refused(true);
            }
        }
        if self.place.speaks_for_the_process() {
            show_policy_hash(serving.active().map_or(0, |active| active.hash));
        }
        if let Some(active) = serving.active() {
            active.show();
        }
    }
}

impl Drop for Configured {
    fn drop(&mut self) {
        change_alive(|alive| {
            if let Some(numbers) = alive.get_mut(self.place.key()) {
                numbers.retain(|number| *number != self.number);
                if numbers.is_empty() {
                    alive.remove(self.place.key());
                }
            }
        });
    }
}
