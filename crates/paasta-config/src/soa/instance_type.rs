//! The types of instance and their order (config.md §1.3).

use std::fmt;
use std::str::FromStr;

use paasta_core::{ClusterName, NameError};

/// What kind of thing an instance is, by the name of its file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum InstanceType {
    /// A long-running service on Marathon.
    Marathon,
    /// A framework of PaaSTA's own: listed, never loaded.
    PaastaNative,
    /// Interactive and one-off runs.
    Adhoc,
    /// A long-running service on Kubernetes.
    Kubernetes,
    /// Scheduled jobs.
    Tron,
    /// Flink.
    Flink,
    /// Cassandra.
    CassandraCluster,
    /// Kafka.
    KafkaCluster,
    /// nrtsearch.
    NrtsearchService,
}

impl InstanceType {
    /// All, in the order in which an instance of several types is found.
    pub const ALL: [Self; 9] = [
        Self::Marathon,
        Self::PaastaNative,
        Self::Adhoc,
        Self::Kubernetes,
        Self::Tron,
        Self::Flink,
        Self::CassandraCluster,
        Self::KafkaCluster,
        Self::NrtsearchService,
    ];

    /// Those that can be loaded, in order; the generator of deployments.json scans them.
    pub const LOADABLE: [Self; 8] = [
        Self::Marathon,
        Self::Adhoc,
        Self::Kubernetes,
        Self::Tron,
        Self::Flink,
        Self::CassandraCluster,
        Self::KafkaCluster,
        Self::NrtsearchService,
    ];

    /// The word in file names.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Marathon => "marathon",
            Self::PaastaNative => "paasta_native",
            Self::Adhoc => "adhoc",
            Self::Kubernetes => "kubernetes",
            Self::Tron => "tron",
            Self::Flink => "flink",
            Self::CassandraCluster => "cassandracluster",
            Self::KafkaCluster => "kafkacluster",
            Self::NrtsearchService => "nrtsearchservice",
        }
    }

    /// The file of this type for a cluster: `marathon-pnw-prod.yaml`.
    pub fn file(self, cluster: &ClusterName) -> String {
        format!("{}-{cluster}.yaml", self.as_str())
    }
}

impl fmt::Display for InstanceType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for InstanceType {
    type Err = NameError;

    fn from_str(word: &str) -> Result<Self, NameError> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word).ok_or_else(|| NameError {
            kind: "an instance type",
            value: word.to_owned(),
            reason: "no file is named so",
        })
    }
}
