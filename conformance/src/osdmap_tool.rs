//! What `osdmaptool` says about a map, beside what we say.

use anyhow::{Context, Result, ensure};
use linger_core::placement::{PgLine, Placer, pgs};
use linger_testbed::Root;
use linger_wire::osdmap::OsdMap;
use std::path::Path;

/// The lines about placement groups in `osdmaptool FILE ARGS --test-map-pgs-dump-all`.
///
/// # Errors
/// The tool can not be run or can not read the map.
pub fn osdmaptool_pgs(root: &Root, map: &Path, args: &[&str]) -> Result<Vec<String>> {
    let output = root.command("osdmaptool").arg(map).args(args).arg("--test-map-pgs-dump-all").output()?;
    ensure!(output.status.success(), "osdmaptool: {}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout)?;
    Ok(text.lines().filter(|line| line.contains(" raw (")).map(str::to_owned).collect())
}

/// Compares the placement of all groups; returns how many there are.
///
/// # Errors
/// The first line that differs.
pub fn compare_pgs(map: &OsdMap, theirs: &[String]) -> Result<usize> {
    let mut placer = Placer::new(map);
    let mut theirs_left = theirs.iter();
    for pg in pgs(map) {
        let ours = PgLine::of(&mut placer, pg).to_string();
        let line = theirs_left.next().with_context(|| format!("osdmaptool does not have {ours}"))?;
        ensure!(ours == *line, "ours:   {ours}\ntheirs: {line}");
    }
    ensure!(theirs_left.next().is_none(), "osdmaptool has more groups");
    Ok(theirs.len())
}
