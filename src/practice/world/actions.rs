//! Which function carries out which action.

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{
    Cx, fleet, iam, image, image_attribute, image_make, instance_attribute, instance_describe, instance_run,
    instance_state, key_pair, launch_template, network, place, secret, security_group, snapshot, spot, sts, tag,
    volume,
};
use crate::practice::wire::{Refusal, Xml};

/// A request's tree as what an action takes.
///
/// # Errors
/// `InternalError` when the action's struct and AWS's model differ: a mistake of this cloud.
pub fn read<T: DeserializeOwned>(input: Value) -> Result<T, Refusal> {
    serde_json::from_value(input)
        .map_err(|e| Refusal::internal(format!("the practice cloud cannot read this request: {e}")))
}

macro_rules! actions {
    ($($name:ident => $function:path,)*) => {
        /// Carries out an action; its answer's elements.
        pub fn perform(cx: &mut Cx<'_>, service: &str, action: &str, input: Value) -> Result<Xml, Refusal> {
            match action {
                $(stringify!($name) => $function(cx, read(input)?),)*
                _ => Err(Refusal::new("InvalidAction", format!("The action {action} is not valid for this web service."))),
            }
            .map_err(|refusal| named(refusal, service))
        }

        #[cfg(test)]
        fn serves(action: &str) -> bool {
            [$(stringify!($name)),*].contains(&action)
        }
    };
}

/// STS and IAM call a bad parameter otherwise than EC2 does.
fn named(refusal: Refusal, service: &str) -> Refusal {
    match (service, refusal.code.as_ref()) {
        ("sts" | "iam", "MissingParameter" | "InvalidParameterValue" | "UnknownParameter") => {
            Refusal::new("ValidationError", refusal.message)
        }
        _ => refusal,
    }
}

