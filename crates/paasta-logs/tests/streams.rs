//! What is written to real files is what is read from them, in order of time, once each.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up fails")]

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use paasta_core::{LogLevel, LogRecord, Timestamp};
use paasta_logs::{COMPONENTS, FileReader, FileWriter, Follower, LineWriter as _, LogLine, Query, Read};
use proptest::prelude::*;
use proptest::sample::select;

const DELIMITERS: [&str; 3] = ["\n", "\r\n", "\0"];

fn records() -> impl Strategy<Value = LogRecord> {
    let level = select(vec![LogLevel::Event, LogLevel::Debug]);
    let names = || select(vec![None, Some("main".to_owned()), Some("a/b".to_owned()), Some("..".to_owned())]);
    let component = select(COMPONENTS.to_vec());
    (0..50i64, names(), names(), component, level, any::<String>()).prop_map(
        |(at, instance, cluster, component, level, message)| LogRecord {
            at: Timestamp::from_millis(1_600_000_000_000 + at),
            service: "web".to_owned(),
            instance,
            cluster,
            component: component.to_owned(),
            level,
            message,
        },
    )
}

struct Files {
    folder: tempfile::TempDir,
    writer: FileWriter,
    reader: FileReader,
}

fn files(format: &str, delimiter: &str) -> Files {
    let folder = tempfile::tempdir().unwrap();
    let format = format!("{}/{format}", folder.path().display());
    let writer = FileWriter::new(&format).unwrap().line_delimiter(delimiter);
    let reader = FileReader::new(&format).unwrap().line_delimiter(delimiter);
    Files { folder, writer, reader }
}

/// The lines as they should be read: each once, in order of time; of one time in the order of their files, which is not said.
fn sorted(records: &[LogRecord]) -> Vec<(Option<Timestamp>, String)> {
    let mut lines: Vec<_> = records
        .iter()
        .map(|record| (Some(record.at), paasta_logs::format_record(record).unwrap()))
        .collect::<BTreeSet<_>>()
        .into_iter()
        .collect();
    lines.sort();
    lines
}

fn found(read: &Read) -> Vec<(Option<Timestamp>, String)> {
    assert!(read.problems.is_empty() && read.broken.is_empty(), "{:?} {:?}", read.problems, read.broken);
    assert!(read.lines.is_sorted_by_key(|line| line.at), "not in order of time");
    let mut lines: Vec<_> = read.lines.iter().map(|line| (line.at, line.raw.clone())).collect();
    lines.sort();
    lines
}

