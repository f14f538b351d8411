//! Follows what is written.

use std::collections::BTreeMap;
use std::fs::{File, Metadata};
use std::io::{self, BufReader, Read as _, Seek, SeekFrom};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::raw_lines::{LINE_BYTES_MAX, RawLines};
use crate::reader::merged;
use crate::{FileReader, LogLine, Query, Read, ReadError};

/// Bytes of one file that one poll reads; the rest waits for the next.
const POLL_BYTES_MAX: u64 = 8 * LINE_BYTES_MAX as u64;

/// Gives the lines that were written since it was last asked. How often to ask is the caller's business.
#[derive(Debug)]
pub struct Follower {
    reader: FileReader,
    query: Query,
    places: BTreeMap<PathBuf, Place>,
    /// What went wrong before the first poll.
    problems: Vec<ReadError>,
}

/// How far a file was read.
#[derive(Clone, Copy, Debug)]
struct Place {
    /// The file's own number: another file of the same name begins anew.
    inode: u64,
    offset: u64,
}

impl Follower {
    /// Begins at the present end of each file; files that come later are read from their beginning.
    pub(crate) fn new(reader: FileReader, query: Query) -> Self {
        let mut problems = Vec::new();
        let mut places = BTreeMap::new();
        for path in reader.files(&query, &mut problems) {
            match path.metadata() {
                Ok(metadata) => {
                    places.insert(path, Place { inode: metadata.ino(), offset: metadata.len() });
                }
                Err(source) => problems.push(ReadError { path, source }),
            }
        }
        Self { reader, query, places, problems }
    }

    /// The wanted lines that were completed since the last call. A file that was replaced or cut short is read
    /// from its beginning.
    pub fn poll(&mut self) -> Read {
        let mut read = Read { problems: std::mem::take(&mut self.problems), ..Read::default() };
        for path in self.reader.files(&self.query, &mut read.problems) {
            match self.poll_file(&path) {
                Ok(lines) => read.lines.extend(lines),
                Err(source) => read.problems.push(ReadError { path, source }),
            }
        }
        read.lines = merged(read.lines);
        read
    }

    fn poll_file(&mut self, path: &Path) -> io::Result<Vec<LogLine>> {
        let mut file = File::open(path)?;
        let metadata = file.metadata()?;
        let mut place = self.place(path, &metadata);
        file.seek(SeekFrom::Start(place.offset))?;
        let unread = BufReader::new(file.take(POLL_BYTES_MAX));
        let mut lines = RawLines::new(unread, &self.reader.line_delimiter);
        let mut wanted = Vec::new();
        while let Some(raw) = lines.next()? {
            let line = raw.text.filter(|_| raw.is_whole).as_deref().and_then(LogLine::parse);
            wanted.extend(line.filter(|line| self.query.wants(line)));
        }
        let is_stuck = lines.consumed() == 0 && metadata.len() - place.offset >= POLL_BYTES_MAX;
        place.offset += if is_stuck { POLL_BYTES_MAX } else { lines.consumed() };
        self.places.insert(path.to_owned(), place);
        Ok(wanted)
    }

    fn place(&self, path: &Path, metadata: &Metadata) -> Place {
        let inode = metadata.ino();
        let known = self.places.get(path).filter(|place| place.inode == inode);
        known.filter(|place| place.offset <= metadata.len()).copied().unwrap_or(Place { inode, offset: 0 })
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use paasta_core::{LogLevel, LogRecord, Timestamp};

    use super::*;
    use crate::FileWriter;

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

        fs::rename(&path, path.with_extension("old")).unwrap();
        fixture.log(9, "deploy", "rotated");
        assert_eq!(messages(&follower.poll()), ["rotated"]);
    }
}
