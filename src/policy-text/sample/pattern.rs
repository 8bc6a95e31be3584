//! Texts that meet a regular expression.

use engine::matching::Pattern;

/// A text that meets the expression, made by taking the first of each choice and as few of everything as may
/// be. `None` where that does not work: not every notation is followed here, and the result is checked.
pub(super) fn sample(pattern: &Pattern) -> Option<String> {
    let mut chars = Chars { rest: pattern.as_str() };
    let text = chars.alternatives()?;
    pattern.matches(text.as_bytes()).then_some(text)
}

/// What is left of an expression. Its nesting is limited where it was compiled.
struct Chars<'t> {
    rest: &'t str,
}

impl Chars<'_> {
    fn next(&mut self) -> Option<char> {
        let mut chars = self.rest.chars();
        let next = chars.next();
        self.rest = chars.as_str();
        next
    }

    fn take(&mut self, text: &str) -> bool {
        let rest = self.rest.strip_prefix(text);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    /// Up to the end of the group: the first alternative.
    fn alternatives(&mut self) -> Option<String> {
        let first = self.sequence()?;
        while self.take("|") {
            self.sequence()?;
        }
        Some(first)
    }

    fn sequence(&mut self) -> Option<String> {
        let mut text = String::new();
        while !self.rest.is_empty() && !self.rest.starts_with(['|', ')']) {
            let item = self.item()?;
            let times = self.times()?;
            text.push_str(&item.repeat(times));
        }
        Some(text)
    }

    fn item(&mut self) -> Option<String> {
        Some(match self.next()? {
            '(' => {
                self.group_flags()?;
                let inner = self.alternatives()?;
                return self.take(")").then_some(inner);
            }
            '[' => self.class()?.into(),
            '.' => "a".into(),
            '^' | '$' => String::new(),
            '\\' => match self.next()? {
                'd' => "0".into(),
                'w' | 'D' | 'S' => "a".into(),
                's' => " ".into(),
                'W' => "-".into(),
                'b' | 'B' | 'A' | 'z' => String::new(),
                'n' => "\n".into(),
                't' => "\t".into(),
                c if c.is_ascii_punctuation() => c.into(),
                _ => return None,
            },
            c => c.into(),
        })
    }

    /// What may come after `(`: nothing, `?:`, `?P<name>`. Flags are not followed.
    fn group_flags(&mut self) -> Option<()> {
        if self.take("?P<") || self.take("?<") {
            while self.next()? != '>' {}
            return Some(());
        }
        (self.take("?:") || !self.rest.starts_with('?')).then_some(())
    }

    /// The first character of a class; of one that is turned round, some character that is not in it by the look.
    fn class(&mut self) -> Option<char> {
        let negated = self.take("^");
        let mut members = String::new();
        loop {
            match self.next()? {
                ']' if !members.is_empty() => break,
                '\\' => match self.next()? {
                    'd' => members.push('0'),
                    'w' => members.push('a'),
                    's' => members.push(' '),
                    c if c.is_ascii_punctuation() => members.push(c),
                    _ => return None,
                },
                '[' => return None,
                c => members.push(c),
            }
        }
        if negated {
            return "a0-_~".chars().find(|c| !members.contains(*c));
        }
        members.chars().next()
    }

    /// How often the item before is to be repeated: as few times as may be.
    fn times(&mut self) -> Option<usize> {
        let times = match self.rest.chars().next() {
            Some('?' | '*') => 0,
            Some('+') => 1,
            Some('{') => {
                let (count, rest) = self.rest.strip_prefix('{')?.split_once('}')?;
                self.rest = rest;
                self.take("?");
                let least = count.split(',').next()?.trim();
                return least.parse().ok().filter(|times| *times <= Pattern::VALUE_MAX);
            }
            _ => return Some(1),
        };
        self.next();
        self.take("?");
        Some(times)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sampled(text: &str) -> Option<String> {
        sample(&Pattern::parse(text, false).unwrap())
    }

    #[test]
    fn common_expressions_have_samples() {
        for (text, sample) in [
            (r"v\d+\.\d+", "v0.0"),
            ("(eu|us)-(west|east)-[0-9]", "eu-west-0"),
            ("[0-9a-f]{8}(?:-[0-9a-f]{4}){3,}", "00000000-0000-0000-0000"),
            (".*@example[.]com", "@example.com"),
            ("(?P<user>[^/@]+)@.+?", "a@a"),
            ("^/api/v[12]/(cart|orders)/.*$", "/api/v1/cart/"),
            (r"[\w.-]+", "a"),
            ("[]a]+", "]"),
            ("a??b{2}?c*?", "bb"),
            ("|a", ""),
        ] {
            assert_eq!(sampled(text).as_deref(), Some(sample), "{text}");
        }
    }

    #[test]
    fn an_expression_that_is_not_followed_has_no_sample() {
        for text in ["(?i)a", "(?i:a)", r"a\bb", "[[:alpha:]]", r"\x41", "a{0}b^"] {
            assert_eq!(sampled(text), None, "{text}");
        }
    }
}
