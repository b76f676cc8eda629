//! The decoding and encoding traits, on nom's complete parsers.

use crate::{DecodeError, DecodeErrorKind};
use bytes::{BufMut, Bytes, BytesMut};
use nom::Offset;
use nom::error::{ErrorKind, ParseError};

/// What is left to parse.
pub type Input<'a> = &'a [u8];

/// A nom result with our error.
pub type Parsed<'a, T> = nom::IResult<Input<'a>, T, Fault<'a>>;

/// A parse error that still knows its place in the input.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Fault<'a> {
    at: Input<'a>,
    what: &'static str,
    kind: DecodeErrorKind,
}

impl<'a> ParseError<Input<'a>> for Fault<'a> {
    fn from_error_kind(at: Input<'a>, kind: ErrorKind) -> Self {
        let kind = match kind {
            ErrorKind::Eof => DecodeErrorKind::Truncated,
            _ => DecodeErrorKind::Invalid,
        };
        Self { at, what: "", kind }
    }

    fn append(_: Input<'a>, _: ErrorKind, other: Self) -> Self {
        other
    }
}

/// Stops parsing with an error at `at`.
pub fn fail<'a, T>(at: Input<'a>, what: &'static str, kind: DecodeErrorKind) -> Parsed<'a, T> {
    Err(nom::Err::Failure(Fault { at, what, kind }))
}

/// A value that can be parsed from the front of a buffer.
///
/// Internal: the public face is [`Decode`], so that nom is no part of the API.
pub trait Parse: Sized {
    /// The name that errors carry for this type.
    const WHAT: &'static str;

    /// Parses one value; what follows it is left in the returned rest.
    fn parse(i: Input<'_>) -> Parsed<'_, Self>;

    /// As [`Parse::parse`], naming the field in the error when nothing inside has a better name.
    fn field<'a>(i: Input<'a>, what: &'static str) -> Parsed<'a, Self> {
        Self::parse(i).map_err(|e| e.map(|f| if f.what.is_empty() { Fault { what, ..f } } else { f }))
    }
}

/// A value that can be decoded from a whole buffer.
///
/// Bytes after the value are ignored, as Ceph's own decoders do: newer encoders append fields.
pub trait Decode: Sized {
    /// Decodes a value from the front of `bytes`.
    ///
    /// # Errors
    /// [`DecodeError`] with the offset of the first byte that could not be used.
    fn decode(bytes: &[u8]) -> Result<Self, DecodeError>;
}

impl<T: Parse> Decode for T {
    fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        run(bytes, T::WHAT, T::parse)
    }
}

/// Runs a parser over a whole buffer and turns its fault into an offset.
pub fn run<'a, T>(
    bytes: Input<'a>,
    what: &'static str,
    parser: impl FnOnce(Input<'a>) -> Parsed<'a, T>,
) -> Result<T, DecodeError> {
    match parser(bytes) {
        Ok((_, value)) => Ok(value),
        Err(nom::Err::Error(f) | nom::Err::Failure(f)) => Err(DecodeError {
            offset: bytes.offset(f.at),
            what: if f.what.is_empty() { what } else { f.what },
            kind: f.kind,
        }),
        Err(nom::Err::Incomplete(_)) => {
            Err(DecodeError { offset: bytes.len(), what, kind: DecodeErrorKind::Truncated })
        }
    }
}

/// A value with a wire encoding.
pub trait Encode {
    /// Appends the encoding to `out`.
    fn encode(&self, out: &mut BytesMut);

    /// The encoding as a buffer of its own.
    fn to_bytes(&self) -> Bytes {
        let mut out = BytesMut::new();
        self.encode(&mut out);
        out.freeze()
    }
}

macro_rules! integers {
    ($($t:ty, $parser:ident, $put:ident;)*) => {$(
        impl Parse for $t {
            const WHAT: &'static str = stringify!($t);
            #[inline]
            fn parse(i: Input<'_>) -> Parsed<'_, Self> {
                nom::number::complete::$parser(i)
            }
        }
        impl Encode for $t {
            #[inline]
            fn encode(&self, out: &mut BytesMut) {
                out.$put(*self);
            }
        }
    )*};
}

integers! {
    u8, le_u8, put_u8;
    u16, le_u16, put_u16_le;
    u32, le_u32, put_u32_le;
    u64, le_u64, put_u64_le;
    i8, le_i8, put_i8;
    i16, le_i16, put_i16_le;
    i32, le_i32, put_i32_le;
    i64, le_i64, put_i64_le;
    f32, le_f32, put_f32_le;
}

impl Parse for bool {
    const WHAT: &'static str = "bool";
    fn parse(i: Input<'_>) -> Parsed<'_, Self> {
        let (i, byte) = u8::parse(i)?;
        Ok((i, byte != 0))
    }
}

impl Encode for bool {
    fn encode(&self, out: &mut BytesMut) {
        out.put_u8(u8::from(*self));
    }
}

/// `Parse` and `Encode` of a struct whose fields follow one another in the order given.
macro_rules! codec {
    ($name:ident { $($field:ident),* $(,)? }) => {
        impl $crate::primitives::Parse for $name {
            const WHAT: &'static str = stringify!($name);
            fn parse(i: $crate::primitives::Input<'_>) -> $crate::primitives::Parsed<'_, Self> {
                $(let (i, $field) = $crate::primitives::Parse::field(
                    i, concat!(stringify!($name), ".", stringify!($field)))?;)*
                Ok((i, Self { $($field),* }))
            }
        }
        impl $crate::Encode for $name {
            fn encode(&self, out: &mut ::bytes::BytesMut) {
                $(self.$field.encode(out);)*
            }
        }
    };
}
pub(crate) use codec;
