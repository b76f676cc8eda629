//! cephx, Ceph's authentication: keys, the encryption envelope and the structures that travel in it.
//!
//! A login goes: [`LoginRequest`] → [`ServerChallenge`] → [`RequestHeader`] and [`Authenticate`] with a
//! [`proof`] → [`LoginReply`] with [`TicketReply`]s. Another service is then shown an [`Authorizer`],
//! answers with a sealed [`AuthorizeChallenge`] and at last a sealed [`AuthorizeReply`]. Every structure
//! has both directions, so that a test server is made of the same parts as a client.
//!
//! Facts: `auth/cephx/CephxProtocol.h`, `auth/cephx/CephxProtocol.cc`, `auth/Auth.h`, `auth/Crypto.cc`.

mod aes256k;
mod authorizer;
mod envelope;
mod key;
mod login;
mod name;
mod signature;
mod ticket;

pub use authorizer::{Authorize, AuthorizeChallenge, AuthorizeReply, Authorizer, NoneAuthorizer};
pub use envelope::{CONFOUNDER_LEN, CryptoError, Usage, message_signature, proof, verify_message};
pub use key::{CryptoKey, KeyError, KeyType};
pub use login::{
    Authenticate, ChallengeBlob, LoginReply, LoginRequest, MonLoginRequest, Operation, RequestHeader,
    ResponseHeader, ServerChallenge, ServiceTicketRequest,
};
pub use name::{AuthName, AuthNameError};
pub use signature::{SIGNATURE_LEN, signature, verify_signature};
pub use ticket::{
    AuthTicket, Secret, ServiceTicket, ServiceTicketInfo, TicketBlob, TicketEntry, TicketForm, TicketReply,
};
