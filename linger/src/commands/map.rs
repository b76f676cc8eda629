//! `map`: where objects are.

use super::connect::{connect, name};
use crate::cli::{self, Global};
use crate::explain::{POOLS, explain};
use crate::failure::{Failure, Outcome};
use crate::output::{Format, Stdout};
use crate::records::ObjectMap;
use linger_client::OsdMap;
use linger_core::placement::{Overlay, Placer, actual_pg, raw_pg};
use linger_wire::ObjectLocator;
use std::ffi::OsString;

/// Places objects by the newest map.
///
/// # Errors
/// There is no such pool, or no map.
pub async fn run(global: &Global, args: &cli::Map, format: Format) -> Result<Outcome, Failure> {
    let cluster = connect(global).await?;
    let map = cluster.with_map(OsdMap::clone).await.map_err(|error| explain(&error))?;
    let part = |text: &Option<OsString>| text.as_deref().map(name).unwrap_or_default();
    let pool_name = name(&args.pool);
    let Some(id) = map.pool_id(&pool_name) else {
        return Err(Failure::new(format_args!("cannot map objects of {pool_name}"), "no such pool", POOLS));
    };
    let (key, nspace) = (part(&global.locator), part(&global.namespace));
    let locator = ObjectLocator { pool: id, key, nspace, hash: -1 };
    let mut placer = Placer::new(&map);
    let mut out = Stdout::new(format);
    for object in &args.objects {
        let object = name(object);
        let raw = raw_pg(&map, &locator, &object, Overlay::Ignore);
        let placed = raw.ok().and_then(|raw| Some((raw, map.pool(raw.pool)?)));
        let Some((raw, pool)) = placed else { continue };
        let line = (pool_name.to_string_lossy(), object.to_string_lossy());
        out.write(&ObjectMap::new(&line.0, &line.1, actual_pg(pool, raw), &placer.place(raw)))?;
    }
    out.finish()?;
    Ok(Outcome::Done)
}
