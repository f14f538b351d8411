//! Where a test is, and how it wants its session.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use paasta_zookeeper::Options;
use zookeeper_client::{Acls, Client, CreateMode};

use crate::server::Server;

/// What sessions are tested with: twice what this server grants at least.
pub(crate) const SESSION: Duration = Duration::from_millis(2000);

pub(crate) fn options() -> Options {
    Options { request_timeout: Duration::from_secs(20), ..Options::with_session_timeout(SESSION) }
}

impl Server {
    /// A connection string with a fresh path below which all of a test is.
    pub(crate) async fn place(&self) -> String {
        static PLACES: AtomicUsize = AtomicUsize::new(0);
        let path = format!("/test-{}", PLACES.fetch_add(1, Ordering::Relaxed));
        let client = Client::connect(&self.root()).await.expect("connects");
        let options = CreateMode::Persistent.with_acls(Acls::anyone_all());
        client.create(&path, b"", &options).await.expect("creates");
        self.root() + &path
    }
}
