//! Captures that are made here, and an exporter that tells of them.

use std::fs;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::process::Output;

use crate::{find, program};

/// One flow over UDP: from, to, their ports, how many packets.
pub type Talk = (IpAddr, IpAddr, u16, u16, u8);

/// Writes a capture of Ethernet frames (the classic format of libpcap).
///
/// # Panics
///
/// Panics if it cannot be written, or if the ends of a flow are of two families.
pub fn write_capture(path: &Path, talks: &[Talk]) {
    let mut out = Vec::new();
    for word in [0xa1b2_c3d4_u32, 0x0004_0002, 0, 0, 65_535, 1] {
        out.extend(word.to_le_bytes());
    }
    let mut micros = 0_u32;
    for (source, destination, from, to, packets) in talks {
        for _ in 0..*packets {
            let frame = frame(*source, *destination, *from, *to);
            let size = u32::try_from(frame.len()).unwrap();
            for word in [1_750_000_000, micros, size, size] {
                out.extend(word.to_le_bytes());
            }
            out.extend(frame);
            micros += 100;
        }
    }
    fs::write(path, out).unwrap();
}

fn frame(source: IpAddr, destination: IpAddr, from: u16, to: u16) -> Vec<u8> {
    let payload = [0x78; 40];
    let datagram = [from, to, 8 + 40, 0].map(u16::to_be_bytes).concat();
    let mut frame = vec![2; 12];
    match (source, destination) {
        (IpAddr::V4(source), IpAddr::V4(destination)) => {
            frame.extend([8, 0, 0x45, 0, 0, 20 + 48, 0, 1, 0, 0, 64, 17, 0, 0]);
            frame.extend(source.octets());
            frame.extend(destination.octets());
        }
        (IpAddr::V6(source), IpAddr::V6(destination)) => {
            frame.extend([0x86, 0xdd, 0x60, 0, 0, 0, 0, 48, 17, 64]);
            frame.extend(source.octets());
            frame.extend(destination.octets());
        }
        _ => panic!("the ends of a flow are of two families"),
    }
    frame.extend(datagram);
    frame.extend(payload);
    frame
}

/// A packet of UDP from 10.0.0.1:4000 over IPv4, without link.
///
/// # Panics
///
/// Panics if it is too long for one.
#[must_use]
pub fn udp4(to: [u8; 4], port: u16, payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(payload.len() + 8).unwrap();
    let mut bytes = vec![0x45, 0];
    bytes.extend((length + 20).to_be_bytes());
    bytes.extend([0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, 1]);
    bytes.extend(to);
    bytes.extend(4_000_u16.to_be_bytes());
    bytes.extend(port.to_be_bytes());
    bytes.extend(length.to_be_bytes());
    bytes.extend([0, 0]);
    bytes.extend(payload);
    bytes
}

/// The same over TCP, with the number of its first byte.
///
/// # Panics
///
/// Panics if it is too long for one.
#[must_use]
pub fn tcp4(to: [u8; 4], port: u16, sequence: u32, payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(payload.len() + 40).unwrap();
    let mut bytes = vec![0x45, 0];
    bytes.extend(length.to_be_bytes());
    bytes.extend([0, 0, 0, 0, 64, 6, 0, 0, 10, 0, 0, 1]);
    bytes.extend(to);
    bytes.extend(4_000_u16.to_be_bytes());
    bytes.extend(port.to_be_bytes());
    bytes.extend(sequence.to_be_bytes());
    bytes.extend([0, 0, 0, 0, 0x50, 0x18, 0, 0, 0, 0, 0, 0]);
    bytes.extend(payload);
    bytes
}

/// Lets `softflowd` tell a collector of a capture; `version` is 5, 9 or 10 (IPFIX).
///
/// # Panics
///
/// Panics if it cannot be run.
#[must_use]
pub fn softflowd(folder: &Path, capture: &Path, version: u8, collector: SocketAddr) -> Output {
    let mut command = program("timeout");
    command.arg("60").arg(find("softflowd").unwrap_or_default());
    command.args(["-d", "-v", &version.to_string(), "-n", &collector.to_string(), "-r"]).arg(capture);
    // It has a control socket otherwise, and may wait there for somebody after the end of the file.
    command.args(["-c", "none", "-p"]).arg(folder.join("softflowd.pid"));
    command.output().unwrap()
}
