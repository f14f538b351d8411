//! What one file of 1 MB can cost: each case runs in a process of its own, which tells its CPU time and its largest memory.
#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test may panic, and hands the case to its child by the environment"
)]

use std::fs;
use std::process::Command;
use std::sync::Arc;
use std::thread;

use paasta_config::{InstanceType, Memory, Soa, SystemConfig, parse_json, parse_yaml};

const SIZE: usize = 1_000_000;
/// Stated for release builds, where CPU time is a tenth; it differs with the machine, so this only finds what is quadratic.
const CPU_SECONDS_MAX: f64 = 8.0;
const MEMORY_MIB_MAX: u64 = 256;
/// What threads of the standard library and of tokio have.
const STACK_BYTES: usize = 2 * 1024 * 1024;

const CASE: &str = "PAASTA_COST_CASE";

/// `piece` over and over, up to 1 MB.
fn times(piece: &str) -> String {
    piece.repeat(SIZE / piece.len())
}

/// What `piece` makes of 0, 1, …, up to 1 MB.
fn counted(piece: impl Fn(usize) -> String) -> String {
    let mut text = String::with_capacity(SIZE);
    for n in 0.. {
        let next = piece(n);
        if text.len() + next.len() > SIZE {
            break;
        }
        text.push_str(&next);
    }
    text
}

fn in_list(items: String) -> String {
    format!("[{items}]")
}

