//! A file of entries.

use std::collections::HashMap;
use std::path::Path;

use super::entry;
use super::sandbox::Sandbox;
use crate::domain::parse::node::{Node, child};
use crate::domain::parse::report::Report;
use crate::yaml::{Document, Position};

/// The most entries of a file.
const MAX_SANDBOXES: usize = 1000;
/// The list that holds them.
const LIST: &str = "sandboxes";

/// What a file of sandboxes holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SandboxFile {
    /// The entries that can be used, in their order.
    pub sandboxes: Vec<Sandbox>,
    /// What is wrong with the others, and with the file, in their order.
    pub problems: Vec<Problem>,
}

/// Something that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The name of the entry that is left out for it, if that is known.
    pub name: Option<String>,
    /// JSON pointer to the field: an entry's begins with its number, from 0.
    pub pointer: String,
    /// Where the field stands in the file.
    pub position: Option<Position>,
    /// What is wrong and how to mend it, as what follows the field's name.
    pub message: String,
}

impl SandboxFile {
    /// Reads the entries of a file that lies in `folder`, an absolute path.
    #[must_use]
    pub fn read(document: &Document, folder: &Path) -> Self {
        let mut file = Self::default();
        let mut report = Report::default();
        let root = Node::new(&document.value);
        let fields = root.fields(&mut report, &[LIST]);
        let list = fields.and_then(|fields| fields.required(&mut report, LIST, "list the sandboxes there"));
        let entries = list.and_then(|list| list.items(&mut report, MAX_SANDBOXES)).unwrap_or_default();
        file.report(document, None, report);

        let mut places: HashMap<String, String> = HashMap::new();
        for entry in entries {
            let mut report = Report::default();
            let name = entry::name(&entry);
            if let Some(name) = &name {
                match places.get(name) {
                    Some(first) => {
                        let message = format!("is {first}'s name too; give each its own");
                        report.add(child(&entry.pointer, "name"), message);
                    }
                    None => {
                        places.insert(name.clone(), entry.pointer.clone());
                    }
                }
            }
            let read = entry::read(&entry, folder, &mut report);
            if file.report(document, name, report) {
                file.sandboxes.extend(read);
            }
        }
        file
    }

    /// The sandbox of that name, if it can be used.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<&Sandbox> {
        self.sandboxes.iter().find(|sandbox| sandbox.name == name)
    }

    /// Takes over what was found; whether that was nothing.
    fn report(&mut self, document: &Document, name: Option<String>, report: Report) -> bool {
        let Err(mut invalid) = report.finish(Some(())) else { return true };
        invalid.errors.sort_by_key(|error| document.position(&error.pointer));
        self.problems.extend(invalid.errors.into_iter().map(|error| Problem {
            name: name.clone(),
            position: document.position(&error.pointer),
            pointer: error.pointer,
            message: error.message,
        }));
        false
    }
}