actions! {
    AssociateIamInstanceProfile => instance_attribute::associate_iam_instance_profile,
    AttachVolume => volume::attach_volume,
    AuthorizeSecurityGroupEgress => security_group::authorize_egress,
    AuthorizeSecurityGroupIngress => security_group::authorize_ingress,
    CancelSpotInstanceRequests => spot::cancel_spot_instance_requests,
    CopyImage => image_make::copy_image,
    CopySnapshot => snapshot::copy_snapshot,
    CreateFleet => fleet::create_fleet,
    CreateImage => image_make::create_image,
    CreateKeyPair => key_pair::create_key_pair,
    CreateLaunchTemplate => launch_template::create_launch_template,
    CreateLaunchTemplateVersion => launch_template::create_launch_template_version,
    CreateSecurityGroup => security_group::create_security_group,
    CreateSnapshot => snapshot::create_snapshot,
    CreateSubnet => network::create_subnet,
    CreateTags => tag::create_tags,
    CreateVolume => volume::create_volume,
    CreateVpc => network::create_vpc,
    DeleteFleets => fleet::delete_fleets,
    DeleteKeyPair => key_pair::delete_key_pair,
    DeleteLaunchTemplate => launch_template::delete_launch_template,
    DeleteSecurityGroup => security_group::delete_security_group,
    DeleteSnapshot => snapshot::delete_snapshot,
    DeleteSubnet => network::delete_subnet,
    DeleteTags => tag::delete_tags,
    DeleteVolume => volume::delete_volume,
    DeleteVpc => network::delete_vpc,
    DeregisterImage => image_make::deregister_image,
    DescribeAccountAttributes => place::describe_account_attributes,
    DescribeAvailabilityZones => place::describe_availability_zones,
    DescribeFastLaunchImages => image_attribute::describe_fast_launch_images,
    DescribeFleetInstances => fleet::describe_fleet_instances,
    DescribeFleets => fleet::describe_fleets,
    DescribeIamInstanceProfileAssociations => instance_attribute::describe_iam_instance_profile_associations,
    DescribeImageAttribute => image_attribute::describe_image_attribute,
    DescribeImages => image::describe_images,
    DescribeInstanceAttribute => instance_attribute::describe_instance_attribute,
    DescribeInstanceCreditSpecifications => instance_attribute::describe_instance_credit_specifications,
    DescribeInstanceStatus => instance_describe::describe_instance_status,
    DescribeInstanceTypeOfferings => place::describe_instance_type_offerings,
    DescribeInstanceTypes => place::describe_instance_types,
    DescribeInstances => instance_describe::describe_instances,
    DescribeInternetGateways => network::describe_internet_gateways,
    DescribeKeyPairs => key_pair::describe_key_pairs,
    DescribeLaunchTemplateVersions => launch_template::describe_launch_template_versions,
    DescribeLaunchTemplates => launch_template::describe_launch_templates,
    DescribeNetworkInterfaces => network::describe_network_interfaces,
    DescribeRegions => place::describe_regions,
    DescribeRouteTables => network::describe_route_tables,
    DescribeSecurityGroupRules => security_group::describe_security_group_rules,
    DescribeSecurityGroups => security_group::describe_security_groups,
    DescribeSnapshotAttribute => snapshot::describe_snapshot_attribute,
    DescribeSnapshots => snapshot::describe_snapshots,
    DescribeSpotInstanceRequests => spot::describe_spot_instance_requests,
    DescribeSpotPriceHistory => spot::describe_spot_price_history,
    DescribeSubnets => network::describe_subnets,
    DescribeTags => tag::describe_tags,
    DescribeVolumeStatus => volume::describe_volume_status,
    DescribeVolumes => volume::describe_volumes,
    DescribeVpcAttribute => network::describe_vpc_attribute,
    DescribeVpcs => network::describe_vpcs,
    DetachVolume => volume::detach_volume,
    DisableFastLaunch => image_attribute::disable_fast_launch,
    DisableImage => image_attribute::disable_image,
    DisableImageDeprecation => image_attribute::disable_image_deprecation,
    DisableImageDeregistrationProtection => image_attribute::disable_protection,
    EnableFastLaunch => image_attribute::enable_fast_launch,
    EnableImage => image_attribute::enable_image,
    EnableImageDeprecation => image_attribute::enable_image_deprecation,
    EnableImageDeregistrationProtection => image_attribute::enable_protection,
    GetConsoleOutput => instance_attribute::get_console_output,
    GetEbsDefaultKmsKeyId => volume::get_ebs_default_kms_key_id,
    GetEbsEncryptionByDefault => volume::get_ebs_encryption_by_default,
    GetInstanceMetadataDefaults => instance_attribute::get_instance_metadata_defaults,
    GetPasswordData => instance_attribute::get_password_data,
    ImportKeyPair => key_pair::import_key_pair,
    ModifyImageAttribute => image_attribute::modify_image_attribute,
    ModifyInstanceAttribute => instance_attribute::modify_instance_attribute,
    ModifyInstanceMetadataOptions => instance_attribute::modify_instance_metadata_options,
    ModifySnapshotAttribute => snapshot::modify_snapshot_attribute,
    RebootInstances => instance_state::reboot_instances,
    RegisterImage => image_make::register_image,
    RequestSpotInstances => spot::request_spot_instances,
    ResetImageAttribute => image_attribute::reset_image_attribute,
    ResetSnapshotAttribute => snapshot::reset_snapshot_attribute,
    RevokeSecurityGroupEgress => security_group::revoke_egress,
    RevokeSecurityGroupIngress => security_group::revoke_ingress,
    RunInstances => instance_run::run_instances,
    StartInstances => instance_state::start_instances,
    StopInstances => instance_state::stop_instances,
    TerminateInstances => instance_state::terminate_instances,
    AssumeRole => sts::assume_role,
    AssumeRoleWithWebIdentity => sts::assume_role,
    DecodeAuthorizationMessage => sts::decode_authorization_message,
    GetCallerIdentity => sts::get_caller_identity,
    GetSessionToken => sts::get_session_token,
    AddRoleToInstanceProfile => iam::add_role,
    AttachRolePolicy => iam::attach_role_policy,
    CreateInstanceProfile => iam::create_instance_profile,
    CreateRole => iam::create_role,
    DeleteInstanceProfile => iam::delete_instance_profile,
    DeleteRole => iam::delete_role,
    DeleteRolePolicy => iam::delete_role_policy,
    DetachRolePolicy => iam::detach_role_policy,
    GetInstanceProfile => iam::get_instance_profile,
    GetRole => iam::get_role,
    GetRolePolicy => iam::get_role_policy,
    GetUser => iam::get_user,
    ListAccountAliases => iam::list_account_aliases,
    ListAttachedRolePolicies => iam::list_attached_role_policies,
    ListInstanceProfiles => iam::list_instance_profiles,
    ListInstanceProfilesForRole => iam::list_instance_profiles_for_role,
    ListRolePolicies => iam::list_role_policies,
    ListRoles => iam::list_roles,
    PutRolePolicy => iam::put_role_policy,
    RemoveRoleFromInstanceProfile => iam::remove_role,
    TagInstanceProfile => iam::tag_instance_profile,
    TagRole => iam::tag_role,
}

/// An action of the JSON services, `AmazonSSM.GetParameter`.
pub fn json_action(cx: &mut Cx<'_>, target: &str, input: &Value) -> Result<Value, Refusal> {
    secret::perform(cx, target, input)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::practice::wire::model;

    #[test]
    fn every_action_of_the_models_is_served() {
        let missing: Vec<_> = model::actions().filter(|a| !serves(a)).collect();
        assert!(missing.is_empty(), "{missing:?}");
    }
}
