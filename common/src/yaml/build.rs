//! Builds a value from the events of a YAML parser, and notes where each field stands.

use std::collections::{HashMap, HashSet};

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, ScanError, Tag};
use serde_json::{Map, Value};

use super::document::{Document, Position};
use super::error::TextError;
use super::scalar;

/// How deep lists and objects may lie in each other.
const MAX_DEPTH: usize = 100;
/// How much a document may hold once its aliases are written out, in bytes of text, each value counted as
/// [`VALUE`] more.
const MAX_SIZE: usize = 16 * 1024 * 1024;
/// What a value counts beside its text.
const VALUE: usize = 16;
/// The most errors of fields that are listed.
const MAX_ERRORS: usize = 100;
/// YAML's own word for "all fields of another object, too".
const MERGE: &str = "<<";

/// Why a text is no document.
pub(super) enum Broken {
    /// It is not YAML.
    Syntax(TextError),
    /// It is YAML whose fields say what they must not.
    Fields(Vec<TextError>),
}

/// A value, and what it costs to copy it.
#[derive(Clone)]
struct Built {
    value: Value,
    size: usize,
    depth: usize,
}

/// A list or an object under construction.
struct Open {
    pointer: String,
    anchor: usize,
    size: usize,
    depth: usize,
    content: Content,
}

enum Content {
    List(Vec<Value>),
    /// Its members, the names that were given, and the name whose value comes next.
    Object(Map<String, Value>, HashSet<String>, Option<String>),
}

#[derive(Default)]
struct Builder {
    open: Vec<Open>,
    anchors: HashMap<usize, Built>,
    positions: HashMap<String, Position>,
    errors: Vec<TextError>,
    size: usize,
    root: Option<Value>,
}

/// The document that a YAML text is.
pub(super) fn build(text: &str) -> Result<Document, Broken> {
    let mut builder = Builder::default();
    let mut documents = 0;
    for event in Parser::new_from_str(text) {
        let (event, span) = event.map_err(|error| Broken::Syntax(syntax(&error)))?;
        if let Event::DocumentStart(_) = event {
            documents += 1;
            if documents > 1 {
                return Err(Broken::Syntax(error(
                    span.start,
                    "a second document begins here; keep one in each file".to_owned(),
                )));
            }
        }
        builder.take(event, span.start).map_err(Broken::Syntax)?;
    }
    if !builder.errors.is_empty() {
        return Err(Broken::Fields(builder.errors));
    }
    Ok(Document { value: builder.root.unwrap_or_default(), positions: builder.positions })
}

impl Builder {
    fn take(&mut self, event: Event<'_>, at: Marker) -> Result<(), TextError> {
        match event {
            Event::Scalar(text, style, anchor, tag) => self.scalar(&text, style, anchor, tag.as_deref(), at),
            Event::SequenceStart(anchor, tag) => {
                self.begin(Content::List(Vec::new()), anchor, tag.as_deref(), at)
            }
            Event::MappingStart(anchor, tag) => {
                self.begin(Content::Object(Map::new(), HashSet::new(), None), anchor, tag.as_deref(), at)
            }
            Event::SequenceEnd | Event::MappingEnd => self.end(at),
            Event::Alias(anchor) => self.alias(anchor, at),
            Event::Nothing
            | Event::StreamStart
            | Event::StreamEnd
            | Event::DocumentStart(_)
            | Event::DocumentEnd => Ok(()),
        }
    }

    fn scalar(
        &mut self,
        text: &str,
        style: ScalarStyle,
        anchor: usize,
        tag: Option<&Tag>,
        at: Marker,
    ) -> Result<(), TextError> {
        if let Some(Open { content: Content::Object(_, _, name @ None), .. }) = self.open.last_mut() {
            // A name is its text, whatever it looks like: `80: 8080` names `80`.
            *name = Some(text.to_owned());
            return self.name(text, style == ScalarStyle::Plain, at);
        }
        let pointer = self.place(at);
        let is_text = match tag {
            None => style != ScalarStyle::Plain,
            Some(tag) if is_core(tag, &["str"]) || (tag.handle.is_empty() && tag.suffix == "!") => true,
            Some(tag) if is_core(tag, &["int", "float", "bool", "null"]) => false,
            Some(tag) => return Err(unknown(tag, at)),
        };
        let value = if is_text { Ok(Value::String(text.to_owned())) } else { scalar::plain(text) };
        let value = value.unwrap_or_else(|message| {
            self.wrong(&pointer, at, message);
            Value::Null
        });
        self.add(Built { value, size: text.len() + VALUE, depth: 0 }, anchor, at)
    }

    fn begin(
        &mut self,
        content: Content,
        anchor: usize,
        tag: Option<&Tag>,
        at: Marker,
    ) -> Result<(), TextError> {
        self.no_name_may_begin(at)?;
        if let Some(tag) = tag.filter(|tag| !is_core(tag, &["seq", "map"])) {
            return Err(unknown(tag, at));
        }
        if self.open.len() >= MAX_DEPTH {
            return Err(error(at, format!("lies deeper than {MAX_DEPTH} lists and objects in each other")));
        }
        self.size += VALUE;
        self.fits(at)?;
        let pointer = self.place(at);
        self.open.push(Open { pointer, anchor, size: VALUE, depth: 0, content });
        Ok(())
    }

