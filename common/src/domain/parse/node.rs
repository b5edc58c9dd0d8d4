//! A place in a JSON document, and the ways to read it that several fields share.

use std::ops::RangeInclusive;

use serde_json::{Map, Value};

use super::report::Report;
use super::suggest::nearest;

/// The most characters of a user's text in a message.
const MAX_QUOTE: usize = 80;

/// A value and where it is.
pub(in crate::domain) struct Node<'a> {
    pub(in crate::domain) value: &'a Value,
    pub(in crate::domain) pointer: String,
}

/// An object's members, read one by one.
pub(in crate::domain) struct Fields<'a> {
    members: &'a Map<String, Value>,
    pointer: String,
}

impl<'a> Node<'a> {
    pub(in crate::domain) fn new(value: &'a Value) -> Self {
        Self { value, pointer: String::new() }
    }

    /// Notes that this value is wrong.
    pub(in crate::domain) fn fail<T>(&self, report: &mut Report, message: impl Into<String>) -> Option<T> {
        report.add(&self.pointer, message);
        None
    }

    /// An object with no members but the known ones.
    pub(in crate::domain) fn fields(&self, report: &mut Report, known: &[&str]) -> Option<Fields<'a>> {
        let Value::Object(members) = self.value else { return self.wrong_type(report, "an object") };
        for name in members.keys().filter(|name| !known.contains(&name.as_str())) {
            let hint = match nearest(name, known) {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => format!("the fields here are {}", list(known)),
            };
            report.add(child(&self.pointer, name), format!("is not a known field; {hint}"));
        }
        Some(Fields { members, pointer: self.pointer.clone() })
    }

    /// An object used as a map.
    pub(in crate::domain) fn members(&self, report: &mut Report) -> Option<Vec<(&'a str, Node<'a>)>> {
        let Value::Object(members) = self.value else { return self.wrong_type(report, "an object") };
        let node = |(name, value): (&'a String, &'a Value)| {
            (name.as_str(), Node { value, pointer: child(&self.pointer, name) })
        };
        Some(members.iter().map(node).collect())
    }

    pub(in crate::domain) fn items(&self, report: &mut Report, at_most: usize) -> Option<Vec<Node<'a>>> {
        let Value::Array(items) = self.value else { return self.wrong_type(report, "an array") };
        if items.len() > at_most {
            return self.fail(report, format!("has {} entries; at most {at_most} are allowed", items.len()));
        }
        let node = |(n, value)| Node { value, pointer: format!("{}/{n}", self.pointer) };
        Some(items.iter().enumerate().map(node).collect())
    }

    pub(in crate::domain) fn string(&self, report: &mut Report) -> Option<&'a str> {
        match self.value {
            Value::String(text) => Some(text),
            Value::Number(_) | Value::Bool(_) => self
                .fail(report, format!("is {}; write it as a string: \"{}\"", kind(self.value), self.value)),
            Value::Null | Value::Array(_) | Value::Object(_) => self.wrong_type(report, "a string"),
        }
    }

    /// A string that the container's system can take.
    pub(in crate::domain) fn system_string(&self, report: &mut Report) -> Option<&'a str> {
        let text = self.string(report)?;
        if text.contains('\0') {
            return self.fail(report, "contains a NUL character; remove it");
        }
        Some(text)
    }

    pub(in crate::domain) fn boolean(&self, report: &mut Report) -> Option<bool> {
        match self.value {
            Value::Bool(value) => Some(*value),
            _ => self.wrong_type(report, "`true` or `false`"),
        }
    }

    pub(in crate::domain) fn integer(
        &self,
        report: &mut Report,
        allowed: RangeInclusive<u32>,
    ) -> Option<u32> {
        let (least, most) = (*allowed.start(), *allowed.end());
        let Value::Number(number) = self.value else {
            let hint = format!("a whole number from {least} to {most}");
            return self.wrong_type(report, &hint);
        };
        if number.is_f64() {
            return self.fail(report, format!("is {number}; give a whole number from {least} to {most}"));
        }
        match number.as_u64().and_then(|n| u32::try_from(n).ok()).filter(|n| allowed.contains(n)) {
            Some(n) => Some(n),
            None => self.fail(report, format!("is {number}; it must be from {least} to {most}")),
        }
    }

    /// Notes that the value is of the wrong kind.
    pub(in crate::domain) fn wrong_type<T>(&self, report: &mut Report, wanted: &str) -> Option<T> {
        self.fail(report, format!("is {}; give {wanted}", kind(self.value)))
    }
}

impl<'a> Fields<'a> {
    /// A member that may be absent; `null` is absent too.
    pub(in crate::domain) fn optional(&self, name: &str) -> Option<Node<'a>> {
        self.with_default(name).filter(|node| !node.value.is_null())
    }

    /// A member that has a default; `null` is not it.
    pub(in crate::domain) fn with_default(&self, name: &str) -> Option<Node<'a>> {
        let value = self.members.get(name)?;
        Some(Node { value, pointer: child(&self.pointer, name) })
    }

    /// A member that must be there. `hint` says what to write.
    pub(in crate::domain) fn required(
        &self,
        report: &mut Report,
        name: &str,
        hint: &str,
    ) -> Option<Node<'a>> {
        let node = self.with_default(name);
        if node.is_none() {
            report.add(child(&self.pointer, name), format!("is missing; {hint}"));
        }
        node
    }
}

/// The pointer of a member.
pub(in crate::domain) fn child(pointer: &str, name: &str) -> String {
    format!("{pointer}/{}", name.replace('~', "~0").replace('/', "~1"))
}

/// A user's text, short enough to be repeated.
pub(in crate::domain) fn quote(text: &str) -> String {
    if text.chars().nth(MAX_QUOTE).is_none() {
        return format!("{text:?}");
    }
    let start: String = text.chars().take(MAX_QUOTE).collect();
    format!("{:?}", start + "…")
}

fn list(names: &[&str]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}
