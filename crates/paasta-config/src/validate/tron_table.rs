//! What Tron jobs and actions may hold (config.md §8.4).

use super::long_running::ENVIRONMENT;
use super::rule::{
    Bounds, COUNT, FREE_MAP, Form, Key, Members, Others, Rule, TEXT_MAP, TEXTS, UNIQUE_LISTS, UNIQUE_MAPS,
    UNIQUE_TEXTS,
};
use super::tables::{key, required};

pub(super) const JOB: Rule = Rule::Map(&Members {
    keys: &[
        required("actions", ACTIONS, "What the job runs, by name."),
        key("all_nodes", Rule::Bool, "Whether it runs on every node of its pool."),
        key("allow_overlap", Rule::Bool, "Whether a run may begin while the last one goes on."),
        key("cleanup_action", ACTION, "What runs after all actions, failed ones too."),
        key("cluster", Rule::Text, "The cluster whose hosts run it."),
        key("deploy_group", Rule::Text, "The step of deploy.yaml that deploys its actions."),
        key("enabled", Rule::Bool, "Whether it is scheduled when it is new."),
        key("expected_runtime", Rule::Form(&DURATION), "How long a run takes at most before an alert."),
        key("max_runtime", Rule::Form(&DURATION), "How long a run takes at most before it is stopped."),
        key("monitoring", MONITORING, "Whom to alert, over what monitoring.yaml says."),
        key("name", Rule::Form(&NAME), "The name of the job."),
        key("node", Rule::Form(&NAME), "The node or pool of Tron."),
        key("queueing", Rule::Bool, "Whether a run that is due waits for the last one."),
        key(
            "run_limit",
            Rule::Integer(Bounds { least: Some(1.0), ..Bounds::NONE }),
            "How many runs are kept.",
        ),
        required("schedule", Rule::Either(&[Rule::Text, FREE_MAP]), "When it runs."),
        key("service", Rule::Text, "The service whose image its actions run."),
        key("time_zone", Rule::Text, "The time zone of the schedule."),
    ],
    others: Others::Refused,
    choices: &[],
});

const ACTIONS: Rule = Rule::Either(&[
    Rule::Map(&Members { keys: &[], others: Others::Each(&ACTION), choices: &[] }),
    Rule::List { of: &ACTION, unique: false },
]);

const POSITIVE: Rule = Rule::Number(Bounds::above(0.0));

const ACTION: Rule = Rule::Map(&Members { keys: ACTION_KEYS, others: Others::Refused, choices: &[] });

const ACTION_KEYS: &[Key] = &[
    key("aws_credentials_yaml", Rule::Text, "The file with the credentials of a Spark action."),
    key("cap_add", TEXTS, "Linux capabilities that the container gets."),
    key("cluster", Rule::Text, "The cluster whose hosts run it."),
    required("command", Rule::Text, "The command to run."),
    key("constraints", UNIQUE_LISTS, "Where it may run; replaces all that would be computed."),
    key(
        "cpu_burst_add",
        Rule::Number(Bounds { least: Some(0.0), ..Bounds::NONE }),
        "CPUs beyond `cpus` while bursting.",
    ),
    key("cpus", POSITIVE, "CPUs that are guaranteed."),
    key("deploy_group", Rule::Text, "The step of deploy.yaml that deploys it."),
    key("disk", POSITIVE, "Disk in MiB."),
    key("env", ENVIRONMENT, "Environment variables; numbers need quotes."),
    key("executor", Rule::Words(&["ssh", "paasta", "spark"]), "What runs it."),
    key("expected_runtime", Rule::Form(&DURATION), "How long it takes at most before an alert."),
    key("extra_constraints", UNIQUE_LISTS, "Constraints in addition to those that are computed."),
    key("extra_volumes", UNIQUE_MAPS, "Bind mounts, each with `hostPath`, `containerPath`, `mode`."),
    key("mem", Rule::Number(Bounds::above(32.0)), "Memory in MiB."),
    key("name", Rule::Form(&NAME), "The name of the action, in a list of actions."),
    key("node", Rule::Form(&NAME), "The node or pool of Tron."),
    key("on_upstream_rerun", Rule::Text, "What happens when an action it waits for runs again."),
    key("pool", Rule::Text, "The pool of hosts it runs on."),
    key("requires", TEXTS, "Actions that must have succeeded."),
    key("retries", COUNT, "How often it is tried again."),
    key("retries_delay", Rule::Form(&DURATION), "The pause before it is tried again."),
    key("service", Rule::Text, "The service whose image it runs."),
    key("spark_args", FREE_MAP, "Options of Spark."),
    key("spark_cluster_manager", Rule::Words(&["mesos", "kubernetes"]), "What Spark runs on."),
    key("spark_paasta_cluster", Rule::Text, "The cluster in which Spark's executors run."),
    key("spark_paasta_pool", Rule::Text, "The pool in which Spark's executors run."),
    key(
        "trigger_downstreams",
        Rule::Either(&[Rule::Bool, TEXT_MAP]),
        "Whether its end starts actions of other jobs.",
    ),
    key("trigger_timeout", Rule::Form(&DURATION), "How long it waits for its triggers."),
    key("triggered_by", UNIQUE_TEXTS, "What must have happened before it starts."),
];

