//! The login by messages, as msgr1 has it: MAuth and MAuthReply in a session that is open already.
//!
//! The payloads are those of msgr2 but for the first, where the mon picks the method of those it is offered.
//!
//! Facts: `mon/MonClient.cc`, `mon/AuthMonitor.cc`.

use super::{MonHandshake, MonLogin, Step};
use crate::Timestamp;
use crate::auth::{AuthError, AuthMethod, ConMode};
use alloc::boxed::Box;
use alloc::vec::Vec;
use bytes::Bytes;
use linger_wire::cephx::{CryptoKey, LoginRequest, MonLoginRequest};
use linger_wire::msg::AuthReply;
use linger_wire::{Encode, errno};
use rand_core::CryptoRng;

/// What is to be done after a mon's message.
#[derive(Debug)]
pub enum LoginStep {
    /// Send an MAuth.
    Send {
        /// Its auth method.
        method: u32,
        /// Its payload.
        payload: Bytes,
    },
    /// The login is over.
    Done(Box<MonLogin>),
}

impl MonHandshake {
    /// The payload of the first MAuth, whose method is 0.
    #[must_use]
    pub fn first_message(&self) -> Bytes {
        let global_id = self.resume.as_ref().map_or(0, |resume| resume.global_id);
        let login = LoginRequest { name: self.credentials.name.clone(), global_id };
        let methods = self.methods.iter().map(|method| method.number()).collect();
        MonLoginRequest { methods, login }.to_bytes()
    }

    /// Takes an MAuthReply.
    ///
    /// # Errors
    /// As [`more`](Self::more) and [`done`](Self::done), and [`AuthError::Refused`] or
    /// [`AuthError::MethodsRefused`].
    pub fn on_reply(
        &mut self,
        now: Timestamp,
        reply: &AuthReply,
        rng: &mut impl CryptoRng,
    ) -> Result<LoginStep, AuthError> {
        if reply.result < 0 {
            return Err(self.refused(reply.result.saturating_neg()));
        }
        if self.step == Step::Requested {
            self.methods.retain(|method| method.number() == reply.protocol);
            match self.methods.first() {
                Some(AuthMethod::None) => {}
                Some(AuthMethod::Cephx) => {
                    let payload = self.more(&reply.payload, rng)?;
                    return Ok(LoginStep::Send { method: AuthMethod::Cephx.number(), payload });
                }
                None => {
                    self.step = Step::Over;
                    return Err(AuthError::OutOfStep { what: "auth method" });
                }
            }
        }
        let login = self.done(now, reply.global_id, ConMode::Crc.number(), &reply.payload)?;
        Ok(LoginStep::Done(Box::new(login)))
    }

    fn refused(&mut self, errno: i32) -> AuthError {
        let step = core::mem::replace(&mut self.step, Step::Over);
        match step {
            Step::Over => AuthError::OutOfStep { what: "refusal" },
            // The mon does not say which ones it would take.
            Step::Requested if errno == errno::EOPNOTSUPP => {
                AuthError::MethodsRefused { offered: self.all_methods.clone(), allowed: Vec::new() }
            }
            Step::Requested | Step::Proven { .. } => {
                let method = self.method();
                let key = self.credentials.key.as_ref().filter(|_| method == AuthMethod::Cephx);
                let (key_type, resumed) = (key.map(CryptoKey::key_type), self.resume.is_some());
                AuthError::Refused { method, key_type, errno, resumed }
            }
        }
    }
}
