//! The last good policy of a plugin, shared by all its VMs: a policy that is refused must not take
//! away the one before it, neither on this worker nor on one that starts later.
//!
//! Shared data is the truth, what a VM keeps is a copy. Two entries for each plugin: a short stamp
//! that says which policy it is and when it was configured, and its text under a key that names it.
//! The order of configurations is that of their times, across workers and VMs: one that is older
//! than the stamp and says something else has been superseded.

use std::rc::Rc;

use engine::policy::{self, Checked};

use crate::active::Active;
use crate::host;
use crate::metrics::{count_errors, counted};

/// Which policy is the last good one, and since when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stamp {
    /// The policy's hash.
    pub(crate) hash: u64,
    /// When it was configured, in nanoseconds since 1970.
    pub(crate) at: u64,
}

/// Where a plugin's last good policy is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    /// The plugin's name and root id: in Istio all plugins of ours have one root id, and in Envoy
    /// they may have one name.
    key: Vec<u8>,
}

/// The last good policy could not be read by this module.
pub(crate) struct Unreadable;

impl Place {
    /// That of the plugin that is being configured.
    pub(crate) fn of_this_plugin() -> Self {
        let mut key = b"traffic_split".to_vec();
        for path in ["plugin_name", "plugin_root_id"] {
            key.push(0);
            // A host that does not tell has one plugin.
            let part = counted(host::property(path)).flatten();
            key.extend(part.iter().flatten());
        }
        Self { key }
    }

    /// What tells the plugin from others.
    pub(crate) fn key(&self) -> &[u8] {
        &self.key
    }

    /// Which policy is the last good one; `None` = none is stored.
    pub(crate) fn stamp(&self) -> Option<Stamp> {
        let bytes = shared(&self.key)?;
        let (hash, at) = bytes.split_first_chunk()?;
        let at = at.first_chunk()?;
        Some(Stamp { hash: u64::from_le_bytes(*hash), at: u64::from_le_bytes(*at) })
    }

    /// The policy of a stamp; `None` = it is gone, because another has taken its place meanwhile.
    pub(crate) fn policy(&self, stamp: Stamp) -> Result<Option<Rc<Active>>, Unreadable> {
        let Some(text) = shared(&self.text_key(stamp.hash)).filter(|text| !text.is_empty()) else {
            return Ok(None);
        };
        let Checked { policy, hash, .. } = policy::from_configuration(&text);
        let policy = policy.ok_or(Unreadable)?;
        Ok(Some(Rc::new(Active::new(policy, hash))))
    }

    /// Stores a policy that is in force, unless a later one is.
    pub(crate) fn store(&self, stamp: Stamp, text: &[u8]) -> Result<(), host::Status> {
        let before = self.stamp();
        if before.is_some_and(|before| before.at > stamp.at) {
            return Ok(());
        }
        let is_new = before.is_none_or(|before| before.hash != stamp.hash);
        if is_new {
            host::share(&self.text_key(stamp.hash), text)?;
        }
        let bytes = [stamp.hash.to_le_bytes(), stamp.at.to_le_bytes()].concat();
        host::share(&self.key, &bytes)?;
        if let Some(before) = before.filter(|_| is_new) {
            // Nothing takes an entry away; an empty one is as good.
            host::share(&self.text_key(before.hash), b"")?;
        }
        Ok(())
    }

    /// Whether this plugin is the one that shows its policy's hash: of several in one proxy the first,
    /// as long as it says so each second. One gauge cannot show two.
    pub(crate) fn speaks_for_the_process(&self) -> bool {
        const SPEAKER: &[u8] = b"traffic_split speaker";
        const SILENT_AFTER: u64 = 5_000_000_000;
        let now = counted(host::now_in_nanoseconds()).unwrap_or_default();
        if let Some(speaker) = shared(SPEAKER)
            && let Some((at, key)) = speaker.split_first_chunk()
            && key != self.key
            && now.saturating_sub(u64::from_le_bytes(*at)) < SILENT_AFTER
        {
            return false;
        }
        count_errors(host::share(SPEAKER, &[now.to_le_bytes().as_slice(), &self.key].concat()));
        true
    }

    fn text_key(&self, hash: u64) -> Vec<u8> {
        [self.key.as_slice(), b"\0", &hash.to_le_bytes()].concat()
    }
}

fn shared(key: &[u8]) -> Option<Box<[u8]>> {
    counted(host::shared(key)).flatten()
}
