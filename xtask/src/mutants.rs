//! `cargo xtask sim --mutants`: hand-made bugs in the core, each of which the simulator has to find.
//!
//! `sim/mutants` has a patch for each. All of them are applied to a copy of the tree, which is built once: each is
//! behind a switch that the environment sets (`switch.patch`), so the core itself knows nothing of them.

use crate::sim;
use crate::tree::{root, target};
use anyhow::{Context, Result, bail, ensure};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::Instant;

/// Seeds within which each has to be found.
const SEEDS: &str = "0..10000";
/// The patch that makes the others a choice.
const SWITCH: &str = "switch";

/// One of them.
struct Patch {
    name: String,
    /// What it breaks.
    about: String,
    hunks: Vec<Hunk>,
}

/// Lines that a patch replaces.
struct Hunk {
    file: PathBuf,
    old: String,
    new: String,
}

/// Finds all of them, or those that are named.
///
/// # Errors
/// A patch does not apply, or the build fails.
pub(crate) fn run(names: &[String]) -> Result<ExitCode> {
    let tree = target().join("mutants").join("tree");
    let patches = patches()?;
    if let Some(name) = names.iter().find(|name| !patches.iter().any(|patch| patch.name == **name)) {
        bail!("there is no mutant {name}");
    }
    copy(root(), &tree, &patched(&patches)?)?;
    let build = target().join("mutants");
    let status = sim::build().current_dir(&tree).env("CARGO_TARGET_DIR", &build).status()?;
    ensure!(status.success(), "the mutants do not build");
    let program = build.join("sim").join("linger-sim");
    let wanted = |patch: &&Patch| names.is_empty() || names.contains(&patch.name);
    let mut survivors = 0;
    println!("{:<24}{:>8}{:>8}  what was seen", "mutant", "seeds", "s");
    for patch in patches.iter().filter(|patch| patch.name != SWITCH).filter(wanted) {
        let start = Instant::now();
        let (seeds, seen) = match hunt(&program, &patch.name, SEEDS)? {
            Some((seed, seen)) => {
                let control = hunt(&program, "none", &seed.to_string())?;
                ensure!(control.is_none(), "seed {seed} fails without any mutant, too");
                ((seed + 1).to_string(), seen)
            }
            None => {
                survivors += 1;
                ("none".to_owned(), format!("SURVIVED: {}", patch.about))
            }
        };
        println!("{:<24}{seeds:>8}{:>8.1}  {seen}", patch.name, start.elapsed().as_secs_f64());
    }
    println!("{survivors} of them survived {SEEDS}");
    Ok(if survivors == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Whether all patches apply; for `tidy`.
///
/// # Errors
/// One does not.
pub(crate) fn check() -> Result<()> {
    patched(&patches()?).map(drop)
}

/// The first of the seeds that finds a mutant, and by what.
fn hunt(program: &Path, name: &str, seeds: &str) -> Result<Option<(u64, String)>> {
    let output = Command::new(program)
        .args(["--seeds", seeds, "--no-shrink"])
        .env("LINGER_MUTANT", name)
        .stderr(Stdio::null())
        .output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let found = text.lines().filter_map(|line| line.strip_prefix("SEED ")?.split_once(' '));
    let found = found.map(|(seed, seen)| Ok((seed.parse()?, seen.chars().take(100).collect())));
    let first = found.collect::<Result<Vec<(u64, String)>>>()?.into_iter().min();
    ensure!(first.is_some() != output.status.success(), "the simulator does not run: {}", output.status);
    Ok(first)
}

/// All patches, the switch first.
fn patches() -> Result<Vec<Patch>> {
    let mut patches = Vec::new();
    for entry in fs::read_dir(root().join("sim/mutants"))? {
        let path = entry?.path();
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let text = fs::read_to_string(&path)?;
        patches.push(parse(name, &text).with_context(|| path.display().to_string())?);
    }
    patches.sort_by_key(|patch| (patch.name != SWITCH, patch.name.clone()));
    Ok(patches)
}

/// Reads a unified diff. What it replaces is found by its text, so lines may move.
fn parse(name: String, text: &str) -> Result<Patch> {
    let (about, diff) = text.split_once("\n\n").context("no blank line after what it is about")?;
    let about = about.replace('\n', " ");
    let mut patch = Patch { name, about, hunks: Vec::new() };
    let mut file = PathBuf::new();
    for line in diff.lines() {
        if let Some(path) = line.strip_prefix("+++ b/") {
            file = path.into();
        } else if line.starts_with("@@") {
            patch.hunks.push(Hunk { file: file.clone(), old: String::new(), new: String::new() });
        } else if let Some(hunk) = patch.hunks.last_mut().filter(|_| !line.starts_with("---")) {
            let (sign, rest) = line.split_at_checked(1).unwrap_or((" ", ""));
            let sides = match sign {
                " " => [Some(&mut hunk.old), Some(&mut hunk.new)],
                "-" => [Some(&mut hunk.old), None],
                "+" => [None, Some(&mut hunk.new)],
                _ => bail!("not a line of a diff: {line}"),
            };
            sides.into_iter().flatten().for_each(|side| *side += &format!("{rest}\n"));
        }
    }
    ensure!(!patch.hunks.is_empty(), "it changes nothing");
    Ok(patch)
}

/// All files that the patches change, changed.
fn patched(patches: &[Patch]) -> Result<BTreeMap<PathBuf, String>> {
    let mut files = BTreeMap::new();
    for Patch { name, hunks, .. } in patches {
        for Hunk { file, old, new } in hunks {
            let text = match files.remove(file) {
                Some(text) => text,
                None => fs::read_to_string(root().join(file)).with_context(|| file.display().to_string())?,
            };
            let count = text.matches(old.as_str()).count();
            ensure!(
                count == 1,
                "sim/mutants/{name}.patch: {} has {count} times, not once:\n{old}",
                file.display()
            );
            files.insert(file.clone(), text.replacen(old.as_str(), new, 1));
        }
    }
    Ok(files)
}

/// Copies a tree, with some files changed. What is there already and right keeps its time: it is not built again.
fn copy(from: &Path, to: &Path, changed: &BTreeMap<PathBuf, String>) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default();
        let hidden = name.to_string_lossy().starts_with('.');
        let (inner, to) = (path.strip_prefix(root())?, to.join(name));
        if path.is_dir() && name != "target" && !hidden {
            copy(&path, &to, changed)?;
        } else if path.is_file() && !hidden {
            let content = match changed.get(inner) {
                Some(text) => text.clone().into_bytes(),
                None => fs::read(&path)?,
            };
            if fs::read(&to).ok().as_ref() != Some(&content) {
                fs::write(&to, content)?;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_mutant_has_a_switch_of_its_name() {
        for patch in patches().unwrap().iter().filter(|patch| patch.name != SWITCH) {
            let switch = format!("crate::mutant(\"{}\")", patch.name);
            assert!(patch.hunks.iter().any(|hunk| hunk.new.contains(&switch)), "{}", patch.name);
            assert!(patch.hunks.iter().all(|hunk| !hunk.old.contains("crate::mutant")), "{}", patch.name);
        }
    }

    #[test]
    fn a_patch_is_found_by_its_text() {
        let text = "A bug.\n\n--- a/xtask/Cargo.toml\n+++ b/xtask/Cargo.toml\n@@ -9,1 +9,1 @@\n-name = \"xtask\"\n+name = \"other\"\n";
        let good = parse("bug".into(), text).unwrap();
        let files = patched(&[good]).unwrap();
        assert!(files[Path::new("xtask/Cargo.toml")].contains("name = \"other\""));
        let bad = parse("bug".into(), &text.replace("-name", "-nome")).unwrap();
        assert!(patched(&[bad]).is_err());
    }
}
