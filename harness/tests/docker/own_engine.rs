//! Owns an engine that a test may stop and start: a second one on the same machine, with its own socket, its own data and its
//! own network namespace. In the machine's own namespace it would take away the bridge of the machine's engine, which it
//! takes for its own. Refuses to hold game days.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// An engine that is not there, or not gone, after so many looks will not be.
const LOOKS: usize = 600;
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// The engine; it ends with this.
pub(crate) struct OwnEngine {
    folder: tempfile::TempDir,
    engine: Option<Child>,
}

impl OwnEngine {
    pub(crate) fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder can be made");
        std::fs::write(folder.path().join("daemon.json"), "{}").expect("a file can be written");
        let mut engine = Self { folder, engine: None };
        engine.go_on();
        engine
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Where it answers.
    pub(crate) fn address(&self) -> String {
        format!("unix://{}", self.path("docker.sock").display())
    }

    /// Starts it, again.
    pub(crate) fn go_on(&mut self) {
        let mut command = Command::new("unshare");
        // One process all the way: who ends it ends the engine.
        command.args(["--net", "sh", "-c", "ip link set lo up && exec dockerd \"$@\"", "dockerd"]);
        for (flag, file) in
            [("--config-file", "daemon.json"), ("--data-root", "data"), ("--exec-root", "exec"), ("--pidfile", "pid")]
        {
            command.arg(flag).arg(self.path(file));
        }
        command.arg("--host").arg(self.address()).args(["--storage-driver", "vfs"]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        self.engine = Some(command.spawn().expect("dockerd is there: Debian's docker.io"));
        for _ in 0..LOOKS {
            if self.docker(&["version"]).is_some() {
                return;
            }
            std::thread::sleep(LOOK_EVERY);
        }
        panic!("an engine of its own does not answer");
    }

    /// Stops it as a machine's administrator does; its containers end with it.
    pub(crate) fn stop(&mut self) {
        let Some(mut engine) = self.engine.take() else { return };
        let _gone = Command::new("kill").args(["-s", "TERM", &engine.id().to_string()]).status();
        engine.wait().expect("it is ours");
        // The engine leaves the mount that stands for its namespace.
        let _gone = Command::new("umount").arg(self.path("exec/netns/default")).stderr(Stdio::null()).status();
    }

    /// What the engine's own command line prints; nothing where it fails.
    pub(crate) fn docker(&self, arguments: &[&str]) -> Option<String> {
        let output = Command::new("docker").arg("--host").arg(self.address()).args(arguments).output().ok()?;
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
    }
}

impl Drop for OwnEngine {
    fn drop(&mut self) {
        self.stop();
    }
}
