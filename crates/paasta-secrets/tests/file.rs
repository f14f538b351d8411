//! Secrets under a key file.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use common::{Tree, everything, make, mode, write};
use paasta_config::Soa;
use paasta_secrets::{KeyFile, SecretError, SecretName, SecretProvider, WriteAction, decrypt_references};
use secrecy::ExposeSecret;
use serde_json::{Value, json};

const VALUE: &str = "hunter2 grüßt";

fn system(tree: &Tree, key: &str) -> Value {
    json!({
        "secret_provider": "file",
        "secret_key_file": tree.path(key),
        "vault_cluster_map": {"pnw-prod": "prod", "norcal-prod": "prod", "pnw-dev": "dev"},
    })
}

fn at(tree: &Tree, service: &str, clusters: &[&str]) -> Box<dyn SecretProvider> {
    make(&system(tree, "key"), tree.options(service, clusters)).unwrap()
}

fn tree() -> Tree {
    let tree = Tree::new();
    KeyFile::create(tree.path("key")).unwrap();
    tree
}

async fn read(provider: &dyn SecretProvider, name: &str) -> Result<String, SecretError> {
    let text = provider.decrypt_secret(&SecretName::new(name).unwrap()).await?;
    Ok(text.expose_secret().to_owned())
}

#[tokio::test]
async fn what_is_written_can_be_read_in_every_ecosystem() {
    let tree = tree();
    let all = at(&tree, "svc", &["pnw-prod", "norcal-prod", "pnw-dev"]);
    assert_eq!(all.ecosystems(), ["prod", "dev"]);
    let path = write(&*all, WriteAction::Add, "x-key", VALUE).await.unwrap();
    assert_eq!((path.clone(), mode(&path)), (tree.secret("x-key"), 0o644));
    for cluster in ["pnw-prod", "norcal-prod", "pnw-dev"] {
        assert_eq!(read(&*at(&tree, "svc", &[cluster]), "x-key").await.unwrap(), VALUE);
    }
    let document = tree.document("x-key");
    assert!(!document.to_string().contains("hunter2"));
    // The signature is what the hash takes up.
    let environment = paasta_config::parse_yaml(b"A: SECRET(x-key)", "env").unwrap().root;
    let signatures = Soa::open(tree.soa()).secret_signatures(
        &"svc".parse().unwrap(),
        environment.as_map().unwrap(),
        Some("dev"),
    );
    let signature = signatures["SECRET(x-key)"].clone();
    assert!(signature.is_some());
    assert_eq!(signature, at(&tree, "svc", &["pnw-dev"]).signature_from_data(&document));
    assert_ne!(signature, all.signature_from_data(&document));
    assert_eq!(at(&tree, "svc", &["elsewhere"]).signature_from_data(&document), None);
}

#[tokio::test]
async fn a_signature_changes_with_the_value_alone_and_does_not_show_equal_values() {
    let tree = tree();
    let provider = at(&tree, "svc", &["pnw-prod"]);
    let mut signatures = Vec::new();
    for (action, name, value) in [
        (WriteAction::Add, "a", VALUE),
        (WriteAction::Update, "a", VALUE),
        (WriteAction::Update, "a", "another"),
        (WriteAction::Add, "b", VALUE),
    ] {
        write(&*provider, action, name, value).await.unwrap();
        signatures.push(provider.signature_from_data(&tree.document(name)).unwrap());
    }
    assert_eq!(signatures[0], signatures[1]);
    assert_ne!(signatures[1], signatures[2]);
    assert_ne!(signatures[0], signatures[3]);
}

