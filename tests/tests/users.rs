//! Whom steps run as, and whom their files belong to.

use anyhow::{Context, Result};
use orcaops_tests::client::shell;
use orcaops_tests::laptop::Laptop;
use orcaops_tests::variant::Variant;
use serde_json::{Value, json};

/// What each step said.
fn said(record: &Value) -> Vec<&str> {
    let steps = record["steps"].as_array().map(Vec::as_slice).unwrap_or_default();
    steps.iter().map(|step| step["stdout"].as_str().unwrap_or_default()).collect()
}

fn steps(image: Option<&Variant>, steps: &[(&str, Option<&str>)]) -> Value {
    let mut spec = shell(&steps.iter().map(|(command, _)| *command).collect::<Vec<_>>());
    for (n, (_, user)) in steps.iter().enumerate() {
        if let Some(user) = user {
            spec["commands"][n]["user"] = json!(user);
        }
    }
    if let Some(image) = image {
        spec["sandbox"]["image"] = json!(image.name());
    }
    spec
}

#[tokio::test(flavor = "multi_thread")]
async fn steps_run_as_the_user_they_name_and_else_as_the_images() -> Result<()> {
    let image = Variant::new("USER 1000:1001").await?;
    let laptop = Laptop::new().await?;
    let _dev = laptop.dev("1").await?;
    let id = "echo $(id -u):$(id -g)";

    let plain = laptop.client.run(&steps(Some(&image), &[(id, None)])).await?;
    assert_eq!(said(&plain), ["1000:1001\n"], "{plain:#}");

    let users = [(id, None), (id, Some("root")), (id, Some("7")), (id, Some("1000:5")), (id, None)];
    let mixed = laptop.client.run(&steps(Some(&image), &users)).await?;
    assert_eq!(mixed["status"], "success", "{mixed:#}");
    let expected = ["1000:1001\n", "0:0\n", "7:0\n", "1000:5\n", "1000:1001\n"];
    assert_eq!(said(&mixed), expected, "{mixed:#}");

    let unknown = laptop.client.run(&steps(Some(&image), &[(id, Some("nobody-here"))])).await?;
    assert_eq!(unknown["status"], "failed", "{unknown:#}");
    let error = unknown["error"].as_str().context("no error")?;
    assert!(error.contains("no user \"nobody-here\""), "{error}");
    laptop.containers.all_gone().await
}

#[tokio::test(flavor = "multi_thread")]
async fn inputs_belong_to_the_images_user_or_to_the_one_that_all_steps_name() -> Result<()> {
    let image = Variant::new("USER 1000:1001").await?;
    let laptop = Laptop::new().await?;
    let _dev = laptop.dev("1").await?;
    let owners = "cd /workspace && stat -c %u:%g . a a/b a/b/run && touch a/b/new";
    let rows = [
        (Some(&image), vec![(owners, None), ("id", Some("root"))], "1000:1001"),
        (Some(&image), vec![(owners, Some("7:8")), ("id", Some("7:8"))], "7:8"),
        (None, vec![(owners, Some("7:8"))], "7:8"),
        (None, vec![(owners, None), ("id", Some("7:8"))], "0:0"),
    ];
    for (image, commands, owner) in rows {
        let mut spec = steps(image, &commands);
        spec["inputs"] = json!([{ "path": "a/b/run", "content": "#!/bin/sh\n", "executable": true }]);
        let record = laptop.client.run(&spec).await?;
        assert_eq!(record["status"], "success", "{record:#}");
        assert_eq!(said(&record)[0], format!("{owner}\n").repeat(4), "{commands:?}");
    }
    laptop.containers.all_gone().await
}
