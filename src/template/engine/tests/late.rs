use super::*;

/// What a late field becomes, and then, with data, what it comes out as.
pub(super) fn late(text: &str) -> (String, Result<String, LateError>) {
    let (value, findings) = rendered(text, LATE);
    assert_eq!(findings.diagnostics, [], "{text}");
    let (_, mut secrets) = variables();
    secrets.merge(findings.secrets);
    let json = value.reveal(&secrets);
    let middle = json.as_str().unwrap_or_else(|| panic!("{text}: {value:?}")).to_owned();
    (middle.clone(), at_last(&middle))
}

/// What the middle comes out as, with data.
fn at_last(middle: &str) -> Result<String, LateError> {
    let dot = json!({ "Path": "/tmp/s.sh", "Vars": "A='1' ", "SourceAMI": "ami-1", "ID": "i-1", "SourceAMITags": { "a": "x", "b": "y" }, "Count": 3 });
    due(middle, &dot)
}

pub(super) fn due(text: &str, dot: &Json) -> Result<String, LateError> {
    let scope = LateScope {
        dot,
        start: START,
        seed: 7,
        cwd: "/work",
        template_dir: "/t",
        build_name: "web",
        build_type: "null",
    };
    render_late(text, &scope)
}

#[test]
fn a_late_field_keeps_what_is_known_later() {
    for (text, middle, end) in [
        ("{{ .Vars }}{{ .Path }}", "{{ .Vars }}{{ .Path }}", "A='1' /tmp/s.sh"),
        ("{{user `name`}} {{ .Path }}", "web {{ .Path }}", "web /tmp/s.sh"),
        ("{{timestamp}}", "1783263849", "1783263849"),
        ("on {{build `ID`}}", "on {{build `ID`}}", "on i-1"),
        ("a {{- .Path -}} b", "a{{ .Path }}b", "a/tmp/s.shb"),
        (
            "{{printf `%s/%s/%s` (user `name`) .Path timestamp}}",
            "{{printf `%s/%s/%s` \"web\" .Path \"1783263849\"}}",
            "web//tmp/s.sh/1783263849",
        ),
        ("{{user `name` | upper | printf `%s-%s` .SourceAMI}}", "{{\"WEB\" | printf `%s-%s` .SourceAMI}}", "ami-1-WEB"),
        ("{{.Path | upper}}", "{{.Path | upper}}", "/TMP/S.SH"),
        ("{{if eq (user `name`) `web`}}a{{.Path}}{{else}}{{upper .Path}}{{end}}", "a{{.Path}}", "a/tmp/s.sh"),
        (
            "{{if .Nope}}a{{user `name`}}{{else if .Path}}b{{user `name`}}{{end}}",
            "{{if .Nope}}aweb{{else}}{{if .Path}}bweb{{end}}{{end}}",
            "bweb",
        ),
        (
            "{{range $k, $v := .SourceAMITags}}{{$k}}={{$v}}{{user `name`}};{{end}}",
            "{{range $k, $v := .SourceAMITags}}{{$k}}={{$v}}web;{{end}}",
            "a=xweb;b=yweb;",
        ),
        (
            "{{with .Path}}{{.}}{{user `name`}}{{else}}no{{end}}",
            "{{with .Path}}{{.}}web{{else}}no{{end}}",
            "/tmp/s.shweb",
        ),
        ("{{$x := user `name`}}{{$x}}{{.Path}}", "{{$x := \"web\"}}{{$x}}{{.Path}}", "web/tmp/s.sh"),
        ("{{or (user `name`) .Path}} {{or (user `empty`) .Path}}", "web {{or \"\" .Path}}", "web /tmp/s.sh"),
        ("{{user `later`}}", "on {{ .SourceAMI }}", "on ami-1"),
        ("{{user `jinja`}} {{.Path}}", "{{\"{{ ansible_user }}\"}} {{.Path}}", "{{ ansible_user }} /tmp/s.sh"),
        ("{{user `jinja`}}", "{{\"{{ ansible_user }}\"}}", "{{ ansible_user }}"),
        ("{{`{{`}}x}}", "{{\"{{x}}\"}}", "{{x}}"),
        ("{ {{- .Path }}", "{{\"{\"}}{{ .Path }}", "{/tmp/s.sh"),
        (
            "{{define `d`}}<{{.}}{{user `name`}}>{{end}}{{template `d` .Path}}",
            "{{define \"d\"}}<{{.}}web>{{end}}{{template \"d\" .Path}}",
            "</tmp/s.shweb>",
        ),
        ("{{build `ID` | printf `%s-%s` (user `name`)}}", "{{build `ID` | printf `%s-%s` \"web\"}}", "web-i-1"),
        ("{{ if gt .Count 2 }}many{{ end }}", "{{if gt .Count 2}}many{{end}}", "many"),
    ] {
        let (got_middle, got_end) = late(text);
        assert_eq!((got_middle.as_str(), got_end.as_deref()), (middle, Ok(end)), "{text}");
    }
}

