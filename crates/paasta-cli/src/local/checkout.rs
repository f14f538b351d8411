//! Images of this machine: an image names a service and a git sha, and stands for a checkout of that sha.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use paasta_core::{GitSha, ServiceName};
use paasta_deployments::without_password;
use tempfile::TempDir;
use tokio::process::Command;
use tokio::task::spawn_blocking;

/// One `git` command may take this long.
const GIT_SECONDS_MAX: u64 = 300;

/// Finds the git remote of a service: `git_url` of its service.yaml.
pub type RemoteOf = dyn Fn(&ServiceName) -> Result<String, String> + Send + Sync;

/// Checkouts below one directory, `<directory>/<service>/<sha>`, made when they are first asked for and shared by
/// every task of that sha.
pub struct Checkouts {
    directory: PathBuf,
    remote_of: Arc<RemoteOf>,
    under_way: Mutex<HashMap<PathBuf, Arc<tokio::sync::Mutex<()>>>>,
}

/// Why there is no checkout.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CheckoutError {
    /// The image's name does not say what to check out.
    #[error("image `{image}` names no commit, expected `services-<service>:paasta-<git sha>`")]
    NotOurs {
        /// The name.
        image: String,
    },
    /// The service has no remote.
    #[error("could not find the git remote of service `{service}`: {reason}")]
    NoRemote {
        /// The service.
        service: ServiceName,
        /// What happened.
        reason: String,
    },
    /// The remote did not give the commit.
    #[error("could not get commit {sha} of service `{service}` from {url}: {reason}")]
    NotFetched {
        /// The service.
        service: ServiceName,
        /// The commit.
        sha: GitSha,
        /// The remote.
        url: String,
        /// What git said.
        reason: String,
    },
    /// The disk did not take it.
    #[error("could not make the checkout `{}`: {reason}", path.display())]
    NotWritten {
        /// Where it was to be.
        path: PathBuf,
        /// What happened.
        reason: String,
    },
}

impl Checkouts {
    /// Checkouts below `directory`.
    pub fn new(directory: PathBuf, remote_of: Box<RemoteOf>) -> Self {
        let remote_of = Arc::from(remote_of);
        Self { directory, remote_of, under_way: Mutex::default() }
    }

    /// Removes what an earlier process did not finish.
    pub fn tidy(&self) {
        let services = std::fs::read_dir(&self.directory).into_iter().flatten().flatten();
        let checkouts = services.filter_map(|service| std::fs::read_dir(service.path()).ok());
        for checkout in checkouts.flatten().flatten() {
            if checkout.file_name().to_string_lossy().starts_with(UNFINISHED) {
                // What stays costs only space, and is tried again at the next start.
                let _ = std::fs::remove_dir_all(checkout.path());
            }
        }
    }

    /// The folder that holds the image's commit. Whoever asks for the same one meanwhile waits for it.
    pub async fn resolve(&self, image: &str) -> Result<PathBuf, CheckoutError> {
        let (service, sha) = parse_image(image)?;
        let path = self.directory.join(service.as_str()).join(sha.as_str());
        let turn = self.turn(&path);
        let _turn = turn.lock().await;
        if !is_dir(&path).await {
            self.check_out(&service, &sha, &path).await?;
        }
        Ok(path)
    }

    fn turn(&self, path: &Path) -> Arc<tokio::sync::Mutex<()>> {
        let mut under_way = self.under_way.lock().unwrap_or_else(PoisonError::into_inner);
        under_way.retain(|_, turn| Arc::strong_count(turn) > 1);
        Arc::clone(under_way.entry(path.to_owned()).or_default())
    }

    async fn check_out(&self, service: &ServiceName, sha: &GitSha, path: &Path) -> Result<(), CheckoutError> {
        let (remote_of, of) = (Arc::clone(&self.remote_of), service.clone());
        let url = spawn_blocking(move || remote_of(&of)).await.unwrap_or_else(|panic| Err(panic.to_string()));
        let url = url.map_err(|reason| CheckoutError::NoRemote { service: service.clone(), reason })?;
        let not_written =
            |error: io::Error| CheckoutError::NotWritten { path: path.to_owned(), reason: error.to_string() };
        let unfinished =
            Unfinished::make(self.directory.join(service.as_str())).await.map_err(not_written)?;
        let fetched = fetch(unfinished.path(), &url, sha).await;
        if let Err(reason) = fetched {
            unfinished.remove().await;
            return Err(CheckoutError::NotFetched {
                service: service.clone(),
                sha: sha.clone(),
                reason: reason.replace(&url, &without_password(&url)),
                url: without_password(&url),
            });
        }
        unfinished.finish(path.to_owned()).await.map_err(not_written)
    }
}

