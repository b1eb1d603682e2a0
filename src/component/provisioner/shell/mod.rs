//! The `shell` provisioner: scripts that run on the machine.

mod run;
#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::time::Duration;

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::environment;
use super::script::{Given, inline_title};
use crate::component::config::{GoDuration, decode, decode_known};
use crate::component::contract::{CheckContext, Provisioner, StepContext, StepFuture};
use crate::schema::{Component, Kind};

/// Runs scripts on the machine: each is sent there, run, and removed again. Exactly one of `inline`, `script` and `scripts`
/// says what to run. Standard output and standard error are shown as they come; an exit status that is not allowed fails
/// the build.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Config {
    /// Lines of a script, run as one: with `inline_shebang` as its first line, so that the first command that fails ends it.
    #[schemars(extend("x-kiln-late" = []))]
    inline: Vec<String>,
    /// A script file of this host, relative to the working folder.
    script: String,
    /// Several script files, run one after another.
    scripts: Vec<String>,
    /// Sends scripts byte by byte. Otherwise Windows' line ends become UNIX's.
    binary: bool,
    /// Exit statuses that count as success.
    valid_exit_codes: Vec<i64>,
    /// Environment of the script, each entry `NAME=VALUE`. `PACKER_BUILD_NAME` and `PACKER_BUILDER_TYPE` are always there.
    #[schemars(extend("x-kiln-late" = []))]
    environment_vars: Vec<String>,
    /// Environment of the script as a map; wins over `environment_vars`.
    #[schemars(extend("x-kiln-late" = []))]
    env: IndexMap<String, String>,
    /// How one variable is written: the first `%s` is its name, the second its value, in which single quotes are escaped.
    /// By default `%s='%s' `, with `use_env_var_file` a line `export %s='%s'`.
    #[schemars(extend("default" = "%s='%s' "))]
    env_var_format: String,
    /// Sends the environment as a file that the script's shell reads, instead of on the command line where other users of
    /// the machine can see it.
    use_env_var_file: bool,
    /// The command that runs a script, such as `sudo -E sh -c '{{.Vars}} {{.Path}}'`. `{{.Path}}` is the script on the
    /// machine, `{{.Vars}}` the environment, `{{.EnvVarFile}}` its file. By default
    /// `chmod +x {{.Path}}; {{.Vars}} {{.Path}}`, with `use_env_var_file`
    /// `chmod +x {{.Path}}; . {{.EnvVarFile}} && {{.Path}}`.
    #[schemars(extend("x-kiln-late" = ["Path", "Vars", "EnvVarFile"], "default" = "chmod +x {{.Path}}; {{.Vars}} {{.Path}}"))]
    execute_command: String,
    /// Interpreter of an inline script; `-e` ends it at the first command that fails.
    #[schemars(extend("default" = "/bin/sh -e"))]
    inline_shebang: Option<String>,
    /// Folder on the machine that scripts are sent to.
    remote_folder: String,
    /// Name of the script on the machine; by default `script_` and a random number.
    remote_file: String,
    /// Whole path of the script on the machine; by default `remote_folder` and `remote_file`.
    remote_path: String,
    /// Leaves the script on the machine.
    skip_clean: bool,
    /// How long to go on trying to send or remove a script while the machine cannot be reached, as after a reboot.
    start_retry_timeout: GoDuration,
    /// The script restarts the machine or its network: a lost connection is a success. What comes next waits for the
    /// machine.
    expect_disconnect: bool,
    /// Waits this long after the last script.
    pause_after: GoDuration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            inline: Vec::new(),
            script: String::new(),
            scripts: Vec::new(),
            binary: false,
            valid_exit_codes: vec![0],
            environment_vars: Vec::new(),
            env: IndexMap::new(),
            env_var_format: String::new(),
            use_env_var_file: false,
            execute_command: String::new(),
            inline_shebang: None,
            remote_folder: "/tmp".into(),
            remote_file: String::new(),
            remote_path: String::new(),
            skip_clean: false,
            start_retry_timeout: GoDuration::from_secs(300),
            expect_disconnect: false,
            pause_after: GoDuration::default(),
        }
    }
}

/// Packer's exit code for a connection that broke while the script ran.
const DISCONNECTED: i64 = 2_300_218;

impl Config {
    fn given(&self) -> Given<'_> {
        Given { inline: &self.inline, script: &self.script, scripts: &self.scripts, command: None }
    }

    fn execute_command(&self) -> &str {
        match (self.execute_command.as_str(), self.use_env_var_file) {
            ("", false) => "chmod +x {{.Path}}; {{.Vars}} {{.Path}}",
            ("", true) => "chmod +x {{.Path}}; . {{.EnvVarFile}} && {{.Path}}",
            (written, _) => written,
        }
    }

    fn env_var_format(&self) -> &str {
        match (self.env_var_format.as_str(), self.use_env_var_file) {
            ("", false) => "%s='%s' ",
            ("", true) => "export %s='%s'\n",
            (written, _) => written,
        }
    }

    fn valid_exit_codes(&self) -> &[i64] {
        if self.valid_exit_codes.is_empty() { &[0] } else { &self.valid_exit_codes }
    }

    /// Whether a lost connection is what the user wants.
    fn may_disconnect(&self) -> bool {
        self.expect_disconnect || self.valid_exit_codes.contains(&DISCONNECTED)
    }

    fn patience(&self) -> Duration {
        match self.start_retry_timeout.or_zero() {
            Duration::ZERO => Duration::from_mins(5),
            time => time,
        }
    }
}

/// The `shell` provisioner.
pub struct Shell;

impl Provisioner for Shell {
    fn schema(&self) -> Component {
        Component::from_struct::<Config>(Kind::Provisioner, "shell")
    }

    fn check(&self, config: &Json, cx: &mut CheckContext<'_>) {
        let config: Config = decode_known(config);
        config.given().check(cx);
        environment::check(&config.environment_vars, cx);
    }

    fn title(&self, config: &Json) -> String {
        let config: Config = decode_known(config);
        match config.given().files().as_slice() {
            [] => format!("shell: {}", inline_title(config.inline.len())),
            [only] => format!("shell: {only}"),
            [first, others @ ..] => format!("shell: {first} and {} more", others.len()),
        }
    }

    fn files(&self, config: &Json) -> Vec<PathBuf> {
        let config: Config = decode_known(config);
        config.given().files().into_iter().map(PathBuf::from).collect()
    }

    fn run<'a>(&'a self, config: &'a Json, cx: &'a StepContext) -> StepFuture<'a> {
        Box::pin(async move { run::run(&decode(config)?, cx).await })
    }
}
