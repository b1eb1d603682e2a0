use proptest::prelude::*;

use super::*;

#[track_caller]
fn becomes(text: &str, expected: &str) {
    assert_eq!(format(text), expected);
    assert_eq!(format(expected), expected, "a second time");
}

#[test]
fn equal_signs_of_consecutive_lines_are_aligned() {
    becomes(
        "a=1\nlonger   =  2\n\nb= [1,2 , 3]\nc  = {\nx=1\n    yy =2\n}\nd = 4\n",
        "a      = 1\nlonger = 2\n\nb = [1, 2, 3]\nc = {\n  x  = 1\n  yy = 2\n}\nd = 4\n",
    );
}

#[test]
fn blocks_are_indented_by_what_is_open() {
    becomes(
        "source \"a\"   \"b\" {\n      x = foo(\n1,\n  [2,\n3]\n)\n\ty {\n}\n      }\n",
        "source \"a\" \"b\" {\n  x = foo(\n    1,\n    [2,\n    3]\n  )\n  y {\n  }\n}\n",
    );
    becomes("a = [{\nb = 1\n}]\n", "a = [{\n  b = 1\n}]\n");
    becomes("x {\n} }\ny {\n", "x {\n} }\ny {\n");
}

#[test]
fn comments_stay_and_those_behind_code_are_aligned() {
    becomes(
        "  # above\na = 1 # one\nbcd = 22     // two\n/* three */ c=3\n  # last",
        "# above\na             = 1  # one\nbcd           = 22 // two\n/* three */ c = 3\n# last",
    );
}

#[test]
fn operators_stand_apart_and_signs_do_not() {
    becomes(
        "a=-1+2*3 - -4\nb=!x&&(y||z)\nc=x?1:2\nd=a.b [0].c[ \"k\" ]\ne=[for x in[1]:x if x>0]\nf={}\ng = { }\nh = f ( 1,2 )\n",
        "a = -1 + 2 * 3 - -4\nb = !x && (y || z)\nc = x ? 1 : 2\nd = a.b[0].c[\"k\"]\ne = [for x in [1] : x if x > 0]\nf = {}\ng = {}\nh = f(1, 2)\n",
    );
}

#[test]
fn texts_are_left_as_they_are() {
    becomes(
        "a=\"x  ${ var.b+1 }${c}  y\"\nb   = <<-EOT\n   indented   ${ x }\n       =  1\n  EOT\nc=1\n",
        "a = \"x  ${var.b + 1}${c}  y\"\nb = <<-EOT\n   indented   ${x}\n       =  1\n  EOT\nc = 1\n",
    );
    becomes(
        "a = <<EOT\n%{ for x in y ~}\n  ${ x\n  }\n%{endfor}\nEOT\n",
        "a = <<EOT\n%{for x in y~}\n  ${x\n}\n%{endfor}\nEOT\n",
    );
}

#[test]
fn line_ends_stay_as_they_are() {
    becomes("a=1\r\n# c\r\nbb=2\r\n", "a = 1\r\n# c\r\nbb = 2\r\n");
    becomes("a = 1   \n   \t\n\n\nb = 2", "a = 1\n\n\n\nb = 2");
    becomes("", "");
}

fn kinds(text: &str) -> Vec<(TokenKind, String)> {
    tokens(text, SourceId(0), &mut Vec::new()).into_iter().map(|t| (t.kind, t.text(text).to_owned())).collect()
}

proptest! {
    #[test]
    fn only_blanks_change(
        parts in prop::collection::vec(
            prop::sample::select(vec![
                "a", "bb", "\"x ${", "}\"", "=", "\n", "\n", " ", "   ", "{", "}", "[", "]", "(", ")", "1", "-", "in", "?", ":", ",",
                "# c\n", "/* c */", "<<EOT\n", "\nEOT\n", "\"s\"", ".", "!", "*", "%{if", "\t", "\r\n", "é",
            ]),
            0..40,
        ),
    ) {
        let text: String = parts.concat();
        let once = format(&text);
        prop_assert_eq!(format(&once), once.clone());
        prop_assert_eq!(kinds(&once), kinds(&text));
    }
}
