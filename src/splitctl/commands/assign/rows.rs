//! Rows as CSV and JSON, without allocating.

use std::io::{self, Write};

use base64::Engine as _;

use super::assigner::Assigned;

/// The first line of a CSV.
pub(super) const CSV_HEAD: &[u8] = b"key,variant,bucket,reason\n";

/// Writes a row of RFC 4180, with `\n` as its end. The key's bytes are as they came.
pub(super) fn write_csv(key: &[u8], row: &Assigned<'_>, out: &mut impl Write) -> io::Result<()> {
    if key.iter().any(|b| matches!(b, b',' | b'"' | b'\r' | b'\n')) {
        out.write_all(b"\"")?;
        for (index, part) in key.split(|b| *b == b'"').enumerate() {
            out.write_all(if index == 0 { b"" } else { b"\"\"" })?;
            out.write_all(part)?;
        }
        out.write_all(b"\"")?;
    } else {
        out.write_all(key)?;
    }
    // Names and reasons have no characters that need quotes.
    out.write_all(b",")?;
    out.write_all(row.variant.unwrap_or_default().as_bytes())?;
    out.write_all(b",")?;
    if let Some(bucket) = row.bucket {
        write_number(bucket, out)?;
    }
    out.write_all(b",")?;
    out.write_all(row.reason.as_bytes())?;
    out.write_all(b"\n")
}

/// Writes an object on a line of its own.
pub(super) fn write_json(key: &[u8], row: &Assigned<'_>, out: &mut impl Write) -> io::Result<()> {
    match str::from_utf8(key) {
        Ok(key) => {
            out.write_all(b"{\"key\":")?;
            serde_json::to_writer(&mut *out, key)?;
        }
        Err(_) => {
            let key = base64::engine::general_purpose::STANDARD.encode(key);
            write!(out, "{{\"key_base64\":\"{key}\"")?;
        }
    }
    out.write_all(b",\"variant\":")?;
    match row.variant {
        Some(variant) => {
            out.write_all(b"\"")?;
            out.write_all(variant.as_bytes())?;
            out.write_all(b"\"")?;
        }
        None => out.write_all(b"null")?,
    }
    out.write_all(b",\"bucket\":")?;
    match row.bucket {
        Some(bucket) => write_number(bucket, out)?,
        None => out.write_all(b"null")?,
    }
    out.write_all(b",\"reason\":\"")?;
    out.write_all(row.reason.as_bytes())?;
    out.write_all(b"\"}\n")
}

/// A number below 10000 in decimal; formatting machinery would cost as much as the hash.
fn write_number(number: u16, out: &mut impl Write) -> io::Result<()> {
    let digit = |unit: u16| (number.checked_div(unit).unwrap_or(0) % 10) as u8 | b'0';
    let digits = [digit(10_000), digit(1_000), digit(100), digit(10), digit(1)];
    let zeros = digits.iter().take(4).take_while(|digit| **digit == b'0').count();
    out.write_all(digits.get(zeros..).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn csv(key: &[u8]) -> String {
        let mut out = Vec::new();
        let row = Assigned { variant: Some("canary"), bucket: Some(7), reason: "split" };
        write_csv(key, &row, &mut out).unwrap();
        String::from_utf8_lossy(&out).into_owned()
    }

    #[test]
    fn keys_are_quoted_where_they_must_be() {
        for (key, row) in [
            ("ada", "ada,canary,7,split\n"),
            ("a,b", "\"a,b\",canary,7,split\n"),
            ("say \"hi\"", "\"say \"\"hi\"\"\",canary,7,split\n"),
            ("\"", "\"\"\"\",canary,7,split\n"),
            ("", ",canary,7,split\n"),
        ] {
            assert_eq!(csv(key.as_bytes()), row);
        }
        assert_eq!(csv(b"\xff\x1b[0m"), "\u{fffd}\u{1b}[0m,canary,7,split\n");
    }

    #[test]
    fn numbers_are_written_as_decimals() {
        for number in [0, 7, 10, 99, 100, 4_711, 9_999, 65_535] {
            let mut out = Vec::new();
            write_number(number, &mut out).unwrap();
            assert_eq!(String::from_utf8(out).unwrap(), number.to_string());
        }
    }
}
