//! What comes from outside: the environment, Vault, Consul, Secrets Manager.

use super::{Call, Called, Function, FunctionError, Wish, function, takes};
use crate::template::hcl::value::{Type, Value};
use crate::template::question::{Answer, Question};

pub(super) const FUNCTIONS: &[Function] = &[
    function("aws_secretsmanager", &[takes("name", Wish::String)], Wish::String, |c| {
        let key = match c.arguments.len() {
            1 => None,
            2 => Some(c.text(1).to_owned()),
            _ => return Err(FunctionError::at(2, "it takes the name of a secret and at most one key")),
        };
        ask(c, Question::SecretsManager { name: c.text(0).to_owned(), key, raw: false }, true)
    })
    .and(takes("key", Wish::String)),
    function("aws_secretsmanager_raw", &[takes("name", Wish::String)], Wish::String, |c| {
        ask(c, Question::SecretsManager { name: c.text(0).to_owned(), key: None, raw: true }, true)
    }),
    function("consul_key", &[takes("key", Wish::String)], Wish::String, |c| {
        ask(c, Question::ConsulKey { path: c.text(0).to_owned() }, false)
    }),
    function("env", &[takes("key", Wish::String)], Wish::String, env),
    function("vault", &[takes("path", Wish::String), takes("key", Wish::String)], Wish::String, |c| {
        ask(c, Question::Vault { path: c.text(0).to_owned(), key: c.text(1).to_owned() }, true)
    }),
];

fn ask(call: &Call<'_>, question: Question, sensitive: bool) -> Called {
    Ok(match call.world.ask(question)? {
        Some(Answer::Text(text)) => Value::from(text).mark(sensitive),
        Some(_) => return Err(FunctionError::new("the answer was no text")),
        None => Value::unknown(Type::String).mark(sensitive),
    })
}

/// Empty when it is not set, as in Packer.
fn env(call: &Call<'_>) -> Called {
    let name = call.text(0);
    if !call.world.env {
        return Err(FunctionError::new(format!(
            "environment variables can be read in the defaults of variables only: declare `variable \"{}\" {{ default = \
             env({name:?}) }}`",
            name.to_lowercase()
        )));
    }
    if let Some(value) = call.world.inputs.env.get(name) {
        return Ok(value.as_str().into());
    }
    let mut unset = call.world.unset_env.borrow_mut();
    if !unset.iter().any(|n| n == name) {
        unset.push(name.to_owned());
    }
    Ok("".into())
}