#[tokio::test]
async fn adding_needs_a_new_secret_and_updating_an_old_one() {
    let tree = tree();
    let (prod, dev) = (at(&tree, "svc", &["pnw-prod"]), at(&tree, "svc", &["pnw-dev"]));
    let missing = write(&*prod, WriteAction::Update, "a", "1").await.unwrap_err();
    assert!(matches!(missing, SecretError::NoSecret { .. }), "{missing}");
    write(&*prod, WriteAction::Add, "a", "1").await.unwrap();
    let before = tree.document("a");
    let again = write(&*prod, WriteAction::Add, "a", "2").await.unwrap_err();
    assert!(matches!(again, SecretError::Exists { .. }), "{again}");
    assert_eq!(tree.document("a"), before);
    // Another ecosystem joins, and leaves the first alone, as it does members that are not ours.
    let mut document = before.clone();
    document["note"] = json!("kept");
    fs::write(tree.secret("a"), document.to_string()).unwrap();
    write(&*dev, WriteAction::Update, "a", "3").await.unwrap();
    let after = tree.document("a");
    assert_eq!(
        (&after["environments"]["prod"], &after["note"]),
        (&before["environments"]["prod"], &json!("kept"))
    );
    assert_eq!(
        (read(&*prod, "a").await.unwrap(), read(&*dev, "a").await.unwrap()),
        ("1".to_owned(), "3".to_owned())
    );
    let unwritable = write(&*prod, WriteAction::Add, "_a", "1").await.unwrap_err();
    assert!(matches!(unwritable, SecretError::BadName { .. }), "{unwritable}");
    let stranger = write(&*at(&tree, "nobody", &["pnw-prod"]), WriteAction::Add, "a", "1").await.unwrap_err();
    assert!(matches!(stranger, SecretError::NoService { .. }), "{stranger}");
}

#[tokio::test]
async fn another_key_another_place_or_a_changed_byte_cannot_be_decrypted() {
    let tree = tree();
    let both = at(&tree, "svc", &["pnw-prod", "pnw-dev"]);
    write(&*both, WriteAction::Add, "a", VALUE).await.unwrap();
    let original = tree.document("a");
    let ciphertext = original["environments"]["prod"]["ciphertext"].as_str().unwrap().to_owned();
    let undecryptable = |error: SecretError| {
        assert!(matches!(error, SecretError::Undecryptable { .. }), "{error}");
        assert!(!everything(&error).contains("hunter2"), "{error:?}");
    };
    for place in (0..ciphertext.len()).step_by(7) {
        let mut changed = ciphertext.clone().into_bytes();
        changed[place] = if changed[place] == b'A' { b'B' } else { b'A' };
        let mut document = original.clone();
        document["environments"]["prod"]["ciphertext"] = json!(String::from_utf8(changed).unwrap());
        fs::write(tree.secret("a"), document.to_string()).unwrap();
        undecryptable(read(&*both, "a").await.unwrap_err());
    }
    for ciphertext in ["", "paasta-file:v1:", "paasta-file:v1:AAAA", "vault:v1:AAAA"] {
        let document = json!({"environments": {"prod": {"ciphertext": ciphertext}}});
        fs::write(tree.secret("a"), document.to_string()).unwrap();
        undecryptable(read(&*both, "a").await.unwrap_err());
    }
    // Another ecosystem's, name's and service's ciphertext.
    let mut swapped = original.clone();
    swapped["environments"]["prod"] = original["environments"]["dev"].clone();
    fs::write(tree.secret("a"), swapped.to_string()).unwrap();
    undecryptable(read(&*both, "a").await.unwrap_err());
    fs::write(tree.secret("b"), original.to_string()).unwrap();
    undecryptable(read(&*both, "b").await.unwrap_err());
    fs::create_dir_all(tree.soa().join("other/secrets")).unwrap();
    fs::write(tree.soa().join("other/secrets/a.json"), original.to_string()).unwrap();
    undecryptable(read(&*at(&tree, "other", &["pnw-prod"]), "a").await.unwrap_err());
    // Another key.
    fs::write(tree.secret("a"), original.to_string()).unwrap();
    assert_eq!(read(&*both, "a").await.unwrap(), VALUE);
    KeyFile::create(tree.path("other-key")).unwrap();
    let other = make(&system(&tree, "other-key"), tree.options("svc", &["pnw-prod"])).unwrap();
    undecryptable(read(&*other, "a").await.unwrap_err());
}

