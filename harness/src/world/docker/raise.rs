//! Owns bringing up a hand: with the rights that the engine grants, for a run that begins, or for one that died and of
//! which something is left. Refuses to know what the hand is asked to do.

use super::engine::{self, ContainerSpec, Engine, EngineInfo, ObjectKind, VolumeMount};
use super::hand_link::{Hand, LEASE_MS};
use super::names::{LABEL_DAY, LABEL_ROLE, LABEL_RUN, Names, ROLE_HAND};
use super::{image, sweep};
use crate::hand::protocol::{Answer, Lease, LeaseEnd, Left, Rights, Standing, Task};
use crate::hand::{MACHINE_ROOT, SHARED_DIR};
use anyhow::{Result, bail};
use std::collections::BTreeSet;

/// What the hand needs on the engine's machine, and no more; `--privileged` asks for all there are, which an engine that
/// lacks one of them itself refuses. Run the machine's own programs (SYS_CHROOT) and with them packet filter rules
/// (NET_ADMIN, NET_RAW), kill (KILL), write control groups and state folders (CHOWN, FOWNER, DAC_OVERRIDE), mount the
/// zones' disks and enter the network namespaces of hosts to measure from there (SYS_ADMIN, SYS_PTRACE).
const RIGHTS_WANTED: &[&str] =
    &["SYS_CHROOT", "NET_ADMIN", "NET_RAW", "KILL", "CHOWN", "FOWNER", "DAC_OVERRIDE", "SYS_ADMIN", "SYS_PTRACE"];
/// Loop devices (block major 7), and the device that gives out free ones (misc minor 237): `devices.txt` of the kernel.
const LOOP_DEVICES: &[&str] = &["b 7:* rwm", "c 10:237 rwm"];
/// What it needs in any case: files on the run's own volume that belong to the hosts' user.
const RIGHTS_LEAST: &[&str] = &["CHOWN", "FOWNER", "DAC_OVERRIDE"];

/// The hand acts at a moment and sees what happens then: it must not wait for its turn behind those it acts on. The
/// greatest share there is; it is idle nearly always.
const HAND_CPU_SHARES: i64 = 262_144;
/// A share counts beside siblings only: below the engine's own group it would count among containers, and not against
/// the engine. Under the systemd driver the hand stays where the engine puts it.
const HAND_CGROUP_PARENT: &str = "/";

/// A hand to bring up.
pub(super) struct Raise<'a> {
    pub(super) engine: &'a Engine,
    pub(super) names: &'a Names,
    pub(super) image: String,
    /// Go without rights on the engine's machine, although they could be had.
    pub(super) no_rights: bool,
    pub(super) lease: Lease,
    /// The game day that it serves, in a standing region.
    pub(super) day: Option<&'a str>,
}

