//! Ceph's own encodings of keys, tickets and what else belongs to cephx. `ceph-dencoder` makes none of
//! these, so without a corpus there is nothing to compare with.

use anyhow::{Context, Result, ensure};
use linger_conformance::corpus;
use linger_wire::cephx::{
    Authenticate, Authorize, AuthorizeChallenge, AuthorizeReply, ChallengeBlob, CryptoKey, RequestHeader,
    ResponseHeader, ServerChallenge, ServiceTicket, ServiceTicketInfo, ServiceTicketRequest, TicketBlob,
};
use linger_wire::{Decode, Encode};

/// Decodes all encodings of a type; those of a version that linger writes must come out the same again.
fn check<T: Decode + Encode>(name: &str, written: fn(&[u8]) -> bool) -> Result<()> {
    let samples = corpus(name).context("the corpus went away")?;
    let mut compared = 0;
    for sample in &samples {
        let place = sample.path.display();
        let value = T::decode(&sample.bytes).with_context(|| place.to_string())?;
        if written(&sample.bytes) {
            ensure!(value.to_bytes() == sample.bytes, "{place}");
            compared += 1;
        }
    }
    println!("{name}: {} decoded, {compared} equal again", samples.len());
    ensure!(compared > 0, "no {name} of a version that linger writes");
    Ok(())
}

#[test]
fn every_cephx_structure_decodes_and_reencodes() -> Result<()> {
    if corpus("CryptoKey").is_none() {
        linger_testbed::skip("every_cephx_structure_decodes_and_reencodes", &"there is no corpus");
        return Ok(());
    }
    let all: fn(&[u8]) -> bool = |_| true;
    let since_2: fn(&[u8]) -> bool = |bytes| bytes.first().is_some_and(|version| *version >= 2);
    check::<Authenticate>("CephXAuthenticate", since_2)?;
    check::<Authorize>("CephXAuthorize", since_2)?;
    check::<AuthorizeChallenge>("CephXAuthorizeChallenge", all)?;
    check::<AuthorizeReply>("CephXAuthorizeReply", all)?;
    check::<ChallengeBlob>("CephXChallengeBlob", all)?;
    check::<RequestHeader>("CephXRequestHeader", all)?;
    check::<ResponseHeader>("CephXResponseHeader", all)?;
    check::<ServerChallenge>("CephXServerChallenge", all)?;
    check::<ServiceTicket>("CephXServiceTicket", all)?;
    check::<ServiceTicketInfo>("CephXServiceTicketInfo", all)?;
    check::<ServiceTicketRequest>("CephXServiceTicketRequest", all)?;
    check::<TicketBlob>("CephXTicketBlob", all)?;
    check::<CryptoKey>("CryptoKey", all)
}
