//! From packets to flows.
//!
//! NetFlow v5 has one form of record. NetFlow v9 (RFC 3954) and IPFIX (RFC 7011) send *templates*: which fields, in which order, of
//! which size; records are bytes that mean nothing without theirs. Template 256 of one exporter is not that of
//! another, nor of another part of the same device, so templates are kept by exporter and domain. An exporter sends templates again
//! every few minutes; records that come before theirs are kept for a while, and counted as lost when it does not come.
//!
//! `netflow_parser` reads the packets; this module is the only one that knows it. [sFlow](crate::sflow) needs no templates and is read by ourselves.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use netflow_parser::scoped_parser::{AutoScopedParser, ScopingInfo, extract_scoping_info};
use netflow_parser::variable_versions::ipfix::lookup::{IANAIPFixField, IPFixField};
use netflow_parser::variable_versions::ipfix::{FlowSetBody as IpfixBody, IPFix};
use netflow_parser::variable_versions::v9::{FlowSetBody as V9Body, V9};
use netflow_parser::{
    CacheMetrics, FieldValue, NetflowPacket, NetflowParser, PendingFlowsConfig, TtlConfig, V9Field,
};
use thiserror::Error;

use crate::flow::{Exporter, Flow};
use crate::sflow;

/// How much is kept for exporters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DecodeLimits {
    /// Exporters and their domains; the one that was silent the longest goes first.
    pub exporters_max: usize,
    /// Templates of one.
    pub templates_max: usize,
    /// Fields of one template; real ones have up to about 100.
    pub fields_max: usize,
    /// Sets of records that wait for their template, for one exporter.
    pub waiting_max: usize,
    /// Their bytes.
    pub waiting_bytes_max: usize,
    /// How long they wait. Templates come every few minutes, from some devices every 10 to 15.
    pub waiting_time: Duration,
    /// How long a template holds that did not come again.
    pub template_time: Duration,
}

impl Default for DecodeLimits {
    fn default() -> Self {
        Self {
            exporters_max: 256,
            templates_max: 256,
            fields_max: 512,
            waiting_max: 64,
            waiting_bytes_max: 256 * 1024,
            waiting_time: Duration::from_mins(2),
            template_time: Duration::from_hours(24),
        }
    }
}

/// A limit that makes no sense.
#[derive(Debug, Error)]
#[error("limits of the flow decoder: {0}")]
pub struct BadLimits(String);

/// What a packet was.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Decoded {
    /// Flows that it held, and those that waited for it.
    pub flows: u64,
    /// Sets of records whose template is not known, and that cannot wait for it.
    pub without_template: u64,
    /// Whether it, or a part of it, cannot be read.
    pub is_broken: bool,
}

/// What became of records that came before their template, for the exporters that are known now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Waiting {
    /// Sets of records that wait.
    pub now: u64,
    /// Sets whose template came.
    pub found: u64,
    /// Sets whose template did not come in time, or that did not fit.
    pub lost: u64,
}

/// Reads packets of all exporters.
#[derive(Debug)]
pub struct Decoder {
    parser: AutoScopedParser,
}

impl Decoder {
    /// A decoder that knows no template yet.
    ///
    /// # Errors
    ///
    /// Fails if a limit is zero.
    pub fn new(limits: &DecodeLimits) -> Result<Self, BadLimits> {
        let bad = |error: netflow_parser::ConfigError| BadLimits(error.to_string());
        let mut waiting = PendingFlowsConfig::with_ttl(limits.waiting_max, limits.waiting_time);
        waiting.max_entries_per_template = limits.waiting_max;
        waiting.max_total_bytes = limits.waiting_bytes_max;
        waiting.max_entry_size_bytes = limits.waiting_bytes_max.min(65_531);
        let builder = NetflowParser::builder()
            .with_cache_size(limits.templates_max)
            .with_max_field_count(limits.fields_max)
            .with_ttl(TtlConfig::new(limits.template_time))
            .with_allowed_versions(&[5, 9, 10])
            .with_max_error_sample_size(1)
            .with_pending_flows(waiting);
        let parser = AutoScopedParser::try_with_builder(builder).map_err(bad)?;
        Ok(Self { parser: parser.with_max_sources(limits.exporters_max).map_err(bad)? })
    }

