//! Policies and data from files and folders, found as `opa eval --data` finds them.
//!
//! `*.rego` files are modules. `*.json` files are base documents: one given by name is merged into `data` itself, one in a
//! folder into the place its sub-folders name (`policies/a/b/x.json` of the folder `policies` into `data.a.b`). Other files of a
//! folder are passed over, and so are names that begin with a dot: a mounted ConfigMap shows everything a second time under such.

use std::{
    ffi::OsStr,
    fs::{self, File},
    io::Read,
    path::{Path, PathBuf},
    sync::Arc,
};

use regorus::Value;

use crate::{
    document::{Document, ReadError, Spelled, data_text, read_data},
    error::PolicyError,
    policies::Module,
};

/// Deepest folder that is read.
const MAX_FOLDERS: usize = 32;

/// Most that is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LoadLimits {
    /// Most files.
    pub max_files: usize,
    /// Most bytes, of all files together.
    pub max_bytes: u64,
}

/// What files hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sources {
    /// The modules, named by their files, in the order found.
    pub modules: Vec<Module>,
    /// The base document, as JSON. Its numbers are spelled as the engine writes them.
    pub data: Vec<u8>,
    /// Those that the files spell otherwise.
    pub spelled: Spelled,
}

/// What to do with a file.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Module,
    Document,
}

impl Sources {
    /// Read `paths`: files and folders.
    ///
    /// # Errors
    /// When one is missing, unreadable, of a kind that is not understood, beyond the limits, or contradicts another.
    pub fn read(paths: &[PathBuf], limits: LoadLimits) -> Result<Self, PolicyError> {
        let mut reader =
            Reader { limits, files: 0, bytes: 0, modules: Vec::new(), data: Value::new_object(), spelled: Spelled::default() };
        for path in paths {
            reader.given(path)?;
        }
        let data = data_text(&reader.data)?;
        Ok(Self { modules: reader.modules, data, spelled: reader.spelled })
    }
}

struct Reader {
    limits: LoadLimits,
    files: usize,
    bytes: u64,
    modules: Vec<Module>,
    data: Value,
    spelled: Spelled,
}

impl Reader {
    fn given(&mut self, path: &Path) -> Result<(), PolicyError> {
        if is_folder(path)? {
            return self.folder(path, &mut Vec::new());
        }
        match kind_of(path)? {
            Some(kind) => self.file(path, kind, &[]),
            None => Err(at(path, "it is neither a folder nor a .rego or .json file")),
        }
    }

    fn folder(&mut self, folder: &Path, place: &mut Vec<String>) -> Result<(), PolicyError> {
        if place.len() > MAX_FOLDERS {
            return Err(at(folder, format!("it lies deeper than {MAX_FOLDERS} folders")));
        }
        for path in entries(folder)? {
            let name = path.file_name().and_then(OsStr::to_str).ok_or_else(|| at(&path, "its name is not UTF-8"))?.to_owned();
            if name.starts_with('.') {
                continue;
            }
            if is_folder(&path)? {
                place.push(name);
                self.folder(&path, place)?;
                place.pop();
            } else if let Some(kind) = kind_of(&path)? {
                self.file(&path, kind, place)?;
            }
        }
        Ok(())
    }

    fn file(&mut self, path: &Path, kind: Kind, place: &[String]) -> Result<(), PolicyError> {
        let content = self.content(path)?;
        match kind {
            Kind::Module => {
                let name = path.display().to_string();
                if self.modules.iter().all(|module| module.name != name) {
                    self.modules.push(Module { name, source: content });
                }
                Ok(())
            }
            Kind::Document => self.document(path, &content, place),
        }
    }

    fn document(&mut self, path: &Path, content: &str, place: &[String]) -> Result<(), PolicyError> {
        let Document { mut value, spelled } = read_data(content.as_bytes()).map_err(|error| match error {
            ReadError::Malformed(_) => at(path, format!("it is {error}")),
            ReadError::Unsupported(_) => at(path, format!("the engine cannot hold it: {error}")),
        })?;
        for name in place.iter().rev() {
            let mut outer = Value::new_object();
            if let Ok(fields) = outer.as_object_mut() {
                fields.insert(Value::from(name.as_str()), value);
            }
            value = outer;
        }
        if !matches!(value, Value::Object(_)) {
            return Err(at(path, "it must hold a JSON object at its top, as in {\"roles\": {}}"));
        }
        self.spelled.absorb(&spelled);
        graft(&mut self.data, &value, "data")
            .map_err(|place| at(path, format!("its value at {place} contradicts that of another file")))
    }

    fn content(&mut self, path: &Path) -> Result<String, PolicyError> {
        self.files += 1;
        if self.files > self.limits.max_files {
            return Err(at(
                path,
                format!("there are more than {} files; raise max_files if it must be so", self.limits.max_files),
            ));
        }
        let left = self.limits.max_bytes.saturating_sub(self.bytes);
        let mut content = Vec::new();
        let file = File::open(path).map_err(|error| at(path, error))?;
        let read = file.take(left.saturating_add(1)).read_to_end(&mut content).map_err(|error| at(path, error))? as u64;
        if read > left {
            let limit = self.limits.max_bytes;
            return Err(at(path, format!("the files hold more than {limit} bytes; raise max_bytes if it must be so")));
        }
        self.bytes += read;
        String::from_utf8(content)
            .map_err(|error| at(path, format!("it is not UTF-8 (byte {})", error.utf8_error().valid_up_to())))
    }
}

fn at(path: &Path, reason: impl std::fmt::Display) -> PolicyError {
    PolicyError(format!("{}: {reason}", path.display()))
}

fn is_folder(path: &Path) -> Result<bool, PolicyError> {
    let about = fs::metadata(path).map_err(|error| at(path, error))?;
    if about.is_dir() || about.is_file() { Ok(about.is_dir()) } else { Err(at(path, "it is not a plain file")) }
}

fn entries(folder: &Path) -> Result<Vec<PathBuf>, PolicyError> {
    let found: Result<Vec<_>, _> = fs::read_dir(folder).and_then(|entries| entries.map(|it| Ok(it?.path())).collect());
    let mut paths = found.map_err(|error| at(folder, error))?;
    paths.sort_unstable();
    Ok(paths)
}

/// What a file is by its name; None for what OPA passes over. What OPA would read and this does not is refused: it would
/// silently be missing.
fn kind_of(path: &Path) -> Result<Option<Kind>, PolicyError> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    if name.ends_with(".tar.gz") {
        return Err(at(path, "bundles are not read; unpack it and give the folder"));
    }
    match path.extension().and_then(OsStr::to_str) {
        Some("rego") => Ok(Some(Kind::Module)),
        Some("json") => Ok(Some(Kind::Document)),
        Some("yaml" | "yml") => Err(at(path, "YAML data is not read, because YAML readers disagree; write it as JSON")),
        _ => Ok(None),
    }
}

/// Merge `from` into `into`; the error is the first place where both have a value and not both are objects.
fn graft(into: &mut Value, from: &Value, place: &str) -> Result<(), String> {
    let (Value::Object(into), Value::Object(from)) = (into, from) else {
        return Err(place.to_owned());
    };
    let into = Arc::make_mut(into);
    for (key, value) in from.iter() {
        if let Some(present) = into.get_mut(key) {
            graft(present, value, &format!("{place}.{}", key.as_string().map_or("?", |text| text)))?;
        } else {
            into.insert(key.clone(), value.clone());
        }
    }
    Ok(())
}
