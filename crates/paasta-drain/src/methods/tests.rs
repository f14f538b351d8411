//! What holds for every line of the table, and what settings come to.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use paasta_config::{Node, Position};
use paasta_core::{AppId, Health, Registration, TaskId, TaskPhase, Timestamp};

use super::*;

fn place() -> DrainPlace {
    DrainPlace {
        service: "web".parse().unwrap(),
        instance: "main".parse().unwrap(),
        registrations: vec![Registration::new("web.main").unwrap()],
    }
}

fn tools() -> DrainTools {
    DrainTools::new("tests", "0").unwrap()
}

fn task(ports: &[u16]) -> Task {
    Task {
        id: TaskId::new("t1"),
        app: AppId::new("web.main.git1.config1"),
        host: "127.0.0.1".to_owned(),
        ports: ports.to_vec(),
        phase: TaskPhase::Running,
        staged_at: None,
        started_at: None,
        health: Health::Alive,
    }
}

fn map(entries: &[(&str, Node)]) -> Map {
    entries.iter().map(|(key, value)| (Node::text(*key), value.clone())).collect()
}

/// The answer of what does no IO.
fn now_or_never<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("it waits for something"),
    }
}

fn http_params() -> Map {
    let call = || {
        let url = Node::text("http://{host}:{port}/{service}/{instance}/{nerve_ns}");
        Node::new(Value::Map(map(&[("url_format", url), ("success_codes", Node::new(Value::Int(200)))])))
    };
    map(&[("drain", call()), ("stop_draining", call()), ("is_draining", call()), ("is_safe_to_kill", call())])
}

#[test]
fn the_table_is_sorted_and_documented() {
    assert!(METHODS.is_sorted_by_key(|method| method.name));
    assert_eq!(
        METHODS.iter().map(|m| m.name).collect::<Vec<_>>().join(" "),
        "crashy_drain hacheck http noop test"
    );
    for method in METHODS {
        assert!(method.summary.ends_with('.') && method.summary.len() > 20, "{}", method.name);
    }
}

#[test]
fn every_method_takes_a_task_without_ports_twice() {
    for method in METHODS {
        let params = if method.name == "http" { http_params() } else { Map::new() };
        let built = (method.build)(&params, &place(), &tools()).unwrap();
        let now = Timestamp::from_millis(0);
        for _ in 0..2 {
            let drained = now_or_never(built.drain(&task(&[]), now)).is_ok();
            let stopped = now_or_never(built.stop_draining(&task(&[]))).is_ok();
            let asked = now_or_never(built.status(&task(&[])));
            let expected = match method.name {
                "noop" | "test" => (true, true, true),
                "hacheck" => (true, true, false),
                _ => (false, false, false),
            };
            assert_eq!((drained, stopped, asked.is_ok()), expected, "{}", method.name);
        }
    }
}

#[test]
fn a_task_that_cannot_be_addressed_is_told_apart() {
    let hacheck = build(&Node::text("hacheck"), &Map::new(), &place(), &tools()).unwrap();
    assert!(matches!(now_or_never(hacheck.status(&task(&[]))), Err(DrainError::NoPorts { .. })));
    let nowhere = Task { host: String::new(), ..task(&[1]) };
    assert!(matches!(now_or_never(hacheck.status(&nowhere)), Err(DrainError::NoHost { .. })));
    assert!(matches!(
        now_or_never(hacheck.drain(&nowhere, Timestamp::from_millis(0))),
        Err(DrainError::NoHost { .. })
    ));
    let six = Task { host: "::1".to_owned(), ..task(&[1]) };
    assert_eq!(address(&six).unwrap(), ("[::1]".to_owned(), 1));
}

/// Behaviour of PaaSTA's `TestDrainMethod`.
#[test]
fn the_method_test_is_driven_from_outside() {
    let tools = tools();
    let first = build(&Node::text("test"), &Map::new(), &place(), &tools).unwrap();
    let now = Timestamp::from_millis(0);
    let drained = task(&[]);
    now_or_never(first.drain(&drained, now)).unwrap();
    let again = build(&Node::text("test"), &Map::new(), &place(), &tools).unwrap();
    let state = || {
        let status = now_or_never(again.status(&drained)).unwrap();
        (status.is_draining(), status.is_safe_to_kill(now))
    };
    assert_eq!(state(), (true, false));
    assert_eq!(tools.test_drains.mark_one_safe(), Some(drained.id.clone()));
    assert_eq!(state(), (true, true));
    now_or_never(again.drain(&drained, now)).unwrap();
    assert_eq!(state(), (true, true), "a safe one stays safe");
    now_or_never(again.stop_draining(&drained)).unwrap();
    assert_eq!(state(), (false, false));
    assert_eq!(tools.test_drains.mark_one_safe(), None);
}

