//! Whatever a load balancer answers is read or refused, in bounded time and memory.

use std::time::{Duration, Instant};

use paasta_smartstack::{Backends, TableError, read_table};
use proptest::prelude::*;

const HEADER: &str = "# pxname,svname,status,check_status,check_code,check_duration,lastchg,weight,";

/// What is kept of an answer: how many servers, and how much text.
fn kept(backends: &Backends) -> (usize, usize) {
    let text = |one: &paasta_smartstack::Backend| {
        let texts = [&one.registration, &one.server, &one.status, &one.check_status, &one.check_code];
        texts.iter().map(|text| text.len()).sum::<usize>() + one.host.as_ref().map_or(0, String::len)
    };
    (backends.iter().count(), backends.iter().map(text).sum())
}

/// Cells as HAProxy writes them, and as nobody should.
fn cell() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => "(UP|DOWN|MAINT|UP 1/2|no check|FRONTEND|BACKEND)",
        4 => "[a-z]{1,8}_10\\.0\\.0\\.[0-9]{1,3}:[0-9]{1,6}",
        2 => "\"[a-z,\\n\"]{0,8}\"?",
        2 => "-?[0-9]{0,25}",
        1 => "\\PC{0,12}",
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_more_is_kept_than_came(rows in proptest::collection::vec(proptest::collection::vec(cell(), 0..12), 0..40), end in 0_usize..80) {
        let lines: Vec<String> = rows.iter().map(|cells| cells.join(",") + ",").collect();
        let table = format!("{HEADER}\n{}", lines.join("\n"));
        // Whole, and cut off anywhere in its last part.
        let cut = table.len().saturating_sub(end);
        for bytes in [table.as_bytes(), &table.as_bytes()[..cut]] {
            if let Ok(backends) = read_table(bytes) {
                let (servers, text) = kept(&backends);
                prop_assert!(servers <= table.matches('\n').count());
                // A host is told twice: by itself, and in the name of its server. What is no UTF-8 takes up to three times as much.
                prop_assert!(text <= 2 * 3 * bytes.len(), "{text} of {}", bytes.len());
            }
        }
    }

    #[test]
    fn any_bytes_behind_a_good_header_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..2_000)) {
        let mut table = format!("{HEADER}\n").into_bytes();
        table.extend(&bytes);
        if let Ok(backends) = read_table(&table) {
            prop_assert!(kept(&backends).0 <= bytes.len());
        }
    }
}

/// Were any of these looked at again for each of its bytes, it would take days.
#[test]
fn hostile_megabytes_end_soon() {
    const BYTES: usize = 1 << 20;
    for piece in [",", "\"", "\n", "a", "\"\"", "\",\"", "a,\n", "\"a\n", "é", "\r\n"] {
        let begin = Instant::now();
        let table = format!("{HEADER}\n{}", piece.repeat(BYTES / piece.len()));
        let _ = read_table(table.as_bytes());
        assert!(begin.elapsed() < Duration::from_secs(60), "{piece:?} took {:?}", begin.elapsed());
    }
}

#[test]
fn a_row_without_end_and_servers_without_end_are_refused() {
    let wide = format!("{HEADER}\n{}", ",".repeat(100_000));
    let error = read_table(wide.as_bytes()).unwrap_err();
    assert_eq!(error, TableError::Wide { line: 2, columns_max: 1024 });
    assert_eq!(
        read_table(",".repeat(100_000).as_bytes()),
        Err(TableError::Wide { line: 1, columns_max: 1024 })
    );
    let many = format!("{HEADER}\n{}", "a.b,c,UP,,,,,,\n".repeat(300_001));
    assert_eq!(read_table(many.as_bytes()), Err(TableError::Long { servers_max: 300_000 }));
}