/// A name, and what makes the document.
type Case = (&'static str, Box<dyn Fn() -> String>);

fn case(name: &'static str, make: impl Fn() -> String + 'static) -> Case {
    (name, Box::new(make))
}

/// Each list holds the one before ten times.
fn bomb(first: &str, levels: usize) -> String {
    let mut text = format!("a: &a {first}\n");
    for (from, to) in "abcdefgh".chars().zip("bcdefghi".chars()).take(levels) {
        text.push_str(&format!("{to}: &{to} [{}]\n", vec![format!("*{from}"); 10].join(", ")));
    }
    text
}

fn merges(text: &str) -> String {
    let large: String = (0..1_000).map(|n| format!("  k{n}: {n}\n")).collect();
    format!("a: &a\n{large}{}", counted(|n| format!("m{n}: {text}\n")))
}

fn long_texts(aliases: usize) -> String {
    format!("a: &a {}\nb: [{}]\n", "x".repeat(SIZE / 2), "*a,".repeat(aliases))
}

fn nested_anchors() -> String {
    let open: String = (0..190).map(|n| format!("&a{n} [")).collect();
    format!("{open}{}{}", "a,".repeat(2_000), "]".repeat(190))
}

fn yaml_cases() -> Vec<Case> {
    let mut cases = vec![
        case("an alias bomb", || bomb("[x, x, x, x]", 8)),
        case("an alias bomb of maps", || bomb("{a: 1, b: 2}", 8)),
        case("as many aliases as there may be", || bomb("[x, x, x]", 5)),
        case("as many aliases of maps as there may be", || bomb("{a: 1}", 5)),
        case("a long text with many aliases", || long_texts(SIZE / 6)),
        case("a long text with as many aliases as there may be", || long_texts(120)),
        case("a large map merged into many", || merges("{<<: *a, x: 1}")),
        case("a large map merged into as many as there may be", || {
            merges("{}").replacen("{}", "{<<: *a, x: 1}", 480)
        }),
        case("a list of merges", || format!("a: &a {{x: 1}}\nb: {{<<: [{}]}}", times("*a, "))),
        case("anchors around anchors", nested_anchors),
        case("many anchors", || counted(|n| format!("- &a{n} x\n"))),
        case("anchors and aliases", || counted(|n| format!("- &a{n} x\n- *a{n}\n"))),
        case("keys", || counted(|n| format!("k{n}: {n}\n"))),
        case("number keys", || counted(|n| format!("{n}: x\n"))),
        case("float keys", || counted(|n| format!("{n}.5: x\n"))),
        case("flow keys", || format!("{{{}}}", counted(|n| format!("{n},")))),
        case("one key again and again", || times("a: 1\n")),
        case("merge keys", || format!("a: &a {{x: 1}}\nb:\n{}", times(" <<: *a\n"))),
        case("deep block maps", || counted(|n| format!("{}a:\n", " ".repeat(n)))),
        case("deep lists that end", || format!("{}{}", "[".repeat(5_000), "]".repeat(5_000))),
        case("lists at the limit of depth", || format!("{}{}", "[".repeat(199), "]".repeat(199))),
        case("a long list in a deep one", || {
            format!("{}{}{}", "[".repeat(190), times("a,"), "]".repeat(190))
        }),
        case("many deep lists", || in_list(times(&format!("{}{},", "[".repeat(190), "]".repeat(190))))),
        case("digits", || times("7")),
        case("hexadecimal digits", || format!("0x{}", times("f"))),
        case("octal digits", || format!("0{}", times("7"))),
        case("hexadecimal numbers", || in_list(times(&format!("0x{},", "f".repeat(4_990))))),
        case("base 60", || format!("1{}", times(":59"))),
        case("base 60 floats", || format!("1{}.5", times(":59"))),
        case("a long fraction", || format!("0.{}", times("7"))),
        case("a long exponent", || format!("1.0e+{}", times("7"))),
        case("a long date", || format!("2021-04-01 10:00:00.{}", times("7"))),
        case("base 64", || format!("!!binary {}", times("aGk="))),
        case("a folded text", || format!(">\n{}", times(" a\n"))),
        case("a literal text", || format!("|+\n{}", times("\n"))),
        case("a plain text over lines", || times("a\n")),
        case("a tag", || format!("!{}", times("x"))),
        case("an anchor", || format!("&{} a", times("x"))),
        case("tag directives", || counted(|n| format!("%TAG !h{n}! p\n"))),
        case("nul", || times("\0")),
        case("UTF-16", || format!("\u{FEFF}{}", times("a,"))),
        case("broken quotes", || format!("\"{}", times("a\\\n"))),
        case("empty lists", || in_list(times("[],"))),
        case("empty maps", || in_list(times("{},"))),
        case("pairs in a list", || in_list(times("a: b,"))),
        case("quoted texts", || in_list(times("\"a\","))),
    ];
    for piece in [
        "[", "{", "]", "[{", "- ", "-\n", "? ", "?\n", ": ", ":", ",", "a: ", "a ", "\n", " ", "\t", "#",
        "# a\n", "'", "\"", "''", "\\", "!", "! ", "!!", "%", "&", "& ", "*", "* ", "&a ", "*a ", "|\n",
        ">\n", "---\n", "...\n", "\r", "\u{85}", "\u{2028}", "\u{FEFF}", "é", "<<: ", "<<:\n", "@", "`",
        "[a: ", "{a: ", "[? ", "\"a\": ", "!<a> ", "!!str ", "=\n",
    ] {
        cases.push(case(piece, move || times(piece)));
    }
    cases
}

fn json_cases() -> Vec<Case> {
    vec![
        case("JSON lists", || times("[")),
        case("JSON objects", || times("{\"a\":")),
        case("JSON numbers in one line", || in_list(times("1,") + "1")),
        case("JSON empty lists", || in_list(times("[],") + "1")),
        case("JSON keys in one line", || format!("{{{}\"x\":1}}", counted(|n| format!("\"k{n}\":{n},")))),
        case("JSON one key again and again", || format!("{{{}\"x\":1}}", times("\"k\":1,"))),
        case("JSON digits", || times("7")),
        case("JSON fraction", || format!("0.{}", times("7"))),
        case("JSON exponent", || format!("1e{}", times("7"))),
        case("JSON escapes", || format!("\"{}\"", times("\\u00e9"))),
        case("JSON surrogates", || format!("\"{}\"", times("\\ud83d\\ude00"))),
        case("JSON text", || format!("\"{}\"", times("é"))),
        case("JSON spaces", || times(" ")),
        case("JSON lines", || times("\n")),
    ]
}

/// Maps laid over each other, as settings are.
fn overlay(key: Key) {
    let keys = (0..40_000).map(key).map(|key| format!("{key}: 1\n")).collect::<String>();
    let own = (0..40_000).map(key).map(|key| format!("  {key}: 2\n")).collect::<String>();
    let tree =
        Memory::new().with("svc/service.yaml", keys).with("svc/marathon-c.yaml", format!("main:\n{own}"));
    let system = SystemConfig::from_json(r#"{"cluster": "c", "clusters": ["c"]}"#).unwrap();
    let soa = Soa::new(Arc::new(tree));
    let cluster = system.cluster().unwrap();
    let settings =
        soa.settings(&"svc.main".parse().unwrap(), InstanceType::Marathon, &cluster, &system).unwrap();
    assert!(settings.len() >= 40_000);
}

type Key = fn(usize) -> String;

const OVERLAYS: [(&str, Key); 2] =
    [("settings over settings", |n| format!("k{n}")), ("settings with number keys", |n| n.to_string())];

/// Reads, and does with the value what programs do.
fn run(case: &str) {
    if let Some((_, key)) = OVERLAYS.iter().find(|(name, _)| *name == case) {
        return overlay(*key);
    }
    let (text, is_json) = match json_cases().into_iter().find(|(name, _)| *name == case) {
        Some((_, make)) => (make(), true),
        None => (yaml_cases().into_iter().find(|(name, _)| *name == case).unwrap().1(), false),
    };
    let bytes = match case {
        "UTF-16" => text.encode_utf16().flat_map(u16::to_le_bytes).collect(),
        _ => text.into_bytes(),
    };
    let read = if is_json {
        parse_json(&bytes, "f").map_err(|e| e.to_string())
    } else {
        parse_yaml(&bytes, "f").map(|parsed| parsed.root).map_err(|e| e.to_string())
    };
    match read {
        Ok(node) => {
            let copy = node.clone();
            assert!(copy == node || format!("{node:?}").contains("NaN"));
            drop(copy);
            println!("value of {} bytes", format!("{node:?}").len());
        }
        // A message is for people, so it does not repeat the file.
        Err(message) => assert!(message.len() < 500, "{} bytes of message", message.len()),
    }
}

/// Kibibytes at most, and CPU seconds, of this process.
fn used() -> (u64, f64) {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    let stat = fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat.rsplit_once(") ").unwrap().1.split(' ').collect();
    // User and system time, in hundredths of a second.
    let ticks: f64 = fields[11..13].iter().map(|field| field.parse::<f64>().unwrap()).sum();
    (peak.trim().trim_end_matches(" kB").parse().unwrap(), ticks / 100.0)
}

#[test]
fn child() {
    // Does its work as a child of the other test.
    let Ok(case) = std::env::var(CASE) else { return };
    let worker = thread::Builder::new().stack_size(STACK_BYTES);
    worker.spawn(move || run(&case)).unwrap().join().unwrap();
    let (peak, cpu) = used();
    println!("\nused {peak} {cpu}");
}

/// CPU seconds and mebibytes of one case, run in a child.
fn measure(name: &'static str) -> (f64, u64, &'static str) {
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args(["--exact", "child", "--nocapture"]).env(CASE, name);
    let output = child.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{name:?}: {said}{told}");
    let (peak, cpu) = said.lines().find_map(|line| line.strip_prefix("used ")?.split_once(' ')).unwrap();
    let (peak, cpu): (u64, f64) = (peak.parse::<u64>().unwrap() / 1024, cpu.parse().unwrap());
    assert!(peak <= MEMORY_MIB_MAX, "{name:?} took {peak} MiB");
    assert!(cpu <= CPU_SECONDS_MAX, "{name:?} took {cpu} s of CPU time");
    (cpu, peak, name)
}

#[test]
fn no_file_costs_much() {
    let names = yaml_cases().into_iter().chain(json_cases()).map(|(name, _)| name);
    let names: Vec<&str> = names.chain(OVERLAYS.map(|(name, _)| name)).collect();
    let (one, other) = names.split_at(names.len() / 2);
    let mut dearest = thread::scope(|scope| {
        let other = scope.spawn(|| other.iter().map(|name| measure(name)).collect::<Vec<_>>());
        let mut all: Vec<_> = one.iter().map(|name| measure(name)).collect();
        all.extend(other.join().unwrap());
        all
    });
    dearest.sort_by(|a, b| b.0.total_cmp(&a.0));
    for (cpu, peak, name) in dearest.iter().take(5) {
        eprintln!("{cpu:5.2} s {peak:4} MiB {name:?}");
    }
}
