//! Owns the rows of the table of rights (`docs/faults.md`) that can be tried on this machine, other than root's and
//! `--no-rights`: a user who is nobody but a member of the engine's group. Refuses to judge faults.

use crate::lab::{left_of, machine};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::process::{Command, Stdio};

/// A number that no account has.
const NOBODY: &str = "65531";
const SOCKET: &str = "/var/run/docker.sock";

/// The engine grants the hand its rights, whoever asks: everything works, and nothing is left.
#[test]
fn a_member_of_the_engines_group_can_do_everything() {
    let Some(_machine) = machine() else { return };
    let group = std::fs::metadata(SOCKET).expect("the engine's socket is there").gid().to_string();
    let folder = tempfile::tempdir().expect("a folder can be made");
    std::fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o777)).expect("it is ours");
    // The build's own folder may be closed to others.
    let executable = folder.path().join("blackstart");
    std::fs::copy(assert_cmd::cargo::cargo_bin("blackstart"), &executable).expect("it can be copied");
    std::fs::set_permissions(&executable, PermissionsExt::from_mode(0o755)).expect("it is ours");
    let output = Command::new("setpriv")
        .args(["--reuid", NOBODY, "--regid", &group, "--clear-groups", "--no-new-privs", "--bounding-set=-all"])
        .arg(&executable)
        .args(["run", "minimal", "--format", "json", "--out"])
        .arg(folder.path().join("runs"))
        .current_dir(folder.path())
        .env("HOME", folder.path())
        .stdin(Stdio::null())
        .output()
        .expect("setpriv is there: Debian's util-linux");
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(0), "{stderr}\n{stdout}");
    let record = reports::record::from_json(&stdout).expect("a record");
    assert_eq!(record.measurements.power_off_method.as_deref(), Some("cgroup.kill"), "{stderr}");
    assert_eq!(record.residue, []);
    assert_eq!(left_of(&record.run), Vec::<String>::new());
}
