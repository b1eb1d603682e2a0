//! AWS's error codes that have a known way out.

/// What to do when there are no credentials.
pub(super) const CREDENTIALS: &str = "give `access_key` and `secret_key` in the template, set AWS_ACCESS_KEY_ID and \
AWS_SECRET_ACCESS_KEY, name a `profile` or AWS_PROFILE (`aws configure`, `aws sso login`, `aws login`), or run on an instance or \
container with a role";

/// Codes, or with a `*` their beginnings, and the way out. The first that fits is taken.
const WAYS: &[(&str, &str)] = &[
    (
        "UnauthorizedOperation",
        "add the action that is named to the policy of the user or role that runs the build; an encoded message is decoded with `decode_authorization_messages`",
    ),
    ("AccessDenied*", "add the action that is named to the policy of the user or role that runs the build"),
    (
        "AuthFailure",
        "check `access_key` and `secret_key`, that the key is active and not of another partition, and this machine's clock",
    ),
    (
        "InvalidClientTokenId",
        "the access key does not exist or is not active: check `access_key`, and `token` for temporary keys",
    ),
    (
        "UnrecognizedClientException",
        "the access key does not exist or is not active: check `access_key`, and `token` for temporary keys",
    ),
    ("SignatureDoesNotMatch", "the secret key does not belong to the access key, or this machine's clock is wrong"),
    ("RequestExpired", "this machine's clock is wrong, or the session has ended: set the clock, or sign in again"),
    ("ExpiredToken*", "the session has ended: sign in again (`aws sso login`, `aws login`) and repeat the build"),
    (
        "OptInRequired",
        "open the AMI's page in the AWS Marketplace with this account, accept its terms and repeat the build; a region must be switched on for the account first",
    ),
    ("PendingVerification", "AWS still verifies this account for the region; it takes up to some hours"),
    ("Blocked", "AWS has blocked the account: see its e-mail or its support"),
    (
        "VcpuLimitExceeded",
        "ask for a higher quota of vCPUs for this instance family (Service Quotas), use a smaller `instance_type`, or build fewer images at once (`-parallel-builds`)",
    ),
    (
        "InstanceLimitExceeded",
        "ask for a higher quota of instances, or build fewer images at once (`-parallel-builds`)",
    ),
    (
        "MaxSpotInstanceCountExceeded",
        "ask for a higher quota of spot instances, or build fewer images at once (`-parallel-builds`)",
    ),
    (
        "InsufficientInstanceCapacity",
        "AWS has no such instance free in this zone now: leave `availability_zone` and `subnet_id` open, use another `instance_type`, or try later",
    ),
    (
        "Unsupported",
        "this zone does not offer the instance type, or the type does not go with the AMI (architecture, boot mode): use another `instance_type` or `availability_zone`",
    ),
    ("UnsupportedOperation", "the instance type or AMI does not allow this: see AWS's message"),
    (
        "InvalidAMIID.*",
        "check `source_ami`: AMI ids differ from region to region, and the AMI must be shared with this account; `source_ami_filter` finds it in every region",
    ),
    (
        "InvalidAMIName.Duplicate",
        "put `{{timestamp}}` into `ami_name`, or set `force_deregister` to replace the old AMI",
    ),
    ("InvalidKeyPair.*", "check `ssh_keypair_name`: key pairs are of one region"),
    ("InvalidGroup*", "check the security group's id and that it is in the VPC of the subnet"),
    ("InvalidSecurityGroupID.*", "check the security group's id and its region"),
    ("InvalidSubnetID.*", "check `subnet_id` and its region"),
    ("InvalidSubnet", "check that the subnet is in the zone and VPC that the template names"),
    ("InvalidVpcID.*", "check `vpc_id` and its region"),
    ("VPCIdNotSpecified", "there is no default VPC in this region: set `subnet_id`, or `vpc_id` with `subnet_filter`"),
    ("MissingInput", "there is no default VPC in this region: set `subnet_id`, or `vpc_id` with `subnet_filter`"),
    ("InvalidParameterCombination", "the fields do not go together: see AWS's message"),
    (
        "InvalidBlockDeviceMapping",
        "check the block device mappings: a volume may not be smaller than the AMI's snapshot, and the device names must be the AMI's",
    ),
    ("VolumeLimitExceeded", "ask for a higher quota of EBS storage"),
    ("MaxIOPSLimitExceeded", "ask for a higher quota of provisioned IOPS"),
    ("SnapshotLimitExceeded", "delete old snapshots, or ask for a higher quota"),
    ("SnapshotCreationPerVolumeRateExceeded", "a snapshot of this volume was just made: try again in a minute"),
    (
        "SecurityGroupLimitExceeded",
        "delete security groups that are left from other builds, or give `security_group_id`",
    ),
    ("AddressLimitExceeded", "release unused addresses, or ask for a higher quota"),
    ("KeyPairLimitExceeded", "delete key pairs that are left from other builds"),
    ("ResourceLimitExceeded", "a quota of the account is used up: see AWS's message"),
    ("AMIQuotaExceeded", "delete old AMIs, or ask for a higher quota"),
    ("InvalidInstanceType", "check the spelling of `instance_type`, and that the region has it"),
    ("InvalidInstanceID.*", "the instance is gone: somebody else may have ended it"),
    (
        "KMSKeyNotAccessibleFault",
        "the role must be allowed to use the KMS key, and the key must be enabled and in this region",
    ),
    (
        "Client.InvalidKMSKey*",
        "the role must be allowed to use the KMS key, and the key must be enabled and in this region",
    ),
    ("InvalidKMSKey*", "the role must be allowed to use the KMS key, and the key must be enabled and in this region"),
    ("DependencyViolation", "something still uses it; it can go when that is gone"),
    ("NoSuchEntity", "check the name; IAM has one name space for all regions of an account"),
    ("EntityAlreadyExists", "choose another name, or delete what has it"),
    ("LimitExceeded", "a quota of the account is used up: see AWS's message"),
    (
        "RequestLimitExceeded",
        "too many calls to this account and region: kiln has slowed down, somebody else may call too; `max_retries` says how often a call is tried",
    ),
    (
        "Throttling*",
        "too many calls to this account and region: kiln has slowed down, somebody else may call too; `max_retries` says how often a call is tried",
    ),
    ("SpotMaxPriceTooLow", "raise `spot_price`, or set it to `auto`"),
    ("InvalidSpot*", "check the spot fields of the template"),
    ("CancelledImage", "the image was given up by AWS: try again"),
    ("IncorrectState", "the thing is in a state that does not allow this: see AWS's message"),
    ("IncorrectInstanceState", "the instance is in a state that does not allow this: see AWS's message"),
    ("InvalidUserID.*", "check the account ids: twelve digits, without dashes"),
    ("InvalidAMIAttributeItemValue", "check the account ids, organisations and groups that the AMI is shared with"),
    ("InvalidID", "check the ids in the template and their region"),
    ("InternalError", "AWS failed on its own side: try again"),
    ("Unavailable", "AWS failed on its own side: try again"),
    ("ServiceUnavailable", "AWS failed on its own side: try again"),
];

