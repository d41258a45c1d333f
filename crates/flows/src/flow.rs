//! What is taken out of a flow record: who talked to whom.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};

/// Who measured a flow: a device, and the part of it that numbers its templates. Templates of one mean nothing for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Exporter {
    /// Where its packets come from.
    pub address: IpAddr,
    /// NetFlow v9: the source id. IPFIX: the observation domain. NetFlow v5: engine type and id. sFlow: the sub-agent.
    pub domain: u32,
}

impl fmt::Display for Exporter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}#{}", self.address, self.domain)
    }
}

/// One flow. What the exporter did not tell is zero, or unspecified.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Flow {
    /// Who sent.
    pub source: IpAddr,
    /// Who received.
    pub destination: IpAddr,
    /// From which port.
    pub source_port: u16,
    /// To which port.
    pub destination_port: u16,
    /// The number of the protocol: 6 is TCP, 17 is UDP.
    pub protocol: u8,
    /// How many packets.
    pub packets: u64,
    /// How many bytes.
    pub bytes: u64,
}

impl Flow {
    pub(crate) const EMPTY: Self = Self {
        source: IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        destination: IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        source_port: 0,
        destination_port: 0,
        protocol: 0,
        packets: 0,
        bytes: 0,
    };
}
