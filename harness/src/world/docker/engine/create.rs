//! Owns what a container that is to be created looks like to the engine. Refuses to send it.

use super::super::names::LABEL_RUN;
use super::super::spec::{ContainerSpec, VolumeMount};
use super::hashed;
use crate::hand::machine::RUN_VARIABLE;
use bollard::models::{
    ContainerCreateBody, EndpointIpamConfig, EndpointSettings, HealthConfig, HostConfig, HostConfigCgroupnsModeEnum,
    HostConfigLogConfig, Mount, MountType, MountVolumeOptions, NetworkingConfig, RestartPolicy, RestartPolicyNameEnum,
};
use std::collections::HashMap;

/// The request.
pub(super) fn body(spec: &ContainerSpec) -> ContainerCreateBody {
    let endpoint = |address: &String| EndpointSettings {
        ipam_config: (!address.is_empty())
            .then(|| EndpointIpamConfig { ipv4_address: Some(address.clone()), ..Default::default() }),
        ..EndpointSettings::default()
    };
    let networking = spec.network.as_ref().map(|(network, address)| NetworkingConfig {
        endpoints_config: Some(HashMap::from([(network.clone(), endpoint(address))])),
    });
    let run = spec.labels.get(LABEL_RUN).map(|run| format!("{RUN_VARIABLE}={run}"));
    ContainerCreateBody {
        hostname: Some(spec.hostname.clone()),
        user: Some(spec.user.clone()),
        image: Some(spec.image.clone()),
        entrypoint: Some(spec.command.clone()),
        // The second tells of which run a process is that outlives its container.
        env: Some(own_libraries(spec).into_iter().chain(run).collect()),
        labels: Some(hashed(&spec.labels)),
        // What an image says of its own health the engine would look at by commands, which are interventions.
        healthcheck: spec.real.then(|| HealthConfig { test: Some(vec!["NONE".to_owned()]), ..HealthConfig::default() }),
        // `none` alone would still have libnetwork make an endpoint, and run a copy of the engine for each start.
        network_disabled: Some(spec.network.is_none() && !spec.on_machine()),
        attach_stdin: Some(spec.attach),
        attach_stdout: Some(spec.attach),
        attach_stderr: Some(spec.attach),
        open_stdin: Some(spec.attach),
        stdin_once: Some(spec.attach),
        host_config: Some(host_config(spec)),
        networking_config: networking,
        ..ContainerCreateBody::default()
    }
}

/// Where the loader finds our libraries; real software has its own.
fn own_libraries(spec: &ContainerSpec) -> Option<String> {
    (!spec.real).then(|| "LD_LIBRARY_PATH=/lib".to_owned())
}

fn host_config(spec: &ContainerSpec) -> HostConfig {
    let mount = |volume: &VolumeMount| Mount {
        typ: Some(MountType::VOLUME),
        source: Some(volume.volume.clone()),
        target: Some(volume.target.clone()),
        read_only: Some(volume.read_only),
        volume_options: Some(MountVolumeOptions { no_copy: Some(!volume.copy), ..Default::default() }),
        ..Mount::default()
    };
    let network_mode = match &spec.network {
        Some((network, _)) => network.clone(),
        None if spec.on_machine() => "host".to_owned(),
        None => "none".to_owned(),
    };
    // What is attached is read as it comes; a log file of it would only fill the engine's disk.
    let log = if spec.attach { "none" } else { "json-file" };
    // The hand runs the machine's own programs and writes its control groups: the profiles forbid both.
    let unconfined = ["apparmor=unconfined", "seccomp=unconfined"];
    let confined = ["no-new-privileges"];
    let security = match spec.privileged {
        true => unconfined.as_slice(),
        false if spec.real => &[],
        false => confined.as_slice(),
    };
    let security = security.iter().map(ToString::to_string).collect();
    let log_options = if spec.attach { vec![] } else { vec![("max-size".to_owned(), "256k".to_owned())] };
    HostConfig {
        network_mode: Some(network_mode),
        mounts: Some(spec.volumes.iter().map(mount).collect()),
        binds: Some(&spec.machine_root).filter(|target| !target.is_empty()).map(|target| vec![format!("/:{target}")]),
        cgroup_parent: Some(spec.cgroup_parent.clone()).filter(|parent| !parent.is_empty()),
        memory: Some(spec.memory_bytes).filter(|&bytes| bytes > 0),
        memory_swap: Some(spec.memory_bytes).filter(|&bytes| bytes > 0),
        pids_limit: Some(spec.pids).filter(|&pids| pids > 0),
        cpu_shares: Some(spec.cpu_shares).filter(|&shares| shares > 0),
        device_cgroup_rules: Some(spec.devices.iter().map(ToString::to_string).collect()),
        sysctls: Some(sysctls(spec)).filter(|sysctls| !sysctls.is_empty()),
        pid_mode: spec.privileged.then(|| "host".to_owned()),
        // From a namespace of its own it could move no process into a group outside of that (v2, `nsdelegate`).
        cgroupns_mode: spec.privileged.then_some(HostConfigCgroupnsModeEnum::HOST),
        // Real software has what engines give by default: its owner's entrypoint may count on it.
        cap_drop: (!spec.real).then(|| vec!["ALL".to_owned()]),
        cap_add: Some(spec.capabilities.iter().map(ToString::to_string).collect()),
        security_opt: Some(security),
        readonly_rootfs: Some(!spec.real),
        tmpfs: Some(spec.in_memory.iter().map(|path| (path.clone(), "mode=1777".to_owned())).collect()),
        restart_policy: Some(RestartPolicy {
            name: Some(if spec.restart { RestartPolicyNameEnum::ON_FAILURE } else { RestartPolicyNameEnum::NO }),
            maximum_retry_count: None,
        }),
        log_config: Some(HostConfigLogConfig {
            typ: Some(log.to_owned()),
            config: Some(log_options.into_iter().collect()),
        }),
        ..HostConfig::default()
    }
}

fn sysctls(spec: &ContainerSpec) -> std::collections::HashMap<String, String> {
    let low_ports = [("net.ipv4.ip_unprivileged_port_start", "0")].into_iter().filter(|_| spec.low_ports);
    let ways = [("net.ipv4.conf.all.accept_redirects", "0"), ("net.ipv4.conf.default.accept_redirects", "0")];
    let ways = ways.into_iter().filter(|_| spec.by_gateway);
    low_ports.chain(ways).map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}
