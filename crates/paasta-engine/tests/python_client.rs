//! PaaSTA's own Marathon client drives the engine.

#![expect(clippy::disallowed_methods, reason = "a test's own surroundings")]

mod common;

use std::process::Stdio;

use common::Place;

/// Whether Python has the `marathon` package.
fn client_is_there() -> bool {
    let asked = std::process::Command::new("python3")
        .args(["-c", "import marathon"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    asked.is_ok_and(|status| status.success())
}

#[tokio::test]
async fn the_python_client_drives_the_engine() {
    if !client_is_there() {
        let required = std::env::var("PAASTA_REQUIRE_COMPONENTS").is_ok_and(|value| value == "1");
        assert!(!required, "python3 with the package `marathon` is required but missing");
        eprintln!("skipped: python3 with the package `marathon` is not installed");
        return;
    }
    let place = Place::new((22000, 22019));
    let engine = place.start().await;
    let output = tokio::process::Command::new("python3")
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/python_client.py"))
        .arg(format!("http://{}", engine.address()))
        .output()
        .await
        .expect("runs");
    let said =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{said}");
    assert!(said.contains("all calls answered as Marathon does"), "{said}");
}
