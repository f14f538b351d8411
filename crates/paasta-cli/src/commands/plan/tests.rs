use paasta_core::{AppId, HomeId};
use paasta_deploy::{Side, Tasks, Version, effect};

use super::report::{Report, Row};
use super::text::render;
use crate::paint::Paint;

fn version(app: &str, tasks: usize) -> Side {
    Side::Version(Version { app: AppId::new(app), home: HomeId::new("h"), tasks: Tasks::Known(tasks) })
}

fn row(id: &str, from: Side, to: Side) -> Row {
    Row::new(&id.parse().unwrap(), effect(&from, &to), &from, &to, Vec::new())
}

#[test]
fn the_summary_says_how_far_it_reaches() {
    let rows = vec![
        row("web.main", version("a", 3), version("b", 3)),
        row("web.canary", version("a", 1), version("a", 1)),
        row("web.long_name", version("a", 1), version("a", 0)),
        row("web.gone", version("a", 2), Side::Absent),
        row("web.new", Side::Absent, version("a", 1)),
        row("web.idle", Side::Absent, Side::Absent),
        Row::of_service(&"bad".parse().unwrap(), "no\nYAML"),
    ];
    let report = Report::new("pnw".into(), "before".into(), "after".into(), rows);
    assert!(!report.is_certain());
    let text = render(&report, false, Paint::new(false));
    assert_eq!(
        text,
        "cluster  pnw\nfrom     before\nto       after\n\n\
         web.main       bounce   3 tasks are replaced\n\
         web.long_name  stop     1 task ends\n\
         web.gone       orphan   2 tasks run on unattended\n\
         web.new        create   1 task starts\n\
         bad            refused  no YAML\n\n\
         1 of 5 instances bounces, 3 tasks are replaced; 1 stops; 1 is created; 1 runs on, though no longer wanted; \
         1 is refused; 1 is not deployed.\n"
    );
    assert!(render(&report, true, Paint::new(false)).contains("web.canary     unchanged\n"));
}

#[test]
fn many_that_say_the_same_are_one_line() {
    let unknown =
        |number: usize| row(&format!("web.i{number}"), Side::Unknown("silent".into()), version("a", 1));
    let text = |count: usize, all: bool| {
        let rows = (0..count).map(unknown).collect();
        render(&Report::new("pnw".into(), "a".into(), "b".into(), rows), all, Paint::new(false))
    };
    let few = text(2, false);
    let expected =
        "web.i0  unknown  silent\nweb.i1  unknown  silent\n\n2 instances looked at; 2 are unknown.\n";
    assert!(few.ends_with(expected), "{few}");
    assert!(text(9, false).contains("web.i0 and 8 others  unknown  silent\n\n9 instances"));
    assert!(text(9, true).contains("web.i8  unknown  silent\n"));
}