async fn is_dir(path: &Path) -> bool {
    tokio::fs::metadata(path).await.is_ok_and(|metadata| metadata.is_dir())
}

/// A checkout in the making. Dropped on the way out, whatever happens, it takes its remains along; large ones take
/// their time, so that never happens on the runtime's own threads.
struct Unfinished(Option<TempDir>);

impl Unfinished {
    async fn make(parent: PathBuf) -> io::Result<Self> {
        let make = move || {
            std::fs::create_dir_all(&parent)?;
            tempfile::Builder::new().prefix(UNFINISHED).tempdir_in(&parent)
        };
        Ok(Self(Some(off_runtime(make).await?)))
    }

    fn path(&self) -> &Path {
        self.0.as_ref().map_or(Path::new(""), TempDir::path)
    }

    async fn remove(mut self) {
        // What stays is removed at the next start.
        let _ = off_runtime({
            let directory = self.0.take();
            move || directory.map_or(Ok(()), TempDir::close)
        })
        .await;
    }

    async fn finish(mut self, path: PathBuf) -> io::Result<()> {
        let Some(directory) = self.0.take() else { return Ok(()) };
        off_runtime(move || {
            std::fs::remove_dir_all(directory.path().join(".git"))?;
            std::fs::rename(directory.path(), path)?;
            // It is not there any more.
            let _ = directory.keep();
            Ok(())
        })
        .await
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if let (Some(directory), Ok(runtime)) = (self.0.take(), tokio::runtime::Handle::try_current()) {
            runtime.spawn_blocking(move || drop(directory));
        }
    }
}

async fn off_runtime<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    spawn_blocking(work).await.unwrap_or_else(|panic| Err(io::Error::other(panic)))
}

const UNFINISHED: &str = ".unfinished-";

/// `[registry/]services-<service>:paasta-<sha>`.
fn parse_image(image: &str) -> Result<(ServiceName, GitSha), CheckoutError> {
    let name = image.rsplit('/').next().unwrap_or_default();
    let parts = name.strip_prefix("services-").and_then(|name| name.split_once(":paasta-"));
    let parsed =
        parts.and_then(|(service, sha)| Some((ServiceName::new(service).ok()?, GitSha::new(sha).ok()?)));
    parsed.ok_or_else(|| CheckoutError::NotOurs { image: image.to_owned() })
}

/// Asks for the one commit, and for everything where the remote does not give out single commits.
async fn fetch(into: &Path, url: &str, sha: &GitSha) -> Result<(), String> {
    git(into, &["init", "--quiet"]).await?;
    let one = git(into, &["fetch", "--quiet", "--depth", "1", "--no-tags", "--", url, sha.as_str()]).await;
    if one.is_err() {
        let everything = ["+refs/heads/*:refs/heads/fetched/*", "+refs/tags/*:refs/tags/*"];
        let mut arguments = vec!["fetch", "--quiet", "--no-tags", "--", url];
        arguments.extend(everything);
        git(into, &arguments).await?;
    }
    git(into, &["-c", "advice.detachedHead=false", "checkout", "--quiet", "--detach", sha.as_str()]).await
}

/// Runs the `git` command with the user's own configuration, and no questions asked.
async fn git(dir: &Path, arguments: &[&str]) -> Result<(), String> {
    let mut command = Command::new("git");
    command.arg("-C").arg(dir).args(arguments);
    // A repository that we happen to be started in is none of a checkout's business.
    for variable in ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_NAMESPACE"] {
        command.env_remove(variable);
    }
    command.env("GIT_TERMINAL_PROMPT", "0").env("LC_ALL", "C");
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).kill_on_drop(true);
    let patience = Duration::from_secs(GIT_SECONDS_MAX);
    match tokio::time::timeout(patience, command.output()).await {
        Err(_) => Err(format!("git took longer than {GIT_SECONDS_MAX} s")),
        Ok(Err(error)) => Err(format!("could not run `git`: {error}")),
        Ok(Ok(output)) if output.status.success() => Ok(()),
        Ok(Ok(output)) => Err(one_line(&String::from_utf8_lossy(&output.stderr))),
    }
}

