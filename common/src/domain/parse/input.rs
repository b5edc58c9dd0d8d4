//! Input files.

use std::collections::HashMap;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use super::node::{Node, quote};
use super::report::Report;
use super::spec::given;
use crate::domain::job::{Encoding, Input};
use crate::domain::path::check_relative;

/// The most inputs of a job.
const MAX_INPUTS: usize = 1000;

const FIELDS: [&str; 5] = ["path", "content", "encoding", "object", "executable"];

pub(super) fn inputs(node: &Node<'_>, report: &mut Report) -> Option<Vec<Input>> {
    let items = node.items(report, MAX_INPUTS)?;
    let inputs: Vec<_> = items.iter().map(|item| input(item, report)).collect();
    check_places(&node.pointer, &inputs, report);
    inputs.into_iter().collect()
}

/// No two inputs may go to one place, and none below a file.
fn check_places(pointer: &str, inputs: &[Option<Input>], report: &mut Report) {
    let mut places = HashMap::new();
    for (n, input) in inputs.iter().enumerate() {
        let Some(input) = input else { continue };
        match places.get(input.path.as_str()) {
            Some((first, _)) => report.add(
                format!("{pointer}/{n}/path"),
                format!("is the path of {pointer}/{first} too; give each input its own"),
            ),
            None => {
                places.insert(input.path.as_str(), (n, input.content.is_some()));
            }
        }
    }
    for (n, input) in inputs.iter().enumerate() {
        let Some(input) = input else { continue };
        let folders = input.path.match_indices('/').map(|(at, _)| &input.path[..at]);
        for (file, is_file) in folders.filter_map(|folder| places.get(folder)) {
            if *is_file {
                report.add(
                    format!("{pointer}/{n}/path"),
                    format!("lies below {pointer}/{file}, which is a file; give it another path"),
                );
            }
        }
    }
}

fn input(node: &Node<'_>, report: &mut Report) -> Option<Input> {
    let fields = node.fields(report, &FIELDS)?;
    let content = fields.optional("content");
    let object = fields.optional("object");
    let path = fields
        .required(report, "path", "say where the input goes, relative to the job's `workdir`")
        .and_then(|node| path(&node, report, object.is_some()));
    let choice = match (&content, &object) {
        (Some(_), Some(_)) => {
            node.fail(report, "has both `content` and `object`; keep one and leave the other out")
        }
        (None, None) => node
            .fail(report, "has neither `content` nor `object`; give the file's content, or an upload's name"),
        (Some(_), None) | (None, Some(_)) => Some(()),
    };
    let encoding = match fields.with_default("encoding") {
        Some(node) => encoding(&node, report),
        None => Some(Encoding::default()),
    };
    let content = content.map(|node| {
        let text = node.string(report)?;
        if encoding == Some(Encoding::Base64)
            && let Err(error) = BASE64_STANDARD.decode(text)
        {
            let message = format!("is not base64 ({error}); write it padded and without line breaks");
            return node.fail(report, message);
        }
        Some(text.to_owned())
    });
    let object = object.map(|node| object_name(&node, report));
    let executable = fields.with_default("executable").map(|node| node.boolean(report));
    choice?;
    Some(Input {
        path: path?,
        content: given(content)?,
        encoding: encoding?,
        object: given(object)?,
        executable: given(executable)?.unwrap_or_default(),
    })
}

fn path(node: &Node<'_>, report: &mut Report, is_tar: bool) -> Option<String> {
    let text = node.string(report)?;
    // The contents of a tar may go right into the working folder.
    if is_tar && text == "." {
        return Some(text.to_owned());
    }
    match check_relative(text) {
        Ok(()) => Some(text.to_owned()),
        Err(reason) => node.fail(report, format!("is refused: {reason}")),
    }
}

fn encoding(node: &Node<'_>, report: &mut Report) -> Option<Encoding> {
    match node.string(report)? {
        "text" => Some(Encoding::Text),
        "base64" => Some(Encoding::Base64),
        other => node.fail(report, format!("is {}; it must be \"text\" or \"base64\"", quote(other))),
    }
}

fn object_name(node: &Node<'_>, report: &mut Report) -> Option<String> {
    let text = node.string(report)?;
    let is_hash =
        |s: &str| s.len() == 64 && s.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
    if text.strip_prefix("uploads/").is_some_and(is_hash) {
        return Some(text.to_owned());
    }
    node.fail(
        report,
        format!("is {}; give the name that the upload answered, `uploads/` and 64 hex digits", quote(text)),
    )
}
