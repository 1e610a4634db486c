//! Owns the files that are put into a container of real software before its first start, as a tar: names, folders on the
//! zone's disk and the links to them, and what the graph says. Refuses to talk to the engine.

use super::super::region::Layout;
use super::{Fill, OWN_DIR, on_host, volume_dir};
use crate::hand::STATE_DIR;
use agents::config::Region;
use anyhow::{Context, Result, bail};
use fixtures::graph::image::FileContent;
use fixtures::placement::{Host, endpoint};
use std::fmt::Write;

/// Name servers that a resolver looks at, at most (resolv.conf(5)).
const NAME_SERVERS_MAX: usize = 3;

/// Whose the software's files are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) struct Owner {
    pub(in super::super) user: u64,
    pub(in super::super) group: u64,
}

impl Owner {
    /// As whom a container runs: `user`, `user:group`, by name or number, as an image's own tables have them.
    pub(in super::super) fn of(asked: &str, passwd: &str, group: &str) -> Result<Self> {
        let (user, group_asked) = asked.split_once(':').map_or((asked, None), |(user, group)| (user, Some(group)));
        let row = |table: &str, name: &str| -> Option<Vec<String>> {
            let rows = table.lines().map(|line| line.split(':').map(str::to_owned).collect::<Vec<String>>());
            rows.into_iter().find(|row| row.first().is_some_and(|known| known == name))
        };
        let number = |row: &[String], field: usize| row.get(field)?.parse::<u64>().ok();
        let (user, usual) = match user.parse::<u64>() {
            _ if user.is_empty() => (0, 0),
            Ok(user) => {
                let mut rows = passwd.lines().map(|line| line.split(':').map(str::to_owned).collect::<Vec<String>>());
                let own = rows.find(|row| number(row, 2) == Some(user));
                (user, own.and_then(|row| number(&row, 3)).unwrap_or_default())
            }
            Err(_) => {
                let row = row(passwd, user).with_context(|| format!("the image has no user `{user}`"))?;
                (number(&row, 2).context("its user has no number")?, number(&row, 3).unwrap_or_default())
            }
        };
        let group = match group_asked {
            None => usual,
            Some(asked) => match asked.parse() {
                Ok(group) => group,
                Err(_) => row(group, asked)
                    .and_then(|row| number(&row, 2))
                    .with_context(|| format!("the image has no group `{asked}`"))?,
            },
        };
        Ok(Self { user, group })
    }
}

const ROOT: Owner = Owner { user: 0, group: 0 };

/// The tar of a host of real software.
pub(in super::super) fn tar(layout: &Layout, host: &Host, owner: Owner) -> Result<Vec<u8>> {
    let Some((instance, _, image)) = on_host(layout, host) else { bail!("{} has no real software", host.name) };
    let fill = Fill { layout, host, instance };
    let mut archive = Archive(tar::Builder::new(Vec::new()));
    archive.folder(OWN_DIR, owner)?;
    archive.folder(&format!("{STATE_DIR}/{}", host.name), owner)?;
    for (number, volume) in image.volumes.iter().enumerate() {
        let folder = volume_dir(host, number);
        archive.folder(&folder, owner)?;
        archive.link(volume, &folder)?;
    }
    archive.file("/etc/hosts", &hosts(layout, host), 0o644, ROOT)?;
    if let Some(text) = resolver(layout, host) {
        archive.file("/etc/resolv.conf", &text, 0o644, ROOT)?;
    }
    for file in &image.files {
        let FileContent::Text(text) = &file.content else {
            bail!("{}: nobody has read what is to be in it", file.path);
        };
        let mode = if file.executable { 0o755 } else { 0o644 };
        archive.file(&file.path, &fill.text(text), mode, owner)?;
    }
    archive.0.into_inner().context("the files could not be put together")
}

