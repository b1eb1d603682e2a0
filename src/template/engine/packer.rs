//! The functions that Packer adds.

use std::fmt::Write;
use std::rc::Rc;

use sha2::{Digest, Sha256};

use super::arguments::Arguments;
use super::civil::Moment;
use super::eval::{Evaluated, Evaluator, MAX_TEXT, Place};
use super::fault::Fault;
use super::value::{Str, Val};
use super::{layout, strftime};
use crate::run::Value;
use crate::run::value::Piece;
use crate::template::hcl::eval::evaluate_late;
use crate::template::inputs::PACKER_VERSION;
use crate::template::question::{Answer, Question};
use crate::text::code::{engine as code, variable};
use crate::text::diagnostic::did_you_mean;

impl<'a> Evaluator<'a> {
    /// The value of a call of one of Packer's functions.
    pub(super) fn packer(&mut self, a: &Arguments<'_, 'a>) -> Evaluated<Val<'a>> {
        let moment = || Moment::of(self.scope.start);
        Ok(match a.name {
            "user" => return self.user(a),
            "env" => return self.env(a),
            "build" => return self.build(a),
            "hcl" => return self.hcl(a),
            "build_name" => return build_fact(a, self.scope.build_name),
            "build_type" => return build_fact(a, self.scope.build_type),
            "consul_key" => return self.ask(a, Question::ConsulKey { path: a.string(0)?.text.to_string() }, false),
            "vault" => {
                let question =
                    Question::Vault { path: a.string(0)?.text.to_string(), key: a.string(1)?.text.to_string() };
                return self.ask(a, question, true);
            }
            "aws_secretsmanager" | "aws_secretsmanager_raw" => {
                let key = if a.values.len() > 1 { Some(a.string(1)?.text.to_string()) } else { None };
                let raw = a.name == "aws_secretsmanager_raw";
                return self.ask(a, Question::SecretsManager { name: a.string(0)?.text.to_string(), key, raw }, true);
            }
            "timestamp" => Val::text(self.scope.start.to_string()),
            "isotime" if a.values.is_empty() => Val::text(layout::format("2006-01-02T15:04:05Z07:00", &moment())),
            "isotime" => Val::text(layout::format(&a.string(0)?.text, &moment())),
            "strftime" => Val::text(strftime::format(&a.string(0)?.text, &moment())),
            "uuid" => Val::text(self.uuid()),
            "pwd" => Val::text(self.scope.cwd),
            "template_dir" => Val::text(self.scope.template_dir),
            "packer_version" => Val::text(PACKER_VERSION),
            "upper" => Val::text(a.string(0)?.text.to_uppercase()),
            "lower" => Val::text(a.string(0)?.text.to_lowercase()),
            "split" => split(a)?,
            "replace" => {
                let count = usize::try_from(a.integer(2)?).unwrap_or(usize::MAX);
                replace(a, count, 3)?
            }
            "replace_all" => replace(a, usize::MAX, 2)?,
            "clean_resource_name" => Val::text(clean_resource_name(&a.string(0)?.text)),
            "sed" => {
                return Err(Fault::new(code::CALL, a.range.clone(), "`sed` is deprecated and does nothing any more")
                    .help("use `replace` or `replace_all`"));
            }
            name => return Err(a.fault(format!("function `{name}` is not defined"))),
        })
    }

    fn user(&mut self, a: &Arguments<'_, 'a>) -> Evaluated<Val<'a>> {
        let name = &a.string(0)?.text;
        let Some(variables) = self.scope.variables else {
            return Err(Fault::new(
                code::NOT_HERE,
                a.range.clone(),
                "`user` is not available in a text that is rendered late",
            ));
        };
        if let Some(variable) = variables.get(name.as_ref()) {
            for unset in &variable.unset_env {
                self.unset(unset);
            }
            return Ok(match &variable.value {
                Value::Text(text) => Val::text(text.as_str()),
                Value::Secret(secret) => {
                    let text = secret.pieces.iter().map(|p| match p {
                        Piece::Plain(text) => text,
                        Piece::Secret(reference) => self.scope.secrets.reveal(reference),
                    });
                    let text: String = text.collect();
                    Val::Text(Str { text: text.into(), pieces: Some(secret.pieces.clone().into()) })
                }
                Value::Unknown(unknown) => self.unknown(&unknown.question),
                _ => self.unknown(&format!("the value of variable `{name}`")),
            });
        }
        if self.scope.pending.is_some_and(|p| p.contains(name.as_ref())) {
            self.found.pending.get_or_insert_with(|| name.to_string());
            return Ok(Val::Unknown);
        }
        let place = a.ranges.first().unwrap_or(a.range).clone();
        let known = variables.keys().chain(self.scope.pending.into_iter().flatten()).map(String::as_str);
        let near = did_you_mean(name, known).map(|near| {
            let quote = self.text.get(place.clone()).and_then(|s| s.chars().next()).filter(|c| matches!(c, '`' | '"'));
            (near.to_owned(), quote)
        });
        let mut fault = if self.scope.place == Place::Variable {
            Fault::new(variable::UNKNOWN_REFERENCE, place.clone(), format!("variable `{name}` is not declared"))
        } else {
            Fault::warning(
                code::UNDECLARED_USER,
                place.clone(),
                format!("variable `{name}` is not declared, so this is empty"),
            )
        };
        fault = fault.help(format!("declare it in `variables`, or give it with `-var {name}=…`"));
        if let Some((near, quote)) = near {
            fault.help = Some(format!("did you mean `{near}`?"));
            let written = self.text.get(place.clone()).unwrap_or_default();
            if let Some(quote) = quote
                && quote == '`'
                && written == format!("`{name}`")
            {
                fault.fix = Some((format!("Change to `{near}`"), place.start + 1..place.end - 1, near));
            }
        }
        if self.scope.place == Place::Variable {
            return Err(fault);
        }
        self.found.fault(fault);
        Ok(Val::text(""))
    }

    fn env(&mut self, a: &Arguments<'_, 'a>) -> Evaluated<Val<'a>> {
        let name = &a.string(0)?.text;
        if self.scope.place != Place::Variable {
            return Err(Fault::new(
                code::NOT_HERE,
                a.range.clone(),
                "environment variables can be read in `variables` only",
            )
            .help(format!(
                "declare `\"{name}\": \"{{{{env `{name}`}}}}\"` in `variables` and write {{{{user `{name}`}}}} here"
            )));
        }
        if let Some(value) = self.scope.env.and_then(|env| env.get(name.as_ref())) {
            return Ok(Val::text(value.as_str()));
        }
        self.unset(name);
        Ok(Val::text(""))
    }

    fn unset(&mut self, name: &str) {
        if !self.found.unset_env.iter().any(|n| n == name) {
            self.found.unset_env.push(name.to_owned());
        }
    }

    fn unknown(&mut self, question: &str) -> Val<'a> {
        self.found.unknown.get_or_insert_with(|| question.to_owned());
        Val::Unknown
    }

    /// What only the world knows: the answer, or the question.
    fn ask(&mut self, a: &Arguments<'_, 'a>, question: Question, secret: bool) -> Evaluated<Val<'a>> {
        if self.scope.place != Place::Variable {
            return Err(Fault::new(
                code::NOT_HERE,
                a.range.clone(),
                format!("`{}` can be used in `variables` only", a.name),
            )
            .help("declare a variable with this value and write {{user `name`}} here"));
        }
        match self.scope.answers.and_then(|answers| answers.get(&question)) {
            Some(Answer::Text(text)) => {
                let text: Rc<str> = text.as_str().into();
                Ok(Val::Text(if secret { self.derived(&text, a.from..a.range.end) } else { Str::plain(text) }))
            }
            Some(Answer::Failed(why)) => {
                Err(Fault::new(code::LOOKUP_FAILED, a.range.clone(), format!("`{}` failed: {why}", a.name)))
            }
            Some(_) => Err(Fault::new(code::LOOKUP_FAILED, a.range.clone(), format!("`{}` gave no text", a.name))),
            None => {
                if !self.found.questions.contains(&question) {
                    self.found.questions.push(question);
                }
                let expression = self.text.get(a.range.clone()).unwrap_or(a.name).to_owned();
                Ok(self.unknown(&format!("the value of `{expression}`")))
            }
        }
    }

    fn build(&mut self, a: &Arguments<'_, 'a>) -> Evaluated<Val<'a>> {
        let name = &a.string(0)?.text;
        match self.scope.place {
            Place::Component { late: true } => Ok(Val::Late),
            Place::Component { late: false } => {
                self.found.fault(
                    Fault::warning(
                        code::BUILD_NOT_LATE,
                        a.range.clone(),
                        format!("this field is rendered before the build, so it gets the text {{{{.{name}}}}}"),
                    )
                    .help("values of the build reach scripts, paths and commands of provisioners and post-processors"),
                );
                Ok(Val::text(format!("{{{{.{name}}}}}")))
            }
            Place::Due => match &self.scope.dot {
                Val::Map(map) if map.contains_key(name.as_ref()) => Ok(Val::of_json(&map[name.as_ref()])),
                _ => Err(a.fault(format!("this build has no value `{name}`"))),
            },
            Place::Variable | Place::Name => {
                Err(Fault::new(code::NOT_HERE, a.range.clone(), "values of the build are known only while it runs")
                    .help("use `build` in provisioners and post-processors"))
            }
        }
    }

    /// What an HCL2 template makes of values of the build: evaluated when they are there.
    fn hcl(&mut self, a: &Arguments<'_, 'a>) -> Evaluated<Val<'a>> {
        let expression = &a.string(0)?.text;
        match self.scope.place {
            Place::Component { late: true } => Ok(Val::Late),
            Place::Due => {
                let Val::Map(map) = &self.scope.dot else { return Err(a.fault("the build has no values")) };
                let values = map.iter().filter_map(|(name, value)| Some((name.as_str(), value.as_str()?)));
                let evaluated = evaluate_late(expression, values, self.scope.start, self.scope.seed);
                evaluated.map(Val::text).map_err(|message| a.fault(message))
            }
            _ => Err(Fault::new(code::NOT_HERE, a.range.clone(), "values of the build are known only while it runs")
                .help("use them in scripts, paths and commands of provisioners and post-processors")),
        }
    }

    /// Packer's form: eight digits of UNIX time, the rest from the run's seed, so that the same text gives the same one.
    fn uuid(&mut self) -> String {
        self.uuids += 1;
        let mut hash = Sha256::new();
        hash.update(self.scope.seed.to_be_bytes());
        hash.update(self.uuids.to_be_bytes());
        hash.update(self.scope.salt.as_bytes());
        let random = hash.finalize();
        let hex = |range: std::ops::Range<usize>| {
            random[range].iter().fold(String::new(), |mut text, byte| {
                // invariant: writing to a string cannot fail.
                let _ = write!(text, "{byte:02x}");
                text
            })
        };
        let time = self.scope.start & 0xffff_ffff;
        format!("{time:08x}-{}-{}-{}-{}", hex(0..2), hex(2..4), hex(4..6), hex(6..12))
    }
}

