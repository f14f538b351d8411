//! What commands say where something is wrong: what failed, why and where, and what to do. `local.rs` has busy ports and
//! state directories; `setup_marathon_job` has its own tests.

mod local_cluster;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use local_cluster::{Playground, text};

#[test]
fn a_yaml_syntax_error_names_file_and_line() {
    let ground = Playground::new();
    let _cluster = ground.up(&["--ports-any", "--task-ports", "26000-26099"]);
    ground.file("broken/service.yaml", &format!("git_url: {}\n", ground.remote().display()));
    ground.file("broken/marathon-local.yaml", "main:\n  instances: [\n");
    let cause = format!(
        "  caused by: {}/broken/marathon-local.yaml:3:1: did not find expected node content\n\n\
         hint: Run `paasta validate -s broken` in the soa-configs to check every file of the service.\n",
        ground.soa_dir_text()
    );
    let sha = ground.commit("v1");
    let mark = ["mark-for-deployment", "-s", "broken", "-l", "web", "-c", sha.as_str()];
    refused(&ground, &mark, &format!("error: could not read the instances of service `broken`\n{cause}"));
    let status = ["status", "-s", "broken"];
    refused(&ground, &status, &format!("error: could not read service `broken`\n{cause}"));
    let validate = ["validate", "-s", "broken", "-y", ground.soa_dir_text()];
    refused(&ground, &validate, "marathon-local.yaml:3:1: error: did not find expected node content");
    the_others_go_on(&ground);
}

#[test]
fn an_unknown_bounce_method_names_key_value_and_what_there_is() {
    let ground = Playground::new();
    let _cluster = ground.up(&["--ports-any", "--task-ports", "26100-26199"]);
    ground.file("odd/service.yaml", &format!("git_url: {}\n", ground.remote().display()));
    ground.file(
        "odd/marathon-local.yaml",
        "main:\n  cmd: serve\n  deploy_group: web\n  bounce_method: croosover\n",
    );
    ground.file("odd/deploy.yaml", "pipeline:\n  - step: web\n");
    ground.deploy_service("odd", "web", "v1");
    let place = format!("{}/odd/marathon-local.yaml:4:18: bounce_method", ground.soa_dir_text());
    let wrong =
        "unknown bounce method `croosover`, expected one of: brutal, crossover, down, downthenup, upthendown";
    ground.wait_for("deployd to meet it", || {
        let output = ground.paasta(&["status", "-s", "odd"]);
        let told = text(&output);
        output.status.code() == Some(1) && told.contains(&format!("{place}: {wrong}"))
    });
    let validate = ["validate", "-s", "odd", "-y", ground.soa_dir_text(), "--strict"];
    refused(&ground, &validate, "marathon-local.yaml:4:18: error: main.bounce_method:");
    the_others_go_on(&ground);
}

#[test]
fn an_unreachable_remote_and_what_is_not_deployed_are_told() {
    let ground = Playground::new();
    let _cluster = ground.up(&["--ports-any", "--task-ports", "26200-26299"]);
    ground.file("far/service.yaml", "git_url: /nowhere/at/all.git\n");
    ground.file("far/marathon-local.yaml", "main:\n  cmd: serve\n  deploy_group: web\n");
    ground.file("far/deploy.yaml", "pipeline:\n  - step: web\n");
    let sha = ground.commit("v1");
    let told = "error: could not list the tags of service `far`\n  \
                caused by: could not reach the git repository `/nowhere/at/all.git`: ";
    let hint = "\n\nhint: Check that `git ls-remote /nowhere/at/all.git` works from here.\n";
    for arguments in [
        &["mark-for-deployment", "-s", "far", "-l", "web", "-c", sha.as_str()][..],
        &["stop", "-s", "far", "-i", "main", "-c", "local", "--yes"],
    ] {
        refused(&ground, arguments, told);
        refused(&ground, arguments, hint);
    }
    let status = ["status", "-s", "far"];
    refused(&ground, &status, "`far.main` is not deployed: the service has no deployments.json yet");
    refused(&ground, &status, "paasta mark-for-deployment -s far -l web -c COMMIT");
    the_others_go_on(&ground);
}

#[test]
fn a_state_dir_without_permission_is_named_with_its_option() {
    let ground = Playground::new();
    let closed = ground.soa_dir().join("closed");
    fs::create_dir(&closed).expect("a directory");
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o500)).expect("closed");
    let everything_is_allowed = fs::write(closed.join("probe"), "").is_ok();
    let state_dir = closed.join("state");
    let arguments = ["local", "up", "--ports-any", "--soa-dir", ground.soa_dir_text(), "--state-dir"];
    let state_dir = match everything_is_allowed {
        // Nothing is closed to root but what the kernel itself refuses.
        true => "/proc/state".to_owned(),
        false => state_dir.display().to_string(),
    };
    let arguments: Vec<&str> = arguments.into_iter().chain([state_dir.as_str()]).collect();
    refused(
        &ground,
        &arguments,
        &format!("error: could not use the state directory: `{state_dir}`\n  caused by: "),
    );
    refused(&ground, &arguments, "\n\nhint: Choose a directory that you may write to with --state-dir.\n");
}

#[track_caller]
fn refused(ground: &Playground, arguments: &[&str], told: &str) {
    let output = ground.paasta(arguments);
    assert_eq!(output.status.code(), Some(1), "{arguments:?}: {}", text(&output));
    assert!(text(&output).contains(told), "{arguments:?}:\n{}\nlacks\n{told}", text(&output));
}

/// `hello.main` is deployed whatever stands beside it.
#[track_caller]
fn the_others_go_on(ground: &Playground) {
    ground.deploy("web", "v1");
    let sha = ground.commit("v1");
    ground.wait_for("v1 to run", || ground.runs_only(&sha, 2));
}
