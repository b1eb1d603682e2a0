//! What can be found wrong before anything is made: regions, the image's name, the VPC, the instance profile.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures_util::future::join_all;

use super::network;
use crate::cloud::failure;
use crate::component::builder::amazon::filter::filter;
use crate::component::builder::amazon::learnt::name;
use crate::component::builder::amazon::work::Work;
use crate::run::Failure;

/// All checks at once; the first failure, in the order in which Packer makes them, is the answer.
pub async fn check(work: &Work<'_>) -> Result<(), Failure> {
    let cx = work.cx;
    let config = &work.config;
    if work.replaces() {
        cx.say("Force Deregister flag found, skipping prevalidating AMI Name");
    } else {
        cx.say("Prevalidating any provided VPC information");
        if !config.skip_create_ami {
            cx.say(format!("Prevalidating AMI Name: {}", work.image_name()));
        }
    }
    let (regions, vpc, names, profile) =
        tokio::join!(check_regions(work), check_vpc(work), check_names(work), check_profile(work));
    regions.and(vpc).and(names).and(profile)
}

/// Copies go to these regions: a misspelt one should not be found out an hour later.
async fn check_regions(work: &Work<'_>) -> Result<(), Failure> {
    let config = &work.config;
    if config.ami.skip_region_validation || config.ami.ami_regions.is_empty() {
        return Ok(());
    }
    let ec2 = work.ec2().clone();
    let known: Arc<BTreeSet<String>> = work
        .region
        .once("regions", || async move {
            let found = ec2.describe_regions().send().await.map_err(|e| failure(&e, "cannot list the regions"))?;
            Ok(Arc::new(found.regions().iter().filter_map(|r| r.region_name().map(str::to_owned)).collect()))
        })
        .await?;
    let wrong: Vec<&str> = config.ami.ami_regions.iter().map(String::as_str).filter(|r| !known.contains(*r)).collect();
    if wrong.is_empty() {
        return Ok(());
    }
    Err(Failure::config(format!("Invalid region(s): {}", wrong.join(", ")))
        .help("check the spelling in `ami_regions`; a region that is not switched on for the account cannot be used either; `skip_region_validation` skips this check"))
}

async fn check_vpc(work: &Work<'_>) -> Result<(), Failure> {
    let config = &work.config;
    if config.network.vpc_id.is_empty()
        || !config.network.subnet_id.is_empty()
        || config.network.subnet_filter.is_some()
    {
        return Ok(());
    }
    let found = network::vpcs(work, vec![filter("vpc-id", &config.network.vpc_id)]).await?;
    match found.first() {
        None => Err(Failure::config(format!("there is no VPC {} in {}", config.network.vpc_id, work.region_name()))
            .help("check `vpc_id` and the region")),
        Some((id, false)) => Err(Failure::config(format!("{id} is not the default VPC, so a subnet must be named"))
            .help("set `subnet_id`, or `subnet_filter` with `most_free`")),
        Some(_) => Ok(()),
    }
}

/// The name must be free in every region that gets an image; where it may be replaced, what will be is noted.
async fn check_names(work: &Work<'_>) -> Result<(), Failure> {
    let config = &work.config;
    if config.skip_create_ami {
        return Ok(());
    }
    let regions = work.target_regions();
    let own_images = |region: &String| {
        let region = work.account.region(region);
        async move { region.own_images(work.image_name()).await }
    };
    let found = join_all(regions.iter().map(own_images)).await;
    let mut taken = BTreeMap::new();
    for (region, images) in regions.iter().zip(found) {
        let ids: Vec<String> = images?.iter().filter_map(|i| i.image_id().map(str::to_owned)).collect();
        if !ids.is_empty() {
            taken.insert(region.clone(), ids);
        }
    }
    if work.replaces() {
        // An old image may be replaced, one of this run may not.
        claim(work, &regions)?;
        for (region, ids) in &taken {
            work.cx.detail(format!("AMI {} in {region} ({}) will be replaced", work.image_name(), ids.join(", ")));
        }
        return work.cx.learn(name::REPLACES, &taken).await;
    }
    let Some((region, ids)) = taken.iter().next() else { return claim(work, &regions) };
    let place = if taken.len() > 1 || region != work.region_name() {
        format!(" in {}", taken.keys().cloned().collect::<Vec<_>>().join(", "))
    } else {
        String::new()
    };
    Err(Failure::config(format!(
        "AMI Name: '{}' is used by an existing AMI: {}{place}",
        work.image_name(),
        ids.join(", ")
    ))
    .help("put `{{timestamp}}` into `ami_name`, or set `force_deregister` (or `-force`) to replace the old AMI"))
}

/// Two builds of a run may want one name: AWS would refuse the second when all its work is done.
fn claim(work: &Work<'_>, regions: &[String]) -> Result<(), Failure> {
    for region in regions {
        let claimed = work.account.region(region).claim_image_name(work.image_name(), work.cx.build.id.as_str());
        claimed.map_err(|other| {
            Failure::config(format!(
                "AMI Name: '{}' is also the name that the build `{other}` gives its AMI in {region}",
                work.image_name()
            ))
            .help("put `{{build_name}}` into `ami_name`")
        })?;
    }
    Ok(())
}

async fn check_profile(work: &Work<'_>) -> Result<(), Failure> {
    let config = &work.config;
    if config.run.iam_instance_profile.is_empty() || config.run.skip_profile_validation {
        return Ok(());
    }
    let name = config.run.iam_instance_profile.clone();
    let iam = work.account.iam();
    work.region
        .once(&format!("instance profile {name}"), || async move {
            let what = format!("Couldn't find specified instance profile {name}");
            iam.get_instance_profile().instance_profile_name(&name).send().await.map_err(|e| failure(&e, &what))?;
            Ok(())
        })
        .await
}
