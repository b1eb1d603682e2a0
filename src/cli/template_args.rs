//! The arguments that all commands on a template share, in Packer's names.

use crate::engine::load::LoadRequest;
use crate::plan::Purpose;
use crate::run::plan::RunOptions;

/// The template, and what to do to its variables and builds.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct TemplateArgs {
    /// Set a variable; may be given several times
    #[arg(long = "var", value_name = "NAME=VALUE", value_parser = assignment, allow_hyphen_values = true)]
    pub vars: Vec<(String, String)>,
    /// Read variables from a file; may be given several times, a later one wins
    #[arg(long = "var-file", value_name = "PATH", allow_hyphen_values = true)]
    pub var_files: Vec<String>,
    /// Build only these, by name
    #[arg(long, value_name = "NAME,…", value_delimiter = ',')]
    pub only: Vec<String>,
    /// Leave these builds and post-processors out, by name
    #[arg(long, value_name = "NAME,…", value_delimiter = ',')]
    pub except: Vec<String>,
    /// The language of a template from standard input
    #[arg(long = "config-type", value_name = "json|hcl2", default_value = "json", value_parser = ["json", "hcl2"])]
    pub config_type: String,
    /// The template's path, or `-` for standard input; of HCL2 a file or a folder
    #[arg(value_name = "TEMPLATE")]
    pub template: String,
}

impl TemplateArgs {
    /// What to load.
    #[must_use]
    pub fn request(&self, options: RunOptions, purpose: Purpose) -> LoadRequest {
        let names = |list: &[String]| list.iter().map(|n| n.trim().to_owned()).filter(|n| !n.is_empty()).collect();
        LoadRequest {
            template: self.template.clone(),
            hcl: self.config_type == "hcl2",
            execute_data: false,
            vars: self.vars.clone(),
            var_files: self.var_files.clone(),
            only: names(&self.only),
            except: names(&self.except),
            options,
            purpose,
            of_run: None,
        }
    }
}

/// `NAME=VALUE`, split at the first `=`.
pub(super) fn assignment(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("write NAME=VALUE".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::TemplateArgs;

    #[derive(Parser)]
    struct Call {
        #[command(flatten)]
        template: TemplateArgs,
    }

    fn parsed(line: &[&str]) -> TemplateArgs {
        Call::try_parse_from(std::iter::once(&"kiln").chain(line)).map(|c| c.template).unwrap_or_default()
    }

    #[test]
    fn a_value_may_hold_equals_signs_and_be_empty() {
        let args = parsed(&["--var", "a=b=c", "--var=d=", "t.json"]);
        assert_eq!(args.vars, [("a".into(), "b=c".into()), ("d".into(), String::new())]);
        assert_eq!(args.template, "t.json");
    }

    #[test]
    fn a_variable_without_a_value_is_refused() {
        assert!(Call::try_parse_from(["kiln", "--var", "a", "t.json"]).is_err());
    }

    #[test]
    fn names_come_in_lists_and_add_up() {
        assert_eq!(parsed(&["--only=a,b", "--only", "c", "t.json"]).only, ["a", "b", "c"]);
    }
}
