//! Writes XML as AWS's services answer it: elements with text or elements, no attributes but the root's namespace.

use std::fmt::{Display, Write as _};

/// A piece of XML under construction; elements are written as they come.
#[derive(Clone, Debug, Default)]
pub struct Xml {
    out: String,
}

impl Xml {
    pub fn new() -> Self {
        Self::default()
    }

    /// Begins with the XML declaration.
    pub fn document() -> Self {
        Self { out: "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n".to_owned() }
    }

    pub fn text(&mut self, name: &str, value: impl Display) -> &mut Self {
        self.open(name);
        escape(&value.to_string(), &mut self.out);
        self.close(name)
    }

    /// Nothing for `None`.
    pub fn opt(&mut self, name: &str, value: Option<impl Display>) -> &mut Self {
        match value {
            Some(value) => self.text(name, value),
            None => self,
        }
    }

    /// Nothing for an empty text: AWS leaves such elements out.
    pub fn some(&mut self, name: &str, value: &str) -> &mut Self {
        if value.is_empty() { self } else { self.text(name, value) }
    }

    pub fn node(&mut self, name: &str, inside: impl FnOnce(&mut Self)) -> &mut Self {
        self.open(name);
        inside(self);
        self.close(name)
    }

    /// `<name><item>…</item><item>…</item></name>`, as EC2 writes lists.
    pub fn list<T>(
        &mut self,
        name: &str,
        items: impl IntoIterator<Item = T>,
        mut item: impl FnMut(&mut Self, T),
    ) -> &mut Self {
        self.node(name, |x| items.into_iter().for_each(|it| _ = x.node("item", |x| item(x, it))))
    }

    /// A list of plain values.
    pub fn texts<T: Display>(&mut self, name: &str, items: impl IntoIterator<Item = T>) -> &mut Self {
        self.node(name, |x| items.into_iter().for_each(|it| _ = x.text("item", it)))
    }

    /// `<name><member>…</member></name>`, as IAM writes lists.
    pub fn members<T>(
        &mut self,
        name: &str,
        items: impl IntoIterator<Item = T>,
        mut item: impl FnMut(&mut Self, T),
    ) -> &mut Self {
        self.node(name, |x| items.into_iter().for_each(|it| _ = x.node("member", |x| item(x, it))))
    }

    /// The root element, with its namespace.
    pub fn root(&mut self, name: &str, namespace: &str, inside: impl FnOnce(&mut Self)) -> &mut Self {
        let _ = write!(self.out, "<{name} xmlns=\"{namespace}\">");
        inside(self);
        self.close(name)
    }

    /// Puts in what was written elsewhere.
    pub fn append(&mut self, other: &str) -> &mut Self {
        self.out.push_str(other);
        self
    }

    pub fn finish(self) -> String {
        self.out
    }

    fn open(&mut self, name: &str) {
        self.out.push('<');
        self.out.push_str(name);
        self.out.push('>');
    }

    fn close(&mut self, name: &str) -> &mut Self {
        self.out.push_str("</");
        self.out.push_str(name);
        self.out.push('>');
        self
    }
}

/// Characters that XML cannot carry at all become U+FFFD.
fn escape(text: &str, out: &mut String) {
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\r' => out.push_str("&#13;"),
            '\t' | '\n' => out.push(c),
            c if c < ' ' || ('\u{fffe}'..='\u{ffff}').contains(&c) => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_escaped_and_lists_have_items() {
        let mut x = Xml::new();
        x.text("a", "<&>\"\r\u{1}")
            .list("set", [1, 2], |x, n| _ = x.text("n", n))
            .some("none", "")
            .opt("no", None::<u8>);
        assert_eq!(
            x.finish(),
            "<a>&lt;&amp;&gt;&quot;&#13;\u{fffd}</a><set><item><n>1</n></item><item><n>2</n></item></set>"
        );
    }
}
