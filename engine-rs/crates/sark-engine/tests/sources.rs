//! Files and folders are found as `opa eval --data` finds them, or refused by name.

use std::{fs, path::PathBuf};

use sark_engine::{LoadLimits, Sources};

const LIMITS: LoadLimits = LoadLimits { max_files: 10, max_bytes: 10_000 };

/// A folder of its own for each test, removed when it ends.
struct Folder(PathBuf);

impl Folder {
    fn with(name: &str, files: &[(&str, &str)]) -> Self {
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("sources-{name}-{}", std::process::id()));
        for (file, content) in files {
            let path = folder.join(file);
            let parent = path.parent().map_or(Ok(()), fs::create_dir_all);
            assert!(parent.and_then(|()| fs::write(&path, content)).is_ok(), "{} cannot be written", path.display());
        }
        Self(folder)
    }

    fn read(&self, limits: LoadLimits) -> Result<Sources, String> {
        Sources::read(std::slice::from_ref(&self.0), limits).map_err(|error| error.to_string())
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn documents_of_a_folder_lie_where_its_sub_folders_say() {
    let folder = Folder::with(
        "tree",
        &[
            ("b.rego", "package b"),
            ("a/x.rego", "package a"),
            ("a/roles.json", r#"{"admin": ["alice"]}"#),
            ("a/more.json", r#"{"limit": 1.5}"#),
            ("list/data.json", "[1]"),
            ("top.json", r#"{"a": {"top": true}}"#),
            ("readme.md", "no policy"),
            (".hidden/x.json", "not even JSON"),
        ],
    );
    let sources = folder.read(LIMITS).unwrap();
    let data = r#"{"a":{"admin":["alice"],"limit":1.5,"top":true},"list":[1]}"#;
    assert_eq!(String::from_utf8(sources.data).unwrap(), data);
    let names: Vec<_> = sources.modules.iter().map(|module| module.name.rsplit('/').next().unwrap()).collect();
    assert_eq!(names, ["x.rego", "b.rego"]);
}

#[test]
fn a_document_given_by_name_is_merged_into_data_itself_and_a_module_given_twice_counts_once() {
    let folder = Folder::with("named", &[("a/x.json", r#"{"x": 1}"#), ("a/p.rego", "package p")]);
    let (document, module) = (folder.0.join("a/x.json"), folder.0.join("a/p.rego"));
    let sources = Sources::read(&[document, module.clone(), module], LIMITS).unwrap();
    assert_eq!(sources.data, br#"{"x":1}"#);
    assert_eq!(sources.modules.len(), 1);
}

#[test]
fn what_cannot_be_read_is_refused_and_named() {
    for (name, files, message) in [
        ("json", &[("x.json", "{")][..], "x.json: it is not valid JSON"),
        ("top", &[("x.json", "[1]")], "x.json: it must hold a JSON object at its top"),
        ("yaml", &[("a/x.yaml", "a: yes")], "a/x.yaml: YAML data is not read"),
        ("bundle", &[("b.tar.gz", "")], "b.tar.gz: bundles are not read"),
        (
            "conflict",
            &[("a.json", r#"{"x": {"y": 1}}"#), ("b.json", r#"{"x": {"y": 1}}"#)],
            "its value at data.x.y contradicts",
        ),
    ] {
        let refused = Folder::with(name, files).read(LIMITS).unwrap_err();
        assert!(refused.contains(message), "{refused}");
    }
    let nowhere = Sources::read(&["no/such/file.rego".into()], LIMITS).unwrap_err().to_string();
    assert!(nowhere.starts_with("no/such/file.rego: "), "{nowhere}");
    let unknown = Folder::with("unknown", &[("a.txt", "text")]);
    let refused = Sources::read(&[unknown.0.join("a.txt")], LIMITS).unwrap_err().to_string();
    assert!(refused.ends_with("it is neither a folder nor a .rego or .json file"), "{refused}");
}

#[test]
fn limits_count_all_files_together() {
    let folder = Folder::with("limits", &[("a.rego", "package a"), ("b.rego", "package b")]);
    assert!(folder.read(LoadLimits { max_files: 2, max_bytes: 18 }).is_ok());
    let files = folder.read(LoadLimits { max_files: 1, max_bytes: 18 }).unwrap_err();
    assert!(files.contains("b.rego: there are more than 1 files"), "{files}");
    let bytes = folder.read(LoadLimits { max_files: 2, max_bytes: 17 }).unwrap_err();
    assert!(bytes.contains("b.rego: the files hold more than 17 bytes"), "{bytes}");
}

#[cfg(unix)]
#[test]
fn a_folder_that_contains_itself_ends() {
    let folder = Folder::with("loop", &[("a.rego", "package a")]);
    std::os::unix::fs::symlink(&folder.0, folder.0.join("again")).unwrap();
    let refused = folder.read(LoadLimits { max_files: 1_000, max_bytes: 100_000 }).unwrap_err();
    assert!(refused.contains("deeper than 32 folders") || refused.contains("symbolic links"), "{refused}");
}
