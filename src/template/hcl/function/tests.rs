use proptest::prelude::*;

use super::*;
use crate::template::hcl::value::json;
use crate::template::inputs::Inputs;
use crate::template::question::{Answer, Question};

fn inputs() -> Inputs {
    let mut inputs = Inputs {
        start: 1_783_263_849,
        seed: 7,
        cwd: "/work/dir".into(),
        template_dir: "/templates/web".into(),
        ..Inputs::default()
    };
    inputs.env.insert("HOME".into(), "/home/me".into());
    inputs
}

fn arguments(text: &str) -> Vec<Value> {
    json::decode(text).unwrap().elements().unwrap().to_vec()
}

fn with(inputs: &Inputs, name: &str, given: &[Value]) -> Called {
    call(name, given, &World::new(inputs, "test"))
}

/// A call with arguments as a JSON list; the result as JSON.
fn json_of(name: &str, given: &str) -> Result<String, FunctionError> {
    let inputs = inputs();
    with(&inputs, name, &arguments(given)).map(|v| json::encode(&v).unwrap_or_else(|| "unknown".into()))
}

#[track_caller]
fn gives(name: &str, cases: &[(&str, &str)]) {
    for (given, expected) in cases {
        assert_eq!(json_of(name, given).as_deref(), Ok(*expected), "{name}{given}");
    }
}

#[track_caller]
fn refuses(name: &str, cases: &[&str]) {
    for given in cases {
        assert!(json_of(name, given).is_err(), "{name}{given} gave {:?}", json_of(name, given));
    }
}

#[test]
fn all_of_packers_functions_are_here() {
    let names = "abs ceil floor log max min parseint pow signum sum chomp endswith format formatlist indent join lower \
        regex regex_replace regexall replace split startswith strcontains strrev substr title trim trimprefix trimspace \
        trimsuffix upper alltrue anytrue chunklist coalesce coalescelist compact concat contains distinct element flatten \
        index keys length lookup merge range reverse setintersection setproduct setunion slice sort values zipmap \
        base64decode base64encode base64gzip csvdecode jsondecode jsonencode textdecodebase64 textencodebase64 urlencode \
        yamldecode yamlencode abspath basename dirname file filebase64 fileexists fileset pathexpand formatdate \
        legacy_isotime legacy_strftime rfc3339_parse timeadd timestamp unix_timestamp_parse bcrypt md5 rsadecrypt sha1 \
        sha256 sha512 uuidv4 uuidv5 cidrhost cidrnetmask cidrsubnet cidrsubnets aws_secretsmanager \
        aws_secretsmanager_raw consul_key vault env";
    let mut expected: Vec<_> = names.split_whitespace().collect();
    let mut here: Vec<_> = all().map(|f| f.name).collect();
    expected.sort_unstable();
    here.sort_unstable();
    assert_eq!(here, expected);
}

