//! HCL as its specification has it: a suite in the format of HashiCorp's own, which any implementation can run.
//!
//! A case is three files: `NAME.hcl` is read as `NAME.hcldec` says (a schema), and `NAME.t` tells what must come out, or which
//! bytes the errors stand at. `KILN_HCL_SPEC` names another folder of such cases, for example a copy of HashiCorp's.

use std::path::{Path, PathBuf};

use kiln::template::hcl::eval::{Evaluator, Scope, type_of};
use kiln::template::hcl::function::World;
use kiln::template::hcl::syntax::ast::{Block, Body, Expression};
use kiln::template::hcl::syntax::parse;
use kiln::template::hcl::value::{Type, Value, convert};
use kiln::template::inputs::Inputs;
use kiln::text::{Diagnostic, Sources, Span};

/// A file, read.
struct Text {
    body: Body,
    found: Vec<Diagnostic>,
}

fn read(path: &Path) -> Text {
    let mut sources = Sources::default();
    let id = sources.add(path.display().to_string(), std::fs::read_to_string(path).unwrap());
    let mut found = Vec::new();
    let body = parse(sources.get(id).unwrap(), &mut found);
    Text { body, found }
}

fn value(expression: &Expression, scope: &Scope, found: &mut Vec<Diagnostic>) -> Value {
    let inputs = Inputs::default();
    let world = World::new(&inputs, "spec");
    Evaluator::new(scope, &world, found).evaluate(expression)
}

/// The type that a schema or an expectation writes.
fn ty(expression: &Expression) -> Type {
    type_of(expression, &mut |_| Value::null(Type::Any)).unwrap_or_else(|d| panic!("{}", d.message))
}

struct Decoder {
    scope: Scope,
    found: Vec<Diagnostic>,
}

fn text(block: &Block, name: &str) -> Option<String> {
    let attribute = block.body.attribute(name)?;
    value(&attribute.expression, &Scope::new(), &mut Vec::new()).as_str().map(str::to_owned)
}

fn wrong(found: &mut Vec<Diagnostic>, span: Span, message: &str) {
    found.push(Diagnostic::error(kiln::text::code::hcl_syntax::SYNTAX, span, message));
}

impl Decoder {
    /// What the one spec in a body makes of a text.
    fn spec(&mut self, spec: &Body, body: &Body) -> Value {
        let spec = spec.blocks.iter().find(|b| b.kind.text != "variables").expect("a spec");
        self.unexpected(spec, body);
        self.decode(spec, body)
    }

    fn decode(&mut self, spec: &Block, body: &Body) -> Value {
        let label = spec.labels.first().map(|l| l.text.clone()).unwrap_or_default();
        let block_type = text(spec, "block_type").unwrap_or_else(|| label.clone());
        let nothing = Value::null(Type::Any);
        match spec.kind.text.as_str() {
            "literal" => value(&spec.body.attribute("value").unwrap().expression, &self.scope, &mut self.found),
            "object" => Value::object(spec.body.blocks.iter().map(|inner| {
                let name = inner.labels.first().map(|l| l.text.clone()).unwrap_or_default();
                (name, self.decode(inner, body))
            })),
            "attr" => {
                let name = text(spec, "name").unwrap_or(label);
                let Some(attribute) = body.attribute(&name) else { return nothing };
                let found = value(&attribute.expression, &self.scope, &mut self.found);
                match convert(&found, &ty(&spec.body.attribute("type").unwrap().expression)) {
                    Ok(value) => value,
                    Err(error) => {
                        wrong(&mut self.found, attribute.expression.span, &error.to_string());
                        nothing
                    }
                }
            }
            "block" => match body.blocks_of(&block_type).next() {
                Some(block) => self.spec(&spec.body, &block.body),
                None => nothing,
            },
            "block_list" => {
                Value::tuple(body.blocks_of(&block_type).map(|b| self.spec(&spec.body, &b.body)).collect::<Vec<_>>())
            }
            "block_map" => Value::object(
                body.blocks_of(&block_type)
                    .map(|b| (b.labels[0].text.clone(), self.spec(&spec.body, &b.body)))
                    .collect::<Vec<_>>(),
            ),
            other => panic!("this runner knows no spec `{other}`"),
        }
    }