/// What git says, without line ends.
fn one_line(text: &str) -> String {
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    if lines.is_empty() { "git failed without a word".to_owned() } else { lines.join("; ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sh(dir: &Path, script: &str) -> String {
        let output =
            std::process::Command::new("sh").args(["-ec", script]).current_dir(dir).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    fn repository(root: &Path) -> String {
        sh(
            root,
            "git init -q repo && cd repo && git config user.email a@b.c && git config user.name a \
             && echo one > file && git add . && git commit -qm one && git rev-parse HEAD \
             && echo two > file && git commit -qam two",
        )
    }

    fn checkouts(root: &Path) -> Checkouts {
        let url = format!("file://{}", root.join("repo").display());
        let remote_of = move |service: &ServiceName| match service.as_str() {
            "shop" => Ok(url.clone()),
            _ => Err("it has no `git_url`".to_owned()),
        };
        Checkouts::new(root.join("checkouts"), Box::new(remote_of))
    }

    #[tokio::test]
    async fn an_image_is_a_checkout_of_its_sha_made_once() {
        let root = tempfile::tempdir().unwrap();
        let sha = repository(root.path());
        let checkouts = checkouts(root.path());
        let image = format!("registry:5000/services-shop:paasta-{sha}");
        let (first, second) = tokio::join!(checkouts.resolve(&image), checkouts.resolve(&image));
        let path = first.unwrap();
        assert_eq!(second, Ok(path.clone()));
        assert_eq!(std::fs::read_to_string(path.join("file")).unwrap(), "one\n");
        assert!(!path.join(".git").exists());
        std::fs::remove_dir_all(root.path().join("repo")).unwrap();
        assert_eq!(checkouts.resolve(&image).await, Ok(path), "what is there needs no remote");
    }

    #[tokio::test]
    async fn what_cannot_be_had_is_named_and_leaves_nothing() {
        let root = tempfile::tempdir().unwrap();
        repository(root.path());
        let checkouts = checkouts(root.path());
        let error = checkouts.resolve("busybox:latest").await.unwrap_err();
        assert!(error.to_string().starts_with("image `busybox:latest` names no commit"), "{error}");
        let sha = "0".repeat(40);
        let error = checkouts.resolve(&format!("services-shop:paasta-{sha}")).await.unwrap_err();
        assert!(matches!(error, CheckoutError::NotFetched { .. }), "{error}");
        let error = checkouts.resolve(&format!("services-other:paasta-{sha}")).await.unwrap_err();
        assert_eq!(
            error.to_string(),
            "could not find the git remote of service `other`: it has no `git_url`"
        );
        assert_eq!(std::fs::read_dir(root.path().join("checkouts/shop")).unwrap().count(), 0);
    }

    /// The error ends up in the task's message, which everybody may read.
    #[tokio::test]
    async fn a_password_in_a_remotes_url_does_not_print() {
        let root = tempfile::tempdir().unwrap();
        let remote_of = |_: &ServiceName| Ok("http://me:p4ss@127.0.0.1:1/shop".to_owned());
        let checkouts = Checkouts::new(root.path().join("checkouts"), Box::new(remote_of));
        let error = checkouts.resolve(&format!("services-shop:paasta-{}", "0".repeat(40))).await.unwrap_err();
        assert!(error.to_string().contains("127.0.0.1:1/shop"), "{error}");
        assert!(!format!("{error} {error:?}").contains("p4ss"), "{error:?}");
    }

    #[test]
    fn unfinished_checkouts_go_at_the_next_start() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("checkouts/shop");
        std::fs::create_dir_all(folder.join(format!("{UNFINISHED}x"))).unwrap();
        std::fs::create_dir_all(folder.join("done")).unwrap();
        checkouts(root.path()).tidy();
        let left: Vec<_> =
            std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left, ["done"]);
    }
}
