//! `kiln console`: evaluates expressions with the names of a template at hand.

use std::io::{BufRead, IsTerminal, Write};

use crate::engine::load::{self, LoadRequest};
use crate::plan::{Purpose, is_hcl};
use crate::run::plan::RunOptions;
use crate::run::{Secrets, Value as Planned};
use crate::template::engine::{self, Findings, Stage};
use crate::template::hcl::blocks;
use crate::template::hcl::eval::{Evaluator, Scope};
use crate::template::hcl::function::World;
use crate::template::hcl::syntax::parse_expression;
use crate::template::hcl::value::Value;
use crate::template::inputs::Inputs;
use crate::template::question::Question;
use crate::template::tree::Text;
use crate::template::variables::Variables;
use crate::text::{Diagnostic, Sources};

use super::report::diagnostic::{self, Hidden};
use super::template_args::assignment;

const HELP: &str = "Type an expression to see its value: var.name, upper(\"x\"), [for x in list : x].\n\
                    `variables` lists the variables, `exit` or Ctrl-D leaves.";

#[derive(Clone, Debug, Default, clap::Args)]
pub struct ConsoleArgs {
    /// Set a variable; may be given several times
    #[arg(long = "var", value_name = "NAME=VALUE", value_parser = assignment, allow_hyphen_values = true)]
    pub vars: Vec<(String, String)>,
    /// Read variables from a file; may be given several times, a later one wins
    #[arg(long = "var-file", value_name = "PATH", allow_hyphen_values = true)]
    pub var_files: Vec<String>,
    /// The language, where no template tells
    #[arg(long = "config-type", value_name = "json|hcl2", default_value = "json", value_parser = ["json", "hcl2"])]
    pub config_type: String,
    // Packer's flag that means nothing here.
    #[arg(long, hide = true)]
    pub use_sequential_evaluation: bool,
    /// The template whose names can be used
    #[arg(value_name = "TEMPLATE")]
    pub template: Option<String>,
}

/// What expressions are evaluated with.
struct Session {
    hcl: bool,
    sources: Sources,
    inputs: Inputs,
    scope: Scope,
    variables: Variables,
    secrets: Secrets,
}

/// Evaluates what standard input says. Gives the exit status: 0; from a pipe, 1 when an expression has no value, 2 when the
/// template cannot be read.
pub async fn run(args: ConsoleArgs) -> u8 {
    let mut session = match open(&args).await {
        Ok(session) => session,
        Err(status) => return status,
    };
    if std::io::stdin().is_terminal() { session.talk().await } else { session.pipe().await }
}

async fn open(args: &ConsoleArgs) -> Result<Session, u8> {
    let template = args.template.clone().unwrap_or_default();
    let hcl = args.config_type == "hcl2" || is_hcl(&template) || std::path::Path::new(&template).is_dir();
    let request = LoadRequest {
        template,
        hcl,
        execute_data: false,
        vars: args.vars.clone(),
        var_files: args.var_files.clone(),
        only: Vec::new(),
        except: Vec::new(),
        options: RunOptions::default(),
        purpose: Purpose::Validate,
        of_run: None,
    };
    let unreadable = |error: load::LoadError| {
        let _ = writeln!(std::io::stderr(), "kiln: {error}\n  help: {}", error.help());
        2
    };
    let (sources, files, mut inputs) = load::read(&request, args.template.is_none()).map_err(unreadable)?;
    if !hcl {
        if args.template.is_none() {
            let (variables, secrets) = Default::default();
            return Ok(Session { hcl, sources, inputs, scope: Scope::new(), variables, secrets });
        }
        let loaded = load::load(request).await.map_err(unreadable)?;
        let (variables, secrets) = (loaded.evaluation.variables, loaded.evaluation.secrets);
        return Ok(Session {
            hcl,
            sources: loaded.sources,
            inputs: loaded.inputs,
            scope: Scope::new(),
            variables,
            secrets,
        });
    }
    let (evaluated, sources, found) = load::answered(&mut inputs, |inputs| {
        let (mut sources, mut found, mut questions) = (sources.clone(), Vec::new(), Vec::new());
        let evaluated = blocks::evaluate(&files, &mut sources, inputs, false, &mut found, &mut questions);
        ((evaluated, sources, found), questions)
    })
    .await;
    if found.iter().any(Diagnostic::is_error) {
        tell(&found, &sources);
        return Err(1);
    }
    let mut scope = evaluated.scope;
    for root in ["var", "local", "data", "build", "source"] {
        scope.entry(root.to_owned()).or_insert_with(|| Value::object(Vec::<(&str, Value)>::new()));
    }
    Ok(Session { hcl, sources, inputs, scope, variables: Variables::new(), secrets: Secrets::default() })
}

