//! What `generate_deployments_for_service` and `generate_all_deployments` would write, as text.

use std::fmt::Write as _;

use paasta_core::ServiceName;
use paasta_deployments::{FileChange, Preview};

/// One line for the service, and below it one for each thing that would change in its file.
///
/// ```
/// use paasta_deployments::{FileChange, Preview};
///
/// let same = Preview { change: FileChange::Unchanged, differences: vec![], left_out: vec![] };
/// assert_eq!(paasta_tools::preview::text(&"web".parse()?, &same), "web: unchanged\n");
/// # Ok::<(), paasta_core::NameError>(())
/// ```
pub fn text(service: &ServiceName, preview: &Preview) -> String {
    match preview.change {
        FileChange::Unchanged => return format!("{service}: unchanged\n"),
        FileChange::Written if preview.differences.is_empty() => {
            return format!("{service}: would write deployments.json; what runs stays the same\n");
        }
        FileChange::Written => {}
    }
    let mut text = format!("{service}: would write deployments.json\n");
    for difference in &preview.differences {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "  {difference}");
    }
    text
}
