//! Follows what is written.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::raw_lines::LINE_BYTES_MAX;
use crate::scan::{self, Scan, Wanted};
use crate::{FileReader, Query, Read, ReadError};

/// Bytes of one file that one poll reads; the rest waits for the next.
const POLL_BYTES_MAX: u64 = 8 * LINE_BYTES_MAX as u64;
/// A file that is gone or has another name now is looked at this many times more: somebody may still hold it open.
const LAST_LOOKS: usize = 2;

/// Gives the lines that were written since it was last asked. How often to ask is the caller's business.
///
/// Files are known by what they are and not by their names: one that is renamed is read to its end and not again, one that
/// takes its name is read from its beginning, and so is one that was cut short.
#[derive(Debug)]
pub struct Follower {
    reader: FileReader,
    query: Query,
    places: BTreeMap<FileId, Place>,
    /// What went wrong before the first poll.
    pub(crate) problems: Vec<ReadError>,
}

/// A file's device and number. As long as it is held open, no other file has them.
type FileId = (u64, u64);

/// How far a file was read.
#[derive(Debug)]
struct Place {
    path: PathBuf,
    file: File,
    offset: u64,
    /// How often it was not found any more.
    missed: usize,
}

impl Follower {
    /// Of nothing yet.
    pub(crate) fn new(reader: FileReader, query: Query) -> Self {
        Self { reader, query, places: BTreeMap::new(), problems: Vec::new() }
    }

    /// Goes on with a file from there.
    pub(crate) fn begin_at(&mut self, path: &Path, file: File, offset: u64) -> io::Result<()> {
        let id = id(&file.metadata()?);
        self.places.insert(id, Place { path: path.to_owned(), file, offset, missed: 0 });
        Ok(())
    }

    /// The wanted lines that were completed since the last call.
    pub fn poll(&mut self) -> Read {
        let mut read = Read { problems: std::mem::take(&mut self.problems), ..Read::default() };
        let listed = self.list(&mut read.problems);
        let wanted = Wanted { query: &self.query, delimiter: &self.reader.line_delimiter, count: usize::MAX };
        for place in self.places.values_mut() {
            read.add(place.path.clone(), place.poll(wanted));
        }
        if let Some(listed) = listed {
            self.places.retain(|id, place| {
                place.missed = if listed.contains(id) { 0 } else { place.missed + 1 };
                place.missed <= LAST_LOOKS
            });
        }
        read.merge(usize::MAX);
        read
    }

    /// Finds the files there are now; none at all if they could not be listed.
    fn list(&mut self, problems: &mut Vec<ReadError>) -> Option<BTreeSet<FileId>> {
        let before = problems.len();
        let mut listed = BTreeSet::new();
        for path in self.reader.files(&self.query, problems) {
            match self.find(&path) {
                Ok(id) => drop(listed.insert(id)),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(source) => problems.push(ReadError { path, source }),
            }
        }
        (problems.len() == before).then_some(listed)
    }

    fn find(&mut self, path: &Path) -> io::Result<FileId> {
        let known = id(&fs::metadata(path)?);
        if let Some(place) = self.places.get_mut(&known) {
            path.clone_into(&mut place.path);
            return Ok(known);
        }
        let file = File::open(path)?;
        // Another file may have come in its place meanwhile.
        let opened = id(&file.metadata()?);
        let new = || Place { path: path.to_owned(), file, offset: 0, missed: 0 };
        self.places.entry(opened).or_insert_with(new);
        Ok(opened)
    }
}

impl Place {
    fn poll(&mut self, wanted: Wanted<'_>) -> io::Result<Scan> {
        let length = self.file.metadata()?.len();
        if length < self.offset {
            self.offset = 0;
        }
        let end = length.min(self.offset.saturating_add(POLL_BYTES_MAX));
        let scan = scan::from(&mut self.file, (self.offset, end), wanted)?;
        let is_stuck = scan.next == self.offset && end - self.offset >= POLL_BYTES_MAX;
        self.offset = if is_stuck { end } else { scan.next };
        Ok(scan)
    }
}

