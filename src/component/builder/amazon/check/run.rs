//! The instance: source AMI, type, rights, metadata, placement.

use super::Rules;
use crate::component::builder::amazon::config::{AmazonEbs, RunConfig};
use crate::component::communicator::Kind;
use crate::text::code::amazon as code;

/// Families that run on CPU credits.
const BURSTABLE: [&str; 5] = ["t1", "t2", "t3", "t3a", "t4g"];

pub(super) fn check(config: &AmazonEbs, rules: &mut Rules<'_, '_>) {
    let run = &config.run;
    source(run, rules);
    instance_type(config, rules);
    placement(run, rules);
    capacity(run, rules);
    metadata(run, rules);
    user_data(run, rules);
    profile(config, rules);
    let (communicator, known) = (&config.communicator, rules.known(&["ssh_private_key_file", "ssh_agent_auth"]));
    if communicator.kind() == Kind::Ssh
        && !communicator.ssh_keypair_name.is_empty()
        && communicator.ssh_private_key_file.is_empty()
        && !communicator.ssh_agent_auth
        && known
    {
        rules.error(
            code::KEY_PAIR_WITHOUT_KEY,
            "ssh_keypair_name",
            "`ssh_keypair_name` needs a private key to log in with",
            "add `ssh_private_key_file` or `ssh_agent_auth`, or remove it for a temporary key",
        );
    }
    if communicator.kind() == Kind::WinRm
        && communicator.winrm_password.is_empty()
        && communicator.temporary_key_pair_type == "ed25519"
        && rules.known(&["winrm_password"])
    {
        rules.warn(
            code::PASSWORD_KEY,
            "temporary_key_pair_type",
            "AWS cannot encrypt the Windows password with an ed25519 key",
            "set `temporary_key_pair_type` to `rsa`",
        );
    }
}

fn source(run: &RunConfig, rules: &mut Rules<'_, '_>) {
    if !run.source_ami.is_empty() || !rules.known(&["source_ami", "source_ami_filter"]) {
        return;
    }
    match &run.source_ami_filter {
        Some(filter) if !filter.owners.is_empty() => {}
        Some(filter) if !filter.filters.is_empty() && !rules.known(&["source_ami_filter.owners"]) => {}
        Some(filter) if !filter.filters.is_empty() => rules.error(
            code::NO_OWNER,
            "source_ami_filter",
            "`source_ami_filter` needs `owners`",
            "anybody can publish an AMI of any name: write whose it must be, an account id, `amazon` or `self`",
        ),
        _ if rules.known(&["source_ami_filter.filters", "source_ami_filter.owners"]) => {
            let at = if rules.cx.places.written("source_ami") { "source_ami" } else { "source_ami_filter" };
            rules.error(
                code::NO_SOURCE,
                at,
                "nothing says which AMI to start from",
                "set `source_ami`, or `source_ami_filter` with `filters` and `owners`",
            );
        }
        _ => {}
    }
}

fn instance_type(config: &AmazonEbs, rules: &mut Rules<'_, '_>) {
    let (run, spot) = (&config.run, &config.spot);
    if !rules.known(&["instance_type", "spot_instance_types"]) {
        return;
    }
    match (run.instance_type.is_empty(), spot.spot_instance_types.is_empty()) {
        (true, true) => rules.error(
            code::INSTANCE_TYPE,
            "instance_type",
            "the instance's type is missing",
            "set `instance_type`, such as `t3.micro`; or `spot_instance_types` for a spot instance",
        ),
        (false, false) => {
            rules.exclusive(code::INSTANCE_TYPE, "instance_type", "spot_instance_types", "keep one of them");
        }
        _ => {}
    }
    let family = run.instance_type.split('.').next().unwrap_or("");
    if run.enable_nitro_enclave {
        let help = "use another type on demand, or remove `enable_nitro_enclave`";
        if spot.is_on() {
            let message = "a spot instance has no Nitro Enclaves";
            rules.error(code::NITRO_ENCLAVE, "enable_nitro_enclave", message, help);
        }
        if BURSTABLE.contains(&family) {
            let message = format!("`{}` has no Nitro Enclaves", run.instance_type);
            rules.error(code::NITRO_ENCLAVE, "enable_nitro_enclave", message, help);
        }
    }
    if run.unlimited() && !run.instance_type.is_empty() {
        let field = if run.enable_unlimited_credits { "enable_unlimited_credits" } else { "enable_t2_unlimited" };
        if !["t2", "t3", "t3a", "t4g"].contains(&family) {
            let message = format!("`{}` has no CPU credits", run.instance_type);
            rules.error(
                code::UNLIMITED_CREDITS,
                field,
                message,
                format!("remove `{field}`, or use a type of t2, t3, t3a or t4g"),
            );
        } else if family == "t2" && spot.is_on() {
            let message = "a spot instance of t2 has no unlimited credits";
            rules.error(code::UNLIMITED_CREDITS, field, message, format!("remove `{field}`, or use a type of t3"));
        }
    }
}