fn build_fact<'a>(a: &Arguments<'_, 'a>, fact: Option<&'a str>) -> Evaluated<Val<'a>> {
    match fact {
        Some(fact) => Ok(Val::text(fact)),
        None => Err(Fault::new(code::NOT_HERE, a.range.clone(), format!("`{}` is not known here", a.name))
            .help("it can be used in the fields of builders, provisioners and post-processors")),
    }
}

fn split<'a>(a: &Arguments<'_, 'a>) -> Evaluated<Val<'a>> {
    let (text, separator, wanted) = (&a.string(0)?.text, &a.string(1)?.text, a.integer(2)?);
    let position = usize::try_from(wanted).ok();
    // As Go: without a separator every character is a part.
    let part = if separator.is_empty() {
        position.and_then(|p| text.chars().nth(p)).map(String::from)
    } else {
        position.and_then(|p| text.split(separator.as_ref()).nth(p)).map(str::to_owned)
    };
    part.map(Val::text).ok_or_else(|| {
        let count = if separator.is_empty() { text.chars().count() } else { text.split(separator.as_ref()).count() };
        let parts = if count == 1 { "1 part".to_owned() } else { format!("{count} parts") };
        a.fault(format!("`split` gives {parts}, and there is none at index {wanted}"))
            .help("the first part is at index 0")
    })
}

/// `old`, `new` first, then the text at `of`.
fn replace<'a>(a: &Arguments<'_, 'a>, count: usize, of: usize) -> Evaluated<Val<'a>> {
    let (old, new, text) = (&a.string(0)?.text, &a.string(1)?.text, &a.string(of)?.text);
    // The size is known before anything is made.
    let found = text.matches(old.as_ref()).take(count).count();
    if found.saturating_mul(new.len()).saturating_add(text.len()) > MAX_TEXT {
        return Err(Fault::new(code::TOO_LARGE, a.range.clone(), "this makes too much text"));
    }
    Ok(Val::text(text.replacen(old.as_ref(), new, count)))
}

/// What an AMI's name cannot have becomes `-`, byte by byte as Packer does it.
fn clean_resource_name(text: &str) -> String {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"()[] ./-'@_".contains(&b);
    text.bytes().map(|b| if allowed(b) { char::from(b) } else { '-' }).collect()
}
