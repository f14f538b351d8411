//! Writes a secret under a key file and reads it again: `cargo run -p paasta-secrets --example one_secret`.

use paasta_config::SystemConfig;
use paasta_secrets::{
    KeyFile, Options, Plaintext, SecretName, Write, WriteAction, provider, suggested_variable,
};
use secrecy::ExposeSecret;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = tempfile::tempdir()?;
    let (soa, key) = (folder.path().join("soa"), folder.path().join("secret.key"));
    std::fs::create_dir_all(soa.join("example"))?;
    KeyFile::create(&key)?;
    let system = serde_json::json!({"secret_provider": "file", "secret_key_file": key});
    let system = SystemConfig::from_json(&system.to_string())?;

    let provider = provider(&system, Options::new(&soa, "example".parse()?, vec!["local".parse()?]))?;
    let name = SecretName::new_to_write("database-password")?;
    let plaintext = Plaintext::from(b"correct horse battery staple".to_vec());
    let write = Write { action: WriteAction::Add, name: &name, plaintext: &plaintext, motivation: None };
    let file = provider.write_secret(write).await?;

    println!("{}", std::fs::read_to_string(&file)?.trim_end());
    println!("refer to it by  {}: SECRET({name})", suggested_variable(&name));
    let decrypted = provider.decrypt_secret(&name).await?;
    println!("it says         {}", decrypted.expose_secret());
    println!("and prints as   {decrypted:?}");
    Ok(())
}
