//! A folder that keeps a cluster: a file for the cluster itself, and one for each object.
//!
//! Each file is a line with what it is and a checksum, a line of JSON, and bytes as they are: the OSD map, or
//! an object's content. A file is written beside its place and then put there, so it is old or new, never
//! half. Nothing is forced to the disk: a crash of the process loses nothing, one of the machine may.

use crate::kept::{Change, KeptCluster};
use crate::keys::KeptKeys;
use crate::store::{Object, ObjectKey};
use bytes::Bytes;
use linger_wire::msg::{Watcher, WatcherId};
use linger_wire::osdmap::OsdMap;
use linger_wire::{Decode, Encode, EntityAddr, EntityName, Name, UTime};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::{self, File, TryLockError};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The first words of each file; the number tells layouts apart.
const MAGIC: &str = "linger-mini-cluster 1";
/// Where a file is written before it is put in its place.
const UNFINISHED: &str = "unfinished";

/// A folder in use; no other process can use it meanwhile.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    /// The number of the file of each object.
    files: BTreeMap<ObjectKey, u64>,
    next: u64,
    _lock: File,
}

/// What a folder had.
pub(super) struct Found {
    pub cluster: KeptCluster,
    pub objects: Vec<(ObjectKey, Object)>,
}

impl Folder {
    /// Opens a folder, which is made if need be, and reads what it keeps; `None` if it is a new one.
    pub fn open(path: &Path) -> io::Result<(Self, Option<Found>)> {
        fs::create_dir_all(path.join("objects"))?;
        let lock = File::create(path.join("lock"))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let why = format!("{} is in use by another mini-cluster", path.display());
                return Err(io::Error::new(ErrorKind::ResourceBusy, why));
            }
            Err(TryLockError::Error(error)) => return Err(error),
        }
        let mut folder = Self { path: path.to_owned(), files: BTreeMap::new(), next: 0, _lock: lock };
        let file = path.join("cluster");
        if !file.exists() {
            return Ok((folder, None));
        }
        let (header, map) = read::<ClusterHeader>(&file)?;
        let cluster = header.open(&map).ok_or_else(|| damaged(&file, "what is in it makes no cluster"))?;
        let objects = folder.objects()?;
        Ok((folder, Some(Found { cluster, objects })))
    }

    fn objects(&mut self) -> io::Result<Vec<(ObjectKey, Object)>> {
        let mut objects = Vec::new();
        for entry in fs::read_dir(self.path.join("objects"))? {
            let file = entry?.path();
            let number = file.file_name().and_then(|name| name.to_str()?.parse::<u64>().ok());
            let Some(number) = number else { continue };
            let (header, data) = read::<ObjectHeader>(&file)?;
            let (key, object) =
                header.open(data).ok_or_else(|| damaged(&file, "what is in it makes no object"))?;
            self.next = self.next.max(number + 1);
            if self.files.insert(key.clone(), number).is_some() {
                return Err(damaged(&file, "another file has the same object"));
            }
            objects.push((key, object));
        }
        Ok(objects)
    }

    /// Keeps what has changed.
    pub fn keep(&mut self, changes: Vec<Change>) -> io::Result<()> {
        for change in changes {
            match change {
                Change::Cluster(cluster) => {
                    let header = ClusterHeader::new(&cluster);
                    self.write(&self.path.join("cluster"), &header, &cluster.map.to_bytes())?;
                }
                Change::Object(key, Some(object)) => {
                    let number = *self.files.entry(key.clone()).or_insert_with(|| {
                        self.next += 1;
                        self.next - 1
                    });
                    self.write(&self.file(number), &ObjectHeader::new(&key, &object), &object.data)?;
                }
                Change::Object(key, None) => {
                    if let Some(number) = self.files.remove(&key) {
                        fs::remove_file(self.file(number))?;
                    }
                }
            }
        }
        Ok(())
    }

    fn file(&self, number: u64) -> PathBuf {
        self.path.join("objects").join(number.to_string())
    }

    fn write(&self, file: &Path, header: &impl Serialize, data: &[u8]) -> io::Result<()> {
        let mut body = serde_json::to_vec(header)?;
        body.push(b'\n');
        body.extend_from_slice(data);
        let mut content = format!("{MAGIC} {:08x}\n", crc32c::crc32c(&body)).into_bytes();
        content.append(&mut body);
        let unfinished = self.path.join(UNFINISHED);
        fs::write(&unfinished, content)?;
        fs::rename(unfinished, file)
    }
}