    fn end(&mut self, at: Marker) -> Result<(), TextError> {
        let Some(open) = self.open.pop() else { return Ok(()) };
        let value = match open.content {
            Content::List(items) => Value::Array(items),
            Content::Object(members, ..) => Value::Object(members),
        };
        self.add(Built { value, size: open.size, depth: open.depth + 1 }, open.anchor, at)
    }

    fn alias(&mut self, anchor: usize, at: Marker) -> Result<(), TextError> {
        self.no_name_may_begin(at)?;
        let Some(built) = self.anchors.get(&anchor) else {
            return Err(error(at, "the alias repeats what is no finished value here".to_owned()));
        };
        if self.open.len() + built.depth > MAX_DEPTH {
            return Err(error(at, format!("lies deeper than {MAX_DEPTH} lists and objects in each other")));
        }
        self.size += built.size;
        self.fits(at)?;
        let built = built.clone();
        self.place(at);
        self.add(built, 0, at)
    }

    /// Puts a finished value where it belongs.
    fn add(&mut self, built: Built, anchor: usize, at: Marker) -> Result<(), TextError> {
        if anchor != 0 {
            // The copy counts, too.
            self.size += built.size;
        }
        if built.depth == 0 {
            self.size += built.size;
        }
        self.fits(at)?;
        if anchor != 0 {
            self.anchors.insert(anchor, built.clone());
        }
        let Some(open) = self.open.last_mut() else {
            self.root = Some(built.value);
            return Ok(());
        };
        open.size += built.size;
        open.depth = open.depth.max(built.depth);
        match &mut open.content {
            Content::List(items) => items.push(built.value),
            Content::Object(members, _, name) => {
                if let Some(name) = name.take() {
                    open.size += name.len();
                    members.insert(name, built.value);
                }
            }
        }
        Ok(())
    }

    fn fits(&self, at: Marker) -> Result<(), TextError> {
        if self.size > MAX_SIZE {
            let message =
                format!("the document holds more than {MAX_SIZE} bytes here, its aliases written out");
            return Err(error(at, message));
        }
        Ok(())
    }

    /// Notes the name of a member.
    fn name(&mut self, name: &str, is_plain: bool, at: Marker) -> Result<(), TextError> {
        self.size += name.len() + VALUE;
        self.fits(at)?;
        let Some(Open { pointer, content: Content::Object(_, names, _), .. }) = self.open.last_mut() else {
            return Ok(());
        };
        let pointer = format!("{pointer}/{}", name.replace('~', "~0").replace('/', "~1"));
        let message = if !names.insert(name.to_owned()) {
            let first = self.positions.get(&pointer).map_or(0, |first| first.line);
            format!("is given twice, for the first time in line {first}; keep one of them")
        } else {
            self.positions.insert(pointer.clone(), position(at));
            if name != MERGE || !is_plain {
                return Ok(());
            }
            "is not known here: write the fields out that it stands for".to_owned()
        };
        self.wrong(&pointer, at, message);
        Ok(())
    }

    /// The pointer of the value that begins here, and notes where that is.
    fn place(&mut self, at: Marker) -> String {
        let pointer = match self.open.last() {
            None => String::new(),
            Some(Open { pointer, content: Content::List(items), .. }) => format!("{pointer}/{}", items.len()),
            Some(Open { pointer, content: Content::Object(_, _, name), .. }) => {
                let name = name.as_deref().unwrap_or_default();
                format!("{pointer}/{}", name.replace('~', "~0").replace('/', "~1"))
            }
        };
        self.positions.entry(pointer.clone()).or_insert(position(at));
        pointer
    }

    fn no_name_may_begin(&self, at: Marker) -> Result<(), TextError> {
        match self.open.last() {
            Some(Open { content: Content::Object(_, _, None), .. }) => {
                Err(error(at, "the name of a field is a word here, and no list, object or alias".to_owned()))
            }
            _ => Ok(()),
        }
    }

    fn wrong(&mut self, pointer: &str, at: Marker, message: String) {
        if self.errors.len() < MAX_ERRORS {
            let position = Some(position(at));
            self.errors.push(TextError { position, pointer: pointer.to_owned(), message });
        }
    }
}

fn is_core(tag: &Tag, suffixes: &[&str]) -> bool {
    tag.is_yaml_core_schema() && suffixes.contains(&tag.suffix.as_str())
}

fn unknown(tag: &Tag, at: Marker) -> TextError {
    error(at, format!("the tag `{tag}` is not known here; leave it out"))
}

fn syntax(error: &ScanError) -> TextError {
    self::error(*error.marker(), error.info().to_owned())
}

fn error(at: Marker, message: String) -> TextError {
    TextError { position: Some(position(at)), pointer: String::new(), message }
}

fn position(at: Marker) -> Position {
    Position { line: at.line(), column: at.col() + 1 }
}
