//! Decoded places, as components ask for them.

use crate::component::contract;
use crate::template::decode::Places;
use crate::text::Span;

impl contract::Places for Places {
    fn value(&self, path: &str) -> Span {
        self.value(path)
    }

    fn key(&self, path: &str) -> Span {
        self.key(path)
    }

    fn written(&self, path: &str) -> bool {
        self.written(path)
    }

    fn unknown(&self, path: &str) -> bool {
        self.unknown(path)
    }
}
