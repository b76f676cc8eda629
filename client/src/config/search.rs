//! Lists of files of which the first that can be opened counts.
//!
//! Facts: `common/config.cc` (`parse_config_files`, `ceph_resolve_file_search`), `include/str_list.h`.

use super::error::{ConfigError, Origin, unreadable};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// Where Ceph's programs look for their configuration. `$data_dir`, which is for daemons, is left out.
pub(crate) const CONF_DEFAULT: &str = "/etc/ceph/$cluster.conf,$home/.ceph/$cluster.conf,$cluster.conf";

/// The items of a list as Ceph separates them.
pub(crate) fn items(list: &str) -> impl Iterator<Item = &str> {
    list.split([';', ',', '=', ' ', '\t', '\n']).filter(|item| !item.is_empty())
}

/// The files in a list. One that exists as written is taken whole, whatever separators are in it.
pub(crate) fn files(list: &str) -> Vec<PathBuf> {
    if Path::new(list).is_file() { vec![list.into()] } else { items(list).map(PathBuf::from).collect() }
}

/// What a search found.
pub(crate) enum Found {
    /// The first file that could be opened, and its text.
    File { path: PathBuf, text: Zeroizing<String> },
    /// None; one of them perhaps because it may not be read.
    Nothing { searched: Vec<PathBuf>, denied: Option<PathBuf> },
}

/// Reads the first file of `paths` that can be opened.
pub(crate) fn first(paths: Vec<PathBuf>) -> Result<Found, ConfigError> {
    let mut denied = None;
    for path in &paths {
        match fs::read_to_string(path) {
            Ok(text) => return Ok(Found::File { path: path.clone(), text: Zeroizing::new(text) }),
            Err(e) if e.kind() == io::ErrorKind::NotFound || e.kind() == io::ErrorKind::NotADirectory => {}
            Err(e) if e.kind() == io::ErrorKind::PermissionDenied => denied = denied.or(Some(path.clone())),
            Err(e) => return Err(unreadable(path)(e)),
        }
    }
    Ok(Found::Nothing { searched: paths, denied })
}

/// The cluster's name in the name of a file such as `/etc/ceph/NAME.conf`.
pub(crate) fn cluster_of(conf: &Path) -> Option<&str> {
    let (cluster, _) = conf.file_name()?.to_str()?.split_once(".conf")?;
    Some(cluster).filter(|cluster| !cluster.is_empty())
}

/// Whether every user of the machine can read a file.
#[cfg(unix)]
pub(crate) fn readable_by_all(path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    fs::metadata(path).is_ok_and(|meta| meta.is_file() && meta.mode() & 0o004 != 0)
}

/// Whether every user of the machine can read a file: not known on this system.
#[cfg(not(unix))]
pub(crate) fn readable_by_all(_: &Path) -> bool {
    false
}

/// The file a value comes from.
pub(crate) fn file_of(origin: &Origin) -> Option<&Path> {
    match origin {
        Origin::File { path, .. } => Some(path),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_split_as_in_ceph() {
        assert_eq!(items("/a, /b;/c\t/d=/e,,").collect::<Vec<_>>(), ["/a", "/b", "/c", "/d", "/e"]);
        let dir = tempfile::tempdir().unwrap();
        let odd = dir.path().join("with space, and=sign");
        fs::write(&odd, "").unwrap();
        assert_eq!(files(odd.to_str().unwrap()), [odd]);
    }

    #[test]
    fn clusters_of_files() {
        for (file, cluster) in [
            ("/etc/ceph/ceph.conf", Some("ceph")),
            ("b.conf", Some("b")),
            ("/x.conf/y.conf.new", Some("y")),
            ("/x.conf/y", None),
            (".conf", None),
        ] {
            assert_eq!(cluster_of(Path::new(file)), cluster, "{file}");
        }
    }
}