    /// Reads a packet and hands its flows to `take`.
    pub fn decode(
        &mut self,
        from: SocketAddr,
        packet: &[u8],
        take: &mut dyn FnMut(Exporter, &Flow),
    ) -> Decoded {
        if sflow::is_datagram(packet) {
            return sflow::decode(from.ip(), packet, take);
        }
        let mut decoded = Decoded::default();
        // Somebody who sends noise from many addresses shall not push known exporters out.
        if extract_scoping_info(packet) == ScopingInfo::Unknown {
            decoded.is_broken = true;
            return decoded;
        }
        let result = self.parser.parse_from_source(from, packet);
        decoded.is_broken = result.error.is_some();
        for packet in &result.packets {
            let mut take = |domain: u32, flow: &Flow| {
                // A record that does not say who talked to whom is no flow.
                if flow.source.is_unspecified() && flow.destination.is_unspecified() {
                    return;
                }
                decoded.flows += 1;
                take(Exporter { address: from.ip(), domain }, flow);
            };
            decoded.without_template += match packet {
                NetflowPacket::V5(v5) => {
                    let domain = u32::from(v5.header.engine_type) << 8 | u32::from(v5.header.engine_id);
                    for set in &v5.flowsets {
                        let flow = Flow {
                            source: IpAddr::V4(set.src_addr),
                            destination: IpAddr::V4(set.dst_addr),
                            source_port: set.src_port,
                            destination_port: set.dst_port,
                            protocol: set.protocol_number,
                            packets: set.d_pkts.into(),
                            bytes: set.d_octets.into(),
                        };
                        take(domain, &flow);
                    }
                    0
                }
                NetflowPacket::V9(v9) => of_v9(v9, &mut take),
                NetflowPacket::IPFix(ipfix) => of_ipfix(ipfix, &mut take),
                // The parser was told to read no other.
                NetflowPacket::V7(_) | _ => 0,
            };
        }
        decoded
    }

    /// What became of records that came before their template.
    #[must_use]
    pub fn waiting(&self) -> Waiting {
        let v9 = self.parser.v9_info().into_iter().map(|(_, info)| info.v9);
        let ipfix = self.parser.ipfix_info().into_iter().map(|(_, info)| info.ipfix);
        v9.chain(ipfix).fold(Waiting::default(), |sum, info| {
            let CacheMetrics { pending_replayed, pending_dropped, pending_replay_failed, .. } = info.metrics;
            Waiting {
                now: sum.now + info.pending_flow_count as u64,
                found: sum.found + pending_replayed,
                lost: sum.lost + pending_dropped + pending_replay_failed,
            }
        })
    }
}

/// Gives the number of sets without a template.
fn of_v9(packet: &V9, take: &mut dyn FnMut(u32, &Flow)) -> u64 {
    let mut without_template = 0;
    for set in &packet.flowsets {
        match &set.body {
            V9Body::Data(data) => {
                for record in &data.fields {
                    take_flow(record.iter().map(|(field, value)| (v9_field(*field), value)), |flow| {
                        take(packet.header.source_id, flow);
                    });
                }
            }
            V9Body::NoTemplate(_) => without_template += 1,
            // Options tell of the device, not of who talked to whom.
            V9Body::Template(_) | V9Body::OptionsTemplate(_) | V9Body::OptionsData(_) | V9Body::Empty => (),
        }
    }
    without_template
}

