//! Every component, by kind and type. Adding one is a file and a line here.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::contract::{Builder, PostProcessor, Provisioner};
use super::{builder, post_processor, provisioner};
use crate::schema::{Component, Kind};

// One line a component: its type as templates write it, and what does it.

static BUILDERS: &[(&str, &dyn Builder)] =
    &[("amazon-ebs", &builder::amazon::Ebs), ("null", &builder::null::Null), ("file", &builder::file::File)];

static PROVISIONERS: &[(&str, &dyn Provisioner)] = &[
    ("shell", &provisioner::shell::Shell),
    ("file", &provisioner::file::File),
    ("shell-local", &provisioner::shell_local::ShellLocal),
    ("breakpoint", &provisioner::breakpoint::Breakpoint),
    ("sleep", &provisioner::sleep::Sleep),
];

static POST_PROCESSORS: &[(&str, &dyn PostProcessor)] = &[
    ("manifest", &post_processor::manifest::ManifestFile),
    ("checksum", &post_processor::checksum::Checksum),
    ("compress", &post_processor::compress::Compress),
    ("artifice", &post_processor::artifice::Artifice),
    ("shell-local", &post_processor::shell_local::ShellLocal),
];

/// A component that this version knows.
#[derive(Clone, Copy)]
pub enum Entry {
    Builder(&'static dyn Builder),
    Provisioner(&'static dyn Provisioner),
    PostProcessor(&'static dyn PostProcessor),
    /// Packer has it, or one of its plug-ins; kiln does not run it yet.
    NotBuilt,
}

/// The component of this kind and type; `None` when nobody knows it.
#[must_use]
pub fn find(kind: Kind, type_name: &str) -> Option<Entry> {
    match kind {
        Kind::Builder => builder(type_name).map(Entry::Builder),
        Kind::Provisioner => provisioner(type_name).map(Entry::Provisioner),
        Kind::PostProcessor => post_processor(type_name).map(Entry::PostProcessor),
    }
    .or_else(|| not_built(kind).contains(&type_name).then_some(Entry::NotBuilt))
}

/// The builder of this type, if this version runs it.
#[must_use]
pub fn builder(type_name: &str) -> Option<&'static dyn Builder> {
    BUILDERS.iter().find(|(name, _)| *name == type_name).map(|(_, b)| *b)
}

/// The provisioner of this type, if this version runs it.
#[must_use]
pub fn provisioner(type_name: &str) -> Option<&'static dyn Provisioner> {
    PROVISIONERS.iter().find(|(name, _)| *name == type_name).map(|(_, p)| *p)
}

/// The post-processor of this type, if this version runs it.
#[must_use]
pub fn post_processor(type_name: &str) -> Option<&'static dyn PostProcessor> {
    POST_PROCESSORS.iter().find(|(name, _)| *name == type_name).map(|(_, p)| *p)
}

/// Every type of a kind, built ones first.
pub fn types(kind: Kind) -> impl Iterator<Item = &'static str> {
    let built: Vec<&'static str> = match kind {
        Kind::Builder => BUILDERS.iter().map(|(name, _)| *name).collect(),
        Kind::Provisioner => PROVISIONERS.iter().map(|(name, _)| *name).collect(),
        Kind::PostProcessor => POST_PROCESSORS.iter().map(|(name, _)| *name).collect(),
    };
    built.into_iter().chain(not_built(kind).iter().copied())
}

/// The schema of a component, made when it is first asked for. `None` when nobody knows the type.
#[must_use]
pub fn schema(kind: Kind, type_name: &str) -> Option<Arc<Component>> {
    static MADE: Mutex<BTreeMap<(Kind, String), Arc<Component>>> = Mutex::new(BTreeMap::new());
    let mut made = MADE.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(component) = made.get(&(kind, type_name.to_owned())) {
        return Some(component.clone());
    }
    let component = Arc::new(match find(kind, type_name)? {
        Entry::Builder(b) => b.schema(),
        Entry::Provisioner(p) => p.schema(),
        Entry::PostProcessor(p) => p.schema(),
        Entry::NotBuilt => Component::not_built(kind, type_name),
    });
    made.insert((kind, type_name.to_owned()), component.clone());
    Some(component)
}

