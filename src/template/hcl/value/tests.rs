use proptest::prelude::*;

use super::*;

fn number(text: &str) -> Value {
    Value::number(Number::parse(text).unwrap())
}

#[test]
fn strings_numbers_and_bools_become_each_other_where_the_text_allows_it() {
    assert_eq!(convert(&number("1.50"), &Type::String), Ok("1.5".into()));
    assert_eq!(convert(&"0.1".into(), &Type::Number), Ok(number("0.1")));
    assert_eq!(convert(&true.into(), &Type::String), Ok("true".into()));
    assert_eq!(convert(&"1".into(), &Type::Bool), Ok(true.into()));
    assert!(convert(&"yes".into(), &Type::Bool).is_err());
    assert!(convert(&number("1"), &Type::Bool).is_err());
    assert!(convert(&"x".into(), &Type::Number).is_err());
}

#[test]
fn tuples_and_objects_become_collections_of_one_type() {
    let mixed = Value::tuple([number("1"), "a".into(), true.into()]);
    assert_eq!(
        convert(&mixed, &Type::list(Type::Any)),
        Ok(Value::list(Type::String, ["1".into(), "a".into(), "true".into()]))
    );
    assert_eq!(
        convert(&mixed, &Type::list(Type::Number)).unwrap_err().path,
        [Step::Index(1)],
        "the first that is no number"
    );
    let object = Value::object([("b", number("1")), ("a", "x".into())]);
    assert_eq!(convert(&object, &Type::map(Type::Any)).unwrap().type_of(), Type::map(Type::String));
    let apart = Value::tuple([Value::tuple([]), "a".into()]);
    assert!(convert(&apart, &Type::list(Type::Any)).is_err());
}

#[test]
fn optional_attributes_are_put_in() {
    let attribute = |ty, default: Option<Value>| Attribute { ty, optional: true, default };
    let wished = Type::Object(Arc::new(BTreeMap::from([
        ("name".into(), Attribute::required(Type::String)),
        ("size".into(), attribute(Type::Number, Some(number("8")))),
        ("kind".into(), attribute(Type::String, None)),
    ])));
    let given = Value::object([("name", number("1")), ("other", "x".into()), ("size", Value::null(Type::Any))]);
    let expected = Value::object([("name", "1".into()), ("size", number("8")), ("kind", Value::null(Type::String))]);
    assert_eq!(convert(&given, &wished), Ok(expected));
    let error = convert(&Value::object([("size", number("1"))]), &wished).unwrap_err();
    assert!(error.to_string().contains("`name`"), "{error}");
    let inner =
        convert(&Value::tuple([Value::object([("name", "x".into()), ("size", "y".into())])]), &Type::list(wished));
    assert_eq!(inner.unwrap_err().path, [Step::Index(0), Step::Key("size".into())]);
}

#[test]
fn sides_of_a_conditional_find_one_type() {
    let tuple = |types: &[Type]| Type::tuple(types.iter().cloned());
    assert_eq!(unify(&[Type::Number, Type::String]), Some(Type::String));
    assert_eq!(unify(&[Type::Number, Type::Bool]), None);
    assert_eq!(unify(&[Type::Any, Type::Number]), Some(Type::Number));
    assert_eq!(unify(&[tuple(&[Type::Number]), tuple(&[Type::String])]), Some(tuple(&[Type::String])));
    assert_eq!(unify(&[tuple(&[Type::Number]), tuple(&[])]), Some(Type::list(Type::Number)));
    assert_eq!(unify(&[Type::list(Type::String), tuple(&[Type::Number])]), Some(Type::list(Type::String)));
    let (a, b) = (Type::object([("a", Type::Number)]), Type::object([("b", Type::String)]));
    assert_eq!(unify(&[a.clone(), b]), Some(Type::map(Type::String)));
    assert_eq!(unify(&[a, tuple(&[])]), None);
}

#[test]
fn sets_are_sorted_and_hold_each_element_once() {
    let set = convert(&Value::tuple([number("10"), number("9"), number("10")]), &Type::set(Type::Number)).unwrap();
    assert_eq!(set, Value::set(Type::Number, [number("9"), number("10")]));
    assert_eq!(set.len(), Some(2));
    let secret = Value::set(Type::String, ["a".into(), Value::from("b").mark(true)]);
    assert!(secret.is_sensitive());
}

#[test]
fn parts_are_reached_with_the_mark_of_the_whole() {
    let list = Value::tuple(["a".into(), "b".into()]).mark(true);
    let part = list.index(&"1".into()).unwrap();
    assert_eq!((part.as_str(), part.is_sensitive()), (Some("b"), true));
    assert!(matches!(list.index(&number("2")), Err(AccessError::NoSuchElement { count: 2, .. })));
    assert!(matches!(list.index(&number("-1")), Err(AccessError::BadIndex { .. })));
    assert!(matches!(list.index(&number("0.5")), Err(AccessError::BadIndex { .. })));
    let object = Value::object([("a", Value::from("x").mark(true)), ("b", "y".into())]);
    assert!(object.attribute("a").unwrap().is_sensitive() && !object.attribute("b").unwrap().is_sensitive());
    assert!(object.holds_sensitive() && !object.revealed().holds_sensitive());
    assert!(Value::null(Type::Any).attribute("a").is_err());
    assert_eq!(Value::unknown(Type::map(Type::Number)).attribute("a"), Ok(Value::unknown(Type::Number)));
}

