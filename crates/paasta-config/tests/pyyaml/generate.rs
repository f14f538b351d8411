//! Documents near the edges of YAML 1.1, from a seed.

/// A small generator of numbers (SplitMix64): the same seed gives the same documents everywhere.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    pub(crate) fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit.max(1) as u64) as usize
    }

    fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    fn pick<'a, T: ?Sized>(&mut self, of: &[&'a T]) -> &'a T {
        of[self.below(of.len())]
    }
}

#[rustfmt::skip]
const WORDS: &[&str] = &[
    "yes", "No", "ON", "off", "true", "False", "tRue", "~", "null", "NULL", "nULL", "", "y", "n", "=", "<<",
    "a", "b", "key", "x y", "é", "🍣", "0", "-0", "017", "08", "0x1F", "0b101", "0o17", "1_000", "_1", "1:30",
    "60:59", "1:60", "0:0", "190:20:30.15", "1.0", "1.", ".5", "+.5", "1e3", "1.5e+3", "1.e-2", ".inf", "-.INF",
    "+.inf", ".nan", "-.nan", "._", "0x_", "0b_", "-", "--", "---", "...", ".", "..", "2021-04-01", "2021-4-1",
    "2021-13-01", "2020-02-29", "2021-04-01T10:00:00Z", "2021-04-01 10:00:00.5", "2001-12-14t21:59:43.10-05:00",
    "2021-04-01 1:02:03 +1", "123456789012345678901234567890", "-9223372036854775809",
    "1.7976931348623157e+309", "4.9e-324", "0.1", "1:2:3", "#", "a#b", "a #b", "a:b", "a: b", ":a", "?a", "-a",
    "? a", "- a", "a,b", "a]", "%a", "@a", "`a", "|", ">", "&a", "*a", "!a", "'a", "\"a", "a'b", "a\"b", "a\tb",
    "a \t b", "a  ", "\\", "https://h:80/p?q#f", "SECRET(x)", "{{a}}",
];

/// Characters of numbers and dates, the likely ones more often.
const DIGITS: &[u8] = b"0011223456789__::..--++eExXbBoaAfFtTzZ nN ,";

#[rustfmt::skip]
const ESCAPES: &[&str] = &[
    "\\n", "\\t", "\\\\", "\\\"", "\\x41", "\\u00e9", "\\U0001F363", "\\ud83d", "\\q", "\\/", "\\0", "\\e",
    "\\ ", "\\\n", "\\\n  ", "\\x4", "\\N", "\\L", "\\_", "\\P", "\\a", "\\\t", "\\'",
];

#[rustfmt::skip]
const TAGS: &[&str] = &[
    "!!str", "!!int", "!!float", "!!bool", "!!null", "!!binary", "!!timestamp", "!!seq", "!!map", "!!set",
    "!!omap", "!!pairs", "!", "!x", "!!x", "!<tag:yaml.org,2002:str>", "!<!>", "!!python/name:os", "!e!x",
    "!!st%72", "!!merge", "!!value", "!<x", "!%41", "!!int,",
];

#[rustfmt::skip]
const PIECES: &[&str] = &[
    "- ", "-", "? ", "?", ": ", ":", ", ", ",", "[", "]", "{", "}", "#", " # c", "\n", "\n", "\n  ", "\n    ",
    "\n\t", "\t", " ", "  ", "&a ", "*a", "&a", "*b", "!!str ", "! ", "|\n", ">\n", "|-\n  ", ">+\n  ", "|2\n",
    ">1-\n", "|0\n", "'", "\"", "''", "\\", "---\n", "--- ", "...\n", "%YAML 1.1\n", "%TAG ! t:\n", "%X\n",
    "<<: ", "<<", "=: ", "a", "b: ", "a: 1\n", "\r", "\r\n", "\u{85}", "\u{2028}", "\u{A0}", "\u{FEFF}", "é",
    "\u{7}", "@", "`", "!", "&", "*", "\n- ", "\n\n", "\n# c\n", ":\n", "\n: ", "\n? ", "1", "0", "\n...",
    "\n---", "]:", "}:", "\":", "':", "*a :", "\"a\":b",
];

