//! Unpacking a release from Debian's packages.
//!
//! Nothing is installed: apt resolves against an empty private state, and packages are only unpacked, without their
//! scripts. What is kept and left out stands in `fetch/lists.rs`.

mod lists;
mod verify;

use std::{
    fs::{self, File},
    os::unix::fs::symlink,
    path::Path,
    process::{self, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};

use crate::{Release, Root, root::run};
use lists::{EMPTY_MODULES, KEPT_MODULES, NO_MODULE, NOT_UNPACKED, WANTED, skipped};

/// Makes the folder `root`. Concurrent callers wait for the first.
pub(crate) fn fetch(release: Release, root: &Path) -> Result<()> {
    ensure!(rustix::process::geteuid().is_root(), "only root can unpack and use a release");
    let cache = root.parent().context("the cache folder has no name")?;
    fs::create_dir_all(cache)?;
    let lock = File::create(cache.join(format!(".{release}.lock")))?;
    lock.lock()?;
    if root.join("VERSION").exists() {
        return Ok(());
    }
    let start = Instant::now();
    remove_leftovers(release, cache)?;
    let temp = tempfile::Builder::new().prefix(&format!(".{release}.tmp.")).tempdir_in(cache)?;
    let unpacked = temp.path().join("root");
    unpack(release, temp.path(), &unpacked)?;
    let version = verify::verify(&Root::at(release, unpacked.clone()))?;
    fs::write(unpacked.join("VERSION"), &version)?;
    fs::rename(&unpacked, root)?;
    eprintln!("{release}: {} unpacked in {:.0?}, {}", version.trim(), start.elapsed(), root.display());
    Ok(())
}

/// What fetches that were killed left behind; the lock is ours.
fn remove_leftovers(release: Release, cache: &Path) -> Result<()> {
    let temps = format!(".{release}.tmp.");
    for entry in fs::read_dir(cache)? {
        let entry = entry?;
        let name = entry.file_name();
        if name == release.name() || name.to_string_lossy().starts_with(&temps) {
            fs::remove_dir_all(entry.path())?;
        }
    }
    Ok(())
}

fn unpack(release: Release, temp: &Path, root: &Path) -> Result<()> {
    let apt = Apt::new(release, temp)?;
    apt.retry(&["update".into()], temp)?;
    let mut simulate = vec!["--yes".into(), "--print-uris".into(), "install".into()];
    simulate.extend(WANTED.map(String::from));
    // Lines are: 'URI' NAME_VERSION_ARCH.deb SIZE HASH
    let uris = run(&mut apt.command(&simulate, temp))?;
    let names = uris.lines().filter_map(|l| l.split_whitespace().nth(1)?.split('_').next());
    let packages: Vec<String> = names.filter(|name| !skipped(name)).map(String::from).collect();
    let debs = temp.join("debs");
    fs::create_dir(&debs)?;
    let mut download = vec!["download".into()];
    download.extend(packages.iter().cloned());
    apt.retry(&download, &debs)?;

    for folder in ["bin", "sbin", "lib", "lib64"] {
        fs::create_dir_all(root.join("usr").join(folder))?;
        symlink(format!("usr/{folder}"), root.join(folder))?;
    }
    let mut files = fs::read_dir(&debs)?.map(|e| Ok(e?.path())).collect::<Result<Vec<_>>>()?;
    files.sort();
    let threads = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        let work = |part| scope.spawn(move || -> Result<()> { unpack_all(part, root) });
        let parts: Vec<_> = files.chunks(files.len().div_ceil(threads).max(1)).map(work).collect();
        parts.into_iter().try_for_each(|p| p.join().unwrap_or_else(|_| bail!("unpacking panicked")))
    })?;
    if !root.join("usr/bin/sh").exists() {
        symlink("bash", root.join("usr/bin/sh"))?;
    }
    fs::write(root.join("PACKAGES"), format!("{}\n{}\n", release.suite(), packages.join("\n")))?;
    slim_mgr(&root.join("usr/share/ceph/mgr"))
}

fn unpack_all(debs: &[std::path::PathBuf], root: &Path) -> Result<()> {
    for deb in debs {
        let mut reader =
            Command::new("dpkg-deb").arg("--fsys-tarfile").arg(deb).stdout(Stdio::piped()).spawn()?;
        let mut tar = Command::new("tar");
        tar.arg("-x").arg("-C").arg(root).arg("--keep-directory-symlink");
        tar.args(NOT_UNPACKED.map(|path| format!("--exclude=./{path}")));
        let tar = tar.stdin(reader.stdout.take().context("no pipe")?).status()?;
        let reader = reader.wait()?;
        ensure!(tar.success() && reader.success(), "cannot unpack {}", deb.display());
    }
    Ok(())
}

