//! http(s), against `git http-backend` behind a small server, as a user would have set it up.

use std::fs;
use std::io::{BufRead as _, BufReader, Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::thread;

use paasta_deployments::{GitCommandRefs, Limits, Refs as _, RefsError};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::common::{Remote, git, missing};
use crate::promises::check_promises;

/// `user:password` as basic authentication sends it.
const BASIC: &str = "Basic dXNlcjpwYXNzd29yZA==";

/// What a server asks of its clients.
#[derive(Clone, Default)]
struct Server {
    folder: String,
    guarded: bool,
    tls: Option<Arc<ServerConfig>>,
}

impl Server {
    /// Serves the repositories below `folder`; its port.
    fn start(self) -> u16 {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (server, stream) = (self.clone(), stream.unwrap());
                thread::spawn(move || match &server.tls {
                    None => server.answer(BufReader::new(stream)),
                    Some(config) => {
                        let connection = ServerConnection::new(config.clone()).unwrap();
                        server.answer(BufReader::new(StreamOwned::new(connection, stream)));
                    }
                });
            }
        });
        port
    }

    /// One request, then the end: what a CGI needs of it, and what it says.
    fn answer<S: Read + Write>(&self, mut stream: BufReader<S>) {
        let mut line = String::new();
        if stream.read_line(&mut line).unwrap_or(0) == 0 {
            return;
        }
        let mut words = line.split_whitespace();
        let (method, target) = (words.next().unwrap().to_owned(), words.next().unwrap().to_owned());
        let headers = headers(&mut stream);
        let header = |name: &str| headers.iter().find(|(n, _)| n == name).map_or("", |(_, v)| v.as_str());
        if header("expect") == "100-continue" {
            stream.get_mut().write_all(b"HTTP/1.1 100 Continue\r\n\r\n").unwrap();
        }
        let body = body(&mut stream, header("content-length"), header("transfer-encoding"));
        if self.guarded && header("authorization") != BASIC {
            let no = "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"git\"\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
            let _ = stream.get_mut().write_all(no.as_bytes());
            return;
        }
        let (path, query) = target.split_once('?').unwrap_or((&target, ""));
        let mut cgi = Command::new("git");
        cgi.arg("http-backend").env("GIT_PROJECT_ROOT", &self.folder).env("GIT_HTTP_EXPORT_ALL", "1");
        cgi.env("REQUEST_METHOD", method).env("PATH_INFO", path).env("QUERY_STRING", query);
        cgi.env("CONTENT_TYPE", header("content-type")).env("CONTENT_LENGTH", body.len().to_string());
        cgi.env("HTTP_CONTENT_ENCODING", header("content-encoding"))
            .env("GIT_PROTOCOL", header("git-protocol"));
        cgi.env("REMOTE_ADDR", "127.0.0.1").stderr(Stdio::null());
        let mut cgi = cgi.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        // It may have enough before the end.
        let _ = cgi.stdin.take().unwrap().write_all(&body);
        let said = cgi.wait_with_output().unwrap().stdout;
        let end = said.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
        let (head, body) = (String::from_utf8_lossy(&said[..end]), &said[end + 4..]);
        let (status, head) = match head.strip_prefix("Status: ") {
            Some(rest) => rest.split_once("\r\n").unwrap_or((rest, "")),
            None => ("200 OK", &*head),
        };
        let length = body.len();
        let head =
            format!("HTTP/1.1 {status}\r\n{head}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n");
        // A client may have gone.
        let _ = stream.get_mut().write_all(&[head.as_bytes(), body].concat());
        let _ = stream.get_mut().flush();
    }
}

/// By their names in small letters.
fn headers(stream: &mut impl std::io::BufRead) -> Vec<(String, String)> {
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).unwrap();
        let Some((name, value)) = line.trim_end().split_once(':') else { return headers };
        headers.push((name.to_lowercase(), value.trim().to_owned()));
    }
}

fn body(stream: &mut impl std::io::BufRead, length: &str, encoding: &str) -> Vec<u8> {
    let mut body = Vec::new();
    if encoding != "chunked" {
        stream.take(length.parse().unwrap_or(0)).read_to_end(&mut body).unwrap();
        return body;
    }
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).unwrap();
        let length = u64::from_str_radix(line.trim(), 16).unwrap();
        stream.take(length).read_to_end(&mut body).unwrap();
        stream.read_line(&mut line).unwrap();
        if length == 0 {
            return body;
        }
    }
}