/// One document.
pub(crate) fn document(random: &mut Random) -> Vec<u8> {
    let mut text = match random.below(10) {
        0..=2 => framed_scalar(random),
        3..=6 => structured(random),
        7 => soup(random),
        _ => {
            let mut text = if random.one_in(2) { structured(random) } else { framed_scalar(random) };
            for _ in 0..=random.below(3) {
                text = mutated(random, &text);
            }
            text
        }
    };
    match random.below(40) {
        0 => text = text.replace('\n', "\r\n"),
        1 => text = text.replace('\n', "\r"),
        2 => text.insert(0, '\u{FEFF}'),
        3 => return utf16(&text, random.one_in(2)),
        4 => text = text.trim_end().to_owned(),
        5 => text.push_str("\n \t\n"),
        6 => {
            let mut bytes = text.into_bytes();
            let at = random.below(bytes.len() + 1);
            bytes.insert(at, [0xFF, 0xC3, 0x80, 0xED, 0x00][random.below(5)]);
            return bytes;
        }
        _ => {}
    }
    text.into_bytes()
}

fn utf16(text: &str, little: bool) -> Vec<u8> {
    let units = std::iter::once(0xFEFF).chain(text.encode_utf16());
    units.flat_map(|unit| if little { unit.to_le_bytes() } else { unit.to_be_bytes() }).collect()
}

/// A scalar alone in one of the places where scalars stand.
fn framed_scalar(random: &mut Random) -> String {
    let scalar = if random.one_in(4) {
        scalar(random, random_flow)
    } else {
        let length = random.below(14);
        (0..length).map(|_| char::from(DIGITS[random.below(DIGITS.len())])).collect()
    };
    let frame = random.pick(&[
        "%",
        "a: %\n",
        "- %\n",
        "[%]",
        "{a: %}",
        "{%: a}",
        "%: a\n",
        "? %\n: b\n",
        "[a: %, %]",
        "- a\n- %",
        "!!int '%'",
        "!!float '%'",
        "!!timestamp '%'",
        "!!bool %",
        "!!binary '%'",
        "!!null %",
        "!!str %",
        "! '%'",
        "a:\n  b: %\n",
        "{%, %: 1}",
        "- - %\n  - %\n",
    ]);
    frame.replace('%', &scalar)
}

fn random_flow(random: &mut Random) -> bool {
    random.one_in(2)
}

fn scalar(random: &mut Random, in_flow: impl Fn(&mut Random) -> bool) -> String {
    match random.below(12) {
        0 => format!("'{}'", pieces(random).replace('\'', "''")),
        1 => {
            let mut text = String::from("\"");
            for _ in 0..random.below(5) {
                let piece = if random.one_in(2) { random.pick(ESCAPES) } else { random.pick(WORDS) };
                text.push_str(if piece == "\"" { "" } else { piece });
                if random.one_in(5) {
                    text.push_str(random.pick(&["\n", "\n  ", " ", "\t", "\n\n  ", " \n", "\u{2028}"]));
                }
            }
            text + "\""
        }
        2 => format!("{} {}", random.pick(WORDS), random.pick(WORDS)),
        3 if !in_flow(random) => format!("{}\n   {}", random.pick(WORDS), random.pick(WORDS)),
        4 => {
            let length = random.below(10);
            (0..length).map(|_| char::from(DIGITS[random.below(DIGITS.len())])).collect()
        }
        _ => random.pick(WORDS).to_owned(),
    }
}

fn pieces(random: &mut Random) -> String {
    (0..random.below(4))
        .map(|_| random.pick(WORDS))
        .collect::<Vec<_>>()
        .join(random.pick(&[" ", "\n ", "", "\n\n  "]))
}

/// Fragments in any order.
fn soup(random: &mut Random) -> String {
    (0..random.below(14)).map(|_| random.pick(PIECES)).collect()
}

fn mutated(random: &mut Random, text: &str) -> String {
    let places: Vec<usize> = text.char_indices().map(|(at, _)| at).chain([text.len()]).collect();
    let at = places[random.below(places.len())];
    let (before, after) = text.split_at(at);
    match random.below(5) {
        0 => format!("{before}{}{after}", random.pick(PIECES)),
        1 => format!("{before}{}", after.chars().skip(1 + random.below(3)).collect::<String>()),
        2 => before.to_owned(),
        3 => format!("{before}{}{}", random.pick(PIECES), after.chars().skip(1).collect::<String>()),
        _ => {
            let mut lines: Vec<&str> = text.lines().collect();
            if lines.len() > 1 {
                let (from, to) = (random.below(lines.len()), random.below(lines.len()));
                if random.one_in(2) { lines.swap(from, to) } else { lines.insert(to, lines[from]) }
            }
            lines.join("\n") + "\n"
        }
    }
}