fn tell(found: &[Diagnostic], sources: &Sources) {
    let hidden = Hidden { secrets: &Secrets::default(), places: &[] };
    let colour = std::io::stderr().is_terminal();
    // Nobody is told when a stream is closed.
    let _ = std::io::stderr().write_all(diagnostic::render(found, sources, hidden, colour).as_bytes());
}

impl Session {
    /// As Packer's: every line is evaluated, the last result alone is shown, and the first mistake ends it.
    async fn pipe(&mut self) -> u8 {
        let mut last = None;
        for line in std::io::stdin().lock().lines() {
            let Ok(line) = line else { break };
            match line.trim() {
                "" => {}
                "exit" => break,
                "help" => last = Some(HELP.to_owned()),
                "variables" => last = Some(self.listed()),
                _ => match self.evaluate(&line).await {
                    Ok(shown) => last = Some(shown),
                    Err(found) => {
                        tell(&found, &self.sources);
                        return 1;
                    }
                },
            }
        }
        if let Some(last) = last {
            let _ = writeln!(std::io::stdout(), "{last}");
        }
        0
    }

    /// With a person: a prompt, and a mistake ends nothing.
    async fn talk(&mut self) -> u8 {
        loop {
            let _ = write!(std::io::stdout(), "> ").and_then(|()| std::io::stdout().flush());
            let mut line = String::new();
            match std::io::stdin().lock().read_line(&mut line) {
                Ok(0) | Err(_) => return 0,
                Ok(_) => {}
            }
            let shown = match line.trim() {
                "" => continue,
                "exit" => return 0,
                "help" => HELP.to_owned(),
                "variables" => self.listed(),
                _ => match self.evaluate(line.trim_end()).await {
                    Ok(shown) => shown,
                    Err(found) => {
                        tell(&found, &self.sources);
                        continue;
                    }
                },
            };
            let _ = writeln!(std::io::stdout(), "{shown}");
        }
    }

    async fn evaluate(&mut self, line: &str) -> Result<String, Vec<Diagnostic>> {
        let id = self.sources.add("<console>", line);
        if !self.hcl {
            return self.render(line, id);
        }
        let mut found = Vec::new();
        let expression = self.sources.get(id).and_then(|source| parse_expression(source, &mut found));
        let Some(expression) = expression.filter(|_| found.is_empty()) else { return Err(found) };
        let scope = &self.scope;
        let (value, found) = load::answered(&mut self.inputs, |inputs| {
            let mut found = Vec::new();
            let world = World::new(inputs, "console");
            let value = Evaluator::new(scope, &world, &mut found).evaluate(&expression);
            let questions: Vec<Question> = world.questions.into_inner();
            ((value, found), questions)
        })
        .await;
        if found.iter().any(Diagnostic::is_error) { Err(found) } else { Ok(shown(&value)) }
    }

    /// A text of a JSON template.
    fn render(&self, line: &str, id: crate::text::SourceId) -> Result<String, Vec<Diagnostic>> {
        let mut findings = Findings::default();
        let text = Text::plain(line, id, 0);
        let value = engine::render(&text, Stage::Variable, &self.inputs, &self.variables, &self.secrets, &mut findings);
        match value {
            Planned::Text(text) => Ok(text),
            Planned::Secret(_) => Ok("<sensitive>".into()),
            _ if findings.diagnostics.iter().any(Diagnostic::is_error) => Err(findings.diagnostics),
            _ => Ok("<unknown>".into()),
        }
    }

    fn listed(&self) -> String {
        let line = |name: &str, value: &str| format!("{name} = {value}");
        if !self.hcl {
            let shown = |v: &Planned| match v {
                Planned::Text(text) => format!("{text:?}"),
                _ => "<sensitive>".into(),
            };
            return self.variables.values().map(|v| line(&v.name, &shown(&v.value))).collect::<Vec<_>>().join("\n");
        }
        let mut lines = Vec::new();
        for root in ["var", "local"] {
            let attributes = self.scope.get(root).and_then(Value::attributes);
            lines.extend(
                attributes.into_iter().flat_map(|a| a.iter()).map(|(k, v)| line(&format!("{root}.{k}"), &shown(v))),
            );
        }
        lines.join("\n")
    }
}

fn shown(value: &Value) -> String {
    if value.holds_sensitive() { "<sensitive>".into() } else { value.to_console() }
}
