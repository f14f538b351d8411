//! Metrics as Prometheus's textfile collector reads them.

use std::fmt;

use paasta_core::{CheckStatus, Timestamp};

/// Gauges, each with its samples.
#[derive(Clone, Debug, Default)]
pub struct Metrics {
    gauges: Vec<Gauge>,
}

#[derive(Clone, Debug)]
struct Gauge {
    name: &'static str,
    help: &'static str,
    samples: Vec<(String, f64)>,
}

impl Metrics {
    /// One more sample of a gauge.
    pub fn add(&mut self, name: &'static str, help: &'static str, labels: &[(&str, &str)], value: f64) {
        let labels: Vec<String> =
            labels.iter().map(|(key, value)| format!("{key}=\"{}\"", escaped(value))).collect();
        let sample = (labels.join(","), value);
        match self.gauges.iter_mut().find(|gauge| gauge.name == name) {
            Some(gauge) => gauge.samples.push(sample),
            None => self.gauges.push(Gauge { name, help, samples: vec![sample] }),
        }
    }

    /// What every check tells: what it found, and when it last ran to its end.
    pub fn status(&mut self, check: &str, status: CheckStatus, now: Timestamp) {
        let labels = [("check", check)];
        let help = "What a check found: 0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN.";
        self.add("paasta_check_status", help, &labels, f64::from(status.code()));
        let help = "When a check last ran to its end.";
        self.add("paasta_check_run_timestamp_seconds", help, &labels, now.seconds());
    }
}

impl fmt::Display for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Gauge { name, help, samples } in &self.gauges {
            writeln!(f, "# HELP {name} {help}\n# TYPE {name} gauge")?;
            for (labels, value) in samples {
                writeln!(f, "{name}{{{labels}}} {value}")?;
            }
        }
        Ok(())
    }
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_of_one_name_stand_together() {
        let mut metrics = Metrics::default();
        metrics.add("a", "A.", &[("x", "1\"\\\n")], 1.0);
        metrics.add("b", "B.", &[], 0.5);
        metrics.add("a", "A.", &[("x", "2"), ("y", "z")], 2.0);
        let text = "# HELP a A.\n# TYPE a gauge\na{x=\"1\\\"\\\\\\n\"} 1\na{x=\"2\",y=\"z\"} 2\n\
                    # HELP b B.\n# TYPE b gauge\nb{} 0.5\n";
        assert_eq!(metrics.to_string(), text);
    }
}
