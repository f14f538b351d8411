//! `am_i_mesos_leader`, and a Mesos master that always answers alike.

use std::io::{Read, Write};
use std::net::TcpListener;

use serde_json::{Value, json};

use crate::world::World;

/// A master's `host:port`. It reads what fits into one read: no request here is longer.
pub(crate) fn mesos(status: &str, headers: &str, body: &str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let length = body.len();
    let answer =
        format!("HTTP/1.1 {status}\r\n{headers}connection: close\r\ncontent-length: {length}\r\n\r\n{body}");
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let _ = stream.read(&mut [0; 8192]);
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    address
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_leads_is_told_by_text_and_exit_code() {
    let world = World::start().await;
    let ask = async |format: &str, json: bool| {
        world.set(json!({ "cluster_fqdn_format": format }));
        world.run_bare("am_i_mesos_leader", if json { &["--json"] } else { &[] }).await
    };
    let leading = mesos("200 OK", "", "<html>");
    let here = mesos("307 Temporary Redirect", &format!("location: //{leading}\r\n"), "");
    let run = ask(&here, false).await;
    assert_eq!((run.code, run.out.as_str()), (Some(0), "True\n"), "{}", run.talk);
    let run = ask(&here, true).await;
    let told: Value = serde_json::from_str(&run.out).unwrap();
    assert_eq!((run.code, told), (Some(0), json!({ "is_leader": true, "leader": "127.0.0.1" })));
    for (status, words) in [("503 Service Unavailable", "status 503"), ("200 OK", "names no leader")] {
        let run = ask(&mesos(status, "", ""), false).await;
        assert_eq!((run.code, run.out.as_str()), (Some(1), ""), "{}", run.talk);
        assert!(run.talk.contains(words) && run.talk.contains("`cluster_fqdn_format`"), "{}", run.talk);
    }
    let run = ask("127.0.0.1:1", true).await;
    assert_eq!((run.code, run.out.as_str()), (Some(1), ""));
    assert!(run.talk.contains("could not reach the Mesos master at http://127.0.0.1:1"), "{}", run.talk);
    assert_eq!(world.run_bare("am_i_mesos_leader", &["--nonsense"]).await.code, Some(2));
    world.end().await;
}
