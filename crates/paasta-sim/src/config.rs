//! What is configured, and how it is rendered.

use std::sync::Arc;

use paasta_config::{DeploymentRecord, DesiredState, Map, Node, RenderError, Renderer, Value, Wanted};
use paasta_core::{AppId, ClusterName, HomeId, Homes, InstanceId, NameError, Reading, Rendered};

use crate::world::HOMES;

/// How tasks of an instance lose traffic.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum DrainKind {
    Noop,
    Hacheck { delay: f64, expiration: f64 },
}

/// What is wrong with the settings of an instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Broken {
    /// They cannot be read.
    Unreadable,
    /// The renderer panics over them.
    Poison,
}

/// The settings of one instance.
#[derive(Clone, Debug)]
pub(crate) struct Conf {
    pub(crate) id: InstanceId,
    /// Which service of the cluster, by number.
    pub(crate) service: usize,
    /// In soa-configs.
    pub(crate) present: bool,
    pub(crate) method: &'static str,
    pub(crate) margin: f64,
    pub(crate) drain: DrainKind,
    pub(crate) has_checks: bool,
    pub(crate) instances: usize,
    /// The autoscaled count in ZooKeeper, for instances that have one.
    pub(crate) count: Option<usize>,
    pub(crate) stopped: bool,
    pub(crate) home: usize,
    /// Whether apps may be left in the other home.
    pub(crate) moves: bool,
    /// The commit that is tagged, and the one that deployments.json names.
    pub(crate) tagged: u32,
    pub(crate) deployed: u32,
    /// Whether a tagged stop is in deployments.json.
    pub(crate) stop_tagged: bool,
    /// Settings that reach the hash.
    pub(crate) edit: u32,
    pub(crate) broken: Option<Broken>,
    /// A version that never becomes healthy.
    pub(crate) sick: Option<AppId>,
    /// As read by passes, until something changes.
    pub(crate) wanted: Option<Arc<Wanted>>,
}

/// What a pass aims at.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Goal {
    pub(crate) app: AppId,
    pub(crate) home: usize,
    pub(crate) instances: usize,
    pub(crate) method: &'static str,
    pub(crate) margin: f64,
    pub(crate) drain: DrainKind,
}

impl Default for Goal {
    fn default() -> Self {
        Self { app: AppId::new(""), home: 0, instances: 0, method: "", margin: 1.0, drain: DrainKind::Noop }
    }
}

impl Conf {
    pub(crate) fn app(&self) -> AppId {
        AppId::new(format!("{}.git{:08x}.config{:08x}", self.id.short_id(), self.deployed, self.edit))
    }

    pub(crate) fn goal(&self) -> Goal {
        let configured = self.count.unwrap_or(self.instances);
        Goal {
            app: self.app(),
            home: self.home,
            instances: if self.stopped { 0 } else { configured },
            method: self.method,
            margin: self.margin,
            drain: self.drain,
        }
    }

    /// As a pass reads it.
    pub(crate) fn wanted(&mut self) -> Result<Arc<Wanted>, NameError> {
        if let Some(wanted) = &self.wanted {
            return Ok(wanted.clone());
        }
        let text = |text: &str| Value::String(text.to_owned());
        let number = |number: usize| Value::Int(i64::try_from(number).unwrap_or(i64::MAX));
        let mut entries = vec![
            ("bounce_method", text(self.method)),
            ("bounce_margin_factor", Value::Float(self.margin)),
            ("instances", number(self.instances)),
            ("sim_app", text(self.app().as_str())),
            ("sim_home", number(self.home)),
            ("sim_moves", Value::Bool(self.moves)),
            ("sim_checks", Value::Bool(self.has_checks)),
            ("sim_poison", Value::Bool(self.broken == Some(Broken::Poison))),
        ];
        if self.count.is_some() {
            entries.push(("min_instances", number(1)));
            entries.push(("max_instances", number(9)));
        }
        let settings: Map =
            entries.into_iter().map(|(key, value)| (Node::text(key), Node::new(value))).collect();
        let count = self.count.and_then(|count| i64::try_from(count).ok());
        let wanted = Arc::new(Wanted {
            id: self.id.clone(),
            cluster: ClusterName::new("sim")?,
            settings,
            deployment: DeploymentRecord {
                desired_state: if self.stopped { DesiredState::Stop } else { DesiredState::Start },
                ..DeploymentRecord::default()
            },
            namespace: Map::new(),
            system: Arc::new(Map::new()),
            autoscaled_count: Reading::Known(count),
            secret_signatures: Default::default(),
        });
        self.wanted = Some(wanted.clone());
        Ok(wanted)
    }
}

