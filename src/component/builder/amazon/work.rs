//! What every step of the amazon-ebs builder starts from: the config as its struct, the clients, and rendering of late text.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value as Json;

use super::config::AmazonEbs;
use super::learnt::{SourceImage, name};
use super::tags::Tags;
use crate::cloud::{Account, Region, client_token};
use crate::component::config::decode;
use crate::component::contract::StepContext;
use crate::component::late;
use crate::run::{Failure, FailureKind};

/// Packer's limit: a rendered text that still holds template text is rendered again, which could go on for ever.
const RENDERINGS: usize = 8;

/// How long AWS may take until it knows everywhere what it has just made.
const SETTLING: Duration = Duration::from_secs(60);

pub struct Work<'a> {
    pub cx: &'a StepContext,
    pub config: AmazonEbs,
    pub account: Arc<Account>,
    /// Where the machine is built.
    pub region: Arc<Region>,
}

impl<'a> Work<'a> {
    pub async fn open(config: &Json, cx: &'a StepContext) -> Result<Self, Failure> {
        let config: AmazonEbs = decode(config)?;
        let account = cx.clouds.account(&config.access.access()).await?;
        let region = account.region(account.home());
        Ok(Self { cx, config, account, region })
    }

    pub fn ec2(&self) -> &aws_sdk_ec2::Client {
        &self.region.ec2
    }

    pub fn region_name(&self) -> &str {
        &self.region.name
    }

    /// The name that the image gets. A template's builder may be revised, so it is read when it is due.
    pub fn image_name(&self) -> &str {
        &self.config.ami.ami_name
    }

    /// The token of one create call of this attempt.
    pub fn token(&self, purpose: &str) -> String {
        client_token(self.cx.seed, self.cx.build.id.as_str(), self.cx.attempt, purpose)
    }

    /// The port of the machine's SSH server.
    pub fn ssh_port(&self) -> u16 {
        self.config.communicator.port(std::env::var("KILN_SSH_PORT").ok().and_then(|p| p.trim().parse().ok()))
    }

    /// Whether an image that has the name already is to be replaced.
    pub fn replaces(&self) -> bool {
        self.config.ami.force_deregister || self.cx.options.force
    }

    /// Whether the image of the machine is only a step on the way: the real ones are copies of it.
    pub fn is_intermediate(&self) -> bool {
        self.config.ami.encrypt_boot == Some(true) || self.config.ami.skip_save_build_region
    }

    /// All regions in which the name of the image must be free, the build's own first.
    pub fn target_regions(&self) -> Vec<String> {
        let own = self.region_name();
        let mut regions = Vec::new();
        if !self.config.ami.skip_save_build_region {
            regions.push(own.to_owned());
        }
        for region in &self.config.ami.ami_regions {
            if region != own && !regions.contains(region) {
                regions.push(region.clone());
            }
        }
        regions
    }

    /// The source image, as an earlier step learnt it.
    pub fn source_image(&self) -> Result<SourceImage, Failure> {
        self.cx.learnt(name::SOURCE_IMAGE).ok_or_else(|| missing("the source image"))
    }

    /// Renders a text with the source image's data in it.
    pub fn render(&self, field: &str, text: &str) -> Result<String, Failure> {
        if !text.contains("{{") {
            return Ok(text.to_owned());
        }
        let dot = self.source_image()?.template_data(&self.region.name);
        let mut text = text.to_owned();
        for _ in 0..RENDERINGS {
            let rendered = late::render(self.cx, field, &text, &dot)?;
            if rendered == text || !rendered.contains("{{") {
                return Ok(rendered);
            }
            text = rendered;
        }
        Err(Failure::config(format!("`{field}` still holds template text after {RENDERINGS} renderings"))
            .help("a value that it renders contains itself; write the text out"))
    }

    /// Renders keys and values.
    pub fn render_tags<'t>(
        &self,
        field: &str,
        tags: impl IntoIterator<Item = (&'t String, &'t String)>,
    ) -> Result<Tags, Failure> {
        tags.into_iter().map(|(key, value)| Ok((self.render(field, key)?, self.render(field, value)?))).collect()
    }

    /// `Adding tag: …` for each.
    pub fn say_tags(&self, tags: &BTreeMap<String, String>) {
        for (key, value) in tags {
            self.cx.detail(format!("Adding tag: {key:?}: {value:?}"));
        }
    }

    /// Repeats a call about something that was just made while AWS does not know it yet.
    pub async fn settled<T, F>(&self, call: impl FnMut() -> F) -> Result<T, Failure>
    where
        F: Future<Output = Result<T, Failure>>,
    {
        self.again(SETTLING, is_not_found, call).await
    }

    /// Repeats a call, at growing distances and for at most `limit`, while its failure `passes`.
    pub async fn again<T, F>(
        &self,
        limit: Duration,
        passes: impl Fn(&Failure) -> bool,
        mut call: impl FnMut() -> F,
    ) -> Result<T, Failure>
    where
        F: Future<Output = Result<T, Failure>>,
    {
        let start = tokio::time::Instant::now();
        let mut pause = Duration::from_millis(200);
        loop {
            match call().await {
                Err(failure) if passes(&failure) && start.elapsed() + pause < limit => {
                    self.cx.sleep(pause).await?;
                    pause = (pause * 2).min(Duration::from_secs(5));
                }
                other => return other,
            }
        }
    }
}

/// AWS's error code, where AWS refused.
pub fn code(failure: &Failure) -> &str {
    if let FailureKind::Aws { code, .. } = &failure.kind { code } else { "" }
}

pub fn is_not_found(failure: &Failure) -> bool {
    let code = code(failure);
    code.ends_with(".NotFound") || code == "NoSuchEntity" || code == "InvalidAMIID.Unavailable"
}

/// What an earlier step should have learnt.
pub fn missing(what: &str) -> Failure {
    Failure::other(format!("{what} is not known")).help("start this build over: `kiln build` again")
}
