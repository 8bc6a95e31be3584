//! Sticky cookies: `v1.<epoch>.<variant>.<mac>`.

use serde_json::Value;

use super::matching::cookies;
use super::{Situation, list, text};

/// The variant that a request's cookie proves.
pub(super) fn held(split: &Value, situation: &Situation) -> Option<String> {
    let sticky = &split["sticky"];
    if sticky.is_null() {
        return None;
    }
    let default = format!("split-{}", text(&split["name"]));
    let values = cookies(&situation.headers, sticky["cookie"].as_str().unwrap_or(&default));
    let proves = |value: &Vec<u8>| {
        let names = list(&split["variants"]).iter().map(|variant| text(&variant["name"]));
        let mut proven = names.filter(|name| sticky_value(split, name).as_bytes() == value);
        proven.next().map(str::to_owned)
    };
    values.iter().find_map(proves)
}

/// The value of the cookie of who holds a variant of a split.
pub fn sticky_value(split: &Value, variant: &str) -> String {
    let sticky = &split["sticky"];
    let epoch = sticky["epoch"].as_u64().unwrap_or(0).to_string();
    let mut message = Vec::new();
    for part in ["traffic-split sticky v1", text(&split["name"]), &epoch, variant] {
        message.extend((part.len() as u64).to_be_bytes());
        message.extend(part.bytes());
    }
    let mac = hmac_sha256::HMAC::mac(message, text(&sticky["secret"]));
    let mac: String = mac[..16].iter().map(|byte| format!("{byte:02x}")).collect();
    format!("v1.{epoch}.{variant}.{mac}")
}
