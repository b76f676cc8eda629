//! Objects: what is written here is what Ceph's client reads, and the other way round.

use crate::common::{connect, name, object, rados, soon, wait};
use anyhow::Result;
use linger_testbed::need_cluster;
use linger_tokio::{Error, OpError};
use std::time::{Duration, SystemTime};

#[tokio::test(flavor = "multi_thread")]
async fn objects_are_those_that_ceph_sees() -> Result<()> {
    need_cluster!(Ok(()));
    let (cluster, pool) = connect().await?;
    let (name, theirs) = (name("object"), rados()?);
    let first = pool.create(name.as_str(), true).await?;
    let again = pool.create(name.as_str(), true).await;
    assert_eq!(again.unwrap_err().errno(), Some(17), "EEXIST");
    let second = pool.write_full(name.as_str(), "of linger").await?;
    assert!(second > first, "{second} after {first}");
    assert_eq!(wait(|| theirs.read(&object(&name)))?, b"of linger");
    wait(|| theirs.write_full(&object(&name), b"of ceph"))?;
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
    assert_eq!(error.to_string(), format!("cannot stat linger-tokio/{name}: no such object"));
    assert_eq!(soon(cluster.close(Duration::from_secs(5))).await??, []);
    Ok(())
}
