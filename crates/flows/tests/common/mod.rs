//! What the tests share: a judge with a short list, and packets made by hand.
#![allow(dead_code, unreachable_pub, reason = "each test uses its part")]

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Mutex;

use flows::{Client, Hit, Judge, Sink};

/// Listed addresses, and addresses with a port.
#[derive(Debug, Default)]
pub struct Listed {
    pub addresses: BTreeMap<IpAddr, u32>,
    pub endpoints: BTreeMap<(IpAddr, u16), u32>,
}

impl Judge for Listed {
    fn address(&self, _client: &Client<'_>, address: IpAddr, slots: &mut Vec<u32>) {
        slots.extend(self.addresses.get(&address));
    }

    fn endpoint(&self, _client: &Client<'_>, address: IpAddr, port: u16, slots: &mut Vec<u32>) {
        slots.extend(self.endpoints.get(&(address, port)));
    }

    fn reference(&self, slot: u32) -> String {
        format!("rf-{slot:04}")
    }

    fn may_show(&self, slot: u32) -> bool {
        slot.is_multiple_of(2)
    }
}

#[derive(Debug, Default)]
pub struct Hits(pub Mutex<Vec<Hit>>);

impl Sink for Hits {
    fn hit(&self, hit: Hit) {
        self.0.lock().unwrap().push(hit);
    }
}

/// A record: who, to whom, from and to which port.
pub type Record = ([u8; 4], [u8; 4], u16, u16);

/// A packet of NetFlow v5.
pub fn v5(records: &[Record]) -> Vec<u8> {
    let mut packet = vec![0, 5];
    packet.extend(u16::try_from(records.len()).unwrap().to_be_bytes());
    packet.resize(24, 0);
    packet[20..22].copy_from_slice(&[0, 7]); // the engine
    for (source, destination, from, to) in records {
        let begin = packet.len();
        packet.extend(source);
        packet.extend(destination);
        packet.resize(begin + 48, 0);
        packet[begin + 19] = 3; // packets
        packet[begin + 23] = 180; // bytes
        packet[begin + 32..begin + 34].copy_from_slice(&from.to_be_bytes());
        packet[begin + 34..begin + 36].copy_from_slice(&to.to_be_bytes());
        packet[begin + 38] = 6;
    }
    packet
}

/// The fields of the templates made here: number and size.
pub const FIELDS: [(u16, u16); 7] = [(8, 4), (12, 4), (7, 2), (11, 2), (4, 1), (2, 4), (1, 4)];

/// The same numbers in another order, for an exporter that calls it by the same number.
pub const FIELDS_TURNED: [(u16, u16); 7] = [(12, 4), (8, 4), (11, 2), (7, 2), (4, 1), (1, 4), (2, 4)];

pub fn template(id: u16, fields: &[(u16, u16)]) -> Vec<u8> {
    let mut body = [id, u16::try_from(fields.len()).unwrap()].map(u16::to_be_bytes).concat();
    for (field, size) in fields {
        body.extend([*field, *size].map(u16::to_be_bytes).concat());
    }
    body
}

pub fn records(records: &[Record], is_turned: bool) -> Vec<u8> {
    let mut body = Vec::new();
    for (source, destination, from, to) in records {
        let ports = [from.to_be_bytes(), to.to_be_bytes()];
        let (addresses, ports) = if is_turned {
            ([destination, source], [ports[1], ports[0]])
        } else {
            ([source, destination], ports)
        };
        body.extend(addresses.into_iter().flatten());
        body.extend(ports.concat());
        body.push(6);
        body.extend([0, 0, 0, 3, 0, 0, 0, 3]);
    }
    while !body.len().is_multiple_of(4) {
        body.push(0);
    }
    body
}

/// A packet of NetFlow v9 with these sets.
pub fn v9(domain: u32, sets: &[(u16, Vec<u8>)]) -> Vec<u8> {
    let mut packet = vec![0, 9];
    packet.extend(u16::try_from(sets.len()).unwrap().to_be_bytes());
    packet.resize(16, 0);
    packet.extend(domain.to_be_bytes());
    put_sets(&mut packet, sets);
    packet
}

/// A message of IPFIX with these sets.
pub fn ipfix(domain: u32, sets: &[(u16, Vec<u8>)]) -> Vec<u8> {
    let mut packet = vec![0, 10, 0, 0];
    packet.resize(12, 0);
    packet.extend(domain.to_be_bytes());
    put_sets(&mut packet, sets);
    let length = u16::try_from(packet.len()).unwrap();
    packet[2..4].copy_from_slice(&length.to_be_bytes());
    packet
}

fn put_sets(packet: &mut Vec<u8>, sets: &[(u16, Vec<u8>)]) {
    for (id, body) in sets {
        packet.extend([*id, u16::try_from(body.len() + 4).unwrap()].map(u16::to_be_bytes).concat());
        packet.extend(body);
    }
}
