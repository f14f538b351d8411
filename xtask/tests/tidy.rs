//! The tree keeps its own rules.

#[test]
fn the_tree_is_tidy() {
    let complaints = xtask::tidy::complaints(&xtask::tidy::workspace_root()).expect("the tree can be read");
    assert!(complaints.is_empty(), "\n{}", complaints.join("\n"));
}
