//! How users name objects.

use alloc::sync::Arc;
use core::fmt;
use linger_wire::{Name, ObjectLocator};

/// A pool, by name or number.
///
/// A name is looked up once, in the first map that has it; from then on the pool's number counts,
/// so a pool that is removed and made again under its name is another pool.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PoolRef {
    /// By number.
    Id(i64),
    /// By name.
    Name(Name),
}

impl fmt::Display for PoolRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Id(id) => write!(f, "{id}"),
            Self::Name(name) => write!(f, "{name}"),
        }
    }
}

impl From<&str> for PoolRef {
    fn from(name: &str) -> Self {
        Self::Name(name.into())
    }
}

impl From<i64> for PoolRef {
    fn from(id: i64) -> Self {
        Self::Id(id)
    }
}

/// An object: its pool, its name, and where Ceph users set them its namespace and locator key.
///
/// ```
/// use linger_core::ObjectRef;
/// let header = ObjectRef::new("rbd", "rbd_header.1").namespace("tenant");
/// assert_eq!(header.to_string(), "rbd/tenant/rbd_header.1");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectRef {
    /// The pool.
    pub pool: PoolRef,
    /// The namespace; empty is the default one.
    pub namespace: Name,
    /// Places the object by this instead of its name; empty for none.
    pub key: Name,
    /// The object's name: 1 to 2048 bytes.
    pub name: Name,
}

impl ObjectRef {
    /// The object `name` in the pool's default namespace.
    pub fn new(pool: impl Into<PoolRef>, name: impl Into<Name>) -> Self {
        Self { pool: pool.into(), namespace: Name::default(), key: Name::default(), name: name.into() }
    }

    /// The same object name in another namespace.
    #[must_use]
    pub fn namespace(self, namespace: impl Into<Name>) -> Self {
        Self { namespace: namespace.into(), ..self }
    }

    /// The same object placed by a locator key.
    #[must_use]
    pub fn key(self, key: impl Into<Name>) -> Self {
        Self { key: key.into(), ..self }
    }
}

impl fmt::Display for ObjectRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/", self.pool)?;
        if !self.namespace.is_empty() {
            write!(f, "{}/", self.namespace)?;
        }
        write!(f, "{}", self.name)
    }
}

/// An object whose pool is known by number, shared by all that happens to it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Object {
    pub(crate) locator: ObjectLocator,
    pub(crate) name: Name,
}

impl Object {
    /// The object as users name it, with its pool by number.
    pub(crate) fn to_ref(&self) -> ObjectRef {
        ObjectRef {
            pool: PoolRef::Id(self.locator.pool),
            namespace: self.locator.nspace.clone(),
            key: self.locator.key.clone(),
            name: self.name.clone(),
        }
    }

    pub(crate) fn new(object: &ObjectRef, pool: i64) -> Arc<Self> {
        // A key equal to the name places alike; Ceph's clients drop it, and so the OSD expects.
        let key = if object.key == object.name { Name::default() } else { object.key.clone() };
        let locator = ObjectLocator { pool, key, nspace: object.namespace.clone(), hash: -1 };
        Arc::new(Self { locator, name: object.name.clone() })
    }
}