#[track_caller]
fn check_settings(settings: &[(&str, Node)], in_smartstack: bool, delay_seconds: Option<f64>) {
    let method = from_settings(&map(settings), in_smartstack, &place(), &tools()).unwrap();
    assert_eq!(method.timing().delay_seconds, delay_seconds);
}

#[test]
fn defaults_depend_on_smartstack() {
    let hacheck = ("drain_method", Node::text("hacheck"));
    let empty = ("drain_method_params", Node::new(Value::Map(Map::new())));
    check_settings(&[], true, Some(60.0));
    check_settings(&[], false, Some(0.0));
    check_settings(std::slice::from_ref(&hacheck), true, Some(60.0));
    check_settings(std::slice::from_ref(&hacheck), false, Some(240.0));
    check_settings(&[hacheck, empty], true, Some(240.0));
}

#[track_caller]
fn check_error(settings: &[(&str, Node)], expected: &str) {
    let error = from_settings(&map(settings), true, &place(), &tools()).err().expect("it is wrong");
    assert_eq!(error.to_string(), expected);
}

fn at(line: u32, node: Node) -> Node {
    Node { position: Some(Position { file: "web/marathon-pnw.yaml".into(), line, column: 5 }), ..node }
}

#[test]
fn errors_name_place_value_and_what_was_expected() {
    check_error(
        &[("drain_method", at(3, Node::text("hacheckk")))],
        "web/marathon-pnw.yaml:3:5: drain_method: unknown drain method `hacheckk`, expected one of: \
         crashy_drain, hacheck, http, noop, test",
    );
    let delay = at(4, Node::text("soon"));
    check_error(
        &[("drain_method_params", Node::new(Value::Map(map(&[("delay", delay)]))))],
        "web/marathon-pnw.yaml:4:5: drain_method_params.delay: a string \"soon\", expected a number of seconds, \
         not negative",
    );
    check_error(
        &[("drain_method_params", at(5, Node::new(Value::Int(3))))],
        "web/marathon-pnw.yaml:5:5: drain_method_params: an integer 3, expected a map",
    );
}

#[track_caller]
fn check_http(change: impl FnOnce(&mut Map), expected: &str) {
    let mut params = http_params();
    change(&mut params);
    let settings =
        [("drain_method", Node::text("http")), ("drain_method_params", Node::new(Value::Map(params)))];
    check_error(&settings, expected);
}

/// Sets one key below `drain`.
fn in_drain(key: &'static str, value: Option<Node>) -> impl FnOnce(&mut Map) {
    move |params| {
        let mut drain = params.get("drain").and_then(Node::as_map).unwrap().clone();
        match value {
            Some(value) => drain.insert(Node::text(key), value),
            None => drop(drain.remove(key)),
        }
        params.insert(Node::text("drain"), Node::new(Value::Map(drain)));
    }
}

#[test]
fn http_takes_exactly_its_four_parameters() {
    check_http(
        |params| drop(params.remove("is_draining")),
        "drain_method_params.is_draining: missing, expected a map",
    );
    check_http(
        |params| params.insert(Node::text("extra"), Node::null()),
        "drain_method_params: unknown key \"extra\", expected only drain, stop_draining, is_draining, \
         is_safe_to_kill",
    );
    check_http(
        in_drain("url_format", Some(Node::text("http://{ip}/"))),
        "drain_method_params.drain.url_format: a string \"http://{ip}/\", expected a URL with placeholders among \
         host, port, service, instance, nerve_ns (unknown placeholder `{ip}`)",
    );
    check_http(
        in_drain("method", Some(Node::text("GE T"))),
        "drain_method_params.drain.method: a string \"GE T\", expected an HTTP method",
    );
    check_http(
        in_drain("success_codes", None),
        "drain_method_params.drain.success_codes: missing, expected an HTTP status, or a list such as \
         \"200-203,409\"",
    );
    check_http(
        in_drain("success_codes", Some(Node::text("200-"))),
        "drain_method_params.drain.success_codes: a string \"200-\", expected an HTTP status, or a list such as \
         \"200-203,409\"",
    );
}

#[test]
fn an_instance_without_registrations_has_nothing_to_drain() {
    let nowhere = DrainPlace { registrations: vec![], ..place() };
    for method in ["hacheck", "http"] {
        let params = if method == "http" { http_params() } else { Map::new() };
        let error = build(&Node::text(method), &params, &nowhere, &tools()).err().expect("it is wrong");
        assert!(matches!(error, DrainConfigError::NoRegistrations { .. }), "{error}");
    }
}
