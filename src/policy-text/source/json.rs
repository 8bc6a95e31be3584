//! A document as JSON, in the order it was written: the form in which it goes to the filter.

use engine::policy::Value;
use serde::ser::{Serialize, SerializeMap as _, Serializer};

/// Writes a document as JSON on one line.
///
/// # Errors
/// Never for a document without infinite or undefined numbers, and every checked one has none.
pub fn to_json(document: &Value) -> serde_json::Result<String> {
    serde_json::to_string(&Ordered(document))
}

/// Writes a document as JSON in lines and indents.
///
/// # Errors
/// As [`to_json`].
pub fn to_pretty_json(document: &Value) -> serde_json::Result<String> {
    serde_json::to_string_pretty(&Ordered(document))
}

struct Ordered<'v>(&'v Value);

impl Serialize for Ordered<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Value::Null => serializer.serialize_unit(),
            Value::Bool(value) => serializer.serialize_bool(*value),
            Value::Integer(value) => serializer.serialize_i64(*value),
            Value::Float(value) if !value.is_finite() => {
                Err(serde::ser::Error::custom(format!("`{value}` is not a number in JSON")))
            }
            Value::Float(value) => serializer.serialize_f64(*value),
            Value::String(value) => serializer.serialize_str(value),
            Value::List(items) => serializer.collect_seq(items.iter().map(Ordered)),
            Value::Object(fields) => {
                let mut map = serializer.serialize_map(Some(fields.len()))?;
                for (name, value) in fields {
                    map.serialize_entry(name, &Ordered(value))?;
                }
                map.end()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_of_fields_stays_and_duplicates_do_too() {
        let text = r#"{"b":1,"a":[null,true,2.5,"x\n"],"b":{}}"#;
        let value: Value = serde_json::from_str(text).unwrap();
        assert_eq!(to_json(&value).unwrap(), text);
    }

    #[test]
    fn a_number_that_json_has_not_is_an_error() {
        assert!(to_json(&Value::List(vec![Value::Float(f64::NAN)])).is_err());
    }
}
