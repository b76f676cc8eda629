//! Checks of the tree itself.

use super::module_map;
use super::tally::Tally;
use crate::mutants;
use crate::tree::{cargo, root};
use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;
use std::fs;
use std::path::Path;

/// No Rust file may have more lines than this.
const LINES_MAX: usize = 600;

/// All checks; each is told of, and counted.
pub(super) fn tidy() -> Result<Tally> {
    let mut tally = Tally::default();
    for (name, result) in [
        ("file sizes", sizes()),
        ("module map", module_map::check()),
        ("licences", licences()),
        ("no C", no_c()),
        ("mutants", mutants::check()),
    ] {
        match result {
            Ok(()) => tally.passed += 1,
            Err(error) => {
                eprintln!("{name}: {error:#}");
                tally.failed += 1;
            }
        }
    }
    Ok(tally)
}

fn sizes() -> Result<()> {
    let mut long = Vec::new();
    walk(root(), &mut |path, text| {
        let lines = text.lines().count();
        if lines > LINES_MAX {
            long.push(format!("{} has {lines} lines", path.display()));
        }
    })?;
    ensure!(long.is_empty(), "over {LINES_MAX} lines: {}", long.join(", "));
    Ok(())
}

/// Calls `look` for each Rust file; folders of builds and hidden ones are left out.
fn walk(folder: &Path, look: &mut impl FnMut(&Path, &str)) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if path.is_dir() && name != "target" && !name.starts_with('.') {
            walk(&path, look)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            look(&path, &fs::read_to_string(&path).with_context(|| path.display().to_string())?);
        }
    }
    Ok(())
}

/// Licences of all dependencies, of all targets and features, against the list in deny.toml.
fn licences() -> Result<()> {
    let deny = fs::read_to_string(root().join("deny.toml")).context("deny.toml")?;
    let list = listed(&deny);
    ensure!(!list.is_empty(), "deny.toml allows no licence");
    let output = cargo(&["metadata", "--format-version", "1", "--all-features"]).output()?;
    ensure!(output.status.success(), "cargo metadata: {}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).context("cargo metadata")?;
    let packages = metadata["packages"].as_array().context("no packages")?;
    let refused: Vec<_> = packages
        .iter()
        .filter(|package| !allowed(package["license"].as_str().unwrap_or("none"), &list))
        .map(|package| format!("{} ({})", package["name"], package["license"]))
        .collect();
    if refused.is_empty() { Ok(()) } else { bail!("not allowed: {}", refused.join(", ")) }
}

/// No package of the default build compiles C: linger is built into static and cross-compiled programs.
fn no_c() -> Result<()> {
    for package in ["linger", "linger-smol", "linger-mini-cluster"] {
        let args = ["tree", "-p", package, "-e", "normal,build", "--prefix", "none", "--target", "all"];
        let output = cargo(&args).output()?;
        ensure!(output.status.success(), "cargo tree: {}", String::from_utf8_lossy(&output.stderr));
        let tree = String::from_utf8(output.stdout)?;
        ensure!(tree.starts_with(package), "cargo tree says nothing of {package}");
        let found = tree.lines().find(|line| COMPILERS.iter().any(|name| line.starts_with(name)));
        ensure!(found.is_none(), "{package} needs a C toolchain for {}", found.unwrap_or_default());
    }
    Ok(())
}

/// What packages with C in them are built by.
const COMPILERS: [&str; 4] = ["cc v", "cmake v", "bindgen v", "nasm-rs v"];

/// The strings of `allow = [..]`.
fn listed(deny: &str) -> Vec<&str> {
    let list = deny.split_once("\nallow = [").and_then(|(_, rest)| rest.split_once(']'));
    list.map_or_else(Vec::new, |(list, _)| list.split('"').skip(1).step_by(2).collect())
}

/// Whether an SPDX expression is met by these licences: of "A OR B" one is enough, of "A AND B" both are needed.
fn allowed(expression: &str, list: &[&str]) -> bool {
    let expression = expression.replace('/', " OR ");
    let bare = |part: &str| part.trim_matches(['(', ')', ' ']).to_owned();
    let one_of = |part: &str| part.split(" OR ").any(|one| list.contains(&bare(one).as_str()));
    let all_of = |part: &str| part.split(" AND ").all(|part| one_of(&bare(part)));
    // "(A OR B) AND C" has its AND outermost, "A OR B AND C" its OR.
    if expression.contains('(') { all_of(&expression) } else { expression.split(" OR ").any(all_of) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DENY: &str = "[licenses]\nallow = [\n    \"MIT\",\n    \"Apache-2.0\",\n    \"Unicode-3.0\",\n]\n[bans]\na = \"b\"\n";

    #[test]
    fn licence_expressions() {
        let list = listed(DENY);
        assert_eq!(list, ["MIT", "Apache-2.0", "Unicode-3.0"]);
        for (expression, expected) in [
            ("MIT", true),
            ("MIT/Apache-2.0", true),
            ("MIT OR LGPL-3.0-or-later", true),
            ("LGPL-3.0-or-later", false),
            ("(MIT OR Apache-2.0) AND Unicode-3.0", true),
            ("(MIT OR Apache-2.0) AND GPL-2.0", false),
            ("LGPL-2.1 OR Apache-2.0 AND MIT", true),
            ("LGPL-2.1 OR Apache-2.0 AND GPL-2.0", false),
            ("Apache-2.0 WITH LLVM-exception OR Apache-2.0 OR MIT", true),
            ("none", false),
        ] {
            assert_eq!(allowed(expression, &list), expected, "{expression}");
        }
    }
}
