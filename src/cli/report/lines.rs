//! Output streams cut into lines as Packer shows them.

use std::collections::HashMap;

use crate::run::{BuildId, Stream};

/// Cuts what each build's streams print into lines: split at `\n`, white space at the end dropped, and of a line that was
/// drawn over with `\r` only what was last to be seen.
#[derive(Default)]
pub struct Lines {
    pending: HashMap<(BuildId, Stream), String>,
}

impl Lines {
    /// Takes more text; calls `line` for every line that it completes.
    pub fn push(&mut self, build: &BuildId, stream: Stream, text: &str, mut line: impl FnMut(&str)) {
        let mut rest = text;
        if let Some(pending) = self.pending.get_mut(&(build.clone(), stream)).filter(|p| !p.is_empty()) {
            let Some((head, tail)) = text.split_once('\n') else {
                pending.push_str(text);
                return;
            };
            pending.push_str(head);
            line(shown(pending));
            pending.clear();
            rest = tail;
        }
        while let Some((head, tail)) = rest.split_once('\n') {
            line(shown(head));
            rest = tail;
        }
        if !rest.is_empty() {
            self.pending.entry((build.clone(), stream)).or_default().push_str(rest);
        }
    }

    /// Gives what a build's streams left without an end of line.
    pub fn flush(&mut self, build: &BuildId, mut line: impl FnMut(Stream, &str)) {
        for stream in [Stream::Stdout, Stream::Stderr] {
            if let Some(pending) = self.pending.remove(&(build.clone(), stream)).filter(|p| !p.is_empty()) {
                line(stream, shown(&pending));
            }
        }
    }
}

/// What a terminal would show of a line in the end.
pub fn shown(line: &str) -> &str {
    let line = line.trim_end();
    line.rsplit('\r').next().unwrap_or(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(pieces: &[&str]) -> Vec<String> {
        let mut lines = Lines::default();
        let mut out = Vec::new();
        let build = BuildId::from("web");
        for piece in pieces {
            lines.push(&build, Stream::Stdout, piece, |l| out.push(l.to_owned()));
        }
        lines.flush(&build, |_, l| out.push(format!("{l}|")));
        out
    }

    #[test]
    fn lines_are_whole_however_they_arrive() {
        assert_eq!(cut(&["a\nb", "c\n", "\nd"]), ["a", "bc", "", "d|"]);
    }

    #[test]
    fn a_line_drawn_over_shows_its_last_state() {
        assert_eq!(cut(&["10%\r50%\r100%\r\nnext \n"]), ["100%", "next"]);
    }

    #[test]
    fn two_streams_do_not_mix() {
        let mut lines = Lines::default();
        let mut out = Vec::new();
        let build = BuildId::from("web");
        lines.push(&build, Stream::Stdout, "out", |l| out.push(l.to_owned()));
        lines.push(&build, Stream::Stderr, "err\n", |l| out.push(l.to_owned()));
        lines.push(&build, Stream::Stdout, "put\n", |l| out.push(l.to_owned()));
        assert_eq!(out, ["err", "output"]);
    }
}
