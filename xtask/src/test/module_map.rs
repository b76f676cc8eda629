//! The module map in CONTRIBUTING.md against the tree.

use crate::tree::root;
use anyhow::{Context, Result, ensure};
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

const PAGE: &str = "CONTRIBUTING.md";

/// Every package and every module directly below these stands in the map.
const WITH_MODULES: &[&str] = &[
    "wire",
    "proto-core",
    "client",
    "runtime-tokio",
    "runtime-smol",
    "runtime-embassy",
    "linger",
    "mini-cluster",
    "sim",
    "testbed",
    "adapter-tests",
];

/// Checks the map: what it names exists, and nothing is left out.
///
/// # Errors
/// It names what is not there, or does not name what is.
pub(super) fn check() -> Result<()> {
    let page = fs::read_to_string(root().join(PAGE)).context(PAGE)?;
    let named = named(&page);
    let gone: Vec<_> = named.iter().filter(|path| !root().join(path).exists()).collect();
    ensure!(gone.is_empty(), "{PAGE} names what is not there: {gone:?}");
    let mut missing: Vec<_> = tree()?.into_iter().filter(|path| !named.contains(path)).collect();
    missing.sort();
    ensure!(missing.is_empty(), "{PAGE} has no line on {missing:?}");
    Ok(())
}

/// The paths in the first cells of the map's tables.
fn named(page: &str) -> BTreeSet<String> {
    let (_, map) = page.split_once("\n## Module map\n").unwrap_or_default();
    let map = map.split_once("\n## ").map_or(map, |(map, _)| map);
    let first_cells = map.lines().filter_map(|line| line.strip_prefix("| `"));
    let paths = first_cells.filter_map(|rest| rest.split_once("` |").map(|(cell, _)| cell));
    paths.flat_map(|cell| cell.split("`, `")).map(str::to_owned).collect()
}

/// Folders of packages, and modules where the map has them.
fn tree() -> Result<Vec<String>> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(root())? {
        let entry = entry?;
        let folder = entry.file_name().to_string_lossy().into_owned();
        if !entry.path().join("Cargo.toml").exists() {
            continue;
        }
        if WITH_MODULES.contains(&folder.as_str()) {
            paths.extend(modules(&folder, &entry.path().join("src"))?);
        }
        paths.push(folder);
    }
    Ok(paths)
}

fn modules(folder: &str, src: &Path) -> Result<BTreeSet<String>> {
    let names = fs::read_dir(src)?.map(|entry| Ok(entry?.path()));
    let names = names.collect::<Result<Vec<_>>>()?;
    // A folder `foo` beside `foo.rs` is the same module.
    let is_module = |path: &&std::path::PathBuf| {
        let rust = path.extension().is_some_and(|extension| extension == "rs");
        let root = path.file_stem().is_some_and(|stem| stem == "lib" || stem == "main");
        if rust { !root } else { path.is_dir() && !path.with_extension("rs").exists() }
    };
    let name = |path: &std::path::PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        format!("{folder}/src/{name}")
    };
    Ok(names.iter().filter(is_module).map(name).collect())
}

#[cfg(test)]
mod tests {
    use super::named;

    #[test]
    fn paths_are_first_cells() {
        let map =
            "| path | what |\n|---|---|\n| `a/src/b.rs` | see `c` |\n### d\n| `d`, `e/f` | g |\n`h` | i\n";
        let page = format!("| `X` | no path |\n\n## Module map\n{map}\n## Release\n| `Y` | nor this |\n");
        let expected = ["a/src/b.rs", "d", "e/f"].map(str::to_owned);
        assert_eq!(named(&page), expected.into());
    }
}