#[test]
fn a_value_that_grows_without_end_is_told_at_once() {
    let mut value = Value::from("x");
    for _ in 0..60 {
        value = Value::tuple([value.clone(), value]);
    }
    assert!(value.is_wholly_known() && !value.holds_sensitive());
    assert!(value.too_large().is_some_and(|why| why.contains("1000000")));
    let mut deep = Value::from("x");
    for _ in 0..600 {
        assert_eq!(deep.too_large().is_some(), deep.inside.depth > MAX_DEPTH);
        deep = Value::tuple([deep]);
    }
    assert!(deep.too_large().is_some_and(|why| why.contains("deep")));
    assert_eq!(Value::tuple(vec![Value::NULL; 1000]).too_large(), None);
}

#[test]
fn equality_is_by_type_and_value() {
    let equal = |a: &Value, b: &Value| a.equals(b).as_bool();
    assert_eq!(equal(&number("1"), &number("1.0")), Some(true));
    assert_eq!(equal(&number("1"), &"1".into()), Some(false));
    assert_eq!(equal(&Value::null(Type::String), &Value::null(Type::Number)), Some(true));
    assert_eq!(equal(&Value::null(Type::String), &"".into()), Some(false));
    let with = |value| Value::tuple(["a".into(), value]);
    assert_eq!(equal(&with(Value::unknown(Type::Any)), &with("b".into())), None);
    assert_eq!(equal(&Value::tuple(["x".into(), Value::unknown(Type::Any)]), &with("b".into())), Some(false));
    assert!(Value::from("a").mark(true).equals(&"a".into()).is_sensitive());
}

#[test]
fn the_console_writes_as_packer_does() {
    let value = Value::object([
        ("b", Value::tuple([number("1"), number("1e20"), "a\n".into()])),
        ("a", Value::null(Type::Any)),
        ("c", Value::from("x").mark(true)),
        ("d", Value::tuple([])),
    ]);
    let expected = "{\n  \"b\" = [\n    1,\n    1e+20,\n    \"a\\n\",\n  ]\n  \"c\" = <sensitive>\n  \"d\" = []\n}";
    assert_eq!(value.to_console(), expected);
    assert_eq!(Value::from("a\n").to_console(), "a\n");
}

#[test]
fn json_is_written_as_go_writes_it() {
    let value = Value::object([("b<", Value::tuple([number("1.50"), true.into()])), ("a", "x\u{2028}\u{1}\"".into())]);
    assert_eq!(json::encode(&value).unwrap(), r#"{"a":"x\u2028\u0001\"","b\u003c":[1.5,true]}"#);
    assert_eq!(json::encode(&Value::tuple([Value::unknown(Type::Any)])), None);
    assert_eq!(json::decode(r#"{"a": 1, "a": "\ud83d\ude00\ud800"}"#), Ok(Value::object([("a", "😀\u{fffd}".into())])));
    for text in
        ["", "{", "[1,]", "01", "1.", "-", "nul", "\"a", "\"\u{1}\"", "{\"a\" 1}", "1 2", "\"\\x\"", "\"\\u00\""]
    {
        assert!(json::decode(text).is_err(), "{text}");
    }
    assert!(json::decode(&"[".repeat(100_000)).is_err());
}

/// A small value of any shape.
fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(|n| Value::from(i64::from(n))),
        "[a-c<\"é\n]{0,3}".prop_map(Value::from),
        Just(Value::null(Type::Any)),
        Just(Value::unknown(Type::Any)),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::tuple),
            prop::collection::btree_map("[a-c]", inner, 0..4).prop_map(Value::object),
        ]
    })
}

fn any_type() -> impl Strategy<Value = Type> {
    prop_oneof![Just(Type::Any), Just(Type::String), Just(Type::Number), Just(Type::Bool)].prop_recursive(
        3,
        12,
        3,
        |inner| {
            prop_oneof![
                inner.clone().prop_map(Type::list),
                inner.clone().prop_map(Type::set),
                inner.clone().prop_map(Type::map),
                prop::collection::vec(inner.clone(), 0..3).prop_map(Type::tuple),
                prop::collection::btree_map("[a-c]", inner, 0..3).prop_map(Type::object),
            ]
        },
    )
}

proptest! {
    #[test]
    fn what_was_converted_has_the_type(value in any_value(), ty in any_type()) {
        if let Ok(made) = convert(&value, &ty) {
            prop_assert_eq!(convert(&made, &ty), Ok(made.clone()));
            if ty.is_whole() {
                prop_assert_eq!(made.type_of(), ty);
            }
        }
    }

    #[test]
    fn a_common_type_is_one_that_all_become(types in prop::collection::vec(any_type(), 1..4)) {
        if let Some(common) = unify(&types).filter(Type::is_whole) {
            for ty in &types {
                prop_assert!(convert::convertible(ty, &common, false), "{ty} to {common}");
            }
        }
    }

    #[test]
    fn json_comes_and_goes(value in any_value()) {
        if let Some(text) = json::encode(&value) {
            prop_assert_eq!(json::decode(&text), Ok(value));
        }
    }
}
