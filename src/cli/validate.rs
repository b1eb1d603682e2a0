//! `kiln validate`: every mistake of a template, at once, and nothing done.

use std::io::Write;

use crate::engine::load;
use crate::plan::{Evaluation, Purpose};
use crate::run::plan::RunOptions;
use crate::text::Sources;
use crate::text::code::variable;

use super::report::diagnostic::{self, Hidden};
use super::report::{self, machine};
use super::settings;
use super::template_args::TemplateArgs;

#[derive(Clone, Debug, Default, clap::Args)]
pub struct ValidateArgs {
    #[command(flatten)]
    pub template: TemplateArgs,
    /// Look at the form of the text only
    #[arg(long)]
    pub syntax_only: bool,
    /// How to print what is found
    #[arg(long, value_parser = ["text", "json"], default_value = "text")]
    pub format: String,
    /// Print in Packer's machine-readable form
    #[arg(long)]
    pub machine_readable: bool,
    /// Do not warn of variables that are given but not declared
    #[arg(long)]
    pub no_warn_undeclared_var: bool,
    /// Ask the data sources of an HCL2 template, instead of taking what they give for unknown
    #[arg(long)]
    pub evaluate_datasources: bool,
    // Packer's flags that mean nothing here.
    #[arg(long, hide = true)]
    pub ignore_prerelease_plugins: bool,
    #[arg(long, hide = true)]
    pub use_sequential_evaluation: bool,
}

/// Validates. Gives the exit status: 0 right (warnings allowed), 2 wrong or unreadable.
pub async fn run(args: ValidateArgs) -> u8 {
    if let Err(status) = settings::for_template(&args.template.template, args.format == "json") {
        return status;
    }
    let result = if args.syntax_only {
        load::syntax(&args.template.template, args.template.config_type == "hcl2")
    } else {
        let mut request = args.template.request(RunOptions::default(), Purpose::Validate);
        request.execute_data = args.evaluate_datasources;
        let loaded = load::load(request).await;
        loaded.map(|l| (l.sources, l.evaluation))
    };
    let (sources, mut evaluation) = match result {
        Ok(found) => found,
        Err(error) => {
            // Nobody is told when a stream is closed.
            let _ = writeln!(std::io::stderr(), "kiln: {error}\n  help: {}", error.help());
            return 2;
        }
    };
    if args.no_warn_undeclared_var {
        evaluation.diagnostics.retain(|d| d.is_error() || d.code != variable::UNDECLARED);
    }
    let valid = !evaluation.has_errors();
    tell(&args, &evaluation, &sources, valid);
    if valid { 0 } else { 2 }
}

fn tell(args: &ValidateArgs, evaluation: &Evaluation, sources: &Sources, valid: bool) {
    let mut out = std::io::stdout().lock();
    let (found, hidden) = (&evaluation.diagnostics, Hidden::of(evaluation));
    if args.format == "json" {
        let _ = out.write_all(diagnostic::report(found, sources, hidden, true, false).as_bytes());
        return;
    }
    report::print(found, sources, hidden, false);
    if !valid {
        return;
    }
    let text = if args.syntax_only {
        "Syntax-only check passed. Everything looks okay."
    } else {
        "The configuration is valid."
    };
    if args.machine_readable {
        let _ = out.write_all(machine::line(now(), "", "ui", &["say", text]).as_bytes());
    } else {
        let _ = writeln!(out, "{text}");
    }
}

/// UNIX seconds.
pub(super) fn now() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}
