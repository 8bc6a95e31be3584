//! The few styles of the output, used the same way everywhere.

use std::fmt::{self, Display};

use anstyle::{AnsiColor, Style};

/// A text with a style around it.
#[derive(Debug, Clone, Copy)]
pub struct Styled<T> {
    style: Style,
    text: T,
}

impl<T: Display> Display for Styled<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}{}", self.style, self.text, self.style.render_reset())
    }
}

const fn colored(color: AnsiColor) -> Style {
    Style::new().bold().fg_color(Some(anstyle::Color::Ansi(color)))
}

pub(crate) const ERROR: Style = colored(AnsiColor::Red);
pub(crate) const WARNING: Style = colored(AnsiColor::Yellow);
pub(crate) const STRONG: Style = Style::new().bold();
pub(crate) const FAINT: Style = Style::new().dimmed();

/// Something is wrong.
pub const fn error<T>(text: T) -> Styled<T> {
    Styled { style: ERROR, text }
}

/// Something may be wrong.
pub const fn warning<T>(text: T) -> Styled<T> {
    Styled { style: WARNING, text }
}

/// Something is fine.
pub const fn fine<T>(text: T) -> Styled<T> {
    Styled { style: colored(AnsiColor::Green), text }
}

/// What to look at.
pub const fn strong<T>(text: T) -> Styled<T> {
    Styled { style: STRONG, text }
}

/// What can be skipped.
pub const fn faint<T>(text: T) -> Styled<T> {
    Styled { style: FAINT, text }
}