    /// Reports what a body has and its spec has not.
    fn unexpected(&mut self, spec: &Block, body: &Body) {
        let specs: Vec<&Block> =
            if spec.kind.text == "object" { spec.body.blocks.iter().collect() } else { vec![spec] };
        let named = |kind: &str, key: &str| {
            specs.iter().filter(|s| s.kind.text.starts_with(kind)).any(|s| {
                text(s, if kind == "attr" { "name" } else { "block_type" })
                    .or_else(|| s.labels.first().map(|l| l.text.clone()))
                    .is_some_and(|n| n == key)
            })
        };
        for attribute in body.attributes.iter().filter(|a| !named("attr", &a.name.text)) {
            wrong(&mut self.found, attribute.name.span, "unexpected");
        }
        for block in body.blocks.iter().filter(|b| !named("block", &b.kind.text)) {
            wrong(&mut self.found, block.kind.span, "unexpected");
        }
    }
}

/// The byte ranges of the errors that a case wants; `None`: none at all.
fn wanted_errors(case: &Body) -> Option<Vec<(usize, usize)>> {
    let byte = |block: &Block, name: &str| {
        let place = block.body.blocks_of(name).next().unwrap();
        let value = value(&place.body.attribute("byte").unwrap().expression, &Scope::new(), &mut Vec::new());
        value.as_number().and_then(|n| n.to_usize()).unwrap()
    };
    let diagnostics = case.blocks_of("diagnostics").next()?;
    Some(diagnostics.body.blocks_of("error").map(|e| (byte(e, "from"), byte(e, "to"))).collect())
}

fn run(case: &Path) -> Result<(), String> {
    let expected = read(case);
    let spec = read(&case.with_extension("hcldec"));
    let input = read(&case.with_extension("hcl"));
    if let Some(wrong) = expected.found.iter().chain(&spec.found).next() {
        return Err(format!("the case itself: {}", wrong.message));
    }
    let mut decoder = Decoder { scope: Scope::new(), found: input.found };
    for variables in spec.body.blocks_of("variables") {
        for attribute in &variables.body.attributes {
            let value = value(&attribute.expression, &Scope::new(), &mut Vec::new());
            decoder.scope.insert(attribute.name.text.clone(), value);
        }
    }
    let result = decoder.spec(&spec.body, &input.body);
    let errors: Vec<_> =
        decoder.found.iter().map(|d| d.span.map_or((0, 0), |s| (s.start as usize, s.end as usize))).collect();
    if let Some(wanted) = wanted_errors(&expected.body) {
        return if errors == wanted { Ok(()) } else { Err(format!("errors at {errors:?}, not at {wanted:?}")) };
    }
    if let Some(wrong) = decoder.found.first() {
        return Err(format!("{} at {:?}", wrong.message, wrong.span));
    }
    let Some(wanted) = expected.body.attribute("result") else { return Ok(()) };
    let wanted = value(&wanted.expression, &Scope::new(), &mut Vec::new());
    let ty = expected.body.attribute("result_type").map_or(Type::Any, |a| ty(&a.expression));
    let (wanted, result) = (convert(&wanted, &ty).unwrap(), convert(&result, &ty).map_err(|e| e.to_string())?);
    // Nulls without a type are equal to nothing that is known, as in cty.
    if result.equals(&wanted).as_bool() != Some(false) && result.to_console() == wanted.to_console() {
        return Ok(());
    }
    Err(format!("it is\n{}\nand should be\n{}", result.to_console(), wanted.to_console()))
}

fn cases(folder: &Path, found: &mut Vec<PathBuf>) {
    let mut entries: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            cases(&path, found);
        } else if path.extension().is_some_and(|e| e == "t") {
            found.push(path);
        }
    }
}

#[test]
fn every_case_of_the_suite_comes_out_as_it_says() {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/hcl_spec");
    let folder = std::env::var_os("KILN_HCL_SPEC").map_or(own, PathBuf::from);
    let mut all = Vec::new();
    cases(&folder, &mut all);
    assert!(all.len() >= 5, "hardly any case in {}", folder.display());
    let failed: Vec<String> =
        all.iter().filter_map(|case| run(case).err().map(|e| format!("{}: {e}", case.display()))).collect();
    assert!(failed.is_empty(), "{} of {}:\n{}", failed.len(), all.len(), failed.join("\n"));
}