const FORMATS: [&str; 3] =
    ["{service}.log", "{service}/{cluster}/{instance}/{component}", "{service}-{component}-{level}.log"];

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn a_record_is_read_as_it_was_written(record in records()) {
        let line = LogLine::parse(&paasta_logs::format_record(&record).unwrap()).unwrap();
        let name = |name: &Option<String>| name.clone().unwrap_or_else(|| "N/A".to_owned());
        prop_assert_eq!(line.at, Some(record.at));
        prop_assert_eq!(line.cluster, name(&record.cluster));
        prop_assert_eq!(line.instance, name(&record.instance));
        prop_assert_eq!((line.service, line.component, line.level), (record.service, record.component, record.level));
        if !record.message.contains('\u{1b}') {
            prop_assert_eq!(line.message, record.message.trim());
        }
    }

    #[test]
    fn what_was_written_is_read_in_order_of_time(
        records in prop::collection::vec(records(), 0..40),
        format in select(FORMATS.to_vec()),
        delimiter in select(DELIMITERS.to_vec()),
        count in 0..50usize,
    ) {
        let files = files(format, delimiter);
        records.iter().for_each(|record| files.writer.write(record));
        let query = Query::of_service("web");
        let all = files.reader.all(&query);
        prop_assert_eq!(found(&all), sorted(&records));
        let last = files.reader.last(&query, count);
        let times = |lines: &[LogLine]| lines.iter().map(|line| line.at).collect::<Vec<_>>();
        // Of a file that is not in order of time itself, the last lines are those that were written last.
        if records.is_sorted_by_key(|record| record.at) {
            let skipped = all.lines.len().saturating_sub(count);
            prop_assert_eq!(times(&last.lines), times(&all.lines[skipped..]));
            prop_assert_eq!(last.has_earlier, skipped > 0);
        }
    }

    #[test]
    fn every_line_comes_once_whatever_becomes_of_the_files(
        steps in prop::collection::vec(prop_oneof![
            6 => (0..3usize).prop_map(Step::Write),
            3 => Just(Step::Poll),
            1 => (0..3usize).prop_map(Step::TurnOver),
            1 => (0..3usize).prop_map(Step::Delete),
            1 => (0..3usize).prop_map(Step::Half),
        ], 0..60),
        before in 0..4usize,
    ) {
        let files = files("{service}-{component}.log", "\n");
        let mut told = Told { files: &files, written: 0, turned: 0 };
        (0..before).for_each(|_| told.write(0));
        let (read, mut follower) = files.reader.last_and_follow(&Query::of_service("web"), 100);
        let mut numbers = told.numbers(&read);
        for step in steps {
            match step {
                Step::Write(component) => told.write(component),
                Step::TurnOver(component) => told.turn_over(component),
                // Somebody who deletes what nobody read yet wants it gone.
                Step::Delete(component) => {
                    numbers.extend(told.poll(&mut follower));
                    let _ = fs::remove_file(told.path(component));
                }
                // Somebody looks while a part of a line is there.
                Step::Half(component) => {
                    let rest = told.write_half(component);
                    numbers.extend(told.poll(&mut follower));
                    told.append(component, &rest);
                }
                Step::Poll => numbers.extend(told.poll(&mut follower)),
            }
        }
        numbers.extend(told.poll(&mut follower));
        numbers.sort_unstable();
        prop_assert_eq!(numbers, (0..told.written).collect::<Vec<_>>());
    }
}

#[derive(Clone, Debug)]
enum Step {
    Write(usize),
    Poll,
    TurnOver(usize),
    Delete(usize),
    Half(usize),
}

/// Writes lines that carry numbers.
struct Told<'a> {
    files: &'a Files,
    written: usize,
    turned: usize,
}

impl Told<'_> {
    fn path(&self, component: usize) -> PathBuf {
        self.files.folder.path().join(format!("web-{}.log", COMPONENTS[component]))
    }

    fn write(&mut self, component: usize) {
        self.files.writer.write(&LogRecord {
            at: Timestamp::from_millis(0),
            service: "web".to_owned(),
            instance: None,
            cluster: None,
            component: COMPONENTS[component].to_owned(),
            level: LogLevel::Event,
            message: self.written.to_string(),
        });
        self.written += 1;
    }

    /// The new name fits the format, too.
    fn turn_over(&mut self, component: usize) {
        self.turned += 1;
        let new = self.path(component).with_file_name(format!("web-old{}.log", self.turned));
        let _ = fs::rename(self.path(component), new);
    }

    /// Writes the beginning of a line; gives the rest.
    fn write_half(&mut self, component: usize) -> Vec<u8> {
        self.write(component);
        let path = self.path(component);
        let mut whole = fs::read(&path).unwrap();
        let rest = whole.split_off(whole.len() - 9);
        fs::OpenOptions::new().write(true).open(path).unwrap().set_len(whole.len() as u64).unwrap();
        rest
    }

    fn append(&self, component: usize, bytes: &[u8]) {
        let mut file = fs::OpenOptions::new().append(true).open(self.path(component)).unwrap();
        std::io::Write::write_all(&mut file, bytes).unwrap();
    }

    fn poll(&self, follower: &mut Follower) -> Vec<usize> {
        self.numbers(&follower.poll())
    }

    fn numbers(&self, read: &Read) -> Vec<usize> {
        assert!(read.problems.is_empty() && read.broken.is_empty(), "{:?} {:?}", read.problems, read.broken);
        read.lines.iter().map(|line| line.message.parse().unwrap()).collect()
    }
}
