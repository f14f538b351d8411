//! Dates and points in time, as the text that Python's `str()` gives.

use super::shorten;

/// A timestamp; `None` if `text` does not look like one, an error if it does and names no possible time. A
/// tagged date may do with one digit for month and day.
pub(super) fn timestamp(text: &str, is_tagged: bool) -> Option<Result<String, String>> {
    let mut reader = Reader { rest: text };
    let year = reader.digits(4, 4)?;
    reader.take('-')?;
    let (month_text, day_text);
    (month_text, _) = (reader.digits_text(1, 2)?, reader.take('-')?);
    day_text = reader.digits_text(1, 2)?;
    let (month, day) = (month_text.parse().ok()?, day_text.parse().ok()?);
    let date = Date { year, month, day };
    if reader.rest.is_empty() {
        let is_date = is_tagged || (month_text.len() == 2 && day_text.len() == 2);
        return is_date.then(|| date.show().ok_or_else(|| impossible(text)));
    }
    let time = reader.time()?;
    reader.rest.is_empty().then(|| {
        let shown = date.show().zip(time.show()).map(|(date, time)| format!("{date} {time}"));
        shown.ok_or_else(|| impossible(text))
    })
}

fn impossible(text: &str) -> String {
    format!("`{}` looks like a date, but there is no such time", shorten(text))
}

struct Date {
    year: u32,
    month: u32,
    day: u32,
}

impl Date {
    fn show(&self) -> Option<String> {
        let Self { year, month, day } = *self;
        let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        let days = match month {
            2 if leap => 29,
            2 => 28,
            4 | 6 | 9 | 11 => 30,
            1..=12 => 31,
            _ => return None,
        };
        (year > 0 && (1..=days).contains(&day)).then(|| format!("{year:04}-{month:02}-{day:02}"))
    }
}

struct Time {
    hour: u32,
    minute: u32,
    second: u32,
    microsecond: u32,
    /// Minutes east of Greenwich.
    offset: Option<i32>,
}

impl Time {
    fn show(&self) -> Option<String> {
        const DAY_MINUTES: i32 = 24 * 60;
        let Self { hour, minute, second, microsecond, offset } = *self;
        if hour > 23 || minute > 59 || second > 59 || offset.is_some_and(|o| o.abs() >= DAY_MINUTES) {
            return None;
        }
        let mut shown = format!("{hour:02}:{minute:02}:{second:02}");
        if microsecond > 0 {
            shown.push_str(&format!(".{microsecond:06}"));
        }
        if let Some(offset) = offset {
            let sign = if offset < 0 { '-' } else { '+' };
            shown.push_str(&format!("{sign}{:02}:{:02}", offset.abs() / 60, offset.abs() % 60));
        }
        Some(shown)
    }
}

struct Reader<'a> {
    rest: &'a str,
}

impl<'a> Reader<'a> {
    fn take(&mut self, c: char) -> Option<()> {
        self.rest = self.rest.strip_prefix(c)?;
        Some(())
    }

    fn digits_text(&mut self, min: usize, max: usize) -> Option<&'a str> {
        let count = self.rest.bytes().take(max).take_while(u8::is_ascii_digit).count();
        let (digits, rest) = self.rest.split_at_checked(count)?;
        self.rest = rest;
        (count >= min).then_some(digits)
    }

    fn digits(&mut self, min: usize, max: usize) -> Option<u32> {
        self.digits_text(min, max)?.parse().ok()
    }

    fn blanks(&mut self) -> usize {
        let trimmed = self.rest.trim_start_matches([' ', '\t']);
        let count = self.rest.len() - trimmed.len();
        self.rest = trimmed;
        count
    }

    fn time(&mut self) -> Option<Time> {
        match self.rest.strip_prefix(['T', 't']) {
            Some(rest) => self.rest = rest,
            None if self.blanks() > 0 => {}
            None => return None,
        }
        let hour = self.digits(1, 2)?;
        self.take(':')?;
        let minute = self.digits(2, 2)?;
        self.take(':')?;
        let second = self.digits(2, 2)?;
        let microsecond = if self.take('.').is_some() { self.fraction()? } else { 0 };
        if self.rest.is_empty() {
            return Some(Time { hour, minute, second, microsecond, offset: None });
        }
        self.blanks();
        let offset = Some(self.offset()?);
        Some(Time { hour, minute, second, microsecond, offset })
    }

    /// Six digits; more are cut, missing ones are zero.
    fn fraction(&mut self) -> Option<u32> {
        let digits = self.digits_text(0, usize::MAX)?;
        let cut = digits.get(..6).unwrap_or(digits);
        format!("{cut:0<6}").parse().ok()
    }

    fn offset(&mut self) -> Option<i32> {
        if self.take('Z').is_some() {
            return Some(0);
        }
        let sign = if self.take('-').is_some() { -1 } else { self.take('+').map(|()| 1)? };
        let hours = self.digits(1, 2)? as i32;
        let minutes = if self.take(':').is_some() { self.digits(2, 2)? as i32 } else { 0 };
        Some(sign * (hours * 60 + minutes))
    }
}