#[test]
fn a_late_field_holds_secrets_by_name() {
    let (value, _) = rendered("{{user `password`}} {{printf `%s%s` (user `password`) .Path}}", LATE);
    let secret = || Piece::Secret(SecretRef("var:password".into()));
    let expected =
        vec![secret(), Piece::Plain(" {{printf `%s%s` \"".into()), secret(), Piece::Plain("\" .Path}}".into())];
    assert_eq!(value, Value::from_pieces(expected));
    assert_eq!(late("{{user `password`}}{{.Path}}").1.as_deref(), Ok("hunter2/tmp/s.sh"));
    assert_eq!(
        late("{{user `odd`}} {{.Path}}").1.as_deref(),
        Ok("a\"{{b /tmp/s.sh"),
        "a secret that looks like an action stays what it is"
    );
    assert_eq!(late("{{user `odd`}}").1.as_deref(), Ok("a\"{{b"));
    assert_eq!(late("{{print (user `odd`) .Path}}").1.as_deref(), Ok("a\"{{b/tmp/s.sh"));
}

#[test]
fn late_mistakes_are_found_early() {
    for (text, place) in [
        ("{{ upper .Path 1 }}", "upper .Path 1"),
        ("{{ .Path | split }}", "split"),
        ("{{ .Path | uper }}", "uper"),
        ("{{template `x` .}}", "{{template `x` .}}"),
    ] {
        let (_, findings) = rendered(text, LATE);
        assert_eq!(findings.diagnostics.len(), 1, "{text}");
        assert_eq!(&text[findings.diagnostics[0].span.unwrap().range()], place);
    }
}

#[test]
fn late_rendering_has_data_and_nothing_else() {
    let dot = json!({ "A": { "b": "c" }, "n": 5, "f": 1.5, "list": ["x", "y"], "null": null, "yes": true });
    for (text, expected) in [
        ("{{.A.b}} {{.n}} {{.f}} {{.yes}} {{.list}} {{.A}}", "c 5 1.5 true [x y] map[b:c]"),
        ("{{.Nope}} {{.Nope.Deeper}} {{.null}}", "<no value> <no value> <no value>"),
        ("{{index .list 1}} {{index .A `b`}} {{len .list}} {{index .A `z`}}", "y c 2 <no value>"),
        ("{{range $i, $x := .list}}{{$i}}{{$x}}{{end}} {{range .A}}{{.}}{{end}}", "0x1y c"),
        ("{{build `n`}} {{build_name}} {{pwd}} {{$.n}}", "5 web /work 5"),
        ("{{with .A}}{{.b}}{{$.n}}{{end}}", "c5"),
    ] {
        assert_eq!(due(text, &dot).as_deref(), Ok(expected), "{text}");
    }
    assert_eq!(
        due("ab {{build `Nope`}}", &dot),
        Err(LateError { message: "this build has no value `Nope`".into(), offset: 5 })
    );
    assert_eq!(
        due("{{user `x`}}", &dot).unwrap_err().message,
        "`user` is not available in a text that is rendered late"
    );
    assert_eq!(due("{{.n.x}}", &dot).unwrap_err().message, "`.x` is asked of an integer, which has no fields");
    assert_eq!(due("a {{", &dot).unwrap_err().offset, 2);
}

#[test]
fn uuids_are_packers_differ_and_stay_the_same() {
    let both = field("{{uuid}} {{uuid}}");
    let (first, second) = both.split_once(' ').unwrap();
    assert_ne!(first, second);
    assert_eq!(both, field("{{uuid}} {{uuid}}"));
    assert_eq!(first.split('-').map(str::len).collect::<Vec<_>>(), [8, 4, 4, 4, 12]);
    assert!(first.starts_with(&format!("{START:08x}-")), "{first}");
}

#[test]
fn what_a_text_mentions() {
    let found: Vec<_> =
        mentions("{{.A.b}} {{if .C}}{{build `ID` | upper}}{{end}} {{with .D}}{{.E}}{{end}} {{upper ($.F)}}")
            .into_iter()
            .map(|m| (m.name, m.build))
            .collect();
    let expected = [("A", false), ("C", false), ("ID", true), ("D", false), ("F", false)];
    assert_eq!(found, expected.map(|(n, b)| (n.to_owned(), b)));
    assert_eq!(mentions("{{ broken"), []);
}
