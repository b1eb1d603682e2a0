//! Packer's commands that have nothing to do here: each says so in one line.

use clap::Args;

/// Whatever Packer's flags and arguments are: they are accepted, so that a script that calls the command goes on.
#[derive(Debug, Args)]
pub struct Ignored {
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, hide = true)]
    arguments: Vec<String>,
}

/// `kiln init`: CI scripts call it first.
pub fn init() -> u8 {
    super::say("Nothing to install: kiln has its builders, provisioners and post-processors built in.");
    0
}

/// `kiln plugins`.
pub fn plugins() -> u8 {
    super::say("kiln has no plug-ins: its builders, provisioners and post-processors are built in.");
    0
}
