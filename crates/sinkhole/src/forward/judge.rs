//! What is done about a question: asked of whoever knows what is listed.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use crate::name::WireName;

/// A number that the caller gave an indicator.
pub type Slot = u32;

/// What a client gets for a blocked name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Safe addresses for A and AAAA; no data for every other type, HTTPS and SVCB too, which would lead past them.
    Address {
        /// For A.
        v4: Option<Ipv4Addr>,
        /// For AAAA.
        v6: Option<Ipv6Addr>,
    },
    /// The name does not exist.
    NxDomain,
    /// The name has no data.
    NoData,
}

/// Who wants it blocked (RFC 8914 §4.16 to §4.18).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The operator of this server: it harms.
    Blocked,
    /// Someone outside whom the operator has to obey.
    Censored,
    /// The client asked for it.
    Filtered,
}

/// Why a name is blocked, as far as a client may know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason {
    /// Who wants it.
    pub cause: Cause,
    /// The feed's public name, and never the indicator's source. At most 128 bytes of it are sent.
    pub text: Arc<str>,
}

/// What is done about a name or an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing is known of it.
    Pass,
    /// It is on an allow list: it passes, and so does whatever its answer leads to.
    Allow,
    /// It is listed; it passes and is counted.
    Monitor {
        /// The indicator.
        slot: Slot,
    },
    /// It is listed, and answered here.
    Block {
        /// The indicator.
        slot: Slot,
        /// With what.
        answer: Answer,
        /// Why.
        reason: Reason,
    },
}

/// Knows what is listed. Asked on every query, so it has to be quick and must not wait.
pub trait Judge: Send + Sync {
    /// What is done about `name`, in lower case, when `client` asks for data of type `qtype`.
    fn judge(&self, name: WireName<'_>, qtype: u16, client: IpAddr) -> Verdict;

    /// Whether [`judge_address`](Self::judge_address) is asked at all.
    fn judges_addresses(&self) -> bool {
        false
    }

    /// What is done about an answer that leads to `address`.
    fn judge_address(&self, address: IpAddr, client: IpAddr) -> Verdict {
        let _ = (address, client);
        Verdict::Pass
    }
}

/// What was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// It passed and was counted.
    Monitored,
    /// It was answered here.
    Blocked,
}

/// Is told of hits. Must not wait; what cannot be taken is dropped.
pub trait Sink: Send + Sync {
    /// A listed name was asked for, or met in an answer. The name and the client are not told.
    fn hit(&self, slot: Slot, action: Action);

    /// The same with all details, for a site that wants its own log of them. They do not leave the site.
    fn site_log(&self, slot: Slot, action: Action, name: WireName<'_>, client: IpAddr) {
        let _ = (slot, action, name, client);
    }
}
