//! An entry's fields in a job's words, and a job's errors in an entry's.

use serde_json::{Map, Value, json};

use crate::domain::parse::node::child;

/// A job's specification as JSON, and where each of its fields was written.
pub(super) struct Translation {
    pub(super) spec: Value,
    /// The entry's own pointer.
    pub(super) entry: String,
    /// The places of the variables, by name.
    pub(super) variables: Vec<(String, String)>,
    /// The places of the folders, by their number in the job.
    pub(super) folders: Vec<String>,
}

impl Translation {
    pub(super) fn new(entry: &str) -> Self {
        let spec = json!({ "sandbox": {}, "commands": [{}] });
        Self { spec, entry: entry.to_owned(), variables: Vec::new(), folders: Vec::new() }
    }

    /// Sets a field of the job.
    pub(super) fn set(&mut self, pointer: &str, value: Value) {
        let Some((parent, name)) = pointer.rsplit_once('/') else { return };
        if let Some(fields) = self.spec.pointer_mut(parent).and_then(Value::as_object_mut) {
            fields.insert(name.to_owned(), value);
        }
    }

    /// Sets all variables, each with the place where it was written.
    pub(super) fn set_variables(&mut self, variables: Vec<(String, String, String)>) {
        let mut env = Map::new();
        for (name, value, pointer) in variables {
            env.insert(name.clone(), Value::String(value));
            self.variables.push((name, pointer));
        }
        self.set("/sandbox/env", Value::Object(env));
    }

    /// Where the job's field was written in the entry.
    pub(super) fn origin(&self, pointer: &str) -> String {
        const FIELDS: [(&str, &str); 6] = [
            ("/sandbox/image", "/image"),
            ("/commands/0/argv", "/command"),
            ("/commands/0/timeout_seconds", "/timeout"),
            ("/commands/0/success_exit_codes", "/success_exit_codes"),
            ("/cleanup_policy", "/cleanup_policy"),
            ("/ports", "/ports"),
        ];
        if let Some((_, place)) =
            self.variables.iter().find(|(name, _)| child("/sandbox/env", name) == pointer)
        {
            return place.clone();
        }
        for (n, folder) in self.folders.iter().enumerate() {
            match pointer.strip_prefix(&format!("/volumes/{n}/")) {
                Some("source") => return folder.clone(),
                Some(_) => return format!("{folder}/bind"),
                None => {}
            }
        }
        let found = FIELDS.iter().find_map(|(job, own)| Some((own, pointer.strip_prefix(job)?)));
        match found {
            Some((own, rest)) => format!("{}{own}{rest}", self.entry),
            None if pointer.starts_with("/sandbox/env") => format!("{}/environment", self.entry),
            None if pointer.starts_with("/volumes") => format!("{}/volumes", self.entry),
            None => self.entry.clone(),
        }
    }

    /// A message in which a job's places are an entry's.
    pub(super) fn message(&self, message: &str) -> String {
        let mut message = message.to_owned();
        for (n, folder) in self.folders.iter().enumerate() {
            message = message.replace(&format!("/volumes/{n}/target "), &format!("{folder}/bind "));
        }
        message
    }
}
