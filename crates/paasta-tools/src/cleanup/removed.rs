//! Which instances are gone for good after a clean-up.

use std::collections::BTreeMap;

use paasta_config::Soa;
use paasta_core::{InstanceId, InstanceName, ServiceName};

use super::{End, Line};
use crate::configured::mangled;

/// The instances of which every app that was to go is deleted. The service has the name that its folder has; of the name of
/// an instance nothing is left but its app ids, where `_` is `--`: it is taken for the former, as names are written.
pub fn removed(soa: &Soa, ended: &[Line]) -> Vec<InstanceId> {
    let mut instances: BTreeMap<&str, bool> = BTreeMap::new();
    for line in ended {
        *instances.entry(line.app.short_id()).or_insert(true) &= line.end == End::Deleted;
    }
    // Without the names of folders the usual one is as good as any.
    let services = soa.services().unwrap_or_default();
    let gone = instances.into_iter().filter(|(_, all)| *all);
    gone.filter_map(|(short_id, _)| name(short_id, &services)).collect()
}

fn name(short_id: &str, services: &[ServiceName]) -> Option<InstanceId> {
    let (service, instance) = short_id.split_once('.')?;
    let folder = services.iter().find(|name| mangled(name) == service).cloned();
    let service = folder.or_else(|| ServiceName::new(service.replace("--", "_")).ok())?;
    Some(InstanceId::new(service, InstanceName::new(instance.replace("--", "_")).ok()?))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use paasta_config::Memory;
    use paasta_core::{AppId, HomeId};

    use super::*;

    #[test]
    fn names_are_those_of_folders_and_only_what_is_wholly_gone_counts() {
        let soa = Soa::new(Arc::new(Memory::new().with("a--b/x", "").with("c_d/x", "")));
        let line = |app: &str, end: End| Line {
            app: AppId::new(format!("{app}.gita.configb")),
            home: HomeId::new("h"),
            tasks: 1,
            end,
        };
        let ended = [
            line("a--b.x--y", End::Deleted),
            line("c--d.x", End::Deleted),
            line("c--d.x", End::Deleted),
            line("e--f.x", End::Deleted),
            line("g.x", End::Deleted),
            line("g.x", End::Failed("status 500".to_owned())),
            line("h.x", End::Kept),
        ];
        let names: Vec<String> = removed(&soa, &ended).iter().map(ToString::to_string).collect();
        assert_eq!(names, ["a--b.x_y", "c_d.x", "e_f.x"]);
    }
}
