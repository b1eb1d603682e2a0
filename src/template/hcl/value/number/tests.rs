use proptest::prelude::*;

use super::*;

fn n(text: &str) -> Number {
    Number::parse(text).unwrap()
}

#[test]
fn decimals_print_as_they_were_written() {
    for text in [
        "0",
        "1",
        "-1",
        "10",
        "0.1",
        "0.3",
        "1.5",
        "123456789012345678901234567890",
        "0.000001",
        "-0.25",
        "1000000",
        "9007199254740993",
        "3.14159265358979323846264338327950288",
    ] {
        assert_eq!(n(text).to_string(), text);
    }
    assert_eq!(n("1e3").to_string(), "1000");
    assert_eq!(n("1.50").to_string(), "1.5");
    assert_eq!(n("1e-7").to_string(), "0.0000001");
}

#[test]
fn sums_of_decimals_are_decimals() {
    assert_eq!(n("0.1").plus(&n("0.2")).unwrap().to_string(), "0.3");
    assert_eq!(n("1.5").minus(&n("0.25")).unwrap().to_string(), "1.25");
    assert_eq!(n("2.5").times(&n("0.1")).unwrap().to_string(), "0.25");
    assert_eq!(n("7").remainder(&n("3")).unwrap().to_string(), "1");
    assert_eq!(n("-7").remainder(&n("3")).unwrap().to_string(), "-1");
    assert_eq!(n("5.5").remainder(&n("2")).unwrap().to_string(), "1.5");
    assert_eq!(n("-1").divided_by(&n("0")).unwrap().to_string(), "-Inf");
    assert_eq!(n("0").divided_by(&n("0")), None);
    assert_eq!(n("5").remainder(&n("0")).unwrap().to_string(), "5");
    assert!(n("1").divided_by(&n("3")).unwrap().to_string().starts_with("0.33333333333333333333333333333333"));
}

#[test]
fn whole_parts() {
    for (text, floor, ceil) in [("1.5", "1", "2"), ("-1.5", "-2", "-1"), ("3", "3", "3"), ("-0.5", "-1", "0")] {
        assert_eq!((n(text).floor().to_string(), n(text).ceil().to_string()), (floor.into(), ceil.into()), "{text}");
    }
    assert_eq!(n("2.5").fixed(0), "2");
    assert_eq!(n("3.5").fixed(0), "4");
    assert_eq!(n("-1.255").fixed(2), "-1.25", "a little less than it is written");
    assert_eq!(n("12").fixed(3), "12.000");
}

#[test]
fn what_is_no_number_is_refused() {
    for text in ["", "-", ".", "e5", "1e", "1.2.3", "0x1F", "1_000", "1e99999999999999999999", "Inf", " 1"] {
        assert_eq!(Number::parse(text), None, "{text}");
    }
    assert_eq!(n("1e-99999999999999999999").to_string(), "0");
    assert_eq!(Number::parse_radix("ff", 16), Some(n("255")));
    assert_eq!(Number::parse_radix("8", 8), None);
}

proptest! {
    #[test]
    fn floats_come_and_go(f in any::<f64>()) {
        if f.is_finite() {
            let number = Number::from_f64(f).unwrap();
            prop_assert_eq!(number.to_f64().to_bits(), f.to_bits());
            prop_assert_eq!(number.to_string().parse::<f64>().unwrap().to_bits(), f.to_bits());
        }
    }

    #[test]
    fn integers_are_exact(a in any::<i64>(), b in any::<i64>()) {
        let (x, y) = (n(&a.to_string()), n(&b.to_string()));
        prop_assert_eq!(x.plus(&y).unwrap().to_string(), (i128::from(a) + i128::from(b)).to_string());
        prop_assert_eq!(x.times(&y).unwrap().to_string(), (i128::from(a) * i128::from(b)).to_string());
        prop_assert_eq!(x.cmp(&y), a.cmp(&b));
        prop_assert_eq!(Number::from(a).to_i64(), Some(a));
    }

    #[test]
    fn any_text_is_read_or_refused(text in "[-+]?[0-9]{0,30}(\\.[0-9]{0,30})?([eE][-+]?[0-9]{0,6})?") {
        if let Some(number) = Number::parse(&text) {
            prop_assert_eq!(Number::parse(&number.to_string()), Some(number));
        }
    }
}