/// Loading the mgr's Python modules takes most of a cluster's start, so only those that a client may ask stay.
fn slim_mgr(modules: &Path) -> Result<()> {
    for entry in fs::read_dir(modules)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if !entry.file_type()?.is_dir() || KEPT_MODULES.contains(&name.as_str()) {
            continue;
        }
        fs::remove_dir_all(entry.path())?;
        // Without its always-on modules the mgr reports HEALTH_ERR.
        if EMPTY_MODULES.iter().any(|m| name.starts_with(m)) {
            fs::create_dir(entry.path())?;
            fs::write(entry.path().join("__init__.py"), "from .module import Module\n")?;
            fs::write(entry.path().join("module.py"), NO_MODULE)?;
        }
    }
    // The real one can not load twice in a process (PyO3), and Reef's modules all fail with it.
    Ok(fs::write(modules.join("bcrypt.py"), "# not the real one\n")?)
}

/// apt on a state of its own, with one suite of the machine's mirror.
struct Apt {
    options: Vec<String>,
}

impl Apt {
    fn new(release: Release, temp: &Path) -> Result<Self> {
        let state = temp.join("apt");
        fs::create_dir_all(state.join("lists/partial"))?;
        fs::create_dir_all(state.join("cache/archives/partial"))?;
        fs::write(state.join("status"), "")?;
        let keyring = "/usr/share/keyrings/debian-archive-keyring.gpg";
        let source = format!("deb [signed-by={keyring}] {} {} main\n", mirror()?, release.suite());
        fs::write(state.join("sources.list"), source)?;
        let architecture = run(Command::new("dpkg").arg("--print-architecture"))?;
        let state = state.display();
        let options = [
            format!("Dir::State={state}"),
            format!("Dir::State::status={state}/status"),
            format!("Dir::Cache={state}/cache"),
            "Dir::Cache::pkgcache=pkgcache.bin".into(),
            "Dir::Cache::srcpkgcache=srcpkgcache.bin".into(),
            format!("Dir::Etc::SourceList={state}/sources.list"),
            "Dir::Etc::SourceParts=/dev/null".into(),
            "Dir::Etc::PreferencesParts=/dev/null".into(),
            format!("APT::Architecture={}", architecture.trim()),
            "APT::Sandbox::User=root".into(),
            "APT::Install-Recommends=false".into(),
            "APT::Update::Error-Mode=any".into(),
            "Acquire::Languages=none".into(),
            "Acquire::IndexTargets::deb::Contents-deb::DefaultEnabled=false".into(),
            "Acquire::Retries=3".into(),
            "Acquire::http::Timeout=30".into(),
        ];
        Ok(Self { options: options.into_iter().flat_map(|o| ["-o".into(), o]).collect() })
    }

    fn command(&self, args: &[String], folder: &Path) -> Command {
        let mut command = Command::new("apt-get");
        command.arg("-qq").args(&self.options).args(args).current_dir(folder).env("LC_ALL", "C");
        command
    }

    /// Mirrors fail now and then, also in the middle of a download.
    fn retry(&self, args: &[String], folder: &Path) -> Result<()> {
        let mut tried = 0;
        loop {
            tried += 1;
            match run(&mut self.command(args, folder)) {
                Ok(_) => return Ok(()),
                Err(e) if tried == 4 => return Err(e),
                Err(e) => eprintln!("pid {}, try {tried}: {e:#}", process::id()),
            }
            thread::sleep(Duration::from_secs(tried * 3));
        }
    }
}

/// The mirror that this machine takes Debian itself from.
fn mirror() -> Result<String> {
    let known = || -> Result<Option<String>> {
        let mut targets = Command::new("apt-get");
        targets.args(["indextargets", "--format", "$(COMPONENT) $(REPO_URI)", "Created-By: Packages"]);
        let targets = run(&mut targets)?;
        let mut main = targets.lines().filter_map(|l| Some(l.strip_prefix("main ")?.trim_end_matches('/')));
        Ok(main.find(|uri| uri.ends_with("/debian")).map(String::from))
    };
    if let Some(uri) = known()? {
        return Ok(uri);
    }
    // indextargets lists nothing before the first update.
    run(Command::new("apt-get").args(["-qq", "update"]))?;
    known()?.context("no Debian mirror in this machine's apt sources")
}
