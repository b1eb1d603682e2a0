//! What functions may know of the world: the inputs of evaluation, and answers to questions.

use std::cell::{Cell, RefCell};

use sha2::{Digest, Sha256};

use super::FunctionError;
use crate::template::inputs::Inputs;
use crate::template::question::{Answer, Question};

/// The world as one expression sees it.
#[derive(Debug)]
pub struct World<'a> {
    pub inputs: &'a Inputs,
    /// `env` may be called: in defaults of variables.
    pub env: bool,
    /// Asked and not answered yet, each once.
    pub questions: RefCell<Vec<Question>>,
    /// Environment variables that were read and are not set.
    pub unset_env: RefCell<Vec<String>>,
    /// Tells expressions apart, so that each has random values of its own, and the same ones whenever it is evaluated.
    salt: String,
    drawn: Cell<u64>,
}

impl<'a> World<'a> {
    /// `salt`: what no other expression has, as `<file>:<offset>`.
    pub fn new(inputs: &'a Inputs, salt: impl Into<String>) -> Self {
        Self {
            inputs,
            env: false,
            questions: RefCell::default(),
            unset_env: RefCell::default(),
            salt: salt.into(),
            drawn: Cell::new(0),
        }
    }

    /// The answer; `None` while there is none, and then the question is on record.
    ///
    /// # Errors
    /// It could not be answered.
    pub(super) fn ask(&self, question: Question) -> Result<Option<Answer>, FunctionError> {
        match self.inputs.answers.get(&question) {
            Some(Answer::Failed(why)) => Err(FunctionError::new(why)),
            Some(answer) => Ok(Some(answer.clone())),
            None => {
                let mut questions = self.questions.borrow_mut();
                if !questions.contains(&question) {
                    questions.push(question);
                }
                Ok(None)
            }
        }
    }

    /// Random bytes from the run's seed.
    pub(super) fn random(&self) -> [u8; 32] {
        self.drawn.set(self.drawn.get() + 1);
        let mut hash = Sha256::new();
        hash.update(self.inputs.seed.to_be_bytes());
        hash.update(self.drawn.get().to_be_bytes());
        hash.update(self.salt.as_bytes());
        hash.finalize().into()
    }
}
