//! Reads documents as JSON strings, one per line of stdin, and prints what each comes to with its types, or why it is
//! no YAML: to compare with another reader of YAML 1.1.

use std::io::{self, BufRead, Write};

use paasta_config::{Node, Value, parse_json, parse_yaml};

fn main() -> io::Result<()> {
    let mut out = io::stdout().lock();
    for line in io::stdin().lock().lines() {
        let document = parse_json(line?.as_bytes(), "stdin").map_err(io::Error::other)?;
        match parse_yaml(document.as_str().unwrap_or_default().as_bytes(), "document") {
            Ok(parsed) => writeln!(out, "{}", typed(&parsed.root))?,
            Err(error) => writeln!(out, "error: {error}")?,
        }
    }
    Ok(())
}

fn typed(node: &Node) -> String {
    match &node.value {
        Value::Null => "null".to_owned(),
        Value::Bool(b) => b.to_string(),
        Value::Int(i) => format!("int:{i}"),
        Value::BigInt(digits) => format!("int:{digits}"),
        Value::Float(f) if f.is_nan() => "float:nan".to_owned(),
        Value::Float(f) => format!("float:{:016x}", f.to_bits()),
        Value::String(text) => format!("str:{}", hexadecimal(text.as_bytes())),
        Value::Date(text) => format!("date:{text}"),
        Value::Bytes(bytes) => format!("bytes:{}", hexadecimal(bytes)),
        Value::List(list) => format!("[{}]", list.iter().map(typed).collect::<Vec<_>>().join(",")),
        Value::Map(map) => {
            let pairs: Vec<String> = map.iter().map(|(k, v)| format!("{}={}", typed(k), typed(v))).collect();
            format!("{{{}}}", pairs.join(","))
        }
        Value::Set(set) => {
            let mut members: Vec<String> = set.iter().map(|(member, _)| typed(member)).collect();
            members.sort();
            format!("set{{{}}}", members.join(","))
        }
        Value::Tuple(items) => format!("({})", items.iter().map(typed).collect::<Vec<_>>().join(",")),
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