/// What our renderer says when it meets poison; nobody prints it.
pub const POISON: &str = "the renderer met poison";

/// Renders the settings that [`Conf::wanted`] writes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SimRenderer;

impl Renderer for SimRenderer {
    fn render(&self, wanted: &Wanted) -> Result<Rendered, RenderError> {
        let setting = |key: &str| wanted.settings.get(key).map(|node| &node.value);
        let number = |key: &str| match setting(key) {
            Some(Value::Int(number)) => usize::try_from(*number).unwrap_or(0),
            _ => 0,
        };
        let is = |key: &str| matches!(setting(key), Some(Value::Bool(true)));
        assert!(!is("sim_poison"), "{POISON}");
        let app = AppId::new(wanted.settings.get("sim_app").and_then(Node::as_str).unwrap_or_default());
        let stopped = wanted.deployment.desired_state == DesiredState::Stop;
        let count = match wanted.autoscaled_count {
            Reading::Known(Some(count)) if wanted.settings.get("max_instances").is_some() => {
                usize::try_from(count).unwrap_or(1)
            }
            _ => number("instances"),
        };
        let instances = if stopped { 0 } else { count };
        let home = number("sim_home");
        let other = HomeId::new(HOMES[1 - home]);
        Ok(Rendered {
            body: format!("{app} {instances} {}", if is("sim_checks") { "checks" } else { "none" }),
            config_hash: String::new(),
            hash_input: String::new(),
            app,
            instances,
            homes: Homes {
                current: HomeId::new(HOMES[home]),
                previous: if is("sim_moves") { vec![other] } else { Vec::new() },
            },
        })
    }
}

/// The instances of a simulated cluster: every method, with and without checks, every way to drain.
pub(crate) fn instances() -> Result<Vec<Conf>, NameError> {
    let hacheck = |delay, expiration| DrainKind::Hacheck { delay, expiration };
    let rows = [
        ("svc0.main", 0, "crossover", 1.0, hacheck(20.0, 200.0), true, 4),
        ("svc0.canary", 0, "crossover", 0.5, hacheck(10.0, 100.0), true, 2),
        ("svc1.main", 1, "crossover", 0.5, hacheck(20.0, 200.0), true, 5),
        ("svc2.main", 2, "crossover", 1.0, DrainKind::Noop, true, 4),
        ("svc3.main", 3, "upthendown", 1.0, hacheck(15.0, 150.0), true, 3),
        ("svc4.main", 4, "downthenup", 1.0, hacheck(20.0, 200.0), true, 2),
        ("svc5.main", 5, "downthenup", 1.0, DrainKind::Noop, false, 2),
        ("svc6.main", 6, "brutal", 1.0, hacheck(10.0, 100.0), true, 3),
        ("svc7.main", 7, "crossover", 0.7, hacheck(40.0, 25.0), true, 3),
        ("svc8.main", 8, "upthendown", 1.0, DrainKind::Noop, false, 2),
        ("svc9.main", 9, "crossover", 0.9, hacheck(20.0, 200.0), true, 3),
    ];
    let conf = |(id, service, method, margin, drain, has_checks, instances): (
        &str,
        usize,
        &'static str,
        f64,
        DrainKind,
        bool,
        usize,
    )| {
        Ok(Conf {
            id: id.parse()?,
            service,
            present: true,
            method,
            margin,
            drain,
            has_checks,
            instances,
            count: (service == 9).then_some(instances),
            stopped: false,
            home: 0,
            moves: service == 1 || service == 4,
            tagged: 1,
            deployed: 1,
            stop_tagged: false,
            edit: 1,
            broken: None,
            sick: None,
            wanted: None,
        })
    };
    rows.into_iter().map(conf).collect()
}
