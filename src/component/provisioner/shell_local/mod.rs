//! `shell-local`: scripts that run on this host, as provisioner and as post-processor.

mod run;
#[cfg(test)]
mod tests;

use std::path::PathBuf;

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::environment;
use super::script::{Given, inline_title};
use crate::component::config::{decode, decode_known};
use crate::component::contract::{CheckContext, Provisioner, StepContext, StepFuture, StepResult};
use crate::schema::{Component, Kind};
use crate::text::Diagnostic;
use crate::text::code::provisioner as code;

/// Runs scripts on the host that kiln runs on, in the working folder. Exactly one of `inline`, `script`, `scripts` and
/// `command` says what to run. A script that is cancelled is ended together with everything that it started.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Config {
    /// Lines of a script, run as one: with `inline_shebang` as its first line.
    #[schemars(extend("x-kiln-late" = []))]
    inline: Vec<String>,
    /// A script file, relative to the working folder. It must be executable.
    script: String,
    /// Several script files, run one after another.
    scripts: Vec<String>,
    /// One line of a script: the old form of `inline`.
    #[schemars(extend("x-kiln-late" = [], "x-kiln-deprecated" = "use `inline`"))]
    command: String,
    /// Environment of the script, each entry `NAME=VALUE`. `PACKER_BUILD_NAME` and `PACKER_BUILDER_TYPE` are always there.
    #[schemars(extend("x-kiln-late" = []))]
    environment_vars: Vec<String>,
    /// Environment of the script as a map; wins over `environment_vars`.
    #[schemars(extend("x-kiln-late" = []))]
    env: IndexMap<String, String>,
    /// How one variable is written in `{{.Vars}}`: the first `%s` is its name, the second its value.
    #[schemars(extend("default" = "%s='%s' "))]
    env_var_format: String,
    /// The program that runs a script, with its arguments: `{{.Vars}}` is the environment, `{{.Script}}` the script,
    /// `{{.Command}}` the text of `command`. By default `["/bin/sh", "-c", "{{.Vars}} {{.Script}}"]`. A single text is given
    /// to `/bin/sh -c`.
    #[schemars(extend("x-kiln-late" = ["Vars", "Script", "Command"]))]
    execute_command: Vec<String>,
    /// Interpreter of an inline script; `-e` ends it at the first command that fails.
    #[schemars(extend("default" = "/bin/sh -e"))]
    inline_shebang: Option<String>,
    /// Runs only on these systems: `darwin`, `freebsd`, `linux`, `openbsd`, `solaris`, `windows`. Empty: on all.
    only_on: Vec<String>,
    /// Ending of the name of an inline script's file, such as `.py`.
    tempfile_extension: String,
    /// Names files as the Windows Subsystem for Linux does.
    #[schemars(extend("x-kiln-not-built" = "kiln does not run on Windows yet"))]
    use_linux_pathing: bool,
    /// Exit statuses that count as success.
    valid_exit_codes: Vec<i64>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            inline: Vec::new(),
            script: String::new(),
            scripts: Vec::new(),
            command: String::new(),
            environment_vars: Vec::new(),
            env: IndexMap::new(),
            env_var_format: String::new(),
            execute_command: Vec::new(),
            inline_shebang: None,
            only_on: Vec::new(),
            tempfile_extension: String::new(),
            use_linux_pathing: false,
            valid_exit_codes: vec![0],
        }
    }
}

/// The systems that `only_on` may name, as Packer calls them.
const SYSTEMS: [&str; 6] = ["darwin", "freebsd", "linux", "openbsd", "solaris", "windows"];

impl Config {
    fn given(&self) -> Given<'_> {
        Given { inline: &self.inline, script: &self.script, scripts: &self.scripts, command: Some(&self.command) }
    }

    /// The schema of provisioner and post-processor.
    pub fn schema(kind: Kind) -> Component {
        Component::from_struct::<Self>(kind, "shell-local")
    }

    /// The rules over its fields.
    pub fn check(config: &Json, cx: &mut CheckContext<'_>) {
        let config: Self = decode_known(config);
        config.given().check(cx);
        environment::check(&config.environment_vars, cx);
        for (i, system) in config.only_on.iter().enumerate().filter(|(_, s)| !SYSTEMS.contains(&s.as_str())) {
            let span = cx.places.value(&format!("only_on.{i}"));
            let near = crate::text::diagnostic::did_you_mean(system, SYSTEMS);
            let help = near.map_or_else(
                || format!("the systems are {}", SYSTEMS.join(", ")),
                |name| format!("did you mean `{name}`?"),
            );
            cx.diagnostics.push(
                Diagnostic::error(code::SYSTEM, span, format!("`{system}` is no system that kiln knows")).help(help),
            );
        }
    }

    /// The local files that it runs.
    pub fn files(config: &Json) -> Vec<PathBuf> {
        let config: Self = decode_known(config);
        config.given().files().into_iter().map(PathBuf::from).collect()
    }

    fn valid_exit_codes(&self) -> &[i64] {
        if self.valid_exit_codes.is_empty() { &[0] } else { &self.valid_exit_codes }
    }
}

/// Runs the scripts of a config.
///
/// # Errors
/// A script that failed or could not be started; `Cancelled`.
pub async fn run(config: &Json, cx: &StepContext) -> StepResult {
    run::run(&decode(config)?, cx).await
}

/// The `shell-local` provisioner.
pub struct ShellLocal;

impl Provisioner for ShellLocal {
    fn schema(&self) -> Component {
        Config::schema(Kind::Provisioner)
    }

    fn check(&self, config: &Json, cx: &mut CheckContext<'_>) {
        Config::check(config, cx);
    }

    fn title(&self, config: &Json) -> String {
        let config: Config = decode_known(config);
        match config.given().files().as_slice() {
            [] => format!("shell-local: {}", inline_title(config.inline.len().max(1))),
            [only] => format!("shell-local: {only}"),
            [first, others @ ..] => format!("shell-local: {first} and {} more", others.len()),
        }
    }

    fn files(&self, config: &Json) -> Vec<PathBuf> {
        Config::files(config)
    }

    fn needs_communicator(&self) -> bool {
        false
    }

    fn run<'a>(&'a self, config: &'a Json, cx: &'a StepContext) -> StepFuture<'a> {
        Box::pin(run(config, cx))
    }
}
