//! The table of what groups of agents use.

use paasta_monitoring::Resource;
use paasta_monitoring::utilisation::{Amounts, Group, cell, room};

/// Resources in the order of the columns, with their headings.
const COLUMNS: [(Resource, &str); 4] = [
    (Resource::Cpus, "CPU (used/total)"),
    (Resource::Mem, "RAM (used/total)"),
    (Resource::Disk, "Disk (used/total)"),
    (Resource::Gpus, "GPU (used/total)"),
];

/// A row per group, sorted by the values of their attributes: what they use of what they have; with `need` how many more copies
/// of that size would fit and what runs out first, and with `count_agents` how many agents there are.
pub fn table(groups: &[Group], need: Option<&Amounts>, count_agents: bool) -> String {
    let Some(first) = groups.first() else { return String::new() };
    let mut head: Vec<String> = first.groupings.iter().map(|(name, _)| capitalised(name)).collect();
    head.extend(COLUMNS.map(|(_, name)| name.to_owned()));
    head.extend(need.map(|_| "Slots + Limiting Resource".to_owned()));
    head.extend(count_agents.then(|| "Agent count".to_owned()));
    let row = |group: &Group| {
        let mut row: Vec<String> = group.groupings.iter().map(|(_, value)| value.clone()).collect();
        row.extend(COLUMNS.map(|(resource, _)| cell(resource, group.of(resource))));
        row.extend(need.map(|need| match room(group, need) {
            Some((slots, resource)) => format!("{slots:>6} ; {resource}"),
            None => String::new(),
        }));
        row.extend(count_agents.then(|| group.agents.to_string()));
        row
    };
    aligned(&std::iter::once(head).chain(groups.iter().map(row)).collect::<Vec<_>>())
}

fn aligned(rows: &[Vec<String>]) -> String {
    let columns = rows.first().map_or(0, Vec::len);
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let line = |row: &Vec<String>| {
        let cells: Vec<String> =
            row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        format!("{}\n", cells.join("  ").trim_end())
    };
    rows.iter().map(line).collect()
}

fn capitalised(name: &str) -> String {
    let mut letters = name.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The table of monitoring.md §3.3.
    #[test]
    fn the_table_of_the_specification() {
        let group = |pool: &str, region: &str, total: [f64; 3], used: [f64; 3], agents| {
            let amounts = |[cpus, mem, disk]: [f64; 3]| Amounts { cpus, mem, disk, gpus: 0.0 };
            let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
            let groupings = vec![pair("pool", pool), pair("region", region)];
            Group { groupings, total: amounts(total), used: amounts(used), agents }
        };
        let groups = [
            group("default", "west", [20.0, 20_480.0, 204_800.0], [15.5, 6_656.0, 1_024.0], 2),
            group("gpu", "east", [10.0, 10_240.0, 102_400.0], [0.0; 3], 1),
        ];
        let text = "\
Pool     Region  CPU (used/total)   RAM (used/total)     Disk (used/total)    GPU (used/total)  Agent count
default  west    15.50/20 (77.50%)  6.5G/20.0G (32.50%)  1.0G/200.0G (0.50%)  0.00/0 (100.00%)  2
gpu      east    0.00/10 (0.00%)    0B/10.0G (0.00%)     0B/100.0G (0.00%)    0.00/0 (100.00%)  1
";
        assert_eq!(table(&groups, None, true), text);
        let need = Amounts { cpus: 2.5, mem: 1024.0, disk: 512.0, gpus: 0.0 };
        let with_slots = table(&groups, Some(&need), false);
        assert!(with_slots.lines().nth(1).unwrap().ends_with("     1 ; cpus"), "{with_slots}");
        assert!(with_slots.lines().next().unwrap().ends_with("Slots + Limiting Resource"), "{with_slots}");
        assert_eq!(table(&[], None, true), "");
    }
}