fn id(metadata: &Metadata) -> FileId {
    (metadata.dev(), metadata.ino())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use paasta_core::{LogLevel, LogRecord, Timestamp};

    use super::*;
    use crate::{FileWriter, LineWriter as _};

    struct Fixture {
        directory: tempfile::TempDir,
        writer: FileWriter,
        reader: FileReader,
    }

    fn fixture() -> Fixture {
        let directory = tempfile::tempdir().unwrap();
        let format = format!("{}/{{service}}/{{component}}.log", directory.path().display());
        let (writer, reader) = (FileWriter::new(&format).unwrap(), FileReader::new(&format).unwrap());
        Fixture { directory, writer, reader }
    }

    impl Fixture {
        fn log(&self, millis: i64, component: &str, message: &str) {
            self.writer.write(&LogRecord {
                at: Timestamp::from_millis(millis),
                service: "web".to_owned(),
                instance: Some("main".to_owned()),
                cluster: Some("prod".to_owned()),
                component: component.to_owned(),
                level: LogLevel::Event,
                message: message.to_owned(),
            });
        }
    }

    fn messages(read: &Read) -> Vec<&str> {
        assert!(read.problems.is_empty(), "{:?}", read.problems);
        read.lines.iter().map(|line| line.message.as_str()).collect()
    }

    #[test]
    fn the_last_lines_of_several_files_in_order_of_time() {
        let fixture = fixture();
        assert!(messages(&fixture.reader.last(&Query::of_service("web"), 5)).is_empty());
        fixture.log(3, "deploy", "c");
        fixture.log(1, "build", "a");
        fixture.log(2, "build", "b");
        fixture.log(2, "build", "b");
        fixture.log(4, "deploy", "d");
        let query = Query::of_service("web");
        assert_eq!(messages(&fixture.reader.all(&query)), ["a", "b", "c", "d"]);
        assert_eq!(messages(&fixture.reader.last(&query, 3)), ["b", "c", "d"]);
        let range =
            Query { from: Some(Timestamp::from_millis(1)), to: Some(Timestamp::from_millis(4)), ..query };
        assert_eq!(messages(&fixture.reader.all(&range)), ["b", "c"]);
    }

    #[test]
    fn what_comes_next() {
        let fixture = fixture();
        fixture.log(1, "deploy", "before");
        let mut follower = fixture.reader.follow(&Query::of_service("web"));
        assert!(messages(&follower.poll()).is_empty());
        fixture.log(2, "deploy", "after");
        fixture.log(1, "build", "a new file");
        assert_eq!(messages(&follower.poll()), ["a new file", "after"]);
        assert!(messages(&follower.poll()).is_empty());

        let path = fixture.directory.path().join("web/deploy.log");
        let whole = fs::read_to_string(&path).unwrap();
        let (start, end) = whole.lines().last().unwrap().split_at(20);
        let append = |text: &str| fs::write(&path, fs::read_to_string(&path).unwrap() + text).unwrap();
        append(start);
        assert!(messages(&follower.poll()).is_empty(), "half a line is none");
        append(&format!("{end}\n"));
        assert_eq!(messages(&follower.poll()), ["after"]);

        fixture.log(8, "deploy", "right before");
        fs::rename(&path, path.with_extension("old")).unwrap();
        fixture.log(9, "deploy", "rotated");
        assert_eq!(messages(&follower.poll()), ["right before", "rotated"]);
    }

    /// What appends to a file, whatever it is called by now.
    fn append(file: &mut fs::File, text: &str) {
        std::io::Write::write_all(file, text.as_bytes()).unwrap();
    }

    #[test]
    fn nothing_is_missed_or_told_twice_between_the_last_lines_and_what_comes() {
        let fixture = fixture();
        fixture.log(1, "deploy", "whole");
        fixture.log(2, "deploy", "half");
        let path = fixture.directory.path().join("web/deploy.log");
        let text = fs::read_to_string(&path).unwrap();
        let (start, end) = text.split_at(text.len() - 30);
        fs::write(&path, start).unwrap();
        let (read, mut follower) = fixture.reader.last_and_follow(&Query::of_service("web"), 10);
        assert_eq!(messages(&read), ["whole"]);
        let mut file = fs::File::options().append(true).open(&path).unwrap();
        append(&mut file, end);
        assert_eq!(messages(&follower.poll()), ["half"]);
        assert!(messages(&follower.poll()).is_empty());
    }

    #[test]
    fn files_are_cut_short_renamed_within_the_format_and_deleted() {
        let directory = tempfile::tempdir().unwrap();
        // What is turned over keeps a name that fits.
        let format = format!("{}/{{service}}-{{component}}", directory.path().display());
        let (writer, reader) = (FileWriter::new(&format).unwrap(), FileReader::new(&format).unwrap());
        let fixture = Fixture { directory, writer, reader };
        let path = fixture.directory.path().join("web-deploy");
        fixture.log(1, "deploy", "before");
        let mut follower = fixture.reader.follow(&Query::of_service("web"));
        let mut held = fs::File::options().append(true).open(&path).unwrap();
        fs::rename(&path, path.with_file_name("web-deploy.1")).unwrap();
        fixture.log(2, "deploy", "new");
        assert_eq!(messages(&follower.poll()), ["new"]);
        append(&mut held, &fs::read_to_string(&path).unwrap().replace("new", "late"));
        assert_eq!(messages(&follower.poll()), ["late"]);

        fs::File::options().write(true).open(&path).unwrap().set_len(0).unwrap();
        fixture.log(3, "deploy", "c");
        assert_eq!(messages(&follower.poll()), ["c"]);

        fixture.log(4, "deploy", "last words");
        fs::remove_file(&path).unwrap();
        assert_eq!(messages(&follower.poll()), ["last words"]);
        fixture.log(5, "deploy", "anew");
        assert_eq!(messages(&follower.poll()), ["anew"]);
        fs::remove_dir_all(fixture.directory.path()).unwrap();
        assert!(follower.poll().lines.is_empty());
    }

    #[test]
    fn what_is_no_log_line_is_told() {
        let fixture = fixture();
        fixture.log(1, "deploy", "good");
        let path = fixture.directory.path().join("web/deploy.log");
        let good = fs::read_to_string(&path).unwrap();
        let bad = [b"{\"half\": \n".as_slice(), b"\n", b"\xff\xfe\n", good.as_bytes(), b"{\"unfinished"];
        fs::write(&path, bad.concat()).unwrap();
        let read = fixture.reader.last(&Query::of_service("web"), 5);
        assert_eq!(messages(&read), ["good"]);
        let told = read.broken[0].to_string();
        assert!(
            told.starts_with("2 lines are left out of `") && told.contains("begins at byte 0: "),
            "{told}"
        );
        let mut follower = fixture.reader.follow(&Query::of_service("web"));
        let mut file = fs::File::options().append(true).open(&path).unwrap();
        append(&mut file, " indeed\n");
        let told = follower.poll().broken[0].to_string();
        assert!(told.starts_with("1 line is") && told.contains("unfinished indeed"), "{told}");
    }

    #[test]
    fn the_end_of_a_large_file_is_enough() {
        let fixture = fixture();
        fixture.log(1, "deploy", "first");
        let path = fixture.directory.path().join("web/deploy.log");
        let first = fs::read_to_string(&path).unwrap();
        let many: String = (0..20_000).map(|n| first.replace("first", &format!("number {n}"))).collect();
        fs::write(&path, format!("{first}{many}")).unwrap();
        let query = Query::of_service("web");
        let read = fixture.reader.last(&query, 2);
        assert_eq!(messages(&read), ["number 19998", "number 19999"]);
        assert!(read.has_earlier);
        let all = fixture.reader.all(&query);
        assert_eq!((all.lines.len(), all.has_earlier), (20_001, false));
        let none = fixture.reader.last(&Query { components: ["build".to_owned()].into(), ..query }, 2);
        assert_eq!(none.passed_over[&crate::PassedOver::Component], 20_001);
    }
}
