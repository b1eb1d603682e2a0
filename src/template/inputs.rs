//! All that evaluation may depend on, as values.

use std::collections::BTreeMap;

use super::question::Answers;

#[derive(Clone, Debug, Default)]
pub struct Inputs {
    /// Start of the run, UNIX seconds.
    pub start: i64,
    pub seed: u64,
    /// Absolute working folder, and absolute folder of the template.
    pub cwd: String,
    pub template_dir: String,
    pub env: BTreeMap<String, String>,
    /// `-var k=v`, in order.
    pub vars: Vec<(String, String)>,
    /// `-var-file`s, in order: path as given, and text.
    pub var_files: Vec<(String, String)>,
    pub answers: Answers,
    /// `*.auto.pkrvars.*` beside an HCL2 template, in order.
    pub auto_var_files: Vec<(String, String)>,
    /// The template's folder as the user named it: `path.root`.
    pub root: String,
    /// Data sources of HCL2 templates are asked.
    pub execute_data: bool,
    /// `-only` and `-except`, in order.
    pub only: Vec<String>,
    pub except: Vec<String>,
}

/// The Packer version that `{{packer_version}}` gives and `min_packer_version` is held against.
pub const PACKER_VERSION: &str = "1.16.0";