const MONITORING: Rule = Rule::Map(&Members { keys: MONITORING_KEYS, others: Others::Refused, choices: &[] });

const TEXT_OR_TEXTS: Rule = Rule::Either(&[Rule::Text, TEXTS]);

/// The closed set of monitoring keys; also what a job takes over from monitoring.yaml (config.md §2.7).
pub(super) const MONITORING_KEYS: &[Key] = &[
    key("alert_after", Rule::Text, "How long something is wrong before an alert, such as `10m`."),
    key("check_oom_events", Rule::Bool, "Whether killing for memory alerts."),
    key("check_that_every_day_has_a_successful_run", Rule::Bool, "Whether a day without success alerts."),
    key("component", TEXT_OR_TEXTS, "The component of the ticket."),
    key("dependencies", TEXTS, "Checks whose alerts hide this one's."),
    key("description", Rule::Text, "What the alert says first."),
    key("irc_channels", TEXTS, "Where alerts are told."),
    key(
        "notification_email",
        Rule::Either(&[Rule::Text, Rule::Bool, Rule::Null]),
        "Who gets mail; `false` for nobody.",
    ),
    key("page", Rule::Bool, "Whether alerts page somebody."),
    key("page_for_expected_runtime", Rule::Bool, "Whether a run that takes too long pages."),
    key("priority", Rule::Text, "The priority of the ticket."),
    key("project", Rule::Text, "Where tickets are opened."),
    key(
        "realert_every",
        Rule::Integer(Bounds { least: Some(-1.0), ..Bounds::NONE }),
        "Every how many events the alert is repeated.",
    ),
    key("runbook", Rule::Text, "Where it is written what to do."),
    key("slack_channels", TEXTS, "Where alerts are told."),
    key("tags", TEXTS, "Labels of the alert."),
    key("team", Rule::Text, "The team that is alerted."),
    key("ticket", Rule::Bool, "Whether alerts open a ticket."),
    key("tip", Rule::Text, "One line on what to do."),
];

const NAME: Form = Form {
    noun: "a name of Tron (a letter or `_`, then up to 254 letters, digits, `_` or `-`)",
    pattern: "^[A-Za-z_][A-Za-z0-9_-]{0,254}$",
    fits: |name| {
        let mut bytes = name.bytes();
        bytes.next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'_')
            && bytes.len() <= 254
            && bytes.all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'))
    },
};

const DURATION: Form = Form {
    noun: "a duration such as `5 min`: one number and one unit",
    pattern: "^[0-9]+\\s*[a-z]+$",
    fits: |text| {
        let unit = text.trim_start_matches(|c: char| c.is_ascii_digit());
        let letters = unit.trim_start_matches(|c: char| c.is_ascii_whitespace());
        unit.len() < text.len() && !letters.is_empty() && letters.bytes().all(|b| b.is_ascii_lowercase())
    },
};
