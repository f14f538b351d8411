use super::*;

fn shown(text: &str) -> String {
    match parse(text.as_bytes(), "f") {
        Ok(parsed) => format!("{:?}", parsed.root),
        Err(error) => error.to_string(),
    }
}

/// Each line of `table` is a text between `|` and what it comes to.
#[track_caller]
fn check(table: &str) {
    for row in table.lines().map(str::trim).filter(|row| !row.is_empty()) {
        let (text, expected) = row.split_once(" => ").expect("a row");
        let (text, expected) = (text.trim_end(), expected.trim());
        assert_eq!(shown(&format!("[{text}]")), format!("[{expected}]"), "{text}");
    }
}

/// Texts that stay texts.
#[track_caller]
fn strings(texts: &str) {
    for text in texts.split_whitespace() {
        assert_eq!(shown(text), format!("{text:?}"));
    }
}

#[test]
fn words() {
    for (words, value) in [
        ("yes Yes YES on On ON true True TRUE", "true"),
        ("no No NO off Off OFF false False FALSE", "false"),
        ("~ null Null NULL", "null"),
    ] {
        for word in words.split_whitespace() {
            assert_eq!(shown(word), value, "{word}");
        }
    }
    strings("y n Y N tRue yES yEs oN oFF fALSE nULL none None nil True1 truee t f");
    check("'' => \"\"\n \"yes\" => \"yes\"\n 'null' => \"null\"");
}

#[test]
fn integers() {
    check(
        "0 => 0
         1 => 1
         -0 => 0
         +7 => 7
         -12 => -12
         017 => 15
         0777 => 511
         010 => 8
         -017 => -15
         00 => 0
         0_7 => 7
         0x1F => 31
         +0x1f => 31
         -0xff => -255
         0x_f_ => 15
         0b101 => 5
         -0b1 => -1
         0b_1_0 => 2
         1_000 => 1000
         1__0 => 10
         1_ => 1
         1:30 => 90
         4:00 => 240
         60:30 => 3630
         1:2:3 => 3723
         190:20:30 => 685230
         -1:30 => -90
         1_0:30 => 630
         9223372036854775807 => 9223372036854775807
         9223372036854775808 => 9223372036854775808
         -9223372036854775808 => -9223372036854775808
         -9223372036854775809 => -9223372036854775809
         0xffffffffffffffffffffffff => 79228162514264337593543950335
         07777777777777777777777777 => 37778931862957161709567
         123456789012345678901234567890:30 => 7407407340740740734074074073430
         !!int '3' => 3
         !!int 0o17 => 15",
    );
    strings(
        "08 0o17 0o8 0x 0b 0b2 0xg _1 1,000x 1-2 --1 +-1 04:00:00 0:0 0:30 1:60 1:-3 1:100 12a 1__a + . .. -x",
    );
}

#[test]
fn floats() {
    check(
        "1.0 => 1.0
         1. => 1.0
         .5 => 0.5
         0.10 => 0.1
         -1.5 => -1.5
         +0.5 => 0.5
         1.5e+3 => 1500.0
         1.0E+5 => 100000.0
         1.e-2 => 0.01
         .5e-1 => 0.05
         685.230_15e+03 => 685230.15
         1_0.5_0 => 10.5
         09.5 => 9.5
         00.5 => 0.5
         1.5e+400 => inf
         190:20:30.15 => 685230.15
         1:30. => 90.0
         -1:30.5 => -90.5
         0:30.5 => 30.5
         .inf => inf
         .Inf => inf
         .INF => inf
         +.inf => inf
         -.INF => -inf
         .nan => NaN
         .NaN => NaN
         .NAN => NaN
         !!float 3 => 3.0
         !!float '1e3' => 1000.0",
    );
    strings(
        "1e3 1e+3 1.0e3 12e03 1E5 .5e1 1.e5 +.5 -.5 inf NaN nan .Nan -.nan .iNF 1.5e+ 1.2.3 1.5f e1 .e+1 1:60.5 1.0-2",
    );
}

