//! The API's description: kept in the repository, and faithful to the original's names.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;

const CHECKED_IN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../openapi/orcaops.json");

fn document() -> Value {
    serde_json::from_str(&orcaops_api::openapi_document()).unwrap()
}

fn original() -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/original_openapi.json");
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

#[test]
fn the_checked_in_document_is_the_one_that_is_served() {
    let document = orcaops_api::openapi_document();
    if std::env::var_os("ORCAOPS_UPDATE_OPENAPI").is_some() {
        std::fs::create_dir_all(Path::new(CHECKED_IN).parent().unwrap()).unwrap();
        std::fs::write(CHECKED_IN, &document).unwrap();
    }
    let checked_in = std::fs::read_to_string(CHECKED_IN).unwrap_or_default();
    assert!(
        document == checked_in,
        "openapi/orcaops.json is stale; run this test with ORCAOPS_UPDATE_OPENAPI=1 to write it again"
    );
}

/// A schema with its reference followed and its parts merged.
fn resolve(document: &Value, schema: &Value) -> Value {
    if let Some(name) = schema["$ref"].as_str().and_then(|r| r.rsplit('/').next()) {
        return resolve(document, &document["components"]["schemas"][name]);
    }
    for parts in ["allOf", "anyOf"] {
        let Some(parts) = schema[parts].as_array() else { continue };
        let parts = parts.iter().filter(|part| part["type"] != "null").map(|part| resolve(document, part));
        return parts.into_iter().find(|part| !part.is_null()).unwrap_or_default();
    }
    schema.clone()
}

fn names(list: &Value) -> BTreeSet<&str> {
    list.as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}

/// What the original's answers must have, ours must have too, down to the last field.
fn assert_answers(ours: (&Value, &Value), theirs: (&Value, &Value), at: &str) {
    let our_schema = resolve(ours.0, ours.1);
    let their_schema = resolve(theirs.0, theirs.1);
    let (our_required, their_required) = (names(&our_schema["required"]), names(&their_schema["required"]));
    let missing: Vec<_> = their_required.difference(&our_required).collect();
    assert!(missing.is_empty(), "{at} lacks required {missing:?}");
    if let Some(items) = their_schema.get("items") {
        assert_answers((ours.0, &our_schema["items"]), (theirs.0, items), &format!("{at}[]"));
    }
    for (name, theirs_of_field) in their_schema["properties"].as_object().into_iter().flatten() {
        let our_field = &our_schema["properties"][name];
        assert!(!our_field.is_null(), "{at} lacks {name}");
        assert_answers((ours.0, our_field), (theirs.0, theirs_of_field), &format!("{at}.{name}"));
    }
    for value in their_schema["enum"].as_array().into_iter().flatten() {
        assert!(names(&our_schema["enum"]).contains(value.as_str().unwrap()), "{at} lacks the value {value}");
    }
}

#[test]
fn every_implemented_endpoint_of_the_original_has_the_same_names() {
    let (ours, theirs) = (document(), original());
    for (path, methods) in theirs["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let at = format!("{method} {path}");
            let our_operation = &ours["paths"][path][method];
            assert!(!our_operation.is_null(), "{at} is missing");

            let our_parameters = our_operation["parameters"].as_array().cloned().unwrap_or_default();
            for parameter in operation["parameters"].as_array().into_iter().flatten() {
                let same = |p: &&Value| p["name"] == parameter["name"] && p["in"] == parameter["in"];
                let ours = our_parameters.iter().find(same);
                let ours = ours.unwrap_or_else(|| panic!("{at} lacks the parameter {}", parameter["name"]));
                for limit in ["minimum", "maximum", "default"] {
                    let theirs = &parameter["schema"][limit];
                    if theirs.as_f64().is_some_and(|limit| limit != 0.0) {
                        assert_eq!(ours["schema"][limit].as_f64(), theirs.as_f64(), "{at} {limit}");
                    }
                }
            }
            for parameter in &our_parameters {
                let path = parameter["in"] == "path";
                assert!(path || parameter["required"] != true, "{at} requires more: {parameter}");
            }

            let schema = &operation["responses"]["200"]["content"]["application/json"]["schema"];
            if schema.as_object().is_some_and(|schema| !schema.is_empty()) {
                let content = &our_operation["responses"]["200"]["content"];
                let our_schema = &content["application/json; charset=utf-8"]["schema"];
                assert_answers((&ours, our_schema), (&theirs, schema), &at);
            }
            assert!(
                our_operation["responses"]["default"]["content"]["application/problem+json"].is_object(),
                "{at} does not describe its errors"
            );
        }
    }
}

#[test]
fn a_submission_needs_no_more_fields_than_the_original() {
    let (ours, theirs) = (document(), original());
    let ours_of = |name: &str| ours["components"]["schemas"][name].clone();
    for name in ["JobSpec", "SandboxSpec", "JobCommand"] {
        let their_schema = &theirs["components"]["schemas"][name];
        let our_schema = ours_of(name);
        for field in their_schema["properties"].as_object().unwrap().keys() {
            assert!(!our_schema["properties"][field].is_null(), "{name} lacks {field}");
        }
        let (our_required, their_required) =
            (names(&our_schema["required"]), names(&their_schema["required"]));
        let more: Vec<_> = our_required.difference(&their_required).collect();
        assert!(more.is_empty(), "{name} requires more: {more:?}");
    }
    let body = &ours["paths"]["/orcaops/jobs"]["post"]["requestBody"]["content"]["application/json"];
    assert_eq!(body["schema"]["$ref"], "#/components/schemas/JobSpec");
}
