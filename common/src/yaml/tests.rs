use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

fn value(text: &str) -> Value {
    Document::parse(text).unwrap_or_else(|e| panic!("{text}: {e}")).value
}

fn refusal(text: &str) -> String {
    Document::parse(text).map_or_else(|e| e.to_string(), |d| panic!("{text}: {:?}", d.value))
}

fn at(document: &Document, pointer: &str) -> Option<(usize, usize)> {
    document.position(pointer).map(|p| (p.line, p.column))
}

#[test]
fn plain_words_mean_what_yaml_1_2_says() {
    for (text, expected) in [
        ("", Value::Null),
        ("~", Value::Null),
        ("true", json!(true)),
        ("12", json!(12)),
        ("-12", json!(-12)),
        ("+3", json!(3)),
        ("0x1f", json!(31)),
        ("0o17", json!(15)),
        ("1.5", json!(1.5)),
        (".5", json!(0.5)),
        ("-1e3", json!(-1000.0)),
        ("18446744073709551615", json!(u64::MAX)),
        ("18446744073709551616", json!(18_446_744_073_709_551_616.0)),
        ("yes", json!("yes")),
        ("off", json!("off")),
        ("0755", json!("0755")),
        ("1.2.3", json!("1.2.3")),
        ("1_000", json!("1_000")),
        ("0x", json!("0x")),
        ("0x+1", json!("0x+1")),
        ("1e", json!("1e")),
        ("-", json!([null])),
        ("'12'", json!("12")),
        ("\"a\\tb\"", json!("a\tb")),
        ("!!str 12", json!("12")),
        ("!!int 12", json!(12)),
        ("|\n  a\n  b\n", json!("a\nb\n")),
        (">-\n  a\n  b\n", json!("a b")),
    ] {
        assert_eq!(value(text), expected, "{text}");
    }
}

#[test]
fn lists_objects_anchors_and_aliases_are_written_out() {
    let text = "base: &base\n  a: [1, two]\nagain: *base\n80: x\n";
    assert_eq!(value(text), json!({"base": {"a": [1, "two"]}, "again": {"a": [1, "two"]}, "80": "x"}));
    assert_eq!(value("# only a comment\n"), Value::Null);
}

#[test]
fn every_field_has_its_place() {
    let text = "sandbox:\n  image: x\ncommands:\n  - command: make\n    env: {A: 1, 'b/c~': 2}\n  -\n    argv: [a, b]\n";
    let document = Document::parse(text).unwrap();
    for (pointer, place) in [
        ("", (1, 1)),
        ("/sandbox", (1, 1)),
        ("/sandbox/image", (2, 3)),
        ("/commands", (3, 1)),
        ("/commands/0", (4, 5)),
        ("/commands/0/command", (4, 5)),
        ("/commands/0/env/A", (5, 11)),
        ("/commands/0/env/b~1c~0", (5, 17)),
        ("/commands/1", (7, 5)),
        ("/commands/1/argv/1", (7, 15)),
        // What is missing stands where it would have to be.
        ("/commands/1/cwd", (7, 5)),
        ("/sandbox/env/A", (1, 1)),
        ("/workdir", (1, 1)),
    ] {
        assert_eq!(at(&document, pointer), Some(place), "{pointer}");
    }
}

#[test]
fn json_is_read_as_json_and_has_places_too() {
    let text = "{\n\t\"a\": \"\\u00fc\\/\",\n\t\"b\": [1,\t2.0, {\"c\":null}]\n}\n";
    let document = Document::parse(text).unwrap();
    assert_eq!(document.value, json!({"a": "ü/", "b": [1, 2.0, {"c": null}]}));
    assert_eq!(at(&document, "/a"), Some((2, 2)));
    assert_eq!(at(&document, "/b/2/c"), Some((3, 17)));
    // A pair of surrogates is JSON's own.
    assert_eq!(value(r#"{"a": "\ud83d\ude00"}"#), json!({"a": "😀"}));
    assert_eq!(value("\u{feff}{\"a\": 1}"), json!({"a": 1}));
}

#[test]
fn a_field_that_is_given_twice_is_an_error_in_yaml_and_in_json() {
    let expected = "line 3, column 1: /a is given twice, for the first time in line 1; keep one of them; \
                    line 5, column 3: /c/d is given twice, for the first time in line 4; keep one of them";
    assert_eq!(refusal("a: 1\nb: 2\na: 3\nc: {d: 1,\n  d: 2}\n"), expected);
    let json = "{\"a\": 1,\n \"a\": 2}";
    assert!(refusal(json).starts_with("line 2, column 2: /a is given twice"), "{}", refusal(json));
}

#[test]
fn what_can_not_be_read_says_where_and_why() {
    for (text, place) in [
        ("a: [1, 2", "line 2, column 1: while parsing a flow sequence"),
        ("a: 1\n b: 2\n", "line 2, column "),
        ("a: *gone\n", "line 1, column "),
        ("a: 1\n---\nb: 2\n", "line 2, column 1: a second document"),
        ("? [a]\n: 1\n", "line 1, column 3: the name of a field"),
        ("a: !secret x\n", "line 1, column 4: the tag `!secret`"),
        ("a: .inf\n", "line 1, column 4: /a is `.inf`"),
        ("a: {<<: x}\n", "line 1, column 5: /a/<< is not known here"),
        ("a: &x [*x]\n", "line 1, column 8: the alias"),
    ] {
        let said = refusal(text);
        assert!(said.starts_with(place) || said.contains(place), "{text}: {said}");
    }
}

#[test]
fn aliases_can_not_grow_a_text_beyond_measure() {
    let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for n in 1..12 {
        let alias = format!("*a{}", n - 1);
        bomb.push_str(&format!("a{n}: &a{n} [{}]\n", vec![alias; 10].join(", ")));
    }
    assert!(refusal(&bomb).contains("its aliases written out"));
    let mut chain = "a0: &a0 [x]\n".to_owned();
    for n in 1..200 {
        chain.push_str(&format!("a{n}: &a{n} [*a{}]\n", n - 1));
    }
    assert!(refusal(&chain).contains("deeper than"));
}

#[test]
fn depth_and_length_are_bounded() {
    for open in ["[", "{a: ", "- "] {
        let said = refusal(&open.repeat(100_000));
        assert!(said.contains("deeper than") || said.contains("recursion limit"), "{open} {said}");
    }
    let long = "#".repeat(MAX_TEXT + 1);
    assert!(refusal(&long).starts_with("it has 4194305 bytes"));
}

proptest! {
    #[test]
    fn no_text_is_a_panic(text in "[ -~\n\t&*!|>{}\\[\\]:,#'\"é-]{0,200}") {
        let _ = Document::parse(&text);
    }

    #[test]
    fn json_means_what_it_means(text in "[a-zé\\\\\"/\t ~<:#-]{0,20}", number in any::<f64>(), n in any::<i64>()) {
        let value = json!({ text.clone(): [text, number, n, null, true, {}, []] });
        for written in [value.to_string(), serde_json::to_string_pretty(&value).unwrap_or_default()] {
            prop_assert_eq!(Document::parse(&written).map(|d| d.value), Ok(serde_json::from_str(&written).unwrap_or_default()));
        }
    }
}
