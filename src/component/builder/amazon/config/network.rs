//! Where the instance stands in the network, and who reaches it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Tags;
use crate::component::config::GoDuration;

/// The instance's network.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct NetworkConfig {
    /// Gives the instance a public address, or none; by default as the subnet says.
    pub associate_public_ip_address: Option<bool>,
    /// The availability zone, such as `us-east-1a`; by default AWS's choice.
    pub availability_zone: String,
    /// The VPC; by default the subnet's, else the region's default VPC.
    pub vpc_id: String,
    /// Finds the VPC; exactly one must fit. `vpc_id` goes before it.
    pub vpc_filter: Option<VpcFilter>,
    /// The subnet.
    pub subnet_id: String,
    /// Finds the subnet. `subnet_id` goes before it.
    pub subnet_filter: Option<SubnetFilter>,
    /// The security group; by default a temporary one that lets SSH in.
    pub security_group_id: String,
    /// The security groups, in place of `security_group_id`.
    pub security_group_ids: Vec<String>,
    /// Finds the security groups; all that fit are used. The ids go before it.
    pub security_group_filter: Option<SecurityGroupFilter>,
    /// Networks that the temporary security group lets in, as in `203.0.113.0/24`. By default this host's own address, as
    /// far as it can be found out.
    pub temporary_security_group_source_cidrs: Vec<String>,
    /// Lets in this host's public address, as AWS's checkip service tells it. `temporary_security_group_source_cidrs` goes
    /// before it.
    pub temporary_security_group_source_public_ip: bool,
    /// Which address of the instance to connect to; by default the public one where there is one.
    #[schemars(extend(
        "x-kiln-one-of" = ["public_ip", "private_ip", "public_dns", "private_dns", "ipv6", "session_manager"],
        "x-kiln-not-built-values" = ["session_manager"]
    ))]
    pub ssh_interface: String,
    /// How long to wait before a session of the Session Manager.
    #[schemars(extend("x-kiln-not-built" = "sessions of the Session Manager are not opened yet"))]
    pub pause_before_ssm: GoDuration,
    /// The local port of a session of the Session Manager.
    #[schemars(extend("x-kiln-not-built" = "sessions of the Session Manager are not opened yet"))]
    pub session_manager_port: Option<i64>,
}

/// Finds a VPC.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct VpcFilter {
    /// The filters of `DescribeVpcs`, such as `tag:Name`; several values are separated by commas.
    #[schemars(extend("x-kiln-aliases" = ["filter"]))]
    pub filters: Tags,
}

/// Finds a subnet.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct SubnetFilter {
    /// The filters of `DescribeSubnets`, such as `tag:Class`; several values are separated by commas.
    #[schemars(extend("x-kiln-aliases" = ["filter"]))]
    pub filters: Tags,
    /// Takes the one with the most free addresses of those that fit.
    pub most_free: bool,
    /// Takes any one of those that fit.
    pub random: bool,
}

/// Finds security groups.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct SecurityGroupFilter {
    /// The filters of `DescribeSecurityGroups`, such as `group-name`; several values are separated by commas.
    #[schemars(extend("x-kiln-aliases" = ["filter"]))]
    pub filters: Tags,
}
