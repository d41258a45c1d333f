//! The seams: who knows what is listed, and who counts hits.

use std::net::IpAddr;

use model::Timestamp;

use crate::flow::{Exporter, Flow};

/// Where a flow was seen: a guard may watch for several customers, by exporter or by listener.
#[derive(Clone, Copy, Debug)]
pub struct Client<'a> {
    /// The name of the listener that it came by.
    pub listener: &'a str,
    /// Who measured it.
    pub exporter: Exporter,
}

/// Knows what is listed. It is asked four times for each flow, and never waits.
pub trait Judge: Send + Sync {
    /// Appends the slots of indicators of this address, or of a prefix around it.
    fn address(&self, client: &Client<'_>, address: IpAddr, slots: &mut Vec<u32>);

    /// Appends the slots of indicators of this address with this port.
    fn endpoint(&self, client: &Client<'_>, address: IpAddr, port: u16, slots: &mut Vec<u32>);

    /// Appends the slots of indicators that ask for several things of a flow at once.
    fn flow(&self, client: &Client<'_>, flow: &Flow, slots: &mut Vec<u32>) {
        let _: (&Client<'_>, &Flow, &mut Vec<u32>) = (client, flow, slots);
    }

    /// An indicator's opaque reference.
    fn reference(&self, slot: u32) -> String;

    /// Whether what the indicator lists may be shown here. Where it may not, alerts hold its reference alone.
    fn may_show(&self, slot: u32) -> bool;
}

/// A hit without anything of the victim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hit {
    /// Which indicator.
    pub slot: u32,
    /// When.
    pub at: Timestamp,
    /// How many flows this hit stands for.
    pub flows: u64,
}

/// Counts hits. It never waits, and bounds what it keeps.
pub trait Sink: Send + Sync {
    /// Takes a hit.
    fn hit(&self, hit: Hit);
}