/// The way out of an error, where one is known. `message` decides among the causes of a general code.
pub(super) fn way_out(code: &str, message: &str) -> Option<&'static str> {
    if code == "InvalidParameterValue" {
        return Some(parameter(message));
    }
    let fits = |pattern: &str| match pattern.strip_suffix('*') {
        Some(start) => code.starts_with(start),
        None => code == pattern,
    };
    WAYS.iter().find(|(pattern, _)| fits(pattern)).map(|(_, way)| *way)
}

fn parameter(message: &str) -> &'static str {
    let lower = message.to_lowercase();
    if lower.contains("iaminstanceprofile") || lower.contains("instance profile") {
        "`iam_instance_profile` takes the name of an instance profile (not a role's, not an ARN); a new one takes some seconds to be known"
    } else if lower.contains("encrypted") || lower.contains("kms") {
        "check the encryption fields and that the KMS key is in this region"
    } else if lower.contains("architecture") || lower.contains("instance type") {
        "use an `instance_type` of the AMI's architecture"
    } else {
        "AWS does not take this value: see its message for the field"
    }
}

/// Whether the code says that the thing does not exist.
pub(super) fn says_not_found(code: &str) -> bool {
    code.ends_with(".NotFound")
        || code.ends_with("NotFoundException")
        || ["NoSuchEntity", "InvalidAMIID.Unavailable", "InvalidGroup.NotFound", "ResourceNotFound"].contains(&code)
}

/// Whether the code says that there were too many calls.
pub(super) fn says_throttled(code: &str) -> bool {
    code.starts_with("Throttl")
        || [
            "RequestLimitExceeded",
            "RequestThrottled",
            "RequestThrottledException",
            "TooManyRequestsException",
            "BandwidthLimitExceeded",
            "SlowDown",
            "PriorRequestNotComplete",
            "EC2ThrottledException",
        ]
        .contains(&code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_have_their_ways_out() {
        for (code, word) in [
            ("UnauthorizedOperation", "policy"),
            ("ExpiredToken", "sign in"),
            ("ExpiredTokenException", "sign in"),
            ("VcpuLimitExceeded", "quota"),
            ("InsufficientInstanceCapacity", "availability_zone"),
            ("InvalidAMIID.NotFound", "source_ami"),
            ("InvalidAMIID.Malformed", "source_ami"),
            ("OptInRequired", "Marketplace"),
            ("InvalidAMIName.Duplicate", "force_deregister"),
        ] {
            assert!(way_out(code, "").is_some_and(|w| w.contains(word)), "{code}");
        }
        assert_eq!(way_out("SomethingNew", ""), None);
    }

    #[test]
    fn a_general_code_is_told_apart_by_its_message() {
        let profile = way_out("InvalidParameterValue", "Value (x) for parameter iamInstanceProfile.name is invalid");
        assert!(profile.is_some_and(|w| w.contains("instance profile")));
        assert_ne!(way_out("InvalidParameterValue", "something else"), profile);
    }

    #[test]
    fn not_found_and_throttled_are_recognised() {
        assert!(says_not_found("InvalidInstanceID.NotFound") && says_not_found("NoSuchEntity"));
        assert!(!says_not_found("InvalidInstanceID.Malformed") && !says_not_found("UnauthorizedOperation"));
        assert!(says_throttled("RequestLimitExceeded") && says_throttled("ThrottlingException"));
        assert!(!says_throttled("VcpuLimitExceeded"));
    }
}
