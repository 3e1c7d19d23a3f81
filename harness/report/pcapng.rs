//! The packets of a scenario as a pcapng file, for Wireshark, tshark and tcpdump.
//!
//! The form is that of draft-ietf-opsawg-pcapng: one section, an interface description for each
//! interface, and an enhanced packet block for each frame, with its direction and with a comment on
//! what it is to which probe.

use crate::observe::{CapturedFrame, Direction, Role};
use crate::run::{AttemptPackets, Packets};

/// Section 4.1 to 4.3: the types of blocks.
const SECTION_HEADER: u32 = 0x0a0d_0d0a;
const INTERFACE_DESCRIPTION: u32 = 1;
const ENHANCED_PACKET: u32 = 6;

/// Section 4.1: tells a reader the order of bytes, here that of little-endian machines.
const BYTE_ORDER_MAGIC: u32 = 0x1a2b_3c4d;
/// The type of links whose frames begin with an Ethernet header.
const LINKTYPE_ETHERNET: u16 = 1;

/// Section 3.5: options; 2 and more mean what the block makes of them.
const COMMENT: u16 = 1;
const SECTION_HARDWARE: u16 = 2;
const SECTION_OS: u16 = 3;
const SECTION_APPLICATION: u16 = 4;
const INTERFACE_NAME: u16 = 2;
const INTERFACE_RESOLUTION: u16 = 9;
const PACKET_FLAGS: u16 = 2;

/// The unit of times: ten to the power of minus nine seconds.
const NANOSECONDS: u8 = 9;

/// Section 4.3.1: bits of a packet's flags.
const INBOUND: u32 = 0b01;
const OUTBOUND: u32 = 0b10;
const PROMISCUOUS: u32 = 0b100 << 2;

/// Writes the packets of a scenario as the bytes of a pcapng file.
pub fn pcapng(scenario: &str, packets: &Packets) -> Vec<u8> {
    let mut file = section(scenario, packets);
    for name in &packets.interfaces {
        file.extend(interface(name));
    }
    for attempt in &packets.attempts {
        for frame in &attempt.frames {
            file.extend(packet(attempt, frame));
        }
    }
    file
}

fn section(scenario: &str, packets: &Packets) -> Vec<u8> {
    let mut body = BYTE_ORDER_MAGIC.to_le_bytes().to_vec();
    body.extend(1_u16.to_le_bytes());
    body.extend(0_u16.to_le_bytes());
    // The section's length is not told; it is all of the file.
    body.extend((-1_i64).to_le_bytes());
    let mut comment = format!("scenario {scenario}");
    if packets.left_out > 0 {
        comment += &format!("; {} packets are left out", packets.left_out);
    }
    option(&mut body, COMMENT, comment.as_bytes());
    option(
        &mut body,
        SECTION_HARDWARE,
        std::env::consts::ARCH.as_bytes(),
    );
    let os = format!("Linux {}", packets.kernel);
    option(&mut body, SECTION_OS, os.trim_end().as_bytes());
    let application = concat!("netproof ", env!("CARGO_PKG_VERSION"));
    option(&mut body, SECTION_APPLICATION, application.as_bytes());
    end_options(&mut body);
    block(SECTION_HEADER, &body)
}

fn interface(name: &str) -> Vec<u8> {
    let mut body = LINKTYPE_ETHERNET.to_le_bytes().to_vec();
    body.extend(0_u16.to_le_bytes());
    // Frames are never cut: no limit.
    body.extend(0_u32.to_le_bytes());
    option(&mut body, INTERFACE_NAME, name.as_bytes());
    option(&mut body, INTERFACE_RESOLUTION, &[NANOSECONDS]);
    end_options(&mut body);
    block(INTERFACE_DESCRIPTION, &body)
}

fn packet(attempt: &AttemptPackets, frame: &CapturedFrame) -> Vec<u8> {
    let length = frame.bytes.len() as u32;
    let mut body = (frame.interface as u32).to_le_bytes().to_vec();
    body.extend(((frame.time >> 32) as u32).to_le_bytes());
    body.extend((frame.time as u32).to_le_bytes());
    body.extend(length.to_le_bytes());
    body.extend(length.to_le_bytes());
    padded(&mut body, &frame.bytes);
    let mut flags = match frame.direction {
        Direction::In => INBOUND,
        Direction::Out => OUTBOUND,
    };
    if frame.for_another {
        flags |= PROMISCUOUS;
    }
    option(&mut body, PACKET_FLAGS, &flags.to_le_bytes());
    option(&mut body, COMMENT, comment(attempt, frame).as_bytes());
    end_options(&mut body);
    block(ENHANCED_PACKET, &body)
}

/// Says of what step, probe and attempt a frame is, and what it is to the probe.
fn comment(attempt: &AttemptPackets, frame: &CapturedFrame) -> String {
    let direction = match frame.direction {
        Direction::In => "in",
        Direction::Out => "out",
    };
    let role = match frame.role {
        Role::Before => return format!("{} · before {}", step(attempt), attempt.probe),
        Role::Meanwhile => format!("no packet of it, {direction}"),
        Role::Packet(leg) => format!("{leg}, {direction}"),
        Role::Carrier(leg) => format!("{leg} in a tunnel, {direction}"),
        Role::Error(leg) => format!("error about the {leg}, {direction}"),
    };
    format!(
        "{} · {} · attempt {} · {role}",
        step(attempt),
        attempt.probe,
        attempt.attempt
    )
}

fn step(attempt: &AttemptPackets) -> String {
    format!("step {} \"{}\"", attempt.step, attempt.name)
}

/// Section 3.1: every block begins and ends with its length, which is a multiple of four.
fn block(kind: u32, body: &[u8]) -> Vec<u8> {
    const FRAME: usize = 12;
    let length = ((body.len() + FRAME) as u32).to_le_bytes();
    [&kind.to_le_bytes()[..], &length, body, &length].concat()
}

/// Adds an option; one that is longer than an option can be is cut.
fn option(body: &mut Vec<u8>, code: u16, value: &[u8]) {
    let length = u16::try_from(value.len()).unwrap_or(u16::MAX);
    body.extend(code.to_le_bytes());
    body.extend(length.to_le_bytes());
    padded(body, &value[..usize::from(length)]);
}

fn end_options(body: &mut Vec<u8>) {
    body.extend([0; 4]);
}

fn padded(body: &mut Vec<u8>, value: &[u8]) {
    body.extend(value);
    body.resize(body.len().next_multiple_of(4), 0);
}