/// Reads a file that [`Folder::write`] wrote.
fn read<H: DeserializeOwned>(file: &Path) -> io::Result<(H, Bytes)> {
    let content = Bytes::from(fs::read(file)?);
    let line = |from: usize| content[from..].iter().position(|byte| *byte == b'\n').map(|at| from + at);
    let Some(first) = line(0) else { return Err(damaged(file, "it has no first line")) };
    let words = String::from_utf8_lossy(&content[..first]).into_owned();
    let Some(sum) = words.strip_prefix(MAGIC).map(str::trim) else {
        return Err(damaged(file, "it does not begin as such a file does"));
    };
    let body = content.slice(first + 1..);
    if u32::from_str_radix(sum, 16) != Ok(crc32c::crc32c(&body)) {
        return Err(damaged(file, "its checksum is wrong"));
    }
    let Some(second) = line(first + 1) else { return Err(damaged(file, "it has no second line")) };
    let header = serde_json::from_slice(&content[first + 1..second])
        .map_err(|error| damaged(file, &error.to_string()))?;
    Ok((header, content.slice(second + 1..)))
}

fn damaged(file: &Path, why: &str) -> io::Error {
    let text = format!("{} is damaged: {why}", file.display());
    io::Error::new(ErrorKind::InvalidData, text)
}

#[derive(Serialize, Deserialize)]
struct ClusterHeader {
    /// As a keyring has it.
    admin_key: String,
    /// What the services' keys are drawn from.
    master: String,
    next_global_id: u64,
    version: u64,
}

impl ClusterHeader {
    fn new(cluster: &KeptCluster) -> Self {
        let KeptKeys { admin, master, next_global_id } = &cluster.keys;
        Self {
            admin_key: admin.to_base64(),
            master: hex(master),
            next_global_id: *next_global_id,
            version: cluster.version,
        }
    }

    fn open(self, map: &[u8]) -> Option<KeptCluster> {
        let admin = self.admin_key.parse().ok()?;
        let master = unhex(&self.master)?.try_into().ok()?;
        let keys = KeptKeys { admin, master, next_global_id: self.next_global_id };
        let map = OsdMap::decode(map).ok()?;
        Some(KeptCluster { map: Arc::new(map), keys, version: self.version })
    }
}

/// Names are any bytes, so they are in hex.
#[derive(Serialize, Deserialize)]
struct ObjectHeader {
    pool: i64,
    hash: u32,
    namespace: String,
    locator: String,
    name: String,
    mtime: (u32, u32),
    version: u64,
    watchers: Vec<WatcherHeader>,
}

#[derive(Serialize, Deserialize)]
struct WatcherHeader {
    client: u64,
    cookie: u64,
    timeout: u32,
    /// Encoded.
    addr: String,
}

impl ObjectHeader {
    fn new(key: &ObjectKey, object: &Object) -> Self {
        let watcher = |(id, entry): (&WatcherId, &Watcher)| WatcherHeader {
            client: id.client,
            cookie: id.cookie,
            timeout: entry.timeout,
            addr: hex(&entry.addr.to_bytes()),
        };
        Self {
            pool: key.pool,
            hash: key.hash,
            namespace: hex(key.nspace.as_bytes()),
            locator: hex(key.key.as_bytes()),
            name: hex(key.name.as_bytes()),
            mtime: (object.mtime.sec, object.mtime.nsec),
            version: object.version,
            watchers: object.watchers.iter().map(watcher).collect(),
        }
    }

    fn open(self, data: Bytes) -> Option<(ObjectKey, Object)> {
        let name = |text: &str| unhex(text).map(Name::from);
        let key = ObjectKey {
            pool: self.pool,
            hash: self.hash,
            nspace: name(&self.namespace)?,
            key: name(&self.locator)?,
            name: name(&self.name)?,
        };
        let watcher = |kept: WatcherHeader| {
            let WatcherHeader { client, cookie, timeout, addr } = kept;
            let addr = EntityAddr::decode(&unhex(&addr)?).ok()?;
            let entry = Watcher { name: EntityName::client(client), cookie, timeout, addr };
            Some((WatcherId { client, cookie }, entry))
        };
        let watchers = self.watchers.into_iter().map(watcher).collect::<Option<_>>()?;
        let mtime = UTime { sec: self.mtime.0, nsec: self.mtime.1 };
        Some((key, Object { data, mtime, version: self.version, watchers }))
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u8>> =
        text.chars().map(|digit| digit.to_digit(16).map(|digit| digit as u8)).collect();
    let digits = digits.filter(|digits| digits.len() % 2 == 0)?;
    Some(digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect())
}
