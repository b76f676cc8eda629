//! That an unpacked release runs here: the right version, every library found, the tools start.

use std::{
    fs::{self, File},
    io::Read,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, ensure};

use crate::{Root, root::run};

/// Checks a root and gives what `ceph-osd --version` prints.
pub(super) fn verify(root: &Root) -> Result<String> {
    let version = run(root.command("ceph-osd").arg("--version"))?;
    let release = root.release();
    ensure!(
        version.contains(&format!(" {release} ")),
        "Debian's {} has {}, not {release}",
        release.suite(),
        version.trim()
    );
    let missing = missing_libraries(root)?;
    ensure!(missing.is_empty(), "libraries are missing:\n{}", missing.join("\n"));
    for tool in ["ceph", "rados", "rbd", "python3"] {
        run(root.command(tool).arg("--version"))?;
    }
    for tool in ["osdmaptool", "crushtool", "monmaptool"] {
        ensure!(root.path().join("usr/bin").join(tool).exists(), "there is no {tool} in the packages");
    }
    if release.has_dencoder() {
        run(root.command("ceph-dencoder").arg("list_types"))?;
    }
    run(root.command("python3").args(["-c", "import rados"]))?;
    Ok(version)
}

/// Asks the dynamic loader of every program and plugin; those link all the libraries that matter.
fn missing_libraries(root: &Root) -> Result<Vec<String>> {
    let usr = root.path().join("usr");
    let mut files = Vec::new();
    collect(&usr.join("bin"), &|_| true, &mut files)?;
    collect(&usr.join("lib"), &is_plugin, &mut files)?;
    let inside = files.iter().filter_map(|f| Some(Path::new("/usr").join(f.strip_prefix(&usr).ok()?)));
    let loader = r#"for l in /lib64/ld-linux*.so.* /lib/ld-linux*.so.*; do [ -x "$l" ] && break; done"#;
    let list = r#"for f; do echo "$f"; "$l" --list "$f" 2>&1; done; true"#;
    let mut command = root.command("bash");
    command.args(["-c", &format!("{loader}; {list}"), "bash"]).args(inside);
    let output = run(&mut command)?;
    let (mut file, mut missing) = ("", Vec::new());
    for line in output.lines() {
        if line.starts_with("/usr/") {
            file = line;
        } else if line.contains("not found") {
            missing.push(format!("{file}: {}", line.trim()));
        }
    }
    Ok(missing)
}

fn is_plugin(path: &Path) -> bool {
    let text = path.to_string_lossy();
    text.contains(".so")
        && ["/ceph/", "/rados-classes/", "/dist-packages/"].iter().any(|part| text.contains(part))
}

/// ELF files below a folder; symbolic links are not followed.
fn collect(folder: &Path, wanted: &dyn Fn(&Path) -> bool, files: &mut Vec<PathBuf>) -> Result<()> {
    for entry in fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        let entry = entry?;
        let kind = entry.file_type()?;
        if kind.is_dir() {
            collect(&entry.path(), wanted, files)?;
        } else if kind.is_file() && wanted(&entry.path()) {
            let mut magic = Vec::new();
            File::open(entry.path())?.take(4).read_to_end(&mut magic)?;
            if magic == b"\x7fELF" {
                files.push(entry.path());
            }
        }
    }
    Ok(())
}
