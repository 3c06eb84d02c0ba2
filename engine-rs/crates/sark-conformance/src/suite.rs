//! OPA's suite on disk: `v0/<folder>/*.yaml` and `v1/<folder>/*.yaml`.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use sark_engine::RegoVersion;

use crate::case::{Case, CaseFile};

const VERSIONS: [(&str, RegoVersion); 2] = [("v0", RegoVersion::V0), ("v1", RegoVersion::V1)];

/// Every case below `root`, in a stable order.
pub(crate) fn read(root: &Path) -> Result<Vec<Case>, String> {
    let mut cases = Vec::new();
    for (name, version) in VERSIONS {
        for folder in entries(&root.join(name))? {
            read_folder(&folder, name, version, &mut cases).map_err(|error| format!("{}: {error}", folder.display()))?;
        }
    }
    Ok(cases)
}

/// Notes begin with their folder's name more often than not, and are not unique.
fn read_folder(folder: &Path, version_name: &str, version: RegoVersion, cases: &mut Vec<Case>) -> Result<(), String> {
    let folder_name = folder.file_name().and_then(|name| name.to_str()).ok_or("the folder's name is not UTF-8")?;
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    for file in entries(folder)? {
        let text = fs::read_to_string(&file).map_err(|error| format!("{}: {error}", file.display()))?;
        let parsed: CaseFile = yaml_serde::from_str(&text).map_err(|error| format!("{}: {error}", file.display()))?;
        for raw in parsed.cases {
            let note = raw.note.strip_prefix(folder_name).and_then(|rest| rest.strip_prefix('/')).unwrap_or(&raw.note);
            let name = format!("{version_name}/{folder_name}/{note}");
            let number = seen.entry(name.clone()).or_default();
            *number += 1;
            let id = if *number == 1 { name } else { format!("{name} #{number}") };
            cases.push(raw.into_case(id, version)?);
        }
    }
    Ok(())
}

fn entries(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let failed = |error| format!("{}: {error}", folder.display());
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        paths.push(entry.map_err(failed)?.path());
    }
    paths.sort();
    Ok(paths)
}