/// Gives the number of sets without a template.
fn of_ipfix(packet: &IPFix, take: &mut dyn FnMut(u32, &Flow)) -> u64 {
    let domain = packet.header.observation_domain_id;
    let mut without_template = 0;
    for set in &packet.flowsets {
        match &set.body {
            IpfixBody::Data(data) => {
                for record in &data.fields {
                    let fields = record.iter().map(|(field, value)| (ipfix_field(*field), value));
                    take_flow(fields, |flow| take(domain, flow));
                }
            }
            IpfixBody::V9Data(data) => {
                for record in &data.fields {
                    let fields = record.iter().map(|(field, value)| (v9_field(*field), value));
                    take_flow(fields, |flow| take(domain, flow));
                }
            }
            IpfixBody::NoTemplate(_) => without_template += 1,
            IpfixBody::Template(_)
            | IpfixBody::Templates(_)
            | IpfixBody::V9Template(_)
            | IpfixBody::V9Templates(_)
            | IpfixBody::OptionsTemplate(_)
            | IpfixBody::OptionsTemplates(_)
            | IpfixBody::V9OptionsTemplate(_)
            | IpfixBody::V9OptionsTemplates(_)
            | IpfixBody::OptionsData(_)
            | IpfixBody::V9OptionsData(_)
            | IpfixBody::Empty => (),
        }
    }
    without_template
}

/// The fields that a flow is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Field {
    Source,
    Destination,
    SourcePort,
    DestinationPort,
    Protocol,
    Packets,
    Bytes,
    Other,
}

#[expect(clippy::wildcard_enum_match_arm, reason = "hundreds of fields, of which these are wanted")]
fn v9_field(field: V9Field) -> Field {
    match field {
        V9Field::Ipv4SrcAddr | V9Field::Ipv6SrcAddr => Field::Source,
        V9Field::Ipv4DstAddr | V9Field::Ipv6DstAddr => Field::Destination,
        V9Field::L4SrcPort => Field::SourcePort,
        V9Field::L4DstPort => Field::DestinationPort,
        V9Field::Protocol => Field::Protocol,
        V9Field::InPkts => Field::Packets,
        V9Field::InBytes => Field::Bytes,
        _ => Field::Other,
    }
}

#[expect(clippy::wildcard_enum_match_arm, reason = "hundreds of fields, of which these are wanted")]
fn ipfix_field(field: IPFixField) -> Field {
    let IPFixField::IANA(field) = field else { return Field::Other };
    match field {
        IANAIPFixField::SourceIpv4address | IANAIPFixField::SourceIpv6address => Field::Source,
        IANAIPFixField::DestinationIpv4address | IANAIPFixField::DestinationIpv6address => Field::Destination,
        IANAIPFixField::SourceTransportPort => Field::SourcePort,
        IANAIPFixField::DestinationTransportPort => Field::DestinationPort,
        IANAIPFixField::ProtocolIdentifier => Field::Protocol,
        IANAIPFixField::PacketDeltaCount => Field::Packets,
        IANAIPFixField::OctetDeltaCount => Field::Bytes,
        _ => Field::Other,
    }
}

/// Makes a flow of a record.
fn take_flow<'a>(fields: impl Iterator<Item = (Field, &'a FieldValue)>, take: impl FnOnce(&Flow)) {
    let mut flow = Flow::EMPTY;
    for (field, value) in fields {
        match field {
            Field::Source => set_address(&mut flow.source, value),
            Field::Destination => set_address(&mut flow.destination, value),
            Field::SourcePort => flow.source_port = value.as_u16().unwrap_or(0),
            Field::DestinationPort => flow.destination_port = value.as_u16().unwrap_or(0),
            Field::Protocol => flow.protocol = value.as_u8().unwrap_or(0),
            Field::Packets => flow.packets = value.as_u64().unwrap_or(0),
            Field::Bytes => flow.bytes = value.as_u64().unwrap_or(0),
            Field::Other => (),
        }
    }
    take(&flow);
}

/// A template may have fields of both versions, one of which is empty.
fn set_address(address: &mut IpAddr, value: &FieldValue) {
    let told = IpAddr::try_from(value).unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
    if !told.is_unspecified() {
        *address = told;
    }
}
