//! The blanks between two tokens of one line.

use super::{Piece, change};
use crate::template::hcl::syntax::token::TokenKind as K;

/// Sets the blanks before each piece but the first.
pub(super) fn set(pieces: &mut [Piece<'_>]) {
    for i in 1..pieces.len() {
        let before = i.checked_sub(2).map(|b| pieces[b].kind);
        pieces[i].spaces = if could_merge(before, pieces[i - 1].kind, pieces[i].kind) {
            pieces[i].spaces.min(1)
        } else {
            usize::from(space(before, &pieces[i - 1], &pieces[i]))
        };
    }
}

/// Whether two tokens could be another one when nothing stands between them; no right text has them beside one another but in
/// `a.0.b`.
fn could_merge(before: Option<K>, left: K, right: K) -> bool {
    matches!((left, right), (K::Dot | K::Ellipsis | K::Number, K::Dot | K::Ellipsis) | (K::Not, K::Assign | K::Equal))
        || (left == K::Dot && before == Some(K::Number))
}

/// Whether a blank stands between `left` and `right`; `before` is what stands before `left`.
fn space(before: Option<K>, left: &Piece<'_>, right: &Piece<'_>) -> bool {
    let (l, r) = (left.kind, right.kind);
    let in_text = |kind| matches!(kind, K::QuotedText | K::HeredocText);
    let joins = matches!((l, r), (K::Identifier, K::OpenParen | K::DoubleColon) | (K::DoubleColon, K::Identifier));
    if joins || l == K::Dot || matches!(r, K::Newline | K::Dot | K::Comma | K::Ellipsis) {
        return false;
    }
    if l == K::Comma {
        return true;
    }
    if in_text(l)
        || in_text(r)
        || matches!(l, K::OpenQuote | K::OpenHeredoc)
        || matches!(r, K::CloseQuote | K::CloseHeredoc)
    {
        return false;
    }
    // `[for x in [1]: x]`: no index of `in`.
    if l == K::Identifier && left.text == "in" && before == Some(K::Identifier) {
        return true;
    }
    if r == K::OpenBracket && (matches!(l, K::Identifier | K::Number) || change(left) < 0) {
        return false;
    }
    if l == K::Not {
        return false;
    }
    if l == K::Minus {
        return before.is_some_and(ends_value);
    }
    if l == K::OpenBrace || r == K::CloseBrace {
        return (l, r) != (K::OpenBrace, K::CloseBrace);
    }
    match (l, r) {
        // `${ {a = 1} }`: braces that could be taken for one another.
        (K::Interpolation | K::Directive, K::OpenBrace) | (K::CloseBrace, K::SequenceEnd) => true,
        (K::SequenceEnd, K::Interpolation | K::Directive) => false,
        _ => change(left) <= 0 && change(right) >= 0,
    }
}

/// A minus after it subtracts; after anything else it is a sign.
fn ends_value(kind: K) -> bool {
    !matches!(
        kind,
        K::OpenParen
            | K::OpenBrace
            | K::OpenBracket
            | K::Assign
            | K::Colon
            | K::Comma
            | K::Question
            | K::Plus
            | K::Star
            | K::Slash
            | K::Percent
            | K::Minus
            | K::Equal
            | K::NotEqual
            | K::Greater
            | K::GreaterOrEqual
            | K::Less
            | K::LessOrEqual
            | K::And
            | K::Or
            | K::Not
    )
}
