//! What a Mesos agent tells of its tasks: what they use, and the files they write. Only what stands in a task's own folder is
//! told, by plain names.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use axum::http::StatusCode;
use paasta_core::TaskId;
use serde_json::{Map, Value, json};

use super::reply::{self, Answer};
use super::request::Request;
use super::{Face, failure};

/// The most that one piece of a file has, as Mesos limits it.
const PIECE_BYTES_MAX: u64 = 64 * 1024;
/// What Mesos gives an executor beside its task, in processors; whoever reads limits takes it off.
const EXECUTOR_CPUS: f64 = 0.1;

/// `GET /monitor/statistics`: of each task what it may use, and what it uses where that is known.
pub(super) async fn statistics(face: &Face) -> Answer {
    let limits = face.caller.read(|engine, _| {
        let tasks = engine.memory().tasks.values().filter(|task| task.started_at().is_some());
        let of = |task: &crate::state::Task| {
            let needs = engine.memory().apps.get(&task.app).map(|app| app.definition.resources);
            (task.id.clone(), needs.unwrap_or_default())
        };
        tasks.map(of).collect::<Vec<_>>()
    });
    let limits = limits.await.map_err(|error| failure(&error))?;
    let (usage, now) = (face.executor.usage().await, face.clock.now());
    let entry = |(task, limits): &(TaskId, crate::state::Resources)| {
        let mut figures = json!({
            "timestamp": now.seconds(),
            "cpus_limit": limits.cpus + EXECUTOR_CPUS,
            "mem_limit_bytes": (limits.mem * 1024.0 * 1024.0).round(),
        });
        if let Some(used) = usage.get(task) {
            figures["cpus_user_time_secs"] = json!(used.user_seconds);
            figures["cpus_system_time_secs"] = json!(used.system_seconds);
            figures["mem_rss_bytes"] = json!(used.rss_bytes);
        }
        json!({
            "executor_id": task, "executor_name": "", "source": task,
            "framework_id": format!("{}-0000", face.engine), "statistics": figures,
        })
    };
    Ok(reply::ok(&limits.iter().map(entry).collect::<Value>()))
}

/// `GET /files/read?path=/TASK/stdout&offset=N&length=N`; an offset of -1 asks where the file ends.
pub(super) async fn read(face: &Face, request: &Request) -> Answer {
    let number = |name: &str, default: i64| match request.value(name).map(str::parse::<i64>) {
        None => Ok(default),
        Some(Ok(number)) if number >= -1 => Ok(number),
        Some(_) => {
            Err(reply::message(StatusCode::BAD_REQUEST, &format!("`{name}` must be a number from -1 on")))
        }
    };
    let (offset, length) = (number("offset", -1)?, number("length", -1)?);
    let path = request.value("path").unwrap_or_default().to_owned();
    let Some((folder, Some(name))) = place(face, &path) else { return Err(missing(&path)) };
    let file = folder.join(name);
    let piece = tokio::task::spawn_blocking(move || {
        let length = u64::try_from(length).map_or(PIECE_BYTES_MAX, |length| length.min(PIECE_BYTES_MAX));
        piece(&file, u64::try_from(offset).ok(), length)
    });
    told(&path, piece.await.unwrap_or_else(|error| Err(io::Error::other(error))))
}

/// `GET /files/browse?path=/TASK`.
pub(super) async fn browse(face: &Face, request: &Request) -> Answer {
    let path = request.value("path").unwrap_or_default().to_owned();
    let Some((folder, None)) = place(face, &path) else { return Err(missing(&path)) };
    let name = path.trim_end_matches('/').to_owned();
    let listing = tokio::task::spawn_blocking(move || listing(&folder, &name));
    told(&path, listing.await.unwrap_or_else(|error| Err(io::Error::other(error))))
}