#[tokio::test]
async fn files_that_are_not_as_they_should_be_say_so() {
    let tree = tree();
    let provider = at(&tree, "svc", &["pnw-prod"]);
    fs::create_dir_all(tree.soa().join("svc/secrets")).unwrap();
    for (content, expected) in [
        ("{", "EOF"),
        ("[]", "object"),
        ("{}", "object `environments`"),
        (r#"{"environments": {"dev": {}}}"#, "no entry for ecosystem `prod`"),
        (r#"{"environments": {"prod": {"signature": "x"}}}"#, "no ciphertext for ecosystem `prod`"),
        (r#"{"environments": {"prod": {"ciphertext": 1}}}"#, "no ciphertext for ecosystem `prod`"),
    ] {
        fs::write(tree.secret("a"), content).unwrap();
        let error = read(&*provider, "a").await.unwrap_err();
        assert!(
            error.to_string().contains(expected) && error.to_string().contains("a.json"),
            "{content}: {error}"
        );
    }
    let error = read(&*provider, "missing").await.unwrap_err();
    assert!(error.to_string().contains("svc/secrets/missing.json"), "{error}");
    fs::write(tree.path("outside.json"), "{}").unwrap();
    symlink(tree.path("outside.json"), tree.secret("link")).unwrap();
    let error = read(&*provider, "link").await.unwrap_err();
    assert!(matches!(error, SecretError::Source(_)), "{error}");
}

#[tokio::test]
async fn bytes_are_secrets_too_but_no_text() {
    let tree = tree();
    let provider = at(&tree, "svc", &["pnw-prod"]);
    let (name, bytes) = (SecretName::new("raw").unwrap(), vec![0xff, 0, 1]);
    let plaintext = paasta_secrets::Plaintext::from(bytes.clone());
    let write = paasta_secrets::Write {
        action: WriteAction::Add,
        name: &name,
        plaintext: &plaintext,
        motivation: Some("one for all"),
    };
    provider.write_secret(write).await.unwrap();
    assert_eq!(provider.decrypt_secret_raw(&name).await.unwrap().expose_secret(), bytes);
    assert!(matches!(provider.decrypt_secret(&name).await, Err(SecretError::NotText { .. })));
    let entry = &tree.document("raw")["environments"]["prod"];
    assert_eq!(entry["cross_environment_motivation"], json!("one for all"));
    write_empty(&*provider, &tree).await;
}

async fn write_empty(provider: &dyn SecretProvider, tree: &Tree) {
    write(provider, WriteAction::Add, "empty", "").await.unwrap();
    assert_eq!(read(provider, "empty").await.unwrap(), "");
    assert!(tree.secret("empty").exists());
}

#[tokio::test]
async fn references_are_sorted_into_own_and_shared() {
    let tree = tree();
    let (own, shared) = (at(&tree, "svc", &["pnw-prod"]), at(&tree, "_shared", &["pnw-prod"]));
    write(&*own, WriteAction::Add, "a", "of svc").await.unwrap();
    write(&*shared, WriteAction::Add, "a", "of all").await.unwrap();
    let environment = |pairs: &[(&str, &str)]| -> BTreeMap<String, String> {
        pairs.iter().map(|(variable, value)| ((*variable).to_owned(), (*value).to_owned())).collect()
    };
    let given = environment(&[("OWN", "SECRET(a)"), ("ALL", "SHARED_SECRET(a)"), ("PLAIN", "secret(a)")]);
    let decrypted = decrypt_references(&given, &*own, &*shared).await.unwrap();
    let texts: Vec<_> =
        decrypted.iter().map(|(variable, text)| (variable.as_str(), text.expose_secret())).collect();
    assert_eq!(texts, [("ALL", "of all"), ("OWN", "of svc")]);
    assert!(!format!("{decrypted:?}").contains("of svc"));
    for value in ["SECRET()", "SECRET(a)\n", "SECRET(missing)"] {
        let error = decrypt_references(&environment(&[("X", value)]), &*own, &*shared).await.unwrap_err();
        assert!(
            matches!(error, SecretError::BadName { .. } | SecretError::NoSecret { .. }),
            "{value:?}: {error}"
        );
    }
    let error = own.decrypt_environment(&given).await.unwrap_err();
    assert!(matches!(error, SecretError::OtherService { .. }), "{error}");
}

#[test]
fn key_files_are_for_their_owner_alone() {
    let tree = Tree::new();
    let path = tree.path("key");
    let key = KeyFile::create(&path).unwrap();
    assert_eq!(mode(&path), 0o600);
    let text = fs::read_to_string(&path).unwrap();
    assert!(!format!("{key:?}").contains(text.trim()), "{key:?}");
    assert!(KeyFile::create(&path).is_err());
    assert_eq!(fs::read_to_string(&path).unwrap(), text);
    for bits in [0o640, 0o604, 0o620, 0o601] {
        fs::set_permissions(&path, fs::Permissions::from_mode(bits)).unwrap();
        let error = KeyFile::load(&path).unwrap_err();
        assert!(error.to_string().contains(&format!("{bits:04o}")), "{error}");
        assert!(error.hint().unwrap().contains("chmod 600"));
    }
    fs::set_permissions(&path, fs::Permissions::from_mode(0o400)).unwrap();
    assert!(KeyFile::load(&path).is_ok());
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    for content in ["", "AAAA", "not base64 at all", &text[..40]] {
        fs::write(&path, content).unwrap();
        let error = KeyFile::load(&path).unwrap_err();
        assert!(error.to_string().contains("32 bytes in base64"), "{content}: {error}");
    }
    assert!(matches!(KeyFile::load(tree.path("")).unwrap_err(), SecretError::BadKeyFile { .. }));
    assert!(matches!(KeyFile::load(tree.path("nothing")).unwrap_err(), SecretError::Io { .. }));
}

#[tokio::test]
async fn a_cluster_without_a_provider_says_so_at_every_call() {
    let tree = Tree::new();
    for system in [json!({}), json!({"secret_provider": "paasta_tools.secret_providers"})] {
        let provider = make(&system, tree.options("svc", &["pnw-prod"])).unwrap();
        let request = paasta_secrets::CertificateRequest {
            pki_backend: "pki".to_owned(),
            ttl: "8h".to_owned(),
            user: "me".to_owned(),
            folder: tree.path("pki"),
        };
        let name = SecretName::new("a").unwrap();
        for error in [
            provider.decrypt_secret(&name).await.err(),
            provider.decrypt_secret_raw(&name).await.err(),
            provider.decrypt_environment(&BTreeMap::new()).await.err(),
            write(&*provider, WriteAction::Add, "a", "b").await.err(),
            provider.renew_issue_cert(&request).await.err(),
        ] {
            let error = error.unwrap();
            assert!(matches!(error, SecretError::Unimplemented { .. }), "{error}");
            assert!(error.hint().unwrap().contains("secret_provider"));
        }
    }
    for (system, expected) in [
        (json!({"secret_provider": "gpg"}), "unknown secret provider `gpg`"),
        (json!({"secret_provider": 1}), "secret_provider"),
        (json!({"secret_provider": "file"}), "secret_key_file"),
        (
            json!({"secret_provider": "vault", "vault_cluster_map": {}}),
            "`pnw-prod` is not in `vault_cluster_map`",
        ),
        (
            json!({"secret_provider": "vault", "vault_cluster_map": {"pnw-prod": 1}}),
            "vault_cluster_map.pnw-prod",
        ),
        (json!({"secret_provider": "vault", "vault_cluster_map": {"pnw-prod": "e"}}), "ecosystem `e`"),
    ] {
        let error = make(&system, tree.options("svc", &["pnw-prod"])).unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
    }
    let error = make(&json!({"secret_provider": "vault"}), tree.options("svc", &[])).unwrap_err();
    assert!(matches!(error, SecretError::NoCluster { .. }), "{error}");
}
