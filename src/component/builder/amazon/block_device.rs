//! Block devices, from the template's form to EC2's.

use aws_sdk_ec2::types::{BlockDeviceMapping, EbsBlockDevice, VolumeType};

use super::config::BlockDevice;

/// The mappings of one list of the template, in its order.
pub fn mappings(devices: &[BlockDevice]) -> Vec<BlockDeviceMapping> {
    devices.iter().map(mapping).collect()
}

fn mapping(device: &BlockDevice) -> BlockDeviceMapping {
    let mapping = BlockDeviceMapping::builder().device_name(&device.device_name);
    if device.no_device {
        return mapping.no_device("").build();
    }
    if !device.virtual_name.is_empty() {
        let ephemeral = device.virtual_name.starts_with("ephemeral").then(|| device.virtual_name.clone());
        return mapping.set_virtual_name(ephemeral).build();
    }
    mapping.ebs(volume(device)).build()
}

fn volume(device: &BlockDevice) -> EbsBlockDevice {
    let text = |s: &str| (!s.is_empty()).then(|| s.to_owned());
    let positive = |n: Option<i64>| n.and_then(|n| i32::try_from(n).ok()).filter(|n| *n > 0);
    let kind = device.volume_type.as_str();
    EbsBlockDevice::builder()
        .delete_on_termination(device.delete_on_termination)
        .set_encrypted(device.encrypted.or((!device.kms_key_id.is_empty()).then_some(true)))
        .set_kms_key_id(text(&device.kms_key_id))
        .set_snapshot_id(text(&device.snapshot_id))
        .set_volume_type(text(kind).map(|k| VolumeType::from(k.as_str())))
        .set_volume_size(positive(device.volume_size))
        .set_iops(positive(device.iops).filter(|_| ["io1", "io2", "gp3"].contains(&kind)))
        .set_throughput(positive(device.throughput).filter(|_| kind == "gp3"))
        .build()
}

/// `no_ephemeral`: takes the 26 device names away that Windows images map to instance store volumes.
pub fn without_ephemeral() -> Vec<BlockDeviceMapping> {
    ('a'..='z')
        .map(|letter| BlockDeviceMapping::builder().device_name(format!("xvdc{letter}")).no_device("").build())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn device() -> BlockDevice {
        BlockDevice { device_name: "/dev/sdb".into(), volume_size: Some(20), ..BlockDevice::default() }
    }

    #[test]
    fn no_device_wins_over_everything() {
        let mapping = mapping(&BlockDevice { no_device: true, virtual_name: "ephemeral0".into(), ..device() });
        assert_eq!(mapping.no_device(), Some(""));
        assert!(mapping.ebs().is_none() && mapping.virtual_name().is_none());
    }

    #[test]
    fn a_virtual_name_makes_no_volume() {
        let mapping = mapping(&BlockDevice { virtual_name: "ephemeral0".into(), ..device() });
        assert_eq!(mapping.virtual_name(), Some("ephemeral0"));
        assert!(mapping.ebs().is_none());
    }

    #[test]
    fn iops_and_throughput_go_only_where_the_type_takes_them() {
        let sent = |kind: &str| {
            let device = BlockDevice { volume_type: kind.into(), iops: Some(3000), throughput: Some(250), ..device() };
            (volume(&device).iops(), volume(&device).throughput())
        };
        assert_eq!(sent("gp3"), (Some(3000), Some(250)));
        assert_eq!(sent("io1"), (Some(3000), None));
        assert_eq!(sent("gp2"), (None, None));
    }

    #[test]
    fn encryption_is_left_open_unless_the_template_says_something() {
        assert_eq!(volume(&device()).encrypted(), None);
        assert_eq!(volume(&BlockDevice { encrypted: Some(false), ..device() }).encrypted(), Some(false));
        assert_eq!(volume(&BlockDevice { kms_key_id: "alias/x".into(), ..device() }).encrypted(), Some(true));
    }

    #[test]
    fn deletion_is_always_said() {
        assert_eq!(volume(&device()).delete_on_termination(), Some(false));
    }
}
