//! Reading variants and what they do to requests and responses.

use super::fields::{Fields, read_bool, read_list, read_text};
use super::names::{OF_THE_MESSAGE, read_cluster, read_header_name, read_name, shown};
use super::read_whole;
use crate::matching::HostPattern;
use crate::policy::sink::{Path, Sink, list_of};
use crate::policy::{Code, HeaderEdits, Respond, Rewrite, Value, Variant, Weight, limits};

pub(super) fn read_variant(value: &Value, path: &Path, sink: &mut Sink) -> Option<Variant> {
    let mut fields = Fields::open(value, path, sink)?;
    let name = fields.required("name", sink, read_name);
    let cluster = fields.optional("cluster", sink, read_cluster);
    let weight = fields.required("weight", sink, read_weight);
    let max_weight = fields.optional("max_weight", sink, read_weight);
    if let (Some(weight), Some(max)) = (weight, max_weight.filter(|max| weight > Some(*max))) {
        let name = name.as_deref().unwrap_or("this variant");
        sink.report(
            Code::WeightOverMax,
            &Path::Field(path, "weight"),
            format!("weight `{weight}` of `{name}` is over its `max_weight` of {max}"),
        )
        .help("lower the weight; or raise `max_weight`, if this is really wanted");
    }
    let drain = fields.optional("drain", sink, read_bool);
    let request_headers = fields.optional("request_headers", sink, read_header_edits);
    let response_headers = fields.optional("response_headers", sink, read_header_edits);
    let respond = fields.optional("respond", sink, read_respond);
    let rewrite = fields.optional("rewrite", sink, read_rewrite);
    let own_answer = fields.get("respond").is_some();
    for name in ["cluster", "rewrite", "request_headers"] {
        if own_answer && fields.get(name).is_some() {
            let message = format!("`{name}` has no effect: the proxy itself answers this variant");
            sink.report(Code::ConflictingFields, &Path::Field(path, name), message)
                .help("remove it, or remove `respond`");
        }
    }
    fields.close(sink);
    Some(Variant {
        name: name?,
        cluster,
        weight: weight?,
        max_weight,
        drain: drain.unwrap_or_default(),
        request_headers: request_headers.unwrap_or_default(),
        response_headers: response_headers.unwrap_or_default(),
        respond,
        rewrite: rewrite.unwrap_or_default(),
    })
}

pub(super) fn read_weight(value: &Value, path: &Path, sink: &mut Sink) -> Option<Weight> {
    if !matches!(value, Value::Integer(_) | Value::Float(_)) {
        sink.wrong_type(path, "a number", value);
        return None;
    }
    match Weight::from_value(value) {
        Ok(weight) => Some(weight),
        Err(why) => {
            sink.report(Code::InvalidWeight, path, format!("`{value}` {why}"))
                .help(format!("weights are 0 to {} with up to four decimals", Weight::MAX));
            None
        }
    }
}

fn read_header_edits(value: &Value, path: &Path, sink: &mut Sink) -> Option<HeaderEdits> {
    let mut fields = Fields::open(value, path, sink)?;
    let set = fields.optional("set", sink, |v, p, s| read_list(v, p, s, read_header_value));
    let add = fields.optional("add", sink, |v, p, s| read_list(v, p, s, read_header_value));
    let remove = fields.optional("remove", sink, |v, p, s| read_list(v, p, s, read_edited_header));
    let empty = ["set", "add", "remove"].into_iter().all(|name| fields.get(name).is_none());
    fields.close(sink);
    if empty {
        let forms = list_of(&["set", "add", "remove"]);
        sink.report(Code::EmptyList, path, format!("nothing to do: none of {forms}"))
            .help("write `{set: [{name: x-stage, value: canary}]}`, or leave the field out");
    }
    Some(HeaderEdits {
        set: set.unwrap_or_default(),
        add: add.unwrap_or_default(),
        remove: remove.unwrap_or_default(),
    })
}

