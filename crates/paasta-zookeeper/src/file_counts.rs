//! Autoscaled counts of one machine.

use std::io::ErrorKind;
use std::path::PathBuf;

use async_trait::async_trait;
use paasta_core::{Counts, InstanceId, Reading};

use crate::count_path;

/// Counts in files below one directory, at the paths that ZooKeeper has them:
/// `autoscaling/<service>/<instance>/instances`, a decimal number.
#[derive(Clone, Debug)]
pub struct FileCounts {
    directory: PathBuf,
}

impl FileCounts {
    /// Counts below `directory`. Whatever is not there has no count.
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        Self { directory: directory.into() }
    }
}

#[async_trait]
impl Counts for FileCounts {
    async fn count(&self, instance: &InstanceId) -> Reading<Option<i64>> {
        let path = self.directory.join(count_path(instance).trim_start_matches('/'));
        match tokio::fs::read_to_string(&path).await {
            Ok(text) => match text.trim().parse() {
                Ok(count) => Reading::Known(Some(count)),
                Err(_) => {
                    Reading::Unknown(format!("`{}` holds no number: {:?}", path.display(), start(&text)))
                }
            },
            Err(error) if error.kind() == ErrorKind::NotFound => Reading::Known(None),
            Err(error) => Reading::Unknown(format!("could not read `{}`: {error}", path.display())),
        }
    }
}

/// As much of a text as a message can hold.
pub(crate) fn start(text: &str) -> String {
    text.chars().take(40).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn absent_is_none_and_garbage_is_unknown() {
        let directory = tempfile::tempdir().unwrap();
        let counts = FileCounts::new(directory.path());
        let instance: InstanceId = "my_svc.main".parse().unwrap();
        assert_eq!(counts.count(&instance).await, Reading::Known(None));

        let node = directory.path().join("autoscaling/my_svc/main");
        std::fs::create_dir_all(&node).unwrap();
        assert_eq!(counts.count(&instance).await, Reading::Known(None));
        std::fs::write(node.join("instances"), "12\n").unwrap();
        assert_eq!(counts.count(&instance).await, Reading::Known(Some(12)));
        std::fs::write(node.join("instances"), "a dozen").unwrap();
        assert!(counts.count(&instance).await.unknown().unwrap().contains("a dozen"));

        std::fs::remove_file(node.join("instances")).unwrap();
        std::fs::create_dir(node.join("instances")).unwrap();
        assert!(counts.count(&instance).await.unknown().is_some(), "unreadable is not absent");
    }
}
