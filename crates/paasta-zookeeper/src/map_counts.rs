//! Autoscaled counts written down in one document, for dry runs without a coordinator.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use paasta_core::{Counts, InstanceId, Reading};
use serde_json::Value;

use crate::count_path;

/// Counts from a JSON map of ZooKeeper path to count: `{"/autoscaling/web/main/instances": 3}`. Paths that are
/// not in it have no count.
#[derive(Clone, Debug, Default)]
pub struct MapCounts {
    counts: BTreeMap<String, i64>,
}

/// Why a document of counts could not be used.
#[derive(Debug, thiserror::Error)]
pub enum MapCountsError {
    /// The file could not be read.
    #[error("could not read counts from `{path}`")]
    Read {
        /// The file.
        path: PathBuf,
        /// What happened.
        source: std::io::Error,
    },
    /// It is not JSON.
    #[error("could not parse counts as a JSON map of ZooKeeper path to count")]
    Parse(#[source] serde_json::Error),
    /// A value is not a count.
    #[error("{path}: {value} is not a count, expected an integer")]
    NotACount {
        /// The key.
        path: String,
        /// The value as written.
        value: String,
    },
}

impl MapCounts {
    /// Reads a file.
    pub fn read(path: &Path) -> Result<Self, MapCountsError> {
        let read = |source| MapCountsError::Read { path: path.to_owned(), source };
        Self::parse(&std::fs::read_to_string(path).map_err(read)?)
    }

    /// Reads a document. A count may also be a text of digits, as ZooKeeper holds it.
    ///
    /// ```
    /// assert!(paasta_zookeeper::MapCounts::parse(r#"{"/autoscaling/web/main/instances": 3}"#).is_ok());
    /// assert!(paasta_zookeeper::MapCounts::parse(r#"{"/autoscaling/web/main/instances": "x"}"#).is_err());
    /// ```
    pub fn parse(text: &str) -> Result<Self, MapCountsError> {
        let map: BTreeMap<String, Value> = serde_json::from_str(text).map_err(MapCountsError::Parse)?;
        let counts = map.into_iter().map(|(path, value)| {
            let count = match &value {
                Value::Number(number) => number.as_i64(),
                Value::String(text) => text.trim().parse().ok(),
                _ => None,
            };
            match count {
                Some(count) => Ok((path, count)),
                None => Err(MapCountsError::NotACount { path, value: value.to_string() }),
            }
        });
        Ok(Self { counts: counts.collect::<Result<_, _>>()? })
    }

    /// The count of one instance, if there is one.
    pub fn get(&self, instance: &InstanceId) -> Option<i64> {
        self.counts.get(&count_path(instance)).copied()
    }
}

#[async_trait]
impl Counts for MapCounts {
    async fn count(&self, instance: &InstanceId) -> Reading<Option<i64>> {
        Reading::Known(self.get(instance))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_by_zookeeper_path() {
        let text = r#"{"/autoscaling/my_svc/main/instances": 0, "/autoscaling/my_svc/web/instances": "7"}"#;
        let counts = MapCounts::parse(text).unwrap();
        let count = |name: &str| counts.get(&name.parse().unwrap());
        assert_eq!((count("my_svc.main"), count("my_svc.web"), count("my_svc.x")), (Some(0), Some(7), None));
    }

    #[test]
    fn what_is_no_count_is_refused() {
        for bad in ["", "[]", r#"{"/a": 1.5}"#, r#"{"/a": null}"#, r#"{"norcal": {"/a": 1}}"#] {
            assert!(MapCounts::parse(bad).is_err(), "{bad:?}");
        }
        assert!(MapCounts::read(Path::new("/nonexistent/counts.json")).is_err());
    }
}
