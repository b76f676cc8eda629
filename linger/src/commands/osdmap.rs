//! `osdmap`: what a file with a map says.

use crate::cli;
use crate::failure::{Failure, Outcome};
use crate::output::{Format, Stdout};
use crate::records::{MapSummary, PgMap};
use linger_core::placement::{PgLine, Placer, mark_up_in, pgs};
use linger_wire::osdmap::OsdMap;
use linger_wire::{Decode, DecodeErrorKind};
use std::fs;
use std::io::{self, Read};
use std::path::Path;

/// Decodes a map and prints it.
///
/// # Errors
/// The file cannot be read or is no map.
pub fn run(args: &cli::Osdmap, format: Format) -> Result<Outcome, Failure> {
    let mut map = decode(&args.file)?;
    if args.mark_up_in {
        mark_up_in(&mut map);
    }
    let mut out = Stdout::new(format);
    if args.pgs {
        let mut placer = Placer::new(&map);
        for pg in pgs(&map) {
            out.write(&PgMap(PgLine::of(&mut placer, pg)))?;
        }
    } else {
        out.write(&MapSummary::new(&map))?;
    }
    out.finish()?;
    Ok(Outcome::Done)
}

fn decode(file: &Path) -> Result<OsdMap, Failure> {
    let what = |doing: &str| format!("cannot {doing} OSDMap {}", file.display());
    let bytes = read(file).map_err(|error| {
        Failure::new(what("read"), error, "name a file that 'ceph osd getmap -o FILE' wrote")
    })?;
    OsdMap::decode(&bytes).map_err(|error| {
        let hint = match error.kind {
            DecodeErrorKind::TooNew { .. } => "a newer linger may read it",
            DecodeErrorKind::TooOld { .. } => "maps of Nautilus and later are read",
            _ => "write it with 'ceph osd getmap -o FILE'",
        };
        Failure::new(what("decode"), error, hint)
    })
}

fn read(file: &Path) -> io::Result<Vec<u8>> {
    if file != Path::new("-") {
        return fs::read(file);
    }
    let mut bytes = Vec::new();
    io::stdin().lock().read_to_end(&mut bytes)?;
    Ok(bytes)
}
