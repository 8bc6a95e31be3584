//! Writing what has to do with time: cookies, `sticky`, `ramp`, `guard`. What is written reads as an
//! equal value; defaults are left out.

use crate::ids::{List, VariantId};
use crate::policy::{CookieOptions, Guard, Ramp, Release, SameSite, Slow, Sticky, Variant, Weight};
use crate::units::{Ratio, Seconds};

use super::{Sink, Writer};

/// A key source's `generate`.
pub(super) fn write_generated_cookie<'p, S: Sink<'p>>(out: &mut Writer<S>, cookie: &CookieOptions) {
    out.text("cookie", &cookie.name);
    write_cookie(out, cookie, CookieOptions::GENERATE_TTL);
}

/// The `sticky` of the split of that name. The secret is written as it is.
pub(super) fn write_sticky<'p, S: Sink<'p>>(out: &mut Writer<S>, sticky: &Sticky, split: &str) {
    out.text_unless("cookie", &sticky.cookie.name, &Sticky::default_cookie(split));
    write_cookie(out, &sticky.cookie, CookieOptions::STICKY_TTL);
    if sticky.epoch > 0 {
        out.integer("epoch", sticky.epoch.into());
    }
    out.text("secret", sticky.secret.reveal());
}

/// The attributes of a cookie besides its name.
#[inline(never)]
fn write_cookie<'p, S: Sink<'p>>(
    out: &mut Writer<S>,
    cookie: &CookieOptions,
    default_ttl: Seconds,
) {
    static DEFAULTS: CookieOptions = CookieOptions::new(String::new(), CookieOptions::STICKY_TTL);
    if cookie.ttl != default_ttl {
        out.duration("ttl", cookie.ttl.into());
    }
    out.text_if("domain", cookie.domain.as_deref());
    out.bool("secure", cookie.secure, DEFAULTS.secure);
    out.bool("http_only", cookie.http_only, DEFAULTS.http_only);
    out.word("same_site", cookie.same_site, DEFAULTS.same_site, SameSite::ALL);
    out.bool("partitioned", cookie.partitioned, DEFAULTS.partitioned);
}

/// The `ramp` of the split that has these variants.
pub(super) fn write_ramp<'p, S: Sink<'p>>(
    out: &mut Writer<S>,
    ramp: &Ramp,
    variants: &'p List<VariantId, Variant>,
) {
    out.moment("start", ramp.start);
    out.objects("steps", ramp.steps.iter(), |out, step| {
        out.duration("after", step.after);
        out.object("weights", |out| {
            for (variant, weight) in variants.iter().zip(&step.weights) {
                out.weight(&variant.name, *weight);
            }
        });
    });
    out.bool("linear", ramp.linear, false);
    if let Some(pause) = ramp.pause {
        out.moment("pause", pause);
    }
}

/// The `guard` of a split.
pub(super) fn write_guard<'p, S: Sink<'p>>(out: &mut Writer<S>, guard: &Guard) {
    if let Some(ratio) = guard.errors {
        out.object("errors", |out| write_ratio(out, ratio, Guard::ERRORS));
    }
    if let Some(Slow { over, ratio }) = guard.slow {
        out.object("slow", |out| {
            out.duration("over", over);
            write_ratio(out, ratio, Guard::SLOW);
        });
    }
    if guard.false_trips != Guard::FALSE_TRIPS {
        // It is at most 10^12.
        out.integer("false_trips", guard.false_trips.cast_signed());
    }
    if let Release::After(time) = guard.release {
        out.duration("release", time);
    }
}

#[inline(never)]
fn write_ratio<'p, S: Sink<'p>>(out: &mut Writer<S>, ratio: Ratio, default: Ratio) {
    if ratio != default {
        out.weight("ratio", Weight::from(ratio));
    }
}
