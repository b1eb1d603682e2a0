//! From the provisioned machine to one that an image can be made of: no temporary key in it, stopped, and modified.

use std::time::Duration;

use aws_sdk_ec2::types::{AttributeBooleanValue, AttributeValue};

use crate::cloud::{InstanceGoal, failure};
use crate::component::builder::amazon::learnt::{Instance, KeyPair, name};
use crate::component::builder::amazon::work::{Work, missing};
use crate::component::contract::Done;
use crate::remote::{Exec, Exit, OutputSink};
use crate::run::Failure;

/// How long the clearing of a key may take.
const CLEARING: Duration = Duration::from_secs(60);

fn instance(work: &Work<'_>) -> Result<Instance, Failure> {
    work.cx.learnt(name::INSTANCE).ok_or_else(|| missing("the machine"))
}

/// Takes the temporary key out, closes the link and stops the machine, or waits until it stops itself.
pub async fn stop(work: &Work<'_>) -> Result<Done, Failure> {
    let cx = work.cx;
    let instance = instance(work)?;
    clear_key(work).await;
    if let Some(link) = cx.machine.communicator() {
        link.close().await;
    }
    if instance.spot {
        return Ok(Done::Skipped("a one-time spot instance cannot be stopped; the image is made with a reboot".into()));
    }
    let id = &instance.id;
    if work.config.run.disable_stop_instance {
        cx.say("Automatic instance stop disabled. Please stop instance manually.");
    } else {
        cx.say("Stopping the source instance...");
        cx.detail("Stopping instance");
        work.settled(|| work.region.stop_instance(id)).await?;
    }
    cx.say("Waiting for the instance to stop...");
    work.await_instance(id, InstanceGoal::Stopped).await?;
    Ok(Done::Done)
}

/// Takes the line of the temporary key out of `authorized_keys`. It does no harm when it fails: the private half is deleted.
async fn clear_key(work: &Work<'_>) {
    let cx = work.cx;
    let wanted = work.config.communicator.ssh_clear_authorized_keys != Some(false);
    let pair: KeyPair = cx.learnt(name::KEY_PAIR).unwrap_or_default();
    let (true, Some(_), Some(link)) = (wanted, &pair.file, cx.machine.communicator()) else { return };
    cx.say("Trying to remove ephemeral keys from authorized_keys files");
    let exec = Exec { command: clearing(&pair.name), pty: Some(false), ..Exec::default() };
    let mut nothing = Nothing;
    let run = link.exec(&exec, &mut nothing, &cx.cancel);
    match tokio::time::timeout(CLEARING, run).await {
        Ok(Ok(Exit::Status(0))) => {}
        Ok(Ok(exit)) => tracing::debug!(?exit, "the temporary key's line was not found or not removed"),
        Ok(Err(why)) => cx.detail(format!("The temporary key was not removed from the image: {why}")),
        Err(_) => cx.detail("The temporary key was not removed from the image: the machine did not answer"),
    }
}

/// The command: for the login user and, where it may, for root. The comment of the key's line is the key's name.
fn clearing(key: &str) -> String {
    let literal: String = key
        .chars()
        .flat_map(|c| if c.is_ascii_alphanumeric() || c == '_' { vec![c] } else { vec!['[', c, ']'] })
        .collect();
    // A quote or a caret in a name cannot be written in a bracket safely; any one character stands for it.
    let pattern =
        literal.replace("[']", ".").replace("[^]", ".").replace("[\\]", ".").replace("[/]", ".").replace("[]]", ".");
    let sed = format!("sed -i.bak '/ {pattern}$/d'");
    format!(
        "{sed} ~/.ssh/authorized_keys && rm -f ~/.ssh/authorized_keys.bak; \
         sudo -n sh -c \"test -f /root/.ssh/authorized_keys && {sed} /root/.ssh/authorized_keys && rm -f /root/.ssh/authorized_keys.bak\" 2>/dev/null; true"
    )
}

struct Nothing;

impl OutputSink for Nothing {
    fn stdout(&mut self, _: &[u8]) {}
    fn stderr(&mut self, _: &[u8]) {}
}

/// Switches enhanced networking of the stopped machine.
pub async fn modify(work: &Work<'_>) -> Result<(), Failure> {
    let cx = work.cx;
    let id = instance(work)?.id;
    if work.config.ami.sriov_support {
        cx.say("Enabling Enhanced Networking (SR-IOV)...");
        let simple = AttributeValue::builder().value("simple").build();
        let call = work.ec2().modify_instance_attribute().instance_id(&id).sriov_net_support(simple);
        call.send().await.map_err(|e| failure(&e, &format!("Error enabling Enhanced Networking (SR-IOV) on {id}")))?;
    }
    if let Some(on) = work.config.ami.ena_support {
        let doing = if on { "Enabling" } else { "Disabling" };
        cx.say(format!("{doing} Enhanced Networking (ENA)..."));
        let value = AttributeBooleanValue::builder().value(on).build();
        let call = work.ec2().modify_instance_attribute().instance_id(&id).ena_support(value);
        call.send()
            .await
            .map_err(|e| failure(&e, &format!("Error {} Enhanced Networking (ENA) on {id}", doing.to_lowercase())))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_keys_name_is_matched_as_it_stands() {
        assert!(clearing("packer_6b-0").contains("'/ packer_6b[-]0$/d' ~/.ssh/authorized_keys"));
        assert!(!clearing("a'; rm -rf /; '").contains("a'"));
    }
}