fn not_built(kind: Kind) -> &'static [&'static str] {
    match kind {
        Kind::Builder => BUILDERS_TO_COME,
        Kind::Provisioner => PROVISIONERS_TO_COME,
        Kind::PostProcessor => POST_PROCESSORS_TO_COME,
    }
}

/// Builders of Packer and its plug-ins.
const BUILDERS_TO_COME: &[&str] = &[
    "alicloud-ecs",
    "amazon-chroot",
    "amazon-ebssurrogate",
    "amazon-ebsvolume",
    "amazon-instance",
    "azure-arm",
    "azure-chroot",
    "azure-dtl",
    "cloudstack",
    "digitalocean",
    "docker",
    "googlecompute",
    "hcloud",
    "hyperone",
    "hyperv-iso",
    "hyperv-vmcx",
    "ibmcloud-vpc",
    "jdcloud",
    "ksyun-kec",
    "linode",
    "lxc",
    "lxd",
    "ncloud",
    "nutanix",
    "oneandone",
    "openstack",
    "oracle-classic",
    "oracle-oci",
    "osc-bsu",
    "osc-bsusurrogate",
    "osc-bsuvolume",
    "osc-chroot",
    "outscale-bsu",
    "outscale-bsusurrogate",
    "outscale-bsuvolume",
    "outscale-chroot",
    "parallels-ipsw",
    "parallels-iso",
    "parallels-macvm",
    "parallels-pvm",
    "profitbricks",
    "proxmox",
    "proxmox-clone",
    "proxmox-iso",
    "qemu",
    "scaleway",
    "tart-cli",
    "tencentcloud-cvm",
    "triton",
    "ucloud-uhost",
    "utm-iso",
    "vagrant",
    "virtualbox",
    "virtualbox-iso",
    "virtualbox-ovf",
    "virtualbox-vm",
    "vmware",
    "vmware-iso",
    "vmware-vmx",
    "vsphere-clone",
    "vsphere-iso",
    "vultr",
    "xenserver-iso",
    "yandex",
];

/// Provisioners of Packer and its plug-ins.
const PROVISIONERS_TO_COME: &[&str] = &[
    "ansible",
    "ansible-local",
    "azure-dtlartifact",
    "chef-client",
    "chef-solo",
    "converge",
    "cnspec",
    "goss",
    "hcp-sbom",
    "inspec",
    "mondoo",
    "powershell",
    "puppet-masterless",
    "puppet-server",
    "salt-masterless",
    "windows-restart",
    "windows-shell",
    "windows-update",
];

/// Post-processors of Packer and its plug-ins.
const POST_PROCESSORS_TO_COME: &[&str] = &[
    "alicloud-import",
    "amazon-ami-management",
    "amazon-import",
    "atlas",
    "digitalocean-import",
    "docker-import",
    "docker-push",
    "docker-save",
    "docker-tag",
    "exoscale-import",
    "googlecompute-export",
    "googlecompute-import",
    "hcp-packer",
    "provenance",
    "ucloud-import",
    "vagrant",
    "vagrant-cloud",
    "vagrant-registry",
    "vsphere",
    "vsphere-template",
    "yandex-export",
    "yandex-import",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_is_listed_once() {
        for kind in [Kind::Builder, Kind::Provisioner, Kind::PostProcessor] {
            let mut all: Vec<&str> = types(kind).collect();
            let count = all.len();
            all.sort_unstable();
            all.dedup();
            assert_eq!(all.len(), count, "{kind:?}");
        }
    }

    #[test]
    fn what_is_known_by_name_only_has_no_fields() {
        let qemu = schema(Kind::Builder, "qemu").map(|c| (c.not_built, c.fields.is_none()));
        assert_eq!(qemu, Some((true, true)));
        assert!(schema(Kind::Builder, "qemuu").is_none());
    }
}
