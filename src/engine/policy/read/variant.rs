//! Reading variants and what they do to requests and responses.

use super::names::{OF_THE_MESSAGE, read_cluster, read_header_name, read_name, shown};
use super::scalar::{read_bool, warn_of_rounding};
use crate::matching::HostPattern;
use crate::policy::cursor::{Cursor, list_of};
use crate::policy::{
    ADVISES, Code, Fallback, HeaderEdits, Respond, Rewrite, Variant, Weight, limits,
};

pub(super) fn read_variant(at: &Cursor) -> Option<Variant> {
    let mut fields = at.object()?;
    let mut variant = Variant::default();
    let name = fields.required("name", read_name);
    variant.cluster = fields.optional("cluster", read_cluster);
    let weight = fields.required("weight", read_weight);
    variant.max_weight = fields.optional("max_weight", read_weight);
    if let Some(weight) = weight {
        let name = name.as_deref().unwrap_or("this variant");
        check_max_weight(&at.field("weight"), name, weight, variant.max_weight);
    }
    fields.set("drain", &mut variant.drain, read_bool);
    fields.set("request_headers", &mut variant.request_headers, read_header_edits);
    fields.set("response_headers", &mut variant.response_headers, read_header_edits);
    variant.respond = fields.optional("respond", read_respond);
    fields.set("rewrite", &mut variant.rewrite, read_rewrite);
    variant.fallback = fields.optional("fallback", |at| at.word(Fallback::ALL));
    let own_answer = fields.has("respond");
    for name in ["cluster", "rewrite", "request_headers", "fallback"] {
        if own_answer && fields.has(name) {
            let message = format!("`{name}` has no effect: the proxy itself answers this variant");
            at.field(name)
                .report(Code::ConflictingFields, message)
                .help("remove it, or remove `respond`");
        }
    }
    fields.close();
    Some(Variant { name: name?, weight: weight?, ..variant })
}

/// Refuses a weight that is larger than the variant may be given.
pub(super) fn check_max_weight(at: &Cursor, name: &str, weight: Weight, max: Option<Weight>) {
    if let Some(max) = max.filter(|max| weight > *max) {
        let weight = at.shown();
        let message = format!("weight `{weight}` of `{name}` is over its `max_weight` of {max}");
        at.report(Code::WeightOverMax, message)
            .help("lower the weight; or raise `max_weight`, if this is really wanted");
    }
}

pub(super) fn read_weight(at: &Cursor) -> Option<Weight> {
    let number = at.number()?;
    match Weight::from_value(number) {
        Ok(weight) => {
            if weight.is_zero() {
                warn_of_rounding(at);
            }
            Some(weight)
        }
        Err(why) => {
            let help = format!("weights are 0 to {} with up to four decimals", Weight::MAX);
            at.refuse(Code::InvalidWeight, format!("`{}` {why}", at.shown()), help)
        }
    }
}

fn read_header_edits(at: &Cursor) -> Option<HeaderEdits> {
    const FORMS: [&str; 3] = ["set", "add", "remove"];
    let mut fields = at.object()?;
    let mut edits = HeaderEdits::default();
    let values =
        |at: &Cursor| at.list_of_at_most(limits::HEADER_EDITS, "headers", None, read_header_value);
    fields.set("set", &mut edits.set, values);
    fields.set("add", &mut edits.add, values);
    fields.set("remove", &mut edits.remove, |at| {
        at.list_of_at_most(limits::HEADER_EDITS, "headers", None, read_edited_header)
    });
    let empty = FORMS.into_iter().all(|name| !fields.has(name));
    fields.close();
    if empty {
        at.report(Code::EmptyList, format!("nothing to do: none of {}", list_of(&FORMS)))
            .help("write `{set: [{name: x-stage, value: canary}]}`, or leave the field out");
    }
    Some(edits)
}

fn read_header_value(at: &Cursor) -> Option<(String, String)> {
    let mut fields = at.object()?;
    let name = fields.required("name", read_edited_header);
    let value = fields.required("value", |at| {
        let text = at.text()?;
        let allowed = text.bytes().all(|b| !b.is_ascii_control());
        if allowed && text.trim() == text && text.len() <= limits::HEADER_VALUE {
            return Some(text.to_owned());
        }
        let help = format!(
            "a header value has up to {} bytes, no control characters and no spaces around it",
            limits::HEADER_VALUE
        );
        at.refuse(Code::InvalidValue, format!("no header carries `{}`", shown(text)), help)
    });
    fields.close();
    Some((name?, value?))
}

fn read_edited_header(at: &Cursor) -> Option<String> {
    let name = read_header_name(at)?;
    if OF_THE_MESSAGE.contains(&name.as_str()) {
        let message = format!("the message itself depends on header `{name}`");
        return at.refuse(
            Code::ReservedHeader,
            message,
            match name.as_str() {
                "host" => "to change the host write `rewrite: {host: ...}`",
                _ => "leave it alone",
            },
        );
    }
    Some(name)
}

fn read_respond(at: &Cursor) -> Option<Respond> {
    let mut fields = at.object()?;
    let status = fields.required("status", |at| at.whole(limits::STATUS));
    let body = fields.optional("body", |at| {
        let text = at.text()?;
        if text.len() > limits::BODY {
            let message = format!("a body of {} bytes is more than {}", text.len(), limits::BODY);
            at.report(Code::LimitExceeded, message);
            return None;
        }
        Some(text.to_owned())
    });
    fields.close();
    Some(Respond { status: status?, body: body.unwrap_or_default() })
}

fn read_rewrite(at: &Cursor) -> Option<Rewrite> {
    let mut fields = at.object()?;
    let host = fields.optional("host", |at| {
        let help = "write a host as `checkout.example.com`, with `:port` where it is needed";
        at.text_that(is_host, Code::InvalidHost, "is not a host", format_args!("{help}"))
    });
    let path_prefix = fields.optional("path_prefix", |at| {
        let mut fields = at.object()?;
        let from = fields.required("from", read_prefix);
        let to = fields.required("to", read_prefix);
        fields.close();
        if ADVISES && from.is_some() && from == to {
            at.report(Code::NoEffect, "a path is rewritten to itself").help("remove the field");
        }
        Some((from?, to?))
    });
    let empty = !fields.has("host") && !fields.has("path_prefix");
    fields.close();
    if empty {
        at.report(Code::EmptyList, "nothing to do: neither `host` nor `path_prefix`").help(
            "write `rewrite: {path_prefix: {from: /api, to: /v2/api}}`, or leave the field out",
        );
    }
    Some(Rewrite { host, path_prefix })
}

/// One host, with or without a port.
fn is_host(text: &str) -> bool {
    let host = match text.rsplit_once(':') {
        Some((host, port)) if port.parse::<u16>().is_ok() => host,
        _ => text,
    };
    matches!(HostPattern::parse(host), Ok(HostPattern::Exact(_)))
}

fn read_prefix(at: &Cursor) -> Option<String> {
    let valid = |text: &str| {
        text.starts_with('/')
            && text.bytes().all(|b| b.is_ascii_graphic() && !matches!(b, b'?' | b'#'))
            && text.len() <= limits::PATH_PREFIX
    };
    let help = format_args!("a path prefix begins with `/` and has no spaces, `?` or `#`");
    at.text_that(valid, Code::InvalidPath, "is not a path prefix", help)
}