/// Names that are known without a name server: the host's own, those of all real software, and, where nobody answers names,
/// those under which services are called from here.
fn hosts(layout: &Layout, host: &Host) -> String {
    let own = layout.address(host);
    let mut text = format!("127.0.0.1 localhost\n{own} {}\n", host.name);
    let placement = &layout.placement;
    for instance in &placement.instances {
        let is_real = layout.graph.service(&instance.service).is_some_and(|service| service.image.is_some());
        if is_real {
            let address = layout.address(&placement.hosts[instance.host]);
            writeln!(text, "{address} {}", instance.name).unwrap_or_default();
        }
    }
    if layout.graph.names.is_none() {
        let addresses = layout.instance_addresses();
        let region = Region::new(&layout.topology, &layout.graph, placement, &addresses);
        for service in &layout.graph.services {
            let name = endpoint(&layout.topology, service, &host.region, &host.zone);
            for target in region.targets(&host.zone, &service.name).iter() {
                writeln!(text, "{} {name}", target.address.ip()).unwrap_or_default();
            }
        }
    }
    text
}

/// The region's name servers, the zone's own first; nothing where nobody answers names.
fn resolver(layout: &Layout, host: &Host) -> Option<String> {
    let names = layout.graph.names.as_ref()?;
    let addresses = layout.instance_addresses();
    let region = Region::new(&layout.topology, &layout.graph, &layout.placement, &addresses);
    let mut servers: Vec<agents::config::Target> = region.targets(&host.zone, &names.service).to_vec();
    servers.sort_by_key(|server| server.zone != host.zone);
    let mut text = "options timeout:1 attempts:2\n".to_owned();
    for server in servers.iter().take(NAME_SERVERS_MAX) {
        writeln!(text, "nameserver {}", server.address.ip()).unwrap_or_default();
    }
    Some(text)
}

struct Archive(tar::Builder<Vec<u8>>);

impl Archive {
    fn append(&mut self, path: &str, mut header: tar::Header, owner: Owner, bytes: &[u8]) -> Result<()> {
        header.set_uid(owner.user);
        header.set_gid(owner.group);
        header.set_size(bytes.len() as u64);
        header.set_mtime(0);
        let path = path.trim_start_matches('/');
        self.0.append_data(&mut header, path, bytes).with_context(|| format!("{path} could not be put into the files"))
    }

    fn header(kind: tar::EntryType, mode: u32) -> tar::Header {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(kind);
        header.set_mode(mode);
        header
    }

    fn folder(&mut self, path: &str, owner: Owner) -> Result<()> {
        self.append(path, Self::header(tar::EntryType::Directory, 0o700), owner, &[])
    }

    fn file(&mut self, path: &str, text: &str, mode: u32, owner: Owner) -> Result<()> {
        self.append(path, Self::header(tar::EntryType::Regular, mode), owner, text.as_bytes())
    }

    fn link(&mut self, path: &str, to: &str) -> Result<()> {
        let mut header = Self::header(tar::EntryType::Symlink, 0o777);
        header.set_uid(0);
        header.set_gid(0);
        header.set_size(0);
        header.set_mtime(0);
        let path = path.trim_start_matches('/');
        self.0.append_link(&mut header, path, to).with_context(|| format!("{path} could not be linked"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_are_found_as_engines_find_them() -> Result<()> {
        let passwd = "root:x:0:0:root:/:/bin/sh\nredis:x:101:103::/:/bin/sh\n";
        let group = "root:x:0:\nredis:x:103:\nssl:x:7:\n";
        for (asked, user, number) in [
            ("", 0, 0),
            ("redis", 101, 103),
            ("101", 101, 103),
            ("555", 555, 0),
            ("redis:ssl", 101, 7),
            ("555:556", 555, 556),
        ] {
            assert_eq!(Owner::of(asked, passwd, group)?, Owner { user, group: number }, "{asked}");
        }
        assert!(Owner::of("nobody", passwd, group).is_err());
        assert!(Owner::of("redis:nobody", passwd, group).is_err());
        Ok(())
    }
}
