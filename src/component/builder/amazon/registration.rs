//! An image's registration as data: all that it takes to register the image again from its snapshots.

use std::collections::BTreeMap;

use aws_sdk_ec2::types as ec2;
use serde::{Deserialize, Serialize};

use super::learnt::tag_map;
use super::tags;
use crate::cloud::failure;
use crate::run::Failure;

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Registration {
    pub id: String,
    pub name: String,
    description: String,
    architecture: String,
    virtualization: String,
    root_device: String,
    ena: bool,
    sriov: String,
    boot_mode: String,
    tpm: String,
    imds: String,
    devices: Vec<Device>,
    tags: BTreeMap<String, String>,
    users: Vec<String>,
    groups: Vec<String>,
    organisations: Vec<String>,
    units: Vec<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Device {
    name: String,
    virtual_name: Option<String>,
    no_device: Option<String>,
    snapshot: Option<String>,
    size: Option<i32>,
    kind: Option<String>,
    iops: Option<i32>,
    throughput: Option<i32>,
    delete: Option<bool>,
}

impl Registration {
    /// What there is to know of an image: its description and with whom it is shared.
    pub async fn of(client: &aws_sdk_ec2::Client, image: &ec2::Image) -> Result<Self, Failure> {
        let mut registration = Self::from(image);
        let shared = client
            .describe_image_attribute()
            .image_id(&registration.id)
            .attribute(ec2::ImageAttributeName::LaunchPermission)
            .send()
            .await
            .map_err(|e| failure(&e, &format!("cannot see with whom {} is shared", registration.id)))?;
        for permission in shared.launch_permissions() {
            registration.users.extend(permission.user_id().map(str::to_owned));
            registration.groups.extend(permission.group().map(|g| g.as_str().to_owned()));
            registration.organisations.extend(permission.organization_arn().map(str::to_owned));
            registration.units.extend(permission.organizational_unit_arn().map(str::to_owned));
        }
        Ok(registration)
    }

    pub fn snapshots(&self) -> impl Iterator<Item = &str> {
        self.devices.iter().filter_map(|d| d.snapshot.as_deref())
    }

    /// Registers the image again, with its tags and permissions; gives the new id.
    pub async fn register(&self, client: &aws_sdk_ec2::Client) -> Result<String, Failure> {
        let text = |s: &str| (!s.is_empty()).then(|| s.to_owned());
        let made = client
            .register_image()
            .name(&self.name)
            .set_description(text(&self.description))
            .set_architecture(text(&self.architecture).map(|s| s.as_str().into()))
            .set_virtualization_type(text(&self.virtualization))
            .set_root_device_name(text(&self.root_device))
            .ena_support(self.ena)
            .set_sriov_net_support(text(&self.sriov))
            .set_boot_mode(text(&self.boot_mode).map(|s| s.as_str().into()))
            .set_tpm_support(text(&self.tpm).map(|s| s.as_str().into()))
            .set_imds_support(text(&self.imds).map(|s| s.as_str().into()))
            .set_block_device_mappings(Some(self.devices.iter().map(Device::mapping).collect()))
            .set_tag_specifications(tags::specification(ec2::ResourceType::Image, &self.tags).map(|s| vec![s]))
            .send()
            .await
            .map_err(|e| failure(&e, &format!("cannot register {} again", self.name)))?;
        let id = made.image_id().unwrap_or_default().to_owned();
        let permissions = permissions(&self.users, &self.groups, &self.organisations, &self.units);
        if !permissions.is_empty() {
            let change = ec2::LaunchPermissionModifications::builder().set_add(Some(permissions)).build();
            let shared = client.modify_image_attribute().image_id(&id).launch_permission(change).send().await;
            shared.map_err(|e| failure(&e, &format!("{id} is registered again, but not shared as before")))?;
        }
        Ok(id)
    }
}

/// Launch permissions for accounts, groups (`all`), organisations and organisational units.
pub fn permissions(
    users: &[String],
    groups: &[String],
    organisations: &[String],
    units: &[String],
) -> Vec<ec2::LaunchPermission> {
    let new = ec2::LaunchPermission::builder;
    let users = users.iter().map(|id| new().user_id(id).build());
    let groups = groups.iter().map(|group| new().group(group.as_str().into()).build());
    let organisations = organisations.iter().map(|arn| new().organization_arn(arn).build());
    let units = units.iter().map(|arn| new().organizational_unit_arn(arn).build());
    users.chain(groups).chain(organisations).chain(units).collect()
}

impl From<&ec2::Image> for Registration {
    fn from(image: &ec2::Image) -> Self {
        let own = |s: Option<&str>| s.unwrap_or_default().to_owned();
        Self {
            id: own(image.image_id()),
            name: own(image.name()),
            description: own(image.description()),
            architecture: own(image.architecture().map(ec2::ArchitectureValues::as_str)),
            virtualization: own(image.virtualization_type().map(ec2::VirtualizationType::as_str)),
            root_device: own(image.root_device_name()),
            ena: image.ena_support() == Some(true),
            sriov: own(image.sriov_net_support()),
            boot_mode: own(image.boot_mode().map(ec2::BootModeValues::as_str)),
            tpm: own(image.tpm_support().map(ec2::TpmSupportValues::as_str)),
            imds: own(image.imds_support().map(ec2::ImdsSupportValues::as_str)),
            devices: image.block_device_mappings().iter().map(Device::from).collect(),
            tags: tag_map(image.tags()).into_iter().filter(|(key, _)| !key.starts_with("aws:")).collect(),
            ..Self::default()
        }
    }
}

impl From<&ec2::BlockDeviceMapping> for Device {
    fn from(mapping: &ec2::BlockDeviceMapping) -> Self {
        let own = |s: Option<&str>| s.filter(|s| !s.is_empty()).map(str::to_owned);
        let ebs = mapping.ebs();
        Self {
            name: mapping.device_name().unwrap_or_default().into(),
            virtual_name: own(mapping.virtual_name()),
            no_device: mapping.no_device().map(str::to_owned),
            snapshot: own(ebs.and_then(|e| e.snapshot_id())),
            size: ebs.and_then(|e| e.volume_size()),
            kind: own(ebs.and_then(|e| e.volume_type()).map(ec2::VolumeType::as_str)),
            iops: ebs.and_then(|e| e.iops()).filter(|n| *n > 0),
            throughput: ebs.and_then(|e| e.throughput()).filter(|n| *n > 0),
            delete: ebs.and_then(|e| e.delete_on_termination()),
        }
    }
}

impl Device {
    fn mapping(&self) -> ec2::BlockDeviceMapping {
        let volume = || {
            // Encryption is not said: it follows the snapshot, and AWS refuses it beside one.
            let kind = self.kind.as_deref();
            ec2::EbsBlockDevice::builder()
                .set_snapshot_id(self.snapshot.clone())
                .set_volume_size(self.size)
                .set_volume_type(kind.map(Into::into))
                .set_iops(self.iops.filter(|_| matches!(kind, Some("io1" | "io2" | "gp3"))))
                .set_throughput(self.throughput.filter(|_| kind == Some("gp3")))
                .set_delete_on_termination(self.delete)
                .build()
        };
        let is_volume = self.virtual_name.is_none() && self.no_device.is_none();
        ec2::BlockDeviceMapping::builder()
            .device_name(&self.name)
            .set_virtual_name(self.virtual_name.clone())
            .set_no_device(self.no_device.clone())
            .set_ebs(is_volume.then(volume))
            .build()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_registration_keeps_what_it_takes_to_register_again() {
        let ebs = ec2::EbsBlockDevice::builder()
            .snapshot_id("snap-1")
            .volume_size(8)
            .volume_type(ec2::VolumeType::Gp3)
            .iops(3000)
            .throughput(125)
            .encrypted(true)
            .build();
        let image = ec2::Image::builder()
            .image_id("ami-1")
            .name("web")
            .root_device_name("/dev/sda1")
            .architecture(ec2::ArchitectureValues::Arm64)
            .boot_mode(ec2::BootModeValues::Uefi)
            .ena_support(true)
            .block_device_mappings(ec2::BlockDeviceMapping::builder().device_name("/dev/sda1").ebs(ebs).build())
            .tags(ec2::Tag::builder().key("Name").value("web").build())
            .tags(ec2::Tag::builder().key("aws:x").value("y").build())
            .build();
        let registration = Registration::from(&image);
        let written: Registration = serde_json::from_value(serde_json::to_value(&registration).unwrap()).unwrap();
        assert_eq!(written, registration);
        assert_eq!(written.snapshots().collect::<Vec<_>>(), ["snap-1"]);
        assert_eq!(written.tags.len(), 1, "AWS's own tags cannot be set");
        let mapping = written.devices[0].mapping();
        let volume = mapping.ebs().unwrap();
        assert_eq!((volume.iops(), volume.throughput(), volume.encrypted()), (Some(3000), Some(125), None));
    }

    #[test]
    fn each_kind_of_reader_gets_its_permission() {
        let all = permissions(&["1".into()], &["all".into()], &["arn:o".into()], &["arn:u".into()]);
        assert_eq!(all.len(), 4);
        assert_eq!(all[1].group(), Some(&ec2::PermissionGroup::All));
    }
}
