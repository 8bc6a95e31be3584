//! `Set-Cookie` values: all but the cookie's own value is prepared once.

use crate::hash::first_word;
use crate::policy::CookieOptions;

/// A cookie that the filter sets, prepared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetCookie {
    /// `uid=`.
    head: Box<str>,
    /// The hash of its name; see [`Self::word`].
    word: u64,
    /// `; Path=/; Max-Age=31536000; Secure; HttpOnly; SameSite=Lax`.
    tail: Box<str>,
}

impl SetCookie {
    /// Prepares a cookie. The path is `/` always: users do not visit only the folder of their first
    /// page.
    pub fn new(options: &CookieOptions) -> Self {
        let mut tail = format!("; Path=/; Max-Age={}", options.ttl.get());
        if let Some(domain) = &options.domain {
            tail.push_str("; Domain=");
            tail.push_str(domain);
        }
        if options.secure {
            tail.push_str("; Secure");
        }
        if options.http_only {
            tail.push_str("; HttpOnly");
        }
        tail.push_str("; SameSite=");
        tail.push_str(options.same_site.as_attribute());
        if options.partitioned {
            tail.push_str("; Partitioned");
        }
        Self {
            head: format!("{}=", options.name).into(),
            word: first_word(options.name.as_bytes()),
            tail: tail.into(),
        }
    }

    /// The cookie's name.
    pub fn name(&self) -> &str {
        self.head.strip_suffix('=').unwrap_or(&self.head)
    }

    /// The first word of the hash of its name, which tells apart the ids that are made for a request.
    pub const fn word(&self) -> u64 {
        self.word
    }

    /// The value of the header `set-cookie`, in one allocation. The cookie's own value must be of
    /// cookie octets (letters and digits are), as all that the filter makes are.
    pub fn render(&self, value: &str) -> String {
        [&self.head, value, &self.tail].concat()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::SameSite;
    use crate::units::Seconds;

    fn rendered(change: impl FnOnce(&mut CookieOptions)) -> String {
        let mut options = CookieOptions::new("uid".into(), Seconds::new(60).unwrap());
        change(&mut options);
        SetCookie::new(&options).render("42")
    }

    #[test]
    fn the_default_cookie_is_for_this_host_and_no_script() {
        let text = "uid=42; Path=/; Max-Age=60; Secure; HttpOnly; SameSite=Lax";
        assert_eq!(rendered(|_| ()), text);
    }

    #[test]
    fn every_attribute_is_rendered() {
        let bare = rendered(|o| {
            (o.secure, o.http_only, o.same_site) = (false, false, SameSite::Strict);
        });
        assert_eq!(bare, "uid=42; Path=/; Max-Age=60; SameSite=Strict");
        let full = rendered(|o| {
            (o.domain, o.same_site) = (Some("example.com".into()), SameSite::None);
            o.partitioned = true;
        });
        assert_eq!(
            full,
            "uid=42; Path=/; Max-Age=60; Domain=example.com; Secure; HttpOnly; SameSite=None; Partitioned"
        );
    }

    #[test]
    fn the_name_is_kept_as_it_is() {
        let options = CookieOptions::new("__Host-Uid".into(), CookieOptions::STICKY_TTL);
        assert_eq!(SetCookie::new(&options).name(), "__Host-Uid");
    }
}
