//! The comments of a YAML text, each with the part of the document that it is about.

use saphyr_parser::{Event, Parser};

use super::places::Places;

/// A comment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Comment {
    /// From `#` to the end of the line.
    pub text: String,
    /// What it is about: what begins on its line, or next below it; `None` = nothing comes after it.
    pub path: Option<String>,
    /// It has its line alone.
    pub alone: bool,
    /// There is an empty line before it.
    pub after_blank: bool,
    /// How many blanks stand before it.
    pub indent: usize,
}

/// The comments of a text that is YAML, in order.
pub fn comments(text: &str, places: &Places) -> Vec<Comment> {
    // `#` is no comment inside of a text; the parser knows where texts are.
    let mut texts = Vec::new();
    for (event, span) in Parser::new_from_str(text).map_while(Result::ok) {
        if matches!(event, Event::Scalar(..)) {
            texts.push((span.start.index(), span.end.index()));
        }
    }
    let mut texts = texts.into_iter().peekable();
    let mut found = Vec::new();
    let mut index = 0_usize;
    let mut after_blank = false;
    for (number, line) in text.split('\n').enumerate() {
        let mut before = ' ';
        for (at, (offset, c)) in line.char_indices().enumerate() {
            let here = index.saturating_add(at);
            while texts.next_if(|(_, end)| *end <= here).is_some() {}
            let in_text = texts.peek().is_some_and(|(start, _)| *start <= here);
            if c == '#' && !in_text && before.is_whitespace() {
                let line_number = number.saturating_add(1);
                let alone = line.get(..offset).is_some_and(|head| head.trim().is_empty());
                let text = line.get(offset..).unwrap_or_default().trim_end().to_owned();
                let path = places.first_from(line_number).map(str::to_owned);
                found.push(Comment { text, path, alone, after_blank, indent: at });
                break;
            }
            before = c;
        }
        after_blank = line.trim().is_empty();
        index = index.saturating_add(line.chars().count()).saturating_add(1);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::super::Source;
    use super::*;

    #[test]
    fn each_comment_knows_what_it_is_about() {
        let text = "\
# The whole.
version: 1 # one
splits:

# The first.
- name: \"a # b\"
  salt: a#b   # ö
  # The end of it.
";
        let document = Source::new("a.yaml", text).policy().unwrap();
        let found = comments(text, &document.places);
        let found: Vec<_> = found
            .iter()
            .map(|c| (c.text.as_str(), c.path.as_deref(), c.alone, c.after_blank))
            .collect();
        let expected = [
            ("# The whole.", Some(""), true, false),
            ("# one", Some(""), false, false),
            ("# The first.", Some("splits[0]"), true, true),
            ("# ö", Some("splits[0].salt"), false, false),
            ("# The end of it.", None, true, false),
        ];
        assert_eq!(found, expected);
    }
}