fn placement(run: &RunConfig, rules: &mut Rules<'_, '_>) {
    let Some(placement) = &run.placement else { return };
    if !run.tenancy.is_empty() && !placement.tenancy.is_empty() {
        rules.exclusive(code::PLACEMENT, "tenancy", "placement.tenancy", "keep the one in the `placement` block");
    }
    let (host, group) = (!placement.host_id.is_empty(), !placement.host_resource_group_arn.is_empty());
    if host && group {
        rules.exclusive(code::PLACEMENT, "placement.host_id", "placement.host_resource_group_arn", "keep one of them");
    }
    if (host || group) && !matches!(run.tenancy(), "" | "host") {
        let field = if host { "placement.host_id" } else { "placement.host_resource_group_arn" };
        rules.error(
            code::PLACEMENT,
            field,
            format!("`{field}` needs the tenancy `host`, not `{}`", run.tenancy()),
            "set `tenancy` to `host`, or remove it",
        );
    }
}

fn capacity(run: &RunConfig, rules: &mut Rules<'_, '_>) {
    let fields = [
        ("capacity_reservation_id", &run.capacity_reservation_id),
        ("capacity_reservation_group_arn", &run.capacity_reservation_group_arn),
        ("capacity_reservation_preference", &run.capacity_reservation_preference),
    ];
    let mut set = fields.iter().filter(|(_, value)| !value.is_empty());
    if let Some((first, _)) = set.next() {
        for (other, _) in set {
            rules.exclusive(code::CAPACITY, first, other, "keep one of them");
        }
    }
}

fn metadata(run: &RunConfig, rules: &mut Rules<'_, '_>) {
    let Some(options) = &run.metadata_options else { return };
    // 0 stands for the default, as in Packer.
    if let Some(hops) = options.http_put_response_hop_limit.filter(|n| !(0..=64).contains(n)) {
        rules.error(
            code::HOP_LIMIT,
            "metadata_options.http_put_response_hop_limit",
            format!("`http_put_response_hop_limit` is {hops}, AWS takes 1 to 64"),
            "1 is the default, containers need 2",
        );
    }
    if options.http_endpoint == "disabled" {
        let others = [
            ("metadata_options.http_tokens", !options.http_tokens.is_empty()),
            (
                "metadata_options.http_put_response_hop_limit",
                options.http_put_response_hop_limit.is_some_and(|n| n > 1),
            ),
            ("metadata_options.instance_metadata_tags", options.instance_metadata_tags == "enabled"),
        ];
        if let Some((path, _)) = others.iter().find(|(_, set)| *set) {
            rules.warn(
                code::METADATA_OFF,
                path,
                "the metadata service is switched off by `http_endpoint`, so nobody reads this",
                "remove it, or set `http_endpoint` to `enabled`",
            );
        }
    }
}

fn user_data(run: &RunConfig, rules: &mut Rules<'_, '_>) {
    if !run.user_data.is_empty() && !run.user_data_file.is_empty() {
        rules.exclusive(code::USER_DATA_TWICE, "user_data", "user_data_file", "keep one of them");
    }
    if !run.user_data_file.is_empty()
        && rules.known(&["user_data_file"])
        && (rules.cx.file_exists)(&run.user_data_file) == Some(false)
    {
        rules.error(
            code::USER_DATA_FILE,
            "user_data_file",
            format!("`{}` does not exist", run.user_data_file),
            "the path starts at the folder in which kiln is called; `{{template_dir}}/…` starts at the template's",
        );
    }
}

fn profile(config: &AmazonEbs, rules: &mut Rules<'_, '_>) {
    let run = &config.run;
    let policy = run.temporary_iam_instance_profile_policy_document.is_some();
    if run.iam_instance_profile.starts_with("arn:") {
        let name = run.iam_instance_profile.rsplit('/').next().unwrap_or("");
        rules.warn(
            code::PROFILE_ARN,
            "iam_instance_profile",
            "`iam_instance_profile` takes the name of an instance profile, not an ARN",
            format!("write `{name}`"),
        );
    }
    if policy && !run.iam_instance_profile.is_empty() {
        rules.warn(
            code::POLICY_IGNORED,
            "temporary_iam_instance_profile_policy_document",
            "the policy is not used, since `iam_instance_profile` is set",
            "remove one of the two",
        );
    }
    if config.network.ssh_interface == "session_manager" {
        if config.communicator.kind() == Kind::WinRm {
            let message = "WinRM does not go through the Session Manager";
            rules.error(
                code::SESSION_MANAGER,
                "ssh_interface",
                message,
                "use the communicator `ssh`, or another interface",
            );
        }
        if !policy && run.iam_instance_profile.is_empty() && rules.known(&["iam_instance_profile"]) {
            rules.error(
                code::SESSION_MANAGER,
                "ssh_interface",
                "the Session Manager needs an instance profile",
                "set `iam_instance_profile` to one with the policy `AmazonSSMManagedInstanceCore`",
            );
        }
    }
}