#[test]
fn numbers() {
    gives("abs", &[("[-1.5]", "1.5"), (r#"["-3"]"#, "3")]);
    gives("ceil", &[("[1.1]", "2"), ("[-1.1]", "-1"), ("[12345678901234567890.5]", "12345678901234567891")]);
    gives("floor", &[("[-0.5]", "-1"), ("[7]", "7")]);
    gives("log", &[("[16, 2]", "4"), ("[1, 10]", "0")]);
    gives("pow", &[("[2, 10]", "1024"), ("[2, -1]", "0.5"), ("[0, 0]", "1")]);
    gives("max", &[(r#"["10", 9]"#, "10"), ("[-1, -2]", "-1")]);
    gives("min", &[("[3, 1, 2]", "1")]);
    gives("signum", &[("[-12]", "-1"), ("[0]", "0")]);
    gives(
        "parseint",
        &[(r#"["ff", 16]"#, "255"), (r#"["-077", 8]"#, "-63"), (r#"["Z", 62]"#, "61"), (r#"["1a", 37]"#, "47")],
    );
    gives("sum", &[("[[1, 2.5, \"3\"]]", "6.5")]);
    refuses("max", &["[]", "[null]", "[\"x\"]"]);
    refuses("log", &["[-1, 10]", "[1]", "[1, 2, 3]"]);
    refuses(
        "parseint",
        &["[100, 10]", r#"["8", 8]"#, r#"["1", 63]"#, r#"["", 10]"#, r#"["1_0", 10]"#, r#"["z", 40.5]"#],
    );
    refuses("sum", &["[[]]", "[[null]]", "[{\"a\": 1}]", "[[\"x\"]]", "[1]"]);
    refuses("signum", &["[0.5]"]);
}

#[test]
fn strings() {
    gives("chomp", &[("[\"a\\r\\n\\n\"]", r#""a""#)]);
    gives("upper", &[("[\"straße ᾳ\"]", "\"STRAßE ᾼ\"")]);
    gives("lower", &[("[\"ΣΑΣ İ\"]", "\"σασ i\"")]);
    gives("title", &[("[\"one two_x it's ǆ\"]", "\"One Two_x It'S ǅ\"")]);
    gives("strrev", &[("[\"ab🇩🇪\"]", "\"🇩🇪ba\"")]);
    gives(
        "substr",
        &[(r#"["hello", 1, 3]"#, r#""ell""#), (r#"["hello", -3, 2]"#, r#""ll""#), (r#"["hi", 9, 1]"#, r#""""#)],
    );
    gives("substr", &[(r#"["hello", 2, -1]"#, r#""llo""#), (r#"["hello", -99, 2]"#, r#""he""#)]);
    gives("length", &[("[\"e\u{301}👨‍👩‍👧\"]", "2"), ("[[1, null]]", "2"), ("[{\"a\": null}]", "1")]);
    gives("trim", &[(r#"["xxaxx", "x"]"#, r#""a""#), (r#"["a", ""]"#, r#""a""#)]);
    gives("indent", &[("[2, \"a\\nb\\n\"]", "\"a\\n  b\\n  \"")]);
    gives("join", &[(r#"["-", ["a", 1], [true]]"#, r#""a-1-true""#), (r#"["-", []]"#, r#""""#)]);
    gives("split", &[(r#"[",", "a,,b"]"#, r#"["a","","b"]"#), (r#"["", "é"]"#, r#"["é"]"#), (r#"["", ""]"#, "[]")]);
    gives("replace", &[(r#"["a.b", ".", "$0"]"#, r#""a$0b""#), (r#"["ab", "", "-"]"#, r#""-a-b-""#)]);
    gives("startswith", &[(r#"["hello", "he"]"#, "true")]);
    gives("endswith", &[(r#"["hello", "he"]"#, "false")]);
    gives("strcontains", &[(r#"["hello", "ell"]"#, "true")]);
    refuses("join", &[r#"[","]"#, r#"[",", ["a", null]]"#, r#"[",", [["a"]]]"#]);
    refuses("indent", &[r#"[1.5, "a"]"#, r#"[-1, "a"]"#, r#"[1000000000, "a\nb"]"#]);
    refuses("length", &["[true]", "[null]"]);
}

#[test]
fn formats() {
    gives(
        "format",
        &[
            (r#"["%s %d%%", "a", 50]"#, r#""a 50%""#),
            (r#"["%05.2f|%-6s|%+d|% d", 3.14159, "é", 2, 3]"#, r#""03.14|é     |+2| 3""#),
            (r#"["%x %X %#o %b %q", 255, 255, 8, 5, "a\"b"]"#, r#""ff FF 010 101 \"a\\\"b\"""#),
            (r#"["%[2]s %[1]s", "a", "b"]"#, r#""b a""#),
            (r#"["%v %v %v %#v", 1e25, {"b": [1]}, null, "x"]"#, r#""1e+25 {\"b\":[1]} null \"x\"""#),
            (r#"["%e %.3g %G", 12345.678, 1234.5678, 1e-10]"#, r#""1.234568e+04 1.23e+03 1E-10""#),
            (r#"["%.2s|%5.1s|", "日本語", "abc"]"#, r#""日本|    a|""#),
            (r#"["%t", "true"]"#, r#""true""#),
        ],
    );
    gives(
        "formatlist",
        &[
            (r#"["%s-%s", ["a", "b"], "x"]"#, r#"["a-x","b-x"]"#),
            (r#"["%s", []]"#, "[]"),
            (r#"["plain"]"#, r#"["plain"]"#),
        ],
    );
    refuses(
        "format",
        &[
            r#"["%d", 1.5]"#,
            r#"["%d", null]"#,
            r#"["%s"]"#,
            r#"["a", 1]"#,
            r#"["%"]"#,
            r#"["%c", 65]"#,
            r#"["%*d", 1, 2]"#,
            r#"["%.d", 1]"#,
            r#"["%[0]d", 1]"#,
            r#"["%99999999999999999999d", 1]"#,
        ],
    );
    refuses("formatlist", &[r#"["%s%s", [1, 2], [1]]"#, r#"["%s", [null]]"#]);
}

#[test]
fn patterns() {
    gives(
        "regex",
        &[
            (r#"["[a-z]+", "12ab34cd"]"#, r#""ab""#),
            (r#"["(\\d+)-(x)?", "12-"]"#, r#"["12",null]"#),
            (r#"["(?P<year>\\d{4})", "in 2026"]"#, r#"{"year":"2026"}"#),
        ],
    );
    gives("regexall", &[(r#"["[a-z]+", "12ab34cd"]"#, r#"["ab","cd"]"#), (r#"["x", "y"]"#, "[]")]);
    gives(
        "regex_replace",
        &[
            (r#"["2026-07-05T15:04:09Z", "[- TZ:]", ""]"#, r#""20260705150409""#),
            (r#"["hello world", "(\\w+) (\\w+)", "${2}_$1"]"#, r#""world_hello""#),
            (r#"["hello", "(l)", "$1x"]"#, r#""heo""#),
            (r#"["abc", "x*", "-"]"#, r#""-a-b-c-""#),
            // `\d` and `\w` are of ASCII, an open bracket within brackets is one, and `\Q` quotes.
            (r#"["٣é3", "[\\d\\W]", "-"]"#, r#""---""#),
            (r#"["a[b&&c]", "[[&]", "-"]"#, r#""a-b--c]""#),
            (r#"["a.b*c", "\\Q.b*\\E", "-"]"#, r#""a-c""#),
            (r#"["aaa", "(?U)a+", "b"]"#, r#""bbb""#),
        ],
    );
    refuses("regex", &[r#"["x", "y"]"#, r#"["(", "y"]"#, r#"["(a)(?P<b>c)", "ac"]"#]);
    refuses(
        "regex_replace",
        &[
            r#"["a", "(a)\\1", ""]"#,
            r#"["a", "\\Z", ""]"#,
            r#"["a", "[", ""]"#,
            r#"["a", "(?x) a", ""]"#,
            r#"["a", "\\", ""]"#,
            r#"["a", "(?<n>a)", ""]"#,
            r#"["a", "((a{1000}){1000}){1000}", ""]"#,
        ],
    );
}

#[test]
fn collections() {
    gives("alltrue", &[("[[true, \"true\"]]", "true"), ("[[]]", "true"), ("[[true, null]]", "false")]);
    gives("anytrue", &[("[[false, true]]", "true"), ("[[]]", "false")]);
    gives("chunklist", &[("[[1, 2, 3], 2]", "[[1,2],[3]]"), ("[[1, 2], 0]", "[[1,2]]"), ("[[], 2]", "[]")]);
    gives("compact", &[(r#"[["a", "", null, 1]]"#, r#"["a","1"]"#)]);
    gives("contains", &[("[[1, \"a\"], \"a\"]", "true"), ("[[1], \"1\"]", "false")]);
    gives("distinct", &[("[[1, \"1\", 2]]", r#"["1","2"]"#), ("[[[1], [1]]]", "[[1]]")]);
    gives("element", &[("[[1, 2, 3], 4]", "2"), ("[[1, 2, 3], -1]", "3")]);
    gives("flatten", &[("[[[1, [2]], 3, {\"a\": [4]}]]", r#"[1,2,3,{"a":[4]}]"#)]);
    gives("index", &[(r#"[["a", "b"], "b"]"#, "1")]);
    gives("keys", &[(r#"[{"b": 1, "a": 2}]"#, r#"["a","b"]"#)]);
    gives("values", &[(r#"[{"b": 1, "a": 2}]"#, "[2,1]")]);
    gives("lookup", &[(r#"[{"a": 1}, "a", 0]"#, "1"), (r#"[{"a": 1}, "b", [0]]"#, "[0]")]);
    gives(
        "range",
        &[("[3]", "[0,1,2]"), ("[4, 1]", "[4,3,2]"), ("[0, 1, 0.25]", "[0,0.25,0.5,0.75]"), ("[-2]", "[0,-1]")],
    );
    gives("reverse", &[("[[1, null, 2]]", "[2,null,1]")]);
    gives("slice", &[("[[1, 2, 3], 1, 3]", "[2,3]"), ("[[], 0, 0]", "[]")]);
    gives("sort", &[(r#"[["b", "a", 10]]"#, r#"["10","a","b"]"#)]);
    refuses("element", &["[[], 0]", "[{\"a\": 1}, 0]", "[[1], 0.5]"]);
    refuses("index", &[r#"[["a"], "b"]"#, r#"[[], "b"]"#, r#"[{"a": 1}, 1]"#]);
    refuses("range", &["[]", "[1025]", "[0, 5, 0]", "[1, 5, -1]", "[5, 1, 1]", "[\"a\"]"]);
    refuses("slice", &["[[1], 0, 2]", "[[1], 1, 0]", "[[1], -1, 1]"]);
    refuses("contains", &["[\"abc\", \"a\"]"]);
    refuses("sort", &["[[null]]", "[\"ab\"]"]);
}

#[test]
fn combinations() {
    gives("coalesce", &[(r#"[null, "", "a"]"#, r#""a""#), (r#"[1, "a"]"#, r#""1""#), ("[null, 1, [1]]", "1")]);
    gives("coalescelist", &[("[[], [1]]", "[1]")]);
    gives("concat", &[("[[1], [\"a\"], []]", r#"[1,"a"]"#)]);
    gives("merge", &[(r#"[{"a": 1, "b": 2}, null, {"a": "x"}]"#, r#"{"a":"x","b":2}"#), ("[]", "null")]);
    gives(
        "setunion",
        &[(r#"[["b"], ["a", "b"]]"#, r#"["a","b"]"#), ("[[1], [\"2\"]]", r#"["1","2"]"#), ("[[[1]], [[1]]]", "[[1]]")],
    );
    gives("setintersection", &[("[[1, 2], [\"2\", \"3\"]]", r#"["2"]"#), ("[[], [1]]", "[]")]);
    gives("setproduct", &[("[[\"a\", \"b\"], [1]]", r#"[["a",1],["b",1]]"#), ("[[\"a\"], []]", "[]")]);
    gives("zipmap", &[(r#"[["b", "a"], [1, "x"]]"#, r#"{"a":"x","b":1}"#)]);
    refuses("coalesce", &["[]", "[null]", "[\"\"]"]);
    refuses("coalescelist", &["[[], []]", "[null, [1]]"]);
    refuses("concat", &["[{}, []]", "[null]"]);
    refuses("merge", &["[{}, [1]]", "[\"a\"]"]);
    refuses("setproduct", &["[[1]]", "[\"a\", [1]]"]);
    refuses("zipmap", &["[[\"a\"], [1, 2]]", "[[null], [1]]"]);
    let long: Vec<Value> = (0..400).map(Value::from).collect();
    let sides = [Value::tuple(long.clone()), Value::tuple(long)];
    assert!(with(&inputs(), "setproduct", &sides).unwrap_err().message.contains("100000 elements"));
}

#[test]
fn encodings() {
    gives("base64encode", &[("[\"é\"]", r#""w6k=""#)]);
    gives("base64decode", &[("[\"w6\\nk=\"]", r#""é""#)]);
    gives(
        "jsonencode",
        &[(r#"[{"b": [1, null], "a": "<"}]"#, r#""{\"a\":\"\\u003c\",\"b\":[1,null]}""#), ("[null]", r#""null""#)],
    );
    gives("jsondecode", &[(r#"["{\"a\": [1.50]}"]"#, r#"{"a":[1.5]}"#)]);
    gives(
        "csvdecode",
        &[
            (r#"["b,a\r\n1,\"x, \"\"y\"\"\"\n\n2,\n"]"#, r#"[{"a":"x, \"y\"","b":"1"},{"a":"","b":"2"}]"#),
            (r#"["a,b"]"#, "[]"),
        ],
    );
    gives("urlencode", &[(r#"["a b&é~"]"#, r#""a+b%26%C3%A9~""#)]);
    gives("textencodebase64", &[(r#"["Aé", "UTF-16LE"]"#, r#""QQDpAA==""#), (r#"["é", "ISO-8859-1"]"#, r#""6Q==""#)]);
    gives("textdecodebase64", &[(r#"["QQDpAA==", "utf-16le"]"#, r#""Aé""#), (r#"["gA==", "windows-1252"]"#, r#""€""#)]);
    refuses("base64decode", &["[\"w6k\"]", "[\"//79\"]", "[\"!!\"]"]);
    refuses(
        "csvdecode",
        &[r#"[""]"#, r#"["a,a\n1,2"]"#, r#"["a,b\n1"]"#, r#"["a\nx\"y"]"#, r#"["a\n\"y"]"#, r#"["a\n\"y\"z"]"#],
    );
    refuses("textencodebase64", &[r#"["é", "US-ASCII"]"#, r#"["é", "none"]"#]);
    refuses("textdecodebase64", &[r#"["QQ==", "UTF-16LE"]"#]);
    refuses("jsondecode", &[r#"[""]"#, r#"["[1,]"]"#]);
    // What is compressed comes back.
    let packed = json::decode(&json_of("base64gzip", r#"["hello hello hello"]"#).unwrap()).unwrap();
    let packed = base64::Engine::decode(&base64::engine::general_purpose::STANDARD, packed.as_str().unwrap()).unwrap();
    let mut text = String::new();
    std::io::Read::read_to_string(&mut flate2::read::GzDecoder::new(&packed[..]), &mut text).unwrap();
    assert_eq!(text, "hello hello hello");
}

#[test]
fn yaml() {
    gives(
        "yamldecode",
        &[
            (
                r#"["a: &x {k: 1}\nb:\n  <<: *x\n  j: [~, yes, 0b11, 1_0, 'no', 2026-7-5]\n"]"#,
                r#"{"a":{"k":1},"b":{"j":[null,true,3,10,"no","2026-07-05T00:00:00Z"],"k":1}}"#,
            ),
            (r#"["!!str 1"]"#, r#""1""#),
            (
                r#"["- |\n  x\n- >-\n  p\n  q\n- 2001-12-14t21:59:43.10-05:00"]"#,
                r#"["x\n","p q","2001-12-14T21:59:43-05:00"]"#,
            ),
            (r#"["0x1f"]"#, r#""0x1f""#),
            (r#"["a: [1,\n\t2]\nb: |\n  x\n  \ty\n"]"#, r#"{"a":[1,2],"b":"x\n\ty\n"}"#),
            (r#"["null"]"#, "unknown"),
        ],
    );
    refuses(
        "yamldecode",
        &[
            r#"[""]"#,
            r#"["--- 1\n--- 2"]"#,
            r#"["a: b: c"]"#,
            r#"["? [a]\n: 1"]"#,
            r#"[".nan"]"#,
            r#"["!foo x"]"#,
            r#"["*a"]"#,
            r#"["&a [*a]"]"#,
            r#"["<<: [1]"]"#,
            r#"["\ta: 1"]"#,
            r#"["- a\n\t- b"]"#,
        ],
    );
    let mut bomb = "a: &a [x,x,x,x,x,x,x,x,x]\n".to_owned();
    for (before, c) in ('a'..'j').zip('b'..'k') {
        bomb.push_str(&format!("{c}: &{c} [{}]\n", vec![format!("*{before}"); 9].join(",")));
    }
    assert!(with(&inputs(), "yamldecode", &[bomb.into()]).unwrap_err().message.contains("100000 values"));
    let deep = "[".repeat(10_000);
    assert!(with(&inputs(), "yamldecode", &[deep.into()]).is_err());
    let text = |given: &str| with(&inputs(), "yamlencode", &arguments(given)).unwrap().as_str().unwrap().to_owned();
    assert_eq!(
        text(r#"[{"a": [1, {"b": 2, "c": [3]}], "d": {"e": [[1, [2]], {"f": []}]}, "g": {}}]"#),
        "\"a\":\n- 1\n- \"b\": 2\n  \"c\":\n  - 3\n\"d\":\n  \"e\":\n  - - 1\n    - - 2\n  - \"f\": []\n\"g\": {}\n"
    );
    assert_eq!(
        text(r#"[{"a": "  x\ny", "b": "x\n\n", "c": "x\ny", "d": "x \ny", "e": "true", "f": "\t\u0000é"}]"#),
        "\"a\": |2-\n    x\n  y\n\"b\": |+\n  x\n\n\"c\": |-\n  x\n  y\n\"d\": \"x \\ny\"\n\"e\": \"true\"\n\"f\": \"\\t\\0é\"\n"
    );
    assert_eq!((text("[1]"), text("[\"x\"]"), text("[[]]")), ("1\n...\n".into(), "\"x\"\n".into(), "[]\n".into()));
    let words = vec!["word"; 40].join(" ");
    assert_eq!(
        text(&format!("[\"{words}\"]")).lines().map(str::len).max(),
        Some(85),
        "broken at the first space after 80"
    );
}

#[test]
fn paths_are_gos() {
    gives("abspath", &[(r#"["../x/./y"]"#, r#""/work/x/y""#), (r#"["/a//b/"]"#, r#""/a/b""#)]);
    gives("basename", &[(r#"["/a/b/"]"#, r#""b""#), (r#"[""]"#, r#"".""#), (r#"["/"]"#, r#""/""#)]);
    gives(
        "dirname",
        &[
            (r#"["/a/b"]"#, r#""/a""#),
            (r#"["c"]"#, r#"".""#),
            (r#"["/a/b/"]"#, r#""/a/b""#),
            (r#"["a/../b/c"]"#, r#""b""#),
        ],
    );
    gives("pathexpand", &[(r#"["~/x"]"#, r#""/home/me/x""#), (r#"["a/~"]"#, r#""a/~""#)]);
    refuses("pathexpand", &[r#"["~you/x"]"#]);
}

#[test]
fn what_needs_the_world_is_asked_and_then_answered() {
    let content = Question::FileContent { path: "/templates/web/a.txt".into() };
    let mut known = inputs();
    {
        let world = World::new(&known, "test");
        assert_eq!(call("file", &["a.txt".into()], &world), Ok(Value::unknown(Type::String)));
        let vault = call("vault", &["secret/x".into(), "k".into()], &world).unwrap();
        assert!(vault.is_sensitive() && !vault.is_known());
        assert_eq!(world.questions.borrow().len(), 2);
        assert_eq!(world.questions.borrow()[0], content);
    }
    known.answers.insert(content, Answer::Text("hi".into()));
    known.answers.insert(Question::IsFile { path: "/x".into() }, Answer::Failed("it is a folder".into()));
    known.answers.insert(
        Question::FileSet { folder: "/templates/web/f".into(), pattern: "*".into(), most: MAX_ELEMENTS },
        Answer::Names(vec!["b".into(), "a".into()]),
    );
    known.answers.insert(Question::FileBytes { path: "b".into() }, Answer::Bytes(vec![0, 255]));
    known.answers.insert(Question::SecretsManager { name: "n".into(), key: None, raw: true }, Answer::Text("s".into()));
    assert_eq!(with(&known, "file", &["a.txt".into()]), Ok("hi".into()));
    assert_eq!(with(&known, "fileexists", &["/x".into()]).unwrap_err().message, "it is a folder");
    assert_eq!(with(&known, "fileset", &["f".into(), "*".into()]).unwrap().len(), Some(2));
    assert_eq!(with(&known, "filebase64", &["b".into()]), Ok("AP8=".into()));
    assert!(with(&known, "aws_secretsmanager_raw", &["n".into()]).unwrap().is_sensitive());
}

#[test]
fn the_environment_is_for_defaults_of_variables() {
    let inputs = inputs();
    assert!(with(&inputs, "env", &["HOME".into()]).is_err());
    let mut world = World::new(&inputs, "test");
    world.env = true;
    assert_eq!(call("env", &["HOME".into()], &world), Ok("/home/me".into()));
    assert_eq!(call("env", &["NONE".into()], &world), Ok("".into()));
    assert_eq!(*world.unset_env.borrow(), ["NONE"]);
}

#[test]
fn dates() {
    gives(
        "formatdate",
        &[
            (r#"["DD MMM YYYY hh:mm ZZZ", "2018-01-02T23:12:01-08:00"]"#, r#""02 Jan 2018 23:12 -0800""#),
            (
                r#"["EEEE M/D/YY H:mmaa ss Z ZZZZZ", "2020-09-03T00:03:04.5Z"]"#,
                r#""Thursday 9/3/20 12:03am 04 Z +00:00""#,
            ),
            (r#"["YYYY'at'''", "2020-09-03T00:03:04Z"]"#, r#""2020at'""#),
        ],
    );
    gives(
        "timeadd",
        &[
            (r#"["2020-02-28T12:00:00Z", "24h"]"#, r#""2020-02-29T12:00:00Z""#),
            (r#"["2020-01-01T00:00:00+02:00", "-1.5h"]"#, r#""2019-12-31T22:30:00+02:00""#),
            (r#"["2020-01-01T00:00:00.9Z", "100ms"]"#, r#""2020-01-01T00:00:01Z""#),
        ],
    );
    gives("timestamp", &[("[]", r#""2026-07-05T15:04:09Z""#)]);
    gives("legacy_isotime", &[("[]", r#""2026-07-05T15:04:09Z""#), (r#"["2006-01-02-0304"]"#, r#""2026-07-05-0304""#)]);
    gives("legacy_strftime", &[(r#"["%Y%m%d"]"#, r#""20260705""#)]);
    let parsed = json_of("rfc3339_parse", r#"["2023-07-25 23:43:16.5+02:00"]"#).unwrap();
    assert!(parsed.contains(r#""hour":23"#) && parsed.contains(r#""unix":1690321396"#), "{parsed}");
    let parsed = json_of("unix_timestamp_parse", "[1690328596]").unwrap();
    assert!(parsed.contains(r#""rfc3339":"2023-07-25T23:43:16Z""#) && parsed.contains(r#""iso_week":30"#), "{parsed}");
    refuses(
        "formatdate",
        &[
            r#"["YYYYY", "2020-09-03T00:03:04Z"]"#,
            r#"["x", "2020-09-03T00:03:04Z"]"#,
            r#"["'x", "2020-09-03T00:03:04Z"]"#,
            r#"["YY", "2020-09-03"]"#,
            r#"["YY", "2020-02-30T00:00:00Z"]"#,
            r#"["YY", "2020-02-03T24:00:00Z"]"#,
            r#"["YY", "2020-02-03 20:00:00Z"]"#,
            r#"["YY", "2020-02-03T20:00:00"]"#,
        ],
    );
    refuses("timeadd", &[r#"["2020-01-01T00:00:00Z", "1d"]"#, r#"["2020-01-01T00:00:00Z", ""]"#, r#"["x", "1h"]"#]);
}

#[test]
fn hashes_and_identifiers() {
    gives("md5", &[(r#"["hello world"]"#, r#""5eb63bbbe01eeed093cb22bb8f5acdc3""#)]);
    gives("sha1", &[(r#"["hello world"]"#, r#""2aae6c35c94fcfb415dbe95f408b9ce91ee846ed""#)]);
    gives("sha256", &[(r#"[""]"#, r#""e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855""#)]);
    assert_eq!(json_of("sha512", r#"[""]"#).unwrap().len(), 130);
    gives("uuidv5", &[(r#"["dns", "www.example.com"]"#, r#""2ed6657d-e927-568b-95e1-2665a8aea6a2""#)]);
    refuses("uuidv5", &[r#"["DNS", "x"]"#]);
    refuses("bcrypt", &[r#"["a", 40]"#, r#"["a", 4, 4]"#]);
    refuses("rsadecrypt", &[r#"["!", "y"]"#, r#"["aGk=", "y"]"#]);
    let inputs = inputs();
    let world = World::new(&inputs, "test");
    let (first, second) = (call("uuidv4", &[], &world).unwrap(), call("uuidv4", &[], &world).unwrap());
    assert_ne!(first, second);
    assert_eq!(with(&inputs, "uuidv4", &[]).unwrap(), first, "the same wherever the run is evaluated again");
    assert_eq!(first.as_str().map(|u| (u.len(), u.as_bytes()[14])), Some((36, b'4')));
    let hash = with(&inputs, "bcrypt", &["secret".into(), 5_i64.into()]).unwrap();
    assert!(hash.as_str().is_some_and(|h| h.starts_with("$2a$05$") && h.len() == 60), "{hash:?}");
}

#[test]
fn networks() {
    gives(
        "cidrhost",
        &[
            (r#"["10.12.127.0/20", 268]"#, r#""10.12.113.12""#),
            (r#"["10.0.0.0/24", -1]"#, r#""10.0.0.255""#),
            (r#"["2001:db8::/32", -1]"#, r#""2001:db8:ffff:ffff:ffff:ffff:ffff:ffff""#),
            (r#"["::/0", -1]"#, r#""ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff""#),
        ],
    );
    gives("cidrnetmask", &[(r#"["172.16.0.0/12"]"#, r#""255.240.0.0""#), (r#"["10.0.0.0/0"]"#, r#""0.0.0.0""#)]);
    gives(
        "cidrsubnet",
        &[
            (r#"["172.16.0.0/12", 4, 2]"#, r#""172.18.0.0/16""#),
            (r#"["fd00:fd12:3456:7890::/56", 16, 162]"#, r#""fd00:fd12:3456:7800:a200::/72""#),
            (r#"["10.1.2.0/24", 8, 255]"#, r#""10.1.2.255/32""#),
        ],
    );
    gives(
        "cidrsubnets",
        &[
            (r#"["10.1.0.0/16", 4, 4, 8, 4]"#, r#"["10.1.0.0/20","10.1.16.0/20","10.1.32.0/24","10.1.48.0/20"]"#),
            (r#"["255.255.255.254/31", 1, 1]"#, r#"["255.255.255.254/32","255.255.255.255/32"]"#),
            (r#"["10.1.0.0/16"]"#, "[]"),
        ],
    );
    refuses(
        "cidrhost",
        &[
            r#"["10.0.0.0/24", -257]"#,
            r#"["10.0.0.0/24", 256]"#,
            r#"["10.0.0.0/33", 1]"#,
            r#"["10.0.0.0", 1]"#,
            r#"["010.0.0.0/8", 1]"#,
        ],
    );
    refuses(
        "cidrsubnet",
        &[
            r#"["10.1.2.0/24", 9, 0]"#,
            r#"["10.1.2.0/24", 4, 16]"#,
            r#"["10.1.2.0/24", -1, 0]"#,
            r#"["2001:db8::/32", 33, 1]"#,
        ],
    );
    refuses(
        "cidrsubnets",
        &[r#"["10.1.0.0/30", 1, 1, 1]"#, r#"["10.1.0.0/16", 17]"#, r#"["10.1.0.0/16", 0]"#, r#"["::/0", 1, 1, 1]"#],
    );
}

#[test]
fn unknown_and_sensitive_arguments_show_in_the_result() {
    let inputs = inputs();
    let unknown = Value::unknown(Type::String);
    assert_eq!(with(&inputs, "upper", std::slice::from_ref(&unknown)), Ok(unknown.clone()));
    assert_eq!(with(&inputs, "length", &[Value::tuple([unknown.clone()])]), Ok(1_i64.into()));
    assert_eq!(with(&inputs, "join", &["-".into(), Value::tuple([unknown])]), Ok(Value::unknown(Type::String)));
    assert!(with(&inputs, "upper", &[Value::from("a").mark(true)]).unwrap().is_sensitive());
    let secret = || Value::object([("a", Value::from("x").mark(true))]);
    let merged = with(&inputs, "merge", &[secret(), Value::object([("b", "y".into())])]).unwrap();
    assert!(!merged.is_sensitive() && merged.attribute("a").unwrap().is_sensitive());
    assert!(!merged.attribute("b").unwrap().is_sensitive());
    assert!(with(&inputs, "jsonencode", &[secret()]).unwrap().is_sensitive());
}

#[test]
fn wrong_calls_name_the_argument() {
    let inputs = inputs();
    let error = |name: &str, given: &[Value]| with(&inputs, name, given).unwrap_err();
    assert_eq!(error("upper", &[Value::tuple([])]).argument, Some(0));
    assert_eq!(error("substr", &["a".into(), 0_i64.into(), "x".into()]).argument, Some(2));
    assert_eq!(error("upper", &["a".into(), "b".into()]).argument, Some(1));
    assert!(error("substr", &["a".into()]).message.contains("`offset`"));
    assert!(error("nothing", &[]).message.contains("no function"));
}

fn any_value() -> impl Strategy<Value = Value> {
    let text = prop_oneof![
        "[ -~é\n]{0,12}",
        "[%0-9.sdvxqeg\\[\\]*+-]{0,10}",
        "[0-9:./T+Z-]{0,22}",
        "[\\[\\](){}?*+|^$.a-d\\\\]{0,10}"
    ];
    let leaf = prop_oneof![
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (-100_i64..100).prop_map(Value::from),
        any::<f64>().prop_filter_map("no number", |f| Number::from_f64(f).map(Value::number)),
        text.prop_map(Value::from),
        Just(Value::null(Type::Any)),
        Just(Value::unknown(Type::Any)),
    ];
    leaf.prop_recursive(2, 12, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::tuple),
            prop::collection::btree_map("[a-c]", inner, 0..4).prop_map(Value::object),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn no_call_panics(given in prop::collection::vec(any_value(), 0..4)) {
        let inputs = inputs();
        let world = World::new(&inputs, "test");
        // bcrypt is slow on purpose.
        for function in all().filter(|f| f.name != "bcrypt") {
            let _ = call(function.name, &given, &world);
        }
    }

    #[test]
    fn yaml_comes_and_goes(value in any_value()) {
        let inputs = inputs();
        if let Ok(Some(text)) = with(&inputs, "yamlencode", std::slice::from_ref(&value)).map(|v| v.as_str().map(str::to_owned))
            && !value.is_null()
        {
            let back = with(&inputs, "yamldecode", &[text.as_str().into()]);
            prop_assert_eq!(back.map(|v| json::encode(&v)), Ok(json::encode(&value)), "{}", text);
        }
    }

    #[test]
    fn strings_that_are_cut_and_joined_are_the_same(text in "[a-c,é]{0,20}", separator in "[,a]{1,2}") {
        let inputs = inputs();
        let parts = with(&inputs, "split", &[separator.as_str().into(), text.as_str().into()]).unwrap();
        prop_assert_eq!(with(&inputs, "join", &[separator.as_str().into(), parts]), Ok(text.into()));
    }
}
