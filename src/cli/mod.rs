//! The headless face: one file a command; reports.
//!
//! Not here: what a template means (`plan`), what a run does (`engine`).

pub mod arguments;
pub mod build;
pub mod console;
pub mod elsewhere;
pub mod explain;
pub mod fix;
pub mod fmt;
pub mod hcl2_upgrade;
pub mod inspect;
pub mod practice;
pub mod report;
pub mod settings;
pub mod template_args;
pub mod validate;

use std::ffi::OsString;
use std::io::Write;

use clap::{CommandFactory, Parser, Subcommand};
use tokio::runtime;

/// Bakes machine images from Packer templates: Amazon images, natively, in one binary.
///
/// Flags are Packer's: one dash or two, before or after the template.
#[derive(Debug, Parser)]
#[command(
    name = "kiln",
    bin_name = "kiln",
    disable_version_flag = true,
    arg_required_else_help = true,
    max_term_width = 100
)]
struct Kiln {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Build images from a template
    Build(build::BuildArgs),
    /// Check a template: every mistake, at once
    Validate(validate::ValidateArgs),
    /// Show a template's variables, builders, provisioners and post-processors
    Inspect(inspect::InspectArgs),
    /// Serve a practice cloud on this computer: EC2's calls, machines that run scripts, images
    Practice(practice::PracticeArgs),
    /// Tell more about the code of a diagnostic (K0502)
    Explain(explain::ExplainArgs),
    /// Print the version
    Version {
        /// Print it in Packer's machine-readable format
        #[arg(long)]
        machine_readable: bool,
    },
    /// Print a script that completes kiln's commands in a shell
    Completions { shell: clap_complete::Shell },
    /// Nothing to install: kiln has its components built in
    Init(elsewhere::Ignored),
    /// Where Packer's plug-ins went
    #[command(alias = "plugin")]
    Plugins(elsewhere::Ignored),
    /// Bring an old JSON template up to date
    Fix(fix::FixArgs),
    /// Bring HCL2 files into their canonical layout
    Fmt(fmt::FmtArgs),
    /// Evaluate expressions with a template's names at hand
    Console(console::ConsoleArgs),
    /// Write a JSON template as HCL2, and compare what both mean
    #[command(name = "hcl2_upgrade")]
    Hcl2Upgrade(hcl2_upgrade::UpgradeArgs),
}

/// Runs the command that the arguments name; the first of them is the program's own name.
///
/// Gives the exit status: 0 done, 1 a build failed, 2 the template or the call is wrong, 3 done but something could not be
/// released, 130, 143 or 129 cancelled by SIGINT, SIGTERM or SIGHUP.
pub fn main(arguments: Vec<OsString>) -> u8 {
    let arguments = arguments::normalise(arguments);
    let parsed = match Kiln::try_parse_from(&arguments) {
        Ok(parsed) => parsed,
        Err(error) => {
            let _ = error.print();
            return if error.use_stderr() { 2 } else { 0 };
        }
    };
    match parsed.command {
        Command::Version { machine_readable } => {
            version(machine_readable);
            0
        }
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Kiln::command(), "kiln", &mut script);
            let _ = std::io::stdout().write_all(&script);
            0
        }
        Command::Init(_) => elsewhere::init(),
        Command::Plugins(_) => elsewhere::plugins(),
        Command::Fix(args) => fix::run(&args),
        Command::Fmt(args) => fmt::run(&args),
        Command::Console(args) => on_runtime(&mut runtime::Builder::new_current_thread(), console::run(args)),
        Command::Hcl2Upgrade(args) => on_runtime(&mut runtime::Builder::new_current_thread(), hcl2_upgrade::run(args)),
        Command::Explain(args) => explain::run(&args),
        // These two are over before a second thread would be of use.
        Command::Validate(args) => on_runtime(&mut runtime::Builder::new_current_thread(), validate::run(args)),
        Command::Inspect(args) => on_runtime(&mut runtime::Builder::new_current_thread(), inspect::run(args)),
        Command::Practice(args) => on_runtime(&mut runtime::Builder::new_multi_thread(), practice::serve(args)),
        Command::Build(args) if args.practice => {
            on_runtime(&mut runtime::Builder::new_multi_thread(), practice::rehearse(arguments))
        }
        Command::Build(args) => on_runtime(&mut runtime::Builder::new_multi_thread(), build::run(args)),
    }
}

fn version(machine_readable: bool) {
    let text = format!("kiln v{}", env!("CARGO_PKG_VERSION"));
    if !machine_readable {
        return say(&text);
    }
    let now = jiff::Timestamp::now().as_second();
    // Packer's spelling of the second.
    let fields: [(&str, &[&str]); 4] = [
        ("version", &[env!("CARGO_PKG_VERSION")]),
        ("version-prelease", &[""]),
        ("version-commit", &[""]),
        ("ui", &["say", &text]),
    ];
    for (kind, data) in fields {
        say(report::machine::line(now, "", kind, data).trim_end());
    }
}

/// A line on standard output; nobody is told when it is closed.
fn say(line: &str) {
    let _ = writeln!(std::io::stdout(), "{line}");
}

fn on_runtime(runtime: &mut runtime::Builder, command: impl Future<Output = u8>) -> u8 {
    match runtime.enable_all().build() {
        Ok(runtime) => {
            let status = runtime.block_on(command);
            // What still reads the terminal or waits for a name server must not hold the exit up.
            runtime.shutdown_background();
            status
        }
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "kiln: cannot start threads: {error}");
            2
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_call_is_described_without_contradiction() {
        super::Kiln::command().debug_assert();
    }
}