/// `GET /files/debug`: where the folders of tasks are on this machine.
pub(super) async fn debug(face: &Face) -> Answer {
    let tasks = face.caller.read(|engine, _| engine.memory().tasks.keys().cloned().collect::<Vec<_>>());
    let tasks = tasks.await.map_err(|error| failure(&error))?;
    let folder = |task: &TaskId| Some((format!("/{task}"), json!(face.executor.sandbox(task)?)));
    Ok(reply::ok(&Value::Object(tasks.iter().filter_map(folder).collect::<Map<_, _>>())))
}

fn told(path: &str, answer: io::Result<Value>) -> Answer {
    match answer {
        Ok(value) => Ok(reply::ok(&value)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(missing(path)),
        Err(error) => Err(reply::message(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string())),
    }
}

fn missing(path: &str) -> axum::http::Response<axum::body::Body> {
    reply::message(StatusCode::NOT_FOUND, &format!("There is no `{path}`"))
}

/// The folder of a task, and the name of one file in it, of `/TASK` or `/TASK/NAME`.
fn place<'a>(face: &Face, path: &'a str) -> Option<(PathBuf, Option<&'a str>)> {
    let path = path.trim_matches('/');
    let (task, name) = match path.split_once('/') {
        Some((task, name)) => (task, Some(name)),
        None => (path, None),
    };
    let is_plain = |name: &str| !name.is_empty() && !name.starts_with('.') && !name.contains('/');
    let folder = face.executor.sandbox(&TaskId::new(task))?;
    name.is_none_or(is_plain).then_some((folder, name))
}

fn piece(file: &Path, offset: Option<u64>, length: u64) -> io::Result<Value> {
    // What a task has linked there is none of its files.
    if !fs::symlink_metadata(file)?.is_file() {
        return Err(io::ErrorKind::NotFound.into());
    }
    let mut file = File::open(file)?;
    let Some(offset) = offset else { return Ok(json!({ "data": "", "offset": file.metadata()?.len() })) };
    file.seek(SeekFrom::Start(offset))?;
    let mut bytes = Vec::new();
    file.take(length).read_to_end(&mut bytes)?;
    Ok(json!({ "data": String::from_utf8_lossy(&bytes), "offset": offset }))
}

fn listing(folder: &Path, name: &str) -> io::Result<Value> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)?.flatten() {
        let (metadata, own) = (entry.metadata()?, entry.file_name());
        let kind = if metadata.is_dir() { "d" } else { "-" };
        let mode = std::os::unix::fs::PermissionsExt::mode(&metadata.permissions());
        let bit = |shift: u32, letter: char| if mode >> shift & 1 == 1 { letter } else { '-' };
        let bits: String =
            (0..9).rev().map(|shift| bit(shift, ['x', 'w', 'r'][shift as usize % 3])).collect();
        files.push(json!({
            "path": format!("{name}/{}", own.to_string_lossy()), "size": metadata.len(), "mode": format!("{kind}{bits}"),
        }));
    }
    files.sort_by_key(|file| file["path"].as_str().map(str::to_owned));
    Ok(Value::Array(files))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_and_listings() {
        let folder = tempfile::tempdir().expect("a directory");
        let file = folder.path().join("stdout");
        fs::write(&file, "0123456789").expect("writes");
        assert_eq!(piece(&file, None, 5).expect("reads"), json!({ "data": "", "offset": 10 }));
        assert_eq!(piece(&file, Some(7), 5).expect("reads"), json!({ "data": "789", "offset": 7 }));
        assert_eq!(piece(&file, Some(70), 5).expect("reads"), json!({ "data": "", "offset": 70 }));
        std::os::unix::fs::symlink("/etc/passwd", folder.path().join("stderr")).expect("links");
        assert!(piece(&folder.path().join("stderr"), None, 5).is_err());
        let listed = listing(folder.path(), "/task").expect("lists");
        assert_eq!((&listed[1]["path"], &listed[1]["size"]), (&json!("/task/stdout"), &json!(10)));
        assert!(listed[1]["mode"].as_str().expect("a mode").starts_with("-rw"), "{listed}");
    }
}
