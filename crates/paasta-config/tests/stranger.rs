//! A source of files as another project would write one: it keeps a count of what was read.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use paasta_config::{ConfigSource, LoadError, Soa, SourceError};

const FILES: [(&str, &str); 2] = [
    ("svc/marathon-local.yaml", "main: {instances: 2}\nbatch: {}\n"),
    ("svc/service.yaml", "description: x\n"),
];

/// Two files, and one that nobody may read.
#[derive(Debug, Default)]
struct Shelf {
    reads: AtomicUsize,
}

impl ConfigSource for Shelf {
    fn read(&self, path: &str) -> Result<Option<Vec<u8>>, SourceError> {
        self.reads.fetch_add(1, Ordering::Relaxed);
        if path == "svc/marathon-locked.yaml" {
            return Err(SourceError {
                path: self.show(path),
                source: io::ErrorKind::PermissionDenied.into(),
            });
        }
        Ok(FILES.iter().find(|(name, _)| *name == path).map(|(_, text)| text.as_bytes().to_vec()))
    }

    fn list(&self, directory: &str) -> Result<Vec<String>, SourceError> {
        Ok(match directory {
            "" => vec!["svc".to_owned()],
            "svc" => {
                ["marathon-local.yaml", "marathon-locked.yaml", "service.yaml"].map(str::to_owned).to_vec()
            }
            _ => vec![],
        })
    }

    fn show(&self, path: &str) -> String {
        format!("shelf:{path}")
    }
}

#[test]
fn soa_configs_are_read_from_a_source_of_a_strangers_making() {
    let shelf = Arc::new(Shelf::default());
    let soa = Soa::new(shelf.clone());
    let services = soa.services().unwrap();
    let names = |cluster: &str| {
        let found = soa.all_instances(&services[0], &cluster.parse().unwrap())?;
        Ok::<_, LoadError>(found.into_iter().map(|(name, _)| name.to_string()).collect::<Vec<_>>())
    };
    assert_eq!(names("local").unwrap(), ["main", "batch"]);
    assert_eq!(names("elsewhere").unwrap(), Vec::<String>::new());
    assert!(shelf.reads.load(Ordering::Relaxed) > 0);

    let refused = names("locked").unwrap_err();
    assert!(refused.to_string().contains("shelf:svc/marathon-locked.yaml"), "{refused}");
}