/// A tree, written in blocks and flow.
fn structured(random: &mut Random) -> String {
    let mut writer = Writer { random, text: String::new(), anchors: 0, values: 0 };
    if writer.random.one_in(15) {
        let directive = writer.random.pick(&[
            "%YAML 1.1\n",
            "%YAML 1.2\n",
            "%TAG !e! tag:yaml.org,2002:\n",
            "%TAG ! tag:e:\n",
        ]);
        writer.text.push_str(directive);
        writer.text.push_str("---\n");
    } else if writer.random.one_in(10) {
        writer.text.push_str(writer.random.pick(&["---\n", "# c\n", "--- # c\n", "\n\n"]));
    }
    let kind = writer.random.below(8);
    match kind {
        0 => writer.flow(0),
        1..=2 => writer.block_list(0, 0),
        _ => writer.block_map(0, 0),
    }
    if writer.random.one_in(20) {
        writer.text.push_str(writer.random.pick(&["...\n", "---\n", "...\n# c\n", "--- a\n", "# c"]));
    }
    writer.text
}

struct Writer<'a> {
    random: &'a mut Random,
    text: String,
    anchors: usize,
    values: usize,
}

impl Writer<'_> {
    fn properties(&mut self) {
        if self.random.one_in(8) {
            let name = if self.random.one_in(20) { 0 } else { self.anchors };
            self.text.push_str(&format!("&a{name} "));
            self.anchors += 1;
        }
        if self.random.one_in(16) {
            self.text.push_str(self.random.pick(TAGS));
            self.text.push(' ');
        }
    }

    fn alias(&mut self) -> bool {
        if self.anchors == 0 || !self.random.one_in(6) {
            return false;
        }
        let unknown = usize::from(self.random.one_in(30));
        let name = self.random.below(self.anchors + unknown);
        self.text.push_str(&format!("*a{name}"));
        true
    }

    fn key(&mut self, in_flow: bool) {
        match self.random.below(24) {
            0..=2 => self.text.push_str("<<"),
            3 => self.text.push_str(self.random.pick(&["'<<'", "\"<<\"", "!!merge x", "=", "!!str <<"])),
            4 if self.alias() => self.text.push(' '),
            5 => self.text.push_str(&scalar(self.random, |_| in_flow)),
            6 => self.text.push_str(self.random.pick(&[
                "1",
                "yes",
                "1.0",
                "true",
                "~",
                "2021-04-01",
                "0x1",
                "[a]",
                "{a: 1}",
            ])),
            _ => self.text.push_str(self.random.pick(&["a", "b", "c", "cpus", "env", "cmd", "k k", "é"])),
        }
    }

    fn flow(&mut self, depth: usize) {
        self.values += 1;
        if self.alias() {
            return;
        }
        self.properties();
        let kind = if depth > 4 || self.values > 40 { 9 } else { self.random.below(12) };
        if kind == 5 && self.random.one_in(2) {
            return self.set_or_pairs(depth);
        }
        let is_list = kind < 3;
        if kind > 5 {
            let text = scalar(self.random, |_| true);
            return self.text.push_str(&text);
        }
        self.text.push(if is_list { '[' } else { '{' });
        let count = self.random.below(4);
        for n in 0..count {
            if n > 0 {
                self.text.push_str(self.random.pick(&[", ", ",", ",\n   ", " , ", ", # c\n  "]));
            }
            if !is_list || self.random.one_in(8) {
                if self.random.one_in(12) {
                    self.text.push_str("? ");
                }
                self.key(true);
                self.text.push_str(self.random.pick(&[": ", ": ", ": ", " : ", ":", ":\n  ", ""]));
            }
            self.flow(depth + 1);
        }
        self.text.push_str(self.random.pick(&["", "", "", ",", "\n  ", " "]));
        self.text.push(if is_list { ']' } else { '}' });
    }

    /// Now and then out of shape.
    fn set_or_pairs(&mut self, depth: usize) {
        if self.random.one_in(3) {
            self.text.push_str(&format!("&a{} ", self.anchors));
            self.anchors += 1;
        }
        let tag = self.random.pick(&["!!set", "!!set", "!!omap", "!!pairs"]);
        let is_set = if self.random.one_in(30) { tag != "!!set" } else { tag == "!!set" };
        self.text.push_str(&format!("{tag} {}", if is_set { '{' } else { '[' }));
        for _ in 0..self.random.below(4) {
            match self.random.below(if is_set { 4 } else { 12 }) {
                _ if is_set && self.random.one_in(2) => self.key(true),
                0 if !is_set && self.alias() => {}
                1 if !is_set => self.flow(depth + 1),
                2..=3 if !is_set => {
                    if self.random.one_in(4) {
                        self.text.push_str(&format!("&a{} ", self.anchors));
                        self.anchors += 1;
                    }
                    self.text.push_str(self.random.pick(&["{? ", "{? ", "!!map {? ", "!!set {? "]));
                    self.flow(depth + 2);
                    self.text.push_str(" : ");
                    self.flow(depth + 2);
                    self.text.push_str(self.random.pick(&["}", "}", "}", "}", ", a: 1}"]));
                }
                _ => {
                    self.key(true);
                    self.text.push_str(": ");
                    self.flow(depth + 1);
                }
            }
            self.text.push_str(", ");
        }
        self.text.push(if is_set { '}' } else { ']' });
    }

    fn value(&mut self, indent: usize, depth: usize) {
        self.values += 1;
        let kind = if depth > 4 || self.values > 40 { 12 } else { self.random.below(20) };
        match kind {
            0..=3 => {
                self.properties();
                self.line_end();
                let step = 1 + self.random.below(4);
                self.block_map(indent + step, depth + 1);
            }
            4..=5 => {
                self.properties();
                self.line_end();
                let step = self.random.below(4);
                self.block_list(indent + step, depth + 1);
            }
            6 => self.block_scalar(indent),
            7..=9 => {
                self.flow(depth + 1);
                self.line_end();
            }
            _ => {
                if !self.alias() {
                    self.properties();
                    let text = scalar(self.random, |_| false);
                    self.text.push_str(&text);
                }
                self.line_end();
            }
        }
    }

    fn line_end(&mut self) {
        let ends = [
            "\n",
            "\n",
            "\n",
            "\n",
            "\n",
            "\n",
            " # c\n",
            "  \n",
            "\n\n",
            "\n# c\n",
            "\t\n",
            "\t# c\n",
            "\n  # c\n",
        ];
        self.text.push_str(self.random.pick(&ends));
    }

    fn block_scalar(&mut self, indent: usize) {
        self.properties();
        self.text.push_str(
            self.random.pick(&["|", ">", "|-", ">-", "|+", ">+", "|2", ">1", "|2-", ">+1", "| # c", "|9"]),
        );
        self.text.push('\n');
        let step = 1 + self.random.below(3);
        for _ in 0..self.random.below(5) {
            let extra = if self.random.one_in(4) { self.random.below(4) } else { 0 };
            self.text.push_str(&" ".repeat(indent + step + extra));
            self.text.push_str(
                self.random
                    .pick(&["", "", "text", "- a", "a: b", "# c", "\tx", "x\t", "  ", "é", "...", "\u{85}"]),
            );
            self.text.push_str(self.random.pick(&["\n", "\n", "\n", "\n\n", "\u{2028}", "\r\n"]));
        }
    }

    fn block_map(&mut self, indent: usize, depth: usize) {
        for _ in 0..=self.random.below(4) {
            self.text.push_str(&" ".repeat(indent));
            if self.random.one_in(16) {
                self.text.push_str("? ");
                self.value(indent + 2, depth + 1);
                self.text.push_str(&" ".repeat(indent));
            } else {
                self.key(false);
            }
            self.text.push_str(self.random.pick(&[": ", ": ", ": ", ":  ", " : ", ":\t", ":"]));
            self.value(indent, depth);
        }
    }

    fn block_list(&mut self, indent: usize, depth: usize) {
        for _ in 0..=self.random.below(4) {
            self.text.push_str(&" ".repeat(indent));
            self.text.push_str(self.random.pick(&["- ", "- ", "- ", "-   ", "-\n", "-\t", "-"]));
            if self.random.one_in(8) {
                self.text.push_str("k: ");
            }
            self.value(indent + 1, depth);
        }
    }
}
