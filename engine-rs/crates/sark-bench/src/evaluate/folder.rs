//! A folder of policies, as OPA loads it: `.rego` files below it, and `data.json` in it as the root document.

use std::{
    fs,
    path::{Path, PathBuf},
};

const DATA: &str = "data.json";

pub(crate) struct Folder {
    /// Name and source, sorted by name.
    pub modules: Vec<(String, String)>,
    /// A JSON object.
    pub data: Vec<u8>,
}

impl Folder {
    pub(crate) fn read(folder: &Path) -> Result<Self, String> {
        let mut files = Vec::new();
        rego_files(folder, &mut files).map_err(|error| format!("{}: {error}", folder.display()))?;
        files.sort_unstable();
        let modules = files
            .iter()
            .map(|file| match fs::read_to_string(file) {
                Ok(source) => Ok((file.strip_prefix(folder).unwrap_or(file).display().to_string(), source)),
                Err(error) => Err(format!("{}: {error}", file.display())),
            })
            .collect::<Result<Vec<_>, _>>()?;
        if modules.is_empty() {
            return Err(format!("{} has no .rego file", folder.display()));
        }
        let data = folder.join(DATA);
        let data =
            if data.exists() { fs::read(&data).map_err(|error| format!("{}: {error}", data.display()))? } else { b"{}".into() };
        Ok(Self { modules, data })
    }
}

fn rego_files(folder: &Path, found: &mut Vec<PathBuf>) -> std::io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            rego_files(&path, found)?;
        } else if path.extension().is_some_and(|extension| extension == "rego") {
            found.push(path);
        }
    }
    Ok(())
}