#[test]
fn dates() {
    check(
        "2021-04-01 => date 2021-04-01
         2020-02-29 => date 2020-02-29
         2000-02-29 => date 2000-02-29
         2021-04-01 10:00:00 => date 2021-04-01 10:00:00
         2021-04-01T10:00:00Z => date 2021-04-01 10:00:00+00:00
         2021-4-1 1:02:03 => date 2021-04-01 01:02:03
         2021-04-01t10:00:00.5 => date 2021-04-01 10:00:00.500000
         2021-04-01 10:00:00. => date 2021-04-01 10:00:00
         2021-04-01 10:00:00.1234567 => date 2021-04-01 10:00:00.123456
         2001-12-14t21:59:43.10-05:00 => date 2001-12-14 21:59:43.100000-05:00
         2001-12-14 21:59:43 -5 => date 2001-12-14 21:59:43-05:00
         2001-12-14 21:59:43 +1:30 => date 2001-12-14 21:59:43+01:30
         2001-12-14 21:59:43 Z => date 2001-12-14 21:59:43+00:00
         2001-12-14 21:59:43-00:30 => date 2001-12-14 21:59:43-00:30",
    );
    strings(
        "2021-4-1T1:2:3 2021-4-1 2021-04-01T10:00 2021-04 2021-04-01x 2021-04-01T10:00:00z 2021-04-01T10:00:00+1:3",
    );
    for impossible in ["2021-13-01", "2021-02-29", "1900-02-29", "0000-01-01", "2021-00-10", "2021-04-31"] {
        let expected = format!("f:1:1: `{impossible}` looks like a date, but there is no such time");
        assert_eq!(shown(impossible), expected);
    }
    for impossible in
        ["2021-04-01 24:00:00", "2021-04-01 10:60:00", "2021-04-01 10:00:60", "2021-04-01 10:00:00 +24:00"]
    {
        assert!(shown(impossible).contains("no such time"), "{impossible}");
    }
}