fn read_header_value(value: &Value, path: &Path, sink: &mut Sink) -> Option<(String, String)> {
    let mut fields = Fields::open(value, path, sink)?;
    let name = fields.required("name", sink, read_edited_header);
    let value = fields.required("value", sink, |value, path, sink| {
        let text = read_text(value, path, sink)?;
        let allowed = text.bytes().all(|b| !b.is_ascii_control());
        if allowed && text.trim() == text && text.len() <= limits::HEADER_VALUE {
            return Some(text.to_owned());
        }
        sink.report(Code::InvalidValue, path, format!("no header carries `{}`", shown(text))).help(
            format!(
                "a header value has up to {} bytes, no control characters and no spaces around it",
                limits::HEADER_VALUE
            ),
        );
        None
    });
    fields.close(sink);
    Some((name?, value?))
}

fn read_edited_header(value: &Value, path: &Path, sink: &mut Sink) -> Option<String> {
    let name = read_header_name(value, path, sink)?;
    if OF_THE_MESSAGE.contains(&name.as_str()) {
        let message = format!("the message itself depends on header `{name}`");
        sink.report(Code::ReservedHeader, path, message).help(match name.as_str() {
            "host" => "to change the host write `rewrite: {host: ...}`",
            _ => "leave it alone",
        });
        return None;
    }
    Some(name)
}

fn read_respond(value: &Value, path: &Path, sink: &mut Sink) -> Option<Respond> {
    let mut fields = Fields::open(value, path, sink)?;
    let status = fields.required("status", sink, |v, p, s| read_whole(v, p, s, limits::STATUS));
    let body = fields.optional("body", sink, |value, path, sink| {
        let text = read_text(value, path, sink)?;
        if text.len() > limits::BODY {
            let message = format!("a body of {} bytes is more than {}", text.len(), limits::BODY);
            sink.report(Code::LimitExceeded, path, message);
            return None;
        }
        Some(text.to_owned())
    });
    fields.close(sink);
    Some(Respond { status: u16::try_from(status?).ok()?, body: body.unwrap_or_default() })
}

fn read_rewrite(value: &Value, path: &Path, sink: &mut Sink) -> Option<Rewrite> {
    let mut fields = Fields::open(value, path, sink)?;
    let host = fields.optional("host", sink, |value, path, sink| {
        let text = read_text(value, path, sink)?;
        let without_port = text
            .rsplit_once(':')
            .map_or(text, |(host, port)| if port.parse::<u16>().is_ok() { host } else { text });
        if matches!(HostPattern::parse(without_port), Ok(HostPattern::Exact(_))) {
            return Some(text.to_owned());
        }
        sink.report(Code::InvalidHost, path, format!("`{}` is not a host", shown(text)))
            .help("write a host as `checkout.example.com`, with `:port` where it is needed");
        None
    });
    let path_prefix = fields.optional("path_prefix", sink, |value, path, sink| {
        let mut fields = Fields::open(value, path, sink)?;
        let from = fields.required("from", sink, read_prefix);
        let to = fields.required("to", sink, read_prefix);
        fields.close(sink);
        Some((from?, to?))
    });
    let empty = ["host", "path_prefix"].into_iter().all(|name| fields.get(name).is_none());
    fields.close(sink);
    if empty {
        sink.report(Code::EmptyList, path, "nothing to do: neither `host` nor `path_prefix`").help(
            "write `rewrite: {path_prefix: {from: /api, to: /v2/api}}`, or leave the field out",
        );
    }
    Some(Rewrite { host, path_prefix })
}

fn read_prefix(value: &Value, path: &Path, sink: &mut Sink) -> Option<String> {
    let text = read_text(value, path, sink)?;
    let allowed = text.bytes().all(|b| b.is_ascii_graphic() && !matches!(b, b'?' | b'#'));
    if text.starts_with('/') && allowed && text.len() <= limits::PATH_PREFIX {
        return Some(text.to_owned());
    }
    sink.report(Code::InvalidPath, path, format!("`{}` is not a path prefix", shown(text)))
        .help("a path prefix begins with `/` and has no spaces, `?` or `#`");
    None
}
