//! `kiln explain CODE`: the page of a diagnostic's code.

use std::io::Write;

use crate::text::Code;
use crate::text::diagnostic::did_you_mean;

#[derive(Clone, Debug, clap::Args)]
pub struct ExplainArgs {
    /// A code, such as K0501; without one, all codes are listed
    #[arg(value_name = "CODE")]
    pub code: Option<String>,
}

/// Prints the page, or the list of codes. Gives the exit status: 2 when there is no such code.
#[must_use]
pub fn run(args: &ExplainArgs) -> u8 {
    let mut out = std::io::stdout().lock();
    // Nobody is told when standard output is closed.
    let Some(wanted) = &args.code else {
        for code in Code::all() {
            let _ = writeln!(out, "{}", title(code));
        }
        return 0;
    };
    if let Some(code) = Code::find(wanted) {
        let _ = writeln!(out, "{}", code.page().trim_end());
        return 0;
    }
    let near = did_you_mean(wanted, Code::all().map(Code::as_str));
    let help = near.map_or_else(|| "`kiln explain` lists all codes".to_owned(), |n| format!("did you mean `{n}`?"));
    let _ = writeln!(std::io::stderr(), "kiln: there is no code `{wanted}`; {help}");
    2
}

/// `K0501: what it says`.
fn title(code: Code) -> &'static str {
    code.page().lines().next().unwrap_or_default().trim_start_matches('#').trim_start()
}

#[cfg(test)]
mod tests {
    use super::{ExplainArgs, run, title};
    use crate::text::Code;

    #[test]
    fn every_page_opens_with_its_code() {
        for code in Code::all() {
            assert!(title(code).starts_with(&format!("{code}: ")), "{code}: {}", title(code));
        }
    }

    #[test]
    fn an_unknown_code_is_a_wrong_call() {
        assert_eq!(run(&ExplainArgs { code: Some("K9999".into()) }), 2);
        assert_eq!(run(&ExplainArgs { code: Some("k0101".into()) }), 0);
    }
}