#[test]
fn tags() {
    check(
        "!!str 1 => \"1\"
         !!null x => null
         !!bool 'yEs' => true
         !!binary aGk= => bytes \"hi\"
         ! 1 => 1
         ! \"017\\n\" => 15
         ! \"~\\n\" => null
         ! \"a\\n\" => \"a\\n\"
         !!timestamp '2021-04-01' => date 2021-04-01
         !!seq [1] => [1]
         !!map {a: 1} => {\"a\": 1}",
    );
    let bad = |text: &str, expected: &str| assert_eq!(shown(text), format!("f:1:1: {expected}"), "{text}");
    bad("!x 1", "the tag `!x` is not known");
    bad("!!python/object:os.system x", "the tag `!!python/object:os.system` cannot stand here");
    bad("!%0aa b", "the tag `!\\na` is not known");
    bad("!!set [a]", "the tag `!!set` cannot stand here");
    bad("!!set a", "the tag `!!set` cannot stand here");
    bad("!!omap {a: 1}", "the tag `!!omap` cannot stand here");
    bad("!!pairs a", "the tag `!!pairs` cannot stand here");
    bad("! '*'", "`*` after the tag `!` means nothing; leave out the tag");
    bad("!!int x", "\"x\" cannot be read as an integer");
    bad("!!float 1:x", "\"1:x\" cannot be read as a float");
    bad("!!bool maybe", "\"maybe\" cannot be read as a boolean");
    bad("!!binary a", "\"a\" cannot be read as base 64");
    bad("!!timestamp soon", "\"soon\" cannot be read as a date");
    bad("0x_", "`0x_` looks like an integer, but has no digits");
    bad("._", "`._` looks like a float, but has no digits");
    bad("=", "a plain `=` cannot be a value; put it in quotes");
    bad("<<", "a plain `<<` cannot be a value; put it in quotes");
}

#[test]
fn sets_and_pairs() {
    check(
        "!!set {b, a, b: 2, yes: 3} => set {\"b\", \"a\", true}
         !!set {} => set {}
         !!set {1, 1.0, yes} => set {1}
         !!set {c, <<: {a: 1}} => set {\"a\", \"c\"}
         {<<: !!set {a: 1, b}, b: 2} => {\"a\": 1, \"b\": 2}
         {<<: [!!set {a: 1}, {b: 2}]} => {\"b\": 2, \"a\": 1}
         [&s !!set {a: 1}, *s, {<<: *s}] => [set {\"a\"}, set {\"a\"}, {\"a\": 1}]
         [&l [!!set {a: 1}], {<<: *l}] => [[set {\"a\"}], {\"a\": 1}]
         !!omap [a: 1, {b: 2}, a: 3] => [pair [\"a\", 1], pair [\"b\", 2], pair [\"a\", 3]]
         !!pairs [{[1]: {2: 3}}, {!!set {a}: b}] => [pair [[1], {2: 3}], pair [set {\"a\"}, \"b\"]]
         !!pairs [] => []
         [&e {a: 1}, !!omap [*e, !!set {b}]] => [{\"a\": 1}, [pair [\"a\", 1], pair [\"b\", null]]]
         [&p !!omap [a: 1, b: 2], {<<: *p}] => [[pair [\"a\", 1], pair [\"b\", 2]], {\"b\": 2, \"a\": 1}]
         !!pairs [&e {[1]: 2}, *e] => [pair [[1], 2], pair [[1], 2]]",
    );
    for bad in ["[a]", "[{a: 1, b: 2}]", "[{a: 1, a: 2}]", "[{}]", "[[a, 1]]", "[{<<: {a: 1}}]", "[{=: 1}]"] {
        let expected =
            "f:1:9: `!!omap` and `!!pairs` take a list of maps of one entry each, without `<<` and `=`";
        assert_eq!(shown(&format!("!!omap {bad}")), expected, "{bad}");
    }
    let refused =
        |text: &str, expected: &str| assert!(shown(text).ends_with(expected), "{text}: {}", shown(text));
    refused("[&a {a: 1, a: 2}, !!omap [*a]]", "without `<<` and `=`");
    refused("[!!pairs [&e {[1]: 2}], *e]", "cannot be a key outside of `!!omap` and `!!pairs`");
    refused("[!!pairs [&e {[1]: 2}], {<<: *e}]", "a list cannot be a key");
    refused("{!!set {a}: 1}", "a set cannot be a key");
    refused("{!!omap [a: 1]: 1}", "a list cannot be a key");
    refused("!!set {[a]}", "a list cannot be a key");
    refused("&s !!set {a: *s}", "stands inside of what it stands for");
    let deep = format!("{}{}", "!!omap [{? ".repeat(150), "}]".repeat(150));
    refused(&deep, "nested deeper than 200");
}

#[test]
fn merges_and_their_order() {
    let check = |text: &str, expected: &str| assert_eq!(shown(text), expected, "{text}");
    check(
        "t: &t {x: 1, y: 2}\nm: {z: 0, <<: *t, y: 5}",
        r#"{"t": {"x": 1, "y": 2}, "m": {"x": 1, "y": 5, "z": 0}}"#,
    );
    check("{<<: [{a: 1, b: 1}, {b: 2, c: 2}]}", r#"{"b": 1, "c": 2, "a": 1}"#);
    check("{<<: {a: 1}, <<: {a: 2}}", r#"{"a": 2}"#);
    check("{'<<': {a: 1}}", r#"{"<<": {"a": 1}}"#);
    check("{<<: []}", "{}");
    check("{=: 1}", r#"{"=": 1}"#);
    check("{a: 1, b: 2, a: 3}", r#"{"a": 3, "b": 2}"#);
    check("{1: a, yes: b, 1.0: c}", r#"{1: "c"}"#);
    check("a: &a 1\nb: *a", r#"{"a": 1, "b": 1}"#);
    for bad in ["{<<: 1}", "{<<: null}", "{<<: [1]}", "{<<: [{a: 1}, []]}"] {
        assert!(shown(bad).ends_with("`<<` takes a map or a list of maps"), "{bad}");
    }
}

#[test]
fn only_what_a_map_says_itself_is_a_duplicate() {
    let text = "t: &t {x: 1}\nm:\n  <<: *t\n  x: 2\n  y: 1\n  y: 2\n";
    let parsed = parse(text.as_bytes(), "f").expect("it parses");
    let told: Vec<String> =
        parsed.warnings.iter().map(|w| format!("{} {} {}", w.key, w.first, w.again)).collect();
    assert_eq!(told, ["y f:5:3 f:6:3"]);
}

#[test]
fn documents() {
    let check = |text: &str, expected: &str| assert_eq!(shown(text), expected, "{text:?}");
    check("", "null");
    check("# nothing\n", "null");
    check("---\n", "null");
    check("%YAML 1.2\n---\na: 012\n", r#"{"a": 10}"#);
    check("\u{feff}a: 1", r#"{"a": 1}"#);
    check("a: 1\r\nb: 2\r\n", r#"{"a": 1, "b": 2}"#);
    check("a: b\tc", "{\"a\": \"b\\tc\"}");
    check("a:\t1", r#"{"a": 1}"#);
    check("[1, 2,]", "[1, 2]");
    check("a: |\n  x\n  y", "{\"a\": \"x\\ny\"}");
    check("a: |\n  x\n", "{\"a\": \"x\\n\"}");
    check("a: |+\n  x\n  ", "{\"a\": \"x\\n\"}");
    check("a: |\n  x\n  ", "{\"a\": \"x\\n\"}");
    check("a: |\n  x\n    ", "{\"a\": \"x\\n  \"}");
    check("a: >-\n  x\n  y", r#"{"a": "x y"}"#);
    check("- a\n--- b\n", "f:2:1: the file holds more than one document");
    check("a: &x 1\nb: &x 2", "f:2:4: the anchor `&x` stands twice");
    check("a: *x", "f:1:4: the alias `*x` has no anchor before it");
    check("a: &x [*x]", "f:1:8: the alias `*x` stands inside of what it stands for");
    check("[1]: 2", "f:1:1: a list cannot be a key");
    check("{{a: 1}: 2}", "f:1:2: a map cannot be a key");
    check("- \t1", "f:1:3: found character that cannot start any token");
    check("a: b: c", "f:1:5: mapping values are not allowed in this context");
    check("a: \"\\ud83d\\ude00\"", "f:1:7: found invalid Unicode character escape code");
    check("a: @x", "f:1:4: found character that cannot start any token");
    check("a: 'x", "f:1:6: found unexpected end of stream");
    check("a: \"\\", "f:1:5: found unknown escape character");
    check("a: 1\nb: \u{7}", "f:2:4: the character U+0007 is not allowed in YAML");
}

#[test]
fn bytes_that_are_no_text() {
    let error = |bytes: &[u8]| {
        parse(bytes, "f").map(|parsed| format!("{:?}", parsed.root)).map_err(|e| e.to_string())
    };
    assert_eq!(error(b"a: 1\nb: \xff"), Err("f:2:4: the file is not UTF-8 here".to_owned()));
    assert_eq!(error(b"\xff\xfea\0:\0 \x001\0"), Ok("{\"a\": 1}".to_owned()));
    assert_eq!(error(b"\xfe\xff\0a\0:\0 \x001"), Ok("{\"a\": 1}".to_owned()));
    assert_eq!(error(b"\xff\xfea\0\x3d\xd8"), Err("f:1:2: the file is not UTF-16 here".to_owned()));
    assert_eq!(error(b"a\0"), Err("f:1:2: the character U+0000 is not allowed in YAML".to_owned()));
}

#[test]
fn size_is_bounded() {
    let deep = "[".repeat(5_000);
    assert!(shown(&deep).ends_with("nested deeper than 200"));
    let deep = (0..5_000).map(|depth| format!("{}a:\n", " ".repeat(depth))).collect::<String>();
    assert!(shown(deep.get(..1_000_000).unwrap_or(&deep)).ends_with("nested deeper than 200"));
    let ten = |from: char| format!("[{}]", vec![format!("*{from}"); 10].join(", "));
    let mut bomb = "a: &a [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for (from, to) in "abcdefgh".chars().zip("bcdefghi".chars()) {
        bomb.push_str(&format!("{to}: &{to} {}\n", ten(from)));
    }
    assert!(shown(&bomb).ends_with("comes to more than 1000000 values"), "{}", shown(&bomb));
    let chain = |depth: usize| {
        (1..depth).fold("a0: &a0 []\n".to_owned(), |text, n| text + &format!("a{n}: &a{n} [*a{}]\n", n - 1))
    };
    assert!(shown(&chain(150)).starts_with("{\"a0\""));
    assert!(shown(&chain(300)).ends_with("nested deeper than 200"));
    assert!(shown(&"x".repeat(5 * 1024 * 1024)).ends_with("larger than 4 MiB"));
    let keys: String = (0..100_000).map(|n| format!("k{n}: {n}\n")).collect();
    assert!(shown(&keys).starts_with("{\"k0\": 0"));
}
