//! Objects: what is written here is what Ceph's client reads, and the other way round.

use crate::Adapter;
use crate::support::{connect, name, object, rados, soon};
use anyhow::Result;
use linger_client::{Error, OpError};
use std::time::{Duration, SystemTime};

pub async fn objects_are_those_that_ceph_sees<A: Adapter>(on: A) -> Result<()> {
    let (cluster, pool) = connect(&on).await?;
    let (name, theirs) = (name("object"), rados()?);
    let first = pool.create(name.as_str(), true).await?;
    let again = pool.create(name.as_str(), true).await;
    assert_eq!(again.unwrap_err().errno(), Some(17), "EEXIST");
    let second = pool.write_full(name.as_str(), "of linger").await?;
    assert!(second > first, "{second} after {first}");
    assert_eq!(theirs.read(&object(&name))?, b"of linger");
    theirs.write_full(&object(&name), b"of ceph")?;
    let content = pool.read(name.as_str(), 0, 0).await?;
    assert_eq!(content.data, "of ceph");
    assert!(content.version > second);
    assert_eq!(pool.read(name.as_str(), 3, 2).await?.data, "ce");
    let stat = pool.stat(name.as_str()).await?;
    assert_eq!(stat.size, 7);
    let age = SystemTime::now().duration_since(stat.modified).unwrap_or_default();
    assert!(age < Duration::from_secs(300), "{age:?}");
    pool.remove(name.as_str()).await?;
    let error = pool.stat(name.as_str()).await.unwrap_err();
    assert!(matches!(error, Error::Op { error: OpError::Errno(2), .. }), "{error:?}");
    assert_eq!(error.to_string(), format!("cannot stat linger-adapters/{name}: no such object"));
    assert_eq!(soon(cluster.close(Duration::from_secs(5))).await??, []);
    Ok(())
}
