//! Asks an API how an instance does: `ask http://127.0.0.1:5054 web.main`.

use paasta_api_client::{ApiClient, StatusQuery, Timeouts};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(url), Some(instance)) = (arguments.next(), arguments.next()) else {
        return Err("usage: ask URL SERVICE.INSTANCE".into());
    };
    let api = ApiClient::new("example".parse()?, &url, Timeouts::default())?;
    let status = api.status(&instance.parse()?, StatusQuery { verbose: 1 }).await?;
    println!("{}", serde_json::to_string_pretty(&status)?);
    Ok(())
}
