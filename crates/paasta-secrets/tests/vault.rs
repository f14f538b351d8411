//! Secrets under a stand-in for Vault: the requests and answers of its HTTP API that are used, no cryptography.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::{Path, Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use common::{Tree, everything, make, mode, write};
use paasta_secrets::{
    CertificateRequest, SecretError, SecretName, SecretProvider, VaultAuthentication, VaultError, WriteAction,
};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

const TOKEN: &str = "hvs.CAESITOKEN";
const VALUE: &str = "hunter2";
const PASSWORD: &str = "correct horse";

/// How the stand-in answers.
#[derive(Clone, Copy, PartialEq)]
enum Mood {
    Well,
    Answers(u16, &'static str),
    Silent,
    Endless,
    Elsewhere,
}

/// The path of a request, and the token that came along.
type Asked = (String, Option<String>);

#[derive(Clone)]
struct StandIn {
    address: SocketAddr,
    mood: Arc<Mutex<Mood>>,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl StandIn {
    async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let stand_in = Self {
            address: listener.local_addr().unwrap(),
            mood: Arc::new(Mutex::new(Mood::Well)),
            asked: Arc::default(),
        };
        let router = Router::new().route("/v1/{*path}", post(answer)).with_state(stand_in.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        stand_in
    }

    fn system(&self, more: &Value) -> Value {
        let mut server = json!({"url": format!("http://{}", self.address), "timeout_seconds": 5});
        server.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!({
            "secret_provider": "paasta_tools.secret_providers.vault",
            "vault_cluster_map": {"pnw-prod": "prod", "pnw-dev": "dev"},
            "vault_servers": {"prod": server, "dev": server},
        })
    }

    /// A provider for `svc` that has the token.
    fn provider(&self, tree: &Tree, clusters: &[&str]) -> Box<dyn SecretProvider> {
        let mut options = tree.options("svc", clusters);
        options.vault_authentication = VaultAuthentication::Token(SecretString::from(TOKEN));
        make(&self.system(&json!({})), options).unwrap()
    }

    fn is(&self, mood: Mood) {
        *self.mood.lock().unwrap() = mood;
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().drain(..).map(|(path, _)| path).collect()
    }
}

async fn answer(State(stand_in): State<StandIn>, Path(path): Path<String>, request: Request) -> Response {
    let token = request.headers().get("x-vault-token").map(|token| token.to_str().unwrap().to_owned());
    stand_in.asked.lock().unwrap().push((path.clone(), token.clone()));
    let body = axum::body::to_bytes(request.into_body(), 1 << 20).await.unwrap();
    let mood = *stand_in.mood.lock().unwrap();
    match mood {
        Mood::Well => well(&path, token.as_deref(), &serde_json::from_slice(&body).unwrap()).into_response(),
        Mood::Answers(status, text) => {
            (axum::http::StatusCode::from_u16(status).unwrap(), text).into_response()
        }
        Mood::Silent => std::future::pending().await,
        Mood::Endless => vec![b' '; 9 << 20].into_response(),
        Mood::Elsewhere => {
            let location = format!("http://{}/v1/{path}", stand_in.address);
            (axum::http::StatusCode::TEMPORARY_REDIRECT, [("location", location)]).into_response()
        }
    }
}

/// `encrypt` writes key, context and value one after the other; `decrypt` wants the same key and context.
fn well(path: &str, token: Option<&str>, body: &Value) -> (axum::http::StatusCode, String) {
    use axum::http::StatusCode;
    let text = |key: &str| body[key].as_str().unwrap_or_default().to_owned();
    let denied = (StatusCode::FORBIDDEN, json!({"errors": ["permission denied"]}).to_string());
    let said =
        |data: Value| (StatusCode::OK, json!({"request_id": "1", "data": data, "auth": null}).to_string());
    let logged_in = |token: &str| {
        (
            StatusCode::OK,
            json!({"data": null, "auth": {"client_token": token, "policies": ["x"]}}).to_string(),
        )
    };
    let parts: Vec<&str> = path.split('/').collect();
    if let ["auth", "ldap", "login", user] = parts[..] {
        return if text("password") == PASSWORD { logged_in(&format!("hvs.{user}")) } else { denied };
    }
    if parts == ["auth", "token", "create"] {
        return logged_in(&format!("{}.uses{}", token.unwrap(), body["num_uses"]));
    }
    if !token.is_some_and(|token| token.starts_with("hvs.")) {
        return denied;
    }
    match parts[..] {
        [.., "encrypt", key] => {
            said(json!({"ciphertext": format!("vault:v1:{key}:{}:{}", text("context"), text("plaintext"))}))
        }
        [.., "decrypt", key] => {
            match text("ciphertext").strip_prefix(&format!("vault:v1:{key}:{}:", text("context"))) {
                Some(plaintext) => said(json!({"plaintext": plaintext})),
                None => (
                    StatusCode::BAD_REQUEST,
                    json!({"errors": ["cipher: message authentication failed"]}).to_string(),
                ),
            }
        }
        [.., "hmac", key] => {
            let digest = ring::hmac::sign(
                &ring::hmac::Key::new(ring::hmac::HMAC_SHA256, key.as_bytes()),
                text("input").as_bytes(),
            );
            said(json!({"hmac": format!("vault:v1:{}", BASE64.encode(digest))}))
        }
        ["pki", "issue", user] => said(json!({
            "certificate": format!("certificate of {} by {user} for {}", text("common_name"), text("ttl")),
            "private_key": "key", "issuing_ca": "authority", "serial_number": "1",
        })),
        _ => (StatusCode::NOT_FOUND, json!({"errors": []}).to_string()),
    }
}

async fn read(provider: &dyn SecretProvider, name: &str) -> Result<String, SecretError> {
    let text = provider.decrypt_secret(&SecretName::new(name).unwrap()).await?;
    Ok(text.expose_secret().to_owned())
}

#[tokio::test]
async fn a_secret_is_encrypted_for_every_ecosystem_with_the_service_as_context() {
    let (tree, vault) = (Tree::new(), StandIn::start().await);
    let both = vault.provider(&tree, &["pnw-prod", "pnw-dev"]);
    write(&*both, WriteAction::Add, "a", VALUE).await.unwrap();
    assert_eq!(
        vault.asked(),
        ["transit/encrypt/paasta", "transit/hmac/paasta", "transit/encrypt/paasta", "transit/hmac/paasta"]
    );
    let document = tree.document("a");
    let expected = format!("vault:v1:paasta:{}:{}", BASE64.encode("svc"), BASE64.encode(VALUE));
    assert_eq!(document["environments"]["prod"]["ciphertext"], json!(expected));
    assert!(both.signature_from_data(&document).unwrap().starts_with("vault:v1:"));
    assert_ne!(document["environments"]["prod"]["signature"], document["environments"]["dev"]["signature"]);
    assert_eq!(read(&*vault.provider(&tree, &["pnw-dev"]), "a").await.unwrap(), VALUE);
    // The key is service.yaml's; what was encrypted with another cannot be read.
    fs::write(tree.soa().join("svc/service.yaml"), "encryption_key: team-a\n").unwrap();
    vault.asked();
    let error = read(&*both, "a").await.unwrap_err();
    assert!(matches!(&error, SecretError::Vault(VaultError::Refused { status: 400, .. })), "{error}");
    assert_eq!(vault.asked(), ["transit/decrypt/team-a"]);
    for key in ["../sys/seal", "''", "a b", "[x]"] {
        fs::write(tree.soa().join("svc/service.yaml"), format!("encryption_key: {key}\n")).unwrap();
        let error = read(&*both, "a").await.unwrap_err();
        assert!(error.to_string().contains("service.yaml:1:17: encryption_key"), "{error}");
    }
    assert!(vault.asked().is_empty());
}

#[tokio::test]
async fn who_we_are_comes_from_a_token_a_file_or_ldap() {
    let (tree, vault) = (Tree::new(), StandIn::start().await);
    write(&*vault.provider(&tree, &["pnw-prod"]), WriteAction::Add, "a", VALUE).await.unwrap();
    let file = tree.path("token");
    fs::write(&file, format!("{TOKEN}\n")).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    let ldap = |password: &str| VaultAuthentication::Ldap {
        user: "me".to_owned(),
        password: SecretString::from(password),
    };
    let provider = |authentication, uses, more: Value| {
        let mut options = tree.options("svc", &["pnw-prod"]);
        (options.vault_authentication, options.vault_token_uses) = (authentication, uses);
        make(&vault.system(&more), options).unwrap()
    };
    for (authentication, uses, token) in [
        (VaultAuthentication::TokenFile(file.clone()), None, TOKEN),
        (VaultAuthentication::TokenFile(file.clone()), Some(2), TOKEN),
        (ldap(PASSWORD), None, "hvs.me"),
        (ldap(PASSWORD), Some(2), "hvs.me.uses2"),
    ] {
        let provider = provider(authentication, uses, json!({}));
        vault.asked();
        for _ in 0..2 {
            assert_eq!(read(&*provider, "a").await.unwrap(), VALUE);
        }
        let asked = vault.asked.lock().unwrap().clone();
        // We log in once.
        assert_eq!(asked.iter().filter(|(path, _)| path.contains("decrypt")).count(), 2, "{asked:?}");
        assert!(asked.len() <= 4, "{asked:?}");
        assert_eq!(asked.last().unwrap().1.as_deref(), Some(token));
    }
    let error = read(&*provider(ldap("wrong"), None, json!({})), "a").await.unwrap_err();
    assert!(matches!(&error, SecretError::Vault(VaultError::Denied { .. })), "{error}");
    assert!(error.to_string().contains("log in as `me`") && !everything(&error).contains("wrong"), "{error}");
    // Mounts may be elsewhere.
    vault.asked();
    let elsewhere =
        provider(ldap(PASSWORD), None, json!({"transit_mount": "team/transit", "ldap_mount": "corp"}));
    assert!(read(&*elsewhere, "a").await.is_err());
    assert_eq!(vault.asked(), ["auth/corp/login/me"]);
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    let error =
        read(&*provider(VaultAuthentication::TokenFile(file), None, json!({})), "a").await.unwrap_err();
    assert!(error.to_string().contains("0644") && !everything(&error).contains(TOKEN), "{error}");
}

#[tokio::test]
async fn answers_that_are_no_answer_say_what_is_wrong_and_nothing_secret() {
    let (tree, vault) = (Tree::new(), StandIn::start().await);
    let provider = vault.provider(&tree, &["pnw-prod"]);
    write(&*provider, WriteAction::Add, "a", VALUE).await.unwrap();
    let before = fs::read(tree.secret("a")).unwrap();
    let secret = r#"{"data": {"plaintext": 5, "other": "hunter2"}}"#;
    for (mood, expected) in [
        (Mood::Answers(403, r#"{"errors": ["permission denied"]}"#), "does not let us"),
        (
            Mood::Answers(503, r#"{"errors": ["Vault is sealed"]}"#),
            "not in service (status 503): Vault is sealed",
        ),
        (Mood::Answers(500, "<html>"), "(status 500): it does not say why"),
        (Mood::Answers(400, "{\"errors\": [\"a\\u001b[31m\\nb\"]}"), "(status 400): a [31m b"),
        (Mood::Elsewhere, "(status 307)"),
        (Mood::Answers(200, "<html>"), "not the JSON that Vault answers"),
        (Mood::Answers(200, "{}"), "has no text `data."),
        (Mood::Answers(200, secret), "has no text `data."),
        (Mood::Answers(200, r#"{"data": {"plaintext": "hunter2!", "hmac": 1}}"#), "`data."),
        (Mood::Answers(204, ""), "not the JSON that Vault answers"),
        (Mood::Endless, "larger than 8 MiB"),
    ] {
        vault.is(mood);
        let read = read(&*provider, "a").await.unwrap_err();
        let written = write(&*provider, WriteAction::Update, "a", "new hunter2").await.unwrap_err();
        for error in [&read, &written] {
            assert!(error.to_string().contains("http://127.0.0.1"), "{error}");
            assert!(
                !everything(error).contains("hunter2") && !everything(error).contains(TOKEN),
                "{error:?}"
            );
        }
        assert!(read.to_string().contains(expected), "{read}");
        assert_eq!(fs::read(tree.secret("a")).unwrap(), before);
    }
    vault.is(Mood::Well);
    assert!(!format!("{provider:?}").contains(TOKEN), "{provider:?}");
}

#[tokio::test]
async fn waits_end() {
    let (tree, vault) = (Tree::new(), StandIn::start().await);
    write(&*vault.provider(&tree, &["pnw-prod"]), WriteAction::Add, "a", VALUE).await.unwrap();
    let mut options = tree.options("svc", &["pnw-prod"]);
    options.vault_authentication = VaultAuthentication::Token(SecretString::from(TOKEN));
    let provider = make(&vault.system(&json!({"timeout_seconds": 0.2})), options.clone()).unwrap();
    vault.is(Mood::Silent);
    let began = Instant::now();
    let error = read(&*provider, "a").await.unwrap_err();
    assert!(matches!(&error, SecretError::Vault(VaultError::TimedOut { .. })), "{error}");
    assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
    // Nobody listens.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let nobody = make(&vault.system(&json!({"url": format!("http://{port}")})), options).unwrap();
    let error = read(&*nobody, "a").await.unwrap_err();
    assert!(matches!(&error, SecretError::Vault(VaultError::Unreachable { .. })), "{error}");
}

#[tokio::test]
async fn a_certificate_goes_to_private_files() {
    let (tree, vault) = (Tree::new(), StandIn::start().await);
    let request = CertificateRequest {
        pki_backend: "pki".to_owned(),
        ttl: "8h".to_owned(),
        user: "me".to_owned(),
        folder: tree.path("home/.paasta/pki"),
    };
    let files = vault.provider(&tree, &["pnw-prod"]).renew_issue_cert(&request).await.unwrap();
    let names: Vec<_> = files.iter().map(|file| file.file_name().unwrap().to_str().unwrap()).collect();
    assert_eq!(names, ["prod.key", "prod.crt", "prod_ca.crt"]);
    assert!(files.iter().all(|file| mode(file) == 0o600));
    let contents: Vec<_> = files.iter().map(|file| fs::read_to_string(file).unwrap()).collect();
    assert_eq!(contents, ["key", "certificate of me.prod.paasta.yelp by me for 8h", "authority"]);
}

#[test]
fn urls_are_safe_ones() {
    let tree = Tree::new();
    let failed = |more: Value| {
        let server = json!({"prod": more});
        let system =
            json!({"secret_provider": "vault", "vault_cluster_map": {"c": "prod"}, "vault_servers": server});
        make(&system, tree.options("svc", &["c"])).map(|_| ()).map_err(|error| everything(&error))
    };
    for url in [
        "http://vault.example.com",
        "http://10.0.0.1:8200",
        "ftp://x",
        "vault:8200",
        "x",
        "https://u:pass@x",
        "https://x?a",
    ] {
        let error = failed(json!({"url": url})).unwrap_err();
        assert!(error.contains("as the URL of a Vault") && !error.contains("pass@"), "{url}: {error}");
    }
    for url in ["http://127.0.0.1:8200", "http://localhost:8200/", "http://[::1]:8200"] {
        assert_eq!(failed(json!({"url": url})), Ok(()), "{url}");
    }
    fs::write(tree.path("ca.pem"), "nothing").unwrap();
    for file in ["ca.pem", "missing.pem"] {
        let error = failed(json!({"url": "https://127.0.0.1:8200", "ca_file": tree.path(file)})).unwrap_err();
        assert!(error.contains(file), "{error}");
    }
}
