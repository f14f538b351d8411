//! What the engine and hacheck of a local cluster tell about its tasks.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use paasta_engine::JournalEntry;
use paasta_hacheck::Spool;
use serde_json::Value;

use super::Playground;

/// The engine answers within this.
const ANSWER_SECONDS_MAX: u64 = 10;

impl Playground {
    /// The engine's journal, oldest entry first.
    pub(crate) fn journal(&self) -> Vec<JournalEntry> {
        let answer = self.ask_engine("/paasta/journal");
        serde_json::from_value(answer["entries"].clone()).expect("entries of the journal")
    }

    /// The ids of the engine's apps of one instance.
    pub(crate) fn apps(&self, instance: &str) -> Vec<String> {
        let answer = self.ask_engine("/v2/apps");
        let apps = answer["apps"].as_array().expect("apps").iter();
        let ids = apps.map(|app| app["id"].as_str().expect("an id").to_owned());
        ids.filter(|id| id.starts_with(&format!("/hello.{instance}."))).collect()
    }

    /// When each port was taken out of traffic, in seconds since 1970.
    pub(crate) fn drains(&self) -> BTreeMap<u16, f64> {
        let spool = Spool::open(self.state_dir().join("hacheck")).expect("a spool");
        let drains = spool.entries().expect("readable").into_iter().filter_map(|(name, entry)| {
            let (_, port) = name.rsplit_once(':')?;
            Some((port.parse().ok()?, entry.creation?))
        });
        drains.collect()
    }

    /// What deployments.json says.
    pub(crate) fn deployments(&self) -> String {
        fs::read_to_string(self.soa_dir().join("hello/deployments.json")).expect("deployments.json")
    }

    /// Asks as every client of the engine does: with the credentials of the system configuration.
    fn ask_engine(&self, path: &str) -> Value {
        let config = fs::read(self.state_dir().join("etc/local.json")).expect("the cluster's configuration");
        let config: Value = serde_json::from_slice(&config).expect("JSON");
        let server = &config["marathon_servers"][0];
        let text = |value: &Value| value.as_str().expect("text").to_owned();
        let address = text(&server["url"][0]).trim_start_matches("http://").to_owned();
        let token = base64(format!("{}:{}", text(&server["user"]), text(&server["password"])).as_bytes());
        let mut stream = TcpStream::connect(&address).expect("the engine listens");
        stream.set_read_timeout(Some(Duration::from_secs(ANSWER_SECONDS_MAX))).expect("a time limit");
        let request =
            format!("GET {path} HTTP/1.0\r\nHost: {address}\r\nAuthorization: Basic {token}\r\n\r\n");
        stream.write_all(request.as_bytes()).expect("asked");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("answered");
        let (head, body) = answer.split_once("\r\n\r\n").expect("head and body");
        assert!(head.starts_with("HTTP/1.0 200") || head.starts_with("HTTP/1.1 200"), "{path}: {answer}");
        serde_json::from_str(body).expect("JSON")
    }
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let group = |three: &[u8]| -> [char; 4] {
        let bits = (0..3).fold(0, |bits, at| (bits << 8) | u32::from(three.get(at).copied().unwrap_or(0)));
        std::array::from_fn(|at| match at > three.len() {
            true => '=',
            false => char::from(DIGITS[(bits >> (18 - 6 * at) & 63) as usize]),
        })
    };
    bytes.chunks(3).flat_map(group).collect()
}

#[test]
fn base64_pads() {
    for (plain, coded) in [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg==")] {
        assert_eq!(base64(plain.as_bytes()), coded);
    }
}
