//! Ceph's own encodings, as its `ceph-object-corpus` repository keeps them.

use crate::tools;
use anyhow::{Context, Result, ensure};
use linger_testbed::{Release, Root};
use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

/// One encoded object of the corpus.
#[derive(Debug, Clone)]
pub struct Sample {
    /// The version of Ceph that encoded it, as the corpus names it (`18.2.0`).
    pub release: String,
    /// Where it lies, or lay if `ceph-dencoder` made it.
    pub path: PathBuf,
    /// The encoding.
    pub bytes: Vec<u8>,
}

impl Sample {
    /// The major version of Ceph that encoded it.
    ///
    /// # Panics
    /// If the corpus' folder is not named after a version.
    #[must_use]
    pub fn major(&self) -> u32 {
        let major = self.release.split('.').next().and_then(|major| major.parse().ok());
        major.expect("folders of the corpus are named after versions")
    }
}

/// Encodings of a type for the test of this name: the [`corpus`], or where there is none what
/// `ceph-dencoder` makes. Without either the test is noted as skipped and there are none.
///
/// The release is Nautilus, the last whose `ceph-dencoder` Debian packages whole.
///
/// # Errors
/// The tool can be had here, but can not be fetched or fails, or does not know the type.
///
/// # Panics
/// As [`corpus`] and [`tools`].
pub fn samples(type_name: &str, test: &str) -> Result<Option<Vec<Sample>>> {
    if let Some(samples) = corpus(type_name) {
        return Ok(Some(samples));
    }
    tools(Release::Nautilus, test)?.map(|root| generated(&root, type_name)).transpose()
}

fn generated(root: &Root, type_name: &str) -> Result<Vec<Sample>> {
    let dencoder = || {
        let mut command = root.command("ceph-dencoder");
        command.args(["type", type_name]);
        command
    };
    let count: u32 = run(dencoder().arg("count_tests"))?.trim().parse()?;
    ensure!(count > 0, "ceph-dencoder has no {type_name}");
    let folder = tempfile::tempdir()?;
    let version = root.version()?;
    let release = version.split(' ').nth(2).context("a version")?.to_owned();
    let one = |n: u32| {
        let path = folder.path().join(format!("{type_name}.{n}"));
        run(dencoder().args(["select_test", &n.to_string(), "encode", "export"]).arg(&path))?;
        let bytes = fs::read(&path)?;
        Ok(Sample { release: release.clone(), path, bytes })
    };
    (1..=count).map(one).collect()
}

fn run(command: &mut Command) -> Result<String> {
    let output = command.output()?;
    ensure!(output.status.success(), "ceph-dencoder: {}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// All encodings of a type (`CrushWrapper`), ordered by path; none if there is no corpus here.
///
/// The corpus is the folder `LINGER_CORPUS`, else `shared/corpus` beside the workspace's folder,
/// with `<version>/<type>/<file>` below.
///
/// # Panics
/// If the corpus can not be read, or has none of this type.
#[must_use]
pub fn corpus(type_name: &str) -> Option<Vec<Sample>> {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent();
    let beside = || workspace.and_then(Path::parent).unwrap_or(Path::new("/")).join("shared/corpus");
    let folder = env::var_os("LINGER_CORPUS").map_or_else(beside, PathBuf::from);
    if !folder.is_dir() {
        return None;
    }
    let mut samples = Vec::new();
    for version in entries(&folder).into_iter().filter(|path| path.join(type_name).is_dir()) {
        let release = version.file_name().unwrap_or_default().to_string_lossy();
        for path in entries(&version.join(type_name)) {
            let bytes = fs::read(&path).unwrap_or_else(|e| panic!("cannot read {}: {e}", path.display()));
            samples.push(Sample { release: release.clone().into_owned(), path, bytes });
        }
    }
    assert!(!samples.is_empty(), "no {type_name} in {}", folder.display());
    Some(samples)
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let read = fs::read_dir(folder).unwrap_or_else(|e| panic!("cannot read {}: {e}", folder.display()));
    let mut paths: Vec<_> = read.map(|entry| entry.expect("a folder's entry").path()).collect();
    paths.sort();
    paths
}