impl Raise<'_> {
    /// Starts the hand: with all rights where the engine grants them, else with none but the shared volume. `gone` is
    /// called when it ends.
    pub(super) async fn raise(&self, gone: impl FnOnce() + Clone + Send + 'static) -> Result<(Hand, Rights)> {
        if self.no_rights {
            return self.start(false, gone).await;
        }
        match self.start(true, gone.clone()).await {
            Err(error) => {
                tracing::warn!("the engine grants the hand no rights ({error:#}); going on without");
                self.engine.remove_container(&self.names.object("hand")).await?;
                self.start(false, gone).await
            }
            started => started,
        }
    }

    async fn start(&self, rights: bool, gone: impl FnOnce() + Send + 'static) -> Result<(Hand, Rights)> {
        let shared = self.names.object("shared");
        let standing = Standing {
            run: self.names.run.clone(),
            short: self.names.short.clone(),
            socket: engine::socket(),
            cgroups: vec![self.names.cgroup_root()],
            lease: self.lease,
        };
        let spec = ContainerSpec {
            name: self.names.object("hand"),
            hostname: "hand".to_owned(),
            image: self.image.clone(),
            command: vec![image::EXECUTABLE.to_owned(), "hand".to_owned(), serde_json::to_string(&standing)?],
            labels: self.names.labels(&[(LABEL_ROLE, ROLE_HAND), (LABEL_DAY, self.day.unwrap_or_default())]),
            user: "0:0".to_owned(),
            volumes: vec![VolumeMount { volume: shared, target: SHARED_DIR.to_owned(), read_only: false, copy: false }],
            privileged: rights,
            machine_root: if rights { MACHINE_ROOT.to_owned() } else { String::new() },
            capabilities: if rights { RIGHTS_WANTED } else { RIGHTS_LEAST },
            attach: true,
            devices: if rights { LOOP_DEVICES } else { &[] },
            cgroup_parent: if self.names.slices || !rights { String::new() } else { HAND_CGROUP_PARENT.to_owned() },
            cpu_shares: HAND_CPU_SHARES,
            restart: true,
            ..ContainerSpec::default()
        };
        self.engine.create(&spec).await?;
        let attached = self.engine.attach(&spec.name).await?;
        self.engine.start(&spec.name).await?;
        let hand = Hand::new(attached, gone);
        match hand.ask(Task::Hello).await? {
            Answer::Hello(rights) => {
                hand.keep_lease();
                Ok((hand, *rights))
            }
            other => bail!("the hand answered {other:?} to a greeting"),
        }
    }
}

/// Heals and removes everything of a run whose hand is dead, or holds it for nobody: by a new hand, which reads the
/// journal of the old one. Returns what could not be removed, with the reason.
///
/// # Errors
/// Where the engine does not answer, or no hand can be brought up.
pub async fn finish_dead_run(
    engine: &Engine,
    info: &EngineInfo,
    run: &str,
    no_rights: bool,
) -> Result<Vec<(String, String)>> {
    let names = Names::new(run, info.systemd_cgroups);
    let label = format!("{LABEL_RUN}={run}");
    let mut had_hand = false;
    for found in engine.find(ObjectKind::Container, &label).await? {
        if found.labels.get(LABEL_ROLE).is_some_and(|role| role == ROLE_HAND) {
            had_hand = true;
            engine.remove_container(&found.name).await?;
        }
    }
    let volumes = engine.find(ObjectKind::Volume, &label).await?;
    if !had_hand && !volumes.iter().any(|found| found.name == names.object("shared")) {
        // No hand without its volume: nothing was ever done that the engine does not know of.
        return sweep::remove_run(engine, run, &BTreeSet::new()).await;
    }
    let mut spare = BTreeSet::from([names.object("shared")]);
    // This version's own: the dead run's hand may speak another version's words.
    let image = match image::build(None, &info.architecture) {
        Ok(tar) => {
            let name = format!("{}-clean", names.image());
            engine.import_image(&name, &names.labels(&[]), tar).await?;
            name
        }
        Err(why) => match engine.find(ObjectKind::Image, &label).await?.into_iter().next() {
            Some(found) => found.name,
            None => return Err(why),
        },
    };
    spare.insert(image.clone());
    sweep::remove_run(engine, run, &spare).await?;
    // Where it is gone the journal is gone with it, and so is everything that stood on it; making it twice is none.
    engine.create_volume(&names.object("shared"), &names.labels(&[]), None).await?;
    let lease = Lease { silence_ms: LEASE_MS, then: LeaseEnd::HealAndRemove };
    let raise = Raise { engine, names: &names, image, no_rights, lease, day: None };
    let (hand, _) = raise.raise(|| ()).await?;
    let mut owed = Vec::new();
    while let Answer::Given(given) = hand.ask(Task::GiveBack { hosts: owed }).await? {
        owed = given.left;
        if owed.is_empty() {
            break;
        }
    }
    let mut left = match hand.ask(Task::Finish).await? {
        Answer::Left(Left { residue, .. }) => residue,
        other => bail!("the hand answered {other:?} to the end"),
    };
    left.extend(sweep::remove_run(engine, run, &BTreeSet::new()).await?);
    Ok(left)
}
