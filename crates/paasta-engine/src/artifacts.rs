//! What an app's image stands for on this machine.

use std::path::{Path, PathBuf};

use async_trait::async_trait;

/// Finds what to execute. An app carries an image name and no code; whoever embeds the engine knows where the
/// code is.
#[async_trait]
pub trait Artifacts: Send + Sync {
    /// What `image` (`registry/services-svc:paasta-<sha>`) stands for. Called once per task launch; an error
    /// fails that task, whose app backs off. May take its time: the engine bounds it
    /// ([`crate::Config::artifact_seconds_max`]).
    async fn resolve(&self, image: &str) -> Result<Artifact, ArtifactError>;
}

/// What a task's command runs in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Artifact {
    /// A directory that is copied for each task, so that tasks cannot disturb each other or the original.
    Directory(PathBuf),
    /// A directory that is the working directory as it is. The caller promises that tasks may share it.
    Shared(PathBuf),
}

/// Why an image stands for nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ArtifactError {
    /// Nobody knows it.
    #[error("no artifact for image `{image}`: {reason}")]
    NotFound {
        /// The image.
        image: String,
        /// Where it was looked for.
        reason: String,
    },
    /// It is known but cannot be had now.
    #[error("could not get the artifact of image `{image}`: {reason}")]
    Unavailable {
        /// The image.
        image: String,
        /// What happened.
        reason: String,
    },
}

/// Directories below one, named for the image's tag: `<root>/paasta-<sha>` for `…:paasta-<sha>`.
#[derive(Clone, Debug)]
pub struct DirectoryArtifacts {
    root: PathBuf,
}

impl DirectoryArtifacts {
    /// Looks below `root`.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    fn find(&self, image: &str) -> Result<Artifact, ArtifactError> {
        let not_found = |reason: String| ArtifactError::NotFound { image: image.to_owned(), reason };
        let tag = tag_of(image).ok_or_else(|| not_found("it has no tag".to_owned()))?;
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        if tag.starts_with('.') || !tag.chars().all(plain) {
            return Err(not_found(format!("tag `{tag}` is not the name of a directory")));
        }
        let path = self.root.join(tag);
        if path.is_dir() {
            Ok(Artifact::Directory(path))
        } else {
            Err(not_found(format!("`{}` is not a directory", path.display())))
        }
    }
}

#[async_trait]
impl Artifacts for DirectoryArtifacts {
    async fn resolve(&self, image: &str) -> Result<Artifact, ArtifactError> {
        self.find(image)
    }
}

/// Every image is there and stands for nothing, for tasks that are only written down ([`crate::IdleExecutor`]).
#[derive(Clone, Copy, Debug, Default)]
pub struct EmptyArtifacts;

#[async_trait]
impl Artifacts for EmptyArtifacts {
    async fn resolve(&self, _image: &str) -> Result<Artifact, ArtifactError> {
        Ok(Artifact::Shared(PathBuf::new()))
    }
}

/// The part after the colon that is not a registry's port.
fn tag_of(image: &str) -> Option<&str> {
    let name = Path::new(image).file_name()?.to_str()?;
    name.rsplit_once(':').map(|(_, tag)| tag).filter(|tag| !tag.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn tags_name_directories() {
        let root = tempfile::tempdir().expect("a directory");
        std::fs::create_dir(root.path().join("paasta-abc")).expect("a directory");
        let artifacts = DirectoryArtifacts::new(root.path());
        let found = artifacts.resolve("registry:5000/services-svc:paasta-abc").await;
        assert_eq!(found, Ok(Artifact::Directory(root.path().join("paasta-abc"))));
        for bad in ["registry:5000/services-svc", "svc:", "svc:paasta-other", "svc:..", "svc:.hidden"] {
            assert!(artifacts.resolve(bad).await.is_err(), "{bad}");
        }
    }
}
