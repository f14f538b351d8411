//! Colours: few, never the only carrier of a meaning, and none unless somebody looks.

use std::borrow::Cow;

/// When output is coloured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum ColorChoice {
    /// On a terminal, unless `NO_COLOR` is set; `CLICOLOR_FORCE` forces it.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// How a piece of text looks (cli.md §0.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// As the rest.
    Plain,
    /// Bold.
    Bold,
    /// Broken.
    Red,
    /// Fine.
    Green,
    /// Under way, or worth a look.
    Yellow,
    /// Links.
    Blue,
    /// Of the scheduler.
    Magenta,
    /// Under way, and worth a look first.
    YellowBold,
    /// Names.
    Cyan,
    /// Of no interest now.
    Grey,
}

impl Style {
    fn code(self) -> &'static str {
        match self {
            Style::Plain => "0",
            Style::Bold => "1",
            Style::Red => "31",
            Style::Green => "32",
            Style::Yellow => "33",
            Style::Blue => "34",
            Style::Magenta => "35",
            Style::YellowBold => "1;33",
            Style::Cyan => "36",
            Style::Grey => "38;5;242",
        }
    }
}

/// Puts colours on text, or does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Paint {
    colours: bool,
}

impl Paint {
    /// With or without colours.
    pub fn new(colours: bool) -> Self {
        Self { colours }
    }

    /// The text in that style.
    pub fn text<'a>(self, style: Style, text: impl Into<Cow<'a, str>>) -> Cow<'a, str> {
        let text = text.into();
        match self.colours && style != Style::Plain && !text.is_empty() {
            true => Cow::Owned(format!("\x1b[{}m{text}\x1b[0m", style.code())),
            false => text,
        }
    }
}

/// Whether to colour an output: the option, then `NO_COLOR`, then `CLICOLOR_FORCE`, then whether it is a terminal.
pub fn wanted(choice: ColorChoice, no_color: bool, force: bool, terminal: bool) -> bool {
    match choice {
        ColorChoice::Always => true,
        ColorChoice::Never => false,
        ColorChoice::Auto => !no_color && (force || terminal),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_are_for_terminals_unless_asked_for() {
        let auto = |no_color, force, terminal| wanted(ColorChoice::Auto, no_color, force, terminal);
        assert!(auto(false, false, true) && auto(false, true, false));
        assert!(!auto(false, false, false) && !auto(true, true, true));
        assert!(wanted(ColorChoice::Always, true, false, false));
        assert!(!wanted(ColorChoice::Never, false, true, true));
    }
}
