//! Tables as several versions of HAProxy write them; the servers are the same in all of them.

use paasta_smartstack::{BackendState, Backends, read_table};

const TABLES: [(&str, &str); 5] = [
    ("1.3: no health checks told", include_str!("recorded/1.3.csv")),
    ("1.4", include_str!("recorded/1.4.csv")),
    ("1.8", include_str!("recorded/1.8.csv")),
    ("2.6", include_str!("recorded/2.6.csv")),
    ("columns in another order", include_str!("recorded/reordered.csv")),
];

fn told(backends: &Backends) -> Vec<String> {
    let line = |backend: &paasta_smartstack::Backend| {
        let address = backend.address.map(|address| address.to_string()).unwrap_or_default();
        let host = backend.host.as_deref().unwrap_or_default();
        format!("{} {host} {address} {:?}", backend.registration, backend.state)
    };
    backends.iter().map(line).collect()
}

#[test]
fn every_version_tells_the_same() {
    for (version, table) in TABLES {
        let backends = read_table(table.as_bytes()).unwrap_or_else(|error| panic!("{version}: {error}"));
        let want = [
            "api.main host-d 10.0.0.4:31004 Other",
            "web.main host_a 10.0.0.1:31001 Up",
            "web.main host-b 10.0.0.2:31002 Up",
            "web.main host-c 10.0.0.3:31003 Down",
            "web.main host-e 10.0.0.5:31005 Maintenance",
        ];
        assert_eq!(told(&backends), want, "{version}");
        assert_eq!(backends.all_up(), [("web.main", 2)].into(), "{version}");
        let checked = backends.of("web.main")[0].check_status == "L7OK";
        assert_eq!(checked, !version.starts_with("1.3"), "{version}");
    }
}

#[test]
fn a_table_cut_between_two_lines_is_shorter_and_elsewhere_an_error_or_as_long() {
    for (version, table) in TABLES {
        let whole = read_table(table.as_bytes()).unwrap();
        for cut in 0..table.len() {
            let Ok(part) = read_table(&table.as_bytes()[..cut]) else { continue };
            for backend in part.iter() {
                let same = whole.of(&backend.registration).contains(backend);
                assert!(same, "{version}, cut after {cut} bytes: {backend:?}");
            }
        }
    }
}

#[test]
fn draining_servers_get_no_new_traffic() {
    for status in ["DRAIN", "DRAIN (agent)", "NOLB"] {
        assert_eq!(BackendState::of_haproxy(status), BackendState::Draining);
    }
}