/// A user who has nothing but this folder: no configuration of the machine's, no agent.
fn user(url: &str, home: &Path) -> GitCommandRefs {
    let config = home.join(".gitconfig");
    GitCommandRefs::new(url, Limits::default())
        .unattended()
        .with_env("HOME", home)
        .with_env("GIT_CONFIG_NOSYSTEM", "1")
        .with_env("GIT_CONFIG_GLOBAL", &config)
        .with_env("no_proxy", "127.0.0.1")
}

fn remote_that_takes_pushes() -> Remote {
    let remote = Remote::new();
    git(&remote.path(), &["config", "http.receivepack", "true"]);
    remote
}

fn server(remote: &Remote) -> Server {
    Server { folder: remote.folder.path().display().to_string(), ..Server::default() }
}

#[test]
fn http() {
    let remote = remote_that_takes_pushes();
    let port = server(&remote).start();
    let home = tempfile::tempdir().unwrap();
    check_promises(&remote, &user(&format!("http://127.0.0.1:{port}/svc.git"), home.path()));
    let error = user(&format!("http://127.0.0.1:{port}/nothing.git"), home.path()).list().unwrap_err();
    assert!(
        matches!(&error, RefsError::Unreachable { reason, .. } if reason.contains("not found")),
        "{error}"
    );
}

#[test]
fn http_with_a_password_that_only_the_user_knows() {
    let remote = remote_that_takes_pushes();
    let port = Server { guarded: true, ..server(&remote) }.start();
    let url = format!("http://127.0.0.1:{port}/svc.git");
    let stranger = tempfile::tempdir().unwrap();
    let error = user(&url, stranger.path()).list().unwrap_err();
    assert!(matches!(&error, RefsError::Unreachable { .. }), "{error}");

    let netrc = tempfile::tempdir().unwrap();
    fs::write(netrc.path().join(".netrc"), "machine 127.0.0.1 login user password password\n").unwrap();
    check_promises(&remote, &user(&url, netrc.path()));

    let helper = tempfile::tempdir().unwrap();
    let program = "!f() { test \"$1\" = get && echo username=user && echo password=password; }; f";
    let config = format!("[credential]\n\thelper = \"{}\"\n", program.replace('"', "\\\""));
    fs::write(helper.path().join(".gitconfig"), config).unwrap();
    assert!(!user(&url, helper.path()).list().unwrap().is_empty());

    let inside = format!("http://user:password@127.0.0.1:{port}/svc.git");
    assert!(!user(&inside, stranger.path()).list().unwrap().is_empty());
    let wrong = format!("http://user:wr0ng@127.0.0.1:{port}/svc.git");
    let error = user(&wrong, stranger.path()).list().unwrap_err();
    assert!(!format!("{error} {error:?}").contains("wr0ng"), "{error}");
}

#[test]
fn https_with_a_certificate_that_only_the_user_trusts() {
    let remote = remote_that_takes_pushes();
    let home = tempfile::tempdir().unwrap();
    let Some(tls) = certificate(home.path()) else { return };
    let port = Server { tls: Some(tls), ..server(&remote) }.start();
    let url = format!("https://127.0.0.1:{port}/svc.git");
    let error = user(&url, home.path()).list().unwrap_err().to_string();
    assert!(error.contains("certificate"), "{error}");
    let config = format!("[http]\n\tsslCAInfo = {}\n", home.path().join("certificate.pem").display());
    fs::write(home.path().join(".gitconfig"), config).unwrap();
    let mut refs = user(&url, home.path());
    if is_set("GIT_SSL_CAINFO") {
        // Whoever sets it in this test's surroundings must not win over the user.
        refs = refs.with_env("GIT_SSL_CAINFO", home.path().join("certificate.pem"));
    }
    check_promises(&remote, &refs);
}

#[expect(clippy::disallowed_methods, reason = "a test's own surroundings")]
fn is_set(variable: &str) -> bool {
    std::env::var_os(variable).is_some()
}

/// Signed by itself, for 127.0.0.1. `None` where `openssl` is not installed.
fn certificate(folder: &Path) -> Option<Arc<ServerConfig>> {
    let arguments = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=127.0.0.1 \
                     -addext subjectAltName=IP:127.0.0.1 -addext basicConstraints=critical,CA:FALSE -keyout key.pem -out certificate.pem";
    let mut openssl = Command::new("openssl");
    openssl.args(arguments.split_whitespace()).current_dir(folder).stderr(Stdio::null());
    let Ok(made) = openssl.status() else {
        missing("openssl");
        return None;
    };
    assert!(made.success());
    let certificate = CertificateDer::from_pem_file(folder.join("certificate.pem")).unwrap();
    let key = PrivateKeyDer::from_pem_file(folder.join("key.pem")).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    Some(Arc::new(config.with_no_client_auth().with_single_cert(vec![certificate], key).unwrap()))
}
