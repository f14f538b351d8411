//! The client against a server that answers whatever the test says.

use std::time::Duration;

use paasta_api_client::{ApiClient, ApiError, StatusQuery, Timeouts};
use paasta_core::{InstanceId, LogStream, LogTail, TaskId};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// Answers one request with `answer` and gives its first line.
async fn server(answer: &'static str) -> (String, JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let served = tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.expect("a caller");
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\n") {
            request.push(socket.read_u8().await.expect("a whole request"));
        }
        socket.write_all(answer.as_bytes()).await.expect("the caller listens");
        String::from_utf8_lossy(&request).lines().next().unwrap_or_default().to_owned()
    });
    (url, served)
}

fn client(url: &str) -> ApiClient {
    let timeouts = Timeouts { connect: Duration::from_secs(5), total: Duration::from_secs(5) };
    ApiClient::new("pnw".parse().expect("a name"), url, timeouts).expect("a client")
}

fn instance() -> InstanceId {
    "web.main".parse().expect("an instance")
}

#[tokio::test]
async fn an_answer_is_read_and_unknown_fields_are_not_minded() {
    let (url, served) =
        server("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{\"service\":\"web\",\"instance\":\"main\",\"git_sha\":\"\",\"flink\":{\"a\":1}}")
            .await;
    let status = client(&url).status(&instance(), StatusQuery { verbose: 2 }).await.expect("an answer");
    assert_eq!(status.instance.as_str(), "main");
    assert_eq!(served.await.expect("served"), "GET /v1/services/web/main/status?verbose=2 HTTP/1.1");
}

#[tokio::test]
async fn an_id_cannot_leave_its_place_in_the_path() {
    let (url, served) = server("HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n").await;
    let task = TaskId::new("a/../b?c");
    let tail = LogTail::last(3);
    let outcome = client(&url).task_log(&instance(), &task, LogStream::Stderr, tail).await;
    assert!(matches!(outcome, Err(ApiError::Garbled { .. })), "{outcome:?}");
    assert_eq!(
        served.await.expect("served"),
        "GET /v1/services/web/main/tasks/a%2F..%2Fb%3Fc/log?stream=stderr&lines=3 HTTP/1.1"
    );
}

#[tokio::test]
async fn errors_name_the_cluster_the_url_and_what_was_said() {
    let (url, _served) =
        server("HTTP/1.1 502 Bad Gateway\r\nConnection: close\r\n\r\n<h1>no backend</h1>\nmore").await;
    let error = client(&url).version().await.expect_err("502");
    assert_eq!(
        error.to_string(),
        format!("the API of cluster `pnw` answered 502 to {url}/v1/version: <h1>no backend</h1>")
    );

    let (url, _served) = server(
        "HTTP/1.1 404 Not Found\r\nConnection: close\r\n\r\n{\"error\":{\"code\":\"no_such_instance\",\"message\":\"none\",\"detail\":[\"why\"]}}",
    )
    .await;
    let error = client(&url).services().await.expect_err("404");
    assert_eq!(error.status(), Some(404));
    assert!(error.to_string().ends_with(": none: why"), "{error}");
}

#[tokio::test]
async fn credentials_in_a_url_do_not_show() {
    let api = client("http://me:p4ss@127.0.0.1:1");
    let error = api.version().await.expect_err("nobody listens");
    let ftp = ApiClient::new("local".parse().expect("a name"), "ftp://me:p4ss@h", Timeouts::default());
    let shown = format!("{api:?} {error} {error:?} {:?}", ftp.expect_err("no such scheme"));
    assert!(shown.contains("127.0.0.1:1") && !shown.contains("p4ss"), "{shown}");
}

#[tokio::test]
async fn nobody_there_is_unreachable() {
    let port = {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        listener.local_addr().expect("an address").port()
    };
    let error = client(&format!("http://127.0.0.1:{port}")).version().await.expect_err("nobody listens");
    assert!(matches!(error, ApiError::Unreachable { .. }), "{error:?}");
    let wrong = ApiClient::new("pnw".parse().expect("a name"), "ftp://x", Timeouts::default());
    assert!(matches!(wrong, Err(ApiError::Url { .. })));
}
