//! The `null` builder: makes nothing, but lets provisioners work on a machine that exists already, or on none.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::connect::{Keys, connect};
use crate::component::communicator::{CommunicatorConfig, Kind as Communication};
use crate::component::config::{decode, decode_known};
use crate::component::contract::{
    Builder, CheckContext, Done, Learnt, Outline, OutlineStep, ResourceKind, StepContext, StepFuture, StepResult,
};
use crate::run::{Artifact, Failure};
use crate::schema::{Component, Kind};
use crate::text::Diagnostic;
use crate::text::code::communicator as code;

/// Makes no machine and no image: connects to a machine that exists already and provisions it, or, with `communicator`
/// `none`, runs only what needs no machine. Good for trying provisioners out.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Config {
    #[serde(flatten)]
    communicator: CommunicatorConfig,
}

/// The `null` builder.
pub struct Null;

/// The fields that decide which machine is reached, and how.
const READS: &[&str] = &["communicator", "ssh_host", "ssh_port", "ssh_username", "ssh_bastion_host", "ssh_proxy_host"];

impl Builder for Null {
    fn schema(&self) -> Component {
        Component::from_struct::<Config>(Kind::Builder, "null")
    }

    fn check(&self, config: &Json, cx: &mut CheckContext<'_>) {
        let config = decode_known::<Config>(config).communicator;
        config.check(cx);
        if config.kind() != Communication::Ssh {
            return;
        }
        if config.ssh_host.is_empty() && !cx.places.unknown("ssh_host") {
            let span = cx.places.value("ssh_host");
            cx.diagnostics.push(
                Diagnostic::error(code::NULL_HOST, span, "`ssh_host` is missing").help(
                    "the null builder makes no machine: write the address of one, or set `communicator` to `none`",
                ),
            );
        }
        let ways = [
            ("ssh_agent_auth", config.ssh_agent_auth),
            ("ssh_password", !config.ssh_password.is_empty()),
            ("ssh_private_key_file", !config.ssh_private_key_file.is_empty()),
        ];
        let given: Vec<&str> = ways
            .into_iter()
            .filter(|(field, there)| *there || cx.places.unknown(field))
            .map(|(field, _)| field)
            .collect();
        let help = "set exactly one of `ssh_agent_auth`, `ssh_password` and `ssh_private_key_file`";
        match given.as_slice() {
            [_] => {}
            [] => {
                let span = cx.places.key("");
                cx.diagnostics.push(Diagnostic::error(code::NULL_AUTH, span, "nothing says how to log in").help(help));
            }
            [first, .., last] => {
                let (span, before) = (cx.places.key(last), cx.places.key(first));
                cx.diagnostics.push(
                    Diagnostic::error(code::NULL_AUTH, span, "there is more than one way to log in")
                        .related(before, "another one is here")
                        .help(help),
                );
            }
        }
    }

    fn outline(&self, config: &Json) -> Outline {
        if !self.has_communicator(config) {
            return Outline::default();
        }
        let connect = OutlineStep { id: "connect", title: "Connect".into(), reads: READS };
        Outline { prepare: vec![connect], finish: Vec::new() }
    }

    fn has_communicator(&self, config: &Json) -> bool {
        decode_known::<Config>(config).communicator.kind() != Communication::None
    }

    fn step<'a>(&'a self, id: &'a str, config: &'a Json, cx: &'a StepContext) -> StepFuture<'a> {
        Box::pin(async move {
            match id {
                "connect" => open(config, cx).await,
                other => Err(Failure::other(format!("the null builder has no step `{other}`"))),
            }
        })
    }

    fn reconnect<'a>(&'a self, config: &'a Json, cx: &'a StepContext) -> StepFuture<'a> {
        Box::pin(open(config, cx))
    }

    fn artifact(&self, _config: &Json, _learnt: &Learnt) -> Option<Artifact> {
        Some(Artifact {
            builder_id: "fnoeding.null".into(),
            id: "Null".into(),
            description: "Did not export anything. This is the null builder".into(),
            ..Artifact::default()
        })
    }

    fn resource_kinds(&self) -> Vec<&'static dyn ResourceKind> {
        Vec::new()
    }
}

async fn open(config: &Json, cx: &StepContext) -> StepResult {
    let config = decode::<Config>(config)?.communicator;
    let host = config.ssh_host.clone();
    let find_host = move || -> futures_util::future::BoxFuture<'static, Result<String, Failure>> {
        let host = host.clone();
        Box::pin(std::future::ready(Ok(host)))
    };
    let link = connect(&config, &find_host, &Keys::default(), cx).await?;
    cx.machine.set_communicator(Some(link));
    Ok(Done::Done)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::component::testing::Checked;

    fn codes(config: &Json) -> Vec<&'static str> {
        Checked::of(|cx| Null.check(config, cx)).codes()
    }

    #[test]
    fn a_machine_needs_a_host_a_user_and_one_way_to_log_in() {
        assert_eq!(codes(&json!({})), ["K0701", "K0708", "K0709"]);
        assert_eq!(codes(&json!({"ssh_host": "h", "ssh_username": "u", "ssh_password": "p"})), [""; 0]);
        let two = json!({"ssh_host": "h", "ssh_username": "u", "ssh_password": "p", "ssh_agent_auth": true});
        assert_eq!(codes(&two), ["K0709"]);
    }

    #[test]
    fn without_a_communicator_it_needs_nothing_and_takes_no_step() {
        let none = json!({"communicator": "none"});
        assert_eq!(codes(&none), [""; 0]);
        assert!(Null.outline(&none).prepare.is_empty());
        assert!(!Null.has_communicator(&none));
        assert_eq!(Null.outline(&json!({})).prepare[0].id, "connect");
    }
}
